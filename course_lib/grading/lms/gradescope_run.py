"""Inside Gradescope's container: grades /autograder/submission and writes /autograder/results/results.json.
run_autograder starts it as root.

The sandbox is bubblewrap, as everywhere. Many containers forbid what bubblewrap needs; then there is no grade, unless
the zip was made with --trust-container: the student's code then runs as another user, without privileges and network,
beside files that only root can read.
"""

import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from course_lib.grading.intake import unpacking
from course_lib.grading.intake.containers import Rejected, entries_of_folder, row_of
from course_lib.grading.lms import gradescope
from course_lib.grading.reading import room
from course_lib.grading.records import store

ROOT = Path("/autograder")
LAUNCH = """
import json, os, resource, signal, sys
from course_lib.grading.sandbox.inside import agent_fork as fork
settings, uid = json.loads(os.environ.pop("COURSE_BOX")), int(sys.argv[1])
os.setsid()
os.chdir(os.environ["HOME"])
os.closerange(3, 2**16)
for name, limit in settings["limits"].items():
    resource.setrlimit(getattr(resource, name), (limit, limit))
fork.give_up(settings, uid)
fork.prctl(fork.PDEATHSIG, signal.SIGKILL)
os.execv(sys.argv[2], sys.argv[2:])
"""


def other_user(folder):
    """(spawn, sweep) of agents that run as users of their own. folder: root's, reached by all, listed by nobody else.

    spawn() -> Popen, as Box wants it: a new uid, no capability, no new privileges, the system-call filter and no
    socket, limits, and a copy of what a box shows. sweep() kills whatever those users still run.
    """
    from course_lib.grading.sandbox import borders, bubblewrap

    program = bubblewrap.seccomp_program()
    if os.geteuid() != 0 or program is None:
        raise borders.NoSandbox("without root, or on this machine type, there is no other user to run as")
    # after the filter's first four steps (the architecture is right, the call's number is loaded): socket() is refused,
    # as is the network with it
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    no_socket = struct.pack("=HBBIHBBI", 0x15, 0, 1, number, 0x06, 0, 0, 0x50001)
    settings = bubblewrap.job_settings(program[:32] + no_socket + program[32:])
    shown, used = Path(folder, "course"), []
    for outside, inside in borders.read_only():
        if inside.startswith(f"{borders.INSIDE}/"):
            target = shown / Path(inside).relative_to(borders.INSIDE)
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if Path(outside).is_dir() else shutil.copy)(outside, target)
    subprocess.run(["chmod", "-R", "a+rX,go-w", str(shown)], check=True)

    def spawn():
        sweep()
        uid = borders.box_uid()
        while uid in used:
            uid = borders.box_uid()
        used.append(uid)
        home = Path(folder, f"home{uid}")
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid)
        environment = borders.ENVIRONMENT | {
            "HOME": str(home),
            "MPLCONFIGDIR": str(home),
            "TMPDIR": str(home),
            "PYTHONPATH": str(shown),
            "COURSE_BOX": json.dumps(settings),
        }
        python = [borders.python(), "-s", "-P"]
        line = [*python, "-c", LAUNCH, str(uid), *python, "-m", "course_lib.grading.sandbox.inside.agent"]
        return subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, bufsize=0
        )

    def sweep():
        for uid in used:
            subprocess.run(["kill", "-9", "-1"], user=uid, group=uid, extra_groups=[], stderr=subprocess.DEVNULL)

    return spawn, sweep


def users(root):
    """[{"email", "name"}] of who has submitted, as Gradescope says."""
    try:
        told = json.loads((root / "submission_metadata.json").read_text())["users"]
        return [{k: str(u.get(k) or "") for k in ("email", "name")} for u in told]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []


def shown(grades, sha, people):
    """The results that were made for this submission elsewhere, or ungraded().

    The same file handed in by two is told apart by who submits.
    """
    found = grades.get(sha, [])
    if len(found) > 1:
        who = {p[k].casefold() for p in people for k in p} - {""}
        found = [g for g in found if {g["email"].casefold(), g["name"].casefold()} & who]
    if len(found) == 1:
        return found[0]["results"]
    return gradescope.ungraded("your instructor grades it and shows the result here later")


def unpacked_here(submission, lab, folder):
    """What unpacking.unpack tells of the submission; its files are in `folder`, root's alone. Raises Rejected."""
    about = {"entries": list(map(row_of, entries_of_folder(submission))), "lms": None}
    try:
        told = room.apart(unpacking.unpack, about, lab, folder, limits=unpacking.LIMITS)
    except room.Unreadable as reason:
        raise Rejected(f"it cannot be read: {reason}") from None
    if "full" in told:
        raise OSError(told["full"])
    if why := told.get("rejected") or told["settle"]:
        raise Rejected(why)
    return told


def graded(settings, told, place):
    """The result of a submission, unpacked here, graded here. Prints for the instructor only. Raises NoSandbox."""
    from course_lib.grading.sandbox import borders, doctor
    from course_lib.grading.scoring.grade_one import grade_one
    from course_lib.grading.scoring.jobs import job_of

    spawn, sweep, tier = None, lambda: None, "bubblewrap"
    try:
        doctor.require_sandbox()
    except borders.NoSandbox as reason:
        if not settings["trust_container"]:
            raise
        print(reason)
        (spawn, sweep), tier = other_user(place), "this container, as --trust-container says"
    folder = Path(tempfile.mkdtemp(dir=place))  # root's alone
    shutil.move(told["folder"], folder / "submission")
    key, at = bytes.fromhex(settings["key"]), folder / "submission"
    job = job_of(settings["lab"], "student", told["sha"], settings["spec_sha"], at, key)
    if spawn:
        job["tier"] = "container"
    store.write_json(folder / "job.json", job)
    try:
        result = grade_one(folder / "job.json", folder / "result.json", **({"spawn": spawn} if spawn else {}))
    finally:
        sweep()
    print(f"Graded behind {tier}: {result['status']} {result.get('reason', '')}")
    for flag in result["flags"]:
        print(f"flag: {flag['kind']}: {flag['evidence']}")
    for number, why in result.get("cells_stopped", {}).items():
        print(f"cell {number} stopped: {why}")
    return result


def main(root=ROOT):
    """Writes results.json whatever happens; a score only where one was earned."""
    started = time.time()
    os.chmod(root, 0o711)
    for name in ("source", "submission", "results"):  # root's, before any code of a student runs
        os.chmod(root / name, 0o700)
    try:
        settings = json.loads((root / "source" / "autograder.json").read_text())
        with tempfile.TemporaryDirectory() as place:
            os.chmod(place, 0o711)
            told = unpacked_here(root / "submission", settings["lab"], Path(tempfile.mkdtemp(dir=place)))
            if "grades" in settings:
                made = shown(settings["grades"], told["sha"], users(root))
            else:
                made = gradescope.results(graded(settings, told, place), time.time() - started)
    except Rejected as reason:
        made = gradescope.ungraded(str(reason), time.time() - started)
    except Exception as error:  # ours, or a container that forbids too much: a person sees it, nobody loses a point
        print(f"{type(error).__name__}: {error}")
        made = gradescope.ungraded(
            "the grader could not run here; your instructor grades it elsewhere and shows the result here",
            time.time() - started,
        )
    store.write_json(root / "results" / "results.json", made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
