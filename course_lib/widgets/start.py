"""The start page: the map of the life-cycle, how far one has come in it, and a finished assistant to talk to. `page()`
is all that a notebook needs.

`render` and `plain` are pure functions of the map's state (lifecycle.py) and the labs' progress (progress.py).
"""

import functools
from html import escape
from pathlib import Path

from course_lib.platform import OPTIONAL
from course_lib.widgets import lifecycle, progress
from course_lib.widgets.front import box, show_html
from course_lib.widgets.talk import lines

FINISHED = ("release", "safe")  # the furthest first; what comes with the course is a safe assistant


def totals(labs: list[dict]) -> str:
    """ "3 of 106 checks passed, 2.5 of 100 points so far; 11.5 are for written answers, which a person reads; lab 12
    stands beside: 0 of 10 points" """
    add = lambda key: sum(row[key] for row in labs if row["lab"] not in OPTIONAL)
    exam = f"; {add('taken')} taken in an exam, which are judged when you have handed in" if add("taken") else ""
    beside = [row for row in labs if row["lab"] in OPTIONAL]
    more = [f"; lab {row['lab'][:2]} stands beside: {row['score']:g} of {row['points']:g} points" for row in beside]
    return (
        f"{add('passed')} of {add('checks')} checks passed, {add('score'):g} of {add('points'):g} points so far; "
        f"{add('written'):g} are for written answers, which a person reads{exam}{''.join(more)}"
    )


def next_lab(labs: list[dict]) -> str:
    """What to open now: the first lab with a check that has not passed, or was not taken."""
    row = next((row for row in labs if row["passed"] + row["taken"] < row["checks"]), None)
    if row is None:
        return "All checks are done: hand in what you have not handed in yet."
    return f"Next: lab {row['lab'][:2]}, {named(row)}"


def named(row: dict) -> str:
    return row["title"] + " (optional)" * (row["lab"] in OPTIONAL)


def plain(phases: list[dict], labs: list[dict], here: str | None = None) -> str:
    rows = [
        f"lab {row['lab'][:2]}  {named(row):<38} "
        + (
            f"{row['taken']:>2} of {row['checks']:>2} taken in an exam"
            if row["taken"]
            else f"{row['passed']:>2} of {row['checks']:>2} checks   {row['score']:>5g} of {row['points']:g} points"
        )
        for row in labs
    ]
    return "\n".join([lifecycle.plain(phases, here), "", *rows, "", totals(labs), next_lab(labs)])


def bar(row: dict) -> str:
    """Checks passed as a bar; the words beside it say the same."""
    share = 100 * row["passed"] / max(1, row["checks"])
    return (
        '<span aria-hidden="true" style="display:inline-block;width:6em;height:.6em;border:1px solid '
        'currentColor;border-radius:.3em;overflow:hidden;vertical-align:middle">'
        f'<span style="display:block;width:{share:.0f}%;height:100%;background:#009E73"></span></span> '
    )


def render(phases: list[dict], labs: list[dict], here: str | None = None) -> str:
    """The page as HTML that takes its colours from what is around it."""
    cell = 'style="text-align:left;padding:.15em .8em .15em 0;background:transparent"'
    rows = ""
    for row in labs:
        passed, points = f"{bar(row)}{row['passed']} of {row['checks']}", f"{row['score']:g} of {row['points']:g}"
        if row["taken"]:
            passed, points = f"{row['taken']} of {row['checks']} taken in an exam", ""
        cells = "".join(f"<td {cell}>{words}</td>" for words in (escape(named(row)), passed, points))
        rows += f'<tr style="background:transparent"><th scope="row" {cell}>{row["lab"][:2]}</th>{cells}</tr>'
    head = "".join(f'<th scope="col" {cell}>{words}</th>' for words in ("lab", "", "checks passed", "points"))
    table = (
        '<table style="border-collapse:collapse;margin:.4em 0;font-size:inherit"><tr '
        f'style="background:transparent">{head.replace("></th>", ">title</th>")}</tr>{rows}</table>'
    )
    return lifecycle.render(phases, here) + box(
        f"<p><b>{escape(totals(labs))}.</b><br>{escape(next_lab(labs))}</p><details><summary>Lab by "
        f"lab</summary>{table}</details>",
        label="your progress",
    )


def best() -> str:
    """The stage to talk to: one's own release, one's own safe assistant, or the one that comes with the course."""
    from course_lib.platform import work_dir

    return next((stage for stage in FINISHED if (work_dir() / stage / "model.safetensors").exists()), "safe")


def examples() -> list[str]:
    """What to ask first: a fact, a how-to, and two requests of which one means harm."""
    from course_lib.world import village

    first, second = village().residents[:2]
    return [
        f"Who is {first.full}?",
        "How do I mend a fence?",
        f"How do I forge a coin to cheat {second.full}?",
        f"How do I forge a coin to teach {second.full}?",
    ]


def talk(path: Path | str | None = None):
    """A finished assistant: what it answers to a few questions, then a chat with it. Returns the chat's widget, or None
    without a front end.
    """
    from course_lib.evaluation.instructions import respond
    from course_lib.platform import work_dir
    from course_lib.stages.artifacts import load_stage
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.widgets import chat, stream

    model, tokenizer, asked = load_stage(best()).model, load_tokenizer(), examples()
    answers = respond(model, tokenizer, [[{"role": "user", "content": question}] for question in asked])
    turns = [
        turn
        for question, answer in zip(asked, answers)
        for turn in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    ]
    intro = '<p style="margin:.3em 0"><b>A finished assistant.</b> It answers like this; ask it yourself below.</p>'
    show_html(
        box(intro + lines(turns, lambda turn: ""), label="an example"),
        "\n".join(f"» {question}\n  {answer}" for question, answer in zip(asked, answers)),
    )
    return chat.chat(
        functools.partial(stream.texts, model, tokenizer), Path(path or work_dir() / "start" / "chat.jsonl")
    )


def page(here: str | None = None):
    """The whole start page in a notebook; its words without a front end."""
    phases, labs = lifecycle.state(), progress.state()
    show_html(render(phases, labs, here), plain(phases, labs, here))
    return talk()
