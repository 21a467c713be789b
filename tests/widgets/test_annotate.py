"""Labels and thumbs by hand: blind order, skip, undo, keys and mouse, on disk before the next pair shows, and nothing
lost when the kernel dies.
"""

import os

import pytest

from course_lib.platform import CourseError
from course_lib.widgets import annotate, journal
from course_lib.widgets.annotate import (
    KEYS,
    LATER,
    Annotator,
    labels_of,
    labels_or_recorded,
    press,
    queue_of,
    render,
    state_of,
)
from course_lib.world.annotators import prompts

PROMPTS = prompts("test", 24, "widget tests")
PAIRS = [(row, f"answer A{k}", f"answer B{k}") for k, row in enumerate(PROMPTS)]
QUEUE = queue_of(PAIRS, repeats=4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "preferences" / "labels.jsonl"


def test_the_order_is_blind_and_the_same_every_time():
    firsts = [item["first"].startswith("answer A") for item in QUEUE if not item["again"]]
    assert 6 < sum(firsts) < 18  # of 24: neither answer stands first as a rule
    assert queue_of(PAIRS, repeats=4) == QUEUE
    assert queue_of(PAIRS, repeats=4, seed=1) != QUEUE


def test_some_pairs_come_twice_later_and_exchanged():
    places = {item["id"]: k for k, item in enumerate(QUEUE)}
    again = [item for item in QUEUE if item["again"]]
    assert len(again) == 4 and len(QUEUE) == 28 and len(places) == 28
    for item in again:
        first = next(other for other in QUEUE if other["pair"] == item["pair"] and not other["again"])
        assert (item["first"], item["second"]) == (first["second"], first["first"])
        assert places[item["id"]] - places[first["id"]] > LATER


def test_few_pairs_make_no_repeats():
    assert [item["again"] for item in queue_of(PAIRS[:5])] == [False] * 5
    assert queue_of([]) == []


@pytest.mark.parametrize("key, chosen", [("1", "first"), ("2", "second")])
def test_a_label_has_trls_columns(path, key, chosen):
    press(path, QUEUE, key)
    (row,) = labels_of(journal.read(path))
    item = QUEUE[0]
    assert row["chosen"] == [{"role": "assistant", "content": item[chosen]}]
    assert {row["chosen"][0]["content"], row["rejected"][0]["content"]} == {item["first"], item["second"]}
    assert (
        row["prompt"] == item["row"]["messages"] and row["check"] == item["row"]["check"] and row["annotator"] == "you"
    )


def test_skip_and_undo(path):
    assert press(path, QUEUE, "u")["done"] == 0 and not path.exists()  # nothing to take back
    press(path, QUEUE, "1")
    state = press(path, QUEUE, "s")
    assert (state["done"], state["labels"], state["skipped"], state["item"]) == (2, 1, 1, QUEUE[2])
    state = press(path, QUEUE, "u")
    assert (state["done"], state["skipped"], state["item"]) == (1, 0, QUEUE[1])
    state = press(path, QUEUE, "u")
    assert (state["done"], state["item"]) == (0, QUEUE[0])
    press(path, QUEUE, "2")
    (row,) = labels_of(journal.read(path))
    assert row["chosen"][0]["content"] == QUEUE[0]["second"]  # the second thought counts


def test_keys_without_a_meaning_change_nothing(path):
    for key in ("", "3", "12", "x", "S", " "):
        assert press(path, QUEUE, key)["done"] == 0
    assert not path.exists()


def test_the_label_is_on_disk_before_the_next_pair_shows(path, monkeypatch):
    widget, seen = Annotator(QUEUE, path), []
    widget.html.observe(lambda change: seen.append(len(labels_of(journal.read(path)))), "value")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda file, real=os.fsync: (synced.append(widget.html.value), real(file)))
    before = widget.html.value
    widget.buttons["1"].click()
    assert seen == [1] and widget.html.value != before
    assert synced and all(shown == before for shown in synced)  # at every fsync the old pair was still there


def test_a_full_disk_keeps_the_pair_and_says_so(path, monkeypatch):
    widget = Annotator(QUEUE, path)

    def full(path, record):
        raise CourseError("cannot write labels.jsonl (No space left on device), so this was not kept: free some space")

    monkeypatch.setattr(journal, "append", full)
    widget.buttons["2"].click()
    assert (
        "Not kept" in widget.html.value and "No space left" in widget.html.value and "0 of 28 done" in widget.html.value
    )
    monkeypatch.undo()
    widget.buttons["2"].click()
    assert "1 of 28 done" in widget.html.value and "Not kept" not in widget.html.value


def test_a_kernel_restart_loses_nothing(path):
    widget = Annotator(QUEUE, path)
    for key in "12s1u2":
        widget.press(key)
    shown = widget.html.value
    assert (
        Annotator(queue_of(PAIRS, repeats=4), path).html.value == shown
    )  # a new kernel makes the same queue and reads the file


def test_a_line_that_a_crash_cut_short_costs_itself_only(path):
    for key in "121":
        press(path, QUEUE, key)
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    assert len(labels_of(journal.read(path))) == 2
    press(path, QUEUE, "2")
    assert len(labels_of(journal.read(path))) == 3


def test_labels_of_an_earlier_queue_stay(path):
    press(path, QUEUE, "1")
    other = queue_of([(row, "another answer", b) for row, _, b in PAIRS])
    assert press(path, other, "2")["done"] == 1
    assert len(labels_of(journal.read(path))) == 2
    press(path, other, "u")
    assert (
        press(path, other, "u")["done"] == 0 and len(labels_of(journal.read(path))) == 1
    )  # undo stays within what is shown


def test_keys_and_mouse_do_the_same(tmp_path):
    mouse, keys = Annotator(QUEUE, tmp_path / "mouse.jsonl"), Annotator(QUEUE, tmp_path / "keys.jsonl")
    for key in "12s1u2":
        mouse.buttons[key].click()
        keys.keys.value = key.upper()
        assert keys.keys.value == ""
    assert mouse.html.value == keys.html.value
    assert [{**e, "when": 0} for e in journal.read(tmp_path / "mouse.jsonl")] == [
        {**e, "when": 0} for e in journal.read(tmp_path / "keys.jsonl")
    ]


def test_keys_typed_ahead_do_not_label_what_nobody_has_seen(path):
    widget = Annotator(QUEUE, path)
    widget.keys.value = "12"
    assert widget.keys.value == "" and not path.exists()


def test_the_card_shows_the_answers_escaped_and_tells_nothing_else():
    row = {**PROMPTS[0], "messages": [{"role": "user", "content": "<b>who?</b>"}]}
    html = render(state_of(queue_of([(row, "<script>1</script>", "")]), []))
    assert "<script>" not in html and "&lt;b&gt;who?" in html and "(no answer)" in html
    for secret in (QUEUE[0]["id"], "check", "again", "utility"):
        assert secret not in render(state_of(QUEUE, []))


def test_at_the_end_it_says_so(path):
    for _ in QUEUE:
        press(path, QUEUE, "1")
    state = state_of(QUEUE, journal.read(path))
    assert state["item"] is None and "All pairs are done: 28 labels" in render(state)
    assert press(path, QUEUE, "2") == state
    assert press(path, QUEUE, "u")["item"] == QUEUE[-1]


def test_no_labels_of_ones_own_brings_the_recorded_ones_and_says_whose(path):
    rows, whose = labels_or_recorded(path, QUEUE)
    assert whose == "Agnes" and {row["annotator"] for row in rows} == {"Agnes"} and len(rows) == len(QUEUE)
    assert labels_or_recorded(path, QUEUE)[0] == rows and not path.exists()
    for _ in range(20):
        press(path, QUEUE, "1")
    rows, whose = labels_or_recorded(path, QUEUE)
    assert whose == "you" and len(rows) == 20


def test_nothing_without_a_front_end(path, capsys):
    assert annotate.annotate(QUEUE, path) is None
    assert capsys.readouterr().out == "" and not path.exists()


def test_every_key_has_a_button_with_its_name():
    widget = Annotator(QUEUE, "unused.jsonl")
    assert [button.description[0] for button in widget.buttons.values()] == list(KEYS)
    assert all(key in widget.keys.placeholder for key in KEYS)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="cannot write .* so this was not kept") as error:
        journal.append(tmp_path / "file" / "labels.jsonl", {})
    assert "\n" not in str(error.value)


def test_a_path_that_is_a_folder_is_one_line(tmp_path):
    with pytest.raises(CourseError, match="cannot read"):
        journal.read(tmp_path)
