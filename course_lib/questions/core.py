"""A graded question: written once, run in the notebook (`check`) and in the grader (through a pipe).

    ATTENTION = Question("causal_attention", lab="02_pretraining", points=2)

    @ATTENTION.case("matches softmax(QKᵀ/√d)V with the future masked")
    def _(q):
        x = q.randn(2, 3, 5, 4)
        y = q.call("causal_attention", x)
        q.close("values", y, expected(x), tol=1e-5, mistakes={"you divided by d, not by √d": ...})

The first case is the core: if it fails, the question scores 0; otherwise points × passed cases / cases.
Expected values stay on the side where the case runs; a student's function only ever receives inputs.
"""

import dataclasses
import hashlib
import importlib
import pkgutil
import time

import torch

from course_lib.questions import wire
from course_lib.questions.compare import CaseFailed, compare
from course_lib.questions.invoke import CallFailed, LocalCaller, invoke  # noqa: F401  (part of this module's interface)

PUBLIC_SEED = "public"
STATUSES = ("pass", "fail", "error", "timeout", "oom", "killed", "missing", "protocol", "todo")


@dataclasses.dataclass
class Question:
    id: str
    lab: str
    points: float
    forbid: tuple = ()  # dotted names of torch functions that the answer must not call
    timeout: float = 10.0  # seconds a call
    title: str = ""
    cases: list = dataclasses.field(default_factory=list)  # [(name, function(q))], the core first

    def case(self, name):
        def add(function):
            self.cases.append((name, function))
            return function

        return add


@dataclasses.dataclass
class ArtifactQuestion:
    """A handed-in model. score(folder, seed, public) -> (fraction 0..1, message), run on the trusted side."""

    id: str
    lab: str
    points: float
    stage: str
    score: object
    title: str = ""


@dataclasses.dataclass
class WrittenQuestion:
    id: str
    lab: str
    points: float
    rubric: str = ""
    title: str = ""


@dataclasses.dataclass
class CaseResult:
    name: str
    status: str
    score: float = 0.0
    max: float = 0.0
    message: str = ""
    mistake: str | None = None
    hint: str | None = None
    reread: str | None = None
    seconds: float = 0.0


@dataclasses.dataclass
class QuestionResult:
    id: str
    score: float
    max: float
    status: str
    cases: list
    message: str = ""
    flags: list = dataclasses.field(default_factory=list)


def derive_seed(*parts):
    """A 63-bit seed from any printable parts, the same on every machine."""
    return int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:8], "little") >> 1


class Q:
    """What a case gets: seeded inputs, calls of the student's function, and comparisons that raise CaseFailed."""

    def __init__(self, question, case, caller, seed):
        self.question, self.caller, self.seed, self.given = question, caller, (seed, question.lab, question.id, case), 0
        self.generator = torch.Generator().manual_seed(derive_seed(*self.seed))  # never handed out: it tells all inputs

    def randn(self, *shape, dtype=torch.float32):
        return torch.randn(*shape, generator=self.generator).to(dtype)

    def rand(self, *shape, dtype=torch.float32):
        return torch.rand(*shape, generator=self.generator).to(dtype)

    def randint(self, low, high, shape=()):
        """Whole numbers in [low, high): a python int for shape (), otherwise an int64 tensor."""
        drawn = torch.randint(low, high, tuple(shape), generator=self.generator)
        return drawn if shape != () else int(drawn)

    def permutation(self, n):
        return torch.randperm(n, generator=self.generator)

    def new_generator(self):
        """A generator for the student's function. Neither its seed nor its state tells of any input."""
        self.given += 1
        return torch.Generator().manual_seed(derive_seed(*self.seed, "handed out", self.given))

    def _call(self, name, args, kwargs, **options):
        options["forbid"] = list(self.question.forbid)
        return self.caller.call(name, args, kwargs, options, self.question.timeout)

    def call(self, name, *args, **kwargs):
        """The student's `name(*args, **kwargs)`, as plain values."""
        return self._call(name, args, kwargs)["value"]

    def call_with_grad(self, name, args, wrt, cotangent=None, kwargs=None):
        """(y, gradients of (y * cotangent).sum() with respect to args[i] for i in wrt). A name in `wrt` is a keyword
        argument.
        """
        reply = self._call(name, tuple(args), kwargs or {}, wrt=list(wrt), cotangent=cotangent)
        return reply["value"], self._checked_grads(reply, wrt)

    def _checked_grads(self, reply, wrt):
        grads = reply.get("grads")
        if type(grads) is not list or len(grads) != len(wrt):
            raise CallFailed("protocol", "the answer came back without its gradients")
        for place, grad in zip(wrt, grads):
            if grad is None:
                raise CaseFailed(
                    f"no gradient reaches argument {place}",
                    hint="Something cuts the graph: .detach(), .item(), torch.tensor(...) or no_grad().",
                )
        return grads

    def call_checked_unmutated(self, name, *args, **kwargs):
        """As call, but the case fails if the function changed one of its inputs in place."""
        before = wire.plain([list(args), kwargs])
        reply = self._call(name, args, kwargs, inputs_back=True)
        self.unchanged("the inputs", reply.get("inputs"), before)
        return reply["value"]

    def unchanged(self, label, after, before):
        try:
            compare(label, after, before, tol=0.0, equal_nan=True)
        except CaseFailed as error:
            raise CaseFailed(
                f"your function changed {label} in place",
                hint="Work on a copy: x = x.clone(), or x * 2 in place of x.mul_(2).",
            ) from error

    def same(self, label, got, expected, hint=None, reread=None, mistakes=None):
        """got == expected for numbers, texts, lists and dicts of them (and tensors, bit for bit)."""
        compare(label, got, expected, tol=0.0, mistakes=mistakes, hint=hint, reread=reread)

    def close(self, label, got, expected, tol=1e-5, mistakes=None, hint=None, reread=None, check_dtype=True):
        """|got − expected| ≤ tol · (1 + |expected|), with equal shapes and dtypes, all finite where expected is."""
        compare(label, got, expected, tol=tol, mistakes=mistakes, hint=hint, reread=reread, check_dtype=check_dtype)

    def true(self, label, condition, hint=None, reread=None, mistake=None):
        # a student's object never gets here (wire.plain), so bool() is our own
        if not bool(condition):
            raise CaseFailed(label, mistake=mistake, hint=hint, reread=reread)


def run_case(question, case, function, caller, seed):
    started, worth = time.perf_counter(), question.points / len(question.cases)
    result = CaseResult(case, "pass", worth, worth)
    try:
        function(Q(question, case, caller, seed))
    except CaseFailed as failure:
        result.status, result.message = "fail", failure.message
        result.mistake, result.hint, result.reread = failure.mistake, failure.hint, failure.reread
    except CallFailed as failure:
        result.status, result.message, result.hint = failure.status, failure.message, failure.hint
    except MemoryError:
        raise
    except Exception as error:
        # the case itself tripped over what came back: None where a tensor was due, a tuple of another length, 10**4000
        # …
        result.status, result.message = (
            "fail",
            f"your function returned something of another kind than asked for ({type(error).__name__}: "
            f"{str(error)[:200]})",
        )
    result.score = worth if result.status == "pass" else 0.0
    result.seconds = round(time.perf_counter() - started, 4)
    return result


def run(question, caller, seed=PUBLIC_SEED):
    """Runs the cases of a Question, and none after a hopeless core (nothing written, missing, hung, dead)."""
    results, hopeless, lost = [], None, 0
    for name, function in question.cases:
        if hopeless:
            results.append(
                CaseResult(name, hopeless, 0.0, question.points / len(question.cases), "not run: see the case before")
            )
            continue
        result = run_case(question, name, function, caller, seed)
        results.append(result)
        lost += result.status in (
            "timeout",
            "killed",
            "oom",
            "protocol",
        )  # each costs seconds: a hung call, or a new process
        if result.status in ("todo", "missing") or (len(results) == 1 and lost) or lost == 2:
            hopeless = result.status
    failed = [r for r in results if r.status != "pass"]
    core_failed = results[0].status != "pass"
    if core_failed:
        for r in results:
            r.score = 0.0
    score = 0.0 if core_failed else question.points * (len(results) - len(failed)) / len(results)
    return QuestionResult(question.id, score, question.points, failed[0].status if failed else "pass", results)


def labs():
    """Names of the labs that have questions, in order."""
    import course_lib.questions as package

    return sorted(
        m.name.removeprefix("lab") for m in pkgutil.iter_modules(package.__path__) if m.name.startswith("lab")
    )


def questions_of(lab):
    """The questions of a lab in the order in which its module defines them. LookupError for an unknown lab."""
    try:
        module = importlib.import_module(f"course_lib.questions.lab{lab}")
    except ModuleNotFoundError as error:
        if error.name != f"course_lib.questions.lab{lab}":
            raise
        raise LookupError(f"there is no lab {lab!r}; labs: {', '.join(labs())}") from None
    return [
        v
        for v in vars(module).values()
        if isinstance(v, (Question, ArtifactQuestion, WrittenQuestion)) and v.lab == lab
    ]
