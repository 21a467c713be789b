#!/usr/bin/env bash
# peft 0.21.2: add_weighted_adapter(..., combination_type="linear"), the default is "linear" for LoRA, does not give w1 * delta1 + w2 * delta2. It adds the
# A matrices and the B matrices (each times the root of its weight), so the product has cross terms B1 A2 and B2 A1: of two random adapters the result is
# as far from the weighted sum as the sum is long. "cat" is exact and doubles the rank; "svd" is the best that the rank allows.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2
OMP_NUM_THREADS=1 "$place/venv/bin/python" - <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)
lora = lambda: LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
model = get_peft_model(LlamaForCausalLM(config), lora(), adapter_name="one")
model.add_adapter("two", lora())
layer = model.base_model.model.model.layers[0].self_attn.q_proj
wanted = 0.5 * layer.get_delta_weight("one") + 0.5 * layer.get_delta_weight("two")
off = {}
for kind in ("linear", "cat", "svd"):
    model.add_weighted_adapter(["one", "two"], [0.5, 0.5], kind, combination_type=kind)
    off[kind] = float((layer.get_delta_weight(kind) - wanted).norm() / wanted.norm())
print({kind: round(value, 6) for kind, value in off.items()})
assert off["linear"] > 0.5 and off["cat"] < 1e-5 and off["svd"] < off["linear"]
PYTHON
