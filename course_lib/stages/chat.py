"""The chat template of a real model, whatever family it is of: what of a conversation the assistant says, and what ends
its turn.

A template is a program. It may call the assistant "model", put a header of its own before each turn, drop the thinking
of earlier turns, put an empty one before the last, refuse a system message or leave it out. So nothing is supposed
about what it writes: a word that stands nowhere else is put in an answer's place, and the two texts are compared.
"""

import unicodedata

from course_lib.platform import CourseError
from course_lib.stages.sft import IGNORE, check_message

WORD = "Zwischenruf7351"


def rendered(words, messages: list[dict], generation_prompt: bool = False) -> str:
    """The conversation as the model reads it. `generation_prompt` opens the assistant's next turn.

    Raises CourseError, one line, for a tokenizer without a template, for a conversation that the template refuses, and
    where it leaves out what somebody asks.
    """
    from jinja2.exceptions import TemplateError

    if not words.chat_template:
        raise CourseError(
            "this model's tokenizer has no chat template: take a model that was taught to answer, such as "
            "SmolLM2-135M-Instruct"
        )
    for message in messages:
        check_message(message)
    try:
        text = words.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation_prompt)
    except (TemplateError, TypeError) as error:
        roles = ", ".join(message["role"] for message in messages)
        raise CourseError(
            f"this model's chat template refuses a conversation of {roles} ({str(error).splitlines()[0]}): put what a "
            "system message says into the user's, and let the two speak by turns"
        ) from None
    for message in messages:
        if message["role"] != "assistant" and message["content"].strip() not in text:
            raise CourseError(
                f"this model's chat template leaves out what the {message['role']} says: put it into another message"
            )
    return text


def header(words) -> str:
    """What a template writes to open the assistant's turn; "" where it writes nothing."""
    asked = [{"role": "user", "content": WORD}]
    plain, opened = rendered(words, asked), rendered(words, asked, True)
    return opened.removeprefix(plain) if opened.startswith(plain) else ""


def special(words) -> set[int]:
    """The tokens that stand for no text."""
    return {*words.all_special_ids, *(i for i, token in words.added_tokens_decoder.items() if token.special)}


def end_of_turn(words) -> int | None:
    """The token that the template puts after what the assistant says; None where it puts no special one."""
    text = rendered(words, [{"role": "user", "content": "?"}, {"role": "assistant", "content": WORD}])
    after = words(text.partition(WORD)[2].lstrip(), add_special_tokens=False)["input_ids"]
    return after[0] if after and after[0] in special(words) else None


def spoken(words, messages: list[dict], k: int, text: str) -> tuple[int, int]:
    """(start, end) of what message k, an assistant's, says in `text`, the rendering of all messages: all that the model
    has to write after its turn was opened, but for the token that ends it. Raises CourseError where it cannot be told.
    """
    other = [*messages[:k], {**messages[k], "content": WORD}, *messages[k + 1 :]]
    before, found, after = rendered(words, other).partition(WORD)
    # it begins where the model is asked to begin; between there and the answer may stand an empty thinking, which the
    # template writes and the model will have to. Where earlier turns have changed since, the header tells
    asked, opening = rendered(words, messages[:k], True) if k else "", header(words)
    if asked and before.startswith(asked):
        start = len(asked)
    else:
        start = before.rfind(opening) + len(opening) if opening and opening in before else len(before)
    end = len(text) - len(after)
    once = found and WORD not in after
    if not once or start > end or not text.startswith(before[:start]) or not text.endswith(after):
        raise CourseError(
            f"what message {k} says cannot be found in what the model's chat template makes of the conversation: take "
            "shorter conversations, or a model with a plainer template"
        )
    return start, end


def labelled(words, messages: list[dict]) -> tuple[list[int], list[int]]:
    """(ids, labels) of a conversation; labels are the ids of what the assistant says and of the token that ends its
    turn, −100 elsewhere. Raises CourseError where the tokens do not give back what was said.
    """
    text = rendered(words, messages)
    if not words.is_fast:
        raise CourseError("this tokenizer does not say where in a text a token stands: take a model with a fast one")
    end_token = end_of_turn(words)
    coded = words(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, places = coded["input_ids"], coded["offset_mapping"]
    labels = [IGNORE] * len(ids)
    for k in (k for k, message in enumerate(messages) if message["role"] == "assistant"):
        start, end = spoken(words, messages, k, text)
        first = next((i for i, (_, stop) in enumerate(places) if stop > start), len(ids))
        last = next((i for i, (begin, _) in enumerate(places) if begin >= end and i >= first), len(ids))
        readable = words.unk_token_id not in ids[first:last]
        if readable and squeezed(words.decode(ids[first:last])) != squeezed(text[start:end]):
            raise CourseError(f"the tokens of message {k} do not give back what it says, so it cannot be labelled")
        if end_token in ids[last:]:
            stop = last + ids[last:].index(end_token)
            if not squeezed(words.decode(ids[last:stop])):  # nothing but blanks before it
                last = stop + 1
        labels[first:last] = ids[first:last]
    return ids, labels


def squeezed(text: str) -> str:
    """The text without blanks, and without the differences that tokenizers level."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def made_ready(model, words):
    """(model, words) with what the labs count on, whichever model it is: a pad token, `eos_token` as the token that
    ends the assistant's turn, and `generate` that stops at it.
    """
    ends, pad = listed(model.generation_config.eos_token_id), model.generation_config.pad_token_id
    candidates = [pad, words.unk_token_id, words.eos_token_id]
    try:
        end = end_of_turn(words) if words.chat_template else None
    except CourseError:
        end = None  # it is said when a conversation is rendered
    if end is not None and end != words.eos_token_id:
        words.eos_token = words.convert_ids_to_tokens(end)
    if words.pad_token_id is None:  # what is padding must not end a turn, where there is another token
        free = [token for token in candidates if token is not None and token != words.eos_token_id]
        words.pad_token = words.convert_ids_to_tokens(free[0]) if free else words.eos_token
    ends = sorted({*ends, *listed(words.eos_token_id)})
    model.generation_config.eos_token_id = ends if len(ends) > 1 else next(iter(ends), None)
    model.generation_config.pad_token_id = words.pad_token_id
    return model, words


def listed(ids: int | list[int] | None) -> list[int]:
    """generation_config names one token, several, or none."""
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)
