"""Tokens a second of `roll_out`, 32 prompts × 8 answers of the shipped assistant, in the build that PYTHONPATH names:
what `course bench throughput --against REV` runs in a process of its own, this build and the older one by turns.

    python rollout_speed.py SEED        prints one line of JSON

This file is read by older builds, too: it imports nothing but what they all have.
"""

import json
import sys
import time

import torch

from course_lib.stages.rollout import assistant, roll_out
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import prompts

PROMPTS, EACH = 32, 8


def shipped():
    """The assistant as labs 06 to 10 sample it."""
    try:
        from course_lib.stages.artifacts import load_stage
    except ImportError:  # before the rooms had names (1b170b5)
        from course_lib.artifacts import load_stage  # ty: ignore[import-not-found]
    return assistant(load_stage("sft").model).eval()


def timed(sample) -> dict:
    """{"tokens", "wall", "cpu"}: tokens that `sample()` says it has made, and what a second of each gave."""
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = sample()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"tokens": tokens, "wall": tokens / wall, "cpu": tokens / cpu}


def main(seed: int) -> None:
    model, tokenizer, rows = shipped(), load_tokenizer(), prompts("train", PROMPTS, "bench")
    sample = lambda: int(roll_out(model, tokenizer, rows, EACH, seed=seed).mask.sum())
    sample()  # memory is touched for the first time
    runs = [timed(sample) for _ in range(3)]
    print(json.dumps({"tokens": runs[0]["tokens"], **{key: max(run[key] for run in runs) for key in ("wall", "cpu")}}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]))
