"""What a model keeps of the texts that it has read, so that one more token costs one token (`Llama.read_on`)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def attend_once(
    q: Float[Tensor, "B H 1 P"],
    k: Float[Tensor, "B H S P"],
    v: Float[Tensor, "B H S P"],
    padding: Float[Tensor, "B 1 1 S"],
) -> Float[Tensor, "B H 1 P"]:
    """softmax(q kᵀ / √P + padding) v for one query a text. On a CPU three times as fast as the fused kernel, which is
    made for many.
    """
    (rows, heads, _, width), each = q.shape, lambda x: x.flatten(0, 1)  # each: of B · H heads
    bias = each(padding.expand(-1, heads, -1, -1))
    scores = torch.baddbmm(bias, each(q), each(k).transpose(1, 2), alpha=width**-0.5)
    return torch.bmm(torch.softmax(scores, -1), each(v)).unflatten(0, (rows, heads))


@dataclass
class Cache:
    """Key and value of each token, head and layer. A text has a row: its prompt in the first columns, and what follows
    behind the longest prompt. So all write their next token into the same column; RoPE is told where it really stands.
    """

    keys: list[Float[Tensor, "B H C P"]]  # one a layer
    values: list[Float[Tensor, "B H C P"]]
    lengths: Int[Tensor, " B"]  # tokens of each text
    padding: Float[Tensor, "B 1 1 C"]  # −inf in the columns behind a short prompt, 0 elsewhere: added to the scores
    rows: int  # those below are in use
    columns: int

    def fork(self, parents: Int[Tensor, " N"]) -> Int[Tensor, " N"]:
        """The rows of texts that go on from the rows `parents` (in ascending order). The first that goes on from a row
        keeps it, its twins get a copy in rows that nobody needs any more.
        """
        twin = F.pad(parents[1:] == parents[:-1], (1, 0))
        free = torch.ones(self.rows + int(twin.sum()), dtype=torch.bool)
        free[parents] = False
        empty = free.nonzero()[:, 0]
        self.lengths[empty.to(self.lengths.device)] = 0  # they are computed like the others, and must not run too far
        rows = parents.clone()
        rows[twin] = empty[: int(twin.sum())]
        self.copy(parents[twin], rows[twin])
        self.rows = max(self.rows, int(rows.max()) + 1)
        if 2 * len(rows) > self.rows:
            return rows
        self.copy(rows, torch.arange(len(rows)))  # most texts have ended: close the gaps
        self.rows = len(rows)
        return torch.arange(len(rows))

    def copy(self, source: Int[Tensor, " N"], to: Int[Tensor, " N"]) -> None:
        """What is in the rows `source` into the rows `to`."""
        source, to = source.to(self.lengths.device), to.to(self.lengths.device)
        for each in (*self.keys, *self.values):
            filled = each[:, :, : self.columns]
            filled.index_copy_(0, to, filled.index_select(0, source))
        self.lengths[to], self.padding[to] = self.lengths[source], self.padding[source]


def empty_cache(
    rope: Float[Tensor, "_ P"], lengths: Int[Tensor, " N"], rows: int, width: int, room: int, layers: int, heads: int
) -> Cache:
    """Space for `rows` texts of up to `width` tokens and `room` more each; the first ones have `lengths` tokens. On the
    device and in the dtype of the table `rope`.
    """
    n, shape = len(lengths), (rows, heads, width + room, rope.shape[-1])
    keys, values = ([rope.new_empty(shape) for _ in range(layers)] for _ in range(2))
    for each in (*keys, *values):  # what stands behind a short text is read with weight 0, and 0 · NaN is NaN
        each[:n, :, int(lengths.min()) : width] = 0
    padding = rope.new_zeros(rows, 1, 1, width + room)
    padding[:n, 0, 0, :width].masked_fill_(torch.arange(width, device=rope.device) >= lengths[:, None], -torch.inf)
    return Cache(keys, values, F.pad(lengths, (0, rows - n)), padding, n, width)
