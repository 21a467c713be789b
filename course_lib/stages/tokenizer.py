"""The course tokenizer: byte-level BPE, trained once on the village by `tokenizers`, shipped as one JSON file.

Lab 01 writes BPE by hand; here the library does it. Digits are split one by one, as in SmolLM2 and Llama 3's
successors.
"""

from functools import cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from course_lib.platform import PACKAGE

SPECIAL = ("<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>")
PAD, BOS, EOS, IM_START, IM_END = range(len(SPECIAL))
VOCABULARY = 2432
SHIPPED = PACKAGE / "shipped" / "tokenizer.json"


def train_tokenizer(texts: list[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """BPE over bytes, so that no text is out of vocabulary. May learn fewer merges than asked on a small corpus."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@cache
def load_tokenizer() -> Tokenizer:
    """The shipped tokenizer. Every stage of the course uses it, so that models and artefacts fit together."""
    return Tokenizer.from_file(str(SHIPPED))


@cache
def numbers(n: int) -> tuple[int, ...]:
    """0 … n − 1, each of them once: an encoding makes the number of every token anew, which takes 28 bytes."""
    return tuple(range(n))


def encode_documents(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids of whole documents, each [BOS, …, EOS]."""
    ids, known = [], numbers(tokenizer.get_vocab_size())
    for start in range(0, len(texts), 1_000):  # an encoding takes fifty times the memory of its ids
        made = tokenizer.encode_batch(texts[start : start + 1_000], add_special_tokens=False)
        ids += [[BOS, *(known[i] for i in encoding.ids), EOS] for encoding in made]
    return ids


def to_transformers(tokenizer: Tokenizer):
    """The same tokenizer as a `PreTrainedTokenizerFast`, for TRL and PEFT."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|bos|>",
        eos_token="<|eos|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        model_max_length=512,
    )
