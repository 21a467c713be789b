"""The second half of lab 12: reinforcement on a checker, practice on chosen chains, and what each way costs."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import torch

from course_lib.evaluation import reasoning as measures
from course_lib.evaluation.intervals import wilson
from course_lib.evaluation.runs.reasoning import able
from course_lib.shown.lab12_tries import GROUP, TRIES, Tried, asked, by_kind, chains, right_by_split, share, some
from course_lib.stages import reasoning
from course_lib.stages.pretrain import Run
from course_lib.stages.sft import finetune
from course_lib.widgets import curve, rlhf
from course_lib.widgets import reasoning as pictures
from course_lib.widgets.reasoning import SPLITS
from course_lib.widgets.table import table, your_run
from course_lib.world.reasoning import ANSWER, answer_of, question_rows, right

# --------------------------------------------------------------------------------------------------- §§ 10 to 12


def reward_of(checker: Callable) -> Callable:
    """A checker as a reward: (rows, chains) → 1 where it accepts a chain, [B]."""
    return lambda rows, chains: torch.tensor(
        [float(bool(checker(chain, row["check"]["answer"]))) for row, chain in zip(rows, chains, strict=True)]
    )


def train(title: str, base, reward: Callable, work, size: str, keep: str = "", short: bool = False) -> Run:
    """Reinforcement from `base` with this reward, drawn as it goes on; `short`: a third of the steps. keep: name of the
    folder of its checkpoints.
    """
    config = reasoning.RL_PRESETS[size]
    if short:
        config = replace(config, steps=max(1, config.steps // 3))
    live = rlhf.LiveRun(title)
    options = {"out": work / f"{keep}_{size}"} if keep else {}
    run = reasoning.reinforce(config, base, 0, reward, progress=False, on_step=live, **options)
    live.close()
    first, last = run.history[0], run.history[-1]
    print(
        f"{title}: {len(run.history)} steps in {last['seconds'] / 60:.1f} minutes, reward {first['reward']:.2f} → "
        f"{last['reward']:.2f}, {last['length']:.0f} tokens a chain, KL {last['kl']:.2f} nats a chain, "
        f"groups that teach {first['informative']:.0%} → {last['informative']:.0%}"
    )
    return run


def show_after(run: Run, before: Tried, residents: list[dict], kinds: list[dict], size: str) -> Tried:
    """Chains of the trained policy to the same questions, kind by kind beside those of before."""
    tried = chains(run.model, residents, kinds, size, seed=2)
    old, new = by_kind(before), by_kind(tried)
    table({"kind": "", "cold start": ".0%", "after RL": ".0%"}, [(kind, old[kind], new[kind]) for kind in old])
    one = right_by_split(tried)
    your_run(
        f"After RL {one['residents']:.1%} of the chains about new residents are right, and {one['kinds']:.1%} of "
        "those to held-out kinds of questions.",
        size=size, shows="what reinforcement does",
    )  # fmt: skip
    return tried


def show_hacked(run: Run, checkers: dict[str, Callable], rows: list[dict], size: str) -> dict[str, float]:
    """What the checkers say of the policy that one of them has trained, and chains on which they differ."""
    tried = measures.tries(run.model.eval(), rows, GROUP, seed=3)
    pairs = [(row, text) for row in tried for text in row["answers"]]
    says = {name: [bool(f(text, row["check"]["answer"])) for row, text in pairs] for name, f in checkers.items()}
    made = {name: sum(marks) / len(marks) for name, marks in says.items()}
    made["tokens"] = measures.figures(tried)["tokens"]
    table({"": "", "chains accepted": ".1%"}, [(name, made[name]) for name in checkers])
    loose, yours = says.values()
    apart = [
        (asked(row), text, row["check"]["answer"]) for (row, text), a, b in zip(pairs, loose, yours) if a and not b
    ]
    table({"question": "", "accepted by one only": "", "right answer": ""}, some(apart))
    first, last = run.history[0]["reward"], run.history[-1]["reward"]
    your_run(
        f"The reward went from {first:.0%} to {last:.0%}; of new questions this checker accepts "
        f"{list(made.values())[0]:.0%} of the chains, and yours {list(made.values())[1]:.0%}.",
        size=size, shows="what a checker in a hurry teaches",
    )  # fmt: skip
    return made


def show_rejection(taken_of: Callable, base, checker: Callable, rows: list[dict], size: str) -> dict[str, dict]:
    """The cold start fine-tuned on its own chosen chains and on the control's: {"cold start" | "control" | "chosen":
    {"rows right" (share of the training rows), "right" (share of new chains), "error"}}.
    """
    questions, each = {"tiny": (40, 4), "laptop": (1_500, 4), "gpu": (6_000, 8)}[size]
    pool = measures.tries(base, question_rows("train", questions, "lab 12, practice"), each, seed=4)
    marks = [[bool(checker(text, row["check"]["answer"])) for text in row["answers"]] for row in pool]
    chosen, control = taken_of([row["answers"] for row in pool], marks)
    made: dict[str, dict] = {"cold start": {"rows": None, "rows right": None, **rightness(base, rows)}}
    if not chosen:
        your_run(f"None of the {questions * each} chains was accepted, so there is nothing to practise on.", size=size)
        return made
    config = replace(reasoning.PRESETS[size], learning_rate=5e-4, epochs=2, validations=0)
    for name, taken in (("control", control), ("chosen", chosen)):
        talks = [{"messages": [pool[q]["messages"][0], {"role": "assistant", "content": chain}]} for q, chain in taken]
        run = finetune(copy.deepcopy(base), talks, config, 0, description=f"practice on the {name}")
        share = sum(right(pool[q], chain) for q, chain in taken) / max(1, len(taken))
        made[name] = {"rows": len(taken), "rows right": share, **rightness(run.model, rows)}
    heads = {"": "", "chains to learn from": ",", "of them right": ".0%", "then right, new residents": ".1%"}
    table(heads | {"±": ".1%"}, [(name, *of.values()) for name, of in made.items()])
    selection = made["chosen"]["rows right"] - made["control"]["rows right"]
    learning = made["chosen"]["right"] - made["control"]["right"]
    your_run(
        f"Choosing makes the rows {100 * selection:.0f} points better. What is learned of it is "
        f"{100 * learning:.1f} points; the control alone changes the cold start by "
        f"{100 * (made['control']['right'] - made['cold start']['right']):+.1f}.",
        size=size, shows="what choosing teaches",
    )  # fmt: skip
    return made


def rightness(model, rows: list[dict]) -> dict[str, float]:
    """{"right": share of 8 chains a question, "error": 1.96 standard errors over the questions}."""
    shares = torch.tensor([sum(row["right"]) / GROUP for row in measures.tries(model.eval(), rows, GROUP, seed=5)])
    return {"right": float(shares.mean()), "error": float(1.96 * shares.std() / math.sqrt(len(rows)))}


# --------------------------------------------------------------------------------------------------- §§ 13 to 17


def show_costs(
    cost_of: Callable, vote: Callable, safe, tried: Tried, after: Tried, size: str
) -> dict[str, tuple[float, float, float]]:
    """Accuracy and tokens of ways to answer questions about new residents: {way: what the reader's function says}."""
    rows, made = tried["residents"], {}
    likeliest, length = measures.likeliest_at_once(safe, rows)
    made["at once"] = cost_of([[n] for n in length], [a == row["check"]["answer"] for a, row in zip(likeliest, rows)])
    made["one chain"] = cost_of([row["tokens"][:1] for row in rows], [row["right"][0] for row in rows])
    for n in (4, 16):
        if n <= TRIES[size]:
            given = [vote([answer_of(text) for text in row["answers"][:n]])[0] for row in rows]
            ok = [answer is not None and right(row, ANSWER + answer) for row, answer in zip(rows, given)]
            made[f"a vote of {n}"] = cost_of([row["tokens"][:n] for row in rows], ok)
    until = [row["right"][:4].index(True) + 1 if any(row["right"][:4]) else 4 for row in rows]
    made["up to 4, until the checker accepts"] = cost_of(
        [row["tokens"][:n] for row, n in zip(rows, until)], [any(row["right"][:4]) for row in rows]
    )
    last = after["residents"]
    made["after RL, one chain"] = cost_of([row["tokens"][:1] for row in last], [row["right"][0] for row in last])
    curve.show(pictures.cost_figure(made))
    table({"way": "", "right": ".1%", "tokens a question": ".1f", "tokens a right answer": ".1f"}, [
        (way, *of) for way, of in made.items()
    ])  # fmt: skip
    spent = "; ".join(f"{way} {of[2]:.0f}" for way, of in made.items() if math.isfinite(of[2]))
    your_run(f"Tokens a right answer: {spent or 'none is right'}.", size=size, shows="what a right answer costs")
    return made


def show_faith(before: Tried, after: Tried, size: str) -> dict[str, dict[str, tuple[int, int]]]:
    """Right answers with a false statement, and with other steps than those of the right chain: {model, split: {what:
    (how many, of how many)}}.
    """
    made = {}
    for name, tried in (("cold start", before), ("RL on the checker", after)):
        for split, title in SPLITS.items():
            made[f"{name}, {title}"] = measures.unfaithful(tried[split])
    between = lambda count: "{:.1%} to {:.1%}".format(*wilson(*count)) if count[1] else "–"
    heads = {"": "", "right answers": ",", "with a false statement": ".1%", "95 %": "", "with other steps": ".1%"}
    table(heads, [
        (name, of["false_step"][1], share(of["false_step"]), between(of["false_step"]), share(of["other_steps"]))
        for name, of in made.items()
    ])  # fmt: skip
    found = next(
        ((asked(row), text) for row in [*after["residents"], *after["kinds"]]
         for text, ok in zip(row["answers"], row["right"]) if ok and measures.has_false_step(row, text)),
        None,
    )  # fmt: skip
    if found:
        table({"question": "", "right answer, false statement": ""}, [found])
    false, of = (sum(counts) for counts in zip(*(its["false_step"] for its in made.values())))
    your_run(
        f"{false:,} of all {of:,} right answers stand behind a false statement.",
        size=size, shows="whether the steps are true",
    )  # fmt: skip
    return made


def show_tax(models: dict, size: str) -> dict[str, dict[str, float]]:
    """What else each model can do: instructions of lab 03, refusals of lab 10."""
    n = {"tiny": 20, "laptop": 600, "gpu": 2_000}[size]
    made = {name: able(model, n, "lab 12") for name, model in models.items()}
    heads = {"": "", "instructions followed": ".1%", "harmful refused": ".1%", "benign refused": ".1%"}
    table(heads, [(name, *of.values()) for name, of in made.items()])
    first, *_, last = made.values()
    your_run(
        f"Instructions {100 * (last['instructions'] - first['instructions']):+.1f} points, harmful requests refused "
        f"{100 * (last['harmful_refused'] - first['harmful_refused']):+.1f}, benign ones "
        f"{100 * (last['benign_refused'] - first['benign_refused']):+.1f}.",
        size=size, shows="what it has cost",
    )  # fmt: skip
    return made


def figures_of(after: Tried, tax: dict[str, dict[str, float]]) -> dict[str, float]:
    """The metrics of the record of the policy that is handed in."""
    return right_by_split(after) | {"tokens": measures.figures(after["residents"])["tokens"]} | list(tax.values())[-1]
