#!/usr/bin/env bash
# datasets 5.2.0: rows that are dicts lose without a word whatever key the first row lacks: Dataset.from_list and Dataset.from_generator keep the first row's
# columns, and so does .map() for what its function returns ({} for the first row and a new column later: the column is gone). With the rows the other way
# round from_list fills the gap with None, and .map() stops with a KeyError. The same rows from a JSON Lines file, from pandas or as two datasets put together
# have both columns, and an IterableDataset keeps each row as it is. So whether an optional field of preference data (a weight, a margin, a tool call) reaches
# the trainer depends on which row comes first.
# Ours builds each row of a comparison with TRL from the same keys: course_lib/shown/lab03_by_trl.py, lab08_library.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q datasets==5.2.0 numpy==2.4.6
cd "$place" && HF_HUB_OFFLINE=1 HF_HOME="$place/home" HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$place/venv/bin/python" - <<'PYTHON'
import json

import datasets
from datasets import Dataset

datasets.logging.set_verbosity_error()
ROWS = [{"text": "a"}, {"text": "b", "weight": 2.0}]
BOTH = [{"text": "a", "weight": None}, {"text": "b", "weight": 2.0}]
with open("rows.jsonl", "w") as file:
    file.writelines(json.dumps(row) + "\n" for row in ROWS)


def weigh(row):
    """A column for some rows only."""
    return {"weight": 2.0} if row["text"] == "b" else {}


def mapped(texts):
    try:
        return Dataset.from_dict({"text": texts}).map(weigh).column_names
    except KeyError as error:
        return f"KeyError: {error}"


seen = {
    "from_list": Dataset.from_list(ROWS).to_list(),
    "from_list, the other way round": Dataset.from_list(ROWS[::-1]).to_list()[::-1],
    "from_generator": Dataset.from_generator(lambda: iter(ROWS)).to_list(),
    "from_json": Dataset.from_json("rows.jsonl").to_list(),
    "two put together": datasets.concatenate_datasets([Dataset.from_list([row]) for row in ROWS]).to_list(),
    "iterable": list(Dataset.from_dict({"text": ["a", "b"]}).to_iterable_dataset().map(weigh)),
    "map": mapped(["a", "b"]),
    "map, the other way round": mapped(["b", "a"]),
}
for name, rows in seen.items():
    print(f"{name}: {rows}")
lost = [{"text": "a"}, {"text": "b"}]
assert seen["from_list"] == seen["from_generator"] == lost and seen["map"] == ["text"]
assert seen["from_list, the other way round"] == seen["from_json"] == seen["two put together"] == BOTH
assert seen["map, the other way round"] == "KeyError: 'weight'" and seen["iterable"] == ROWS
PYTHON
