"""`course viva`: changes that are understood, questions whose answers were seen in the sandbox, and their sheet."""

import ast
import re

import classroom
import pytest
import tally

from course_lib import cli
from course_lib.grading.records import store
from course_lib.grading.reports.viva import ask, changes, sheet
from course_lib.questions import core

LAB = "07_rlhf"
BY_ID = {q.id: q for q in core.questions_of(LAB) if isinstance(q, core.Question)}


def changes_of(line):
    source = f'def f(x, mask, n=-1):\n    """a - b"""\n    {line}\n'
    return changes.changes(source, ast.parse(source).body[0])


@pytest.mark.parametrize(
    "line, ask, effect",
    [
        ("return x < n", "if `x < n` read `x <= n`", "Where both sides are equal it holds, too."),
        ("return x[mask != 0]", "if `mask != 0` read `mask == 0`", "It holds exactly where it does not hold now."),
        ("return x and n", "if `x and n` read `x or n`", "One of the two is enough."),
        ("return x.sum(1)", "if `x.sum` read `x.mean`", "It is divided by the number of all terms"),
        ("return x.sum(1)", "if `x.sum(1)` read `x.sum(0)`", "It works along axis 0 in place of axis 1."),
        ("return F.softmax(x, dim=-1)", "if `F.softmax(x, dim=-1)` read `F.softmax(x, dim=0)`", "along axis 0"),
        ("return x.detach() + n", "without `.detach()` behind `x`", "A gradient flows through this value, too."),
        ("return (x - n).clamp(-1, 1)", "without `.clamp(-1, 1)` behind `(x - n)`", "Values beyond the bounds pass"),
        ("return torch.clamp(x, 0, 1)", "if `torch.clamp(x, 0, 1)` read `x`", "Values beyond the bounds pass"),
        ("with torch.no_grad(): x = n", "if `torch.no_grad` read `torch.enable_grad`", "A gradient flows"),
        ("return x[:, :-1]", "if `:-1` read `1:`", "all moves by one"),
        ("return x[n + 1]", "if `n + 1` read `n`", "It is one less."),
        ("return -(x * n)", "without the minus before `(x * n)`", "The sign is the other one."),
        ("return x - n", "if `x - n` read `x + n`", "`n` is added."),
        ("x[0] += n", "if `x[0] += n` read `x[0] = n`", "`n` takes the place of what stood in `x[0]`."),
        ("return x * mask", "if `x * mask` read `x`", "Places that `mask` puts to 0 count."),
        ("return x[~mask]", "if `~mask` read `mask`", "It holds exactly where it does not hold now."),
        (
            "return torch.where(mask, x, 0.0)",
            "if the mask of `torch.where(mask, x, 0.0)` stood on the other side",
            "The",
        ),
        ("return x.masked_fill(mask, 0)", "if `mask` read `~(mask)`", "It fills exactly the places that it keeps now."),
        ("return x.tril()", "if `x.tril` read `x.triu`", "It keeps the upper triangle"),
        ("return x / n", "if `x / n` read `x`", "It is not divided by `n`."),
        ("return n / (x + 1e-8)", "if `x + 1e-8` read `x`", "Nothing keeps a divisor away from 0."),
        ("return n * x", "if `n * x` read `x`", "The factor `n` is missing."),
        ("return x == -100", "if `-100` read `0`", "0 is an ordinary token"),
        ("return min(x)", "if `min` read `max`", "It takes the largest in place of the smallest."),
        (r"return f'{x}\n{n}\n'", r"if `f'{x}\n{n}\n'` read `f'{x}\n{n}'`", "A newline is missing there."),
        ("'größer'; return x - n  # ö", "if `x - n` read `x + n`", "`n` is added."),
    ],
)
def test_the_changes_that_are_understood(line, ask, effect):
    made = [change for change in changes_of(line) if change.ask == ask]
    assert len(made) == 1 and effect in made[0].effect and made[0].line == 3


def test_what_is_not_changed():
    for line in ("return [1] + ['a']", "y: 'n < 1' = f'{x - n}'", "return f(n)", "raise ValueError('x - n')"):
        assert changes_of(line) == []
    assert changes_of("return (x  # a - b\n            < n)") == [], "a comment stands between"


def test_every_change_reads_as_python_and_changes_its_place_alone():
    number = 0
    for lab in ("03_supervised_fine_tuning", LAB):
        for name, entry in tally.bank(lab).items():
            for source in entry["right"].values():
                _, text, function = ask.answers_in([(0, "code", source)], [name])[name]
                for change in changes.changes(text, function):
                    first, last = change.place
                    assert text[first:last] == change.old != change.new
                    made = ask.changed_source((0, text, function), change, f"{name}_changed")
                    assert ast.parse(made).body[0].name == f"{name}_changed"
                    number += 1
    assert number > 500


def test_a_value_tells_more_or_less():
    import torch

    assert min(ask.telling(torch.rand(2)), ask.telling(0.5), ask.telling(torch.arange(9))) >= ask.ENOUGH
    assert ask.telling("a text of more than thirty-two characters") >= ask.ENOUGH
    assert max(ask.telling(17), ask.telling(None), ask.telling(["kl", "reward"]), ask.telling(3.0)) < ask.ENOUGH
    assert ask.telling(float("inf")) >= 1


def asked(answers, zygote, key=b"one"):
    cells = [(0, "code", "import math\nimport torch\nimport torch.nn.functional as F")]
    cells += [(k, "code", source) for k, source in enumerate(answers.values(), 1)]
    return ask.asked_of(cells, list(BY_ID.values()), LAB, "seed", key, zygote.spawn)


RIGHT = {
    "group_advantages": "def group_advantages(rewards, scale=True):\n"
    "    centred = rewards - rewards.mean(1, keepdim=True)\n"
    "    return centred / (rewards.std(1, keepdim=True) + 1e-4) if scale else centred",
    "kl_penalty": "def kl_penalty(scores, logprobs, reference, mask, beta):\n"
    "    last = (mask * torch.arange(mask.shape[1])).argmax(1)\n"
    "    r = torch.where(mask, -beta * (logprobs - reference), 0.0)\n"
    "    r[torch.arange(len(scores)), last] += scores\n"
    "    return r",
}


def test_the_expected_answer_is_what_the_checks_say_of_the_change(zygote):
    alone = {"kl_penalty": RIGHT["kl_penalty"]}
    found = {item["ask"]: item for key in (b"1", b"2", b"3", b"4") for item in asked(alone, zygote, key)}
    assert 3 < len(found) and all(item["cell"] == 1 and item["question"] == "kl_penalty" for item in found.values())
    mistakes = {
        "if `-beta * (logprobs - reference)` read `(logprobs - reference)`": "β is missing",
        "if `r[torch.arange(len(scores)), last] += scores` read `r[torch.arange(len(scores)), last] = scores`": (
            "The score took the place of the last token's penalty: add them."
        ),
        "without the minus before `beta`": "The sign of the penalty is wrong",
    }
    seen = [words for change, words in mistakes.items() for text, item in found.items() if change in text]
    assert seen, list(found)
    for text, item in found.items():
        assert item["code"] in RIGHT["kl_penalty"] and item["line"] in (2, 3, 4, 5)
        assert all(words in item["expect"] for change, words in mistakes.items() if change in text)


def test_an_answer_that_one_step_mends_is_asked_for_the_step(zygote):
    wrong = RIGHT["group_advantages"].replace("std(1", "std(0")
    found = asked({"group_advantages": wrong}, zygote)
    step = next(
        item for item in found if "`rewards.std(0, keepdim=True)` read `rewards.std(-1, keepdim=True)`" in item["ask"]
    )
    assert step["line"] == 3 and step["expect"].endswith(
        "All checks of this exercise pass then: this is what is wrong."
    )


def test_an_answer_whose_mistake_has_a_name_is_asked_for_it(zygote):
    wrong = RIGHT["kl_penalty"].replace(
        "last = (mask * torch.arange(mask.shape[1])).argmax(1)", "last = mask.int().argmax(1)"
    )
    found = asked({"kl_penalty": wrong}, zygote)
    assert [item["line"] for item in found if "What is wrong with what this line gives back" in item["ask"]] == [5]
    assert "The score was given at the first token of the answer: it belongs to the last." in [
        i["expect"] for i in found
    ]


def test_the_same_key_asks_the_same_and_each_answer_in_turn(zygote):
    first, again, other = (asked(RIGHT, zygote, key) for key in (b"one", b"one", b"other"))
    assert first == again != other and len(first) == 3
    assert {item["question"] for item in first} == set(RIGHT)


@pytest.fixture
def course(tmp_path, monkeypatch, box):
    monkeypatch.chdir(tmp_path)
    evil = "def surprise(p):\n    import os\n    os.kill(os.getpid(), 9)\n    return -p  # <script>alert(1)</script>"
    right = classroom.right_answers("00_start_here")
    for student, answers in (("ann", right), ("eve", right | {"surprise": evil}), ("tom", {})):
        text = classroom.notebook(classroom.sources(answers, "00_start_here"))
        classroom.hand_in(tmp_path, student, text, lab="00_start_here")
    classroom.hand_in(tmp_path, "zoe", "{", lab="00_start_here")
    return tmp_path


def test_the_sheet_is_the_same_again_and_nobody_is_left_out(course, capsys):
    assert cli.main(["viva", "00_start_here"]) == 0
    said, page = capsys.readouterr().out, (course / "viva_00_start_here.html").read_text()
    assert re.findall(r"^\w+$", said, re.M) == ["ann", "eve", "tom", "zoe"]
    assert "tom\n  nothing to ask: they have written no answer" in said and "zoe\n  nothing to ask: the file is" in said
    of_ann = said[said.index("\nann\n") : said.index("\neve\n")]
    assert of_ann.count("What would be different") == of_ann.count("Expected: ") == 3
    assert "<script" not in page and page.count("<section>") == 4 and "For the examiner" in page
    assert cli.main(["viva", "00_start_here"]) == 0
    assert capsys.readouterr().out == said and (course / "viva_00_start_here.html").read_text() == page
    assert cli.main(["viva", "00_start_here", "--student", "ann", "--html", "ann.html"]) == 0
    assert of_ann.strip() in capsys.readouterr().out and "<h2>eve" not in (course / "ann.html").read_text()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["00_nothing"], "there is no lab"),
        (["00_start_here", "--student", "bob"], "no submission of"),
        (["02_pretraining"], "no sub"),
    ],
)
def test_what_cannot_be_asked_is_one_line(course, arguments, words):
    with pytest.raises(store.StoreError, match=words):
        sheet.main(arguments)
