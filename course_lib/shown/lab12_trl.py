"""TRL's GRPOTrainer beside lab 12's advantages and losses, on the same batches."""

from collections.abc import Callable

from course_lib.shown.lab07_trl import batches, differences
from course_lib.stages.grpo import clipped_terms
from course_lib.stages.reasoning import checked
from course_lib.stages.rollout import LONGEST
from course_lib.widgets.table import table
from course_lib.world.reasoning import prompts_of, question_rows

# (TRL's loss_type, its scale_rewards, the course's kind of advantage)
SAME = (("grpo", "group", "grpo"), ("dapo", "none", "dr_grpo"), ("dr_grpo", "none", "dr_grpo"))


def show(policy, advantages: Callable, loss: Callable, work) -> list[dict]:
    """For each of TRL's losses two batches of its trainer on the checker's verdict: how far its loss and its advantages
    are from the reader's. [] without TRL.
    """
    rows = prompts_of(question_rows("train", 16, "lab 12, TRL"))
    of = {row["messages"][0]["content"]: row for row in rows}
    reward = lambda asked, answers: checked([of[each["messages"][0]["content"]] for each in asked], answers)
    found = []
    for kind, scale, priced in SAME:
        settings = {"loss_type": kind, "scale_rewards": scale, "num_iterations": 2, "max_steps": 2}
        for batch in batches(policy, reward, rows, work, **settings):
            terms, _ = clipped_terms(batch.logprobs, batch.old, batch.advantages[:, None], 0.2)
            made = loss(terms, batch.mask, kind, LONGEST)
            apart = differences(batch, made, advantages(batch.rewards, priced))
            found.append({"loss_type": kind, "scale_rewards": scale, **apart})
    heads = {"loss_type": "", "scale_rewards": "", "the losses differ by": ".1e", "the advantages by": ".1e"}
    if found:
        table(heads | {"largest |log ratio|": ".2f"}, [tuple(row.values()) for row in found])
    return found
