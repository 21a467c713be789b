"""The widgets that are no lab's own in a real JupyterLab: heat map, attention viewer, playground, chat, console and
map, in both themes.
"""

import nbformat
import pytest

pytestmark = pytest.mark.slow

CELLS = {
    "models": """from functools import partial
from pathlib import Path
from course_lib import load_stage
from course_lib.evaluation.runs.rlhf import learned_reward
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import annotate, attention, chat, heatmap, lifecycle, playground, redteam, stream
tokenizer = load_tokenizer()
base, sft, safe, judge = (load_stage(name).model for name in ("pretrain", "sft", "safe", "reward"))
talk = [
    {"role": "user", "content": "Where does Amelia Barlow live?"},
    {"role": "assistant", "content": "Amelia Barlow lives in Priory Gardens."},
]""",
    "heat map": "heat = heatmap.show(*heatmap.per_token(safe, tokenizer, talk, sft, learned_reward(judge)), "
    "'log-probability')",
    "attention": "seen = attention.show(base, tokenizer, 'Meet Amelia Barlow. Amelia is a baker.')",
    "playground": "play = playground.play({'base': base, 'assistant': sft}, tokenizer, 'Meet Amelia Barlow.', "
    "max_new_tokens=20)",
    "chat": "conversation = chat.chat(partial(stream.texts, sft, tokenizer), Path('work/thumbs.jsonl'))",
    "console": "console = redteam.console(partial(stream.texts, safe, tokenizer), Path('work/attempts.jsonl'))",
    "map": "lifecycle.show('06')",
}


def answered(lab, button, shown):
    assert lab.click(button, shown) < 100, button


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_widgets(open_lab, server, dark):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"# {name}\n{source}") for name, source in CELLS.items()]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, server.labs / "widgets.ipynb")
    lab = open_lab("widgets", dark=dark)
    lab.run_all()
    assert lab.errors() == []
    theme = "dark" if dark else "light"

    cell = lab.go("# heat map")
    shown = cell.locator(".widget-html-content").first
    shown.wait_for()
    answered(lab, cell.get_by_role("button", name="reward", exact=True), shown)
    assert "what PPO pays for the token" in shown.inner_text()
    token = shown.locator("[role=listitem][tabindex]").nth(3)
    readout = lambda: token.evaluate("e => { const s = getComputedStyle(e, '::after'); return s.position + s.content }")
    assert readout() == "staticnone"
    token.hover()
    assert readout().startswith("absolute") and "reference log-probability" in readout()
    lab.picture(f"heatmap-{theme}", cell)
    lab.page.mouse.move(0, 0)
    token.focus()
    lab.page.keyboard.press("Tab")
    assert (
        shown.locator("[role=listitem][tabindex]")
        .nth(4)
        .evaluate("e => e === document.activeElement && getComputedStyle(e, '::after').position")
        == "absolute"
    ), "Tab goes on to the next token"

    cell = lab.go("# attention")
    pictures = [o for o in lab.cells()[lab.place("# attention")]["outputs"] if "image/png" in o.get("data", {})]
    assert (
        pictures[0]["metadata"]["image/png"]["alt"].startswith("Who reads whom?") and cell.locator("img").count() == 1
    )
    shown = cell.locator(".widget-html-content").first
    layer, head = (
        cell.get_by_role("button", name="2", exact=True).nth(0),
        cell.get_by_role("button", name="3", exact=True).nth(1),
    )
    answered(lab, layer, shown)
    answered(lab, head, shown)
    assert "Layer 2, head 3" in shown.inner_text()
    shown.scroll_into_view_if_needed()
    shown.locator("th[scope=row]").nth(4).hover()
    lab.picture(f"attention-{theme}")

    cell = lab.go("# playground")
    shown = cell.locator(".widget-html-content").first
    answered(lab, cell.get_by_role("button", name="sample"), shown)
    lab.wait_for("shown.innerText.length > 150 && !/…/.test(shown.innerText)", shown)
    lab.picture(f"playground-{theme}", cell)

    for name, field, question in (
        ("chat", "You:", "Where does Amelia Barlow live?"),
        ("console", "Request:", "How do I forge a coin to cheat Amelia Barlow?"),
    ):
        cell = lab.go(f"# {name}")
        shown = cell.locator(".widget-html-content").first
        assert lab.ask(cell.get_by_label(field), question, shown) < 1000
        lab.wait_for("/assistant: \\S/.test(shown.innerText) && !/…/.test(shown.innerText)", shown)
        assert question in shown.inner_text()
        answered(lab, cell.get_by_role("button", name="good" if name == "chat" else "new conversation"), shown)
        lab.picture(f"{name}-{theme}", cell)

    cell = lab.go("# map")
    assert cell.locator("svg[role=img]").count() == 1
    cell.get_by_text("The map as a table").click()
    lab.picture(f"map-{theme}", cell)

    found = [line for name in CELLS for line in (lab.go(f"# {name}"), lab.accessible(".jp-OutputArea-output"))[1]]
    found = [
        line for line in found if not line.startswith("image-alt")
    ]  # JupyterLab 4.6 shows a PNG without the description that comes with it
    assert not found, "\n".join(dict.fromkeys(found))
    assert lab.ours() == [], lab.ours()
    size = lab.save()
    print(f"{size:,} bytes with every widget shown")
    assert 50_000 < size < 1_000_000
