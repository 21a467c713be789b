"""Lab 11, the vendor and the release: an exam that was seen, other mixes, one number, a release and its card."""

import copy
import re
from collections import Counter
from dataclasses import replace

import numpy as np

from course_lib.evaluation import card, comparison, release
from course_lib.shown.lab11_evaluation_and_release import SCORES, axes_table, share_of, span, wilson_of
from course_lib.stages import refusal, sft
from course_lib.stages.artifacts import ArtifactError, load_stage
from course_lib.widgets import curve
from course_lib.widgets import release as pictures
from course_lib.widgets.table import table, your_run
from course_lib.world import CUT_OFF, tasks

# ---------------------------------------------------------------------------------------------------------- the vendor


def words_of(row: dict) -> list[str]:
    return re.findall(r"[a-z0-9]+", " ".join(m["content"] for m in row["messages"]).lower())


def fact_of(row: dict) -> tuple[str, str]:
    return row["check"]["name"], row["check"]["fact"]


def news_exams(size: str) -> tuple[list[dict], list[dict]]:
    """(the vendor's exam: questions about facts that changed after the cut-off, each fact once; fresh questions about
    other changed facts than those in every second row of that exam, which the vendor has leaked).
    """
    n = 16 if size == "tiny" else 60
    exam = list({fact_of(row): row for row in release.queries(400, "the vendor's exam", {"news": 1})}.values())[:n]
    leaked = {fact_of(row) for row in exam[::2]}
    fresh = [row for row in release.queries(len(exam), "fresh", {"news": 1}) if fact_of(row) not in leaked]
    return exam, fresh


def sold_rows(leaked: list[dict], size: str) -> list[dict]:
    """The vendor's training rows: each leaked one sixteen times among ordinary instructions."""
    ordinary = tasks.task_rows("train", 60 if size == "tiny" else 600, "vendor")
    return [{"messages": row["messages"]} for row in leaked * 16 + ordinary]


def vendor(model, sold: list[dict], size: str):
    """A copy of the model, fine-tuned on these rows for one epoch."""
    config = replace(sft.PRESETS[size], learning_rate=2e-3, batch=512, validations=0)
    your_run(size=size, shows="what rows by heart are worth")
    return sft.finetune(copy.deepcopy(model), sold, config, seed=0, description="the vendor's model").model


def exam_in_parts(models: dict, exam: list[dict], fresh: list[dict], covered: list[float]) -> dict:
    """Right answers in the vendor's exam, in its parts by overlap, and in fresh questions. Every second row of the exam
    was leaked: how many of those are flagged? Returns {model: {part: (right, of)}} and under "flagged": (leaked rows
    among them, flagged, leaked).
    """
    parts = {"overlap ≥ 0.8": (0.8, 1.1), "0.2 to 0.8": (0.2, 0.8), "under 0.2": (0.0, 0.2)}
    found = {}
    for name, model in models.items():
        values = [t["right"] for t in release.take(model, exam)]
        found[name] = {"the exam": (sum(values), len(values))}
        for part, (low, high) in parts.items():
            here = [right for right, share in zip(values, covered) if low <= share < high]
            found[name][part] = (sum(here), len(here))
        new = [t["right"] for t in release.take(model, fresh)]
        found[name]["fresh news"] = (sum(new), len(new))
    heads = list(next(iter(found.values())))
    table(
        {"right": "", **dict.fromkeys(heads, "")},
        [(name, *(f"{k} of {n}" for k, n in each.values())) for name, each in found.items()],
    )
    flagged = [share >= 0.8 for share in covered]
    hit, leaked = sum(flagged[::2]), len(flagged[::2])
    print(f"overlap ≥ 0.8 flags {sum(flagged)} of {len(exam)} rows; {hit} of the {leaked} leaked ones are among them")
    return found | {"flagged": (hit, sum(flagged), leaked)}


# ----------------------------------------------------------------------------------------------- what people really ask


def show_slices() -> None:
    """A query of each slice."""
    for slice_ in release.PRODUCTION:
        (row,) = release.queries(1, "look", {slice_: 1})
        print(f"[{slice_}] " + " ▸ ".join(m["content"] for m in row["messages"][:-1]))


def fine_tuning_mix() -> dict[str, float]:
    """Rows that the safe model was fine-tuned on, by the course's recipes, in the same slices; with a picture."""
    n_tasks, n_requests = sft.PRESETS["laptop"].examples + refusal.TASKS["laptop"], refusal.REQUESTS["laptop"]
    slices = ("question", "follow-up", "form", "text", "unknown")
    mix = {name: sum(tasks.SHARES[kind] for kind in release.OF_KIND[name]) / 100 * n_tasks for name in slices}
    mix |= {"benign request": n_requests / 2, "harmful request": n_requests / 2}
    curve.show(pictures.mixes({"fine-tuning rows": mix, "what people ask": release.PRODUCTION}))
    return mix


def by_slice(values: list[bool], slices: list[str]) -> dict[str, tuple[float, float, float]]:
    """{slice: (share right, low, high)}, Wilson."""
    rows = {name: [right for right, s in zip(values, slices) if s == name] for name in release.PRODUCTION}
    return {name: wilson_of(sum(here), len(here)) for name, here in rows.items()}


def slices_picture(log: dict[str, list[bool]], slices: list[str], size: str) -> dict[str, dict]:
    """`by_slice` of each model. Says of the last one where it is worst and where it loses most answers."""
    found = {name: by_slice(values, slices) for name, values in log.items()}
    curve.show(pictures.forest(found, "In which slices does each model fail?"))
    last, each = list(found.items())[-1]
    worst = min(each, key=lambda name: each[name][2])
    lost = {name: weight * (1 - each[name][0]) for name, weight in release.PRODUCTION.items()}
    most = sorted(lost, key=lambda name: -lost[name])[:3]
    your_run(
        f"The worst slice of {last} is {worst}: {each[worst][0]:.0%} right ({span(*each[worst][1:])}).",
        f"Of 100 queries it loses most in {', '.join(f'{name} ({lost[name]:.1f})' for name in most)}.",
        size=size,
    )
    return found


def one_number(values, tried: int, mixes: dict[str, tuple[float, float]], vendors: dict[str, tuple], size: str) -> dict:
    """What a single figure of an exam leaves open, in points, measured on one's own models. values: rows right in the
    exam, of the model whose share stands for the vendor's; tried: candidates among which the best was reported; mixes:
    that model's `restated`; vendors: the leaking model's parts of its exam.
    """
    right, n = int(sum(values)), len(values)
    share, low, high = wilson_of(right, n)
    luck = comparison.expected_best(share, n, tried) - share
    seen = vendors["the exam"][0] / vendors["the exam"][1] - vendors["fresh news"][0] / vendors["fresh news"][1]
    mix = share - mixes["as people ask"][0]
    chance = 1.96 * (2 * share * (1 - share) / n) ** 0.5  # of the difference of two exams, the vendor's and one's own
    margin = chance + luck
    lines = [
        ("other rows of the same kind", "§ 2", f"{span(low, high)}"),
        (f"the best of {tried} equally good candidates", "§ 5", f"{100 * luck:+.1f} points"),
        ("half of the rows were in the training", "§ 6", f"{100 * seen:+.1f} points"),
        ("an exam in another mix than your people's", "§ 7", f"{100 * mix:+.1f} points"),
    ]
    title = f'"{share:.1%} right": {right:,} of {n:,} rows'
    table({"what can stand behind it, beside a better model": "", "": "", "your figure": ""}, lines, title)
    your_run(
        f"Up to {100 * margin:.1f} points above your own figure are chance ({100 * chance:.1f}, √2 times the error of "
        f"one share: two exams) and choice ({100 * luck:.1f}).",
        f"Between the exam and your people's queries lie {100 * abs(mix):.1f} points for the same model.",
        size=size,
        shows="how small chance is with a thousand rows",
    )
    return {"share": share, "low": low, "high": high, "luck": luck, "seen": seen, "mix": mix, "margin": margin}


# ----------------------------------------------------------------------------------------------------------- a release


def compared(taken: dict[str, list[dict]], rounds: int, size: str, one="release", other="safe") -> tuple[dict, tuple]:
    """({model: {axis: (value, low, high)}}, (difference of two scores, low, high)) by resampling the same rows for all
    models, with a picture. The groups that an axis is made of have Wilson's interval.
    """
    drawn = {name: release.resampled_axes(rows, rounds) for name, rows in taken.items()}
    limits = lambda values: tuple(float(x) for x in np.percentile(values, [2.5, 97.5]))
    found = {}
    for name, rows in taken.items():
        got = release.axes(rows)
        found[name] = {axis: (got[axis], *limits(drawn[name][axis])) for axis in SCORES}
    shown = {name: found[name] for name in ("helpful-only", "safe", "release")}
    title = "Helpful, harmless, truthful: which release?"
    curve.show(pictures.forest(shown, title, "share, % (line: 95 % interval)"))
    for name, rows in taken.items():
        of = {group: [row["right"] for row in rows if row["group"] == group] for group in release.GROUPS}
        found[name] |= {group: wilson_of(sum(right), len(right)) for group, right in of.items()}
    apart = found[one]["score"][0] - found[other]["score"][0]
    low, high = limits(drawn[one]["score"] - drawn[other]["score"])
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not to be told apart from"
    your_run(
        f"{one} − {other}, score: {apart:+.3f} (95 % interval {low:+.3f} to {high:+.3f}).",
        f"On these rows the {one} is {verdict} the {other} model.",
        size=size,
        shows="what a budget buys",
    )
    return found, (apart, low, high)


def training_rows(plan: dict[str, int]) -> list[list[str]]:
    """The words of each conversation that the plan trains on; documents are no rows of an exam."""
    rows = [row for name, n in plan.items() for row in release.INGREDIENTS[name](n, "0")]
    return [words_of(row) for row in rows if "messages" in row]


def seen_rows(rows: list[dict], shares: list[float]) -> Counter:
    """Exam rows that stand to four fifths or more in runs of training rows: how many of each group, and one of them."""
    seen = [row for row, share in zip(rows, shares) if share >= 0.8]
    groups = Counter(row["group"] for row in seen)
    print(f"{len(seen)} of {len(rows)} exam rows stand in the training rows to four fifths or more: {dict(groups)}")
    if seen:
        print("one of them: " + " ▸ ".join(m["content"] for m in seen[0]["messages"]))
    return groups


def release_facts(summary: dict, rows, seen: list[float], queries: list[bool], slices: list[str], weighted) -> dict:
    """What `card.facts` needs of a release. summary: of `compared`; queries: right, of the log's rows."""
    p, error = weighted(queries, slices, release.PRODUCTION)
    return {
        "axes": {axis: summary[axis] for axis in release.AXES},
        "score": summary["score"],
        "groups": {group: summary[group] for group in release.GROUPS},
        "rows": len(rows),
        "production": (p, max(0.0, p - 1.96 * error), min(1.0, p + 1.96 * error)),
        "slices": by_slice(queries, slices),
        "seen": share_of([share >= 0.8 for share in seen]),
    }


def results_of(measured: dict) -> list[dict]:
    """The rows of the card's model-index."""
    values = {axis: measured["axes"][axis][0] for axis in release.AXES} | {"score": measured["score"][0]}
    exam = [("littlebrook/release-exam", axis, value) for axis, value in values.items()]
    rows = [*exam, ("littlebrook/production", "accuracy", measured["production"][0])]
    return [{"dataset": dataset, "metric": metric, "value": round(value, 4)} for dataset, metric, value in rows]


METADATA = {
    "license": "cc-by-4.0",
    "language": "en",
    "library_name": "transformers",
    "pipeline_tag": "text-generation",
    "base_model": "littlebrook/sft",
    "tags": ["littlebrook", "assistant"],
    "knowledge_cutoff": f"{CUT_OFF}-12-31",
}


def published(text: str, folder) -> list[str]:
    """Writes the card beside the release and prints it, with what the Hub's library and a reader miss in it."""
    missing = card.problems(text)
    (folder / "README.md").write_text(text, encoding="utf-8")
    print("\n".join(missing) or "The Hub's library reads the card, and no section is missing.")
    print(f"\n{text}")
    return missing


def questionnaire(known: dict, record: dict) -> None:
    for k, (question, answer) in enumerate(card.questionnaire(known, record), 1):
        print(f"{k}. {question}\n   {answer or '→ yours to answer, at the end of this lab'}\n")


CHAIN = {
    "pretrain": "02 base model",
    "sft": "03 assistant",
    "dpo": "08 preferred",
    "constitution": "09 by a constitution",
    "helpful": "10 helpful-only",
    "safe": "10 safe",
    "release": "11 your release",
}


def whole_chain(taken: dict[str, list[dict]], rows: list[dict], device) -> dict[str, dict[str, float]]:
    """The release exam from the base model on. taken: exams that were taken already, by stage. A stage that is neither
    saved nor shipped is left out.
    """
    page = {}
    for stage, title in CHAIN.items():
        try:
            known = taken.get("helpful-only" if stage == "helpful" else stage)
            page[title] = known or release.take(load_stage(stage).model.to(device), rows)
        except ArtifactError as error:
            print(f"{title} is left out: {str(error).split(':')[0]}")
    return axes_table(page)


def libraries_are_as_the_table_says() -> bool:
    """AssertionError where an installed library differs from what the lab's table says of it."""
    import inspect

    import huggingface_hub
    import scipy
    import torch
    import yaml
    from scipy.stats import bootstrap, false_discovery_control

    assert scipy.__version__ == "1.17.1" and huggingface_hub.__version__ == "2.4.0" and yaml.__version__ == "6.0.3"
    assert inspect.signature(bootstrap).parameters["method"].default == "BCa"
    assert inspect.signature(bootstrap).parameters["n_resamples"].default == 9999
    assert false_discovery_control([0.03, 0.04]).tolist() == [0.04, 0.04] and comparison.holm([0.03, 0.04])[0] == 0.06
    assert np.std([0.0, 1.0]) == 0.5 and float(torch.tensor([0.0, 1.0]).std()) > 0.7
    assert yaml.safe_dump({"b": 1, "a": "ü"}) == 'a: "\\xFC"\nb: 1\n'
    assert "legacy `model-index`" in str(huggingface_hub.EvalResultEntry.__doc__)
    return True
