"""What the scorers of handed-in models share."""

import math
from types import SimpleNamespace

import pytest

from course_lib.evaluation.handed_in import check_reads, longest, points_share
from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.tokenizer import load_tokenizer


@pytest.mark.parametrize(
    "value, none, full, share",
    [(0.75, 0.5, 1.0, 0.5), (0.4, 0.5, 1.0, 0.0), (2.0, 0.5, 1.0, 1.0), (3.0, 8.0, 4.0, 1.0), (5.0, 8.0, 4.0, 0.75)],
)
def test_points_lie_on_a_straight_line_between_none_and_full(value, none, full, share):
    assert points_share(value, none, full) == share


@pytest.mark.parametrize("none, full", [(0.5, 1.0), (8.0, 4.0)])
def test_a_figure_that_is_no_number_gets_nothing(none, full):
    assert points_share(math.nan, none, full) == 0.0
    assert points_share(math.inf if full < none else -math.inf, none, full) == 0.0


def test_the_longest_conversation_counts_with_its_answer():
    short, long = ([{"role": "user", "content": text}] for text in ("Hello.", "Hello. " * 20))
    assert longest([short, long], 7) == longest([long], 0) + 7 > longest([short], 7)


def test_a_model_that_cannot_read_is_told_what_to_do():
    knows = load_tokenizer().get_vocab_size()
    model = lambda vocabulary, context: SimpleNamespace(config=SimpleNamespace(vocabulary=vocabulary, context=context))
    check_reads(model(knows, 64), 64)
    with pytest.raises(ArtifactError, match=f"knows 300 tokens and the course's tokenizer has {knows}: train it with"):
        check_reads(model(300, 64), 64)
    with pytest.raises(ArtifactError, match="reads 63 tokens, and what it is asked takes up to 64: start anew"):
        check_reads(model(knows, 63), 64, "start anew")
