"""A small term, played through the command line with kills: nothing lost, nothing doubled, every total right."""

import dataclasses
import datetime

import pytest

from course_lib.bench.classes import term, term_expected, term_plan


@pytest.mark.slow
def test_a_small_term(box, capsys):
    code = term.main(["--seed", "3", "--students", "5", "--labs", "1"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "DIFFERENCE" not in said and "differences" in said


@pytest.fixture(scope="module")
def plan():
    return term_plan.term(7, 60)


def test_the_plan_has_all_of_it(plan):
    hand_ins = [(lab, h) for lab in plan.labs for h in lab.hand_ins]
    assert len(plan.students) == 60 and len(plan.labs) >= 12 and len(hand_ins) > 500
    assert len({s.name for s in plan.students}) < 60, "namesakes"
    assert any(s.group for s in plan.students) and any(s.extension for s in plan.students)
    assert {h.broken for _, h in hand_ins} == {"", *term_plan.BROKEN} and any(h.model for _, h in hand_ins)
    assert {h.round for _, h in hand_ins} == {0, 1, 2} and any(len(h.owners) > 1 for _, h in hand_ins)
    assert {d.kind for lab in plan.labs for d in lab.decisions} == {"points", "percent", "excused", "clear", "comment"}
    states = [cell["state"] for row in term_expected.expected(plan).values() for cell in row["labs"].values()]
    assert {"counts", "missing", "open", "excused"} == set(states)
    assert dataclasses.asdict(term_plan.term(7, 60)) == dataclasses.asdict(plan), "the seed decides"


def test_days_late_are_those_of_the_clock_on_the_wall(plan):
    lab = plan.labs[6]
    assert lab.rule["deadline"].date() == datetime.date(2024, 10, 25), "the clocks change two days later"
    late = lambda **more: term_expected.days_late(
        plan,
        dataclasses.replace(lab, channel="files"),
        dataclasses.replace(plan.students[0], key="nobody", extension=0),
        term_plan.HandIn(("nobody",), lab.rule["deadline"] + datetime.timedelta(**more), 0),
    )
    assert [late(minutes=15), late(minutes=15, seconds=1), late(days=2, minutes=15), late(days=2, minutes=16)] == [
        0,
        1,
        2,
        3,
    ]
