"""`course tour [--size tiny|laptop|gpu] [--out FOLDER] [--json FILE]`: the whole life-cycle of a language model in one
command.

Twelve phases, each from the tour's own model of an earlier phase, each with its figure beside the limit that the
village knows. What is made lies in one folder (by default tour-SIZE in the work folder; the student's own stages are
never touched): a folder for each stage, figures/PHASE.json for each phase, and at the end tour.html, tour.md and
tour.png. A phase whose figures are there is not run again, unless its recipe or one that it stands on has changed.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import sys
from pathlib import Path

from rich.console import Console

from course_lib import __version__
from course_lib.evaluation import release
from course_lib.evaluation.instructions import respond
from course_lib.platform import FREE_DISK_MB, SIZES, CourseError, work_dir, write_atomic
from course_lib.stages.artifacts import write_or_explain
from course_lib.stages.generate import generate
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.tour.lifecycle import PHASES
from course_lib.tour.phases import SEED, Tour, done, machine, minutes_left, run
from course_lib.widgets import tour as pictures
from course_lib.widgets.curve import png

# fmt: off
TALKERS = {"pretrain": "base model", "sft": "fine-tuned", "lora": "LoRA: a clerk", "rlhf": "RLHF", "dpo": "DPO",
    "helpful": "helpful-only", "constitution": "constitution", "safe": "refusals",
    "reasoning": "reasoning"}
# fmt: on


def talks(tour: Tour) -> list[dict]:
    """The eight prompts, answered by each model that can answer. Asked anew for every page, so that page and models are
    of one piece.
    """
    asked = pictures.questions()
    conversations = [row["messages"][:-1] for row in asked.values()]
    texts = ["\n".join(message["content"] for message in messages) for messages in conversations]
    said: list[dict[str, tuple[str, bool | None]]] = [{} for _ in asked]  # {title: (answer, is it right)}
    for stage, title in TALKERS.items():
        model = tour.stage(stage)
        if stage == "pretrain":  # it goes on with a text; there is no right or wrong
            answers = generate(model, load_tokenizer(), texts, 40, temperature=0.0)
        else:
            answers = respond(model, load_tokenizer(), conversations)
        for talk, row, answer in zip(said, asked.values(), answers):
            talk[title] = (answer, None if stage == "pretrain" else release.right(row, answer))
    return [
        {"asked": name, "messages": row["messages"][:-1], "right": row["messages"][-1]["content"], "answers": answers}
        for (name, row), answers in zip(asked.items(), said)
    ]


def publish(tour: Tour, results: list[dict], report: Path | None) -> None:
    """The page, the picture and the table, and at `report` the figures as JSON."""
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
    tiny = "This is size tiny: it shows that everything runs, and its models learn next to nothing."
    page = pictures.page(results, talks(tour), facts, light, dark, tiny if tour.size == "tiny" else "")
    files = {"tour.html": page.encode(), "tour.md": pictures.markdown(results).encode(), "tour.png": light}
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
        help="tiny: half a minute, and the models learn next to nothing; laptop (the default): half an hour on 2 cores",
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
