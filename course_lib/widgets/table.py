"""Tables and sentences in a notebook: HTML, with a plain text beside it for terminals and viewers without HTML."""

from collections.abc import Iterable, Mapping
from html import escape

from course_lib.platform import size as size_here
from course_lib.widgets.front import show_html

RIGHT = "text-align:right;font-variant-numeric:tabular-nums"


def table(columns: Mapping[str, str], rows: Iterable, title: str = "") -> None:
    """Shows rows under the heads of `columns`, {head: format of its cells}: ".2f", ",", "+.1%", "" for texts.

    rows: each a sequence with one value a column. None and NaN are shown as –. A column with a format is aligned to the
    right.
    """
    heads, formats = list(columns), list(columns.values())
    cells = [[cell(value, form) for value, form in zip(row, formats, strict=True)] for row in rows]
    show_html(as_html(heads, formats, cells, title), as_text(heads, formats, cells, title))


def cell(value, form: str) -> str:
    """One value as text."""
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else format(value, form)


def as_text(heads, formats, cells, title="") -> str:
    widths = [max(map(len, column)) for column in zip(heads, *cells)]
    sides = [">" if form else "<" for form in formats]
    lines = [heads, ["─" * width for width in widths], *cells]
    shown = ["  ".join(f"{t:{s}{w}}" for t, s, w in zip(line, sides, widths)).rstrip() for line in lines]
    return "\n".join([title] * bool(title) + shown)


def as_html(heads, formats, cells, title="") -> str:
    def line(tag, texts):
        styles = [f' style="{RIGHT}"' if form else ' style="text-align:left"' for form in formats]
        tags = [tag if text else "td" for text in texts]  # a screen reader would announce a head without words
        return "<tr>" + "".join(f"<{n}{s}>{escape(t)}</{n}>" for n, t, s in zip(tags, texts, styles)) + "</tr>"

    caption = f'<caption style="text-align:left">{escape(title)}</caption>' if title else ""
    body = "".join(line("td", row) for row in cells)
    return f"<table>{caption}<thead>{line('th', heads)}</thead><tbody>{body}</tbody></table>"


def your_run(*sentences: str, size: str = "", shows: str = "") -> None:
    """Says what the reader's own run shows: sentences with the reader's figures in them.

    size: the run's (`course.size`), else this kernel's. shows: what a run of size tiny is too short to show, if there
    is such a thing; it is said there.
    """
    words = " ".join(sentences)
    if shows and (size or size_here()) == "tiny":
        words = f"{words} Size tiny is too short a run to show {shows}: what follows is about size laptop.".strip()
    if words:
        show_html(f"<p><b>Your run.</b> {escape(words)}</p>", f"Your run. {words}")
