"""The life-cycle of a language model in twelve phases: what each makes, and its figures beside the limits that the
village knows. Every phase starts from the tour's own model of an earlier one.
"""

import importlib
import math
from dataclasses import replace

from course_lib.evaluation import release
from course_lib.evaluation.alignment import measure, share
from course_lib.evaluation.frontier import best_at, frontier
from course_lib.evaluation.instructions import score
from course_lib.evaluation.probes import knowledge
from course_lib.evaluation.reasoning import at_once, tries
from course_lib.evaluation.reasoning import figures as of_tries
from course_lib.evaluation.runs import raw_or_cleaned, rlhf
from course_lib.evaluation.runs.reasoning import INSTRUCTIONS, able, tax
from course_lib.evaluation.runs.reward_model import examine_reward
from course_lib.evaluation.safety import capability, safety
from course_lib.stages import (
    cleaning,
    constitution,
    dpo,
    grpo,
    lora,
    preferences,
    pretrain,
    reasoning,
    refusal,
    reward,
    rollout,
    sft,
    step,
    unseen,
)
from course_lib.stages import model as architecture
from course_lib.stages import tokenizer as tokens
from course_lib.stages.artifacts import write_or_explain
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.tour.phases import SEED, Phase, Tour, figure
from course_lib.world import annotators, crawl, critic, draw, harms, jobs, pretrain_rows, residents, tasks, village
from course_lib.world import reasoning as questions
from course_lib.world.annotators import preference_rows, prompts
from course_lib.world.tasks import task_rows
from course_lib.world.words import acts as harm_acts
from course_lib.world.words import junk, phrasings

Figures = tuple[list[dict], str]  # the figures of a phase, the first one first, and a remark
# documents that the tokenizer learns from; the shipped one has learned from the same 20,000
DOCUMENTS = {"tiny": 1_000, "laptop": 20_000, "gpu": 20_000}
# instructions that an assistant is examined on; requests are twice as many
EXAMINED = {"tiny": 40, "laptop": 1_000, "gpu": 1_000}
# questions that need steps; each is answered 32 times before reinforcement and 8 times after it
QUESTIONS = {"tiny": 6, "laptop": 120, "gpu": 240}


def data(tour: Tour) -> Figures:
    """Clean the crawl with the steps of lab 01; the truth about each page says what had to go."""
    pages, tests = crawl.crawl(SEED, raw_or_cleaned.PRESETS[tour.size].pages), crawl.quiz(SEED)
    texts, table = cleaning.clean(pages, raw_or_cleaned.quiz_texts(tests))
    hits = sum(round(row["precision"] * row["found"]) for row in table)
    found, true = (sum(row[key] for row in table) for key in ("found", "true"))
    sound = [page for page in pages if page.label not in crawl.JUNK]
    copies = cleaning.true_copies(sound, near=True)
    good = sum(k not in copies and not page.leaks for k, page in enumerate(sound))
    removed, should_go = (100 * (1 - left / len(pages)) for left in (len(texts), good))
    figures = [
        figure("dirt found (recall)", 100 * hits / true, 100),
        figure("finds that are dirt (precision)", 100 * hits / found, 100),
        figure("pages removed (limit: the truth)", removed, should_go),
    ]
    return figures, (
        f"{len(pages):,} pages in, {len(texts):,} out, in five steps: junk, copies, near copies and pages that give a "
        "test question away go, personal data are blotted out."
    )


def tokenizer(tour: Tour) -> Figures:
    """Train the tokenizer again. It never joins two words, so one token a word is the best that it can do."""
    documents = [row["text"] for row in pretrain_rows("train", DOCUMENTS[tour.size])]
    made, shipped = tokens.train_tokenizer(documents), load_tokenizer()
    write_or_explain(tour.folder / "tokenizer" / "tokenizer.json", made.to_str(pretty=True).encode())
    texts = [row["text"] for row in pretrain_rows("validation")]
    pieces = [len(encoding.ids) for encoding in made.encode_batch(texts, add_special_tokens=False)]
    words = [len(made.pre_tokenizer.pre_tokenize_str(text)) for text in texts]
    reached, most = (cleaning.bytes_per_token(texts, counts) for counts in (pieces, words))
    same = len(made.get_vocab().keys() & shipped.get_vocab().keys())
    equal = made.to_str() == shipped.to_str()
    source = "It is the shipped tokenizer, byte for byte" if equal else f"Learned from {len(documents):,} documents"
    figures = [
        figure("text a token (limit: a word a token)", reached, most, "bytes"),
        figure("tokens as in the shipped tokenizer", 100 * same / made.get_vocab_size(), 100),
    ]
    return figures, (
        f"{source}; the phases below use the shipped one. With a larger vocabulary every tokenizer comes nearer to its "
        "limit, so this figure alone says little."
    )


def pretraining(tour: Tour) -> Figures:
    model = tour.made("pretrain", lambda out: pretrain.pretrain(tour.size, SEED, out=out))
    distance, known = tour.record("pretrain")["metrics"], knowledge(model, load_tokenizer(), village())
    figures = [
        figure("gap to the entropy", distance["gap_percent"], 0),
        figure("facts known", 100 * known["accuracy"], 100),
    ]
    return figures, (
        f"Loss on unseen documents {distance['loss']:.3f} nats/token; the entropy of their source is "
        f"{distance['entropy']:.3f}. {model.parameter_count():,} parameters."
    )


def fine_tuning(tour: Tour) -> Figures:
    model = tour.made("sft", lambda out: sft.sft(tour.size, SEED, tour.stage("pretrain"), out=out))
    known, reworded = (
        100 * score(model, load_tokenizer(), task_rows(split, EXAMINED[tour.size], "tour"))["accuracy"]
        for split in ("residents", "phrasings")
    )
    figures = [
        figure("held-out instructions done right", known, 100),
        figure("the same in held-out phrasings", reworded, 100),
    ]
    return figures, "Questions about residents whom no fine-tuning row names, each answer judged by a program."


def adapter(tour: Tour) -> Figures:
    """A new job with the recipe of lab 04, once by an adapter and once by all parameters; both are asked the same
    held-out questions.
    """

    def by_adapter(out):
        run = lora.lora(tour.size, SEED, base=tour.stage("sft"), out=out)
        lora.merge_and_unload(run.model)
        return run

    full = tour.made("full", lambda out: lora.lora(tour.size, SEED, base=tour.stage("sft"), full=True, out=out))
    thin, rows = tour.made("lora", by_adapter), jobs.job_rows("clerk", "residents", EXAMINED[tour.size], "tour")
    right, most = (100 * score(model, load_tokenizer(), rows, max_new_tokens=40)["accuracy"] for model in (thin, full))
    figures = [
        figure("share of full fine-tuning's score", 100 * right / most if most else math.nan, 100),
        figure("records right", right, 100),
    ]
    return figures, (
        f"The assistant becomes a clerk with {tour.record('lora')['trained_share']:.1%} of its parameters trained; "
        f"with all of them it gets {most:.1f} % of the records right."
    )


def reward_model(tour: Tour) -> Figures:
    """Learns from the recorded pairs: answers of the shipped assistant, judged by the annotators of the village."""
    config = reward.PRESETS[tour.size]
    pairs = lambda: preference_rows("train", config.rows)
    base = lambda: assistant(tour.stage("sft"))
    model = tour.made("reward", lambda out: reward.train_reward(pairs(), config, base(), SEED, out=out))
    scores = examine_reward(model, preference_rows("test", 200 if tour.size == "tiny" else None))
    figures = [
        figure("share of the best judge's accuracy", 100 * scores["share_of_bayes"], 100),
        figure("accuracy on labels of the village", 100 * scores["accuracy"], 100 * scores["bayes"]),
    ]
    return figures, "The annotators contradict each other and themselves, so nobody can foretell all of their labels."


def on_the_frontier(tour: Tour, policy) -> Figures:
    reference, rows, worth = tour.limits
    measured, start = measure(policy, reference, rows), float(worth.mean())
    best = best_at(measured["kl"], frontier(worth), start)
    figures = [
        figure("share of the frontier's gain at its KL", 100 * share(measured, worth), 100),
        figure("gold utility of an answer", measured["utility"], best, "utility"),
    ]
    return figures, (
        f"Gold utility from {start:.2f} to {measured['utility']:.2f} (± {measured['error']:.2f}) at "
        f"{measured['kl']:.2f} nats an answer."
    )


def rl(tour: Tour) -> Figures:
    """GRPO on the learned reward, from the assistant with its temperature in its weights."""
    config = replace(grpo.PRESETS[tour.size], beta=rlhf.BETA_LEARNED)
    asked, judge = prompts("train", 4_000, "tour"), rlhf.learned_reward(tour.stage("reward"))
    base = lambda: assistant(tour.stage("sft"))
    return on_the_frontier(tour, tour.made("rlhf", lambda out: grpo.grpo(judge, asked, config, base(), SEED, out=out)))


def direct(tour: Tour) -> Figures:
    """DPO on the recorded pairs, from the same assistant."""
    config = dpo.PRESETS[tour.size]
    pairs = lambda: preference_rows("train", config.rows)
    base = lambda: assistant(tour.stage("sft"))
    return on_the_frontier(tour, tour.made("dpo", lambda out: dpo.dpo(pairs(), config, base(), SEED, out=out)))


def plane(model, tour: Tour, where: str, **options) -> list[dict]:
    """Both axes of safety on fresh requests."""
    rates = safety(model, 2 * EXAMINED[tour.size], seed="tour", **options)
    return [
        figure(f"harmful refused, {where}", 100 * rates["harmful_refused"], 100),
        figure(f"benign refused, {where}", 100 * rates["benign_refused"], 0),
    ]


def by_constitution(tour: Tour) -> Figures:
    """The helpful-only assistant explains whatever it is asked; then it learns from its own answers, revised by the
    principles. Examined as lab 09 does it, on fresh requests in wordings that it knows.
    """
    tour.made("helpful", lambda out: refusal.helpful(tour.size, SEED, tour.stage("sft"), out=out))
    base = lambda: tour.stage("helpful")
    model = tour.made("constitution", lambda out: constitution.constitution(tour.size, SEED, base(), out=out))
    named = {name for principle in critic.PRINCIPLES for name in critic.reads(principle)}
    covered = tuple(name for name in harms.CATEGORIES if name in named)
    others = tuple(name for name in harms.CATEGORIES if name not in named)
    figures = []
    for where, categories in (("named by a principle", covered), ("not named", others)):
        if categories:
            how = {"split": "train", "disguises": constitution.SINGLE, "categories": categories}
            figures += plane(model, tour, where, **how)
    return figures, (
        f"{len(critic.PRINCIPLES)} principles name {len(covered)} of the {len(harms.CATEGORIES)} categories. Their "
        f"reader misreads {100 * (1 - critic.SKILL):.0f} % of the requests."
    )


def refusals(tour: Tour) -> Figures:
    """From the helpful-only assistant, whose temperature is not in its weights."""
    model = tour.made("safe", lambda out: refusal.refuse(tour.size, SEED, tour.stage("helpful"), out=out))
    before, after = (100 * capability(m, EXAMINED[tour.size], "tour") for m in (tour.stage("helpful"), model))
    return [*plane(model, tour, "unseen categories"), figure("alignment tax", before - after, 0, "points")], (
        f"Of {', '.join(harms.HELD_OUT)} no training row speaks. Requests come plain and in {len(harms.DISGUISES) - 1} "
        f"disguises. Instructions followed: {before:.1f} % before, {after:.1f} % after."
    )


def evaluation(tour: Tour) -> Figures:
    """The release exam of the assistant that has come out."""
    exam = release.exam("tour", 20 if tour.size == "tiny" else release.EACH)
    taken = release.axes(release.take(tour.stage("safe"), exam))
    figures = [figure("helpful × harmless × truthful", 100 * taken["score"], 100)]
    figures += [figure(axis, 100 * taken[axis], 100) for axis in release.AXES]
    return figures, (
        "The assistant with refusals. Harmless: harmful refused × benign answered; truthful: right about residents × "
        "says so where nobody can know."
    )


def on_a_checker(tour: Tour) -> Figures:
    """From the assistant with refusals: chains of steps learned from careless villagers (the cold start), then
    reinforcement where a program finds the answer right.
    """
    tour.made("cold", lambda out: reasoning.cold_start(tour.size, SEED, tour.stage("safe"), out=out))
    cold, safe, config = assistant(tour.stage("cold")), tour.stage("safe"), reasoning.RL_PRESETS[tour.size]
    model = tour.made("reasoning", lambda out: reasoning.reinforce(config, cold, SEED, out=out))
    rows = questions.question_rows("residents", QUESTIONS[tour.size], "tour")
    before, after = of_tries(tries(cold, rows)), of_tries(tries(model, rows, 8))
    most, first = max(before["pass"].values()), at_once(safe, rows)["pass"][1]
    lost = tax(*(able(each, INSTRUCTIONS[tour.size], f"reasoning {SEED}") for each in (safe, model)))
    figures = [
        figure("held-out questions right", 100 * after["pass"][1], 100),
        figure(
            "share of what the cold start finds in 32 tries", 100 * after["pass"][1] / most if most else math.nan, 100
        ),
        figure("right answers with a false step", 100 * after["false_step"], 0),
        figure("tax on instructions and refusals", lost, 0, "points"),
    ]
    return figures, (
        f"Two or more steps a question. Right at once: {100 * first:.1f} %; with a chain after the cold start "
        f"{100 * before['pass'][1]:.1f} %: of the villagers' chains one in {questions.SLIPS} ends with a wrong answer."
    )


# Each: name, title, act; the models it makes; the phases it starts from; what its recipe is made of (presets by size,
# modules, plain values); seconds at tiny and at laptop
# fmt: off
DATA = Phase("data", "Data", data, (), (), (raw_or_cleaned.PRESETS, cleaning, crawl, junk), (1, 9))
TOKENIZER = Phase("tokenizer", "Tokenizer", tokenizer, (), (),
    (DOCUMENTS, tokens, importlib.import_module("course_lib.world.documents"), residents), (1, 2))
PRETRAIN = Phase("pretrain", "Pre-training", pretraining, ("pretrain",), (TOKENIZER,),
    (pretrain.PRESETS, pretrain, architecture, step), (5, 310))
SFT = Phase("sft", "Fine-tuning (SFT)", fine_tuning, ("sft",), (PRETRAIN,),
    (sft.PRESETS, sft, tasks, draw, phrasings, EXAMINED), (1, 120))
LORA = Phase("lora", "LoRA", adapter, ("full", "lora"), (SFT,), (lora.PRESETS, lora, unseen, jobs, EXAMINED), (1, 76))
REWARD = Phase("reward", "Reward model", reward_model, ("reward",), (SFT,),
    (reward.PRESETS, reward, preferences, annotators), (1, 150))
RLHF = Phase("rlhf", "RLHF (GRPO)", rl, ("rlhf",), (REWARD,),
    (grpo.PRESETS, grpo, rollout, rlhf.BETA_LEARNED, rlhf.EXAMINED), (1, 175))
DPO = Phase("dpo", "DPO", direct, ("dpo",), (SFT,),
    (dpo.PRESETS, dpo, preferences, annotators, rollout, rlhf.EXAMINED), (1, 65))
PRINCIPLED = Phase("constitution", "Constitution", by_constitution, ("helpful", "constitution"), (SFT,),
    (constitution.PRESETS, constitution, refusal, critic, harms, harm_acts, EXAMINED), (1, 200))
REFUSALS = Phase("refusals", "Refusals", refusals, ("safe",), (PRINCIPLED,), (refusal.PRESETS, EXAMINED), (1, 205))
EVALUATION = Phase("evaluation", "Evaluation", evaluation, (), (REFUSALS,), (release,), (1, 5))
REASONING = Phase("reasoning", "Reasoning (RL on a checker)", on_a_checker, ("cold", "reasoning"), (REFUSALS,),
    (reasoning.PRESETS, reasoning.RL_PRESETS, reasoning, questions, rollout, EXAMINED, QUESTIONS), (10, 300))
# fmt: on
PHASES = (DATA, TOKENIZER, PRETRAIN, SFT, LORA, REWARD, RLHF, DPO, PRINCIPLED, REFUSALS, EVALUATION, REASONING)
