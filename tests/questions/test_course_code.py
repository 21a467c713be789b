"""The course's own functions are no answers: neither by name, nor wrapped, nor reached through a module."""

import pytest
import torch

from course_lib.questions.invoke import CallFailed, LocalCaller

ANSWERS = {
    "imported": "from course_lib.stages.pretrain import next_token_loss as f",
    "wrapped": "import course_lib.stages.pretrain as p\nf = lambda logits, ids: 0 + p.next_token_loss(logits, ids)",
    "by name": "import importlib\ndef f(logits, ids):\n    return "
    "getattr(importlib.import_module('course_lib.stages.pretrain'), 'next_token' + '_loss')(logits, ids)",
}
INPUTS = [torch.zeros(1, 3, 5), torch.ones(1, 3, dtype=torch.long)]


@pytest.mark.parametrize("source", ANSWERS.values(), ids=ANSWERS)
def test_the_courses_own_function_is_refused(source):
    namespace = {}
    exec(source, namespace)
    with pytest.raises(CallFailed, match="course_lib's own next_token_loss: write it out"):
        LocalCaller(namespace).call("f", INPUTS, {}, {}, 5.0)


def test_library_calls_stay_allowed():
    namespace = {}
    exec(
        "import torch.nn.functional as F\ndef f(logits, ids):\n    return F.cross_entropy(logits[0], ids[0])", namespace
    )
    assert LocalCaller(namespace).call("f", INPUTS, {}, {}, 5.0)["value"].item() == pytest.approx(
        torch.log(torch.tensor(5.0)).item()
    )
