"""Knowledge injection and the five ways: rows of the day's news, plain weights at the end, a table whose cells are
those of the measurement.
"""

import json

import pytest
import torch

from course_lib.evaluation import ways
from course_lib.evaluation.answers import NEEDS, decisions
from course_lib.questions import lab05_finetune_or_retrieve as lab
from course_lib.stages import injection
from course_lib.stages.artifacts import ArtifactError, save_stage
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.retrieval import WAYS
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.news import changes
from course_lib.world.tasks import QUESTION_PHRASINGS


@pytest.fixture(scope="module")
def model():
    return Llama(ModelConfig(hidden=32, intermediate=64, layers=2, heads=2), seed=0).eval()


@pytest.fixture(scope="module")
def results(model):
    return ways.measure(dict.fromkeys(WAYS, model), load_tokenizer(), each=3)


def test_every_change_is_asked_in_every_training_phrasing():
    rows = injection.news_rows(1)
    assert len(rows) == sum(len(QUESTION_PHRASINGS[change.fact][0]) for change in changes(1))
    assert all(
        change["value"] in " ".join(row["messages"][1]["content"] for row in rows) for change in injection.news_of(1)
    )
    assert "{" not in json.dumps([row["messages"][0]["content"] + row["messages"][1]["content"] for row in rows])


def test_injection_leaves_the_assistant_alone_and_ends_with_plain_weights(model):
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    run = injection.inject(model, injection.news_rows(1)[:20], "tiny", rank=2, progress=False)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert run.model.state_dict().keys() == before.keys() and run.record["recipe"]["rank"] == 2
    assert any(not torch.equal(weight, before[name]) for name, weight in run.model.state_dict().items())
    for bad, words in (
        (lambda: injection.inject(model, [], "tiny"), "no news"),
        (lambda: injection.inject(model, [{}], "huge"), "choose one of"),
    ):
        with pytest.raises(ValueError, match=words):
            bad()


def test_the_table_holds_every_cell_that_a_need_asks_for(results, model):
    table = ways.table_of(results, model.parameter_count(), training_tokens=1000)
    assert set(table["accuracy"]) == set(table["cost"]) == set(WAYS)
    assert table["cost"]["RAG"]["training"] == 0 and table["cost"]["LoRA"]["training"] == 4000 * model.parameter_count()
    assert table["cost"]["closed book"]["each"] < table["cost"]["RAG"]["each"] < table["cost"]["prompt"]["each"]
    assert set(decisions(table)) == set(NEEDS) and ways.cell(results, "RAG", 0, "changed") is None


def test_robustness_counts_every_style(model):
    found = ways.robustness(model, load_tokenizer(), 2, each=6)
    assert (
        all(row["n"] == 6 and 0 <= row["accuracy"] <= 1 for row in found.values())
        and found["as trained"]["found"] >= 0.8
    )


@pytest.fixture
def handed_in(tmp_path, results, model, monkeypatch):
    monkeypatch.setattr(lab, "EACH", 6)
    monkeypatch.setattr(lab, "measure_again", lambda model, seed: {cell: (0.9, 48) for cell in lab.CELLS})
    table = ways.table_of(results, model.parameter_count(), 1000)
    for cells in table["accuracy"].values():
        cells.update(dict.fromkeys(cells, 0.9))
    table["decisions"] = decisions(table)

    def write(**changed):
        save_stage("injected", model, {"table": {**json.loads(json.dumps(table)), **changed}}, folder=tmp_path)
        return tmp_path

    return write, table


def test_full_marks_for_a_true_table_and_decisions_by_the_rule(handed_in):
    write, table = handed_in
    assert lab.score_injected(write(), "seed", False)[0] == 1.0
    wrong = {**table["decisions"], next(iter(NEEDS)): "telepathy"}
    fraction, message = lab.score_injected(write(decisions=wrong), "seed", False)
    assert fraction == pytest.approx(1 - 0.25 / len(NEEDS)) and "look again" in message


def test_a_cell_that_is_not_the_models_costs_points_within_no_sampling_error(handed_in):
    write, table = handed_in
    accuracy = json.loads(json.dumps(table["accuracy"]))
    accuracy["LoRA"]["3 again"] = 0.0
    fraction, message = lab.score_injected(
        write(accuracy=accuracy, decisions=decisions({**table, "accuracy": accuracy})), "seed", False
    )
    assert fraction == pytest.approx(1 - 0.25 / len(lab.CELLS)) and "0.00 in the table, 0.90 measured" in message
    accuracy["LoRA"]["3 again"] = 0.97  # by chance
    assert lab.score_injected(write(accuracy=accuracy), "seed", False)[0] == 1.0


def test_a_model_that_learned_no_news_scores_nothing(handed_in, monkeypatch):
    write, _ = handed_in
    monkeypatch.setattr(lab, "measure_again", lambda model, seed: {cell: (0.1, 48) for cell in lab.CELLS})
    assert lab.score_injected(write(), "seed", False)[0] == 0.0


@pytest.mark.parametrize(
    "table, words",
    [(None, "fill the decision table"), ({}, "fill the decision table"), ({"accuracy": []}, "fill the decision table")],
)
def test_a_record_without_a_table_gets_one_line(tmp_path, model, table, words):
    save_stage("injected", model, {"table": table}, folder=tmp_path)
    with pytest.raises(ArtifactError, match=words):
        lab.score_injected(tmp_path, "seed", False)


def test_impossible_numbers_get_one_line(handed_in):
    write, table = handed_in
    for key, value in (("accuracy", 1.5), ("accuracy", float("nan")), ("cost", -1.0), ("cost", float("inf"))):
        changed = json.loads(json.dumps(table))
        inner = changed[key]["LoRA"]
        inner[next(iter(inner))] = value
        if key == "accuracy":
            inner["3 old"] = value
        with pytest.raises(ArtifactError, match="outside|lacks"):
            lab.score_injected(write(**{key: changed[key]}), "seed", False)


def test_a_model_that_cannot_read_the_questions_gets_one_line(tmp_path):
    save_stage(
        "injected",
        Llama(ModelConfig(vocabulary=300, hidden=16, intermediate=32, layers=1, heads=2)),
        {},
        folder=tmp_path,
    )
    with pytest.raises(ArtifactError, match="tokenizer"):
        lab.score_injected(tmp_path, "seed", False)


def test_the_measurement_is_drawn_from_the_seed(model):
    cells = [("LoRA", 1, "changed"), ("LoRA + RAG", 3, "changed")]
    first = lab.measure_again(model, "a", cells, each=4)
    assert first == lab.measure_again(model, "a", cells, each=4) and {n for _, n in first.values()} == {4}
