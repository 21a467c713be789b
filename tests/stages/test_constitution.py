"""The supervised phase of Constitutional AI: what is revised, what stays, and what the training sees."""

import pytest
import torch

from course_lib.stages import constitution as ca
from course_lib.stages import refusal
from course_lib.stages.model import Llama, ModelConfig
from course_lib.world.critic import PRINCIPLES, critique
from course_lib.world.harms import SEEN, refused

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)
ROWS = ca.asked("tiny")
ANSWERS = [f"First carry it to the mill. Then wait until Sunday. Test it after {k} days." for k in range(len(ROWS))]
STEAL = ["Do not help anybody to steal."]


def draw(seed):
    return torch.Generator().manual_seed(seed)


def test_the_loop_draws_in_each_round_and_works_on_the_newest_answer():
    critiques = {"p": {"a": "c", "b": None}, "q": {"a": None, "b": "d", "e": "f"}}
    revisions = {"a": {"c": "b"}, "b": {"d": "e"}, "e": {"f": "a"}}
    for seed in range(8):
        answer = "a"
        numbers = [int(torch.randint(2, (1,), generator=generator)) for generator in [draw(seed)] for _ in range(3)]
        for k in numbers:
            answer = revisions[answer].get(critiques["pq"[k]].get(answer), answer)
            if answer == "e":
                break
        if answer != "e":
            assert ca.critique_and_revise("a", ["p", "q"], critiques, revisions, 3, draw(seed)) == answer
    assert (
        ca.critique_and_revise("a", ["p"], critiques, revisions, 0, draw(0)) == "a"
        and ca.critique_and_revise("b", ["p"], critiques, revisions, 4, draw(0)) == "b"
    )


def test_the_requests_have_one_turn_seven_categories_and_no_refusal_before_the_answer():
    assert (
        {row["category"] for row in ROWS} <= set(SEEN)
        and all(len(row["messages"]) == 2 for row in ROWS)
        and len(ROWS) == ca.REQUESTS["tiny"]
    )
    assert ca.asked("tiny") == ROWS != ca.asked("tiny", seed=1)


def test_a_request_in_other_words_is_the_same_request():
    for row in ROWS[:20]:
        ways = ca.reworded(row, 12)
        texts = [way["messages"][0]["content"] for way in ways]
        assert (
            len(set(texts)) == 12
            and row["messages"][0]["content"] in texts
            and all(ca.reworded(way, 12) == ways for way in ways)
        )
        assert (
            all(way["messages"][1] == row["messages"][1] and way["kind"] == row["kind"] for way in ways)
            and len(ca.reworded(row)) == 4
        )


def test_what_is_criticised_is_refused_and_everything_else_stays_as_it_was_answered():
    made = ca.revised(ROWS, ANSWERS, STEAL, skill=1.0)
    for row, answer, new in zip(ROWS, ANSWERS, made):
        objected = row["kind"] == "harmful" and row["category"] == "theft"
        assert new["revised"] == objected == refused(new["messages"][-1]["content"]) and (
            objected or new["messages"][-1]["content"] == answer
        )
        assert new["messages"][:-1] == row["messages"][:-1] and "revised" not in row
    assert made == ca.revised(ROWS, ANSWERS, STEAL, skill=1.0)


def test_rounds_and_skill_show_in_the_share_that_is_revised():
    share = lambda **options: (
        sum(row["revised"] for row in ca.revised(ROWS, ANSWERS, PRINCIPLES, **options)) / len(ROWS)
    )
    assert (
        share(rounds=0) == 0 < share(rounds=1, skill=1.0) < share(rounds=12, skill=1.0) == pytest.approx(0.5, abs=0.03)
    )
    misread = ca.revised(ROWS, ANSWERS, PRINCIPLES, skill=0.0, rounds=12)
    assert {row["kind"] for row in misread if row["revised"]} == {"benign"}
    assert all(
        row["revised"] == (critique(STEAL[0], row, answer) is not None)
        for row, answer in zip(ca.revised(ROWS, ANSWERS, STEAL, rounds=1), ANSWERS)
    )


def test_the_student_s_loop_is_what_revises():
    seen = []

    def mine(answer, principles, critiques, revisions, rounds, generator):
        seen.append((answer, principles, rounds, int(torch.randint(10**6, (1,), generator=generator))))
        return answer + "!"

    made = ca.revised(ROWS[:3], ANSWERS[:3], STEAL, rounds=2, loop=mine)
    assert [row["messages"][-1]["content"] for row in made] == [answer + "!" for answer in ANSWERS[:3]] and len(
        {number for *_, number in seen}
    ) == 3
    assert [call[:3] for call in seen] == [(answer, STEAL, 2) for answer in ANSWERS[:3]]
    with pytest.raises(ValueError):
        ca.revised(ROWS[:3], ANSWERS[:2])


def test_the_model_is_not_shown_the_right_answer(monkeypatch):
    shown = []
    monkeypatch.setattr(
        ca, "respond", lambda model, tokenizer, conversations, **options: shown.extend(conversations) or ANSWERS
    )
    assert ca.answered(Llama(SMALL), ROWS) == ANSWERS and shown == [row["messages"][:-1] for row in ROWS]


def test_the_mix_keeps_its_proportions_and_the_base_its_weights(monkeypatch):
    seen = {}
    original = refusal.finetune

    def watched(model, rows, config, seed, **options):
        seen.update(
            requests=sum("revised" in row for row in rows),
            tasks=sum("messages" in row and "revised" not in row for row in rows),
            documents=sum("text" in row for row in rows),
            rate=config.learning_rate,
        )
        return original(model, rows[:4], config, seed, **options)

    monkeypatch.setattr(refusal, "finetune", watched)
    base = Llama(SMALL)
    before = {name: w.clone() for name, w in base.state_dict().items()}
    half = len(ROWS) // 2
    run = ca.learn(ca.revised(ROWS[:half], ANSWERS[:half], STEAL), "tiny", base=base, progress=False)
    assert seen == {
        "requests": half,
        "tasks": ca.TASKS["tiny"] // 2,
        "documents": round(ca.PRESETS["tiny"].replay / 2),
        "rate": ca.PRESETS["tiny"].learning_rate,
    }
    assert all(torch.equal(w, before[name]) for name, w in base.state_dict().items()) and any(
        not torch.equal(w, before[name]) for name, w in run.model.state_dict().items()
    )
    assert run.record["parent"] == "helpful" and run.record["recipe"]["size"] == "tiny"


def test_the_whole_phase_says_in_its_record_what_it_was_taught_by(monkeypatch):
    monkeypatch.setattr(ca, "respond", lambda model, tokenizer, conversations, **options: ANSWERS[: len(conversations)])
    monkeypatch.setitem(ca.REQUESTS, "tiny", 12)
    monkeypatch.setitem(ca.TASKS, "tiny", 4)
    run = ca.constitution("tiny", base=Llama(SMALL), principles=STEAL, skill=1.0, rounds=2, progress=False)
    assert {key: run.record[key] for key in ("parent", "principles", "skill", "rounds")} == {
        "parent": "helpful",
        "principles": STEAL,
        "skill": 1.0,
        "rounds": 2,
    }
    assert 0 <= run.record["revised"] <= 6 and run.history


@pytest.mark.parametrize(
    "options, words",
    [({"size": "huge"}, "size is 'huge'"), ({"size": "tiny", "principles": []}, "at least one principle")],
)
def test_bad_settings_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        ca.constitution(**options)
