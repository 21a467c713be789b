"""What a student's checks have said, kept in the work folder for the start page: a line a check, only ever added to
(journal.py). No grade, and nobody else reads it.
"""

import time
from pathlib import Path

from course_lib.platform import CourseError, work_dir
from course_lib.widgets import journal

FILE = "progress.jsonl"


def record(result, lab: str) -> str:
    """Write down a check's QuestionResult. "" or, where the disk refuses, a line that says so: a check must never stop
    for it.
    """
    return kept(lab, result.id, result.status, score=result.score, of=result.max)


def taken(question: str, lab: str) -> str:
    """Write down that a question was checked in an exam, where nobody is told more. Returns as record."""
    return kept(lab, question, "taken")


def kept(lab: str, question: str, status: str, **points) -> str:
    event = {"lab": lab, "question": question, "status": status, **points, "when": round(time.time(), 1)}
    try:
        journal.append(work_dir() / FILE, event)
    except CourseError as error:
        return f"(your start page will not know of this check: {error})"
    return ""


def last_checks(events: list[dict]) -> dict[tuple[str, str], dict]:
    """(lab, question) → its last check: what would count if the lab were handed in now, or that it was taken."""
    return {
        (event["lab"], event["question"]): event
        for event in events
        if {"lab", "question", "status"} <= set(event)
        and (isinstance(event.get("score"), (int, float)) or event["status"] == "taken")
    }


def state(work: Path | str | None = None) -> list[dict]:
    """Each lab: {"lab", "title", "score", "points": of all its questions, "passed", "checks": questions that a program
    checks, "tried", "taken": of them in an exam, which tells no more, "written": points that a person gives}.
    """
    import importlib

    from course_lib.questions import core

    last = last_checks(journal.read(Path(work or work_dir()) / FILE))
    rows = []
    for lab in core.labs():
        questions = core.questions_of(lab)
        checked = [q for q in questions if not isinstance(q, core.WrittenQuestion)]
        tried = [last[lab, q.id] for q in checked if (lab, q.id) in last]
        made = [e for e in tried if e["status"] != "taken"]
        about = importlib.import_module(f"course_lib.questions.lab{lab}").__doc__ or ""
        title = about.partition(":")[0].partition(", ")[2]
        rows.append(
            {
                "lab": lab,
                "title": title[0].upper() + title[1:],
                "score": round(sum(min(e["score"], e.get("of", e["score"])) for e in made), 2),
                "points": sum(q.points for q in questions),
                "passed": sum(e["status"] == "pass" for e in made),
                "tried": len(tried),
                "taken": len(tried) - len(made),
                "checks": len(checked),
                "written": sum(q.points for q in questions) - sum(q.points for q in checked),
            }
        )
    return rows
