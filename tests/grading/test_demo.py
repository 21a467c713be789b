"""The demonstration class, and the cold figure: the two things that run everything together."""

import json

from course_lib.bench.classes import demo, timing
from course_lib.grading.records import store


def test_the_demo_gives_the_solution_all_and_the_hostile_nothing(tmp_path, box, capsys):
    demo.main([str(tmp_path / "demo")])
    capsys.readouterr()
    results = {
        p.parent.parent.name.split()[0]: json.loads(p.read_text()) for p in tmp_path.glob("demo/grades/02*/*/*/*.json")
    }
    points = {
        who: sum(q["score"] for q in r["questions"] if q["score"] is not None and q["id"] != "pretrained_model")
        for who, r in results.items()
    }
    assert points["ada"] == 8.0 and 0 < points["cleo"] < 8.0, points
    assert {points[who] for who in ("ben", "dora", "egon", "fritz")} == {0}
    assert all(r["flags"] for who, r in results.items() if who in ("dora", "egon"))
    assert (tmp_path / "demo" / "02_pretraining.csv").read_text().count("\n") == 7


def test_a_folder_of_somebody_else_is_not_emptied(tmp_path, box, capsys):
    (tmp_path / "thesis.tex").touch()
    assert demo.main([str(tmp_path)]) == 2 and (tmp_path / "thesis.tex").exists()


def test_cold_seconds(box):
    figures = timing.cold_seconds(rounds=1)
    assert figures["score"] >= 8.0 and figures["cold_s"] > 0 and store.SCHEMA == 1
