#!/usr/bin/env bash
# peft 0.21.2: LoRA on lm_head of a model whose head is tied to its embedding trains the head alone, and merge_and_unload() then writes the delta into the one
# matrix that both share: the merged model reads its input through the changed embedding, too, and is another function. On q_proj the merge is exact.
# Ours: LoRA on a tied head is refused or merged rightly (course_lib/stages/real_training.py, and tests/stages).
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2
OMP_NUM_THREADS=1 "$place/venv/bin/python" - <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
                     tie_word_embeddings=True)
ids, off = torch.arange(10)[None], {}
for target in ("q_proj", "lm_head"):
    torch.manual_seed(0)
    lora = LoraConfig(r=4, target_modules=[target], task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(LlamaForCausalLM(config), lora).eval()
    with torch.no_grad():
        before = model(ids).logits
        after = model.merge_and_unload()(ids).logits
    off[target] = float((after - before).abs().max() / before.abs().max())
print({target: f"{value:.2g}" for target, value in off.items()})
assert off["q_proj"] < 1e-5 and off["lm_head"] > 0.05
PYTHON
