"""`course bench real`: what of a lab is run, and the figures of two builds."""

import argparse
import contextlib
import math
import shutil

import pytest
from tiny_smollm2 import write

from course_lib.bench import real_memory
from course_lib.bench.real_part import code_cells, sliced
from course_lib.platform import ROOT, CourseError

LAB = "09_ai_feedback"
SOURCE = """\
# ---
# %% [markdown]
# A lab

# %%
import math
from os import path, sep

# %%
# EXERCISE half
def half(x):
    return x / DIVISOR

DIVISOR = 1
DIVISOR, unused = 2, "not run"

# %%
# LONG
raise SystemExit("trained for an hour")
model = math.inf
ours = mine("half", globals(), lambda x: math.nan)

# %%
part = [ours(x) for x in range(3) if path]
"""


def test_only_what_the_part_needs_is_run():
    cells = code_cells(SOURCE)
    assert len(cells) == 4
    kept = "\n".join(sliced(cells, 3))
    for needed in ("import math", "import path", "def half", "DIVISOR, unused =", "ours = mine("):
        assert needed in kept
    assert "SystemExit" not in kept and "model =" not in kept and "DIVISOR = 1" not in kept
    names = {"mine": lambda name, namespace, other: namespace[name]}
    exec(kept + "\n" + cells[3], names)
    assert names["part"] == [0, 0.5, 1]


@pytest.mark.slow
def test_two_builds_are_measured_and_compared(tmp_path, monkeypatch):
    model = write(tmp_path / "model")
    large = bytearray(2**30)  # of the process that starts them: no part of theirs
    large[:: 2**12] = b"x" * 2**18
    runs = {LAB: {build: real_memory.part(ROOT, LAB, "tiny", model) for build in ("new", "old")}}
    del large
    made = real_memory.figures(runs)
    assert 0.1 < made["real_peak_gb"] < 1 and made["real_memory_ratio"] == made["09_memory_ratio"]
    assert made["real_memory_ratio"] == pytest.approx(1, abs=0.2) and math.isfinite(made["real_cpu_ratio"])
    assert made["same_text"] == [LAB] and "right answer" in made["labs"][LAB]["new"]["printed"]
    seen = []
    monkeypatch.setenv("COURSE_SMOLLM", str(model))
    monkeypatch.setattr(real_memory, "worktree", lambda sha: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(real_memory, "part", lambda root, lab, *_: seen.append(lab) or runs[LAB]["new"])
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / f"{LAB}.ipynb").touch()
    assert real_memory.bench_real(argparse.Namespace(size="tiny", against="HEAD"))["labs"].keys() == {LAB} == {*seen}
    alone = real_memory.bench_real(argparse.Namespace(size="tiny", against=None))
    assert [lab[:2] for lab in alone["labs"]] == ["03", "04", "06", "07", "08", "09", "10", "12"]
    shutil.rmtree(model)
    monkeypatch.setenv("COURSE_SMOLLM", str(model))
    with pytest.raises(CourseError, match="run `course smollm2` first"):
        real_memory.bench_real(argparse.Namespace(size="tiny", against=None))
