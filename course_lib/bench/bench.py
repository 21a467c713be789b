"""`course bench NAME [--json]`: the figures of docs/results, measured. Machines drift, so each bench measures this
machine's own fp32 matmul rate in the same run and prints it beside its figures.
"""

import argparse
import contextlib
import importlib
import json
import sys

# {name: (module whose bench_NAME(arguments) gives {key: figure}, imported when it runs; what it measures, how long)}
# fmt: off
BENCHES = {
    "pretrain": ("training",
        "gap to the entropy over seeds, training cost, and what throughput measures (~ 40 minutes)"),
    "throughput": ("throughput",
        "tokens/s against the matmul rate, the HF Trainer and generate; of sampling --against REV, too (~ 3 minutes)"),
    "data": ("training",
        "lab 01's cleaning against the truth, and a model trained on the raw and on the cleaned crawl (~ 15 minutes)"),
    "sft": ("training",
        "held-out instructions done right after lab 03's fine-tuning, and what it forgets, over seeds (~ 20 minutes)"),
    "lora": ("training",
        "lab 04's adapters: full, LoRA, QLoRA on the same rows; shares, bytes, what each forgets (~ 20 minutes)"),
    "retrieval": ("training",
        "lab 05's five ways of answering on every day; each seed another draw of questions (~ 10 minutes)"),
    "reward": ("alignment",
        "lab 06's reward model against the Bayes limit on held-out residents, over seeds (~ 15 minutes)"),
    "rlhf": ("alignment",
        "PPO and GRPO against the reward-KL frontier; over-optimisation and collapse, over seeds (~ 40 minutes)"),
    "dpo": ("alignment", "DPO, IPO and KTO on recorded labels against the same frontier, over seeds (~ 20 minutes)"),
    "safety": ("alignment",
        "lab 10's refusals on held-out categories: harmful and benign refused, tax, over seeds (~ 25 minutes)"),
    "constitution": ("alignment",
        "lab 09's supervised phase: requests of known categories done right, over seeds (~ 15 minutes)"),
    "release": ("alignment",
        "lab 11's capstone with the solution's mix: the three axes on fresh exams, over seeds (~ 20 minutes)"),
    "reasoning": ("alignment",
        "lab 12's recipe: pass@k at once, after the cold start and after RL on a checker, over seeds (~ 30 minutes)"),
    "chain": ("chain",
        "this build beside the older --against REV, by turns: each phase's seconds, memory, figure (~ 2 hours)"),
    "real": ("real_memory",
        "the labs' parts on the real model, beside REV too: peak of memory, seconds (~ 10 minutes a build)"),
    "gpu": ("gpu",
        "size gpu on this card, the whole tour: minutes, memory, tokens/s, MFU, distance to limits (~ an hour, T4)"),
    "plan": ("gpu", "size gpu on paper: steps, FLOP, operations, memory of each stage, counted here (~ 10 minutes)"),
    "grade": ("grading",
        "seconds a submission, cold and warm; nbgrader and otter; a class of 300 and its memory (~ 20 minutes)"),
    "class": ("classes.against",
        "a class of --students graded by this build and the older --against REV, by turns; imports (~ 14 minutes)"),
    "attacks": ("grading",
        "93 kinds of bad submissions, variants drawn from a seed of the day: points, leaks, costs (~ 12 minutes)"),
    "likeness": ("likeness",
        "the flag of similar models on 5 honest ones a stage and 7 ways to hide a copy: both errors (~ 12 minutes)"),
    "honest": ("honest",
        "364 honest notebooks of all labs, graded: how many are flagged, points that they lost (~ 20 minutes)"),
    "cases": ("cases",
        "honest hand-ins and class files: as expected, points lost, grades in a wrong row (~ 3 minutes)"),
    "labs": ("labs",
        "how long a student waits in each lab: its solution, run on two threads (~ 2 hours)"),
    "page": ("page",
        "the site's try.html in Chromium: ready, tokens/s beside PyTorch, equal to it (~ 3 minutes, after make site)"),
    "questions": ("grading",
        "wrong answers: caught, points kept, named; right ones accepted; rules that a case decides (~ 4 minutes)"),
}
# fmt: on


def measure(name: str, arguments: argparse.Namespace) -> dict:
    """{key: figure} of a bench. `arguments`: size, seeds, json (True: no progress bars); of chain what it adds."""
    return getattr(importlib.import_module(f"course_lib.bench.{BENCHES[name][0]}"), f"bench_{name}")(arguments)


def main(argv: list[str] | None = None) -> int:
    table = "\n".join(f"  {name:12} {what}" for name, (_, what) in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="course bench", description=f"{__doc__}\n{table}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    parser.add_argument("--size", choices=("tiny", "laptop", "gpu"), help="default: laptop; of gpu and plan: gpu")
    parser.add_argument("--seeds", type=int, help="default: 5; of chain: 2")
    parser.add_argument("--seed", type=int, help="attacks: what the variants are drawn from (default: the day's date)")
    folder = "cases: inputs of others, run as well; likeness: where models are kept, and those there measured again"
    parser.add_argument("--folder", metavar="DIR", help=folder)
    chain = parser.add_argument_group("chain, class, real, throughput")
    chain.add_argument("--against", metavar="REV", help="the build to compare with: a commit, a tag or a branch")
    chain.add_argument("--students", type=int, default=300, help="of class; default: 300")
    chain.add_argument("--jobs", type=int, default=2, help="of class: submissions at a time; default: 2")
    chain.add_argument("--phases", metavar="A,B", help="default: all phases of the tour")
    out = "chain, labs, and benches over seeds: where runs are kept, and not run again (chain: in the work folder)"
    parser.add_argument("--out", metavar="FOLDER", help=out)
    arguments = parser.parse_args(argv)
    arguments.seeds = arguments.seeds or (2 if arguments.name == "chain" else 5)
    arguments.size = arguments.size or ("gpu" if arguments.name in ("gpu", "plan") else "laptop")
    with contextlib.redirect_stdout(sys.stderr):
        result = measure(arguments.name, arguments)
    if arguments.json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            print(f"{key:28} {value:.4g}" if isinstance(value, float) else f"{key:28} {value}")
    return 0
