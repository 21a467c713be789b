"""Lab 03's part on a real model, with models whose chat templates are not ChatML."""

import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "stages"))
from test_chat_templates import write  # noqa: E402


@pytest.mark.parametrize("family", ["llama3", "gemma", "phi3"])
def test_lab_03_trains_whatever_the_template_is(tmp_path, monkeypatch, capsys, family):
    monkeypatch.setenv("COURSE_SMOLLM", str(write(tmp_path / family, family)))
    cells = nbformat.read(ROOT / "solutions" / "03_supervised_fine_tuning.ipynb", as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    part = next(source for source in code if "crier_questions" in source)
    names = {"course": SimpleNamespace(size="tiny"), "device": "cpu", "small": True}
    for head in ("import torch", "# EXERCISE collate", "# EXERCISE sft_loss"):
        exec(next(source for source in code if head in source), names)
    exec("batch_of, loss_fn = collate, sft_loss", names)
    exec(part, names)
    assert "parameters trained in 2 steps" in capsys.readouterr().out
    ids, labels = names["taught"][0]
    said = names["words"].decode(labels[labels != -100])
    answer = names["lab"].crier_rows()[0]["messages"][-1]["content"]
    assert said.startswith(answer) and said[len(answer) :] == names["words"].eos_token
    assert len(names["real_losses"]) == 2 and all(0 < loss < 20 for loss in names["real_losses"])
