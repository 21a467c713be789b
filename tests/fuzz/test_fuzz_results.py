"""Results with any JSON in any place."""

from hypothesis import given
from hypothesis import strategies as st
from material import LAB, fuzz, with_a_part_replaced

from course_lib.grading.records import store

# fmt: off
RESULT = {"schema": 1, "lab": LAB, "student": "ann", "submission_sha": "a" * 16, "spec_sha": "b" * 16,
    "status": "graded", "flags": [], "questions": [{"id": "surprise", "score": 0.5, "max": 0.75, "status": "fail",
    "cases": []}]}
# fmt: on


@fuzz
@given(st.data())
def test_results_with_parts_replaced(data):
    result = data.draw(with_a_part_replaced(RESULT))
    try:
        valid = store.validate(result)
    except store.StoreError:
        return
    score, most, _ = store.totals(valid)
    assert score is None or 0 <= score <= most + 1e-9
