"""`course bench likeness`: how often the flag "similar model" errs, both ways. Honest models are trained from other
seeds, on a part of a laptop's rows; each is then copied and hidden as people hide copies, and handed in to the class.

Of a part of the rows honest models end nearer to each other, and copies with noise further from theirs in proportion,
than of all rows: both rates are those of a harder case.
"""

import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from course_lib.evaluation.intervals import wilson
from course_lib.stages.artifacts import SHIPPED, save_stage
from course_lib.stages.lora import save_adapter_stage

SEED = "5" * 64
# share of a laptop's rows (steps, for rlhf) that each stage's models are trained on
SHARES = {
    "pretrain": 0.015,
    "sft": 0.04,
    "lora": 0.05,
    "injected": 1.0,
    "reward": 0.05,
    "dpo": 0.25,
    "rlhf": 0.2,
    "constitution": 0.05,
    "safe": 0.025,
    "release": 0.03,
    "reasoning": 0.05,
}
TINY_SHARE = 0.1  # of these, at --size tiny: to see that it runs


def trained(stage: str, seed: int, share: float):
    """The Run of an honest student of this seed, by the lab's own recipe."""
    from course_lib.evaluation import release
    from course_lib.evaluation.alignment import gold_reward
    from course_lib.stages import constitution, dpo, grpo, injection, lora, pretrain, reasoning, refusal, reward, sft
    from course_lib.stages.artifacts import load_stage
    from course_lib.stages.rollout import assistant
    from course_lib.world.annotators import preference_rows, prompts

    part = lambda n: max(1, round(share * n))
    fewer = lambda config: replace(config, examples=part(config.examples), replay=part(config.replay), validations=0)
    if stage == "pretrain":
        config = pretrain.PRESETS["laptop"]
        config = replace(config, documents=part(config.documents), validations=0)
        return pretrain.pretrain("laptop", seed, config=config, progress=False)
    if stage == "sft":
        config = fewer(sft.PRESETS["laptop"])
        rows = sft.task_rows("train", config.examples, "pretrain", sft.SHARES)
        rows += sft.pretrain_rows("train", config.replay)
        return sft.finetune(load_stage("pretrain").model, rows, config, seed, progress=False)
    if stage == "lora":
        return lora.lora(seed=seed, config=fewer(lora.PRESETS["laptop"]), progress=False)
    if stage == "injected":
        return injection.inject(load_stage("reader").model, injection.news_rows(1), seed=seed, epochs=1, progress=False)
    if stage in ("reward", "dpo"):
        made = reward if stage == "reward" else dpo
        config = replace(made.PRESETS["laptop"], rows=part(made.PRESETS["laptop"].rows))
        rows, base = preference_rows("train", config.rows), load_stage("sft").model
        if stage == "reward":
            return reward.train_reward(rows, config, base, seed, progress=False)
        return dpo.dpo(rows, config, assistant(base), seed, progress=False)
    if stage == "rlhf":
        asked, base = prompts("train", 4_000, f"bench {seed}"), assistant(load_stage("sft").model)
        config = replace(grpo.PRESETS["laptop"], steps=part(grpo.PRESETS["laptop"].steps))
        return grpo.grpo(gold_reward, asked, config, base, seed, progress=False)
    if stage == "constitution":
        model = load_stage("helpful").model
        asked = constitution.request_rows(
            "train", part(constitution.REQUESTS["laptop"]), f"constitution {seed}", constitution.SINGLE
        )
        rows = constitution.revised(asked, constitution.answered(model, asked), seed=seed)
        return constitution.learn(rows, "laptop", seed, model, progress=False)
    if stage == "safe":
        config = refusal.PRESETS["laptop"]
        config = replace(config, replay=part(config.replay), validations=0)
        rows = refusal.practice_rows(part(refusal.REQUESTS["laptop"]), f"refuse {seed}")
        tasks = part(refusal.TASKS["laptop"])
        return refusal.tune(rows, tasks, "laptop", config, seed, None, "helpful", "refuse", {"progress": False})
    if stage == "reasoning":
        tasks, requests, documents = map(part, reasoning.BESIDE["laptop"])
        config = replace(reasoning.PRESETS["laptop"], replay=documents, validations=0)
        rows = reasoning.READ * reasoning.villagers_rows(part(reasoning.CHAINS["laptop"]), seed)
        rows += refusal.practice_rows(requests, f"chains {seed}")
        cold = refusal.tune(rows, tasks, "laptop", config, seed, None, "safe", "cold start", {"progress": False})
        steps = replace(reasoning.RL_PRESETS["laptop"], steps=part(reasoning.RL_PRESETS["laptop"].steps))
        return reasoning.reinforce(steps, assistant(cold.model.eval()), seed, progress=False)
    budget, division = part(release.BUDGET["laptop"]), {"tasks": 0.16, "harmful": 0.12, "twins": 0.12}
    division |= {"disguised": 0.45, "documents": 0.15}
    mix = {name: int(weight * budget / release.prices()[name]) for name, weight in division.items()}
    return release.spend(load_stage("sft").model, mix, budget, 2.5e-3, "laptop", seed, progress=False)


def save(stage: str, run, folder: Path):
    if stage == "lora":
        save_adapter_stage(run.model, run.record, folder=folder)
    else:
        save_stage(stage, run.model, run.record, folder)


def train_and_save(stage: str, seed: int, share: float, folder: str):
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # a process of its own: stdout is for the figures
        save(stage, trained(stage, seed, share), Path(folder, stage, str(seed)))


# ---- how copies are hidden: change(weights, record), in place -------------------------------------------------------


def other_order(weights: dict, record: dict):
    """Neurons of every MLP and heads of every attention in another order: the same function in other weights."""
    draw, config = torch.Generator().manual_seed(1), record["model"]
    head = config["hidden"] // config["heads"]

    def rows(place, order):
        for name in (f"{place}.weight", f"{place}.lora_B.weight"):
            if name in weights:
                weights[name] = weights[name][order].contiguous()

    def columns(place, order):
        for name in (f"{place}.weight", f"{place}.lora_A.weight"):
            if name in weights:
                weights[name] = weights[name][:, order].contiguous()

    for i in range(config["layers"]):
        at = f"model.layers.{i}."
        order = torch.randperm(config["intermediate"], generator=draw)
        rows(f"{at}mlp.gate_proj", order), rows(f"{at}mlp.up_proj", order), columns(f"{at}mlp.down_proj", order)
        turned = torch.randperm(config["heads"], generator=draw)
        heads = torch.cat([torch.arange(h * head, (h + 1) * head) for h in turned.tolist()])
        for name in "qkv":
            rows(f"{at}self_attn.{name}_proj", heads)
        columns(f"{at}self_attn.o_proj", heads)


def noisy(share: float):
    """Noise of that share of each tensor's own spread."""

    def change(weights: dict, record: dict):
        draw = torch.Generator().manual_seed(2)
        for name, t in weights.items():
            spread = float(t.float().std()) if t.numel() > 1 else 0.0
            weights[name] = (t.float() + torch.randn(t.shape, generator=draw) * spread * share).to(t.dtype)

    return change


def other_dtype(weights: dict, record: dict):
    for name, t in weights.items():
        weights[name] = t.bfloat16() if t.dtype == torch.float32 else t.float()


def warmer(weights: dict, record: dict):
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.3


HIDING = {
    "another order of neurons and heads": other_order,
    "noise of one per cent": noisy(0.01),
    "noise of three per cent": noisy(0.03),
    "noise of five per cent": noisy(0.05),
    "another dtype": other_dtype,
    "padded metadata": lambda weights, record: record.update(note="x" * 100_000),
    "a temperature": warmer,
}


# ---- the rates ------------------------------------------------------------------------------------------------------


def sketch_of(folder: Path, stage: str, change=None) -> str:
    """The sketch that grading makes of a model, after `change`."""
    from course_lib.grading.reading import likeness, models
    from course_lib.stages.artifacts import read_tensors, write_tensors

    with tempfile.TemporaryDirectory() as place:
        if change:
            weights, record = read_tensors(folder / "model.safetensors")
            change(weights, record)
            folder = Path(place, "hidden")
            write_tensors(folder / "model.safetensors", weights, record)
        clean = models.rewritten(models.check_model(folder, stage), Path(place, "clean"))
        return likeness.sketch(clean, stage, SEED)


def evidence(stage: str, sketches: dict[str, str]) -> dict[str, list[str]]:
    """{who: what the flags say}: those of a class's comparison, and of each one's with the shipped model."""
    from course_lib.grading.reading import likeness

    rows = [{"student": who, "members": [], "result": {"sketches": {stage: text}}} for who, text in sketches.items()]
    found = likeness.among(rows, SEED)
    alone = {who: likeness.with_shipped(text, stage, SEED) for who, text in sketches.items()}
    return {who: [flag["evidence"] for flag in flags + alone[who]] for who, flags in found.items()}


def flagged(stage: str, sketches: dict[str, str]) -> set[tuple[str, str]]:
    """The pairs of a class that are flagged, by the grader's own comparison."""
    found, pairs = evidence(stage, sketches), itertools.combinations(sorted(sketches), 2)
    names = lambda who, other: any(f"the model of {other} " in words for words in found[who])
    return {(a, b) for a, b in pairs if names(a, b) or names(b, a)}


def like_shipped(stage: str, sketches: dict[str, str]) -> set[str]:
    """Those of a class who are flagged as the model that comes with the course."""
    return {who for who, said in evidence(stage, sketches).items() if any("the shipped model" in s for s in said)}


def of_stage(stage: str, folders: list[Path]) -> dict:
    """The counts of one stage, its honest models given, and what the nearest honest pair and the farthest copy have in
    common.
    """
    from course_lib.grading.reading import likeness

    honest = {f"student {folder.name}": sketch_of(folder, stage) for folder in folders}
    wrong = flagged(stage, honest)
    own = SHIPPED / stage
    shipped = {"copies": 0, "missed": []}
    near = lambda a, b: likeness.cosine(a, b)
    farthest, missed, others = {}, [], 0
    for way, change in HIDING.items():
        for folder in folders:
            source, hidden = f"student {folder.name}", sketch_of(folder, stage, change)
            farthest[way] = min(farthest.get(way, 1.0), near(honest[source], hidden))
            pairs = {pair for pair in flagged(stage, honest | {"the copy": hidden}) if "the copy" in pair}
            if (source, "the copy") not in {tuple(sorted(pair)) for pair in pairs}:
                missed.append(way)
            others += sum(source not in pair for pair in pairs)
        if own.is_dir():
            shipped["copies"] += 1
            if "the copy" not in like_shipped(stage, honest | {"the copy": sketch_of(own, stage, change)}):
                shipped["missed"].append(way)
    pairs, copies = len(folders) * (len(folders) - 1) // 2, len(folders) * len(HIDING)
    return {
        "honest_pairs": pairs,
        "honest_flagged": len(wrong),
        "honest_like_shipped": len(like_shipped(stage, honest)),
        "copies": copies,
        "copies_missed": len(missed),
        "copies_like_others": others,
        "copies_of_shipped": shipped["copies"],
        "copies_of_shipped_missed": shipped["missed"],
        "missed": sorted(set(missed)),
        "nearest_honest": max(near(a, b) for a, b in itertools.combinations(honest.values(), 2)),
        "farthest_copy": farthest,
    }


def interval(wrong: int, n: int) -> list[float]:
    return [round(bound, 4) for bound in wilson(wrong, n)]


def bench_likeness(arguments) -> dict:
    with tempfile.TemporaryDirectory() as place:
        folder = arguments.folder or place  # models that lie there are measured again
        jobs = [(stage, seed) for seed in range(1, arguments.seeds + 1) for stage in SHARES]
        jobs = [job for job in jobs if not Path(folder, job[0], str(job[1]), "model.safetensors").exists()]
        spawn, scale = multiprocessing.get_context("spawn"), TINY_SHARE if arguments.size == "tiny" else 1.0
        with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), spawn) as pool:
            done = {pool.submit(train_and_save, *job, scale * SHARES[job[0]], folder): job for job in jobs}
            for number, future in enumerate(concurrent.futures.as_completed(done)):
                future.result()
                print(f"{number + 1} of {len(jobs)} trained: {done[future][0]}", file=sys.stderr)
        stages = {}
        for stage in SHARES:
            stages[stage] = of_stage(stage, [Path(folder, stage, str(k)) for k in range(1, arguments.seeds + 1)])
            told = "{honest_flagged} of {honest_pairs} honest pairs flagged, {copies_missed} of {copies} copies missed"
            print(f"{stage}: {told.format_map(stages[stage])}", file=sys.stderr)
    total = lambda key: sum(found[key] for found in stages.values())
    made = {key: total(key) for key in ("honest_pairs", "honest_flagged", "copies", "copies_missed")}
    made["honest_like_shipped"] = total("honest_like_shipped")
    made["copies_of_shipped"] = total("copies_of_shipped")
    made["copies_of_shipped_missed"] = sum(len(found["copies_of_shipped_missed"]) for found in stages.values())
    made["false_alarms_95"] = interval(made["honest_flagged"], made["honest_pairs"])
    made["misses_95"] = interval(made["copies_missed"], made["copies"])
    return {"seeds": arguments.seeds, **made, "shares": SHARES, "stages": stages}
