"""A rule that an exercise's text names is decided by a case of its own, and a wrong answer that breaks it alone loses
half the points or more, on every seed.
"""

import pytest
import tally

from course_lib.questions.core import Question, questions_of

# labs whose questions do not list their rules yet
NOT_YET = {
    "01_data_and_tokenizer",
    "02_pretraining",
    "07_rlhf",
    "09_ai_feedback",
    "10_safety_refusals",
    "11_evaluation_and_release",
}
QUESTIONS = [(lab, q) for lab in tally.BANKS for q in questions_of(lab) if isinstance(q, Question)]
WITH_RULES = [(lab, q) for lab, q in QUESTIONS if q.rules]
BREAKING = [
    (question, label, source, rule)
    for lab in dict.fromkeys(lab for lab, _ in WITH_RULES)
    for question, kind, label, source, _ in tally.entries((lab,))
    if kind == "wrong" and (rule := tally.bank(lab)[question.id].get("breaks", {}).get(label))
]
WRONG = [entry for lab in tally.BANKS if lab not in NOT_YET for entry in tally.entries((lab,)) if entry[1] == "wrong"]


@pytest.mark.parametrize("question, label, source, rule", BREAKING, ids=[f"{b[0].id}-{b[1]}" for b in BREAKING])
def test_who_breaks_one_rule_fails_its_cases_only_and_loses_half(question, label, source, rule):
    for seed in tally.SEEDS:
        result = tally.verdict(question, source, seed)
        failed = [case for case, made in zip(question.cases, result.cases, strict=True) if made.status != "pass"]
        assert failed and all(case.rule == rule for case in failed), (seed, [case.name for case in failed])
        assert result.score <= question.points / 2, seed


@pytest.mark.parametrize("lab, question", WITH_RULES, ids=[q.id for _, q in WITH_RULES])
def test_each_rule_has_a_case_and_a_wrong_answer_of_its_own(lab, question):
    answers = tally.bank(lab)[question.id]
    breaks = answers.get("breaks", {})
    assert len(set(question.rules)) == len(question.rules)
    assert set(breaks) <= set(answers["wrong"]) and set(breaks.values()) <= set(question.rules)
    assert set(question.rules) <= {case.rule for case in question.cases}, "a rule without a case of its own"
    assert set(question.rules) <= set(breaks.values()), "a rule that no wrong answer of the bank breaks alone"


@pytest.mark.parametrize("lab", [lab for lab in tally.BANKS if lab not in NOT_YET])
def test_every_question_lists_its_rules(lab):
    assert not [q.id for each, q in QUESTIONS if each == lab and not q.rules]


@pytest.mark.parametrize("question, kind, label, source, words", WRONG, ids=[f"{e[0].id}-{e[2]}" for e in WRONG])
def test_a_mistake_is_called_what_it_is_or_nothing(question, kind, label, source, words):
    results = [tally.verdict(question, source, seed) for seed in tally.SEEDS]
    assert tally.naming(results, words) == ("rightly" if words else "not"), [tally.shown(result) for result in results]
