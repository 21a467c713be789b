"""solutions/NN_name.py, the one source of a lab, to labs/NN_name.ipynb (student) and solutions/NN_name.ipynb, executed

    course build [LAB ...]          make what is missing or older than its source; solutions run at size $COURSE_SIZE
    course build [LAB ...] --force  run the solutions again all the same (course_lib has changed)
    course build LAB --mend         the same, but where a cell stops or a claim is false the kernel waits for
                                    solutions/LAB.py to be mended and goes on from there
    course build [LAB ...] --keep-outputs
                                    run nothing: keep the stored outputs where code cells differ in import lines only,
                                    refuse elsewhere
    course build [LAB ...] --check  change nothing; what a lab states, and how much of it is code; one line for each
                                    thing that is wrong, exit 1 if there is any
    course build --badges           put COURSE_REPO and COURSE_REF into badges and set-up cells, and run nothing: for a
                                    fork, and for a release

The source is jupytext percent. A cell is told by its first line: `# SETUP` (its text comes from here), `# EXERCISE id`,
`# LONG` (training: graders skip it), `# CLAIM` (claims.py), `<!-- WRITTEN id -->`; `check("id")` alone is a check.
Between the lines `### BEGIN SOLUTION` and `### END SOLUTION` stands what students write.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import nbformat

from course_lib.authoring.claims import fingerprint
from course_lib.authoring.counts import WIDE, minutes, reading, standing, statements
from course_lib.authoring.executed import execute, is_current, keep_outputs
from course_lib.authoring.gate import gate
from course_lib.authoring.source import claim_cells, convert, kind_of
from course_lib.notebook.language import SHAPES, shape
from course_lib.platform import COURSE_REF, COURSE_REPO, ROOT, CourseError, matmul_rate, write_atomic

LIMIT = 1_000_000  # bytes of one notebook file; GitHub shows no more
BADGES = re.compile(rb"(colab\.research\.google\.com/github/)[\w./-]+?(/(?:labs|solutions)/\w+\.ipynb)")
INSTALLS = re.compile(rb"(git\+https://github\.com/)[\w./-]+@[\w./-]+")


def build(lab, root, check=False, force=False, keep=False, mend=False, questions=None):
    """Makes (or checks) one lab's two notebooks. Returns (the problems, what is said of it where there are none), lines
    both.
    """
    from course_lib.questions.core import questions_of

    path = root / "solutions" / f"{lab}.py"
    source = path.read_text(encoding="utf-8")
    questions = questions_of(lab) if questions is None else questions
    student, solution = convert(source, lab, True, questions), convert(source, lab, False, questions)
    student_path, solution_path = root / "labs" / f"{lab}.ipynb", root / "solutions" / f"{lab}.ipynb"
    text = nbformat.writes(student) + "\n"
    problems, names = gate(lab, student, solution, questions)
    lines, words = counted(source, student, names, questions)
    problems += lines
    marks = [fingerprint(claim) for _, claim, stored in claim_cells(source) if not stored]
    said = [words]
    if check:
        if not student_path.exists() or student_path.read_text(encoding="utf-8") != text:
            problems.append(f"labs/{lab}.ipynb is not what its source gives: run `course build {lab}`")
        problems += filter(None, [is_current(solution_path, solution, marks)])
    elif not problems:
        student_path.parent.mkdir(exist_ok=True)
        student_path.write_text(text, encoding="utf-8")
        if keep:
            solution_path.write_text(nbformat.writes(keep_outputs(solution_path, solution)) + "\n", encoding="utf-8")
        elif force or mend or is_current(solution_path, solution, marks):
            started = time.perf_counter()
            whole = convert(source, lab, False, questions, claims=True)
            again = waiting(path, lambda text: convert(text, lab, False, questions, claims=True)) if mend else None
            executed = execute(whole, lab, again=again)
            solution_path.write_text(nbformat.writes(executed) + "\n", encoding="utf-8")
            if mend:  # the text may have changed meanwhile, the gate has not seen it
                return build(lab, root, questions=questions)
            said += [f"executed in {(time.perf_counter() - started) / 60:.1f} minutes, {rate()}"]
            problems += filter(None, [is_current(solution_path, solution, marks)])
    sizes = {path: path.stat().st_size for path in (student_path, solution_path) if path.exists()}
    problems += [f"{path.name} has {size} bytes, more than {LIMIT}" for path, size in sizes.items() if size > LIMIT]
    return problems, said if problems else [*said, "in order" if check else "built"]


def counted(source, student, names, questions):
    """(problems, one line with the figures) of a lab's words and cells."""
    stated, problems = statements(source)
    read, lines = reading(student)
    found = standing(student, names, questions) if names is not None else []
    (card, whole), late = minutes(student)
    words = "{statements} statements about the run: {code} are code, {general} general".format(**stated)
    words += f"; {read['wide']} code lines over {WIDE} columns, {read['glue']} lines of glue, {len(found)} solutions"
    words += f"; {card} minutes on its card, {whole} counted"
    return problems + lines + found + late, words


def rate():
    """The machine's, as the minutes depend on it."""
    import torch

    return f"{torch.get_num_threads()} threads at {matmul_rate(1.0):.0f} GFLOP/s"


def waiting(path, notebook_of):
    """For `--mend`: a function that says what is wrong, waits until the source at `path` has changed, and gives its
    notebook.
    """

    def again(wrong):
        seen = path.stat().st_mtime_ns
        print("\n".join([f"{path.stem}: {line}" for line in wrong] + [f"waiting for {path.name}"]), flush=True)
        while True:
            while path.stat().st_mtime_ns == seen:
                time.sleep(1)
            seen = path.stat().st_mtime_ns
            try:
                return notebook_of(path.read_text(encoding="utf-8"))
            except CourseError as error:
                print(f"{path.stem}: {error}", flush=True)

    return again


def same_for_assistants(root, check=False):
    """labs/CLAUDE.md is labs/AGENTS.md under the other name that assistants look for: copies it, or checks the copy.
    Returns the problems, one line each.
    """
    rules, copy = root / "labs" / "AGENTS.md", root / "labs" / "CLAUDE.md"
    wanted = rules.read_bytes() if rules.exists() else None
    if wanted is None or (copy.exists() and copy.read_bytes() == wanted):
        return []
    if check:
        return ["it is not the same as labs/AGENTS.md: run `course build`"]
    write_atomic(copy, wanted)
    return []


def long_cells(root, check=False):
    """Writes the shapes of the labs' # LONG cells, by which graders know one that has lost its comment, or checks them.
    Returns the problems, one line each.
    """
    shapes = {}
    for path in sorted((root / "labs").glob("[0-9][0-9]_*.ipynb")):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        found = {shape(cell.source) for cell in cells if kind_of(cell)[0] == "long"}
        shapes[path.stem] = sorted(found - {shape(cell.source) for cell in cells if kind_of(cell)[0] != "long"} - {""})
    text = json.dumps(shapes, indent=1) + "\n"
    if SHAPES.exists() and SHAPES.read_text(encoding="utf-8") == text:
        return []
    if check:
        return ["it does not name the # LONG cells of labs/: run `course build`"]
    write_atomic(SHAPES, text.encode())
    return []


def rebadge(root, repo, ref):
    """Puts repository and tag into the badges and set-up cells of all notebooks and of README, and changes no other
    byte. Returns the files changed.
    """
    if not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", repo):
        raise CourseError(f"COURSE_REPO is {repo!r}: set it to owner/name, as on GitHub.")
    if not re.fullmatch(r"\w[\w./-]*", ref):
        raise CourseError(f"COURSE_REF is {ref!r}: set it to a tag or branch of {repo}.")
    changed = []
    for path in [*sorted(root.glob("labs/*.ipynb")), *sorted(root.glob("solutions/*.ipynb")), root / "README.md"]:
        old = path.read_bytes()
        new = BADGES.sub(rb"\g<1>%s/blob/%s\2" % (repo.encode(), ref.encode()), old)
        new = INSTALLS.sub(rb"\g<1>%s@%s" % (repo.encode(), ref.encode()), new)
        if new != old:
            write_atomic(path, new)
            changed.append(path)
    return changed


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course build", description="Make or check the notebooks of the labs from solutions/*.py"
    )
    parser.add_argument("labs", nargs="*", metavar="LAB")
    for option, effect in {
        "--check": "change nothing, say what is wrong",
        "--force": "run the solutions again",
        "--mend": "run the solutions, and wait for a mended source where something is wrong",
        "--keep-outputs": "run nothing: keep the stored outputs where only imports and words have changed",
        "--badges": "put COURSE_REPO and COURSE_REF into badges and set-up cells, run nothing",
    }.items():
        parser.add_argument(option, action="store_true", help=effect)
    options = parser.parse_args(argv)
    root = Path.cwd() if Path("solutions").is_dir() else ROOT
    sources = {path.stem: path for path in sorted((root / "solutions").glob("[0-9][0-9]_*.py"))}
    unknown = [lab for lab in options.labs if lab not in sources]
    if unknown or not sources:
        there = ", ".join(sources) or "none, is this the course folder?"
        print(f"course build: no solutions/{(unknown or ['*'])[0]}.py here; labs: {there}", file=sys.stderr)
        return 2
    if options.badges:
        print(f"{len(rebadge(root, COURSE_REPO, COURSE_REF))} files now lead to {COURSE_REPO} at {COURSE_REF}")
        return 0
    problems = same_for_assistants(root, options.check)
    wrong = len(problems)
    for problem in problems:
        print(f"labs/CLAUDE.md: {problem}")
    for lab in options.labs or sources:
        try:
            problems, said = build(lab, root, options.check, options.force, options.keep_outputs, options.mend)
        except (CourseError, LookupError) as error:
            problems, said = [str(error)], []
        wrong += len(problems)
        for line in problems + said:
            print(f"{lab}: {line}", flush=True)
    if root == ROOT:  # the shapes belong to the course that is in use
        problems = long_cells(root, options.check)
        wrong += len(problems)
        for problem in problems:
            print(f"{SHAPES.relative_to(ROOT)}: {problem}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
