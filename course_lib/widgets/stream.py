"""Text while it grows: the answers of an assistant, or of several models at once, after each token."""

from collections.abc import Iterator

from course_lib.stages.generate import token_steps
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import BOS, EOS, IM_END


def growing(
    model,
    tokenizer,
    prompts: list[list[int]],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    stop: int,
) -> Iterator[list[str]]:
    """The texts of all rows after each step, the same as `generate_ids` decoded. A character of several tokens shows
    when it is whole.
    """
    ids: list[list[int]] = [[] for _ in prompts]
    for tokens in token_steps(model, prompts, max_new_tokens, temperature, top_p, seed, stop):
        for row, token in tokens.items():
            ids[row].append(token)
        yield [tokenizer.decode(row).rstrip("�") for row in ids]
    yield [tokenizer.decode(row) for row in ids]


def texts(
    model,
    tokenizer,
    messages: list[dict],
    max_new_tokens: int = 80,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """The assistant's next turn after each token, at the end the whole of it: what `respond` gives at once.
    `functools.partial(texts, model, tokenizer)` answers a chat.
    """
    prompt = encode_chat(tokenizer, messages, generation_prompt=True)[0]
    for [text] in growing(model, tokenizer, [prompt], max_new_tokens, temperature, top_p, seed, IM_END):
        yield text


def prompt_ids(tokenizer, prompt: str, chat: bool) -> list[int]:
    """A prompt as the user's turn of a chat, or as the start of a document."""
    if chat:
        return encode_chat(tokenizer, [{"role": "user", "content": prompt}], generation_prompt=True)[0]
    return [BOS, *tokenizer.encode(prompt, add_special_tokens=False).ids]


def stop_of(chat: bool) -> int:
    return IM_END if chat else EOS
