"""What a student sees and presses in JupyterLab: the start page, check cards, the annotator with a restart between, and
every lab's notebook from top to bottom.
"""

import json
import re
from pathlib import Path

import pytest
from clock import ANSWER, patience

ROOT = Path(__file__).parents[2]
LABS = sorted(path.stem for path in (ROOT / "labs").glob("[0-9][0-9]_*.ipynb"))
pytestmark = pytest.mark.slow


def handles(*locators):
    return [locator.element_handle() for locator in locators]


def median(values):
    return sorted(values)[len(values) // 2]


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_start_page_map_progress_and_a_chat(open_lab, server, record_property):
    lab = open_lab("00_start_here")
    lab.run_all()
    assert lab.errors() == []
    cell = lab.go("start.page(")
    lab.page.wait_for_timeout(500)
    assert cell.locator("svg[role=img]").count() >= 1
    assert "0 of 102 checks passed" in cell.inner_text() and "Next: lab 00" in cell.inner_text()
    lab.picture("start-page-light")
    asked = cell.get_by_label("You:")
    conversation = cell.locator(".widget-html, .jupyter-widgets-html, .widget-html-content").first
    asked.scroll_into_view_if_needed()
    asked.fill("Where does Amelia Barlow live?")
    # the page's own clock: from Enter to the first letter of the answer
    first = lab.page.evaluate(
        """async ([field, shown]) => {
        const letter = () => /assistant:\\s*[^\\s…]/.test(shown.innerText);
        const seen = new Promise(done => { const watch = new MutationObserver(() => { if (letter()) { watch.disconnect(); done(performance.now()) } }); watch.observe(shown, {childList: true, subtree: true, characterData: true}) });
        const started = performance.now();
        field.focus();
        field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 13, bubbles: true}));
        field.dispatchEvent(new KeyboardEvent('keypress', {key: 'Enter', keyCode: 13, bubbles: true}));
        field.dispatchEvent(new Event('change', {bubbles: true}));
        return await seen - started;
    }""",
        handles(asked, conversation),
    )
    record_property("first_token_ms", first)
    lab.page.wait_for_function(
        "shown => /Priory Gardens/.test(shown.innerText) && !/…/.test(shown.innerText)",
        arg=conversation.element_handle(),
    )
    took = lab.page.evaluate(ANSWER, handles(cell.get_by_role("button", name="good"), conversation))
    record_property("click_ms", took)
    assert "▲ good" in conversation.inner_text()
    kept = records(server.work / "start" / "chat.jsonl")
    assert kept[0]["completion"] and kept[1] == {**kept[1], "id": kept[0]["id"], "label": True}
    lab.picture("chat-light")
    print(f"first token {first:.0f} ms, click {took:.0f} ms")
    assert first < 1000 * patience() and took < 100 * patience()
    assert lab.accessible(".jp-OutputArea-output") == []
    assert lab.save() < 1_000_000
    assert lab.ours() == [] and lab.outside == []


WRONG = "# EXERCISE surprise\ndef surprise(options: list[int]) -> float:\n    return sum(math.log2(n) for n in options)"
RIGHT = WRONG.replace("log2", "log")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_check_card_names_the_mistake_and_leads_to_the_section(open_lab, server, dark):
    lab = open_lab("00_start_here", dark=dark)
    lab.run_all(upto="import itertools")
    lab.write("# EXERCISE surprise", WRONG)
    lab.run_cell("# EXERCISE surprise")
    cell = lab.run_cell('check("surprise")')
    card = cell.get_by_role("status")
    card.wait_for()
    for words in ("not right yet", "What went wrong:", "the result is in bits", "Re-read:", "Next:"):
        assert words in card.inner_text(), card.inner_text()
    lab.picture(f"card-{'dark' if dark else 'light'}", card)
    assert lab.accessible('[role="status"]') == []
    last = records(server.work / "progress.jsonl")[-1]
    assert (last["question"], last["status"], last["score"]) == ("surprise", "fail", 0)
    card.get_by_role("link", name="§ 3 Surprise").click()
    lab.page.wait_for_function(
        "() => { const h = [...document.querySelectorAll('h2')].find(h => h.textContent.startsWith('§ 3 Surprise')); "
        "if (!h) return false;"
        " const r = h.getBoundingClientRect(); return r.top > 0 && r.bottom < innerHeight }",
        timeout=20_000,
    )
    lab.write("# EXERCISE surprise", RIGHT)
    lab.run_cell("# EXERCISE surprise")
    assert "passed, 0.75 of 0.75 points" in lab.run_cell('check("surprise")').get_by_role("status").inner_text()
    assert records(server.work / "progress.jsonl")[-1]["status"] == "pass"
    cell = lab.run_cell("start.page(")
    assert "1 of 102 checks passed, 0.75 of 100 points" in cell.inner_text()
    lab.page.wait_for_timeout(500)
    lab.picture(f"start-page-{'dark' if dark else 'light'}-after")
    assert lab.accessible(".jp-OutputArea-output") == []
    assert lab.ours() == []


def test_ten_pairs_by_button_and_key_outlive_a_restart(open_lab, server, record_property):
    lab = open_lab("06_preferences_and_reward_model")
    lab.run_all()
    assert lab.errors() == []
    cell = lab.go("widget = annotate.annotate(")
    shown = cell.locator(".widget-html-content").first
    labels, times = server.work / "preferences" / "labels.jsonl", []
    for k in range(5):
        times.append(lab.page.evaluate(ANSWER, handles(cell.get_by_role("button", name=f"{1 + k % 2} ·"), shown)))
        lab.page.wait_for_function(
            "([shown, n]) => shown.innerText.includes(`${n} of `)", arg=[shown.element_handle(), k + 1]
        )
        assert len(records(labels)) == k + 1
    field = cell.get_by_label("Keys:")
    field.focus()
    for k in range(5, 10):
        lab.page.keyboard.press("12"[k % 2])
        lab.page.wait_for_function(
            "([shown, n]) => shown.innerText.includes(`${n} of `)", arg=[shown.element_handle(), k + 1]
        )
    assert [r["key"] for r in records(labels)] == ["1", "2", "1", "2", "1", "2", "1", "2", "1", "2"]
    record_property("click_ms", median(times))
    print(f"click to the next pair: median {median(times):.0f} ms, worst {max(times):.0f} ms")
    lab.picture("annotator-light")
    assert lab.accessible(".jp-OutputArea-output .widget-vbox") == []
    assert median(times) < 100 * patience()
    assert lab.save() < 1_000_000
    lab.restart()
    lab.run_all(upto="my_labels, me = annotate.labels_or_recorded")
    cell = lab.go("widget = annotate.annotate(")
    lab.page.wait_for_function("cell => cell.innerText.includes('10 of ')", arg=cell.element_handle())
    assert len(records(labels)) == 10
    assert lab.ours() == [] and lab.outside == []


# scrolls through the notebook, waits until JupyterLab has drawn what is in sight (it draws nothing else), and looks at
# each cell
LOOK = r"""async () => {
    const panel = window.jupyterapp.shell.currentWidget, cells = panel.content.widgets, found = new Set(), seen = new Set();
    const box = panel.node.querySelector('.jp-WindowedPanel-outer'), wait = ms => new Promise(done => setTimeout(done, ms));
    const tex = /\$\$|\$[^$\n]+\$|\\(frac|sum|text|log|left|mathbb|cdot)\b/;
    const bare = text => { const copy = text.cloneNode(true); copy.querySelectorAll('code, pre, mjx-container, script, style').forEach(part => part.remove()); return copy.textContent };
    const until = async (ready, ms) => { for (const end = performance.now() + ms; !ready() && performance.now() < end;) await wait(20); return ready() };
    let formulas = 0;
    const look = async (cell, k) => {
        const words = () => cell.node.querySelector('.jp-RenderedMarkdown'), markdown = cell.model.type === 'markdown';
        if (!await until(() => markdown ? words()?.textContent : cell.node.querySelector('.cm-line'), 20000)) { found.add(`cell ${k} is not drawn`); return }
        if (markdown && !await until(() => !tex.test(bare(words())), 20000)) found.add('raw LaTeX: ' + bare(words()).slice(0, 200));       // formulas are set a moment later
        if (markdown && words().querySelector('mjx-merror, [data-mjx-error]')) found.add('a formula that cannot be set: ' + words().innerText.slice(0, 200));
        formulas += markdown ? words().querySelectorAll('mjx-container').length : 0;
        for (const picture of cell.node.querySelectorAll('img'))
            if (!await until(() => picture.complete, 5000) || !picture.naturalWidth) found.add('a picture is missing: ' + picture.src.slice(0, 120));
        for (const error of cell.node.querySelectorAll('[data-mime-type$="error"], [data-mime-type$="stderr"]')) found.add('an error: ' + error.innerText.slice(0, 200));
        seen.add(k);
    };
    for (let next = 0; next < cells.length; next++) {
        if (seen.has(next)) continue;
        // JupyterLab draws what is near; where a busy machine has lost the place, a little further down is
        for (let tries = 0; tries < 20 && !await until(() => cells[next].node.isConnected, 1000); tries++) box.scrollTop += 100;
        if (!cells[next].node.isConnected) { found.add(`cell ${next} is not on the page`); continue }
        cells[next].node.scrollIntoView({block: 'start'});
        await wait(60);
        const edge = box.getBoundingClientRect();
        for (let k = 0; k < cells.length; k++) {
            const place = cells[k].node.getBoundingClientRect();
            if (!seen.has(k) && cells[k].node.isConnected && place.height && place.bottom > edge.top && place.top < edge.bottom) await look(cells[k], k);
        }
    }
    return {found: [...found], formulas, seen: seen.size};
}"""


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_opened_and_scrolled(window, lab):
    window.open(lab)
    seen = window.page.evaluate(LOOK)
    assert seen["found"] == []
    source = json.loads((ROOT / "labs" / f"{lab}.ipynb").read_text())
    assert seen["seen"] == len(source["cells"])
    prose = "\n".join(
        re.sub(r"`[^`]*`|<code>.*?</code>", "", "".join(cell["source"]))
        for cell in source["cells"]
        if cell["cell_type"] == "markdown"
    )
    assert seen["formulas"] == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose, re.S))
    window.picture(f"lab-{lab[:2]}-end")
    assert window.ours() == [] and window.outside == []
