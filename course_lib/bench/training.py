"""Benches of labs 01 to 05: cleaning, pre-training, fine-tuning, adapters, retrieval."""

import statistics

from course_lib.bench.runs import over_seeds, spread, summary
from course_lib.bench.throughput import throughput
from course_lib.evaluation.instructions import examine
from course_lib.evaluation.runs import raw_or_cleaned
from course_lib.evaluation.runs.adapters import compare
from course_lib.evaluation.ways import cell, measure, outdated
from course_lib.platform import matmul_rate
from course_lib.stages.artifacts import load_stage
from course_lib.stages.injection import inject, news_rows
from course_lib.stages.pretrain import pretrain
from course_lib.stages.retrieval import WAYS
from course_lib.stages.sft import sft
from course_lib.stages.tokenizer import load_tokenizer


def bench_data(arguments) -> dict:
    return raw_or_cleaned.bench_data(arguments.size, arguments.seeds, progress=not arguments.json)


def bench_pretrain(arguments) -> dict:
    records = []

    def measured(seed):
        record = pretrain(arguments.size, seed, progress=not arguments.json).record
        records.append(record)
        return {
            "seed": seed,
            "gap_percent": record["metrics"]["gap_percent"],
            "minutes": record["minutes"],
            "tflop": 6 * record["parameters"] * record["tokens"] / 1e12,
            "matmul_gflops": matmul_rate(),
        }

    runs = over_seeds(arguments, measured, "gap {gap_percent:.2f} %, {minutes:.1f} minutes".format_map)
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "gap_percent", worst=max),
        "train_tflop": max(run["tflop"] for run in runs),
        "train_minutes_median": statistics.median(run["minutes"] for run in runs),
        "parameters": records[-1]["parameters"],
        "tokens": records[-1]["tokens"],
        "entropy": records[-1]["metrics"]["entropy"],
        "runs": runs,
        **throughput(arguments.size),
    }


def bench_sft(arguments) -> dict:
    def measured(seed):
        run = sft(arguments.size, seed, progress=not arguments.json)
        kept = {key: run.record[key] for key in ("minutes", "tokens")}
        return {"seed": seed, **examine(run.model), **kept, "matmul_gflops": matmul_rate()}

    words = "{residents:.1%} of held-out instructions, {phrasings:.1%} in held-out phrasings, {minutes:.1f} minutes"
    runs = over_seeds(arguments, measured, words.format_map)
    return summary(arguments, runs, spread(runs, "residents", "phrasings"))


def bench_lora(arguments) -> dict:
    runs = over_seeds(
        arguments,
        lambda seed: {"seed": seed, **compare(arguments.size, seed, progress=not arguments.json)},
        "LoRA {lora_of_full:.1%} and QLoRA {qlora_of_full:.1%} of full fine-tuning's score".format_map,
    )
    figures = {
        **spread(runs, "lora_of_full", "qlora_of_full"),
        "trained_share": runs[0]["lora"]["share"],
        "qlora_base_bytes_of_bf16": runs[0]["qlora"]["base_bytes_of_bf16"],
    }
    return summary(arguments, runs, figures)


def bench_retrieval(arguments) -> dict:
    """One reader (stage "reader") and one injection a seed; `changed`, `again`: questions whose answer changed once,
    several times.
    """
    assistant = load_stage("reader").model

    def measured(seed):
        injected = inject(assistant, news_rows(1), arguments.size, seed, progress=not arguments.json)
        models = {way: injected.model if "LoRA" in way else assistant for way in WAYS}
        table = measure(models, load_tokenizer(), each=100, seed=f"bench {seed}")
        cells = {
            f"day {day} {kind}": cell(table, "RAG", day, kind) for day in (1, 2, 3) for kind in ("changed", "again")
        }
        rag = {name: share for name, share in cells.items() if share is not None}
        return {
            "seed": seed,
            "rag_changed": min(rag.values()),
            "rag": rag,
            "injected_stale_day_3": outdated(table, "LoRA", 3),
            "closed_book_old_day_0": cell(table, "closed book", 0, "old"),
            "closed_book_stale_day_3": outdated(table, "closed book", 3),
            "minutes": injected.record["minutes"],
            "table": table,
        }

    words = (
        "RAG at least {rag_changed:.1%} on changed facts; injected on day 1, {injected_stale_day_3:.0%} stale on day 3"
    )
    runs = over_seeds(arguments, measured, words.format_map)
    keys = ("rag_changed", "injected_stale_day_3", "closed_book_old_day_0", "closed_book_stale_day_3")
    return {"size": arguments.size, "seeds": len(runs), **spread(runs, *keys), "runs": runs}
