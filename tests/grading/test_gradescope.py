"""The autograder zips, run as Gradescope's harness runs them: unpacked into /autograder/source, ./run_autograder in
/autograder, results/results.json read back.
"""

import io
import json
import os
import shutil
import stat
import subprocess
import zipfile

import classroom
import container
import people
import pytest

from course_lib.grading.lms import gradescope
from course_lib.grading.records import marks, store

LAB = "00_start_here"
KEY = b"k" * 64
VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
FORMAT = {"text", "html", "simple_format", "md", "ansi"}
# https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
# fmt: off
TOP = {"score": (int, float), "execution_time": (int, float), "output": str, "output_format": FORMAT,
    "test_output_format": FORMAT, "test_name_format": FORMAT, "visibility": VISIBILITY,
       "stdout_visibility": VISIBILITY, "extra_data": dict, "tests": list, "leaderboard": list}
# fmt: on
# fmt: off
TEST = {"score": (int, float), "max_score": (int, float), "status": {"passed", "failed"}, "name": str,
    "name_format": FORMAT, "number": str, "output": str, "output_format": FORMAT, "tags": list,
    "visibility": VISIBILITY,
        "extra_data": dict}
# fmt: on


def valid(made):
    """Checks results.json against the documented format, and what we promise on top: nothing printed is shown, text is
    never markup.
    """
    for fields, entry in [(TOP, made), *((TEST, test) for test in made["tests"])]:
        for key, value in entry.items():
            assert (
                (value in fields[key])
                if type(fields[key]) is set
                else (isinstance(value, fields[key]) and type(value) is not bool)
            ), key
    assert made["stdout_visibility"] == "hidden" and made["output_format"] == "text"
    assert all(
        t["output_format"] == t["name_format"] == "text" if "name_format" in t else t["output_format"] == "text"
        for t in made["tests"]
    )
    assert all(0 <= t["score"] <= t["max_score"] for t in made["tests"] if "score" in t)
    return made


def scored(made):
    return {t["name"]: t["score"] for t in made["tests"] if "score" in t}


def notebook(answers, before=(), after=()):
    return classroom.notebook(classroom.sources(answers, LAB, before, after), {"written_1": "because"}).encode()


@pytest.fixture(scope="module")
def zips():
    return {trust: gradescope.autograder(LAB, KEY, trust) for trust in (False, True)}


def harness(tmp_path, data, submission, privileged):
    place = container.unpack(tmp_path / "autograder", data, submission)
    container.build(place)
    code, said = container.run(place, privileged)
    path = place / "results" / "results.json"
    assert code == 0 and path.exists(), said
    return valid(json.loads(path.read_text())), said


def test_what_is_in_the_zip(zips):
    with zipfile.ZipFile(io.BytesIO(zips[False])) as archive:
        names = archive.namelist()
        modes = {n: archive.getinfo(n).external_attr >> 16 for n in ("setup.sh", "run_autograder")}
        settings = json.loads(archive.read("autograder.json"))
        requirements, setup = archive.read("requirements.txt").decode(), archive.read("setup.sh")
    assert all(stat.S_IMODE(mode) == 0o755 for mode in modes.values())
    assert not [
        n for n in names if n.startswith(("solutions", "labs", "tests", "grades", "submissions")) or "__pycache__" in n
    ]
    assert f"course_lib/questions/lab{LAB}.py" in names and "constraints.txt" in names and "torch>=" in requirements
    assert (
        settings["spec_sha"] == store.spec_sha(LAB)
        and KEY.hex() not in str(settings)
        and KEY.decode() not in str(settings)
    )
    subprocess.run(["bash", "-n"], input=setup, check=True)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a root file system of one's own needs root")
HOSTILE = """
import ctypes, glob, os, signal, socket, subprocess
won = []
def tried(name, action):
    try:
        action()
        won.append(name)
    except BaseException:
        pass
source, grader = "/autograder/source/", f"/proc/{os.getppid()}/"
for path in (source + "autograder.json", source + "course_lib/questions/lab00_start_here.py",
             "/autograder/submission/lab.ipynb", grader + "environ", grader + "mem", "/proc/1/environ", "/etc/shadow"):
    tried("read " + path, lambda: open(path, "rb").read(1))
for path in ("/autograder/results", "/autograder/source", "/autograder/submission", "/autograder",
             os.path.dirname(os.environ["HOME"])):
    tried("list " + path, lambda: os.listdir(path))
for path in ("/autograder/results/results.json", "/autograder/run_autograder", "/autograder/x", "/usr/bin/x",
             "/course/x"):
    tried("write " + path, lambda: open(path, "w").write("{}"))
for module in ("course_lib.questions.lab00_start_here", "course_lib.grading.records.store",
               "course_lib.grading.lms.gradescope_run"):
    tried("import " + module, lambda: __import__(module))
tried("network", lambda: socket.create_connection(("127.0.0.1", 9), 1))
tried("socket", lambda: socket.socket(socket.AF_UNIX))
tried("root", lambda: os.setuid(0))
tried("kill the grader", lambda: os.kill(os.getppid(), 0))
tried("ptrace", lambda: 1 / (ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0))
nothing = subprocess.DEVNULL
tried("sudo", lambda: subprocess.run(["su", "-c", "id"], stdin=nothing, check=True, stderr=nothing))
tried("secrets", lambda: 1 / len([k for k in os.environ if "COURSE_BOX" in k]))
import course_lib.questions
tried("questions", lambda: 1 / len(glob.glob(course_lib.questions.__path__[0] + "/lab*")))
raise RuntimeError(f"uid {os.getuid() > 60000} {os.getresuid()[0] == os.getresuid()[2]} won {won}")
"""


@as_root
def test_graded_behind_the_sandbox(box, tmp_path, zips):
    answers = classroom.right_answers(LAB) | {"surprise": "def surprise(options):\n    return sum(options) * 1.0"}
    made, said = harness(
        tmp_path, zips[False], {"My Lab.ipynb": notebook(answers, after=["1/0"]), "notes.txt": b"x"}, privileged=True
    )
    assert scored(made) == {"surprise": 0, "entropy": 0.75} and "score" not in made and made["execution_time"] > 0
    assert "bubblewrap" in said and "ZeroDivisionError" in said and "ZeroDivisionError" not in json.dumps(made)
    written = [t for t in made["tests"] if t["name"].startswith("written")]
    assert (
        len(written) == 2
        and not any("score" in t or "max_score" in t for t in written)
        and "because" not in json.dumps(made)
    )
    surprise = made["tests"][0]
    assert (
        "[not passed] the sum of log n" in surprise["output"] and "yours is" not in surprise["output"]
    )  # hidden values stay where they are


@as_root
def test_no_sandbox_no_grade(box, tmp_path, zips):
    made, said = harness(
        tmp_path, zips[False], {"lab.ipynb": notebook(classroom.right_answers(LAB), [HOSTILE])}, privileged=False
    )
    assert scored(made) == {} and "score" not in made and made["extra_data"]["status"] == "not graded"
    assert "your instructor grades it elsewhere" in made["output"] and "No sandbox" in said and "won" not in said


@as_root
def test_a_trusted_container_still_hides_what_it_must(box, tmp_path, zips):
    made, said = harness(
        tmp_path, zips[True], {"lab.ipynb": notebook(classroom.right_answers(LAB), [HOSTILE])}, privileged=False
    )
    assert scored(made) == {"surprise": 0.75, "entropy": 0.75}
    assert "uid True True won []" in said and "--trust-container" in said


@as_root
def test_what_is_no_submission_has_no_grade(box, tmp_path, zips):
    for number, (submission, words) in enumerate([({}, "no notebook"), ({"lab.ipynb": b"<html>"}, "web page")]):
        made, _ = harness(tmp_path / str(number), zips[True], submission, privileged=False)
        assert scored(made) == {} and "score" not in made and words in made["output"]


@as_root
def test_grades_from_home_are_shown_without_running_anything(box, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bomb = "import os; os._exit(99)"
    questions = [
        people.question("surprise", [people.case("one"), people.case("two")]),
        people.written("written_1", "text"),
    ]
    sha, _ = people.graded(tmp_path, "ada", questions, cells=[bomb])
    marks.append(
        LAB,
        {
            "student": "ada",
            "submission_sha": sha,
            "question": "written_1",
            "score": 0.2,
            "comment": "see <b>page 3</b>",
            "by": "me",
            "at": "now",
        },
    )
    from course_lib.grading.lms import export

    assert export.main([LAB, "--to", "gradescope", "-o", "shown.zip"]) == 0
    data, book = (
        (tmp_path / "shown.zip").read_bytes(),
        next(tmp_path.glob(f"submissions/{LAB}/ada/*/notebook.ipynb")).read_bytes(),
    )
    made, _ = harness(tmp_path / "1", data, {"whatever.ipynb": book}, privileged=False)
    assert (
        scored(made) == {"surprise": 0.5, "written_1": 0.2}
        and made["tests"][1]["output"] == "Comment: see <b>page 3</b>"
    )
    made, _ = harness(
        tmp_path / "2", data, {"whatever.ipynb": book.replace(b"_exit(99)", b"_exit(98)")}, privileged=False
    )
    assert scored(made) == {} and "score" not in made and "later" in made["output"]


@pytest.mark.slow
def test_a_handed_in_model_is_scored_there_too(box, tmp_path, capsys):
    """The job that is made in the container says all that a job of `course grade` says."""
    from course_lib.grading.lms import gradescope_run
    from course_lib.stages.artifacts import SHIPPED

    lab, place = "02_pretraining", tmp_path / "place"
    handed = tmp_path / "submission" / "work" / "pretrain"
    handed.mkdir(parents=True), place.mkdir()
    (handed.parents[1] / "lab.ipynb").write_text(classroom.notebook(classroom.sources({}, lab)))
    shutil.copy(SHIPPED / "pretrain" / "model.safetensors", handed)
    told = gradescope_run.unpacked_here(tmp_path / "submission", lab, place / "files")
    settings = {"lab": lab, "spec_sha": store.spec_sha(lab), "key": KEY.hex(), "trust_container": False}
    result = gradescope_run.graded(settings, told, place)
    assert result["status"] == "graded", result
    assert classroom.scores(result)["pretrained_model"] == 1 and result["sketches"]
    assert "the shipped model pretrain" in capsys.readouterr().out


def test_two_who_hand_in_the_same_are_told_apart():
    from course_lib.grading.lms import gradescope_run

    grades = {"s": [{"email": "a@x", "name": "Ann", "results": 1}, {"email": "b@x", "name": "Bob", "results": 2}]}
    assert gradescope_run.shown(grades, "s", [{"email": "B@x", "name": ""}]) == 2
    assert gradescope_run.shown(grades, "s", [{"email": "c@x", "name": "Cid"}])["extra_data"]["status"] == "not graded"
    assert (
        gradescope_run.shown(grades, "other", [{"email": "a@x", "name": "Ann"}])["extra_data"]["status"] == "not graded"
    )


def test_a_late_penalty_is_the_total_and_is_said():
    cases = [
        people.case("one"),
        people.case("two", "fail", hint="p = 1, and log 1 = 0.", message="the surprise of [1]: yours is 3, expected 4"),
        people.case("three", "fail", hint="[4, 7]"),
    ]
    result = {
        "status": "graded",
        "lab": LAB,
        "submission_sha": "a",
        "spec_sha": "b",
        "questions": [people.question("surprise", cases)],
    }
    made = valid(gradescope.results(result, final=0.1, remark="0.15 points are taken off: 2 days late."))
    assert made["score"] == 0.1 and "2 days late" in made["output"]
    output = made["tests"][0]["output"]
    assert made["tests"][0]["score"] == 0.75 / 4 and output.count("Costs: half of what is left") == 2
    assert (
        "Hint: p = 1, and log 1 = 0." in output and "expected 4" not in output and "[4, 7]" not in output
    )  # the author's words, nobody else's


@pytest.mark.parametrize("status", ["ungradable", "infra_error"])
def test_no_grade_is_never_a_score(status):
    made = valid(gradescope.results({"status": status, "reason": "Traceback: secret", "questions": []}))
    assert scored(made) == {} and "score" not in made and ("secret" in json.dumps(made)) == (status == "ungradable")


def test_bad_arguments_are_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError, match="there is no lab"):
        gradescope.main(["99_nothing"])
    with pytest.raises(store.StoreError, match="cannot write"):
        gradescope.main([LAB, "-o", "/proc/nothing/x.zip"])
    shutil.rmtree(tmp_path / "grades")
