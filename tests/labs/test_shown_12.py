"""What lab 12 shows is what was measured."""

import pytest
import torch

from course_lib.answers import lab12_reasoning as course
from course_lib.evaluation import reasoning as measures
from course_lib.shown import lab12_real, lab12_trl
from course_lib.shown import lab12_reasoning as lab
from course_lib.stages.artifacts import load_stage
from course_lib.stages.rollout import assistant
from course_lib.world.reasoning import ANSWER, question_rows, right


@pytest.fixture(scope="module")
def rows():
    return question_rows("residents", 12, "shown")


@pytest.fixture(scope="module")
def tried(rows):
    """Five tries a question: the right chain, the careless one, a list of answers, none, the right one again."""
    made = []
    for row in rows:
        chain = row["messages"][1]["content"]
        answers = [chain, row["slip"], ANSWER + ", ".join(row["check"]["options"]), "", chain]
        made.append(
            row | {"answers": answers, "right": [right(row, a) for a in answers], "tokens": [20, 20, 40, 1, 20]}
        )
    return {"residents": made, "kinds": made}


def test_the_chances_of_the_parts_multiply_to_that_of_the_chain(rows):
    model = load_stage("safe").model.eval()
    logprobs, part = measures.parts_of_chains(model, rows)
    chances = torch.stack([torch.where(part == s, logprobs, 0.0).sum(1).exp() for s in range(int(part.max()) + 1)], 1)
    assert float(chances.prod(1).mean()) == pytest.approx(measures.chain_chance(model, rows), rel=1e-4)
    assert (part.amax(1) == torch.tensor([row["steps"] for row in rows])).all(), "the answer is the last part"
    found = lab.show_parts(lambda *_: chances, model, rows, "laptop")
    whole = sum(of["chain"] * sum(row["steps"] == n for row in rows) for n, of in found.items()) / len(rows)
    assert whole == pytest.approx(float(chances.prod(1).mean()), rel=1e-4)


def test_the_likeliest_answer_at_once_has_the_largest_of_chances_that_add_up_to_1(rows):
    model = load_stage("safe").model.eval()
    chances = measures.chances_at_once(model, rows)
    assert all(float(its.sum()) == pytest.approx(1.0, abs=1e-5) for its in chances)
    best, lengths = measures.likeliest_at_once(model, rows)
    p = [float(its[row["check"]["options"].index(row["check"]["answer"])]) for its, row in zip(chances, rows)]
    assert measures.at_once(model, rows)["pass"][1] == pytest.approx(sum(p) / len(p))
    assert all(its.max() == its[row["check"]["options"].index(a)] for its, row, a in zip(chances, rows, best))
    assert min(lengths) >= 3


def test_weights_are_those_of_the_formulas():
    flat, root, rare = ({p: lab.weight(course.advantages, kind, p, 8) for p in (0.02, 0.5, 0.98)} for kind in (
        "dr_grpo", "grpo", "maxrl"
    ))  # fmt: skip
    assert all(w == pytest.approx(7 / 8, abs=1e-5) for w in flat.values()), "Dr. GRPO weighs all prompts alike"
    assert root[0.02] == pytest.approx(root[0.98], rel=1e-3) and root[0.02] != pytest.approx(root[0.5], rel=0.1)
    assert 7 > rare[0.02] > 3 * rare[0.5] > 5 * rare[0.98]  # G − 1 at most


def test_the_weights_of_dr_grpo_are_printed_alike(capsys):
    lab.show_weights(course.advantages, 8)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("dr_grpo")]
    assert line.split()[1:] == 5 * ["0.875"]


def test_of_labelled_texts_the_course_s_checker_accepts_the_right_ones(rows):
    assert all(right(row, text) == truth for row in rows for _, text, truth in lab.labelled(row))


def test_a_checker_in_a_hurry_is_taken_in_and_the_course_s_is_not(rows, tried):
    loose = lambda text, answer: answer in text
    strict = lambda text, answer: right({"check": {"answer": answer}}, text)
    assert lab.show_attack(loose, "Answer: {options}", rows, "laptop") == 1.0
    assert lab.show_attack(strict, "Answer: {options}", rows, "laptop") == 0.0
    found = lab.show_checkers({"loose": loose, "strict": strict}, rows, tried)
    assert found["strict"] == {"false accepts": 0, "false rejects": 0, "sampled wrong ones accepted": 0}
    assert found["loose"]["false accepts"] > 0.5


def test_votes_curves_groups_and_costs_count_what_is_there(tried, capsys):
    votes = lab.show_votes(course.majority, tried, "tiny")
    assert all(of["one"] == pytest.approx(0.4) and of["vote"] == 1.0 for of in votes.values())
    curves = lab.show_curves(
        course.pass_at_k, {"exact": {s: {1: 0.1, 2: 0.2, 4: 0.3} for s in tried}, "some": tried}, "tiny"
    )
    assert curves["some"]["residents"][1][0] == pytest.approx(0.4)
    assert curves["some"]["residents"][4][0] == pytest.approx(1.0) and curves["exact"]["kinds"][2] == (0.2, 0.0)
    assert lab.show_faith(tried, tried, "tiny")["cold start, new residents"]["false_step"] == (0, 24)
    assert "0 of all 96 right answers" in (said := capsys.readouterr().out) and "Size tiny" in said
    four = {split: [row | {"right": row["right"][:4]} for row in of] for split, of in tried.items()}
    groups = lab.show_groups(course.informative, four, "tiny")
    assert groups[2][0] == 0.5 and groups[4] == (1.0, pytest.approx(1 - 0.25**4 - 0.75**4))


def test_pulls_are_one_over_what_each_mean_divides_by():
    pulls = lab.show_pulls(course.mean_of_terms, (10, 20))
    assert pulls["grpo"] == pytest.approx((1 / 20, 1 / 40)) and pulls["dapo"] == pytest.approx((1 / 30, 1 / 30))
    assert pulls["dr_grpo"][0] == pulls["dr_grpo"][1] == pytest.approx(1 / 96)


def test_sums_are_held_out_and_no_example_is_asked():
    teach, exam = lab12_real.sums("laptop")
    assert len(teach) + len(exam) == 80 and not {r["question"] for r in teach} & {r["question"] for r in exam}
    assert all(r["prompt"][0]["content"] != r["question"] for r in teach + exam)
    assert next(r["answer"] for r in teach + exam if r["question"].startswith("What is nine plus nine?")) == "eighteen"


@pytest.mark.slow
@pytest.mark.parametrize("stage, teaches", [("reasoning", True), ("safe", False)])
def test_losses_and_advantages_are_trl_s(stage, teaches, tmp_path, capsys):
    pytest.importorskip("trl")
    policy = assistant(load_stage(stage).model, 3.0)  # hot: right in some of a group's chains, or in none
    found = lab12_trl.show(policy, course.advantages, course.mean_of_terms, tmp_path)
    assert [row["loss_type"] for row in found] == ["grpo"] * 2 + ["dapo"] * 2 + ["dr_grpo"] * 2
    assert max(max(row["loss"], row["advantages"]) for row in found) < 1e-5
    assert any(row["ratio"] > 0.01 for row in found) == teaches, "the second use of a batch has other ratios"
    assert ("that they agree says nothing here" in capsys.readouterr().out) != teaches
