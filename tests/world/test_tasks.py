"""Task rows: the splits keep what they promise, and the checker tells right answers from wrong ones."""

import json

import pytest

from course_lib.world import village
from course_lib.world.tasks import (
    KINDS,
    NO_SUCH_FACT,
    QUESTION_PHRASINGS,
    READING,
    SPLITS,
    UNKNOWN,
    held_out,
    notice,
    notice_prompt,
    passes,
    sentences,
    task_rows,
)
from course_lib.world.words.phrasings import STRANGERS, SYLLABLES

ROWS = {split: task_rows(split, 600) + task_rows(split, 300, shares=READING) for split in SPLITS}


def text(row):
    return " ".join(message["content"] for message in row["messages"])


@pytest.mark.parametrize("split", SPLITS)
def test_every_reference_answer_passes_its_own_checker(split):
    assert [row for row in ROWS[split] if not passes(row, row["messages"][-1]["content"])] == []
    assert {row["kind"] for row in ROWS[split]} == set(KINDS)


@pytest.mark.parametrize("split", SPLITS)
def test_rows_are_json_and_alternate_turns(split):
    assert json.loads(json.dumps(ROWS[split])) == ROWS[split]
    for row in ROWS[split]:
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)


def test_no_training_row_names_a_held_out_resident_and_no_other_row_is_about_a_training_one():
    assert len(held_out()) == 60
    for row in ROWS["train"]:
        assert not any(
            name in text(row).replace(",", " ").replace(".", " ").replace("'", " ").replace("?", " ").split()
            for name in held_out()
        )
    for split in ("residents", "phrasings"):
        about = [row["check"]["name"] for row in ROWS[split] if row["check"].get("name")]
        strangers = {name for name, _ in STRANGERS[1]}
        assert about and all(name in held_out() or name in strangers for name in about)


def test_held_out_phrasings_are_not_training_ones_but_use_their_words():
    known = {
        word.strip("?.,:").lower()
        for phrasings in QUESTION_PHRASINGS.values()
        for phrasing in phrasings[0]
        for word in phrasing.split()
    }
    for train, unseen in QUESTION_PHRASINGS.values():
        assert not set(train) & set(unseen)
        assert {word.strip("?.,:").lower() for phrasing in unseen for word in phrasing.split()} <= known | {"make"}
    asked = {row["messages"][0]["content"] for row in ROWS["train"]}
    assert not asked & {row["messages"][0]["content"] for row in ROWS["phrasings"]}
    assert not set(NO_SUCH_FACT[0]) & set(NO_SUCH_FACT[1])


def test_strangers_never_lived_here():
    names = {person.first for person in village().residents}
    made = {a + b + c for a in SYLLABLES[0] for b in SYLLABLES[1] for c in SYLLABLES[2]}
    assert not names & made and not made & {name for name, _ in STRANGERS[1]}
    assert not names & {name for group in STRANGERS for name, _ in group} and not set(STRANGERS[0]) & set(STRANGERS[1])


def test_rows_are_the_same_on_every_call_and_other_seeds_give_others():
    assert task_rows("train", 30) == ROWS["train"][:30]
    assert task_rows("train", 30, seed=1) != ROWS["train"][:30]
    with pytest.raises(ValueError, match="choose one of"):
        task_rows("test", 3)


# fmt: off
ADA = {
    "job": "a baker", "home": "Mill Lane", "pet": "a cat", "food": "plum cake", "colour": "red", "hobby": "chess",
    "mentor": "Warren",
}
# fmt: on
FACT = {"check": {"name": "Ada", "fact": "job", "facts": ADA}}


@pytest.mark.parametrize(
    "check, answer, right",
    [
        (FACT["check"], "She works as a baker.", True),
        (FACT["check"], "Gladly. Ada is a baker. She keeps a cat.", True),
        (FACT["check"], "She works as a potter.", False),  # another value
        (FACT["check"], "She works as a baker or a potter.", False),  # hedging
        (FACT["check"], "She keeps a cat.", False),  # another fact
        (FACT["check"], "She works as a baker. She keeps a dog.", False),  # a false aside
        (FACT["check"], "I do not know.", False),
        (FACT["check"], "", False),
        (FACT["check"], "Agnes works as a baker.", False),  # of somebody else
        (FACT["check"], "She works as a baker. " * 20, False),  # babbling
        ({"exactly": "a baker"}, "a baker", True),
        ({"exactly": "a baker"}, "a baker.", True),
        ({"exactly": "a baker"}, "She is a baker.", False),
        ({"exactly": UNKNOWN}, "I do not know", True),
        ({"exactly": "- job: a baker\n- pet: a cat"}, "- job: a baker\n- pet: a cat", True),
        ({"exactly": "- job: a baker\n- pet: a cat"}, "- pet: a cat\n- job: a baker", False),
        (
            {"name": "Ada", "fact": "", "facts": ADA, "at least": 2},
            "This is Ada Cobb. Ada is a baker. She keeps a cat.",
            True,
        ),
        (
            {"name": "Ada", "fact": "", "facts": ADA, "at least": 3},
            "This is Ada Cobb. Ada is a baker. She keeps a cat.",
            False,
        ),
        (
            {"name": "Ada", "fact": "", "facts": ADA, "at least": 2},
            "This is Ada Cobb. Ada is a baker. She works as a baker.",
            False,
        ),
        (
            {"name": "Ada", "fact": "", "facts": ADA, "at least": 2},
            "This is Ada Cobb. Ada is a baker. She keeps a dog.",
            False,
        ),
        ({"name": "Ada", "fact": "", "facts": ADA, "at least": 2}, "Ada is a baker. She keeps a cat.", False),
        ({"how-to": "cook"}, "Take two cups of oil and some salt. Stir for two minutes. Serve it on Monday.", True),
        ({"how-to": "mend"}, "Take two cups of oil and some salt. Stir for two minutes. Serve it on Monday.", False),
        ({"story": ["Ada", "a drum"]}, "Ada came. It rained. Ada saw a drum. She left. It was late.", True),
        ({"story": ["Ada", "a drum"]}, "Ada came. It rained. Ada saw a hat. She left. It was late.", False),
        ({"story": ["Ada", "a drum"]}, "Ada saw a drum.", False),
    ],
)
def test_the_checker(check, answer, right):
    assert passes({"check": check}, answer) is right


def test_notices_come_newest_last_before_the_question():
    person = village().residents[0]
    lines = [notice(person, "job", "a potter", 1), notice(person, "job", "a weaver", 3)]
    assert lines[0] == f"Day 1: {person.full} now works as a potter."
    assert notice_prompt(lines, "Who?") == f"Notice: {lines[0]}\nNotice: {lines[1]}\nQuestion: Who?"


def test_sentences_keep_quotes_together():
    assert sentences('Ada came. "Hello," said Bo. "Go!" They left') == [
        "Ada came.",
        '"Hello," said Bo.',
        '"Go!"',
        "They left",
    ]


@pytest.mark.parametrize("split", SPLITS)
def test_the_files_hold_the_same_rows(split):
    import pyarrow.parquet

    from course_lib.world.corpus import FOLDER

    first = pyarrow.parquet.read_table(FOLDER / f"instructions-{split}.parquet").slice(0, 300).to_pylist()
    assert [{**row, "check": json.loads(row["check"])} for row in first] == ROWS[split][:300]
