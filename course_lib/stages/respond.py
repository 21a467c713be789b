"""The assistant's next turn: a conversation in, its answer as text out."""

import torch

from course_lib.stages.generate import generate_ids
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END


@torch.no_grad()
def respond(
    model,
    tokenizer,
    conversations: list[list[dict]],
    max_new_tokens: int = 80,
    temperature: float = 0.0,
    seed: int = 0,
    top_p: float = 1.0,
    batch: int = 128,
) -> list[str]:
    """The assistant's next turn for each conversation (messages that end with the user's). Greedy by default."""
    prompts = [encode_chat(tokenizer, messages, generation_prompt=True)[0] for messages in conversations]
    answers: list[str] = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda k: len(prompts[k]))  # similar lengths together
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        asked = [prompts[k] for k in part]
        new = generate_ids(model, asked, max_new_tokens, temperature, top_p, seed + start, stop=IM_END)
        for k, ids in zip(part, new):
            answers[k] = tokenizer.decode(ids)
    return answers
