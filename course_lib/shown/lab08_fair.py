"""Lab 08's fair comparison: what labels and compute a policy has cost, where its missing gain is lost, and the stored
figures of other seeds.
"""

from course_lib.evaluation.alignment import Yardstick, share_at
from course_lib.evaluation.runs.direct import ANSWER, DISTILLED, LABEL, PAIR, steps_for, unit
from course_lib.evaluation.runs.rlhf import BETA_LEARNED, learned_reward
from course_lib.stages.grpo import PRESETS, grpo
from course_lib.stages.reward import reward_gaps
from course_lib.widgets import curve, rlhf
from course_lib.widgets.table import table

# fmt: off
__all__ = [
    "ANSWER", "BETA_LEARNED", "DISTILLED", "LABEL", "PAIR", "PRESETS", "grpo", "learned_reward", "reward_gaps", "steps_for",
    "unit",
]
# fmt: on
COLUMNS = {"": "", "labels": ",", "TFLOP": ".1f", "KL (nats)": ".2f", "utility": ".2f", "of the frontier": ".0%"}
LOST = {"lost by ranking": ".0%", "lost by the policy": ".0%"}


def split(m: dict, judged: list[dict], yard: Yardstick) -> dict:
    """Of the frontier's gain at the policy's KL: "ranking", what best of n by its judge misses, and "policy", what the
    policy misses of that (negative where it is better than best of n). judged: see `best_of`.
    """
    of_judge = share_at(m["kl"], judged, yard)
    return {"ranking": 1 - of_judge, "policy": of_judge - m["share"]}


def show(rows: dict[str, dict]) -> None:
    """rows: {name: a look with "labels", "tflop", "ranking" and "policy"}."""
    keys = ("labels", "tflop", "kl", "utility", "share", "ranking", "policy")
    table(COLUMNS | LOST, [[name, *(row[key] for key in keys)] for name, row in rows.items()])


def plane(yard: Yardstick, trained: dict[str, list[dict]], picked: dict[str, list[dict]]) -> None:
    points = {name: sorted((m["kl"], m["utility"]) for m in each) for name, each in (trained | picked).items()}
    curve.show(rlhf.plane(yard.limit, yard.start, points))
