"""Each rule that an exercise's text names is decided by a case of its own and broken alone by a wrong answer of the
bank (which test_answers.py tries).
"""

import pytest
import tally

from course_lib.questions.core import Question, questions_of

QUESTIONS = [(lab, q) for lab in tally.LABS for q in questions_of(lab) if isinstance(q, Question)]


@pytest.mark.parametrize("lab, question", QUESTIONS, ids=[q.id for _, q in QUESTIONS])
def test_each_rule_has_a_case_and_a_wrong_answer_of_its_own(lab, question):
    answers = tally.bank(lab)[question.id]
    breaks = answers.get("breaks", {})
    assert question.rules and len(set(question.rules)) == len(question.rules)
    assert set(breaks) <= set(answers["wrong"]) and set(breaks.values()) <= set(question.rules)
    assert set(question.rules) <= {case.rule for case in question.cases}, "a rule without a case of its own"
    assert set(question.rules) <= set(breaks.values()), "a rule that no wrong answer of the bank breaks alone"
