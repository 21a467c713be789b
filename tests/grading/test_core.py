import pytest
import torch

from course_lib.notebook.check import check
from course_lib.questions import core, wire
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
    assert result.score == 3 and [c.status for c in result.cases] == ["pass", "pass", "fail", "pass"]


def test_lost_gradient():
    assert run(lambda x: (x * 2).detach()).cases[1].message == "no gradient reaches argument 0"


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
