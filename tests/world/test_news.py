"""The news: every day's facts, notices and gold answers tell the same story, and nothing of it is in the corpus before
the cut-off.
"""

import random
import re

import pytest

from course_lib.evaluation.answers import names
from course_lib.world import pretrain_documents, village
from course_lib.world.news import (
    AGAIN,
    CHANGING,
    CHATTER,
    DAYS,
    FRESH,
    KINDS,
    SETTLERS,
    STYLES,
    board,
    changes,
    history,
    production_queries,
    questions,
    settlers,
    subjects,
    typo,
    village_on,
)
from course_lib.world.tasks import UNKNOWN


def test_days_build_on_each_other():
    now = {(person.first, fact): value for person in village().residents for fact, value in person.facts.items()}
    for day in DAYS:
        for change in changes(day):
            assert change.day == day and change.fact in CHANGING
            assert change.old == now.get((change.resident, change.fact)) and change.new != change.old
            now[change.resident, change.fact] = change.new
        assert now == {
            (person.first, fact): value for person in village_on(day).residents for fact, value in person.facts.items()
        }
    assert village_on(0).residents == village().residents or [p.facts for p in village_on(0).residents] == [
        p.facts for p in village().residents
    ]


def test_some_facts_change_twice_and_none_goes_back():
    first_day, later = FRESH + 2 * SETTLERS, FRESH + AGAIN + 2 * SETTLERS
    assert [len(changes(day)) for day in (0, 1, 2, 3)] == [0, first_day, later, later]
    before = {(c.resident, c.fact) for day in (1, 2) for c in changes(day)}
    twice = [(c.resident, c.fact) for c in changes(3) if c.old is not None and (c.resident, c.fact) in before]
    assert len(twice) == AGAIN
    for first, fact in twice:
        assert len(set(history(first, fact, 3))) == 3, "a stale answer must be wrong"


def test_the_board_has_each_change_once_and_grows():
    for day in DAYS:
        notices = board(day)
        assert [n.change for n in notices if n.change and n.change.day == day].__len__() == len(changes(day))
        assert {n.change for n in notices if n.change} == {c for d in range(day + 1) for c in changes(d)}
        assert all(n.text.startswith(f"Day {n.day}: ") for n in notices) and [n.day for n in notices] == sorted(
            n.day for n in notices
        )
        assert day == 0 or notices[: len(board(day - 1))] == board(day - 1)
        assert sum(n.change is None for n in notices) == CHATTER * day
    for notice in board(3):
        if notice.change:
            assert (
                names(notice.text, notice.change.new)
                and village_on(3).resident(notice.change.resident).full in notice.text
            )
        else:
            assert not re.search("works as|moved to|keeps", notice.text)


def test_gold_answers_are_those_of_the_day():
    for day in DAYS:
        world = village_on(day)
        rows = questions(day, 30)
        assert {row["kind"] for row in rows} == {kind for kind in KINDS if subjects(day)[kind]}
        for row in rows:
            if row["kind"] == "never":
                assert row["gold"] == UNKNOWN and not row["stale"]
                continue
            assert row["gold"] == world.resident(row["resident"]).facts[row["fact"]] and row["gold"] not in row["stale"]
            assert len(row["stale"]) == {"old": 0, "new": 0, "changed": 1, "again": 2}[row["kind"]]
            assert world.resident(row["resident"]).full in row["question"]


def test_questions_come_from_the_seed_alone():
    assert questions(2, 8, seed=1) == questions(2, 8, seed=1) != questions(2, 8, seed=2)
    assert production_queries(2, 5) == production_queries(2, 5)
    reworded = {row["question"].split()[0] for row in questions(3, 40, reworded=True)}
    assert reworded and not {r["question"] for r in questions(3, 40)} & {
        r["question"] for r in questions(3, 40, reworded=True)
    }


def test_nobody_who_never_was_is_in_the_village_or_on_the_board():
    text = " ".join(n.text for n in board(3)) + " ".join(p.full for p in village_on(3).residents)
    strangers = {row["resident"] for row in questions(3, 400) if row["kind"] == "never" and row["fact"] != "unwritten"}
    assert len(strangers) >= 6 and not any(re.search(rf"\b{name}\b", text) for name in strangers)


def test_the_corpus_has_not_heard_of_the_settlers():
    text = "\n".join(d.text for d in pretrain_documents("train", 2000))
    assert not any(re.search(rf"\b{person.first}\b", text) for person in settlers())


def test_production_queries_are_the_same_questions_badly_typed():
    rows = production_queries(3, 20)
    assert {row["style"] for row in rows} == set(STYLES) and all(row["kind"] in ("changed", "again") for row in rows)
    for row in rows:
        if row["style"] == "lower case":
            assert row["question"] == row["question"].lower() and row["question"][-1] not in "?."
        if row["style"] == "two in one":
            assert len(row["gold"]) == 2 and len(re.findall(r"[?.](?:\s|$)", row["question"])) == 2


def test_a_typo_is_two_small_slips():
    for seed in range(200):
        draw = random.Random(seed)
        for text in ("Where does Ada Cobb live?", "What is Lorna Carrow's job?", "Tell me Ivy Lee's pet."):
            slipped = typo(text, draw.choice)
            changed = [(a, b) for a, b in zip(text.split(), slipped.split(), strict=True) if a != b]
            assert 1 <= len(changed) <= 2 and all(abs(len(a) - len(b)) <= 1 and a[0] == b[0] for a, b in changed)


@pytest.mark.parametrize("ask", [changes, board, village_on, questions, production_queries])
def test_another_day_gets_one_line(ask):
    with pytest.raises(ValueError, match="choose one of"):
        ask(4)
    if ask is production_queries:
        with pytest.raises(ValueError, match="nothing has changed"):
            ask(0)
