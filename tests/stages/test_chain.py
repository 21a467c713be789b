"""`course bench chain`: two builds by turns, what is compared, and a bench that goes on where it was stopped."""

import argparse
import json
import math
import subprocess

import pytest

from course_lib.bench import bench, chain
from course_lib.platform import CourseError

pytestmark = pytest.mark.slow


def arguments(folder, **changed):
    made = {"size": "tiny", "seeds": 2, "json": True, "against": "HEAD", "phases": "tokenizer", "out": str(folder)}
    return argparse.Namespace(**{**made, **changed})


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A course folder of two commits, whose phases take no time: each says its build's number, and the seed."""
    root = tmp_path / "course"
    package = root / "course_lib"
    root.mkdir()
    (root / ".gitignore").write_text("__pycache__\n")
    run = lambda *command: subprocess.run(["git", "-C", str(root), *command], check=True, capture_output=True)
    for build, layout in ((1, "phases.py tour.py"), (2, "tour/phases.py tour/lifecycle.py")):
        phases, acts = (package / name for name in layout.split())
        for old in (package / "phases.py", package / "tour.py"):
            old.unlink(missing_ok=True)
        (package / "shipped" / "sft").mkdir(parents=True, exist_ok=True)
        (package / "shipped" / "sft" / "model.safetensors").write_text("weights")
        phases.parent.mkdir(exist_ok=True)
        for init in {package / "__init__.py", phases.parent / "__init__.py"}:
            init.write_text("")
        phases.write_text(
            "import dataclasses, pathlib\nSEED = 0\n"
            "@dataclasses.dataclass\nclass Phase:\n    name: str\n"
            "@dataclasses.dataclass\nclass Tour:\n    size: str\n    folder: pathlib.Path\n    machine: str\n"
            "def run(tour, phase):\n"
            "    assert (tour.folder / 'sft' / 'model.safetensors').read_text() == 'weights'\n"
            f"    value = None if phase.name == 'lora' else {build} * 10.0 + SEED\n"
            "    return {'figures': [{'metric': phase.name, 'unit': '%', 'limit': 100, 'value': value}]}\n"
        )
        imported = "course_lib.phases" if build == 1 else "course_lib.tour.phases"
        acts.write_text(f"from {imported} import Phase\nPHASES = [Phase('tokenizer'), Phase('lora')]\nSEED = 0\n")
        if build == 1:
            run("init", "-q")
        run("add", ".")
        run("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", f"build {build}")
    monkeypatch.setattr(chain, "ROOT", root)
    monkeypatch.setattr(chain, "matmul_rate", lambda: 100.0)
    return root


def test_two_builds_of_two_layouts_are_compared_seed_by_seed(repository, tmp_path, capfd):
    result = chain.bench_chain(arguments(tmp_path / "out", against="HEAD~1", phases="tokenizer,lora"))
    json.dumps(result)
    figure, change = result["phases"]["tokenizer"]["figure"], result["phases"]["tokenizer"]["change"]
    assert figure["old"]["mean"] == 10.5 and figure["new"]["mean"] == 20.5
    assert figure["old"]["low"] == pytest.approx(10.5 - 12.706 * 0.5, abs=1e-3), "Student's t of two seeds"
    assert change == {"mean": 10.0, "low": 10.0, "high": 10.0}
    assert result["phases"]["lora"]["figure"]["new"] == {"mean": None, "low": None, "high": None}
    for key in ("chain_ratio", "chain_cpu_ratio", "memory_ratio", "tokenizer_ratio", "lora_ratio"):
        assert result[key] > 0 and math.isfinite(result[key])
    *turns, head, tokenizer, lora = capfd.readouterr().err.splitlines()
    old, new = result["against"][:7], result["build"][:7]
    assert [line.partition("] ")[2].split(":")[0] for line in turns] == [
        f"{name}, seed {seed}, {b}" for seed in (0, 1) for name in ("tokenizer", "lora") for b in (old, new)
    ]
    assert turns[0].startswith("[1 of 8, about ") and "min left] " in turns[7]
    assert tokenizer.endswith("tokenizer: 10.50 → 20.50") and lora.endswith("lora: – → –")
    listed = subprocess.run(["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True).stdout
    assert listed.count("\n") == 1, "the worktree is gone"


def test_a_bench_that_was_stopped_goes_on_and_a_changed_file_is_another_build(repository, tmp_path, monkeypatch):
    out = tmp_path / "out"
    whole = chain.bench_chain(arguments(out))
    run, started = subprocess.run, []

    def counted(command, *args, **options):
        started.extend([command] if "chain_phase.py" in str(command[1]) else [])
        return run(command, *args, **options)

    monkeypatch.setattr(chain.subprocess, "run", counted)
    assert chain.bench_chain(arguments(out))["phases"] == whole["phases"] and not started
    next(out.glob(f"tokenizer-tiny-1-*-{whole['build']}.json")).write_text('{"half')
    chain.bench_chain(arguments(out))
    assert len(started) == 1
    source = repository / "course_lib" / "tour" / "phases.py"
    source.write_text(source.read_text() + "\n")
    changed = chain.bench_chain(arguments(out))["build"]
    assert len(started) == 3 and changed.startswith(whole["build"] + "+")
    (repository / "course_lib" / "new.py").write_text("x = 1\n")
    assert chain.here() not in (changed, whole["build"])


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"against": "no-such-commit"}, "there is no such commit"),
        ({"against": None}, "needs --against REV"),
        ({"phases": "tokenizer,dop"}, "no phase 'dop': choose from data, tokenizer"),
    ],
)
def test_what_cannot_be_compared_is_one_line(repository, tmp_path, changed, words):
    with pytest.raises(CourseError, match=words) as error:
        bench.measure("chain", arguments(tmp_path / "out", **changed))
    assert "\n" not in str(error.value)


def test_a_phase_that_fails_is_one_line_and_leaves_no_worktree(repository, tmp_path):
    (repository / "course_lib" / "shipped" / "sft" / "model.safetensors").write_text("other")
    with pytest.raises(CourseError, match="phase tokenizer of .* failed: AssertionError"):
        chain.bench_chain(arguments(tmp_path / "out"))
    listed = subprocess.run(["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True).stdout
    assert listed.count("\n") == 1


def test_a_phase_that_fails_keeps_no_other_from_being_measured(repository, tmp_path):
    source = repository / "course_lib" / "tour" / "phases.py"
    broken = source.read_text().replace("    value =", "    assert phase.name != 'tokenizer'\n    value =")
    source.write_text(broken)
    with pytest.raises(CourseError, match="phase tokenizer of .* failed: AssertionError .and 1 more.; what"):
        chain.bench_chain(arguments(tmp_path / "out", against="HEAD~1", phases="tokenizer,lora"))
    assert len(list((tmp_path / "out").glob("lora-*.json"))) == 4, "two builds, two seeds"


def test_a_phase_that_the_older_build_has_not_is_left_out_and_said(repository, tmp_path, capfd):
    source = repository / "course_lib" / "tour" / "lifecycle.py"
    source.write_text(source.read_text().replace("Phase('lora')", "Phase('lora'), Phase('reasoning')"))
    for _ in range(2):  # the second one reads what the first one has kept
        result = chain.bench_chain(arguments(tmp_path / "out", phases="tokenizer,reasoning"))
        assert list(result["phases"]) == ["tokenizer"] and result["lacking"] == ["reasoning"]
        lines = capfd.readouterr().err.splitlines()
        assert lines[-1] == "reasoning       left out: the older build has no such phase"
        assert lines[-2].endswith("tokenizer: 20.50 → 20.50")
    assert [file.read_text() for file in (tmp_path / "out").glob("reasoning-*.json")] == ["{}"]
    with pytest.raises(CourseError, match="has none of these phases: reasoning; choose others"):
        chain.bench_chain(arguments(tmp_path / "out", phases="reasoning"))


def test_what_was_changed_while_it_was_measured_is_not_kept(repository, tmp_path, monkeypatch):
    builds = iter(["as it was", "as it is", "as it is", "as it is"])
    monkeypatch.setattr(chain, "here", lambda: next(builds))
    with pytest.raises(CourseError, match="course_lib was changed while phase lora ran"):
        chain.bench_chain(arguments(tmp_path / "out", phases="lora", seeds=1))
    [old] = (tmp_path / "out").glob("*.json")
    assert old.name.endswith(f"-{chain.git('rev-parse', 'HEAD')}.json")


@pytest.mark.parametrize(
    "limit, low, high, is_worse",
    [(100, -3, -1, True), (100, -3, 1, False), (100, 1, 3, False), (0, 1, 3, True), (0, -3, -1, False)]
    + [(100, None, None, False)],
)
def test_a_figure_is_worse_when_its_interval_says_so(limit, low, high, is_worse):
    assert chain.worse({"limit": limit, "change": {"mean": 0.0, "low": low, "high": high}}) == is_worse


def test_the_minutes_left_follow_the_pace_of_each_build(repository):
    usual = {phase.name: phase.seconds[1] for phase in chain.PHASES}
    plan = [("new", "sft", 1), ("old", "dpo", 1)]
    assert chain.minutes_left(plan, {}, "laptop") == pytest.approx((usual["sft"] + usual["dpo"]) / 60)
    runs = {("new", "lora", 0): {"wall_s": 2 * usual["lora"]}, ("old", "lora", 0): {"wall_s": 3 * usual["lora"]}}
    assert chain.minutes_left(plan, runs, "laptop") == pytest.approx((2 * usual["sft"] + 3 * usual["dpo"]) / 60)
