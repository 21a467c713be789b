"""TRL's GRPOTrainer beside lab 12's advantages and losses, on the same batches."""

from collections.abc import Callable

from course_lib.platform import CourseError
from course_lib.shown.common import trl_library
from course_lib.shown.lab07_trl import batches, config, differences
from course_lib.stages.grpo import clipped_terms
from course_lib.stages.reasoning import checked
from course_lib.stages.rollout import LONGEST
from course_lib.widgets.table import table, your_run
from course_lib.world.reasoning import prompts_of, question_rows

# (TRL's loss_type, its scale_rewards, the course's kind of advantage)
SAME = (("grpo", "group", "grpo"), ("dapo", "none", "dr_grpo"), ("dr_grpo", "none", "dr_grpo"))


def show(policy, advantages: Callable, loss: Callable, work) -> list[dict]:
    """For each of TRL's losses two batches of its trainer on the checker's verdict: how far its loss and its advantages
    are from the reader's; a comparison of nothing is called so. [] without TRL.
    """
    rows = prompts_of(question_rows("train", 16, "lab 12, TRL"))
    of = {row["messages"][0]["content"]: row for row in rows}
    reward = lambda asked, answers: checked([of[each["messages"][0]["content"]] for each in asked], answers)
    found, teaching = [], False
    for kind, scale, priced in SAME:
        settings = {"loss_type": kind, "scale_rewards": scale, "num_iterations": 2, "max_steps": 2}
        for batch in batches(policy, reward, rows, work, **settings):
            teaching = teaching or bool((batch.rewards != batch.rewards[:, :1]).any())
            terms, _ = clipped_terms(batch.logprobs, batch.old, batch.advantages[:, None], 0.2)
            made = loss(terms, batch.mask, kind, LONGEST)
            apart = differences(batch, made, advantages(batch.rewards, priced))
            found.append({"loss_type": kind, "scale_rewards": scale, **apart})
    heads = {"loss_type": "", "scale_rewards": "", "the losses differ by": ".1e", "the advantages by": ".1e"}
    if found:
        table(heads | {"largest |log ratio|": ".2f"}, [tuple(row.values()) for row in found])
        if not teaching:
            your_run(
                "All rewards of each group were equal. So the advantages are 0 on both sides and the losses with them:",
                "that they agree says nothing here. It would if the policy were right in some chains of a group only.",
            )
    return found


def show_defaults(work) -> dict[str, bool]:
    """What this lab does beside what TRL does by default: {statement: is it so?}, {} without TRL. Raises CourseError
    where the installed TRL does otherwise.
    """
    trl = trl_library()
    if trl is None:
        return {}
    theirs = config(trl, work)
    facts = {
        "mean over all tokens": theirs.loss_type == "dapo",
        "over the group's deviation": theirs.scale_rewards == "group",
        "no price on the KL": theirs.beta == 0.0,
    }
    if wrong := [name for name, holds in facts.items() if not holds]:
        raise CourseError(f"TRL {trl.__version__} does not do what this table says: {', '.join(wrong)}")
    table({"": "", "this lab": "", f"TRL {trl.__version__}, GRPOTrainer by default": ""}, [
        ("loss", "DAPO's mean over all tokens", 'the same: loss_type="dapo"'),
        ("advantages", "not divided (Dr. GRPO)", 'over the deviation + 1e-4: scale_rewards="group"'),
        ("tied groups", "left out before the passes", "their advantages are 0, their passes are paid"),
        ("price on the KL", "none", "none: beta=0.0, and no reference model is held"),
    ])  # fmt: skip
    return facts
