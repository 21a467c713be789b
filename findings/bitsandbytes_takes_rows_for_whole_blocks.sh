#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU with AVX-512: `dequantize_4bit` reads a matrix back wrongly where the length of its rows is a multiple of 16 and no multiple of the
# blocksize (32, 48 or 96 with blocks of 64). quantize_4bit cuts blocks out of the whole matrix, across rows; the kernel takes row r to begin with scale
# r * (row length // blocksize). The same bytes and scales read as one row are right, and so are rows of whole blocks, rows that 16 does not divide, and
# all rows on a processor without AVX-512: there this script has nothing to see, says so and ends with 0.
# Ours compares the weight as one row, its values, too: same_nf4 in course_lib/shown/lab04_by_peft.py, and tests/labs/test_shown_03_04.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 bitsandbytes==0.50.2
OMP_NUM_THREADS=1 "$place/venv/bin/python" - <<'PYTHON'
import logging
import sys

import torch

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it would say that a faster kernel is not installed
from bitsandbytes.functional import QuantState, dequantize_4bit, quantize_4bit

if torch.backends.cpu.get_cpu_capability() != "AVX512":
    sys.exit(print("this processor has no AVX-512: the kernel in question does not run here"))

BLOCK, ROWS, off, as_said = 64, 64, {}, {}
for length in (24, 32, 48, 64, 96, 128, 160, 192):
    torch.manual_seed(0)
    weight = torch.randn(ROWS, length)
    packed, state = quantize_4bit(weight, blocksize=BLOCK, quant_type="nf4")
    one_row = QuantState(state.absmax, weight.flatten().shape, state.code, BLOCK, "nf4", weight.dtype)
    matrix, right = dequantize_4bit(packed, state), dequantize_4bit(packed, one_row).view(ROWS, length)
    off[length] = float((matrix - right).abs().max())
    places = torch.arange(length) // BLOCK + torch.arange(ROWS)[:, None] * (length // BLOCK)  # the scale that it takes
    numbers = right / state.absmax.repeat_interleave(BLOCK).view(ROWS, length)
    as_said[length] = torch.allclose(matrix, numbers * state.absmax[places], atol=1e-5)
    assert (right - weight).abs().max() < 0.16 * state.absmax.max()  # half of the widest step of NF4, 0.30
wrong = [length for length, value in off.items() if value > 0.1]
for length, value in off.items():
    print(f"rows of {length}: a weight read back as a matrix and as one row, at most {value:.2f} apart")
assert wrong == [32, 48, 96, 160] and all(as_said[length] for length in wrong)
assert all(value == 0 for length, value in off.items() if length not in wrong)
PYTHON
