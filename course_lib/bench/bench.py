"""`course bench NAME [--json]`: the figures that README shows, measured. Machines drift, so each bench measures this
machine's own fp32 matmul rate in the same run and prints it beside its figures.

  pretrain    gap to the entropy over seeds, training cost, throughput against the matmul rate and the HF Trainer   (~
              40 minutes)
  throughput  the last two only                                                                                     (~ 2
              minutes)
  data        lab 01's cleaning against the truth, and a model trained on the raw and on the cleaned crawl
              (~ 15 minutes)
  sft         share of held-out instructions done right after lab 03's fine-tuning, minutes, and what it forgets, over
              seeds  (~ 20 minutes)
  lora        lab 04's adapters: full fine-tuning, LoRA, QLoRA on the same rows; shares, bytes, what each forgets
              (~ 20 minutes)
  reward      lab 06's reward model against the Bayes limit on held-out residents, over seeds
              (~ 15 minutes)
  rlhf        PPO and GRPO against the reward-KL frontier; over-optimisation and collapse, over seeds
              (~ 40 minutes)
  dpo         DPO, IPO and KTO on recorded labels against the same frontier, over seeds
              (~ 20 minutes)
  safety      lab 10's refusals on held-out categories: harmful and benign refused, alignment tax, over seeds
              (~ 25 minutes)
  constitution   lab 09's supervised phase: requests of the known categories done right, over seeds
                 (~ 15 minutes)
  release     lab 11's capstone with the solution's mix: helpful × harmless × truthful on fresh exams, over seeds
              (~ 20 minutes)
  retrieval   lab 05's five ways of answering on every day; each seed another draw of questions                      (~
              10 minutes)
  gpu         size gpu on this card, the whole tour: minutes, peak memory, tokens/s, MFU, the distance to each limit
              (a GPU, ~ an hour on a T4)
  plan        size gpu on paper: steps, FLOP, operations and memory of each stage, counted on this CPU
              (~ 10 minutes)
  grade       seconds a submission, cold and warm; throughput against nbgrader and otter; a class of 300 of lab 04 and a
              worker's memory   (~ 20 minutes)
  attacks     the 64 bad submissions: as expected, points that nobody deserved, points that somebody lost
              (~ 3 minutes)
  questions   wrong answers caught and right alternatives accepted, all questions
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace

from course_lib.platform import ROOT, matmul_rate

WARM = 10  # first steps of a run that are not timed: threads start, memory is touched for the first time


def trainer_tokens_per_second(config, ids: list[list[int]], steps: int) -> float:
    """LlamaForCausalLM under the plain HF Trainer: same model, same number of documents a step, fp32, AdamW."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from course_lib.stages.model import Llama, to_transformers
    from course_lib.stages.pretrain import collate

    per_step = len(ids) // steps

    def collator(rows):
        batch = collate([row["ids"] for row in rows])
        return {
            "input_ids": batch,
            "attention_mask": (batch != 0).long(),
            "labels": batch.masked_fill(batch == 0, -100),
        }

    class Clock(TrainerCallback):
        at = {}

        def on_step_end(self, arguments, state, control, **kwargs):
            self.at[state.global_step] = time.perf_counter()

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
        trainer = Trainer(
            model=to_transformers(Llama(config.model)),
            args=arguments,
            train_dataset=[{"ids": row} for row in ids],
            data_collator=collator,
            callbacks=[Clock()],
        )
        trainer.train()
    tokens = (steps - WARM) * per_step * statistics.mean(len(row) - 1 for row in ids)
    return tokens / (Clock.at[steps] - Clock.at[WARM])


def flop_per_token(config, length: float) -> float:
    """Training FLOP of one token, forward and backward: 6 a parameter, and 6 · layers · hidden · T for the products of
    causal
    attention at sequence length T (half of PaLM's 12, appendix B, as only the past is looked at)."""
    from course_lib.stages.model import Llama

    return 6 * Llama(config.model).parameter_count() + 6 * config.model.layers * config.model.hidden * length


def throughput(size: str, rounds: int = 3, steps: int = 60) -> dict:
    """Our loop, the HF Trainer and the matmul rate, in turns; medians over the rounds."""
    from course_lib.stages.pretrain import PRESETS, pretrain
    from course_lib.stages.tokenizer import encode_documents, load_tokenizer
    from course_lib.world import pretrain_rows

    preset = PRESETS[size]
    ids = encode_documents(load_tokenizer(), [row["text"] for row in pretrain_rows("train", 1000)])
    length = statistics.mean(len(row) for row in ids)
    config = replace(preset, documents=round(steps * preset.batch / length), validations=0)
    ids = encode_documents(load_tokenizer(), [row["text"] for row in pretrain_rows("train", config.documents)])
    rounds_of = []
    for _ in range(rounds):
        rate = matmul_rate()
        history = pretrain(config=config, progress=False).history
        ours = (history[-1]["tokens"] - history[WARM]["tokens"]) / (history[-1]["seconds"] - history[WARM]["seconds"])
        rate = (rate + matmul_rate()) / 2
        theirs = trainer_tokens_per_second(config, ids, steps)
        rounds_of.append(
            {
                "matmul_gflops": rate,
                "tokens_per_second": ours,
                "trainer_tokens_per_second": theirs,
                "matmul_share": flop_per_token(config, length) * ours / 1e9 / rate,
                "vs_hf_trainer": ours / theirs,
            }
        )
    return {key: statistics.median(r[key] for r in rounds_of) for key in rounds_of[0]}


def bench_throughput(arguments) -> dict:
    return {"size": arguments.size, **throughput(arguments.size)}


def bench_pretrain(arguments) -> dict:
    from course_lib.stages.pretrain import pretrain

    runs = []
    for seed in range(arguments.seeds):
        record = pretrain(arguments.size, seed, progress=not arguments.json).record
        runs.append(
            {
                "seed": seed,
                "gap_percent": record["metrics"]["gap_percent"],
                "minutes": record["minutes"],
                "tflop": 6 * record["parameters"] * record["tokens"] / 1e12,
                "matmul_gflops": matmul_rate(),
            }
        )
        print(f"seed {seed}: gap {runs[-1]['gap_percent']:.2f} %, {record['minutes']:.1f} minutes", file=sys.stderr)
    gaps = [run["gap_percent"] for run in runs]
    return {
        "size": arguments.size,
        "seeds": len(runs),
        "gap_percent_median": statistics.median(gaps),
        "gap_percent_worst": max(gaps),
        "train_tflop": max(run["tflop"] for run in runs),
        "train_minutes_median": statistics.median(run["minutes"] for run in runs),
        "parameters": record["parameters"],
        "tokens": record["tokens"],
        "entropy": record["metrics"]["entropy"],
        "runs": runs,
        **throughput(arguments.size),
    }


def spread(runs: list[dict], *keys: str) -> dict:
    """Median and worst (the lowest) over the runs, of each key."""
    return {
        f"{key}_{name}": of(run[key] for run in runs)
        for key in keys
        for name, of in (("median", statistics.median), ("worst", min))
    }


def over_seeds(arguments, measure, words) -> list[dict]:
    """[measure(seed)] of all seeds; words(run) is printed as each is done."""
    runs = []
    for seed in range(arguments.seeds):
        runs.append(measure(seed))
        print(f"seed {seed}: {words(runs[-1])}", file=sys.stderr)
    return runs


def bench_sft(arguments) -> dict:
    from course_lib.stages.sft import sft

    runs = []
    for seed in range(arguments.seeds):
        run = sft(arguments.size, seed, progress=not arguments.json)
        runs.append(
            {
                "seed": seed,
                **examine(run.model),
                "minutes": run.record["minutes"],
                "tokens": run.record["tokens"],
                "matmul_gflops": matmul_rate(),
            }
        )
        print(
            f"seed {seed}: {runs[-1]['residents']:.1%} of held-out instructions, {runs[-1]['phrasings']:.1%} in "
            f"held-out phrasings, {runs[-1]['minutes']:.1f} minutes",
            file=sys.stderr,
        )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "residents", "phrasings"),
        "minutes_median": statistics.median(run["minutes"] for run in runs),
        "runs": runs,
    }


def bench_data(arguments) -> dict:
    from course_lib.evaluation import raw_or_cleaned

    return raw_or_cleaned.bench_data(arguments.size, arguments.seeds, progress=not arguments.json)


def bench_lora(arguments) -> dict:
    from course_lib.evaluation.adapters import compare

    runs = []
    for seed in range(arguments.seeds):
        runs.append({"seed": seed, **compare(arguments.size, seed, progress=not arguments.json)})
        print(
            f"seed {seed}: LoRA {runs[-1]['lora_of_full']:.1%} and QLoRA {runs[-1]['qlora_of_full']:.1%} of full "
            "fine-tuning's score",
            file=sys.stderr,
        )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "lora_of_full", "qlora_of_full"),
        "trained_share": runs[0]["lora"]["share"],
        "qlora_base_bytes_of_bf16": runs[0]["qlora"]["base_bytes_of_bf16"],
        "runs": runs,
    }


def bench_retrieval(arguments) -> dict:
    """One reader (stage "reader") and one injection a seed; `changed`, `again`: questions whose answer changed once,
    several times.
    """
    from course_lib.evaluation.ways import cell, measure, outdated
    from course_lib.stages.artifacts import load_stage
    from course_lib.stages.injection import inject, news_rows
    from course_lib.stages.retrieval import WAYS
    from course_lib.stages.tokenizer import load_tokenizer

    assistant, runs = load_stage("reader").model, []
    for seed in range(arguments.seeds):
        injected = inject(assistant, news_rows(1), arguments.size, seed, progress=not arguments.json)
        table = measure(
            {way: injected.model if "LoRA" in way else assistant for way in WAYS},
            load_tokenizer(),
            each=100,
            seed=f"bench {seed}",
        )
        rag = {
            f"day {day} {kind}": cell(table, "RAG", day, kind)
            for day in (1, 2, 3)
            for kind in ("changed", "again")
            if cell(table, "RAG", day, kind) is not None
        }
        runs.append(
            {
                "seed": seed,
                "rag_changed": min(rag.values()),
                "rag": rag,
                "injected_stale_day_3": outdated(table, "LoRA", 3),
                "closed_book_old_day_0": cell(table, "closed book", 0, "old"),
                "closed_book_stale_day_3": outdated(table, "closed book", 3),
                "minutes": injected.record["minutes"],
                "table": table,
            }
        )
        print(
            f"seed {seed}: RAG at least {runs[-1]['rag_changed']:.1%} on changed facts; injected on day 1, "
            f"{runs[-1]['injected_stale_day_3']:.0%} stale on day 3",
            file=sys.stderr,
        )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "rag_changed", "injected_stale_day_3", "closed_book_old_day_0", "closed_book_stale_day_3"),
        "runs": runs,
    }


def bench_reward(arguments) -> dict:
    from course_lib.evaluation.reward_model import reward_run

    runs = over_seeds(
        arguments,
        lambda seed: reward_run(arguments.size, seed, progress=not arguments.json)[1],
        "{share_of_bayes:.1%} of the Bayes limit, {minutes:.1f} minutes".format_map,
    )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "share_of_bayes"),
        "minutes_median": statistics.median(run["minutes"] for run in runs),
        "runs": runs,
    }


def bench_rlhf(arguments) -> dict:
    from course_lib.evaluation.rlhf import rlhf_run

    runs = []
    for seed in range(arguments.seeds):
        runs.append(rlhf_run(arguments.size, seed, progress=not arguments.json))
        print(
            f"seed {seed}: "
            + ", ".join(
                f"{name} {runs[-1][name]['share']:.0%} of the frontier at {runs[-1][name]['kl']:.2f} nats"
                for name in ("grpo", "ppo")
            ),
            file=sys.stderr,
        )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **{
            f"{name}_share_{key}": of(run[name]["share"] for run in runs)
            for name in ("grpo", "ppo")
            for key, of in (("median", statistics.median), ("worst", min))
        },
        "over_optimised": sum(run["over_optimisation"]["turned"] for run in runs),
        "collapsed": sum(run["collapse"]["collapsed"] for run in runs),
        "runs": runs,
    }


def bench_dpo(arguments) -> dict:
    from course_lib.evaluation.rlhf import dpo_run

    runs = []
    for seed in range(arguments.seeds):
        runs.append(dpo_run(arguments.size, seed, progress=not arguments.json))
        print(
            f"seed {seed}: "
            + ", ".join(
                f"{name} {way['utility']:.2f} at {way['kl']:.2f} nats"
                for name, way in runs[-1].items()
                if name != "seed"
            ),
            file=sys.stderr,
        )
    ways = [name for name in runs[0] if name != "seed"]
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **{
            f"{way}_{key}_median": statistics.median(run[way][key] for run in runs)
            for way in ways
            for key in ("utility", "kl", "share")
        },
        "runs": runs,
    }


def bench_safety(arguments) -> dict:
    from course_lib.evaluation.safety import safety_run

    runs = over_seeds(
        arguments,
        lambda seed: safety_run(arguments.size, seed, progress=not arguments.json)[2],
        "{harmful_refused:.1%} of what harms refused, {benign_refused:.1%} of what does not, tax {tax_points:.1f} "
        "points, {minutes:.1f} minutes".format_map,
    )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "harmful_refused"),
        **{
            f"{key}_{name}": of(run[key] for run in runs)
            for key in ("benign_refused", "tax_points")
            for name, of in (("median", statistics.median), ("worst", max))
        },
        "minutes_median": statistics.median(run["minutes"] for run in runs),
        "runs": runs,
    }


def bench_constitution(arguments) -> dict:
    from course_lib.evaluation.safety import constitution_run

    runs = over_seeds(
        arguments,
        lambda seed: constitution_run(arguments.size, seed, progress=not arguments.json),
        "{right:.1%} right, {harmful_refused:.1%} of what harms refused, {benign_refused:.1%} of what does not, "
        "{minutes:.1f} minutes".format_map,
    )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "right"),
        "minutes_median": statistics.median(run["minutes"] for run in runs),
        "runs": runs,
    }


def solution_of(lab: str, name: str):
    """The function that the solution of an exercise defines, from solutions/LAB.py."""
    source = (ROOT / "solutions" / f"{lab}.py").read_text()
    names = {}
    exec(source.split(f"# EXERCISE {name}\n")[1].split("\n# %%")[0], names)
    return names[name]


def bench_release(arguments) -> dict:
    from course_lib.evaluation import release
    from course_lib.stages.artifacts import load_stage

    budget = release.BUDGET[arguments.size]
    plan = solution_of("11_evaluation_and_release", "release_mix")(budget, release.prices())

    def measure(seed):
        run = release.spend(
            load_stage("sft").model, plan, budget, 2.5e-3, arguments.size, seed, progress=not arguments.json
        )
        return {
            "seed": seed,
            **release.axes(
                release.take(run.model, release.exam(f"bench {seed}", 20 if arguments.size == "tiny" else release.EACH))
            ),
            "minutes": run.record["minutes"],
        }

    runs = over_seeds(
        arguments,
        measure,
        "helpful {helpful:.3f} × harmless {harmless:.3f} × truthful {truthful:.3f} = {score:.3f}, {minutes:.1f} minutes".format_map,
    )
    return {
        "size": arguments.size,
        "seeds": len(runs),
        **spread(runs, "score", *release.AXES),
        "minutes_median": statistics.median(run["minutes"] for run in runs),
        "runs": runs,
    }


def bench_questions(arguments) -> dict:
    sys.path.insert(0, str(ROOT))
    from tests.questions.tally import tally

    return tally()


def bench_grade(arguments) -> dict:
    """cold_s and warm_s first, while the machine is as it was found; then the two other graders on the same lab, then a
    class of 300.
    """
    from course_lib.bench.timing import cold_seconds, warm_seconds
    from course_lib.bench.timing_class import class_of
    from course_lib.bench.versus import versus

    return {**cold_seconds(), **warm_seconds(), **versus(), **class_of(300), "matmul_gflops": matmul_rate()}


def bench_attacks(arguments) -> dict:
    sys.path.insert(0, str(ROOT))
    from tests.grading.bad.report import attacks_report

    return attacks_report(say=lambda line: print(line, file=sys.stderr))


def bench_gpu(arguments) -> dict:
    from course_lib.bench import gpu as bench_gpu

    return bench_gpu.bench_gpu(arguments)


def bench_plan(arguments) -> dict:
    from course_lib.bench import gpu as bench_gpu

    return bench_gpu.bench_plan(arguments)


# fmt: off
BENCHES = {"pretrain": bench_pretrain, "throughput": bench_throughput, "data": bench_data, "sft": bench_sft,
    "lora": bench_lora, "retrieval": bench_retrieval, "reward": bench_reward, "rlhf": bench_rlhf, "dpo": bench_dpo,
    "safety": bench_safety, "constitution": bench_constitution,
           "release": bench_release, "gpu": bench_gpu, "plan": bench_plan, "grade": bench_grade,
               "attacks": bench_attacks, "questions": bench_questions}
# fmt: on


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="course bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    parser.add_argument("--size", choices=("tiny", "laptop", "gpu"), help="default: laptop; of gpu and plan: gpu")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args(argv)
    arguments.size = arguments.size or ("gpu" if arguments.name in ("gpu", "plan") else "laptop")
    with contextlib.redirect_stdout(sys.stderr):
        result = BENCHES[arguments.name](arguments)
    if arguments.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:28} {value:.4g}" if isinstance(value, float) else f"{key:28} {value}")
    return 0
