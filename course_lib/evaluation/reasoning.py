"""How often an answer is right in k tries, what a vote makes of them, what each right answer costs, and whether the
steps behind it are true.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.stages.rollout import padded, roll_out, token_logprobs
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.world.reasoning import (
    ANSWER,
    THINK,
    answer_of,
    faithful,
    plain,
    prompts_of,
    right,
    step_is_true,
    steps_of,
)

TRIES = 32  # answers a question
KS = (1, 2, 4, 8, 16, 32)  # of pass@k


def pass_at_k(found: int, n: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k tries is right, from n tries of which `found` were: 1 − C(n−c, k) /
    C(n, k) (Chen et al. 2021, 2107.03374). Raises ValueError for k > n.
    """
    if not 0 < k <= n:
        raise ValueError(f"k is {k} and there are {n} tries: take k from 1 to {n}")
    if n - found < k:
        return 1.0
    return float(1 - np.prod(1 - k / np.arange(n - found + 1, n + 1)))


def majority(answers: Sequence[str | None]) -> str | None:
    """The most frequent answer, the first of them in a tie; None is no vote (Wang et al. 2022, 2203.11171)."""
    votes = Counter(answer for answer in answers if answer is not None)
    return max(votes, key=votes.__getitem__, default=None)


def tries(model, rows: list[dict], each: int = TRIES, seed: int = 0) -> list[dict]:
    """Each row with its sampled "answers", which of them are "right", and the "tokens" of each (<|im_end|> counts)."""
    batch = roll_out(model.eval(), load_tokenizer(), prompts_of(rows), each, seed=seed)
    tokens = batch.mask.sum(1).tolist()
    made = []
    for k, row in enumerate(rows):
        answers = batch.answers[k * each : (k + 1) * each]
        marks = [right(row, answer) for answer in answers]
        made.append({**row, "answers": answers, "right": marks, "tokens": tokens[k * each : (k + 1) * each]})
    return made


def figures(tried: list[dict]) -> dict:
    """{"pass": {k: share}, "vote", "tokens" (a try), "unfaithful" (right answers whose steps are not those of the right
    chain), "false_step" (right answers with a false statement), "by_kind"} of rows with their tries.
    """
    n = len(tried[0]["answers"])
    at = {k: float(np.mean([pass_at_k(sum(t["right"]), n, k) for t in tried])) for k in KS if k <= n}
    votes = [majority([answer_of(a) for a in t["answers"]]) == plain(t["check"]["answer"]) for t in tried]
    accepted = [(t, answer) for t in tried for answer, ok in zip(t["answers"], t["right"]) if ok]
    false = [any(step_is_true(t, step) is not True for step in steps_of(answer)) for t, answer in accepted]
    other = [not faithful(t, answer) for t, answer in accepted]
    kinds = sorted({t["kind"] for t in tried})
    return {
        "pass": at,
        "vote": float(np.mean(votes)),
        "tokens": float(np.mean([t["tokens"] for t in tried])),
        "unfaithful": float(np.mean(other)) if other else 0.0,
        "false_step": float(np.mean(false)) if false else 0.0,
        "by_kind": {kind: float(np.mean([np.mean(t["right"]) for t in tried if t["kind"] == kind])) for kind in kinds},
    }


def tokens_a_right_answer(tokens: Sequence[float], accepted: Sequence[bool]) -> float:
    """All tokens that were written over the number of right answers; infinite where none is."""
    return sum(tokens) / sum(accepted) if any(accepted) else float("inf")


@torch.no_grad()
def text_logprobs(model, asked: list[str], answers: list[str]) -> Float[Tensor, " N"]:
    """log p of each answer with its <|im_end|>, to each question, nats: exact, one pass."""
    tokenizer = load_tokenizer()
    ask = lambda text: encode_chat(tokenizer, [{"role": "user", "content": text}], generation_prompt=True)[0]
    said = [[*tokenizer.encode(text, add_special_tokens=False).ids, IM_END] for text in answers]
    ids, mask = padded([ask(text) for text in asked], said)
    device = next(model.parameters()).device
    return token_logprobs(model, ids.to(device), mask.to(device)).sum(1).cpu()


def at_once(model, rows: list[dict]) -> dict:
    """The exact chance of the right answer where the model must answer at once: its probabilities of all the answers
    that a question can have, normalised. {"pass": {k: share}}; no sample is drawn.
    """
    asked = [row["messages"][0]["content"].removesuffix(THINK) for row in rows]
    options = [row["check"]["options"] for row in rows]
    repeated = [text for text, its in zip(asked, options) for _ in its]
    logprobs = text_logprobs(model, repeated, [ANSWER + option for its in options for option in its])
    of_row = zip(logprobs.split(list(map(len, options))), options, rows)
    p = np.array([float(its.softmax(0)[names.index(row["check"]["answer"])]) for its, names, row in of_row])
    return {"pass": {k: float(np.mean(1 - (1 - p) ** k)) for k in KS}}


def chain_chance(model, rows: list[dict]) -> float:
    """The exact chance that the model writes the right chain, word for word: what its recall allows at this way of
    writing. Other texts may be right as well, so it is a lower limit of pass@1.
    """
    asked, chains = ([row["messages"][k]["content"] for row in rows] for k in (0, 1))
    return float(text_logprobs(model, asked, chains).exp().mean())
