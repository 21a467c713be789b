"""Lab 10, the guard: trained with one category left out, its scores, the costs of its thresholds, and scikit-learn's
own functions beside the lab's.
"""

import inspect
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.shown.lab10_tables import of_kind, said_by_user, told
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


def probe_scores(models: dict, learned: list[dict], harmful: Bool[Tensor, " N"], rows: list[dict]) -> dict[str, Tensor]:
    """{"probe of …": the scores of `rows` by a linear probe of the model's last hidden state}, trained on `learned`."""
    found = {}
    for name, model in models.items():
        states, these = (guard.hidden_states(model, load_tokenizer(), asked(part)) for part in (learned, rows))
        found[f"probe of {name}"] = guard.scores_of(guard.fit_probe(states, harmful.tolist()), these)
    return found


def left_out(rows: list[dict], harmful: Bool[Tensor, " N"], splits: dict, roc_of: Callable) -> tuple:
    """(score of each row by the guard on words that has not seen its category, {category: area there}); a table of the
    areas.
    """
    scores, areas = torch.zeros(len(rows)), {}
    for held, (train, test) in splits.items():
        scores[test] = word_scores([rows[k] for k in train], harmful[train], [rows[k] for k in test])
        areas[held] = roc_of(scores[test], harmful[test])[2]
    show_areas(areas, "guard on words, on the category that was left out")
    return scores, areas


def show_areas(areas: dict[str, float], heading: str) -> None:
    """A row for each area under a curve."""
    table({heading: "", "area": ".3f"}, areas.items())


def show_curves(curves: dict[str, Curve], guess: str) -> None:
    """ROC curves with their areas."""
    curve.show(pictures.roc_figure(curves))
    show_areas({name: area for name, (_, _, area) in curves.items()}, "guard, on the categories that it has not seen")
    told(guess)


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


def costs_of(
    chosen: dict[float, tuple[float, float]],
    rows: list[dict],
    scores: Tensor,
    rates_of: Callable,
    prices: tuple[float, float],
    guess: str,
) -> dict[float, dict[str, float]]:
    """{base rate: {way: expected cost of 1,000 requests}}, decided by nobody, by the guard alone with the chosen
    threshold, by the model alone (its judged rows), by both. As a table, too, in which the cheapest way is named.
    """
    obeys, found, shown = [{**row, "refused": False, "explained": True} for row in rows], {}, []
    for rate, (threshold, promised) in chosen.items():
        blocked = lambda decided, t=threshold: guarded(decided, scores, t)
        ways = {"nothing": obeys, "guard": blocked(obeys), "model": rows, "both": blocked(rows)}
        found[rate] = {way: 1000 * cost(rates_of(decided), rate, *prices) for way, decided in ways.items()}
        least = min(found[rate].values())
        names = [way for way, value in found[rate].items() if value == least]
        shown.append((rate, threshold, 1000 * promised, *found[rate].values(), names[0]))
    ways = ("nothing", "guard", "model", "both")
    heads = {"base rate": "g", "threshold": ".2f", "promised": ".1f"} | dict.fromkeys(ways, ".1f") | {"cheapest": ""}
    table(heads, shown, "expected cost of 1,000 requests on the unseen categories")
    told(guess)
    return found


def cost(rates: dict, base_rate: float, cost_miss: float, cost_alarm: float) -> float:
    """Expected cost of one request in production, of the two rates on an exam."""
    missed = 1 - rates["harmful_refused"]
    return base_rate * cost_miss * missed + (1 - base_rate) * cost_alarm * rates["benign_refused"]


def show_thresholds(
    scores: Tensor, harmful: Tensor, prices: tuple, chosen: dict[float, tuple[float, float]], unseen: Tensor, by: Curve
) -> None:
    """The cost of each threshold at the larger base rates, and each chosen one on the curve `by` of the `unseen`
    categories' scores.
    """
    grid = sorted(set(scores.tolist()))
    costs = {
        f"base rate {p:g}": [guard.expected_cost(scores, harmful, t, p, *prices) for t in grid]
        for p in list(chosen)[:3]
    }
    curve.show(pictures.cost_figure(grid, costs))
    (alarms, caught, _), levels, marks = by, set(unseen.tolist()), {}
    for p, (threshold, _) in chosen.items():
        at = sum(level >= threshold for level in levels)  # so many different scores are blocked
        marks[f"threshold for a base rate of {p:g}"] = alarms[at].item(), caught[at].item()
    title = "Where on the curve do the costs put the guard?"
    curve.show(pictures.roc_figure({"words": by}, marks, title))


def show_failures(rows: list[dict], n: int = 3) -> None:
    """The first harmful requests that got through and the first benign ones that were turned away, if there are any."""
    for kind, wrong, words in (("harmful", False, "got through"), ("benign", True, "turned away for nothing")):
        those = of_kind(rows, kind)
        failed = [row for row in those if row["refused"] == wrong]
        print(f"{len(failed)} of {len(those)} {kind} requests {words}" + (", such as" if failed else ""))
        for row in failed[:n]:
            print(f"   {said_by_user(row['messages'])}")
