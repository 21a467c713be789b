"""A chat with thumbs: each answer is on disk as soon as it is whole, each thumb before it shows.

The file is a journal (journal.py) of {"id", "prompt", "completion"} for an answer and {"id", "label"} for a thumb;
`thumbs_of` makes TRL's rows of it. `saying`, `rate`, `thumbs_of` and `render` know nothing of notebooks; `chat` is the
thin layer of ipywidgets on top. An answer function gives a text, or an iterator of the text as it grows (stream.texts),
which the chat then shows as it grows.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from course_lib.widgets import journal
from course_lib.widgets.annotate import digest
from course_lib.widgets.front import box, note, show_widget
from course_lib.widgets.talk import Talk, asked, growing, lines
from course_lib.world.annotators import said

THUMBS = {"+": True, "-": False}


def saying(path: Path | str, turns: list[dict], question: str, answer: Callable) -> Iterator[list[dict]]:
    """The turns with a question and its answer as far as it has come; `answer(messages)` gives the assistant's text.
    The last one has the whole answer, which is then on disk.
    """
    messages = asked(turns, question)
    text = yield from growing(turns, messages, answer)
    when = round(time.time(), 3)
    turn = {"role": "assistant", "content": text, "id": digest(messages, text, when), "label": None}
    journal.append(path, {"id": turn["id"], "prompt": messages, "completion": text, "when": when})
    yield [*turns, messages[-1], turn]


def say(path: Path | str, turns: list[dict], question: str, answer: Callable) -> list[dict]:
    """The last of `saying`."""
    *_, made = saying(path, turns, question, answer)
    return made


def rate(path: Path | str, turns: list[dict], label: bool) -> list[dict]:
    """The turns with a thumb on the last answer, on disk when this returns. A second thumb replaces the first; without
    an answer nothing happens.
    """
    if not turns:
        return turns
    journal.append(path, {"id": turns[-1]["id"], "label": label, "when": round(time.time(), 3)})
    return [*turns[:-1], {**turns[-1], "label": label}]


def thumbs_of(events: list[dict], annotator: str = "you") -> list[dict]:
    """The rated answers in a file: {"prompt": [messages], "completion": [an assistant message], "label": True for up,
    "annotator"}.
    """
    answers, labels = {}, {}
    for event in events:
        if "completion" in event:
            answers[event["id"]] = event
        elif isinstance(event.get("label"), bool):
            labels[event.get("id")] = event["label"]
    return [
        {"prompt": e["prompt"], "completion": said(e["completion"]), "label": labels[key], "annotator": annotator}
        for key, e in answers.items()
        if key in labels
    ]


def render(turns: list[dict], problem: str = "") -> str:
    """The conversation as HTML; a thumb is a sign and a word."""
    marks = {True: "▲ good", False: "▼ bad", None: ""}
    return box(
        (lines(turns, lambda turn: marks[turn.get("label")]) or "Ask about somebody in Littlebrook.") + note(problem),
        "log",
        "conversation",
    )


def make(answer: Callable, path: Path | str) -> Talk:
    """The widget: the conversation, a field for the question (Enter sends; + or - and Enter rates the last answer), and
    buttons.
    """

    def act(turns: list[dict], text: str) -> Iterator[list[dict]]:
        return iter([rate(path, turns, THUMBS[text])]) if text in THUMBS else saying(path, turns, text, answer)

    return Talk(
        act,
        render,
        "You:",
        "ask, Enter sends;  + or - and Enter rates the answer",
        {"▲ good (+)": "+", "▼ bad (-)": "-", "new conversation": None},
    )


def chat(answer: Callable, path: Path | str) -> Talk | None:
    """Show the widget and return it; None without a front end or without ipywidgets."""
    return show_widget(lambda: make(answer, path), render([]), "go on with the thumbs of a simulated annotator.")
