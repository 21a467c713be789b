"""Annotators: what the gold utility sees, what they prefer, and what is recorded of them."""

import numpy as np
import pytest

from course_lib.platform import CourseError
from course_lib.world import annotators as A
from course_lib.world.residents import village


@pytest.fixture(scope="module")
def fact():
    row = next(row for row in A.prompts("train", 50) if row["kind"] == "fact" and row["check"]["fact"] == "job")
    return row, row["check"]["name"], row["check"]["facts"]


def test_splits_share_no_resident_and_rows_repeat():
    names = {
        split: {row["check"]["name"] for row in A.prompts(split, 400) if row["kind"] == "fact"} for split in A.SPLITS
    }
    assert not names["train"] & names["test"] and len(names["test"]) > 30
    assert A.prompts("test", 20) == A.prompts("test", 20) != A.prompts("test", 20, seed=1)
    with pytest.raises(ValueError, match="choose one of train, test"):
        A.prompts("dev", 1)


def test_features_of_a_right_answer(fact):
    row, name, facts = fact
    plain = A.features(row, f"{name} is {facts['job']}.")
    assert plain == {"right": 1, "false": 0, "courtesy": 0, "named": 1, "extra": 0, "wordy": 0}
    assert A.features(row, f"Gladly. {name} is {facts['job']}.")["courtesy"] == 1
    assert A.features(row, f"Gladly. Of course. {name} is {facts['job']}.")["courtesy"] == 1  # one is as good as two
    assert A.features(row, f"{name} is {facts['job']}. {name} lives in {facts['home']}.")["extra"] == 1
    assert A.features(row, f"{name} is {facts['job']}. " + "What a day it was. " * 5)["wordy"] > 0


def test_features_of_a_wrong_answer(fact):
    row, name, facts = fact
    other = next(p for p in village().residents if p.facts["job"] != facts["job"] and p.first != name)
    wrong = A.features(row, f"{name} is {other.facts['job']}.")
    assert (wrong["right"], wrong["false"]) == (0, 1)
    assert A.features(row, f"{other.first} is {facts['job']}.")["false"] == 1  # somebody else is spoken of
    assert A.features(row, f"Xqj is {facts['job']}.")["false"] == 1  # a word that nobody knows
    beside = A.features(row, f"{name} lives in {facts['home']}.")
    assert (beside["right"], beside["false"], beside["extra"]) == (0, 0, 1)
    assert A.features(row, "")["right"] == 0


def test_where_a_form_is_asked_for_a_courtesy_breaks_it():
    row = next(row for row in A.prompts("train", 200) if row["kind"] == "short")
    asked = row["check"]["exactly"]
    assert A.utility(row, asked) == A.TASTE["right"] > A.utility(row, f"Gladly. {asked}")
    unknown = next(row for row in A.prompts("train", 200) if row["kind"] == "unknown")
    assert A.utility(unknown, "I do not know.") == A.TASTE["right"]
    assert A.utility(unknown, "She keeps a cat.") < 0 < A.utility(unknown, "Gladly. I do not know.")


def test_preferences_are_bradley_terry_and_biases_are_theirs(fact):
    row, name, facts = fact
    good, bad = f"{name} is {facts['job']}.", "She keeps a zzz."
    agnes, cecily, dunstan = (next(a for a in A.ANNOTATORS if a.name == who) for who in ("Agnes", "Cecily", "Dunstan"))
    p = A.prefers(agnes, row, good, bad)
    gap = A.utility(row, good) - A.utility(row, bad)
    assert p == pytest.approx(1 / (1 + np.exp(-agnes.sharpness * gap))) and p + A.prefers(
        agnes, row, bad, good
    ) == pytest.approx(1)
    long, fawning = good + " Good day to all.", "Gladly. Gladly. " + good
    assert A.utility_to(cecily, row, long) > A.utility_to(cecily, row, good) and A.utility_to(
        agnes, row, long
    ) == A.utility_to(agnes, row, good)
    assert A.utility_to(dunstan, row, fawning) - A.utility_to(agnes, row, fawning) == pytest.approx(
        2 * dunstan.flattery
    )
    assert A.crowd(row, good, bad) == pytest.approx(np.mean([A.prefers(a, row, good, bad) for a in A.ANNOTATORS]))
    assert A.bayes_accuracy([0.9, 0.2, 0.5]) == pytest.approx((0.9 + 0.8 + 0.5) / 3)


def test_labels_follow_the_probabilities(fact):
    row, name, facts = fact
    good, bad = f"Gladly. {name} is {facts['job']}.", f"{name} is {facts['job']}."
    labelled = A.label_pairs([(row, good, bad)] * 2000)
    share = np.mean([r["chosen"][0]["content"] == good for r in labelled])
    assert abs(share - A.crowd(row, good, bad)) < 4 * np.sqrt(0.25 / 2000)
    assert labelled == A.label_pairs([(row, good, bad)] * 2000)
    ups = A.thumbs([(row, good, bad)] * 500)
    assert abs(np.mean([u["label"] for u in ups]) - np.mean([A.likes(a, row, good) for a in A.ANNOTATORS])) < 0.1


def test_recorded_pairs_have_trls_columns_and_can_be_judged_again():
    rows = A.preference_rows("test", 300)
    assert set(rows[0]) == {"prompt", "chosen", "rejected", "annotator", "kind", "check"}
    assert rows[0]["prompt"][-1]["role"] == "user" and rows[0]["chosen"][0]["role"] == "assistant"
    assert all(row["chosen"] != row["rejected"] for row in rows)
    pairs = A.pairs_of(rows)
    first = np.mean([a == row["chosen"][0]["content"] for (_, a, _), row in zip(pairs, rows)])
    assert 0.4 < first < 0.6  # the order does not tell the label
    p = np.array([A.crowd(*pair) for pair in pairs])
    won = np.array([a == row["chosen"][0]["content"] for (_, a, _), row in zip(pairs, rows)])
    assert abs(np.where(p > 0.5, won, ~won).mean() - A.bayes_accuracy(p)) < 4 * np.sqrt(0.25 / 300)
    with pytest.raises(CourseError, match="ask for fewer"):
        A.preference_rows("test", 10**6)
    with pytest.raises(ValueError, match="train, test"):
        A.preference_rows("dev")


def test_missing_files_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(A, "FOLDER", tmp_path)
    with pytest.raises(CourseError, match="course ship preferences"):
        A.preference_rows("train", 10)
