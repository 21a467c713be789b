"""What a recipe is given to start from stays as it was: a lab compares the two."""

import pytest
import torch

from course_lib.stages import constitution, lora, reasoning, refusal, sft
from course_lib.stages.artifacts import load_stage
from course_lib.stages.refusal import PRACTISED
from course_lib.world.harms import request_rows

ROWS = request_rows("train", 20, "bases", PRACTISED)
RECIPES = {
    "sft": lambda base: sft.sft("tiny", 0, base, progress=False),
    "read": lambda base: sft.read("tiny", 0, base, progress=False),
    "helpful": lambda base: refusal.helpful("tiny", 0, base, progress=False),
    "refuse": lambda base: refusal.refuse("tiny", 0, base, progress=False),
    "constitution": lambda base: constitution.learn(
        [row | {"revised": False} for row in ROWS], "tiny", 0, base, progress=False
    ),
    "cold start": lambda base: reasoning.cold_start("tiny", 0, base, progress=False),
    "LoRA": lambda base: lora.lora("tiny", 0, base=base, progress=False),
    "QLoRA": lambda base: lora.lora("tiny", 0, base=base, four_bits=True, progress=False),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_a_copy(recipe):
    base = load_stage("sft").model
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    run = RECIPES[recipe](base)
    assert run.model is not base and list(base.state_dict()) == list(before)
    assert all(torch.equal(weight, before[name]) for name, weight in base.state_dict().items())
    assert all(weight.requires_grad for weight in base.parameters())
