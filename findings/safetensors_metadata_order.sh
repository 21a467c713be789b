#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors with the same metadata of two or more entries give different bytes from call to call (the entries are written in the
# order of a hash map with a random seed). One entry: always the same bytes. So a sha256 of a file says nothing about whether the weights are the same;
# our artefacts keep one entry, a JSON text (course_lib/stages/artifacts.py, write_tensors).
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import numpy
from safetensors.numpy import load, save

weights = {"w": numpy.arange(4, dtype="float32")}
many = {save(weights, {"a": "1", "b": "2", "c": "3"}) for _ in range(50)}
one = {save(weights, {"a": "1"}) for _ in range(50)}
print(f"50 files with three entries: {len(many)} different; with one entry: {len(one)}")
assert all((load(data)["w"] == weights["w"]).all() for data in many)
assert len(many) > 1 and len(one) == 1
PYTHON
