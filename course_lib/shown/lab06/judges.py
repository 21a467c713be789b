"""Lab 06: judges beside the best judge: accuracy, calibration, loss, and what a reward model makes of held-out pairs.
`exam` is people.exam_of's, `margins` [N] a judge's reward of the first answer of each pair minus the second.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from course_lib.evaluation import agreement
from course_lib.shown.lab06.people import clearly_unequal, verdicts
from course_lib.stages.model import RewardModel
from course_lib.stages.reward import reward_model_of, rewards_of
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, heatmap, judges
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run  # noqa: F401  (the notebook calls it from here)
from course_lib.world import annotators as world
from course_lib.world.annotators import ANNOTATORS


def accuracy(exam: SimpleNamespace, margins) -> tuple[float, float]:
    """(expected accuracy of a judge with these margins, its standard error over the pairs)."""
    right = np.where(margins == 0, 0.5, np.where(margins > 0, exam.p_first, 1 - exam.p_first))
    return float(right.mean()), float(right.std(ddof=1) / len(right) ** 0.5)


def finds_the_better(exam: SimpleNamespace, margins, among=True) -> float:
    """Among the pairs of unequal gold utility, the share where the better answer has the larger reward. among [N]: only
    where this is true.
    """
    unequal = (exam.gold != 0) & among
    return float(np.mean((margins > 0)[unequal] == (exam.gold > 0)[unequal]))


def parted_by(exam: SimpleNamespace) -> dict[str, np.ndarray]:
    """{"courtesy", "truth", "the question": [N], is this what parts the two answers?}. Truth: more is false in one of
    them; the question: one is right, and in neither is anything false.
    """
    seen = [[world.features(row, answer) for answer in both] for row, *both in exam.pairs]
    a, b = ({key: np.array([pair[k][key] for pair in seen]) for key in world.TASTE} for k in (0, 1))
    polite, true, right = (a[key] != b[key] for key in ("courtesy", "false", "right"))
    beside = right & (a["false"] + b["false"] == 0)
    return {"courtesy": polite & ~true & ~right, "truth": true & ~polite, "the question": beside}


def show_judges(exam: SimpleNamespace, limit: float) -> dict[str, float]:
    """{judge: expected accuracy} of simple judges; the last is the best there can be."""
    best = agreement.judge_accuracy(exam.p_first - 0.5, exam.p_first)
    assert abs(limit - best) < 1e-5, "the limit is the best judge's accuracy"
    liking = {f"what {p.name} likes": exam.differences[k].numpy() for k, p in enumerate(ANNOTATORS)}
    margins = {"a coin": 0 * exam.gold, "the longer answer": exam.words, **liking, "the gold utility": exam.gold}
    found = {name: agreement.judge_accuracy(m, exam.p_first) for name, m in margins.items()} | {"the best judge": best}
    table({"judge": "", "right about the label": ".1%"}, found.items())
    print(f"{np.mean(exam.gold == 0):.0%} of the pairs are worth exactly the same in gold")
    return found


def live_accuracy(limit: float):
    """Give it to a run as `on_step`: accuracy on the pairs of each step, beside the best judge."""
    return curve.LivePicture(lambda history: judges.accuracy_figure(history, limit), "reward model")


def margins_of(model: RewardModel, exam: SimpleNamespace, places=None) -> np.ndarray:
    """[N]: the reward of the first answer of each pair minus that of the second."""
    pairs = exam.pairs if places is None else [exam.pairs[k] for k in places]
    asked = [row["messages"] for row, _, _ in pairs]
    first, second = (rewards_of(model, load_tokenizer(), asked, [pair[k] for pair in pairs]) for k in (1, 2))
    return (first - second).numpy()


def show_accuracy(exam: SimpleNamespace, margins, limit: float, run) -> tuple[float, float]:
    """(accuracy on held-out pairs, how often the better of two unequal answers is preferred)."""
    (value, _), better = accuracy(exam, margins), finds_the_better(exam, margins)
    share = f"{100 * value:.1f} %, the best judge {100 * limit:.1f} %: {100 * value / limit:.1f} % of the limit"
    print(f"held-out pairs: accuracy {share}")
    print(f"on pairs of different gold utility it prefers the better answer in {100 * better:.1f} %")
    print(f"the run took {run.record['minutes']:.1f} minutes and {run.history[-1]['rows']:,} pairs")
    your_run(shows="how near a reward model comes to the best judge, here and in § 9")
    return value, better


def show_before_and_after(exam: SimpleNamespace, places: list[int], base, margins) -> None:
    """Pairs with their rewards before training, by a head of zeros, and after."""
    for k, before in zip(places, margins_of(reward_model_of(base).eval(), exam, places)):
        row, a, b = exam.pairs[k]
        titles = [f"gold utility {world.utility(row, answer):+.1f}" for answer in (a, b)]
        print(f"» {row['messages'][0]['content']}\n{columns(titles, [a, b])}")
        print(f"   reward of the first minus the second: before {before:+.2f}, after {margins[k]:+.2f};", end=" ")
        print(f"{100 * exam.p_first[k]:.0f} % prefer the first\n")


def surest_mistakes(exam: SimpleNamespace, margins) -> list[int]:
    """Places of the clearly unequal pairs, the one where the model is most sure of the worse answer first."""
    places = clearly_unequal(exam)
    return sorted(places, key=lambda k: margins[k] * np.sign(exam.gold[k]))


def show_reward_so_far(model: RewardModel, exam: SimpleNamespace, place: int) -> None:
    """Heat maps on one scale: by how much each token of both answers moves the reward head."""
    row, *answers = exam.pairs[place]
    said = [row["messages"] + [{"role": "assistant", "content": answer}] for answer in answers]
    maps = [heatmap.reward_so_far(model, load_tokenizer(), messages) for messages in said]
    for tokens, values in maps:
        heatmap.show(tokens, values, "change", beside=[value for _, other in maps for value in other])


def show_sizes(exam: SimpleNamespace, margins: dict[int, np.ndarray], limit: float) -> tuple[dict, dict, dict]:
    """{training pairs: …} thrice, as a table: accuracy (also as a picture with bars of two standard errors), and how
    often the better of two answers is preferred that courtesy parts, or truth.
    """
    found = {n: accuracy(exam, m) for n, m in margins.items()}
    curve.show(
        judges.size_figure(
            list(found), [v for v, _ in found.values()], [e for _, e in found.values()], limit, "How many labels?"
        )
    )
    by = parted_by(exam)
    polite, true = (
        {n: finds_the_better(exam, m, by[part]) for n, m in margins.items()} for part in ("courtesy", "truth")
    )
    heads = {"training pairs": ",", "accuracy": ".1%", "two standard errors": ".1%", "of the limit": ".1%"}
    heads |= {"finds the politer": ".0%", "finds the truer": ".0%"}
    rows = [(n, value, 2 * error, value / limit, polite[n], true[n]) for n, (value, error) in found.items()]
    table(heads, rows, "politer: of pairs that are as true and as right; truer: of pairs that are as polite")
    return {n: value for n, (value, _) in found.items()}, polite, true


def recorded_labels(exam: SimpleNamespace) -> Tensor:
    """[N]: was the first answer preferred by whoever labelled the pair?"""
    return torch.tensor([v == "first" for v in verdicts(exam.pairs, exam.rows)])


def show_calibration(said: dict[str, Tensor], won: Tensor, ece: Callable) -> dict[str, float]:
    """{judge: ECE on the recorded labels}, with a picture of ten bins."""
    picture = {name: (p.numpy(), won.numpy()) for name, p in said.items()}
    curve.show(judges.reliability_figure(picture, 10, "Can its probabilities be trusted?"))
    found = {name: float(ece(p, won, 10)) for name, p in said.items()}
    right = {name: float(((p > 0.5) == won).float().mean()) for name, p in said.items()}
    table({"judge": "", "ECE": ".3f", "right": ".1%"}, [(name, found[name], right[name]) for name in said])
    return found


def loss_of_the_best(exam: SimpleNamespace) -> float:
    """Nats a pair that the judge pays who knows each pair's p: the mean entropy of a label."""
    p = exam.p_first
    return float(-(p * np.log(p) + (1 - p) * np.log1p(-p)).mean())


def held_out_loss(exam: SimpleNamespace, margins) -> float:
    """Expected −log σ(margin of the label), nats a pair: that of an honest loss."""
    m = np.asarray(margins, dtype=float)
    return float((exam.p_first * np.logaddexp(0, -m) + (1 - exam.p_first) * np.logaddexp(0, m)).mean())


def show_training(runs: dict[str, list[dict]], best: float) -> dict[str, float]:
    """{run: mean reported loss of its last quarter}: a picture, and the log quarter by quarter. runs: histories."""
    curve.show(judges.loss_figure(runs, best))
    found, rows = {}, []
    for name, history in runs.items():
        for part in np.array_split(np.arange(len(history)), 4):
            loss, right = (float(np.mean([history[k][key] for k in part])) for key in ("train_loss", "accuracy"))
            rows.append((name, history[part[-1]]["rows"], history[part[0]]["train_loss"], loss, right))
            found[name] = loss
    heads = {"run": "", "pairs seen": ",", "first loss": ".3f", "mean loss": ".3f", "accuracy": ".0%"}
    table(heads, rows, f"by quarters of the run; the best judge pays {best:.3f} nats a pair")
    return found


def show_behind(exam: SimpleNamespace, margins: dict[str, np.ndarray], ece: Callable) -> dict[str, tuple]:
    """{judge: (accuracy, mean size of a margin, its mean −log σ, ECE on the recorded labels)} on held-out pairs."""
    won, found = recorded_labels(exam), {}
    for name, m in margins.items():
        error = float(ece(torch.tensor(m).sigmoid(), won, 10))
        found[name] = (accuracy(exam, m)[0], float(np.abs(m).mean()), held_out_loss(exam, m), error)
    heads = {
        "held-out pairs": "",
        "accuracy": ".1%",
        "mean size of a margin": ".2f",
        "mean −log σ": ".3f",
        "ECE": ".3f",
    }
    table(heads, [(name, *values) for name, values in found.items()])
    your_run(shows="what a loss or its labels do to a judge")
    return found
