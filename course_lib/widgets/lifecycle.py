"""The life-cycle on one map: where one is, which stages are on disk (one's own, or those that come with the course),
and each phase's figure beside its limit.

`state` reads the disk, `layout` places boxes and words, and `render` (SVG in HTML) and `figure` (PNG) draw the same
layout; README's picture is the map of `blank()`.
"""

import json
import textwrap
from html import escape
from pathlib import Path

from safetensors import SafetensorError, safe_open

from course_lib.platform import work_dir
from course_lib.stages import artifacts
from course_lib.widgets.front import box, has_front_end
from course_lib.widgets.style import empty, in_style, png
from course_lib.widgets.tour import number

PHASES = (  # name, labs, the known limit, stages on disk
    ("raw text", "01", "precision and recall of each filter", ()),
    ("base model", "02", "entropy of the source, nats/token", ("pretrain",)),
    ("assistant", "03–05", "100 % of held-out instructions", ("sft", "lora", "reader", "injected")),
    ("preferred", "06–09", "Bayes judge, reward–KL frontier", ("reward", "rlhf", "dpo", "constitution")),
    ("safe", "10", "100 % harmful, 0 % benign refused", ("helpful", "safe")),
    ("released", "11", "a model card with intervals", ("release",)),
    ("that reasons", "12", "100 % by the checker", ("reasoning",)),
)
BRANCH = "that reasons"  # starts from the phase two before it, and stands below the one before
FIGURES = {  # stage: (what, key of the record's metrics, factor, limit or the key of the limit, unit)
    "pretrain": (("above the entropy", "gap_percent", 1, 0, "%"),),
    "sft": (("instructions right", "residents", 100, 100, "%"),),
    "reader": (("instructions right", "residents", 100, 100, "%"),),
    "reward": (("accuracy", "accuracy", 100, "bayes", "%"),),
    "rlhf": (("gold utility", "utility", 1, None, "utility"),),
    "safe": (("harmful refused", "harmful_refused", 100, 100, "%"), ("benign refused", "benign_refused", 100, 0, "%")),
    "reasoning": (("questions right", "residents", 100, 100, "%"),),
    "release": (
        ("helpful", "helpful", 100, 100, "%"),
        ("harmless", "harmless", 100, 100, "%"),
        ("truthful", "truthful", 100, 100, "%"),
    ),
}
SIGNS = {"yours": "●", "shipped": "○", None: "·"}
WORDS = {"yours": "your own", "shipped": "comes with the course", None: "not made yet"}
COLUMN, GAP, LINE = 122, 12, 15  # of the map, pixels


def record_of(folder: Path) -> dict | None:
    """The record inside a weights file, from its header alone; {} for weights without one (an adapter), None for no
    file or a damaged one.
    """
    if not (folder / "model.safetensors").exists():
        return {} if next(folder.glob("*.safetensors"), None) else None
    try:
        with safe_open(folder / "model.safetensors", "pt") as file:
            record = json.loads((file.metadata() or {}).get("littlebrook", "{}"))
    except (SafetensorError, OSError, ValueError):
        return None
    return record if isinstance(record, dict) else {}


def figures_of(stage: str, record: dict) -> list[dict]:
    """{"metric", "value", "limit", "unit"} of what a stage's record has measured."""
    metrics, made = record.get("metrics") or {}, []
    for what, key, factor, limit, unit in FIGURES.get(stage, ()):
        limit = factor * metrics[limit] if isinstance(limit, str) and limit in metrics else limit
        if isinstance(metrics.get(key), (int, float)):
            made.append(
                {
                    "metric": what,
                    "value": float(factor * metrics[key]),
                    "limit": None if isinstance(limit, str) else limit,
                    "unit": unit,
                }
            )
    return made


def stage_of(name: str, work: Path) -> dict:
    """{"name", "origin", "figures"}: found in the order in which `load_stage` looks."""
    for folder, origin in ((work / name, "yours"), (artifacts.SHIPPED / name, "shipped")):
        record = record_of(folder)
        if record is not None:
            return {"name": name, "origin": origin, "figures": figures_of(name, record)}
    return {"name": name, "origin": None, "figures": []}


def state(work: Path | str | None = None) -> list[dict]:
    """Each phase: {"name", "labs", "limit", "stages": [{"name", "origin": "yours", "shipped" or None, "figures"}]}.
    Reads headers only, no weights.
    """
    folder, made = Path(work) if work else work_dir(), []
    for name, labs, limit, stages in PHASES:
        found = [stage_of(stage, folder) for stage in stages]
        made.append({"name": name, "labs": labs, "limit": limit, "stages": found})
    return made


def blank() -> list[dict]:
    """The map of nobody: phases and limits only."""
    return [{"name": name, "labs": labs, "limit": limit, "stages": []} for name, labs, limit, _ in PHASES]


def covers(labs: str, lab: str | None) -> bool:
    """Is lab "04" or "04_lora_and_qlora" among "03–05"?"""
    first, _, last = labs.partition("–")
    return lab is not None and int(first) <= int(lab[:2]) <= int(last or first)


def in_words(figure: dict) -> str:
    limit = f" (limit {number(figure['limit'], figure['unit'])})" if figure["limit"] is not None else ""
    return f"{figure['metric']} {number(round(figure['value'], 2), figure['unit'])}{limit}".replace(
        " %", "\u00a0%"
    )  # no line ends before the unit


def layout(phases: list[dict], here: str | None = None) -> tuple[float, float, list[dict]]:
    """(width, height, things): a thing is {"kind": "box" | "arrow" | "text", "x", "y", …}, y downwards, pixels."""
    things, deepest, y = [], 0, 0
    say = lambda x, y, text, size=11, bold=False, middle=False: things.append(
        {"kind": "text", "x": x, "y": y, "text": text, "size": size, "bold": bold, "middle": middle}
    )
    for place, phase in enumerate(phases):
        branch, active = phase["name"] == BRANCH, covers(phase["labs"], here)
        top, x = (y + 12 if branch else 0), (place - branch) * (COLUMN + GAP) + 2
        made = any(stage["origin"] == "yours" for stage in phase["stages"])
        things.append(
            {"kind": "box", "x": x, "y": top + 22, "width": COLUMN, "height": 46, "here": active, "made": made}
        )
        say(x + COLUMN / 2, top + 42, phase["name"], 14, True, True)
        say(x + COLUMN / 2, top + 60, ("labs " if "–" in phase["labs"] else "lab ") + phase["labs"], 11, False, True)
        if active:
            say(x + COLUMN / 2, top + 14, "▼ you are here", 11, True, True)
        if place:  # the branch comes down from a little below the arrow to the phase beside it
            down = top - 12 if branch else 0
            things.append({"kind": "arrow", "x": x - GAP, "y": top + 45, "width": GAP, "down": down})
        y = top + 72
        for line in ["limit:", *textwrap.wrap(phase["limit"].replace(" %", "\u00a0%"), 20)]:
            y += LINE
            say(x + 2, y, line)
        y += 6
        for stage in phase["stages"]:
            y += LINE + 3
            say(x + 2, y, f"{SIGNS[stage['origin']]} {stage['name']}", 11, True)
            for figure in stage["figures"]:
                for line in textwrap.wrap(in_words(figure), 21):
                    y += LINE - 1
                    say(x + 12, y, line, 10)
        deepest = max(deepest, y)
    if any(phase["stages"] for phase in phases):
        deepest += 26
        say(2, deepest, "\u2003".join(f"{SIGNS[origin]} {words}" for origin, words in WORDS.items()))
    columns = sum(phase["name"] != BRANCH for phase in phases)
    return columns * (COLUMN + GAP) - GAP + 4, deepest + 8, things


def plain(phases: list[dict], here: str | None = None) -> str:
    """The map in plain words, a line a phase."""
    rows = []
    for phase in phases:
        sign = "→" if covers(phase["labs"], here) else " "
        words = f"{sign} lab {phase['labs']:<5}  {phase['name']:<10}  limit: {phase['limit']}"
        for stage in phase["stages"]:
            figures = "".join(f" ({in_words(figure)})" for figure in stage["figures"])
            words += f"; {stage['name']} {WORDS[stage['origin']]}{figures}"
        rows.append(words)
    return "\n".join(rows)


def svg(phases: list[dict], here: str | None = None) -> str:
    width, height, things = layout(phases, here)
    drawn = []
    for thing in things:
        x, y = thing["x"], thing["y"]
        if thing["kind"] == "box":
            drawn.append(
                f'<rect x="{x}" y="{y}" width="{thing["width"]}" height="{thing["height"]}" rx="8" fill="#009E73" '
                f'fill-opacity="{0.3 if thing["made"] else 0.12}" '
                f'stroke="{"currentColor" if thing["here"] else "#009E73"}" '
                f'stroke-width="{3 if thing["here"] else 1.5}"/>'
            )
        elif thing["kind"] == "arrow":
            down, half = thing["down"], thing["width"] // 2
            drawn.append(
                f'<path d="M{x + 1} {y - down}h{half - 1}v{down}h{half - 3}m-4 -4l4 4l-4 4" fill="none" '
                'stroke="currentColor" stroke-width="1.5"/>'
            )
        else:
            bold, middle = ' font-weight="600"' * thing["bold"], ' text-anchor="middle"' * thing["middle"]
            drawn.append(
                f'<text x="{x:g}" y="{y}" font-size="{thing["size"]}"{bold}{middle}>{escape(thing["text"])}</text>'
            )
    return (
        f'<svg role="img" aria-label="The life-cycle of the model. {escape(plain(phases, here))}" viewBox="0 0 {width} '
        f'{height}" style="width:100%;max-width:{width}px;height:auto" fill="currentColor" '
        'font-family="system-ui,sans-serif">'
        f"<title>The life-cycle of the model</title><desc>{escape(plain(phases, here))}</desc>{''.join(drawn)}</svg>"
    )


def table(phases: list[dict]) -> str:
    """The same as a table, for where no SVG shows."""
    made = lambda tag, text, more="": f'<{tag}{more} style="text-align:left">{text}</{tag}>'
    rows = ""
    for phase in phases:
        lines = []
        for stage in phase["stages"]:
            figures = "".join(f", {escape(in_words(figure))}" for figure in stage["figures"])
            lines.append(f"{SIGNS[stage['origin']]} {stage['name']}: {WORDS[stage['origin']]}{figures}")
        stages = "<br>".join(lines)
        rows += (
            "<tr>"
            + made("th", escape(phase["name"]), ' scope="row"')
            + "".join(made("td", text) for text in (phase["labs"], escape(phase["limit"]), stages))
            + "</tr>"
        )
    return (
        "<table><tr>"
        + "".join(made("th", head, ' scope="col"') for head in ("phase", "labs", "limit", "on disk"))
        + f"</tr>{rows}</table>"
    )


def render(phases: list[dict], here: str | None = None) -> str:
    """The map as HTML that takes its colours from the page; `here`: the lab where one is, "03" or
    "03_supervised_fine_tuning".
    """
    return box(f"{svg(phases, here)}<details><summary>The map as a table</summary>{table(phases)}</details>").replace(
        "max-width:780px", "max-width:820px"
    )


@in_style
def figure(phases: list[dict], here: str | None = None, title: str = ""):
    """The same map as a matplotlib Figure, which needs no HTML."""
    from matplotlib.patches import FancyBboxPatch

    width, height, things = layout(phases, here)
    top = 26 if title else 0
    fig, axes = empty(height=(height + top) / 72, width=width / 72)
    axes.set(xlim=(0, width), ylim=(height, -top))
    axes.set_axis_off()
    axes.text(2, -8, title, fontsize=13)
    for thing in things:
        x, y = thing["x"], thing["y"]
        if thing["kind"] == "box":
            axes.add_patch(
                FancyBboxPatch(
                    (x, y),
                    thing["width"],
                    thing["height"],
                    boxstyle="round,pad=0,rounding_size=8",
                    fc=(0, 0.62, 0.45, 0.3 if thing["made"] else 0.12),
                    ec="black" if thing["here"] else "#009E73",
                    lw=2.5 if thing["here"] else 1.5,
                )
            )
        elif thing["kind"] == "arrow":
            down, middle = thing["down"], x + thing["width"] / 2
            axes.plot([x, middle, middle][: 3 * bool(down)], [y - down, y - down, y][: 3 * bool(down)], "k", lw=1)
            how = {"arrowstyle": "->", "color": "black", "shrinkA": 0 if down else 2}
            axes.annotate("", (x + thing["width"], y), (middle if down else x, y), arrowprops=how)
        else:
            axes.text(
                x,
                y,
                thing["text"],
                fontsize=0.92 * thing["size"],
                weight="bold" if thing["bold"] else "normal",
                ha="center" if thing["middle"] else "left",
                va="baseline",
            )
    return fig


def show(here: str | None = None, work: Path | str | None = None) -> None:
    """The map in a notebook; its plain words without a front end."""
    phases = state(work)
    if not has_front_end():
        print(plain(phases, here))
        return
    import base64

    from IPython.display import display

    display(
        {
            "text/html": render(phases, here),
            "image/png": base64.b64encode(png(figure(phases, here))).decode(),
            "text/plain": plain(phases, here),
        },
        raw=True,
    )
