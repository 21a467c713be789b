"""What a student presses in JupyterLab: the start page, check cards, the annotator with a restart between."""

import json

import pytest

pytestmark = pytest.mark.slow


def median(values):
    return sorted(values)[len(values) // 2]


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_start_page_map_progress_and_a_chat(open_lab, server, record_property):
    lab = open_lab("00_start_here")
    lab.run_all()
    assert lab.errors() == []
    cell = lab.go("lab.page(")
    cell.locator("svg[role=img]").first.wait_for()
    assert "0 of 106 checks passed" in cell.inner_text() and "Next: lab 00" in cell.inner_text()
    lab.picture("start-page-light")
    asked = cell.get_by_label("You:")
    conversation = cell.locator(".widget-html, .jupyter-widgets-html, .widget-html-content").first
    asked.scroll_into_view_if_needed()
    first = lab.ask(asked, "Where does Amelia Barlow live?", conversation)
    record_property("first_token_ms", first)
    lab.wait_for("/Priory Gardens/.test(shown.innerText) && !/…/.test(shown.innerText)", conversation)
    took = lab.click(cell.get_by_role("button", name="good"), conversation)
    record_property("click_ms", took)
    assert "▲ good" in conversation.inner_text()
    kept = records(server.work / "start" / "chat.jsonl")
    assert kept[0]["completion"] and kept[1] == {**kept[1], "id": kept[0]["id"], "label": True}
    lab.picture("chat-light")
    assert first < 1000 and took < 100
    assert lab.accessible(".jp-OutputArea-output") == []
    assert lab.save() < 1_000_000
    assert lab.ours() == [] and lab.outside == []


WRONG = "# EXERCISE surprise\ndef surprise(options: list[int]) -> float:\n    return sum(math.log2(n) for n in options)"
RIGHT = WRONG.replace("log2", "log")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_check_card_names_the_mistake_and_leads_to_the_section(open_lab, server, dark):
    lab = open_lab("00_start_here", dark=dark)
    lab.run_all(upto="import math")
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
        " const r = h.getBoundingClientRect(); return r.top > 0 && r.bottom < innerHeight }"
    )
    lab.write("# EXERCISE surprise", RIGHT)
    lab.run_cell("# EXERCISE surprise")
    assert "passed, 0.75 of 0.75 points" in lab.run_cell('check("surprise")').get_by_role("status").inner_text()
    assert records(server.work / "progress.jsonl")[-1]["status"] == "pass"
    cell = lab.run_cell("lab.page(")
    assert "1 of 106 checks passed, 0.75 of 100 points" in cell.inner_text()
    cell.locator("svg[role=img]").first.wait_for()
    lab.picture(f"start-page-{'dark' if dark else 'light'}-after")
    assert lab.accessible(".jp-OutputArea-output") == []
    assert lab.ours() == []


def test_ten_pairs_by_button_and_key_outlive_a_restart(open_lab, server, record_property):
    lab = open_lab("06_preferences_and_reward_model")
    lab.run_all(upto="widget = people.label_yourself(")
    assert lab.errors() == []
    cell = lab.go("widget = people.label_yourself(")
    shown = cell.locator(".widget-html-content").first
    labels, times = server.work / "preferences" / "labels.jsonl", []
    for k in range(5):
        times.append(lab.click(cell.get_by_role("button", name=f"{1 + k % 2} ·"), shown))
        lab.wait_for(f"shown.innerText.includes('{k + 1} of ')", shown)
        assert len(records(labels)) == k + 1
    field = cell.get_by_label("Keys:")
    field.focus()
    for k in range(5, 10):
        lab.page.keyboard.press("12"[k % 2])
        lab.wait_for(f"shown.innerText.includes('{k + 1} of ')", shown)
    assert [r["key"] for r in records(labels)] == ["1", "2", "1", "2", "1", "2", "1", "2", "1", "2"]
    record_property("click_ms", median(times))
    lab.picture("annotator-light")
    assert lab.accessible(".jp-OutputArea-output .widget-vbox") == []
    assert median(times) < 100
    assert lab.save() < 1_000_000
    lab.restart()
    lab.run_all(upto="my_labels, me = people.labels_of")
    cell = lab.go("widget = people.label_yourself(")
    lab.wait_for("shown.innerText.includes('10 of ')", cell)
    assert len(records(labels)) == 10
    assert lab.ours() == [] and lab.outside == []
