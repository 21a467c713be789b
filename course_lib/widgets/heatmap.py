"""A token heat map: a text whose tokens are coloured by a number each (log-probability, KL, reward, advantage);
pointing at one, or reaching it with Tab, gives all its numbers.

`per_token` and `reward_so_far` compute the numbers with the functions that train. `render` is a pure function of tokens
and numbers: HTML and CSS, no JavaScript. The colours lie thinly on the page's own ground, so they read in light and
dark themes; a sanitiser that takes the colours away leaves the table of numbers.
"""

import math
from collections.abc import Sequence
from html import escape

import torch

from course_lib.stages.model import RewardModel
from course_lib.stages.ppo import PPOConfig, gae, kl_penalised, token_logprobs_and_values
from course_lib.stages.preferences import encode_answers
from course_lib.stages.rollout import chosen_logits, spread, token_logprobs
from course_lib.stages.tokenizer import encode_documents
from course_lib.widgets.front import box, show_widget

MEANINGS = {
    "log-probability": ("nats", "log π of the token: 0 is certain, far below 0 is a surprise"),
    "entropy": ("nats", "how open the choice was"),
    "reference log-probability": ("nats", "log π_ref: what the reference model thinks of the token"),
    "log-ratio": (
        "nats",
        "log π − log π_ref: above 0 the policy likes the token better than the reference does; PPO charges β for it",
    ),
    "KL": ("nats", "KL(π ‖ π_ref) of this choice over the whole vocabulary"),
    "reward": (
        "units of reward",
        "what PPO pays for the token: −β · (log π − log π_ref), and the answer's score at its last token",
    ),
    "value": ("units of reward", "what the critic expects from here on"),
    "advantage": ("units of reward", "how much better than expected the choice turned out (GAE)"),
    "reward so far": (
        "units of reward",
        "what the reward head would say if the answer ended here; it was trained at the last token only",
    ),
    "change": ("units of reward", "by how much this token moves the reward head"),
}
ABOVE, BELOW = "0,114,178", "213,94,0"  # blue and orange of style.py, as CSS wants them with an opacity
DEEPEST = 0.6  # opacity at the end of the scale: black on white and white on black still have a contrast over 4.5

CSS = """
.lb-heat{max-width:820px}
.lb-tokens{position:relative;padding-bottom:4.2em;line-height:2;white-space:pre-wrap;overflow-wrap:anywhere}
.lb-tokens span{padding:2px 0;border-radius:2px;border-bottom:2px solid transparent}
.lb-tokens span:hover,.lb-tokens span:focus{outline:2px solid currentColor;outline-offset:-1px}
.lb-tokens::after,.lb-tokens span:hover::after,.lb-tokens span:focus::after{position:absolute;left:0;right:0;bottom:0;
  height:3.6em;overflow:auto;line-height:1.2;padding:3px 6px;box-sizing:border-box;
  border:1px solid rgba(128,128,128,.6);border-radius:4px;background:var(--jp-layout-color0,Canvas);
  color:var(--jp-ui-font-color0,CanvasText);font-weight:400;white-space:pre-line}
.lb-tokens::after{content:"Point at a token, or go to it with Tab, for its numbers."}
.lb-tokens span:hover::after,.lb-tokens span:focus::after{content:attr(title);z-index:1}
.lb-heat td,.lb-heat th{text-align:right;padding:1px 8px}
.lb-legend span{display:inline-block;padding:1px 8px;margin-right:2px}
"""


def encoded(tokenizer, text: str | list[dict]) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids [1 T], mask [1 T]) of a conversation, 1 on its last turn and the <|im_end|> after it, or of a document, 1 on
    all but <|bos|>.
    """
    if isinstance(text, str):
        ids = encode_documents(tokenizer, [text])[0]
        return torch.tensor([ids]), torch.tensor([[False] + [True] * (len(ids) - 1)])
    [[(ids, mask)]] = encode_answers(tokenizer, [{"prompt": text[:-1], "answer": [text[-1]]}], ("answer",), 10_000)
    return torch.tensor([ids]), torch.tensor([mask], dtype=torch.bool)


def named(
    tokenizer, ids: torch.Tensor, mask: torch.Tensor, numbers: dict[str, torch.Tensor]
) -> tuple[list[str], list[dict]]:
    """(tokens as text, a dict of numbers for each: empty where the mask is 0)."""
    tokens = [tokenizer.decode([k], skip_special_tokens=False) for k in ids[0].tolist()]
    at = lambda t: {key: float(row[0, t]) for key, row in numbers.items()} if mask[0, t] else {}
    return tokens, [at(t) for t in range(len(tokens))]


@torch.no_grad()
def per_token(
    model, tokenizer, conversation: str | list[dict], reference=None, reward=None, beta: float = PPOConfig().beta
) -> tuple[list[str], list[dict]]:
    """(tokens, values) for `render`: what the model, and the reference model, think of each token of the last turn of a
    conversation, or of a document.

    `reward(rows, answers) → [B]`, as PPO takes it, gives the reward a token with the price `beta` of a nat (a reference
    is needed); a policy with a value head has value and advantage as well. Raises ValueError for a reward without a
    reference or on a document.
    """
    if reward is not None and (reference is None or isinstance(conversation, str)):
        raise ValueError("PPO's reward of a token needs a reference model and a conversation")
    device = next(model.parameters()).device
    ids, mask = (each.to(device) for each in encoded(tokenizer, conversation))
    logp = torch.log_softmax(chosen_logits(model, ids, mask).float(), -1)
    made = {"log-probability": token_logprobs(model, ids, mask), "entropy": spread(-(logp.exp() * logp).sum(-1), mask)}
    if reference is not None:
        theirs = token_logprobs(reference, ids, mask)
        q = torch.log_softmax(chosen_logits(reference, ids, mask).float(), -1)
        made |= {
            "reference log-probability": theirs,
            "log-ratio": (made["log-probability"] - theirs) * mask,
            "KL": spread((logp.exp() * (logp - q)).sum(-1), mask),
        }
    if reward is not None and not isinstance(conversation, str):
        paid = reward([{"messages": conversation[:-1]}], [conversation[-1]["content"]])
        scores = torch.as_tensor(paid, dtype=torch.float32).to(device)
        made["reward"] = kl_penalised(scores, made["log-probability"], made["reference log-probability"], mask, beta)
        if hasattr(model, "value"):
            made["value"] = token_logprobs_and_values(model, ids, mask)[1]
            made["advantage"] = gae(made["reward"], made["value"], mask, PPOConfig().gamma, PPOConfig().lam)[0]
    return named(tokenizer, ids, mask, made)


@torch.no_grad()
def reward_so_far(model: RewardModel, tokenizer, conversation: list[dict]) -> tuple[list[str], list[dict]]:
    """(tokens, values): what the reward head says after each token of the answer, and by how much the token has moved
    it. The last one is the answer's reward.
    """
    ids, mask = (each.to(model.score.weight.device) for each in encoded(tokenizer, conversation))
    said = model.score(model.hidden(ids))[..., 0]
    return named(tokenizer, ids, mask, {"reward so far": said, "change": said - said.roll(1, 1)})


def nice(number: float) -> float:
    """The next of 1, 2, 5 · 10^k upwards, so that a scale ends at a round number."""
    if number <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(number))
    return next(round(step * power, 12) for step in (1, 2, 5, 10) if step * power >= number * (1 - 1e-9))


def scale_of(values: list[dict], key: str) -> tuple[float, bool, bool]:
    """(end of the scale, is anything above 0, is anything below 0) of the finite numbers of a key."""
    numbers = [value[key] for value in values if math.isfinite(value.get(key, math.nan))]
    return nice(max(map(abs, numbers), default=0.0)), any(n > 0 for n in numbers), any(n < 0 for n in numbers)


def paint(number: float | None, top: float) -> str:
    """CSS of a number: opacity grows with the root of its size, so that the small ones still show; under what lies
    below 0 the line is dotted.
    """
    if number is None or not math.isfinite(number):
        return ""
    colour, line = (ABOVE, "solid") if number >= 0 else (BELOW, "dotted")
    opacity = DEEPEST * math.sqrt(min(1.0, abs(number) / top))
    return f"background:rgba({colour},{opacity:.2f})" + (
        f";border-bottom:2px {line} rgb({colour})" if opacity > 0.25 * DEEPEST else ""
    )


def said(number: float) -> str:
    return f"{round(number, 3) + 0.0:.3f}".replace("-", "−")  # + 0: no "−0.000"


def shown(token: str) -> str:
    """The token as it is printed: a line break is a sign."""
    return token.replace("\r", "␍").replace("\n", "↵")


def hover(token: str, value: dict) -> str:
    if not value:
        return f"“{shown(token)}”: given, not chosen by the model"
    return f"“{shown(token)}” · " + " · ".join(
        f"{key} {said(number)} {MEANINGS.get(key, ('', ''))[0]}".strip() for key, number in value.items()
    )


def legend(key: str, top: float, above: bool, below: bool) -> str:
    """Swatches with their numbers and the unit."""
    shares = (0.05, 0.25, 1)
    numbers = [-top * s for s in reversed(shares)] * below + [0.0] + [top * s for s in shares] * above
    swatches = "".join(f'<span style="{paint(n, top)}">{f"{n:g}".replace("-", "−")}</span>' for n in numbers)
    return (
        f'<div class="lb-legend">{swatches} {escape(MEANINGS.get(key, ("", ""))[0])}'
        + (" (blue, line: above 0; orange, dots: below 0)" if above and below else "")
        + "</div>"
    )


def keys_of(values: list[dict]) -> list[str]:
    return list(dict.fromkeys(key for value in values for key in value))


def table(tokens: list[str], values: list[dict]) -> str:
    """All numbers, a row a token: for screen readers, and for viewers that strip styles."""
    keys = keys_of(values)
    head = "".join(f'<th scope="col">{escape(key)}</th>' for key in keys)
    rows = ""
    for token, value in zip(tokens, values):
        if value:
            cells = "".join(f"<td>{said(value[key]) if key in value else ''}</td>" for key in keys)
            rows += f'<tr><th scope="row">{escape(shown(token))}</th>{cells}</tr>'
    return (
        "<details><summary>All numbers as a table</summary><table><tr><th "
        f'scope="col">token</th>{head}</tr>{rows}</table></details>'
    )


def render(tokens: list[str], values: list[dict], key: str, beside: Sequence[dict] = ()) -> str:
    """HTML of the tokens coloured by `values[k][key]`; a token without that number keeps the page's ground. beside:
    values of other maps, for one scale with them. Raises ValueError for another number of tokens than values, or an
    unknown key.
    """
    if len(tokens) != len(values):
        raise ValueError(f"{len(tokens)} tokens and {len(values)} values")
    if values and key not in keys_of(values):
        raise ValueError(f"there is no {key!r} here: choose {', '.join(keys_of(values))}")
    top, above, below = scale_of([*values, *beside], key)
    chips = "".join(
        f'<span role="listitem"{" tabindex=0" * bool(value)} title="{escape(hover(token, value))}" '
        f'style="{paint(value.get(key), top)}">{escape(shown(token))}</span>' + "<br>" * token.count("\n")
        for token, value in zip(tokens, values)
    )
    unit, meaning = MEANINGS.get(key, ("", ""))
    head = f"<div><b>{escape(key)}</b>{f' ({unit})' if unit else ''}{': ' + escape(meaning) if meaning else ''}</div>"
    return box(
        f'<style>{CSS}</style><div class="lb-heat">{head}{legend(key, top, above, below)}<div class="lb-tokens" '
        f'role="list" aria-label="tokens, coloured by {escape(key)}">{chips}</div>{table(tokens, values)}</div>'
    )


def plain(tokens: list[str], values: list[dict], key: str) -> str:
    """A line a token, for where there is no HTML."""
    unit = MEANINGS.get(key, ("", ""))[0]
    return "\n".join(
        [
            f"{key}{f' ({unit})' if unit else ''}",
            *(f"{shown(token)!r:<16}{said(value[key]):>9}" for token, value in zip(tokens, values) if key in value),
        ]
    )


class HeatMap:
    """The widget: a button for each key over the heat map."""

    def __init__(self, tokens: list[str], values: list[dict], key: str, beside: Sequence[dict] = ()):
        import ipywidgets

        self.tokens, self.values, self.beside = tokens, values, beside
        self.keys = ipywidgets.ToggleButtons(
            options=keys_of(values),
            value=key,
            description="Colour by:",
            style={"description_width": "initial", "button_width": "auto"},
        )
        self.html = ipywidgets.HTML(value=render(tokens, values, key, beside))
        self.keys.observe(lambda change: self.paint(change["new"]), "value")
        self.box = ipywidgets.VBox([self.keys, self.html])

    def paint(self, key: str) -> None:
        self.html.value = render(self.tokens, self.values, key, self.beside)


def show(tokens: list[str], values: list[dict], key: str | None = None, beside: Sequence[dict] = ()) -> HeatMap | None:
    """Show the widget and return it; None without a front end or without ipywidgets, where the static map of `key` (the
    first one) stands. beside: as of `render`.
    """
    key = key or keys_of(values)[0]
    return show_widget(
        lambda: HeatMap(tokens, values, key, beside),
        render(tokens, values, key, beside),
        "look at the map of the chosen number; the table has all of them.",
    )
