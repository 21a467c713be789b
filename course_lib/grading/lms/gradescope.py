"""`course gradescope LAB -o autograder.zip`: an autograder that Gradescope builds into a container and runs on each
submission.

The zip holds setup.sh, run_autograder, this very course_lib, the pins, and a secret made for this lab: keep it like the
secret itself. Inside, gradescope_run.py grades as `course grade` does. Formats:
https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

import argparse
import hashlib
import hmac
import importlib.metadata
import io
import json
import zipfile
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports import feedback
from course_lib.grading.reports.page import visible
from course_lib.platform import PACKAGE, safe_name

TEXT = 8000  # characters of one output
SETUP = """#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the container.
set -euo pipefail
cd /autograder/source
export DEBIAN_FRONTEND=noninteractive
have() {{ command -v "$1" >/dev/null; }}
if ! have bwrap || ! have setpriv || ! have python3; then
    apt-get update -qq
    apt-get install -y -qq bubblewrap util-linux python3 python3-venv
fi
fits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
python=""
for name in python3.13 python3.12 python3.11 python3; do
    "$name" -c "$fits" 2>/dev/null && python=$name && break
done
if [ -z "$python" ]; then
    echo "Littlebrook needs Python 3.11, 3.12 or 3.13: choose Ubuntu 24.04 as the base image." >&2
    exit 1
fi
{install}
chmod -R a+rX,go-w /autograder/source  # a sandbox is shown some of these files one by one …
chmod 700 /autograder/source           # … and nobody but root gets to the rest
"""
FULL = """"$python" -m venv /autograder/venv
cpu=https://download.pytorch.org/whl/cpu
/autograder/venv/bin/pip install -q --disable-pip-version-check -c constraints.txt --extra-index-url $cpu torch numpy
/autograder/venv/bin/pip install -q --disable-pip-version-check -c constraints.txt -r requirements.txt
/autograder/venv/bin/python -m compileall -q course_lib"""
BARE = '"$python" -m venv --without-pip /autograder/venv'
RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission, as root, in /autograder.
# It always writes results/results.json, and never a score that nobody has earned.
export PYTHONPATH=/autograder/source PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
exec /autograder/venv/bin/python -P -m course_lib.grading.lms.gradescope_run
"""


# ---- results.json
# ---------------------------------------------------------------------------------------------------------


def test_of(lab, question, definition):
    """One entry of "tests", in the words of `course feedback`. A question that a person reads carries no score until it
    has one.
    """
    entry = {"name": question["id"], "name_format": "text", "output_format": "text", "visibility": "visible"}
    if question["status"] == "excused":
        return entry | {"output": f"Excused: {question['adjusted'].get('reason', '')}"}
    if question["score"] is None:
        return entry | {"output": f"Read by a person: {question['max']:g} points."}
    made = feedback.shown(lab, question, definition)
    lines = []
    for word, name, notes in made["cases"]:
        lines += [f"[{word}] {name}", *(f"    {label}: {text}" for label, text in notes)]
    lines += [f"{label}: {text}" for label, text in made["texts"] if label != "Your answer"]
    entry |= {
        "score": question["score"],
        "max_score": question["max"],
        "status": "passed" if made["full"] else "failed",
    }
    return entry | ({"output": visible("\n".join(lines), TEXT)} if lines else {})


def results(result, seconds=None, final=None, remark=""):
    """What results.json holds for a result. final: points after the late policy, where they differ from the sum.
    Without a grade: ungraded().
    """
    if final is not None and not (result and result["questions"]):  # a person's points for what no machine could grade
        return {"score": final, "output": remark, "output_format": "text", "stdout_visibility": "hidden"}
    if result["status"] == "ungradable":
        return ungraded(result["reason"], seconds)
    if result["status"] not in ("graded", "partial", "by hand"):
        return ungraded("The grader could not run here.", seconds)
    from course_lib.questions import core

    definitions = {q.id: q for q in core.questions_of(result["lab"])}
    tests = [test_of(result["lab"], q, definitions.get(q["id"])) for q in result["questions"]]
    waiting = sum(q["max"] for q in result["questions"] if q["score"] is None)
    output = [remark] if remark else []
    if waiting:
        output.append(f"{waiting:g} more points are read by a person.")
    if result["status"] == "partial":
        output.append("Your code stopped the grader so often, or for so long, that some cases were not run.")
    made = {"tests": tests, "output": "\n".join(output), "output_format": "text", "stdout_visibility": "hidden"}
    made["extra_data"] = {k: result[k] for k in ("status", "submission_sha", "spec_sha")}
    if final is not None and abs(final - sum(t.get("score", 0) for t in tests)) > 1e-6:
        made["score"] = final
    if not any("score" in t for t in tests):  # all of the lab is read by people
        return ungraded("A person reads this.", seconds) | {"tests": tests}
    return made | ({} if seconds is None else {"execution_time": round(seconds, 2)})


def ungraded(why, seconds=None):
    """results.json without any score: Gradescope shows the line, and nobody has a 0 that nobody has given."""
    line = f"Not graded: {why.rstrip('.')}. Your submission is here and counts as handed in."
    test = {
        "name": "Not graded yet",
        "status": "failed",
        "output": line,
        "output_format": "text",
        "visibility": "visible",
    }
    made = {
        "tests": [test],
        "output": line,
        "output_format": "text",
        "stdout_visibility": "hidden",
        "extra_data": {"status": "not graded"},
    }
    return made | ({} if seconds is None else {"execution_time": round(seconds, 2)})


# ---- the zips
# -------------------------------------------------------------------------------------------------------------


def packed(files):
    """A zip of {name: bytes or Path}, the scripts executable and at the top: the same bytes for the same contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if name in ("setup.sh", "run_autograder") else 0o100644) << 16
            shrinks = not name.endswith((".safetensors", ".parquet"))  # weights hardly do
            info.compress_type = zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED
            data = files[name]
            archive.writestr(info, data.read_bytes() if isinstance(data, Path) else data)
    return out.getvalue()


def sources(wanted=lambda path: True):
    """{name in the zip: path} of this course_lib."""
    files = [p for p in sorted(PACKAGE.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    return {f"course_lib/{p.relative_to(PACKAGE)}": p for p in files if wanted(p)}


def autograder(lab, key, trust=False):
    """Bytes of the zip that grades. key: the class's secret, of which the zip holds one derived for this lab: a zip
    that leaks gives away nothing else.
    """
    from course_lib.questions import core

    if lab not in core.labs():
        raise store.StoreError(f"there is no lab {lab!r}; labs: {', '.join(core.labs())}")
    pins = PACKAGE.parent / "constraints.txt"
    if not pins.exists():
        raise store.StoreError(
            "constraints.txt is not beside course_lib: run this in the course folder, with its .venv"
        )
    needs = [r for r in importlib.metadata.requires("littlebrook-course") or [] if "extra ==" not in r]
    settings = {
        "lab": lab,
        "spec_sha": store.spec_sha(lab),
        "key": hmac.new(key, f"gradescope|{lab}".encode(), hashlib.sha256).hexdigest(),
        "trust_container": trust,
    }
    rows = sorted((PACKAGE.parent / "datasets" / "littlebrook").glob("*.parquet"))
    files = sources() | {f"datasets/littlebrook/{p.name}": p for p in rows}
    files |= {
        "setup.sh": SETUP.format(install=FULL),
        "run_autograder": RUN,
        "constraints.txt": pins,
        "requirements.txt": "\n".join(needs) + "\n",
        "autograder.json": json.dumps(settings),
    }
    return packed(files)


def shown_grades(lab, rows):
    """(bytes of a zip that runs nothing of a student and shows what was graded here, [notes]). rows: as gradebook.rows
    gives them.
    """
    grades, without, nowhere = {}, [], []
    for row in rows:
        if row["sha"] is None:
            nowhere += [row["student"]] if row["final"] is not None else []
            continue
        excused = row["status"] == "excused"
        if row["final"] is None and not excused:
            without += [row["student"]]
            continue
        late = feedback.taken_off(row) if row["penalty"] else ""
        comment = feedback.general_comment(row)
        told = [late, *feedback.by_a_person(row), f"Comment to you: {comment}" if comment else ""]
        remark = visible("\n".join(filter(None, told)), TEXT)
        shown = ungraded(remark) if excused else results(row["result"], final=row["final"], remark=remark)
        entry = {"email": row["email"], "name": row["name"] or row["student"], "results": shown}
        grades.setdefault(row["sha"], []).append(entry)
    if not grades:
        raise store.StoreError(f"nobody has a grade in {lab} yet: run `course grade {lab}` first")
    # what gradescope_run needs in order to read a submission
    rooms = [PACKAGE / "grading", PACKAGE / "notebook"]
    light = sources(lambda p: p.suffix == ".py" and (p.parent == PACKAGE or any(map(p.is_relative_to, rooms))))
    files = light | {
        "setup.sh": SETUP.format(install=BARE),
        "run_autograder": RUN,
        "autograder.json": json.dumps({"lab": lab, "grades": grades}),
    }
    count = sum(map(len, grades.values()))
    there = "Configure Autograder → upload, then Manage Submissions → Regrade All Submissions"
    notes = [f"{count} grades, for Gradescope only. There: {there}"]
    if without:
        notes.append(f"{len(without)} without a grade, they see that: {', '.join(safe_name(s) for s in without[:12])}")
    if nowhere:
        names = ", ".join(safe_name(s) for s in nowhere[:12])
        notes.append(f"{len(nowhere)} with points but nothing handed in, which this cannot show: {names}")
    return packed(files), notes


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course gradescope", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lab")
    parser.add_argument("-o", "--output", metavar="FILE", default="autograder.zip")
    parser.add_argument(
        "--trust-container",
        action="store_true",
        help="where Gradescope's container allows no sandbox: grade all the same, the student's code as another user "
        "without network (INSTRUCTORS.md says what that lacks)",
    )
    arguments = parser.parse_args(argv)
    data = autograder(arguments.lab, store.secret(), arguments.trust_container)
    store.write_private(arguments.output, data)
    from course_lib.questions import core

    auto = sum(q.points for q in core.questions_of(arguments.lab) if not isinstance(q, core.WrittenQuestion))
    size = f"{len(data) / 2**20:.1f} MB"
    print(f"{arguments.output}: {size}, autograder points {auto:g}. It holds a secret: give it to Gradescope only.")
    return 0
