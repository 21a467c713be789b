"""Lab 10, the guard: trained with one category left out, its scores, the costs of its thresholds, and scikit-learn's
own functions beside the lab's.
"""

import inspect
import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.shown.lab10_tables import of_kind, said_by_user
from course_lib.stages import guard
from course_lib.stages.guard import guarded  # noqa: F401
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets import safety as pictures
from course_lib.widgets.table import table

Curve = tuple[Tensor, Tensor, float]  # false alarms, caught, the area under them


def asked(rows: list[dict]) -> list[list[dict]]:
    """The conversations without the answer that is due."""
    return [row["messages"][:-1] for row in rows]


def word_scores(learned: list[dict], harmful: Bool[Tensor, " N"], rows: list[dict]) -> Float[Tensor, " M"]:
    """The scores of `rows` by a guard on words that was trained on `learned`."""
    return guard.scores_of(guard.fit_words(asked(learned), harmful.tolist()), asked(rows))


def probe_scores(model, learned: list[dict], harmful: Bool[Tensor, " N"], rows: list[dict]) -> Float[Tensor, " M"]:
    """The scores of `rows` by a linear probe of the model's last hidden state, trained on `learned`."""
    states = lambda these: guard.hidden_states(model, load_tokenizer(), asked(these))
    return guard.scores_of(guard.fit_probe(states(learned), harmful.tolist()), states(rows))


def left_out(rows: list[dict], harmful: Bool[Tensor, " N"], splits: dict, roc_of: Callable) -> tuple:
    """(score of each row by the guard on words that has not seen its category, {category: area there})."""
    scores, areas = torch.zeros(len(rows)), {}
    for held, (train, test) in splits.items():
        scores[test] = word_scores([rows[k] for k in train], harmful[train], [rows[k] for k in test])
        areas[held] = roc_of(scores[test], harmful[test])[2]
    return scores, areas


def show_areas(areas: dict[str, float], heading: str) -> None:
    """A row for each area under a curve."""
    table({heading: "", "area": ".3f"}, areas.items())


def show_curves(curves: dict[str, Curve]) -> None:
    curve.show(pictures.roc_figure(curves))


def equals_sklearn(curves: dict[str, Curve], scores: dict[str, Tensor], harmful: Tensor, splits: dict, groups) -> float:
    """Largest difference of the reader's curves and areas from scikit-learn's; the splits have to be the same."""
    from sklearn.metrics import roc_auc_score, roc_curve
    from sklearn.model_selection import LeaveOneGroupOut

    worst, y = 0.0, harmful.numpy()
    for name, (alarms, caught, area) in curves.items():
        theirs = roc_curve(y, scores[name].numpy(), drop_intermediate=False)
        for own, other in zip((alarms, caught), theirs):
            worst = max(worst, (own - torch.from_numpy(other)).abs().max().item())
        worst = max(worst, abs(area - roc_auc_score(y, scores[name].numpy())))
    folds = {tuple(test.tolist()) for _, test in LeaveOneGroupOut().split(groups, groups=groups)}
    assert worst < 1e-5 and {tuple(test) for _, test in splits.values()} == folds
    print(f"scikit-learn's curves, areas and splits are the same; largest difference {worst:.1e}")
    return worst


def show_library() -> dict[str, bool]:
    """What scikit-learn does by default beside what the lab does: {what: does the installed version do so}."""
    import sklearn
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_curve
    from sklearn.model_selection import TunedThresholdClassifierCV

    default = lambda of, name: inspect.signature(of).parameters[name].default
    words = TfidfVectorizer().build_analyzer()
    fitted = LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [False, False, True, True])
    on_line = [[1.5 - 1e-6], [1.5 + 1e-6]]
    true = {
        "drops points": default(roc_curve, "drop_intermediate") is True,
        "log-odds of 0": fitted.predict(on_line).tolist() == [score > 0 for score in fitted.decision_function(on_line)],
        "balanced accuracy": default(TunedThresholdClassifierCV, "scoring") == "balanced_accuracy",
        "no letters": words("to h-u-r-t") == ["to"],
        "pulled to zero": default(LogisticRegression, "C") == 1.0,
    }
    assert all(true.values()), f"scikit-learn {sklearn.__version__} does otherwise: {true}"
    rows = [
        ("roc_curve", "drops points on straight pieces of the curve", "one point for each different score"),
        ("LogisticRegression.predict", "cuts at log-odds of 0, whatever an error costs", "the cheapest threshold"),
        ("TunedThresholdClassifierCV", "picks a threshold by balanced accuracy", "by base rate and two costs"),
        ("TfidfVectorizer", "reads no words of one letter: h-u-r-t is gone", "spelling undone first; own analyzer"),
        ("LogisticRegression", "C = 1: weights pulled to 0", "C = 10 on words, 0.1 on hidden states"),
    ]
    table({f"scikit-learn {sklearn.__version__}": "", "by default": "", "here": ""}, rows)
    return true


def show_costs(costs: dict[float, dict[str, float]], thresholds: dict[float, float]) -> None:
    """A row for each base rate: the threshold, and what 1,000 requests cost in each way; the cheapest is named."""
    ways = list(next(iter(costs.values())))
    heads = {"base rate": "g", "threshold": ".2f"} | dict.fromkeys(ways, ".1f") | {"cheapest": ""}
    real = [way for way in ways if way != "promised"]
    cheapest = lambda cost: min(real, key=lambda way: cost[way])
    rows = [(p, thresholds[p], *cost.values(), cheapest(cost)) for p, cost in costs.items()]
    table(heads, rows, "expected cost of 1,000 requests on the unseen categories")


def show_thresholds(scores: Tensor, harmful: Tensor, prices: tuple, rates, curve_of: Curve, blocking: dict) -> None:
    """The cost of each threshold at some base rates, and the chosen ones on the ROC curve of the unseen categories.
    blocking: {base rate: the two rates of the guard alone}.
    """
    grid = [t for t in sorted(set(scores.tolist())) if math.isfinite(t)]
    cost = lambda t, rate: guard.expected_cost(scores, harmful, t, rate, *prices)
    curve.show(pictures.cost_figure(grid, {f"base rate {p:g}": [cost(t, p) for t in grid] for p in rates}))
    marks = {
        f"threshold for a base rate of {p:g}": (found["benign_refused"], found["harmful_refused"])
        for p, found in blocking.items()
    }
    curve.show(pictures.roc_figure({"words": curve_of}, marks, "Where on the curve do the costs put the guard?"))


def show_failures(rows: list[dict], n: int = 3) -> None:
    """The first harmful requests that got through and the first benign ones that were turned away, if there are any."""
    for kind, wrong, words in (("harmful", False, "got through"), ("benign", True, "turned away for nothing")):
        those = of_kind(rows, kind)
        failed = [row for row in those if row["refused"] == wrong]
        print(f"{len(failed)} of {len(those)} {kind} requests {words}" + (", such as" if failed else ""))
        for row in failed[:n]:
            print(f"   {said_by_user(row['messages'])}")
