"""The two preferred assistants of the site's page try.html, which the course does not ship: DPO on the recorded pairs,
GRPO on the learned reward, both from the shipped assistant and with the recipes of `course tour`.

    python scripts/site_preferred.py [dpo] [rlhf]    writes docs/site/stages; only when a recipe changes

About seven CPU minutes. It goes on from its checkpoints in build/site-preferred where it was stopped.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from course_lib.evaluation.runs.rlhf import BETA_LEARNED, learned_reward  # noqa: E402
from course_lib.stages import dpo, grpo  # noqa: E402
from course_lib.stages.artifacts import SHIPPED, load_folder, save_stage  # noqa: E402
from course_lib.stages.rollout import assistant  # noqa: E402
from course_lib.world.annotators import preference_rows, prompts  # noqa: E402

STAGES = ROOT / "docs" / "site" / "stages"
CHECKPOINTS = ROOT / "build" / "site-preferred"


def train(stage: str):
    base = assistant(load_folder(SHIPPED / "sft", "sft")[0])
    if stage == "dpo":
        config = dpo.PRESETS["laptop"]
        return dpo.dpo(preference_rows("train", config.rows), config, base, 0, out=CHECKPOINTS / stage)
    judge = learned_reward(load_folder(SHIPPED / "reward", "reward")[0])
    config = replace(grpo.PRESETS["laptop"], beta=BETA_LEARNED)
    return grpo.grpo(judge, prompts("train", 4_000, "tour"), config, base, 0, out=CHECKPOINTS / stage)


def main() -> None:
    for stage in sys.argv[1:] or ["dpo", "rlhf"]:
        run = train(stage)
        folder = save_stage(stage, run.model, {**run.record, "parent": "sft"}, STAGES / stage, torch.bfloat16)
        print(f"{folder}: after {run.record['minutes']:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
