"""Where pictures and widgets meet a front end: JupyterLab, Colab, nbconvert, GitHub, or none at all.

A widget is an object with `.box` (what ipywidgets shows) over a pure `render(state) -> HTML`. The static HTML travels
with it, so a page without a kernel shows that.
"""

import asyncio
import base64
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import Any

from course_lib.platform import in_colab

VIEW = "application/vnd.jupyter.widget-view+json"


def has_front_end() -> bool:
    """True in a Jupyter kernel. False in a script, in a test, and in the terminal's IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def show_html(static: str, plain: str) -> None:
    """HTML in a notebook, with a plain text beside it for viewers without HTML; the plain text elsewhere."""
    if not has_front_end():
        print(plain)
        return
    from IPython.display import display

    display({"text/html": static, "text/plain": plain}, raw=True)


def show_png(picture: bytes, alt: str, **options) -> None:
    """A picture with its description, for screen readers and viewers without pictures. `options` go to `display`."""
    from IPython.display import display

    display(
        {"image/png": base64.b64encode(picture).decode(), "text/plain": alt},
        metadata={"image/png": {"alt": alt}},
        raw=True,
        **options,
    )


def show_widget(make: Callable, static: str, instead: str):
    """Make a widget, show it and return it; None without a front end, or without ipywidgets: then the static HTML
    stands there, with what to do `instead`.
    """
    if not has_front_end():
        return None
    try:
        widget = make()
    except ImportError:
        show_html(static, instead)
        print(f"ipywidgets is not installed here: {instead}")
        return None
    from IPython.display import display

    if in_colab():  # it may prefer the HTML to the widget
        display(widget.box)
    else:
        plain = f"Run this cell for the widget, or {instead}"
        display(
            {
                VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.box.model_id},
                "text/html": static,
                "text/plain": plain,
            },
            raw=True,
        )
    return widget


def box(inside: str, role: str = "group", label: str = "") -> str:
    """HTML that takes its colours from the page, so that it reads in light and dark themes. A `role` of "log" or
    "status" is read out as it changes.
    """
    named = f' aria-label="{escape(label)}"' if label else ""
    style = "color:var(--jp-ui-font-color0,inherit);background:transparent;max-width:780px;line-height:1.4"
    return f'<div role="{role}"{named} style="{style}">{inside}</div>'


def note(problem: str) -> str:
    """What was not kept, and why; nothing for no problem."""
    return f'<div role="alert" style="margin-top:6px"><b>Not kept:</b> {escape(problem)}</div>' if problem else ""


def printable(text: str) -> str:
    """What a model has written, escaped, without the control characters that a page may not hold."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text))


def in_pieces(steps: Iterator) -> None:
    """Run a generator to its end: in a kernel between its other messages, so that a click is answered while a model
    writes; elsewhere at once.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no kernel: a script or a test
        for _ in steps:
            pass
        return

    async def run():
        for _ in steps:
            await asyncio.sleep(0)

    task = loop.create_task(run())
    RUNNING.add(task)  # the loop itself keeps only a weak reference
    task.add_done_callback(RUNNING.discard)


RUNNING: set = set()


def paced(steps: Iterable, every: float = 0.05) -> Iterator[tuple[Any, bool]]:
    """(step, is it to be shown?): the first one, at most one in `every` seconds after it. A browser need not draw each
    token.
    """
    shown = float("-inf")
    for step in steps:
        due = time.monotonic() - shown >= every
        yield step, due
        if due:
            shown = time.monotonic()
