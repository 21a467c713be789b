"""The class bench with a class of four and an adapter that has learned nothing."""

import pytest

from course_lib.bench.classes import timing_class


def untrained(folder):
    from course_lib.stages import lora
    from course_lib.stages.artifacts import SHIPPED, load_folder

    model = load_folder(SHIPPED / "sft", "sft")[0]
    return lora.add_lora(model, lora.RANK, lora.ALPHA, lora.ALL_LINEAR, 0), {"seed": 0}


@pytest.mark.usefixtures("box")
def test_a_class_of_four_is_graded_and_nothing_is_scaled(monkeypatch):
    monkeypatch.setattr(timing_class, "adapter", untrained)
    figures = timing_class.class_of(4)
    assert figures["graded"] == figures["submissions"] == 4 and 0 < figures["mean_percent"] <= 100
    assert figures["minutes"] > 0 and 0.1 < figures["worker_gib"] < 1.5 and figures["jobs"] == 2
    assert "minutes_300" not in figures and figures["note"] == "4 submissions were graded, not 300: nothing is scaled"
