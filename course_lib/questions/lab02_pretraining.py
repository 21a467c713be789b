"""Lab 02, pre-training: the graded questions. Each is written once and runs in the notebook (`check`) and through the
sandbox (`course grade`).

The oracles are library functions or another form of the formula, so that this file does not ship the answers it asks
for.
Sources: attention, Vaswani et al. 2017 (1706.03762) · RMSNorm, Zhang and Sennrich 2019 (1910.07467) · RoPE, Su et al.
2021 (2104.09864), in the half-split form of Llama · top-p, Holtzman et al. 2020 (1904.09751) · warm-up, then a straight
line down, Bergsma et al. 2025 (2502.15938) · power laws, Kaplan et al. 2020 (2001.08361).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion, derive_seed

LAB = "02_pretraining"

# The handed-in model: full marks at or under GAP_FULL % above the entropy of the source, none at or over GAP_ZERO %, a
# straight line between. Five seeds of the course's own run end between 2.4 and 3.0 % (`course bench pretrain`); 4
# leaves room for another machine and 200 documents.
GAP_FULL, GAP_ZERO = 4.0, 30.0
GAP_DOCUMENTS = 200  # fresh documents drawn from the seed

# ------------------------------------------------------------------------------------------------------------ attention

ATTENTION_TEXT = "§ 2 Attention"
NO_LEAK = "a forbidden score has the weight 0, however large the other scores are"
PADDING_UNREAD = "nobody reads padding, and each row of the batch has its own mask"
NEVER_NAN = "a padded token that may see nothing stays finite, its gradient, too"
DTYPE_OF_Q = "the result has the dtype of q"
ATTENTION = Question(
    "causal_attention",
    lab=LAB,
    points=1.5,
    forbid=(
        "torch.nn.functional.scaled_dot_product_attention",
        "scaled_dot_product_*",
        "*flash_attention*",
        "*efficient_attention*",
        "flex_attention*",
        "*multi_head_attention*",
        "transformer_encoder_layer_fwd",
    ),
    rules=(NO_LEAK, PADDING_UNREAD, NEVER_NAN, DTYPE_OF_Q),
)


def attention_mistakes(q, k, v):
    """What the usual slips give, each under the name the student reads."""
    T, P = q.shape[-2:]
    scores = q @ k.transpose(-2, -1)
    seen = torch.ones(T, T).tril().bool()
    open_weights = torch.softmax(scores / math.sqrt(P), -1)
    closed = (scores / math.sqrt(P)).masked_fill(~seen, -1e30)
    return {
        "every token also sees the tokens to its right: the mask is missing": open_weights @ v,
        "the mask is the wrong way round: a token sees itself and what comes after it": (
            F.scaled_dot_product_attention(q, k, v, attn_mask=seen.T)
        ),
        "the mask came after the softmax, so the weights of a row no longer sum to 1": open_weights.tril() @ v,
        "forbidden scores were set to 0; exp(0) is 1, so they still get weight. Set them to a huge negative number": (
            torch.softmax(closed.tril(), -1) @ v
        ),
        "the scores were not divided by √P": F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0),
        "the scores were divided by P, not by √P": F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / P),
        "the scores were multiplied by √P": F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=math.sqrt(P)),
        "the scores were divided by √T: the scale is the width of a head, P": (
            F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / math.sqrt(T))
        ),
        "the softmax ran over the queries: it belongs over the keys, the last axis": torch.softmax(closed, -2) @ v,
        "q and k changed places": F.scaled_dot_product_attention(k, q, v, is_causal=True),
    }


@ATTENTION.case("softmax(Q Kᵀ / √P) V, with the future masked", reread=ATTENTION_TEXT)
def _(q):
    query, key, value = q.randn(2, 3, 5, 4), q.randn(2, 3, 5, 4), q.randn(2, 3, 5, 4)
    y = q.call("causal_attention", query, key, value)
    q.same("the shape", list(y.shape), [2, 3, 5, 4])
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    q.close("the values", y, expected, tol=1e-5, mistakes=attention_mistakes(query, key, value))


@ATTENTION.case("the gradient reaches q, k and v", reread=ATTENTION_TEXT)
def _(q):
    args = [q.randn(2, 2, 6, 3) for _ in range(3)]
    cotangent = q.randn(2, 2, 6, 3)
    _, grads = q.call_with_grad("causal_attention", args, wrt=(0, 1, 2), cotangent=cotangent)
    leaves = [x.clone().requires_grad_() for x in args]
    expected = torch.autograd.grad((F.scaled_dot_product_attention(*leaves, is_causal=True) * cotangent).sum(), leaves)
    for name, got, want in zip("qkv", grads, expected):
        q.close(f"the gradient of {name}", got, want, tol=1e-4)


@ATTENTION.case(
    "scores of ±2 · 10¹² and more: the future has the highest",
    rule=NO_LEAK,
    reread=ATTENTION_TEXT,
    hint="exp of a large number is inf, and inf/inf is NaN. torch.softmax subtracts the maximum first.",
)
def _(q):
    # each later key scores 4 · 10¹² above the one before, so whatever leaks takes all the weight
    query, value = torch.full((1, 2, 6, 4), 1e6), q.randn(1, 2, 6, 4)
    key = (1e6 * torch.arange(-5, 7, 2)).view(1, 1, 6, 1).expand(1, 2, 6, 4).clone()
    y = q.call("causal_attention", query, key, value)
    # the largest of what a token may see is its own, so it gets its own value
    scores = query @ key.transpose(-2, -1) / 2
    future = torch.ones(6, 6).triu(1).bool()
    weak = {
        "the mask adds a number that large scores can beat: the future leaks through": scores - 1e4 * future,
        "the mask sets a number that is not the lowest: where all allowed scores are lower, the future leaks through": (
            scores.masked_fill(future, -1e4)
        ),
    }
    mistakes = {name: torch.softmax(masked, -1) @ value for name, masked in weak.items()}
    q.close("the values", y, value, tol=1e-4, mistakes=mistakes)


def padded(q, lengths, T=6):
    """(query, key, value, key_mask) of rows with so many real tokens, padded on the left."""
    key_mask = torch.arange(T) >= T - torch.tensor(lengths).unsqueeze(1)  # [B T] True = a real token
    return *(q.randn(len(lengths), 2, T, 4) for _ in range(3)), key_mask


@ATTENTION.case(
    "prompts of different lengths, padded on the left (key_mask)", rule=PADDING_UNREAD, reread=ATTENTION_TEXT
)
def _(q):
    lengths, T = [3, 5, 2], 6
    query, key, value, key_mask = padded(q, lengths)
    y = q.call("causal_attention", query, key, value, key_mask=key_mask)
    q.same("the shape", list(y.shape), [3, 2, T, 4])
    seen = torch.ones(T, T).tril().bool() & key_mask[0]  # as the first row's mask for all would have it
    first = torch.softmax((query @ key.mT / 2).masked_fill(~seen, torch.finfo(torch.float32).min), -1) @ value
    unmasked = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    for row, length in enumerate(lengths):
        own, real = slice(row, row + 1), slice(T - length, T)
        args = [x[own, :, real] for x in (query, key, value)]
        mistakes = {
            "the padding is read as if it were text: key_mask was ignored, or it stands on the axis of the queries": (
                unmasked[own, :, real]
            ),
            "the mask of the first row was used for all: each row has its own": first[own, :, real],
        }
        expected = F.scaled_dot_product_attention(*args, is_causal=True)
        q.close(f"the values of a row with {length} real tokens", y[own, :, real], expected, 1e-5, mistakes)


@ATTENTION.case(
    "padding that may see nothing",
    rule=NEVER_NAN,
    reread=ATTENTION_TEXT,
    hint="With −inf everywhere a softmax is 0/0 = NaN, and NaN can go back through the gradient, also where it is "
    "replaced later. torch.finfo(scores.dtype).min stays finite.",
)
def _(q):
    query, key, value, key_mask = padded(q, [4, 1])
    cotangent = key_mask[:, None, :, None].float().expand(2, 2, 6, 4).clone()
    y, grads = q.call_with_grad("causal_attention", [query, key, value, key_mask], wrt=(0, 1, 2), cotangent=cotangent)
    q.true("a padded position is NaN or infinite", bool(torch.isfinite(y).all()))
    for name, grad in zip("qkv", grads):
        q.true(f"the gradient of {name} is NaN or infinite", bool(torch.isfinite(grad).all()))


@ATTENTION.case("float64 in, float64 out, and bfloat16", rule=DTYPE_OF_Q, reread=ATTENTION_TEXT)
def _(q):
    query, key, value = (q.randn(1, 5, 9, 2, dtype=torch.float64) for _ in range(3))
    y = q.call("causal_attention", query, key, value)
    q.same("the dtype for float64", str(y.dtype), "torch.float64")
    q.close("the values", y, F.scaled_dot_product_attention(query, key, value, is_causal=True), tol=1e-6)
    y = q.call("causal_attention", *(x.bfloat16() for x in (query, key, value)))
    q.same("the dtype for bfloat16", str(y.dtype), "torch.bfloat16")


@ATTENTION.case("one token gives its own value back; the inputs are left alone", reread=ATTENTION_TEXT)
def _(q):
    query, key, value = q.randn(3, 2, 1, 4), q.randn(3, 2, 1, 4), q.randn(3, 2, 1, 4)
    y = q.call_checked_unmutated("causal_attention", query, key, value)
    q.close("the values", y, value, tol=1e-6, hint="The first token sees itself.")


# -------------------------------------------------------------------------------------------------------------- RMSNorm

RMS_TEXT = "§ 3 RMSNorm"
ZEROS = "a zero vector gives exactly 0"
IN_FLOAT32 = "the squares are taken in float32, whatever the dtype of x"
DTYPE_OF_X = "the result has the dtype of x"
ANY_AXES = "any number of leading axes"
THROUGH_ROOT = "gradients flow through the root"
RMS_NORM = Question(
    "rms_norm",
    lab=LAB,
    points=0.75,
    forbid=("torch.nn.functional.rms_norm", "*rms_norm*"),
    rules=(ZEROS, IN_FLOAT32, DTYPE_OF_X, ANY_AXES, THROUGH_ROOT),
)


@RMS_NORM.case("x / √(mean of x² + ε), times the weight", reread=RMS_TEXT)
def _(q):
    x, weight, eps = 2 * q.randn(2, 5, 8) + 0.7, q.rand(8) + 0.5, 0.1
    y = q.call("rms_norm", x, weight, eps)
    square = x.pow(2).mean(-1, keepdim=True)
    q.same("the shape", list(y.shape), [2, 5, 8])
    q.close(
        "the values",
        y,
        F.rms_norm(x, (8,), weight, eps),
        tol=1e-5,
        mistakes={
            "the mean was taken off first: that is LayerNorm. RMSNorm leaves the mean alone": (
                F.layer_norm(x, (8,), weight, None, eps)
            ),
            "the weight is missing": F.rms_norm(x, (8,), None, eps),
            "ε is missing": F.rms_norm(x, (8,), weight, 0.0),
            "ε stands outside the root: it belongs under it": weight * x / (square.sqrt() + eps),
            "x was divided by the mean square: the root is missing": weight * x / (square + eps),
            "the squares were added up: RMSNorm takes their mean": weight * x / (8 * square + eps).sqrt(),
            "x was multiplied by the root mean square, not divided by it": weight * x * (square + eps).sqrt(),
            "the mean ran over the tokens (axis 1): it belongs over the features, the last axis": (
                weight * x / (x.pow(2).mean(1, keepdim=True) + eps).sqrt()
            ),
            "the mean ran over the whole tensor: each token is normalised alone": (
                weight * x / (x.pow(2).mean() + eps).sqrt()
            ),
            "x was divided by its standard deviation, which takes the mean off": (
                weight * x / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()
            ),
            "the weight was added: it multiplies": F.rms_norm(x, (8,), None, eps) + weight,
        },
    )


@RMS_NORM.case("the gradient of x and of the weight", rule=THROUGH_ROOT, reread=RMS_TEXT)
def _(q):
    args = [q.randn(3, 4, 6), q.rand(6) + 0.5]
    cotangent = q.randn(3, 4, 6)
    _, grads = q.call_with_grad("rms_norm", [*args, 1e-5], wrt=(0, 1), cotangent=cotangent)
    leaves = [a.clone().requires_grad_() for a in args]
    expected = torch.autograd.grad((F.rms_norm(leaves[0], (6,), leaves[1], 1e-5) * cotangent).sum(), leaves)
    root = torch.rsqrt(args[0].pow(2).mean(-1, keepdim=True) + 1e-5)
    mistakes = {"the root was cut from the graph: it depends on x, too": cotangent * root * args[1]}
    q.close("the gradient of x", grads[0], expected[0], tol=1e-4, mistakes=mistakes)
    q.close("the gradient of the weight", grads[1], expected[1], tol=1e-4)


@RMS_NORM.case("zeros stay zeros", rule=ZEROS, hint="0/0 is NaN: that is what ε is for.", reread=RMS_TEXT)
def _(q):
    x = torch.zeros(1, 3, 4)
    y, grads = q.call_with_grad("rms_norm", [x, q.rand(4) + 0.5, 1e-6], wrt=(0,), cotangent=torch.ones(1, 3, 4))
    q.close("the values", y, x, tol=0)
    q.true("the gradient is NaN or infinite", bool(torch.isfinite(grads[0]).all()))


@RMS_NORM.case("±10,000 in half precision", rule=IN_FLOAT32, reread=RMS_TEXT)
def _(q):
    # 10,000 at one place of each vector at least: its square does not fit into float16, nor does the sum in bfloat16
    x, weight = (1e4 * q.randn(2, 3, 16).clamp(-3, 3)).half(), (q.rand(16) + 0.5).half()
    x[..., 0] = 1e4
    expected = F.rms_norm(x.float(), (16,), weight.float(), 1e-6)
    y = q.call("rms_norm", x, weight, 1e-6)
    mistakes = {
        "the squares overflowed: 10,000² is beyond float16's 65,504. Go to float32 first": torch.zeros_like(expected)
    }
    q.close("the values", y.float(), expected, tol=1e-2, mistakes=mistakes)


@RMS_NORM.case("half precision in, half precision out", rule=DTYPE_OF_X, hint="End with .to(x.dtype).", reread=RMS_TEXT)
def _(q):
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        y = q.call("rms_norm", q.randn(2, 3, 4, dtype=dtype), torch.ones(4, dtype=dtype), 1e-6)
        q.same("the dtype", str(y.dtype), str(dtype))


@RMS_NORM.case("five axes, and two", rule=ANY_AXES, hint="Use axis −1, not axis 2.", reread=RMS_TEXT)
def _(q):
    for shape in ((2, 1, 3, 2, 5), (4, 5)):
        x, weight = q.randn(*shape), q.rand(5) + 0.5
        expected = F.rms_norm(x, (5,), weight, 1e-5)
        q.close(f"the values for {list(shape)}", q.call("rms_norm", x, weight, 1e-5), expected, tol=1e-5)


@RMS_NORM.case("the inputs are left alone", reread=RMS_TEXT)
def _(q):
    q.call_checked_unmutated("rms_norm", q.randn(2, 3, 4), q.rand(4), 1e-5)


# ----------------------------------------------------------------------------------------------------------------- RoPE

ROPE_TEXT = "§ 4 RoPE"
GIVEN_POSITIONS = "the positions are those that are passed"
GIVEN_THETA = "θ is an argument"
FINE_ANGLES = "the angles are computed in float32, whatever the dtype of x"
ROPE_DTYPE = "the result has the dtype of x"
ROPE = Question("apply_rope", lab=LAB, points=1, rules=(GIVEN_POSITIONS, GIVEN_THETA, FINE_ANGLES, ROPE_DTYPE))


def rotate(x, positions, theta=10000.0, exponent=None, sign=1.0, interleaved=False):
    """The rotation written with complex numbers: (first half + i · second half) · exp(i · angle). `exponent`, `sign`,
    `interleaved` make the usual slips.
    """
    half = x.shape[-1] // 2
    power = 2 * torch.arange(half).double() / x.shape[-1] if exponent is None else exponent
    angle = sign * positions.double()[:, None] * theta**-power  # [T P/2]
    x = x.double()
    pairs = torch.stack((x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:]), -1)
    turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angle), angle))
    return (turned.flatten(-2) if interleaved else torch.cat(turned.unbind(-1), -1)).float()


@ROPE.case("each pair (x_i, x_{i+P/2}) is turned by position · θ^(−2i/P)", reread=ROPE_TEXT)
def _(q):
    x, positions = q.randn(2, 3, 7, 8), torch.arange(7)
    y = q.call("apply_rope", x, positions, 10000.0)
    i = torch.arange(4).double()
    q.same("the shape", list(y.shape), [2, 3, 7, 8])
    q.close(
        "the values",
        y,
        rotate(x, positions),
        tol=1e-4,
        mistakes={
            "neighbours (0,1), (2,3), … were paired: that is the paper's form. Llama pairs feature i with feature i + "
            "P/2": rotate(x, positions, interleaved=True),
            "the rotation runs backwards: check the sign of the sine terms": rotate(x, positions, sign=-1.0),
            "the frequencies rise: the exponent needs a minus": rotate(x, positions, exponent=-2 * i / 8),
            "the exponent is −i/P: it should be −2i/P": rotate(x, positions, exponent=i / 8),
            "the exponent is −2i/(P/2): it should be −2i/P": rotate(x, positions, exponent=2 * i / 4),
            "the exponent starts at i = 1: it starts at 0": rotate(x, positions, exponent=2 * (i + 1) / 8),
            "positions start at 1: the first position is the one that was passed, 0": rotate(x, positions + 1),
            "only the cosine part is there": torch.cat([x[..., :4], x[..., 4:]], -1)
            * torch.cos(positions.double()[:, None] * 10000.0 ** -(2 * i / 8)).repeat(1, 2).float(),
            "the input came back unchanged": x,
        },
    )


@ROPE.case("positions that do not start at 0 (ragged prompts, a cache)", rule=GIVEN_POSITIONS, reread=ROPE_TEXT)
def _(q):
    x, positions = q.randn(2, 1, 4, 6), torch.tensor([3, 11, 12, 40])
    mistakes = {"the positions were counted 0, 1, 2, …: use the ones passed in": rotate(x, torch.arange(4))}
    q.close(
        "the values", q.call("apply_rope", x, positions, 10000.0), rotate(x, positions), tol=1e-4, mistakes=mistakes
    )


@ROPE.case("another θ", rule=GIVEN_THETA, reread=ROPE_TEXT)
def _(q):
    x, positions = q.randn(2, 1, 5, 6), torch.arange(5)
    mistakes = {"θ is fixed at 10,000: use the argument": rotate(x, positions, 10000.0)}
    y = q.call("apply_rope", x, positions, 500.0)
    q.close("the values for θ = 500", y, rotate(x, positions, 500.0), tol=1e-4, mistakes=mistakes)


@ROPE.case("the gradient is turned back", reread=ROPE_TEXT)
def _(q):
    x, positions, cotangent = q.randn(1, 2, 5, 4), torch.arange(5), q.randn(1, 2, 5, 4)
    _, grads = q.call_with_grad("apply_rope", [x, positions, 10000.0], wrt=(0,), cotangent=cotangent)
    q.close("the gradient of x", grads[0], rotate(cotangent, positions, sign=-1.0), tol=1e-4)


@ROPE.case("far positions in bfloat16", rule=FINE_ANGLES, reread=ROPE_TEXT)
def _(q):
    x, positions = q.randn(1, 1, 700, 8).bfloat16(), torch.arange(700)
    y = q.call("apply_rope", x, positions, 10000.0)
    angle = positions.bfloat16()[:, None] * 10000.0 ** (-torch.arange(0, 8, 2).bfloat16() / 8)
    first, second = x.chunk(2, -1)
    coarse = torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], -1)
    q.close(
        "the values",
        y.float(),
        rotate(x.float(), positions),
        tol=5e-2,
        mistakes={
            "the positions were rounded to bfloat16, which has no 257: compute the angles in float32": (
                rotate(x.float(), positions.bfloat16().float())
            ),
            "the angles were rounded to bfloat16, which has no 257: compute them in float32": coarse.float(),
        },
    )


@ROPE.case("bfloat16 and float16 come back as they went in", rule=ROPE_DTYPE, hint="End with .to(x.dtype).")
def _(q):
    for dtype in (torch.bfloat16, torch.float16):
        y = q.call("apply_rope", q.randn(1, 2, 3, 4, dtype=dtype), torch.arange(3), 10000.0)
        q.same("the dtype", str(y.dtype), str(dtype))


@ROPE.case("position 0 turns nothing; the inputs are left alone", reread=ROPE_TEXT)
def _(q):
    x = q.randn(1, 2, 1, 6)
    y = q.call_checked_unmutated("apply_rope", x, torch.tensor([0]), 10000.0)
    q.close("the values at position 0", y, x, tol=1e-6)


# ----------------------------------------------------------------------------------------------------------- the loss

LOSS_TEXT = "§ 5 The loss"
NO_TARGET = "padding is no target: the mean runs over the real targets of the whole batch"
GIVEN_PAD = "pad_id is an argument"
NOTHING = "nothing to predict: the loss is 0 and hangs on the logits"
ANY_LOGITS = "logits of ±10,000: the loss is exact and its gradient finite"
LOSS = Question("next_token_loss", lab=LAB, points=1, rules=(NO_TARGET, GIVEN_PAD, NOTHING, ANY_LOGITS))


def token_losses(logits, targets):
    """−log p of each target, nats. [B T]"""
    return -torch.distributions.Categorical(logits=logits, validate_args=False).log_prob(targets)


def masked_mean(losses, mask):
    return (losses * mask).sum() / mask.sum()


@LOSS.case("the mean −log p of the next token, in nats", reread=LOSS_TEXT)
def _(q):
    logits, ids = 2 * q.randn(3, 6, 9), q.randint(1, 9, (3, 6))
    ids[:, 1] = ids[:, 0] % 8 + 1  # never the same token twice at the start: without a shift the loss is another
    got = q.call("next_token_loss", logits, ids, 0)
    losses = token_losses(logits[:, :-1], ids[:, 1:])
    q.close(
        "the loss",
        got,
        losses.mean(),
        tol=1e-5,
        mistakes={
            "no shift: the model is asked for the token that it has just read": token_losses(logits, ids).mean(),
            "shifted the wrong way: the model is asked for the token before": (
                token_losses(logits[:, 1:], ids[:, :-1]).mean()
            ),
            "the loss was summed: take the mean over the real targets": losses.sum(),
            "the loss is in bits: use the natural logarithm": losses.mean() / math.log(2),
            "the sign is wrong: a loss is −log p": -losses.mean(),
            "softmax ran before a cross-entropy that runs its own": (
                token_losses(logits.softmax(-1)[:, :-1], ids[:, 1:]).mean()
            ),
            "the mean divides by all the tokens: the first one of a row is never a target": losses.sum() / ids.numel(),
        },
    )


@LOSS.case("rows that end in padding", rule=NO_TARGET, reread=LOSS_TEXT)
def _(q):
    logits, ids = 2 * q.randn(3, 6, 9), q.randint(1, 9, (3, 6))
    ids[:, 4:] = 0  # in each row alike, so that a mean of row means is the same
    got = q.call("next_token_loss", logits, ids, 0)
    losses, real = token_losses(logits[:, :-1], ids[:, 1:]), ids[:, 1:] != 0
    q.close(
        "the loss",
        got,
        masked_mean(losses, real),
        tol=1e-5,
        mistakes={
            "the padding was counted as if it were text": losses.mean(),
            "the padding's losses were set to 0 but still counted in the mean": (losses * real).mean(),
            "the mask looked at the input token: look at the target": masked_mean(losses, ids[:, :-1] != 0),
        },
    )


@LOSS.case("a long row and a short one", rule=NO_TARGET, reread=LOSS_TEXT)
def _(q):
    logits, ids = 2 * q.randn(2, 6, 9), q.randint(1, 9, (2, 6))
    logits[1] *= 3
    ids[1, 2:] = 0
    got = q.call("next_token_loss", logits, ids, 0)
    losses, real = token_losses(logits[:, :-1], ids[:, 1:]), ids[:, 1:] != 0
    rows = torch.stack([masked_mean(row, kept) for row, kept in zip(losses, real)])
    mistakes = {"each row's mean was taken first: a short row then counts as much as a long one": rows.mean()}
    q.close("the loss", got, masked_mean(losses, real), tol=1e-5, mistakes=mistakes)


@LOSS.case("pad_id = 7, and tokens with the id 0", rule=GIVEN_PAD, reread=LOSS_TEXT)
def _(q):
    logits, ids = 2 * q.randn(2, 5, 8), q.randint(1, 7, (2, 5))
    ids[0, 2] = ids[1, 4] = 0  # real targets here; nothing is padding
    losses = token_losses(logits[:, :-1], ids[:, 1:])
    mistakes = {"the padding id is fixed at 0: use the argument": masked_mean(losses, ids[:, 1:] != 0)}
    q.close("the loss", q.call("next_token_loss", logits, ids, 7), losses.mean(), tol=1e-5, mistakes=mistakes)


@LOSS.case("the gradient of the logits", reread=LOSS_TEXT)
def _(q):
    logits, ids = q.randn(2, 5, 7), q.randint(1, 7, (2, 5))
    _, grads = q.call_with_grad("next_token_loss", [logits, ids, 0], wrt=(0,), cotangent=torch.tensor(1.0))
    leaf = logits.clone().requires_grad_()
    token_losses(leaf[:, :-1], ids[:, 1:]).mean().backward()
    hint = "It is (softmax − one-hot)/count at each real position and exactly 0 at the last one."
    q.close("the gradient", grads[0], leaf.grad, tol=1e-5, hint=hint)


@LOSS.case(
    "logits of ±10,000",
    rule=ANY_LOGITS,
    reread=LOSS_TEXT,
    hint="log(softmax(x)) is log(0) = −inf for unlikely tokens, and a clamp or an ε inside the log hides how wrong the "
    "model is. log_softmax or cross_entropy do it in one step.",
)
def _(q):
    ids = q.randint(1, 6, (2, 4))
    logits = torch.full((2, 4, 6), -1e4)
    logits[..., 0] = 1e4  # never the target: each costs 20,000 nats
    got, grads = q.call_with_grad("next_token_loss", [logits, ids, 0], wrt=(0,), cotangent=torch.tensor(1.0))
    q.close("the loss", got, torch.tensor(2e4), tol=1e-4)
    q.true("the gradient is NaN or infinite", bool(torch.isfinite(grads[0]).all()))
    q.true("the gradient is 0: no target pulls", bool(grads[0][:, :-1].any()))


@LOSS.case(
    "one token, or padding only",
    rule=NOTHING,
    reread=LOSS_TEXT,
    hint="A mean over nothing is 0/0: divide by count.clamp(min=1). And keep the result connected to the logits: a sum "
    "of nothing is 0 and has a gradient.",
)
def _(q):
    for name, T, ids in (
        ("a batch of padding", 4, torch.zeros(2, 4, dtype=torch.long)),
        ("T = 1", 1, torch.tensor([[3], [1]])),
    ):
        logits = q.randn(2, T, 5)
        got, grads = q.call_with_grad("next_token_loss", [logits, ids, 0], wrt=(0,), cotangent=torch.tensor(1.0))
        q.close(f"the loss of {name}", got, torch.tensor(0.0), tol=0)
        q.close(f"the gradient of {name}", grads[0], torch.zeros(2, T, 5), tol=0)


@LOSS.case("one number comes back, a tensor; the inputs are left alone", reread=LOSS_TEXT)
def _(q):
    ids = q.randint(1, 7, (2, 5))
    ids[0, 3:] = 0
    got = q.call_checked_unmutated("next_token_loss", q.randn(2, 5, 8), ids, 0)
    q.same("the shape", list(got.shape), [])


# --------------------------------------------------------------------------------------------------------- the schedule

SCHEDULE_TEXT = "§ 6 The schedule"
PAST_END = "past the end the rate stays at floor · peak"
NO_WARMUP = "warmup may be 0"
ALL_WARMUP = "warmup may be the whole run, or one step less: then the last step has the peak"
SCHEDULE = Question("learning_rate", lab=LAB, points=0.75, rules=(PAST_END, NO_WARMUP, ALL_WARMUP))


def rates(steps, total, warmup, peak, floor, *, first=1, last=1, low=None, cosine=False, whole_run=False):
    """The schedule as the lower one of two straight lines through given points. The keywords make the usual slips."""
    low = floor * peak if low is None else low
    start = 0 if whole_run else warmup
    made = []
    for step in steps:
        progress = float(np.interp(step, [start, max(total - last, start + 1)], [0, 1]))
        fall = low + (peak - low) * (math.cos(math.pi * progress / 2) ** 2 if cosine else 1 - progress)
        made.append(float(np.interp(step + first, [0, warmup], [0, peak])) if step < warmup else fall)
    return made


def step_names(steps):
    return [f"at step {step}" for step in steps]


@SCHEDULE.case("a straight warm-up to the peak, then a straight line down to floor · peak", reread=SCHEDULE_TEXT)
def _(q):
    total, warmup, peak, floor = 100 + q.randint(0, 40), 10 + q.randint(0, 10), 3e-3, 0.2
    steps = [0, 1, warmup // 2, warmup - 1, warmup, warmup + 1, total // 2, total - 10, total - 1]
    got = [float(q.call("learning_rate", step, total, warmup, peak, floor)) for step in steps]  # a tensor of one, too
    make = lambda **slip: [1000 * rate for rate in rates(steps, total, warmup, peak, floor, **slip)]
    q.close(
        "1000 × the rates",
        [1000 * rate for rate in got],
        make(),
        tol=1e-6,
        names=step_names(steps),
        mistakes={
            "the first step has learning rate 0 and learns nothing: the ramp is (step + 1)/warmup": make(first=0),
            "the decay goes to 0: it should end at floor · peak": make(low=0.0),
            "the floor is a share of the peak, not a learning rate: multiply by the peak": make(low=floor),
            "the decay is a cosine: here it is a straight line": make(cosine=True),
            "the decay counts from step 0: it starts when the warm-up ends": make(whole_run=True),
            "the floor is reached one step too late: the last step is total − 1": make(last=0),
            "there is no warm-up": [1000 * rate for rate in rates(steps, total, 0, peak, floor)],
            "warm-up only: the rate never falls": [1000 * peak * min(1, (step + 1) / warmup) for step in steps],
            "the ramp starts at the floor: it starts near 0": [
                1000 * (floor * peak + (peak - floor * peak) * (step + 1) / warmup) if step < warmup else each
                for step, each in zip(steps, make())
            ],
        },
    )


@SCHEDULE.case(
    "no warm-up (warmup = 0)",
    rule=NO_WARMUP,
    reread=SCHEDULE_TEXT,
    hint="With warmup = 0 the first step is at the peak, and nothing is divided by 0.",
)
def _(q):
    steps = [0, 1, 25, 49]
    got = [q.call("learning_rate", step, 50, 0, 1.0, 0.1) for step in steps]
    q.close("the rates", got, rates(steps, 50, 0, 1.0, 0.1), tol=1e-6, names=step_names(steps))


@SCHEDULE.case(
    "steps beyond the last",
    rule=PAST_END,
    reread=SCHEDULE_TEXT,
    hint="A straight line goes on, below 0 in the end: stop it at the floor.",
)
def _(q):
    steps = [40, 41, 60, 80, 1000]
    got = [q.call("learning_rate", step, 40, 5, 2.0, 0.1) for step in steps]
    q.close("the rates of a run of 40 steps", got, [0.2] * 5, tol=1e-6, names=step_names(steps))


@SCHEDULE.case(
    "a run that is all warm-up (warmup = total, or total − 1)",
    rule=ALL_WARMUP,
    reread=SCHEDULE_TEXT,
    hint="total − 1 − warmup is −1 or 0 here: divide by max(1, …).",
)
def _(q):
    steps = [0, 3, 7]
    got = [q.call("learning_rate", step, 8, 8, 2.0, 0.0) for step in steps]
    q.close("the rates of 8 steps, all warm-up", got, [0.25, 1.0, 2.0], tol=1e-6, names=step_names(steps))
    last = q.call("learning_rate", 7, 8, 7, 2.0, 0.5)
    q.close("the rate of the last step, where warmup = total − 1", last, 2.0, tol=1e-6)


@SCHEDULE.case("a floor of 0, and one of 1", reread=SCHEDULE_TEXT)
def _(q):
    q.close("the rate at the end with floor 0", q.call("learning_rate", 19, 20, 5, 1.0, 0.0), 0.0, tol=1e-9)
    q.close("the rate at the end with floor 1", q.call("learning_rate", 19, 20, 5, 3.0, 1.0), 3.0, tol=1e-6)


# ------------------------------------------------------------------------------------------------------------- sampling

SAMPLING_TEXT = "§ 8 Sampling"
TEMPERED = "the temperature comes first: the set is chosen from the tempered probabilities"
LIKELIEST = "the likeliest token is always in the set"
ONE_BY_ONE = "tokens that tie are counted one by one"
ALL_KEPT = "top_p = 1 keeps every token"
EXTREME = "logits may be −inf or ±10,000"
SAMPLING = Question("top_p_probs", lab=LAB, points=1, rules=(TEMPERED, LIKELIEST, ONE_BY_ONE, ALL_KEPT, EXTREME))


def nucleus(logits, temperature, keep):
    """softmax(logits / temperature) with only the `keep` likeliest left, renormalised."""
    probs = torch.softmax(logits.double() / temperature, -1)
    probs = torch.where(probs >= probs.topk(keep).values[-1], probs, 0.0)
    return (probs / probs.sum()).float()


def halfway(logits, temperature, keep):
    """A top_p that needs exactly `keep` tokens, halfway between two steps of the cumulated probability, so that
    rounding cannot matter.
    """
    total = torch.softmax(logits.double() / temperature, -1).sort(descending=True).values.cumsum(0)
    return float((total[keep - 1] + (total[keep - 2] if keep > 1 else 0.0)) / 2)


def spread(q, n=12):
    """Logits that are all different by much more than rounding, in a drawn order."""
    return (torch.linspace(-1.5, 1.5, n) + 0.05 * q.rand(n))[q.permutation(n)]


@SAMPLING.case("the smallest set that holds top_p, renormalised, at temperature 1", reread=SAMPLING_TEXT)
def _(q):
    logits = spread(q)
    top_p = halfway(logits, 1.0, 5)
    got = q.call("top_p_probs", logits, 1.0, top_p)
    probs, kept = torch.softmax(logits, -1), nucleus(logits, 1.0, 5)
    q.same("the shape", list(got.shape), [12])
    q.true(
        "some probabilities are NaN",
        not bool(got.isnan().any()),
        hint="The set came out empty: 0/0. top_p is no threshold for a single token, it is the mass of the whole set, "
        "and the likeliest token is always in it.",
    )
    q.close(
        "the probabilities",
        got,
        kept,
        tol=1e-5,
        mistakes={
            "the set stops just under top_p: the token that crosses it belongs in": nucleus(logits, 1.0, 4),
            "one token too many: stop as soon as the set holds top_p": nucleus(logits, 1.0, 6),
            "the rest was set to 0 but the probabilities were not scaled up to sum to 1": (
                torch.where(kept > 0, probs, 0.0)
            ),
            "nothing was cut off: top_p was not used": probs,
            "the UNlikeliest tokens were kept: sort in descending order": lowest(logits, top_p),
            "the result is in sorted order: put each probability back at its own token": (
                kept.sort(descending=True).values
            ),
        },
    )


def lowest(logits, top_p):
    probs = torch.softmax(logits, -1)
    ordered = probs.sort()
    kept = torch.zeros_like(probs).scatter(
        0, ordered.indices, torch.where(ordered.values.cumsum(0) - ordered.values < top_p, ordered.values, 0.0)
    )
    return kept / kept.sum()


def needed(logits, temperature, top_p):
    """How many tokens hold top_p."""
    total = torch.softmax(logits.double() / temperature, -1).sort(descending=True).values.cumsum(0)
    return min(int((total < top_p).sum()) + 1, len(logits))


@SAMPLING.case("a temperature of 2", rule=TEMPERED, reread=SAMPLING_TEXT)
def _(q):
    logits, temperature = 1.5 * spread(q), 2.0
    top_p = halfway(logits, temperature, 7)
    q.close(
        "the probabilities",
        q.call("top_p_probs", logits, temperature, top_p),
        nucleus(logits, temperature, 7),
        tol=1e-5,
        mistakes={
            "the logits were multiplied by the temperature: divide": nucleus(
                logits, 1 / temperature, needed(logits, 1 / temperature, top_p)
            ),
            "the temperature was left out": nucleus(logits, 1.0, needed(logits, 1.0, top_p)),
            "the set was chosen before the temperature: divide the logits first": (
                nucleus(logits, temperature, needed(logits, 1.0, top_p))
            ),
        },
    )


@SAMPLING.case("top_p = 1", rule=ALL_KEPT, reread=SAMPLING_TEXT)
def _(q):
    logits = spread(q, 9)
    hint = "Rounding can leave the total a hair under 1: the last token must stay all the same."
    got = q.call("top_p_probs", logits, 1.0, 1.0)
    q.close("the probabilities", got, torch.softmax(logits, -1), tol=1e-5, hint=hint)
    hint = "In float32 the running sum reaches 1 before the last tokens: treat top_p = 1 apart."
    got = q.call("top_p_probs", torch.linspace(0.0, -25.0, 2432), 1.0, 1.0)
    q.true("unlikely tokens of 2,432 were cut off", bool((got > 0).all()), hint=hint)


@SAMPLING.case("a tiny top_p", rule=LIKELIEST, hint="The set is never empty: 0/0 is NaN.", reread=SAMPLING_TEXT)
def _(q):
    logits = spread(q, 7)
    q.close("the probabilities", q.call("top_p_probs", logits, 1.0, 1e-6), nucleus(logits, 1.0, 1), tol=1e-6)


@SAMPLING.case(
    "five tokens that are equally likely, top_p = 0.5",
    rule=ONE_BY_ONE,
    reread=SAMPLING_TEXT,
    hint="Any three of them will do, but no more: count places, not values.",
)
def _(q):
    got = q.call("top_p_probs", torch.zeros(5), 1.0, 0.5)
    third = torch.tensor([1 / 3, 1 / 3, 1 / 3, 0, 0])
    q.close("the probabilities, sorted", got.sort(descending=True).values, third, tol=1e-5)


@SAMPLING.case(
    "forbidden tokens (−inf), and logits of ±10,000",
    rule=EXTREME,
    reread=SAMPLING_TEXT,
    hint="exp of a large number is inf. torch.softmax subtracts the maximum first.",
)
def _(q):
    logits = spread(q, 6)
    logits[logits.argmax()] = -math.inf
    got = q.call("top_p_probs", logits, 1.0, halfway(logits, 1.0, 3))
    q.close("the probabilities with one token forbidden", got, nucleus(logits, 1.0, 3), tol=1e-5)
    logits = 1e4 * (q.permutation(8) - 3.5)
    got = q.call("top_p_probs", logits, 1.0, 0.95)
    q.close("the probabilities for ±10,000", got, F.one_hot(logits.argmax(), 8).float(), tol=0)


@SAMPLING.case("the logits are left alone", reread=SAMPLING_TEXT)
def _(q):
    q.call_checked_unmutated("top_p_probs", spread(q, 5), 0.7, 0.8)


# ------------------------------------------------------------------------------------------------------------ the limit

LIMIT_TEXT = "§ 9 How far from the limit"
SIGNED = "the gap keeps its sign"
LIMIT = Question("distance_to_limit", lab=LAB, points=0.5, rules=(SIGNED,))


def distance(loss, entropy, perplexity=None, gap=None):
    return {
        "loss": loss,
        "perplexity": math.exp(loss) if perplexity is None else perplexity,
        "gap_percent": 100 * (loss / entropy - 1) if gap is None else gap,
    }


@LIMIT.case("the mean over tokens, its exponential, and the gap in % of the entropy", reread=LIMIT_TEXT)
def _(q):
    losses, tokens, entropy = 1 + q.rand(6), torch.tensor([1, 12, 3, 9, 2, 10]), 0.8
    losses[0] += 2
    got = q.call("distance_to_limit", losses, tokens, entropy)
    loss = float((losses.double() * tokens).sum() / tokens.sum())
    by_document = float(losses.mean())
    q.close(
        "the result",
        got,
        distance(loss, entropy),
        tol=1e-5,
        mistakes={
            "the mean ran over documents: a document of 1 token then counts as much as one of 12. Weight each by its "
            "tokens": distance(by_document, entropy),
            "the losses were summed over the tokens: divide by the number of tokens": (
                lambda: distance_sum(losses, tokens, entropy)
            ),
            "the gap is measured against the loss: measure it against the entropy": (
                distance(loss, entropy, gap=100 * (loss - entropy) / loss)
            ),
            "the gap is a share: times 100 makes it percent": distance(loss, entropy, gap=loss / entropy - 1),
            "the gap is in nats: divide by the entropy, times 100": distance(loss, entropy, gap=loss - entropy),
            "the gap is the whole ratio: subtract the entropy first": distance(loss, entropy, gap=100 * loss / entropy),
            "the gap has the wrong sign: a model above the limit has a positive gap": (
                distance(loss, entropy, gap=100 * (1 - loss / entropy))
            ),
            "the perplexity is 2 to the loss: a loss in nats needs e": distance(loss, entropy, perplexity=2**loss),
            "the perplexity was averaged over documents: it is the exponential of the mean loss": (
                distance(loss, entropy, perplexity=float(losses.exp().mean()))
            ),
            "the perplexity is the loss itself: take its exponential": distance(loss, entropy, perplexity=loss),
        },
    )


def distance_sum(losses, tokens, entropy):
    total = float((losses * tokens).sum())
    return distance(total, entropy, perplexity=math.inf if total > 700 else math.exp(total))


@LIMIT.case(
    "a loss at the entropy, and one under it",
    rule=SIGNED,
    reread=LIMIT_TEXT,
    hint="On a few documents the loss can lie under the entropy by chance. Do not clip it: a negative gap is "
    "information.",
)
def _(q):
    tokens = torch.tensor([5, 500, 20])
    for loss in (0.75, 0.6):
        got = q.call("distance_to_limit", torch.full((3,), loss), tokens, 0.75)
        q.close(f"the result for {loss} nats/token", got, distance(loss, 0.75), tol=1e-5)


@LIMIT.case("the inputs are left alone", reread=LIMIT_TEXT)
def _(q):
    q.call_checked_unmutated("distance_to_limit", torch.tensor([1.5, 2.0]), torch.tensor([11, 3]), 1.2)


# ------------------------------------------------------------------------------------------------------------ power law

POWER_TEXT = "§ 11 Scaling"
ANY_ORDER = "the points stand in any order"
POWER_LAW = Question("fit_power_law", lab=LAB, points=0.5, rules=(ANY_ORDER,))


def straight_line(x, y):
    """(slope, intercept) of the least-squares line."""
    slope, intercept = np.polyfit(np.asarray(x, dtype=float), np.asarray(y, dtype=float), 1)
    return float(slope), float(intercept)


@POWER_LAW.case("excess = a · N^−b, by least squares on the logarithms", reread=POWER_TEXT)
def _(q):
    sizes = [20_000.0, 60_000.0, 250_000.0, 900_000.0, 2_000_000.0]
    entropy = 0.9
    off = [1.1, 0.9, 1.06, 0.95, 1.08]  # no law fits: whoever takes two points only gets another line
    losses = [entropy + (30 + 5 * float(q.rand(1))) * n**-0.35 * each for n, each in zip(sizes, off)]
    x, y = np.log(sizes), np.log(np.array(losses) - entropy)
    slope, intercept = straight_line(x, y)
    raw_slope, raw_intercept = straight_line(x, np.log(losses))
    bare_sizes, bare_excess = straight_line(sizes, y), straight_line(x, np.exp(y))
    q.close(
        "(a, b)",
        list(q.call("fit_power_law", sizes, losses, entropy)),
        [math.exp(intercept), -slope],
        tol=1e-4,
        names="ab",
        mistakes={
            "the whole loss was fitted: subtract the entropy first, only the excess can fall to 0": [
                math.exp(raw_intercept),
                -raw_slope,
            ],
            "b has the wrong sign: the excess is a · N^−b, so b = −slope": [math.exp(intercept), slope],
            "a is still a logarithm: a = exp(intercept)": [intercept, -slope],
            "the logarithm was base 10 but the exponential base e: use one base": [
                math.exp(intercept / math.log(10)),
                -slope,
            ],
            "a and b changed places": [-slope, math.exp(intercept)],
            "the line went through the first and the last point only: use all of them": lambda: two_points(x, y),
            "the sizes were not put on a logarithm": [math.exp(bare_sizes[1]), -bare_sizes[0]],
            "the excess was not put on a logarithm": [bare_excess[1], -bare_excess[0]],
        },
    )


def two_points(x, y):
    slope = float((y[-1] - y[0]) / (x[-1] - x[0]))
    return [math.exp(float(y[0]) - slope * float(x[0])), -slope]


@POWER_LAW.case("an exact law, the points in another order", rule=ANY_ORDER, hint="Do not take them to be sorted.")
def _(q):
    a, b = 2 + float(q.rand(1)), 0.2 + 0.3 * float(q.rand(1))
    sizes = [1e6, 1e3, 1e5, 1e4]
    got = list(q.call("fit_power_law", sizes, [1.3 + a * n**-b for n in sizes], 1.3))
    q.close("(a, b)", got, [a, b], tol=1e-3, names="ab")


@POWER_LAW.case("two points, and an entropy of 0", reread=POWER_TEXT)
def _(q):
    got = list(q.call("fit_power_law", [100.0, 10_000.0], [2.0, 0.5], 0.0))
    b = math.log(4) / math.log(100)
    q.close("(a, b)", got, [2.0 * 100**b, b], tol=1e-4, names="ab")


# -------------------------------------------------------------------------------------------------------------- the bug

BUG_TEXT = "§ 12 Find the bug"
NAMED = "the planted mistake is named by its letter"
BUG_PADDING = "padding is no target, neither in the sum nor in the number"
BUG_NOTHING = "nothing to predict: both numbers are 0"
PLANTED = 1295120511830520484  # derive_seed(LAB, "letter", …) of the right one: the answer itself does not stand here
MENDED = Question("summed_loss", lab=LAB, points=1, rules=(NAMED, BUG_PADDING, BUG_NOTHING))


def both(q, logits, ids, pad_id):
    """What the student's function gives, as (sum, number): a number may be a tensor or a Python number."""
    got = q.call("summed_loss", logits, ids, pad_id)
    q.true(
        "two numbers are asked for: the sum and how many targets there are",
        type(got) in (list, tuple) and len(got) == 2,
    )
    return got[0], float(got[1])


@MENDED.case("the sum of −log p of the next tokens, and their number", reread=BUG_TEXT)
def _(q):
    logits, ids = 2 * q.randn(3, 6, 9), q.randint(1, 9, (3, 6))
    total, number = both(q, logits, ids, 0)
    losses = token_losses(logits[:, :-1], ids[:, 1:])
    q.close(
        "the sum",
        total,
        losses.sum(),
        tol=1e-5,
        mistakes={
            "the mistake is still there: the logits are scored against the token that the model has just read": (
                token_losses(logits, ids).sum()
            ),
            "shifted the wrong way: the logits are scored against the token before": (
                token_losses(logits[:, 1:], ids[:, :-1]).sum()
            ),
            "the mean came back: the sum is asked for": losses.mean(),
            "the sign is wrong: the sum of −log p is asked for": -losses.sum(),
            "the loss is in bits: use the natural logarithm": losses.sum() / math.log(2),
            "softmax ran twice": token_losses(logits.softmax(-1)[:, :-1], ids[:, 1:]).sum(),
        },
    )
    mistakes = {"all tokens were counted: the first of a row is never a target": 18.0}
    q.close("the number of targets", number, 15.0, tol=0, mistakes=mistakes)


@MENDED.case("the letter of the mistake", rule=NAMED, reread=BUG_TEXT, hint="The loss by the formula of § 5 is large.")
def _(q):
    letter = q.call("which_mistake")
    q.true("which_mistake gives no letter from A to H", type(letter) is str and letter in tuple("ABCDEFGH"))
    q.true(f"{letter} is not the planted mistake", derive_seed(LAB, "letter", letter) == PLANTED)


@MENDED.case("rows that end in padding, pad_id = 7, and tokens with the id 0", rule=BUG_PADDING, reread=BUG_TEXT)
def _(q):
    logits, ids = 2 * q.randn(2, 6, 8), q.randint(1, 7, (2, 6))
    ids[0, 3:], ids[1, 2] = 7, 0
    total, number = both(q, logits, ids, 7)
    losses, real = token_losses(logits[:, :-1], ids[:, 1:]), ids[:, 1:] != 7
    mistakes = {
        "the padding was counted as if it were text": losses.sum(),
        "the padding id is fixed at 0: use the argument": (losses * (ids[:, 1:] != 0)).sum(),
        "the mask looked at the input token: look at the target": (losses * (ids[:, :-1] != 7)).sum(),
    }
    q.close("the sum", total, (losses * real).sum(), tol=1e-5, mistakes=mistakes)
    mistakes = {"the padding was counted: it is no target": 10.0}
    q.close("the number of targets", number, float(real.sum()), tol=0, mistakes=mistakes)


@MENDED.case("one token, or padding only", rule=BUG_NOTHING, reread=BUG_TEXT, hint="The sum of nothing is 0.")
def _(q):
    nothing = {"a batch of padding": torch.zeros(2, 4, dtype=torch.long), "T = 1": torch.tensor([[3], [1]])}
    for name, ids in nothing.items():
        total, number = both(q, q.randn(*ids.shape, 5), ids, 0)
        q.close(f"the sum of {name}", total, torch.tensor(0.0), tol=0)
        q.close(f"the number of targets of {name}", number, 0.0, tol=0)


@MENDED.case("the gradient of the sum", reread=BUG_TEXT)
def _(q):
    logits, ids = q.randn(2, 5, 7), q.randint(1, 7, (2, 5))
    _, grads = q.call_with_grad("summed_loss", [logits, ids, 0], wrt=(0,), cotangent=torch.tensor(1.0))
    leaf = logits.clone().requires_grad_()
    token_losses(leaf[:, :-1], ids[:, 1:]).sum().backward()
    q.close("the gradient", grads[0], leaf.grad, tol=1e-5)


# ---------------------------------------------------------------------------------------------- the model and the words


def score_model(folder, seed, public):
    """(fraction, message): the handed-in model's distance to the entropy on documents drawn from `seed`, the grader's
    secret one when it grades.
    """
    from pathlib import Path

    from course_lib.evaluation.handed_in import check_reads, points_share
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.perplexity import distance_to_limit
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world import village
    from course_lib.world.corpus import documents

    model, tokenizer = load_folder(Path(folder), "pretrain")[0], load_tokenizer()
    fresh = [{"text": d.text, "nll": d.nll} for d in documents(village(), f"grade {LAB} {seed}", GAP_DOCUMENTS)]
    check_reads(model, max(len(ids.ids) for ids in tokenizer.encode_batch([row["text"] for row in fresh])) + 1)
    gap = distance_to_limit(model, tokenizer, fresh)["gap_percent"]
    return (
        points_share(gap, GAP_ZERO, GAP_FULL),
        f"{gap:.1f} % above the limit on {GAP_DOCUMENTS} fresh documents; full marks at {GAP_FULL:g} % or less, none "
        f"from {GAP_ZERO:g} %.",
    )


MODEL = ArtifactQuestion(
    "pretrained_model", lab=LAB, points=1, stage="pretrain", score=score_model, title="The model that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Why the loss cannot fall under the entropy",
    rubric="""0.5: says that the source itself makes random choices, that the entropy is the mean −log p under the
source, and that any model's mean −log p on fresh text is the entropy plus a KL divergence, which is ≥ 0 (in words is
enough); AND says what a TRAINING loss under the entropy would mean: the model has memorised its rows (or the sample is
small), not that it beats the source.
0.25: only one of the two.  0: "the model is too small", "it needs more training", or no reason.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What your changed run shows",
    rubric="""0.5: states the prediction made before the run, the number that came out (loss or gap, with its unit), and
a reason that fits the curve: for instance that without warm-up the first steps are taken on estimates from very few
gradients, or that a rate ten times larger overshoots. A wrong prediction, honestly reported and explained, earns full
marks.
0.25: a number without a reason, or a reason that the student's own curve contradicts.  0: no number from a run.""",
)
