"""Benches of labs 06 to 12: reward model, RLHF, direct alignment, constitution, refusals, release, reasoning."""

import statistics

from course_lib.bench.runs import over_seeds, spread, summary
from course_lib.evaluation import release
from course_lib.evaluation.runs.direct import dpo_run
from course_lib.evaluation.runs.reasoning import reasoning_run
from course_lib.evaluation.runs.reward_model import reward_run
from course_lib.evaluation.runs.rlhf import rlhf_run
from course_lib.evaluation.safety import constitution_run, safety_run
from course_lib.platform import ROOT
from course_lib.stages.artifacts import load_stage


def bench_reward(arguments) -> dict:
    runs = over_seeds(
        arguments,
        lambda seed: reward_run(arguments.size, seed, progress=not arguments.json)[1],
        "{share_of_bayes:.1%} of the Bayes limit, {minutes:.1f} minutes".format_map,
    )
    return summary(arguments, runs, spread(runs, "share_of_bayes"))


def bench_rlhf(arguments) -> dict:
    ways = ("grpo", "ppo")

    def words(run):
        return ", ".join(f"{way} {run[way]['share']:.0%} of the frontier at {run[way]['kl']:.2f} nats" for way in ways)

    runs = over_seeds(arguments, lambda seed: rlhf_run(arguments.size, seed, progress=not arguments.json), words)
    figures = {}
    for way in ways:
        figures |= spread([{f"{way}_share": run[way]["share"]} for run in runs], f"{way}_share")
    figures["over_optimised"] = sum(run["over_optimisation"]["turned"] for run in runs)
    figures["collapsed"] = sum(run["collapse"]["collapsed"] for run in runs)
    return summary(arguments, runs, figures)


def bench_dpo(arguments) -> dict:
    ways_of = lambda run: [way for way in run if way != "seed"]

    def words(run):
        return ", ".join(f"{way} {run[way]['utility']:.2f} at {run[way]['kl']:.2f} nats" for way in ways_of(run))

    runs = over_seeds(arguments, lambda seed: dpo_run(arguments.size, seed, progress=not arguments.json), words)
    figures = {
        f"{way}_{key}_median": statistics.median(run[way][key] for run in runs)
        for way in ways_of(runs[0])
        for key in ("utility", "kl", "share", "ranked", "judged", "tflop")
    }
    return summary(arguments, runs, figures)


def bench_safety(arguments) -> dict:
    words = (
        "{harmful_refused:.1%} of what harms refused, {benign_refused:.1%} of what does not, tax {tax_points:.1f} "
        "points, {minutes:.1f} minutes"
    )
    measured = lambda seed: safety_run(arguments.size, seed, progress=not arguments.json)
    runs = over_seeds(arguments, measured, words.format_map)
    figures = spread(runs, "harmful_refused") | spread(runs, "benign_refused", "tax_points", worst=max)
    return summary(arguments, runs, figures)


def bench_constitution(arguments) -> dict:
    words = (
        "{right:.1%} right, {harmful_refused:.1%} of what harms refused, {benign_refused:.1%} of what does not, "
        "{minutes:.1f} minutes"
    )
    measured = lambda seed: constitution_run(arguments.size, seed, progress=not arguments.json)
    runs = over_seeds(arguments, measured, words.format_map)
    return summary(arguments, runs, spread(runs, "right"))


def solution_of(lab: str, name: str):
    """The function that the solution of an exercise defines, from solutions/LAB.py."""
    source = (ROOT / "solutions" / f"{lab}.py").read_text()
    names = {}
    exec(source.split(f"# EXERCISE {name}\n")[1].split("\n# %%")[0], names)
    return names[name]


def bench_release(arguments) -> dict:
    size, budget = arguments.size, release.BUDGET[arguments.size]
    plan = solution_of("11_evaluation_and_release", "release_mix")(budget, release.prices())
    each = 20 if size == "tiny" else release.EACH

    def measured(seed):
        assistant = load_stage("sft").model
        run = release.spend(assistant, plan, budget, 2.5e-3, size, seed, progress=not arguments.json)
        taken = release.take(run.model, release.exam(f"bench {seed}", each))
        return {"seed": seed, **release.axes(taken), "minutes": run.record["minutes"]}

    words = (
        "helpful {helpful:.3f} × harmless {harmless:.3f} × truthful {truthful:.3f} = {score:.3f}, {minutes:.1f} minutes"
    )
    runs = over_seeds(arguments, measured, words.format_map)
    return summary(arguments, runs, spread(runs, "score", *release.AXES))


def bench_reasoning(arguments) -> dict:
    def words(run):
        shares = (run[step]["residents"]["pass"][1] for step in ("before", "cold", "rl"))
        return "right at once, after the cold start, after RL: {:.1%}, {:.1%}, {:.1%}".format(*shares)

    measured = lambda seed: reasoning_run(arguments.size, seed, progress=not arguments.json)[1]
    runs = over_seeds(arguments, measured, words)
    figures = {}
    for step in ("before", "cold", "rl"):
        for split in ("residents", "kinds"):
            key = f"{step}_{split}"
            figures |= spread([{key: run[step][split]["pass"][1]} for run in runs], key)
    false = [{"false_step": run["rl"][split]["false_step"]} for run in runs for split in ("residents", "kinds")]
    figures |= spread(runs, "share_of_pass32") | spread(false, "false_step", worst=max)
    figures |= spread(runs, "tax_points", "rl_minutes", "peak_gb", worst=max)
    return summary(arguments, runs, figures)
