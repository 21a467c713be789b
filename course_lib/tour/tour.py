"""`course tour [--size tiny|laptop|gpu] [--out FOLDER] [--json FILE]`: the whole life-cycle of a language model in one
command.

Eleven phases, each from the tour's own model of the phase before, each with its figure beside the limit that the
village knows. What is made lies in one folder (by default tour-SIZE in the work folder; the student's own stages are
never touched): a folder for each stage, figures/PHASE.json for each phase, and at the end
tour.html, tour.md and tour.png. A phase whose figures are there is not run again, unless its recipe or one that it
stands on has changed.
"""

import argparse
import importlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from course_lib import __version__
from course_lib.evaluation import raw_or_cleaned, release, rlhf
from course_lib.evaluation.alignment import measure, share
from course_lib.evaluation.frontier import best_at, frontier
from course_lib.evaluation.instructions import respond, score
from course_lib.evaluation.probes import knowledge
from course_lib.evaluation.reward_model import examine_reward
from course_lib.evaluation.safety import capability, safety
from course_lib.platform import FREE_DISK_MB, SIZES, CourseError, work_dir, write_atomic
from course_lib.stages import (
    cleaning,
    constitution,
    dpo,
    grpo,
    lora,
    preferences,
    pretrain,
    refusal,
    reward,
    rollout,
    sft,
    step,
)
from course_lib.stages import model as architecture
from course_lib.stages import tokenizer as tokens
from course_lib.stages.artifacts import write_or_explain
from course_lib.stages.generate import generate
from course_lib.stages.rollout import assistant
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.tour.phases import SEED, Phase, Tour, done, figure, machine, minutes_left, run
from course_lib.widgets import tour as pictures
from course_lib.widgets.curve import png
from course_lib.world import annotators, crawl, critic, harms, jobs, pretrain_rows, residents, tasks, village
from course_lib.world.annotators import preference_rows, prompts
from course_lib.world.tasks import task_rows

DOCUMENTS = {
    "tiny": 1_000,
    "laptop": 20_000,
    "gpu": 20_000,
}  # that the tokenizer learns from; the shipped one has learned from the same 20,000
EXAMINED = {
    "tiny": 40,
    "laptop": 1_000,
    "gpu": 1_000,
}  # instructions that an assistant is examined on; requests are twice as many
# fmt: off
TALKERS = {"pretrain": "base model", "sft": "fine-tuned", "lora": "LoRA: a clerk", "rlhf": "RLHF", "dpo": "DPO",
    "helpful": "helpful-only", "constitution": "constitution", "safe": "refusals"}
# fmt: on


def data(tour: Tour) -> tuple[list[dict], str]:
    """Clean the crawl with the steps of lab 01; the truth about each page says what had to go."""
    pages, tests = crawl.crawl(SEED, raw_or_cleaned.PRESETS[tour.size].pages), crawl.quiz(SEED)
    texts, table = cleaning.clean(pages, raw_or_cleaned.quiz_texts(tests))
    hits, found, true = (
        sum(counts)
        for counts in zip(*((round(row["precision"] * row["found"]), row["found"], row["true"]) for row in table))
    )
    sound = [page for page in pages if page.label not in crawl.JUNK]
    copies = cleaning.true_copies(sound, near=True)
    good = sum(k not in copies and not page.leaks for k, page in enumerate(sound))
    return (
        [
            figure("dirt found (recall)", 100 * hits / true, 100),
            figure("finds that are dirt (precision)", 100 * hits / found, 100),
            figure(
                "pages removed (limit: the truth)", 100 * (1 - len(texts) / len(pages)), 100 * (1 - good / len(pages))
            ),
        ],
        f"{len(pages):,} pages in, {len(texts):,} out, in five steps: junk, copies, near copies and pages that give a "
        "test question away go, personal data are blotted out.",
    )


def tokenizer(tour: Tour) -> tuple[list[dict], str]:
    """Train the tokenizer again. It never joins two words, so one token a word is the best that it can do."""
    made, shipped = (
        tokens.train_tokenizer([row["text"] for row in pretrain_rows("train", DOCUMENTS[tour.size])]),
        load_tokenizer(),
    )
    write_or_explain(tour.folder / "tokenizer" / "tokenizer.json", made.to_str(pretty=True).encode())
    texts = [row["text"] for row in pretrain_rows("validation")]
    pieces = [len(encoding.ids) for encoding in made.encode_batch(texts, add_special_tokens=False)]
    words = [len(made.pre_tokenizer.pre_tokenize_str(text)) for text in texts]
    same = len(made.get_vocab().keys() & shipped.get_vocab().keys())
    source = (
        "It is the shipped tokenizer, byte for byte"
        if made.to_str() == shipped.to_str()
        else f"Learned from {DOCUMENTS[tour.size]:,} documents"
    )
    return (
        [
            figure(
                "text a token (limit: a word a token)",
                cleaning.bytes_per_token(texts, pieces),
                cleaning.bytes_per_token(texts, words),
                "bytes",
            ),
            figure("tokens as in the shipped tokenizer", 100 * same / made.get_vocab_size(), 100),
        ],
        f"{source}; the phases below use the shipped one. With a larger vocabulary every tokenizer comes nearer to its "
        "limit, so this figure alone says little.",
    )


def pretraining(tour: Tour) -> tuple[list[dict], str]:
    model = tour.made("pretrain", lambda out: pretrain.pretrain(tour.size, SEED, out=out))
    distance, known = tour.record("pretrain")["metrics"], knowledge(model, load_tokenizer(), village())
    return (
        [figure("gap to the entropy", distance["gap_percent"], 0), figure("facts known", 100 * known["accuracy"], 100)],
        f"Loss on unseen documents {distance['loss']:.3f} nats/token; the entropy of their source is "
        f"{distance['entropy']:.3f}. {model.parameter_count():,} parameters.",
    )


def fine_tuning(tour: Tour) -> tuple[list[dict], str]:
    model = tour.made("sft", lambda out: sft.sft(tour.size, SEED, tour.stage("pretrain"), out=out))
    known, reworded = (
        100 * score(model, load_tokenizer(), task_rows(split, EXAMINED[tour.size], "tour"))["accuracy"]
        for split in ("residents", "phrasings")
    )
    return [
        figure("held-out instructions done right", known, 100),
        figure("the same in held-out phrasings", reworded, 100),
    ], "Questions about residents whom no fine-tuning row names, each answer judged by a program."


def adapter(tour: Tour) -> tuple[list[dict], str]:
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
    return (
        [
            figure("share of full fine-tuning's score", 100 * right / most if most else math.nan, 100),
            figure("records right", right, 100),
        ],
        f"The assistant becomes a clerk with {tour.record('lora')['trained_share']:.1%} of its parameters trained; "
        f"with all of them it gets {most:.1f} % of the records right.",
    )


def reward_model(tour: Tour) -> tuple[list[dict], str]:
    """Learns from the recorded pairs: answers of the shipped assistant, judged by the annotators of the village."""
    config = reward.PRESETS[tour.size]
    model = tour.made(
        "reward",
        lambda out: reward.train_reward(
            preference_rows("train", config.rows), config, assistant(tour.stage("sft")), SEED, out=out
        ),
    )
    scores = examine_reward(model, preference_rows("test", 200 if tour.size == "tiny" else None))
    return [
        figure("share of the best judge's accuracy", 100 * scores["share_of_bayes"], 100),
        figure("accuracy on labels of the village", 100 * scores["accuracy"], 100 * scores["bayes"]),
    ], "The annotators contradict each other and themselves, so nobody can foretell all of their labels."


def on_the_frontier(tour: Tour, policy) -> tuple[list[dict], str]:
    reference, rows, worth = tour.limits
    measured, start = measure(policy, reference, rows), float(worth.mean())
    best = best_at(measured["kl"], frontier(worth), start)
    return (
        [
            figure("share of the frontier's gain at its KL", 100 * share(measured, worth), 100),
            figure("gold utility of an answer", measured["utility"], best, "utility"),
        ],
        f"Gold utility from {start:.2f} to {measured['utility']:.2f} (± {measured['error']:.2f}) at "
        f"{measured['kl']:.2f} nats an answer.",
    )


def rl(tour: Tour) -> tuple[list[dict], str]:
    """GRPO on the learned reward, from the assistant with its temperature in its weights."""
    config, asked, judge = (
        replace(grpo.PRESETS[tour.size], beta=rlhf.BETA_LEARNED),
        prompts("train", 4_000, "tour"),
        rlhf.learned_reward(tour.stage("reward")),
    )
    return on_the_frontier(
        tour,
        tour.made("rlhf", lambda out: grpo.grpo(judge, asked, config, assistant(tour.stage("sft")), SEED, out=out)),
    )


def direct(tour: Tour) -> tuple[list[dict], str]:
    """DPO on the recorded pairs, from the same assistant."""
    config = dpo.PRESETS[tour.size]
    return on_the_frontier(
        tour,
        tour.made(
            "dpo",
            lambda out: dpo.dpo(
                preference_rows("train", config.rows), config, assistant(tour.stage("sft")), SEED, out=out
            ),
        ),
    )


def plane(model, tour: Tour, where: str, **options) -> list[dict]:
    """Both axes of safety on fresh requests."""
    rates = safety(model, 2 * EXAMINED[tour.size], seed="tour", **options)
    return [
        figure(f"harmful refused, {where}", 100 * rates["harmful_refused"], 100),
        figure(f"benign refused, {where}", 100 * rates["benign_refused"], 0),
    ]


def by_constitution(tour: Tour) -> tuple[list[dict], str]:
    """The helpful-only assistant explains whatever it is asked; then it learns from its own answers, revised by the
    principles. Examined as lab 09 does it, on
    fresh requests in wordings that it knows."""
    tour.made("helpful", lambda out: refusal.helpful(tour.size, SEED, tour.stage("sft"), out=out))
    model = tour.made(
        "constitution", lambda out: constitution.constitution(tour.size, SEED, tour.stage("helpful"), out=out)
    )
    covered = tuple(
        name for name in harms.CATEGORIES if any(name in critic.reads(principle) for principle in critic.PRINCIPLES)
    )
    others = tuple(name for name in harms.CATEGORIES if name not in covered)
    inside, outside = (
        plane(model, tour, where, split="train", disguises=constitution.SINGLE, categories=categories)
        if categories
        else []
        for where, categories in (("named by a principle", covered), ("not named", others))
    )
    return (
        inside + outside,
        f"{len(critic.PRINCIPLES)} principles name {len(covered)} of the {len(harms.CATEGORIES)} categories. Their "
        f"reader misreads {100 * (1 - critic.SKILL):.0f} % of the requests.",
    )


def refusals(tour: Tour) -> tuple[list[dict], str]:
    """From the helpful-only assistant, whose temperature is not in its weights."""
    model = tour.made("safe", lambda out: refusal.refuse(tour.size, SEED, tour.stage("helpful"), out=out))
    before, after = (100 * capability(m, EXAMINED[tour.size], "tour") for m in (tour.stage("helpful"), model))
    return (
        [*plane(model, tour, "unseen categories"), figure("alignment tax", before - after, 0, "points")],
        f"Of {', '.join(harms.HELD_OUT)} no training row speaks. Requests come plain and in {len(harms.DISGUISES) - 1} "
        f"disguises. Instructions followed: {before:.1f} % before, {after:.1f} % after.",
    )


def evaluation(tour: Tour) -> tuple[list[dict], str]:
    """The release exam of the assistant that has come out."""
    taken = release.axes(
        release.take(tour.stage("safe"), release.exam("tour", 20 if tour.size == "tiny" else release.EACH))
    )
    return (
        [
            figure("helpful × harmless × truthful", 100 * taken["score"], 100),
            *(figure(axis, 100 * taken[axis], 100) for axis in release.AXES),
        ],
        "The assistant with refusals. Harmless: harmful refused × benign answered; truthful: right about residents × "
        "says so where nobody can know.",
    )


DATA = Phase("data", "Data", data, settings=(raw_or_cleaned.PRESETS, cleaning, crawl), seconds=(1, 9))
TOKENIZER = Phase(
    "tokenizer",
    "Tokenizer",
    tokenizer,
    settings=(DOCUMENTS, tokens, importlib.import_module("course_lib.world.documents"), residents),
    seconds=(1, 2),
)
PRETRAIN = Phase(
    "pretrain",
    "Pre-training",
    pretraining,
    ("pretrain",),
    (TOKENIZER,),
    (pretrain.PRESETS, pretrain, architecture, step),
    (5, 310),
)
SFT = Phase(
    "sft", "Fine-tuning (SFT)", fine_tuning, ("sft",), (PRETRAIN,), (sft.PRESETS, sft, tasks, EXAMINED), (1, 120)
)
LORA = Phase("lora", "LoRA", adapter, ("full", "lora"), (SFT,), (lora.PRESETS, lora, jobs, EXAMINED), (1, 76))
REWARD = Phase(
    "reward",
    "Reward model",
    reward_model,
    ("reward",),
    (SFT,),
    (reward.PRESETS, reward, preferences, annotators),
    (1, 150),
)
RLHF = Phase(
    "rlhf",
    "RLHF (GRPO)",
    rl,
    ("rlhf",),
    (REWARD,),
    (grpo.PRESETS, grpo, rollout, rlhf.BETA_LEARNED, rlhf.EXAMINED),
    (1, 175),
)
DPO = Phase(
    "dpo", "DPO", direct, ("dpo",), (SFT,), (dpo.PRESETS, dpo, preferences, annotators, rollout, rlhf.EXAMINED), (1, 65)
)
PRINCIPLED = Phase(
    "constitution",
    "Constitution",
    by_constitution,
    ("helpful", "constitution"),
    (SFT,),
    (constitution.PRESETS, constitution, refusal, critic, harms, EXAMINED),
    (1, 200),
)
REFUSALS = Phase("refusals", "Refusals", refusals, ("safe",), (PRINCIPLED,), (refusal.PRESETS, EXAMINED), (1, 205))
EVALUATION = Phase("evaluation", "Evaluation", evaluation, (), (REFUSALS,), (release,), (1, 5))
PHASES = (DATA, TOKENIZER, PRETRAIN, SFT, LORA, REWARD, RLHF, DPO, PRINCIPLED, REFUSALS, EVALUATION)


def talks(tour: Tour) -> list[dict]:
    """The eight prompts, answered by each model that can answer. Asked anew for every page, so that page and models are
    of one piece.
    """
    asked = pictures.questions()
    conversations = [row["messages"][:-1] for row in asked.values()]
    made = [
        {"asked": name, "messages": row["messages"][:-1], "right": row["messages"][-1]["content"], "answers": {}}
        for name, row in asked.items()
    ]
    for stage, title in TALKERS.items():
        model, base = tour.stage(stage), stage == "pretrain"
        texts = ["\n".join(message["content"] for message in messages) for messages in conversations]
        answers = (
            generate(model, load_tokenizer(), texts, 40, temperature=0.0)
            if base
            else respond(model, load_tokenizer(), conversations)
        )
        for talk, row, answer in zip(made, asked.values(), answers):
            talk["answers"][title] = (answer, None if base else release.right(row, answer))
    return made


def publish(tour: Tour, results: list[dict], report: Path | None) -> None:
    """The page, the picture and the table for README, and at `report` the figures as JSON."""
    versions = [
        f"littlebrook {__version__}",
        f"Python {platform.python_version()}",
        *(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "tokenizers", "numpy")),
    ]
    facts = {
        "command": f"course tour --size {tour.size}",
        "computing": f"{sum(result['seconds'] for result in results) / 60:.1f} minutes",
        "seed": f"{SEED} in every phase",
        "machine": "; ".join(dict.fromkeys(result["machine"] for result in results)),
        "system": platform.platform(),
        "versions": ", ".join(versions),
    }
    light, dark = (png(pictures.figure(results, dark)) for dark in (False, True))
    remark = (
        "This is size tiny: it shows that everything runs, and its models learn next to nothing."
        if tour.size == "tiny"
        else ""
    )
    files = {
        "tour.html": pictures.page(results, talks(tour), facts, light, dark, remark).encode(),
        "tour.md": pictures.markdown(results).encode(),
        "tour.png": light,
    }
    for name, content in files.items():
        write_or_explain(tour.folder / name, content)
    if report:
        write_or_explain(report, (json.dumps(pictures.report(results), indent=1) + "\n").encode())


def writable(folder: Path) -> None:
    """Raises CourseError for a folder that cannot be written to or whose disk is full: before half an hour is spent,
    not after.
    """
    try:
        write_atomic(folder / ".probe", b"")
        (folder / ".probe").unlink()
    except OSError as error:
        raise CourseError(f"cannot write to {folder} ({error.strerror}): choose a folder you may write to") from None
    free, needed = shutil.disk_usage(folder).free // 2**20, int(os.environ.get("COURSE_MIN_FREE_MB", FREE_DISK_MB))
    if free < needed:
        raise CourseError(
            f"only {free} MB are free on the disk of {folder} and {needed} are needed: free some space, or choose a "
            "folder elsewhere"
        )


def drive(size: str, folder: Path, report: Path | None) -> None:
    """All phases that are not done yet; then the table, the page and the other files."""
    if report and report.is_dir():
        raise CourseError(f"{report} is a folder: give --json a file")
    for place in (folder, *([report.parent] if report else [])):
        writable(place)
    tour, results, fresh = Tour(size, folder, machine()), [], []
    for k, phase in enumerate(PHASES, 1):
        result = done(tour, phase)
        left = f"about {max(1, round(minutes_left(PHASES, size, results, fresh)))} min to the end of the tour"
        print(f"[{k} of {len(PHASES)}] {phase.title}: {'done before' if result else left}", file=sys.stderr, flush=True)
        if not result:
            result = run(tour, phase)
            fresh.append(result)
        results.append(result)
    publish(tour, results, report)
    Console().print(pictures.table(results))
    print(f"The page: {folder / 'tour.html'}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="course tour", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size",
        default="laptop",
        choices=SIZES,
        help="tiny: two minutes, and the models learn next to nothing; laptop: half an hour on two cores (the default)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="models, figures and page (default: tour-SIZE in the work folder)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="every figure: {phase: {metric, value, limit, unit, seconds, also: [more figures]}}",
    )
    arguments = parser.parse_args(argv)
    try:
        folder = (arguments.out or work_dir() / f"tour-{arguments.size}").expanduser().absolute()
        drive(arguments.size, folder, arguments.json and arguments.json.expanduser().absolute())
    except KeyboardInterrupt:
        print(
            "\nStopped. What is finished is kept, and a training goes on from its last checkpoint: run the same "
            "command again to go on.",
            file=sys.stderr,
        )
        return 130
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
