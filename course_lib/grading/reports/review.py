"""`course review LAB`: a page on this machine for marking written answers. One question at a time over all students,
blind, by keyboard.

What counts is grades/LAB/marks.jsonl (store.append_mark): a mark is on disk before the next answer shows, an undo is
one more line, and whoever starts again goes on from there. The page listens on 127.0.0.1 only. Its address holds a
random token; Host, Origin and Sec-Fetch-Site are checked (DNS rebinding, other sites' forms and scripts); its policy
allows no script but its own file, and answers are set as text (review_page.py).
"""

import argparse
import fcntl
import hashlib
import hmac
import json
import math
import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports import page
from course_lib.notebook import cells as notebooks
from course_lib.platform import ROOT

LOOK = "ungradable"  # the list of submissions to look at, beside the questions
CLAIM = 180  # seconds that an answer stays with whoever has it on the screen
LONGEST = 20_000  # characters of an answer, of a comment a fifth of it


def levels(rubric, points):
    """[(points, text)] of a rubric like "0.5: says both. 0.25: only one.  0: neither.", the highest first. Without
    levels: quarters of the points.
    """
    parts = re.split(r"(?:^|\n|  )(\d+(?:\.\d+)?):\s", rubric)
    found = {float(p): " ".join(text.split()) for p, text in zip(parts[1::2], parts[2::2]) if float(p) <= points}
    if not found or max(found) == 0:
        found |= {points * quarter / 4: f"{25 * quarter} %" for quarter in range(5)}
    return sorted(({0.0: "nothing of it"} | found).items(), reverse=True)


def asked(lab, root=ROOT):
    """{id: text of the question}: what stands in the student notebook above each place for an answer. {} where there is
    no notebook.
    """
    try:
        cells = notebooks.read_cells(Path(root, "labs", f"{lab}.ipynb"))
    except notebooks.Ungradable:
        return {}
    place = r"\s*<!--\s*WRITTEN\s+(\w+)\s*-->"
    # of a cell with more in it, what begins with the question's number; without the marks of Markdown
    only = lambda text: re.sub(r"\*+|(?m:^#+ )", "", re.split(r"\n\n(?=\**\d\.)", text)[-1])
    return {
        re.match(place, below).group(1): only(above)
        for (_, kind, above), (_, _, below) in zip(cells, cells[1:])
        if kind == "markdown" and re.match(place, below)
    }


def queue(lab, rows, key, names=False):
    """{"questions": [{"id", "title", "text", "points", "levels", "order": [item ids]}], "items": {item id: {"question",
    "student", "sha", "points", "answer", "note", "who"}}}.

    Item ids and their order are HMACs under the class's secret: neither tells a student, and the order is another one
    for each question and the same at every start.
    """
    from course_lib.questions import core

    written = [q for q in core.questions_of(lab) if isinstance(q, core.WrittenQuestion)]
    text, items, questions = asked(lab), {}, []

    def add(question, row, points, answer, note):
        made = hmac.new(
            key, f"review|{lab}|{question}|{row['student']}|{row['sha']}".encode(), hashlib.sha256
        ).hexdigest()[:20]
        who = (row["name"] or row["student"]) if names else ""
        items[made] = {
            "question": question,
            "student": row["student"],
            "sha": row["sha"],
            "points": points,
            "answer": page.visible(answer, LONGEST),
            "note": page.visible(note),
            "who": page.visible(who, 200),
        }
        return made

    for question in written:
        found = [
            (row, q)
            for row in rows
            if row["result"]
            for q in row["result"]["questions"]
            if q["id"] == question.id and q["status"] in ("needs_review", "marked")
        ]
        order = sorted(
            add(
                question.id,
                row,
                question.points,
                q.get("answer", ""),
                "" if q.get("answer") not in ("", notebooks.STUB_ANSWER) else "nothing was written: 0 suggested",
            )
            for row, q in found
        )
        steps = [{"points": p, "text": t} for p, t in levels(question.rubric, question.points)]
        questions.append(
            {
                "id": question.id,
                "title": question.title or question.id,
                "text": page.visible(text.get(question.id, ""), LONGEST),
                "points": question.points,
                "levels": steps,
                "order": order,
            }
        )
    broken = [row for row in rows if row["result"] and row["result"]["status"] == "ungradable"]
    order = sorted(
        add(LOOK, row, 0, beginning(row["folder"]), f"{row['result']['reason']} (submission {row['sha']})")
        for row in broken
    )
    if order:
        questions.append(
            {
                "id": LOOK,
                "title": "Ungradable submissions, to look at",
                "text": "No grade was written for these. Decide what to do with each: ask for another hand-in, or "
                "grade it by hand.",
                "points": 0,
                "levels": [],
                "order": order,
            }
        )
    return {"questions": questions, "items": items}


def beginning(folder):
    """What can be read of a notebook that cannot be graded: its cells, else the first characters of the file."""
    path = Path(folder, "notebook.ipynb")
    try:
        return "\n\n".join(f"[{number}] {source}" for number, _, source in notebooks.read_cells(path))[:LONGEST]
    except notebooks.Ungradable:
        try:
            with open(path, "rb") as file:
                return file.read(4000).decode("utf-8", "replace")
        except OSError as error:
            return f"(the file cannot be read: {error.strerror})"


def standing(lab, items, grades):
    """{item id: {"score", "comment", "by", "at"}} of the marks on disk, the latest last."""
    place = {(item["student"], item["sha"], item["question"]): name for name, item in items.items()}
    return {
        place[key]: {k: mark.get(k) for k in ("score", "comment", "by", "at")}
        for key, mark in store.marks(lab, grades).items()
        if key in place
    }


class Refused(Exception):
    """(status, one line): what is asked for cannot be done."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@contextmanager
def locked(lab, grades):
    """Between reading the marks and adding one nobody else adds one, be it in this process or another."""
    path = store.marks_path(lab, grades).with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")
    except OSError as error:
        raise store.StoreError(f"the mark was not kept: cannot write {path} ({error.strerror})") from None
    with file:
        with suppress(
            OSError
        ):  # a file system without locks: two reviewers in the same tenth of a second is all that it costs
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(lab, items, wish, grades):
    """Appends the mark that a page asks for: {"id", "score" (None takes it back), "comment", "by", "seen" (the "at" of
    the mark it shows, or None)}.

    Raises Refused: 400 for a wish that makes no sense, 409 where somebody else has marked the answer since it was
    shown. Raises StoreError where the disk refuses.
    """
    item = items.get(wish.get("id")) if type(wish.get("id")) is str else None
    score, comment, by = wish.get("score"), wish.get("comment", ""), wish.get("by")
    if item is None or item["question"] == LOOK:
        raise Refused(400, "there is no such answer")
    if score is not None and not (
        type(score) in (int, float) and math.isfinite(score) and 0 <= score <= item["points"]
    ):
        raise Refused(400, f"points are a number from 0 to {item['points']:g}")
    if type(comment) is not str or len(comment) > LONGEST // 5 or type(by) is not str or not by.strip() or len(by) > 80:
        raise Refused(400, f"a comment has at most {LONGEST // 5} characters, and a mark needs the reviewer's name")
    with locked(lab, grades):
        now = standing(lab, items, grades).get(wish["id"])
        if (now or {}).get("at") != wish.get("seen"):
            raise Refused(
                409,
                "somebody else has marked this answer since you saw it"
                if now
                else "this mark was taken back since you saw it",
            )
        mark = {
            "student": item["student"],
            "submission_sha": item["sha"],
            "question": item["question"],
            "score": score,
            "comment": comment.strip(),
            "by": by.strip(),
            "at": round(time.time(), 6),
        }
        store.append_mark(lab, mark, grades)


def undo(lab, items, wish, grades):
    """Takes back the last mark that stands of the reviewer `wish["by"]` (of `wish["id"]`, if it is named). Returns its
    item id. Raises Refused where there is none.
    """
    with locked(lab, grades):
        mine = [
            name
            for name, mark in standing(lab, items, grades).items()
            if mark["by"] == wish.get("by") and wish.get("id") in (None, name)
        ]
        if not mine:
            raise Refused(404, "there is nothing of yours to take back")
        item = items[mine[-1]]
        store.append_mark(
            lab,
            {
                "student": item["student"],
                "submission_sha": item["sha"],
                "question": item["question"],
                "score": None,
                "comment": "",
                "by": wish["by"],
                "at": round(time.time(), 6),
            },
            grades,
        )
        return mine[-1]


def server(lab, port=0, names=False, grades=store.GRADES, submitted=store.SUBMISSIONS, by=None):
    """(server, address), not serving yet. StoreError where there is nothing to review or the port is taken."""
    from course_lib.grading.reports import review_page

    rows = page.graded_or_broken(lab, grades, submitted)
    work = queue(lab, rows, store.secret(grades), names)
    if not work["items"]:
        raise store.StoreError(f"nothing to read in {lab}: no graded submission has a written answer")
    token, claims, items = secrets.token_urlsafe(24), {}, work["items"]
    by = by or os.environ.get("USER") or "reviewer"
    files = {
        "": ("text/html", review_page.HTML),
        "app.js": ("text/javascript", review_page.SCRIPT),
        "style.css": ("text/css", page.STYLE),
    }

    def now(session):
        """What a page needs after each step: the marks on disk, and the answers that others have on their screens."""
        late = time.monotonic() - CLAIM
        return {
            "marks": standing(lab, items, grades),
            "taken": [name for name, (who, when) in list(claims.items()) if who != session and when > late],
        }

    class Handler(BaseHTTPRequestHandler):
        timeout, protocol_version, server_version, sys_version = 30, "HTTP/1.1", "review", ""

        def log_message(self, *_):
            pass

        def answer(self, status, body, kind="application/json"):
            data = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "replace")
            self.send_response(status)
            policy = (
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
                "form-action 'none'; frame-ancestors 'none'"
            )
            for header in (
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(data))),
                ("Content-Security-Policy", policy),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
                ("Cache-Control", "no-store"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
                ("Connection", "close"),
            ):
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        def asked_for(self):
            """The path below the token, or None after a refusal has been sent."""
            own = [f"{host}:{self.server.server_address[1]}" for host in ("127.0.0.1", "localhost")]
            given, _, rest = self.path.removeprefix("/").partition("/")
            if self.headers.get("Host") not in own or self.headers.get("Sec-Fetch-Site", "none") not in (
                "none",
                "same-origin",
            ):
                self.answer(403, {"message": "not from this page"})
            elif self.command == "POST" and (
                self.headers.get("Origin") not in [f"http://{host}" for host in own]
                or self.headers.get("Content-Type") != "application/json"
            ):
                self.answer(403, {"message": "not from this page"})
            elif not hmac.compare_digest(given.encode(), token.encode()):
                self.answer(404, {"message": "no such page"})
            else:
                return rest
            return None

        def do_GET(self):
            rest = self.asked_for()
            if rest is None:
                return
            session, _, name = rest.removeprefix("item/").partition("/")
            if rest in files:
                self.answer(200, files[rest][1], files[rest][0])
            elif rest.startswith("start/"):
                self.answer(
                    200, {"lab": lab, "by": by, "questions": work["questions"]} | now(rest.removeprefix("start/"))
                )
            elif rest.startswith("item/") and name in items:
                for old in [n for n, (who, _) in list(claims.items()) if who == session]:
                    claims.pop(old, None)
                if name not in now(session)["taken"]:
                    claims[name] = (session[:40], time.monotonic())
                self.answer(200, {k: items[name][k] for k in ("answer", "note", "who")} | now(session))
            else:
                self.answer(404, {"message": "no such page"})

        def do_POST(self):
            rest = self.asked_for()
            if rest is None:
                return
            try:
                size = int(self.headers.get("Content-Length", ""))
                if not 0 < size <= 65536:
                    raise ValueError
                wish = json.loads(self.rfile.read(size))
                if type(wish) is not dict or rest not in ("mark", "undo"):
                    raise ValueError
                done = (put if rest == "mark" else undo)(lab, items, wish, grades)
                self.answer(200, {"id": done or wish["id"]} | now(str(wish.get("session"))))
            except (ValueError, RecursionError):
                self.answer(400, {"message": "not a request of this page"})
            except Refused as error:
                self.answer(error.status, {"message": str(error)} | now(str(wish.get("session"))))
            except store.StoreError as error:
                self.answer(507, {"message": str(error)})

    try:
        serving = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise store.StoreError(f"port {port} cannot be used ({error}): give another one with --port, or none") from None
    serving.daemon_threads = True
    return serving, f"http://127.0.0.1:{serving.server_address[1]}/{token}/"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course review", description=__doc__.split("\n")[0])
    parser.add_argument("lab")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--names", action="store_true", help="show whose answer it is (default: blind)")
    arguments = parser.parse_args(argv)
    serving, address = server(arguments.lab, arguments.port, arguments.names)
    print(
        f"Open {address}\nThe address is secret and works on this machine only (over ssh: ssh -L "
        f"{serving.server_address[1]}:127.0.0.1:{serving.server_address[1]} …). "
        f"Every mark is in {store.marks_path(arguments.lab)} at once; Ctrl+C ends.",
        flush=True,
    )
    with serving:
        serving.serve_forever()
    return 0
