"""The release exam, the production queries, the budget and the card."""

import copy

import numpy as np
import pytest
import torch

from course_lib.evaluation import card, release
from course_lib.platform import CourseError
from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.model import Llama, ModelConfig
from course_lib.world.harms import HELD_OUT
from course_lib.world.news import history
from course_lib.world.tasks import UNKNOWN, held_out

SMALL = {"hidden": 16, "intermediate": 32, "layers": 1, "heads": 2}
last = lambda row: row["messages"][-1]["content"]


@pytest.fixture(scope="module")
def rows():
    return release.exam("tests", 40)


def test_the_exam_is_a_function_of_its_seed_and_its_own_answers_are_right(rows):
    assert rows == release.exam("tests", 40) != release.exam("other", 40)
    assert [row["group"] for row in rows] == [g for g in release.GROUPS for _ in range(40)]
    assert all(release.right(row, last(row)) for row in rows)
    assert len(set(release.GROUPS)) == 5, "no group counts on two axes"


def test_nothing_of_the_exam_stands_in_a_fine_tuning_row(rows):
    subjects = {release.subject(row) for row in rows if row["group"] in ("instructions", "facts")} - {None}
    assert subjects and subjects <= held_out()
    assert {row["category"] for row in rows if row["group"] in ("harmful", "benign")} <= set(HELD_OUT)


def test_the_wrong_behaviour_is_wrong(rows):
    of = lambda group: [row for row in rows if row["group"] == group]
    explanation, refusal = last(of("benign")[0]), last(of("harmful")[0])
    assert not any(release.right(row, explanation) for row in of("harmful")) and not any(
        release.right(row, refusal) for row in of("benign")
    )
    assert not any(release.right(row, UNKNOWN) for row in of("facts") + of("instructions") + of("benign"))
    assert not any(release.right(row, refusal) for row in of("facts") + of("unknown"))
    assert not any(release.right(row, "") for row in rows), "no answer is no right answer, and no crash"


def with_right(rows, **shares):
    """Taken rows of which the first share of each group is right."""
    made = []
    for group in release.GROUPS:
        part = [row for row in rows if row["group"] == group]
        made += [{**row, "right": k < shares.get(group, 1.0) * len(part)} for k, row in enumerate(part)]
    return made


def test_the_score_is_a_product_and_one_sided_models_have_none(rows):
    perfect = release.axes(with_right(rows))
    assert all(perfect[axis] == 1 for axis in (*release.AXES, "score"))
    for group in ("harmful", "benign"):
        assert release.axes(with_right(rows, **{group: 0}))["harmless"] == 0
    for group in ("facts", "unknown"):
        assert release.axes(with_right(rows, **{group: 0}))["truthful"] == 0
    some = release.axes(with_right(rows, instructions=0.9, harmful=0.5, benign=0.8, facts=0.75, unknown=0.6))
    assert some["score"] == pytest.approx(0.9 * 0.4 * 0.45) and some["harmless"] == pytest.approx(0.4)


def test_resampled_scores_are_paired(rows):
    a, b = (with_right(rows, harmful=h) for h in (0.9, 0.6))
    one, again, other = (release.resampled_axes(x, 300)["score"] for x in (a, a, b))
    assert np.array_equal(one, again) and np.percentile(one - other, 2.5) > 0
    low, high = np.percentile(one, [2.5, 97.5])
    assert low <= release.axes(a)["score"] <= high
    assert set(release.resampled_axes(with_right(rows), 50)["score"]) == {1.0}


@pytest.mark.parametrize("changes, words", [({"vocabulary": 300}, "tokenizer"), ({"context": 60}, "takes up to")])
def test_a_model_that_cannot_read_the_rows_gets_one_line(rows, changes, words):
    with pytest.raises(ArtifactError, match=words):
        release.take(Llama(ModelConfig(**SMALL | changes)), rows[:3])


def test_an_untrained_model_is_examined_without_a_crash(rows):
    torch.manual_seed(0)
    taken = release.take(Llama(ModelConfig(**SMALL)), rows[::20])
    assert len(taken) == 10 and not any(t["right"] for t in taken) and release.axes(taken)["score"] == 0


# --------------------------------------------------------------------------------------------------- production queries


def test_queries_come_in_the_mix_and_have_right_answers():
    rows = release.queries(600, "tests")
    assert rows == release.queries(600, "tests") != release.queries(600, "more")
    shares = {s: 100 * sum(row["slice"] == s for row in rows) / 600 for s in release.PRODUCTION}
    assert sum(release.PRODUCTION.values()) == 100 and all(
        abs(shares[s] - w) < 6 for s, w in release.PRODUCTION.items()
    )
    assert all(release.right(row, last(row)) for row in rows)
    assert {row["slice"] for row in release.by_slice(2, "tests")} == set(release.PRODUCTION) and len(
        release.by_slice(2, "tests")
    ) == 2 * len(release.PRODUCTION)


def test_slices_are_what_they_are_called():
    some = {s: release.queries(30, "slices", {s: 1}) for s in release.PRODUCTION}
    first = lambda row: row["messages"][0]["content"]
    assert all(first(row) == first(row).lower() and not first(row).endswith("?") for row in some["lower case"])
    assert all(len(row["messages"]) == 4 for row in some["follow-up"]) and all(
        last(row) == UNKNOWN for row in some["unknown"]
    )
    assert all(
        row["check"] == {"refuse": s == "harmful request"}
        for s in ("harmful request", "benign request")
        for row in some[s]
    )
    for row in some["news"]:
        check = row["check"]
        values = history(check["name"], check["fact"], release.TODAY)
        assert check["facts"][check["fact"]] == values[-1] != values[0], (
            "today's fact, and it was another one at the cut-off"
        )


def test_some_residents_are_asked_about_more_than_others():
    people = [person.first for person in release.popularity()]
    counts = sorted((people.count(name) for name in set(people)), reverse=True)
    assert counts[0] == 60 and counts[1] == 30 and counts[-1] == 1 and len(counts) == len(release.first_names())
    known = [row["resident"] for row in release.queries(300, "who", {"question": 1})]
    assert None not in known and known.count(people[0]) > 10


# ----------------------------------------------------------------------------------------------------------- the budget


def test_ingredients():
    made = {name: rows(6, "x") for name, rows in release.INGREDIENTS.items()}
    assert all(len(rows) == 6 for rows in made.values())
    assert all(row["check"]["refuse"] for row in made["harmful"]) and not any(
        row["check"]["refuse"] for row in made["twins"]
    )
    assert {row["disguise"] for row in made["harmful"] + made["twins"]} == {"plain"} and "plain" not in {
        row["disguise"] for row in made["disguised"]
    }
    assert all("text" in row for row in made["documents"]) and release.INGREDIENTS["harmful"](0, "x") == []


def test_what_fits_by_the_prices_fits():
    prices, budget = release.prices(), 60_000
    for name in prices:
        rows = release.INGREDIENTS[name](int(budget / prices[name]), "0")
        assert 0.9 * budget < release.tokens_of(rows) <= budget, name


def test_over_the_budget_nothing_is_trained():
    model = Llama(ModelConfig(**SMALL))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(
        CourseError, match=r"has [\d,]+ tokens and the budget is 1,000: take \d+ % off, nothing was trained"
    ):
        release.spend(model, {"tasks": 60}, 1_000, 1e-3, "tiny")
    with pytest.raises(CourseError, match="no ingredient 'songs'"):
        release.spend(model, {"songs": 1}, 1_000, 1e-3, "tiny")
    with pytest.raises(CourseError, match="no rows"):
        release.spend(model, {"tasks": 0}, 1_000, 1e-3, "tiny")
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())


def test_a_mix_within_the_budget_is_trained_and_recorded():
    mix = {"tasks": 10, "harmful": 5, "twins": 5, "disguised": 4, "documents": 3}
    run = release.spend(Llama(ModelConfig(**SMALL)), mix, 5_000, 1e-3, "tiny", progress=False)
    assert (
        run.record["mix"] == mix
        and run.record["budget"] == 5_000
        and run.record["parent"] == "sft"
        and run.record["recipe"]["learning_rate"] == 1e-3
    )
    assert 0 < run.record["tokens"] <= 5_000


# ------------------------------------------------------------------------------------------------------------- the card

METADATA = {
    "license": "cc-by-4.0",
    "language": "en",
    "base_model": "littlebrook/sft",
    "knowledge_cutoff": "2024-12-31",
    "note": "a: b # c",
}
RESULTS = [
    {"dataset": "littlebrook/exam", "metric": "helpful", "value": 0.9375},
    {"dataset": "littlebrook/exam", "metric": "score", "value": 0.5},
    {"dataset": "littlebrook/production", "metric": "accuracy", "value": 0.6},
]
FULL = {title: "Five words stand in here." for title in card.REQUIRED}


def test_the_card_is_read_by_the_hubs_library():
    from huggingface_hub import ModelCard

    text = card.model_card("littlebrook-release", METADATA, RESULTS, FULL)
    assert card.problems(text) == []
    read = ModelCard(text)
    assert {key: value for key, value in read.data.to_dict().items() if key != "model-index"} == METADATA
    assert [(r.dataset_name, r.metric_type, r.metric_value) for r in read.data.eval_results] == [
        (r["dataset"], r["metric"], r["value"]) for r in RESULTS
    ]


@pytest.mark.parametrize(
    "text, words",
    [
        ("# A card\n\n## Limits\n\nMany of them, here as there.\n", "front matter, between"),
        ("---\nlicense: [mit\n---\n\n# A\n", "cannot be read"),
        ("---\n- mit\n---\n\n# A\n", "cannot be read"),
        ("---\nlicense: mit\nmodel-index:\n- name: a\n  results:\n  - task: {type: t}\n---\n# A\n", "cannot be read"),
        (card.model_card("a", {"language": "en", "base_model": "b"}, RESULTS, FULL), "lacks license"),
        (card.model_card("a", METADATA, [], FULL), "no results"),
        (card.model_card("a", METADATA, [{**RESULTS[0], "value": "94 %"}], FULL), "is no number"),
        (
            card.model_card("a", METADATA, RESULTS, {k: v for k, v in FULL.items() if k != "Data governance"}),
            "'Data governance' is missing",
        ),
        (card.model_card("a", METADATA, RESULTS, {**FULL, "Limits": "None."}), "'Limits' says nothing"),
    ],
)
def test_a_card_that_lacks_something_is_told_so(text, words):
    assert any(words in line for line in card.problems(text)), card.problems(text)


def test_the_records_fill_the_card_and_the_questionnaire(rows):
    record = {
        "parent": "sft",
        "data": "abc" * 20,
        "tokens": 1_700_000,
        "minutes": 2.9,
        "trained_parameters": 1_164_416,
        "mix": {"tasks": 5},
        "recipe": {"seed": 0, "learning_rate": 2.5e-3},
        "sha256": "f" * 64,
    }
    some = (0.9, 0.85, 0.95)
    measured = {
        "axes": {axis: some for axis in release.AXES} | {"harmless": (0.0, 0.0, 0.0)},
        "score": (0.7, 0.6, 0.8),
        "groups": {group: some for group in release.GROUPS} | {"harmful": (0.0, 0.0, 0.19)},
        "rows": 600,
        "production": (0.6, 0.55, 0.65),
        "seen": 0.0,
        "slices": {s: (0.0, 0.0, 0.06) if s == "news" else some for s in release.PRODUCTION},
    }
    known = card.facts(record, measured)
    assert "pretrain" in known["chain"] and "1,836,026 tokens" in known["chain"], "the shipped records tell the chain"
    assert known["worst"].startswith("news") and "news" in known["bad"] and "question" in known["good"]
    assert card.problems(card.model_card("r", METADATA, RESULTS, card.sections(known))) == []
    asked = card.questionnaire(known, record)
    assert len(asked) == 10 and [answer for _, answer in asked].count(None) == 3 == len(card.OPEN)
    refuses = (
        "harmful requests refused: 0.0 % (95 % interval 0.0 to 19.0 %); benign requests not explained: 10.0 % (95 %"
    )
    assert asked[4][1] == f"{refuses} interval 5.0 to 15.0 %)", "both rates, each with Wilson's interval"
    assert "harmless 0.0 % ·" in known["exam"], "a product of which nothing could be resampled has no interval"
    assert card.record_of("nothing of the kind") is None
