"""What lab 07 shows of policies: samples, tables, pictures, and the bookkeeping around its runs. What it teaches, the
losses, settings and runs themselves, stands in the notebook.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from course_lib.evaluation.alignment import gold_reward, measure, share, utilities
from course_lib.evaluation.frontier import best_of_n_kl_with_ties, frontier
from course_lib.evaluation.runs.rlhf import COLLAPSE, watched
from course_lib.stages.pretrain import Run
from course_lib.stages.reward import rewards_of
from course_lib.stages.rollout import roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, heatmap, rlhf
from course_lib.widgets.table import table, your_run
from course_lib.world.annotators import TASTE, features, prompts

__all__ = ["COLLAPSE", "gold_reward"]  # and all that stands below: the notebook takes them from here

KINDS = {"fact": "a fact", "short": "a fact, in short", "unknown": "what nobody can know"}


def reward_of(model) -> Callable:
    """A reward model as a reward: (rows, answers) → the score of each answer to its prompt, [B]."""
    return lambda rows, answers: rewards_of(model, load_tokenizer(), [row["messages"] for row in rows], answers)


def asked(size: str) -> tuple[list[dict], list[dict]]:
    """(prompts to train on, prompts to examine with)."""
    tiny = size == "tiny"
    return prompts("train", 200 if tiny else 4000, "lab 07"), prompts("test", 6 if tiny else 100, "lab 07")


def settings(stage, size: str, **changes):
    """The stage's settings for this size with the changes; at size tiny it stays at three steps of four prompts."""
    preset = stage.PRESETS[size]
    small = {"steps": preset.steps, "prompts": preset.prompts} if size == "tiny" else {}
    return replace(preset, **(changes | small))


def on_device(device: str, **functions) -> dict[str, Callable]:
    """The functions, for tensors of that device: what students write makes its tensors on the CPU."""

    def moved(f):
        back = lambda made: [back(part) for part in made] if isinstance(made, (tuple, list)) else made.to(device)
        return lambda *args: back(f(*(a.cpu() if isinstance(a, Tensor) else a for a in args)))

    return functions if device == "cpu" else {name: moved(f) for name, f in functions.items()}


# ---------------------------------------------------------------------------------------------------- § 1 and § 2


def samples(policy, proxy, rows: list[dict], each: int, seed: int) -> tuple[list[list[str]], Tensor, Tensor]:
    """(answers, the reward model's scores, gold utilities) of `each` answers to each prompt, [P each]."""
    batch = roll_out(policy, load_tokenizer(), rows, each, seed)
    answers = [batch.answers[k : k + each] for k in range(0, len(batch.answers), each)]
    scores, worth = proxy(batch.rows, batch.answers), torch.tensor(utilities(batch.rows, batch.answers))
    return answers, scores.view(-1, each), worth.view(-1, each)


def show_samples(policy, proxy, rows: list[dict], each: int = 4, most: int = 400, shown: int = 3) -> list[dict]:
    """Of the first `most` prompts those on whose answers opinions differ most, of different kinds where there are such,
    and what both judges say of their answers.
    """
    rows = rows[:most]
    answers, scores, worth = samples(policy, proxy, rows, each, seed=1)
    apart = (worth.max(1).values - worth.min(1).values).tolist()
    order = sorted(range(len(rows)), key=lambda k: (-apart[k], -len(set(answers[k]))))
    first_of = {rows[k]["kind"]: k for k in reversed(order) if apart[k] > 0}
    found = []
    for at in list(dict.fromkeys([*sorted(first_of.values(), key=order.index), *order]))[:shown]:
        lines = sorted(zip(scores[at].tolist(), worth[at].tolist(), answers[at]), key=lambda line: -line[1])
        question = f"asked for {KINDS[rows[at]['kind']]}: {rows[at]['messages'][-1]['content']}"
        table({"reward model": ".2f", "gold utility": ".2f", "answer": ""}, lines, question)
        found.append({"kind": rows[at]["kind"], "answers": answers[at], "scores": scores[at], "worth": worth[at]})
    print("gold utility of an answer: " + ", ".join(f"{weight:+g} {name}" for name, weight in TASTE.items()))
    your_run(shows="what a trained reward model makes of answers")
    return found


def show_best_of_n(best: Callable, scores: Tensor, worth: Tensor) -> dict[str, list]:
    """Best of n by the student's function, chosen by the reward model and by the gold utility, on a table and on the
    plane. Returns its columns.
    """
    made: dict[str, list] = {"n": [n for n in (1, 2, 4, 8, 16, 32) if n <= scores.shape[1]]}
    made["formula"] = [best(scores, worth, n)[0] for n in made["n"]]
    made["ties"] = [best_of_n_kl_with_ties(scores.numpy(), n) for n in made["n"]]
    made["by the reward model"] = [best(scores, worth, n)[1] for n in made["n"]]
    made["by the gold"] = [best(worth, worth, n)[1] for n in made["n"]]
    heads = (
        "n",
        "KL, formula",
        "KL, ties counted",
        "utility, chosen by the reward model",
        "chosen by the gold utility",
    )
    table(dict(zip(heads, ("", ".2f", ".2f", ".2f", ".2f"))), zip(map(str, made["n"]), *list(made.values())[1:]))
    gold = [best_of_n_kl_with_ties(worth.numpy(), n) for n in made["n"]]
    show_plane(
        worth, best_of_n_line(made) | {"best of n, chosen by the gold utility": [*zip(gold, made["by the gold"])]}
    )
    your_run(shows="what a nat of KL buys (with sixteen answers to a prompt a point can lie above the limit)")
    return made


def best_of_n_line(made: dict) -> dict:
    """{name: [(KL, utility), …]} of best of n by the reward model, for the plane."""
    return {"best of n, chosen by the reward model": [*zip(made["ties"], made["by the reward model"])][1:]}


def show_plane(worth: Tensor, points: dict) -> None:
    curve.show(rlhf.plane(frontier(worth.numpy()), float(worth.mean()), points))


def show_ties(policy, proxy, rows: list[dict], each: int) -> tuple[float, float]:
    """How many groups of answers to a prompt the reward model scores alike, and how many nearly alike."""
    spread = samples(policy, proxy, rows, each, seed=2)[1].std(1)
    tied, nearly = float((spread < 1e-6).float().mean()), float(((spread >= 1e-6) & (spread < 0.1)).float().mean())
    said = f"{tied:.0%} tied, {nearly:.0%} nearly (deviation below 0.1)"
    print(f"the reference model, {len(rows)} groups of {each}: {said}")
    return tied, nearly


# ------------------------------------------------------------------------------------------------------------ runs


def trainer(reference, rows: list[dict], work, size: str) -> Callable:
    """train(title, algorithm, reward, config, keep="", **parts) → the run, its history with the gold utility of the
    sampled answers as "gold". keep: name of the folder of its checkpoints, from which it goes on.
    """

    def train(title: str, algorithm: Callable, reward: Callable, config, keep: str = "", **parts) -> Run:
        gold: list[float] = []  # `watched` notes it beside the training, which never sees it

        def beside(history):
            """A run that goes on from its checkpoint has steps that were not watched."""
            unseen = len(history) - len(gold)
            return history[:unseen] + [{**row, "gold": worth} for row, worth in zip(history[unseen:], gold)]

        live = rlhf.LiveRun(title)
        options = {"out": work / f"{keep}_{size}"} if keep else {}
        run = algorithm(
            watched(reward, gold), rows, config, base=reference, progress=False,
            on_step=lambda history: live(beside(history)), **options, **parts,
        )  # fmt: skip
        live.close()
        run.history = beside(run.history)
        first, last = run.history[0], run.history[-1]
        minutes, scored = last["seconds"] / 60, f"reward {first['reward']:.2f} → {last['reward']:.2f}"
        print(
            f"{title}: {len(run.history)} steps in {minutes:.1f} minutes, {scored}, KL {last['kl']:.2f} nats an answer"
        )
        return run

    return train


def examiner(reference, rows: list[dict], proxy, size: str) -> Callable:
    """look(a run, or a policy) → what `measure` says of it on the examination's prompts."""
    each = 2 if size == "tiny" else 8
    model_of = lambda run: run.model if isinstance(run, Run) else run
    return lambda run: measure(model_of(run), reference, rows, each, seed=11, reward=proxy)


def of_frontier(row: dict, worth: Tensor) -> float | None:
    """The share of the frontier's gain at the policy's KL, None for the reference itself."""
    return share(row, worth.numpy()) if row["kl"] > 0.01 else None


def show_standings(results: dict, worth: Tensor, names=None, shows="what parts these policies") -> None:
    """Utility, KL, share of the frontier's gain at that KL, the reward model's mean score, and tokens an answer. shows:
    of `your_run`, where the policies are named.
    """
    heads = {"": "", "utility": ".2f", "± error": ".2f", "KL": ".2f", "of the frontier": ".0%"}
    rows = [
        (name, row["utility"], row["error"], row["kl"], of_frontier(row, worth), row["reward"], row["length"])
        for name, row in results.items()
        if names is None or name in names
    ]
    table(heads | {"reward model": ".2f", "tokens": ".1f"}, rows)
    your_run(shows=shows if names else "")


def habits(rows: list[dict], answers: list[str], kind: str | None = None) -> dict[str, float]:
    """{"utility", and each key of TASTE: means over the answers to prompts of that kind (None: to all)}. answers: the
    same number to each row, those to one row next to each other.
    """
    each = len(answers) // len(rows)
    pairs = [(rows[k // each], answer) for k, answer in enumerate(answers)]
    found = [features(row, answer) for row, answer in pairs if kind in (None, row["kind"])]
    means = {key: float(np.mean([each[key] for each in found])) if found else float("nan") for key in TASTE}
    return {"utility": sum(TASTE[key] * value for key, value in means.items())} | means


def show_habits(results: dict, rows: list[dict], names) -> dict[str, dict[str, dict]]:
    """What gold utility and habits the policies have, by kind of prompt: {kind: {policy: habits}}."""
    made = {kind: {name: habits(rows, results[name]["answers"], kind) for name in names} for kind in KINDS}
    shares = {kind: sum(row["kind"] == kind for row in rows) / len(rows) for kind in KINDS}
    lines: list[tuple] = [
        (f"{KINDS[kind]} ({shares[kind]:.0%})" if name == names[0] else "", name, *row.values())
        for kind, policies in made.items()
        for name, row in policies.items()
    ]
    lines.append(("worth, each", "", None, *TASTE.values()))
    table({"asked for": "", "policy": "", "utility": ".2f"} | dict.fromkeys(TASTE, ".2f"), lines)
    return made


def show_fall(results: dict, worth: Tensor, rows: list[dict], names: list[str]) -> dict[str, dict[str, dict]]:
    """Standings and habits of policies, and the prompt at which the gold utility has fallen most from the last but one
    to the last. Returns the habits by kind of prompt.
    """
    show_standings(results, worth, names, shows="")  # § 12's turning point has said it
    made = show_habits(results, rows, names)
    show_worst(results, rows, names[-2], names[-1])
    return made


def show_worst(results: dict, rows: list[dict], before: str, after: str, shown: int = 3) -> None:
    """The prompt at which the gold utility has fallen most from one policy to the other, with some of the answers that
    were measured.
    """
    each = len(results[before]["answers"]) // len(rows)
    many = [row for row in rows for _ in range(each)]
    worth = {name: utilities(many, results[name]["answers"]).reshape(len(rows), each) for name in (before, after)}
    at = int((worth[after].mean(1) - worth[before].mean(1)).argmin())
    lines = [
        (name if k == 0 else "", float(worth[name][at, k]), results[name]["answers"][each * at + k])
        for name in worth
        for k in range(min(shown, each))
    ]
    question = rows[at]["messages"][-1]["content"]
    table({"policy": "", "gold utility": ".1f", "answer": ""}, lines, f"where it has fallen most: {question}")


# ------------------------------------------------------------------------------------------ where the credit goes, § 8


def show_credit(run: Run, reference, proxy, row: dict, size: str) -> dict:
    """The heat map of one sampled answer, and a sentence on the token before the last for which it paid most (an answer
    without words has only the last). Returns that token's numbers, and the answer's reward at its last token.
    """
    policy, tokenizer, beta = run.model, load_tokenizer(), run.record["recipe"]["beta"]
    said = roll_out(policy, tokenizer, [row], 1, seed=5).answers[0]
    talk = row["messages"] + [{"role": "assistant", "content": said}]
    tokens, values = heatmap.per_token(policy, tokenizer, talk, reference, proxy, beta)
    heatmap.show(tokens, values, "reward")
    *others, last = (k for k, value in enumerate(values) if value)
    dearest = min(others or [last], key=lambda k: values[k]["reward"])
    found: dict = {"token": tokens[dearest], "at": dearest, **values[dearest], "end": values[last]["reward"]}
    found["others"] = [values[k]["reward"] for k in others]
    likelier = f"{np.exp(found['log-ratio']):.1f} times as likely (log-ratio {found['log-ratio']:.2f})"
    your_run(
        f"The dearest token of this answer is {found['token']!r}: training has made it {likelier},",
        f"and it costs {0 - found['reward']:.2f}. The last token gets {found['end']:+.2f}.",
        size=size, shows="how a policy moves",
    )  # fmt: skip
    return found


def show_ppo(results: dict, worth: Tensor, reference, run: Run, row: dict, size: str) -> None:
    """Three answers of the reference model and of PPO to one prompt, and the reader's own PPO in a sentence."""
    lines = []
    for name, policy in (("reference model", reference), ("PPO", run.model)):
        batch = roll_out(policy, load_tokenizer(), [row], 3, seed=5)
        for k, (worth_of, answer) in enumerate(zip(utilities(batch.rows, batch.answers).tolist(), batch.answers)):
            lines.append((name if k == 0 else "", worth_of, answer))
    table({"policy": "", "gold utility": ".1f", "answer": ""}, lines, row["messages"][-1]["content"])
    before, after = results["reference model"], results["PPO"]
    part = of_frontier(after, worth)
    your_run(
        f"PPO gained {after['utility'] - before['utility']:+.2f} of utility for {after['kl']:.2f} nats"
        + ("." if part is None else f": {part:.0%} of what the frontier gains at that KL."),
        f"An answer has {before['length']:.1f} tokens before and {after['length']:.1f} after.",
        size=size, shows="what PPO can do",
    )  # fmt: skip


def show_all(worth: Tensor, bests: dict, results: dict) -> dict[str, float | None]:
    """All policies and best of n, as a table and on the plane. Returns each policy's share of the frontier's gain at
    its KL.
    """
    show_standings(results, worth)
    points = {name: [(row["kl"], row["utility"])] for name, row in results.items() if name != "reference model"}
    show_plane(worth, best_of_n_line(bests) | points)
    your_run(shows="how near a policy comes to the limit (with twelve answers it can lie above it)")
    return {name: of_frontier(row, worth) for name, row in results.items()}
