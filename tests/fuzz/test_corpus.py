"""Each target reads its corpus (honest exports and hand-ins, and what once broke a reader), and some hundred changes of
it, the same on every machine. `make fuzz` looks further.
"""

import os
import random
import zlib

import pytest
import run
from bounds import bounded, steps
from mutate import changed

# changes of each corpus: as many as a second or two of one core read
CHANGES = {"notebook": 80, "archive": 12, "reply": 80, "header": 60, "record": 150, "manifest": 100, "yaml": 30}
CHANGES |= {"gradebook": 60}
LONG = int(os.environ.get("COURSE_FUZZ", 0))
BASE, EACH = 60_000, 200  # steps of Python that any input may cost, and for each byte; seen: 46,000 and 140


def seeds(name):
    return {path.name: path.read_bytes() for path in sorted((run.CORPUS / name).iterdir())}


def reader(name, place):
    target = run.target(name)
    return lambda data: target.read(data, place), target


@pytest.mark.parametrize("name", run.TARGETS)
def test_the_corpus_is_read_in_few_steps(name, tmp_path):
    read, _ = reader(name, tmp_path)
    for file, data in seeds(name).items():
        bounded(read, data)
        assert steps(read, data, BASE + EACH * len(data)) > 10, file


@pytest.mark.parametrize("name", run.TARGETS)
def test_what_is_nearly_the_corpus_breaks_nothing(name, tmp_path):
    read, target = reader(name, tmp_path)
    draw = random.Random(None if LONG else zlib.crc32(name.encode()))
    whole = list(seeds(name).values())
    for _ in range(LONG or CHANGES[name]):
        data = changed(draw.choice(whole), draw, target.SHAPE, target.WORDS, run.MOST)
        (tmp_path / "read").write_bytes(data)  # what it was, should this fail
        bounded(read, data)


def test_the_corpus_is_small():
    sizes = [path.stat().st_size for path in run.CORPUS.rglob("*") if path.is_file()]
    assert sum(sizes) < 2**20 and max(sizes) < 2**17 and {p.name for p in run.CORPUS.iterdir()} == set(run.TARGETS)
