"""What the repository ships comes out of the seed again, byte for byte where no library's version decides the bytes."""

import pytest
import torch

from course_lib.authoring import ship
from course_lib.stages.artifacts import load_folder
from course_lib.stages.pretrain import Run
from course_lib.stages.tokenizer import SHIPPED


def test_the_tokenizer_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "TOKENIZER", tmp_path / "tokenizer.json")
    assert ship.main(["tokenizer"]) == 0
    assert (tmp_path / "tokenizer.json").read_bytes() == SHIPPED.read_bytes()


def test_an_unknown_part_names_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        ship.main(["models"])
    assert (
        "no part 'models': choose from tokenizer, datasets, instructions, pretrain, sft, reader"
        in capsys.readouterr().err
    )


def test_the_reasoning_model_starts_from_the_shipped_safe_one(tmp_path, monkeypatch):
    (tmp_path / "safe").symlink_to(ship.SHIPPED / "safe")
    monkeypatch.setattr(ship, "SHIPPED", tmp_path)
    found = {"pass": {1: 0.9, 32: 1.0}, "false_step": 0.01}
    scores = {"seed": 0, "rl": {"residents": found, "kinds": found}, "share_of_pass32": 0.95, "tax_points": 1.0}

    def trained(size, seed, base):
        return Run(base, [], {"parent": "safe", "minutes": 2.0}), scores | {"minutes": 5.0}

    monkeypatch.setattr("course_lib.evaluation.runs.reasoning.reasoning_run", trained)
    assert ship.main(["reasoning"]) == 0
    model, record = load_folder(tmp_path / "reasoning", "reasoning")
    first = load_folder(tmp_path / "safe", "safe")[0]
    assert all(torch.equal(weight, first.state_dict()[name]) for name, weight in model.state_dict().items())
    assert record["parent"] == "safe" and record["metrics"]["residents"] == 0.9
    assert (tmp_path / "reasoning" / "model.safetensors").stat().st_size < 2.5e6
