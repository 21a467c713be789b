"""`course leaderboard [LAB]`: the assistants that a class handed in, on one hidden exam, with intervals, and with ties
shown as ties. Lab 11 asks for helpful × harmless × truthful, lab 12 for right answers in few tokens.

The exam's seed comes from the class's secret, so nobody can train on it, and all models take the same rows. A model is
read by the trusted loader: nothing that a student wrote is executed. The rank is 1 + the number of models that are
better by a paired bootstrap (Chiang et al. 2024, 2403.04132), so models with as many better ones share one. Each
model's exam is one file in grades/.leaderboard, written whole or not at all: killed and started again, the command goes
on. The result is grades/LAB/leaderboard.json.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from course_lib.grading.reading import models, room
from course_lib.grading.records import store
from course_lib.platform import nearest

LAB = "11_evaluation_and_release"
EACH = 400  # rows of a group: twice as many as for a grade, to tell more models apart
QUESTIONS = 1200  # of lab 12, five times as many as for a grade
MOST = 28  # tokens of an answer of lab 12, in the mean; right chains, and those of the course's recipe, have 27.0
ROUNDS = 2000  # of the bootstrap
EXAM = room.Limits(cpu=180, wall=1800, memory=4 * 2**30)


def kept(cache, n):
    """What an earlier run has found of a model, {"right": [of each of n rows], "tokens"}; None where it has not."""
    try:
        found = json.loads(cache.read_text())
        good = type(found) is dict and len(found["right"]) == n and all(type(r) is bool for r in found["right"])
        return found if good else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


class Board(NamedTuple):
    stage: str
    exam: Callable  # exam(seed) → rows
    answered: Callable  # answered(model, record, rows) → (right of each row, tokens); in the room
    standing: Callable  # standing(rows, right) → ({score and more}, scores of each round of a bootstrap)
    more: tuple  # columns beside score and interval
    tokens: str  # what the tokens are
    most: int | None = None  # that there may be


def releases(seed):
    from course_lib.evaluation.release import exam

    return exam(seed, EACH)


def released(model, record, rows):
    """tokens: those that the record says the last step has cost, the student's word; nobody can check it."""
    from course_lib.evaluation.release import take

    tokens = record.get("tokens")
    known = type(tokens) is int and 0 <= tokens < 10**12
    return [t["right"] for t in take(model, rows)], tokens if known else None


def on_axes(rows, right):
    from course_lib.evaluation.release import AXES, axes, resampled_axes

    taken = [{**row, "right": its} for row, its in zip(rows, right)]
    got = axes(taken)
    return {"score": got["score"]} | {axis: got[axis] for axis in AXES}, resampled_axes(taken, ROUNDS)["score"]


def questions(seed):
    from course_lib.world.reasoning import question_rows

    return question_rows("residents", QUESTIONS, seed)


def reasoned(model, record, rows):
    """One sampled answer to each question, as for a grade. tokens: of an answer, in the mean."""
    from course_lib.evaluation.reasoning import check_answers, tries

    check_answers(model, rows)
    tried = tries(model, rows, 1)
    return [t["right"][0] for t in tried], float(np.mean([t["tokens"] for t in tried]))


def by_share(rows, right):
    """Residents are drawn as wholes, as in lab 11."""
    import torch

    from course_lib.evaluation.comparison import clusters_of, draw, resampled
    from course_lib.evaluation.release import subject

    clusters = clusters_of([subject(row) for row in rows])
    draws = draw(int(clusters.max()) + 1, ROUNDS)
    return {"score": float(np.mean(right))}, resampled(torch.tensor(right).double(), clusters, draws).numpy()


AXES = ("helpful", "harmless", "truthful")
BOARDS = {
    LAB: Board("release", releases, released, on_axes, AXES, "tokens, by its record"),
    "12_reasoning": Board("reasoning", questions, reasoned, by_share, (), "tokens an answer", MOST),
}


def examined(folder, lab, rows):
    """{"right": [of each row], "tokens"} of a handed-in model, or {"reason"} why it cannot be ranked. For the room."""
    from course_lib.stages.artifacts import ArtifactError

    try:
        model = models.check_model(folder, BOARDS[lab].stage)
        right, tokens = BOARDS[lab].answered(models.built(model)[0].eval(), model.record, rows)
    except (models.BadModel, ArtifactError) as bad:
        return {"reason": str(bad)}
    except RuntimeError:
        return {"reason": "torch fails to compute with its weights"}
    return {"right": right, "tokens": tokens}


def rank(rounds):
    """{name: rank} of {name: scores in each round, the same draws for all}: 1 + how many are better in 97.5 % of the
    rounds.
    """
    better = lambda other, mine: float(np.percentile(other - mine, 2.5)) > 0
    return {
        name: 1 + sum(better(other, mine) for key, other in rounds.items() if key != name)
        for name, mine in rounds.items()
    }


def leaderboard(lab=LAB, grades=store.GRADES, submitted=store.SUBMISSIONS, progress=True):
    """{"lab", "rows", "board": [{"student", "rank", "score", "low", "high", the axes of lab 11, "tokens"}], "left_out":
    [{"student", "reason"}]}, the best first. StoreError for a lab without a board, and where nothing was collected.
    """
    from tqdm import tqdm

    if lab not in BOARDS:
        raise store.StoreError(f"{lab!r} has no leaderboard{nearest(lab, BOARDS)}; labs: {', '.join(BOARDS)}")
    latest = store.latest(lab, submitted)
    if not latest:
        raise store.StoreError(f"no submissions in {submitted}/{lab}: run `course collect {lab} FILES…` first")
    seed = store.seed_for(store.secret(grades), lab, "leaderboard")
    asked, rows = BOARDS[lab], BOARDS[lab].exam(seed)
    drawn = hashlib.sha256(f"{seed} {len(rows)} {store.spec_sha(lab)}".encode()).hexdigest()[:12]
    board, left_out, rounds = [], [], {}
    for student, sha, folder, _ in tqdm(latest, desc="examining", unit="model", disable=not progress, file=sys.stderr):
        cache = Path(grades, ".leaderboard", lab, student, f"{sha}-{drawn}.json")
        found = kept(cache, len(rows))
        if found is None:
            try:
                found = room.apart(examined, Path(folder, "work", asked.stage), lab, rows, limits=EXAM)
            except room.Unreadable as reason:
                found = {"reason": str(reason)}
            if "right" in found:
                store.write_json(cache, found)
        tokens = found.get("tokens")
        if asked.most and isinstance(tokens, float) and tokens > asked.most:
            found = {"reason": f"its answers have {tokens:.1f} tokens, and {asked.most} are allowed"}
        if "reason" in found:
            left_out.append({"student": student, "reason": found["reason"]})
            continue
        got, rounds[student] = asked.standing(rows, found["right"])
        low, high = (float(x) for x in np.percentile(rounds[student], [2.5, 97.5]))
        board.append({"student": student, **got, "low": low, "high": high, "tokens": tokens})
    ranks = rank(rounds)
    board = [{"rank": ranks[row["student"]], **row} for row in board]
    board.sort(key=lambda row: (row["rank"], -row["score"], row["student"]))
    result = {"lab": lab, "rows": len(rows), "board": board, "left_out": left_out}
    store.write_json(Path(grades, lab, "leaderboard.json"), result)
    return result


def table(result):
    """A rich Table of the board; names are shown as they are, never as markup."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=f"{result['lab']}: {len(result['board'])} assistants on {result['rows']} hidden rows")
    asked = BOARDS[result["lab"]]
    for column in ("rank", "student", "score", "95 % interval", *asked.more, asked.tokens):
        shown.add_column(column, justify="left" if column == "student" else "right")
    shared = [row["rank"] for row in result["board"]]
    for row in result["board"]:
        place = f"{row['rank']}{' =' if shared.count(row['rank']) > 1 else ''}"
        shown.add_row(
            place,
            Text(row["student"]),
            f"{row['score']:.3f}",
            f"{row['low']:.3f} – {row['high']:.3f}",
            *(f"{row[axis]:.3f}" for axis in asked.more),
            "?" if row["tokens"] is None else f"{row['tokens']:,.{1 if asked.most else 0}f}",
        )
    return shown


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course leaderboard", description="Rank the assistants that were handed in, on hidden data"
    )
    parser.add_argument("lab", nargs="?", default=LAB, metavar="LAB", help=f"{' or '.join(BOARDS)}")
    parser.add_argument("--json", action="store_true", help="print the result as JSON and no table")
    options = parser.parse_args(argv)
    try:
        result = leaderboard(options.lab, progress=not options.json)
    except store.StoreError as reason:
        print(reason, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The models that were examined are kept; run the same command again to go on.", file=sys.stderr)
        return 130
    except OSError as error:
        cure = "free some space or choose a folder you may write to; nothing was changed"
        print(f"cannot write to {store.GRADES} ({error.strerror}): {cure}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        from rich.console import Console

        Console().print(table(result))
        for row in result["left_out"]:
            print(f"not ranked: {row['student']}: {row['reason']}")
    return 0
