"""`make pictures`: README's map, docs/lifecycle.png, and what a student sees, docs/course.png, from the course's own
models and its executed notebooks.

docs/course.png is a page of the widgets' own HTML, made anew from shipped models, and of the curve that lab 02's
executed notebook has drawn, seen by Chromium.
"""

import math
import os
import shutil
import sys
import tempfile
from html import escape
from pathlib import Path

os.environ["COURSE_WORK"] = tempfile.mkdtemp()  # nobody's own progress in README
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import lifecycle as lifecycle_picture  # noqa: E402
import nbformat  # noqa: E402

from course_lib.evaluation.instructions import respond  # noqa: E402
from course_lib.evaluation.runs.rlhf import learned_reward  # noqa: E402
from course_lib.notebook import card  # noqa: E402
from course_lib.questions import core  # noqa: E402
from course_lib.stages.artifacts import load_stage  # noqa: E402
from course_lib.stages.tokenizer import load_tokenizer  # noqa: E402
from course_lib.widgets import heatmap, lifecycle, redteam  # noqa: E402
from course_lib.world import village  # noqa: E402

CSS = """
body { margin: 0; padding: 28px; width: 1344px; background: #f2f5f3; color: #16221b;
       font: 15px/1.4 "DejaVu Sans", system-ui, sans-serif }
main { display: grid; grid-template-columns: 1fr 1fr; gap: 20px }
section { background: #fff; border: 1px solid #cfd9d3; border-radius: 12px; padding: 16px 20px }
h2 { margin: 0 0 10px; font-size: 17px; color: #1d6a46 }
h2 small { color: #4d5b53; font-weight: normal; font-size: 14px }
img { width: 100% }
details, section .lb-tokens::after { display: none }
.wide { grid-column: 1 / 3 }
.wide div { max-width: none !important }
.wide svg { max-width: 1080px !important; display: block; margin: 0 auto }
"""


def curve_png() -> str:
    """The training curve in lab 02's executed notebook, as a data URI. Raises LookupError if it is not there."""
    cells = nbformat.read(ROOT / "solutions" / "02_pretraining.ipynb", as_version=4).cells
    drawn = [output for cell in cells if "LiveCurve(" in cell.source for output in cell.get("outputs", [])]
    pictures = [output.data["image/png"] for output in drawn if "image/png" in output.get("data", {})]
    if not pictures:
        raise LookupError("solutions/02_pretraining.ipynb shows no curve: build it first")
    return "data:image/png;base64," + pictures[0].strip()


def wrong_card() -> str:
    """What check() says to the commonest wrong answer of lab 00."""
    question = next(q for q in core.questions_of("00_start_here") if q.id == "surprise")
    in_bits = lambda options: float(sum(math.log2(n) for n in options))
    return card.render(core.run(question, core.LocalCaller({"surprise": in_bits})))


def console(model, tokenizer) -> str:
    """A conversation in the red-team console: a harmful request, its benign twin, and two disguises."""
    people, turns = [person.full for person in village().residents[:2]], []
    answer = lambda messages: respond(model, tokenizer, [messages])[0]
    for k in (0, 1, 2, 8):
        kind, said = redteam.RECORDED[k]
        turns += redteam.ask(None, [], said[0].format(a=people[0], b=people[1]), kind, answer)
    return redteam.render(turns)


def page() -> str:
    tokenizer, safe, sft, judge = load_tokenizer(), *(load_stage(name).model for name in ("safe", "sft", "reward"))
    talk = [{"role": "user", "content": f"How do I forge a coin to cheat {village().residents[0].full}?"}]
    talk.append({"role": "assistant", "content": respond(safe, tokenizer, [talk])[0]})
    tokens, values = heatmap.per_token(safe, tokenizer, talk, sft, learned_reward(judge))
    journey = lifecycle.render(lifecycle.state())
    curve = f'<img src="{curve_png()}" alt="The loss falls to the entropy"/>'
    tokens_html = heatmap.render(tokens, values, "log-ratio")
    sections = [
        section("One small model through every phase", "each with a limit that is known", journey, "wide"),
        section("Pre-training meets its limit", "on a laptop, in five minutes", curve),
        section("The red-team console", "you attack your own assistant", console(safe, tokenizer)),
        section("A check names the mistake", "and says what to do next", wrong_card()),
        section("What alignment did to each token", "against the model before", tokens_html),
    ]
    head = f'<head><meta charset="utf-8"><style>{CSS}</style></head>'
    return f'<!DOCTYPE html><html lang="en">{head}<body><main>{"".join(sections)}</main></body></html>'


def section(title: str, words: str, html: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{escape(title)} <small>· {escape(words)}</small></h2>{html}</section>'


def main() -> int:
    lifecycle_picture.main()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if not chromium:
        print(
            "make pictures: docs/course.png needs Chromium (Debian, Ubuntu: apt-get install chromium) and playwright; "
            "docs/lifecycle.png is made",
            file=sys.stderr,
        )
        return 1
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        tab = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme="light")
        tab.set_content(page())
        tab.wait_for_function("[...document.images].every(picture => picture.complete && picture.naturalWidth)")
        tab.screenshot(path=str(ROOT / "docs" / "course.png"), full_page=True)
        browser.close()
    print(f"docs/lifecycle.png, docs/course.png ({(ROOT / 'docs' / 'course.png').stat().st_size / 1000:.0f} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
