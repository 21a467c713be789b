"""`course release [LAB …] -o FOLDER`: the course for students, without solutions: a folder, or a zip if it ends so.

Labs, library, data and what installs them; no solutions, tests, instructors' pages or journal. A lab that is not in
order is not released, and nothing is if a line of any lab's solution stands in it outside the library. Put it into a
public repository of its own, to which the badges lead (COURSE_REPO), and keep this one private. A lab with `exam: yes`
in course.yaml goes out without its hints, and its checks do not judge.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from course_lib.authoring.build import build
from course_lib.authoring.gate import hidden_lines
from course_lib.authoring.source import convert
from course_lib.grading.records import policy, store
from course_lib.platform import ROOT, CourseError

# what of the checkout students need; of labs/ only those that are released, course_lib is looked through for no leaks:
# the functions of the library stand there
PARTS = ("labs/", "course_lib/", "datasets/", "docker/")
FILES = ("LICENSE", "Makefile", "constraints.txt", "environment.yml", "pyproject.toml", "scripts/install.sh")
FILES += ("scripts/lab.sh", "docs/real_model.md", "docs/settings.md", "docs/lifecycle.png")
EXAM = r"course = course_lib.setup(\1, exam=True)"
VERBS = ("help", "lab", "tour", "clean")  # of the Makefile
TEXTS = (".ipynb", ".md", ".py", ".sh", ".txt", ".yml", ".toml", "")
README = """\
# {title}

```
make lab      # installs the tested versions into .venv and opens JupyterLab in labs/
```

Debian, Ubuntu or macOS 14+ (Apple silicon), Python 3.11 to 3.13, 4 GB of disk, 2 cores. No GPU, account or token.
With conda: `conda env create -f environment.yml`. On Colab: press a lab's badge.

![From raw text to a released assistant in six steps, each with its limit](docs/lifecycle.png)

{table}

Your work is in `labs/work/` and `labs/submissions/`. In each lab `check(...)` tells you at once what is wrong and why;
`submit()` in the last cell packs what you hand in. [Settings](docs/settings.md), [a real model](docs/real_model.md).

Code: Apache 2.0; data and weights: CC BY 4.0 ([LICENSE](LICENSE)).
"""


def released(root, labs):
    """Paths of the files of a release, relative to root. CourseError where root is no git checkout."""
    found = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, text=True)
    if found.returncode:
        raise CourseError(f"{root} is no git checkout: which files are the course's?")
    tracked = [name for name in found.stdout.split("\0") if name and (root / name).is_file()]
    kept = [name for name in tracked if name in FILES or name.startswith(PARTS)]
    lab_of = lambda name: match[1] if (match := re.fullmatch(r"labs/(\d\d_\w+)\.ipynb", name)) else None
    return [name for name in kept if lab_of(name) in (None, *labs)]


def readme(root, labs, title):
    """README of the release: the rows of these labs in the course's own."""
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    head = next(k for k, line in enumerate(lines) if line.startswith("|---"))
    rows = [line for line in lines if any(f"(labs/{lab}.ipynb)" in line for lab in labs)]
    return README.format(title=title, table="\n".join([lines[head - 1], lines[head], *rows]))


def makefile(text):
    """The Makefile with the verbs that a release can do."""
    head, *blocks = re.split(r"(?m)^(?=[a-z-]+:)", text)
    kept = [block for block in blocks if block.split(":")[0] in VERBS]
    return re.sub(r"(?m)^\.PHONY:.*$", f".PHONY: {' '.join(VERBS)}", head) + "".join(kept)


def leaks(root, folder):
    """A line for each file of a release, the library's apart, that shows a line of a lab's solution."""
    hidden = {}
    for path in sorted((root / "solutions").glob("[0-9][0-9]_*.py")):
        solution = convert(path.read_text(encoding="utf-8"), path.stem, False)
        hidden |= {line: path.stem for line in hidden_lines(solution) if len(line) >= 20}
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.suffix not in TEXTS or name.startswith("course_lib/"):
            continue
        shown = {line.strip() for line in written_in(path)}
        found += [f"{name} shows a line of the solution of {hidden[line]}: {line!r}" for line in hidden.keys() & shown]
    return found


def written_in(path):
    """The lines of a text, or of a notebook's cells."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return [line for cell in cells for line in cell.source.splitlines()]
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def as_exam(path):
    """Makes a student notebook one for an exam: no hints in its text, and checks that do not judge."""
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\n*<details><summary>Hint.*?</details>", "", cell.source, flags=re.S)
        else:
            cell.source = re.sub(r"^course = course_lib\.setup\((.*)\)$", EXAM, cell.source, flags=re.M)
    nbformat.write(book, path)


def release(root, labs, out, title="Littlebrook", exams=()):
    """Writes the release of these labs to `out`, a new folder or zip; exams: those of them that are one. Returns the
    number of its files. CourseError with what is wrong, and then nothing is written.
    """
    if out.exists():
        raise CourseError(f"{out} is there already: give another name, or remove it")
    wrong = [f"{lab}: {problem}" for lab in labs for problem in build(lab, root, check=True)[0]]
    if wrong:
        raise CourseError("not released, for it is not in order:\n" + "\n".join(wrong))
    with tempfile.TemporaryDirectory(dir=out.absolute().parent) as place:
        folder = Path(place, "course")
        for name in released(root, labs):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)
        (folder / "README.md").write_text(readme(root, labs, title), encoding="utf-8")
        (folder / "Makefile").write_text(makefile((root / "Makefile").read_text(encoding="utf-8")), encoding="utf-8")
        for lab in exams:
            as_exam(folder / "labs" / f"{lab}.ipynb")
        if found := leaks(root, folder):
            raise CourseError("not released:\n" + "\n".join(found))
        count = sum(path.is_file() for path in folder.rglob("*"))
        if out.suffix == ".zip":
            shutil.move(shutil.make_archive(f"{place}/course", "zip", folder), out)
        else:
            folder.rename(out)
    return count


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labs", nargs="*", metavar="LAB", help="which (default: all)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FOLDER", help="or FILE.zip; a new one")
    parser.add_argument("--title", default="Littlebrook", help="of the course, for its README")
    options = parser.parse_args(argv)
    root = Path.cwd() if Path("solutions").is_dir() else ROOT
    there = sorted(path.stem for path in (root / "solutions").glob("[0-9][0-9]_*.py"))
    if unknown := [lab for lab in options.labs if lab not in there]:
        print(f"course release: no lab {unknown[0]}; labs: {', '.join(there)}", file=sys.stderr)
        return 2
    labs = sorted(options.labs) or there
    rules = policy.beside(store.SUBMISSIONS)
    exams = [lab for lab in labs if policy.of_lab(rules, lab)["exam"]]
    count = release(root, labs, options.output, options.title, exams)
    print(f"{options.output}: {count} files, labs {', '.join(lab[:2] for lab in labs)}, no line of a solution in it.")
    if exams:
        print(f"For an exam, without hints: {', '.join(exams)}.")
    return 0
