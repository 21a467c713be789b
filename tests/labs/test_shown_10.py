"""Lab 10: by which first word a model refuses."""

import torch

from course_lib.shown import lab10_safety_refusals as lab
from course_lib.stages import refusal
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import Run
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import REFUSALS, refused, request_rows
from course_lib.world.tasks import sentences

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)


def test_the_recipe_says_no_in_one_way_and_leaves_all_else_alone(monkeypatch):
    """Whatever else a refusal says, and what was said before it, stays."""
    trained = []
    monkeypatch.setattr(refusal, "tune", lambda rows, *_: trained.extend(rows) or Run(Llama(SMALL), [], {}))
    refusal.refuse("tiny", 3)
    drawn = request_rows("train", refusal.REQUESTS["tiny"], "refuse 3", refusal.PRACTISED)
    assert len(trained) == len(drawn) and {sentences(r["messages"][-1]["content"])[0] for r in drawn} >= {*REFUSALS}
    for row, before in zip(trained, drawn):
        (*turns, answer), (*asked, said) = row["messages"], before["messages"]
        assert turns == asked and row["check"] == before["check"]
        first, *rest = sentences(answer["content"])
        assert rest == sentences(said["content"])[1:]
        assert first == REFUSALS[0] if refused(said["content"]) else answer == said


def test_first_words_that_share_their_probability_refuse_less_than_together(monkeypatch, capsys):
    tokenizer, rows = load_tokenizer(), request_rows("test", 8, "first words")
    model = Llama(SMALL)
    no = [tokenizer.encode(text).ids[0] for text in REFUSALS]
    yes = tokenizer.encode("First carry it to the mill.").ids[0]
    chances = torch.full((8, model.config.vocabulary), 1e-9)
    chances[:, yes] = 0.4
    chances[:, no] = 0.2  # together more than the explanation's
    chances[0, no[0]] = 0.7
    chances[1, no] = 0.1
    monkeypatch.setattr(model, "head", lambda states: chances.log())
    found = lab.show_first_words(model, rows, "half")
    assert found == {lab.LIKELIEST: {"harmful": 0.25, "benign": 0.0}, lab.TOGETHER: {"harmful": 1.0, "benign": 0.75}}
    assert "all its first words together" in capsys.readouterr().out
