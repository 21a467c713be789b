#!/usr/bin/env bash
# datasets 5.2.0, load_dataset("json") and Dataset.from_generator: a column with texts and one number becomes a Json() column, and its texts
# are then read as JSON themselves: "007" comes back as 7, "12.50" as 12.5, "null" as None, "true" as True, '{"x": 1}' as a dict; "yes" stays. No error and no
# warning. With features=string texts stay, but what is no JSON comes in quotes, '"yes"'. Dataset.from_list refuses the same rows with an ArrowTypeError.
# Write one type a column: a single unquoted number among the answers changes the others.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$place/venv/bin/python" - <<'PYTHON'
import json

from datasets import Dataset, Features, Value, load_dataset

texts = ["007", "12.50", "null", "true", '{"x": 1}', "yes"]


def loaded(name, answers, **options):
    with open(f"{name}.jsonl", "w") as file:
        file.writelines(json.dumps({"answer": answer}) + "\n" for answer in answers)
    return load_dataset("json", data_files=f"{name}.jsonl", split="train", **options)["answer"][:]


def made(answers):
    for answer in answers:
        yield {"answer": answer}


only, mixed = loaded("only", texts), loaded("mixed", [*texts, 2])
drawn = Dataset.from_generator(made, gen_kwargs={"answers": [*texts, 2]})["answer"][:]
told = loaded("told", [*texts, 2], features=Features({"answer": Value("string")}))
print("texts alone:         ", only)
print("and one number:      ", mixed)
print("from a generator:    ", drawn)
print("features say: string:", told)
assert only == texts and told == [*texts[:-1], '"yes"', "2"]
assert mixed == drawn == [7, 12.5, None, True, {"x": 1}, "yes", 2]
try:
    Dataset.from_list([{"answer": answer} for answer in [*texts, 2]])
except Exception as error:
    print("from_list:           ", type(error).__name__, error)
else:
    raise AssertionError("from_list took them")
PYTHON
