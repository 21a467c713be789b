"""The card that `check` shows: what passed, what went wrong, the mistake it looks like, what to re-read, the next step.

`render` and `plain` are pure functions of a QuestionResult; `show` picks one. A mark is always a sign and a word, never
a colour alone. Everything that comes from a result is escaped: messages quote the student's own code.
"""

import json
import os
import re
from html import escape
from pathlib import Path

from course_lib.platform import size
from course_lib.questions.core import cost_in_words
from course_lib.widgets.palette import GREEN, GREY, ORANGE

MARKS = {"pass": "✓", "todo": "○"}
WORDS = {
    "pass": "passed",
    "fail": "not right yet",
    "error": "stopped with an error",
    "timeout": "took too long",
    "oom": "ran out of memory",
    "killed": "died",
    "missing": "not found",
    "protocol": "answered out of turn",
    "todo": "to do",
}


def headline(result) -> str:
    passed = sum(case.status == "pass" for case in result.cases)
    if result.status == "todo":
        return f"{result.id}: to do"
    if result.status == "pass":
        return f"{result.id}: passed, {result.max:g} of {result.max:g} {points(result.max)}"
    word = WORDS.get(result.status, result.status)
    checks = f"{passed} of {len(result.cases)} checks pass, " if len(result.cases) > 1 else ""
    return f"{result.id}: {word}, {checks}{round(result.score, 2):g} of {result.max:g} {points(result.max)}"


def points(n) -> str:
    return "point" if n == 1 else "points"


def next_step(result) -> str:
    """One sentence: what to do now."""
    first = result.cases[0]
    if result.status == "pass":
        return "Go on to the next cell."
    if result.status == "todo":
        return first.hint or "Write your own lines, run the cell, and run this check again."
    if first.name == "the model":
        if size() == "tiny":
            return (
                "A run of size tiny is too short for the points: restart the kernel with COURSE_SIZE=laptop and run "
                "the lab again."
            )
        return (
            "The line above says what full marks ask for. Look at the curve of your run, at the stage that it started "
            "from and at what you changed, run the lab's own training cell again, which saves the model, and then this "
            "check."
        )
    if result.status == "missing":
        return "Run the cell that defines it, then this one again."
    if first.status != "pass" and len(result.cases) > 1:
        return "Mend the first check first: without it the question counts 0. Then run the cell and this check again."
    kept = f"{round(result.score, 2):g} of {result.max:g} {points(result.max)}"
    return f"Change your cell, run it, and run this check again. Until then you keep {kept}."


def failures(result) -> list:
    """The cases to explain: the core alone while it fails, for then the others' hints mislead; after that every one."""
    failed = [case for case in result.cases if case.status != "pass"]
    return failed[:1] if failed and failed[0] is result.cases[0] else failed


def verdict(result, case) -> str:
    """How a check has gone, and what its failure takes, in words."""
    word = WORDS.get(case.status, case.status)
    if case.status == "pass" or len(result.cases) == 1:
        return word
    if result.cases[0].status != "pass":
        return f"{word}; without it the question counts 0" if case is result.cases[0] else word
    failed = sum(case.status != "pass" for case in result.cases)
    return f"{word}, costs {cost_in_words(case.cost, failed > 1)}"


def facts(case) -> list[tuple[str, str]]:
    """(label, text) lines that explain a failed case."""
    lines = [
        ("What went wrong", case.message),
        ("This looks like", case.mistake),
        ("Hint", case.hint),
        ("Re-read", case.reread),
    ]
    return [(label, shortened(str(text))) for label, text in lines if text]


def shortened(text: str, most: int = 1200) -> str:
    """A message may quote what a student's function gave back, however long: its beginning and its end are kept."""
    return text if len(text) <= most else f"{text[: most - 300]} … {text[-300:]}"


def plain(result) -> str:
    lines = [f"{MARKS.get(result.status, '✗')} {headline(result)}"]
    if result.status == "pass" and len(result.cases) == 1 and result.cases[0].message:
        lines.append("  " + result.cases[0].message)
    if result.status not in ("pass", "todo"):
        explained = failures(result)
        for case in result.cases:
            lines.append(f"  {MARKS.get(case.status, '✗')} {case.name}: {verdict(result, case)}")
            if any(case is each for each in explained):
                lines += [f"      {label}: {text}" for label, text in facts(case)]
    lines.append("  Next: " + next_step(result))
    return "\n".join(lines)


def marked_up(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text))


def linked(label: str, text: str, places: dict[str, str]) -> str:
    """The text of a line; a section to re-read is a link to its heading where that is known."""
    section = re.match(r"§ \d+", text)
    place = places.get(section[0]) if section and label == "Re-read" else None
    return f'<a href="{escape(place)}">{escape(text)}</a>' if place else marked_up(text)


def render(result, places: dict[str, str] | None = None) -> str:
    """HTML that takes its colours from the page, so that it reads in light and dark themes. `places`: "§ 3" → address
    of that section.
    """
    colour = {"pass": GREEN, "todo": GREY}.get(result.status, ORANGE)
    body = [
        f'<div style="font-weight:600"><span aria-hidden="true">{MARKS.get(result.status, "✗")}</span> '
        f"{marked_up(headline(result))}</div>"
    ]
    if result.status == "pass" and len(result.cases) == 1 and result.cases[0].message:
        body.append(f"<div>{marked_up(shortened(result.cases[0].message))}</div>")
    if result.status not in ("pass", "todo"):
        explained = failures(result)
        rows = [row(result, case, any(case is each for each in explained), places or {}) for case in result.cases]
        body.append(f'<ul style="margin:.4em 0;padding-left:.4em">{"".join(rows)}</ul>')
    body.append(f"<div><b>Next:</b> {marked_up(next_step(result))}</div>")
    style = (
        f"border:1px solid rgba(128,128,128,.55);border-left:6px solid {colour};border-radius:4px;padding:.5em .8em;"
        "margin:.3em 0;line-height:1.45;color:var(--jp-ui-font-color0,inherit);background:transparent;max-width:60em;"
        "overflow-wrap:anywhere;white-space:pre-wrap"
    )
    return f'<div role="status" style="{style}">{"".join(body)}</div>'


def row(result, case, explained, places):
    """One check of the card, as an item of its list."""
    mark = f'<span aria-hidden="true">{MARKS.get(case.status, "✗")}</span>'
    text = f"{mark} {marked_up(case.name)}: {escape(verdict(result, case))}"
    for label, fact in facts(case) if explained else []:
        text += f'<div style="margin-left:1.4em"><b>{label}:</b> {linked(label, fact, places)}</div>'
    return f'<li style="list-style:none;margin:.15em 0">{text}</li>'


def headings() -> dict[str, str]:
    """{"§ 3": address of the cell with the heading of § 3}, for JupyterLab, which goes there; {} where the notebook is
    no file beside the kernel.
    """
    path = Path(Path(os.environ.get("JPY_SESSION_NAME") or "none").name)
    try:
        texts = [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == "markdown"]
        found = [(re.match(r"#+ (§ \d+)", "".join(cell["source"])), cell.get("id")) for cell in texts]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {heading[1]: f"{path.name}#cell-id={place}" for heading, place in found if heading and place}


def show(result) -> None:
    """The card in a notebook (with the plain text beside it, for viewers without HTML), the plain text elsewhere."""
    from course_lib.widgets.front import show_html

    reread = any(case.reread for case in result.cases)
    show_html(render(result, headings() if reread else {}), plain(result))
