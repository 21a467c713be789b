#!/usr/bin/env bash
# trl 1.16.0 with peft 0.21.2: DPO on an adapter takes the model with its adapter switched off as the reference. With init_lora_weights="pissa" (olora and
# the like, too) the base's weights have been changed to what is left after the adapter was taken out of them, so that "switched off" is not the model that
# training began from. No error and no warning: before any step the loss is not ln 2 and the implicit rewards are not 0. With the ordinary initialisation they are.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 transformers==5.23.0 peft==0.21.2 trl==1.16.0 datasets==5.2.0 accelerate==1.15.0
cd "$place"
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 "$place/venv/bin/python" - 2>"$place/log" <<'PYTHON' || { tail -n 20 "$place/log"; exit 1; }
import math

import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

words = ["<pad>", "<eos>", "<unk>", *(f"w{n}" for n in range(60))]
raw = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
raw.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
torch.manual_seed(0)
config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2)
LlamaForCausalLM(config).save_pretrained("base")
rows = Dataset.from_list([{"prompt": "w1 w2", "chosen": f"w{3 + n} w5", "rejected": f"w{9 + n} w8 w9"} for n in range(8)])


def first_loss(init):
    settings = DPOConfig(output_dir="out", per_device_train_batch_size=8, max_steps=1, learning_rate=0.0, report_to=[], use_cpu=True, bf16=False,
                         logging_steps=1, save_strategy="no", disable_tqdm=True)
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj", "down_proj"], task_type="CAUSAL_LM", init_lora_weights=init)
    trainer = DPOTrainer(LlamaForCausalLM.from_pretrained("base"), args=settings, train_dataset=rows, processing_class=tokenizer, peft_config=adapter)
    trainer.train()
    return next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)


plain, pissa = first_loss(True), first_loss("pissa")
print(f"loss before any step: LoRA {plain:.6f}, PiSSA {pissa:.6f}, ln 2 = {math.log(2):.6f}")
assert abs(plain - math.log(2)) < 1e-6 and abs(pissa - math.log(2)) > 1e-4
PYTHON
