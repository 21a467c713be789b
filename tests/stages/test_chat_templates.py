"""Chat templates of seven families: what is labelled, what ends a turn, what is refused. The tokenizers and models are
made here, a few kB of random weights each.
"""

import pytest
import torch
from tiny_smollm2 import TEMPLATE as CHATML
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from course_lib.platform import CourseError
from course_lib.stages import chat, lora, real, real_training
from course_lib.stages.sft import response_loss

# As the models of these families have them, shortened: tools and dates left out.
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
    "{{ m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
QWEN3 = (  # earlier thinking goes, the last answer gets an empty one
    "{% set ns = namespace(last=0) %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{% set parts = m['content'].split('</think>') %}{% set said = parts[-1].lstrip('\n') %}"
    "{% set thought = parts[0].split('<think>')[-1].strip('\n') if parts | length > 1 else '' %}"
    "{% if loop.index0 > ns.last %}{{ '<think>\n' + thought + '\n</think>\n\n' }}{% endif %}{{ said }}"
    "{% else %}{{ m['content'] }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (  # no generation prompt, and what the system says is left out
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
# {family: (template, special tokens, bos, eos of the tokenizer, ends named by generation_config, end of the turn)}
FAMILIES = {
    "chatml": (CHATML, "<|endoftext|> <|im_start|> <|im_end|>", "<|endoftext|>", "<|endoftext|>", 1, "<|im_end|>"),
    "llama3": (
        LLAMA3,
        "<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
        2,
        "<|eot_id|>",
    ),
    "gemma": (GEMMA, "<pad> <eos> <bos> <unk> <start_of_turn> <end_of_turn>", "<bos>", "<eos>", 2, "<end_of_turn>"),
    "qwen3": (QWEN3, "<|endoftext|> <|im_start|> <|im_end|>", "<|endoftext|>", "<|endoftext|>", 2, "<|im_end|>"),
    "mistral": (MISTRAL, "<unk> <s> </s>", "<s>", "</s>", 1, "</s>"),
    "phi3": (
        PHI3,
        "<|endoftext|> <|system|> <|user|> <|assistant|> <|end|>",
        "<|endoftext|>",
        "<|endoftext|>",
        1,
        "<|end|>",
    ),
    "zephyr": (ZEPHYR, "<unk> <s> </s>", "<s>", "</s>", 1, "</s>"),
}
TALK = [{"role": "user", "content": "What do bees make?"}, {"role": "assistant", "content": "Honey, and wax."}]
LONGER = [
    *TALK,
    {"role": "user", "content": "And what do cows give,\n\nif somebody asks them kindly?"},
    {"role": "assistant", "content": "Milk – näturally.\n\nNothing else."},
]
THOUGHT = [*LONGER[:-1], {"role": "assistant", "content": "<think>\nA cow.\n</think>\n\nMilk."}]
TEXTS = [message["content"] for message in LONGER] + ["user assistant system model [INST] [/INST] <think> </think>"]


def write(folder, family):
    """The family's model as save_pretrained writes it: a random Llama of two layers, a tokenizer without padding."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    template, special, bos, eos, named, end = FAMILIES[family]
    special = special.split()
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer, plain.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(TEXTS, trainer)
    words = PreTrainedTokenizerFast(tokenizer_object=plain, bos_token=bos, eos_token=eos)
    words.add_special_tokens({"additional_special_tokens": [each for each in special if each not in (bos, eos)]})
    words.chat_template = template
    torch.manual_seed(0)
    shape = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), tie_word_embeddings=True, **shape))
    ends = words.convert_tokens_to_ids([eos, end][:named])
    model.generation_config.eos_token_id = ends if named > 1 else ends[0]
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=FAMILIES)
def ready(request, tmp_path_factory):
    """(family, model, tokenizer)"""
    return request.param, *real.smollm2(write(tmp_path_factory.mktemp("chat") / request.param, request.param))


def said_by(words, messages):
    """The texts of the labels, one for each run of them."""
    ids, labels = real_training.encode(words, messages)
    assert words.decode(ids) == words.apply_chat_template(messages, tokenize=False)
    runs, before = [], -100
    for label in labels.tolist():
        if label != -100:
            runs += [[]] if before == -100 else []
            runs[-1].append(label)
        before = label
    return [words.decode(run) for run in runs]


def test_the_turns_end_is_found_and_padding_is_not_it(ready):
    family, model, words = ready
    end = FAMILIES[family][-1]
    assert words.eos_token == end and words.convert_tokens_to_ids(end) in real_training.ends_of(model)
    assert words.pad_token_id is not None
    if len(FAMILIES[family][1].split()) > 3 or family == "chatml":
        assert words.pad_token_id != words.eos_token_id, "padding would end a turn"


def test_labels_are_what_is_said_and_what_ends_it(ready):
    family, _, words = ready
    end = FAMILIES[family][-1]
    blank = " " if family == "mistral" else ""  # it is the answer's: the prompt ends before it
    empty = "<think>\n\n</think>\n\n" if family == "qwen3" else ""
    first, last = (message["content"] for message in LONGER[1::2])
    assert said_by(words, TALK) == [blank + empty + first + end]
    assert said_by(words, LONGER) == [blank + first + end, blank + empty + last + end]
    assert said_by(words, [*LONGER[:-1], {"role": "assistant", "content": ""}])[-1].endswith(end), (
        "an empty answer ends"
    )


def test_before_an_answer_stands_what_the_model_is_asked_with(ready):
    _, _, words = ready
    for messages in (TALK, LONGER):
        ids, labels = real_training.encode(words, messages)
        begin = next(k for k in range(len(ids) - 1, -1, -1) if labels[k] == -100 and labels[k + 1 :].ne(-100).any()) + 1
        while labels[begin - 1] != -100:
            begin -= 1
        asked = words(chat.rendered(words, messages[:-1], True), add_special_tokens=False)["input_ids"]
        assert ids[:begin].tolist() == asked


def test_thinking_counts_where_the_template_keeps_it(ready):
    family, _, words = ready
    earlier = [*THOUGHT, {"role": "user", "content": "And hens?"}, {"role": "assistant", "content": "Eggs."}]
    end = FAMILIES[family][-1]
    last, dropped = said_by(words, THOUGHT)[-1], said_by(words, earlier)[1]
    assert last.strip() == THOUGHT[-1]["content"] + end
    assert dropped.strip() == ("Milk." if family == "qwen3" else THOUGHT[-1]["content"]) + end


def test_a_system_message_is_read_or_refused(ready):
    family, _, words = ready
    messages = [{"role": "system", "content": "Be kind."}, *TALK]
    if family in ("gemma", "mistral"):
        with pytest.raises(CourseError, match="system") as error:
            real_training.encode(words, messages)
        assert "\n" not in str(error.value)
        with pytest.raises(CourseError, match="system"):
            real_training.answers(None, words, [messages[:-1]])
    else:
        assert len(said_by(words, messages)) == 1 and "Be kind." in chat.rendered(words, messages)


def test_roles_that_do_not_take_turns_are_one_line(tmp_path):
    _, words = real.smollm2(write(tmp_path / "gemma", "gemma"))
    with pytest.raises(CourseError, match="roles must alternate") as error:
        real_training.encode(words, [TALK[0], *TALK])
    assert "\n" not in str(error.value)
    with pytest.raises(CourseError, match="this is none"):
        real_training.encode(words, [{"role": "user", "content": None}, TALK[1]])


def test_a_template_that_says_something_else_is_refused(tmp_path):
    _, words = real.smollm2(write(tmp_path / "odd", "zephyr"))
    # after each answer stands its length, so another answer changes what stands around it
    words.chat_template = ZEPHYR.replace("m['content'] +", "m['content'] ~ m['content'] | length ~")
    with pytest.raises(CourseError, match="message 3"):
        real_training.encode(words, LONGER)
    words.chat_template = ZEPHYR.replace("m['content'] +", "m['content'] ~ m['content'] +")
    with pytest.raises(CourseError, match="message 1"):
        real_training.encode(words, TALK)


def test_answers_stop_at_any_end_and_are_without_it(ready, monkeypatch):
    family, model, words = ready
    text = words.encode("Honey", add_special_tokens=False)
    for end in real_training.ends_of(model).tolist():
        drawn = torch.tensor([[*text, end, *text]])
        monkeypatch.setattr(model, "generate", lambda prompt, drawn=drawn, **_: torch.cat((prompt, drawn), 1))
        ids, sampled, _ = real_training.sample(model, words, [TALK[:1]], len(text) * 2 + 1)
        assert ids[sampled].tolist() == [*text, end]
        assert real_training.answers(model, words, [TALK[:1]]) == ["Honey"]


def test_it_trains(ready, capsys):
    _, model, words = ready
    examples = [real_training.encode(words, messages) for messages in (TALK, LONGER)]
    batch = real_training.collate(examples, words.pad_token_id)
    loss_of = lambda batch: response_loss(model(batch[0], attention_mask=batch[2]).logits, batch[1])
    if not lora.lora_layers(model):
        lora.add_lora(model, rank=2, alpha=4)
    losses = real_training.train(model, 5 * [batch], loss_of, 1e-2)
    assert losses[-1] < losses[0]
    unlabelled = (batch[0], torch.full_like(batch[1], -100), batch[2])  # another family's header was looked for
    for batches, steps in (([], 0), (20 * [unlabelled], 8)):
        with pytest.raises(CourseError, match=f"^{steps} steps, and none had a gradient"):
            real_training.train(model, batches, loss_of, 1e-2)
    real_training.train(model, 2 * [unlabelled], loss_of, 1e-2)
    assert "2 steps, and none had a gradient: are there batches, and labels" in capsys.readouterr().out
    assert len(real_training.train(model, 9 * [unlabelled], loss_of, 1e-2, still="all rewards were equal")) == 9
    assert "9 steps, and none had a gradient: all rewards were equal\n" in capsys.readouterr().out


def test_an_adapter_on_a_tied_head_is_refused(ready):
    _, model, _ = ready
    if lora.lora_layers(model):
        lora.merge_and_unload(model)
    before = model.model.embed_tokens.weight.clone()
    with pytest.raises(ValueError, match="lm_head has the embedding's weight") as error:
        lora.add_lora(model, rank=2, alpha=4, targets=("q_proj", "lm_head"))
    assert "lm_head" not in str(error.value).partition("choose")[2] and not lora.lora_layers(model)
    model.lm_head.weight = torch.nn.Parameter(before.clone())  # untied: a layer of its own
    lora.merge(lora.add_lora(model, rank=2, alpha=4, targets=("lm_head",)))
    assert torch.equal(model.model.embed_tokens.weight, before)
