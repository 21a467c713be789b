import pytest
import torch

from course_lib.notebook.check import check
from course_lib.questions import core, wire
from course_lib.questions.compare import CaseFailed, compare
from course_lib.questions.invoke import LocalCaller


def toy():
    question = core.Question("double", lab="toy", points=4, forbid=("torch.nn.functional.softmax",), timeout=0.5)

    @question.case("doubles")
    def _(q):
        x = q.randn(2, 3)
        q.close("values", q.call("double", x), 2 * x, mistakes={"you squared": x * x})

    @question.case("has the gradient 2")
    def _(q):
        x, g = q.randn(4), q.randn(4)
        _, (grad,) = q.call_with_grad("double", (x,), wrt=(0,), cotangent=g)
        q.close("gradient", grad, 2 * g)

    @question.case("leaves its input alone")
    def _(q):
        q.call_checked_unmutated("double", q.randn(3))

    @question.case("keeps the shape of nothing")
    def _(q):
        q.same("shape", list(q.call("double", torch.zeros(0, 3)).shape), [0, 3])

    return question


def run(fn):
    return core.run(toy(), LocalCaller({"double": fn}))


def test_right_answer_has_all_points():
    result = run(lambda x: x + x)
    assert (result.score, result.status) == (4, "pass")


def test_core_failure_scores_zero_and_names_the_mistake():
    result = run(lambda x: x * x)
    assert result.score == 0 and result.cases[0].mistake == "you squared"


def test_mutation_costs_its_case_only():
    def double(x):
        if not x.requires_grad:
            x.mul_(2)
            return x.clone()
        return x * 2

    result = run(double)
    assert result.score == 2 and [c.status for c in result.cases] == ["pass", "pass", "fail", "pass"]


def of_cases(*cases, rules=()):
    """The result of a question whose cases are (function of q, options of Question.case), answered by `answer`."""
    question = core.Question("answer", lab="toy", points=2, rules=rules)
    for function, options in cases:
        question.case(f"case {len(question.cases)}", **options)(function)
    return lambda answer: core.run(question, LocalCaller({"answer": answer}))


def wants(value, **options):
    return lambda q: q.same("the value", q.call("answer", value), value, **options)


def test_each_failed_case_takes_its_share_of_what_is_left():
    ask = of_cases((wants(0), {}), (wants(1), {}), (wants(2), {"cost": 0.25}), (wants(3), {"rule": "r"}), rules=("r",))
    score = lambda *right: ask(lambda x: x if x in right else None).score
    assert score(0, 1, 2, 3) == 2 and score(0, 2, 3) == 1 and score(0, 1, 3) == 1.5 and score(0, 3) == 0.75
    assert score(0) == 2 * 0.5 * 0.75 * 0.5 and score(1, 2, 3) == 0
    assert [case.cost for case in ask(lambda x: x).cases] == [1, 0.5, 0.25, 0.5]


@pytest.mark.parametrize("options", [{"rule": "another"}, {"rule": "r", "cost": 0.25}, {"cost": 0}, {"cost": 1.5}])
def test_a_case_of_no_listed_rule_or_of_an_odd_cost_is_refused(options):
    with pytest.raises(ValueError, match="answer: the case"):
        core.Question("answer", lab="toy", points=1, rules=("r",)).case("x", **options)


def test_a_case_has_a_hint_for_every_failure_but_a_named_mistake():
    def answer(x):
        if x == 1:
            return {}["none"]
        if x == 2:
            open("/no/such/file")
        if x == 3:
            raise NotImplementedError
        return x + 1

    general = {"hint": "general", "reread": "§ 1"}
    ask = of_cases(
        (wants(0), general),
        (wants(1), general),
        (wants(2), general),
        (wants(4, hint="own", reread="§ 2"), general),
        (wants(5, mistakes={"one more": 6}), general),
        (wants(5, mistakes={"one more": 6}, hint="own"), general),
        (wants(3), general),
    )
    told = [(case.mistake, case.hint, case.reread) for case in ask(answer).cases]
    assert told[:2] == [(None, "general", "§ 1")] * 2 and told[2][1].startswith("The files of your own machine")
    assert told[3] == (None, "own", "§ 2") and told[4] == told[5] == ("one more", None, "§ 1")
    assert told[6][1].startswith("Replace `raise")


def difference(got, expected, tol=1e-5, **options):
    with pytest.raises(CaseFailed) as failed:
        compare("it", got, expected, tol, **options)
    return failed.value


def test_a_mistake_is_named_only_where_it_alone_explains_the_answer():
    name = lambda got, expected, mistakes, tol=1e-5: difference(got, expected, tol, mistakes=mistakes).mistake
    assert name(2.0, 1.0, {"twice": 2.0, "thrice": 3.0}) == "twice"
    assert name(2.0, 1.0, {"twice": 2.0, "one more": 2.0}) is None, "two that cannot be told apart"
    assert name(2.0, 1.0, {"no value here": lambda: [][0], "twice": lambda: 2.0}) == "twice"
    assert name(1.0004, 1.0, {"near": 1.0005}, 1e-4) is None, "nearer to it than the tolerance explains"
    assert name(1.0005, 1.0, {"near": 1.0005}, 1e-4) == "near"
    assert name(1.00021, 1.0, {"within the tolerance": 1.00019}, 1e-4) is None
    hashes = torch.tensor([147_030_001, 147_030_002])
    assert name(hashes + 1, hashes, {"no remainder": hashes + 2}, 0.0) is None, "whole numbers are equal or not"
    assert name(hashes + 2, hashes, {"no remainder": hashes + 2}, 0.0) == "no remainder"
    assert name(147_030_001, 147_030_003, {"a": 147_030_002}, 0.0) is None
    assert name(hashes.int(), hashes, {"no remainder": hashes + 2}) is None, "only the dtype differs"
    assert (
        name([1, 2.5], [1, 3.0], {"a": [1, 2.5]}) == "a" and name({"k": True}, {"k": False}, {"a": {"k": True}}) == "a"
    )
    nan = float("nan")
    assert name(torch.tensor([nan, 1.0]), torch.tensor([0.0, 1.0]), {"0/0": torch.tensor([nan, 1.0])}) == "0/0"
    assert name("yes", "no", {"the other": "yes"}) == "the other" and name("yes", "no", {"x": "maybe"}) is None


def test_differences_are_told_so_that_they_can_be_seen():
    text = lambda *given, **options: difference(*given, **options).message
    assert text(torch.tensor([147030001]), torch.tensor([147030004]), 0.0).endswith(
        "yours 147030001, expected 147030004"
    )
    assert text(torch.tensor([True]), torch.tensor([False])).endswith("yours True, expected False")
    assert text(0.70133512, 0.70133534, 1e-8) == "it: yours is 0.70133512, expected 0.70133534"
    assert text(torch.tensor(1.0), torch.tensor(1.0) + 2**-23, 0.0).endswith("yours 1, expected 1.0000001")
    assert text(0.5, 0.25) == "it: yours is 0.5, expected 0.25"
    one, other = "a" * 40 + "x" + "b" * 60, "a" * 40 + "y" + "b" * 60
    piece = "…" + "a" * 20 + "{}" + "b" * 19 + "…"
    assert text(one, other) == (
        f"it: they differ from character 41 on: yours {piece.format('x')!r}, expected {piece.format('y')!r}"
    )
    assert text(
        "a" * 100, "a" * 90
    ) == f"it: they differ from character 91 on: yours {'…' + 'a' * 30!r}, expected " + repr("…" + "a" * 20)
    assert text("short", "brief") == "it: yours is 'short', expected 'brief'"
    assert text((0.5, 0.1), (0.5, 0.2), names=("agreement", "κ")) == "it: κ: yours is 0.1, expected 0.2"
    assert text({"a": [[1], [2]]}, {"a": [[1], []]}, names=("train", "test")).startswith("it: ['a']: test: it has 1")
    assert text(0.0, None) == "it: yours is 0.0, expected None"
    assert text([1, 3], [1, 2], 0.0) == "it: entry 1: yours is 3, expected 2"
    # a small group has no names for its parts: it is shown whole
    assert text([("a", "b"), ("c", "e")], [("a", "b"), ("c", "d")], 0.0) == (
        "it: entry 1: yours is ('c', 'e'), expected ('c', 'd')"
    )
    assert text([(0, 3)], [(0, 3, 5)], 0.0) == "it: entry 0: yours is (0, 3), expected (0, 3, 5)"
    assert text([[0, 1, 2, 3, 4]], [[0, 1, 2, 3, 5]], 0.0) == "it: entry 0: entry 4: yours is 4, expected 5"
    assert text([(0.1, 1)], [(0.1 + 1e-12, 1)], 1e-20).startswith("it: entry 0: yours is (0.1, 1), expected (0.100000")
    assert "gradient" not in text(1.0, torch.tensor(1.0))


def test_a_changed_input_gets_the_hint_of_its_kind():
    def hint(change):
        ask = of_cases((lambda q: q.call_checked_unmutated("answer", torch.ones(2), {"a": [1], "b": 2}, k=[[3]]), {}))
        return ask(lambda x, d, k: change(x, d, k)).cases[0].hint

    assert "x.clone()" in hint(lambda x, d, k: x.mul_(2)) and "{**x}" in hint(lambda x, d, k: d.pop("b"))
    assert "{**x}" in hint(lambda x, d, k: d.update(b=3))
    assert "list(x)" in hint(lambda x, d, k: d["a"].append(1)) and "list(x)" in hint(lambda x, d, k: k[0].clear())


def test_lost_gradient():
    assert run(lambda x: (x * 2).detach()).cases[1].message == "no gradient reaches argument 0"
    twice = lambda q: q.call_with_grad("answer", (q.randn(2), q.randn(2)), wrt=(0, 1), names=("chosen", "rejected"))
    by_name = lambda q: q.call_with_grad("answer", (q.randn(2),), wrt=("y",), kwargs={"y": q.randn(2)})
    result = of_cases((lambda q: None, {}), (twice, {}), (by_name, {}))(lambda x, y: x * y.detach())
    assert [case.message for case in result.cases[1:]] == ["no gradient reaches `rejected`", "no gradient reaches `y`"]
    assert all(case.hint == core.CUT for case in result.cases[1:])


def test_a_cut_graph_is_suspected_only_where_the_gradient_is_nothing():
    def gradient(q):
        x = q.randn(3)
        _, (grad,) = q.call_with_grad("answer", (x,), wrt=(0,))
        q.close("the gradient", grad, torch.full((3,), 2.0))

    hint = lambda answer: of_cases((gradient, {}))(answer).cases[0].hint
    assert hint(lambda x: x.detach() * 2 + 0 * x) == core.CUT and hint(lambda x: 3 * x) is None


def test_stub_is_todo():
    def double(x):
        raise NotImplementedError()

    assert run(double).status == "todo"


def test_missing_function():
    assert core.run(toy(), LocalCaller({})).status == "missing"


def test_forbidden_function_is_caught_by_any_name():
    import torch.nn.functional as F

    def double(x):
        getattr(torch, "soft" + "max")(x, -1), F.softmax(x, -1)
        return x * 2

    assert "softmax" in run(double).cases[0].message


def test_endless_loop_times_out():
    def double(x):
        while True:
            pass

    assert run(double).status == "timeout"


class Trick(torch.Tensor):
    pass


class AlwaysEqual:
    def __eq__(self, other):
        return True

    __bool__ = lambda self: True


class LazyFloat(float):
    pass


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(2, 3).as_subclass(Trick),
        torch.zeros(2, 3).to_sparse(),
        torch.zeros(2, 3, device="meta"),
        AlwaysEqual(),
        LazyFloat(1),
        torch.zeros(1).expand(10**10),
        torch.zeros(2, 3).numpy(),
    ],
    ids=lambda v: type(v).__name__,
)
def test_tricks_are_not_plain(value):
    result = run(lambda x: value)
    assert result.score == 0 and result.cases[0].status == "fail"


@pytest.mark.parametrize(
    "value",
    [
        torch.full((2, 3), float("nan")),
        torch.full((2, 3), float("inf")),
        torch.zeros(3, 2),
        torch.zeros(2, 3).double(),
        None,
        [1.0],
        torch.zeros(2, 3, dtype=torch.complex64),
    ],
)
def test_wrong_kinds_fail_with_a_line(value):
    result = run(lambda x: value)
    assert result.score == 0 and result.cases[0].message


def test_inputs_differ_by_seed_and_are_the_same_for_one_seed():
    draw = lambda seed: core.Q(toy(), "c", None, seed).randn(3).tolist()
    assert draw("a") == draw("a") != draw("b")


def test_wire_round_trip():
    g = torch.Generator().manual_seed(3)
    value = {
        "a": [1, 2.5, None, True, "ü"],
        "t": (torch.arange(6).reshape(2, 3), torch.ones(2, dtype=torch.bfloat16)),
        "g": g,
        "d": torch.float16,
        "empty": torch.zeros(0),
    }
    back = wire.decode(wire.encode(value))
    assert back["a"] == value["a"] and torch.equal(back["t"][0], value["t"][0]) and back["t"][1].dtype == torch.bfloat16
    assert (
        torch.rand(1, generator=back["g"]) == torch.rand(1, generator=g)
        and back["d"] is torch.float16
        and back["empty"].shape == (0,)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\xff" * 100,
        (2).to_bytes(8, "little") + b"[[",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
        (13).to_bytes(8, "little") + b'["tensor", 0]',
        (13).to_bytes(8, "little") + b'["tensor", 0]' + (2**40).to_bytes(8, "little"),
        (13).to_bytes(8, "little")
        + b'["tensor", 0]'
        + (80).to_bytes(8, "little")
        + b'{"0":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'.ljust(80)
        + b"\0\0\0\0",
        (5).to_bytes(8, "little") + b'{"a":',
        (20).to_bytes(8, "little") + b'["generator", 99999]',
    ],
)
def test_wire_refuses_garbage(data):
    with pytest.raises(ValueError):
        wire.decode(data)


def test_unknown_lab_is_one_line():
    with pytest.raises(LookupError, match="there is no lab"):
        core.questions_of("99_nothing")


def test_unknown_question_names_the_nearest(capsys):
    assert not check("no_such_question", namespace={})
    assert "There is no question" in capsys.readouterr().out
