"""Lab 03 beside TRL's SFTTrainer: the same batch, the same rows of packing, the same five steps, and what it does where
nothing is said. Everything raises AssertionError where the installed version does something else.
"""

import copy

import torch

from course_lib.platform import CourseError, work_dir
from course_lib.shown.common import QUIET, trl_library, where_installed
from course_lib.stages.model import to_transformers
from course_lib.stages.sft import IGNORE, IM_END, encode_rows, load_tokenizer, task_rows, to_transformers_chat
from course_lib.widgets.table import table


def trainer(model, conversations: list[dict], **options):
    """TRL's trainer on a copy of `model`, in fp32, rows {"messages"} in their order; `options` are SFTConfig's."""
    from transformers.trainer_callback import PrinterCallback

    import datasets

    trl = trl_library()
    place = {"output_dir": str(work_dir() / "trl"), "use_cpu": not torch.cuda.is_available()}
    arguments = trl.SFTConfig(**place, **QUIET, **options)
    data = datasets.Dataset.from_list([{"messages": row["messages"]} for row in conversations])
    words = to_transformers_chat(load_tokenizer())
    made = trl.SFTTrainer(model=to_transformers(model), args=arguments, train_dataset=data, processing_class=words)
    made.remove_callback(PrinterCallback)
    return made


@where_installed("trl", "datasets")
def same_batch(base, conversations: list[dict], batch: dict, loss_fn) -> None:
    """One batch of the student's and of TRL's, which makes its own from the raw conversations: equal tensors, losses
    and gradients.
    """
    made = trainer(base, conversations, assistant_only_loss=True, max_length=512)
    theirs = made.data_collator([made.train_dataset[k] for k in range(len(conversations))])
    assert all(torch.equal(batch[name], theirs[name]) for name in batch), "the batches differ"
    their_loss = made.compute_loss(made.model, {name: x.to(made.model.device) for name, x in theirs.items()})
    their_loss.backward()
    model = copy.deepcopy(base).requires_grad_(True)
    device = next(model.parameters()).device
    loss = loss_fn(model(batch["input_ids"].to(device)), batch["labels"].to(device))
    loss.backward()
    grads = {name: p.grad.cpu() for name, p in made.model.named_parameters()}
    apart = max((p.grad.cpu() - grads[name]).abs().max().item() for name, p in model.named_parameters())
    rows, width = batch["input_ids"].shape
    print(f"one batch of {rows} × {width} tokens, the same three tensors")
    print(f"loss {loss.item():.6f}, TRL's {their_loss.item():.6f}")
    print(f"largest difference in any gradient: {apart:.1e}")
    assert abs(loss.item() - their_loss.item()) < 1e-5 and apart < 1e-5


@where_installed("trl", "datasets")
def same_packing(rows: list[list[int]], lengths: list[int], limit: int) -> None:
    """TRL packs the same examples into rows of the same lengths."""
    from trl import pack_dataset

    import datasets

    data = datasets.Dataset.from_list([{"input_ids": [0] * n} for n in lengths])
    theirs = pack_dataset(data, seq_length=limit, strategy="bfd")
    ours = sorted(sum(lengths[k] for k in row) for row in rows)
    assert sorted(len(row) for row in theirs["input_ids"]) == ours, "TRL packs otherwise"
    print(f"TRL packs into {len(theirs)} rows too, of the same lengths")


@where_installed("trl", "datasets")
def same_steps(base, conversations: list[dict], losses: list[float]) -> float:
    """As many steps by TRL with plain AdamW, on the same batches: the student's losses again. Returns the largest
    difference.
    """
    size = len(conversations) // len(losses)
    plain = {"learning_rate": 1e-4, "lr_scheduler_type": "constant", "adam_beta2": 0.98, "max_grad_norm": 1.0}
    order = {"per_device_train_batch_size": size, "train_sampling_strategy": "sequential", "max_steps": len(losses)}
    made = trainer(base, conversations, assistant_only_loss=True, max_length=512, logging_steps=1, **plain, **order)
    made.train()
    theirs = [entry["loss"] for entry in made.state.log_history if "loss" in entry]
    apart = [abs(ours - their) for ours, their in zip(losses, theirs, strict=True)]
    columns = {"step": "d", "your loss": ".6f", "TRL's": ".6f", "apart": ".0e"}
    table(columns, zip(range(len(losses)), losses, theirs, apart))
    assert max(apart) < 1e-4
    return max(apart)


@where_installed("trl", "datasets")
def defaults(base) -> dict[str, int]:
    """What SFTTrainer does where nothing is said, beside what the lab writes: each line is tried here; that of the
    trained tokens alone is TRL's as § 5 sets it. Returns what was counted: tokens, those that are trained by default;
    of 8 rows at a limit of 24 tokens, where the assistant's are trained alone, those left, and those with their end.
    """
    trl = trl_library()
    conversations = task_rows("train", 8)
    ours = encode_rows(load_tokenizer(), conversations, 512)
    made = trainer(base, conversations)
    theirs = made.data_collator([made.train_dataset[k] for k in range(8)])
    trained, tokens = int((theirs["labels"] != IGNORE).sum()), sum(len(ids) for ids, _ in ours)
    assert trained == tokens, "all tokens are trained"
    cut = trainer(base, conversations, max_length=24).train_dataset
    assert [list(row) for row in cut["input_ids"]] == [ids[:24] for ids, _ in ours], "long rows are cut"
    short = trainer(base, conversations, assistant_only_loss=True, max_length=24).train_dataset
    left = [ids[:24] for ids, mask in ours if any(mask[:24])]  # of the others nothing to train is left
    assert [list(row) for row in short["input_ids"]] == left, "long rows are cut, or dropped"
    refused = ""
    try:
        encode_rows(load_tokenizer(), conversations, 24)
    except CourseError as error:
        refused = f"an error: {str(error).split(' and ')[0]}"
    assert refused, "the lab takes rows that are too long"
    at_limit = lambda rows: sum(len(ids) == 24 for ids in rows["input_ids"])
    plain = trl.SFTConfig(output_dir=str(work_dir() / "trl"), use_cpu=not torch.cuda.is_available(), bf16=False)
    found = (plain.assistant_only_loss, plain.packing, plain.packing_strategy, plain.max_length)
    assert found == (False, False, "bfd", 1024), found
    found = (plain.learning_rate, plain.num_train_epochs, plain.per_device_train_batch_size, plain.optim)
    assert found == (2e-5, 3, 8, "adamw_torch_fused"), found
    rows = [
        ("trained tokens", "the assistant's", "all, the user's too (assistant_only_loss=False)"),
        ("a row that is too long", "an error that names it", "cut at max_length=1024, and no word of it"),
        ("8 rows at a limit of 24", refused, f"{len(cut)} rows, {at_limit(cut)} of them cut"),
        (
            "the same, assistant_only_loss=True",
            refused,
            f"{len(short)} rows, {at_limit(short)} of them cut; {8 - len(short)} dropped: no trained token is left",
        ),
        ("packing", "similar lengths together", "rows as they come (packing=False; if True, best fit: “bfd”)"),
        ("optimiser", "Muon and AdamW", "AdamW"),
        ("learning rate, epochs, batch", "0.0035, 1, 1,536 tokens", "2e-5, 3, 8 rows"),
    ]
    table({"": "", "this lab": "", f"SFTTrainer, TRL {trl.__version__}, by default": ""}, rows)
    ends = sum(IM_END in row[-2:] for row in short["input_ids"])
    return {"trained": trained, "tokens": tokens, "rows left": len(short), "ends left": ends}
