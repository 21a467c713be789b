"""The benches of size gpu, tried at tiny on a CPU: what they count is compared with what is known."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch

from course_lib.bench import bench
from course_lib.bench import gpu as bench_gpu
from course_lib.platform import CourseError
from course_lib.stages import grpo, reward
from course_lib.tour import phases

pytestmark = pytest.mark.slow

TINY = argparse.Namespace(size="tiny", seeds=1, json=True, out=None)


def test_no_gpu_is_one_line():
    with pytest.raises(CourseError, match="course bench plan"):
        bench.measure("gpu", argparse.Namespace(size="gpu", seeds=1, json=True))


def test_the_tour_is_measured_phase_by_phase(monkeypatch):
    monkeypatch.setattr(bench_gpu, "PHASES", bench_gpu.PHASES[:4])
    for module in (bench_gpu, phases):
        monkeypatch.setattr(module, "matmul_rate", lambda *_, **__: 100.0)
    result = bench_gpu.bench_gpu(TINY)
    assert (
        list(result["phases"]) == ["data", "tokenizer", "pretrain", "sft"]
        and result["card"] == "CPU"
        and result["data_sheet_tflops"] is None
    )
    trained = result["phases"]["pretrain"]["pretrain"]
    assert trained["tokens_per_second"] > 1000 and trained["mfu"] is None
    assert trained["tflops"] == pytest.approx(6 * 104_608 * trained["tokens_per_second"] / 1e12)
    assert result["phases"]["pretrain"]["figures"]["gap to the entropy"][1] == 0
    assert result["minutes"] == pytest.approx(sum(phase["minutes"] for phase in result["phases"].values()))


def test_cards_and_their_peaks():
    assert bench_gpu.peak("Tesla T4", torch.float16) == 65 and bench_gpu.peak("Tesla T4", torch.float32) == 8.1
    assert (
        bench_gpu.peak("NVIDIA A100-SXM4-40GB", torch.bfloat16) == 312
        and bench_gpu.peak("NVIDIA L40S", torch.bfloat16) is None
    )


def in_a_process(function, *arguments):
    """As `bench_plan` runs it: what is counted there changes the modules of that process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def test_steps_flop_and_operations_are_counted(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = {stage: in_a_process(bench_gpu.on_paper, stage, "tiny") for stage in ("reward", "grpo")}
    pairs, config = reward.PRESETS["tiny"], grpo.PRESETS["tiny"]
    assert made["reward"]["steps"] == -(-pairs.rows // pairs.batch) and made["grpo"]["steps"] == config.steps
    # of the last block only queries, keys and values are computed where nobody reads
    inside = 104_608 - 2432 * 32 - (32 * 32 + 3 * 32 * 96)
    tokens = 1e12 * made["reward"]["tflop_a_step"] / (6 * inside * pairs.batch)
    assert 40 < tokens < 300  # of a pair: its prompt, which is read once, and two answers
    assert made["grpo"]["operations_a_step"] > 48 * 2 * 20  # a token is sampled 48 times, through 2 blocks
    for row in made.values():
        assert 0.1 < row["process_gib"] < 10 and row["t4_minutes"] > 0
