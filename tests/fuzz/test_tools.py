"""What looks for findings: changes that get past the parser, and findings that are kept once and can be read again."""

import json
import random

import mutate
import pytest
import run

WHOLE = {"notebook": "honest.ipynb", "archive": "submit.zip", "header": "pretrain"}


def parses(data, shape):
    try:
        if shape == "frame":
            size = int.from_bytes(data[:8], "little")
            return size <= len(data) - 8 and type(json.loads(data[8 : 8 + size])) is dict
        return bool(mutate.members_of(data)) if shape == "zip" else bool(json.loads(data))
    except ValueError:
        return False


@pytest.mark.parametrize("name", WHOLE)
def test_most_changes_get_past_the_parser_and_differ(name):
    target, data = run.target(name), (run.CORPUS / name / WHOLE[name]).read_bytes()
    made = [mutate.changed(data, random.Random(i), target.SHAPE, target.WORDS, run.MOST) for i in range(100)]
    assert sum(parses(each, target.SHAPE) for each in made) >= 50 and len(set(made)) > 80
    assert made[7] == mutate.changed(data, random.Random(7), target.SHAPE, target.WORDS, run.MOST)


@pytest.mark.parametrize("name", WHOLE)
def test_a_pumped_input_is_as_long_as_it_should_be(name):
    target, data = run.target(name), (run.CORPUS / name / WHOLE[name]).read_bytes()
    for i in range(20):
        made = mutate.pumped(data, random.Random(i), target.SHAPE, target.WORDS)
        small, large = len(made(4_000)), len(made(16_000))
        assert small < large or target.SHAPE == "zip"  # which packs what is repeated


def test_a_finding_is_kept_once_and_can_be_read_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    finder = run.Finder("manifest")
    monkeypatch.setattr(finder.target, "read", lambda data, place: 1 / 0 if b"x" in data else data)
    for data in (b"a", b"x", b"xx"):
        finder.one(data)
    (kept,) = (tmp_path / "findings").iterdir()
    assert kept.read_bytes() == b"x" and "ZeroDivisionError" in kept.name
    assert capsys.readouterr().err.count("FOUND ") == 1
    with pytest.raises(ZeroDivisionError):
        run.replay(kept)
