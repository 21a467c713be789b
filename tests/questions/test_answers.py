"""Every wrong answer of the banks fails, with its mistake named where the question knows it, on two seeds; every right
one passes on three. `course bench questions` has three for all.
"""

import pytest
import tally

from course_lib.questions.core import LocalCaller, Question, labs, questions_of, run

ENTRIES = list(tally.entries())


@pytest.mark.parametrize(
    "question, kind, label, source, words", ENTRIES, ids=[f"{e[0].id}-{e[1]}-{e[2]}" for e in ENTRIES]
)
def test_answer(question, kind, label, source, words):
    """A right answer passes. A wrong one fails, is called what it is or nothing, and if it breaks one rule alone it
    fails that rule's cases only and keeps half at most.
    """
    seeds = tally.SEEDS if kind == "right" else tally.SEEDS[:2]
    results = [tally.verdict(question, source, seed) for seed in seeds]
    failed = [[case for case in result.cases if case.status != "pass"] for result in results]
    if kind == "right":
        assert not any(failed), [[(case.name, case.message, case.hint) for case in cases] for cases in failed]
        assert all(result.score == question.points for result in results)
        return
    assert all(failed) and all(result.score < question.points for result in results), "the wrong answer passed"
    assert tally.naming(results, words) == ("rightly" if words else "not"), [tally.shown(result) for result in results]
    if rule := tally.bank(question.lab)[question.id].get("breaks", {}).get(label):
        decides = {case.name: case.rule for case in question.cases}
        names = [case.name for cases in failed for case in cases]
        assert {decides[name] for name in names} == {rule}, names
        assert all(result.score <= question.points / 2 for result in results)


@pytest.mark.parametrize("label", ["early returns", "just below the clean pages of the table"])
def test_a_right_filter_passes_whatever_is_crawled(label):
    """The weakest of the right ones: they find 90 % of the junk, and keep 93 % of the registers and notices."""
    question = next(question for question in questions_of("01_data_and_tokenizer") if question.id == "keep_page")
    source = tally.bank(question.lab)["keep_page"]["right"][label]
    for seed in range(8):
        result = tally.verdict(question, source, f"crawl {seed}")
        assert result.status == "pass", [(seed, case.message) for case in result.cases]


def test_the_banks_are_large_enough():
    for lab in tally.LABS:
        questions = {question.id for question in questions_of(lab) if isinstance(question, Question)}
        assert questions == set(tally.bank(lab)), "each function question has its bank"
        for name, answers in tally.bank(lab).items():
            assert len(answers["wrong"]) >= 8 and len(answers["right"]) >= 3, name
            assert set(answers["named"]) <= set(answers["wrong"]), name


@pytest.mark.parametrize(
    "lab, points",
    [
        ("00_start_here", 2),
        ("01_data_and_tokenizer", 9),
        ("02_pretraining", 10),
        ("03_supervised_fine_tuning", 9),
        ("04_lora_and_qlora", 10),
        ("05_finetune_or_retrieve", 8),
        ("06_preferences_and_reward_model", 9),
        ("07_rlhf", 11),
        ("08_direct_alignment", 9),
        ("09_ai_feedback", 8),
        ("10_safety_refusals", 9),
        ("11_evaluation_and_release", 6),
        ("12_reasoning", 10),
    ],
)
def test_points(lab, points):
    assert lab in labs()
    assert sum(question.points for question in questions_of(lab)) == points


def test_a_loop_that_stops_where_there_is_nothing_to_do_loses_a_quarter():
    for question, label in (("quantize_blockwise", "no weights"), ("dequantize_packed", "no bytes")):
        (asked,) = (each for each in questions_of("04_lora_and_qlora") if each.id == question)
        answer = tally.bank(asked.lab)[question]["wrong"][f"stops at {label}"]
        assert tally.verdict(asked, answer, "public").score == 0.75 * asked.points


def test_a_stub_scores_nothing_and_says_todo():
    for lab in tally.LABS:
        for question in questions_of(lab):
            if isinstance(question, Question):
                namespace = {}
                exec(f"def {question.id}(*args, **kwargs):\n    raise NotImplementedError()", namespace)
                result = run(question, LocalCaller(namespace))
                assert (result.status, result.score) == ("todo", 0.0), question.id


def test_answers_of_another_kind_fail_without_a_crash():
    for lab in tally.LABS:
        for question in questions_of(lab):
            if isinstance(question, Question):
                for junk in (None, "text", 3, [], {}, float("nan"), True, (1, 2)):
                    result = run(question, LocalCaller({question.id: lambda *a, junk=junk, **k: junk}))
                    assert result.score == 0.0 and result.status in ("fail", "error"), (question.id, junk)
