"""The tour at size tiny: every phase has its figure, a killed one goes on, nothing is done twice, the page is whole,
the student's own stages stay.
"""

import json
import math
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from course_lib.stages import grpo, pretrain, sft
from course_lib.stages.artifacts import load_folder, save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.tour import lifecycle, phases, tour
from course_lib.tour.phases import Tour, done, figure, minutes_left, recipe_of

# fmt: off
NAMES = ["data", "tokenizer", "pretrain", "sft", "lora", "reward", "rlhf", "dpo", "constitution", "refusals",
    "evaluation", "reasoning"]
# fmt: on


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module", autouse=True)
def known_machine():
    """A tour says how fast this machine multiplies: not measured anew for each of these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "matmul_rate", lambda seconds: 100.0)
        yield


@pytest.fixture(scope="module")
def toured(tmp_path_factory):
    """(the student's work folder, its files before, the figures as JSON) after a whole tour in the default place."""
    work = tmp_path_factory.mktemp("work")
    for name in ("pretrain", "sft", "helpful", "safe"):
        save_stage(name, Llama(ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)), {"mine": True}, work / name)
    before = files(work)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_WORK", str(work))
        assert tour.main(["--size", "tiny", "--json", str(work / "reports" / "figures.json")]) == 0
    return (
        work,
        before,
        json.loads(
            (work / "reports" / "figures.json").read_text(),
            parse_constant=lambda name: pytest.fail(f"{name} is no JSON"),
        ),
    )


@pytest.mark.slow
def test_every_phase_has_its_figure_beside_its_limit(toured):
    work, _, report = toured
    assert list(report) == NAMES == [phase.name for phase in tour.PHASES]
    for phase in report.values():
        assert set(phase) == {"metric", "value", "limit", "unit", "seconds", "also"} and phase["seconds"] > 0
        for each in (phase, *phase["also"]):
            assert each["metric"] and each["unit"] in ("%", "bytes", "utility", "points")
            assert isinstance(each["limit"], int | float) and (each["value"] is None or math.isfinite(each["value"]))
    assert 90 < report["data"]["value"] <= 100 and 4 < report["tokenizer"]["value"] <= report["tokenizer"]["limit"] < 5
    assert report["pretrain"]["value"] > 0 == report["pretrain"]["limit"] and 40 < report["reward"]["value"] <= 100
    table = (work / "tour-tiny" / "tour.md").read_text().splitlines()
    assert len(table) == 2 + sum(1 + len(phase["also"]) for phase in report.values()) and all(
        line.count("|") == 6 for line in table
    )


@pytest.mark.slow
def test_the_page_is_whole_and_needs_no_network(toured):
    folder = toured[0] / "tour-tiny"
    text = (folder / "tour.html").read_text()
    page = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    assert [item.get("id") for item in page.iter("li")] == NAMES
    talks = [section for section in page.iter("section") if section.get("class") == "talk"]
    assert len(talks) == 8 and all(
        " · ".join(dt.text for dt in talk.iter("dt")) == " · ".join(["a right answer", *tour.TALKERS.values()])
        for talk in talks
    )
    assert all("".join(dd.itertext()).strip() for dd in page.iter("dd"))
    sources = [node.get("src") or node.get("srcset") for node in page.iter() if node.get("src") or node.get("srcset")]
    assert (
        len(sources) == 2
        and len(set(sources)) == 2
        and all(source.startswith("data:image/png;base64,") for source in sources)
    )
    assert (
        "http" not in text
        and "url(" not in text
        and "<script" not in text
        and "prefers-color-scheme: dark" in text
        and 'name="viewport"' in text
    )
    assert (
        "threads" in text
        and f"torch {torch.__version__}" in text
        and "fp32 matmul 100 GFLOP/s" in text
        and "0 in every phase" in text
    )
    assert (folder / "tour.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_students_own_stages_stay_as_they_are(toured):
    work, before, _ = toured
    assert {
        name: content for name, content in files(work).items() if not name.startswith(("tour-tiny/", "reports/"))
    } == before
    assert not list((work / "tour-tiny").rglob("checkpoint*"))


@pytest.mark.slow
def test_the_policies_start_from_the_assistant_as_sampled_and_refusals_from_the_unchanged_one(toured):
    norm = {
        name: load_folder(toured[0] / "tour-tiny" / name, name)[0].model.norm.weight.mean().item()
        for name in ("sft", "rlhf", "dpo", "helpful", "constitution", "safe", "cold", "reasoning")
    }
    assert all(norm[name] == pytest.approx(norm["sft"] / 0.6, rel=0.05) for name in ("rlhf", "dpo"))
    unchanged = ("helpful", "constitution", "safe", "cold")
    assert all(norm[name] == pytest.approx(norm["sft"], rel=0.2) for name in unchanged)
    assert norm["reasoning"] == pytest.approx(norm["cold"] / 0.6, rel=0.05)


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_makes_the_page_again(toured, monkeypatch, capsys):
    work, _, report = toured
    before = files(work / "tour-tiny")
    (work / "tour-tiny" / "tour.html").unlink()
    monkeypatch.setattr(tour, "run", lambda *_: pytest.fail("a phase ran again"))
    assert tour.main(["--size", "tiny", "--out", str(work / "tour-tiny"), "--json", str(work / "again.json")]) == 0
    assert json.loads((work / "again.json").read_text()) == report
    said = capsys.readouterr()
    assert (
        said.err.count("done before") == len(NAMES)
        and "tour.html" in said.out
        and "harmful refused" in " ".join(said.out.split())
    )
    pages = ("tour.html", "tour.md", "tour.png")
    assert {name: content for name, content in files(work / "tour-tiny").items() if name not in pages} == {
        name: content for name, content in before.items() if name not in pages
    }
    (work / "again.json").unlink()


@pytest.mark.slow
def test_only_what_stands_on_a_changed_recipe_is_undone(toured, monkeypatch, tmp_path):
    here = Tour("tiny", toured[0] / "tour-tiny", "here")
    undone = lambda: [phase.name for phase in tour.PHASES if not done(here, phase)]
    assert undone() == []
    with monkeypatch.context() as patch:
        patch.setitem(grpo.PRESETS, "tiny", replace(grpo.PRESETS["tiny"], steps=4))
        assert undone() == ["rlhf"]
        patch.setitem(sft.PRESETS, "tiny", replace(sft.PRESETS["tiny"], epochs=2))
        assert undone() == NAMES[3:]
        patch.setitem(sft.PRESETS, "laptop", replace(sft.PRESETS["laptop"], epochs=2))
    assert undone() == [] and recipe_of(lifecycle.SFT, "tiny") != recipe_of(lifecycle.SFT, "laptop")
    with monkeypatch.context() as patch:
        source = phases.inspect.getsource
        patch.setattr(
            phases.inspect, "getsource", lambda module: source(module) + "# mended" * (module is lifecycle.harms)
        )
        assert undone() == ["constitution", "refusals", "evaluation", "reasoning"], "harms.py makes the requests"
    figures = here.folder / "figures" / "dpo.json"
    kept = figures.read_bytes()
    for damaged in (kept[:40], b"", b"[]", b"\xff"):
        figures.write_bytes(damaged)
        assert undone() == ["dpo"]
    figures.write_bytes(kept)
    (here.folder / "lora" / "model.safetensors").rename(tmp_path / "away")
    assert undone() == ["lora"]
    (tmp_path / "away").rename(here.folder / "lora" / "model.safetensors")


KILLED = """
    import sys
    from pathlib import Path
    from course_lib.tour import lifecycle, phases
    train = lifecycle.pretrain.pretrain
    def slow(*arguments, **options):
        on_step = lambda history: print(len(history), flush=True)
        return train(*arguments, checkpoint_steps=10, on_step=on_step, **options)
    lifecycle.pretrain.pretrain = slow
    phases.run(phases.Tour("tiny", Path(sys.argv[1]), "here"), lifecycle.PRETRAIN)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(toured, tmp_path, monkeypatch):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout:
            if int(line) == 55:
                process.send_signal(signal.SIGKILL)
                break
    [checkpoint] = tmp_path.rglob("checkpoint.safetensors")
    assert checkpoint.parent.name == recipe_of(lifecycle.PRETRAIN, "tiny") and not (tmp_path / "figures").exists()
    steps, train = [], pretrain.pretrain
    monkeypatch.setattr(
        pretrain,
        "pretrain",
        lambda *arguments, **options: train(*arguments, on_step=lambda history: steps.append(len(history)), **options),
    )
    started = time.perf_counter()
    result = phases.run(Tour("tiny", tmp_path, "here"), lifecycle.PRETRAIN)
    took = time.perf_counter() - started
    assert 50 < steps[0] <= 61 and not checkpoint.exists(), "it goes on from the checkpoint"
    whole, resumed = (
        load_folder(folder / "pretrain", "pretrain")[0].state_dict() for folder in (toured[0] / "tour-tiny", tmp_path)
    )
    assert all(torch.allclose(whole[name], resumed[name], atol=1e-5) for name in whole)
    assert result["seconds"] >= 60 * load_folder(tmp_path / "pretrain", "pretrain")[1]["minutes"], (
        f"the seconds before the kill count, too ({took:.1f} s since)"
    )
    assert result["figures"][0]["value"] == pytest.approx(toured[2]["pretrain"]["value"], rel=1e-3)


def test_a_phase_killed_between_two_models_keeps_the_first(tmp_path):
    """The figures are missing, the first model is there: it is loaded, its seconds count, and only a model of the same
    recipe counts.
    """
    model, here = (
        Llama(ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)),
        Tour("tiny", tmp_path, "here", recipe="new"),
    )
    save_stage("full", model, {"tour": "new", "seconds": 7.5}, tmp_path / "full")
    assert (
        torch.equal(
            here.made("full", lambda out: pytest.fail("trained again")).model.norm.weight, model.model.norm.weight
        )
        and here.earlier == 7.5
    )
    asked = []

    def train(out):
        asked.append(out)
        return pretrain.Run(model, [], {"minutes": 1.0})

    here.recipe, here.earlier = "newer", 0.0
    here.made("full", train)
    assert asked == [tmp_path / "training" / "full" / "newer"] and here.earlier > 50, (
        "59 of these 60 seconds lay before a kill"
    )
    assert load_folder(tmp_path / "full", "full")[1]["tour"] == "newer"


def test_ctrl_c_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def stop(here):
        raise KeyboardInterrupt

    monkeypatch.setattr(tour, "PHASES", (replace(lifecycle.DATA, act=stop),))
    assert tour.main(["--size", "tiny", "--out", str(tmp_path)]) == 130
    assert "run the same command again" in capsys.readouterr().err.splitlines()[-1]


def one_line(capsys, *arguments) -> str:
    assert tour.main(["--size", "tiny", *arguments]) == 2
    said = capsys.readouterr()
    [line] = [line for line in said.err.splitlines() if not line.startswith("[")]
    return line


def test_bad_places_are_one_line_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tour, "run", lambda *_: pytest.fail("a phase ran"))
    (tmp_path / "file").write_text("")
    assert "cannot write to" in one_line(capsys, "--out", str(tmp_path / "file" / "tour"))
    assert "cannot write to" in one_line(
        capsys, "--out", str(tmp_path / "tour"), "--json", str(tmp_path / "file" / "figures.json")
    )
    assert "give --json a file" in one_line(capsys, "--out", str(tmp_path / "tour"), "--json", str(tmp_path))
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "file"))
    assert "COURSE_WORK" in one_line(capsys)
    monkeypatch.setenv("COURSE_MIN_FREE_MB", str(10**9))
    assert "MB are free" in one_line(capsys, "--out", str(tmp_path / "tour"))
    with pytest.raises(SystemExit):
        tour.main(["--size", "huge"])


def test_a_disk_that_fills_up_is_one_line(tmp_path, monkeypatch, capsys):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("course_lib.stages.artifacts.write_atomic", full)
    monkeypatch.setattr(
        tour, "PHASES", (replace(lifecycle.DATA, act=lambda here: ([figure("a share", 0.5, 100)], "")),)
    )
    assert "No space left on device" in one_line(capsys, "--out", str(tmp_path / "tour"))
    assert not (tmp_path / "tour" / "figures" / "data.json").exists()


def test_minutes_left_follow_the_pace_of_this_machine():
    usual = {phase.name: phase.seconds[1] for phase in tour.PHASES}
    assert minutes_left(tour.PHASES, "laptop", [], []) == pytest.approx(sum(usual.values()) / 60)
    slow = [{"name": "data", "seconds": 2 * usual["data"]}]
    assert minutes_left(tour.PHASES, "laptop", slow, slow) == pytest.approx(
        2 * (sum(usual.values()) - usual["data"]) / 60
    )
    assert minutes_left(tour.PHASES, "laptop", slow, []) == pytest.approx((sum(usual.values()) - usual["data"]) / 60), (
        "what was done before says nothing of the pace"
    )
    assert minutes_left(tour.PHASES, "tiny", [{"name": name, "seconds": 1.0} for name in usual], []) == 0


def test_phases_stand_on_earlier_ones_only():
    for k, phase in enumerate(tour.PHASES):
        assert all(other in tour.PHASES[:k] for other in phase.needs)
    assert len({recipe_of(phase, "tiny") for phase in tour.PHASES}) == len(NAMES)
    assert not any(" at 0x" in repr(each) for phase in tour.PHASES for each in phase.settings), (
        "a recipe has the same hash in every process"
    )
    assert figure("a share of nothing", math.nan, 100)["value"] is None


def test_make_tour_is_a_verb():
    done = subprocess.run(
        ["make", "-n", "tour", "ARGS=--size tiny"], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert "scripts/install.sh lab" in done.stdout and ".venv/bin/course tour --size tiny" in done.stdout
