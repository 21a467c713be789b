"""The model against transformers' own (reference), and the properties that a causal model must have (behaviour)."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from course_lib.stages.lora import add_lora, lora_layers, quantize_base
from course_lib.stages.model import Llama, ModelConfig, one_a_row, to_transformers

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


LENGTHS = (17, 9, 12)


def to_read(way: str):
    """(a model, ids, what `hidden` is told of them) for each way of reading a batch."""
    generator = torch.Generator().manual_seed(5)
    model = Llama(SMALL, seed=3)
    if way == "LoRA":
        add_lora(model, 2, 4)
        for layer in lora_layers(model).values():
            torch.nn.init.normal_(layer.lora_B, std=0.1, generator=generator)
    if way == "LoRA in 4 bits":
        model = add_lora(quantize_base(Llama(replace(SMALL, intermediate=64), seed=3)), 2, 4)
        for layer in lora_layers(model).values():
            torch.nn.init.normal_(layer.lora_B, std=0.1, generator=generator)
    model.checkpointing = way == "checkpointing"
    rows = [torch.randint(1, 64, (n,), generator=generator) for n in LENGTHS]
    if way == "packed":
        numbers = [torch.full((n,), k) for k, n in enumerate(LENGTHS)]
        return model, torch.cat(rows)[None, :32], {"segments": torch.cat(numbers)[None, :32]}
    if way == "padding on the left":
        ids = torch.nn.utils.rnn.pad_sequence(rows, True, 0, padding_side="left")
        past = torch.ones(17, 17, dtype=torch.bool).tril()
        return model, ids, {"visible": ((ids != 0)[:, None, None] & past) | torch.eye(17, dtype=torch.bool)}
    return model, torch.nn.utils.rnn.pad_sequence(rows, True, 0), {}


WAYS = ("padding on the right", "padding on the left", "packed", "LoRA", "LoRA in 4 bits", "checkpointing")


@pytest.mark.parametrize("way", WAYS)
def test_states_at_places_and_their_gradients_are_those_of_the_whole_pass(way):
    model, ids, told = to_read(way)
    places = (ids != 0).flatten().nonzero()[1::3, 0]
    weight = torch.randn(len(places), SMALL.hidden, generator=torch.Generator().manual_seed(1))
    trained = [p for p in model.parameters() if p.requires_grad]
    states, gradients = [], []
    for read in (
        lambda: model.hidden(ids, **told).flatten(0, 1)[places],
        lambda: model.hidden(ids, **told, places=places),
    ):
        states.append(read())
        gradients.append(torch.autograd.grad((states[-1] * weight).sum(), trained))
    torch.testing.assert_close(states[1], states[0], atol=1e-5, rtol=0)
    for whole, ours in zip(*gradients):
        torch.testing.assert_close(ours, whole, atol=2e-5 * float(whole.abs().max()), rtol=0)
        assert whole.abs().max() > 1e-4


def test_the_last_block_is_keys_and_values_where_nobody_reads():
    model, ids, _ = to_read("padding on the right")
    places, counted = one_a_row(torch.tensor(LENGTHS) - 1, 17), []
    for read in (lambda: model.hidden(ids), lambda: model.hidden(ids, places=places)):
        with FlopCounterMode(display=False) as flop:
            read().sum().backward()
        counted.append(flop.get_total_flops())
    d, f, spared = SMALL.hidden, SMALL.intermediate, ids.numel() - len(places)
    assert counted[0] - counted[1] == 6 * (d * d + 3 * d * f) * spared  # o_proj and the MLP, forward and backward


@torch.no_grad()
@pytest.mark.parametrize("at_once", (1, 40, 1_000))
def test_prompts_are_read_in_parts_and_go_on_as_if_each_stood_alone(monkeypatch, at_once):
    monkeypatch.setattr("course_lib.stages.model.tokens_at_once", lambda device: at_once)
    model, ids, _ = to_read("padding on the right")
    more, empty = torch.tensor([5, 6, 7]), torch.Tensor.new_empty
    # memory that nobody has written to may hold anything
    monkeypatch.setattr(torch.Tensor, "new_empty", lambda t, shape: empty(t, shape).fill_(torch.nan))
    logits, cache = model.read(ids, torch.tensor(LENGTHS), 3, 4)
    after = model.read_on(more, cache)
    for k, n in enumerate(LENGTHS):
        text = torch.cat((ids[k, :n], more[k : k + 1]))[None]
        torch.testing.assert_close(logits[k], model(text)[0, -2], atol=1e-5, rtol=0)
        torch.testing.assert_close(after[k], model(text)[0, -1], atol=1e-5, rtol=0)
