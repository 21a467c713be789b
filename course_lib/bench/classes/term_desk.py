"""The instructor's desk in a played term: commands as they are typed, some of them killed with -9 and typed again, and
the readers who mark answers in the page of `course review` as its script does.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from course_lib.grading.sandbox import borders
from course_lib.platform import PACKAGE, ROOT

LOST = (OSError, http.client.HTTPException)  # the server was killed while it was asked
GONE = 20.0  # seconds after which what a killed command has started must have ended
GUESS = 2.0  # seconds of a command that has not run yet


class Desk:
    """folder: where the instructor works; the course that grades is a copy in folder/fork, so that a question can be
    mended in it. `log` has (verb, seconds, was it killed?) of each command, `wrong` a line for what must not happen.
    """

    def __init__(self, folder):
        self.folder, self.fork, self.log, self.wrong, self.lasted = Path(folder), Path(folder, "fork"), [], [], {}
        shutil.copytree(PACKAGE, self.fork / "course_lib")
        for name in ("labs", "solutions"):
            shutil.copytree(ROOT / name, self.fork / name, ignore=shutil.ignore_patterns("work", "smollm2"))
        self.environment = os.environ | {"PYTHONPATH": str(self.fork), "COLUMNS": "200", "COURSE_SIZE": "tiny"}

    def begin(self, words, **options):
        command = [sys.executable, "-m", "course_lib.cli", *map(str, words)]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **options)

    def course(self, *words, draw=None, kills=0, codes=(0,)):
        """Runs `course …` to its end, after it was killed so many times. Returns what it has printed."""
        for _ in range(kills):
            self.killed(words, draw)
        began = time.monotonic()
        process = self.begin(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        out, err = process.communicate()
        self.note(words, began)
        if process.returncode not in codes:
            last = (err or out).strip().splitlines()[-1:]
            self.wrong.append(f"course {' '.join(map(str, words))}: exit status {process.returncode}: {last}")
        return out

    def note(self, words, began, killed=False):
        seconds = time.monotonic() - began
        self.log.append((words[0], seconds, killed))
        if not killed:
            self.lasted[words[0]] = seconds

    def killed(self, words, draw):
        """Begins a command and kills it: at a moment of the time that such a one took last, or as soon as it has
        written a few files or lines.
        """
        began, lab = time.monotonic(), words[1] if len(words) > 1 else ""
        process = self.begin(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        if draw.random() < 0.5:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0.02, 1.0) * self.lasted.get(words[0], GUESS))
        else:
            before, steps = self.written(lab), draw.choice([1, 1, 2, 5, 20])
            while process.poll() is None and self.written(lab) < before + steps:
                time.sleep(0.004)
        self.kill(process, words, began)

    def kill(self, process, words, began):
        if process.poll() is not None:  # it was done before
            return self.note(words, began)
        below = [pid for pid in borders.processes(process.pid) if pid != process.pid]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.note(words, began, killed=True)
        until = time.monotonic() + GONE
        while any(map(alive, below)):
            if time.monotonic() > until:
                self.wrong.append(f"course {words[0]} was killed, and what it had begun goes on")
                return
            time.sleep(0.02)

    def written(self, lab):
        """How much of a lab is on disk: its files and the lines of its histories."""
        found = 0
        for place in ("submissions", "grades", "feedback"):
            for path in Path(self.folder, place, lab).rglob("*"):
                found += 1
                if path.suffix == ".jsonl":
                    with contextlib.suppress(OSError):
                        found += path.read_bytes().count(b"\n")
        return found

    @contextlib.contextmanager
    def with_case_too_many(self, lab, exercise):
        """While it lasts, the question of an exercise has a mistake in this course: a case that no answer can pass."""
        path = self.fork / "course_lib" / "questions" / f"lab{lab}.py"
        right = path.read_bytes()
        (name,) = re.findall(rf'^(\w+) = Question\(\s*"{exercise}"', right.decode(), re.M)
        case = f'\n\n@{name}.case("a mistake of the instructor", cost=0.5)\ndef _(q):\n    q.close("one", 1.0, 0.0)\n'
        path.write_bytes(right + case.encode())
        try:
            yield
        finally:
            path.write_bytes(right)

    # ---- reading

    def read(self, lab, mark_of, draw, kills=0, readers=(), again=False):
        """Marks all written answers of a lab in the page of `course review`, which is killed so many times meanwhile.

        mark_of(question, answer) -> points, None for one that is left. again: until a page that is opened anew has
        nothing more to mark.
        """
        given, words = {}, ["review", lab]
        if readers:
            path = self.folder / f"readers_{lab}.txt"
            path.write_text("".join(f"{name}\n" for name in readers))
            words += ["--tas", path.name, "--twice", "0.2"]
        while True:
            began = time.monotonic()
            process = self.begin(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            addresses = addresses_of(process, len(readers))
            if not addresses:  # nothing was handed in that could be read
                process.wait()
                return self.note(words, began)
            timer = threading.Timer(draw.uniform(0.01, 1.5), process.kill) if kills else None
            if timer:
                timer.start()
            kills, more, lost = max(0, kills - 1), 0, False
            try:
                for reader, address in enumerate(addresses):
                    more += self.mark_all(address, mark_of, given.setdefault(reader, set()))
            except LOST:
                lost = True
            if timer:
                timer.cancel()
            killed = lost or process.poll() is not None  # it answers no more, and may be about to end
            process.terminate()  # no Ctrl+C, which what runs in the background does not get
            process.wait()
            process.stdout.close()
            self.note(words, began, killed)
            if not killed and not (again and more):
                return

    def mark_all(self, address, mark_of, given):
        """Marks what a reader's page shows as unmarked. Returns how many. given: the items that were marked so far."""
        start, count = ask(address, "start/desk"), 0
        asked = [question for question in start["questions"] if question["levels"]]
        for question in asked:
            for item in question["order"]:
                there = start["marks"].get(item)
                if item in given and not there:
                    self.wrong.append(f"the mark of {question['id']}, {item}, was taken and is lost")
                if there:
                    continue
                points = mark_of(question["id"], ask(address, f"item/desk/{item}")["answer"])
                if points is None:
                    continue
                wish = {"session": "desk", "id": item, "score": points, "comment": "", "by": "instructor", "seen": None}
                ask(address, "mark", wish)
                given.add(item)
                count += 1
        return count


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def addresses_of(process, readers):
    """The addresses that `course review` prints: those of its readers, else the instructor's. [] if it ends before."""
    found = []
    for line in process.stdout:
        found += re.findall(r"http://127\.0\.0\.1:\d+/\S+/", line)
        if len(found) == 1 + readers:
            return found[1:] or found
    return []


def ask(address, path, wish=None):
    """A request as the page makes it. Raises what is in LOST."""
    data = None if wish is None else json.dumps(wish).encode()
    headers = {"Origin": "http://" + urlsplit(address).netloc, "Content-Type": "application/json"} if data else {}
    with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=60) as reply:
        return json.loads(reply.read())
