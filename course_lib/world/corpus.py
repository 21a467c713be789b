"""The pre-training corpus: document k of a split has the seed "<split> <k>", so every machine makes the same rows.

`datasets/littlebrook/` holds the same rows as files; where it is absent (Colab) they are made on the fly.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from course_lib.platform import ROOT
from course_lib.world.documents import Document, document
from course_lib.world.residents import Village, village

SPLIT_SIZES = {"train": 74_000, "validation": 2_000}  # documents
FOLDER = ROOT / "datasets" / "littlebrook"


def documents(world: Village, seed: str, n: int, start: int = 0) -> list[Document]:
    """Documents start … start + n − 1 of the stream named `seed`."""
    return [document(world, f"{seed} {k}") for k in range(start, start + n)]


def pretrain_documents(split: str, n: int | None = None) -> list[Document]:
    """The first n documents of a split ("train" or "validation"), by default all of them."""
    return documents(village(), f"pretrain {split}", SPLIT_SIZES[split] if n is None else n)


def pretrain_rows(split: str, n: int | None = None) -> list[dict]:
    """Rows {"text", "kind", "nll"} of a split: from the folder `datasets/littlebrook` where it is, else made on the
    fly.

    nll is −log p in nats, rounded to 9 decimals. Raises KeyError for another split."""
    n = SPLIT_SIZES[split] if n is None else n
    file = FOLDER / f"pretrain-{split}.parquet"
    if file.exists():
        rows = read_rows(file, n)
        if len(rows) == n:
            return rows
    return [{"text": d.text, "kind": d.kind, "nll": d.nll} for d in pretrain_documents(split, n)]


def read_rows(file: Path, n: int | None = None) -> list[dict]:
    """The first n rows of a parquet file, by default all; fewer where it has no more."""
    import pyarrow.parquet

    rows = []
    for part in pyarrow.parquet.ParquetFile(file).iter_batches(2_000):  # all 74,000 documents at once: 115 MB more
        if n is not None and len(rows) >= n:
            break
        rows += part.to_pylist()
    return rows[:n]


def rows_hash(rows: Iterable[dict]) -> str:
    """sha256 over the texts, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row["text"].encode() + b"\0")
    return digest.hexdigest()
