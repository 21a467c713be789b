"""Encode, answer and train with a real model's tokenizer and template; a tiny model stands in."""

import types

import pytest
import torch
from tiny_smollm2 import write

from course_lib.platform import CourseError
from course_lib.stages import lora, real, real_training
from course_lib.stages.sft import response_loss

TALK = [{"role": "user", "content": "What do bees make?"}, {"role": "assistant", "content": "Honey."}]
LONGER = [
    {"role": "system", "content": "Be kind."},
    *TALK,
    {"role": "user", "content": "And what do cows give, if somebody asks them kindly?"},
    {"role": "assistant", "content": "Milk."},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return real.smollm2(write(tmp_path_factory.mktemp("real_training") / "model"))


def test_labels_are_what_the_assistant_says_and_its_end(tiny):
    for messages, said in ((TALK, "Honey.<|im_end|>"), (LONGER, "Honey.<|im_end|>Milk.<|im_end|>")):
        ids, labels = real_training.encode(tiny[1], messages)
        assert tiny[1].decode(ids) == tiny[1].apply_chat_template(messages, tokenize=False)
        assert tiny[1].decode(labels[labels != -100]) == said and torch.equal(
            ids[labels != -100], labels[labels != -100]
        )


def test_what_cannot_be_encoded_is_said_in_one_line(tiny):
    with pytest.raises(CourseError, match="nobody answers"):
        real_training.encode(tiny[1], TALK[:1])
    with pytest.raises(CourseError, match="the limit is 10"):
        real_training.encode(tiny[1], TALK, context=10)
    with pytest.raises(CourseError, match="no chat template"):
        real_training.encode(types.SimpleNamespace(chat_template=None), TALK)


def test_a_batch_answers_as_each_alone(tiny, monkeypatch):
    asked = [TALK[:1], LONGER[:-1], [{"role": "user", "content": "Hm?"}]]
    alone = [real_training.answers(*tiny, [one], 12)[0] for one in asked]
    assert real_training.answers(*tiny, asked, 12) == alone and len(set(alone)) > 1
    monkeypatch.setattr(real_training, "AT_ONCE", 2)
    assert real_training.answers(*tiny, asked, 12) == alone


def test_what_was_sampled_is_marked(tiny, monkeypatch):
    model, words = tiny
    asked = [TALK[:1], LONGER[:-1]]
    ids, sampled, real = real_training.sample(model, words, asked, 6)
    for row, new, attended, messages in zip(ids, sampled, real, asked):
        assert (
            words.decode(row[attended.bool() & ~new])
            == words.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            and new.sum() == 6
        )
    drawn = torch.tensor([[40, 2, 2, 2], [41, 42, 43, 44]])  # 2 ends an answer, and pads
    monkeypatch.setattr(model, "generate", lambda prompt, **_: torch.cat((prompt, drawn), 1))
    ids, sampled, real = real_training.sample(model, words, asked, 4)
    assert (
        sampled[:, -4:].tolist() == [[True, True, False, False], [True] * 4]
        and torch.equal(real[:, -4:].bool(), sampled[:, -4:])
        and not sampled[:, :-4].any()
    )


def test_a_batch_is_padded_on_the_right(tiny):
    pair = [real_training.encode(tiny[1], messages) for messages in (TALK, LONGER)]
    ids, labels, real = real_training.collate(pair, 7)
    short = len(pair[0][0])
    assert (
        torch.equal(ids[0, :short], pair[0][0])
        and torch.equal(labels[1], pair[1][1])
        and (ids[0, short:] == 7).all()
        and (labels[0, short:] == -100).all()
    )
    assert real.sum(1).tolist() == [short, ids.shape[1]]


def test_a_seed_says_what_is_drawn_and_leaves_the_dice(tiny):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    draws = [real_training.answers(*tiny, [TALK[:1]] * 3, 12, temperature=1.0, seed=s) for s in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2] and len(set(draws[0])) == 3 and torch.equal(torch.rand(1), expected)


def test_training_moves_the_adapter_and_nothing_else(tiny):
    model, words = tiny
    ids, labels = (x[None] for x in real_training.encode(words, TALK))
    loss = lambda batch: response_loss(model(batch[0]).logits, batch[1])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.requires_grad_(False)
    with pytest.raises(CourseError, match="requires a gradient"):
        real_training.train(model, [(ids, labels)], loss)
    lora.add_lora(model, rank=4, alpha=8)
    losses = real_training.train(model, [(ids, labels)] * 20, loss, 1e-2)
    assert len(losses) == 20 and losses[-1] < losses[0] - 0.1
    assert all(
        torch.equal(p, before[name.replace(".base.", ".")])
        for name, p in model.named_parameters()
        if "lora_" not in name
    )
    with pytest.raises(CourseError, match="take a smaller batch"):
        real_training.train(
            model,
            [0],
            lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …")),
        )
    with pytest.raises(CourseError, match="step 0: the loss is nan, so training stops here: lower learning_rate"):
        real_training.train(
            model, [0], lambda _: next(p for p in model.parameters() if p.requires_grad).sum() * float("nan")
        )


def test_a_batch_in_parts_and_the_logits_of_answers_alone_are_the_same_step(tmp_path):
    """At most rounding may differ: gradients of parts are added, and no logits are computed that no loss reads."""
    ends = []
    for at_once in (None, 1, 2):
        model, words = real.smollm2(write(tmp_path / str(at_once)))
        lora.add_lora(model, rank=4, alpha=8)
        examples = [real_training.encode(words, talk) for talk in (TALK, LONGER, TALK[:1] + LONGER[-1:])]
        ids, labels, mask = real_training.collate(examples, words.pad_token_id)
        logits, kept = real_training.answer_logits(model, ids, labels, mask)
        whole = response_loss(model(ids, attention_mask=mask).logits, labels)
        assert logits.shape[1] == kept.shape[1] < ids.shape[1]
        assert response_loss(logits, kept).item() == pytest.approx(whole.item(), rel=1e-5)

        def loss_of(rows, model=model, words=words):
            return response_loss(*real_training.answer_logits(model, *real_training.collate(rows, words.pad_token_id)))

        count = real_training.trained_tokens
        assert count(examples) == (labels != -100).sum()
        losses = real_training.train(model, 4 * [examples], loss_of, 1e-2, at_once=at_once, count=count)
        ends.append((*losses, *(p.sum().item() for p in lora.lora_parameters(model))))
    assert ends[0] == pytest.approx(ends[1], rel=1e-3, abs=1e-4) and ends[0] == pytest.approx(
        ends[2], rel=1e-3, abs=1e-4
    )
    assert real_training.parts_of(torch.arange(5), 2, len)[2] == (torch.tensor([4]), 0.2)


def test_without_its_adapter_a_policy_is_its_reference(tmp_path):
    model, _ = real.smollm2(write(tmp_path / "model"))
    ids = torch.arange(8)[None]
    with torch.no_grad():
        reference = model(ids).logits
        lora.add_lora(model, rank=4, alpha=8)
        for p in lora.lora_parameters(model):
            p.add_(0.1)
        changed = model(ids).logits
        with pytest.raises(KeyError), real_training.disable_adapter(model):
            assert torch.equal(model(ids).logits, reference)
            raise KeyError
        assert torch.equal(model(ids).logits, changed) and not torch.allclose(changed, reference)


def test_checkpointing_changes_no_gradient(tmp_path, monkeypatch):
    ends = []
    for on in ("0", "1"):
        monkeypatch.setenv("COURSE_CHECKPOINTING", on)
        model, words = real.smollm2(write(tmp_path / on))
        lora.add_lora(model, rank=4, alpha=8)
        examples = [real_training.encode(words, talk) for talk in (TALK, LONGER)]
        batch, runs = real_training.collate(examples, words.pad_token_id), []
        model.model.layers[0].self_attn.register_forward_hook(lambda *_, runs=runs: runs.append(1))

        def loss_of(batch, model=model):
            ids, labels, mask = batch
            return response_loss(model(ids, attention_mask=mask).logits, labels)

        losses = real_training.train(model, 3 * [batch], loss_of, 1e-2)
        assert len(runs) == (6 if on == "1" else 3) and not model.training  # computed a second time, or not
        ends.append((losses, real_training.answers(model, words, [TALK[:1]], 8)))
    assert ends[0] == ends[1]
