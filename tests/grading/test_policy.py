"""The late policy at its borders: a second, a change of the clocks, an extension, the cap; and a policy with a slip in
it is refused whole.
"""

import datetime
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.grading.records import policy, store
from course_lib.platform import OPTIONAL, safe_name

LAB = "02_pretraining"
TEXT = """
timezone: Europe/Berlin
grace_minutes: 15
percent_a_day: 10
max_days: 5
cap: 35
labs:
  02_pretraining:
    deadline: 2026-11-20 18:00
    extensions: {ann: 3, 0123: 2026-12-01 12:00, "Björn Ö": 1, no: 2}
  03_supervised_fine_tuning: {deadline: "2026-10-24T18:00", grace_minutes: 0, max_days: 30, cap: 100}
  04_lora_and_qlora: {deadline: 2026-03-28 18:00, grace_minutes: 0}
"""


@pytest.fixture
def rules(tmp_path):
    return written(tmp_path, TEXT)


def written(tmp_path, text):
    (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
    return policy.read(tmp_path / "policy.yaml")


def at(text, zone="Europe/Berlin"):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    "received, days, kept",
    [
        ("2026-11-01 00:00:00", 0, 1.0),
        ("2026-11-20 18:00:00", 0, 1.0),
        ("2026-11-20 18:00:01", 0, 1.0),  # within the grace minutes
        ("2026-11-20 18:15:00", 0, 1.0),
        ("2026-11-20 18:15:01", 1, 0.9),
        ("2026-11-21 18:15:00", 1, 0.9),
        ("2026-11-21 18:15:01", 2, 0.8),
        ("2026-11-23 18:15:00", 3, 0.7),
        ("2026-11-23 18:15:01", 4, 0.65),  # the cap
        ("2026-11-25 18:15:00", 5, 0.65),
        ("2026-11-25 18:15:01", 6, 0.0),  # after the last day that counts
        ("2027-11-20 18:00:00", 365, 0.0),
    ],
)
def test_borders(rules, received, days, kept):
    found = policy.penalty(rules, LAB, "bob", at(received))
    assert found[:2] == (days, pytest.approx(kept)) and found[2]


def test_words(rules):
    words = [
        policy.penalty(rules, LAB, who, at(when))[2]
        for who, when in (
            ("bob", "2026-11-20 17:00"),
            ("bob", "2026-11-20 18:05"),
            ("bob", "2026-11-21 10:00"),
            ("bob", "2026-11-24 10:00"),
            ("bob", "2026-11-30 10:00"),
            ("ann", "2026-11-24 10:00"),
        )
    ]
    assert words == [
        "on time",
        "on time, within 15 minutes of grace",
        "1 day late, 10 % off",
        "4 days late, 35 % off (the most)",
        "10 days late, more than 5: not counted",
        "1 day late (extension to 2026-11-23 18:00), 10 % off",
    ]


def test_a_fraction_of_a_second_is_not_late(tmp_path):
    rules = written(tmp_path, "timezone: UTC\npercent_a_day: 10\nlabs: {02_pretraining: {deadline: 2026-11-20 18:00}}")
    due = at("2026-11-20 18:00", "UTC")
    assert [policy.penalty(rules, LAB, "x", due + s)[0] for s in (-1, 0, 0.999, 1)] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "lab, last_second",
    [("03_supervised_fine_tuning", "2026-10-25 18:00:00"), ("04_lora_and_qlora", "2026-03-29 18:00:00")],
)
def test_a_day_in_which_the_clocks_change_ends_at_the_same_time_of_the_clock(rules, lab, last_second):
    assert (
        policy.penalty(rules, lab, "x", at(last_second))[0] == 1
        and policy.penalty(rules, lab, "x", at(last_second) + 1)[0] == 2
    )
    hours = (at(last_second) - rules[lab]["deadline"].timestamp()) / 3600
    assert hours == (25 if lab.startswith("03") else 23)


def test_a_deadline_in_the_hour_that_there_is_twice_is_its_first(tmp_path):
    rules = written(tmp_path, "timezone: Europe/Berlin\nlabs: {02_pretraining: {deadline: 2026-10-25 02:30}}")
    assert rules[LAB]["deadline"].timestamp() == datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC).timestamp()


def test_extensions_by_days_and_by_date_belong_to_one_student_and_keep_their_names(rules):
    late = at("2026-11-22 12:00")
    assert [policy.penalty(rules, LAB, who, late)[0] for who in ("ann", "0123", "no", "bob", "Ann", "83")] == [
        0,
        0,
        0,
        2,
        2,
        2,
    ]
    assert policy.penalty(rules, LAB, safe_name("Bjo\u0308rn O\u0308"), at("2026-11-21 18:00"))[0] == 0  # NFD
    assert policy.penalty(rules, "03_supervised_fine_tuning", "ann", at("2026-10-24 18:00:01"))[0] == 1
    assert policy.penalty(rules, LAB, "0123", at("2026-12-01 12:15:01"))[:2] == (1, 0.9)


def test_no_deadline_no_policy(rules, tmp_path):
    assert (
        policy.penalty(rules, "05_finetune_or_retrieve", "x", 1e12)
        == policy.penalty(None, LAB, "x", 1e12)
        == policy.penalty({}, LAB, "x", 0)
        == (0, 1.0, "no deadline")
    )
    assert policy.of_lab(rules, "05_finetune_or_retrieve")["counts"] == "last"
    assert written(tmp_path, "")[None]["deadline"] is None and policy.beside(tmp_path / "none" / "submissions") is None


def test_a_lab_has_its_own_rules(tmp_path):
    rules = written(
        tmp_path,
        "timezone: UTC\ncounts: best\nlabs: {02_pretraining: {deadline: 2026-11-20 18:00, timezone: America/New_York, "
        "counts: last_on_time, percent_a_day: 100}}",
    )
    assert (
        rules[LAB]["deadline"].timestamp() == at("2026-11-20 23:00", "UTC")
        and rules[LAB]["counts"] == "last_on_time"
        and policy.of_lab(rules, "x")["counts"] == "best"
    )
    assert policy.penalty(rules, LAB, "x", at("2026-11-20 23:00:01", "UTC"))[:2] == (1, 0.0)


def test_an_optional_lab_is_a_bonus_unless_the_rules_say_no(tmp_path, monkeypatch):
    lab = OPTIONAL[0]
    monkeypatch.setattr(policy, "labs", lambda: [LAB, lab])
    bonus = lambda rules: [policy.of_lab(rules, name)["bonus"] for name in (LAB, lab)]
    assert bonus(None) == bonus(written(tmp_path, "drop_lowest: 1")) == [False, True]
    due = "deadline: '2026-11-20T18:00+01:00'"
    assert bonus(written(tmp_path, f"labs: {{{lab}: {{{due}}}, {LAB}: {{{due}, bonus: yes}}}}")) == [True, True]
    assert bonus(written(tmp_path, f"labs: {{{lab}: {{bonus: no}}}}")) == [False, False]


def test_an_offset_in_the_deadline_needs_no_time_zone(tmp_path):
    rules = written(tmp_path, "labs: {02_pretraining: {deadline: '2026-11-20T18:00+01:00'}}")
    assert rules[LAB]["deadline"].timestamp() == at("2026-11-20 17:00", "UTC")


ONE = "labs: {{02_pretraining: {{deadline: 2026-11-20 18:00, {}}}}}"


@pytest.mark.parametrize(
    "text, why",
    [
        ("timezone: Mars/Olympus", "no time zone"),
        ("timezone: ../../etc/passwd", "no time zone"),
        ("percent: 10", "'percent' is no setting"),
        ("percent_a_day: ten", "number from 0 to 100"),
        ("percent_a_day: 101", "number from 0 to 100"),
        ("percent_a_day: -1", "number from 0"),
        ("cap: nan", "number from 0"),
        ("max_days: 2.5", "whole number"),
        ("grace_minutes: [1]", "must be one value"),
        ("counts: first", "last, best, last_on_time"),
        ("labs: [1]", "labs must be a list of"),
        ("labs: {2_pretrain: {}}", "no lab '2_pretrain'"),
        ("labs: {02_pretraining: {deadline: 2026-11-20 18:00}}", "in which time zone"),
        ("timezone: UTC\nlabs: {02_pretraining: {deadline: 2026-11-20}}", "a date and time like"),
        ("timezone: UTC\nlabs: {02_pretraining: {deadline: 2026-11-31 18:00}}", "a date and time like"),
        ("timezone: UTC\nlabs: {02_pretraining: {deadlin: 2026-11-20 18:00}}", "'deadlin' is no setting"),
        ("timezone: UTC\nlabs: {02_pretraining: {extensions: {ann: 3}}}", "need a deadline"),
        ("timezone: UTC\n" + ONE.format("extensions: {ann: two}"), "extension of ann"),
        ("timezone: UTC\n" + ONE.format("extensions: {ann: 2026-11-01 18:00}"), "before the deadline"),
        ("timezone: UTC\n" + ONE.format("extensions: {ann: 2, ann: 3}"), "line 2: ann stands there twice"),
        ("timezone: UTC\n" + ONE.format("extensions: {'ann ': 2, ann: 3}"), "twice"),
        ("timezone: UTC\ntimezone: UTC", "line 2: timezone stands there twice"),
        ("labs: {", "is not YAML"),
        ("a:\n\tb: 1", "is not YAML"),
        ("- a\n- b", "the file must be a list of"),
        ("? [a, b]\n: 1", "a key must be a word"),
        ("!!python/object/apply:os.system ['touch /tmp/owned']", "the file must be"),
    ],
)
def test_a_slip_is_one_line(tmp_path, text, why):
    with pytest.raises(store.StoreError) as error:
        written(tmp_path, text)
    assert why in str(error.value) and "\n" not in str(error.value) and "policy.yaml" in str(error.value)


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(store.StoreError, match="cannot be read"):
        policy.read(tmp_path / "nothing.yaml")
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(store.StoreError, match="cannot be read"):
        policy.read(tmp_path / "p.yaml")


DEADLINE = datetime.datetime(2026, 10, 24, 18, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
LATE = {"grace_minutes": 7.0, "percent_a_day": 13.0, "max_days": 9.0, "cap": 60.0}
RULES = {LAB: policy.of_lab(None, LAB) | LATE | {"deadline": DEADLINE}}


@settings(max_examples=150, deadline=None)
@given(st.floats(-1e6, 4e6), st.floats(0, 2e5))
def test_later_never_keeps_more_and_the_day_is_the_first_whose_end_is_not_passed(seconds, more):
    due = RULES[LAB]["deadline"]
    first, second = (policy.penalty(RULES, LAB, "x", due.timestamp() + s) for s in (seconds, seconds + more))
    assert first[0] <= second[0] and first[1] >= second[1] and 0 <= second[1] <= 1
    end = lambda days: policy.later(due, days).timestamp() + 7 * 60  # noqa: E731
    assert due.timestamp() + seconds < end(first[0]) + 1 and (
        first[0] == 0 or due.timestamp() + seconds >= end(first[0] - 1)
    )
