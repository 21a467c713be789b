"""Lab 03, supervised fine-tuning: the graded questions. Each is written once and runs in the notebook (`check`) and
through the sandbox (`course grade`).

The oracles are library functions or another form of the rule, so that this file does not ship the answers it asks for.
Sources: ChatML, as the template of stages/sft.py · loss on the answers only, Ouyang et al. 2022 (2203.02155) and TRL's
`assistant_only_loss` · best-fit decreasing packing, Johnson 1974 and Ding et al. 2024 (2404.10830), TRL's
`packing_strategy="bfd"` · normalised exact match, Rajpurkar et al. 2016 (1606.05250).
"""

import itertools
import math
import re
import string

import torch
import torch.nn.functional as F

from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion

LAB = "03_supervised_fine_tuning"

# The handed-in model: full marks from ACCURACY_FULL % of the drawn instructions right, none at or under ACCURACY_ZERO
# %, a straight line between. Over five seeds the recipe gets 94.7 to 97.5 % (docs/results/sft-laptop.json, mean of both
# splits); on 120 rows two points less are chance.
ACCURACY_FULL, ACCURACY_ZERO = 90.0, 40.0
# instructions drawn from the seed: half on held-out residents in known phrasings, half in held-out phrasings too
ROWS = 120
ANSWER = 80  # tokens that an answer may have


def words(q, n, low=3, high=9):
    """A sentence of n words in lower-case letters, drawn from the generator."""
    letters = string.ascii_lowercase
    return " ".join("".join(letters[q.randint(0, 26)] for _ in range(q.randint(low, high))) for _ in range(n))


# --------------------------------------------------------------------------------------------------------- the template

TEMPLATE_TEXT = "§ 2 The chat template"
OPENED = "generation_prompt opens the assistant's turn and leaves it open"
EVERY_MESSAGE = "every message is written, the system's too"
AS_IT_IS = "contents stay as they are: blanks, newlines, braces, accents, nothing at all"
TEMPLATE = Question("render_chat", lab=LAB, points=1, rules=(OPENED, EVERY_MESSAGE, AS_IT_IS))


def rendered(messages, generation_prompt=False, change=()):
    """The course's template, rendered by Jinja. `change`: (old, new) pairs that make the usual slips."""
    import jinja2

    from course_lib.stages.sft import CHAT_TEMPLATE

    text = re.sub(
        r"\{%-?\s*(end)?generation\s*-?%\}", "", CHAT_TEMPLATE
    )  # markers for the loss mask, which only transformers knows
    made = (
        jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        .from_string(text)
        .render(messages=messages, add_generation_prompt=generation_prompt, bos_token="<|bos|>")
    )
    for old, new in change:
        made = re.sub(old, new, made)
    return made


def chat(q, turns=1, system=False):
    """A conversation of `turns` questions and answers."""
    made = [{"role": "system", "content": words(q, 4)}] if system else []
    for _ in range(turns):
        made += [
            {"role": "user", "content": words(q, 4).capitalize() + "?"},
            {"role": "assistant", "content": words(q, 5).capitalize() + "."},
        ]
    return made


def template_mistakes(messages, prompt=False):
    end, start = r"<\|im_end\|>", r"<\|im_start\|>"
    make = lambda *change, ask=prompt, of=messages: rendered(of, ask, change)
    whole = make()
    if prompt:
        other, cut = "generation_prompt was ignored: no answer was opened", whole[:-1]
    else:
        other, cut = "an answer was opened though nobody asked for it", whole + "\n"
    return {
        "<|bos|> is missing: the model has seen it before every document": make((r"^<\|bos\|>", "")),
        "<|bos|> stands before each message: it begins the text, once": (
            make((r"^<\|bos\|>", ""), (start, "<|bos|><|im_start|>"))
        ),
        "<|im_end|> is missing: the model never learns to stop": make((end, "")),
        "<|im_end|> of the last message is missing: the model never learns to stop": (
            whole[::-1].replace("<|im_end|>"[::-1], "", 1)[::-1]
        ),
        "<|eos|> closes the messages: a message ends with <|im_end|>": make((end, "<|eos|>")),
        "the newline after <|im_end|> is missing": make((end + "\n", "<|im_end|>")),
        "the last newline is missing: every <|im_end|> has one after it": whole[:-1] if not prompt else whole,
        "the newline stands before <|im_end|>: it belongs after it": make((end + "\n", "\n<|im_end|>")),
        "there is a newline before <|im_end|> too": make((end, "\n<|im_end|>")),
        "the newline between role and content is missing": make((start + r"(\w+)\n", r"<|im_start|>\1")),
        "a blank stands between role and content: it is a newline": make((start + r"(\w+)\n", r"<|im_start|>\1 ")),
        "a colon stands after the role": make((start + r"(\w+)\n", r"<|im_start|>\1:\n")),
        "the roles are missing": make((start + r"(\w+)\n", r"<|im_start|>")),
        other: rendered(messages, not prompt),
        "the newline after the opened header is missing: the model would have to write it": cut,
        "the opened header was closed again with <|im_end|>": whole + "<|im_end|>\n",
        "only the last message was rendered": make(of=messages[-1:]),
        "a blank line stands between the messages": make((end + "\n(?=<)", "<|im_end|>\n\n")),
        "the system message was dropped": make(of=[m for m in messages if m["role"] != "system"]),
        "a system message was invented: write the messages that there are": (
            make(of=[{"role": "system", "content": "You are a helpful assistant."}, *messages])
        ),
    }


@TEMPLATE.case("one question and its answer: <|bos|>, then header, content, <|im_end|> and a newline for each message")
def _(q):
    messages = chat(q)
    q.same(
        "the text",
        q.call("render_chat", messages),
        rendered(messages),
        mistakes=template_mistakes(messages),
        reread=TEMPLATE_TEXT,
    )


@TEMPLATE.case(
    OPENED,
    rule=OPENED,
    hint="At the end, only if it is asked for: <|im_start|>assistant and a newline.",
    reread=TEMPLATE_TEXT,
)
def _(q):
    messages = chat(q)[:-1]
    mistakes = template_mistakes(messages, True)
    q.same("the text", q.call("render_chat", messages, True), rendered(messages, True), mistakes=mistakes)
    q.same("the text of nothing", q.call("render_chat", [], generation_prompt=True), rendered([], True))


@TEMPLATE.case("a system message and three turns, by keyword", rule=EVERY_MESSAGE, reread=TEMPLATE_TEXT)
def _(q):
    messages = chat(q, 3, system=True)
    got = q.call("render_chat", messages, generation_prompt=False)
    q.same("the text", got, rendered(messages), mistakes=template_mistakes(messages))


@TEMPLATE.case(
    AS_IT_IS,
    rule=AS_IT_IS,
    hint="Put the content in by concatenation or an f-string, and do nothing to it.",
    reread=TEMPLATE_TEXT,
)
def _(q):
    odd = [
        f"  {words(q, 2)}  ",
        f"{words(q, 1)}\n\n{words(q, 1)}\n",
        "{role} %s {0} \\n",
        "Zoë’s café — 3 < 4 & 5",
        "",
        f"user\n{words(q, 1)}",
    ]
    messages = [{"role": "user" if k % 2 == 0 else "assistant", "content": content} for k, content in enumerate(odd)]
    stripped = [{**m, "content": m["content"].strip()} for m in messages]
    q.same(
        "the text",
        q.call("render_chat", messages),
        rendered(messages),
        mistakes={
            "the contents were stripped: write them as they are": rendered(stripped),
            "messages without content were skipped: an empty message has a header and an <|im_end|> too": (
                rendered([m for m in messages if m["content"]])
            ),
        },
    )


@TEMPLATE.case("no messages at all", hint="Only <|bos|> is left.", reread=TEMPLATE_TEXT)
def _(q):
    q.same("the text of nothing", q.call("render_chat", []), rendered([]))


@TEMPLATE.case("the messages are left alone", reread=TEMPLATE_TEXT)
def _(q):
    messages = chat(q, 2)
    q.same("the text", q.call_checked_unmutated("render_chat", messages), rendered(messages))


# ----------------------------------------------------------------------------------------------------------- the labels

LABELS_TEXT = "§ 3 What the model is trained on"
GIVEN_TOKENS = "header and <|im_end|> are those that are passed in"
CUT_OFF = "an answer that was cut off is trained to the end of the row"
WHOLE_HEADER = "only the whole header counts: its word may stand in a sentence"
IDS_STAY = "ids stays as it is"
LABELS = Question("response_labels", lab=LAB, points=1.5, rules=(GIVEN_TOKENS, CUT_OFF, WHOLE_HEADER, IDS_STAY))
NEWLINE, USER, SYSTEM = 11, 12, 13  # tokens of the made-up vocabulary of these cases; ordinary text starts at 20


def spans(ids, header, end, *, first=0, last=0, only=None, others=False, greedy=False):
    """−100 but for what each answer covers, found by a regular expression over one letter per token. The keywords make
    the usual slips: `first`, `last` move the ends of a span, `only` picks one span, `others` takes the remaining turns,
    `greedy` runs to the last end.
    """
    letter = lambda token: chr(0x4E00 + int(token))
    text, head, stop = "".join(map(letter, ids)), "".join(map(letter, header)), letter(end)
    body = f"{head}(.*{stop})" if greedy else f"{head}([^{stop}]*{stop}?)"
    found = [match.span(1) for match in re.finditer(body, text, re.S)]
    found = found if only is None else found[only:][:1]
    labels = torch.full((len(ids),), -100)
    for start, stop_at in found:
        a, b = max(0, start + first), stop_at + last
        labels[a:b] = torch.as_tensor(ids)[a:b]
    if others:
        labels = torch.where(labels == -100, torch.as_tensor(ids), torch.tensor(-100))
    return labels


def turns(q, plan, start=3, end=4, role=10, header=None, word_in_text=False):
    """(ids, header): a made-up conversation. `plan`: (who, tokens of text, closed?) per turn; text never holds a
    special token, and the role's word, "assistant\\n", only where `word_in_text` says so.
    """
    header = header or [start, role, NEWLINE]
    heads = {"user": [start, USER, NEWLINE], "system": [start, SYSTEM, NEWLINE], "assistant": header}
    ids = [1]
    for who, length, closed in plan:
        text = q.randint(20, 60, (length,)).tolist() if length else []
        if word_in_text:
            text[1:3] = [role, NEWLINE]
        ids += heads[who] + text + ([end, NEWLINE] if closed else [])
    return ids, header


def label_mistakes(ids, header, end):
    tensor = torch.tensor(ids)
    right = spans(ids, header, end)
    trained = right != -100
    after = torch.zeros_like(trained)
    after[1:] = trained[:-1] & (tensor[:-1] == end)
    shifted = torch.full_like(right, -100)
    shifted[:-1] = right[1:]
    return {
        "every token is trained: the questions should be −100": tensor,
        "nothing is trained": torch.full_like(tensor, -100),
        "<|im_end|> is not trained: the model never learns to stop": spans(ids, header, end, last=-1),
        "the newline after <|im_end|> is trained: the span ends with <|im_end|>": torch.where(after, tensor, right),
        "the header is trained: it is given, the answer begins after it": spans(ids, header, end, first=-len(header)),
        "the last token of the header is trained: one place too early": spans(ids, header, end, first=-1),
        "the first token of the answer is not trained: one place too late": spans(ids, header, end, first=1),
        "only the first answer is trained: every assistant turn counts": spans(ids, header, end, only=0),
        "only the last answer is trained: every assistant turn counts": spans(ids, header, end, only=-1),
        "the span runs to the last <|im_end|> of the row: it ends at the next one": (
            spans(ids, header, end, greedy=True)
        ),
        "everything but the answers is trained: the other way round": spans(ids, header, end, others=True),
        'untrained tokens got 0: the sign for "no label" is −100': torch.where(trained, tensor, 0),
        'untrained tokens got −1: the sign for "no label" is −100': torch.where(trained, tensor, -1),
        "this is the mask: a label is the token itself where it is trained": trained.long(),
        "the labels are shifted by one: the loss does that": shifted,
        "<|im_end|> of the questions is trained too: only the answers' own": torch.where(tensor == end, tensor, right),
    }


def check_labels(q, ids, header, end=4, hint=None, unmutated=False, mistakes=None):
    got = (q.call_checked_unmutated if unmutated else q.call)("response_labels", torch.tensor(ids), header, end)
    q.close("the labels", got, spans(ids, header, end), tol=0.0, mistakes=mistakes, hint=hint)


@LABELS.case("two turns: each answer and its <|im_end|>, and nothing else", reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 6, True), ("assistant", 7, True), ("user", 5, True), ("assistant", 6, True)])
    check_labels(q, ids, header, mistakes=label_mistakes(ids, header, 4))


@LABELS.case("a header of four tokens, and of one", rule=GIVEN_TOKENS, reread=LABELS_TEXT)
def _(q):
    hint = "len(header) tokens belong to the header: read it from the argument."
    plan = [("system", 4, True), ("user", 6, True), ("assistant", 5, True)]
    ids, header = turns(q, plan, header=[3, 10, 15, NEWLINE])
    check_labels(q, ids, header, hint=hint)
    ids, header = turns(q, [("user", 3, True), ("assistant", 4, True)], header=[7])
    check_labels(q, ids, header, hint=hint)


@LABELS.case("another <|im_end|>", rule=GIVEN_TOKENS, reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 5, True), ("assistant", 5, True), ("user", 2, True)], end=16)
    check_labels(q, ids, header, end=16, hint="Its number is the argument im_end.")


@LABELS.case(CUT_OFF, rule=CUT_OFF, reread=LABELS_TEXT)
def _(q):
    hint = "There may be no <|im_end|> to find: then the answer goes on to the last token."
    ids, header = turns(q, [("user", 4, True), ("assistant", 5, True), ("user", 2, True), ("assistant", 6, False)])
    check_labels(q, ids, header, hint=hint)


@LABELS.case(WHOLE_HEADER, rule=WHOLE_HEADER, reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 6, True), ("assistant", 7, True), ("user", 5, True)], word_in_text=True)
    found = "the word of the role was found inside a sentence: look for the whole header, <|im_start|> first"
    check_labels(q, ids, header, mistakes={found: spans(ids, header[1:], 4)})


@LABELS.case("an empty answer trains its <|im_end|> only", reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 4, True), ("assistant", 0, True), ("user", 3, True), ("assistant", 3, True)])
    check_labels(q, ids, header, hint="<|im_end|> right after the header is the whole answer.")


@LABELS.case("a header at the very end, and a row without an answer: nothing is trained", reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 6, True), ("assistant", 0, False)])
    check_labels(q, ids, header, hint="After the header nothing is left.")
    ids, header = turns(q, [("user", 7, True), ("user", 6, True)])
    check_labels(q, ids, header)
    check_labels(q, [1], header, hint="A row may be shorter than the header.")


@LABELS.case(IDS_STAY, rule=IDS_STAY, hint="Work on a copy: labels = torch.full_like(ids, -100).", reread=LABELS_TEXT)
def _(q):
    ids, header = turns(q, [("user", 5, True), ("assistant", 5, True), ("assistant", 2, True)])
    check_labels(q, ids, header, unmutated=True)


# ------------------------------------------------------------------------------------------------------------- the loss

LOSS_TEXT = "§ 5 The loss"
WHOLE_BATCH = "one mean over the whole batch, not the mean of the rows' means"
ONLY_IGNORED = "−100 alone means no loss: a label of 0 is learned"
IN_FLOAT32 = "computed in float32, whatever the dtype of the logits"
NOTHING_TRAINED = "nothing trained: the loss is 0, with a gradient of zeros"
EXTREME = "logits of ±10,000: loss and gradient stay finite and exact"
RULES = (WHOLE_BATCH, ONLY_IGNORED, IN_FLOAT32, NOTHING_TRAINED, EXTREME)
LOSS = Question("sft_loss", lab=LAB, points=1.5, rules=RULES)


def token_losses(logits, targets):
    """−log p of each target, nats; 0 where the target is −100. [B T]"""
    return -torch.distributions.Categorical(logits=logits, validate_args=False).log_prob(targets.clamp(min=0)) * (
        targets != -100
    )


def batch(q, trained, T=7, V=9, first=True):
    """(logits, labels): row b trains its last trained[b] tokens but one; the first token of the last row is labelled
    too, and never is a target.
    """
    logits, labels = 2 * q.randn(len(trained), T, V), q.randint(1, V, (len(trained), T))
    for row, n in enumerate(trained):
        labels[row, : T - 1 - n] = -100
        labels[row, T - 1] = -100
    if first:
        labels[-1, 0] = q.randint(1, V)
    return logits, labels


def loss_mistakes(logits, labels):
    losses, real = token_losses(logits[:, :-1], labels[:, 1:]), labels[:, 1:] != -100
    unshifted, back = token_losses(logits, labels), token_losses(logits[:, 1:], labels[:, :-1])
    rows = torch.stack([row[kept].sum() / kept.sum() for row, kept in zip(losses, real) if kept.any()])
    zero_padded = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].clamp(min=0).flatten(), reduction="none")
    return {
        "no shift: the model is asked for the token that it has just read": unshifted.sum() / (labels != -100).sum(),
        "shifted the wrong way: the model is asked for the token before": back.sum() / (labels[:, :-1] != -100).sum(),
        "the mean runs over all tokens: divide by the trained ones": losses.mean(),
        "the mean runs over all B · T places: divide by the trained ones": losses.sum() / labels.numel(),
        "the labels of −100 were taken for token 0 and counted": zero_padded.mean(),
        "each row's mean was taken first: a short answer then counts as much as a long one": rows.mean(),
        "the loss was summed: take the mean over the trained tokens": losses.sum(),
        "the sum was divided by the rows, not by the trained tokens": losses.sum() / len(labels),
        "the first token of a row was counted: it is never a target": losses.sum() / (labels != -100).sum(),
        "the mask looked at the label of the input token: look at the target's": (
            token_losses(logits[:, :-1], labels[:, 1:]) * (labels[:, :-1] != -100)
        ).sum()
        / (labels[:, :-1] != -100).sum(),
        "the sign is wrong: a loss is −log p": -losses.sum() / real.sum(),
        "the loss is in bits: use the natural logarithm": losses.sum() / real.sum() / math.log(2),
        "softmax ran before a cross-entropy that runs its own": (
            token_losses(logits.softmax(-1)[:, :-1], labels[:, 1:]).sum() / real.sum()
        ),
    }


def check_loss(q, logits, labels, count, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("sft_loss", logits, labels)
    q.same("the shape", list(getattr(got, "shape", ["no tensor"])), [], hint="One number, a tensor: no .item().")
    expected = token_losses(logits[:, :-1], labels[:, 1:]).sum() / count
    q.close("the loss", got, expected, tol=1e-5, mistakes=loss_mistakes(logits, labels))


@LOSS.case("the mean −log p over the trained tokens", reread=LOSS_TEXT)
def _(q):
    check_loss(q, *batch(q, [3, 3, 3]), 9)


@LOSS.case("answers of 1, 5 and 3 tokens, and a row without one", rule=WHOLE_BATCH, reread=LOSS_TEXT)
def _(q):
    check_loss(q, *batch(q, [1, 5, 0, 3], first=False), 9)


@LOSS.case("some labels are 0", rule=ONLY_IGNORED, hint="Compare with −100: labels != -100.", reread=LOSS_TEXT)
def _(q):
    logits, labels = batch(q, [4, 4], first=False)
    labels[0, 3] = labels[1, 4] = 0
    expected = token_losses(logits[:, :-1], labels[:, 1:]).sum() / 8
    q.close("the loss", q.call("sft_loss", logits, labels), expected, tol=1e-5)


@LOSS.case(
    "the gradient of the logits",
    hint="It is (softmax − one-hot)/count where the next token is trained, and exactly 0 at all other places.",
    reread=LOSS_TEXT,
)
def _(q):
    logits, labels = batch(q, [4, 4])
    _, grads = q.call_with_grad("sft_loss", [logits, labels], wrt=(0,), cotangent=torch.tensor(1.0), names=["logits"])
    leaf = logits.clone().requires_grad_()
    (token_losses(leaf[:, :-1], labels[:, 1:]).sum() / 8).backward()
    q.close("the gradient", grads[0], leaf.grad, tol=1e-5)
    q.same("the gradient at the last place", grads[0][:, -1], torch.zeros_like(grads[0][:, -1]))


@LOSS.case(EXTREME, rule=EXTREME, reread=LOSS_TEXT)
def _(q):
    _, labels = batch(q, [3, 3])
    logits = 1e4 * torch.where(q.rand(2, 7, 9) < 0.5, -1.0, 1.0)
    for row in range(2):  # in each row one trained token is what the model calls impossible, one is certain
        logits[row, 3], logits[row, 4] = 1e4, -1e4
        logits[row, 3, labels[row, 4]], logits[row, 4, labels[row, 5]] = -1e4, 1e4
    got, grads = q.call_with_grad("sft_loss", [logits, labels], wrt=(0,), cotangent=torch.tensor(1.0), names=["logits"])
    one_step = "log(softmax(x)) is log(0) = −inf for unlikely tokens. cross_entropy does it in one step."
    q.true("the loss is NaN or infinite", math.isfinite(float(got)), hint=one_step)
    leaf = logits.double().requires_grad_()
    expected = token_losses(leaf[:, :-1], labels[:, 1:]).sum() / 6
    (wanted,) = torch.autograd.grad(expected, (leaf,))
    clamp = "A clamp or an ε inside the log hides how wrong the model is."
    q.close("the loss", got, expected.detach().float(), tol=1e-5, hint=clamp)
    q.close("the gradient", grads[0], wanted.float(), tol=1e-5, hint=clamp)


@LOSS.case(NOTHING_TRAINED, rule=NOTHING_TRAINED, reread=LOSS_TEXT)
def _(q):
    for name, logits, labels in (
        ("a batch without answers", q.randn(2, 4, 5), torch.full((2, 4), -100)),
        ("rows of one token", q.randn(2, 1, 5), torch.tensor([[3], [-100]])),
    ):
        got, grads = q.call_with_grad(
            "sft_loss", [logits, labels], wrt=(0,), cotangent=torch.tensor(1.0), names=["logits"]
        )
        none = "A mean over nothing is 0/0. Divide by count.clamp(min=1)."
        q.same(f"the loss of {name}", got, torch.tensor(0.0), hint=none)
        joined = "Keep the result connected to the logits: a sum of nothing is 0 and has a gradient."
        q.same(f"the gradient of {name}", grads[0], torch.zeros_like(logits), hint=joined)


@LOSS.case("bfloat16 logits", rule=IN_FLOAT32, reread=LOSS_TEXT)
def _(q):
    logits, labels = batch(q, [4, 4])
    logits, hint = logits.bfloat16(), "bfloat16 has three digits. Go to float32 before the softmax: logits.float()."
    got = q.call("sft_loss", logits, labels)
    q.same("the dtype", str(got.dtype), "torch.float32", hint=hint)
    expected = token_losses(logits.float()[:, :-1], labels[:, 1:]).sum() / 8
    q.close("the loss", got, expected, tol=1e-5, hint=hint)


@LOSS.case("logits and labels are left alone", reread=LOSS_TEXT)
def _(q):
    check_loss(q, *batch(q, [4, 4], first=False), 8, unmutated=True)


# --------------------------------------------------------------------------------------------------------- the collator

COLLATE_TEXT = "§ 4 A batch"
BY_LENGTH = "which places are padding, the lengths say: a real token may have the id pad_id"
EXAMPLES_STAY = "the examples stay as they are"
COLLATE = Question("collate", lab=LAB, points=0.5, rules=(BY_LENGTH, EXAMPLES_STAY))


def made_examples(q, lengths, low=5):
    """Examples of these lengths: the first half of each is not trained."""
    made = []
    for n in lengths:
        ids = q.randint(low, 50, (n,)).tolist()
        made.append({"input_ids": ids, "labels": [-100] * (n // 2) + ids[n // 2 :]})
    return made


def padded(examples, pad_id, *, label=-100, left=False, to=None, invert=False, labels="labels"):
    """The batch, built by writing each example into a full tensor. The keywords make the usual slips."""
    T = to or max(len(e["input_ids"]) for e in examples)
    fill = {"input_ids": pad_id, "labels": label, "attention_mask": int(invert)}
    made = {key: torch.full((len(examples), T), value) for key, value in fill.items()}
    for row, e in enumerate(examples):
        n = min(T, len(e["input_ids"]))
        place = slice(T - n, T) if left else slice(0, n)
        made["input_ids"][row, place] = torch.tensor(e["input_ids"][:n])
        made["labels"][row, place] = torch.tensor(e[labels][:n])
        made["attention_mask"][row, place] = int(not invert)
    return made


def collate_mistakes(examples, pad_id):
    right = padded(examples, pad_id)
    longest = max(len(e["input_ids"]) for e in examples)
    return {
        "the padding stands on the left: here it is on the right": padded(examples, pad_id, left=True),
        "the labels were padded with pad_id: the model would be trained to write padding. Use −100": (
            padded(examples, pad_id, label=pad_id)
        ),
        "the labels were padded with 0: the model would be trained to write token 0. Use −100": (
            padded(examples, pad_id, label=0)
        ),
        "the attention mask is the wrong way round: 1 is a real token": padded(examples, pad_id, invert=True),
        "the attention mask is 1 everywhere: padding gets 0": {
            **right,
            "attention_mask": torch.ones_like(right["attention_mask"]),
        },
        "the labels are the ids: what was −100 must stay −100": padded(examples, pad_id, labels="input_ids"),
        "the rows were cut to the shortest: pad to the longest": (
            padded(examples, pad_id, to=min(len(e["input_ids"]) for e in examples))
        ),
        "one column of padding too many: pad to the longest": padded(examples, pad_id, to=longest + 1),
        "the padding id is fixed at 0: use the argument": padded(examples, 0),
        "a real token that equals pad_id was masked: the mask goes by length": {
            **right,
            "attention_mask": (right["input_ids"] != pad_id).long(),
        },
        "a real token that equals pad_id lost its label: the labels are given": {
            **right,
            "labels": torch.where(right["input_ids"] == pad_id, -100, right["labels"]),
        },
    }


def check_batch(q, examples, pad_id, hint=None, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("collate", examples, pad_id)
    q.close("the batch", got, padded(examples, pad_id), tol=0.0, mistakes=collate_mistakes(examples, pad_id), hint=hint)


@COLLATE.case(
    "padded on the right to the longest; labels of padding −100; the attention mask 1 at real tokens",
    hint="Three tensors of whole numbers, [B T], under input_ids, labels and attention_mask.",
    reread=COLLATE_TEXT,
)
def _(q):
    check_batch(q, made_examples(q, [4, 9, 2]), 3)


@COLLATE.case(BY_LENGTH, rule=BY_LENGTH, hint="Look at len(ids), not at the ids.", reread=COLLATE_TEXT)
def _(q):
    examples = made_examples(q, [6, 3])
    for example in examples:
        example["input_ids"][-1] = example["labels"][-1] = 2
    check_batch(q, examples, 2)


@COLLATE.case("one example, and examples of equal length: no padding at all", reread=COLLATE_TEXT)
def _(q):
    check_batch(q, made_examples(q, [5]), 0)
    check_batch(q, made_examples(q, [4, 4, 4]), 2)


@COLLATE.case("an example of one token, which trains nothing", reread=COLLATE_TEXT)
def _(q):
    check_batch(q, [*made_examples(q, [7]), {"input_ids": [q.randint(5, 50)], "labels": [-100]}], 1)


@COLLATE.case(
    EXAMPLES_STAY,
    rule=EXAMPLES_STAY,
    hint="list + list makes a new list; += and extend change the example itself.",
    reread=COLLATE_TEXT,
)
def _(q):
    q.call_checked_unmutated("collate", made_examples(q, [7, 2]), 1)


# ------------------------------------------------------------------------------------------------------------- packing

PACK_TEXT = "§ 6 Packing"
EXACT_FIT = "a row holds limit tokens: one that will be exactly full is allowed"
EARLIER = "of equally long examples, and of equally full rows, the earlier"
TOO_LONG = "an example longer than a row gets one of its own"
CORE_LENGTHS = [72, 71, 70, 68, 66, 42, 38, 25, 21, 18, 16, 13]
PACK = Question("pack", lab=LAB, points=0.5, rules=(EXACT_FIT, EARLIER, TOO_LONG))


def packed(lengths, limit, choose="best", order="down", slack=0):
    """Rows of indices; a tensor keeps the room left in each row. `choose`, `order`, `slack` make the usual slips."""
    keyed = {"down": lambda k: (-lengths[k], k), "up": lambda k: (lengths[k], k), "given": lambda k: k}[order]
    room, rows = torch.zeros(0, dtype=torch.long), []
    for k in sorted(range(len(lengths)), key=keyed):
        fits = (room + slack >= lengths[k]).nonzero().flatten()
        if choose == "next":
            fits = fits[fits == len(rows) - 1]
        if len(fits) == 0:
            rows.append([k])
            room = torch.cat([room, torch.tensor([limit - lengths[k]])])
            continue
        left = room[fits]
        nth = {"best": left.argmin(), "worst": left.argmax(), "first": 0, "next": 0}[choose]
        place = fits[nth]
        rows[int(place)].append(k)
        room[place] -= lengths[k]
    return rows


def pack_mistakes(lengths, limit):
    right = packed(lengths, limit)
    in_order = sorted(range(len(lengths)), key=lambda k: (-lengths[k], k))
    return {
        "the examples were packed in the order in which they came: longest first": (
            packed(lengths, limit, order="given")
        ),
        "the shortest went first: longest first": packed(lengths, limit, order="up"),
        "each example went into the first row with room: choose the row with the least room": (
            packed(lengths, limit, "first")
        ),
        "each example went into the row with the MOST room: choose the one with the least": (
            packed(lengths, limit, "worst")
        ),
        "only the last row was looked at: an earlier one may have room": packed(lengths, limit, "next"),
        "only the last row was looked at, in the order in which they came": packed(lengths, limit, "next", "given"),
        "each example has its own row: put together what fits": [[k] for k in in_order],
        "a row was given one token more than the limit": packed(lengths, limit, slack=1),
        "these are lengths: give the indices of the examples": [[lengths[k] for k in row] for row in right],
        "these are places in the sorted list: give the indices of the examples": [
            [in_order.index(k) for k in row] for row in right
        ],
        "everything is in one row": [in_order],
    }


def check_rows(q, lengths, limit, hint=None, unmutated=False, mistakes=None):
    got = (q.call_checked_unmutated if unmutated else q.call)("pack", lengths, limit)
    if isinstance(got, (list, tuple)) and all(isinstance(row, (list, tuple)) for row in got):
        used = sorted(itertools.chain.from_iterable(got), key=str)
        once = "Each example belongs into exactly one row."
        q.true("an index stands in no row, or in two", len(used) >= len(lengths) or lengths == used, hint=once)
    q.same("the rows", got, packed(lengths, limit), mistakes=mistakes, hint=hint)


@PACK.case("longest first, each into the row with the least room that is enough", reread=PACK_TEXT)
def _(q):
    lengths = CORE_LENGTHS  # best, first, worst, last and next fit differ; no two are equal, no row is exactly full
    drawn = [lengths[k] for k in q.permutation(len(lengths)).tolist()]
    check_rows(q, drawn, 100, mistakes=pack_mistakes(drawn, 100))


@PACK.case(EXACT_FIT, rule=EXACT_FIT, hint="Enough room is room >= length.", reread=PACK_TEXT)
def _(q):
    refused = "a row that would be exactly full was refused: limit tokens are allowed"
    check_rows(q, [64, 36, 71, 29], 100, mistakes={refused: packed([64, 36, 71, 29], 100, slack=-1)})


@PACK.case(
    EARLIER,
    rule=EARLIER,
    hint="sorted keeps the order of equal keys (with key=lambda k: -lengths[k]; reverse=True keeps it too), and min "
    "takes the first of equals.",
    reread=PACK_TEXT,
)
def _(q):
    check_rows(q, [25, 60, 60, 25, 10], 100)


@PACK.case(
    TOO_LONG,
    rule=TOO_LONG,
    hint="No row has room for it, so it opens a new one, where nothing else fits.",
    reread=PACK_TEXT,
)
def _(q):
    check_rows(q, [30, 100 + q.randint(1, 20), 65, 20], 100)


@PACK.case("no examples, no rows", reread=PACK_TEXT)
def _(q):
    check_rows(q, [], 64)


@PACK.case("the list is left alone", hint="lengths.sort() changes the caller's list: use sorted.", reread=PACK_TEXT)
def _(q):
    check_rows(q, [31, 17, 44, 25], 64, unmutated=True)


ANY_NUMBERS = "the numbers need not rise, and equal ones are one segment wherever they stand"
ZERO_TOO = "segment 0, the padding, is a segment like the others: no query is left with nothing to read"
MASK = Question("packing_mask", lab=LAB, points=1, rules=(ANY_NUMBERS, ZERO_TOO))


def block_mask(segments):
    """[B T T], from the members of each segment."""
    mask = torch.zeros(*segments.shape, segments.shape[1], dtype=torch.bool)
    for row, numbers in zip(mask, segments.tolist()):
        for number in set(numbers):
            members = [t for t, other in enumerate(numbers) if other == number]
            for t, s in itertools.product(members, members):
                row[t, s] = s <= t
    return mask


def mask_mistakes(segments):
    right = block_mask(segments)
    T = segments.shape[1]
    causal, same = torch.ones(T, T).tril().bool().expand_as(right), right | right.mT
    return {
        "earlier tokens are seen across the borders: segments must be equal": causal,
        "tokens to the right are seen: the causal half is missing": same,
        "the mask is the wrong way round: True means that the query may read the key": ~right,
        "rows and columns changed places: a token sees itself and what comes AFTER it": right.mT,
        "a token does not see itself: s ≤ t, not s < t": right & ~torch.eye(T, dtype=torch.bool),
        "every token sees the whole row": torch.ones_like(right),
        "the other segments are seen, and the own one is not": causal & ~same,
        "all rows got the mask of the first: each row has its own segments": right[:1].expand_as(right),
    }


def drawn_segments(q, rows, T):
    made = []
    for _ in range(rows):
        row, number = [], 0
        while len(row) < T:
            number += 1
            row += [number] * q.randint(1, 5)
        made.append(row[:T])
    return torch.tensor(made)


def check_mask(q, segments, hint=None, mistakes=None):
    q.close("the mask", q.call("packing_mask", segments), block_mask(segments), tol=0.0, mistakes=mistakes, hint=hint)


@MASK.case(
    "True where query t may read key s: the same segment, and s ≤ t",
    hint="[B T T], booleans. segments[:, :, None] is the query's, segments[:, None, :] the key's.",
    reread=PACK_TEXT,
)
def _(q):
    segments = torch.tensor([[1, 1, 1, 2, 2, 3, 3, 3], [1, 2, 2, 2, 2, 3, 4, 4], [1, 1, 2, 3, 3, 3, 3, 4]])
    check_mask(q, segments, mistakes=mask_mistakes(segments))


@MASK.case("one segment is the ordinary causal mask; segments of one token see only themselves", reread=PACK_TEXT)
def _(q):
    check_mask(q, torch.full((1, 6), q.randint(1, 5)))
    check_mask(q, torch.arange(1, 6)[None], hint="The unit matrix.")
    check_mask(q, torch.tensor([[4]]))


@MASK.case(
    ZERO_TOO, rule=ZERO_TOO, hint="A query that may read nothing gets 0/0 = NaN, and NaN spreads.", reread=PACK_TEXT
)
def _(q):
    segments = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 0, 0]])
    blind = block_mask(segments) & (segments != 0)[:, :, None]
    empty = "padding sees nothing, so its softmax is 0/0: let segment 0 see itself like any other"
    check_mask(q, segments, mistakes={empty: blind})


@MASK.case("numbers that fall", rule=ANY_NUMBERS, hint="Compare with ==, nothing else.", reread=PACK_TEXT)
def _(q):
    check_mask(q, torch.tensor([[7, 7, 3, 3, 3, 5], [9, 4, 4, 2, 1, 1]]))


@MASK.case("a segment that goes on behind another", rule=ANY_NUMBERS, reread=PACK_TEXT)
def _(q):
    check_mask(q, torch.tensor([[3, 3, 5, 5, 3, 3], [2, 6, 2, 6, 7, 7]]), hint="Compare the numbers, not their runs.")


@MASK.case("with it, attention over a packed row is that of each example alone", reread=PACK_TEXT)
def _(q):
    segments = drawn_segments(q, 2, 12)
    got = q.call("packing_mask", segments)
    q.same("the shape", list(got.shape), [2, 12, 12])
    q.same("the dtype", str(got.dtype), "torch.bool")
    query, key, value = (q.randn(2, 1, 12, 4) for _ in range(3))
    y = F.scaled_dot_product_attention(query, key, value, attn_mask=got[:, None])
    for row in range(2):
        for number in segments[row].unique().tolist():
            own = segments[row] == number
            alone = F.scaled_dot_product_attention(
                *(x[row : row + 1, :, own] for x in (query, key, value)), is_causal=True
            )
            q.close(f"the attention of segment {number}", y[row : row + 1, :, own], alone, tol=1e-5)


@MASK.case("the segments are left alone", reread=PACK_TEXT)
def _(q):
    q.call_checked_unmutated("packing_mask", torch.tensor([[0, 0, 1, 1, 2], [0, 1, 1, 1, 1]]))


# -------------------------------------------------------------------------------------------------------- learning rate

RATE_TEXT = "§ 7 The learning rate"
DIVERGED = "a run with NaN or infinity, of either sign, anywhere does not count"
UNMEASURED = "a run without a measurement does not count"
SMALLER = "a tie goes to the smaller rate"
NONE_LEFT = "nothing left: None"
RATE = Question("pick_learning_rate", lab=LAB, points=0.5, rules=(DIVERGED, UNMEASURED, SMALLER, NONE_LEFT))


def chosen(rates, curves, read=lambda curve: curve[-1], finite=True, tie=min, best=min):
    """The rate of the lowest reading, by grouping the rates of each value. The keywords make the usual slips."""
    by_value = {}
    for rate, curve in zip(rates, curves):
        if curve and (not finite or bool(torch.isfinite(torch.tensor(curve)).all())):
            by_value.setdefault(read(curve), []).append(rate)
    return tie(by_value[best(by_value)]) if by_value else None


def rate_mistakes(rates, curves):
    lowest = chosen(rates, curves)
    return {
        "the lowest loss on the way was taken: the weights that you keep are those at the end": (
            chosen(rates, curves, min)
        ),
        "the mean of the curve was taken: the weights that you keep are those at the end": (
            chosen(rates, curves, lambda c: sum(c) / len(c))
        ),
        "the first loss was taken: the run ends at the last one": chosen(rates, curves, lambda c: c[0]),
        "the HIGHEST loss was taken": chosen(rates, curves, best=max),
        "the fastest fall was taken: what counts is where it ends": chosen(rates, curves, lambda c: c[-1] - c[0]),
        "this is the place in the list: give the rate itself": rates.index(lowest),
        "this is the loss: give the rate": dict(zip(rates, curves))[lowest][-1],
        "the largest rate was taken, whatever its loss": max(rates),
        "the smallest rate was taken, whatever its loss": min(rates),
    }


def check_rate(q, rates, curves, mistakes=None, hint=None, unmutated=False):
    got = (q.call_checked_unmutated if unmutated else q.call)("pick_learning_rate", rates, curves)
    q.same("the rate", got, chosen(rates, curves), mistakes=mistakes, hint=hint)


@RATE.case("the run with the lowest validation loss at its end", reread=RATE_TEXT)
def _(q):
    base = 1 + float(q.rand(()))
    falls = {
        1e-5: [2.4, 2.0, 1.5],
        1e-4: [2.5, 2.4, 1.9],
        3e-4: [0.9, 0.8, 0.7],
        1e-3: [1.6, 1.5, 0.4],
        3e-3: [2.0, 0.2, 0.8],
        1e-2: [2.9, 1.9, 0.6],
        3e-2: [0.5, 1.2, 1.1],
        0.1: [2.2, 2.0, 1.8],
    }
    rates = [list(falls)[k] for k in q.permutation(8).tolist()]
    curves = [[base + x for x in falls[rate]] for rate in rates]
    check_rate(q, rates, curves, rate_mistakes(rates, curves))


@RATE.case(
    "NaN, at the end or on the way",
    rule=DIVERGED,
    hint="NaN < x and x < NaN are both False: min() over a list that holds NaN may return it.",
    reread=RATE_TEXT,
)
def _(q):
    taken = "the run with a NaN was chosen: it has diverged"
    check_rate(q, [0.5, 0.1, 0.01], [[2.0, 1.0, math.nan], [1.9, 1.2, 1.1], [2.0, 1.8, 1.6]], {taken: 0.5})
    check_rate(q, [0.1, 0.01, 0.5], [[1.9, 1.2, 1.1], [2.0, 1.8, 1.6], [2.0, 1.0, math.nan]], {taken: 0.5})
    check_rate(q, [0.01, 0.3], [[2.0, 1.5], [math.nan, 0.7]], {taken: 0.3})


@RATE.case(
    "infinity, at the end or on the way",
    rule=DIVERGED,
    hint="math.isfinite is False for NaN, inf and −inf.",
    reread=RATE_TEXT,
)
def _(q):
    taken = "the run with an infinity was chosen: it has diverged"
    check_rate(q, [0.1, 0.01, 0.3], [[2.0, math.inf, 1.0], [2.0, 1.6, 1.5], [2.0, 1.9, math.inf]], {taken: 0.1})
    check_rate(q, [0.01, 0.3], [[2.0, 1.5], [2.0, -math.inf]], {taken: 0.3})


@RATE.case(
    UNMEASURED,
    rule=UNMEASURED,
    hint="A run that stopped before its first measurement has an empty curve.",
    reread=RATE_TEXT,
)
def _(q):
    check_rate(q, [0.1, 0.2, 0.05], [[], [1.5], [1.8]], {"the run without a measurement was chosen": 0.1})


@RATE.case(SMALLER, rule=SMALLER, hint="Of equal losses take the smaller rate.", reread=RATE_TEXT)
def _(q):
    low = 0.5 + float(q.rand(()))
    check_rate(q, [0.03, 0.003, 0.01], [[2.0, low], [1.5, low], [2.0, low + 0.1]])
    check_rate(q, [0.003, 0.03], [[1.5, low], [2.0, low]])


@RATE.case(NONE_LEFT, rule=NONE_LEFT, hint="Where no run counts: return None.", reread=RATE_TEXT)
def _(q):
    check_rate(q, [0.1, 0.2], [[2.0, math.nan], [1.5, math.nan]])
    check_rate(q, [], [])


@RATE.case("one run; the lists are left alone", reread=RATE_TEXT)
def _(q):
    check_rate(q, [0.02], [[3.0, 2.5]], unmutated=True)
    check_rate(q, [0.02, 0.1], [[2.5, 3.0, 2.8], [4.0, 3.2]], unmutated=True)


# ---------------------------------------------------------------------------------------------------------- exact match

MATCH_TEXT = "§ 9 Exact match, and its limits"
WHOLE_WORDS = "articles are whole words: theatre, banana and another stay"
NO_TRACE = "all of string.punctuation goes, without a trace, inside words too"
MARKS_FIRST = "first the marks, then the articles: “the,” is one"
ANY_BLANK = "tabs and newlines are blanks, and none is left at the ends"
MATCH = Question("normalise_answer", lab=LAB, points=0.5, rules=(WHOLE_WORDS, NO_TRACE, MARKS_FIRST, ANY_BLANK))


ARTICLES = {"a", "an", "the"}


def normalised(text, *, lower=True, mark="", articles=ARTICLES):
    """SQuAD's normal form, letter by letter. The keywords make the usual slips; `mark` is what replaces a punctuation
    mark (None: it stays).
    """
    letters = (c if mark is None or c not in string.punctuation else mark for c in (text.lower() if lower else text))
    return " ".join(word for word in "".join(letters).split() if word not in articles)


def match_mistakes(text):
    whole = normalised(text, articles=())
    return {
        "upper and lower case still differ": (
            normalised(text, lower=False, articles=ARTICLES | {"A", "An", "The", "THE"})
        ),
        "the articles were taken out before the letters were made small: “The” stayed": (
            normalised(text, lower=False).lower()
        ),
        "the articles were taken out before the marks: “the,” is an article too": (
            normalised(normalised(text, mark=None), articles=())
        ),
        "the punctuation is still there": normalised(text, mark=None),
        "the punctuation became a blank: it goes without a trace, o'clock is oclock": normalised(text, mark=" "),
        "the articles a, an, the are still there": whole,
        "a, an, the were cut out of the middle of words: only whole words are articles": (
            " ".join(re.sub("the|an|a", "", whole).split())
        ),
        "a, an, the were cut out of the middle of words: whole words only": (
            " ".join(re.sub("a|an|the", "", whole).split())
        ),
        "only the article at the beginning was taken off": re.sub(r"^(a|an|the) ", "", whole),
        "the white space was not squeezed: one blank between words, none at the ends": (
            re.sub(r"\b(a|an|the)\b", " ", "".join(c for c in text.lower() if c not in string.punctuation))
        ),
        "the white space was not squeezed: runs of blanks stayed": (
            "".join(c for c in text.lower() if c not in string.punctuation)
        ),
        "all the white space is gone: one blank stays between words": normalised(text).replace(" ", ""),
        "only the full stop was taken off: all of string.punctuation goes": (
            normalised(text.replace(".", ""), mark=None)
        ),
        "only the ends were stripped of punctuation: it goes everywhere": (
            normalised(text.strip().strip(string.punctuation), mark=None)
        ),
        "the text came back unchanged": text,
        "“the” was left in: the articles are a, an, the": normalised(text, articles={"a", "an"}),
        "“an” was left in: the articles are a, an, the": normalised(text, articles={"a", "the"}),
    }


def check_match(q, text, hint=None):
    got = q.call("normalise_answer", text)
    q.same(f"the normal form of {text!r}", got, normalised(text), mistakes=match_mistakes(text), hint=hint)


def plain_word(q):
    """Five letters, none of which begins an article."""
    return "".join("bcdfgimoprsuw"[q.randint(0, 13)] for _ in range(5))


@MATCH.case("small letters, no punctuation, no articles, single blanks", reread=MATCH_TEXT)
def _(q):
    one, two, three = (plain_word(q) for _ in range(3))
    check_match(q, f"The {one.capitalize()} sold  {two} to a {three}. Or A Dog, or The {two}. ")


@MATCH.case(
    WHOLE_WORDS,
    rule=WHOLE_WORDS,
    hint="Split into words and drop whole words, or use \\b in the pattern.",
    reread=MATCH_TEXT,
)
def _(q):
    check_match(q, "Another banana at THE theatre, than an anthem or a data lathe.")


@MATCH.case(NO_TRACE, rule=NO_TRACE, hint="Each mark becomes nothing, not a blank.", reread=MATCH_TEXT)
def _(q):
    check_match(q, f"Mid-summer, five o'clock ({plain_word(q)})!")
    check_match(q, f"{plain_word(q)}{string.punctuation}{plain_word(q)}", hint="Remove each of string.punctuation.")


@MATCH.case(MARKS_FIRST, rule=MARKS_FIRST, hint="Split into words when the marks are gone.", reread=MATCH_TEXT)
def _(q):
    check_match(q, f'The {plain_word(q)}, a! the "the" {plain_word(q)} (a) the?')


@MATCH.case(
    ANY_BLANK,
    rule=ANY_BLANK,
    hint="split() without an argument splits at any white space and drops empty words.",
    reread=MATCH_TEXT,
)
def _(q):
    check_match(q, f"\n {plain_word(q)}\t\t{plain_word(q)} {plain_word(q)}\n\n")


@MATCH.case("nothing, marks alone, letters with accents", reread=MATCH_TEXT)
def _(q):
    check_match(q, "")
    check_match(q, "  ... ")
    check_match(q, f"Zoë Küng {plain_word(q)} 24", hint="Letters with accents are letters.")


# ---------------------------------------------------------------------------------------------- the model and the words


def score_model(folder, seed, public):
    """(fraction, message): the share of instructions that the handed-in model gets right, on rows drawn from `seed`,
    the grader's secret one when it grades.
    """
    from pathlib import Path

    from course_lib.evaluation.handed_in import check_reads, longest, points_share
    from course_lib.evaluation.instructions import score
    from course_lib.stages.artifacts import load_folder
    from course_lib.stages.tokenizer import load_tokenizer
    from course_lib.world.tasks import task_rows

    model, tokenizer = load_folder(Path(folder), "sft")[0].eval(), load_tokenizer()
    rows = [
        row for split in ("residents", "phrasings") for row in task_rows(split, ROWS // 2, seed=f"grade {LAB} {seed}")
    ]
    check_reads(model, longest((row["messages"][:-1] for row in rows), ANSWER))
    percent = 100 * score(model, tokenizer, rows, max_new_tokens=ANSWER)["accuracy"]
    return (
        points_share(percent, ACCURACY_ZERO, ACCURACY_FULL),
        f"{percent:.1f} % of {len(rows)} instructions right, on residents and phrasings held out; full marks from "
        f"{ACCURACY_FULL:g} %, none up to {ACCURACY_ZERO:g} %.",
    )


MODEL = ArtifactQuestion(
    "sft_model", lab=LAB, points=1, stage="sft", score=score_model, title="The assistant that you trained"
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="What is trained, and what is not",
    rubric="""0.5: says what goes wrong when the questions are trained too (the model also learns to write questions:
capacity and gradient go to text that it will never have to write, and the answers weigh less in the mean), AND what
goes wrong when <|im_end|> is not trained (it never learns to stop: it runs on to the limit of tokens, or writes the
next question itself).
0.25: only one of the two.  0: no consequence for the model's behaviour.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="What your changed run shows",
    rubric="""0.5: states the change and the prediction made before the run, the numbers that came out (accuracy with
its interval, or a loss with its unit), and says whether the intervals allow a conclusion, with a reason that fits. A
wrong prediction, honestly reported and explained, earns full marks.
0.25: numbers without a look at their intervals, or without a reason.  0: no number from a run.""",
)
