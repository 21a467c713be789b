"""Answers to one prompt in one row: the model reads the prompt once, and equal answers once.

    prompt | answer 1 | answer 2 | …

A token reads the prompt and what comes before it in its own answer, and RoPE is told where it would stand if the answer
were the only one. So its hidden state is that of a row of its own, but for rounding, and so is every gradient.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.stages.tokenizer import PAD

Row = tuple[tuple[int, ...], list[tuple[int, ...]]]  # (prompt, its different answers)
ALIKE = 1.4  # rows of one pass: the longest is at most so many times as long as the shortest, the rest is padding


def tokens_at_once(device: torch.device) -> int:
    """Tokens of one pass at most, padding included. A CPU is a tenth faster with as many as fit its cache."""
    return 1_024 if device.type == "cpu" else 16_384


def states_of(
    model, prompts: list[list[int]], answers: list[list[int]], last: bool = False
) -> tuple[Float[Tensor, "N D"], Int[Tensor, " B"]]:
    """(hidden states, start of each answer among them): at its start is the state of its prompt's last token, behind it
    one for each of its own tokens. Equal answers to equal prompts have the same start. `last`: only the state of each
    answer's last token.
    """
    pairs = [(tuple(prompt), tuple(answer)) for prompt, answer in zip(prompts, answers, strict=True)]
    several: dict[tuple, dict[tuple, None]] = {}
    for prompt, answer in pairs:
        several.setdefault(prompt, {})[answer] = None
    start, found, n, device = {}, [], 0, next(model.parameters()).device
    for rows in passes([(prompt, list(its)) for prompt, its in several.items()], tokens_at_once(device)):
        ids, positions, visible = side_by_side(rows)
        at = []
        for k, (prompt, its) in enumerate(rows):
            end = k * ids.shape[1] + len(prompt)
            for answer in its:
                start[prompt, answer] = n + len(at)
                read = [k * ids.shape[1] + len(prompt) - 1, *range(end, end + len(answer))]
                at += read[-1:] if last else read
                end += len(answer)
        ids, visible, positions, places = (t.to(device) for t in (ids, visible, positions, torch.tensor(at)))
        found.append(model.hidden(ids, visible=visible, positions=positions, places=places))
        n += len(at)
    return torch.cat(found), torch.tensor([start[pair] for pair in pairs], device=device)


def width(row: Row) -> int:
    return len(row[0]) + sum(map(len, row[1]))


def passes(rows: list[Row], tokens: int) -> list[list[Row]]:
    """Rows of similar length together, `tokens` at most."""
    made: list[list[Row]] = []
    for row in sorted(rows, key=width):
        if not made or width(row) > min(ALIKE * width(made[-1][0]), tokens / (len(made[-1]) + 1)):
            made.append([])
        made[-1].append(row)
    return made


def side_by_side(rows: list[Row]) -> tuple[Int[Tensor, "P T"], Int[Tensor, "P T"], Float[Tensor, "P 1 T T"]]:
    """(ids, positions, 0 where a token reads another and −inf where it does not) of rows, padded on the right."""
    pad = lambda lists, value: torch.nn.utils.rnn.pad_sequence([torch.tensor(each) for each in lists], True, value)
    ids = pad([[*prompt, *(token for answer in its for token in answer)] for prompt, its in rows], PAD)
    places = [[*range(len(p)), *(len(p) + t for answer in its for t in range(len(answer)))] for p, its in rows]
    # 0 the prompt, 1, 2, … its answers
    parts = [[0] * len(p) + [k + 1 for k, answer in enumerate(its) for _ in answer] for p, its in rows]
    number = pad(parts, -1)
    theirs, own = number[:, None, None, :], number[:, None, :, None]
    past = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
    visible = ((theirs == own) | (theirs == 0)) & past
    return ids, pad(places, 0), torch.zeros(visible.shape).masked_fill(~visible, -torch.inf)
