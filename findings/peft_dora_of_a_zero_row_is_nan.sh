#!/usr/bin/env bash
# PEFT 0.21.2: DoRA (LoraConfig(use_dora=True)) on a linear layer with a row of zeros makes that output NaN at once, before any step and without an error: it
# divides the row by its own length. A head whose vocabulary is padded to a multiple of 64 has such rows, and one NaN logit makes the softmax over the whole
# vocabulary NaN, so that every token's probability and the loss are gone. LoRA on the same layer, and DoRA on an embedding with such a row, begin as the
# model was.
# Ours has plain LoRA only: course_lib/stages/lora.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

IDS = torch.tensor([[1, 2, 3, 4]])
USED, PADDED = 60, 64


def model():
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=PADDED, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, tie_word_embeddings=False)
    made = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for weight in (made.lm_head.weight, made.model.embed_tokens.weight):
            weight[USED:] = 0  # tokens that are none
    return made


@torch.no_grad()
def seen(module, dora, ids=IDS):
    """(NaN logits, NaN probabilities, NaN loss, the same logits as before) of an adapter that has not been trained."""
    plain = model()(ids).logits
    adapted = get_peft_model(model(), LoraConfig(r=4, target_modules=[module], use_dora=dora))
    out = adapted(ids, labels=ids)
    shares = [round(float(x.isnan().float().mean()), 4) for x in (out.logits, out.logits.softmax(-1))]
    return *shares, bool(out.loss.isnan()), torch.equal(out.logits, plain)


for module, dora in (("lm_head", False), ("embed_tokens", True), ("lm_head", True)):
    print(f"{'DoRA' if dora else 'LoRA'} on {module}: NaN logits, NaN probabilities, loss NaN, as before: {seen(module, dora)}")
assert seen("lm_head", False) == (0.0, 0.0, False, True)
assert seen("lm_head", True) == (4 / 64, 1.0, True, False)
assert seen("embed_tokens", True, torch.tensor([[1, 2, 63, 4]]))[:3] == (0.0, 0.0, False)
PYTHON
