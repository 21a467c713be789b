"""Speed, by pytest-benchmark: `.venv/bin/pytest tests/benchmarks --benchmark-enable --benchmark-only`. In `make test`
each runs once, untimed.

Figures that README shows come from `course bench`, which measures the machine's matmul rate in the same run.
"""

import torch

from course_lib.questions import core
from course_lib.questions.invoke import LocalCaller
from course_lib.stages.model import Llama
from course_lib.stages.pretrain import PRESETS, collate, next_token_loss, optimizers
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world import documents, pretrain_rows, village


def test_matmul(benchmark):
    """The machine itself: divide the others by it."""
    a = torch.randn(512, 512)
    benchmark(torch.matmul, a, a)


def test_training_step(benchmark):
    config = PRESETS["laptop"]
    model = Llama(config.model)
    optimisers = optimizers(model, config.learning_rate)
    batch = collate(encode_documents(load_tokenizer(), [row["text"] for row in pretrain_rows("validation", 33)]))

    def step():
        loss = next_token_loss(model(batch), batch)
        loss.backward()
        for o in optimisers:
            o.step()
            o.zero_grad()
        return loss.item()

    assert benchmark(step) > 0


def test_writing_100_documents(benchmark):
    world = village()
    assert len(benchmark(documents, world, "speed", 100)) == 100


def test_one_question(benchmark):
    """What a student waits for after check("rms_norm")."""
    question = next(q for q in core.questions_of("02_pretraining") if q.id == "rms_norm")
    namespace = {}
    exec(
        "import torch\ndef rms_norm(x, weight, eps=1e-6):\n    w = x.float()\n    return (w * "
        "torch.rsqrt(w.pow(2).mean(-1, keepdim=True) + eps) * weight.float()).to(x.dtype)",
        namespace,
    )
    assert benchmark(core.run, question, LocalCaller(namespace)).status == "pass"
