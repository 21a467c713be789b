"""The figures of lab 08 for one seed: what comes of recorded labels by DPO, IPO and KTO, and by a reward model, at
equal labels and at equal compute.

Where the missing gain is lost is told by best of n at a policy's own KL. What the best of n *by a judge* misses of the
frontier is the judge's wrong order (ranking); what the policy misses of that is what it makes of the order (policy).
The judge is the policy's own implicit reward, or the reward model.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from course_lib.evaluation.alignment import best_of, implicit_scores, scores_of, share_at
from course_lib.evaluation.runs.rlhf import BETA_LEARNED, figures, learned_reward, limits
from course_lib.stages import dpo, grpo, reward
from course_lib.stages.artifacts import load_stage
from course_lib.stages.preferences import PreferenceConfig, encode_answers, sample_pairs
from course_lib.stages.reward import reward_gaps, rewards_of
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import label_pairs, pairs_of, preference_rows, prompts, thumbs

# FLOP a parameter for a token: 2 to read or to write it, 6 to learn from it
READ, LEARN = 2, 6
PAIR = 2 * (READ + LEARN)  # of DPO: the reference reads both answers, the policy learns from both
THUMB = 3 * READ + LEARN  # of KTO: the answer and a stranger's, for which the policy is read, too
LABEL = 2 * LEARN  # of the reward model
DISTILLED = 2 * (2 * READ + LEARN)  # as PAIR, and the reward model reads both
OWN = 2 * (2 * READ + LEARN)  # as PAIR, and the policy writes both
ANSWER = 4 * READ + LEARN  # of GRPO: written, judged, read by the policy before the step and by the reference, learned
SMOOTHING = 0.2  # of cDPO


def unit(model, rows: list[dict]) -> float:
    """TFLOP of one FLOP a parameter for every token of a prompt with one answer; the mean over 1,000 rows."""
    examples = encode_answers(load_tokenizer(), rows[:1000], ("chosen", "rejected"), model.config.context)
    lengths = [len(ids) for example in examples for ids, _ in example]
    return model.parameter_count() * sum(lengths) / len(lengths) / 1e12


def steps_for(tflop: float, one: float, config: grpo.GRPOConfig) -> int:
    """Steps of GRPO that this much compute buys; `one`: see `unit`."""
    return max(2, round(tflop / (one * ANSWER * config.prompts * config.each)))


def own_pairs(policy, n: int, seed: int, again: int) -> list[dict]:
    """n pairs of different answers of `policy` to fresh prompts, labelled by the villagers."""
    found, part = [], 0
    while len(found) < n:
        asked = prompts("train", min(4_000, 8 * n), f"own r{again} {seed} {part}")
        found += sample_pairs(policy, load_tokenizer(), asked, seed * 100 + part)
        part += 1
    return label_pairs(found[:n], seed=f"own {seed} {again}")


def in_rounds(rows: list[dict], count: int, config: PreferenceConfig, base, seed: int, **options):
    """The run of the last of `count` rounds of DPO: the first on recorded pairs, each of the others on as many pairs of
    the policy's own answers (Dong et al. 2024, 2405.07863, with people as the judges). As many labels as `rows`.
    """
    run = dpo.dpo(rows[: len(rows) // count], config, base, seed, **options)
    for again in range(count - 1):
        own = own_pairs(run.model.eval(), len(rows) // count, seed, again)
        run = dpo.dpo(own, config, base, seed + 1000 * (again + 1), policy=run.model, **options)
    return run


def smoothed(*four, beta: float):
    return dpo.dpo_loss(*four, beta=beta, smoothing=SMOOTHING)


def dpo_run(size: str = "laptop", seed: int = 0, progress: bool = False, only: Iterable[str] = ()) -> dict:
    """{"seed", way: figures with "labels", "tflop", "ranked" (share of the frontier's gain of best of n by the policy's
    own implicit reward at the policy's KL) and "judged" (the same by the reward model)}. only: these ways.
    """
    yard, config, every = limits(size), dpo.PRESETS[size], reward.PRESETS[size].rows
    recorded = preference_rows("train", every)
    model: Any = load_stage("reward").model  # a RewardModel
    few, base = recorded[: config.rows], yard.reference
    shown: dict[str, Any] = {"progress": progress}
    one, n = unit(base, recorded), config.rows
    budget = PAIR * every * one - LABEL * every * one  # what DPO on all labels leaves to GRPO after its reward model
    online = replace(grpo.PRESETS[size], beta=BETA_LEARNED)
    online = replace(online, steps=min(online.steps, steps_for(budget, one, online)))

    def distilled(rows):
        return dpo.dpo(rows, config, base, seed, loss_fn=dpo.distilled_loss, gaps=reward_gaps(model, rows), **shown)

    ways: dict[str, tuple[Callable, int, float]] = {  # how it is trained, labels, FLOP a parameter for each token
        "dpo": (lambda: dpo.dpo(few, config, base, seed, **shown), n, PAIR * n),
        "ipo": (
            lambda: dpo.dpo(few, config, base, seed, dpo.IPO_BETA, dpo.ipo_loss, lengths=True, **shown),
            n,
            PAIR * n,
        ),
        "kto": (lambda: dpo.kto(thumbs(pairs_of(few)), config, base, seed, **shown), n, THUMB * n),
        "dpo_all": (lambda: dpo.dpo(recorded, config, base, seed, **shown), every, PAIR * every),
        "cdpo_all": (lambda: dpo.dpo(recorded, config, base, seed, loss_fn=smoothed, **shown), every, PAIR * every),
        "rounds": (lambda: in_rounds(few, 2, config, base, seed, **shown), n, (PAIR + OWN) * n / 2),
        "rounds_all": (
            lambda: in_rounds(recorded, 3, config, base, seed, **shown),
            every,
            (PAIR + 2 * OWN) * every / 3,
        ),
        "distilled": (lambda: distilled(few), every, LABEL * every + DISTILLED * n),
        "distilled_all": (lambda: distilled(recorded), every, (LABEL + DISTILLED) * every),
        "grpo": (
            lambda: grpo.grpo(
                learned_reward(model), prompts("train", 4_000, f"bench {seed}"), online, base, seed, **shown
            ),
            every,
            LABEL * every + ANSWER * online.steps * online.prompts * online.each,
        ),
    }
    texts = lambda rows: ([row["prompt"] for row in rows], [row["answer"][0]["content"] for row in rows])
    judged = best_of(scores_of(lambda rows: rewards_of(model, load_tokenizer(), *texts(rows)), yard), yard)
    made: dict = {"seed": seed}
    for name in only or ways:
        train, labels, flop = ways[name]
        run = train()
        found = figures(run.model, size, run.record["minutes"]) | {"labels": labels, "tflop": flop * one}
        ranked = best_of(implicit_scores(run.model, yard), yard)
        found |= {"ranked": share_at(found["kl"], ranked, yard), "judged": share_at(found["kl"], judged, yard)}
        made[name] = found
    return made
