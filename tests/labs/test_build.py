"""`course build` on a toy lab: what it makes, that it makes it twice alike, and what its gate catches."""

import re
import shutil
import textwrap
from pathlib import Path

import nbformat
import pytest
from lint import lint

from course_lib.authoring import build, executed
from course_lib.authoring.executed import execute, is_current
from course_lib.authoring.gate import gate
from course_lib.authoring.source import convert, kind_of
from course_lib.platform import CourseError
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

TOY = Path(__file__).with_name("toy.py").read_text()
LAB = "99_toy"

DOUBLE = Question("double", lab=LAB, points=3)


@DOUBLE.case("twice")
def _(q):
    x = q.randn(3)
    q.close("the values", q.call("double", x), 2 * x)


@DOUBLE.case("of nothing")
def _(q):
    q.same("the shape", list(q.call("double", q.randn(0)).shape), [0])


QUESTIONS = [DOUBLE, ArtifactQuestion("toy_model", LAB, 2, "toy", lambda *_: (1.0, "")), WrittenQuestion("why", LAB, 1)]


def both(source=TOY):
    return convert(source, LAB, True, QUESTIONS), convert(source, LAB, False, QUESTIONS)


def findings(source=TOY, student=None, questions=QUESTIONS):
    made, solution = both(source)
    return gate(LAB, student or made, solution, questions)[0]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with the toy lab built in it."""
    root = tmp_path_factory.mktemp("course")
    (root / "solutions").mkdir()
    (root / "solutions" / f"{LAB}.py").write_text(TOY)
    assert build.build(LAB, root, questions=QUESTIONS)[0] == []
    return root


def test_twice_the_same_bytes():
    assert [nbformat.writes(n) for n in both()] == [nbformat.writes(n) for n in both()]


def test_gate_is_open():
    assert findings() == []


def test_student_notebook(course):
    path = course / "labs" / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert lint(path, notebook, trains=True) == []
    kinds = [kind_of(cell) for cell in notebook.cells]
    assert [k for k in kinds if k[0] not in ("text", "code")] == [
        ("setup", ""),
        ("exercise", "double"),
        ("check", "double"),
        ("long", ""),
        ("check", "toy_model"),
        ("written", "why"),
    ]
    exercise = notebook.cells[kinds.index(("exercise", "double"))]
    assert exercise.source.endswith(
        '    """Twice x. x: Float[T]"""\n    # YOUR CODE HERE\n    raise NotImplementedError()'
    )
    text = notebook.cells[kinds.index(("exercise", "double")) - 1].source
    assert "> Minutes: 2  \n> Points: 3\n\n<details>" in text and text.count("Points") == 1
    assert notebook.cells[kinds.index(("written", "why"))].source.endswith("YOUR ANSWER HERE")
    assert "twice_as_much" not in path.read_text() and "two things" not in path.read_text()


def test_nbgrader_metadata(course):
    notebook = nbformat.read(course / "labs" / f"{LAB}.ipynb", as_version=4)
    marked = {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
    }
    as_is = {"task": False, "schema_version": 3}
    assert marked == {
        "double": {**as_is, "grade_id": "double", "grade": False, "solution": True, "locked": False},
        "check_double": {
            **as_is,
            "grade_id": "check_double",
            "grade": True,
            "solution": False,
            "locked": True,
            "points": 3,
        },
        "check_toy_model": {
            **as_is,
            "grade_id": "check_toy_model",
            "grade": True,
            "solution": False,
            "locked": True,
            "points": 2,
        },
        "why": {**as_is, "grade_id": "why", "grade": True, "solution": True, "locked": False, "points": 1},
    }


def clear_solutions(text, stub):
    """nbgrader's ClearSolutions._replace_solution_region (0.9, preprocessors/clearsolutions.py), enforcing pairs."""
    new_lines, in_solution, replaced = [], False, False
    for line in text.split("\n"):
        if "BEGIN SOLUTION" in line:
            assert not in_solution
            in_solution = replaced = True
            indent = re.match(r"\s*", line).group(0)
            new_lines += [indent + each for each in stub.split("\n")]
        elif "END SOLUTION" in line:
            in_solution = False
        elif not in_solution:
            new_lines.append(line)
    assert not in_solution
    return "\n".join(new_lines), replaced


def test_the_stubs_are_nbgraders():
    for cell_student, cell in zip(*[n.cells for n in both()]):
        kind = kind_of(cell)[0]
        if kind in ("exercise", "written"):
            stub = "YOUR ANSWER HERE" if kind == "written" else "# YOUR CODE HERE\nraise NotImplementedError()"
            assert clear_solutions(cell.source, stub) == (cell_student.source, True)


def test_solution_notebook(course):
    path = course / "solutions" / f"{LAB}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert is_current(path, both()[1]) is None
    text = path.read_text()
    assert (
        "/tmp" not in re.sub(r"> /tmp/live|-c /tmp/live", "", text)
        and '"name": "stderr"' not in text
        and "iopub" not in text
    )
    checks = [cell for cell in notebook.cells if kind_of(cell)[0] == "check"]
    assert checks[0].outputs


def test_an_executed_notebook_is_the_same_twice(course):
    again = execute(convert(TOY, LAB, False, QUESTIONS, claims=True), LAB)
    assert nbformat.writes(again) + "\n" == (course / "solutions" / f"{LAB}.ipynb").read_text()


def test_check_sees_edits_and_age(course, tmp_path):
    def checked(**edits):
        root = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        for folder in ("labs", "solutions"):
            (root / folder).mkdir(parents=True)
            for path in (course / folder).iterdir():
                text = path.read_text()
                for old, new in edits.get(f"{folder}_{path.suffix[1:]}", []):
                    assert old in text
                    text = text.replace(old, new)
                (root / folder / path.name).write_text(text)
        return build.build(LAB, root, check=True, questions=QUESTIONS)[0]

    assert checked() == []
    assert any("not what its source gives" in p for p in checked(labs_ipynb=[("YOUR CODE HERE", "return x + x")]))
    assert any("older than its source" in p for p in checked(solutions_py=[("A toy", "A small toy")]))
    assert any(
        "older than its source" in p
        for p in checked(solutions_ipynb=[("twice_as_much = x + x", "twice_as_much = 2 * x")])
    )
    assert any(
        "without the real model" in p
        for p in checked(solutions_ipynb=[("[0, 2, 4]", "SmolLM2 is not here, and so on")])
    )
    assert any(
        "not executed" in p for p in checked(solutions_ipynb=[('"execution_count": 3', '"execution_count": null')])
    )


def test_a_notebook_runs_on_the_real_model_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(executed, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_SMOLLM", raising=False)
    assert executed.real_model() == {"COURSE_SMOLLM": "", "HF_HUB_OFFLINE": "1", "COURSE_DATA": ""}
    (tmp_path / "labs" / "smollm2").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    assert executed.real_model()["COURSE_SMOLLM"] == str(tmp_path / "labs" / "smollm2")
    for named, place in (("own", str(tmp_path / "own")), ("owner/name", "owner/name")):
        monkeypatch.setenv("COURSE_SMOLLM", named)
        assert executed.real_model()["COURSE_SMOLLM"] == place


# ---- outputs that are kept -------------------------------------------------------------------------------------------

MINE = "from course_lib.notebook.check import mine"
LONG = "# LONG\ntrained = "


@pytest.fixture
def rebuilt(course, tmp_path, monkeypatch):
    """rebuilt(edits): the code cells of the solution after `course build --keep-outputs` on an edited source."""
    shutil.copytree(course, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(build, "gate", lambda *_: ([], None))
    monkeypatch.setattr(build, "counted", lambda *_: ([], ""))

    def rebuild(*edits):
        source = TOY
        for old, new in edits:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        (tmp_path / "solutions" / f"{LAB}.py").write_text(source)
        assert build.build(LAB, tmp_path, keep=True, questions=QUESTIONS)[0] == []
        path = tmp_path / "solutions" / f"{LAB}.ipynb"
        assert is_current(path, convert(source, LAB, False, QUESTIONS)) is None
        return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    return rebuild


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [(MINE, "from course_lib.notebook.check import find as mine")],
        [(MINE, "from course_lib.notebook.check import (\n    mine,\n)")],
        [(MINE + "\n", ""), (LONG, f"# LONG\n{MINE}\n\ntrained = ")],
        [("One exercise, one trained model", "An exercise and a model")],
    ],
    ids=["nothing", "another module", "over three lines", "in another cell", "words of a text cell"],
)
def test_outputs_are_kept(course, rebuilt, edits):
    before = nbformat.read(course / "solutions" / f"{LAB}.ipynb", as_version=4)
    old = [(c.outputs, c.execution_count) for c in before.cells if c.cell_type == "code"]
    assert [(c.outputs, c.execution_count) for c in rebuilt(*edits)] == old and any(outputs for outputs, _ in old)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("print(doubler(21))", "print(doubler(22))", r"'print\(doubler\(22\)\)'"),
        ("print(doubler(21))", "print(doubler(21))  # 42", "more than its imports"),
        (MINE, f"{MINE}; doubler = 1", "doubler = 1"),
        (MINE, f"{MINE}\nseen = []", "seen = "),
        ('"""Twice x. x: Float[T]"""', '"""Twice x.\n\n    x: Float[T]"""', "more than its imports"),
        (MINE, "from course_lib.notebook.check import mine, find", r"other names \(find\)"),
        (MINE, "from course_lib.notebook import check as mine_too", r"other names \(mine, mine_too\)"),
        ("# %%\nsubmit()", "# %%\nsubmit()\n\n# %%\nprint(1)", "code cells and its source"),
    ],
)
def test_outputs_are_not_kept_after_another_change(rebuilt, old, new, message):
    with pytest.raises(CourseError, match=message) as error:
        rebuilt((old, new))
    assert "\n" not in str(error.value)


def test_outputs_cannot_be_kept_of_nothing(tmp_path):
    with pytest.raises(CourseError, match="is missing"):
        executed.keep_outputs(tmp_path / f"{LAB}.ipynb", both()[1])


# ---- the gate --------------------------------------------------------------------------------------------------------

WRONG = {
    "the solution gets 0 of 3": [("twice_as_much = x + x", "twice_as_much = x")],
    "it must fail by NotImplementedError only": [
        ("### BEGIN SOLUTION\n    twice", "x = undefined\n    ### BEGIN SOLUTION\n    twice")
    ],
    "the stub of double gets 3": [("doubler = (2)", "exec('def double(x): return 2 * x')\ndoubler = (2)")],
    "the stub stops with NotImplementedError": [("print(doubler(21))", "print(double(21))")],
    "the solution stops with NameError": [("print(doubler(21))", "print(dubler(21))")],
    "question toy_model has no check cell": [('check("toy_model")', "pass")],
    "question why has no written cell": [("<!-- WRITTEN why -->", "<!-- WRITTEN because -->")],
    "check cell doubble has no question": [('check("double")', 'check("doubble")')],
    "`import json` stands in a # LONG cell alone": [(LONG, "# LONG\nimport json\nimport math as m\ntrained = ")],
    "`import math as m` stands in a # LONG cell alone": [(LONG, "# LONG\nimport json\nimport math as m\ntrained = ")],
    'not followed by check("double")': [('# %%\ncheck("double")', '# %%\nx = 1\n\n# %%\ncheck("double")')],
}


@pytest.mark.parametrize("finding", WRONG)
def test_gate_catches(finding):
    source = TOY
    for old, new in WRONG[finding]:
        assert old in source
        source = source.replace(old, new)
    assert any(finding in problem for problem in findings(source)), findings(source)


def test_gate_catches_a_leak():
    student, _ = both()
    student.cells[2].source += "\n    twice_as_much = x + x"
    assert "the student notebook shows a solution line: 'twice_as_much = x + x'" in findings(student=student)


def test_gate_catches_an_id_that_stands_twice():
    student, _ = both()
    student.cells[3].id = student.cells[2].id
    assert any("stands twice" in problem for problem in findings(student=student))


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("### END SOLUTION", "", "no END SOLUTION|do not pair"),
        ("### BEGIN SOLUTION", "", "do not pair"),
        ("# EXERCISE double", "# An exercise", "outside an EXERCISE"),
        ("# LONG", "# EXERCISE long", "has no solution"),
        ("# # Lab 99", "# # Laboratory 99", "the first cell is the title"),
        ("# %%\nsubmit()", "# %% [raw]\nsubmit()", "none is raw"),
    ],
)
def test_malformed_sources_are_one_line(old, new, message):
    with pytest.raises(CourseError, match=message) as error:
        both(TOY.replace(old, new))
    assert "\n" not in str(error.value)


def test_a_solution_that_stops_is_one_line(tmp_path):
    source = textwrap.dedent("""
        # %% [markdown]
        # # Lab 99 — A stop
        # **About 1 minutes.** Your computer works alone for less than 1 of these.

        # %%
        # SETUP

        # %%
        # LONG
        raise ValueError("no model")
    """).lstrip()
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "99_stop.py").write_text(source)
    with pytest.raises(CourseError, match="stops: ValueError: no model"):
        build.build("99_stop", tmp_path, questions=[])
    assert not (tmp_path / "solutions" / "99_stop.ipynb").exists()


def test_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert build.main(["98_nothing"]) == 2
    assert "no solutions/98_nothing.py here" in capsys.readouterr().err
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "98_broken.py").write_text("# %%\n# EXERCISE x\npass\n")
    assert build.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("98_broken: ")


def test_rules_for_assistants_under_both_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "labs").mkdir()
    (tmp_path / "solutions" / "98_broken.py").write_text("# %%\n# EXERCISE x\npass\n")
    assert build.same_for_assistants(tmp_path) == [] and not (tmp_path / "labs" / "CLAUDE.md").exists()
    (tmp_path / "labs" / "AGENTS.md").write_text("Explain, ask, never write an exercise.\n")
    for copy in (None, "Write it for them.\n"):
        if copy:
            (tmp_path / "labs" / "CLAUDE.md").write_text(copy)
        build.main(["--check"])
        assert "labs/CLAUDE.md: it is not the same as labs/AGENTS.md" in capsys.readouterr().out
        build.main([])
        assert (tmp_path / "labs" / "CLAUDE.md").read_bytes() == (tmp_path / "labs" / "AGENTS.md").read_bytes()
        capsys.readouterr()
    build.main(["--check"])
    assert "CLAUDE" not in capsys.readouterr().out


# ---- claims ----------------------------------------------------------------------------------------------------------


def with_claim(tmp_path, old, new):
    """A course folder with a toy lab in which `old` is `new`."""
    (tmp_path / "solutions").mkdir(exist_ok=True)
    source = TOY.replace(old, new)
    assert source != TOY
    (tmp_path / "solutions" / f"{LAB}.py").write_text(source)
    return tmp_path


def test_claims_stand_in_no_notebook(course):
    for folder in ("labs", "solutions"):
        text = (course / folder / f"{LAB}.ipynb").read_text()
        assert "CLAIM" not in text and "doubler(x) >= x" not in text
    solution = nbformat.read(course / "solutions" / f"{LAB}.ipynb", as_version=4)
    assert [c.execution_count for c in solution.cells if c.cell_type == "code"] == list(range(1, 9))
    assert list(solution.metadata["littlebrook"]["untrue"].values()) in ([[], []], [[]])


def test_what_a_lab_says_is_counted(course):
    problems, said = build.build(LAB, course, check=True, questions=QUESTIONS)
    assert problems == []
    words = "3 statements about the run: 1 are code, 2 general; 0 code lines over 100 columns, 8 lines of glue"
    assert said == [f"{words}, 0 solutions; 8 minutes on its card, 7 counted", "in order"]


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            "doubler(21) == 42",
            "doubler(21) == 43",
            "'Twice 21 is 42' is not true|not true of its run: 'Twice 21 is 42'",
        ),
        ("doubler(21) == 42", "nothing == 42", "not true of its run: 'Twice 21 is 42'"),
        ('"To double is to add": GENERAL,', "", "no claim for 'To double is to add a thing to itself.'"),
        ("Twice 21 is 42, and", "Twice 21 is 24, and", "no sentence above says 'Twice 21 is 42'"),
        ('# CLAIM\n{"a thing', '# CLAIM\nTrue or {"a thing', "a claim cell is one dict"),
        ('# CLAIM\n{"a thing', 'MY_GUESS = "two"\n{"a thing', "no claims below|MY_GUESS is filled in"),
        ("print(doubler(21))", "print(doubler(21))" + " " * 90 + "# wide", "a code line of 1.. columns, 100 at most"),
        ("About 8 minutes", "About 10 minutes", "card says 10 minutes, . are counted: 2 of exercises"),
        ("Your computer works alone", "It works alone", "its first cell does not say 'About N minutes"),
        ("print(doubler(21))", "import math\n\nprint(doubler(21))", "2 cells import"),
        ("doubler = (2).__mul__", "doubler = lambda x: x + x", "a lambda in .* is a solution of double"),
        (
            "doubler = (2).__mul__",
            "def ours():\n    def inner(x):\n        return 2 * x\n    return inner\n\n\ndoubler = ours()",
            "inner in .* is a solution of double",
        ),
    ],
)
def test_what_is_said_and_shown_is_held_to_it(tmp_path, old, new, message):
    problems, _ = build.build(LAB, with_claim(tmp_path, old, new), questions=QUESTIONS)
    assert any(re.search(message, problem) for problem in problems), problems
    assert build.build(LAB, tmp_path, check=True, questions=QUESTIONS)[0]


def test_a_claim_of_stored_figures_is_asked_at_each_check(tmp_path):
    stored = "# CLAIM stored\n{'Twice 21 is 42': len(stored('pretrain-laptop')['runs']) >= 5}\n\n# %%\n# CLAIM\n{"
    course = with_claim(tmp_path, "# CLAIM\n{\n", stored + "\n")
    problems, _ = build.build(LAB, course, questions=QUESTIONS)
    text = (course / "solutions" / f"{LAB}.py").read_text()
    (course / "solutions" / f"{LAB}.py").write_text(text.replace(">= 5", ">= 500"))
    assert any("not true of the stored figures" in p for p in build.build(LAB, course, True, questions=QUESTIONS)[0])
    assert not any("stored" in problem for problem in problems)


def test_a_false_claim_can_be_mended_while_the_kernel_waits(tmp_path, monkeypatch, capsys):
    course = with_claim(tmp_path, "doubler(21) == 42", "doubler(21) == 43")
    path, slept = course / "solutions" / f"{LAB}.py", []

    def meanwhile(seconds):
        slept.append(seconds)
        path.write_text(path.read_text().replace("doubler(21) == 43", "doubler(21) == 42"))

    monkeypatch.setattr(build.time, "sleep", meanwhile)
    assert build.build(LAB, course, mend=True, questions=QUESTIONS)[0] == []
    assert "'Twice 21 is 42' is not true: doubler(21) = 42; 43 = 43" in capsys.readouterr().out
    assert build.build(LAB, course, check=True, questions=QUESTIONS)[0] == [] and len(slept) == 1


def test_what_a_cell_prints_stays_between_its_tables():
    stream = lambda name, text: nbformat.v4.new_output("stream", name=name, text=text)
    shown = nbformat.v4.new_output("display_data", data={"text/plain": "a table"})
    outputs = [
        stream("stdout", "one\n"),
        stream("stdout", "two\n"),
        stream("stderr", "no"),
        shown,
        stream("stdout", "3\n"),
    ]
    kept = executed.lasting(outputs, "/nowhere")
    assert [output.get("text") or output.data["text/plain"] for output in kept] == ["one\ntwo\n", "a table", "3\n"]
