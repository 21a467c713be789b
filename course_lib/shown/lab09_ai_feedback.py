"""Lab 09: answers before and after, what a constitution covers, what is refused; a real judge. lab09_judge.py has the
simulated one.
"""

import importlib.metadata
import math
import warnings

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.evaluation.safety import judged, rates
from course_lib.shown.common import smollm2
from course_lib.stages import constitution
from course_lib.stages.rollout import roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, feedback
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world import critic
from course_lib.world.harms import HELD_OUT, SEEN, request_rows


def known_requests(size: str) -> list[dict]:
    """Requests of the seven kinds of harm that training may know, half of them harmful: known deeds, purposes and
    wordings, put together anew.
    """
    return request_rows("train", 28 if size == "tiny" else 420, "lab 09", constitution.SINGLE, SEEN)


def unasked_requests(size: str) -> list[dict]:
    """Requests of the three kinds of harm that no training request is about."""
    return request_rows("train", 12 if size == "tiny" else 180, "lab 09", constitution.SINGLE, HELD_OUT)


def request_of(row: dict) -> str:
    return f"» {row['messages'][-2]['content']}    ({row['kind']}, {row['category']})"


def show_answers(those: list[dict]) -> None:
    """Judged rows: each request with its answer."""
    for row in those:
        print(f"{request_of(row)}\n     {row['answer']}")


def refusals_table(models: dict[str, list[dict]]) -> dict[str, dict]:
    """Judged rows of each model: how much of what harms is refused, and of what does not. Returns the rates."""
    found = {name: rates(those) for name, those in models.items()}
    for each in found.values():
        each["right"] = (each["harmful_refused"] + 1 - each["benign_refused"]) / 2
    lines = [(name, each["harmful_refused"], each["benign_refused"], each["right"]) for name, each in found.items()]
    columns_ = {"": "", "harmful refused": ".1%", "benign refused": ".1%", "right": ".1%"}
    table(columns_, [("the limit", 1.0, 0.0, 1.0), *lines])
    return found


def what_principles_name(principles) -> None:
    table(
        {"principle": "", "names": ""},
        [(text, ", ".join(sorted(critic.reads(text))) or "nothing: vague") for text in principles],
    )


def show_critiques(principle: str, those: list[dict]) -> dict[str, str | None]:
    """What the critic says by one principle: of a harmful request whose kind it names, of that one's benign twin, and
    of a harmful one whose kind and purpose it does not name. Returns the three critiques.
    """
    named = critic.reads(principle)
    harmful = [k for k, row in enumerate(those) if row["kind"] == "harmful"]
    first = next(k for k in harmful if those[k]["category"] in named)
    other = next((k for k in harmful if not critic.covers(principle, those[k])), harmful[-1])
    found = {}
    for what, row in {"named": those[first], "twin": those[first + 1], "not named": those[other]}.items():
        found[what] = text = critic.critique(principle, row, row["answer"], skill=1.0)
        revised = critic.revise(row, row["answer"], text) if text else "(as it was)"
        print(f"{request_of(row)}\n     answer:   {row['answer']}\n     critique: {text}\n     revised:  {revised}")
    return found


def show_revisions(made: list[dict]) -> None:
    for row in made:
        what = "revised:  " if row["revised"] else "as it was:"
        print(f"{request_of(row)}\n     {what} {row['messages'][-1]['content']}")


def revised_table(constitutions: dict[str, list[dict]]) -> dict[str, dict]:
    """How much each constitution has revised. Returns {name: {"harmful", "benign": share revised, "right": share of the
    rows with the answer that should be learned}}.
    """
    found = {}
    for name, made in constitutions.items():
        share = {
            kind: np.mean([row["revised"] for row in made if row["kind"] == kind]) for kind in ("harmful", "benign")
        }
        right = np.mean([row["revised"] == (row["kind"] == "harmful") for row in made])
        found[name] = {**{kind: float(value) for kind, value in share.items()}, "right": float(right)}
    table(
        {"training answers by": "", "harmful revised": ".1%", "benign revised": ".1%", "right": ".1%"},
        [(name, each["harmful"], each["benign"], each["right"]) for name, each in found.items()],
    )
    return found


def who_covers(principles, rows: list[dict]) -> Bool[Tensor, "P N"]:
    """Does each principle cover each of the harmful requests?"""
    harmful = [row for row in rows if row["kind"] == "harmful"]
    return torch.tensor([[critic.covers(principle, row) for row in harmful] for principle in principles])


def by_kind(chance: Float[Tensor, " N"], rows: list[dict]) -> dict[str, float]:
    """{kind of harm: mean over its harmful requests, "all": over all of them}."""
    kinds = [row["category"] for row in rows if row["kind"] == "harmful"]
    here = {name: torch.tensor([kind == name for kind in kinds]) for name in SEEN if name in kinds}
    return {name: float(chance[those].mean()) for name, those in here.items()} | {"all": float(chance.mean())}


def chances_table(found: dict[str, dict[str, float]], skill: float = critic.SKILL) -> None:
    """The chance to be criticised, by kind of harm; the last column is what a critic of this skill makes of it."""
    table(
        {"chance to be criticised": "", **dict.fromkeys((*SEEN, "all"), ".0%"), "all · skill": ".1%"},
        [(name, *(each.get(kind) for kind in (*SEEN, "all")), skill * each["all"]) for name, each in found.items()],
    )


def before_and_after(
    before: list[dict], after: list[dict], kinds=("poison", "cruelty", "trickery"), n: int = 6
) -> None:
    """The first n requests of these kinds with both answers side by side."""
    for k in [k for k, row in enumerate(before) if row["category"] in kinds][:n]:
        answers = [before[k]["answer"], after[k]["answer"]]
        print(f"{request_of(before[k])}\n{columns(['helpful-only', 'under your constitution'], answers)}\n")


def refused_by_kind(those: list[dict]) -> dict[str, tuple[int, int]]:
    """{kind of harm: (harmful requests refused, harmful requests)}, in the village's order."""
    harmful = [row for row in those if row["kind"] == "harmful"]
    here = {name: [row["refused"] for row in harmful if row["category"] == name] for name in SEEN + HELD_OUT}
    return {name: (sum(refused), len(refused)) for name, refused in here.items() if refused}


def your_rightness(result: dict, taught: dict, size: str) -> None:
    your_run(
        f"The assistant is right in {result['right']:.1%} of the fresh requests,",
        f"its training answers were right in {taught['right']:.1%}.",
        size=size,
        shows="what an assistant learns",
    )


def kinds_refused(models: dict, rows: list[dict], draft, size: str) -> dict[str, dict[str, float]]:
    """Picture and table of the share of each kind of harm that each model refuses; what the draft does not cover is
    marked. Returns the shares.
    """
    counts = {name: refused_by_kind(judged(model, rows)) for name, model in models.items()}
    covered = set().union(*map(critic.reads, draft))
    title = "Which harms are refused? (the last three: never asked for)"
    curve.show(feedback.refusals_figure(counts, tuple(name for name in SEEN if name not in covered), title))
    shares = {name: {kind: k / n for kind, (k, n) in each.items()} for name, each in counts.items()}
    kinds = list(dict.fromkeys(kind for each in shares.values() for kind in each))
    table(
        {"harmful refused": "", **dict.fromkeys(kinds, ".0%")},
        [(name, *(each.get(kind) for kind in kinds)) for name, each in shares.items()],
    )
    under = shares["the draft"]
    your_run(
        f"Under the draft cruelty is refused in {under['cruelty']:.0%}, fire in {under['fire']:.0%}.",
        size=size,
        shows="the difference between the two",
    )
    return shares


def same_in_four_wordings(model, size: str) -> dict[str, float]:
    """{kind: share of fresh requests that are refused in all four wordings or in none}."""
    some = request_rows("train", 12 if size == "tiny" else 160, "again", constitution.SINGLE, SEEN)
    four = [judged(model, list(wording)) for wording in zip(*map(constitution.reworded, some))]
    same = [(each[0]["kind"], len({row["refused"] for row in each}) == 1) for each in zip(*four)]
    return {kind: float(np.mean([s for k, s in same if k == kind])) for kind in ("harmful", "benign")}


def vague_table(models: dict, exam: list[dict], coin: dict, size: str) -> dict[str, dict]:
    """What each model refuses, and how often it answers four wordings of a request alike. coin: how much of the vague
    principle's training answers was revised. Returns {model: its `rates` and "alike": {kind: share}}.
    """
    found = {name: rates(judged(model, exam)) for name, model in models.items()}
    for name, model in models.items():
        found[name]["alike"] = same_in_four_wordings(model, size)
    heads = ("harmful refused", "benign refused", "four wordings alike: harmful", "benign")
    table(
        {"": "", **dict.fromkeys(heads, ".1%")},
        [(name, e["harmful_refused"], e["benign_refused"], *e["alike"].values()) for name, e in found.items()],
    )
    vague = list(found.values())[-1]
    your_run(
        f"{coin['benign']:.0%} of the benign training answers were revised,",
        f"and the assistant refuses {vague['benign_refused']:.0%} of the benign requests.",
        size=size,
        shows="what becomes of such answers",
    )
    return found


def samples(models: dict[str, object], those: list[dict], each: int = 2) -> None:
    """Sampled answers of the models to the first questions after a fact, side by side."""
    asked = [row for row in those if row["kind"] == "fact"][:3]
    answers = {name: roll_out(model, load_tokenizer(), asked, each, seed=5).answers for name, model in models.items()}
    for k, row in enumerate(asked):
        texts = ["\n".join(said_[each * k : each * (k + 1)]) for said_ in answers.values()]
        print(f"» {row['messages'][-1]['content']}\n{columns(list(answers), texts)}\n")


def libraries_are_as_the_table_says() -> bool:
    """AssertionError where an installed library differs from what the lab's table says of it."""
    import sklearn
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import cohen_kappa_score

    assert importlib.metadata.version("trl") == "1.16.0" and sklearn.__version__ == "1.9.1"
    files = [str(file) for file in importlib.metadata.files("trl") or []]
    assert files and not [file for file in files if "judge" in file]
    assert LinearRegression().fit_intercept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that κ has no value there
        assert math.isnan(cohen_kappa_score([1, 1], [1, 1]))
    return True


# ------------------------------------------------------------------------------------------------------- a real model

REAL = [  # question, right answer, wrong answer
    ("What is the capital of France?", "Paris.", "Rome."),
    ("How many legs has a spider?", "Eight.", "Six."),
    ("Which is larger, the Sun or the Moon?", "The Sun.", "The Moon."),
    ("What do bees make?", "Bees make honey.", "Bees make milk."),
    ("What is 7 + 5?", "7 + 5 = 12.", "7 + 5 = 15."),
    ("Which month comes after March?", "April.", "May."),
    ("What is the opposite of hot?", "Cold.", "Warm."),
    ("Is ice colder than steam?", "Yes, ice is colder than steam.", "No, steam is colder than ice."),
    ("What do we call frozen water?", "Ice.", "Sand."),
    ("How many days has a week?", "A week has seven days.", "A week has nine days."),
    ("Which animal barks?", "A dog.", "A cat."),
    ("In which direction does the sun rise?", "In the east.", "In the west."),
]


def real_judge(prefer, ask: str, device):
    """[2 12]: SmolLM2's P of what stands first by `prefer`, the right answer first and the wrong one first. None, with
    one line, where the model is not here. ask: the text, with places for a question, one answer and the other.
    """
    if (loaded := smollm2()) is None:
        return None
    model, tokenizer = loaded[0].to(device), loaded[1]
    letter = [tokenizer.encode(name, add_special_tokens=False)[0] for name in "AB"]

    @torch.no_grad()
    def of_first(asked, one, other):
        chat = [{"role": "user", "content": ask.format(asked, one, other)}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False, return_tensors="pt")
        logits = model(ids.to(device)).logits[0, -1].float().cpu()
        return prefer(torch.log_softmax(logits, -1), *letter)

    orders = [[(q, right, wrong) for q, right, wrong in REAL], [(q, wrong, right) for q, right, wrong in REAL]]
    return torch.stack([torch.stack([of_first(*item) for item in order]) for order in orders])


def real_table(right_first, wrong_first, shares, both) -> tuple[int, int]:
    """What the real judge says of each pair; in how many both orders name the right answer, in how many the wrong."""
    table(
        {"": "", "right answer": "", "P, it stands first": ".2f", "P, it stands second": ".2f"},
        [(q, right, float(p), 1 - float(x)) for (q, right, _), p, x in zip(REAL, right_first, wrong_first)],
        "consistent {:.0%}, to the first place {:.0%}, to the second place {:.0%}".format(*shares),
    )
    right, wrong = int((both > 0.5).sum()), int((both < 0.5).sum())
    print(f"Both orders name the right answer in {right} of {len(REAL)} pairs, and the wrong one in {wrong}.")
    return right, wrong
