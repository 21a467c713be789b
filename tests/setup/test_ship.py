"""What the repository ships comes out of the seed again, byte for byte where no library's version decides the bytes."""

import pytest

from course_lib.authoring import ship
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
