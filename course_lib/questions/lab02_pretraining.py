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

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "02_pretraining"

# The handed-in model: full marks at or under GAP_FULL % above the entropy of the source, none at or over GAP_ZERO %, a
# straight line between. Five seeds of the course's own run end between 2.4 and 2.8 % (`course bench pretrain`); 4
# leaves room for another machine and 200 documents.
GAP_FULL, GAP_ZERO = 4.0, 30.0
GAP_DOCUMENTS = 200  # fresh documents drawn from the seed

# ------------------------------------------------------------------------------------------------------------ attention

ATTENTION = Question(
    "causal_attention",
    lab=LAB,
    points=2,
    forbid=(
        "torch.nn.functional.scaled_dot_product_attention",
        "scaled_dot_product_*",
        "*flash_attention*",
        "*efficient_attention*",
        "flex_attention*",
        "*multi_head_attention*",
        "transformer_encoder_layer_fwd",
    ),
)
ATTENTION_TEXT = "§ 2 Attention"


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


@ATTENTION.case("softmax(Q Kᵀ / √P) V, with the future masked")
def _(q):
    query, key, value = q.randn(2, 3, 5, 4), q.randn(2, 3, 5, 4), q.randn(2, 3, 5, 4)
    y = q.call("causal_attention", query, key, value)
    q.same("the shape", list(y.shape), [2, 3, 5, 4])
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    q.close("the values", y, expected, tol=1e-5, mistakes=attention_mistakes(query, key, value), reread=ATTENTION_TEXT)


@ATTENTION.case("the gradient reaches q, k and v")
def _(q):
    args = [q.randn(2, 2, 6, 3) for _ in range(3)]
    cotangent = q.randn(2, 2, 6, 3)
    _, grads = q.call_with_grad("causal_attention", args, wrt=(0, 1, 2), cotangent=cotangent)
    leaves = [x.clone().requires_grad_() for x in args]
    expected = torch.autograd.grad((F.scaled_dot_product_attention(*leaves, is_causal=True) * cotangent).sum(), leaves)
    for name, got, want in zip("qkv", grads, expected):
        q.close(
            f"the gradient of {name}",
            got,
            want,
            tol=1e-4,
            hint="Something cut the graph: .detach(), .data, .item(), numpy, or torch.no_grad().",
            reread=ATTENTION_TEXT,
        )


@ATTENTION.case("scores of ±10,000")
def _(q):
    query, key, value = 100 * q.randn(1, 2, 6, 4), 100 * q.randn(1, 2, 6, 4), q.randn(1, 2, 6, 4)
    y = q.call("causal_attention", query, key, value)
    q.true(
        "the result is not finite everywhere",
        bool(torch.isfinite(y).all()),
        hint="exp of a large number is inf, and inf/inf is NaN. torch.softmax subtracts the maximum first.",
    )
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    scores = query @ key.transpose(-2, -1) / 2
    weak = torch.softmax(scores + (-1e4 * torch.ones(6, 6).triu(1)), -1) @ value
    q.close(
        "the values",
        y,
        expected,
        tol=1e-4,
        mistakes={"the mask adds a number that large scores can beat: the future leaks through": weak},
        reread=ATTENTION_TEXT,
    )


@ATTENTION.case("all keys equal: each token gets the mean of what it may see")
def _(q):
    query, key, value = q.randn(1, 2, 7, 4), q.randn(1, 2, 1, 4).expand(1, 2, 7, 4).clone(), q.randn(1, 2, 7, 4)
    y = q.call("causal_attention", query, key, value)
    expected = value.cumsum(-2) / torch.arange(1, 8).view(1, 1, 7, 1)
    q.close(
        "the values",
        y,
        expected,
        tol=1e-5,
        hint="Equal scores mean equal weights, over the past and the token itself only.",
        reread=ATTENTION_TEXT,
    )


@ATTENTION.case("one token (T = 1) gives its own value back")
def _(q):
    query, key, value = q.randn(3, 2, 1, 4), q.randn(3, 2, 1, 4), q.randn(3, 2, 1, 4)
    y = q.call("causal_attention", query, key, value)
    q.close(
        "the values",
        y,
        value,
        tol=1e-6,
        hint="The first token sees itself. A mask that leaves it nothing gives 0/0 = NaN.",
        reread=ATTENTION_TEXT,
    )


@ATTENTION.case("prompts of different lengths, padded on the left (key_mask)")
def _(q):
    lengths, T = [6, 4, 1], 6
    query, key, value = q.randn(3, 2, T, 4), q.randn(3, 2, T, 4), q.randn(3, 2, T, 4)
    key_mask = torch.arange(T) >= T - torch.tensor(lengths).unsqueeze(1)  # [B T] True = a real token
    y = q.call("causal_attention", query, key, value, key_mask=key_mask)
    q.true(
        "a padded position is NaN or infinite",
        bool(torch.isfinite(y).all()),
        hint="A padded query at the left edge may see nothing at all. With −inf its softmax is 0/0 = NaN; "
        "torch.finfo(scores.dtype).min stays finite.",
    )
    unmasked = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    for row, length in enumerate(lengths):
        real = [x[row : row + 1, :, T - length :] for x in (query, key, value)]
        q.close(
            f"the values of a row with {length} real tokens",
            y[row : row + 1, :, T - length :],
            F.scaled_dot_product_attention(*real, is_causal=True),
            tol=1e-5,
            mistakes={
                "key_mask was ignored: the padding is read as if it were text": unmasked[row : row + 1, :, T - length :]
            },
            reread=ATTENTION_TEXT,
        )


@ATTENTION.case("float64 in, float64 out, other shapes, inputs left alone")
def _(q):
    query, key, value = (q.randn(1, 5, 9, 2).double() for _ in range(3))
    y = q.call_checked_unmutated("causal_attention", query, key, value)
    q.same("the dtype", str(y.dtype), "torch.float64")
    q.close(
        "the values",
        y,
        F.scaled_dot_product_attention(query, key, value, is_causal=True),
        tol=1e-9,
        hint="B, H, T and P are read from the inputs, and so is the dtype.",
        reread=ATTENTION_TEXT,
    )


# -------------------------------------------------------------------------------------------------------------- RMSNorm

RMS_NORM = Question("rms_norm", lab=LAB, points=1, forbid=("torch.nn.functional.rms_norm", "*rms_norm*"))
RMS_TEXT = "§ 3 RMSNorm"


@RMS_NORM.case("x / √(mean of x² + ε), times the weight")
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
        reread=RMS_TEXT,
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


@RMS_NORM.case("the gradient of x and of the weight")
def _(q):
    args = [q.randn(3, 4, 6), q.rand(6) + 0.5]
    cotangent = q.randn(3, 4, 6)
    _, grads = q.call_with_grad("rms_norm", [*args, 1e-5], wrt=(0, 1), cotangent=cotangent)
    leaves = [a.clone().requires_grad_() for a in args]
    expected = torch.autograd.grad((F.rms_norm(leaves[0], (6,), leaves[1], 1e-5) * cotangent).sum(), leaves)
    for name, got, want in zip(("x", "the weight"), grads, expected):
        q.close(
            f"the gradient of {name}",
            got,
            want,
            tol=1e-4,
            hint="The root mean square depends on x too, so it stays in the graph: no detach, no no_grad.",
            reread=RMS_TEXT,
        )


@RMS_NORM.case("zeros stay zeros")
def _(q):
    y = q.call("rms_norm", torch.zeros(1, 3, 4), q.rand(4) + 0.5, 1e-6)
    q.close("the values", y, torch.zeros(1, 3, 4), tol=1e-7, hint="0/0 is NaN: that is what ε is for.", reread=RMS_TEXT)


@RMS_NORM.case("±10,000 in half precision: computed in float32, returned in x's dtype")
def _(q):
    x, weight = (1e4 * q.randn(2, 3, 16).clamp(-3, 3)).half(), (q.rand(16) + 0.5).half()
    y = q.call("rms_norm", x, weight, 1e-6)
    q.same("the dtype", str(y.dtype), "torch.float16")
    expected = F.rms_norm(x.float(), (16,), weight.float(), 1e-6)
    q.close(
        "the values",
        y.float(),
        expected,
        tol=1e-2,
        reread=RMS_TEXT,
        mistakes={
            "the squares overflowed: 10,000² is beyond float16's 65,504. Go to float32 first": (
                torch.zeros_like(expected)
            )
        },
    )


@RMS_NORM.case("any number of leading axes, one feature, inputs left alone")
def _(q):
    x, weight = q.randn(2, 1, 3, 2, 5), q.rand(5) + 0.5
    q.close(
        "the values for [2 1 3 2 5]",
        q.call_checked_unmutated("rms_norm", x, weight, 1e-5),
        F.rms_norm(x, (5,), weight, 1e-5),
        tol=1e-5,
        hint="Use axis −1, not axis 2.",
        reread=RMS_TEXT,
    )
    one = q.randn(4, 1)
    q.close(
        "the values for [4 1]",
        q.call("rms_norm", one, torch.ones(1), 1e-5),
        F.rms_norm(one, (1,), torch.ones(1), 1e-5),
        tol=1e-5,
        reread=RMS_TEXT,
    )


# ----------------------------------------------------------------------------------------------------------------- RoPE

ROPE = Question("apply_rope", lab=LAB, points=1)
ROPE_TEXT = "§ 4 RoPE"


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


@ROPE.case("each pair (x_i, x_{i+P/2}) is turned by position · θ^(−2i/P)")
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
        reread=ROPE_TEXT,
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


@ROPE.case("position 0 turns nothing, and no position changes a length")
def _(q):
    x = q.randn(1, 2, 1, 6)
    q.close(
        "the values at position 0", q.call("apply_rope", x, torch.tensor([0]), 10000.0), x, tol=1e-6, reread=ROPE_TEXT
    )
    x = q.randn(2, 2, 5, 6)
    y = q.call("apply_rope", x, torch.arange(5), 10000.0)
    q.close(
        "the length of each vector",
        y.norm(dim=-1),
        x.norm(dim=-1),
        tol=1e-4,
        hint="A rotation keeps lengths: cos² + sin² = 1.",
        reread=ROPE_TEXT,
    )


@ROPE.case("positions that do not start at 0 (ragged prompts, a cache), and another θ")
def _(q):
    x, positions = q.randn(2, 1, 4, 6), torch.tensor([3, 11, 12, 40])
    y = q.call_checked_unmutated("apply_rope", x, positions, 500.0)
    q.close(
        "the values",
        y,
        rotate(x, positions, 500.0),
        tol=1e-4,
        reread=ROPE_TEXT,
        mistakes={
            "the positions were counted 0, 1, 2, …: use the ones passed in": rotate(x, torch.arange(4), 500.0),
            "θ is fixed at 10,000: use the argument": rotate(x, positions, 10000.0),
        },
    )


@ROPE.case("the gradient is turned back")
def _(q):
    x, positions, cotangent = q.randn(1, 2, 5, 4), torch.arange(5), q.randn(1, 2, 5, 4)
    _, grads = q.call_with_grad("apply_rope", [x, positions, 10000.0], wrt=(0,), cotangent=cotangent)
    q.close(
        "the gradient of x",
        grads[0],
        rotate(cotangent, positions, sign=-1.0),
        tol=1e-4,
        hint="Something cut the graph, or x was changed in place.",
        reread=ROPE_TEXT,
    )


@ROPE.case("far positions in bfloat16: angles in float32, result in x's dtype")
def _(q):
    x, positions = q.randn(1, 2, 4, 8).bfloat16(), torch.tensor([257, 515, 1001, 2047])
    y = q.call("apply_rope", x, positions, 10000.0)
    q.same("the dtype", str(y.dtype), "torch.bfloat16")
    angle = positions.bfloat16()[:, None] * 10000.0 ** (-torch.arange(0, 8, 2).bfloat16() / 8)
    first, second = x.chunk(2, -1)
    coarse = torch.cat(
        [first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], -1
    ).float()
    q.close(
        "the values",
        y.float(),
        rotate(x.float(), positions),
        tol=5e-2,
        reread=ROPE_TEXT,
        mistakes={
            "the positions were rounded to bfloat16, which has no 257: compute the angles in float32": (
                rotate(x.float(), positions.bfloat16().float())
            ),
            "the angles were rounded to bfloat16, which has no 257: compute them in float32": coarse,
        },
    )


# ----------------------------------------------------------------------------------------------------------- the loss

LOSS = Question("next_token_loss", lab=LAB, points=1)
LOSS_TEXT = "§ 5 The loss"


def token_losses(logits, targets):
    """−log p of each target, nats. [B T]"""
    return -torch.distributions.Categorical(logits=logits, validate_args=False).log_prob(targets)


def masked_mean(losses, mask):
    return (losses * mask).sum() / mask.sum()


@LOSS.case("the mean −log p of the next token, over real tokens, in nats")
def _(q):
    logits, ids = 2 * q.randn(3, 6, 9), q.randint(1, 9, (3, 6))
    ids[1, 4:] = 0
    ids[2, 2:] = 0
    got = q.call("next_token_loss", logits, ids, 0)
    losses, real = token_losses(logits[:, :-1], ids[:, 1:]), ids[:, 1:] != 0
    backwards = token_losses(logits[:, 1:], ids[:, :-1])
    q.close(
        "the loss",
        got,
        masked_mean(losses, real),
        tol=1e-5,
        reread=LOSS_TEXT,
        mistakes={
            "no shift: the model is asked for the token that it has just read": (
                masked_mean(token_losses(logits, ids), ids != 0)
            ),
            "no shift, and padding counted": token_losses(logits, ids).mean(),
            "shifted the wrong way: the model is asked for the token before": masked_mean(backwards, ids[:, :-1] != 0),
            "the padding was counted as if it were text": losses.mean(),
            "the padding's losses were set to 0 but still counted in the mean": (losses * real).mean(),
            "the loss was summed: take the mean over the real targets": (losses * real).sum(),
            "each row's mean was taken first: a short row then counts as much as a long one": (
                torch.stack([masked_mean(row, kept) for row, kept in zip(losses, real)]).mean()
            ),
            "the loss is in bits: use the natural logarithm": masked_mean(losses, real) / math.log(2),
            "the sign is wrong: a loss is −log p": -masked_mean(losses, real),
            "softmax ran before a cross-entropy that runs its own": (
                masked_mean(token_losses(logits.softmax(-1)[:, :-1], ids[:, 1:]), real)
            ),
            "the mean divides by all the tokens: the first one of a row is never a target": (
                (losses * real).sum() / (ids != 0).sum()
            ),
            "the mask looked at the input token: look at the target": masked_mean(losses, ids[:, :-1] != 0),
        },
    )


@LOSS.case("the gradient of the logits")
def _(q):
    logits, ids = q.randn(2, 5, 7), q.randint(1, 7, (2, 5))
    ids[1, 3:] = 0
    _, grads = q.call_with_grad("next_token_loss", [logits, ids, 0], wrt=(0,), cotangent=torch.tensor(1.0))
    leaf = logits.clone().requires_grad_()
    masked_mean(token_losses(leaf[:, :-1], ids[:, 1:]), ids[:, 1:] != 0).backward()
    q.close(
        "the gradient",
        grads[0],
        leaf.grad,
        tol=1e-5,
        hint="It is (softmax − one-hot)/count at each real position and exactly 0 at the last one and at padding.",
        reread=LOSS_TEXT,
    )


@LOSS.case("logits of ±10,000, and all equal")
def _(q):
    ids = q.randint(1, 6, (2, 4))
    logits = 1e4 * torch.sign(q.randn(2, 4, 6))
    got = q.call("next_token_loss", logits, ids, 0)
    q.true(
        "the loss is NaN or infinite",
        math.isfinite(float(got)),
        hint="log(softmax(x)) is log(0) = −inf for unlikely tokens. log_softmax or cross_entropy do it in one step.",
    )
    q.close(
        "the loss",
        got,
        token_losses(logits[:, :-1], ids[:, 1:]).mean(),
        tol=1e-2,
        hint="A clamp or an ε inside the log hides how wrong the model is.",
        reread=LOSS_TEXT,
    )
    equal = q.call("next_token_loss", torch.full((2, 4, 6), 3.0), ids, 0)
    q.close(
        "the loss when every token is equally likely",
        equal,
        torch.tensor(math.log(6)),
        tol=1e-5,
        hint="It is the logarithm of the vocabulary's size.",
        reread=LOSS_TEXT,
    )


@LOSS.case("nothing to predict: one token, or padding only, gives 0 and no NaN")
def _(q):
    for name, T, ids in (
        ("a batch of padding", 4, torch.zeros(2, 4, dtype=torch.long)),
        ("T = 1", 1, torch.tensor([[3], [1]])),
    ):
        got, grads = q.call_with_grad(
            "next_token_loss", [q.randn(2, T, 5), ids, 0], wrt=(0,), cotangent=torch.tensor(1.0)
        )
        q.close(
            f"the loss of {name}",
            got,
            torch.tensor(0.0),
            tol=1e-7,
            hint="A mean over nothing is 0/0. Divide by count.clamp(min=1).",
            reread=LOSS_TEXT,
        )
        q.close(
            f"the gradient of {name}",
            grads[0],
            torch.zeros(2, T, 5),
            tol=1e-7,
            hint="Keep the result connected to the logits: a sum of nothing is 0 and has a gradient.",
            reread=LOSS_TEXT,
        )


@LOSS.case("another padding id; one number comes back; inputs left alone")
def _(q):
    logits, ids = q.randn(2, 5, 8), q.randint(0, 7, (2, 5))
    ids[0, 3:] = 7
    got = q.call_checked_unmutated("next_token_loss", logits, ids, 7)
    q.same("the shape", list(got.shape), [])
    losses = token_losses(logits[:, :-1], ids[:, 1:])
    q.close(
        "the loss",
        got,
        masked_mean(losses, ids[:, 1:] != 7),
        tol=1e-5,
        mistakes={
            "the padding id is fixed at 0: use the argument": masked_mean(losses, ids[:, 1:] != 0),
            "the padding was counted": losses.mean(),
        },
        reread=LOSS_TEXT,
    )


# --------------------------------------------------------------------------------------------------------- the schedule

SCHEDULE = Question("learning_rate", lab=LAB, points=1)
SCHEDULE_TEXT = "§ 6 The schedule"


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


@SCHEDULE.case("a straight warm-up to the peak, then a straight line down to floor · peak")
def _(q):
    total, warmup, peak, floor = 100 + q.randint(0, 40), 10 + q.randint(0, 10), 3e-3, 0.2
    steps = [0, 1, warmup // 2, warmup - 1, warmup, warmup + 1, total // 2, total - 10, total - 1]
    got = [q.call("learning_rate", step, total, warmup, peak, floor) for step in steps]
    make = lambda **slip: [1000 * rate for rate in rates(steps, total, warmup, peak, floor, **slip)]
    q.true(
        "a rate is not a plain number",
        all(isinstance(rate, (int, float)) for rate in got),
        hint="Return a Python float, not a tensor.",
    )
    q.close(
        "1000 × the rates at steps " + ", ".join(map(str, steps)),
        [1000 * rate for rate in got],
        make(),
        tol=1e-6,
        reread=SCHEDULE_TEXT,
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


@SCHEDULE.case("no warm-up (warmup = 0)")
def _(q):
    steps = [0, 1, 25, 49]
    got = [q.call("learning_rate", step, 50, 0, 1.0, 0.1) for step in steps]
    q.close(
        "the rates",
        got,
        rates(steps, 50, 0, 1.0, 0.1),
        tol=1e-6,
        hint="With warmup = 0 the first step is at the peak, and nothing is divided by 0.",
        reread=SCHEDULE_TEXT,
    )


@SCHEDULE.case("past the end it stays at the floor")
def _(q):
    got = [q.call("learning_rate", step, 40, 5, 2.0, 0.1) for step in (40, 41, 60, 80, 1000)]
    q.close(
        "the rates at 40, 41, 60, 80, 1000 of 40 steps",
        got,
        [0.2] * 5,
        tol=1e-6,
        hint="A straight line goes on, below 0 in the end: stop it at the floor.",
        reread=SCHEDULE_TEXT,
    )


@SCHEDULE.case("a run that is all warm-up (warmup = total), and a floor of 0")
def _(q):
    got = [q.call("learning_rate", step, 8, 8, 2.0, 0.0) for step in (0, 3, 7)]
    q.close(
        "the rates",
        got,
        [0.25, 1.0, 2.0],
        tol=1e-6,
        hint="total − 1 − warmup is negative here, and 0 for a warm-up one step shorter: mind what you divide by.",
        reread=SCHEDULE_TEXT,
    )
    q.close(
        "the peak, where one step is left for the decay",
        q.call("learning_rate", 7, 8, 7, 2.0, 0.5),
        2.0,
        tol=1e-6,
        hint="total − 1 − warmup is 0 here: divide by max(1, …).",
        reread=SCHEDULE_TEXT,
    )
    q.close(
        "the rate at the end with floor 0",
        q.call("learning_rate", 19, 20, 5, 1.0, 0.0),
        0.0,
        tol=1e-6,
        reread=SCHEDULE_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------- sampling

SAMPLING = Question("top_p_probs", lab=LAB, points=1)
SAMPLING_TEXT = "§ 8 Sampling"


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


@SAMPLING.case("temperature first, then the smallest set that holds top_p, then renormalise")
def _(q):
    logits, temperature = (torch.linspace(-1.5, 1.5, 12) + 0.05 * q.rand(12))[q.permutation(12)], 2.0
    top_p = halfway(logits, temperature, 5)
    got = q.call("top_p_probs", logits, temperature, top_p)
    warm, cold = torch.softmax(logits / temperature, -1), torch.softmax(logits, -1)
    kept = nucleus(logits, temperature, 5)
    untempered = int((cold.sort(descending=True).values.cumsum(0) < top_p).sum()) + 1
    q.same("the shape", list(got.shape), [12])
    q.true(
        "some probabilities are NaN",
        not bool(got.isnan().any()),
        reread=SAMPLING_TEXT,
        hint="The set came out empty: 0/0. top_p is no threshold for a single token, it is the mass of the whole set, "
        "and the likeliest token is always in it.",
    )
    q.close(
        "the probabilities",
        got,
        kept,
        tol=1e-5,
        reread=SAMPLING_TEXT,
        mistakes={
            "the set stops just under top_p: the token that crosses it belongs in": nucleus(logits, temperature, 4),
            "one token too many: stop as soon as the set holds top_p": nucleus(logits, temperature, 6),
            "the rest was set to 0 but the probabilities were not scaled up to sum to 1": (
                torch.where(kept > 0, warm, 0.0)
            ),
            "the logits were multiplied by the temperature: divide": nucleus(
                logits,
                1 / temperature,
                int((torch.softmax(logits * temperature, -1).sort(descending=True).values.cumsum(0) < top_p).sum()) + 1,
            ),
            "the temperature was left out": nucleus(logits, 1.0, untempered),
            "the set was chosen before the temperature: divide the logits first": (
                nucleus(logits, temperature, untempered)
            ),
            "nothing was cut off: top_p was not used": warm,
            "the UNlikeliest tokens were kept: sort in descending order": lowest(logits, temperature, top_p),
            "the result is in sorted order: put each probability back at its own token": (
                kept.sort(descending=True).values
            ),
        },
    )


def lowest(logits, temperature, top_p):
    probs = torch.softmax(logits / temperature, -1)
    ordered = probs.sort()
    kept = torch.zeros_like(probs).scatter(
        0, ordered.indices, torch.where(ordered.values.cumsum(0) - ordered.values < top_p, ordered.values, 0.0)
    )
    return kept / kept.sum()


@SAMPLING.case("top_p = 1 keeps every token")
def _(q):
    logits = q.randn(9)
    q.close(
        "the probabilities",
        q.call_checked_unmutated("top_p_probs", logits, 1.3, 1.0),
        torch.softmax(logits / 1.3, -1),
        tol=1e-5,
        hint="Rounding can leave the total a hair under 1: the last token must stay all the same.",
        reread=SAMPLING_TEXT,
    )


@SAMPLING.case("a tiny top_p keeps the likeliest token, also when all are equal")
def _(q):
    logits = q.randn(7)
    q.close(
        "the probabilities",
        q.call("top_p_probs", logits, 1.0, 1e-6),
        nucleus(logits, 1.0, 1),
        tol=1e-6,
        hint="The set is never empty: 0/0 is NaN.",
        reread=SAMPLING_TEXT,
    )
    equal = q.call("top_p_probs", torch.zeros(5), 1.0, 1e-6)
    q.close(
        "the probabilities when all are equal, sorted",
        equal.sort(descending=True).values,
        torch.tensor([1.0, 0, 0, 0, 0]),
        tol=1e-6,
        hint="In a tie any one token will do, but only one: count places, not values.",
        reread=SAMPLING_TEXT,
    )


@SAMPLING.case("logits of ±10,000 and a temperature of 0.01")
def _(q):
    logits = 1e4 * (q.permutation(8) - 3.5)
    got = q.call("top_p_probs", logits, 0.01, 0.95)
    q.close(
        "the probabilities",
        got,
        F.one_hot(logits.argmax(), 8).float(),
        tol=1e-6,
        hint="exp of a large number is inf. torch.softmax subtracts the maximum first.",
        reread=SAMPLING_TEXT,
    )


@SAMPLING.case("a vocabulary of one, and forbidden tokens (logit −inf)")
def _(q):
    q.close(
        "the probabilities of a vocabulary of one",
        q.call("top_p_probs", q.randn(1), 0.5, 0.3),
        torch.ones(1),
        tol=1e-6,
        reread=SAMPLING_TEXT,
    )
    logits = torch.linspace(-1, 1, 6)[q.permutation(6)]
    logits[logits.argmax()] = -math.inf
    got = q.call("top_p_probs", logits, 1.0, halfway(logits, 1.0, 3))
    q.close("the probabilities with one token forbidden", got, nucleus(logits, 1.0, 3), tol=1e-5, reread=SAMPLING_TEXT)


# ------------------------------------------------------------------------------------------------------------ the limit

LIMIT = Question("distance_to_limit", lab=LAB, points=0.5)
LIMIT_TEXT = "§ 9 How far from the limit"


def distance(loss, entropy, perplexity=None, gap=None):
    return {
        "loss": loss,
        "perplexity": math.exp(loss) if perplexity is None else perplexity,
        "gap_percent": 100 * (loss / entropy - 1) if gap is None else gap,
    }


@LIMIT.case("the mean over tokens, its exponential, and the gap in % of the entropy")
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
        reread=LIMIT_TEXT,
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
        },
    )


def distance_sum(losses, tokens, entropy):
    total = float((losses * tokens).sum())
    return distance(total, entropy, perplexity=math.inf if total > 700 else math.exp(total))


@LIMIT.case("one document; inputs left alone")
def _(q):
    loss = 1.5
    got = q.call_checked_unmutated("distance_to_limit", torch.tensor([loss]), torch.tensor([11]), 1.2)
    q.close("the result", got, distance(loss, 1.2), tol=1e-5, reread=LIMIT_TEXT)


@LIMIT.case("a model at the limit has a gap of 0, and a lucky one may be below")
def _(q):
    tokens = torch.tensor([5, 500, 20])
    q.close(
        "the result at the limit",
        q.call("distance_to_limit", torch.full((3,), 0.75), tokens, 0.75),
        distance(0.75, 0.75),
        tol=1e-5,
        reread=LIMIT_TEXT,
    )
    got = q.call("distance_to_limit", torch.full((3,), 0.6), tokens, 0.75)
    q.close(
        "the result below it",
        got,
        distance(0.6, 0.75),
        tol=1e-5,
        hint="On a few documents the loss can lie under the entropy by chance. Do not clip it: a negative gap is "
        "information.",
        reread=LIMIT_TEXT,
    )


# ------------------------------------------------------------------------------------------------------------ power law

POWER_LAW = Question("fit_power_law", lab=LAB, points=0.5)
POWER_TEXT = "§ 11 A scaling curve"


def straight_line(x, y):
    """(slope, intercept) of the least-squares line."""
    slope, intercept = np.polyfit(np.asarray(x, dtype=float), np.asarray(y, dtype=float), 1)
    return float(slope), float(intercept)


@POWER_LAW.case("excess = a · N^−b, by least squares on the logarithms")
def _(q):
    sizes = [20_000.0, 60_000.0, 250_000.0, 900_000.0, 2_000_000.0]
    entropy = 0.9
    losses = [entropy + 30 * n**-0.35 * math.exp(0.1 * float(q.randn(1))) for n in sizes]
    x, y = np.log(sizes), np.log(np.array(losses) - entropy)
    slope, intercept = straight_line(x, y)
    raw_slope, raw_intercept = straight_line(x, np.log(losses))
    bare_sizes, bare_excess = straight_line(sizes, y), straight_line(x, np.exp(y))
    q.close(
        "(a, b)",
        list(q.call("fit_power_law", sizes, losses, entropy)),
        [math.exp(intercept), -slope],
        tol=1e-4,
        reread=POWER_TEXT,
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


@POWER_LAW.case("points on an exact law, in any order, give that law back")
def _(q):
    a, b = 2 + float(q.rand(1)), 0.2 + 0.3 * float(q.rand(1))
    sizes = [1e6, 1e3, 1e5, 1e4]
    got = list(q.call("fit_power_law", sizes, [1.3 + a * n**-b for n in sizes], 1.3))
    q.close("(a, b)", got, [a, b], tol=1e-3, hint="Do not take the points to be sorted.", reread=POWER_TEXT)


@POWER_LAW.case("two points, and an entropy of 0")
def _(q):
    got = list(q.call("fit_power_law", [100.0, 10_000.0], [2.0, 0.5], 0.0))
    b = math.log(4) / math.log(100)
    q.close("(a, b)", got, [2.0 * 100**b, b], tol=1e-4, reread=POWER_TEXT)


# ---------------------------------------------------------------------------------------------- the model and the words


def score_model(folder, seed, public):
    """(fraction, message): the handed-in model's distance to the entropy on documents drawn from `seed`, the grader's
    secret one when it grades.
    """
    from pathlib import Path

    from course_lib.stages.artifacts import ArtifactError, load_folder
    from course_lib.stages.perplexity import distance_to_limit
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world import village
    from course_lib.world.corpus import documents

    model, tokenizer = load_folder(Path(folder), "pretrain")[0], load_tokenizer()
    if model.config.vocabulary < tokenizer.get_vocab_size():
        raise ArtifactError(
            f"the model knows {model.config.vocabulary} tokens and the course's tokenizer has "
            f"{tokenizer.get_vocab_size()}: train it with the course's tokenizer"
        )
    fresh = [{"text": d.text, "nll": d.nll} for d in documents(village(), f"grade {LAB} {seed}", GAP_DOCUMENTS)]
    longest = max(len(ids.ids) for ids in tokenizer.encode_batch([row["text"] for row in fresh])) + 1
    if model.config.context < longest:
        raise ArtifactError(
            f"the model reads {model.config.context} tokens and the longest document has {longest}: train it with a "
            "longer context"
        )
    gap = distance_to_limit(model, tokenizer, fresh)["gap_percent"]
    fraction = min(1.0, max(0.0, (GAP_ZERO - gap) / (GAP_ZERO - GAP_FULL))) if math.isfinite(gap) else 0.0
    return (
        fraction,
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
