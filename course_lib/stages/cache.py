"""What a model keeps of the texts that it has read, so that one more token costs one token (`Llama.read_on`)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


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
