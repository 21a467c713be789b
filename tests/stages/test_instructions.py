"""The assistant's answers: order kept, stops at the end of its turn, judged row by row."""

import torch

from course_lib.evaluation.instructions import respond, score
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.sft import SFTConfig, finetune
from course_lib.stages.tokenizer import load_tokenizer


def chat(asked, answer):
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "kind": asked[0],
        "check": {"exactly": answer},
    }


ROWS = [
    chat("A?", "the mill"),
    chat("Bird, please?", "a goose"),
    chat("Cake or pie or a little more of both?", "plum cake"),
]


def test_a_model_that_learned_three_answers_gives_them_in_order():
    torch.manual_seed(0)
    model = Llama(ModelConfig(hidden=32, intermediate=64, layers=2, heads=2))
    finetune(model, ROWS, SFTConfig(epochs=60, batch=512, learning_rate=1e-2, validations=0), progress=False)
    tokenizer = load_tokenizer()
    assert respond(model, tokenizer, [row["messages"][:-1] for row in ROWS], batch=2) == [
        "the mill",
        "a goose",
        "plum cake",
    ]
    model.train()
    result = score(model, tokenizer, [*ROWS, chat("A?", "the inn")])
    assert result["accuracy"] == 0.75 and result["by_kind"] == {"A": 0.5, "B": 1.0, "C": 1.0} and result["n"] == 4
    assert model.training
