"""The comparison that `course bench lora` prints: every figure there, on a model and rows that are small."""

import pytest

from course_lib.evaluation.runs import adapters
from course_lib.stages import lora
from course_lib.stages.model import Llama, ModelConfig
from course_lib.world.tasks import WORDS, passes, task_rows

SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)


def test_a_record_is_no_answer_to_an_old_task():
    row = next(row for row in task_rows("residents", 60) if row["kind"] == "fact")
    fact = row["check"]["fact"]
    answers = [row["messages"][-1]["content"], f"{{{WORDS[fact]}: {row['check']['facts'][fact]}}}", "{}"]
    scored = {"answers": answers, "right": [passes(row, answer) for answer in answers], "n": 3}
    assert scored["right"] == [True, True, False] and adapters.kept(scored) == 1 / 3


def test_compare_gives_every_figure(monkeypatch):
    monkeypatch.setitem(adapters.EXAMINED, "tiny", 4)
    monkeypatch.setitem(
        lora.PRESETS, "tiny", lora.sft.SFTConfig(examples=12, replay=2, batch=256, learning_rate=1e-2, validations=0)
    )
    base = Llama(SMALL)
    found = adapters.compare("tiny", base=base)
    assert set(found) == {"base", "full", "lora", "qlora", "lora_of_full", "qlora_of_full"}
    for name in ("full", "lora", "qlora"):
        assert {
            "job",
            "phrasings",
            "old_tasks",
            "old_kept",
            "document_gap_percent",
            "trained",
            "share",
            "base_bytes_of_bf16",
            "seconds",
        } <= set(found[name])
    assert (
        found["full"]["share"] == 1.0
        and 0 < found["lora"]["share"] < 0.05
        and found["lora"]["tokens"] == found["full"]["tokens"] == found["qlora"]["tokens"]
    )
    assert found["lora"]["base_bytes_of_bf16"] == pytest.approx(2.0) and found["qlora"]["base_bytes_of_bf16"] < 0.3
    assert not lora.lora_layers(base)
