"""The honest hand-ins and class files of cases/, one by one, and the table itself."""

from collections import Counter

import pytest
from cases import classes, folder, notebooks, report
from cases.make import FULL, Case, notebook

CASES = notebooks.CASES + classes.CASES


@pytest.fixture(scope="module")
def start(zygote):
    return zygote.spawn


@pytest.mark.parametrize("case", CASES, ids=[f"{c.kind}: {c.label}".encode("ascii", "replace").decode() for c in CASES])
def test_case(case, tmp_path, start):
    seen, wrong = report.run(case, tmp_path, start)
    assert wrong == [] and seen["wrong_rows"] == 0


def test_the_table():
    kinds = Counter(case.kind for case in CASES)
    assert len(CASES) >= 60 and len({(c.kind, c.label) for c in CASES}) == len(CASES)
    assert {kind: n for kind, n in kinds.items() if n < 3} == {}


def test_a_case_can_fail(tmp_path, start):
    good = Case("k", "l", {"ada.ipynb": notebook()}, {"ada": FULL}, says="graded")
    sheet = classes.canvas().replace(b"Okafor, Nadia", b"ada")
    into = ("canvas", sheet, {"ada": "1.5"})
    wrong = {
        "points": good._replace(points={"ada": 1.0}),
        "words": good._replace(says="what nobody says"),
        "answer": good._replace(written={"written_1": "something else"}),
        "row": good._replace(into=("canvas", sheet, {"ada": "2"})),
        "file": good._replace(files={"ada.ipynb": b"no notebook"}),
    }
    found = report.cases_report([good, good._replace(into=into), *wrong.values()])
    assert [row["as_expected"] for row in found["rows"]] == [True, True, False, False, False, False, False]
    assert (found["total"], found["as_expected"], found["lost_points"], found["wrong_rows"]) == (7, 2, FULL, 1)


def test_a_folder_of_cases(tmp_path):
    (tmp_path / "01_x.ipynb").write_bytes(notebook())
    (tmp_path / "60_canvas_gradebook.csv").write_bytes(classes.canvas())
    (tmp_path / "30_canvas_submissions.zip").write_bytes(classes.CANVAS_ZIP["submissions.zip"])
    made = folder.cases_of(tmp_path)
    assert [c.label for c in made] == ["01_x.ipynb", "60 Canvas's gradebook as class list and as the file"]
    assert made[0].written == {"written_1": "Because entropy is a mean.", "written_2": "It will invent residents."}
