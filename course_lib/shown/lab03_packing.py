"""Lab 03 § 6: batches padded and packed, how fast they are, and whether packed examples read each other."""

import copy
import time

import torch

from course_lib.widgets.table import table, your_run


def padded_batches(examples: list[dict], batch_of, size: int = 32) -> list[tuple]:
    """[(ids, labels, None)]: one example a row, `size` rows a batch."""
    parts = [batch_of(examples[k : k + size], 0) for k in range(0, len(examples), size)]
    return [(part["input_ids"], part["labels"], None) for part in parts]


def packed_batches(examples: list[dict], rows: list[list[int]], batch_of, size: int = 8) -> list[tuple]:
    """[(ids, labels, segments)]: the examples of a row one after the other; padding is segment 0."""
    made = []
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        joined = [{name: sum((examples[k][name] for k in row), []) for name in ("input_ids", "labels")} for row in part]
        batch = batch_of(joined, 0)
        numbers = [[n for n, k in enumerate(row, 1) for _ in examples[k]["input_ids"]] for row in part]
        width = batch["input_ids"].shape[1]
        segments = torch.tensor([row + [0] * (width - len(row)) for row in numbers])
        made.append((batch["input_ids"], batch["labels"], segments))
    return made


def throughput(base, ways: dict[str, list[tuple]], loss_fn, rounds: int = 2) -> dict[str, tuple[int, float, float]]:
    """{way: (rows, share of padding, real tokens a second)} of forward and backward over its batches, and a table of
    it. In turns, and the best round: other programs run on this computer, too.
    """
    model = copy.deepcopy(base).requires_grad_(True)
    device = next(model.parameters()).device
    taken = {name: [] for name in ways}
    for name in [*ways] * rounds:
        started = time.perf_counter()
        for ids, labels, segments in ways[name]:
            logits = model(ids.to(device), None if segments is None else segments.to(device))
            loss_fn(logits, labels.to(device)).backward()
        taken[name].append(time.perf_counter() - started)
    real = sum(int((ids != 0).sum()) for ids, _, _ in next(iter(ways.values())))  # no text holds token 0, the padding
    found = {}
    for name, batches in ways.items():
        places, rows = (sum(count(ids) for ids, _, _ in batches) for count in (torch.numel, len))
        found[name] = (rows, 1 - real / places, real / min(taken[name]))
    heads = {"": "", "rows": ",", "padding": ".1%", "real tokens/s": ",.0f"}
    table(heads, [(name, *values) for name, values in found.items()])
    first, similar, packed = (found[name][2] for name in ways)
    your_run(
        f"Sorted rows give {similar / first - 1:+.0%} real tokens a second against rows as they come, and packed ones",
        f"{packed / similar - 1:+.0%} against sorted ones.",
    )
    return found


def against_alone(llama, examples: list[dict], ways: dict[str, torch.Tensor]) -> dict[str, float]:
    """{way: largest difference of its logits from those of the examples alone, as a share of the largest}."""
    with torch.no_grad():
        alone = torch.cat([llama(torch.tensor([example["input_ids"]])).logits[0] for example in examples])
    largest = alone.abs().max()
    apart = {name: ((logits.cpu() - alone).abs().max() / largest).item() for name, logits in ways.items()}
    title = f"{len(examples)} examples in one row against each alone; the largest logit is {largest:.1f}"
    table({"": "", "largest difference, of it": ".1e"}, apart.items(), title)
    return apart
