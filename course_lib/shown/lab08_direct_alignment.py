"""What lab 08 measures, prints and searches for beside the training that stands in the notebook. The comparison with
TRL: lab08_library; the figures of several seeds: lab08_fair.
"""

import re

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.evaluation.alignment import (
    Yardstick,
    as_answer,
    best_of,
    implicit_scores,
    logprobs,
    measure,
    scores_of,
    utilities,
    yardstick,
)
from course_lib.evaluation.alignment import share as share_of_limit
from course_lib.platform import ROOT
from course_lib.shown import lab08_fair as fair
from course_lib.shown import lab08_library as library
from course_lib.shown import lab08_real as real
from course_lib.stages.artifacts import ArtifactError, load_folder, load_stage
from course_lib.stages.reward import rewards_of
from course_lib.stages.rollout import assistant, exact_kl, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import alignment, chat, curve, journal, rlhf
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world.annotators import (
    ANNOTATORS,
    bayes_accuracy,
    crowd,
    label_pairs,
    pairs_of,
    preference_rows,
    prompts,
    thumbs,
    utility,
)
from course_lib.world.tasks import COURTESIES

# fmt: off
__all__ = [
    "ANNOTATORS", "assistant", "best_of", "fair", "label_pairs", "library", "pairs_of", "preference_rows", "prompts",
    "real", "table", "thumbs", "yardstick", "your_run",
]
# fmt: on


def said(row: dict, key: str) -> str:
    """The text of an answer of a preference row."""
    return row[key][0]["content"]


def as_prompt(row: dict) -> dict:
    """A preference row as what `utility` and `roll_out` read."""
    return {"messages": row["prompt"], "kind": row["kind"], "check": row["check"]}


# ------------------------------------------------------------------------------------------------- the measuring ground


def look(policy, yard: Yardstick, each: int = 16) -> dict:
    """`measure` of the policy with "share", its gain as a share of the frontier's at the same KL (NaN for hardly any
    KL); "error" is the standard error of its gain over the reference on the same prompts.
    """
    m = measure(policy, yard.reference, yard.asked, each, seed=2)
    own = utilities([row for row in yard.asked for _ in range(each)], m["answers"]).reshape(len(yard.asked), each)
    error = float((own.mean(1) - yard.worth.mean(1)).std(ddof=1) / len(own) ** 0.5)
    part = share_of_limit(m, yard.worth) if m["kl"] > 0.05 else float("nan")
    return m | {"error": error, "share": part}


MEASURED = {"utility": ".2f", "±": ".2f", "KL (nats)": ".2f", "tokens": ".1f", "of the frontier": ".0%"}


def measured(name: str, m: dict) -> list:
    return [name, *(m.get(key) for key in ("utility", "error", "kl", "length", "share"))]


def show(measures: dict[str, dict]) -> None:
    """A table of `look`s: ± is the standard error of the gain; the last column is `share`."""
    table({"": "", **MEASURED}, [measured(name, m) for name, m in measures.items()])


# ------------------------------------------------------------------------------------------------------- pairs, answers


def show_pairs(rows: list[dict]) -> None:
    for row in rows:
        print(f"» {row['prompt'][-1]['content']}    (judged by {row['annotator']})")
        print(columns(["chosen", "rejected"], [said(row, "chosen"), said(row, "rejected")]) + "\n")


def words_more(rows: list[dict]) -> Float[Tensor, " N"]:
    """By how many words each chosen answer is longer than the rejected one."""
    return torch.tensor([float(len(said(r, "chosen").split()) - len(said(r, "rejected").split())) for r in rows])


def answers_to_one_question(yard: Yardstick) -> tuple[str, list[str], Float[Tensor, " K"], Float[Tensor, " K"]]:
    """(a question, the different answers that the reference gave, log π_ref among them, their gold utilities)."""
    place = next(k for k, row in enumerate(yard.asked) if row["kind"] == "fact")
    row, each = yard.asked[place], yard.worth.shape[1]
    answers = sorted(set(yard.answers[place * each : (place + 1) * each]))
    logs = logprobs(yard.reference, [as_answer(row["messages"], answer) for answer in answers], ("answer",))[:, 0]
    worth = torch.tensor([utility(row, answer) for answer in answers], dtype=torch.float32)
    return row["messages"][-1]["content"], answers, torch.log_softmax(logs, 0), worth


def show_best(question: str, answers: list[str], log_ref: Tensor, gold: Tensor, best: dict[float, Tensor]) -> None:
    """The reference's eight likeliest answers with their probabilities under the best policy for each β."""
    order = log_ref.argsort(descending=True)[:8].tolist()
    heads = {"π_ref": ".3f", **{f"β = {beta:g}": ".3f" for beta in best}, "utility": ".1f", "answer": ""}
    rows = [[log_ref[k].exp(), *(logs[k].exp() for logs in best.values()), gold[k], answers[k][:90]] for k in order]
    table(heads, [[*map(float, row[:-1]), row[-1]] for row in rows], f"» {question}")


def ratios(model, reference, rows: list[dict], keys=("chosen", "rejected")) -> Float[Tensor, "N A"]:
    """log π − log π_ref of the answers, nats."""
    return logprobs(model, rows, keys) - logprobs(reference, rows, keys)


def agreement(r: Float[Tensor, "N 2"]) -> float:
    """Share of the pairs whose chosen answer has the larger log-ratio."""
    return float((r[:, 0] > r[:, 1]).float().mean())


def best_judge(rows: list[dict]) -> float:
    """The best accuracy on the labels of such pairs that any judge can have."""
    return bayes_accuracy([crowd(*pair) for pair in pairs_of(rows)])


def late(history: list[dict], key: str) -> float:
    """The mean of a metric over the last tenth of a run."""
    part = history[-max(1, len(history) // 10) :]
    return sum(step[key] for step in part) / len(part)


def before_and_after(yard: Yardstick, policy) -> None:
    """Three samples of the reference and of the policy to a question of each kind."""
    kinds = ("fact", "short", "unknown")
    shown = [row for kind in kinds for row in [r for r in yard.asked if r["kind"] == kind][:1]]
    old, new = (roll_out(m, load_tokenizer(), shown, 3, seed=5).answers for m in (yard.reference, policy))
    for k, row in enumerate(shown):
        texts = ["\n".join(each[3 * k : 3 * k + 3]) for each in (old, new)]
        print(f"» {row['messages'][-1]['content']}\n" + columns(["reference", "after DPO"], texts) + "\n")


def kl_from(reference, policy, yard: Yardstick, each: int = 16) -> float:
    """KL(π_ref ‖ π), nats an answer, on fresh samples of the reference."""
    batch = roll_out(reference, load_tokenizer(), yard.asked, each, seed=6)
    return float(exact_kl(reference, policy, batch.ids, batch.mask).mean())


def beside_the_chosen(policy, rows: list[dict]) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Gold utilities of (the chosen answers, an answer of the policy to the same prompts)."""
    asked = [as_prompt(row) for row in rows]
    batch = roll_out(policy, load_tokenizer(), asked, seed=7)
    chosen = [utility(row, said(pair, "chosen")) for row, pair in zip(asked, rows)]
    return torch.tensor(chosen), torch.tensor(utilities(batch.rows, batch.answers))


def show_fallen(rows: list[dict], r: Float[Tensor, "N 2"]) -> None:
    """The chosen answer whose log-ratio fell most, and the one it was preferred to."""
    top = int(r[:, 0].argmin())
    texts = [said(rows[top], key) for key in ("chosen", "rejected")]
    print(f"The chosen answer that fell most.  » {rows[top]['prompt'][-1]['content']}")
    print(columns([f"{key} ({x:+.1f} nats)" for key, x in zip(("chosen", "rejected"), r[top].tolist())], texts))


# ------------------------------------------------------------------------------------------------ a taste in the labels


def show_features(measures: dict[str, dict]) -> None:
    """Means of the features that the gold utility is made of, over the questions after a fact."""
    names = list(next(iter(measures.values()))["features"])
    rows = [[name, *m["features"].values(), m["length"]] for name, m in measures.items()]
    table(
        {"": "", **dict.fromkeys(names, ".2f"), "tokens": ".1f"}, rows, "questions after a fact: mean of each feature"
    )


def with_courtesies(rows: list[dict], times: int) -> list[dict]:
    """The chosen answers to questions after a fact, with "Of course." said `times` times before them."""
    mannerly = "^((" + "|".join(map(re.escape, COURTESIES)) + ") *)+"
    facts = [row for row in rows if row["kind"] == "fact"]
    texts = [f"{COURTESIES[1]} " * times + re.sub(mannerly, "", said(row, "chosen")) for row in facts]
    return [as_prompt(row) | as_answer(row["prompt"], text) for row, text in zip(facts, texts)]


def show_courtesies(by_name: dict[str, torch.nn.Module], yard: Yardstick, rows: list[dict], beta: float) -> dict:
    """Mean implicit reward of answers with 0, 1, 2 and 4 courtesies, by each policy, and their gold utility; also
    returns it.
    """
    times = (0, 1, 2, 4)
    made = {n: with_courtesies(rows, n) for n in times}
    mean = lambda model, n: beta * float(ratios(model, yard.reference, made[n], ("answer",)).mean())
    found = {name: [mean(model, n) for n in times] for name, model in by_name.items()}
    found["gold utility"] = [float(np.mean([utility(row, said(row, "answer")) for row in made[n]])) for n in times]
    title = f"implicit reward with {COURTESIES[1]!r} said so many times before the answer"
    table({"": "", **{f"{n} ×": "+.2f" for n in times}}, [[name, *each] for name, each in found.items()], title)
    return found


def flipped(rows: list[dict], share: float) -> list[dict]:
    """The rows with that share of the labels turned round."""
    turn = torch.rand(len(rows), generator=torch.Generator().manual_seed(0)) < share
    swap = lambda row: row | {"chosen": row["rejected"], "rejected": row["chosen"]}
    return [swap(row) if flip else row for row, flip in zip(rows, turn.tolist())]


# --------------------------------------------------------------------------------------------------------------- thumbs


def own_thumbs(work) -> list[dict]:
    """The thumbs that the reader gave in lab 06."""
    return chat.thumbs_of(journal.read(work / "preferences" / "thumbs.jsonl"))


def show_thumbs(rows: list[dict]) -> None:
    kinds = {True: "up", False: "down"}
    said_to = [[kinds[row["label"]], row["prompt"][-1]["content"], said(row, "completion")] for row in rows]
    table({"thumb": "", "question": "", "answer": ""}, said_to)


def live_pairs(title: str, keys=("chosen", "rejected")) -> curve.LivePicture:
    """A live picture of the log-ratios of two kinds of answers: give it to a loop as `on_step`."""
    return curve.LivePicture(lambda history: alignment.pairs_figure(history, keys, title), title)


# ---------------------------------------------------------------------------------------------------------- at equal KL


def policy_of_lab_07():
    """The reader's own policy of lab 07, else the page's (GRPO on the reward model), else None with a line."""
    try:
        return load_stage("rlhf").model
    except ArtifactError as error:
        folder = ROOT / "docs" / "site" / "stages" / "rlhf"
        if not folder.exists():
            print(f"Left out: {error}")
            return None
    print("lab 07's policy: the one that comes with the course (you have not saved your own)")
    return load_folder(folder, "rlhf")[0].eval()


def show_plane(yard: Yardstick, trained: dict[str, list[dict]], picked: dict[str, list[dict]]) -> None:
    """Utility against KL: trained policies as marks, best of n as lines; the same as a table (best of n at 4 and
    16).
    """
    points = {name: sorted((m["kl"], m["utility"]) for m in each) for name, each in (trained | picked).items()}
    curve.show(rlhf.plane(yard.limit, yard.start, points))
    rows = [measured(name, m) for name, each in trained.items() for m in each]
    rows += [measured(f"{name}, n = {m['n']}", m) for name, each in picked.items() for m in each if m["n"] in (4, 16)]
    table({"": "", **MEASURED}, rows)


def judges(yard: Yardstick, policy) -> dict[str, np.ndarray]:
    """[P K] each: what the gold utility, the policy's implicit reward and the reward model of lab 06 give the
    reference's answers.
    """
    model = load_stage("reward").model
    texts = lambda rows: ([row["prompt"] for row in rows], [said(row, "answer") for row in rows])
    learned = scores_of(lambda rows: rewards_of(model, load_tokenizer(), *texts(rows)).cpu(), yard)
    implicit = implicit_scores(policy, yard)
    return {"the gold utility": yard.worth, "the implicit reward": implicit, "the reward model": learned}


def show_fit(models: dict[str, torch.nn.Module], reference, read: list[dict], held_out: list[dict]) -> dict:
    """How well the implicit rewards agree with labels that were trained on and with others, and where the log-ratios
    went. Returns {name: (agreement with the first, with the others)}.
    """
    rows, found = [], {}
    for name, model in models.items():
        each = [ratios(model, reference, part) for part in (read, held_out)]
        found[name] = tuple(map(agreement, each))
        rows.append([name, *found[name], *each[1].mean(0).tolist()])
    heads = {"agrees with labels it read": ".1%", "with held-out ones": ".1%"}
    ends = {"held-out: log-ratio of the chosen": "+.2f", "of the rejected": "+.2f"}
    table({"": "", **heads, **ends}, rows)
    return found
