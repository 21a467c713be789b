"""Who reads whom: the attention weights of every layer and head on a text, as a grid of pictures, and one head at a
time with numbers.

`weights_of` computes them from what goes into each attention layer (a forward hook; the model's own forward stays as it
is and uses the fused kernel). The weights times the values, through o_proj, are the layer's output to 1e-5: a test
compares them.
"""

import math
from html import escape
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.stages.model import Llama, apply_rope
from course_lib.stages.tokenizer import BOS
from course_lib.widgets.front import box, has_front_end, show_png, show_widget
from course_lib.widgets.heatmap import shown
from course_lib.widgets.style import describe, in_style, panels, png, small

MOST = 32  # tokens of a text that are shown: more columns than that nobody reads

CSS = """
.lb-att{position:relative;padding-bottom:3.4em;overflow-x:auto} .lb-att table{border-collapse:collapse}
.lb-att td{min-width:1.5em;text-align:center;font-size:11px;padding:1px;border:1px solid rgba(128,128,128,.25)}
.lb-att th{font-weight:400;white-space:pre;padding:1px 4px}
.lb-att th[scope=col]{writing-mode:vertical-rl;text-align:left} .lb-att th[scope=row]{text-align:right}
.lb-att tr:hover th[scope=row],.lb-att th:focus{outline:2px solid currentColor;outline-offset:-2px}
.lb-att::after,.lb-att tr:hover th[scope=row]::after,.lb-att th:focus::after{position:absolute;left:0;right:0;bottom:0;
  height:3em;line-height:1.25;padding:3px 6px;box-sizing:border-box;border:1px solid rgba(128,128,128,.6);
  border-radius:4px;background:var(--jp-layout-color0,Canvas);color:var(--jp-ui-font-color0,CanvasText);text-align:left;
  white-space:pre-line;writing-mode:horizontal-tb}
.lb-att::after{content:"Point at a row, or go to a token on the left with Tab: what does it read?"}
.lb-att tr:hover th[scope=row]::after,.lb-att th:focus::after{content:attr(title);z-index:1}
"""


@torch.no_grad()
def weights_of(model: Llama, ids: Int[Tensor, "1 T"]) -> Float[Tensor, "L H T T"]:
    """softmax(q · k / √P) of every layer and head: row t says how much token t reads each token s ≤ t. Each row sums to
    1.
    """
    inputs: list[tuple] = []
    hooks = []
    for block in model.model.layers:
        attention = cast(nn.Module, block.self_attn)
        hooks.append(attention.register_forward_pre_hook(lambda module, given: inputs.append((module, *given[:3]))))
    try:
        model.hidden(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([head_weights(*given)[0] for given in inputs]).cpu()


def head_weights(
    attention, x: Float[Tensor, "B T D"], cos: Float[Tensor, "T P"], sin: Float[Tensor, "T P"]
) -> Float[Tensor, "B H T T"]:
    q, k = (
        apply_rope(project(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2), cos, sin)
        for project in (attention.q_proj, attention.k_proj)
    )
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
    return torch.softmax(scores.masked_fill(later, -torch.inf), -1)


def attend(model: Llama, tokenizer, text: str) -> tuple[list[str], Float[Tensor, "L H T T"]]:
    """(tokens, weights) of a document's first MOST tokens; the first one is <|bos|>."""
    ids = [BOS, *tokenizer.encode(text, add_special_tokens=False).ids][:MOST]
    weights = weights_of(model, torch.tensor([ids], device=next(model.parameters()).device))
    return [shown(tokenizer.decode([k], skip_special_tokens=False)) for k in ids], weights


def facts(weights: Float[Tensor, "L H T T"]) -> dict[str, Float[Tensor, "L H"]]:
    """What a head does on average over the tokens that have somebody before them: "entropy" of its weights (nats),
    "distance" that it looks back (tokens), and the shares of its weight on the token "itself", on the one "before", and
    on the "first" of the text.
    """
    T = weights.shape[-1]
    rows, places = weights[..., 1:, :], torch.arange(T, dtype=weights.dtype)
    back = places[1:, None] - places
    return {
        "entropy": -(rows * rows.clamp_min(1e-30).log()).sum(-1).mean(-1),
        "distance": (rows * back).sum(-1).mean(-1),
        "itself": weights.diagonal(0, -2, -1)[..., 1:].mean(-1),
        "before": weights.diagonal(-1, -2, -1).mean(-1),
        "first": rows[..., 0].mean(-1),
    }


def most_entropy(tokens: int) -> float:
    """The entropy of a head that reads all it may alike, mean over the same tokens, nats."""
    return sum(math.log(t + 1) for t in range(1, tokens)) / max(1, tokens - 1)


def summary(tokens: list[str], weights: Float[Tensor, "L H T T"], layer: int, head: int) -> str:
    """One head in a sentence."""
    one = {key: float(value[layer, head]) for key, value in facts(weights).items()}
    return (
        f"Layer {layer + 1}, head {head + 1}: entropy {one['entropy']:.2f} nats (reading all alike: "
        f"{most_entropy(len(tokens)):.2f}), looks back {one['distance']:.1f} tokens on average; "
        f"{100 * one['itself']:.0f} % of its weight on the token itself, {100 * one['before']:.0f} % on the one "
        f"before, {100 * one['first']:.0f} % on the first."
    )


def reads(tokens: list[str], row: Float[Tensor, " T"], t: int) -> str:
    """What token t reads, the most first."""
    best = row[: t + 1].topk(min(4, t + 1))
    return f"“{tokens[t]}” reads " + ", ".join(
        f"“{tokens[s]}” {100 * share:.0f} %" for share, s in zip(best.values.tolist(), best.indices.tolist())
    )


def cell(share: float) -> str:
    if share < 0.005:
        return "<td></td>"
    return f'<td style="background:rgba(0,114,178,{0.6 * share:.2f})">{100 * share:.0f}</td>'


def render(tokens: list[str], weights: Float[Tensor, "L H T T"], layer: int = 0, head: int = 0) -> str:
    """HTML of one head: a row for each token that reads, a column for each that is read, the weight in %. Layers and
    heads count from 0 here and from 1 in words.
    """
    one = weights[layer, head]
    columns = "".join(f'<th scope="col">{escape(token)}</th>' for token in tokens)
    rows = ""
    for t, token in enumerate(tokens):
        cells = "".join(map(cell, one[t, : t + 1].tolist()))
        title = escape(reads(tokens, one[t], t))
        rows += f'<tr><th scope="row" tabindex="0" title="{title}">{escape(token)}</th>{cells}</tr>'
    return box(
        f"<style>{CSS}</style><div>{escape(summary(tokens, weights, layer, head))}</div><div>Rows read, columns are "
        "read; weights in %, nothing under 0.5 %.</div>"
        '<div class="lb-att"><table aria-label="attention weights in %: rows read, columns are '
        f'read"><tr><td></td>{columns}</tr>{rows}</table></div>'
    )


@in_style
def figure(tokens: list[str], weights: Float[Tensor, "L H T T"], title: str = "Who reads whom?"):
    """A grid of all heads, a row a layer; each title has the head's entropy."""
    layers, heads, T, _ = weights.shape
    entropy, size = facts(weights)["entropy"], max(1.6, 0.115 * T)
    fig, grid = panels(layers, heads, height=size * layers + 1.0, width=size * heads + 1.4, sharex=True, sharey=True)
    for layer, row in enumerate(grid):
        for head, axes in enumerate(row):
            picture = axes.imshow(weights[layer, head].numpy(), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(f"layer {layer + 1}, head {head + 1}: {entropy[layer, head]:.2f} nats", fontsize=8)
            axes.set_xticks(range(T), tokens, rotation=90, fontsize=6, parse_math=False)
            axes.set_yticks(range(T), tokens, fontsize=6, parse_math=False)
    fig.colorbar(picture, ax=grid, label="attention weight", shrink=0.6)
    fig.suptitle(title)
    fig.supxlabel("token that is read", fontsize=9)
    fig.supylabel("token that reads", fontsize=9)
    return fig


class Attention:
    """The widget: a button for each layer and each head over the table of that head."""

    def __init__(self, tokens: list[str], weights: Tensor):
        import ipywidgets

        self.tokens, self.weights = tokens, weights
        buttons = lambda words, n: ipywidgets.ToggleButtons(
            options=[(str(k + 1), k) for k in range(n)], value=0, description=words, style={"button_width": "auto"}
        )
        self.layer, self.head = buttons("Layer:", weights.shape[0]), buttons("Head:", weights.shape[1])
        self.html = ipywidgets.HTML(value=render(tokens, weights))
        for chosen in (self.layer, self.head):
            chosen.observe(self.choose, "value")
        self.box = ipywidgets.VBox([self.layer, self.head, self.html])

    def choose(self, _: dict) -> None:
        self.html.value = render(self.tokens, self.weights, self.layer.value, self.head.value)


def show(model: Llama, tokenizer, text: str) -> Attention | None:
    """The grid of all heads, then the widget, which is returned; None without a front end or without ipywidgets."""
    tokens, weights = attend(model, tokenizer, text)
    if has_front_end():
        fig = figure(tokens, weights)
        show_png(small(png(fig)), describe(fig))
    return show_widget(
        lambda: Attention(tokens, weights), render(tokens, weights), "look at the grid: it has all heads."
    )
