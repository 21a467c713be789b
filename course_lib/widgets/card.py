"""The card that `check` shows: what passed, what went wrong, the mistake it looks like, what to re-read, what to do next.

`render` and `plain` are pure functions of a QuestionResult; `show` picks one. A mark is always a sign and a word, never a colour alone.
Everything that comes from a result is escaped: messages quote the student's own code.
"""

from html import escape

from course_lib.widgets.palette import GREEN, GREY, ORANGE

MARKS = {"pass": "✓", "todo": "○"}
WORDS = {
    "pass": "passed", "fail": "not right yet", "error": "stopped with an error", "timeout": "took too long", "oom": "ran out of memory",
    "killed": "died", "missing": "not found", "protocol": "answered out of turn", "todo": "to do",
}


def headline(result) -> str:
    passed = sum(case.status == "pass" for case in result.cases)
    if result.status == "todo":
        return f"{result.id}: to do"
    if result.status == "pass":
        return f"{result.id}: passed, {result.max:g} of {result.max:g} {points(result.max)}"
    checks = f"{passed} of {len(result.cases)} checks pass, " if len(result.cases) > 1 else ""
    return f"{result.id}: {WORDS.get(result.status, result.status)}, {checks}{round(result.score, 2):g} of {result.max:g} {points(result.max)}"


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
        return "Compare your curve with the limit, train again (every check above should pass), save_stage, and run this check again."
    if result.status == "missing":
        return "Run the cell that defines it, then this one again."
    if first.status != "pass" and len(result.cases) > 1:
        return "Mend the first check first: without it the question counts 0. Then run the cell and this check again."
    return "Change your cell, run it, and run this check again. You keep the points of the checks that pass."


def failures(result) -> list:
    """The cases to explain: the core alone while it fails, for then the hints of the others mislead; after that every one."""
    failed = [case for case in result.cases if case.status != "pass"]
    return failed[:1] if failed and failed[0] is result.cases[0] else failed


def facts(case) -> list[tuple[str, str]]:
    """(label, text) lines that explain a failed case."""
    lines = [("What went wrong", case.message), ("This looks like", case.mistake), ("Hint", case.hint), ("Re-read", case.reread)]
    return [(label, str(text)) for label, text in lines if text]


def plain(result) -> str:
    lines = [f"{MARKS.get(result.status, '✗')} {headline(result)}"]
    if result.status == "pass" and len(result.cases) == 1 and result.cases[0].message:
        lines.append("  " + result.cases[0].message)
    if result.status not in ("pass", "todo"):
        explained = failures(result)
        for case in result.cases:
            lines.append(f"  {MARKS.get(case.status, '✗')} {case.name}: {WORDS.get(case.status, case.status)}")
            if any(case is each for each in explained):
                lines += [f"      {label}: {text}" for label, text in facts(case)]
    lines.append("  Next: " + next_step(result))
    return "\n".join(lines)


def render(result) -> str:
    """HTML that takes its text colour from the page, so that it reads in light and dark themes."""
    colour = {"pass": GREEN, "todo": GREY}.get(result.status, ORANGE)
    mark = MARKS.get(result.status, "✗")
    body = [f'<div style="font-weight:600"><span aria-hidden="true" style="color:{colour}">{mark}</span> {escape(headline(result))}</div>']
    if result.status == "pass" and len(result.cases) == 1 and result.cases[0].message:
        body.append(f"<div>{escape(result.cases[0].message)}</div>")
    if result.status not in ("pass", "todo"):
        explained = failures(result)
        rows = []
        for case in result.cases:
            row = f'<span aria-hidden="true">{MARKS.get(case.status, "✗")}</span> {escape(case.name)}: {escape(WORDS.get(case.status, case.status))}'
            told = facts(case) if any(case is each for each in explained) else []
            notes = "".join(f'<div style="margin-left:1.4em"><b>{escape(label)}:</b> {escape(text)}</div>' for label, text in told)
            rows.append(f'<li style="list-style:none;margin:.15em 0">{row}{notes}</li>')
        body.append(f'<ul style="margin:.4em 0;padding-left:.4em">{"".join(rows)}</ul>')
    body.append(f'<div><b>Next:</b> {escape(next_step(result))}</div>')
    return (
        f'<div role="status" style="border:1px solid rgba(128,128,128,.45);border-left:6px solid {colour};border-radius:4px;padding:.5em .8em;'
        f'margin:.3em 0;line-height:1.45;color:inherit;background:transparent;max-width:60em">{"".join(body)}</div>'
    )


def show(result) -> None:
    """The card in a notebook (with the plain text beside it, for viewers without HTML), the plain text elsewhere."""
    from course_lib.widgets.curve import has_front_end

    if not has_front_end():
        print(plain(result))
        return
    from IPython.display import display

    display({"text/html": render(result), "text/plain": plain(result)}, raw=True)
