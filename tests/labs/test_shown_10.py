"""Lab 10: what its shown functions count, on rows and models that are made up; by which first word a model refuses."""

import torch

from course_lib.answers import lab10_safety_refusals as ours
from course_lib.shown import lab10_guard as guards
from course_lib.shown import lab10_manner as manner
from course_lib.shown import lab10_real as real
from course_lib.shown import lab10_safety_refusals as lab
from course_lib.stages import refusal
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.pretrain import Run
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.harms import FRAMES, HELD_OUT, REFUSALS, SEEN, refused, request_pair, request_rows
from course_lib.world.tasks import sentences

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)


def rows_of(**counts):
    """Judged rows: kind = (refused, answered)."""
    return [
        {"kind": kind, "refused": k < refused, "explained": k >= refused, "disguise": "plain", "category": "fire"}
        for kind, (refused, answered) in counts.items()
        for k in range(refused + answered)
    ]


def test_the_mending_takes_the_first_two_holes_and_fills_up_with_the_courses_own():
    assert lab.two_to_mend(["split", "story", "role"]) == ["split", "story"]
    assert lab.two_to_mend(["spelled"]) == ["spelled", "role"] and lab.two_to_mend([]) == ["role", "spelled"]


def test_complaints_harm_and_letters_do_not():
    complaints, letters = lab.complaint_book(6), lab.letter_box(30)
    assert len(complaints) == 6 and len(letters) == 30
    assert {(row["kind"], row["disguise"]) for row in complaints} == {("harmful", "plain")}
    assert {row["kind"] for row in letters} == {"benign"} and {r["disguise"] for r in letters} == {
        "plain",
        "role",
        "story",
    }
    assert {row["category"] for row in complaints + letters} <= set(SEEN)


def test_each_pair_of_twins_gives_a_preference_on_each_side():
    twins = request_pair("train", "a pair")
    no, yes = (row["messages"][-1] for row in twins)
    harmful, benign = lab.preferences(list(twins))
    assert (harmful["chosen"], harmful["rejected"]) == ([no], [yes])
    assert (benign["chosen"], benign["rejected"]) == ([yes], [no])
    assert [pair["prompt"] for pair in (harmful, benign)] == [row["messages"][:-1] for row in twins]


def test_what_has_changed_is_counted_request_by_request(capsys):
    before = [{**row, "refused": refused} for row, refused in zip(rows_of(harmful=(0, 3), benign=(0, 1)), (1, 0, 0, 0))]
    after = [{**row, "refused": refused} for row, refused in zip(before, (0, 1, 1, 0))]
    assert lab.show_changed(before, after, "nothing") == {"harmful": (2, 1), "benign": (0, 0)}
    assert "You guessed: nothing" in capsys.readouterr().out


def test_the_tax_is_the_readers_and_stands_beside_that_of_two_exams(capsys):
    before = torch.tensor([True] * 8 + [False] * 2)
    after = torch.tensor([True] * 6 + [False] * 4)
    found = lab.show_tax({"a": before, "b": after}, ours.paired_tax, "a", "")
    tax, error, apart = found["b"]
    assert abs(tax - 0.2) < 1e-9 and error == ours.paired_tax(before, after)[1]
    assert abs(apart - ((0.8 * 0.2 + 0.6 * 0.4) / 10) ** 0.5) < 1e-6 and "20.0 (" in capsys.readouterr().out


def test_a_plain_request_comes_in_six_frames():
    row = request_pair("test", "frames", ("plain",))[0]
    texts = {each["messages"][0]["content"] for each in manner.reworded(row)}
    assert len(texts) == 6 and row["messages"][0]["content"] in texts
    assert all(each["messages"][1] == row["messages"][1] for each in manner.reworded(row))
    assert len(FRAMES[1]) == 3


def test_a_refusal_with_another_name_has_the_wrong_person():
    row = request_pair("test", "manner", ("plain",), HELD_OUT)[0]
    right = manner.manner({**row, "answer": row["messages"][-1]["content"]})
    assert all(right.values())
    assert not any(manner.manner({**row, "answer": "I will not help with that."}).values())


def test_costs_are_of_the_rates_and_the_base_rate(capsys):
    rows, scores = rows_of(harmful=(1, 1), benign=(1, 3)), torch.tensor([0.1, 0.9, 0.0, 0.2, 0.95, 0.1])
    found = guards.costs_of({0.1: (0.875, 0.5)}, rows, scores, ours.safety_rates, (20.0, 1.0), "")[0.1]
    assert abs(found["nothing"] - 2000) < 1e-6
    assert abs(found["guard"] - (2000 * 0.5 + 900 * 0.25)) < 1e-6
    assert abs(found["model"] - (2000 * 0.5 + 900 * 0.25)) < 1e-6
    assert abs(found["both"] - 900 * 0.5) < 1e-6
    assert capsys.readouterr().out.rstrip().endswith("both")


def test_the_librarys_defaults_are_what_the_table_says():
    assert all(guards.show_library().values())


def test_batches_of_four_hold_all_once_an_epoch():
    batches = real.in_fours(list(range(8)), 3)
    assert [len(batch) for batch in batches] == [4] * 6
    assert all(sorted(batches[k] + batches[k + 1]) == list(range(8)) for k in (0, 2, 4)) and batches[0] != batches[2]


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
