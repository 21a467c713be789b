"""`course review LAB`: a page on this machine for marking written answers. One question at a time over all students,
blind, by keyboard.

The page listens on 127.0.0.1 only. Its address holds a random token; Host, Origin and Sec-Fetch-Site are checked (DNS
rebinding, other sites' forms and scripts); its policy allows no script but its own file, and answers are set as text
(page.py, script.py). What it shows: queue.py, handed_in.py; what it keeps: keep.py; other readers: tas.py.
"""

import argparse
import hmac
import json
import os
import secrets
import shlex
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from course_lib.grading.records import marks, policy, store
from course_lib.grading.reports import audit, page
from course_lib.grading.reports.review import page as review_page
from course_lib.grading.reports.review import tas
from course_lib.grading.reports.review.handed_in import FLAGGED, LOOK
from course_lib.grading.reports.review.keep import Refused, decide, decided, item_of, put, standing, undo
from course_lib.grading.reports.review.queue import find, groups_of, queue
from course_lib.grading.reports.review.script import SCRIPT
from course_lib.grading.reports.review.suggest import command_of, draft

CLAIM = 180  # seconds that an answer stays with whoever has it on the screen
ACTS = ("mark", "undo", "decide", "find", "suggest", "leave")  # what a page may ask for
MAX_WISH = 65536  # bytes of what a page asks for
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",
}
FILES = {
    "": ("text/html", review_page.HTML),
    "app.js": ("text/javascript", SCRIPT),
    "style.css": ("text/css", page.STYLE + review_page.STYLE),
}


def desks_of(work, accounts, twice, key):
    """{reader's name, None for the instructor: desk as keep.py has it, with "questions", the lists of the page}. A
    reader with an account has a share of the answers, and one of the hand-ins, which nobody else reads but the
    instructor.
    """
    whole = {name: item for name, item in work["items"].items() if item["question"] in (LOOK, FLAGGED)}
    answers = {name: item for name, item in work["items"].items() if name not in whole}
    whole = {name: item | {"group": item["group"] or item["student"]} for name, item in whole.items()}
    hand_ins = tas.shares(whole, list(accounts), 0.0, key)
    parts = next((q["parts"] for q in work["questions"] if q["parts"]), [])
    everything = {None: (set(work["items"]), set())}
    found = {}
    for reader, (mine, second) in (everything | tas.shares(answers, list(accounts), twice, key)).items():
        mine = mine | hand_ins.get(reader, everything[None])[0]
        questions = [q | {"order": [name for name in q["order"] if name in mine]} for q in work["questions"]]
        found[reader] = {
            "by": reader,
            "items": {name: work["items"][name] for name in work["items"] if name in mine},
            "second": second,
            "parts": parts,
            "questions": [q for q in questions if q["order"] or (q["levels"] and reader is None)],
        }
    return found


def server(
    lab,
    port=0,
    names=False,
    grades=store.GRADES,
    submitted=store.SUBMISSIONS,
    by=None,
    suggest=None,
    accounts=None,
    twice=0.0,
):
    """(server, the instructor's address, {reader: address}), not serving yet. suggest: the words of a command;
    accounts: {reader: token}. StoreError where there is nothing to review or the port is taken.
    """
    rows = page.rows_of(lab, grades, submitted)
    read = page.graded_or_broken(lab, rows)
    key, flags = store.secret(grades), audit.flags_on_disk(lab, read, grades)
    work = queue(lab, read, key, names, groups_of(read, submitted), flags)
    if not work["items"]:
        raise store.StoreError(f"nothing to read in {lab}: no graded submission has a written answer")
    desks, claims = desks_of(work, accounts or {}, twice, key), {}
    tokens = {None: secrets.token_urlsafe(24)} | (accounts or {})
    about = {
        "lab": lab,
        "names": names,
        "suggest": shlex.join(suggest) if suggest else "",
        "flagged": FLAGGED,
        "waiting": sum(bool(row["sha"]) for row in rows) - sum(bool(row["sha"]) for row in read),
    }

    def now(session, desk):
        """What a page needs after each step: what is on disk, and the answers that others have on their screens."""
        late = time.monotonic() - CLAIM
        taken = [
            name
            for (name, second), (who, when) in list(claims.items())
            if who != session and when > late and name in desk["items"] and second == (name in desk["second"])
        ]
        return {"marks": standing(lab, desk, grades), "taken": taken, "decided": decided(lab, desk, grades)}

    def leave(session):
        for old in [place for place, (who, _) in list(claims.items()) if who == session]:
            claims.pop(old, None)

    def claim(session, name, desk):
        """From now on `name` is the answer on this session's screen, unless another's has it."""
        leave(session)
        if name not in now(session, desk)["taken"]:
            claims[name, name in desk["second"]] = (session, time.monotonic())

    def act(what, wish, desk):
        """Does what a page asks for: what it is told. Raises Refused, StoreError."""
        session = str(wish.get("session"))[:40]
        if what == "leave":
            return leave(session) or {}
        if what == "find":
            return {"found": find(str(wish.get("text"))[:200], desk["items"]) if names else []}
        if what == "suggest":
            item = item_of(desk, wish)
            question = next(q for q in desk["questions"] if q["id"] == item["question"])
            return draft(suggest, lab, question, item) if suggest else {"problem": "it was started without --suggest"}
        if what == "decide":
            return decide(lab, desk, wish, grades, submitted) or {"id": wish["id"]} | now(session, desk)
        done = {"mark": put, "undo": undo}[what](lab, desk, wish, grades)
        return {"id": done or wish["id"]} | now(session, desk)

    class Handler(BaseHTTPRequestHandler):
        timeout, protocol_version, server_version, sys_version = 30, "HTTP/1.1", "review", ""

        def log_message(self, format, *args):
            pass

        def answer(self, status, body, kind="application/json"):
            data = (body if isinstance(body, str) else json.dumps(body)).encode("utf-8", "replace")
            self.send_response(status)
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        def asked_for(self):
            """The path below the token, or None after a refusal has been sent."""
            own = [f"{host}:{serving.server_port}" for host in ("127.0.0.1", "localhost")]
            given, _, rest = self.path.removeprefix("/").partition("/")
            ours = self.headers.get("Host") in own
            ours &= self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
            if self.command == "POST":
                ours &= self.headers.get("Origin") in [f"http://{host}" for host in own]
                ours &= self.headers.get("Content-Type") == "application/json"
            if not ours:
                return self.answer(403, {"message": "not from this page"})
            # each is compared, however soon one is right: the time tells nothing
            whose = [name for name, token in tokens.items() if hmac.compare_digest(given.encode(), token.encode())]
            if not whose:
                return self.answer(404, {"message": "no such page"})
            self.desk = desks[whose[0]]
            return rest

        def do_GET(self):
            rest = self.asked_for()
            if rest is None:
                return
            session, _, name = rest.removeprefix("item/").partition("/")
            session = session[:40]
            desk = self.desk
            if rest in FILES:
                kind, text = FILES[rest]
                self.answer(200, text, kind)
            elif rest.startswith("start/"):
                whom = desk["by"] or by or os.environ.get("USER") or "reviewer"
                mine = {"by": whom, "account": desk["by"] is not None}
                self.answer(200, about | mine | {"questions": desk["questions"]} | now(rest[6:46], desk))
            elif rest.startswith("item/") and name in desk["items"]:
                claim(session, name, desk)
                shown = {k: desk["items"][name][k] for k in ("answer", "cells", "note", "who")}
                self.answer(200, shown | now(session, desk))
            else:
                self.answer(404, {"message": "no such page"})

        def wish(self):
            """The object that a page has sent. ValueError for anything else."""
            size = int(self.headers.get("Content-Length", ""))
            wish = json.loads(self.rfile.read(size)) if 0 < size <= MAX_WISH else None
            if type(wish) is not dict:
                raise ValueError
            return wish

        def do_POST(self):
            rest = self.asked_for()
            if rest is None:
                return
            try:
                wish = self.wish()
                if rest not in ACTS:
                    raise ValueError
            except (ValueError, RecursionError):
                return self.answer(400, {"message": "not a request of this page"})
            try:
                self.answer(200, act(rest, wish, self.desk))
            except Refused as error:
                self.answer(error.status, {"message": str(error)} | now(str(wish.get("session"))[:40], self.desk))
            except store.StoreError as error:
                self.answer(507, {"message": str(error)})

    try:
        serving = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise store.StoreError(f"port {port} cannot be used ({error}): give another one with --port, or none") from None
    serving.daemon_threads = True
    addresses = {name: f"http://127.0.0.1:{serving.server_port}/{token}/" for name, token in tokens.items()}
    return serving, addresses.pop(None), addresses


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course review", description="Read and mark written answers in a page on this machine"
    )
    parser.add_argument("lab")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--names", action="store_true", help="show whose answer it is, and search (default: blind)")
    parser.add_argument("--suggest", metavar="CMD", help="your program that drafts marks: JSON in, JSON out")
    parser.add_argument("--tas", metavar="FILE", help="readers, a name a line: each gets an address and a share")
    parser.add_argument("--twice", type=float, metavar="SHARE", help="of the answers that two of them mark: 0.2")
    parser.add_argument("--agreement", action="store_true", help="how well two readers agree (Cohen's κ), and end")
    options = parser.parse_args(argv)
    lab = options.lab
    policy.known_lab(lab)
    if options.agreement:
        print("\n".join(tas.agreement(lab)))
        return 0
    accounts = tas.read(options.tas) if options.tas else {}
    if options.twice is not None and not (0 <= options.twice <= 1 and len(accounts) > 1):
        raise store.StoreError("--twice is a share from 0 to 1, and needs --tas with two names at least")
    suggest = command_of(options.suggest) if options.suggest is not None else None
    serving, address, others = server(
        lab, options.port, options.names, suggest=suggest, accounts=accounts, twice=options.twice or 0.0
    )
    port = serving.server_port
    print(
        f"Open {address}\nThe address is secret and works on this machine only (over ssh: ssh -L {port}:"
        f"127.0.0.1:{port} …). Every mark is in {marks.path_of(lab)} at once; Ctrl+C ends."
    )
    for name, address in others.items():
        print(f"{name}: {address}")
    sys.stdout.flush()
    with serving:
        serving.serve_forever()
    return 0
