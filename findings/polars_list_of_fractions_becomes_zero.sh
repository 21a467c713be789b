#!/usr/bin/env bash
# polars 2.1.0: in a column of lists the first list decides the type. [[1, 0], [0.5, 0]] becomes list[i64], and the 0.5 is cut to 0 without a word: rewards by
# group lose their fractions where the first group has none, and so do the means. It is strict=True, the default, that cuts; strict=False keeps. A flat column
# raises a TypeError at the same 0.5. Given as rows the lists are read as floats, but a flat 0.5 is cut to 0 behind 100 rows of whole numbers.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q polars==2.1.0
"$place/venv/bin/python" - <<'PYTHON'
import polars

groups = [[1, 0], [0.5, 0]]
for strict in (True, False):
    frame = polars.DataFrame({"r": groups}, strict=strict)
    print(f"strict={strict}:", frame.schema, frame["r"].to_list(), "means", frame["r"].list.mean().to_list())
    assert frame["r"].to_list() == [[1, 0], [0 if strict else 0.5, 0]] and frame["r"].list.mean().to_list() == [0.5, 0.0 if strict else 0.25]
swapped = polars.DataFrame({"r": groups[::-1]})["r"].to_list()
rows = polars.DataFrame([{"r": group} for group in groups])["r"].to_list()
print("swapped:", swapped, "as rows:", rows)
assert swapped == [[0.5, 0.0], [1.0, 0.0]] and rows == [[1.0, 0.0], [0.5, 0.0]]
try:
    polars.DataFrame({"r": [1, 0.5]})
except TypeError as error:
    print("flat:", str(error).splitlines()[0])
else:
    raise AssertionError("a flat column took it")
last = [polars.DataFrame([{"r": 1}] * n + [{"r": 0.5}])["r"][-1] for n in (99, 100)]
print("0.5 behind 99 and behind 100 rows of 1:", last)
assert last == [0.5, 0]
PYTHON
