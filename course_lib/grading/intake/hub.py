"""`course serve-hub`: a service of a JupyterHub to which submit() hands in. The hub starts it and says by its
environment where to listen (docs/jupyterhub.md).

    PUT …/services/course/LAB      the zip, with the header `Authorization: token …` of the student's own server
    GET …/services/course/[LAB]    the receipts of whoever asks, and nobody else's

Who asks says the hub: GET /hub/api/user with that token, which must be good for this service. A cookie is worth nothing
here, so no page that a student opens can hand in. Bytes are kept as they come (inbox.py), and after the answer another
process files them in submissions/ as `course collect` does. Deadlines are not judged here.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from course_lib.grading.intake import inbox
from course_lib.grading.intake.collect import clear
from course_lib.grading.intake.inbox import Refused
from course_lib.grading.records import policy, store
from course_lib.notebook.hub import MAX_ZIP

SETTINGS = ("JUPYTERHUB_API_URL", "JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL")
SECONDS = 30  # without a byte of the upload, or an answer of the hub
FILING = threading.Lock()
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the hub is near, whatever http_proxy says


def user_of(token, api, service):
    """The name of the user whose token this is, by the hub. Raises Refused."""
    request = urllib.request.Request(f"{api.rstrip('/')}/user", headers={"Authorization": f"token {token}"})
    try:
        with DIRECT.open(request, timeout=SECONDS) as answer:
            told = json.loads(answer.read(2**20))
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise Refused(403, "the hub does not know this token: stop your server, start it again") from None
        raise Refused(503, f"the hub answers {error.code}") from None
    except (OSError, ValueError):
        raise Refused(503, "the hub does not answer") from None
    if not isinstance(told, dict) or told.get("kind") != "user" or not isinstance(told.get("name"), str):
        raise Refused(403, "this is no student's token")
    if not {"access:services", f"access:services!service={service}"} & set(told.get("scopes") or ()):
        raise Refused(403, f"this token is not for the service {service}: see load_roles in docs/jupyterhub.md")
    return told["name"]


def file_away(lab, attempt):
    """`course collect` of one attempt, in a process of its own; what it says goes to the hub's log."""
    with FILING:
        command = [sys.executable, "-m", "course_lib.cli", "collect", lab, str(attempt), "--from", "hub"]
        subprocess.run(command, stdin=subprocess.DEVNULL)


def server(settings, place=inbox.INBOX, filed=file_away):
    """The server, not serving yet. settings: {name: value} of SETTINGS. Raises StoreError."""
    address = urlsplit(settings["JUPYTERHUB_SERVICE_URL"])
    prefix = settings["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/") + "/"

    class Handler(BaseHTTPRequestHandler):
        timeout, protocol_version, server_version, sys_version = SECONDS, "HTTP/1.1", "course", ""
        left = 0  # bytes of the body that are not read yet

        def log_message(self, format, *args):
            pass

        def answer(self, status, told):
            data = json.dumps(told).encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(data))),
                ("X-Content-Type-Options", "nosniff"),
                ("Cache-Control", "no-store"),
                ("Connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = True

        def asked(self):
            """(user, lab or "") of this request. Raises Refused."""
            kind, _, token = self.headers.get("Authorization", "").partition(" ")
            if kind.lower() not in ("token", "bearer") or not re.fullmatch(r"[\w.~+/=-]{1,500}", token, re.A):
                raise Refused(401, "hand in with submit(): a request needs the token of your server")
            user = user_of(token, settings["JUPYTERHUB_API_URL"], settings["JUPYTERHUB_SERVICE_NAME"])
            path = self.path.partition("?")[0]
            if not path.startswith(prefix):
                raise Refused(404, "no such page")
            return user, path.removeprefix(prefix)

        def read(self, most):
            part = self.rfile.read(min(most, self.left))
            self.left -= len(part)
            return part

        def size(self):
            """Bytes of the body. Raises Refused."""
            told = self.headers.get("Content-Length", "")
            if not re.fullmatch(r"\d{1,12}", told, re.A) or "Transfer-Encoding" in self.headers:
                raise Refused(411, "the request does not say how long it is")
            if not 0 < int(told) <= MAX_ZIP:
                raise Refused(413, f"the zip has more than {MAX_ZIP >> 20} MB, or nothing")
            return int(told)

        def answered(self, do):
            """Answers with what do() gives, or says why not."""
            try:
                status, told = 200, do()
            except Refused as why:
                status, told = why.args[0], {"message": why.args[1]}
            except OSError as error:
                status, told = 507, {"message": f"it could not be kept ({error.strerror or error})"}
            while self.left and self.read(2**20):  # who still sends does not read why it was refused
                pass
            self.answer(status, told)

        def do_GET(self):
            def found():
                user, lab = self.asked()
                labs = [lab] if lab else policy.labs()
                return {"receipts": [receipt for lab in labs for receipt in inbox.receipts(place, lab, user)]}

            self.answered(found)

        def do_PUT(self):
            new = []

            def kept():
                size = self.left = self.size()
                user, lab = self.asked()
                receipt, attempt = inbox.keep(place, lab, user, self, size)
                new.extend([lab, attempt] if attempt else [])
                return receipt

            try:
                self.answered(kept)
            finally:  # also where nobody waits for the answer any more
                if new:
                    filed(*new)

    try:
        port = 80 if address.port is None else address.port
        serving = ThreadingHTTPServer((address.hostname or "127.0.0.1", port), Handler)
    except (OSError, OverflowError, ValueError) as error:
        raise store.StoreError(f"cannot listen at {address.geturl()} ({error}): give the service another url") from None
    serving.daemon_threads = True
    return serving


def main(argv=None):
    argparse.ArgumentParser(
        prog="course serve-hub", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    if lacking := [name for name in SETTINGS if not os.environ.get(name)]:
        raise store.StoreError(
            f"course serve-hub is started by a JupyterHub (docs/jupyterhub.md), which sets {', '.join(lacking)}"
        )
    os.umask(0o027)  # students may have accounts on this machine
    clear(inbox.INBOX / ".incoming")
    with server(os.environ) as serving:
        print(f"course serve-hub: {inbox.INBOX.absolute()}, filed in {store.SUBMISSIONS.absolute()}", flush=True)
        serving.serve_forever()
    return 0
