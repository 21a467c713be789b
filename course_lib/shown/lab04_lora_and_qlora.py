"""Lab 04: what it prints, draws, measures and compares around the exercises (beside PEFT: lab04_by_peft.py)."""

import copy
import statistics
import time

import torch
import torch.nn.functional as F

from course_lib.evaluation.runs.adapters import examine
from course_lib.shown import lab04_by_peft as by_peft  # noqa: F401  (for the notebook, as all below that say so)
from course_lib.shown.common import guessed, smollm2  # noqa: F401
from course_lib.shown.lab04_bits import (  # noqa: F401
    error_of,
    measured_memory,
    quantized,
    scales_of,
    show_bits,
    show_blocks,
    show_bytes,
    show_codes,
    show_memory,
    show_saved,
    show_scales,
    size_of,
)
from course_lib.stages import lora, nf4
from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages.real_training import answer_logits, collate, encode, trained_tokens  # noqa: F401
from course_lib.stages.real_training import train as train_real  # noqa: F401
from course_lib.stages.respond import respond
from course_lib.stages.sft import load_tokenizer, pretrain_rows
from course_lib.widgets import curve
from course_lib.widgets.columns import columns
from course_lib.widgets.curve import LiveCurve  # noqa: F401
from course_lib.widgets.style import STYLES, in_style
from course_lib.widgets.table import table, your_run
from course_lib.world.jobs import job_rows


def asked_of_a_clerk() -> list[dict]:
    """One row of each kind, about residents whom no fine-tuning row mentions."""
    rows = job_rows("clerk", "residents", 60)
    return [next(row for row in rows if row["kind"] == kind) for kind in ("one", "two", "nobody")]


def answers_to(model, rows: list[dict]) -> list[str]:
    return respond(model, load_tokenizer(), [row["messages"][:-1] for row in rows], max_new_tokens=40)


def show_wanted(rows: list[dict], answers: list[str]) -> None:
    for row, answer in zip(rows, answers):
        question, wanted = (message["content"] for message in row["messages"])
        print(f"» {question}\n  now:    {answer.strip()[:150]}\n  wanted: {wanted}\n")


def show_answers(rows: list[dict], before: list[str], after: list[str]) -> None:
    for row, *texts in zip(rows, before, after):
        texts = [text.strip()[:200] for text in texts]
        print(f"» {row['messages'][0]['content']}\n" + columns(["assistant", "with the clerk's adapter"], texts) + "\n")


# ---------------------------------------------------------------------------------------------------------------- bytes


def linear_shapes(model) -> dict[str, list[int]]:
    """{full name: [out, in]} of every linear layer."""
    return {name: list(m.weight.shape) for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}


def seven_billion() -> dict[str, list[int]]:
    """The linear layers of a Llama with 6.74 billion parameters."""
    one = {f"{name}_proj": [4096, 4096] for name in "qkvo"}
    one |= {"gate_proj": [11008, 4096], "up_proj": [11008, 4096], "down_proj": [4096, 11008]}
    return {f"l.{k}.{name}": shape for k in range(32) for name, shape in one.items()}


def show_seven_billion(memory, count) -> None:
    big, adapter = 6_740_000_000, count(seven_billion(), [*lora.ALL_LINEAR], 16)
    ways = {"all parameters": (0, big, 32), "LoRA of rank 16 on 16 bit": (big, adapter, 16)}
    ways["LoRA of rank 16 on 4.127 bit"] = big, adapter, 4.127
    rows = [(way, memory(*sizes)["total"] / 1e9) for way, sizes in ways.items()]
    table({"a model of 7 billion": "", "GB": ".1f"}, rows)


def show_counts(count, shapes: dict[str, list[int]], parameters: int) -> dict[tuple[str, int], tuple[float, float]]:
    """{(targets, rank): (share of ours that is trained, of a model with 7 billion)}, as a table."""
    places = {"q, v": ["q_proj", "v_proj"], "attention": [*lora.ATTENTION], "all linear layers": [*lora.ALL_LINEAR]}
    rows, found = [], {}
    for name, targets in places.items():
        for rank in (1, 4, 16):
            ours, large = count(shapes, targets, rank), count(seven_billion(), targets, rank)
            found[name, rank] = ours / parameters, large / 6.74e9
            rows.append((name, rank, ours, found[name, rank][0], large, found[name, rank][1]))
    table({"targets": "", "rank": "d", "ours": ",", "share": ".2%", "7 billion": ",", "share of it": ".2%"}, rows)
    return found


# ------------------------------------------------------------------------------------------------------ start and merge


def another_layer() -> tuple:
    """(x [256 32], weight [16 32], what another layer makes of x, whose weight differs by a matrix of rank 3)."""
    torch.manual_seed(0)
    x, weight = torch.randn(256, 32), torch.randn(16, 32) / 32**0.5
    return x, weight, x @ (weight + torch.randn(16, 3) @ torch.randn(3, 32) / 32**0.5).T


def show_starts(losses: dict[str, list[float]], first: dict[str, tuple]) -> None:
    steps = (0, 10, 100, 400)
    heads = {"start": "", "|dA| at step 0": ".3f", "|dB| at step 0": ".3f"} | {f"loss after {k}": ".3f" for k in steps}
    table(heads, [(name, *map(float, first[name]), *(of[k] for k in steps)) for name, of in losses.items()])


def some_layer() -> tuple:
    """(x [512 128], weight [384 128], A [4 128], B [384 4])."""
    x, weight, A, B = torch.randn(512, 128), torch.randn(384, 128), torch.randn(4, 128), torch.randn(384, 4)
    return x, weight / 128**0.5, A / 128**0.5, B / 2


def show_rounding(outputs, weights) -> tuple[float, float]:
    """The largest differences of the outputs of detour and merged layer, of the weight before and after a merge."""
    off = outputs.abs().max().item(), weights.abs().max().item()
    names = "detour against merged", "merged and taken out again, against the first weight"
    table({"": "", "largest difference": ".1e"}, zip(names, off))
    return off


def milliseconds(ways: dict, rounds: int = 300) -> dict[str, float]:
    """The median of many calls of each way. In turns: other programs run on this computer, too."""
    taken = {name: [] for name in ways}
    for name in [*ways] * rounds:
        started = time.perf_counter()
        ways[name]()
        taken[name].append(1000 * (time.perf_counter() - started))
    found = {name: statistics.median(times) for name, times in taken.items()}
    table({"": "", "ms a layer": ".3f"}, found.items())
    first, second = found
    your_run(f"The {first} takes {found[first] / found[second]:.1f} times as long as the {second} layer.")
    return found


# ------------------------------------------------------------------------------------------------------------- training


def show_never_seen(base) -> dict:
    """What the embeddings of tokens look like that no text had, and what `fresh_rows` makes of them."""
    never, fresh = ~lora.seen_tokens(), lora.fresh_rows(copy.deepcopy(base))
    table_of = lambda model: model.model.embed_tokens.weight.detach().cpu()
    likeness = {}
    for name, model in (("as it is", base), ("with fresh rows", fresh)):
        rows = F.normalize(table_of(model), dim=1)
        gap = distance_to_limit(model, load_tokenizer(), pretrain_rows("validation")[:200])["gap_percent"]
        means = [float((part @ part.T).mean()) for part in (rows[never], rows[~never])]
        likeness[name] = (*means, gap)
    heads = {"": "", "cosine of two never seen": ".3f", "of two seen": ".3f", "gap on 200 documents, %": ".2f"}
    table(heads, [(name, *of) for name, of in likeness.items()])
    moved = int((table_of(base) != table_of(fresh)).any(1).sum())
    brace = bool(never[load_tokenizer().token_to_id("{")])
    print(f"{int(never.sum())} of {len(never)} tokens were never seen; fresh rows move {moved} rows of the embedding")
    return {"never": int(never.sum()), "moved": moved, "brace": brace, **likeness}


def measure(name: str, model, size: str, run=None) -> dict:
    """One row of `show_results`: right records, right answers to the tasks of lab 03 that are no records, gap on
    documents of lab 02.
    """
    found = examine(model, size)
    trained, seconds = (run.record["trained_parameters"], run.history[-1]["seconds"]) if run else (0, 0.0)
    return {"name": name, "trained": trained, "seconds": seconds, **found}


def show_results(rows: list[dict], parameters: int) -> None:
    heads = {"": "", "trained": ",", "share": ".1%", "records": ".1%", "rephrased": ".1%", "old tasks": ".1%"}
    heads |= {"gap on documents, %": ".1f", "seconds": ".0f"}
    keys = ("job", "phrasings", "old_kept", "document_gap_percent", "seconds")
    table(heads, [(row["name"], row["trained"], row["trained"] / parameters, *(row[k] for k in keys)) for row in rows])


def show_ways(base, runs: dict, size: str) -> list[dict]:
    """The assistant untouched, and what the ways of training made of it: LoRA, all by AdamW, all by Muon and AdamW."""
    rows = [measure("the assistant, untouched", base, size)]
    rows += [measure(name, run.model, size, run) for name, run in runs.items()]
    show_results(rows, base.parameter_count())
    adapter, adamw, muon = (row["job"] for row in rows[1:])
    your_run(
        f"The adapter reaches {ratio(adapter, adamw)} of the score of all parameters by AdamW and",
        f"{ratio(adapter, muon)} of that by Muon and AdamW.",
        size=size,
        shows="what a way of training is worth, here and in §§ 10 to 13",
    )
    return rows


def show_held(base, held, predicted: float) -> dict[str, int]:
    """Bytes of the weights as they are held in three ways, and of training an adapter through 4 bits."""
    found = {"float32": nf4.weight_bytes(base), "bfloat16": nf4.weight_bytes(copy.deepcopy(base).bfloat16())}
    found["NF4"] = nf4.weight_bytes(held)
    table({"weights held in": "", "bytes": ","}, found.items())
    found["training"] = measured_memory(lora.add_lora(copy.deepcopy(held), 4, 8))["total"]
    print(f"training: predicted {predicted:,.0f} bytes, measured {found['training']:,} (our norms stay in float32)")
    return found


def show_four_bits(rows: list[dict], held, run, size: str) -> list[dict]:
    """Two more rows of `show_ways`: the base in 4 bits as it is, and with its adapter."""
    more = [measure("4-bit base, nothing trained", held, size), measure("QLoRA, rank 4", run.model, size, run)]
    show_results([*rows, *more], rows[2]["trained"])
    return more


def ratio(part: float, whole: float) -> str:
    """part / whole in %, or – where there is nothing to divide by."""
    return f"{part / whole:.1%}" if whole else "–"


@in_style
def ranks_figure(sweep: dict[int, dict], others: list[dict]):
    """Right records against trained parameters: a line over the ranks, a mark for each other run."""
    fig, axes = curve.empty()
    line = lambda of: ([row["trained"] for row in of], [100 * row["job"] for row in of])
    rows = [*sweep.values()]
    axes.semilogx(*line(rows), marker="o", label=f"all linear layers, ranks {', '.join(map(str, sweep))}")
    for row, (colour, mark, _) in zip(others, STYLES[1:]):
        axes.semilogx(*line([row]), color=colour, marker=mark, linestyle="none", label=row["name"])
    low = min(100 * row["job"] for row in [*rows, *others])
    axes.set(xlabel="trained parameters", ylabel="right records (%)", ylim=(max(-2, low - 10), 101))
    axes.set_title("What does a larger rank buy?")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=9)
    return fig


def show_ranks(
    sweep: dict[int, dict], places: list[dict], seeds: list[dict], parameters: int, size: str
) -> list[float]:
    """Right records against trained parameters, as table and picture. Returns those of rank 4 by seed, %."""
    rows = [*sweep.values()]
    show_results([*rows, *places, *seeds], parameters)
    curve.show(ranks_figure(sweep, [*places, *seeds]))
    by_seed, by_rank = ([100 * row["job"] for row in of] for of in ([sweep[4], *seeds], rows))
    apart = [max(of) - min(of) for of in (by_seed, by_rank)]
    said = f"Three seeds of rank 4 are {apart[0]:.1f} points apart, the {len(sweep)} ranks {apart[1]:.1f}."
    your_run(said, size=size, shows="what a rank does")
    return by_seed


def show_change(before: dict, changed: dict, parameters: int, prediction: str) -> dict[str, list[float]]:
    """Both runs, and their training losses after a quarter, a half and all of the steps."""
    show_results([{**before, "name": "as before"}, changed], parameters)
    found = {}
    for name, row in (("as before", before), ("changed", changed)):
        losses = [step["train_loss"] for step in row["history"]]
        ends = (len(losses) // 4 + 1, len(losses) // 2 + 1, len(losses))
        found[name] = [statistics.mean(losses[max(0, k - 9) : k]) for k in ends]
    table(
        {"training loss after": "", "25 %": ".2f", "50 %": ".2f", "100 %": ".2f"}, [(k, *v) for k, v in found.items()]
    )
    print(f"You predicted: {prediction}" if prediction else "No prediction was written down.")
    return found


def serve(server, adapters: dict[str, dict], order: tuple[str, ...], rows: list[dict]) -> list[list[str]]:
    """What one base answers with one adapter after the other put in."""
    said = []
    for name in order:
        said.append(answers_to(lora.load_adapter(server, adapters[name]), rows))
        for row, answer in zip(rows, said[-1]):
            print(f"{name:<6} » {row['messages'][0]['content']}  →  {answer}")
    return said


def show_smol(in_float32: int, error: float, model, predicted: int) -> None:
    """AssertionError where the model has other adapters than the formula says."""
    there = sum(p.numel() for p in lora.lora_parameters(model))
    adapters = lora.lora_parameters(model)
    print(f"{in_float32:,} bytes in float32, {nf4.weight_bytes(model) - size_of(adapters):,} with linear layers in NF4")
    print(f"NF4 changes the weights of a layer by {error:.1%}")
    print(f"{there:,} parameters trained, {lora.trained_share(model):.2%} of the base")
    assert there == predicted
