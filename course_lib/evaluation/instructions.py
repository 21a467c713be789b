"""Does the assistant do what it is asked? Answers to task rows, judged by the programmatic checker of each row."""
import torch

from course_lib.stages.generate import generate_ids
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import IM_END
from course_lib.world.tasks import passes


@torch.no_grad()
def respond(
    model, tokenizer, conversations: list[list[dict]], max_new_tokens: int = 80, temperature: float = 0.0, seed: int = 0, top_p: float = 1.0, batch: int = 128
) -> list[str]:
    """The assistant's next turn for each conversation (messages that end with the user's). Greedy by default."""
    prompts = [encode_chat(tokenizer, messages, generation_prompt=True)[0] for messages in conversations]
    answers: list[str] = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda k: len(prompts[k]))      # similar lengths together
    for start in range(0, len(order), batch):
        part = order[start:start + batch]
        for k, new in zip(part, generate_ids(model, [prompts[k] for k in part], max_new_tokens, temperature, top_p, seed + start, stop=IM_END)):
            answers[k] = tokenizer.decode(new)
    return answers


def score(model, tokenizer, rows: list[dict], **options) -> dict:
    """{"accuracy", "by_kind", "n", "answers", "right"}: the share of rows whose answer passes the row's checker; `options` go to `respond`."""
    training = model.training
    model.eval()
    answers = respond(model, tokenizer, [row["messages"][:-1] for row in rows], **options)
    model.train(training)
    right = [passes(row, answer) for row, answer in zip(rows, answers)]
    kinds = sorted({row["kind"] for row in rows})
    by_kind = {kind: sum(r for r, row in zip(right, rows) if row["kind"] == kind) / sum(row["kind"] == kind for row in rows) for kind in kinds}
    return {"accuracy": sum(right) / len(right), "by_kind": by_kind, "n": len(rows), "answers": answers, "right": right}
