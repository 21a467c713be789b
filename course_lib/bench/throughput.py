"""How fast pre-training is: our loop beside the HF Trainer on the same model, and as a share of this machine's matmul
rate. How fast sampling is: `roll_out` beside HF's `generate`, and beside an older build (--against REV).
"""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from course_lib.bench.chain import git, said_in, worktree
from course_lib.bench.rollout_speed import EACH, PROMPTS, shipped, timed
from course_lib.platform import ROOT, matmul_rate
from course_lib.stages.model import Llama, to_transformers
from course_lib.stages.pretrain import PRESETS, PretrainConfig, collate, pretrain
from course_lib.stages.rollout import LONGEST, roll_out
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END, PAD, encode_documents, load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.annotators import prompts

WARM = 10  # first steps of a run that are not timed: threads start, memory is touched for the first time


def trainer_tokens_per_second(config: PretrainConfig, ids: list[list[int]], steps: int) -> float:
    """LlamaForCausalLM under the plain HF Trainer: same model, same number of documents a step, fp32, AdamW."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    per_step, at = len(ids) // steps, {}

    def collator(rows):
        batch = collate([row["ids"] for row in rows])
        return {
            "input_ids": batch,
            "attention_mask": (batch != PAD).long(),
            "labels": batch.masked_fill(batch == PAD, -100),
        }

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            at[state.global_step] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=per_step,
            max_steps=steps,
            learning_rate=1e-3,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            use_cpu=not torch.cuda.is_available(),
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        model = to_transformers(Llama(config.model))
        rows: Any = [{"ids": row} for row in ids]  # a list does, though the Trainer's signature asks for a Dataset
        Trainer(model, arguments, collator, train_dataset=rows, callbacks=[Clock()]).train()
    tokens = (steps - WARM) * per_step * statistics.mean(len(row) - 1 for row in ids)
    return tokens / (at[steps] - at[WARM])


def flop_per_token(config: PretrainConfig, length: float) -> float:
    """Training FLOP of one token, forward and backward: 6 a parameter, and 6 · layers · hidden · T for the products of
    causal attention at sequence length T (half of PaLM's 12, appendix B, as only the past is looked at).
    """
    return 6 * Llama(config.model).parameter_count() + 6 * config.model.layers * config.model.hidden * length


def throughput(size: str, rounds: int = 3, steps: int = 60) -> dict:
    """Our loop, the HF Trainer and the matmul rate, in turns; medians over the rounds."""
    length = statistics.mean(len(row) for row in documents(1000))
    config = replace(PRESETS[size], documents=round(steps * PRESETS[size].batch / length), validations=0)
    ids, measured = documents(config.documents), []
    for _ in range(rounds):
        rate = matmul_rate()
        history = pretrain(config=config, progress=False).history
        first, last = history[WARM], history[-1]
        ours = (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])
        rate = (rate + matmul_rate()) / 2
        theirs = trainer_tokens_per_second(config, ids, steps)
        measured.append(
            {
                "matmul_gflops": rate,
                "tokens_per_second": ours,
                "trainer_tokens_per_second": theirs,
                "matmul_share": flop_per_token(config, length) * ours / 1e9 / rate,
                "vs_hf_trainer": ours / theirs,
            }
        )
    return {key: statistics.median(each[key] for each in measured) for key in measured[0]}


def documents(n: int) -> list[list[int]]:
    """Token ids of the first n training documents."""
    return encode_documents(load_tokenizer(), [row["text"] for row in pretrain_rows("train", n)])


def sampling(rounds: int = 3) -> dict:
    """New tokens a second of `roll_out` and of HF's `generate`, by turns; medians over the rounds."""
    model, tokenizer, rows = shipped(), load_tokenizer(), prompts("train", PROMPTS, "bench")
    theirs = to_transformers(model).eval()
    texts = [encode_chat(tokenizer, row["messages"], generation_prompt=True)[0] for row in rows]
    width = max(map(len, texts))
    ids = torch.tensor([[PAD] * (width - len(text)) + text for text in texts])

    def ours() -> int:
        return int(roll_out(model, tokenizer, rows, EACH).mask.sum())

    def generate() -> int:
        said = theirs.generate(
            ids,
            attention_mask=(ids != PAD).long(),
            do_sample=True,
            top_k=0,
            max_new_tokens=LONGEST,
            num_return_sequences=EACH,
            eos_token_id=IM_END,
            pad_token_id=PAD,
        )
        return int((said[:, width:] != PAD).sum())

    ours(), generate()
    measured = [(timed(ours), timed(generate)) for _ in range(rounds)]
    median = lambda which, key: statistics.median(each[which][key] for each in measured)
    return {
        "rollout_tokens_per_second": median(0, "wall"),
        "generate_tokens_per_second": median(1, "wall"),
        "vs_hf_generate": statistics.median(mine["wall"] / other["wall"] for mine, other in measured),
        "vs_hf_generate_cpu": statistics.median(mine["cpu"] / other["cpu"] for mine, other in measured),
    }


def against(revision: str, rounds: int = 3) -> dict:
    """Tokens a second of `roll_out` of this build over those of an older one, in processes by turns: new, old, new, …
    The answers are the same where both draw the same tokens, so their number is printed, too.
    """
    sha, speeds = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"), []
    with worktree(sha) as there:
        for seed in range(rounds):
            new, old = (rollout_speed(root, seed) for root in (ROOT, there))
            speeds.append({"new": new, "old": old})
    ratio = lambda key: statistics.median(each["new"][key] / each["old"][key] for each in speeds)
    return {"against": sha, "rollout_ratio": ratio("wall"), "rollout_ratio_cpu": ratio("cpu"), "rollouts": speeds}


def rollout_speed(root: Path, seed: int) -> dict:
    """What rollout_speed.py says of a build."""
    script = Path(__file__).with_name("rollout_speed.py")
    with tempfile.TemporaryDirectory() as folder:
        failed = f"sampling in {root} failed"
        return said_in(root, folder, script, str(seed), failed=failed, OMP_NUM_THREADS="1", COURSE_WORK=folder)


def bench_throughput(arguments) -> dict:
    older = against(arguments.against) if getattr(arguments, "against", None) else {}
    return {"size": arguments.size, **throughput(arguments.size), **sampling(), **older}
