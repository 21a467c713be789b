"""What a short training has changed in the weights of its start: told from noise, whatever the noise. For likeness.py.

Where a training ends near its start, noise of a few per cent on a copy is tens of times as long as what the training
has changed, and every comparison of what two models compute, or of their weights, drowns in it. But noise has no
direction: along the one in which the source has gone, and nobody else, the copy has gone just as far. So the marks of a
model are its weights less those of the start, thrown into 65,536 sums with signs drawn from the class's secret, which
keeps lengths and angles to a part in 256 of the longest.

Before that neurons and heads are put into the start's order, each matrix to its scale, and norms are left out: what
hides a copy from whoever compares weights. Somebody who turns heads by rotations of their own hides it still.
"""

import numpy as np
import torch

SUMS = 65_536
OWN = 0.8  # of a model's own part that another one has, from which on it is taken for the same part
COMMON = 0.6  # of the part that the class has in common, the same: who went three times as far is no copy
LITTLE = 0.02  # squared share of an own part below which there is nothing in common to compare


def marks(weights: dict, start: dict, config, seed: str) -> np.ndarray:
    """[SUMS] of a model's weights {name: tensor} against those of its start, of one shape."""
    weights = in_order_of(start, {name: t.float() for name, t in weights.items()}, config)
    draw, total = torch.Generator().manual_seed(int(seed[:15], 16) + 1), torch.zeros(SUMS)
    for name in sorted(start):
        first, mine = start[name].float().flatten(), weights[name].flatten()
        places = torch.randint(SUMS, (first.numel(),), generator=draw)
        signs = torch.randint(2, (first.numel(),), generator=draw) * 2.0 - 1
        if start[name].dim() > 1:
            scale = float(mine @ first) / float(first @ first)
            total.index_add_(0, places, signs * (mine / (scale if scale > 0 else 1.0) - first))
    return total.numpy()


def packed(made: np.ndarray) -> bytes:
    """A byte for each sum, behind what one is worth. b"" of what has no numbers, or no spread."""
    with np.errstate(all="ignore"):
        worth = 6 * made.astype(np.float64).std() / 127
    if not 0 < worth < 1e30:
        return b""
    return np.float32(worth).tobytes() + np.clip(np.round(made / worth), -127, 127).astype(np.int8).tobytes()


def unpacked(blob: bytes) -> np.ndarray:
    worth = np.frombuffer(blob[:4], dtype=np.float32)[0]
    return np.frombuffer(blob[4:], dtype=np.int8).astype(np.float32) * worth


def in_order_of(start: dict, weights: dict, config) -> dict:
    """The weights with the neurons and heads of each layer in the order that is nearest to the start's."""
    made, head = dict(weights), config.hidden // config.heads
    for i in range(config.layers):
        mlp, attention = f"model.layers.{i}.mlp.", f"model.layers.{i}.self_attn."
        up, gate = (f"{mlp}{name}_proj.weight" for name in ("up", "gate"))
        order = nearest(torch.cat((start[up], start[gate]), 1), torch.cat((weights[up], weights[gate]), 1))
        for name in (up, gate):
            made[name] = weights[name][order]
        made[f"{mlp}down_proj.weight"] = weights[f"{mlp}down_proj.weight"][:, order]
        three = [f"{attention}{name}_proj.weight" for name in "qkv"]
        heads = [torch.cat([these[n].reshape(config.heads, -1) for n in three], 1) for these in (start, weights)]
        rows = torch.cat([torch.arange(h * head, (h + 1) * head) for h in nearest(*heads).tolist()])
        for name in three:
            made[name] = weights[name][rows]
        made[f"{attention}o_proj.weight"] = weights[f"{attention}o_proj.weight"][:, rows]
    return made


def nearest(first: torch.Tensor, mine: torch.Tensor) -> torch.Tensor:
    """Which row of `mine` is nearest to each of `first`; the order as it is where that is no order."""
    order = (first.float() @ mine.float().T).argmax(1)
    return order if len(order.unique()) == len(order) else torch.arange(len(order))


def same_marks(every: np.ndarray) -> np.ndarray:
    """[N N], from marks [N SUMS] of a class: how much of one's own part the other has, where it is as much as of a
    copy; 0 elsewhere. Own is what remains without the mean direction of all others.
    """
    with np.errstate(all="ignore"):  # marks of nothing: no number for their pairs, and none of the others' harmed
        lengths = np.maximum(np.linalg.norm(every.astype(np.float64), axis=1), 1e-9)
        unit = every.astype(np.float64) / lengths[:, None]
        angle = unit @ unit.T
        rows = angle.sum(1)
        # of the sum of all units but the i-th and the j-th: its length, its product with the i-th's and the j-th's
        rest = np.sqrt(rows.sum() - 2 * (rows[:, None] + rows[None]) + 2 + 2 * angle)
        common = (rows[:, None] - 1 - angle) / rest * lengths[:, None]  # [i, j] of the i-th
        both = angle * np.outer(lengths, lengths) - common * common.T
        alone = lengths[:, None] ** 2 - common**2
        alike = both / np.sqrt(alone * alone.T)
        share, shared = both / alone, common.T / common  # the i-th as the source
        as_far = ((COMMON <= shared) & (shared <= 1 / COMMON)) | (common**2 < LITTLE * alone)
        gone = (OWN <= share) & (share <= 1 / OWN) & as_far
        found = np.where(alike >= OWN, alike, np.where(gone | gone.T, np.minimum(np.maximum(share, share.T), 1.0), 0.0))
        np.fill_diagonal(found, 0.0)
    return np.nan_to_num(found)
