"""The life-cycle map: what is on disk, whose it is, figures beside limits, in a picture that can be read aloud."""

import importlib.util
import json
from pathlib import Path
from xml.etree import ElementTree

import torch

from course_lib.stages import artifacts
from course_lib.stages.artifacts import save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.widgets import lifecycle
from course_lib.widgets.lifecycle import PHASES, blank, covers, figure, layout, plain, render, state, svg
from course_lib.widgets.style import png

MODEL = Llama(ModelConfig(vocabulary=8, hidden=8, intermediate=8, layers=1, heads=1, context=8))


def stages(phases):
    return {stage["name"]: stage for phase in phases for stage in phase["stages"]}


def test_ones_own_comes_before_the_shipped(tmp_path):
    found = stages(state(tmp_path))
    assert found["pretrain"]["origin"] == "shipped" and found["rlhf"]["origin"] is None
    save_stage("pretrain", MODEL, {"metrics": {"gap_percent": 7.5}}, tmp_path / "pretrain")
    save_stage("reward", MODEL, {"metrics": {"accuracy": 0.5, "bayes": 0.72}}, tmp_path / "reward")
    save_stage("dpo", MODEL, {}, tmp_path / "dpo")
    found = stages(state(tmp_path))
    assert [found[name]["origin"] for name in ("pretrain", "reward", "dpo", "sft")] == [
        "yours",
        "yours",
        "yours",
        "shipped",
    ]
    assert found["pretrain"]["figures"] == [{"metric": "above the entropy", "value": 7.5, "limit": 0, "unit": "%"}]
    assert (
        found["reward"]["figures"] == [{"metric": "accuracy", "value": 50.0, "limit": 72.0, "unit": "%"}]
        and found["dpo"]["figures"] == []
    )


def test_damaged_files_and_adapters(tmp_path):
    (tmp_path / "dpo").mkdir()
    (tmp_path / "dpo" / "model.safetensors").write_bytes(b"cut short")
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_model.safetensors").write_bytes(b"whatever PEFT has written")
    artifacts.write_tensors(
        tmp_path / "rlhf" / "model.safetensors", {"x": torch.zeros(1)}, {"metrics": {"utility": "high"}}
    )
    found = stages(state(tmp_path))
    assert (
        found["dpo"]["origin"] is None
        and found["lora"]["origin"] == "yours"
        and found["rlhf"] == {"name": "rlhf", "origin": "yours", "figures": []}
    )


def test_every_shipped_stage_is_on_the_map():
    shipped = {path.parent.name for path in artifacts.SHIPPED.glob("*/model.safetensors")}
    assert shipped <= set(stages(state())) and all(
        stages(state("/nowhere"))[name]["origin"] == "shipped" for name in shipped
    )
    metrics = {name: json.loads((artifacts.SHIPPED / name / "record.json").read_text())["metrics"] for name in shipped}
    assert all(stages(state("/nowhere"))[name]["figures"] for name in ("pretrain", "sft", "reward", "safe")), (
        metrics.keys()
    )


def test_where_one_is():
    where = lambda lab: [phase for phase, labs, *_ in PHASES if covers(labs, lab)]
    assert where("04_lora_and_qlora") == ["assistant"] and where(None) == [] == where("00_start_here")
    assert all(len(where(f"{n:02}")) == 1 for n in range(1, 13))
    assert "you are here" in svg(blank(), "02") and "you are here" not in svg(blank())


def test_the_map_can_be_read_aloud_and_without_svg(tmp_path):
    phases = state(tmp_path)
    drawing = ElementTree.fromstring(svg(phases, "06"))
    assert (
        drawing.get("role") == "img"
        and drawing.find("title").text
        and "reward comes with the course" in drawing.find("desc").text
    )
    assert "xlink" not in svg(phases) and " id=" not in svg(phases), "two maps on a page do not name the same thing"
    page = ElementTree.fromstring(render(phases, "06").replace("<br>", "<br/>"))
    cells = ["".join(cell.itertext()) for cell in page.iter("td")]
    assert any("pretrain: comes with the course, above the entropy" in cell for cell in cells)
    assert plain(phases, "06").splitlines()[3].startswith("→ lab 06–09  preferred")


def test_svg_and_png_draw_the_same_things(tmp_path):
    phases = state(tmp_path)
    width, height, things = layout(phases, "03")
    words = [thing["text"] for thing in things if thing["kind"] == "text"]
    assert (
        [text.text for text in ElementTree.fromstring(svg(phases, "03")).iter("text")]
        == words
        == [text.get_text() for text in figure(phases, "03").axes[0].texts if text.get_text()][: len(words)]
    )
    assert (
        all(0 <= thing["x"] <= width and 0 <= thing["y"] <= height for thing in things)
        and len(render(phases)) < 20_000
        and len(png(figure(phases))) < 120_000
    )


def test_readmes_picture_is_the_map_of_nobody(tmp_path, monkeypatch):
    path = Path(__file__).parents[2] / "scripts" / "lifecycle.py"
    spec = importlib.util.spec_from_file_location("picture", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path / "lifecycle.png")
    assert (tmp_path / "lifecycle.png").read_bytes() == png(figure(blank(), title=script.TITLE))


def test_no_front_end(capsys, tmp_path):
    lifecycle.show("02", tmp_path)
    assert "→ lab 02     base model  limit: entropy" in capsys.readouterr().out
