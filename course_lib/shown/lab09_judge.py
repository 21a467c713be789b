"""Lab 09, the judge: its verdicts in both orders, at equal worth, beside other judges; what labels cost and bring."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from course_lib.evaluation import agreement
from course_lib.evaluation.alignment import measure, utilities
from course_lib.evaluation.frontier import frontier, share_of_frontier
from course_lib.stages import dpo
from course_lib.stages.preferences import encode_answers
from course_lib.stages.rollout import roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, feedback, judges
from course_lib.widgets.table import table, your_run
from course_lib.world import critic
from course_lib.world.annotators import TASTE, crowd, pairs_of, preference_rows, prompts, said, utility, words

PAIRS = {"tiny": 200, "laptop": 6_000, "gpu": 6_000}
SAMPLES = 2  # seed of the samples by which policies and reference are compared
A, B = critic.LETTERS.index("A"), critic.LETTERS.index("B")


def labelled_pairs(size: str):
    """(rows labelled by people, one villager a pair; the pairs (prompt row, a, b) in an order that does not tell the
    label; what a is worth more than b, in gold utility [N]; how many words a has more [N]).
    """
    people = preference_rows("train", PAIRS[size])
    pairs = pairs_of(people)
    worth = torch.tensor([utility(row, a) - utility(row, b) for row, a, b in pairs], dtype=torch.float32)
    extra = torch.tensor([len(words(a)) - len(words(b)) for _, a, b in pairs], dtype=torch.float32)
    return people, pairs, worth, extra


def letters(judge: critic.Judge, pairs, exchanged: bool = False) -> Float[Tensor, "N V"]:
    """log p of each of critic.LETTERS after the question; a shown first, or b with `exchanged`."""
    turned = ((row, b, a) if exchanged else (row, a, b) for row, a, b in pairs)
    return torch.tensor([critic.next_token(judge, *pair) for pair in turned])


def names_all(principle: str) -> bool:
    """Does the principle name every feature of the gold utility?"""
    return critic.reads(principle, critic.VIRTUES) == set(TASTE)


def show_verdicts(judge, pairs, logprobs: Float[Tensor, "N V"], first, worth, n: int = 3) -> None:
    print(f"The judge's principle: {judge.principle}\n")
    for (row, a, b), logs, p in zip(pairs[:n], logprobs, first):
        chances = ", ".join(f"p({name}) {value:.2f}" for name, value in zip(critic.LETTERS, logs.exp().tolist()))
        print(f"» {row['messages'][-1]['content']}\n     A: {a}\n     B: {b}\n     {chances}; P(A better) {p:.2f}")
        print(f"     gold utility {utility(row, a):+.1f} and {utility(row, b):+.1f}")
    share, right = float((worth != 0).float().mean()), right_of(first, worth, torch.ones_like(worth, dtype=torch.bool))
    print(f"\n{len(pairs):,} pairs, {share:.0%} of them of unequal worth; of those it names the better in {right:.1%}")


def right_of(p: Float[Tensor, " N"], worth: Float[Tensor, " N"], where: Bool[Tensor, " N"]) -> float:
    """Share of the pairs of unequal worth in `where` of which p names the better answer; NaN where there is none."""
    those = where & (worth != 0)
    return float(((p > 0.5) == (worth > 0))[those].float().mean())


def orders_table(first, exchanged, both, worth, shares) -> dict[str, dict[str, float]]:
    """shares: consistent, to the first place, to the second. Returns how often one order and both orders name the
    better answer, on pairs with and without a tie.
    """
    curve.show(feedback.orders_figure(first, exchanged))
    print("consistent {:.1%}, leaning to the first place {:.1%}, to the second place {:.1%}".format(*shares))
    tie, every = both == 0.5, torch.ones_like(both, dtype=torch.bool)
    where = {"all pairs": every, "pairs without a tie": ~tie, "ties": tie}
    names = {"a first": first, "b first": 1 - exchanged, "both orders": both}
    found = {
        name: {head: right_of(p, worth, those & (p != 0.5)) for head, those in where.items()}
        for name, p in names.items()
    }
    table(
        {"names the better of two unequal answers": "", **dict.fromkeys(where, ".1%")},
        [(name, *each.values()) for name, each in found.items()],
        f"{len(both):,} pairs, {100 * float(tie.float().mean()):.1f} % of them a tie for both orders",
    )
    return found


def against_scikit_learn(slope: Tensor, logits, extra, worth) -> None:
    """The same slope by scikit-learn, which must be equal to 1e-4."""
    try:
        from sklearn.linear_model import LinearRegression
    except ImportError:
        print(f"log-odds a word: {slope:.4f}. scikit-learn is not installed here: no comparison with it.")
        return
    fit = LinearRegression(fit_intercept=False).fit(torch.stack((worth, extra), 1).numpy(), logits.numpy())
    assert abs(fit.coef_[1] - slope.item()) < 1e-4
    print(f"log-odds a word: yours {slope:.4f}, scikit-learn's LinearRegression {fit.coef_[1]:.4f}")


def length_table(versions: dict[str, Tensor], extra, worth, where) -> dict[str, tuple[float, float]]:
    """versions[name]: log-odds for a. How often each prefers the longer of two equal answers, and the better of two
    unequal ones. Returns both shares.
    """
    equal = (worth == 0) & where
    curve.show(feedback.length_figure(extra[equal], {name: values[equal] for name, values in versions.items()}))
    apart = equal & (extra != 0)
    found = {
        name: (
            float(((values > 0) == (extra > 0))[apart].float().mean()),
            right_of(torch.sigmoid(values), worth, where),
        )
        for name, values in versions.items()
    }
    heads = {"": "", "longer of two equal ones": ".1%", "better of two unequal ones": ".1%"}
    table(heads, [(name, *each) for name, each in found.items()])
    return found


def longer_is_better(extra, worth) -> float:
    """Of two answers that differ in worth and in length: how often is the longer one the better?"""
    share = float(((worth > 0) == (extra > 0))[(worth != 0) & (extra != 0)].float().mean())
    print(f"Of two answers of unequal worth and length the longer one is the better in {share:.0%}.")
    return share


def sides_of(people: list[dict], pairs) -> Float[Tensor, " N"]:
    """1 where people chose a, −1 where they chose b."""
    chosen = [row["chosen"][0]["content"] == a for row, (_, a, _) in zip(people, pairs)]
    return torch.tensor([1.0 if a_chosen else -1.0 for a_chosen in chosen])


def own_preferences(model, pairs) -> dict[str, Float[Tensor, " N"]]:
    """By how much the assistant itself finds a likelier than b: log π summed over the tokens, and averaged."""
    rows = [{"prompt": row["messages"], "a": said(a), "b": said(b)} for row, a, b in pairs]
    encoded = encode_answers(load_tokenizer(), rows, ("a", "b"), model.config.context)
    logprobs = dpo.reference_logprobs(model, encoded).cpu()
    mean = logprobs / torch.tensor([[sum(mask) for _, mask in example] for example in encoded])
    return {"own": logprobs[:, 0] - logprobs[:, 1], "own mean": mean[:, 0] - mean[:, 1]}


def verdicts_of(judges: dict[str, Tensor]) -> dict[str, Float[Tensor, " N"]]:
    """1 where a judge's number is above 0 and names a, 0 where it names b, ½ at a tie; float64."""
    return {name: (torch.sign(number).double() + 1) / 2 for name, number in judges.items()}


def agreement_table(expected_of, verdicts: dict[str, Tensor], same_pairs: dict[str, Tensor]) -> dict[str, dict]:
    """κ of each judge with the gold utility and with the people's labels by `expected_of`, on each set of pairs: a
    verdict is 1 for a, 0 for b, and ½ where a coin decides. Returns {judge: {head: κ}}.
    """
    sides, found = list(verdicts)[:2], {}
    for name, p in verdicts.items():
        found[name] = {
            f"with {side}, {where}": expected_of(p[those].double(), verdicts[side][those].double())[1]
            for where, those in same_pairs.items()
            for side in sides
            if name != side
        }
    heads = [f"with {side}, {where}" for where in same_pairs for side in sides]
    table({"κ": "", **dict.fromkeys(heads, ".2f")}, [(n, *(f.get(h) for h in heads)) for n, f in found.items()])
    return found


def kappa_picture(verdicts: dict[str, Tensor], where: Bool[Tensor, " N"]) -> None:
    """κ of everybody with everybody on these pairs, where nobody has a tie."""
    matrix = agreement.kappa_matrix({name: v[where].tolist() for name, v in verdicts.items()})
    curve.show(judges.kappa_figure(list(verdicts), matrix, f"κ on {int(where.sum()):,} pairs, none of them a tie"))


def expected_table(expected_of, pairs, worth, judge, where) -> dict[str, tuple[float, float]]:
    """What the judges' own laws let one expect on these pairs, all of unequal worth: (agreement, κ)."""
    people = torch.tensor([crowd(*pairs[k]) for k in where.nonzero()[:, 0].tolist()], dtype=torch.float64)
    truth, unbiased = (worth[where] > 0).double(), torch.sigmoid(judge.sharpness * worth[where]).double()
    found = {
        "gold and a villager": expected_of(truth, people),
        "a villager and another": expected_of(people, people),
        "an unbiased judge and gold": expected_of(unbiased, truth),
        "an unbiased judge and a villager": expected_of(unbiased, people),
    }
    heads = {f"expected on {int(where.sum()):,} pairs": "", "agreement": ".1%", "κ": ".2f"}
    table(heads, [(name, *each) for name, each in found.items()])
    return found


def price_of_a_label(asked: int, ties: float) -> int:
    """What the questions about a pair cost, divided by the labels that come out, in whole pennies, rounded up."""
    return math.ceil(asked / (1 - ties)) if ties < 1 else asked


def offers_table(worth_of, budget: int, prices: dict[str, int], verdicts, worth, where) -> dict[str, float]:
    """prices[judge]: pennies a label. What the budget, pennies, buys; a judge's ties are left out. Returns what it is
    worth.
    """
    right = {name: right_of(verdicts[name], worth, where & (verdicts[name] != 0.5)) for name in prices}
    found = {name: worth_of(budget, price, right[name]) for name, price in prices.items()}
    heads = {"": "", "pennies a label": ",", "right": ".1%", "labels": ",", "worth, in right labels": ",.0f"}
    lines = [(name, price, right[name], budget // price, found[name]) for name, price in prices.items()]
    table(heads, lines, f"{budget:,} pennies")
    return found


def break_even(worth_of, budget: int, price: int, goal: float) -> float:
    """The least accuracy, in thousandths, at which labels of this price are worth `goal` right ones."""
    enough = (r / 1000 for r in range(500, 1001) if worth_of(budget, price, r / 1000) >= goal)
    least = next(enough, float("nan"))
    print(f"At {price} pennies a label, labels that are right in {least:.1%} would do as well.")
    return least


def fresh_ground(reference, size: str) -> dict:
    """Fresh prompts on which policies are measured, how many samples of each; the reference's own mean utility by
    samples of that number ("start"), and by many more what the best policies make of it ("gold", "limit").
    """
    small = size == "tiny"
    asked, each = prompts("test", 12 if small else 100, seed="lab 09"), 4 if small else 16
    pool = roll_out(reference, load_tokenizer(), asked, 4 * each, seed=9)
    gold = utilities(pool.rows, pool.answers).reshape(len(asked), -1)
    start = measure(reference, reference, asked, each, SAMPLES)["utility"]
    return {"prompts": asked, "each": each, "gold": gold, "limit": frontier(gold), "start": start, "size": size}


def config_for(n: int, size: str) -> dpo.PreferenceConfig:
    """DPO's preset for n labels. Few steps want a larger rate: × √(12,000 / n), 3 at most."""
    preset = dpo.PRESETS[size]
    return replace(preset, rows=n, learning_rate=preset.learning_rate * min(3.0, (12_000 / n) ** 0.5))


def measured(policies: dict[str, object], reference, ground: dict) -> dict[str, dict]:
    """`measure` of each policy on the ground's prompts. "gain": its gain over the reference's "start", as a share of
    the frontier's gain over the frontier's own samples at the same KL (NaN under 0.05 nats). "error": of its gain over
    these many samples, prompt by prompt; NaN for the reference, which has none.
    """
    asked, each, gold, found = ground["prompts"], ground["each"], ground["gold"], {}
    middle = float(gold.mean())
    for name, policy in policies.items():
        m = found[name] = measure(policy, reference, asked, each, SAMPLES)
        own = utilities([row for row in asked for _ in range(each)], m["answers"]).reshape(len(asked), each)
        error = float((own.mean(1) - gold.mean(1)).std(ddof=1) / len(asked) ** 0.5)
        m["error"] = error if policy is not reference else float("nan")
        share = share_of_frontier(m["kl"], middle + m["utility"] - ground["start"], ground["limit"], middle)
        m["gain"] = share if m["kl"] > 0.05 else float("nan")
    your_run(size=ground["size"], shows="what labels teach")
    return found


def policies_table(found: dict[str, dict], sets: dict[str, list], costs: dict[str, int]) -> None:
    """Measures of each policy, with the number of its labels and their coins where they are known; then the features of
    its answers.
    """
    heads = {"": "", "labels": ",", "coins": ",", "utility": ".2f", "± of the gain": ".2f", "KL": ".2f"}
    lines = []
    for name, m in found.items():
        count = len(sets[name]) if name in sets else None
        lines.append((name, count, costs.get(name), m["utility"], 1.96 * m["error"], m["kl"], m["length"], m["gain"]))
    table(heads | {"tokens": ".1f", "of the frontier's gain": ".0%"}, lines)
    keys = list(next(iter(found.values()))["features"])
    table(
        {"questions after a fact, mean": "", **dict.fromkeys(keys, ".2f")},
        [(name, *m["features"].values()) for name, m in found.items()],
    )


def compared(found: dict[str, dict], sets, costs: dict[str, int], ground: dict) -> dict[str, tuple[float, float]]:
    """Tables and a picture of the policies. Returns {other set: (utility of the first set's policy minus its, 1.96
    errors of that)}.
    """
    policies_table(found, sets, costs)
    at_one_nat = float(np.interp(1.0, [kl for kl, _ in ground["limit"]], [value for _, value in ground["limit"]]))
    points = {name: (costs[name], found[name]["utility"], found[name]["error"]) for name in sets}
    curve.show(feedback.money_figure(points, ground["start"], at_one_nat))
    one, *others = sets
    gap = lambda a, b: (a["utility"] - b["utility"], 1.96 * (a["error"] ** 2 + b["error"] ** 2) ** 0.5)
    made = {other: gap(found[one], found[other]) for other in others}
    table({f"{one} minus": "", "utility": "+.2f", "± 1.96 errors": ".2f"}, [(n, *pair) for n, pair in made.items()])
    gains = ", ".join(f"{name} {found[name]['utility'] - ground['start']:+.2f}" for name in sets)
    your_run(f"Utility gained over the reference: {gains}.")
    return made
