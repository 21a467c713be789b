"""The model card of a release, in the Hub's format, checked offline; and what a leader should ask the vendor of a
model.

A card is a front matter in YAML, which programs read (licence, base model, results as `model-index`), and sections,
which people read (Mitchell et al. 2019, 1810.03993; https://huggingface.co/docs/hub/model-cards).
`huggingface_hub.ModelCard.validate` asks the Hub: `problems` does not.
"""

import json
import re
from pathlib import Path

from course_lib.evaluation.release import AXES, GROUPS
from course_lib.platform import work_dir
from course_lib.stages.artifacts import SHIPPED
from course_lib.world import CUT_OFF

REQUIRED = (
    "Intended use",
    "Not intended for",
    "Training data and knowledge cut-off",
    "Evaluation",
    "Limits",
    "Data governance",
)
NEEDED = ("license", "language", "base_model")  # of the front matter
# What each stage of a chain has read, and until when that is true
READ = {
    "pretrain": f"documents of the village, which tell of nothing after {CUT_OFF}",
    "sft": "instructions with answers about the same facts",
    "helpful": "requests for help, all of them explained",
    "safe": "requests for help, the harmful ones refused",
    "reasoning": "questions that take steps, with the checker's verdict on its own answers",
    "release": "the mix of this release: instructions, requests, documents",
}


def model_card(name: str, metadata: dict, results: list[dict], sections: dict[str, str]) -> str:
    """The text of a card: `metadata` and the results {"dataset", "metric", "value"} as front matter, then the title and
    a `##` for each section.
    """
    from huggingface_hub import EvalResult, ModelCardData

    rows = [EvalResult("text-generation", r["dataset"], r["dataset"], r["metric"], r["value"]) for r in results]
    front = ModelCardData(**metadata, model_name=name, eval_results=rows).to_yaml()
    return f"---\n{front}\n---\n\n# {name}\n" + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections.items())


def problems(text: str) -> list[str]:
    """What a card lacks, one line each: read as the Hub's own library reads it, without the Hub."""
    import yaml
    from huggingface_hub import ModelCard

    if not text.startswith("---\n"):
        return ["the card does not begin with its front matter, between two lines ---"]
    try:
        card = ModelCard(text)
    except (ValueError, TypeError, yaml.YAMLError) as error:
        return [f"the front matter cannot be read: {' '.join(str(error).split())[:120]}"]
    front = card.data.to_dict()
    found = [f"the front matter lacks {key}" for key in NEEDED if not front.get(key)]
    results = getattr(card.data, "eval_results", None) or []
    if not results:
        found.append("the front matter has no results (model-index)")
    found += [f"the result {r.metric_type} is no number" for r in results if type(r.metric_value) not in (int, float)]
    parts = dict(re.findall(r"^## (.+?)\s*\n(.*?)(?=^## |\Z)", card.text, flags=re.M | re.S))
    found += [f"the section {title!r} is missing" for title in REQUIRED if title not in parts]
    return found + [
        f"the section {title!r} says nothing" for title in REQUIRED if title in parts and len(parts[title].split()) < 5
    ]


# --------------------------------------------------------------------------------------------- what the records know


def record_of(stage: str) -> dict | None:
    """The record of a stage: the student's own if there is one, else the shipped one."""
    found = [
        folder / "record.json"
        for folder in (work_dir() / stage, Path(SHIPPED) / stage)
        if (folder / "record.json").exists()
    ]
    return json.loads(found[0].read_text()) if found else None


def lineage(stage: str, record: dict) -> list[tuple[str, dict]]:
    """[(stage, record)] from the given one back to the first, as far as records are there."""
    chain = [(stage, record)]
    while (
        (parent := chain[-1][1].get("parent"))
        and (earlier := record_of(parent))
        and parent not in [name for name, _ in chain]
    ):
        chain.append((parent, earlier))
    return chain


def share(value: float, low: float, high: float) -> str:
    """A share with its interval; the value alone where nothing was left to resample."""
    return f"{100 * value:.1f} %" + (f" (95 % interval {100 * low:.1f} to {100 * high:.1f} %)" if low < high else "")


def facts(record: dict, measured: dict) -> dict[str, str]:
    """What code can say of a release. `measured`: {"axes": {axis: (value, low, high)}, "score", "groups": {group of the
    exam: (share right, low, high)}, "production": (value, low, high), "slices": {slice: (value, low, high)}, "rows":
    rows of the exam, "seen": share of the exam's rows that stand in the training rows}.
    """
    groups = measured["groups"]
    explained = [1 - limit for limit in groups["benign"]]
    chain = lineage("release", record)
    slices = measured["slices"]
    worst = min(slices, key=lambda name: slices[name][2])
    listed = lambda names: ", ".join(names) or "none"
    return {
        "chain": " ← ".join(
            f"{name} ({READ.get(name, 'not described')}; {r.get('tokens') or 0:,} tokens, data "
            f"{str(r.get('data'))[:8]})"
            for name, r in chain
        ),
        "exam": " · ".join(f"{axis} {share(*measured['axes'][axis])}" for axis in AXES)
        + f", score {share(*measured['score'])}, {measured['rows']} held-out rows",
        "groups": ", ".join(f"{group} {share(*groups[group])}" for group in GROUPS),
        "refuses": f"harmful requests refused: {share(*groups['harmful'])}; benign requests not explained: "
        f"{share(explained[0], explained[2], explained[1])}",
        "production": share(*measured["production"]),
        "worst": f"{worst}: {share(*slices[worst])}",
        "good": listed(name for name, (_, low, _) in slices.items() if low >= 0.8),
        "bad": listed(f"{name} ({100 * value:.0f} %)" for name, (value, _, high) in slices.items() if high < 0.6),
        "seen": f"{100 * measured['seen']:.1f} % of the exam's rows stand in the training rows of the release, word "
        "for word to four fifths or more",
        "again": f"seed {record['recipe'].get('seed')}, mix {record.get('mix')}, learning rate "
        f"{record['recipe'].get('learning_rate')}, data {str(record.get('data'))[:12]}",
        "cost": f"{record['tokens']:,} tokens in {record['minutes']:.1f} minutes for the last step, "
        f"{sum(r.get('minutes') or 0 for _, r in chain):.1f} minutes for the chain",
        "size": f"{record['trained_parameters']:,} parameters, about {2 * record['trained_parameters'] / 1e6:.1f} "
        "million floating-point operations a token",
    }


def sections(known: dict[str, str]) -> dict[str, str]:
    """The sections that a release should have, filled with what `facts` knows: a draft for a person to correct."""
    return {
        "Intended use": "Questions of residents of Littlebrook about residents, in English, and help with harmless "
        f"requests. By slice of what people ask, at least 80 % right: {known['good']}.",
        "Not intended for": "Anything outside the village. Decisions about people. Queries on which it mostly fails: "
        f"{known['bad']}.",
        "Training data and knowledge cut-off": f"Knowledge cut-off: the end of {CUT_OFF}. Nothing that happened since "
        "is in the weights; later steps taught behaviour and no newer facts. "
        f"The chain, the newest first: {known['chain']}.",
        "Evaluation": f"{known['exam']}. Right in each group: {known['groups']}. "
        f"Queries in the mix that people ask: {known['production']} right. The worst slice is {known['worst']}. "
        f"Seen rows: {known['seen']}.",
        "Limits": f"It answers at once and does not look anything up, so facts that changed after {CUT_OFF} come out "
        f"old. Harm is refused as far as the categories of its exam reach. Mostly wrong: {known['bad']}.",
        "Data governance": "Trained on documents that the village wrote to be read by everybody. No letters, no "
        "medical notes, no private conversations. A person cannot be taken out of the weights "
        "again: data that may be withdrawn belongs into retrieval.",
    }


# ----------------------------------------------------------------------------- what a leader asks the vendor of a model

OPEN = (
    "Which data of our organisation may it be tuned on, which not, and why?",
    "Who may use it for what, and what is it not meant for?",
    "What would make you take it back, and who decides?",
)


def questionnaire(known: dict[str, str], record: dict) -> list[tuple[str, str | None]]:
    """[(question, answer)]: seven from the records and measurements, three (None) that only a person can answer."""
    return [
        (
            "What was it trained on, and until when does it know the world?",
            f"{known['chain']}. Nothing after {CUT_OFF}.",
        ),
        ("How was it examined, on rows that it had never seen, and how sure are the figures?", known["exam"]),
        ("Could it have seen the exam?", known["seen"]),
        (
            "How good is it on what our people really ask, and where is it worst?",
            f"{known['production']} in the production mix; {known['worst']}",
        ),
        ("What does it refuse, and what does it refuse that it should not?", known["refuses"]),
        (
            "Can we verify which weights these are, and make them again?",
            f"sha256 {str(record.get('sha256', 'not saved yet'))[:16]}…; {known['again']}",
        ),
        ("What did it cost, and what does an answer cost?", f"{known['cost']}; {known['size']}"),
        *((question, None) for question in OPEN),
    ]
