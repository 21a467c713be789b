"""The model against transformers' own (reference), and the properties that a causal model must have (behaviour)."""

import pytest
import torch

from course_lib.stages.model import Llama, ModelConfig, to_transformers

SMALL = ModelConfig(vocabulary=64, hidden=32, intermediate=80, layers=2, heads=4, context=32)


def test_logits_and_gradients_equal_transformers():
    # ids from 1: theirs gives the padding id's embedding no gradient
    mine = Llama(SMALL, seed=3)
    theirs = to_transformers(mine)
    ids = torch.randint(1, 64, (3, 17), generator=torch.Generator().manual_seed(0))
    a, b = mine(ids), theirs(ids).logits
    assert torch.allclose(a, b, atol=1e-5)
    weight = torch.randn(a.shape, generator=torch.Generator().manual_seed(1))
    (a * weight).sum().backward()
    (b * weight).sum().backward()
    grads = dict(theirs.named_parameters())
    for name, p in mine.named_parameters():
        assert torch.allclose(p.grad, grads[name].grad, atol=1e-3, rtol=1e-4), name


def test_the_past_does_not_see_the_future():
    model = Llama(SMALL)
    ids = torch.randint(0, 64, (1, 10), generator=torch.Generator().manual_seed(0))
    changed = ids.clone()
    changed[0, 6:] = (changed[0, 6:] + 1) % 64
    assert torch.allclose(model(ids)[:, :6], model(changed)[:, :6], atol=1e-6)
    assert not torch.allclose(model(ids)[:, 6:], model(changed)[:, 6:], atol=1e-3)


def test_the_seed_decides_the_weights():
    a, b, c = Llama(SMALL, 1).state_dict(), Llama(SMALL, 1).state_dict(), Llama(SMALL, 2).state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["model.embed_tokens.weight"], c["model.embed_tokens.weight"])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft 0.21 asks transformers for a name that it is about to drop
def test_peft_takes_the_model():
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(
        to_transformers(Llama(SMALL)), peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    assert wrapped(torch.zeros(1, 4, dtype=torch.long)).logits.shape == (1, 4, 64)
