"""`course ship`: make everything that the repository ships from nothing but the seed — tokenizer, data set files,
fall-back models.

Run it when a recipe changes, and only then: what it writes lives in git for ever.
"""

import argparse
import json
from pathlib import Path

import torch

from course_lib.platform import write_atomic
from course_lib.stages.artifacts import SHIPPED, load_folder, save_stage
from course_lib.stages.tokenizer import SHIPPED as TOKENIZER
from course_lib.stages.tokenizer import train_tokenizer
from course_lib.world import pretrain_documents
from course_lib.world.corpus import FOLDER, SPLIT_SIZES


def shipped(stage: str):
    """The model of a stage as it ships, never the author's own in the work folder."""
    return load_folder(SHIPPED / stage, stage)[0]


def ship_model(stage: str, run, metrics: dict) -> Path:
    """Saves a run's model, its record and what was measured of it. Returns the folder."""
    return save_stage(stage, run.model, {**run.record, "metrics": metrics}, SHIPPED / stage, dtype=torch.bfloat16)


def ship_tokenizer() -> None:
    tokenizer = train_tokenizer([d.text for d in pretrain_documents("train", 20_000)])
    write_atomic(TOKENIZER, tokenizer.to_str(pretty=True).encode())
    print(f"{TOKENIZER}: {tokenizer.get_vocab_size()} tokens")


def ship_datasets() -> None:
    import pyarrow
    import pyarrow.parquet

    FOLDER.mkdir(parents=True, exist_ok=True)
    for split in SPLIT_SIZES:
        documents = pretrain_documents(split)
        table = pyarrow.table(
            {
                "text": [d.text for d in documents],
                "kind": [d.kind for d in documents],
                "nll": [d.nll for d in documents],
            }
        )
        path = FOLDER / f"pretrain-{split}.parquet"
        pyarrow.parquet.write_table(table, path, compression="zstd", compression_level=19)
        print(f"{path}: {len(documents):,} documents, {path.stat().st_size / 1e6:.1f} MB")


def ship_instructions() -> None:
    """The task rows as files, for everybody who reads them with `datasets`; the labs make the same rows on the fly."""
    import pyarrow
    import pyarrow.parquet

    from course_lib.stages.sft import PRESETS
    from course_lib.world.tasks import task_rows

    for split, n in (("train", PRESETS["laptop"].examples), ("residents", 2000), ("phrasings", 2000)):
        rows = task_rows(split, n)
        table = pyarrow.table(
            {
                "messages": [row["messages"] for row in rows],
                "kind": [row["kind"] for row in rows],
                "check": [json.dumps(row["check"]) for row in rows],
            }
        )
        path = FOLDER / f"instructions-{split}.parquet"
        pyarrow.parquet.write_table(table, path, compression="zstd", compression_level=19)
        print(f"{path}: {len(rows):,} rows, {path.stat().st_size / 1e6:.1f} MB")


def ship_pretrain(size: str = "laptop", seed: int = 0) -> None:
    from course_lib.stages.pretrain import pretrain

    run = pretrain(size, seed)
    folder = ship_model("pretrain", run, run.record["metrics"])
    print(f"{folder}: gap {run.record['metrics']['gap_percent']:.2f} % after {run.record['minutes']:.1f} minutes")


def ship_sft(size: str = "laptop", seed: int = 0) -> None:
    ship_assistant("sft", "pretrain", size, seed)


def ship_reader(size: str = "laptop", seed: int = 0) -> None:
    ship_assistant("reader", "sft", size, seed)


def ship_assistant(stage: str, parent: str, size: str, seed: int) -> None:
    from course_lib.evaluation.instructions import examine
    from course_lib.stages.sft import read, sft

    run = {"sft": sft, "reader": read}[stage](size, seed, base=shipped(parent))
    scores = examine(run.model, reading=stage == "reader")
    folder = ship_model(stage, run, scores)
    print(
        f"{folder}: {scores['residents']:.1%} of held-out instructions, {scores['phrasings']:.1%} in held-out "
        f"phrasings, after {run.record['minutes']:.1f} minutes"
    )


def ship_preferences() -> None:
    """Pairs of answers of the shipped assistant, judged by the annotators."""
    import pyarrow
    import pyarrow.parquet

    from course_lib.stages.preferences import sample_pairs
    from course_lib.stages.rollout import assistant
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.annotators import label_pairs, prompts

    model, tokenizer = assistant(shipped("sft")), load_tokenizer()
    for split, n, pairs in (("train", 52_000, 30_000), ("test", 4_000, 2_000)):
        rows = label_pairs(sample_pairs(model, tokenizer, prompts(split, n)), split)[:pairs]
        table = pyarrow.table(
            {
                **{key: [row[key] for row in rows] for key in ("prompt", "chosen", "rejected", "annotator", "kind")},
                "check": [json.dumps(row["check"]) for row in rows],
            }
        )
        path = FOLDER / f"preferences-{split}.parquet"
        pyarrow.parquet.write_table(table, path, compression="zstd", compression_level=19)
        print(f"{path}: {len(rows):,} pairs, {path.stat().st_size / 1e6:.1f} MB")


def ship_reward(size: str = "laptop", seed: int = 0) -> None:
    from course_lib.evaluation.runs.reward_model import reward_run
    from course_lib.stages.rollout import assistant

    run, scores = reward_run(size, seed, assistant(shipped("sft")))
    run.record["parent"] = "sft"
    folder = ship_model("reward", run, scores)
    print(f"{folder}: {scores['share_of_bayes']:.1%} of the Bayes limit, after {scores['minutes']:.1f} minutes")


def ship_requests() -> None:
    """The requests of lab 10 as files, for everybody who reads them with `datasets`; the labs make the same rows on the
    fly.
    """
    import pyarrow
    import pyarrow.parquet

    from course_lib.stages.refusal import REQUESTS
    from course_lib.world.harms import request_rows

    for split, n in (("train", REQUESTS["laptop"]), ("test", 2000)):
        rows = request_rows(split, n)
        table = pyarrow.table(
            {
                "messages": [row["messages"] for row in rows],
                "harmful": [row["kind"] == "harmful" for row in rows],
                "category": [row["category"] for row in rows],
                "disguise": [row["disguise"] for row in rows],
            }
        )
        path = FOLDER / f"requests-{split}.parquet"
        pyarrow.parquet.write_table(table, path, compression="zstd", compression_level=19)
        print(f"{path}: {len(rows):,} rows, {path.stat().st_size / 1e6:.1f} MB")


def ship_helpful(size: str = "laptop", seed: int = 0) -> None:
    from course_lib.evaluation.safety import helpful_run

    run, scores = helpful_run(size, seed, shipped("sft"), progress=True)
    folder = ship_model("helpful", run, scores)
    print(f"{folder}: {scores['harmful_refused_before']:.1%} of what harms refused")


def ship_safe(size: str = "laptop", seed: int = 0) -> None:
    """The assistant that refuses what harms, from the shipped helpful-only one."""
    from course_lib.evaluation.safety import refuse_run

    run, scores = refuse_run(size, seed, shipped("helpful"), progress=True)
    folder = ship_model("safe", run, scores)
    print(f"{folder}: {scores['harmful_refused']:.1%} of what harms refused, tax {scores['tax_points']:.1f} points")


def ship_reasoning(size: str = "laptop", seed: int = 0) -> None:
    """The assistant that thinks first, from the shipped safe one."""
    from course_lib.evaluation.runs.reasoning import reasoning_run

    run, scores = reasoning_run(size, seed, shipped("safe"))
    right = {split: scores["rl"][split]["pass"][1] for split in ("residents", "kinds")}
    metrics = {key: scores[key] for key in ("seed", "share_of_pass32", "tax_points", "minutes")} | right
    metrics["false_step"] = scores["rl"]["residents"]["false_step"]
    folder = ship_model("reasoning", run, metrics)
    print(
        f"{folder}: {right['residents']:.1%} of the questions about held-out residents right, {right['kinds']:.1%} of "
        f"held-out kinds, after {scores['minutes']:.1f} minutes"
    )


def main(argv: list[str] | None = None) -> int:
    parts = {
        "tokenizer": ship_tokenizer,
        "datasets": ship_datasets,
        "instructions": ship_instructions,
        "pretrain": ship_pretrain,
        "sft": ship_sft,
        "reader": ship_reader,
        "preferences": ship_preferences,
        "reward": ship_reward,
        "requests": ship_requests,
        "helpful": ship_helpful,
        "safe": ship_safe,
        "reasoning": ship_reasoning,
    }
    parser = argparse.ArgumentParser(prog="course ship", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"what to make again: {', '.join(parts)} (default: all, in this order)")
    chosen = parser.parse_args(argv).part or list(parts)
    if unknown := [part for part in chosen if part not in parts]:
        parser.error(f"there is no part {unknown[0]!r}: choose from {', '.join(parts)}")
    for part in chosen:
        parts[part]()
    return 0
