"""Comparing two answers by hand: blind order, mouse or keys, and each label is on disk before the next pair shows.

What counts is the file: a JSON line for each key (see journal.py). What is shown next is worked out from it, so a
kernel that dies loses nothing. `queue_of`, `state_of`, `press`, `labels_of` and `render` know nothing of notebooks;
`annotate` is the thin layer of ipywidgets on top.
"""

import hashlib
import json
import time
from html import escape
from pathlib import Path

from course_lib.platform import CourseError
from course_lib.widgets import journal
from course_lib.widgets.front import box, note, show_widget
from course_lib.world import village
from course_lib.world.annotators import ANNOTATORS, chance, prefers, said
from course_lib.world.source import Source

KEYS = {"1": "the first is better", "2": "the second is better", "s": "skip", "u": "undo"}
LATER = 8  # pairs that lie between the two showings of a pair


def queue_of(pairs: list[tuple[dict, str, str]], repeats: int = 8, seed: int | str = 0) -> list[dict]:
    """What is shown, in order: {"id", "pair", "row", "first", "second", "again"}. Which answer stands first is drawn.

    The first `repeats` pairs come a second time, at least LATER pairs later and with their answers exchanged."""
    shown = []
    for k, (row, a, b) in enumerate(pairs):
        first, second = (a, b) if Source(village(), f"blind order {seed} {k}").index(2) else (b, a)
        shown.append(showing(row, first, second, k, False))
        if k >= LATER and len(shown) > k and len(shown) - k - 1 < repeats:
            earlier = next(item for item in shown if item["place"] == k - LATER)
            shown.append(showing(earlier["row"], earlier["second"], earlier["first"], k - LATER, True))
    return shown


def showing(row: dict, first: str, second: str, place: int, again: bool) -> dict:
    """One card. Ids come from what is shown: labels of another queue stay what they are."""
    asked = json.dumps(row["messages"], ensure_ascii=False)
    return {
        "id": digest(asked, first, second, place, again),
        "pair": digest(asked, *sorted((first, second)), place),
        "row": row,
        "first": first,
        "second": second,
        "place": place,
        "again": again,
    }


def digest(*parts) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]


def decisions(events: list[dict]) -> dict[str, dict]:
    """id → the key event that stands: an undo takes one away, a later one for the same card replaces it."""
    standing: dict[str, dict] = {}
    for event in events:
        standing.pop(event.get("id"), None)
        if event.get("key") in ("1", "2", "s"):
            standing[event["id"]] = event
    return standing


def state_of(queue: list[dict], events: list[dict]) -> dict:
    """{"item": the card to show or None at the end, "done": cards decided, "of", "labels", "skipped", "last": id that
    undo would take back or None}.
    """
    standing, ours = decisions(events), {item["id"] for item in queue}
    made = [event for key, event in standing.items() if key in ours]
    item = next((item for item in queue if item["id"] not in standing), None)
    return {
        "item": item,
        "done": len(made),
        "of": len(queue),
        "labels": sum(e["key"] != "s" for e in made),
        "skipped": sum(e["key"] == "s" for e in made),
        "last": made[-1]["id"] if made else None,
    }


def press(path: Path | str, queue: list[dict], key: str) -> dict:
    """Take one key: write it down, then work out what comes next from what is written. Keys that mean nothing here
    change nothing. Raises CourseError if the disk refuses.
    """
    state = state_of(queue, journal.read(path))
    if key == "u" and state["last"]:
        journal.append(path, {"key": "u", "id": state["last"], "when": round(time.time(), 1)})
    elif key in ("1", "2", "s") and state["item"]:
        item = state["item"]
        journal.append(
            path,
            {
                "key": key,
                "id": item["id"],
                "pair": item["pair"],
                "again": item["again"],
                "first": item["first"],
                "second": item["second"],
                "prompt": item["row"]["messages"],
                "kind": item["row"]["kind"],
                "check": item["row"]["check"],
                "when": round(time.time(), 1),
            },
        )
    return state_of(queue, journal.read(path))


def labels_of(events: list[dict], annotator: str = "you") -> list[dict]:
    """The labels in a file as rows with TRL's columns, as `annotators.label_pairs` gives them, and "pair" and "again";
    skipped cards are left out.
    """
    rows = []
    for event in decisions(events).values():
        if event["key"] != "s":
            chosen, rejected = (
                (event["first"], event["second"]) if event["key"] == "1" else (event["second"], event["first"])
            )
            rows.append(
                {
                    "prompt": event["prompt"],
                    "chosen": said(chosen),
                    "rejected": said(rejected),
                    "annotator": annotator,
                    "kind": event["kind"],
                    "check": event["check"],
                    "pair": event["pair"],
                    "again": event["again"],
                }
            )
    return rows


def labels_or_recorded(
    path: Path | str, queue: list[dict], least: int = 20, annotator=ANNOTATORS[0]
) -> tuple[list[dict], str]:
    """(rows, whose): the labels on disk if there are at least `least` of them, else those that a simulated annotator
    gives to the same queue.
    """
    rows = labels_of(journal.read(path))
    if len(rows) >= least:
        return rows, "you"
    events = []
    for item in queue:
        row, drawn = item["row"], chance(Source(village(), f"recorded {item['id']}"))
        key = "1" if drawn < prefers(annotator, row, item["first"], item["second"]) else "2"
        events.append({"key": key, "prompt": row["messages"], "kind": row["kind"], "check": row["check"], **item})
    return labels_of(events, annotator.name), annotator.name


def render(state: dict, problem: str = "") -> str:
    """The card as HTML. It shows the question and the two answers, and nothing that tells whose they are."""
    item = state["item"]
    head = f"<div>{state['done']} of {state['of']} done, {state['skipped']} skipped</div>"
    if item is None:
        return box(
            head
            + f"<p>All pairs are done: {state['labels']} labels are on disk. Go on to the next cell (or press u to "
            "take the last one back).</p>" + note(problem),
            "status",
        )
    answers = "".join(
        '<div style="flex:1;border:1px solid currentColor;border-radius:6px;padding:8px '
        f'12px"><b>{n}</b><br>{escape(text) or "<i>(no answer)</i>"}</div>'
        for n, text in ((1, item["first"]), (2, item["second"]))
    )
    question = escape(item["row"]["messages"][-1]["content"])
    return box(
        f'{head}<p><b>Question:</b> {question}</p><div style="display:flex;gap:12px">{answers}</div>{note(problem)}',
        "status",
        "pair to compare",
    )


class Annotator:
    """The widget: a picture of the state, a button for each key, and a field that takes the keys. Without ipywidgets
    use `press`.
    """

    def __init__(self, queue: list[dict], path: Path | str):
        import ipywidgets

        self.queue, self.path = queue, Path(path)
        self.html = ipywidgets.HTML()
        self.buttons = {}
        for key, words in KEYS.items():
            self.buttons[key] = ipywidgets.Button(
                description=f"{key} · {words}", layout=ipywidgets.Layout(width="auto"), tooltip=f"key {key}"
            )
            self.buttons[key].on_click(lambda _, key=key: self.press(key))
        self.keys = ipywidgets.Text(
            description="Keys:",
            placeholder="click here once, then press 1, 2, s or u",
            layout=ipywidgets.Layout(width="380px"),
            style={"description_width": "initial"},
        )
        self.keys.observe(self.typed, "value")
        self.box = ipywidgets.VBox([self.html, ipywidgets.HBox(list(self.buttons.values())), self.keys])
        self.html.value = render(state_of(queue, journal.read(path)))

    def typed(self, change: dict) -> None:
        if change["new"]:
            self.keys.value = ""
            if len(change["new"]) == 1:  # more at once was typed ahead, for a pair that nobody had seen yet
                self.press(change["new"].lower())

    def press(self, key: str) -> None:
        if key not in KEYS:
            return
        try:
            self.html.value = render(press(self.path, self.queue, key))
        except CourseError as error:
            self.html.value = render(state_of(self.queue, journal.read(self.path)), str(error))


def annotate(queue: list[dict], path: Path | str) -> Annotator | None:
    """Show the widget and return it; None without a front end or without ipywidgets."""
    return show_widget(
        lambda: Annotator(queue, path),
        render(state_of(queue, journal.read(path))),
        "run this lab where it is, or go on with the labels of a simulated annotator.",
    )
