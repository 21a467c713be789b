"""The chat with thumbs: each answer and each thumb on disk, by keys and by mouse, TRL's columns at the end."""
import pytest

from course_lib.platform import CourseError
from course_lib.widgets import chat, journal
from course_lib.widgets.chat import Chat, rate, render, say, thumbs_of


def echo(messages):
    return f"{len(messages)}: {messages[-1]['content']}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "thumbs.jsonl"


def test_a_thumb_is_a_row_with_trls_columns(path):
    turns = say(path, [], "Who is Ada?", echo)
    assert len(journal.read(path)) == 1 and thumbs_of(journal.read(path)) == []
    turns = rate(path, turns, True)
    turns = rate(path, say(path, turns, "And her cat?", echo), False)
    first, second = thumbs_of(journal.read(path))
    assert first == {"prompt": [{"role": "user", "content": "Who is Ada?"}], "completion": [{"role": "assistant", "content": "1: Who is Ada?"}], "label": True, "annotator": "you"}
    assert [m["role"] for m in second["prompt"]] == ["user", "assistant", "user"] and second["label"] is False
    assert all(set(m) == {"role", "content"} for row in (first, second) for m in row["prompt"])


def test_a_second_thumb_replaces_the_first(path):
    turns = rate(path, say(path, [], "Who?", echo), True)
    assert rate(path, turns, False)[-1]["label"] is False
    assert [row["label"] for row in thumbs_of(journal.read(path))] == [False]


def test_no_thumb_without_an_answer(path):
    assert rate(path, [], True) == [] and not path.exists()


def test_keys_and_mouse(path):
    widget = Chat(echo, path)
    widget.field.value = "Who is Ada?"
    assert widget.field.value == "" and "1: Who is Ada?" in widget.html.value
    widget.field.value = "+"
    assert "good" in widget.html.value
    widget.field.value = "   "
    widget.field.value = "And Bob?"
    list(widget.buttons.values())[1].click()
    assert "bad" in widget.html.value
    assert [row["label"] for row in thumbs_of(journal.read(path))] == [True, False]
    list(widget.buttons.values())[2].click()
    widget.field.value = "-"                                           # a new conversation has nothing to rate
    assert len(thumbs_of(journal.read(path))) == 2 and "Ask about" in widget.html.value


def test_the_thumb_is_on_disk_before_it_shows(path):
    widget, seen = Chat(echo, path), []
    widget.field.value = "Who?"
    widget.html.observe(lambda change: seen.append([row["label"] for row in thumbs_of(journal.read(path))]), "value")
    widget.field.value = "-"
    assert seen == [[False]]


def test_a_full_disk_says_so(path, monkeypatch):
    def full(path, record):
        raise CourseError("cannot write thumbs.jsonl (No space left on device), so this was not kept: free some space")

    widget = Chat(echo, path)
    monkeypatch.setattr(journal, "append", full)
    widget.field.value = "Who?"
    assert "Not kept" in widget.html.value and widget.turns == []


def test_everything_is_escaped():
    assert "<img" not in render([{"role": "user", "content": "<img src=x>"}, {"role": "assistant", "content": "<img>", "label": None}])


def test_nothing_without_a_front_end(path, capsys):
    assert chat.chat(echo, path) is None and capsys.readouterr().out == ""
