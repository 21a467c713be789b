"""The chat with thumbs: each answer and each thumb on disk, by keys and by mouse, TRL's columns at the end; an answer
shows while it grows.
"""

import asyncio
import time

import pytest

from course_lib.platform import CourseError
from course_lib.widgets import chat, journal
from course_lib.widgets.chat import make, rate, render, say, thumbs_of


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
    assert first == {
        "prompt": [{"role": "user", "content": "Who is Ada?"}],
        "completion": [{"role": "assistant", "content": "1: Who is Ada?"}],
        "label": True,
        "annotator": "you",
    }
    assert [m["role"] for m in second["prompt"]] == ["user", "assistant", "user"] and second["label"] is False
    assert all(set(m) == {"role", "content"} for row in (first, second) for m in row["prompt"])


def test_a_second_thumb_replaces_the_first(path):
    turns = rate(path, say(path, [], "Who?", echo), True)
    assert rate(path, turns, False)[-1]["label"] is False
    assert [row["label"] for row in thumbs_of(journal.read(path))] == [False]


def test_no_thumb_without_an_answer(path):
    assert rate(path, [], True) == [] and not path.exists()


def test_keys_and_mouse(path):
    widget = make(echo, path)
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
    widget.field.value = "-"  # a new conversation has nothing to rate
    assert len(thumbs_of(journal.read(path))) == 2 and "Ask about" in widget.html.value


def test_the_thumb_is_on_disk_before_it_shows(path):
    widget, seen = make(echo, path), []
    widget.field.value = "Who?"
    widget.html.observe(lambda change: seen.append([row["label"] for row in thumbs_of(journal.read(path))]), "value")
    widget.field.value = "-"
    assert seen == [[False]]


def test_a_full_disk_says_so(path, monkeypatch):
    def full(path, record):
        raise CourseError("cannot write thumbs.jsonl (No space left on device), so this was not kept: free some space")

    widget = make(echo, path)
    monkeypatch.setattr(journal, "append", full)
    widget.field.value = "Who?"
    assert "Not kept" in widget.html.value and widget.turns == []


def test_everything_is_escaped():
    assert "<img" not in render(
        [{"role": "user", "content": "<img src=x>"}, {"role": "assistant", "content": "<img>", "label": None}]
    )


def test_nothing_without_a_front_end(path, capsys):
    assert chat.chat(echo, path) is None and capsys.readouterr().out == ""


def growing(messages):
    """An answer of five words, 10 ms each."""
    for n in range(1, 6):
        time.sleep(0.01)
        yield " ".join(["word"] * n)


def test_the_question_shows_first_then_the_answer_grows_then_it_is_on_disk(path):
    made = list(chat.saying(path, [], "Who?", growing))
    assert [turns[-1]["content"] for turns in made[:3]] == [" …", "word …", "word word …"] and made[0][0][
        "content"
    ] == "Who?"
    assert (
        made[-1][-1]["content"] == "word word word word word" == journal.read(path)[0]["completion"]
        and "id" not in made[-2][-1]
    )
    assert say(path, [], "Who?", growing)[-1]["content"] == made[-1][-1]["content"]


def test_in_a_kernel_clicks_are_answered_while_the_answer_grows(path):
    async def kernel():
        widget = make(growing, path)
        widget.field.value = "Who?"
        assert journal.read(path) == [], "it returns before there is an answer"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "Who?" in widget.html.value and "…" in widget.html.value and widget.busy
        widget.field.value = "+"  # waits for the end of the answer, and is not lost
        assert thumbs_of(journal.read(path)) == []
        while widget.busy:
            await asyncio.sleep(0)
        assert (
            thumbs_of(journal.read(path))[0]["label"] is True
            and "good" in widget.html.value
            and "…" not in widget.html.value
        )

    asyncio.run(kernel())


def test_a_new_conversation_drops_the_answer_that_grows(path):
    async def kernel():
        widget = make(growing, path)
        widget.field.value = "Who?"
        for _ in range(3):
            await asyncio.sleep(0)
        widget.restart()
        assert "Ask about" in widget.html.value
        while widget.busy:
            await asyncio.sleep(0)
        assert widget.turns == [] and "Ask about" in widget.html.value and journal.read(path) == []
        widget.field.value = "And now?"
        while widget.busy:
            await asyncio.sleep(0)
        assert len(widget.turns) == 2

    asyncio.run(kernel())


def test_a_model_that_stops_says_why_and_the_chat_goes_on(path):
    answers = iter([lambda: 1 / 0, lambda: "fine"])
    widget = make(lambda messages: next(answers)(), path)
    widget.field.value = "Who?"
    assert "ZeroDivisionError" in widget.html.value and widget.turns == [] and not widget.busy
    widget.field.value = "Who?"
    assert widget.turns[-1]["content"] == "fine"


def test_every_control_has_a_name_and_the_log_is_read_out(path):
    widget = make(echo, path)
    assert (
        widget.field.description
        and all(button.description for button in widget.buttons.values())
        and 'role="log"' in widget.html.value
    )
