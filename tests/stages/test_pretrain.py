"""The loop: batches cover every document once, a killed run resumes to the same losses, bad checkpoints get one clear
line.
"""

import math
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from course_lib.evaluation.probes import fact_probes, knowledge
from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.model import Llama, ModelConfig
from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages.pretrain import PRESETS, batches, collate, learning_rate, next_token_loss, pretrain
from course_lib.stages.tokenizer import BOS, EOS, PAD, encode_documents, load_tokenizer, to_transformers
from course_lib.world import pretrain_rows, village

TINY = replace(PRESETS["tiny"], documents=300, batch=256, validations=2)


def test_batches_hold_every_document_once_and_keep_to_the_size():
    lengths = [5 + (k * 7) % 60 for k in range(5000)]
    plan = batches(lengths, 512, seed=1)
    assert sorted(k for part in plan for k in part) == list(range(5000))
    assert all(max(lengths[k] for k in part) * len(part) <= 512 for part in plan)
    padded = sum(max(lengths[k] for k in part) * len(part) for part in plan)
    assert padded / sum(lengths) < 1.05
    assert plan == batches(lengths, 512, seed=1) != batches(lengths, 512, seed=2)


def test_next_token_loss_on_a_ragged_batch_is_the_mean_over_real_tokens():
    ids = collate([[1, 5, 6, 2], [1, 7, 2]])
    logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    by_hand = (
        -sum(F.log_softmax(logits[b, t], -1)[ids[b, t + 1]] for b, t in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]) / 5
    )
    assert torch.allclose(next_token_loss(logits, ids), by_hand)


def test_schedule_rises_then_falls_to_the_floor():
    rates = [learning_rate(k, 100, 10, 1.0, 0.1) for k in range(100)]
    assert (
        rates[0] == pytest.approx(0.1)
        and max(rates) == rates[9] == rates[10] == 1.0
        and rates[-1] == pytest.approx(0.1)
    )
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_training_learns_and_the_loss_stays_above_the_limit():
    run = pretrain("tiny", config=TINY, progress=False)
    limit = run.record["metrics"]
    assert run.history[-1]["train_loss"] < run.history[0]["train_loss"] - 1
    assert limit["loss"] > limit["entropy"] > 0.4
    assert limit["perplexity"] == pytest.approx(math.exp(limit["loss"]))


SCRIPT = """
    import json, sys, torch
    torch.set_num_threads(1)
    from dataclasses import replace
    from course_lib.stages.pretrain import PRESETS, pretrain
    config = replace(PRESETS["tiny"], documents=300, batch=1024, validations=2)
    def report(history):
        print(json.dumps(history[-1]), flush=True)
    pretrain("tiny", config=config, out=sys.argv[1], on_step=report, progress=False, checkpoint_steps=3)
"""


def losses(folder: Path, kill_after: int | None = None) -> list[float]:
    """The training losses that one process prints, killed with SIGKILL after so many steps."""
    import json

    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)], stdout=subprocess.PIPE, env=env, text=True
    )
    rows = []
    for line in process.stdout:
        rows.append(json.loads(line)["train_loss"])
        if kill_after and len(rows) == kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return rows


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_same_losses(tmp_path):
    straight = losses(tmp_path / "a")
    assert len(losses(tmp_path / "b", kill_after=5)) == 5
    rest = losses(tmp_path / "b")
    assert 0 < len(rest) <= len(straight) - 3, "at most checkpoint_steps are lost"
    assert rest == straight[-len(rest) :]


def test_damaged_and_foreign_checkpoints_get_one_line(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ArtifactError, match="damaged.*delete it"):
        pretrain("tiny", config=TINY, out=tmp_path, progress=False)
    (tmp_path / "checkpoint.safetensors").unlink()

    class Stop(Exception):
        pass

    def stop(history):
        if len(history) == 3:
            raise Stop

    with pytest.raises(Stop):
        pretrain("tiny", config=TINY, out=tmp_path, progress=False, checkpoint_steps=2, on_step=stop)
    with pytest.raises(ArtifactError, match="another run.*resume=False"):
        pretrain("tiny", seed=1, config=TINY, out=tmp_path, progress=False)
    whole = (tmp_path / "checkpoint.safetensors").read_bytes()
    (tmp_path / "checkpoint.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArtifactError, match="damaged"):
        pretrain("tiny", config=TINY, out=tmp_path, progress=False)


def test_an_unknown_size_says_which_there_are():
    with pytest.raises(ValueError, match="tiny, laptop, gpu"):
        pretrain("huge")


def test_distance_to_limit_weights_tokens_not_documents():
    tokenizer, rows = load_tokenizer(), pretrain_rows("validation", 40)
    model = Llama(ModelConfig(hidden=32, intermediate=64, layers=1, heads=2))
    measured = distance_to_limit(model, tokenizer, rows)
    ids = encode_documents(tokenizer, [r["text"] for r in rows])
    with torch.no_grad():
        total = sum(
            F.cross_entropy(model(torch.tensor([row]))[0, :-1], torch.tensor(row[1:]), reduction="sum").item()
            for row in ids
        )
    tokens = sum(len(row) - 1 for row in ids)
    assert measured["loss"] == pytest.approx(total / tokens, rel=1e-5)
    assert measured["entropy"] == pytest.approx(sum(r["nll"] for r in rows) / tokens)


def test_entropy_under_the_course_tokenizer():
    rows = pretrain_rows("validation")
    tokens = sum(len(row) - 1 for row in encode_documents(load_tokenizer(), [r["text"] for r in rows]))
    assert sum(r["nll"] for r in rows) / tokens >= 0.4


def test_tokenizer_round_trip_and_transformers_twin():
    tokenizer, texts = load_tokenizer(), [r["text"] for r in pretrain_rows("validation", 50)] + ["Zürich, 42 £ — 🙂"]
    twin = to_transformers(tokenizer)
    for text, ids in zip(texts, encode_documents(tokenizer, texts)):
        assert tokenizer.decode(ids) == text
        assert twin(text)["input_ids"] == ids[1:-1] and ids[-1] == EOS and PAD not in ids


def test_every_resident_is_one_token():
    """So that a lesson about facts is not one about spelling."""
    tokenizer = load_tokenizer()
    assert all(len(tokenizer.encode(" " + r.first).ids) == 1 for r in village().residents)


class Oracle(torch.nn.Module):
    """A 'model' that always predicts the token that comes next in the probe: it must score 1, its shifted twin 0."""

    def __init__(self, shift):
        super().__init__()
        self.p, self.shift = torch.nn.Parameter(torch.zeros(1)), shift

    def forward(self, ids):
        target = torch.roll(ids, -1, dims=1) + self.shift
        return F.one_hot(target % 4096, 4096).float()


def test_knowledge_probes_score_an_oracle_1_and_a_stranger_0():
    world, tokenizer = village(), load_tokenizer()
    people = world.residents[:20]
    right = knowledge(Oracle(0), tokenizer, world, people)
    assert right["accuracy"] == 1 and right["probes"] == 20 * 7
    assert knowledge(Oracle(1), tokenizer, world, people)["accuracy"] == 0
    assert right["chance"] < 0.4


def test_probe_prompts_say_nothing_but_the_name():
    world = village()
    masked = set()
    for probe in fact_probes(world):
        person = world.resident(probe["resident"])
        text = probe["prompt"].replace(person.full, "#").replace(person.first, "#")
        for word in ("He", "She", "His", "Her", "he", "she", "his", "her"):
            text = text.replace(f" {word} ", " * ")
        masked.add((probe["fact"], text))
        assert probe["answer"].strip() not in probe["prompt"]
    assert len(masked) == 7


def test_equal_tokens_of_two_documents_are_one_number():
    texts = [row["text"] for row in pretrain_rows("validation", 1_100)]
    tokenizer = load_tokenizer()
    ids = encode_documents(tokenizer, texts)
    assert ids[1_050] == [BOS, *tokenizer.encode(texts[1_050], add_special_tokens=False).ids, EOS]
    assert len({id(token) for row in ids for token in row}) == len({token for row in ids for token in row})
