"""LoRA against PEFT (forward, gradients, merge, names), on our Llama and on transformers'; what a bad call says; the
stage on disk.
"""

import copy
import json

import pytest
import torch

from course_lib.stages import lora
from course_lib.stages.artifacts import ArtifactError, read_tensors, save_stage, write_tensors
from course_lib.stages.model import Llama, ModelConfig, to_transformers
from course_lib.stages.nf4 import quantize_base

TINY = ModelConfig(vocabulary=96, hidden=32, intermediate=64, layers=2, heads=2, context=64)
IDS = torch.randint(3, 96, (3, 17), generator=torch.Generator().manual_seed(0))


def adapted(rank=4, alpha=8, targets=lora.ALL_LINEAR, seed=3, filled=True):
    """A tiny Llama with an adapter that is no longer zero."""
    model = lora.add_lora(Llama(TINY, seed=1), rank, alpha, targets, seed)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for layer in lora.lora_layers(model).values() if filled else ():
            layer.lora_B.copy_(0.1 * torch.randn(layer.lora_B.shape, generator=generator))
    return model


def peft_twin(model, rank, alpha, targets):
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    theirs = get_peft_model(
        to_transformers(Llama(TINY, seed=1)),
        LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), lora_dropout=0.0, task_type="CAUSAL_LM"),
    )
    set_peft_model_state_dict(theirs, lora.to_peft_state(lora.adapter_state(model)))
    return theirs


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing:FutureWarning"
)  # PEFT 0.21 asks transformers 5.23 under an old name
@pytest.mark.parametrize(
    "rank, alpha, targets", [(4, 8, lora.ALL_LINEAR), (1, 1, ("q_proj", "v_proj")), (32, 16, lora.ATTENTION)]
)
def test_forward_gradients_and_merge_equal_those_of_peft(rank, alpha, targets):
    ours = adapted(rank, alpha, targets)
    theirs = peft_twin(ours, rank, alpha, targets)
    (ours(IDS).logsumexp(-1).mean()).backward()
    (theirs(IDS).logits.logsumexp(-1).mean()).backward()
    assert (ours(IDS) - theirs(IDS).logits).abs().max() < 1e-5
    grads = {name.replace(".default", ""): p.grad for name, p in theirs.named_parameters() if p.requires_grad}
    assert sorted(grads) == sorted(lora.to_peft_state(lora.adapter_state(ours)))
    for name, layer in lora.lora_layers(ours).items():
        for part in ("lora_A", "lora_B"):
            assert torch.allclose(
                getattr(layer, part).grad, grads[f"base_model.model.{name}.{part}.weight"], atol=1e-5
            ), (name, part)
    merged = theirs.merge_and_unload().state_dict()
    for name, weight in lora.base_state(lora.merge(ours)).items():
        assert torch.allclose(weight, merged[name], atol=1e-5), name


def test_the_same_functions_adapt_transformers_own_llama():
    ours, theirs = adapted(), lora.add_lora(to_transformers(Llama(TINY, seed=1)), 4, 8)
    lora.load_adapter(theirs, lora.adapter_state(ours))
    assert (ours(IDS) - theirs(IDS).logits).abs().max() < 1e-5
    assert (theirs(IDS).logits - lora.merge_and_unload(theirs)(IDS).logits).abs().max() < 1e-5


def test_a_new_adapter_changes_nothing_and_only_it_is_trained():
    base, model = Llama(TINY, seed=1), adapted(filled=False)
    assert torch.equal(base(IDS), model(IDS))
    model(IDS).logsumexp(-1).mean().backward()
    assert {n.rpartition(".")[2] for n, p in model.named_parameters() if p.requires_grad} == {"lora_A", "lora_B"}
    assert all(
        (layer.lora_A.grad == 0).all() and (layer.lora_B.grad != 0).any() for layer in lora.lora_layers(model).values()
    )  # why it starts with B = 0
    assert all(p.grad is None for n, p in model.named_parameters() if "lora_" not in n)
    assert sum(p.numel() for p in lora.lora_parameters(model)) == 2 * (4 * 4 * 64 + 3 * 4 * 96)
    assert lora.trained_share(model) == sum(p.numel() for p in lora.lora_parameters(model)) / base.parameter_count()
    limit = 1 / 32**0.5
    drawn = lora.lora_layers(model)["model.layers.0.self_attn.q_proj"].lora_A
    assert 0.8 * limit < drawn.abs().max() <= limit
    same, other = adapted(filled=False), adapted(filled=False, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(lora.lora_parameters(model), lora.lora_parameters(same)))
    assert not torch.equal(lora.lora_parameters(model)[0], lora.lora_parameters(other)[0])


def test_merge_unmerge_and_swap():
    model = adapted()
    before, start = model(IDS), {n: w.clone() for n, w in lora.base_state(model).items()}
    lora.merge(lora.merge(model))  # the second does nothing
    assert (model(IDS) - before).abs().max() < 1e-5 and not torch.equal(
        lora.base_state(model)["model.layers.0.mlp.up_proj.weight"], start["model.layers.0.mlp.up_proj.weight"]
    )
    with pytest.raises(ValueError, match="unmerge"):
        lora.load_adapter(model, lora.adapter_state(model))
    lora.unmerge(lora.unmerge(model))
    assert all((w - start[n]).abs().max() < 1e-6 for n, w in lora.base_state(model).items())
    mine, other = lora.adapter_state(model), {n: torch.zeros_like(t) for n, t in lora.adapter_state(model).items()}
    assert (
        torch.equal(lora.load_adapter(model, other)(IDS), Llama(TINY, seed=1)(IDS))
        or (model(IDS) - Llama(TINY, seed=1)(IDS)).abs().max() < 1e-5
    )
    assert (lora.load_adapter(model, lora.to_peft_state(mine))(IDS) - before).abs().max() < 1e-5
    plain = lora.merge_and_unload(model)
    assert sorted(plain.state_dict()) == sorted(Llama(TINY).state_dict()) and all(
        p.requires_grad for p in plain.parameters()
    )
    assert (plain(IDS) - before).abs().max() < 1e-5


def test_what_does_not_fit_gets_one_line():
    with pytest.raises(ValueError, match="rank 33 does not fit a layer of 32 → 32: choose a rank from 1 to 32"):
        lora.add_lora(Llama(TINY), 33, 8)
    with pytest.raises(ValueError, match="rank 0"):
        lora.add_lora(Llama(TINY), 0, 8)
    model = Llama(TINY)
    with pytest.raises(ValueError, match="no layer is called 'c_attn': choose targets from down_proj, gate_proj"):
        lora.add_lora(model, 4, 8, ("q_proj", "c_attn"))
    assert not lora.lora_layers(model) and all(p.requires_grad for p in model.parameters())  # untouched
    with pytest.raises(ValueError, match="no targets"):
        lora.add_lora(model, 4, 8, ())
    with pytest.raises(ValueError, match="already"):
        lora.add_lora(adapted(), 4, 8)
    for other, words in ((adapted(rank=2), "shape"), (adapted(targets=("q_proj",)), "other layers")):
        with pytest.raises(ValueError, match=words):
            lora.load_adapter(adapted(), lora.adapter_state(other))


def test_an_adapter_on_a_4_bit_base_trains_but_does_not_merge():
    model = lora.add_lora(quantize_base(Llama(TINY, seed=1)), 4, 8)
    model(IDS).logsumexp(-1).mean().backward()
    assert all((layer.lora_B.grad != 0).any() for layer in lora.lora_layers(model).values())
    with pytest.raises(ValueError, match="4 bits"):
        lora.merge(model)


@pytest.mark.parametrize("four_bits", [False, True])
def test_the_stage_on_disk(tmp_path, four_bits):
    model = (
        adapted()
        if not four_bits
        else lora.load_adapter(lora.add_lora(quantize_base(Llama(TINY, seed=1)), 4, 8), lora.adapter_state(adapted()))
    )
    folder = lora.save_adapter_stage(model, {"seed": 0}, folder=tmp_path / "lora")
    again, record = lora.load_adapter_stage(folder=folder)
    assert (
        record["lora"] == {"rank": 4, "alpha": 8, "targets": sorted(lora.ALL_LINEAR)}
        and record["stage"] == "lora"
        and record["seed"] == 0
    )
    assert (again(IDS) - model(IDS)).abs().max() < 1e-5
    tensors, _ = read_tensors(folder / "model.safetensors")
    assert set(tensors) == set(Llama(TINY).state_dict()) | set(lora.adapter_state(model))
    assert json.loads((folder / "record.json").read_text())["sha256"]


def test_a_stage_that_is_something_else_gets_one_line(tmp_path):
    for model in (Llama(TINY), lora.merge(adapted())):
        with pytest.raises(ArtifactError, match="no separate adapter"):
            lora.save_adapter_stage(model, {}, folder=tmp_path)
    save_stage("lora", Llama(TINY), {}, tmp_path / "plain")
    with pytest.raises(ArtifactError, match="no adapter"):
        lora.load_adapter_stage(folder=tmp_path / "plain")
    folder = lora.save_adapter_stage(adapted(), {}, folder=tmp_path / "ok")
    tensors, record = read_tensors(folder / "model.safetensors")
    for wrong in (
        {"rank": 3, "alpha": 8, "targets": ["q_proj"]},
        {"rank": 99, "alpha": 8, "targets": list(lora.ALL_LINEAR)},
        {"rank": 4},
    ):
        write_tensors(folder / "model.safetensors", tensors, {**record, "lora": wrong})
        with pytest.raises(ArtifactError, match="save the adapter again"):
            lora.load_adapter_stage(folder=folder)
    (folder / "model.safetensors").write_bytes(b"not one")
    with pytest.raises(ArtifactError, match="damaged"):
        lora.load_adapter_stage(folder=folder)


def test_base_state_copies_nothing_twice():
    model = copy.deepcopy(adapted())
    assert list(lora.base_state(model)) == list(Llama(TINY).state_dict()) or set(lora.base_state(model)) == set(
        Llama(TINY).state_dict()
    )


# ---- the recipe of lab 04


SMALL = ModelConfig(hidden=32, intermediate=64, layers=1, heads=2)
FEW = lora.sft.SFTConfig(examples=24, replay=4, batch=256, learning_rate=1e-2, validations=0)


def test_fresh_rows_touch_only_tokens_that_were_never_seen_and_tell_them_apart():
    model = Llama(SMALL)
    with torch.no_grad():
        model.model.embed_tokens.weight[~lora.seen_tokens()] = 1.0  # as training leaves them: all alike
    before = model.model.embed_tokens.weight.detach().clone()
    after = lora.fresh_rows(model).model.embed_tokens.weight.detach()
    seen = lora.seen_tokens()
    assert torch.equal(after[seen], before[seen]) and 500 < int((~seen).sum()) < 1500
    assert (after[~seen].std(0) > 0.03).all()
    once = after.clone()
    assert torch.allclose(lora.fresh_rows(model).model.embed_tokens.weight, once, atol=0.2)


@pytest.mark.parametrize(
    "way, trained", [({}, 4 * (4 * 64 + 3 * 96)), ({"four_bits": True}, 4 * (4 * 64 + 3 * 96)), ({"full": True}, None)]
)
def test_the_recipe_trains_what_it_says(way, trained):
    run = lora.lora("tiny", base=Llama(SMALL), config=FEW, progress=False, **way)
    assert (
        run.record["trained_parameters"] == (trained or Llama(SMALL).parameter_count())
        and run.record["parent"] == "sft"
    )
    assert run.record["recipe"]["four_bits"] == way.get("four_bits", False) and all(
        row["train_loss"] > 0 for row in run.history
    )
    if trained:
        assert any((layer.lora_B != 0).any() for layer in lora.lora_layers(run.model).values())


def test_an_unknown_size_gets_one_line():
    with pytest.raises(ValueError, match="choose one of tiny, laptop, gpu"):
        lora.lora("huge", base=Llama(SMALL))


def test_qlora_on_transformers_own_llama():
    theirs = lora.add_lora(quantize_base(to_transformers(Llama(TINY, seed=1)), embedding=False), 4, 8)
    theirs(IDS, labels=IDS).loss.backward()
    assert all((layer.lora_B.grad != 0).any() for layer in lora.lora_layers(theirs).values())
    assert (
        lora.trained_share(theirs)
        == sum(p.numel() for p in lora.lora_parameters(theirs)) / Llama(TINY).parameter_count()
    )
