"""What fuzzing has found, by kind: harmless stand-ins, made here. Each cost a reader minutes, or broke it."""

import json
import time

import bounds
import pytest
import run

from course_lib.grading.intake import commits


def cells(*sources, kind="markdown"):
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": kind, "source": s} for s in sources]}).encode()


def class_list(people):
    lines = [f"s{i},Ann{i} Lee{i},s{i}@uni.example,{7000 + i}" for i in range(people)]
    return "\n".join(["student,name,email,canvas_id", *lines]).encode()


def aliases(levels, first, part):
    """A YAML of `levels` lists in which each stands eight times in the next."""
    lists = [f"a0: &a0 [{first}]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, levels))]
    return "\n".join([*lists, part]).encode()


def merges(levels):
    """A YAML of `levels` mappings, each merged eight times into the next."""
    made = [f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, levels)]
    return "\n".join(["a0: &a0 {x: 1, y: 2}", *made, "submission_501: {}"]).encode()


FOUND = {
    # from each empty line \s* ran on over those below: 82 s for 80,000 of them, outside judge.py's budgets
    "notebook: empty lines in a cell of text": cells("\n" * 150_000),
    # the number of each line was counted from the top: 1.5 s for 2,000 students, 6 s for these
    "gradebook: a long class list": class_list(4_000),
    # 424 bytes of it cost 5.5 s, these eight times as much
    "yaml: metadata of merges": merges(9),
    "yaml: a policy of aliases": aliases(9, "x", "labs: *a8"),
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_was_found_stays_mended(kind, tmp_path):
    read = run.target(kind.partition(":")[0]).read
    bounds.bounded(lambda data: read(data, tmp_path), FOUND[kind], twice=False)


def test_a_delta_of_a_pack_costs_what_it_is_long():
    """Each byte put in cost a copy of all that was there: 5 s for one of the sixty deltas that may stand on another."""

    def cost(n):
        began = time.process_time()
        assert commits.patched(b"base", bytes(2) + b"\x01a" * n) == b"a" * n
        return time.process_time() - began

    assert min(cost(120_000) for _ in range(3)) < 8 * min(cost(30_000) for _ in range(3)), (
        "16 for what costs the square"
    )
