"""Full fine-tuning, LoRA and QLoRA on the same new job with the same rows and steps: what each reaches, trains, holds
and forgets.
"""

import copy
import time
from typing import Any

import torch

from course_lib.evaluation.instructions import score
from course_lib.stages import lora, nf4
from course_lib.stages.artifacts import load_stage
from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.jobs import job_rows
from course_lib.world.tasks import task_rows

EXAMINED = {"tiny": 40, "laptop": 600, "gpu": 600}


def kept(scored: dict) -> float:
    """Share of old tasks that are answered rightly and not with a record. The checker of a fact passes
    "{hobby: fishing}", so a clerk who has forgotten all else would have half of the old tasks right.
    """
    found = zip(scored["right"], scored["answers"])
    return sum(right and not answer.strip().startswith("{") for right, answer in found) / scored["n"]


def examine(model, size: str, job: str = "clerk", seed: int | str = 0) -> dict:
    """What a model does on the new job (held-out residents; the same with held-out phrasings), on the old tasks (all
    that their checker passes, and what is no record of it) and on documents.
    """
    model, tokenizer, n = nf4.dequantize_base(copy.deepcopy(model)).eval(), load_tokenizer(), EXAMINED[size]
    new = score(model, tokenizer, job_rows(job, "residents", n, seed), max_new_tokens=40)
    old = score(model, tokenizer, task_rows("residents", n // 2, seed))
    return {
        "job": new["accuracy"],
        "by_kind": new["by_kind"],
        "phrasings": score(model, tokenizer, job_rows(job, "phrasings", n, seed), max_new_tokens=40)["accuracy"],
        "old_tasks": old["accuracy"],
        "old_kept": kept(old),
        "document_gap_percent": distance_to_limit(model, tokenizer, pretrain_rows("validation")[:n])["gap_percent"],
    }


def compare(size: str = "laptop", seed: int = 0, base=None, progress: bool = False) -> dict:
    """{"base" | "full" | "lora" | "qlora": figures of `examine`, trained parameters, seconds, bytes of the base's
    weights}, and the ratios of the reach.
    """
    base = base or load_stage("sft").model
    bf16 = nf4.weight_bytes(copy.deepcopy(base).to(torch.bfloat16))
    ways: dict[str, dict] = {"base": examine(base, size)}
    runs: dict[str, dict[str, Any]] = {"full": {"full": True}, "lora": {}, "qlora": {"four_bits": True}}
    for name, options in runs.items():
        started = time.perf_counter()
        run = lora.lora(size, seed, base=base, progress=progress, **options)
        held = nf4.weight_bytes(run.model) - sum(p.numel() * p.element_size() for p in lora.lora_parameters(run.model))
        ways[name] = {
            **examine(run.model, size),
            "trained": run.record["trained_parameters"],
            "share": run.record["trained_parameters"] / base.parameter_count(),
            "base_bytes_of_bf16": held / bf16,
            "tokens": run.record["tokens"],
            "seconds": 60 * run.record["minutes"],
            "seconds_all": time.perf_counter() - started,
        }
    full = max(ways["full"]["job"], 1e-9)
    return {**ways, "lora_of_full": ways["lora"]["job"] / full, "qlora_of_full": ways["qlora"]["job"] / full}
