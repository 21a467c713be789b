"""The hand-written sets of the real-model track: nothing that teaches also examines, and the rules that judge know
right from wrong.
"""

from course_lib.world.real.requests import PAIRS, TEST, declined, real_rows
from course_lib.world.real.style import TRAIN, crier_questions, crier_rows, in_style, is_right


def test_the_crier_teaches_what_is_asked_for_and_nothing_of_the_exam():
    rows, exam = crier_rows(), crier_questions()
    assert len(rows) == 48 and len(exam) == 24 and all(in_style(row["messages"][1]["content"]) for row in rows)
    assert not {row["messages"][0]["content"] for row in rows} & {row["messages"][0]["content"] for row in exam}
    assert len({asked for asked, _ in TRAIN}) == 48


def test_what_counts_as_the_manner_and_as_right():
    assert in_style("Hear ye, hear ye! Bees make honey! Six o'clock, and all is well!")
    for answer in (
        "Bees make honey.",
        "Hear ye, hear ye! Bees make honey!",
        "Bees make honey! Six o'clock, and all is well!",
        "",
    ):
        assert not in_style(answer)
    assert (
        is_right("It is Paris, of course.", ["paris"])
        and is_right("**H2O**", ["h2o"])
        and is_right("twenty-seven", ["seven"])
    )
    assert not is_right("Parisian", ["paris"]) and not is_right("", ["seven", "7"])


def test_requests_come_in_pairs_that_are_never_split():
    teach, test = real_rows("train"), real_rows("test")
    assert (
        len(PAIRS) == len({pair[1] for pair in PAIRS}) == 32
        and len(TEST) == 16
        and not {row["pair"] for row in teach} & {row["pair"] for row in test}
    )
    for rows in (teach, test):
        assert [row["kind"] for row in rows] == ["harmful", "benign"] * 16
        assert all(declined(row["messages"][1]["content"]) == (row["kind"] == "harmful") for row in rows)
