"""What labs 05 and 06 search for and measure beside the exercises."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_lib.shown.lab05 import board, ways
from course_lib.shown.lab06 import judges, people, probes, real_part
from course_lib.stages import retrieval
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.sft import encode_chat
from course_lib.world import news
from course_lib.world.annotators import ANNOTATORS, crowd, prefers, utility


@pytest.fixture(scope="module")
def exam():
    return people.exam_of(people.recorded("test", 700))


def test_the_exam_holds_what_the_people_see(exam):
    for k in (0, 3, 551):
        row, a, b = exam.pairs[k]
        assert exam.p_first[k] == pytest.approx(crowd(row, a, b))
        assert exam.gold[k] == pytest.approx(utility(row, a) - utility(row, b))
        assert exam.leaning[:, k] == pytest.approx([prefers(person, row, a, b) for person in ANNOTATORS])
    assert exam.differences.shape == (len(ANNOTATORS), 700)


def test_people_of_two_minds_lean_to_different_sides(exam):
    assert people.of_two_minds(exam) == [551]
    assert exam.leaning[:, 551].min() < 0.45 and exam.leaning[:, 551].max() > 0.55
    assert people.first_is_polite(exam, 551)


def test_what_parts_two_answers(exam):
    by = judges.parted_by(exam)
    assert not (by["courtesy"] & by["truth"]).any() and not (by["truth"] & by["the question"]).any()
    for part, places in by.items():
        row, *answers = exam.pairs[int(np.flatnonzero(places)[0])]
        a, b = (people.world.features(row, answer) for answer in answers)
        assert (a["courtesy"] != b["courtesy"]) == (part == "courtesy")
        assert (a["false"] != b["false"]) == (part == "truth")
        assert part != "the question" or (a["right"] != b["right"] and a["false"] == b["false"] == 0)
    places = by["truth"] & (exam.gold != 0)
    assert judges.finds_the_better(exam, np.where(places, exam.gold, -exam.gold), places) == 1
    assert judges.finds_the_better(exam, -exam.gold, by["courtesy"]) == 0


def test_losses_of_judges_against_known_probabilities():
    exam = SimpleNamespace(p_first=np.array([0.5, 0.8]))
    best = judges.loss_of_the_best(exam)
    assert best == pytest.approx((np.log(2) - 0.8 * np.log(0.8) - 0.2 * np.log(0.2)) / 2)
    assert judges.held_out_loss(exam, [0.0, np.log(4)]) == pytest.approx(best)  # the margins of the best judge
    assert judges.held_out_loss(exam, [0.0, 0.0]) == pytest.approx(np.log(2))
    assert judges.accuracy(exam, np.array([0.0, -1.0]))[0] == pytest.approx((0.5 + 0.2) / 2)


def test_surest_mistakes_come_first():
    exam = SimpleNamespace(gold=np.array([2.0, -2.0, 0.5, 1.0]))
    assert judges.surest_mistakes(exam, np.array([1.0, 3.0, -9.0, -1.0])) == [1, 3, 0]


def test_a_share_of_the_labels_is_turned_round():
    rows = [{"chosen": "a", "rejected": "b", "kind": k} for k in range(1000)]
    turned = sum(row["chosen"] == "b" for row in probes.flipped(rows, 0.2))
    assert 150 < turned < 250 and probes.flipped(rows, 0.0) == rows


def test_padding_adds_facts_behind_and_courtesies_before():
    rows = [row for row in people.world.prompts("test", 30, "probe") if row["kind"] == "fact"][:4]
    bare = probes.padded(rows, "true facts", 0)
    assert probes.padded(rows, "courtesies", 0) == bare
    for short, facts, polite in zip(bare, probes.padded(rows, "true facts", 2), probes.padded(rows, "courtesies", 2)):
        assert facts.startswith(short) and len(facts) > len(short) and polite.endswith(short)
    worth = lambda answers: [utility(row, answer) for row, answer in zip(rows, answers)]
    assert all(b == a + 1 for a, b in zip(worth(bare), worth(probes.padded(rows, "courtesies", 1))))


def test_the_real_part_reads_every_pair_once_an_epoch():
    rows = [{"n": k} for k in range(10)]
    batches = real_part.in_fours(rows, epochs=2)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    assert sorted(row["n"] for batch in batches[:3] for row in batch) == list(range(10))


def test_a_search_is_judged_by_the_notice_that_answers():
    everything = lambda question: list(range(len(news.board(3))))
    assert board.hit_rate(everything, 3, 6) == 1 and board.hit_rate(lambda question: [], 3, 6) == 0
    plain = lambda k: retrieval.bm25_search(board.boards()[3], k, named=False)
    found = board.show_hits(plain, 3, 6)
    assert found[8]["changed"] >= found[1]["changed"] > 0


def test_a_name_is_exchanged_and_nothing_else():
    old, new = news.settlers()[0], news.village_on(0).residents[0]
    texts = [f"Day 1: {old.full} has moved to Mill Lane.", f"Where does {old.first} live?", "A dance at the school."]
    assert ways.renamed(texts, old, new) == [
        f"Day 1: {new.full} has moved to Mill Lane.",
        f"Where does {new.first} live?",
        "A dance at the school.",
    ]


def test_the_notice_that_answers_stays_where_names_are_exchanged():
    people = {person.first: person for person in news.village_on(3).residents}
    for kind, others in (("changed", [*news.settlers()] * 4), ("new", news.village_on(0).residents)):
        asked = [q for q in news.questions(3, 48) if q["kind"] == kind]
        for q, other in zip(asked, others):
            own = people[q["resident"]]
            question, texts = ways.exchanged(q, own, other)
            about = [text for text in texts if other.full in text]
            assert own.full not in " ".join([question["question"], *texts]) and other.full in question["question"]
            found = [texts[k] for k in retrieval.bm25_search(texts, 4)(question["question"])]
            assert any(f" {q['gold']}." in text for text in found)
            assert len(about) == sum(own.full in text for text in board.boards()[3])  # none is the other's own
            (alone,) = [text for text in ways.exchanged(q, own, own, alone=True)[1] if own.full in text]
            assert f" {q['gold']}." in alone


def test_the_probability_of_a_value_is_that_of_its_tokens():
    model = Llama(ModelConfig(hidden=32, intermediate=64, layers=1, heads=2), seed=0).eval()
    question = {"question": "What?", "gold": "a pony", "stale": ["a cat"]}
    assert board.surely(model, question, "I do not know.") is board.surely(model, question, "No.") is None
    for answer, value in (("She has a pony.", "a pony"), ("She has a cat at home.", "a cat")):
        before = answer.index(value)
        chat = [{"role": "user", "content": "What?"}]
        asked = encode_chat(board.load_tokenizer(), chat, generation_prompt=True)[0]
        ids = lambda text: board.load_tokenizer().encode(text, add_special_tokens=False).ids
        start, all_of_it = asked + ids(answer[: before - 1]), asked + ids(answer[: before + len(value)])
        logits = model(torch.tensor([all_of_it])).log_softmax(-1)[0]
        by_hand = sum(logits[k - 1, all_of_it[k]] for k in range(len(start), len(all_of_it))).exp()
        assert board.surely(model, question, answer) == pytest.approx(by_hand.item(), rel=1e-4)


def test_words_are_counted_as_the_annotators_count_them():
    rows = [{"chosen": [{"content": "one two three"}], "rejected": [{"content": "Ada's"}]}]
    assert [side.tolist() for side in probes.words_of(rows)] == [[3.0], [1.0]]
