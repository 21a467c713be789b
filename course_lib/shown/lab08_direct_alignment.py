"""What lab 08 measures, prints and searches for beside the training that stands in the notebook. The comparison with
TRL: lab08_library; the figures of several seeds: lab08_fair.
"""

import re

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.evaluation.alignment import Yardstick, as_answer, best_of, logprobs, utilities, yardstick
from course_lib.shown import lab08_fair as fair
from course_lib.shown import lab08_library as library
from course_lib.shown import lab08_real as real
from course_lib.shown.common import guessed
from course_lib.shown.lab08_measures import agreement, as_prompt, look, ratios, said, show, show_frontier
from course_lib.stages.rollout import assistant, exact_kl, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import alignment, chat, curve, journal
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
    "ANNOTATORS", "assistant", "best_of", "fair", "library", "look", "pairs_of", "preference_rows", "prompts",
    "real", "show", "show_frontier", "table", "thumbs", "yardstick", "your_run",
]
# fmt: on


# ------------------------------------------------------------------------------------------------------- pairs, answers


def show_pairs(rows: list[dict]) -> None:
    for row in rows:
        print(f"» {row['prompt'][-1]['content']}    (judged by {row['annotator']})")
        print(columns(["chosen", "rejected"], [said(row, "chosen"), said(row, "rejected")]) + "\n")


def show_lengths(rows: list[dict]) -> None:
    """By how many words chosen answers are longer than rejected ones."""
    words = lambda row, key: len(said(row, key).split())
    more = torch.tensor([float(words(row, "chosen") - words(row, "rejected")) for row in rows])
    your_run(
        f"{len(rows):,} pairs. The chosen answer has more words in {(more > 0).float().mean():.0%}, fewer in "
        f"{(more < 0).float().mean():.0%}, {more.mean():+.2f} on average."
    )


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


def show_apart(back: Float[Tensor, " K"], gold: Float[Tensor, " K"]) -> float:
    """The largest difference between the gaps of the implicit rewards and those of the utilities."""
    apart = ((back - back[0]) - (gold - gold[0])).abs().max().item()
    print(f"The implicit rewards differ from each other as the utilities do, to {apart:.0e}.")
    return apart


def show_logprobs(values: Float[Tensor, " B"], tokens: Tensor) -> None:
    """log π_ref of the answers to some pairs, the chosen ones first."""
    chosen, rejected = values.chunk(2)
    your_run(
        f"{len(values)} answers of {tokens.min()} to {tokens.max()} tokens: log π_ref from {values.min():.1f} to "
        f"{values.max():.1f} nats. Mean of the chosen {chosen.mean():.2f}, of the rejected {rejected.mean():.2f}."
    )


def show_end(history: list[dict], guess: str, size: str) -> dict[str, float]:
    """The means of a run's metrics over its last tenth; returns them."""
    part = history[-max(1, len(history) // 10) :]
    end = {key: sum(step[key] for step in part) / len(part) for key in ("accuracy", "chosen", "rejected")}
    your_run(
        f"At the end the implicit reward agrees with {end['accuracy']:.0%} of the labels. Log-ratios: chosen "
        f"{end['chosen']:+.2f} nats, rejected {end['rejected']:+.2f} nats.",
        size=size,
        shows="what becomes of the chosen answers",
    )
    guessed(guess)
    return end


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
    """Gold utilities of (an answer of the policy to each prompt, the chosen answers)."""
    asked = [as_prompt(row) for row in rows]
    batch = roll_out(policy, load_tokenizer(), asked, seed=7)
    chosen = [utility(row, said(pair, "chosen")) for row, pair in zip(asked, rows)]
    return torch.tensor(utilities(batch.rows, batch.answers)), torch.tensor(chosen)


def show_log_ratios(r: Float[Tensor, "N 2"], backwards: float, forwards: float) -> None:
    """r of held-out pairs beside KL(π_ref ‖ π) and KL(π ‖ π_ref)."""
    rows = [
        ("chosen answers of held-out pairs", float(r[:, 0].mean())),
        ("rejected answers", float(r[:, 1].mean())),
        ("both", float(r.mean())),
        ("fresh samples of the reference: −KL(π_ref ‖ π)", -backwards),
        ("the policy's own answers: KL(π ‖ π_ref)", forwards),
    ]
    table({"mean log π − log π_ref": "", "nats": "+.2f"}, rows)


def show_beside(policy: Tensor, chosen: Tensor, r: Float[Tensor, "N 2"], size: str) -> tuple[float, float]:
    """How often the policy says something better and something worse than the chosen answer; returns both shares."""
    better, worse, fell = (float(x.float().mean()) for x in (policy > chosen, policy < chosen, r[:, 0] < 0))
    your_run(
        f"{fell:.0%} of the chosen answers became less likely. To the same prompts the policy says something better "
        f"than the chosen answer in {better:.0%} of the cases and something worse in {worse:.0%}. Gold utility: "
        f"{policy.mean():.2f} in the mean, the chosen answers {chosen.mean():.2f}.",
        size=size,
        shows="any of this",
    )
    return better, worse


def show_fallen(rows: list[dict], r: Float[Tensor, "N 2"]) -> None:
    """The chosen answer whose log-ratio fell most, and the one it was preferred to."""
    top = int(r[:, 0].argmin())
    texts = [said(rows[top], key) for key in ("chosen", "rejected")]
    print(f"The chosen answer that fell most.  » {rows[top]['prompt'][-1]['content']}")
    print(columns([f"{key} ({x:+.1f} nats)" for key, x in zip(("chosen", "rejected"), r[top].tolist())], texts))


# ------------------------------------------------------------------------------------------------ a taste in the labels


def labelled_by(person, rows: list[dict]) -> list[dict]:
    """The same pairs of answers, labelled by one person."""
    return label_pairs(pairs_of(rows), "lab 08", (person,))


def show_taste(measures: dict[str, dict], guess: str) -> None:
    """The policies' measures, and the features that the gold utility is made of, over the questions after a fact."""
    show(measures, guess)
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


def show_courtesies(by_name: dict[str, tuple], yard: Yardstick, rows: list[dict], beta: float) -> dict:
    """Mean implicit reward of answers with 0, 1, 2 and 4 courtesies, by each policy, and their gold utility; also
    returns it.
    """
    times = (0, 1, 2, 4)
    made = {n: with_courtesies(rows, n) for n in times}
    mean = lambda model, n: beta * float(ratios(model, yard.reference, made[n], ("answer",)).mean())
    found = {name: [mean(model, n) for n in times] for name, (model, _) in by_name.items()}
    found["gold utility"] = [float(np.mean([utility(row, said(row, "answer")) for row in made[n]])) for n in times]
    title = f"implicit reward with {COURTESIES[1]!r} said so many times before the answer"
    table({"": "", **{f"{n} ×": "+.2f" for n in times}}, [[name, *each] for name, each in found.items()], title)
    your_run(shows="what a policy makes of courtesies")
    return found


def flipped(rows: list[dict], share: float) -> list[dict]:
    """The rows with that share of the labels turned round."""
    turn = torch.rand(len(rows), generator=torch.Generator().manual_seed(0)) < share
    swap = lambda row: row | {"chosen": row["rejected"], "rejected": row["chosen"]}
    return [swap(row) if flip else row for row, flip in zip(rows, turn.tolist())]


def show_noise(noise: dict[str, tuple], losses, reference, held_out: list[dict], guess: str, size: str) -> dict:
    """The measures of policies trained on labels as they are and on flipped ones, how their implicit rewards agree with
    held-out labels, and the utility that each loss loses by the flips, which it returns.
    """
    show({name: m for name, (_, m) in noise.items()})
    agrees = [(name, agreement(ratios(model, reference, held_out))) for name, (model, _) in noise.items()]
    best = ("the best judge", bayes_accuracy([crowd(*pair) for pair in pairs_of(held_out)]))
    table({"agrees with held-out labels, which are not flipped": "", "": ".1%"}, [*agrees, best])
    gold = lambda name, how: noise[f"{name}, {how}"][1]["utility"]
    lost = {name: gold(name, "as they are") - gold(name, "20 % flipped") for name in losses}
    words = "Utility lost by the flips: " + ", ".join(f"{name} {x:+.2f}" for name, x in lost.items()) + "."
    your_run(words, size=size, shows="what flipped labels do")
    guessed(guess)
    return lost


# --------------------------------------------------------------------------------------------------------------- thumbs


def own_thumbs(work) -> list[dict]:
    """The thumbs that the reader gave in lab 06."""
    return chat.thumbs_of(journal.read(work / "preferences" / "thumbs.jsonl"))


def show_thumbs(rows: list[dict], own: int, up_weight: float) -> None:
    kinds = {True: "up", False: "down"}
    up = sum(row["label"] for row in rows) / len(rows)
    print(
        f"{len(rows):,} thumbs, {own} of them yours; {up:.0%} are up, so one up weighs {up_weight:.2f} times one down."
    )
    said_to = [[kinds[row["label"]], row["prompt"][-1]["content"], said(row, "completion")] for row in rows[:4]]
    table({"thumb": "", "question": "", "answer": ""}, said_to)


def live_pairs(title: str, keys=("chosen", "rejected")) -> curve.LivePicture:
    """A live picture of the log-ratios of two kinds of answers: give it to a loop as `on_step`."""
    return curve.LivePicture(lambda history: alignment.pairs_figure(history, keys, title), title)


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
