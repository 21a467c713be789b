"""`course bench NAME --json` prints one JSON object and nothing else on stdout; what it measures is in tests/benchmarks and README."""
import json
import os
import subprocess
import sys

import pytest

from course_lib import bench
from course_lib.stages.pretrain import PRESETS


@pytest.mark.parametrize("arguments, keys", [
    (["pretrain", "--size", "tiny", "--seeds", "2"],
     {"gap_percent_median", "gap_percent_worst", "train_tflop", "train_minutes_median", "parameters", "tokens", "matmul_share", "vs_hf_trainer"}),
])
def test_json_and_nothing_else(arguments, keys):
    done = subprocess.run([sys.executable, "-m", "course_lib.cli", "bench", *arguments, "--json"], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert keys <= set(result) and result["seeds"] == 2 and result["gap_percent_median"] <= result["gap_percent_worst"]


def test_flop_of_a_token():
    """6 a parameter, and the products of attention: 2 · 2 forward, twice that backward, half of the square."""
    config = PRESETS["laptop"]
    by_hand = 6 * 1_164_416 + 3 * (2 * 2 * config.model.layers * config.model.hidden * 60) / 2
    assert bench.flop_per_token(config, 60.0) == pytest.approx(by_hand)
