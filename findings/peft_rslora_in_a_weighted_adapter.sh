#!/usr/bin/env bash
# PEFT 0.21.2: add_weighted_adapter of one rsLoRA adapter (LoraConfig(use_rslora=True)) with weight 1 is not that adapter: for svd, cat and linear alike the
# sum comes out √r times too large (r: the rank of the new adapter: 2 at rank 4, 8 at rank 64; cat of two of rank 16: √32). The scales of the parts are
# multiplied into the new matrices, and the new adapter, meant to have scale 1, has the first one's settings, so alpha / √r with alpha = r. For ordinary LoRA,
# where alpha / r is 1, all three are exact.
# Ours has no rsLoRA and adds no adapters together: course_lib/stages/lora.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from torch import nn


def strength(rank, rslora, ways, parts=1):
    """{way: size of the weighted adapter over the sum of its parts}, each part with weight 1."""
    torch.manual_seed(0)
    config = LoraConfig(r=rank, lora_alpha=16, target_modules=["0"], use_rslora=rslora)
    model = get_peft_model(nn.Sequential(nn.Linear(128, 128)), config, adapter_name="part 0")
    for k in range(1, parts):
        model.add_adapter(f"part {k}", config)
    layer, names = model.base_model.model[0], [f"part {k}" for k in range(parts)]
    for name in names:
        nn.init.normal_(layer.lora_B[name].weight)
    whole = sum(layer.get_delta_weight(name) for name in names)
    found = {}
    for way in ways:
        model.add_weighted_adapter(names, [1.0] * parts, way, combination_type=way)
        made = layer.get_delta_weight(way)
        found[way] = round(float((made * whole).sum() / (whole * whole).sum()), 2)
        assert torch.allclose(made, found[way] * whole, atol=0.01 * float(whole.abs().max()))
    return found


WAYS = ("svd", "cat", "linear")
seen = {(rank, rslora): strength(rank, rslora, WAYS) for rslora in (False, True) for rank in (4, 16, 64)}
for (rank, rslora), factors in seen.items():
    print(f"one {'rsLoRA' if rslora else 'LoRA'} adapter of rank {rank}, weight 1: {factors} of it")
two = strength(16, True, ["cat"], parts=2)
print(f"two rsLoRA adapters of rank 16: {two} of their sum")
for (rank, rslora), factors in seen.items():
    assert factors == dict.fromkeys(WAYS, rank**0.5 if rslora else 1.0)
assert two == {"cat": 5.66}
PYTHON
