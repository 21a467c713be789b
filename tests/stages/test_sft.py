"""Fine-tuning: the chat format is transformers' own, the loss is TRL's, bad rows are named, a killed run goes on."""

import pytest
import torch

from course_lib.platform import CourseError
from course_lib.stages.artifacts import ArtifactError
from course_lib.stages.model import Llama, ModelConfig, to_transformers
from course_lib.stages.sft import (
    IGNORE,
    PRESETS,
    SFTConfig,
    collate,
    encode_chat,
    encode_rows,
    finetune,
    read,
    response_loss,
    response_loss_of,
    sft,
    to_transformers_chat,
)
from course_lib.stages.tokenizer import IM_END, load_tokenizer
from course_lib.world.tasks import task_rows

TOKENIZER = load_tokenizer()
ROWS = task_rows("train", 60)
SMALL = ModelConfig(hidden=32, intermediate=64, layers=2, heads=2)
CONFIG = SFTConfig(examples=60, batch=512, learning_rate=3e-3, validations=2)


def test_ids_and_mask_are_those_of_the_chat_template():
    theirs = to_transformers_chat(TOKENIZER)
    for row in ROWS[:20]:
        ids, mask = encode_chat(TOKENIZER, row["messages"])
        rendered = theirs.apply_chat_template(row["messages"], return_dict=True, return_assistant_tokens_mask=True)
        assert ids == rendered["input_ids"] and mask == rendered["assistant_masks"]
        prompt, _ = encode_chat(TOKENIZER, row["messages"][:-1], generation_prompt=True)
        assert prompt == theirs.apply_chat_template(row["messages"][:-1], add_generation_prompt=True, return_dict=False)
        assert ids[: len(prompt)] == prompt, "what is generated continues what was trained"


def test_what_is_trained_is_what_the_assistant_says():
    ids, labels = collate(encode_rows(TOKENIZER, ROWS[:8], 512))
    assert ids.shape == labels.shape
    for row, line in zip(ROWS[:8], labels):
        trained = line[line != IGNORE].tolist()
        said = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
        assert TOKENIZER.decode(trained, skip_special_tokens=True) == "".join(said) and trained.count(IM_END) == len(
            said
        )


def test_the_loss_is_that_of_transformers():
    model = Llama(SMALL, seed=1)
    ids, labels = collate(encode_rows(TOKENIZER, ROWS[:8], 512))
    theirs = to_transformers(model)(input_ids=ids, labels=labels).loss
    torch.testing.assert_close(response_loss(model(ids), labels), theirs, atol=1e-5, rtol=0)
    logits = torch.randn(1, 4, 9, requires_grad=True)
    nothing = response_loss(logits, torch.full((1, 4), IGNORE))
    nothing.backward()
    assert nothing.item() == 0 and logits.grad.abs().sum() == 0
    examples = encode_rows(TOKENIZER, ROWS, 512)
    with torch.no_grad():
        one_by_one = torch.tensor(
            [
                [float(response_loss(model(i), y)) * int((y != IGNORE).sum()), int((y != IGNORE).sum())]
                for i, y in map(lambda e: collate([e]), examples)
            ]
        ).sum(0)
    assert response_loss_of(model, examples, batch=600) == pytest.approx(float(one_by_one[0] / one_by_one[1]), rel=1e-5)


def test_a_packed_row_is_its_examples_each_alone():
    model = Llama(SMALL, seed=1).eval()
    parts = [ids for ids, _ in encode_rows(TOKENIZER, ROWS[:3], 512)]
    packed = torch.tensor([sum(parts, [])])
    segments = torch.tensor([[k for k, part in enumerate(parts) for _ in part]])
    with torch.no_grad():
        alone = torch.cat([model(torch.tensor([part])) for part in parts], dim=1)
        torch.testing.assert_close(model(packed, segments), alone, atol=1e-5, rtol=1e-4)
        assert (model(packed) - alone).abs().max() > 1e-2, "without boundaries the examples read each other"


@pytest.mark.parametrize(
    "rows, words",
    [
        ([{"prompt": "Hello"}], 'row 0 has no "messages"'),
        ([ROWS[0], {"messages": [{"role": "user"}]}], "row 1: a message is"),
        ([{"messages": [{"role": "robot", "content": "x"}]}], "row 0: a message is"),
        ([{"messages": [{"role": "user", "content": "x"}]}], "row 0 has no assistant message"),
        (
            [{"messages": [{"role": "user", "content": "x " * 900}, {"role": "assistant", "content": "y"}]}],
            "row 0 has .* tokens and the model reads",
        ),
        ([], "no rows"),
    ],
)
def test_bad_rows_are_named(rows, words):
    with pytest.raises(CourseError, match=words):
        finetune(Llama(SMALL), rows, CONFIG, progress=False)


def test_it_learns_and_documents_are_trained_whole():
    rows = ROWS + [{"text": "Meet Ada Cobb. She works as a baker."}]
    ids, mask = encode_rows(TOKENIZER, rows[-1:], 512)[0]
    assert sum(mask) == len(ids) - 1 and mask[0] == 0
    run = finetune(
        Llama(SMALL),
        rows,
        SFTConfig(batch=512, epochs=6, learning_rate=1e-2, embedding_rate=1.0, validations=2),
        progress=False,
        validation=ROWS[:10],
    )
    losses = [row["train_loss"] for row in run.history]
    assert losses[-1] < 0.7 * losses[0] and sum("val_loss" in row for row in run.history) == 2
    assert run.record["trained_parameters"] == sum(p.numel() for p in run.model.parameters())


def test_only_what_requires_a_gradient_is_trained():
    model = Llama(SMALL)
    for name, p in model.named_parameters():
        p.requires_grad = "layers.1.mlp" in name
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    finetune(model, ROWS, CONFIG, progress=False)
    assert {name for name, p in model.named_parameters() if not torch.equal(p, before[name])} == {
        name for name in before if "layers.1.mlp" in name
    }


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path):
    whole = finetune(Llama(SMALL, seed=2), ROWS, CONFIG, seed=1, progress=False).history

    class Killed(Exception):
        pass

    def kill(history):
        if len(history) == 5:
            raise Killed

    with pytest.raises(Killed):
        finetune(
            Llama(SMALL, seed=2), ROWS, CONFIG, seed=1, progress=False, out=tmp_path, on_step=kill, checkpoint_steps=2
        )
    rest = finetune(Llama(SMALL, seed=2), ROWS, CONFIG, seed=1, progress=False, out=tmp_path).history
    assert [row["train_loss"] for row in rest] == pytest.approx([row["train_loss"] for row in whole], rel=1e-5)
    assert not (tmp_path / "checkpoint.safetensors").exists()
    with pytest.raises(Killed):
        finetune(
            Llama(SMALL, seed=2),
            ROWS,
            CONFIG,
            seed=1,
            progress=False,
            out=tmp_path,
            on_step=kill,
            checkpoint_steps=2,
            resume=False,
        )
    with pytest.raises(ArtifactError, match="another run"):
        finetune(Llama(SMALL, seed=2), ROWS[:50], CONFIG, seed=1, progress=False, out=tmp_path)


def test_the_recipe_runs_at_size_tiny_from_the_shipped_base():
    run = sft("tiny", progress=False)
    assert run.record["parent"] == "pretrain" and run.record["recipe"]["size"] == "tiny"
    # rows of chat and plain documents take turns, so their losses are not compared with each other
    first, last = (sum(row["train_loss"] for row in part) / len(part) for part in (run.history[:5], run.history[-5:]))
    assert last < first
    with pytest.raises(ValueError, match="choose one of"):
        sft("huge")
    assert set(PRESETS) == {"tiny", "laptop", "gpu"}


def test_the_reading_lesson_starts_from_the_assistant():
    run = read("tiny", base=Llama(SMALL), progress=False)
    assert run.record["parent"] == "sft" and run.record["recipe"]["examples"] < PRESETS["tiny"].examples


def test_a_template_without_generation_markers_is_refused():
    with pytest.raises(CourseError, match="does not mark what the assistant says"):
        to_transformers_chat(TOKENIZER, "{{ bos_token }}{% for m in messages %}{{ m['content'] }}{% endfor %}")
