"""The room for hostile bytes: whatever kills the reader is a verdict on the bytes, and the next file is read all the
same.
"""

import mmap
import os
import signal
import sys
import time

import pytest
import torch

from course_lib.grading.reading import room

QUICK = room.Limits(cpu=1, wall=20, memory=2**30)


def read(item):
    """What each item stands for happens to its reader."""
    if item == "loops":
        while True:
            pass
    if item == "sleeps":
        time.sleep(60)
    if item == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "eats":
        return len(bytearray(2**40))
    if item == "raises":
        raise ValueError("a student's own words")
    if item == "writes":
        with open(os.devnull, "w") as file:  # no regular file: allowed
            file.write("x")
    return [item, os.getpid()]


@pytest.mark.parametrize(
    "item, words",
    [
        ("loops", "more than 1 s of computing"),
        ("crashes", "it crashes what reads it (SIGSEGV)"),
        ("eats", "more than 1 GiB of memory"),
        ("raises", "it cannot be read (ValueError)"),
    ],
)
def test_a_death_is_a_verdict_and_the_next_file_is_read(item, words):
    (_, first), (_, death), (_, last) = room.each(read, ["a", item, "b"], QUICK)
    assert first[0] == "a" and last[0] == "b"
    assert isinstance(death, room.Unreadable) and words in str(death) and "own words" not in str(death)


def test_the_clock_ends_it_too():
    began = time.monotonic()
    with pytest.raises(room.Unreadable, match="longer than 1 s"):
        room.apart(read, "sleeps", limits=QUICK._replace(wall=1))
    assert time.monotonic() - began < 10


def test_one_child_reads_file_after_file():
    answers = [answer for _, answer in room.each(read, list("abcde"))]
    assert [a for a, _ in answers] == list("abcde") and len({pid for _, pid in answers}) == 1
    assert room.apart(read, "x")[1] not in {pid for _, pid in answers} | {os.getpid()}


def test_a_child_is_kept_until_it_has_read_enough_has_grown_or_is_sent_away(monkeypatch):
    monkeypatch.setattr(room, "MOST", 3)
    kept = []

    def grow(size):
        kept.append(mmap.mmap(-1, size))
        return os.getpid()

    reader = room.Room(grow, QUICK)
    pids = [reader.read(1) for _ in range(7)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    assert reader.read(1) == pids[-1] and kept == []
    reader.close()
    assert (last := reader.read(1)) != pids[-1]
    monkeypatch.setattr(room, "GROWN", 2**24)
    assert reader.read(2**25) == last != reader.read(1), "what was too much goes with its child"
    reader.close()


def test_a_file_has_its_limits_whatever_was_read_before_it():
    kept = []

    def keep(size):
        try:
            kept.append(mmap.mmap(-1, size))
        except OSError:
            raise MemoryError from None
        return len(kept)

    reader = room.Room(keep, QUICK)
    assert [reader.read(600 * 2**20) for _ in range(2)] == [1, 2], "together they are more than 1 GiB"
    assert "1 GiB" in str(reader.read(2**31))
    reader.close()


def test_nothing_can_be_written_but_where_the_caller_says(tmp_path):
    def write(path):
        try:
            with open(path, "wb", buffering=0) as file:
                file.write(bytes(1000))
            return "written"
        except OSError as error:
            return error.strerror

    assert room.apart(write, tmp_path / "a") == "File too large"
    assert room.apart(write, tmp_path / "b", limits=QUICK._replace(file=1000)) == "written"


def test_who_ends_it_from_outside_is_no_verdict():
    with pytest.raises(room.Interrupted, match="SIGKILL"):
        room.apart(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_a_budget_inside():
    def spend(handler):
        try:
            with room.budget(0.1):
                while True:
                    try:
                        sum(range(1000))
                    except handler:
                        pass
        except room.TooMuch:
            return room.computed()

    assert room.apart(spend, Exception) < 1


def test_what_the_reader_imports_is_there_for_the_next_one(monkeypatch):
    name = "colorsys"
    monkeypatch.delitem(sys.modules, name, raising=False)

    def loaded():
        before = name in sys.modules
        __import__(name)
        return before

    assert [room.apart(loaded), room.apart(loaded)] == [False, True]


def test_a_reader_computes_though_its_parent_has_used_threads():
    before, x = torch.get_num_threads(), torch.randn(8, 4, 64, 32)
    attention = lambda: torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True).sum().item()
    torch.set_num_threads(2)
    try:
        expected = attention()
        assert room.apart(attention, limits=room.Limits(cpu=10, wall=20, memory=None)) == pytest.approx(expected, 1e-4)
    finally:
        torch.set_num_threads(before)


def test_the_review_shows_what_ends_its_reader(tmp_path, monkeypatch):
    """Of two ungradable notebooks one kills whoever reads it: its first characters are shown, and the other's cells."""
    import classroom

    from course_lib.grading.reports.review import handed_in

    for name in ("bad", "good"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notebook.ipynb").write_text(classroom.notebook([f"name = '{name}'"]))
    real = handed_in.notebooks.read_cells

    def reader(path):
        if path.parent.name == "bad":
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(path)

    monkeypatch.setattr(handed_in.notebooks, "read_cells", reader)
    found = handed_in.beginnings([tmp_path / "bad", tmp_path / "good", tmp_path / "missing"])
    assert found[tmp_path / "good"] == [[0, "code", "name = 'good'", ""]]
    [[number, _, text, _]] = found[tmp_path / "bad"]
    assert number is None and text.startswith('{"nbformat"') and "No such file" in found[tmp_path / "missing"][0][2]


def test_nobody_else_reads_what_a_student_wrote():
    """Every place in the grader that calls a reader of notebooks, models or archives is one that runs in the room (or
    reads what the course itself wrote): whoever adds one decides.
    """
    import re

    from course_lib.platform import PACKAGE

    readers = re.compile(
        r"\b(?:read_cells|read_cells_in|read_book|check_model|cells_of|written_answers|safe_open|ZipFile|yaml\.load)\("
    )
    found = set()
    for path in (PACKAGE / "grading").rglob("*.py"):
        for line in path.read_text().splitlines():
            if readers.search(line) and not line.lstrip().startswith(("#", "def ")):
                found.add(f"{path.relative_to(PACKAGE / 'grading').as_posix()}: {readers.search(line)[0][:-1]}")
    assert found == {
        "intake/archives.py: read_cells_in",  # unpacking.py, in the room
        "intake/containers.py: ZipFile",  # the same, and downloads.py, in the room
        "intake/layouts.py: yaml.load",  # downloads.py, in the room
        "lms/gradescope.py: ZipFile",  # writes one
        "replay/replay.py: check_model",  # in the room
        "reports/leaderboard.py: check_model",  # in the room
        "reports/hand_back.py: ZipFile",  # writes one
        "reports/outside.py: read_cells",  # the solution, ours
        "reports/prints.py: read_cells",  # in the room
        "reports/review/handed_in.py: cells_of",  # cells_in, in the room
        "reports/review/handed_in.py: read_cells",  # the same
        "reports/review/queue.py: read_cells",  # the student notebook, ours
        "reports/similarity.py: read_cells",  # the same
        "reports/viva/ask.py: read_cells",  # sheet.py, in the room
        "scoring/judge.py: check_model",
        "scoring/judge.py: read_book",
        "scoring/judge.py: written_answers",
    }
