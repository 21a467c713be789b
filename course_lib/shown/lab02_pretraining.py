"""Lab 02: documents and their entropy, samples, gaps by kind, heads, the sweep, and a run with a mistake in it."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.evaluation.probes import knowledge
from course_lib.evaluation.runs.isoflop import best_size, by_budget
from course_lib.notebook.check import mine
from course_lib.shown.common import guessed
from course_lib.stages import model as library
from course_lib.stages.generate import generate
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.perplexity import distance_to_limit as measure
from course_lib.stages.perplexity import document_losses
from course_lib.stages.pretrain import PRESETS, collate, pretrain, validation_rows
from course_lib.stages.tokenizer import BOS, EOS, PAD, encode_documents, load_tokenizer
from course_lib.widgets import attention, curve, scaling
from course_lib.widgets.columns import columns
from course_lib.widgets.curve import LiveCurve
from course_lib.widgets.playground import play as playground
from course_lib.widgets.table import table, your_run
from course_lib.world import pretrain_rows, village

__all__ = ["PRESETS", "Llama", "LiveCurve", "mine", "pretrain", "pretrain_rows", "village"]  # for the lab


def play(models: dict, tokenizer, opening: str):
    """The playground on models that stand on one device."""
    device = next(models["trained"].parameters()).device
    return playground({name: model.to(device).eval() for name, model in models.items()}, tokenizer, opening)


def tokens_of(rows: list[dict]) -> int:
    """Tokens that are predicted: the first one of a document, BOS, is given."""
    return sum(len(ids) - 1 for ids in encode_documents(load_tokenizer(), [row["text"] for row in rows]))


def show_documents(rows: list[dict]) -> float:
    """A document of four kinds each, and the entropy of all kinds. Returns that of all documents, nats/token."""
    kinds, shown, limit = sorted({row["kind"] for row in rows}), [], 0.0
    for kind in kinds[:4]:
        row = next(row for row in rows if row["kind"] == kind)
        print(f"[{kind}, −log p = {row['nll']:.1f} nats]\n{row['text']}\n")
    for kind in [*kinds, "all"]:
        chosen = [row for row in rows if kind in (row["kind"], "all")]
        limit = sum(row["nll"] for row in chosen) / tokens_of(chosen)
        shown.append((kind, len(chosen), tokens_of(chosen), limit))
    table({"kind": "", "documents": ",", "tokens": ",", "entropy, nats/token": ".3f"}, shown)
    print(f"The limit of this lab is the last line: {limit:.3f} nats/token.")
    return limit


def show_untrained(model, openings: list[str], rows: list[dict]) -> tuple[list[str], float, float]:
    """What the untrained model writes after the openings, its loss on some documents, and that of blind guessing.
    Returns the three.
    """
    texts = written(model, openings)
    for opening, text in zip(openings, texts):
        print(f"» {opening}‖{text}\n")
    loss, vocabulary = measure(model, load_tokenizer(), rows)["loss"], model.config.vocabulary
    print(f"{model.parameter_count():,} parameters. Its loss is {loss:.3f} nats/token.")
    print(f"Guessing all {vocabulary:,} tokens alike costs log {vocabulary:,} = {math.log(vocabulary):.3f}.")
    return texts, loss, math.log(vocabulary)


def written(model, openings: list[str]) -> list[str]:
    return list(generate(model, load_tokenizer(), openings, 40, temperature=0.8, top_p=0.95, seed=0))


def compare_attention(attend) -> Tensor:
    """The student's attention gives what torch's own does. With the unit matrix as values it returns its own weights:
    those of one head, [T T], are shown and returned.
    """
    q, k, v = torch.randn(3, 2, 4, 6, 16)
    apart = (attend(q, k, v) - F.scaled_dot_product_attention(q, k, v, is_causal=True)).abs().max().item()
    assert apart < 1e-5, f"your attention is {apart} away from torch's"
    print(f"largest difference from F.scaled_dot_product_attention: {apart:.1e}")
    weights = attend(q[:1, :1], k[:1, :1], torch.eye(6)[None, None])[0, 0]
    rows = [(str(t), *(w or None for w in row), sum(row)) for t, row in enumerate(weights.tolist())]
    heads = {"t": "", **{f"s = {s}": ".2f" for s in range(len(rows))}, "sum": ".2f"}
    table(heads, rows, "The weights of one head: row t reads column s")
    return weights


def show_norms(norm, x: Tensor, factors) -> dict:
    """The normalised vector of x times each factor, which are returned."""
    normed = {factor: norm(factor * x, torch.ones(len(x))) for factor in factors}
    words = lambda y: "  ".join(f"{value:.3f}" for value in y.tolist())
    rows = [(f"{factor} · x", words(y), float(y.pow(2).mean().sqrt())) for factor, y in normed.items()]
    table({"input": "", "output": "", "root mean square": ".3f"}, rows)
    return normed


def show_products(rope, distances, places) -> dict[int, list[float]]:
    """{distance: query · key after turning, for the key at each place} of a random query and key."""
    query, key = torch.randn(2, 1, 1, 1, 32)
    turned = lambda x, position: rope(x, torch.tensor([position]))
    product = lambda apart, place: (turned(query, place + apart) * turned(key, place)).sum().item()
    products = {apart: [product(apart, place) for place in places] for apart in distances}
    heads = {"tokens apart": ",", **{f"key at {place}": ".4f" for place in places}}
    table(heads, [(apart, *row) for apart, row in products.items()], "query · key after turning")
    return products


def equals_transformers(your_llama, text: str) -> float:
    """Runs a Llama of the student's functions and that of transformers on the same random weights. Returns the largest
    difference of a logit, which is under 1e-5.
    """
    small = Llama(ModelConfig(hidden=64, intermediate=192, layers=2, heads=4), seed=1)
    ids = torch.tensor(encode_documents(load_tokenizer(), [text]))
    with torch.no_grad():
        yours = your_llama(ids, small.state_dict(), small.config)
        theirs = library.to_transformers(small)(ids).logits
    apart = (yours - theirs).abs().max().item()
    assert apart < 1e-5, f"your Llama is {apart} away from transformers'"
    print(f"{yours.numel():,} logits; largest difference from LlamaForCausalLM: {apart:.1e}")
    return apart


def show_first_loss(model, loss_fn, rows: list[dict]) -> float:
    """The loss of an untrained model on a padded batch of these documents, which is returned."""
    ids = collate(encode_documents(load_tokenizer(), [row["text"] for row in rows]))
    with torch.no_grad():
        loss = loss_fn(model(ids), ids).item()
    targets, blind = ids[:, 1:] != PAD, math.log(model.config.vocabulary)
    print(f"{len(rows)} documents: {int(targets.sum())} targets; {int((~targets).sum())} of padding are none.")
    print(f"Loss {loss:.3f}, blind guessing {blind:.3f} nats/token")
    return loss


def show_schedule(schedule_fn, preset) -> None:
    """The learning rate of each step of a run of 400."""
    curve.show(curve.schedule_figure([schedule_fn(k, 400, 20, preset.learning_rate, preset.floor) for k in range(400)]))


def show_run(run, live, limit: float, my_guess: str) -> float:
    """What the run came to. Returns the share of the way from blind guessing to the limit at a tenth of the tokens."""
    live.close()
    blind, metrics = math.log(run.model.config.vocabulary), run.record["metrics"]
    early = next(row for row in run.history if row["tokens"] >= 0.1 * run.history[-1]["tokens"])
    way = (blind - early["train_loss"]) / (blind - limit)
    print(f"Trained for {run.record['minutes']:.1f} minutes on {run.record['tokens']:,} tokens.")
    print(f"On {metrics['tokens']:,} fresh ones: loss {metrics['loss']:.4f}, limit {metrics['entropy']:.4f} nats/token")
    if abs(metrics["entropy"] - limit) > 5e-5:
        documents = len(validation_rows(run.record["recipe"]["size"]))
        print(f"That is the limit of the {documents} documents on which this run is measured; § 1's is {limit:.4f}.")
    your_run(
        f"After a tenth of the tokens the loss was {early['train_loss']:.3f}: {way:.0%} of the way.",
        f"At the end it lies {metrics['gap_percent']:.1f} % above the limit.",
    )
    guessed(my_guess)
    return way


def before_and_after(model, openings: list[str], before: list[str]) -> None:
    """The untrained and the trained model on the same openings and random numbers."""
    for opening, old, new in zip(openings, before, written(model, openings)):
        print(columns([f"untrained » {opening}", f"trained » {opening}"], [old, new]) + "\n")


@torch.no_grad()
def sampled(model, sampler, opening: str, temperature: float, top_p: float, most: int = 30) -> tuple[str, float]:
    """(text, mean number of tokens that the sampler could have drawn), one token after another."""
    tokenizer, device = load_tokenizer(), next(model.parameters()).device
    ids = [BOS, *tokenizer.encode(opening, add_special_tokens=False).ids]
    generator, first, choices = torch.Generator().manual_seed(0), len(ids), []
    while len(ids) < first + most and (len(ids) == first or ids[-1] != EOS):
        logits = model(torch.tensor([ids], device=device))[0, -1].float().cpu()
        probs = sampler(logits, temperature, top_p)
        choices.append(int((probs > 0).sum()))
        ids.append(int(torch.multinomial(probs, 1, generator=generator)))
    return tokenizer.decode(ids[first:]).strip(), sum(choices) / len(choices)


def show_samples(model, sampler, opening: str) -> dict[tuple[float, float], float]:
    """Texts at nine settings. Returns {(temperature, top_p): mean number of open tokens}."""
    rows = []
    for temperature in (0.2, 1.0, 2.5):
        for top_p in (0.5, 0.95, 1.0):
            text, choices = sampled(model, sampler, opening, temperature, top_p)
            rows.append((temperature, top_p, choices, text))
    heads = {"temperature": ".1f", "top_p": ".2f", "open tokens": ",.1f", f"» {opening}‖": ""}
    table(heads, rows)
    return {(temperature, top_p): choices for temperature, top_p, choices, _ in rows}


def show_distances(model, rows: list[dict], distance) -> tuple[dict[str, dict], float]:
    """Loss, entropy, perplexity and gap of each kind of document, by the student's function. Returns (those, the mean
    loss over documents, which is another number).
    """
    ids = encode_documents(load_tokenizer(), [row["text"] for row in rows])
    tokens = torch.tensor([len(row) - 1 for row in ids])
    losses = torch.tensor(document_losses(model, ids), dtype=torch.float64) / tokens
    nll = torch.tensor([row["nll"] for row in rows], dtype=torch.float64)
    found, shown = {}, []
    for kind in [*sorted({row["kind"] for row in rows}), "all"]:
        chosen = torch.tensor([kind in (row["kind"], "all") for row in rows])
        entropy = float(nll[chosen].sum() / tokens[chosen].sum())
        found[kind] = distance(losses[chosen], tokens[chosen], entropy)
        shown.append((kind, found[kind]["loss"], entropy, found[kind]["perplexity"], found[kind]["gap_percent"]))
    heads = {"kind": "", "loss, nats/token": ".3f", "entropy": ".3f", "perplexity": ".2f", "gap, %": ".1f"}
    table(heads, shown)
    print(f"The trap: the mean over documents is {losses.mean():.3f}, over tokens {found['all']['loss']:.3f}.")
    return found, float(losses.mean())


def show_knowledge(model, world) -> dict:
    """The share of the village's facts that the model completes word for word."""
    known = knowledge(model, load_tokenizer(), world)
    rows = []
    for fact, share in sorted(known["by_fact"].items(), key=lambda item: -item[1]):
        values = {resident.facts[fact] for resident in world.residents}
        rows.append((fact, share, len(values), "█" * round(30 * share)))
    table({"fact": "", "known": ".1%", "possible values": ",", "": ""}, rows)
    print(f"All {known['probes']:,} probes: {known['accuracy']:.1%} known, limit 100 %.")
    print(f"Always naming the commonest value: {known['chance']:.1%}")
    return known


def show_heads(model, resident) -> dict:
    """The grid of all heads on a text in which a name is said twice. Returns what the best head for each of two things
    does, with its place: "before", mean weight on the token before; "name", weight of the second mention on the first;
    and "mean", the latter of all heads.
    """
    tokenizer, text = load_tokenizer(), f"Meet {resident.full}. {resident.first} is a baker."
    attention.show(model, tokenizer, text)
    tokens, weights = attention.attend(model, tokenizer, text)
    first, again = [k for k, token in enumerate(tokens) if resident.first in token][:2]
    named = weights[:, :, again, first]
    found: dict = {"mean": float(named.mean())}
    for what, value in (("before", attention.facts(weights)["before"]), ("name", named)):
        layer, head = divmod(int(value.argmax()), value.shape[1])
        found[what] = (float(value.max()), f"layer {layer + 1}, head {head + 1}")
    your_run(
        f"The head that reads the token before most is {found['before'][1]}: {found['before'][0]:.0%} of its weight.",
        f"The second {resident.first} reads the first one most in {found['name'][1]}: {found['name'][0]:.0%}; the mean "
        f"of all heads is {found['mean']:.0%}.",
    )
    return found


def show_sweep(points: list[dict], fit, size: str) -> tuple[dict, dict[str, float]]:
    """Every run of the sweep, the picture, and the laws through its stars. Returns ({budget: (best
    number of parameters, its excess)}, {"b": of excess = a · FLOP^−b, "growth": of best size ∝ FLOP^growth}).
    """
    heads = {"GFLOP": ",.0f", "parameters": ",", "tokens read": ",", "loss": ".3f", "above the limit": ".3f"}
    keys = "parameters tokens loss excess known seconds".split()
    rows = [(p["budget"] / 1e9, *(p[key] for key in keys)) for p in points]
    table({**heads, "facts known": ".0%", "seconds": ".0f"}, rows)
    limit = points[0]["loss"] - points[0]["excess"]  # of the documents that these runs are measured on
    curve.show(scaling.isoflop_figure(points, limit))
    best = {budget: best_size(few) for budget, few in by_budget(points).items()}
    heads = {"GFLOP": ",.0f", "best size, parameters": ",.0f", "tokens for it": ",.0f", "above the limit": ".3f"}
    table(heads, [(c / 1e9, n, c / (6 * n), excess) for c, (n, excess) in best.items()])
    budgets, (few, most) = list(best), (min(best), max(best))
    b = fit(budgets, [limit + excess for _, excess in best.values()], limit)[1]
    growth = -fit(budgets, [n for n, _ in best.values()], 0.0)[1]
    your_run(
        f"From {few / 1e9:g} to {most / 1e9:g} GFLOP the best excess fell by a factor of "
        f"{best[few][1] / best[most][1]:.1f} (b = {b:.2f}), and the best size grew as C^{growth:.2f}.",
        size=size,
        shows="a best size",
    )
    return best, {"b": b, "growth": growth}


def show_log(run, limit: float, opening: str) -> dict:
    """The curve and the log of a run with a mistake in it: the loss that its function gives at some steps; then the
    loss of the same model by the formula of § 5, and what it writes, always the likeliest token. Returns those two and
    the last value of the curve.
    """
    curve.show(curve.figure(run.history, limit, title="A run that looks too good"))
    steps = run.history
    places = [round(share * (len(steps) - 1)) for share in (0, 0.05, 0.1, 0.25, 0.5, 1)]
    rows = [(steps[k]["step"], steps[k]["tokens"], steps[k]["train_loss"]) for k in places]
    table({"step": ",", "tokens": ",", "training loss, as the function gives it": ".3f"}, rows)
    fresh = run.record["metrics"]["loss"]
    text = generate(run.model, load_tokenizer(), opening, max_new_tokens=12, temperature=0.0)
    print(f"loss on fresh text by the formula of § 5: {fresh:.2f} nats/token, the limit is {limit:.3f}")
    print(f"it writes: {opening}‖{text}")
    return {"last": steps[-1]["train_loss"], "fresh": fresh, "text": text}


def show_mended(broken, mended, limit: float) -> None:
    """The curves of the broken and of the mended loss, and their models on fresh text."""
    curve.show(curve.compare_figure({"broken": broken.history, "mended": mended.history}, limit))
    rows = [(name, run.record["metrics"]["loss"]) for name, run in (("broken", broken), ("mended", mended))]
    table({"run": "", "loss on fresh text, nats/token": ".3f"}, rows)


def mean_of(summed):
    """The mean loss for `pretrain`, from a function that gives (sum, number of targets)."""

    def loss_fn(logits, ids):
        total, targets = summed(logits, ids)
        return total / targets

    return loss_fn


def compare_runs(base, changed, limit: float, my_prediction: str) -> dict[str, dict]:
    """Two short runs side by side. Returns {name: metrics on fresh text}."""
    runs, rows = {"as before": base, "changed": changed}, []
    for name, run in runs.items():
        steps, metrics = run.history, run.record["metrics"]
        on_the_way = [steps[int(share * len(steps))]["train_loss"] for share in (0.1, 0.25, 0.5)]
        rows.append((name, *on_the_way, metrics["loss"], metrics["gap_percent"]))
    heads = {"run": "", "training loss after 10 %": ".2f", "25 %": ".2f", "50 % of the steps": ".2f"}
    table({**heads, "at the end, fresh text": ".3f", "above the limit, %": ".0f"}, rows)
    curve.show(curve.compare_figure({name: run.history for name, run in runs.items()}, limit))
    if my_prediction:
        print("You predicted:", my_prediction)
    return {name: run.record["metrics"] for name, run in runs.items()}
