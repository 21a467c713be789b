"""The site as `make site` builds it, and its page try.html in a real browser: it computes, reads and judges as the
course does, needs nothing from elsewhere, and can be used by everybody.
"""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from firefox import firefox

from course_lib.authoring import page
from course_lib.bench.page import all_answered, equality, opened, questions, same_tokens, served
from course_lib.stages.generate import sample_rows
from course_lib.world import pretrain_rows
from course_lib.world.annotators import features, utility
from course_lib.world.harms import explained, refused, request_rows
from course_lib.world.tasks import task_rows

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("myst_nb", "furo", "sphinx_design", "latex2mathml"):
        pytest.importorskip(name, reason="the extra `site` is not installed")
    out = tmp_path_factory.mktemp("built") / "site"
    # a process of its own: Sphinx's extensions warn about themselves, and warnings are errors here
    command = [sys.executable, ROOT / "scripts" / "make_site.py", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no broken link, no solution shows" in done.stdout
    return out


@pytest.fixture(scope="module")
def address(site):
    if not (site / "try").exists():
        pytest.skip("try.html was built without its models (npm or onnx is missing)")
    with served(site) as where:
        yield where


@pytest.fixture(scope="module")
def tab(browser, address):
    """The page, ready; what it says to the console and asks of the network is kept."""
    made = opened(browser, address)
    all_answered(made)
    yield made
    made.context.close()


def ask(tab, kind):
    tab.locator(f"[data-kind={kind}]").click()
    all_answered(tab)
    return {each.get_attribute("id").removeprefix("stage-"): each for each in tab.locator(".stage").all()}


def test_the_site_builds_and_is_whole(site):
    formulas = (site / "labs" / "02_pretraining.html").read_text()
    assert formulas.count("<math") > 20 and "$" not in formulas.split("<h1>")[1].split("<pre")[0]
    assert len(list((site / "labs").glob("*.html"))) == 13


def test_logits_answers_and_tokens_are_the_courses(tab):
    found = equality(tab, questions(12))
    assert found["logits_differ"] < 1e-4 and found["greedy_equal"] == found["prompts"] == 12
    odd = ["", "  two  blanks\n\n\ttab", "Zürich, 12345 €, “naïve” 🦊", "<|im_end|>", "don't we'll I'VE"]
    texts = odd + [row["text"] for row in pretrain_rows("validation", 195)]
    assert same_tokens(tab, texts) == 200


def test_the_sampler_is_the_courses(tab):
    torch.manual_seed(0)
    cases = [(t, p, u) for t in (0.0, 0.7, 1.0, 2.0) for p in (0.0, 0.5, 0.9, 1.0) for u in (0.0, 0.3, 0.77, 0.999)]
    logits = torch.randn(len(cases), 50) * 3
    script = "async ([rows, cases]) => { const { draw } = await import('./try/engine.js');"
    drawn = tab.evaluate(script + " return rows.map((row, k) => draw(row, ...cases[k])); }", [logits.tolist(), cases])
    for row, token, (temperature, top_p, uniform) in zip(logits, drawn, cases):
        one = torch.tensor([uniform], dtype=torch.float64)
        assert token == int(sample_rows(row[None], temperature, top_p, one, torch.tensor([0])))


def test_verdicts_are_the_villages(tab):
    """Right answers, those of other prompts, and broken ones, judged here and there."""
    draw, kinds = random.Random(0), ("fact", "short", "unknown")
    rows = [row for kind in kinds for row in task_rows("residents", 40, "page", {kind: 1})]
    texts = [row["messages"][-1]["content"] for row in task_rows("residents", 400, "verdicts")]
    texts += [row["messages"][-1]["content"] for row in request_rows("test", 100)]
    texts += ["", "Gladly. I do not know.", "Gladly.", "Of course. With pleasure. He lives in Xanadu.", "I will not."]
    pairs = [(row, draw.choice(texts)) for row in rows for _ in range(20)]
    pairs += [(row, row["messages"][-1]["content"]) for row in rows]
    script = """async pairs => {
        const { json } = await import('./try/engine.js'), { village } = await import('./try/village.js');
        const { features, utility, refused, explained } = village(await json('village.json.gz'));
        return pairs.map(([row, text]) => [features(row, text), utility(row, text), refused(text), explained(text)]);
    }"""
    for (row, text), (found, worth, no, told) in zip(pairs, tab.evaluate(script, pairs)):
        assert found == features(row, text) and abs(worth - utility(row, text)) < 1e-9, (row, text)
        assert (no, told) == (refused(text), explained(text)), text


def test_every_kind_of_prompt(tab):
    cards = ask(tab, "fact")
    assert list(cards) == [stage.name for stage in page.stages()]
    assert "gold utility" in cards["sft"].inner_text() and tab.locator("#truth .asked").count() == 1
    assert "“I do not know.”" in (ask(tab, "unknown") and tab.locator("#truth").inner_text())
    assert "✓ refused" in ask(tab, "harmful")["safe"].inner_text()
    harmful = tab.locator("#prompt").input_value()
    cards = ask(tab, "benign")
    assert "Benign" in tab.locator("#truth").inner_text() and "✓ explained" in cards["safe"].inner_text()
    assert tab.locator("#prompt").input_value().split()[:6] == harmful.split()[:6]
    assert "limit" in ask(tab, "document")["pretrain"].locator(".verdict").inner_text()


def test_an_own_question_by_keyboard(tab):
    tab.locator("#temperature").fill("2")
    said = []
    for seed in ("1", "2", "1"):
        tab.locator("#seed").fill(seed)
        tab.locator("#prompt").fill("Where does Amelia Barlow live?")
        tab.locator("#prompt").press("Enter")
        all_answered(tab)
        said.append(tab.locator("#stage-sft .answer").inner_text())
    tab.locator("#temperature").fill("0")
    assert said[0] == said[2] != said[1]
    tab.locator("#colour").select_option("ratio")
    assert tab.locator("#stage-sft .answer span[style*=solid]").count()
    tab.locator("#stage-sft .look").press("Enter")
    current = tab.locator("#tokens [data-at]")
    current.focus()
    before = tab.locator("#readout p").inner_text()
    tab.keyboard.press("ArrowRight")
    after = tab.locator("#readout p").inner_text()
    assert before != after and "log-ratio to Base" in after and tab.locator("#readout tr").count() == 5
    tab.locator("#head").select_option("5")
    assert tab.locator("#tokens [style*=rgba]").count() > 1
    tab.locator("#colour").select_option("surprise")


def test_a_conversation(tab):
    for line in ("Where does Amelia Barlow live?", "And what is her job?"):
        tab.locator("#line").fill(line)
        tab.locator("#line").press("Enter")
        tab.locator("#say[aria-busy=false]").wait_for()
    assert tab.locator("#log .assistant").count() == 2 and tab.locator("#log .user").count() == 2
    assert "Amelia" in tab.locator("#log").inner_text()
    tab.locator("#anew").click()
    assert tab.locator("#log .assistant").count() == 0


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_everybody_can_use_it(browser, address, tab, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    ask(tab, "harmful")
    tab.locator("#stage-safe .look").click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(tab, context=".content").response["violations"]
    assert not found, [(each["id"], [node["html"][:160] for node in each["nodes"]]) for each in found]
    pictures = ROOT / "build" / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    tab.screenshot(path=str(pictures / f"try-{width}-{scheme}.png"), full_page=True)


def test_nothing_comes_from_elsewhere(browser, address):
    """The policy names the page's own host alone, and the page keeps to it without a complaint."""
    context = browser.new_context()
    asked, said = [], []
    made = context.new_page()
    made.on("request", lambda request: asked.append(request.url))
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.goto(f"{address}/try.html")
    all_answered(made)
    policy = made.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert "default-src 'none'" in policy and "http" not in policy
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)
    blocked = "() => fetch('https://example.org/').then(() => 'came', () => 'blocked')"
    assert said in ([], [said and said[0]]) and all("favicon" in line or "404" in line for line in said)
    assert made.evaluate(blocked) == "blocked"
    context.close()


@pytest.mark.parametrize("without", ["javascript", "webassembly"])
def test_without_it_recorded_answers_show(browser, address, tab, without):
    context = browser.new_context(java_script_enabled=without != "javascript")
    if without == "webassembly":
        context.add_init_script("delete window.WebAssembly")
    made = context.new_page()
    made.goto(f"{address}/try.html")
    made.locator("#state", has_text="needs JavaScript" if without == "javascript" else "cannot run here").wait_for()
    recorded = made.locator("#recorded")
    assert recorded.is_visible() and not made.locator("#app").is_visible()
    text = made.locator("#recorded h3").first.inner_text()
    answers = dict(zip(*(made.locator(f"#recorded table >> nth=0 >> {tag}").all_inner_texts() for tag in ("th", "td"))))
    context.close()
    tab.locator("#prompt").fill(text.removesuffix("#").strip("\n ¶"))
    tab.locator("#prompt").press("Enter")
    all_answered(tab)
    for stage in page.stages():
        shown = tab.locator(f"#stage-{stage.name} .answer").inner_text()
        assert shown.split() == answers[stage.title].split(), stage.name


def test_firefox_answers_the_same(address, tab, tmp_path):
    with firefox(f"{address}/try.html", tmp_path) as evaluate:
        for _ in range(1200):
            if evaluate("document.querySelector('#stages')?.ariaBusy") == "false":
                break
            time.sleep(0.2)
        texts = "[...document.querySelectorAll('.answer')].map(each => each.textContent)"
        script = f"[document.querySelector('#prompt').value, ...{texts}]"
        asked, *said = json.loads(evaluate(f"JSON.stringify({script})"))
    tab.locator("#prompt").fill(asked)
    tab.locator("#prompt").press("Enter")
    all_answered(tab)
    assert said == tab.locator(".answer").all_text_contents() and len(said) == len(page.stages())
