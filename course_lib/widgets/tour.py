"""The tour's results as a page, a picture and tables. Pure functions of what course_lib/tour/tour.py has written down.

A result is {"name", "title", "figures", "note", "seconds"}; a figure is {"metric", "value", "limit", "unit"} with limit
0 where less is better, else more is. A talk is {"asked", "messages", "right", "answers"}: what is asked, a right
answer, and {model: (answer, is it right? None where nobody asked)}.
"""

import base64
import re
from html import escape
from itertools import groupby

from course_lib.widgets.style import BLUE, GREY, empty, in_style, limit_line
from course_lib.world.harms import request_pair
from course_lib.world.tasks import task_rows

CSS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1f2d3d; --soft: #5c6773; --line: #d5dbe1; --card: #f5f7f9;
  --bar: #0072b2; --right: #00694a; --wrong: #b02a00 }
@media (prefers-color-scheme: dark) { :root { --paper: #15191e; --ink: #e6e9ec; --soft: #a3adb7; --line: #39424c;
  --card: #1e242b; --bar: #56b4e9; --right: #4fd0a5; --wrong: #ff9a73 } }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { margin-top: 2.5rem; font-size: 1.25rem }
h3 { margin: 0; font-size: 1rem } img { max-width: 100%; height: auto } p { margin: .4rem 0 }
small, .soft { color: var(--soft) }
.phases { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: .8rem;
  padding: 0; list-style: none }
.phases li, .talk { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; background: var(--card) }
.talk { margin: .8rem 0 } .big { font-size: 1.35rem; font-weight: 600 }
.bar { height: .5rem; border-radius: .25rem; background: var(--line) }
.bar i { display: block; height: 100%; border-radius: .25rem; background: var(--bar) }
dl { display: grid; grid-template-columns: minmax(6rem, 11rem) 1fr; gap: .3rem .8rem; margin: .6rem 0 0 }
dt { color: var(--soft) } dd { margin: 0; white-space: pre-line }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem } }
.yes { color: var(--right) } .no { color: var(--wrong) } .user { white-space: pre-line; font-weight: 600 }
"""


def questions() -> dict[str, dict]:
    """{what is asked: row}: eight rows that no training has seen, each with a right answer as its last message and with
    what judges any other.
    """
    kinds = {
        "a fact": "fact",
        "a list": "list",
        "a follow-up": "follow-up",
        "nobody can know": "unknown",
        "a how-to": "how-to",
    }
    pairs = (request_pair("test", f"tour {k}", ("plain",)) for k in range(1000))
    people = lambda row: re.findall(r"[A-Z]\w+ [A-Z]\w+", row["messages"][0]["content"])
    harmful, twin = next(
        pair for pair in pairs if people(pair[0]) == people(pair[1])
    )  # no look-alike, and not without an aim
    return {
        **{name: task_rows("residents", 1, "tour", {kind: 1})[0] for name, kind in kinds.items()},
        "a harmful request": harmful,
        "its benign twin": twin,
        "a harmful request in disguise": request_pair("test", "tour", ("story",))[0],
    }


def number(value: float | None, unit: str) -> str:
    """A figure in words: "97.4 %", "4.173 bytes", "2.82"; "–" where it is not defined."""
    if value is None:
        return "–"
    digits = {"%": 1, "points": 1, "bytes": 3}.get(unit, 2)
    said = (str(value) if isinstance(value, int) else f"{value:.{digits}f}").replace("-", "−")
    return said if unit == "utility" else f"{said} {unit}"


def reached(figure: dict) -> float | None:
    """How much of the limit is reached, 0 to 1: value / limit, or 1 − value in percent where the limit is 0. None where
    one of them is missing.
    """
    value, limit = figure["value"], figure["limit"]
    if value is None or limit is None:
        return None
    return min(1.0, max(0.0, value / limit if limit else 1 - value / 100))


def minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


@in_style
def figure(results: list[dict], dark: bool = False):
    """A bar for each phase: how much of its limit is reached."""
    ink, bar = ("#e6e9ec", "#56b4e9") if dark else ("#1f2d3d", BLUE)
    fig, axes = empty(height=0.9 + 0.36 * len(results))
    for place, result in enumerate(results):
        first = result["figures"][0]
        axes.barh(place, 100 * (reached(first) or 0), color=bar, height=0.62)
        axes.text(101.5, place, number(first["value"], first["unit"]), va="center", fontsize=9, color=ink)
    limit_line(axes, 100, "the limit", upright=True, color=ink)
    axes.set_yticks(range(len(results)), [result["title"] for result in results])
    axes.set(
        xlim=(0, 122),
        ylim=(len(results) - 0.5, -0.5),
        xlabel="share of the limit, % (beside the bar: the figure itself)",
    )
    axes.set_title("How near does each phase come to its limit?", color=ink)
    axes.set_xticks(range(0, 101, 20), [*map(str, range(0, 100, 20)), "the limit"])
    axes.grid(alpha=0.3, axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink)
    axes.xaxis.label.set_color(ink)
    for side in axes.spines.values():
        side.set_color(GREY)
    if dark:
        fig.patch.set_facecolor("#15191e")
        axes.set_facecolor("#15191e")
    return fig


def rows(results: list[dict]) -> list[tuple[str, str, str, str, str]]:
    """(phase, figure, value, limit, time) of every figure, as words; phase and time stand at a phase's first one."""
    made = []
    for result in results:
        for k, each in enumerate(result["figures"]):
            made.append(
                (
                    "" if k else result["title"],
                    each["metric"],
                    number(each["value"], each["unit"]),
                    number(each["limit"], each["unit"]),
                    "" if k else minutes(result["seconds"]),
                )
            )
    return made


HEADS = ("phase", "figure", "reached", "limit", "time")


def report(results: list[dict]) -> dict[str, dict]:
    """For programs: {phase: its first figure, its seconds, and under "also" its other figures}."""
    return {
        result["name"]: {**result["figures"][0], "seconds": round(result["seconds"], 1), "also": result["figures"][1:]}
        for result in results
    }


def table(results: list[dict]):
    """For the terminal: a rich Table."""
    from rich.box import SIMPLE
    from rich.table import Table

    made = Table(*HEADS[:2], title="The tour", box=SIMPLE)
    for head in HEADS[2:]:
        made.add_column(head, justify="right", no_wrap=True)
    for row in rows(results):
        made.add_row(*row)
    return made


def markdown(results: list[dict]) -> str:
    """For docs/tour.md."""
    return (
        "\n".join(f"| {' | '.join(row)} |" for row in (HEADS, ("---", "---", "---:", "---:", "---:"), *rows(results)))
        + "\n"
    )


def plain(text: str) -> str:
    """What a model has written, without the control characters that a page may not hold."""
    return escape("".join(c for c in text if c.isprintable() or c == "\n").strip() or "(nothing)")


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def phase_card(place: int, result: dict) -> str:
    first, *others = result["figures"]
    share = reached(first)
    bar = ""
    if share is not None:
        said = f"{100 * share:.0f} % of the limit reached"
        bar = f'<div class="bar" role="img" aria-label="{said}"><i style="width:{100 * share:.1f}%"></i></div>'
    more = "".join(
        f"<p><small>{escape(f['metric'])}: <b>{number(f['value'], f['unit'])}</b> (limit "
        f"{number(f['limit'], f['unit'])})</small></p>"
        for f in others
    )
    return (
        f'<li id="{escape(result["name"])}"><h3>{place} {escape(result["title"])}</h3><p>{escape(first["metric"])}</p>'
        f'<p><span class="big">{number(first["value"], first["unit"])}</span> <span class="soft">limit '
        f"{number(first['limit'], first['unit'])}</span></p>{bar}{more}"
        f"<p><small>{escape(result['note'])}</small></p><p><small>{minutes(result['seconds'])}</small></p></li>"
    )


def talk_card(talk: dict) -> str:
    marks = {True: '<b class="yes">✓ right:</b> ', False: '<b class="no">✗ not right:</b> ', None: ""}
    said = "".join(
        f'<p class="{message["role"]}">{"" if message["role"] == "user" else "– "}{escape(message["content"])}</p>'
        for message in talk["messages"]
    )
    answers = ""
    # neighbours who say the same say it once
    for (answer, right), same in groupby(talk["answers"].items(), lambda item: item[1]):
        answers += f"<dt>{escape(' · '.join(model for model, _ in same))}</dt><dd>{marks[right]}{plain(answer)}</dd>"
    return (
        f'<section class="talk"><h3 class="soft">{escape(talk["asked"])}</h3>{said}'
        f"<dl><dt>a right answer</dt><dd>{escape(talk['right'])}</dd>{answers}</dl></section>"
    )


def page(
    results: list[dict], talks: list[dict], facts: dict[str, str], light: bytes, dark: bytes, remark: str = ""
) -> str:
    """The whole page, which needs no network: `facts` stand at its end, `light` and `dark` are the picture as PNG."""
    total = sum(result["seconds"] for result in results)
    cards = "".join(phase_card(k, result) for k, result in enumerate(results, 1))
    conversations = "".join(map(talk_card, talks))
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Littlebrook: the tour</title><style>{CSS}</style></head><body>
<h1>One small model through every phase</h1>
<p>Raw text to an assistant that refuses what it should, in {minutes(total)}. Littlebrook's documents, people and harms
come out of a program that knows them all, so each phase has a known limit. {escape(remark)}</p>
<p><picture><source srcset="{data_uri(dark)}" media="(prefers-color-scheme: dark)"/>
<img src="{data_uri(light)}" alt="For each phase a bar: how much of its limit it reaches"/></picture></p>
<h2>Each figure beside its limit</h2>
<ol class="phases">{cards}</ol>
<h2>The same {len(talks)} prompts after each phase</h2>
<p>At each token the likeliest one. A program judges the answers by what was asked; the base model is not asked, it goes
on with the text.</p>
{conversations}
<h2>How it was made</h2>
<dl>{listed}</dl>
</body></html>
"""
