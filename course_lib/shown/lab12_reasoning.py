"""What lab 12 asks, trains and shows. What it teaches, the checker, the advantages and the losses, stands in the
notebook.
"""

import math
from collections.abc import Callable

import torch

from course_lib.evaluation import reasoning as measures
from course_lib.shown.common import guessed  # noqa: F401
from course_lib.shown.lab12_policy import (  # noqa: F401
    figures_of,
    reward_of,
    show_after,
    show_costs,
    show_faith,
    show_hacked,
    show_rejection,
    show_tax,
    train,
)
from course_lib.shown.lab12_tries import (  # noqa: F401
    GROUP,
    TRIES,
    Tried,
    asked,
    by_kind,
    chains,
    examined,
    one_try,
    right_by_split,
    share,
    slips,
    some,
)
from course_lib.stages import reasoning
from course_lib.stages.rollout import LONGEST, assistant
from course_lib.widgets import curve
from course_lib.widgets import reasoning as pictures
from course_lib.widgets.reasoning import SPLITS
from course_lib.widgets.table import table, your_run
from course_lib.world.reasoning import ANSWER, answer_of, right

# ------------------------------------------------------------------------------------------------------ §§ 1 to 3


def show_at_once(model, residents: list[dict], kinds: list[dict], size: str) -> dict[str, dict[int, float]]:
    """A question of each kind with its right chain, and the exact chance of the right answer where the model answers at
    once: {split: {k: pass@k}}.
    """
    first = {row["kind"]: row for row in [*residents, *kinds]}
    table({"kind": "", "question": "", "right chain": ""}, [
        (kind, asked(row), row["messages"][1]["content"]) for kind, row in first.items()
    ])  # fmt: skip
    found = {split: measures.at_once(model, rows)["pass"] for split, rows in zip(SPLITS, (residents, kinds))}
    blind = {split: blindly(rows) for split, rows in zip(SPLITS, (residents, kinds))}
    table({"": "", "right at once": ".1%", "by a guess": ".1%"}, [
        (title, found[split][1], blind[split]) for split, title in SPLITS.items()
    ], "the safe assistant, exactly")  # fmt: skip
    your_run(
        f"The safe assistant gives the right answer at once with a chance of {found['residents'][1]:.0%};",
        f"a guess among all answers of the kind asked for has {blind['residents']:.0%}.",
        size=size,
    )  # fmt: skip
    return found


def blindly(rows: list[dict]) -> float:
    """The chance of a guess among the answers that a question can have."""
    return sum(1 / len(row["check"]["options"]) for row in rows) / len(rows)


def cold_started(base, work, size: str):
    """The safe assistant after the cold start, its temperature in its weights; goes on from its checkpoint."""
    run = reasoning.cold_start(size, 0, base, out=work / f"cold_start_{size}")
    print(f"cold start: {run.record['minutes']:.1f} minutes, {run.record['tokens']:,} tokens")
    return assistant(run.model.eval())


def show_tries(model, residents: list[dict], kinds: list[dict], size: str) -> Tried:
    """Sampled chains to each question; of each kind the share that is right, and some chains that are wrong."""
    tried = chains(model, residents, kinds, size, seed=1)
    table({"kind": "", "right": ".0%"}, by_kind(tried).items(), f"{TRIES[size]} chains to each question")
    wrong = [
        (asked(row), answer, row["check"]["answer"])
        for row in tried["residents"]
        for answer, ok in zip(row["answers"], row["right"])
        if not ok
    ]
    table({"question": "", "a wrong chain": "", "right answer": ""}, some(wrong))
    shares = right_by_split(tried)
    your_run(
        f"The pupil is right in {shares['residents']:.0%} about new residents and in {shares['kinds']:.0%} of the "
        "held-out kinds.",
        size=size, shows="what chains can do",
    )  # fmt: skip
    return tried


def show_parts(chances_of: Callable, model, rows: list[dict], size: str) -> dict[int, dict]:
    """The chance of each statement of the right chain and of its answer, by the number of statements: {statements:
    {"parts": means, "chain": mean of the products}}.
    """
    logprobs, part = measures.parts_of_chains(model, rows)
    chances, made = chances_of(logprobs, part), {}
    for steps in sorted({row["steps"] for row in rows}):
        those = chances[[k for k, row in enumerate(rows) if row["steps"] == steps], : steps + 1]
        made[steps] = {"parts": those.mean(0).tolist(), "chain": those.prod(1).mean().item()}
    most = max(made)
    lines = [
        (str(steps), *(of["parts"][:-1] + [None] * most)[:most], of["parts"][-1], of["chain"])
        for steps, of in made.items()
    ]
    heads = {"statements": "", **{f"statement {s + 1}": ".1%" for s in range(most)}, "answer": ".1%"}
    table(heads | {"whole chain": ".1%"}, lines, "the chance of each part of the right chain, given all before it")
    lowest = min(p for of in made.values() for p in of["parts"][:-1])
    answers = [of["parts"][-1] for of in made.values()]
    your_run(
        f"No statement has a chance below {lowest:.1%} in the mean;",
        f"the answer behind them has {min(answers):.0%} to {max(answers):.0%}.",
        size=size, shows="where chains go wrong",
    )  # fmt: skip
    return made


# ------------------------------------------------------------------------------------------------------ §§ 4 to 6


def show_curves(pass_of: Callable, models: dict, size: str) -> dict[str, dict[str, dict[int, tuple[float, float]]]]:
    """pass@k by the reader's function, of each model in `models` {name: its tries, or the exact chances of
    `show_at_once`}; on a picture and in a table: {name: {split: {k: (mean, standard error)}}}.
    """
    made = {}
    for name, of in models.items():
        made[name] = {}
        for split, its in of.items():
            if isinstance(its, dict):  # exact
                made[name][split] = {k: (p, 0.0) for k, p in its.items() if k <= TRIES[size]}
                continue
            n, found = len(its[0]["right"]), [sum(row["right"]) for row in its]
            made[name][split] = {k: pass_of(found, n, k) for k in measures.KS if k <= n}
    curve.show(pictures.pass_figure(made))
    ks = list(next(iter(made.values()))["residents"])
    table({"": "", "questions": "", **{f"pass@{k}": ".1%" for k in ks}}, [
        (name, SPLITS[split], *(m for m, _ in values.values())) for name, of in made.items()
        for split, values in of.items()
    ])  # fmt: skip
    name, of = list(made.items())[-1]
    one, many = (of["residents"][k] for k in (ks[0], ks[-1]))
    your_run(
        f"{name}: {one[0]:.1%} ± {1.96 * one[1]:.1%} with one try, {many[0]:.1%} with the best of {ks[-1]}.",
        size=size, shows="how far tries carry",
    )  # fmt: skip
    return made


def show_votes(vote: Callable, tried: Tried, size: str) -> dict[str, dict[str, float]]:
    """One chain and a vote of all, by kind: {kind: {"one", "vote", "share" (of the votes, in the mean)}}."""
    made: dict[str, dict[str, float]] = {}
    for row in [row for rows in tried.values() for row in rows]:
        answer, agreed = vote([answer_of(text) for text in row["answers"]])
        of = made.setdefault(row["kind"], {"n": 0, "one": 0.0, "vote": 0.0, "share": 0.0})
        of["n"] += 1
        of["one"] += sum(row["right"]) / len(row["right"])
        of["vote"] += answer is not None and right(row, ANSWER + answer)
        of["share"] += agreed
    for of in made.values():
        n = of.pop("n")
        of |= {key: value / n for key, value in of.items()}
    heads = {"kind": "", "one chain": ".0%", f"a vote of {TRIES[size]}": ".0%", "share of the votes": ".0%"}
    table(heads, [(kind, of["one"], of["vote"], of["share"]) for kind, of in made.items()])
    worse = [kind for kind, of in made.items() if of["vote"] < of["one"] - 0.02]
    mended = max(made, key=lambda kind: made[kind]["vote"] - made[kind]["one"])
    harm = f"It harms in {', '.join(f'“{kind}”' for kind in worse)}."
    your_run(
        f"The vote helps most in “{mended}”: {made[mended]['one']:.0%} → {made[mended]['vote']:.0%}.",
        harm if worse else "In no kind does it harm by more than two points.",
        size=size, shows="what a vote is worth",
    )  # fmt: skip
    return made


def show_attack(checker: Callable, attack: str, rows: list[dict], size: str) -> float:
    """The share of the questions to which the attack is accepted; it is the same text for all answers."""
    filled = [attack.replace("{options}", ", ".join(row["check"]["options"])) for row in rows]
    accepted = sum(checker(text, row["check"]["answer"]) for row, text in zip(rows, filled)) / len(rows)
    print(f"» {asked(rows[0])}\n{filled[0]}\n")
    your_run(f"The checker accepts your attack for {accepted:.0%} of the questions.", size=size)
    return accepted


def labelled(row: dict) -> list[tuple[str, str, bool]]:
    """(what it is, text, is it right?) of texts that a checker must tell apart."""
    chain, answer = row["messages"][1]["content"], row["check"]["answer"]
    steps, other = chain.partition(ANSWER)[0], row["slip"]
    wrong = next(option for option in row["check"]["options"] if option != answer)
    return [
        ("the right chain", chain, True),
        ("with a full stop", chain + ".", True),
        ("with a capital", steps + ANSWER + answer.capitalize(), True),
        ("with a line break", steps + ANSWER + "\n" + answer + "\n", True),
        ("no step, the right answer", ANSWER + answer, True),
        ("the wrong step's answer", other if not right(row, other) else steps + ANSWER + wrong, False),
        ("a list of all answers", steps + ANSWER + ", ".join(row["check"]["options"]), False),
        ("two answers", f"{steps}{ANSWER}{answer} {ANSWER}{wrong}", False),
        ("right in a step, wrong at the end", f"It is {answer}. {ANSWER}{wrong}", False),
        ("right, and something behind", f"{steps}{ANSWER}{answer} or {wrong}", False),
        ("no “Answer:”", f"{steps}{answer}", False),
    ]


def show_checkers(checkers: dict[str, Callable], rows: list[dict], tried: Tried) -> dict[str, dict[str, float]]:
    """What each checker accepts of each kind of text, and its mistakes on them and on sampled chains: {name:
    {"false accepts", "false rejects", "sampled wrong ones accepted"}}.
    """
    texts = [(row, *its) for row in rows for its in labelled(row)]
    sampled = [(row, text) for row in tried["residents"] for text, ok in zip(row["answers"], row["right"]) if not ok]
    part = lambda marks: sum(marks) / max(1, len(marks))
    says = {name: [bool(f(text, row["check"]["answer"])) for row, _, text, _ in texts] for name, f in checkers.items()}
    names = list(dict.fromkeys(what for _, what, _, _ in texts))
    lines = []
    for what in names:
        at = [k for k, its in enumerate(texts) if its[1] == what]
        lines.append((what, "yes" if texts[at[0]][3] else "no", *(part([says[n][k] for k in at]) for n in checkers)))
    table({"text": "", "right?": "", **{f"accepted, {name}": ".0%" for name in checkers}}, lines)
    made = {}
    for name, f in checkers.items():
        made[name] = {
            "false accepts": part([said for said, its in zip(says[name], texts) if not its[3]]),
            "false rejects": part([not said for said, its in zip(says[name], texts) if its[3]]),
            "sampled wrong ones accepted": part([bool(f(t, row["check"]["answer"])) for row, t in sampled]),
        }
    heads = {"checker": "", "false accepts": ".0%", "false rejects": ".0%", "wrong chains of § 2 accepted": ".0%"}
    table(heads, [(name, *of.values()) for name, of in made.items()])
    return made


# ------------------------------------------------------------------------------------------------------ §§ 7 to 9


def weight(advantages_of: Callable, kind: str, p: float, group: int) -> float:
    """By what a prompt's gradient ∇p is multiplied, exactly: the mean over all groups of the advantages of its right
    chains over p and of its wrong ones over −(1 − p), each times its share of the group.
    """
    rewards = torch.tensor([[1.0] * c + [0.0] * (group - c) for c in range(group + 1)])
    priced, total = advantages_of(rewards, kind), 0.0
    for c in range(group + 1):
        chance = math.comb(group, c) * p**c * (1 - p) ** (group - c)
        right_ones, wrong_ones = priced[c, :c].sum().item(), priced[c, c:].sum().item()
        total += chance * (right_ones / p - wrong_ones / (1 - p)) / group
    return total


def show_weights(advantages_of: Callable, group: int) -> dict[str, dict[float, float]]:
    """What a prompt weighs, by its pass rate, with each kind of advantage."""
    rates = [0.01, 0.03, *(k / 20 for k in range(1, 20)), 0.97, 0.99]
    made = {kind: {p: weight(advantages_of, kind, p, group) for p in rates} for kind in reasoning.ADVANTAGES}
    curve.show(pictures.weight_figure(made, group))
    some = (0.01, 0.1, 0.5, 0.9, 0.99)
    heads = {"advantage": "", **{f"p = {p:g}": ".3f" for p in some}}
    table(heads, [(kind, *(of[p] for p in some)) for kind, of in made.items()])
    return made


def show_groups(kept_of: Callable, tried: Tried, size: str) -> dict[int, tuple[float, float]]:
    """How many chains are of groups that teach, by the size of the groups: {G: (counted, expected of the questions'
    pass rates)}.
    """
    marks, made = torch.tensor([row["right"] for row in tried["residents"]]).float(), {}
    p = marks.mean(1).double()
    for group in (2, 4, 8, 16, 32):
        if group <= marks.shape[1]:
            counted = len(kept_of(marks.view(-1, group))) / marks.numel()
            made[group] = counted, float((1 - p**group - (1 - p) ** group).mean())
    heads = {"chains a group": "", "of groups that teach": ".0%", "expected of the pass rates": ".0%"}
    table(heads, [(str(group), *of) for group, of in made.items()])
    at = min(GROUP, max(made))
    your_run(
        f"In groups of {at} the update needs {made[at][0]:.0%} of the chains; the others would have cost a forward "
        "and a backward pass and changed nothing but the number that the loss is divided by (§ 9).",
        size=size, shows="what is saved",
    )  # fmt: skip
    return made


def show_pulls(loss_of: Callable, lengths: tuple[int, int]) -> dict[str, tuple[float, float]]:
    """The gradient of the loss at one token of the shorter and of the longer chain: {kind: (pull, pull)}."""
    longest, made = LONGEST, {}
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    for kind in ("grpo", "dapo", "dr_grpo"):
        terms = torch.ones(mask.shape, requires_grad=True)
        (pull,) = torch.autograd.grad(loss_of(terms, mask, kind, longest), terms)
        made[kind] = tuple(pull[:, 0].tolist())
    heads = {"loss": "", f"a token of {lengths[0]}": ".4f", f"a token of {lengths[1]}": ".4f", "ratio": ".2f"}
    table(heads, [(kind, a, b, b / a) for kind, (a, b) in made.items()])
    return made
