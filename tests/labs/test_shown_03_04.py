"""What labs 03 and 04 count and compare around the exercises."""

import importlib.util

import pytest
import torch

from course_lib.answers import lab03_supervised_fine_tuning as answers
from course_lib.answers import lab04_lora_and_qlora as answers04
from course_lib.shown import lab03_packing, lab04_bits
from course_lib.shown import lab03_supervised_fine_tuning as lab03
from course_lib.shown import lab04_lora_and_qlora as lab04
from course_lib.shown.lab03_crier import as_examples, shuffled
from course_lib.stages.nf4 import NF4_CODE, quantize_nf4
from course_lib.stages.sft import encode_chat, load_tokenizer
from course_lib.world.tasks import task_rows

bitsandbytes_is_here = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed: its wheels are for Linux and Windows",
)


def example(messages):
    ids, mask = encode_chat(load_tokenizer(), messages)
    return {"input_ids": ids, "labels": [i if m else -100 for i, m in zip(ids, mask)]}


def test_trained_tokens_stand_in_brackets():
    row = next(row for row in task_rows("train", 40) if row["kind"] == "follow-up")
    text = lab03.marked(example(row["messages"]))
    said = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
    assert [part.split("⟧")[0] for part in text.split("⟦")[1:]] == [f"{words}<|im_end|>" for words in said]


def test_packed_batches_number_their_examples():
    examples = [{"input_ids": [k + 5] * n, "labels": [k + 5] * n} for k, n in enumerate((3, 2, 4))]
    ((ids, labels, segments),) = lab03_packing.packed_batches(examples, [[0, 1], [2]], answers.collate)
    assert ids.tolist() == [[5, 5, 5, 6, 6], [7, 7, 7, 7, 0]]
    assert labels.tolist() == [[5, 5, 5, 6, 6], [7, 7, 7, 7, -100]]
    assert segments.tolist() == [[1, 1, 1, 2, 2], [1, 1, 1, 1, 0]]
    parts = lab03_packing.padded_batches(examples, answers.collate, size=2)
    assert [tuple(part[0].shape) for part in parts] == [(2, 3), (1, 4)] and parts[0][2] is None


@pytest.mark.parametrize(
    "values, valley", [([3, 1, 2], True), ([3, 2, 1], True), ([3, 1, 2, 1.5], False), ([1, 3, 2], False)]
)
def test_a_valley_falls_and_then_rises(values, valley):
    assert lab03.is_valley(values) == valley


def test_answers_are_counted_by_kind(capsys):
    rows = [{"kind": kind} for kind in ("fact", "list", "fact")]
    assert lab03.by_kind(rows, [True, False, False]) == {"fact": (1, 2), "list": (0, 1)}
    assert [row["kind"] for row in lab03.from_memory([*rows, {"kind": "story"}])] == ["fact", "list", "fact"]
    lab03.guessed(" ")
    assert capsys.readouterr().out == ""
    lab03.guessed("half")
    assert capsys.readouterr().out == "You guessed: half.\n"


def test_a_kind_that_one_split_has_no_row_of_is_shown(capsys):
    asked = {"residents": [{"kind": "fact"}, {"kind": "how-to"}], "phrasings": [{"kind": "fact"}]}
    results = {split: {"right": [True] * len(rows)} for split, rows in asked.items()}
    found = lab03.show_by_kind(asked, results)
    assert found == {"residents": {"fact": (1, 1), "how-to": (1, 1)}, "phrasings": {"fact": (1, 1)}}
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("how-to")]
    assert line.split()[:2] == ["how-to", "100.0"] and line.endswith("–")


def test_each_epoch_is_shuffled_and_whole():
    batches = shuffled(list(range(6)), epochs=2, size=4)
    order = [k for batch in batches for k in batch]
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6)) and order[:6] != order[6:]
    assert as_examples([(torch.tensor([1, 2]), torch.tensor([-100, 2]))]) == [
        {"input_ids": [1, 2], "labels": [-100, 2]}
    ]


def test_a_ratio_without_a_whole_is_a_dash():
    assert (lab04.ratio(0.5, 1.0), lab04.ratio(0.5, 0.0)) == ("50.0%", "–")


def test_quantised_blocks_are_those_of_the_library():
    weight = torch.randn(100, generator=torch.Generator().manual_seed(0)).view(10, 10)
    codes, absmax, values, error = lab04_bits.quantized(answers04.quantize_blockwise, weight, NF4_CODE, 16)
    packed, theirs = quantize_nf4(weight.flatten()[:96], 16)
    assert torch.equal(codes[0::2] << 4 | codes[1::2], packed) and torch.equal(absmax, theirs)
    assert error == pytest.approx(((values - weight.flatten()[:96]).norm() / weight.flatten()[:96].norm()).item())


def test_a_large_model_has_as_many_linear_weights_as_its_name_says():
    shapes = lab04.seven_billion()
    assert sum(a * b for a, b in shapes.values()) == 6_476_005_376  # and 262 million in its embedding and head
    assert answers04.count_lora(shapes, ["q_proj", "v_proj"], 8) == 32 * 2 * 8 * 8192


@bitsandbytes_is_here
@pytest.mark.parametrize("shape", [(96, 32), (32, 96), (48, 48), (384, 128)])  # of size tiny, and of size laptop
def test_nf4_is_that_of_the_library_also_where_rows_are_no_whole_blocks(shape, capsys):
    """The last line of the comparison is what a reader sees; a weight that is read back wrongly stops it."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    codes, absmax = answers04.quantize_blockwise(weight.flatten(), NF4_CODE, 64)
    packed = codes[0::2] << 4 | codes[1::2]
    back = answers04.dequantize_packed(packed, absmax, NF4_CODE, 64)
    assert lab04.by_peft.same_nf4(weight, packed, absmax, back) == 1
    assert "100.00% of the bytes are equal, weights differ by at most 0.0e+00" in capsys.readouterr().out
    back[-1] += 0.01
    with pytest.raises(AssertionError):
        lab04.by_peft.same_nf4(weight, packed, absmax, back)
