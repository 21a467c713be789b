"""Lab 08's fair comparison: what labels and compute a policy has cost, where its missing gain is lost, and
other seeds' figures.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from course_lib.evaluation.alignment import Yardstick, implicit_scores, scores_of, share_at
from course_lib.evaluation.runs.direct import DISTILLED, LABEL, PAIR, steps_for, unit
from course_lib.evaluation.runs.rlhf import BETA_LEARNED, learned_reward
from course_lib.platform import ROOT
from course_lib.shown.common import guessed
from course_lib.shown.lab08_measures import MEASURED, look, measured, said
from course_lib.stages.artifacts import ArtifactError, load_folder, load_stage
from course_lib.stages.grpo import PRESETS, GRPOConfig, grpo
from course_lib.stages.reward import reward_gaps, rewards_of
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, rlhf
from course_lib.widgets.table import table, your_run

__all__ = ["grpo", "learned_reward", "reward_gaps"]
COLUMNS = {"": "", "labels": ",", "TFLOP": ".1f", "KL (nats)": ".2f", "utility": ".2f", "of the frontier": ".0%"}
LOST = {"lost by ranking": ".0%", "lost by the policy": ".0%"}


def prices(reference, rows: list[dict], labels: int) -> dict[str, float]:
    """TFLOP of each way to train on `rows`, of a reward model and of DPO on so many labels; "one": see `unit`."""
    one, n = unit(reference, rows), len(rows)
    each = {
        "DPO": PAIR * n,
        "distilled": DISTILLED * n,
        "reward model": LABEL * labels,
        "DPO on all labels": PAIR * labels,
    }
    return {name: flop * one for name, flop in each.items()} | {"one": one}


def grpo_for(tflop: float, one: float, size: str) -> GRPOConfig:
    """GRPO on the reward model, as in lab 07, with as many steps as this much compute buys. `one`: see `unit`."""
    config = replace(PRESETS[size], beta=BETA_LEARNED)
    return replace(config, steps=min(config.steps, steps_for(tflop, one, config)))


def split(m: dict, judged: list[dict], yard: Yardstick) -> dict:
    """Of the frontier's gain at the policy's KL: "ranking", what best of n by its judge misses, and "policy", what the
    policy misses of that (negative where it is better than best of n). judged: see `best_of`.
    """
    of_judge = share_at(m["kl"], judged, yard)
    return {"ranking": 1 - of_judge, "policy": of_judge - m["share"]}


def show(yard: Yardstick, guess: str, ways: dict[str, tuple]) -> dict[str, dict]:
    """ways: {name: (policy, labels, TFLOP, best of n by its judge)}. Returns each one's look with these and `split`."""
    made = {}
    for name, (policy, labels, tflop, judged) in ways.items():
        m = look(policy, yard)
        made[name] = m | {"labels": labels, "tflop": tflop} | split(m, judged, yard)
    keys = ("labels", "tflop", "kl", "utility", "share", "ranking", "policy")
    table(COLUMNS | LOST, [[name, *(row[key] for key in keys)] for name, row in made.items()])
    most = max(row["labels"] for row in made.values())
    your_run(shows=f"which way is best, and counts {most:,} labels for a reward model that may have read fewer")
    guessed(guess)
    return made


def plane(yard: Yardstick, looks: dict[str, list[dict]]) -> None:
    """Utility against KL, each name's looks as marks on a line."""
    points = {name: sorted((m["kl"], m["utility"]) for m in each) for name, each in looks.items()}
    curve.show(rlhf.plane(yard.limit, yard.start, points))


def policy_of_lab_07(yard: Yardstick) -> dict[str, list[dict]]:
    """{name: [its look]} of the reader's own policy of lab 07, else of the page's (GRPO on the reward model); {} with a
    line where there is none.
    """
    folder = ROOT / "docs" / "site" / "stages" / "rlhf"
    device = next(yard.reference.parameters()).device
    try:
        return {"your policy of lab 07": [look(load_stage("rlhf").model, yard)]}
    except ArtifactError as error:
        if not folder.exists():
            print(f"Left out: {error}")
            return {}
    return {"lab 07's policy": [look(load_folder(folder, "rlhf")[0].to(device).eval(), yard)]}


def show_plane(yard: Yardstick, trained: dict[str, list[dict]], picked: dict[str, list[dict]], guess: str) -> None:
    """Utility against KL: trained policies as marks, best of n as lines; the same as a table (best of n at 4 and
    16).
    """
    plane(yard, trained | picked)
    one = lambda name, m: f"{name.partition('β =')[0]}β = {m['beta']:g}" if "beta" in m else name
    rows = [measured(one(name, m), m) for name, each in trained.items() for m in each]
    rows += [measured(f"{name}, n = {m['n']}", m) for name, each in picked.items() for m in each if m["n"] in (4, 16)]
    table({"": "", **MEASURED}, rows)
    your_run(shows="which way is best at equal KL")
    guessed(guess)


def judges(yard: Yardstick, policy) -> dict[str, np.ndarray]:
    """[P K] each: what the gold utility, the policy's implicit reward and the reward model of lab 06 give the
    reference's answers.
    """
    model: Any = load_stage("reward").model  # a RewardModel
    texts = lambda rows: ([row["prompt"] for row in rows], [said(row, "answer") for row in rows])
    learned = scores_of(lambda rows: rewards_of(model, load_tokenizer(), *texts(rows)).cpu(), yard)
    implicit = implicit_scores(policy, yard)
    return {"the gold utility": yard.worth, "the implicit reward": implicit, "the reward model": learned}
