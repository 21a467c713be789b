"""A chat with thumbs: each answer and each thumb is on disk before anything else happens.

The file is a journal (journal.py) of {"id", "prompt", "completion"} for an answer and {"id", "label"} for a thumb; `thumbs_of` makes TRL's rows of it.
`say`, `rate`, `thumbs_of` and `render` know nothing of notebooks; `chat` is the thin layer of ipywidgets on top.
"""
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

from course_lib.platform import CourseError
from course_lib.widgets import journal
from course_lib.widgets.annotate import box, digest
from course_lib.widgets.curve import show_widget
from course_lib.world.annotators import said

THUMBS = {"+": True, "-": False}


def say(path: Path | str, turns: list[dict], question: str, answer: Callable[[list[dict]], str]) -> list[dict]:
    """The turns with a question and its answer added; `answer(messages)` gives the assistant's text. The answer is on disk when this returns."""
    messages = [{"role": turn["role"], "content": turn["content"]} for turn in turns] + [{"role": "user", "content": question}]
    text, when = answer(messages), round(time.time(), 3)
    turn = {"role": "assistant", "content": text, "id": digest(messages, text, when), "label": None}
    journal.append(path, {"id": turn["id"], "prompt": messages, "completion": text, "when": when})
    return [*turns, messages[-1], turn]


def rate(path: Path | str, turns: list[dict], label: bool) -> list[dict]:
    """The turns with a thumb on the last answer, on disk when this returns. A second thumb replaces the first; without an answer nothing happens."""
    if not turns:
        return turns
    journal.append(path, {"id": turns[-1]["id"], "label": label, "when": round(time.time(), 3)})
    return [*turns[:-1], {**turns[-1], "label": label}]


def thumbs_of(events: list[dict], annotator: str = "you") -> list[dict]:
    """The rated answers in a file: {"prompt": [messages], "completion": [an assistant message], "label": True for up, "annotator"}."""
    answers, labels = {}, {}
    for event in events:
        if "completion" in event:
            answers[event["id"]] = event
        elif isinstance(event.get("label"), bool):
            labels[event.get("id")] = event["label"]
    return [{"prompt": e["prompt"], "completion": said(e["completion"]), "label": labels[key], "annotator": annotator} for key, e in answers.items() if key in labels]


def render(turns: list[dict], problem: str = "") -> str:
    """The conversation as HTML; a thumb is a sign and a word."""
    marks = {True: " <b>▲ good</b>", False: " <b>▼ bad</b>", None: ""}
    lines = [f'<div style="margin:4px 0"><b>{"you" if turn["role"] == "user" else "assistant"}:</b> {escape(turn["content"])}{marks[turn.get("label")]}</div>' for turn in turns]
    note = f'<div role="alert" style="margin-top:6px"><b>Not kept:</b> {escape(problem)}</div>' if problem else ""
    return box(("".join(lines) or "Ask about somebody in Littlebrook.") + note)


class Chat:
    """The widget: the conversation, a field for the question (Enter sends; + or - and Enter rates the last answer), and buttons."""

    def __init__(self, answer: Callable[[list[dict]], str], path: Path | str):
        import ipywidgets

        self.answer, self.path, self.turns = answer, Path(path), []
        self.html = ipywidgets.HTML(value=render([]))
        self.field = ipywidgets.Text(placeholder="ask, Enter sends;  + or - and Enter rates the answer", continuous_update=False, layout=ipywidgets.Layout(width="480px"))
        self.buttons = {words: ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto")) for words in ("▲ good (+)", "▼ bad (-)", "new conversation")}
        for button, action in zip(self.buttons.values(), (lambda _: self.enter("+"), lambda _: self.enter("-"), lambda _: self.restart())):
            button.on_click(action)
        self.field.observe(self.typed, "value")
        self.box = ipywidgets.VBox([self.html, self.field, ipywidgets.HBox(list(self.buttons.values()))])

    def typed(self, change: dict) -> None:
        if change["new"]:
            self.field.value = ""
            if change["new"].strip():
                self.enter(change["new"].strip())

    def enter(self, text: str) -> None:
        """A question, or one of the two thumbs."""
        problem = ""
        try:
            self.turns = rate(self.path, self.turns, THUMBS[text]) if text in THUMBS else say(self.path, self.turns, text, self.answer)
        except CourseError as error:
            problem = str(error)
        self.html.value = render(self.turns, problem)

    def restart(self) -> None:
        self.turns = []
        self.html.value = render([])


def chat(answer: Callable[[list[dict]], str], path: Path | str) -> Chat | None:
    """Show the widget and return it; None without a front end or without ipywidgets."""
    return show_widget(lambda: Chat(answer, path), "go on with the recorded thumbs.")
