"""How often an answer is right in k tries, what a vote makes of them, what each right answer costs, and whether the
steps behind it are true.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.evaluation.handed_in import check_reads, longest, points_share
from course_lib.stages.rollout import LONGEST, padded, roll_out, token_logprobs
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.world.reasoning import (
    ANSWER,
    THINK,
    answer_of,
    faithful,
    plain,
    prompts_of,
    question_rows,
    right,
    step_is_true,
    steps_of,
)

TRIES = 32  # answers a question
KS = (1, 2, 4, 8, 16, 32)  # of pass@k
# questions of a grade, and the shares of them that give all points and none: the cold start has 0.71
GRADED, FULL, NOTHING = 240, 0.90, 0.65


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
    (other, n_right), (false, _) = unfaithful(tried).values()
    kinds = sorted({t["kind"] for t in tried})
    return {
        "pass": at,
        "vote": float(np.mean(votes)),
        "tokens": float(np.mean([t["tokens"] for t in tried])),
        "unfaithful": other / max(1, n_right),
        "false_step": false / max(1, n_right),
        "by_kind": {kind: float(np.mean([np.mean(t["right"]) for t in tried if t["kind"] == kind])) for kind in kinds},
    }


def unfaithful(tried: list[dict]) -> dict[str, tuple[int, int]]:
    """{"other_steps", "false_step": (how many, of how many right answers)}: see `figures`."""
    accepted = [(t, answer) for t in tried for answer, ok in zip(t["answers"], t["right"]) if ok]
    other, false = (sum(map(f, *zip(*accepted))) if accepted else 0 for f in (has_other_steps, has_false_step))
    return {"other_steps": (other, len(accepted)), "false_step": (false, len(accepted))}


def has_other_steps(row: dict, text: str) -> bool:
    return not faithful(row, text)


def has_false_step(row: dict, text: str) -> bool:
    """Is a statement of the chain false, or none at all?"""
    return any(step_is_true(row, step) is not True for step in steps_of(text))


def text_logprobs(model, asked: list[str], answers: list[str]) -> Float[Tensor, " N"]:
    """log p of each answer with its <|im_end|>, to each question, nats: exact, one pass."""
    return chosen_logprobs(model, asked, [encoded(text).ids for text in answers])[0].sum(1)


def encoded(text: str):
    return load_tokenizer().encode(text, add_special_tokens=False)


@torch.no_grad()
def chosen_logprobs(model, asked: list[str], answers: list[list[int]]) -> tuple[Tensor, Tensor]:
    """(log p of each token of the answers and of the <|im_end|> after them, mask of these tokens), [B T] both."""
    tokenizer = load_tokenizer()
    ask = lambda text: encode_chat(tokenizer, [{"role": "user", "content": text}], generation_prompt=True)[0]
    ids, mask = padded([ask(text) for text in asked], [[*answer, IM_END] for answer in answers])
    device = next(model.parameters()).device
    return token_logprobs(model, ids.to(device), mask.to(device)).cpu(), mask


def parts_of_chains(model, rows: list[dict]) -> tuple[Float[Tensor, "B T"], Int[Tensor, "B T"]]:
    """(log p of each token of the right chains, the number of its part, −1 off the chain): the statements from 0 on,
    then the answer, to which its <|im_end|> belongs.
    """
    numbers, ids = [], []
    for row in rows:
        chain = row["messages"][1]["content"]
        found = encoded(chain)
        ends = [place + 1 for place, letter in enumerate(chain) if letter == "."]  # only statements have a full stop
        numbers.append([sum(end < last for end in ends) for _, last in found.offsets] + [len(ends)])
        ids.append(found.ids)
    logprobs, mask = chosen_logprobs(model, [row["messages"][0]["content"] for row in rows], ids)
    part = torch.full(mask.shape, -1)
    part[mask] = torch.tensor([number for of_row in numbers for number in of_row])
    return logprobs, part


def chances_at_once(model, rows: list[dict]) -> list[Float[Tensor, " N"]]:
    """The chance of each of a question's options where the model answers at once: its probabilities of them all,
    normalised.
    """
    asked = [row["messages"][0]["content"].removesuffix(THINK) for row in rows]
    options = [row["check"]["options"] for row in rows]
    repeated = [text for text, its in zip(asked, options) for _ in its]
    logprobs = text_logprobs(model, repeated, [ANSWER + option for its in options for option in its])
    return [its.softmax(0) for its in logprobs.split(list(map(len, options)))]


def at_once(model, rows: list[dict]) -> dict:
    """The exact chance of the right answer where the model must answer at once; no sample is drawn. {"pass": {k:
    share}}.
    """
    places = [row["check"]["options"].index(row["check"]["answer"]) for row in rows]
    p = np.array([float(chances[at]) for chances, at in zip(chances_at_once(model, rows), places)])
    return {"pass": {k: float(np.mean(1 - (1 - p) ** k)) for k in KS}}


def likeliest_at_once(model, rows: list[dict]) -> tuple[list[str], list[int]]:
    """(the likeliest of each question's options where the model answers at once, tokens that it takes to say it)."""
    best = [row["check"]["options"][int(its.argmax())] for row, its in zip(rows, chances_at_once(model, rows))]
    return best, [len(encoded(ANSWER + option).ids) + 1 for option in best]


def chain_chance(model, rows: list[dict]) -> float:
    """The exact chance that the model writes the right chain, word for word: what its recall allows at this way of
    writing. Other texts may be right as well, so it is a lower limit of pass@1.
    """
    asked, chains = ([row["messages"][k]["content"] for row in rows] for k in (0, 1))
    return float(text_logprobs(model, asked, chains).exp().mean())


def check_answers(model, rows: list[dict]) -> None:
    """Raises ArtifactError where the model cannot read the rows' questions and write an answer to each."""
    needed = longest((row["messages"][:1] for row in rows), LONGEST)
    check_reads(model, needed, 'start from assistant(load_stage("safe").model)')


def score_of_reasoner(model, seed: int | str, n: int = GRADED) -> tuple[float, str]:
    """(fraction of the points, what it is for) of a handed-in model: one answer to each of n fresh questions about
    residents of no training row, sampled as the model is. Raises ArtifactError for one that cannot read them.
    """
    rows = question_rows("residents", n, f"grade {seed}")
    check_answers(model, rows)
    drawn = int.from_bytes(hashlib.sha256(f"answers {seed}".encode()).digest()[:5], "big")
    share = float(np.mean([tried["right"] for tried in tries(model, rows, 1, drawn)]))
    return points_share(share, NOTHING, FULL), (
        f"{100 * share:.1f} % of {n} fresh questions about residents of no training row right, one sampled answer to "
        f"each; full marks from {100 * FULL:g} % on, none up to {100 * NOTHING:g} %."
    )
