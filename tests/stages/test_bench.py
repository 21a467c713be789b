"""`course bench NAME --json` prints one JSON object and nothing else on stdout; what it measures is in tests/benchmarks
and README.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace

import nbformat
import pytest

from course_lib.bench import bench, labs, throughput
from course_lib.bench.runs import over_seeds
from course_lib.bench.throughput import flop_per_token
from course_lib.evaluation.runs.rlhf import collapsed, turned
from course_lib.platform import ROOT
from course_lib.stages import dpo, refusal, reward
from course_lib.stages.pretrain import PRESETS
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.world.annotators import prompts

pytestmark = pytest.mark.slow

# `course bench …` of few documents, with one short round beside the Trainer, and the machine's rate not measured
QUICK = """
import sys
from dataclasses import replace
from functools import partial
from course_lib import cli
from course_lib.bench import throughput, training
from course_lib.stages.pretrain import PRESETS
PRESETS["tiny"] = replace(PRESETS["tiny"], documents=200)
throughput.matmul_rate = training.matmul_rate = lambda: 100.0
training.throughput = partial(throughput.throughput, rounds=1, steps=15)
sys.exit(cli.main(["bench", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    "arguments, keys",
    [
        (
            ["pretrain", "--size", "tiny", "--seeds", "2"],
            {
                "gap_percent_median",
                "gap_percent_worst",
                "train_tflop",
                "train_minutes_median",
                "parameters",
                "tokens",
                "matmul_share",
                "vs_hf_trainer",
            },
        )
    ],
)
def test_json_and_nothing_else(arguments, keys):
    done = subprocess.run(
        [sys.executable, "-c", QUICK, *arguments, "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert keys <= set(result) and result["seeds"] == 2 and result["gap_percent_median"] <= result["gap_percent_worst"]


@pytest.mark.parametrize(
    "name, keys",
    [
        ("reward", {"share_of_bayes_worst"}),
        ("rlhf", {"grpo_share_median", "ppo_share_worst", "over_optimised", "collapsed"}),
        (
            "dpo",
            {"dpo_utility_median", "kto_kl_median", "ipo_share_median", "rounds_ranked_median", "grpo_tflop_median"},
        ),
        ("safety", {"harmful_refused_worst", "benign_refused_worst", "tax_points_median"}),
        ("constitution", {"right_median", "right_worst"}),
        ("release", {"score_median", "harmless_worst"}),
    ],
)
def test_the_benches_of_alignment_run_at_tiny(name, keys, monkeypatch):
    for stage in (dpo, reward):
        monkeypatch.setitem(stage.PRESETS, "tiny", replace(stage.PRESETS["tiny"], rows=48))
    monkeypatch.setitem(refusal.REQUESTS, "tiny", 48)
    result = bench.measure(name, argparse.Namespace(size="tiny", seeds=1, json=True, out=None))
    assert keys <= set(result) and len(result["runs"]) == 1
    json.dumps(result)


def test_a_run_that_is_kept_is_not_run_again(tmp_path):
    """Its whole numbers among keys, {k: pass@k}, are numbers again; another size and another seed are other runs."""
    measured, asked = [], argparse.Namespace(name="reasoning", size="tiny", seeds=2, out=str(tmp_path / "runs"))

    def measure(seed):
        measured.append(seed)
        return {"seed": seed, "pass": {1: 0.5, 32: 0.9}, "by_kind": {"coins": 0.1}}

    for seeds, size, expected in ((1, "tiny", [0]), (2, "tiny", [0, 1]), (1, "laptop", [0, 1, 0])):
        asked.seeds, asked.size = seeds, size
        made = over_seeds(asked, measure, "{seed}".format_map)
        assert measured == expected and [run["seed"] for run in made] == list(range(seeds))
        assert made[0]["pass"] == {1: 0.5, 32: 0.9}
    next((tmp_path / "runs").glob("reasoning-laptop-0-*")).write_text('{"seed"')  # cut: run again
    assert over_seeds(asked, measure, "{seed}".format_map)[0]["pass"][32] == 0.9 and measured == [0, 1, 0, 0]
    asked.out = None
    assert over_seeds(asked, measure, "{seed}".format_map) and measured == [0, 1, 0, 0, 0]


def test_over_optimisation_and_collapse_are_told_from_their_absence():
    assert turned([1.0, 1.2, 1.6, 2.0, 2.2, 2.3, 2.2, 1.9, 1.6, 1.4, 1.2]) and not turned(
        [1.0, 1.5, 2.0, 2.2, 2.3, 2.3, 2.4, 2.4]
    )
    assert not turned([2.0, 1.8, 1.6, 1.4, 1.2, 1.0, 0.8])  # a fall from the first step on is no turn
    assert collapsed([1.9, -2.0, -2.0, -2.0], 4 * [{"kl": 30.0}])
    assert not collapsed([1.9, -2.0, -2.0, -2.0], 4 * [{"kl": 3.0}]) and not collapsed(
        [1.9, 1.0, 1.0, 1.0], 4 * [{"kl": 30.0}]
    )


def test_flop_of_a_token():
    """6 a parameter, and the products of attention: 2 · 2 forward, twice that backward, half of the square."""
    config = PRESETS["laptop"]
    by_hand = 6 * 1_164_416 + 3 * (2 * 2 * config.model.layers * config.model.hidden * 60) / 2
    assert flop_per_token(config, 60.0) == pytest.approx(by_hand)


def test_the_speed_of_sampling_beside_hf_and_in_a_process_of_an_older_build(monkeypatch):
    """Both builds are asked by one script; here the older one is this one, so it gives as many tokens."""
    model, tokenizer, rows = throughput.shipped(), load_tokenizer(), prompts("train", throughput.PROMPTS, "bench")
    here = int(throughput.roll_out(model, tokenizer, rows, throughput.EACH, seed=0).mask.sum())
    there = throughput.rollout_speed(ROOT, 0)
    assert there["tokens"] == here > 32 * 8 and min(there["wall"], there["cpu"]) > 0
    monkeypatch.setattr(throughput, "PROMPTS", 4)
    ours = throughput.sampling(rounds=1)
    assert min(ours.values()) > 0
    assert ours["vs_hf_generate"] == ours["rollout_tokens_per_second"] / ours["generate_tokens_per_second"]


def test_the_minutes_of_a_lab_are_those_of_its_solution_on_two_threads(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell(
        "import os\nassert os.environ['OMP_NUM_THREADS'] == '2' and not os.path.exists('x')"
    )
    metadata = {"littlebrook": {}, "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    (tmp_path / "solutions").mkdir()
    for lab in ("00_one", "01_two"):
        path = tmp_path / "solutions" / f"{lab}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), path)
    monkeypatch.setattr(labs, "ROOT", tmp_path)
    monkeypatch.setattr(labs, "matmul_rate", lambda: 100.0)
    for name in ("OMP_NUM_THREADS", "COURSE_SIZE"):  # as they were, afterwards
        monkeypatch.setenv(name, os.environ.get(name, "1" if name.startswith("OMP") else "tiny"))
    monkeypatch.setattr(labs.torch, "set_num_threads", lambda n: None)
    asked = argparse.Namespace(size="tiny", out=str(tmp_path / "runs"))
    made = bench.measure("labs", asked)
    assert list(made["minutes"]) == ["00_one", "01_two"] and 0 < min(made["minutes"].values()) < 1
    monkeypatch.setattr(labs, "execute", lambda *_: 1 / 0)
    assert bench.measure("labs", asked) == made  # kept
