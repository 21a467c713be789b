"""What labs 00 to 02 show beside their exercises, where there is something to get wrong."""

import math
from types import SimpleNamespace

import pytest
import torch

from course_lib.answers import lab02_pretraining as answers
from course_lib.shown import lab00_start_here as lab00
from course_lib.shown import lab01_data_and_tokenizer as lab01
from course_lib.shown import lab02_pretraining as lab02
from course_lib.stages.model import Llama, ModelConfig
from course_lib.world import pretrain_rows


def test_all_documents_of_a_grammar_have_the_product_of_their_choices():
    made = lab00.all_documents([{"Ada": 0.5, "Bob": 0.5}, {"bakes": 0.75, "sells": 0.25}])
    assert made == {"Ada bakes": 0.375, "Ada sells": 0.125, "Bob bakes": 0.375, "Bob sells": 0.125}


def test_a_named_mistake_is_the_cards():
    assert "bits" in lab00.mistake_of("surprise", lambda options: sum(map(math.log2, options)))
    assert lab00.mistake_of("surprise", lambda options: sum(map(math.log, options))) == ""


def test_a_step_is_scored_against_the_truth(capsys):
    rows = lab01.score({"one": ({1, 2, 3, 4}, {1, 2}), "none": (set(), {1})}, "what")
    assert (rows["one"]["precision"], rows["one"]["recall"]) == (0.5, 1.0) and rows["none"]["recall"] == 0
    assert "precision" in capsys.readouterr().out


def test_near_pairs_lead_to_the_first_of_a_cluster():
    pages = [SimpleNamespace(cluster=c) for c in (7, 3, 7, 5, 7, 3)]
    assert lab01.near_pairs(pages) == [(0, 2), (0, 4), (1, 5)]


def test_pairs_that_share_a_shingle_are_of_other_pages():
    texts = {"the cat sat on the mat": 1, "a cat sat on a chair": 2, "the cat sat on it": 1, "no word of it": 3}
    pages = [SimpleNamespace(text=text, cluster=cluster) for text, cluster in texts.items()]
    assert sorted(lab01.sharing(pages)) == pytest.approx([1 / 7, 1 / 6])


def test_an_entry_is_needed_as_a_token_or_as_a_step_to_one():
    tokenizer = lab01.train_tokenizer(["ham ham ham ham zoo zoo"], 5 + 256 + 6)
    assert tokenizer.encode("ham").tokens == ["ham"]  # its step is am; Ġham, oo, zoo and Ġzoo are of no use
    ids = [tokenizer.encode("ham").ids]
    assert lab01.never_needed(tokenizer, ids) == {"Ġham", "oo", "zoo", "Ġzoo"}
    assert lab01.never_needed(tokenizer, [*ids, tokenizer.encode(" zoo").ids]) == {"Ġham"}


def test_a_sampler_is_used_as_it_is_given():
    model = Llama(ModelConfig(hidden=16, intermediate=32, layers=1, heads=1), seed=0)
    greedy = lambda logits, temperature, top_p: torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    text, choices = lab02.sampled(model, greedy, "Meet Ada", 1.0, 1.0, most=4)
    assert choices == 1.0 and text == lab02.sampled(model, greedy, "Meet Ada", 2.0, 0.5, most=4)[0]


def test_the_gap_of_every_kind_is_the_students():
    model = Llama(ModelConfig(hidden=16, intermediate=32, layers=1, heads=1), seed=0)
    rows = pretrain_rows("validation", 40)
    gaps, over_documents = lab02.show_distances(model, rows, answers.distance_to_limit)
    assert gaps["all"]["loss"] == pytest.approx(lab02.measure(model, lab02.load_tokenizer(), rows)["loss"], rel=1e-5)
    assert set(gaps) == {row["kind"] for row in rows} | {"all"} and over_documents != gaps["all"]["loss"]


def test_a_mean_from_a_sum_and_a_number():
    logits, ids = torch.randn(2, 5, 9), torch.randint(1, 9, (2, 5))
    assert lab02.mean_of(answers.summed_loss)(logits, ids) == pytest.approx(float(answers.next_token_loss(logits, ids)))


@pytest.mark.parametrize("limit, said", [(0.5865, True), (0.5778, False)])
def test_a_run_that_is_measured_on_fewer_documents_says_so(limit, said, capsys):
    model = Llama(ModelConfig(hidden=16, intermediate=32, layers=1, heads=1), seed=0)
    metrics = {"loss": 0.9, "entropy": 0.5778, "gap_percent": 55.8, "tokens": 9}
    record = {"recipe": {"size": "tiny"}, "minutes": 0.1, "tokens": 50, "metrics": metrics}
    run = SimpleNamespace(model=model, history=[{"tokens": 5, "train_loss": 2.0}], record=record)
    lab02.show_run(run, SimpleNamespace(close=lambda: None), limit, "")
    line = "That is the limit of the 300 documents on which this run is measured; § 1's is 0.5865."
    assert (line in capsys.readouterr().out) == said
