#!/usr/bin/env bash
# PEFT 0.21.2: unload(), which by its documentation returns the base model, returns one with the trained copies of modules_to_save, as merge_and_unload does:
# the adapters of the inner layers are gone and the head is the tuned one, together a model that nobody has trained or measured. With bias="all" the trained
# biases stay, too. disable_adapter() gives the original head back, and warns of the biases. So a reference model that is made by unload() from a policy with
# a trained head is none: its KL to the base model is not 0.
# Ours keeps the reference model as a model of its own: course_lib/stages/dpo.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

IDS = torch.tensor([[1, 2, 3, 4]])


def model():
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, attention_bias=True, tie_word_embeddings=False)
    ).eval()


@torch.no_grad()
def seen(end, **config):
    """How far the logits are from the base model's when the adapter, moved by noise, is switched off or taken out."""
    base, tuned = model()(IDS).logits, get_peft_model(model(), LoraConfig(target_modules=["q_proj"], **config)).eval()
    torch.manual_seed(1)
    for weight in tuned.parameters():
        if weight.requires_grad:
            weight.add_(0.3 * torch.randn_like(weight))
    if end == "unload":
        return round(float((tuned.unload()(IDS).logits - base).abs().max()), 2)
    with tuned.disable_adapter():
        return round(float((tuned(IDS).logits - base).abs().max()), 2)


CONFIGS = {"LoRA alone": {}, "a trained head": {"modules_to_save": ["lm_head"]}, "all biases": {"bias": "all"}}
table = {name: {end: seen(end, **config) for end in ("disable_adapter", "unload")} for name, config in CONFIGS.items()}
for name, ends in table.items():
    print(f"{name}: logits apart from the base model's by {ends}")
assert table["LoRA alone"] == {"disable_adapter": 0.0, "unload": 0.0}
assert table["a trained head"]["disable_adapter"] == 0.0 and table["a trained head"]["unload"] > 1
assert table["all biases"]["disable_adapter"] == table["all biases"]["unload"] > 0.1
PYTHON
