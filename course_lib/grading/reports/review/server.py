"""`course review LAB`: a page on this machine for marking written answers. One question at a time over all students,
blind, by keyboard.

The page listens on 127.0.0.1 only. Its address holds a random token; Host, Origin and Sec-Fetch-Site are checked (DNS
rebinding, other sites' forms and scripts); its policy allows no script but its own file, and answers are set as text
(review_page.py). What it shows and keeps: review_queue.py.
"""

import argparse
import hmac
import json
import os
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from course_lib.grading.records import marks, store
from course_lib.grading.reports import page
from course_lib.grading.reports.review import page as review_page
from course_lib.grading.reports.review.queue import Refused, put, queue, standing, undo

CLAIM = 180  # seconds that an answer stays with whoever has it on the screen
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
    "app.js": ("text/javascript", review_page.SCRIPT),
    "style.css": ("text/css", page.STYLE),
}


def server(lab, port=0, names=False, grades=store.GRADES, submitted=store.SUBMISSIONS, by=None):
    """(server, address), not serving yet. StoreError where there is nothing to review or the port is taken."""
    work = queue(lab, page.graded_or_broken(lab, grades, submitted), store.secret(grades), names)
    if not work["items"]:
        raise store.StoreError(f"nothing to read in {lab}: no graded submission has a written answer")
    token, claims, items = secrets.token_urlsafe(24), {}, work["items"]
    start = {"lab": lab, "by": by or os.environ.get("USER") or "reviewer", "questions": work["questions"]}

    def now(session):
        """What a page needs after each step: the marks on disk, and the answers that others have on their screens."""
        late = time.monotonic() - CLAIM
        taken = [name for name, (who, when) in list(claims.items()) if who != session and when > late]
        return {"marks": standing(lab, items, grades), "taken": taken}

    def claim(session, name):
        """From now on `name` is the answer on this session's screen, unless another's has it."""
        for old in [n for n, (who, _) in list(claims.items()) if who == session]:
            claims.pop(old, None)
        if name not in now(session)["taken"]:
            claims[name] = (session[:40], time.monotonic())

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
            if not hmac.compare_digest(given.encode(), token.encode()):
                return self.answer(404, {"message": "no such page"})
            return rest

        def do_GET(self):
            rest = self.asked_for()
            if rest is None:
                return
            session, _, name = rest.removeprefix("item/").partition("/")
            if rest in FILES:
                kind, text = FILES[rest]
                self.answer(200, text, kind)
            elif rest.startswith("start/"):
                self.answer(200, start | now(rest.removeprefix("start/")))
            elif rest.startswith("item/") and name in items:
                claim(session, name)
                self.answer(200, {k: items[name][k] for k in ("answer", "note", "who")} | now(session))
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
                wish, do = self.wish(), {"mark": put, "undo": undo}[rest]
            except (ValueError, RecursionError, KeyError):
                return self.answer(400, {"message": "not a request of this page"})
            try:
                done = do(lab, items, wish, grades)
                self.answer(200, {"id": done or wish["id"]} | now(str(wish.get("session"))))
            except Refused as error:
                self.answer(error.status, {"message": str(error)} | now(str(wish.get("session"))))
            except store.StoreError as error:
                self.answer(507, {"message": str(error)})

    try:
        serving = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        raise store.StoreError(f"port {port} cannot be used ({error}): give another one with --port, or none") from None
    serving.daemon_threads = True
    return serving, f"http://127.0.0.1:{serving.server_port}/{token}/"


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course review", description="Read and mark written answers in a page on this machine"
    )
    parser.add_argument("lab")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--names", action="store_true", help="show whose answer it is (default: blind)")
    arguments = parser.parse_args(argv)
    serving, address = server(arguments.lab, arguments.port, arguments.names)
    port = serving.server_port
    print(
        f"Open {address}\nThe address is secret and works on this machine only (over ssh: ssh -L {port}:127.0.0.1:"
        f"{port} …). Every mark is in {marks.path_of(arguments.lab)} at once; Ctrl+C ends.",
        flush=True,
    )
    with serving:
        serving.serve_forever()
    return 0
