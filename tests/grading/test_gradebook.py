"""One row a student: which attempt counts, what the policy takes off, and never a zero where there is no grade."""

import datetime

import pytest

from course_lib.grading.people import gradebook
from course_lib.grading.records import marks, store

LAB = "02_pretraining"
DUE = datetime.datetime(2026, 11, 20, 18, tzinfo=datetime.UTC).timestamp()
DAY = 86400
POLICY = (
    "timezone: UTC\npercent_a_day: 10\nmax_days: 5\ncounts: {}\nlabs: {{02_pretraining: {{deadline: 2026-11-20 18:00, "
    "extensions: {{eve: 2}}}}}}\n"
)


@pytest.fixture
def desk(tmp_path):
    """A folder with a class, and functions to fill it."""

    class Desk:
        def hand_in(self, student, letter, received, score=None, status="graded", spec=None, **meta):
            sha = letter * 16
            store.write_json(
                tmp_path / "submissions" / LAB / student / sha / "meta.json",
                {"student": student, "received": received, "received_from": "gradescope", "notes": [], "late": None}
                | meta,
            )
            if score is not None or status != "graded":
                questions = [
                    {"id": "rms_norm", "score": score, "max": 10, "status": "pass", "cases": []},
                    {"id": "written_1", "score": None, "max": 2, "status": "needs_review", "cases": []},
                ]
                spec = spec or store.spec_sha(LAB)
                result = {
                    "schema": 1,
                    "lab": LAB,
                    "student": student,
                    "submission_sha": sha,
                    "spec_sha": spec,
                    "status": status,
                    "flags": [],
                    "questions": questions if status == "graded" else [],
                    "reason": "" if status == "graded" else "why",
                }
                store.write_json(
                    store.result_path(LAB, student, sha, spec, tmp_path / "grades"), store.validate(result)
                )

        def policy(self, counts="last"):
            (tmp_path / "policy.yaml").write_text(POLICY.format(counts))

        def roster(self, text):
            (tmp_path / "roster.csv").write_text(text)

        def rows(self):
            return {r["student"]: r for r in gradebook.rows(LAB, tmp_path / "grades", tmp_path / "submissions")}

        def mark(self, student, letter, score):
            marks.append(
                LAB,
                {
                    "student": student,
                    "submission_sha": letter * 16,
                    "question": "written_1",
                    "score": score,
                    "comment": "",
                    "by": "x",
                    "at": 1,
                },
                tmp_path / "grades",
            )

        def to_grade(self):
            return [(a[0], a[1][0]) for a in gradebook.attempts_to_grade(LAB, tmp_path / "submissions")]

    return Desk()


def test_without_policy_and_roster(desk):
    desk.hand_in("ann", "a", 5, 7)
    desk.hand_in("ann", "b", 6, 8, ids={"canvas_id": "77"}, name="doeann", email="a@x.org")
    row = desk.rows()["ann"]
    assert list(row) == [
        "student",
        "sha",
        "folder",
        "received",
        "status",
        "result",
        "score",
        "max",
        "pending",
        "late_days",
        "penalty",
        "free_days",
        "final",
        "could_be",
        "out_of",
        "attempts",
        "members",
        "reason",
        "adjusted",
        "comments",
        "name",
        "email",
        "ids",
    ]
    assert (row["sha"], row["score"], row["max"], row["pending"], row["late_days"], row["penalty"], row["final"]) == (
        "b" * 16,
        8,
        10,
        2,
        0,
        0,
        8,
    )
    assert (row["attempts"], row["reason"], row["name"], row["email"], row["ids"]) == (
        2,
        "attempt 2 of 2 (the last counts)",
        "",  # "doeann" is no name
        "a@x.org",
        {"canvas_id": "77"},
    )
    assert row["folder"].is_dir() and desk.to_grade() == [("ann", "b")]


def test_marks_of_written_answers_are_in_and_are_late_too(desk):
    desk.policy()
    desk.hand_in("ann", "a", DUE + 1, 8)
    desk.mark("ann", "a", 2)
    row = desk.rows()["ann"]
    assert (row["score"], row["max"], row["pending"], row["penalty"], row["final"]) == (10, 12, 0, 1.0, 9.0) and row[
        "reason"
    ] == "1 day late, 10 % off"
    desk.mark("ann", "a", None)
    assert (desk.rows()["ann"]["pending"], desk.rows()["ann"]["final"]) == (2, 7.2)


def test_which_attempt_counts(desk):
    desk.hand_in("ann", "a", DUE - 9, 5)
    desk.hand_in("ann", "b", DUE, 6)
    desk.hand_in("ann", "c", DUE + DAY, 8)
    desk.hand_in("ann", "d", DUE + 3 * DAY, 8.5)
    found = {}
    for counts in ("last", "best", "last_on_time"):
        desk.policy(counts)
        row = desk.rows()["ann"]
        found[counts] = (
            row["sha"][0],
            row["late_days"],
            row["penalty"],
            row["final"],
            row["reason"],
            "".join(s for _, s in desk.to_grade()),
        )
    assert found == {
        "last": ("d", 3, 2.55, 5.95, "attempt 4 of 4 (the last counts); 3 days late, 30 % off", "d"),
        "best": ("c", 1, 0.8, 7.2, "attempt 3 of 4 (the best counts); 1 day late, 10 % off", "abcd"),
        "last_on_time": ("b", 0, 0, 6, "attempt 2 of 4 (the last one on time counts); on time", "b"),
    }


def test_best_says_what_has_no_grade_yet_and_a_tie_goes_to_the_later(desk):
    desk.policy("best")
    for letter, received, score in (("a", 1, 6), ("b", 2, 6), ("c", 3, None)):
        desk.hand_in("ann", letter, received, score)
    assert desk.rows()["ann"]["reason"] == "attempt 2 of 3 (the best counts, 1 without a grade yet); on time"
    desk.hand_in("bob", "d", 1)
    assert (desk.rows()["bob"]["final"], desk.rows()["bob"]["status"]) == (None, "not graded")


def test_the_best_is_the_best_of_what_is_read(desk):
    desk.policy("best")
    desk.hand_in("ann", "a", DUE - 2, 8)
    desk.hand_in("ann", "b", DUE - 1, 7)
    assert desk.rows()["ann"]["sha"][0] == "a"
    desk.mark("ann", "a", 0)
    row = desk.rows()["ann"]
    assert (row["sha"][0], row["pending"]) == ("b", 2), "it may pass the first one, so it is read as well"
    desk.mark("ann", "b", 1.5)
    row = desk.rows()["ann"]
    assert (row["sha"][0], row["final"], row["pending"]) == ("b", 8.5, 0)
    desk.mark("ann", "b", 0.5)
    row = desk.rows()["ann"]
    assert (row["sha"][0], row["final"], row["pending"]) == ("a", 8, 0)


def test_nobody_on_time(desk):
    desk.policy("last_on_time")
    desk.hand_in("ann", "a", DUE + 1, 5)
    desk.hand_in("ann", "b", DUE + DAY + 1, 5)
    row = desk.rows()["ann"]
    assert (row["sha"][0], row["final"], row["reason"]) == (
        "b",
        4,
        "attempt 2 of 2 (the last counts, none was on time); 2 days late, 20 % off",
    ) and desk.to_grade() == [("ann", "b")]


def test_too_late_is_a_zero_that_says_so(desk):
    desk.policy()
    desk.hand_in("ann", "a", DUE + 5 * DAY + 1, 8)
    row = desk.rows()["ann"]
    assert (row["score"], row["penalty"], row["final"]) == (8, 8, 0) and "more than 5: not counted" in row["reason"]


@pytest.mark.parametrize("status", ["ungradable", "infra_error"])
def test_no_grade_is_no_zero(desk, status):
    desk.policy()
    desk.hand_in("ann", "a", DUE + 1, status=status)
    row = desk.rows()["ann"]
    assert (row["status"], row["score"], row["penalty"], row["final"], row["pending"]) == (
        status,
        None,
        None,
        None,
        None,
    ) and row["reason"].startswith("why; 1 day late")


def test_a_result_of_older_questions_is_not_taken(desk):
    desk.hand_in("ann", "a", 5, 7, spec="0" * 16)
    row = desk.rows()["ann"]
    assert (row["status"], row["result"], row["score"], row["final"]) == ("older questions", None, None, None)
    assert row["reason"] == "graded with older questions (7 of 10): run course grade 02_pretraining"
    desk.hand_in("ann", "a", 5, 6)
    assert (desk.rows()["ann"]["final"], desk.rows()["ann"]["reason"]) == (6, "")


def test_a_result_that_is_another_submissions_is_none(desk, tmp_path):
    desk.hand_in("ann", "a", 5, 7)
    desk.hand_in("bob", "b", 5)
    store.write_json(
        store.result_path(LAB, "bob", "b" * 16, store.spec_sha(LAB), tmp_path / "grades"), desk.rows()["ann"]["result"]
    )
    assert desk.rows()["bob"]["final"] is None


def test_the_roster_tells_names_and_who_handed_in_nothing(desk):
    desk.policy()
    desk.roster("student,name,email,canvas_id,section\nann,Ann Lee,ann@x.org,,A\neve,Eve Poe,,9,B\n")
    desk.hand_in("ann", "a", 5, 7, ids={"canvas_id": "77"}, name="leeann")
    desk.hand_in("zoe", "b", 5, 7)
    rows = desk.rows()
    assert list(rows) == ["ann", "eve", "zoe"] and set(map(tuple, rows.values())) == {tuple(rows["ann"])}
    assert (rows["ann"]["name"], rows["ann"]["email"], rows["ann"]["ids"]) == (
        "Ann Lee",
        "ann@x.org",
        {"canvas_id": "77"},
    )
    missing = rows["eve"]
    assert (
        missing["sha"],
        missing["folder"],
        missing["status"],
        missing["final"],
        missing["attempts"],
        missing["ids"]["canvas_id"],
    ) == (None, None, "not handed in", None, 0, "9")
    assert (
        missing["reason"] == "nothing was handed in (deadline 2026-11-22 18:00)"
        and rows["zoe"]["reason"] == "on time; not in the roster"
    )


def test_an_extension_for_nobody_is_a_slip(desk):
    desk.policy()
    desk.roster("student\nann\n")
    with pytest.raises(store.StoreError, match="eve an extension.*no such student.*: a slip of the pen"):
        desk.rows()
    desk.roster("student\nEve_P\nann\n")
    with pytest.raises(store.StoreError, match=r"no such student in the roster, did you mean Eve_P\?"):
        desk.rows()


@pytest.mark.parametrize(
    "received, days, words",
    [
        (DUE - 9, 1, "1 day late, 10 % off (Canvas says late, not how late)"),
        (DUE + DAY + 1, 2, "2 days late, 20 % off"),
    ],
)
def test_what_canvas_calls_late_is_late_whatever_time_is_given(desk, received, days, words):
    desk.policy()
    desk.hand_in("ann", "a", received, 5, late=True, received_from="given")
    assert (desk.rows()["ann"]["late_days"], desk.rows()["ann"]["reason"]) == (days, words)
    desk.hand_in("bob", "b", received, 5, late=False, received_from="given")
    assert desk.rows()["bob"]["late_days"] == (0 if received < DUE else 2), (
        "that a file is not called late says nothing"
    )
    desk.hand_in("eve", "c", received, 5, late=True, received_from="given")  # with an extension of two days
    assert desk.rows()["eve"]["late_days"] == 0


@pytest.mark.parametrize(
    "late, received, days, words",
    [
        (False, DUE + 9 * DAY, 0, "on time, says Canvas"),
        (True, DUE + 9 * DAY, 1, "1 day late, 10 % off (Canvas says late, not how late)"),
        (True, DUE - 9, 0, "on time (Canvas says late, not how late)"),
        (None, DUE + DAY + 1, 2, "2 days late, 20 % off (when it was collected: nobody told when it came in)"),
    ],
)
def test_what_canvas_says_where_only_the_time_of_collecting_is_known(desk, late, received, days, words):
    desk.policy()
    desk.hand_in("ann", "a", received, 5, late=late, received_from="collected")
    assert (desk.rows()["ann"]["late_days"], desk.rows()["ann"]["reason"]) == (days, words)
    desk.hand_in("eve", "b", received, 5, late=late, received_from="collected")  # with an extension of two days
    assert desk.rows()["eve"]["late_days"] == 0


def test_a_damaged_meta_file_costs_nobody_the_row(desk, tmp_path):
    desk.policy()
    desk.hand_in("ann", "a", 5, 7)
    (tmp_path / "submissions" / LAB / "ann" / ("a" * 16) / "meta.json").write_text("{")
    assert desk.rows()["ann"]["final"] == 7
