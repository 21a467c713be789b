"""A stand-in for SmolLM2 that needs no download: its architecture with 2 layers of width 16, its chat template, its
special tokens at their places.

    python tests/tiny_smollm2.py FOLDER

Written by hand with NumPy and tokenizers, in a tenth of a second: whoever imports this has not imported torch.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORLD = Path(__file__).parents[1] / "course_lib" / "world"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou "
    "are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if "
    "add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
VOCABULARY, WIDTH, MLP, LAYERS = 1024, 16, 32, 2


def write(folder):
    """The model's folder, as save_pretrained writes it. Returns it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    texts = [path.read_text(encoding="utf-8") for path in sorted(WORLD.glob("real_*.py"))]
    words.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    words.save(str(folder / "tokenizer.json"))
    named = {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
    }
    shape = {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
    for name, content in {
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 8192,
            "clean_up_tokenization_spaces": False,
            "chat_template": TEMPLATE,
            **named,
        },
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": True,
            "dtype": "float32",
            **shape,
            **ends,
        },
        "generation_config.json": ends,
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n")
    draw = np.random.default_rng(0)
    layer = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (WIDTH // 2, WIDTH),
        "self_attn.v_proj": (WIDTH // 2, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (MLP, WIDTH),
        "mlp.up_proj": (MLP, WIDTH),
        "mlp.down_proj": (WIDTH, MLP),
    }
    shapes = {
        "model.embed_tokens": (VOCABULARY, WIDTH),
        **{f"model.layers.{k}.{name}": size for k in range(LAYERS) for name, size in layer.items()},
    }
    norms = [
        "model.norm",
        *(
            f"model.layers.{k}.{name}"
            for k in range(LAYERS)
            for name in ("input_layernorm", "post_attention_layernorm")
        ),
    ]
    tensors = {
        f"{name}.weight": (draw.standard_normal(size) * (0.1 if "embed" in name else 0.5)).astype(np.float32)
        for name, size in shapes.items()
    }
    save_file(
        tensors | {f"{name}.weight": np.ones(WIDTH, np.float32) for name in norms},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


if __name__ == "__main__":
    write(sys.argv[1])
