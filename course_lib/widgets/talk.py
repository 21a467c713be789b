"""What the chat and the red-team console share: a conversation that shows the question at once and the answer as it
grows, a field (Enter sends), buttons.

`act(turns, text)` gives the turns again and again, as far as they have come; what it gives last is on disk.
`render(turns, problem)` gives HTML.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from html import escape

from course_lib.platform import CourseError
from course_lib.widgets.front import in_pieces, paced, printable

NAMES = {"user": "you", "assistant": "assistant", "system": "system"}


def asked(turns: list[dict], question: str) -> list[dict]:
    """The messages up to a new question, as a model reads them."""
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns] + [
        {"role": "user", "content": question}
    ]


def growing(turns: list[dict], messages: list[dict], answer: Callable) -> Generator[list[dict], None, str]:
    """The turns with the last message and as much of its answer as there is; its value is the whole answer.
    `answer(messages)` gives a text, or an iterator of the text as it grows.
    """
    yield unfinished(turns, messages[-1], "")
    text = answer(messages)
    if isinstance(text, str):
        return text
    whole = ""
    for whole in text:
        yield unfinished(turns, messages[-1], whole)
    return whole


def unfinished(turns: list[dict], question: dict, text: str) -> list[dict]:
    """The turns with a question and as much of its answer as there is."""
    return [*turns, question, {"role": "assistant", "content": text + " …", "unfinished": True}]


def lines(turns: list[dict], mark: Callable[[dict], str]) -> str:
    """The conversation as HTML; `mark(turn)` is what stands behind a turn, as words."""
    made = ""
    for turn in turns:
        said = f"<b>{NAMES[turn['role']]}:</b> {printable(turn['content'])}"
        behind = f" <b>{escape(mark(turn))}</b>" if mark(turn) else ""
        made += f'<div style="margin:4px 0;white-space:pre-wrap">{said}{behind}</div>'
    return made


class Talk:
    """The widget. `tools` stand above the field; each button has words and what it sends, or None for a new
    conversation.
    """

    def __init__(
        self,
        act: Callable,
        render: Callable,
        label: str,
        placeholder: str,
        buttons: dict[str, str | None],
        tools: Iterable = (),
    ):
        import ipywidgets

        self.act, self.render, self.turns = act, render, []
        self.waiting, self.busy, self.conversation = [], False, 0
        self.html = ipywidgets.HTML(value=render([]))
        self.field = ipywidgets.Text(
            description=label,
            placeholder=placeholder,
            continuous_update=False,
            layout=ipywidgets.Layout(width="580px"),
            style={"description_width": "initial"},
        )
        self.buttons = {}
        for words, sent in buttons.items():
            self.buttons[words] = ipywidgets.Button(description=words, layout=ipywidgets.Layout(width="auto"))
            self.buttons[words].on_click(lambda _, sent=sent: self.restart() if sent is None else self.enter(sent))
        self.field.observe(self.typed, "value")
        self.box = ipywidgets.VBox([self.html, *tools, self.field, ipywidgets.HBox(list(self.buttons.values()))])

    def typed(self, change: dict) -> None:
        if change["new"]:
            self.field.value = ""
            if change["new"].strip():
                self.enter(change["new"].strip())

    def enter(self, text: str) -> None:
        """A question or a thumb; what comes while an answer grows waits for its end."""
        self.waiting.append(text)
        if not self.busy:
            self.busy = True
            in_pieces(self.work())

    def work(self) -> Iterator[None]:
        while self.waiting:
            text, before, conversation, problem = self.waiting.pop(0), self.turns, self.conversation, ""
            try:
                for turns, due in paced(self.act(before, text)):
                    self.turns = turns
                    if due:
                        self.html.value = self.render(self.turns)
                    yield
                    if conversation != self.conversation:
                        break
            except CourseError as error:
                problem = str(error)
            # the answer may come from a function that somebody has just written, and nobody sees what a callback raises
            except Exception as error:
                problem = f"the model's answer stopped with {type(error).__name__}: {error}"
            self.turns = [] if conversation != self.conversation else before if problem else self.turns
            self.html.value = self.render(self.turns, problem)
            yield
        self.busy = False

    def restart(self) -> None:
        """A new conversation; an answer that is still growing is dropped."""
        self.conversation += 1
        self.waiting.clear()
        self.turns = []
        self.html.value = self.render([])
