"""Lab 04, LoRA and QLoRA: the graded questions. Each is written once and runs in the notebook (`check`) and through the
sandbox (`course grade`).

The oracles are another form of the formula (a merged weight, autograd, an exhaustive search), so that this file does
not ship the answers it asks for.
Sources: LoRA, Hu et al. 2021 (2106.09685) · NF4 and double quantisation, Dettmers et al. 2023 (2305.14314), § 3 and
appendix E, in the order of bits of bitsandbytes.
"""

import math

import torch

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "04_lora_and_qlora"

# The handed-in adapter: full marks from SCORE_FULL on, none at or under SCORE_ZERO, a straight line between; more than
# SHARE_MOST trained is no adapter. The base alone must not know the job, or the adapter is not what learned it.
# Over five seeds the recipe's adapters score 97.3 to 98.8 %, through a 4-bit base 96.3 to 98.3 %
# (docs/results/lora-laptop.json); the assistant alone 0 %; rank 4 from a fifth of the rows 88 to 95 % (three seeds, lab
# 04 § 11).
SCORE_FULL, SCORE_ZERO = 0.85, 0.30
SHARE_MOST = 0.05
BASE_MOST = 0.25
ROWS = 150  # fresh questions drawn from the seed

# fmt: off
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)
# fmt: on


def code_book():
    return torch.tensor(NF4)


# --------------------------------------------------------------------------------------------------------- LoRA forward

FORWARD_TEXT = "§ 2 A thin detour"
SCALE = "the factor is alpha / R, with R read from A; it need not be whole"
REACHES = "the gradient reaches x, A and B"
ANY_AXES = "any leading axes, also an empty batch"
NOTHING_CHANGED = "nothing that is passed in is changed"
FORWARD = Question("lora_forward", lab=LAB, points=1, rules=(SCALE, REACHES, ANY_AXES, NOTHING_CHANGED))


def merged(weight, A, B, factor):
    """W + factor · B A, as one sum of outer products in float64."""
    return weight.double() + factor * sum(torch.outer(B[:, r].double(), A[r].double()) for r in range(len(A)))


def through(x, weight, A, B, factor):
    return (x.double() @ merged(weight, A, B, factor).T).to(x.dtype)


def forward_inputs(q, R=3, D=6, F=5, lead=(4,)):
    return q.randn(*lead, D), q.randn(F, D), q.randn(R, D), q.randn(F, R)


@FORWARD.case("x Wᵀ + (x Aᵀ) Bᵀ · alpha / R", reread=FORWARD_TEXT)
def _(q):
    x, weight, A, B = forward_inputs(q)
    y = q.call("lora_forward", x, weight, A, B, 12.0)
    base = x @ weight.T
    q.same("the shape", list(y.shape), [4, 5])
    q.close(
        "the values",
        y,
        through(x, weight, A, B, 4.0),
        tol=1e-5,
        mistakes={
            "the base path x Wᵀ is missing": through(x, 0 * weight, A, B, 4.0),
            "the adapter's path is missing": base,
            "the scaling is missing": through(x, weight, A, B, 1.0),
            "the scaling is alpha: it is alpha / R": through(x, weight, A, B, 12.0),
            "the scaling is R / alpha: it is alpha / R": through(x, weight, A, B, 0.25),
            "the scaling is 1 / R: alpha is missing": through(x, weight, A, B, 1 / 3),
            "alpha was divided by √R: that is another method (rsLoRA). Here it is alpha / R": (
                through(x, weight, A, B, 12 / math.sqrt(3))
            ),
            "alpha was divided by the width of x: R is the number of rows of A": through(x, weight, A, B, 12 / 6),
            "alpha was divided by the width of the output: R is the number of rows of A": (
                through(x, weight, A, B, 12 / 5)
            ),
            "the scaling hit the base path, too: only B A is scaled": 4 * through(x, weight, A, B, 1.0),
            "the adapter was taken off, not added": through(x, weight, A, B, -4.0),
        },
    )


@FORWARD.case(SCALE, rule=SCALE, hint="alpha / A.shape[0], with / and not //.", reread=FORWARD_TEXT)
def _(q):
    for R, alpha in ((1, 0.5), (5, 18.0), (2, 3.0)):
        x, weight, A, B = forward_inputs(q, R=R)
        y = q.call("lora_forward", x, weight, A, B, alpha)
        q.close(f"the values at rank {R}, alpha {alpha:g}", y, through(x, weight, A, B, alpha / R), tol=1e-5)


@FORWARD.case(REACHES, rule=REACHES, reread=FORWARD_TEXT)
def _(q):
    args = list(forward_inputs(q))
    cotangent = q.randn(4, 5)
    names = ["x", "A", "B"]
    _, grads = q.call_with_grad("lora_forward", [*args, 6.0], wrt=(0, 2, 3), cotangent=cotangent, names=names)
    leaves = [a.clone().requires_grad_() for a in args]
    expected = torch.autograd.grad((through(*leaves, 2.0) * cotangent).sum(), [leaves[0], leaves[2], leaves[3]])
    for name, got, want in zip(names, grads, expected):
        q.close(f"the gradient of {name}", got, want, tol=1e-4)


@FORWARD.case("with B = 0 the model is the base", hint="Nothing may be left of the adapter.", reread=FORWARD_TEXT)
def _(q):
    x, weight, A, B = forward_inputs(q)
    q.close("the values", q.call("lora_forward", x, weight, A, 0 * B, 15.0), x @ weight.T, tol=1e-6)


@FORWARD.case(
    ANY_AXES, rule=ANY_AXES, hint="x @ A.T works on the last axis, whatever stands before it.", reread=FORWARD_TEXT
)
def _(q):
    x, weight, A, B = forward_inputs(q, lead=(2, 3, 4))
    y = q.call("lora_forward", x, weight, A, B, 3.0)
    q.close("the values for [2 3 4 D]", y, through(x, weight, A, B, 1.0), tol=1e-5)
    y = q.call("lora_forward", x[:0], weight, A, B, 3.0)
    q.same("the shape for no rows at all", list(y.shape), [0, 3, 4, 5])


@FORWARD.case("float64 in, float64 out", reread=FORWARD_TEXT)
def _(q):
    args = [a.double() for a in forward_inputs(q)]
    y = q.call("lora_forward", *args, 9.0)
    q.same("the dtype", str(y.dtype), "torch.float64")
    q.close("the values", y, through(*args, 3.0), tol=1e-10)


@FORWARD.case(NOTHING_CHANGED, rule=NOTHING_CHANGED, reread=FORWARD_TEXT)
def _(q):
    q.call_checked_unmutated("lora_forward", *forward_inputs(q), 9.0)


# ------------------------------------------------------------------------------------------------------------ the start

INIT_TEXT = "§ 3 The start"
UNIFORM = "A is uniform: as often near the limits as near 0"
FROM_GENERATOR = "the generator that was passed in draws, and nothing else"
FLOAT32 = "A and B are float32"
INIT = Question("init_lora", lab=LAB, points=0.5, rules=(UNIFORM, FROM_GENERATOR, FLOAT32))


@INIT.case("A random in ±1/√D, B zero", reread=INIT_TEXT)
def _(q):
    A, B = q.call("init_lora", 100, 60, 8, q.new_generator())
    q.same(
        "the shapes of A and B",
        [list(A.shape), list(B.shape)],
        [[8, 100], [60, 8]],
        names="AB",
        mistakes={
            "A and B changed places: A reads the input, [R D]; B writes the output, [F R]": [[60, 8], [8, 100]],
            "both are transposed: A is [R D], B is [F R]": [[100, 8], [8, 60]],
        },
    )
    q.true(
        "B is not zero, so the adapter changes the model before any training",
        bool((B == 0).all()),
        hint="torch.zeros(out_features, rank)",
        mistake="A and B were swapped: A is random, B is zero" if bool((A == 0).all()) else None,
    )
    q.true(
        "A is zero: with A = 0 and B = 0 no gradient reaches either of them, and nothing is ever learned",
        bool((A != 0).any()),
        hint="B alone is zero.",
    )
    limit, largest, spread = 0.1, float(A.abs().max()), float(A.std())
    mistake = None
    if largest > 1.5 * limit:
        if abs(spread - 1) < 0.15:
            mistake = "A is normal with standard deviation 1: draw uniformly between −1/√D and 1/√D"
        elif abs(spread / limit - 1) < 0.15:
            mistake = "A looks normal with standard deviation 1/√D: draw uniformly between −1/√D and 1/√D"
        elif abs(spread * math.sqrt(3) - 8**-0.5) < 0.04:
            mistake = "the limit is 1/√R: it is one over the root of the input width D"
    if largest <= limit and float(A.min()) >= 0:
        mistake = "A has no negative numbers: rand gives 0 … 1, so take 2·rand − 1"
    if largest < 0.5 * limit:
        mistake = "the limit is 1/D: it is 1/√D"
    q.true(
        f"A reaches from {float(A.min()):.3f} to {float(A.max()):.3f}; it should fill −0.1 … 0.1, which is ±1/√100",
        0.9 * limit < largest <= limit * 1.0001 and float(A.min()) < -0.08,
        mistake=mistake,
    )


@INIT.case(UNIFORM, rule=UNIFORM, hint="Uniform, not normal.", reread=INIT_TEXT)
def _(q):
    A, _ = q.call("init_lora", 400, 10, 50, q.new_generator())
    mean, ratio = float(A.mean()), float(A.var()) * 3 * 400
    q.true(f"the mean of A is {mean:.4f}, expected about 0", abs(mean) < 0.002, hint="Both signs are equally likely.")
    q.true(f"the variance of A is {ratio:.2f} times that of a uniform draw in ±1/√D", 0.95 < ratio < 1.05)


@INIT.case(FROM_GENERATOR, rule=FROM_GENERATOR, reread=INIT_TEXT)
def _(q):
    first, again = q.new_generator(), torch.Generator()
    again.set_state(first.get_state())
    first, again = (q.call("init_lora", 12, 7, 3, generator)[0] for generator in (first, again))
    hint = "Pass generator=generator to torch.rand: the global random state makes every run another one."
    q.same("A from the same seed twice", again, first, hint=hint)
    other = q.call("init_lora", 12, 7, 3, q.new_generator())[0]
    fixed = "the seed is fixed inside the function"
    q.true("another seed gave the same A", not torch.equal(first, other), mistake=fixed)


@INIT.case(FLOAT32, rule=FLOAT32, reread=INIT_TEXT)
def _(q):
    A, B = q.call("init_lora", 6, 4, 2, q.new_generator())
    q.same("the dtypes", [str(A.dtype), str(B.dtype)], ["torch.float32", "torch.float32"], names="AB")


@INIT.case("rank 1, one input, one output", reread=INIT_TEXT)
def _(q):
    A, B = q.call("init_lora", 1, 1, 1, q.new_generator())
    q.same("the shapes", [list(A.shape), list(B.shape)], [[1, 1], [1, 1]], names="AB")
    q.true("A is outside ±1", abs(float(A[0, 0])) <= 1)


@INIT.case("other sizes: the limit follows the input width", reread=INIT_TEXT)
def _(q):
    for D in (16, 2500):
        A, B = q.call("init_lora", D, 40, 30, q.new_generator())
        largest = float(A.abs().max()) * math.sqrt(D)
        hint = "The limit is 1 / math.sqrt(in_features)."
        said = f"for D = {D} the largest |A| is {largest:.2f} · 1/√D, expected just under 1"
        q.true(said, 0.95 < largest <= 1.0001, hint=hint)
        q.same("the shape of B", list(B.shape), [40, 30])


# ------------------------------------------------------------------------------------------------------------ gradients

GRADIENTS_TEXT = "§ 3 The start"
ADD_UP = "the rows of a batch add up: no mean; no rows give zeros"
GRADIENTS = Question(
    "lora_gradients",
    lab=LAB,
    points=1,
    rules=(ADD_UP,),
    forbid=("torch.autograd.grad", "torch.Tensor.backward", "run_backward", "jvp*", "make_dual"),
)


def autograd_gradients(x, A, B, factor, grad_y):
    leaves = [A.double().requires_grad_(), B.double().requires_grad_()]
    y = torch.nn.functional.linear(torch.nn.functional.linear(x.double(), leaves[0]), leaves[1]) * factor
    # of the sum, which is the same: with grad_y handed to grad(), torch imports its tracer, which takes a second
    return [g.to(x.dtype) for g in torch.autograd.grad((y * grad_y.double()).sum(), leaves)]


@GRADIENTS.case("the gradients of A and B, for one row", reread=GRADIENTS_TEXT)
def _(q):
    x, _, A, B = forward_inputs(q, lead=(1,))
    g = q.randn(1, 5)
    dA, dB = q.call("lora_gradients", x, A, B, 12.0, g)
    wantA, wantB = autograd_gradients(x, A, B, 4.0, g)
    q.same(
        "the shapes of dA and dB",
        [list(dA.shape), list(dB.shape)],
        [[3, 6], [5, 3]],
        hint="A gradient has the shape of what it belongs to.",
        names=["dA", "dB"],
        mistakes={
            "dA and dB are transposed: a gradient has the shape of its parameter": [[6, 3], [3, 5]],
            "dA and dB changed places": [[5, 3], [3, 6]],
        },
    )
    for name, got, want in (("dB", dB, wantB), ("dA", dA, wantA)):
        q.close(
            name,
            got,
            want,
            tol=1e-4,
            mistakes={
                "alpha / R is missing: the chain rule carries the factor along": want / 4,
                "the factor is alpha: it is alpha / R": want * 3,
                "the factor was applied twice": want * 4,
                "the sign is wrong: this is the gradient, not the step": -want,
                "the gradient came back 0": 0 * want,
            },
        )


@GRADIENTS.case(
    ADD_UP, rule=ADD_UP, hint="A product over no rows is 0; a mean over them is NaN.", reread=GRADIENTS_TEXT
)
def _(q):
    x, _, A, B = forward_inputs(q, R=2, lead=(7,))
    g = q.randn(7, 5)
    got, want = list(q.call("lora_gradients", x, A, B, 5.0, g)), autograd_gradients(x, A, B, 2.5, g)
    mean = {"the mean over the batch was taken: gradients of a sum add up": [part / 7 for part in want]}
    q.close("the gradients of 7 rows", got, want, tol=1e-4, mistakes=mean, names=["dA", "dB"])
    none = list(q.call("lora_gradients", x[:0], A, B, 5.0, g[:0]))
    q.same("the gradients of no rows", none, [0 * A, 0 * B], names=["dA", "dB"])


@GRADIENTS.case("at the start, B = 0: the gradient of A is 0, that of B is not", reread=GRADIENTS_TEXT)
def _(q):
    x, _, A, B = forward_inputs(q, lead=(1,))
    g = q.randn(1, 5)
    dA, dB = q.call("lora_gradients", x, A, 0 * B, 3.0, g)
    q.close("dA", dA, 0 * A, tol=1e-6, hint="dA goes through B: it is made of grad_y · B.")
    q.close("dB", dB, autograd_gradients(x, A, 0 * B, 1.0, g)[1], tol=1e-4, hint="dB does not contain B.")


@GRADIENTS.case("at A = 0 it is the other way round, and at A = B = 0 nothing can move", reread=GRADIENTS_TEXT)
def _(q):
    x, _, A, B = forward_inputs(q, lead=(1,))
    g = q.randn(1, 5)
    dA, dB = q.call("lora_gradients", x, 0 * A, B, 3.0, g)
    q.close("dB at A = 0", dB, 0 * B, tol=1e-6, hint="dB is made of x Aᵀ.")
    q.close("dA at A = 0", dA, autograd_gradients(x, 0 * A, B, 1.0, g)[0], tol=1e-4, hint="dA does not contain A.")
    both = q.call("lora_gradients", x, 0 * A, 0 * B, 3.0, g)
    q.close("dA and dB at A = B = 0", list(both), [0 * A, 0 * B], tol=1e-7, names=["dA", "dB"])


@GRADIENTS.case("float64, a large upstream gradient", reread=GRADIENTS_TEXT)
def _(q):
    x, _, A, B = (t.double() for t in forward_inputs(q, R=4, D=3, F=9, lead=(1,)))
    g = 1e4 * q.randn(1, 9).double()
    got = list(q.call("lora_gradients", x, A, B, 2.0, g))
    q.close("the gradients", got, autograd_gradients(x, A, B, 0.5, g), tol=1e-8, names=["dA", "dB"])


@GRADIENTS.case("the inputs are left alone", reread=GRADIENTS_TEXT)
def _(q):
    x, _, A, B = forward_inputs(q, lead=(1,))
    q.call_checked_unmutated("lora_gradients", x, A, B, 2.0, q.randn(1, 5))


# ---------------------------------------------------------------------------------------------------------------- merge

MERGE_TEXT = "§ 4 Merge"
UNDO = "undo=True takes out what was added"
FACTOR_OF_A = "the factor is that of the adapter: alpha / R, with R read from A"
WEIGHT_STAYS = "the weight that was passed in stays as it is"
MERGE = Question("merge_lora", lab=LAB, points=0.75, rules=(UNDO, FACTOR_OF_A, WEIGHT_STAYS))


@MERGE.case("W + B A · alpha / R", reread=MERGE_TEXT)
def _(q):
    _, weight, A, B = forward_inputs(q)
    got = q.call("merge_lora", weight, A, B, 12.0)
    q.same("the shape", list(got.shape), [5, 6], reread=MERGE_TEXT)
    q.close(
        "the merged weight",
        got,
        merged(weight, A, B, 4.0).float(),
        tol=1e-5,
        mistakes={
            "the scaling is missing": merged(weight, A, B, 1.0).float(),
            "the scaling is alpha: it is alpha / R": merged(weight, A, B, 12.0).float(),
            "the scaling is R / alpha: it is alpha / R": merged(weight, A, B, 0.25).float(),
            "alpha was divided by the rows of B: R is the rank, the number of A's rows": (
                merged(weight, A, B, 12.0 / 5).float()
            ),
            "W was scaled, too: only B A is": 4 * merged(weight, A, B, 1.0).float(),
            "B A was taken off: that is un-merging": merged(weight, A, B, -4.0).float(),
            "W itself is missing: this is the change alone": merged(0 * weight, A, B, 4.0).float(),
            "the weight came back unchanged": weight,
        },
    )


@MERGE.case("merged or not, the outputs are equal", reread=MERGE_TEXT)
def _(q):
    x, weight, A, B = forward_inputs(q, lead=(3, 4))
    got = q.call("merge_lora", weight, A, B, 6.0)
    q.close("x · merged weight", x @ got.T, through(x, weight, A, B, 2.0), tol=1e-4)


@MERGE.case(UNDO, rule=UNDO, reread=MERGE_TEXT)
def _(q):
    _, weight, A, B = forward_inputs(q)
    together = merged(weight, A, B, 4.0).float()
    q.close(
        "the un-merged weight",
        q.call("merge_lora", together, A, B, 12.0, undo=True),
        weight,
        tol=1e-5,
        mistakes={
            "undo was ignored: B A was added a second time": merged(together, A, B, 4.0).float(),
            "the weight came back unchanged": together,
            "the scaling is missing when undoing": merged(together, A, B, -1.0).float(),
        },
    )


@MERGE.case("swapping: take the old adapter out, put another in", rule=UNDO, reread=MERGE_TEXT)
def _(q):
    _, weight, A, B = forward_inputs(q)
    _, _, A2, B2 = forward_inputs(q)
    bare = q.call("merge_lora", merged(weight, A, B, 2.0).float(), A, B, 6.0, undo=True)
    swapped = q.call("merge_lora", bare, A2, B2, 6.0)
    q.close("the weight with the second adapter", swapped, merged(weight, A2, B2, 2.0).float(), tol=1e-5)


@MERGE.case(FACTOR_OF_A, rule=FACTOR_OF_A, hint="alpha / A.shape[0], with / and not //.", reread=MERGE_TEXT)
def _(q):
    for R, alpha in ((2, 5.0), (4, 3.0)):
        _, weight, A, B = forward_inputs(q, R=R)
        got = q.call("merge_lora", weight, A, B, alpha)
        q.close(f"the weight at rank {R}, alpha {alpha:g}", got, merged(weight, A, B, alpha / R).float(), tol=1e-5)


@MERGE.case(WEIGHT_STAYS, rule=WEIGHT_STAYS, hint="weight = weight + … makes a new tensor.", reread=MERGE_TEXT)
def _(q):
    _, weight, A, B = forward_inputs(q)
    for undo in (False, True):
        q.call_checked_unmutated("merge_lora", weight, A, B, 3.0, undo=undo)


@MERGE.case("float64 stays float64", reread=MERGE_TEXT)
def _(q):
    _, weight, A, B = (t.double() for t in forward_inputs(q))
    got = q.call("merge_lora", weight, A, B, 3.0)
    q.same("the dtype", str(got.dtype), "torch.float64")
    q.close("the values", got, merged(weight, A, B, 1.0), tol=1e-10)


# ---------------------------------------------------------------------------------------------------------------- count

COUNT_TEXT = "§ 5 What is trained"
EQUALS = "the last part of a name equals a target, or the whole name without a dot does"
ONE_ADAPTER = "a target may be named twice: a layer still gets one adapter"
COUNT = Question("count_lora", lab=LAB, points=0.75, rules=(EQUALS, ONE_ADAPTER))


def llama_shapes(layers, D, F):
    shapes = {}
    for i in range(layers):
        shapes |= {f"model.layers.{i}.self_attn.{n}_proj": [D, D] for n in "qkvo"}
        shapes |= {
            f"model.layers.{i}.mlp.gate_proj": [F, D],
            f"model.layers.{i}.mlp.up_proj": [F, D],
            f"model.layers.{i}.mlp.down_proj": [D, F],
        }
    return shapes


def adapter_numel(shapes, targets, rank):
    """Counted on meta tensors: nothing is computed, nothing allocated."""
    return sum(
        torch.empty(rank, D, device="meta").numel() + torch.empty(F, rank, device="meta").numel()
        for name, (F, D) in shapes.items()
        if name.split(".")[-1] in targets
    )


@COUNT.case("R · (in + out) for each targeted layer", reread=COUNT_TEXT)
def _(q):
    layers, D, F, R = q.randint(2, 5), 16 * q.randint(2, 5), 16 * q.randint(6, 9), q.randint(5, 9)
    shapes, targets = llama_shapes(layers, D, F), ["q_proj", "v_proj", "down_proj"]
    got = q.call("count_lora", shapes, targets, R)
    want, every = (
        adapter_numel(shapes, targets, R),
        adapter_numel(shapes, [n + "_proj" for n in ("q", "k", "v", "o", "gate", "up", "down")], R),
    )
    chosen = [s for n, s in shapes.items() if n.split(".")[-1] in targets]
    q.same(
        "the number of trained parameters",
        got,
        want,
        mistakes={
            "the layers' own weights were counted: they are frozen": sum(a * b for a, b in chosen),
            "only A was counted": sum(R * b for a, b in chosen),
            "only B was counted": sum(R * a for a, b in chosen),
            "the targets were ignored: every layer was counted": every,
            "the layers that are NOT targets were counted": every - want,
            "one layer of each name was counted: the model has several": want // layers,
            "the rank is missing": want // R,
            "R · in · out was counted: the two matrices are thin": sum(R * a * b for a, b in chosen),
            "the rank was squared": want * R,
            "in and out were taken to be equal": sum(2 * R * a for a, b in chosen),
            "in and out were taken to be equal, as for the input": sum(2 * R * b for a, b in chosen),
        },
    )


@COUNT.case(EQUALS, rule=EQUALS, reread=COUNT_TEXT)
def _(q):
    D = q.randint(5, 30)
    shapes = {
        "layers.0.up_proj": [2 * D, D],
        "layers.0.backup_proj": [D, D],
        "layers.0.up_proj.gate": [D, D],
        "up_proj.0.proj": [D, D],
        "lm_head": [100, D],
        "up_proj": [3, D],
    }
    got = q.call("count_lora", shapes, ["up_proj"], 2)
    q.same(
        "the number of trained parameters",
        got,
        2 * (3 * D) + 2 * (3 + D),
        mistakes={
            "names that only contain the target were counted, too": (
                sum(2 * (a + b) for n, (a, b) in shapes.items() if "up_proj" in n)
            ),
            "names that end in the same letters were counted, too: backup_proj is another layer": (
                sum(2 * (a + b) for n, (a, b) in shapes.items() if n.endswith("up_proj"))
            ),
            "a name without dots was left out": 2 * (3 * D),
        },
    )


@COUNT.case("no targets, no layers, targets that are nowhere: 0", reread=COUNT_TEXT)
def _(q):
    shapes = llama_shapes(1, 8, 16)
    for name, arguments in (
        ("no targets", (shapes, [], 4)),
        ("no layers", ({}, ["q_proj"], 4)),
        ("an unknown target", (shapes, ["c_attn"], 4)),
    ):
        q.same(f"the number for {name}", q.call("count_lora", *arguments), 0, reread=COUNT_TEXT)


@COUNT.case(ONE_ADAPTER, rule=ONE_ADAPTER, reread=COUNT_TEXT)
def _(q):
    shapes = llama_shapes(2, 8, 24)
    q.same(
        "the number of trained parameters",
        q.call("count_lora", shapes, ["q_proj", "up_proj", "q_proj"], 3),
        adapter_numel(shapes, ["q_proj", "up_proj"], 3),
        hint="Go through the layers and ask whether each is a target, not the other way round.",
    )


@COUNT.case("a model of 7 billion: a whole number", reread=COUNT_TEXT)
def _(q):
    shapes = llama_shapes(32, 4096, 11008)
    R = 2 ** q.randint(3, 7)
    got = q.call_checked_unmutated(
        "count_lora", shapes, ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"], R
    )
    q.true("a whole number was asked for", type(got) is int, hint="Use //, or no division at all.", reread=COUNT_TEXT)
    q.same("the number of trained parameters", got, 32 * R * (4 * 8192 + 3 * (4096 + 11008)), reread=COUNT_TEXT)


# --------------------------------------------------------------------------------------------------------------- memory

MEMORY_TEXT = "§ 6 Where the bytes go"
PART_OF_A_BIT = "frozen_bits need not be a whole number"
MEMORY = Question("training_memory", lab=LAB, points=1, rules=(PART_OF_A_BIT,))


def measured_memory(frozen, trained, bits):
    """The bytes of real tensors for sizes that fit, those that torch's Adam makes among them (a test compares);
    `frozen` as bytes of its own width. Not by torch.optim: its first optimiser imports the compiler, two seconds.
    """
    p = torch.nn.Parameter(torch.zeros(trained))
    weights = frozen * bits / 8 + p.numel() * p.element_size()
    if not trained:
        return {"weights": weights, "gradients": 0, "optimizer": 0, "total": weights}
    moments = [torch.zeros_like(p), torch.zeros_like(p)]
    states = sum(t.numel() * t.element_size() for t in moments)
    p.grad = torch.ones(trained)
    gradients = p.grad.numel() * p.grad.element_size()
    return {"weights": weights, "gradients": gradients, "optimizer": states, "total": weights + gradients + states}


@MEMORY.case("LoRA on a base in 16 bit: gradients and Adam states only for what is trained")
def _(q):
    frozen, trained = 1000 * q.randint(50, 90), q.randint(500, 900)
    got = q.call("training_memory", frozen, trained, 16)
    want = measured_memory(frozen, trained, 16)
    n = frozen + trained
    q.close(
        "the bytes",
        got,
        want,
        tol=1e-6,
        mistakes={
            "the frozen weights were given gradients and states: they have none": {
                "weights": want["weights"],
                "gradients": 4 * n,
                "optimizer": 8 * n,
                "total": want["weights"] + 12 * n,
            },
            "Adam keeps two numbers a parameter, not one": {
                **want,
                "optimizer": 4 * trained,
                "total": want["total"] - 4 * trained,
            },
            "the trained parameters themselves are missing from the weights": {
                **want,
                "weights": 2 * frozen,
                "total": want["total"] - 4 * trained,
            },
            "the trained parameters were counted in 16 bit: they stay in float32": {
                **want,
                "weights": 2 * n,
                "total": want["total"] - 2 * trained,
            },
            "bits were not turned into bytes: 8 bits are a byte": {
                **want,
                "weights": 16 * frozen + 4 * trained,
                "total": 16 * frozen + 16 * trained,
            },
            "the frozen weights were counted in float32: use frozen_bits": {
                **want,
                "weights": 4 * n,
                "total": want["total"] + 2 * frozen,
            },
            "everything is in bits: divide by 8": {k: 8 * v for k, v in want.items()},
            "the gradients are missing from the total": {**want, "total": want["weights"] + want["optimizer"]},
            "the gradients were counted in frozen_bits: they are float32, like what is trained": {
                **want,
                "gradients": 2 * trained,
                "total": want["total"] - 2 * trained,
            },
        },
    )


@MEMORY.case("full fine-tuning: nothing is frozen, 16 bytes a parameter")
def _(q):
    trained = q.randint(1000, 9000)
    got = q.call("training_memory", 0, trained, 32)
    q.close(
        "the bytes",
        got,
        measured_memory(0, trained, 32),
        tol=1e-6,
        hint="4 for the weight, 4 for its gradient, 8 for Adam's two averages.",
    )


@MEMORY.case("QLoRA: 4.127 bits a frozen weight", rule=PART_OF_A_BIT, reread=MEMORY_TEXT)
def _(q):
    frozen, trained, bits = 64 * 256 * q.randint(3, 9), q.randint(100, 200), 4 + 8 / 64 + 32 / (64 * 256)
    got = q.call("training_memory", frozen, trained, bits)
    want = measured_memory(frozen, trained, bits)
    q.close(
        "the bytes",
        got,
        want,
        tol=1e-6,
        mistakes={
            "the bits were rounded to whole ones: the absmax cost a share of a bit": {
                **want,
                "weights": frozen / 2 + 4 * trained,
                "total": want["total"] - frozen * (bits - 4) / 8,
            },
            "frozen_bits was rounded up to whole bytes": {
                **want,
                "weights": frozen + 4 * trained,
                "total": want["total"] - frozen * bits / 8 + frozen,
            },
        },
    )


@MEMORY.case("inference: nothing is trained, only the weights are left")
def _(q):
    frozen = 8 * q.randint(10, 10_000)
    q.close("the bytes", q.call("training_memory", frozen, 0, 32), measured_memory(frozen, 0, 32), tol=1e-6)
    q.close(
        "the bytes of nothing",
        q.call("training_memory", 0, 0, 16),
        {"weights": 0, "gradients": 0, "optimizer": 0, "total": 0},
        tol=1e-9,
    )


@MEMORY.case("a model of 65 billion")
def _(q):
    trained = 10**6 * q.randint(100, 900)
    got = q.call("training_memory", 65 * 10**9, trained, 8)
    q.close(
        "the gigabytes",
        {k: v / 1e9 for k, v in got.items()},
        {
            "weights": 65 + 4e-9 * trained,
            "gradients": 4e-9 * trained,
            "optimizer": 8e-9 * trained,
            "total": 65 + 16e-9 * trained,
        },
        tol=1e-6,
    )


# ------------------------------------------------------------------------------------------------------------- quantise

QUANTIZE_TEXT = "§ 8 Sixteen numbers"
ZEROS = "a block of zeros: no NaN, and the absmax that comes back is 0"
GIVEN_CODE = "code and block are those that are passed in"
QUANTIZE = Question("quantize_blockwise", lab=LAB, points=1.25, rules=(ZEROS, GIVEN_CODE))


def nearest_code(values, code):
    """The index of the nearest entry, by an exhaustive search in float64."""
    return (values.double()[..., None] - code.double()).abs().argmin(-1)


def off_the_fence(q, blocks, block, code, scale=1.0):
    """[blocks·block] weights, none of them so near to the middle between two codes that rounding decides; the largest
    of a block at a random place.
    """
    inside = q.rand(blocks, block) * 2 - 1
    middles = (code[1:] + code[:-1]) / 2
    for _ in range(3):
        gap = (inside[..., None] - middles).abs()
        inside = torch.where(gap.min(-1).values < 2e-3, inside + 5e-3, inside).clamp(-0.999, 0.999)
    for row in range(blocks):
        inside[row, q.randint(0, block)] = 1.0 if q.randint(0, 2) else -1.0
    return (inside * scale * (0.2 + q.rand(blocks, 1))).flatten()


def oracle_quantize(x, code, block):
    rows = x.view(-1, block)
    absmax = torch.linalg.vector_norm(rows, ord=math.inf, dim=1)
    return nearest_code(rows / absmax.clamp(min=1e-38)[:, None], code).to(torch.uint8).flatten(), absmax


@QUANTIZE.case("the nearest code of each weight over its block's absmax", reread=QUANTIZE_TEXT)
def _(q):
    code = code_book()
    x = off_the_fence(q, 6, 16, code)
    codes, absmax = q.call("quantize_blockwise", x, code, 16)
    want, largest = oracle_quantize(x, code, 16)
    shapes = [list(codes.shape), list(absmax.shape)]
    q.same("the shapes", shapes, [[96], [6]], reread=QUANTIZE_TEXT, names=["codes", "absmax"])
    rows = x.view(6, 16)
    q.close(
        "absmax",
        absmax,
        largest,
        tol=1e-6,
        mistakes={
            "the largest value was taken, not the largest absolute value": rows.max(1).values,
            "one absmax for the whole tensor: each block has its own": x.abs().max().expand(6),
            "the mean absolute value was taken, not the largest": rows.abs().mean(1),
            "the standard deviation was taken, not the largest absolute value": rows.std(1),
            "the blocks run across the tensor: a block is 16 neighbours": x.view(16, 6).abs().amax(0),
            "absmax is one over the largest absolute value": 1 / largest,
            "the range (max − min) was taken": rows.amax(1) - rows.amin(1),
            "half the range was taken: that is a scale for codes with an offset": (rows.amax(1) - rows.amin(1)) / 2,
        },
    )
    scaled = rows / largest[:, None]
    below = (torch.bucketize(scaled, code, right=True) - 1).clamp(0, 15).flatten()
    q.close(
        "the codes",
        codes.long(),
        want.long(),
        tol=0.0,
        mistakes={
            "the weights were not divided by their block's absmax": nearest_code(x, code),
            "the weights were divided by the absmax of the whole tensor": nearest_code(x / x.abs().max(), code),
            "the code below was taken, not the nearest": below,
            "the code above was taken, not the nearest": torch.bucketize(scaled, code).clamp(0, 15).flatten(),
            "the code farthest away was taken": (scaled.flatten()[:, None] - code).abs().argmax(1),
            "16 equal steps were taken: the codes of NF4 are not equally far apart": (
                torch.round((scaled + 1) * 7.5).long().flatten()
            ),
            "the signs were lost: absolute values were looked up": nearest_code(scaled.abs(), code).flatten(),
        },
    )
    q.same("the dtype of the codes", str(codes.dtype), "torch.uint8", hint=".to(torch.uint8)", reread=QUANTIZE_TEXT)


@QUANTIZE.case("weights a thousand times larger: same codes, another absmax")
def _(q):
    code = code_book()
    x = off_the_fence(q, 4, 64, code, scale=0.02)
    small, large = q.call("quantize_blockwise", x, code, 64), q.call("quantize_blockwise", 1024 * x, code, 64)
    q.same("the codes", large[0], small[0], hint="Only the ratio to the absmax counts.", reread=QUANTIZE_TEXT)
    q.close("absmax", large[1], 1024 * small[1], tol=1e-6, reread=QUANTIZE_TEXT)
    q.same("the codes of the small ones", small[0], oracle_quantize(x, code, 64)[0], reread=QUANTIZE_TEXT)


@QUANTIZE.case(ZEROS, rule=ZEROS, hint="Clamp for the division only: absmax.clamp(min=1e-38).", reread=QUANTIZE_TEXT)
def _(q):
    code = code_book()
    x = torch.cat((torch.zeros(8), off_the_fence(q, 1, 8, code)))
    codes, absmax = q.call("quantize_blockwise", x, code, 8)
    q.true("an absmax is NaN or infinite", bool(torch.isfinite(absmax).all()))
    q.same("the absmax of zeros", float(absmax[0]), 0.0)
    q.same("the codes of the zeros", codes[:8].tolist(), [7] * 8, hint="0/0 is NaN. Code 7 is the exact 0.")


@QUANTIZE.case("one large number among small ones", reread=QUANTIZE_TEXT)
def _(q):
    code = code_book()
    x = torch.cat((off_the_fence(q, 1, 8, code), torch.tensor([1e-3] * 7 + [-50.0])))
    codes, absmax = q.call("quantize_blockwise", x, code, 8)
    want = oracle_quantize(x, code, 8)
    q.close("absmax", absmax, want[1], tol=1e-6)
    q.same("the codes", codes, want[0], hint="One outlier costs its whole block: all others become 0.")


@QUANTIZE.case("another code, of 5 numbers, and blocks of 2", rule=GIVEN_CODE, reread=QUANTIZE_TEXT)
def _(q):
    code = torch.tensor([-1.0, -0.3, 0.0, 0.6, 1.0])
    x = off_the_fence(q, 20, 2, code)
    codes, absmax = q.call("quantize_blockwise", x, code, 2)
    want = oracle_quantize(x, code, 2)
    q.close("absmax", absmax, want[1], tol=1e-6)
    q.same("the codes", codes, want[0], hint="Read everything from `code` and `block`.")


@QUANTIZE.case("values that are codes come back as themselves")
def _(q):
    code = code_book()
    order = torch.stack([q.permutation(16) for _ in range(4)])
    x = (code[order] * torch.tensor([0.5, 2.0, 0.125, 1.0])[:, None]).flatten()
    codes, absmax = q.call("quantize_blockwise", x, code, 16)
    q.same("the codes", codes, order.to(torch.uint8).flatten(), reread=QUANTIZE_TEXT)
    q.close("absmax", absmax, torch.tensor([0.5, 2.0, 0.125, 1.0]), tol=1e-7, reread=QUANTIZE_TEXT)


@QUANTIZE.case("nothing to quantise", cost=0.25, reread=QUANTIZE_TEXT)
def _(q):
    codes, absmax = q.call("quantize_blockwise", torch.zeros(0), code_book(), 64)
    shapes = [list(codes.shape), list(absmax.shape)]
    q.same("the shapes for no weights", shapes, [[0], [0]], names=["codes", "absmax"])


@QUANTIZE.case("the weights are left alone", reread=QUANTIZE_TEXT)
def _(q):
    q.call_checked_unmutated("quantize_blockwise", off_the_fence(q, 2, 8, code_book()), code_book(), 8)


# ----------------------------------------------------------------------------------------------------------- dequantise

DEQUANTIZE_TEXT = "§ 8 Sixteen numbers"
LOOKED_UP = "the numbers are looked up in the code that is passed in"
DEQUANTIZE = Question("dequantize_packed", lab=LAB, points=0.75, rules=(LOOKED_UP,))


def packed_example(q, blocks, block):
    codes = q.randint(0, 16, (blocks * block,))
    packed = (codes.view(-1, 2) * torch.tensor([16, 1])).sum(1).to(torch.uint8)
    return codes, packed, 0.1 + q.rand(blocks)


def look_up(codes, absmax, block, code=None):
    code = code_book() if code is None else code
    return torch.tensor([float(code[int(c)]) * float(absmax[i // block]) for i, c in enumerate(codes)])


@DEQUANTIZE.case("two codes a byte, the first in the high half; code · absmax", reread=DEQUANTIZE_TEXT)
def _(q):
    codes, packed, absmax = packed_example(q, 5, 8)
    got = q.call("dequantize_packed", packed, absmax, code_book(), 8)
    q.same("the shape", list(got.shape), [40], hint="Each byte holds two weights.", reread=DEQUANTIZE_TEXT)
    swapped = codes.view(-1, 2).flip(1).flatten()
    high, low = codes.view(-1, 2).unbind(1)
    q.close(
        "the weights",
        got,
        look_up(codes, absmax, 8),
        tol=1e-6,
        mistakes={
            "the two halves of a byte changed places: the first weight is in the high half": (
                look_up(swapped, absmax, 8)
            ),
            "all high halves came first, then all low ones: they alternate": look_up(torch.cat((high, low)), absmax, 8),
            "all low halves came first, then all high ones": look_up(torch.cat((low, high)), absmax, 8),
            "the absmax is missing": look_up(codes, torch.ones(5), 8),
            "the weights were divided by the absmax": look_up(codes, 1 / absmax, 8),
            "the codes are numbers from 0 to 15 here: look them up in the code book": (
                codes * absmax.repeat_interleave(8)
            ),
            "the absmax alternate from weight to weight: a block is 8 neighbours": (
                look_up(codes, torch.ones(40), 1) * absmax.repeat(8)
            ),
            "both weights of a byte came from its high half": (
                look_up(torch.stack((high, high), 1).flatten(), absmax, 8)
            ),
            "both weights of a byte came from its low half": look_up(torch.stack((low, low), 1).flatten(), absmax, 8),
        },
    )


@DEQUANTIZE.case("what was quantised comes back within half a step", reread=DEQUANTIZE_TEXT)
def _(q):
    code = code_book()
    x = off_the_fence(q, 6, 64, code, scale=0.05)
    codes, absmax = oracle_quantize(x, code, 64)
    pairs = codes.view(-1, 2).int()
    got = q.call("dequantize_packed", (pairs[:, 0] * 16 + pairs[:, 1]).to(torch.uint8), absmax, code, 64)
    q.close("the weights", got, look_up(codes, absmax, 64), tol=1e-6)


@DEQUANTIZE.case("the bytes 0x00, 0x0F, 0xF0, 0xFF and 0x77")
def _(q):
    got = q.call(
        "dequantize_packed",
        torch.tensor([0x00, 0x0F, 0xF0, 0xFF, 0x77], dtype=torch.uint8),
        torch.tensor([2.0]),
        code_book(),
        10,
    )
    q.close(
        "the weights",
        got,
        torch.tensor([-2.0, -2, -2, 2, 2, -2, 2, 2, 0, 0]),
        tol=1e-7,
        hint="0xF0 holds 15 in its high half and 0 in its low one. "
        "A uint8 that is multiplied by 16 wraps round at 256.",
    )


@DEQUANTIZE.case("a block of zeros, one block, blocks of 2")
def _(q):
    for blocks, block in ((1, 64), (7, 2)):
        codes, packed, absmax = packed_example(q, blocks, block)
        absmax[0] = 0.0
        got = q.call("dequantize_packed", packed, absmax, code_book(), block)
        q.close(f"the weights of {blocks} blocks of {block}", got, look_up(codes, absmax, block), tol=1e-6)


@DEQUANTIZE.case("another code", rule=LOOKED_UP, hint="Look up in `code`, the argument.", reread=DEQUANTIZE_TEXT)
def _(q):
    codes, packed, absmax = packed_example(q, 3, 4)
    code = q.randn(16).sort().values
    q.close(
        "the weights", q.call("dequantize_packed", packed, absmax, code, 4), look_up(codes, absmax, 4, code), tol=1e-6
    )


@DEQUANTIZE.case("float32 comes back; no bytes give no weights", cost=0.25, reread=DEQUANTIZE_TEXT)
def _(q):
    _, packed, absmax = packed_example(q, 3, 4)
    q.same("the dtype", str(q.call("dequantize_packed", packed, absmax, code_book(), 4).dtype), "torch.float32")
    empty = q.call("dequantize_packed", torch.zeros(0, dtype=torch.uint8), torch.zeros(0), code_book(), 64)
    q.same("the shape for no bytes", list(empty.shape), [0])


@DEQUANTIZE.case("the bytes are left alone", reread=DEQUANTIZE_TEXT)
def _(q):
    _, packed, absmax = packed_example(q, 3, 4)
    q.call_checked_unmutated("dequantize_packed", packed, absmax, code_book(), 4)


# -------------------------------------------------------------------------------------------------- double quantisation

DOUBLE_TEXT = "§ 9 Quantise the scales, too"
ALL_EQUAL = "scales that are all equal: no NaN"
OFFSET_TENSOR = "the offset is a tensor with one number, of shape []"
DOUBLE = Question("double_quantize", lab=LAB, points=1, rules=(ALL_EQUAL, OFFSET_TENSOR))


def eight_bit_code(q):
    """256 rising numbers in [−1, 1], denser at 0, ends included; not the course's own table."""
    steps = torch.linspace(-1, 1, 256)
    return steps.sign() * steps.abs() ** (1.5 + float(q.rand(1)))


def absmax_example(q, blocks, block):
    """Positive numbers like the absmax of blocks of weights."""
    absmax = 0.1 + 0.05 * q.rand(blocks * block) ** 3 + 0.01 * q.rand(blocks).repeat_interleave(block)
    absmax[q.randint(0, block)] = 0.01  # in the first block the largest difference from the mean is a negative one
    return absmax


def stands_for(codes, scale, offset, code, block):
    return code[codes.long()] * scale.repeat_interleave(block)[: len(codes)] + offset


def oracle_double(absmax, code, block):
    offset = absmax.double().mean().float()
    rows = (absmax - offset).view(-1, block)
    scale = torch.linalg.vector_norm(rows, ord=math.inf, dim=1)
    return nearest_code(rows / scale.clamp(min=1e-38)[:, None], code).flatten(), scale, offset


@DOUBLE.case("minus the mean, over the block's absmax, nearest of 256 codes", reread=DOUBLE_TEXT)
def _(q):
    code, absmax = eight_bit_code(q), absmax_example(q, 3, 32)
    codes, scale, offset = q.call("double_quantize", absmax, code, 32)
    offset = torch.tensor(offset) if type(offset) is float else offset  # which has a case of its own
    want, largest, mean = oracle_double(absmax, code, 32)
    q.same(
        "the shapes",
        [list(codes.shape), list(scale.shape), list(offset.shape)],
        [[96], [3], []],
        names=["codes", "scale", "offset"],
    )
    rows = absmax.view(3, 32)
    q.close(
        "the offset",
        offset,
        mean,
        tol=1e-5,
        mistakes={
            "the offset is 0: take the mean off first, because absmax are all positive": 0 * mean,
            "the smallest value was taken, not the mean": absmax.min(),
            "the largest value was taken, not the mean": absmax.max(),
            "the median was taken, not the mean": absmax.median(),
            "the middle between smallest and largest was taken, not the mean": (absmax.min() + absmax.max()) / 2,
            "the sign of the offset is wrong": -mean,
        },
    )
    q.close(
        "the scale",
        scale,
        largest,
        tol=1e-4,
        mistakes={
            "the scale was taken before the mean came off": rows.abs().amax(1),
            "one scale for all: each block has its own": (absmax - mean).abs().max().expand(3),
            "the largest value was taken, not the largest absolute value": (rows - mean).amax(1),
        },
    )
    middle = stands_for(want, largest, mean, code, 32)
    got = stands_for(codes.clamp(0, 255), largest, mean, code, 32)
    q.close(
        "what the codes stand for",
        (got - mean) / largest.repeat_interleave(32),
        (middle - mean) / largest.repeat_interleave(32),
        tol=1e-4,
        mistakes={
            "the mean was not taken off before the look-up": (
                code[nearest_code(rows / rows.abs().amax(1, keepdim=True), code).flatten()]
            ),
            "the differences were not divided by their block's scale": code[nearest_code(rows - mean, code).flatten()],
            "the code below was taken, not the nearest": (
                code[(torch.bucketize((rows - mean) / largest[:, None], code, right=True) - 1).clamp(0, 255).flatten()]
            ),
            "the code above was taken, not the nearest": (
                code[torch.bucketize((rows - mean) / largest[:, None], code).clamp(0, 255).flatten()]
            ),
        },
    )
    q.same(
        "the dtype of the codes",
        str(codes.dtype),
        "torch.uint8",
        hint="int64 codes take 8 bytes each: the saving is gone.",
    )


def within_half_a_step(q, back, absmax, most, hint):
    off = (back - absmax).abs()
    k = int((off - most).nan_to_num(nan=math.inf).argmax())
    said = f"absmax [{k}] is {float(absmax[k]):.6g} and comes back as {float(back[k]):.6g}: more than half a step off"
    q.true(said, bool((off <= most).all()), hint=hint)


@DOUBLE.case("the error is at most half a step of the code", reread=DOUBLE_TEXT)
def _(q):
    code, absmax = eight_bit_code(q), absmax_example(q, 2, 256)
    codes, scale, offset = q.call("double_quantize", absmax, code, 256)
    back = stands_for(codes, scale, offset, code, 256)
    worst = 0.5 * float((code[1:] - code[:-1]).max()) * scale.repeat_interleave(256)
    within_half_a_step(q, back, absmax, worst * 1.001 + 1e-7, "Quantise absmax − mean, block by block.")


@DOUBLE.case(ALL_EQUAL, rule=ALL_EQUAL, reread=DOUBLE_TEXT)
def _(q):
    code = torch.cat((torch.linspace(-1, 1, 255), torch.tensor([2.0])))[:255]
    code = torch.cat((code, torch.tensor([1.5])))  # has an exact 0 at place 127
    absmax = torch.full((64,), 0.25)
    codes, scale, offset = q.call("double_quantize", absmax, code, 32)
    q.true("the scale is NaN or infinite", bool(torch.isfinite(scale).all()), reread=DOUBLE_TEXT)
    q.close(
        "what comes back",
        stands_for(codes, scale, offset, code, 32),
        absmax,
        tol=1e-6,
        hint="Clamp the scale for the division only.",
    )
    q.same(
        "the codes",
        codes.tolist(),
        [127] * 64,
        hint="Clamp the scale before you divide: with 0/0 = NaN the look-up gives some code.",
    )


@DOUBLE.case("a large common level, a small spread", reread=DOUBLE_TEXT)
def _(q):
    code = eight_bit_code(q)
    spread = (q.rand(64) * 2 - 1) / 8
    absmax = 1000.0 + torch.round(spread * 1024) / 1024
    codes, scale, offset = q.call("double_quantize", absmax, code, 64)
    back = stands_for(codes, scale, offset, code, 64)
    hint = "Take the mean off first: without it the 256 codes are spent on a level that all of them share."
    within_half_a_step(q, back, absmax, torch.full((64,), 0.02 * 0.15 + 1e-3), hint)


@DOUBLE.case(OFFSET_TENSOR, rule=OFFSET_TENSOR, hint="absmax.mean(), without .item().", reread=DOUBLE_TEXT)
def _(q):
    code, absmax = eight_bit_code(q), absmax_example(q, 2, 16)
    q.close("the offset", q.call("double_quantize", absmax, code, 16)[2], oracle_double(absmax, code, 16)[2], tol=1e-5)


@DOUBLE.case("one block, and blocks of 1", reread=DOUBLE_TEXT)
def _(q):
    code, absmax = eight_bit_code(q), absmax_example(q, 1, 16)
    for block in (16, 1):
        codes, scale, offset = q.call("double_quantize", absmax, code, block)
        want, largest, mean = oracle_double(absmax, code, block)
        q.same("the shape of scale", list(scale.shape), [16 // block])
        q.close("the scale", scale, largest, tol=1e-4)
        back, expected = stands_for(codes, scale, offset, code, block), stands_for(want, largest, mean, code, block)
        q.close("what comes back", back, expected, tol=2e-4)


@DOUBLE.case("the scales are left alone", reread=DOUBLE_TEXT)
def _(q):
    q.call_checked_unmutated("double_quantize", absmax_example(q, 2, 16), eight_bit_code(q), 16)


# -------------------------------------------------------------------------------------------- the adapter and the words


def score_adapter(folder, seed, public):
    """(fraction, message): the handed-in adapter's share of right records on questions drawn from `seed`, about
    residents whom no row named.

    The base without its adapter is asked as well: what it can already do, the adapter did not learn. That keeps a fully
    fine-tuned base out."""
    from pathlib import Path

    from course_lib.evaluation.handed_in import check_reads, points_share
    from course_lib.evaluation.instructions import score
    from course_lib.stages.lora import adapter_state, load_adapter, load_adapter_stage, merge, trained_share, unmerge
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.jobs import job_rows

    model, _ = load_adapter_stage(folder=Path(folder))
    tokenizer, share = load_tokenizer(), trained_share(model)
    check_reads(model, 200, "start from load_stage('sft'), which knows the course's tokens and has a longer context")
    if share > SHARE_MOST:
        return (
            0.0,
            f"{100 * share:.1f} % of the parameters are trained, at most {100 * SHARE_MOST:g} % may be: choose a "
            "smaller rank or fewer targets.",
        )
    rows = job_rows("clerk", "residents", ROWS, f"grade {LAB} {seed}")
    # merged, which takes half the time
    done = lambda model, rows: score(merge(model), tokenizer, rows, max_new_tokens=40)["accuracy"]
    trained = {name: weight.clone() for name, weight in adapter_state(model).items()}
    without = done(load_adapter(model, {name: 0 * weight for name, weight in trained.items()}), rows[: ROWS // 3])
    right = done(load_adapter(unmerge(model), trained), rows)
    if without > BASE_MOST:
        return (
            0.0,
            f"the base writes {100 * without:.0f} % of the records without its adapter: put the adapter on an "
            "assistant that does not know the job, load_stage('sft').",
        )
    return points_share(right, SCORE_ZERO, SCORE_FULL), (
        f"{100 * right:.0f} % of {ROWS} records right, on fresh questions ({100 * without:.0f} % without the adapter); "
        f"{100 * share:.1f} % of the parameters trained; "
        f"full marks from {100 * SCORE_FULL:g} % on, none at {100 * SCORE_ZERO:g} %."
    )


ADAPTER = ArtifactQuestion(
    "lora_adapter", lab=LAB, points=1, stage="lora", score=score_adapter, title="The adapter that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="What LoRA and QLoRA save, and what not",
    rubric="""0.5: says with the lab's own numbers that LoRA saves gradients and optimiser states (12 of 16 bytes a
parameter in fp32) because only A and B have them, that QLoRA saves on the frozen weights too (about a quarter of 16
bit), AND names something that neither saves: activations (and the logits), or most of the time of a step, as the whole
base is still run forward and backward.
0.25: only what is saved, or no number.  0: "it is smaller", or claims that the frozen weights are not needed or not
run.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What your changed run shows",
    rubric="""0.5: states the prediction made before the run, the number that came out (score or loss, with its unit),
and a reason that fits: for instance that alpha / R times the learning rate sets how far the weights move, that
attention alone gives fewer parameters and cannot change what the MLPs store, or that a larger rank with the same alpha
takes smaller steps in each direction. A wrong prediction, honestly reported and explained, earns full marks.
0.25: a number without a reason, or a reason that the student's own numbers contradict.  0: no number from a run.""",
)
