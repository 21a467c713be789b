"""A graded question: written once, run in the notebook (`check`) and in the grader (through a pipe).

    ATTENTION = Question("causal_attention", lab="02_pretraining", points=2, rules=("no token sees a later one", …))

    @ATTENTION.case("matches softmax(QKᵀ/√d)V with the future masked")
    def _(q):
        x = q.randn(2, 3, 5, 4)
        y = q.call("causal_attention", x)
        q.close("values", y, expected(x), tol=1e-5, mistakes={"you divided by d, not by √d": ...})

    @ATTENTION.case("a later token changes nothing", rule="no token sees a later one", hint="Mask before softmax.")
    def _(q): ...

The first case is the core: if it fails, the question scores 0. Each other case that fails takes its `cost` of what is
left, half where nothing else is said: points × Π(1 − cost). A rule that the text names costs at least half; a mere edge
may cost a quarter.
Expected values stay on the side where the case runs; a student's function only ever receives inputs.
"""

import dataclasses
import hashlib
import importlib
import math
import pkgutil
import time

import torch

from course_lib.questions import wire
from course_lib.questions.compare import CaseFailed, changed_part, compare
from course_lib.questions.invoke import CallFailed, LocalCaller, invoke  # noqa: F401  (part of this module's interface)

PUBLIC_SEED = "public"
CUT = "Something cuts the graph: .detach(), .item(), torch.tensor(...) or no_grad()."
COPY = {
    torch.Tensor: "Work on a copy: x = x.clone(), or x * 2 in place of x.mul_(2).",
    dict: "Work on a copy: {**x}.",
    list: "Work on a copy: list(x), or sorted(x) in place of x.sort(), x + [y] in place of x.append(y).",
}
STATUSES = ("pass", "fail", "error", "timeout", "oom", "killed", "missing", "protocol", "todo")


@dataclasses.dataclass
class Question:
    id: str
    lab: str
    points: float
    forbid: tuple = ()  # dotted names of torch functions that the answer must not call
    timeout: float = 10.0  # seconds a call
    title: str = ""
    rules: tuple = ()  # what its text asks for beside the plain case, a short sentence each
    cases: list = dataclasses.field(default_factory=list)  # of Case, the core first

    def case(self, name, rule=None, cost=0.5, hint=None, reread=None):
        """A decorator that adds a case. rule: the one of `rules` that this case decides alone. cost: the share of what
        is left that its failure takes (of the core: all). hint, reread: shown where a failure brings none of its own.
        """
        if rule is not None and rule not in self.rules:
            raise ValueError(f"{self.id}: the case {name!r} is about a rule that the question does not list: {rule!r}")
        if not 0 < cost <= 1 or (rule is not None and cost < 0.5):
            raise ValueError(
                f"{self.id}: the case {name!r} costs {cost}: a rule costs half or more, no case 0 or above 1"
            )

        def add(function):
            self.cases.append(Case(name, function, rule, cost if self.cases else 1.0, hint, reread))
            return function

        return add


@dataclasses.dataclass
class Case:
    name: str
    function: object  # of a Q
    rule: str | None = None
    cost: float = 0.5
    hint: str | None = None
    reread: str | None = None


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
    """A case has no points of its own: `cost` is the share of what is left that its failure takes, of the core all."""

    name: str
    status: str
    cost: float = 1.0
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
        self.grads = []  # all gradients that call_with_grad has given

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

    def call_with_grad(self, name, args, wrt, cotangent=None, kwargs=None, names=None):
        """(y, gradients of (y * cotangent).sum() with respect to args[i] for i in wrt). A name in `wrt` is a keyword
        argument. names: of the parameters of `wrt`, for the message where no gradient reaches one.
        """
        reply = self._call(name, tuple(args), kwargs or {}, wrt=list(wrt), cotangent=cotangent)
        return reply["value"], self._checked_grads(reply, wrt, names)

    def _checked_grads(self, reply, wrt, names):
        grads = reply.get("grads")
        if type(grads) is not list or len(grads) != len(wrt):
            raise CallFailed("protocol", "the answer came back without its gradients")
        names = names or [place if isinstance(place, str) else None for place in wrt]
        for place, name, grad in zip(wrt, names, grads, strict=True):
            if grad is None:
                raise CaseFailed(
                    f"no gradient reaches `{name}`" if name else f"no gradient reaches argument {place}", hint=CUT
                )
        self.grads += grads
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
            hint = COPY.get(type(changed_part(after, before)))
            raise CaseFailed(f"your function changed {label} in place", hint=hint) from error

    def same(self, label, got, expected, hint=None, reread=None, mistakes=None, names=None):
        """got == expected for numbers, texts, lists and dicts of them (and tensors, bit for bit). names: of the entries
        of a list or tuple, or of each one in a dict, for the message.
        """
        compare(label, got, expected, tol=0.0, mistakes=mistakes, hint=hint, reread=reread, names=names)

    def close(
        self, label, got, expected, tol=1e-5, mistakes=None, hint=None, reread=None, check_dtype=True, names=None
    ):
        """|got − expected| ≤ tol · (1 + |expected|), with equal shapes and dtypes, all finite where expected is. names:
        as of `same`.

        mistakes: {what went wrong: the value that it gives, or a function of no argument for it}. One is named where
        the answer is its value and no other's.
        """
        if any(got is grad for grad in self.grads) and not bool(got.any()):
            hint = hint or CUT
        compare(label, got, expected, tol, mistakes, hint, reread, check_dtype, names=names)

    def true(self, label, condition, hint=None, reread=None, mistake=None):
        # a student's object never gets here (wire.plain), so bool() is our own
        if not bool(condition):
            raise CaseFailed(label, mistake=mistake, hint=hint, reread=reread)


def run_case(question, case, caller, seed):
    started = time.perf_counter()
    result = CaseResult(case.name, "pass", case.cost)
    try:
        case.function(Q(question, case.name, caller, seed))
    except CaseFailed as failure:
        result.status, result.message, result.mistake = "fail", failure.message, failure.mistake
        result.hint = failure.hint or (None if failure.mistake else case.hint)  # a named mistake is the better hint
        result.reread = failure.reread or case.reread
    except CallFailed as failure:
        result.status, result.message, result.hint = failure.status, failure.message, failure.hint
        if failure.status == "error":  # the input for which the hint was written is often the one on which it stops
            result.hint, result.reread = failure.hint or case.hint, case.reread
    except MemoryError:
        raise
    except Exception as error:
        # the case itself tripped over what came back: None where a tensor was due, a tuple of another length, 10**4000
        # …
        result.status, result.message, result.reread = (
            "fail",
            f"your function returned something of another kind than asked for ({type(error).__name__}: "
            f"{str(error)[:200]})",
            case.reread,
        )
    result.seconds = round(time.perf_counter() - started, 4)
    return result


def run(question, caller, seed=PUBLIC_SEED):
    """Runs the cases of a Question, and none after a hopeless core (nothing written, missing, hung, dead)."""
    results, hopeless, lost = [], None, 0
    for case in question.cases:
        if hopeless:
            results.append(CaseResult(case.name, hopeless, case.cost, "not run: see the case before"))
            continue
        result = run_case(question, case, caller, seed)
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
    score = question.points * math.prod(1 - r.cost for r in failed)
    return QuestionResult(question.id, score, question.points, failed[0].status if failed else "pass", results)


def cost_in_words(cost, several=False):
    """What a failed case that is not the core takes; several: others fail, too, and each takes of what is left."""
    share = {0.5: "half", 0.25: "a quarter", 1.0: "all"}.get(cost, f"{100 * cost:g} %")
    return f"{share} of {'what is left' if several else 'the points'}"


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
