"""Lab 06: the reward head beside transformers', the loss beside TRL's, and what TRL's RewardTrainer does by default."""

import contextlib
import copy
from collections.abc import Callable

import torch
from torch import Tensor

from course_lib.platform import work_dir
from course_lib.shown.common import QUIET, trl_library
from course_lib.stages.model import RewardModel, to_transformers
from course_lib.stages.preferences import batch_of, encode_answers
from course_lib.stages.reward import reward_model_of
from course_lib.stages.sft import to_transformers_chat
from course_lib.stages.tokenizer import PAD, load_tokenizer
from course_lib.widgets.table import table


def with_a_drawn_head(base, std: float = 0.1) -> RewardModel:
    """A reward model on the CPU with weights of the assistant; its head is drawn, for one of zeros shows nothing."""
    model = reward_model_of(copy.deepcopy(base).cpu())
    with torch.no_grad():
        model.score.weight.normal_(std=std, generator=torch.Generator().manual_seed(0))
    return model


def as_batch(rows: list[dict], context: int) -> Tensor:
    """[2B T]: the chosen answers of B rows, then the rejected ones, with padding on the right."""
    return batch_of(encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), context))[0]


@torch.no_grad()
def equals_transformers(head: Callable, base, rows: list[dict]) -> float:
    """Largest difference of `head`'s rewards from transformers' LlamaForSequenceClassification, for padding on the
    right and on the left.
    """
    model = with_a_drawn_head(base)
    theirs, right = to_transformers(model).eval(), as_batch(rows, model.config.context)
    left = torch.stack([row.roll(int((row == PAD).sum())) for row in right])
    found = {}
    for side, ids in (("right", right), ("left", left)):
        hidden = model.hidden(ids, segments=(ids != PAD).long())  # segments: no token reads the padding
        rewards = head(hidden, ids, model.score.weight[0], PAD)
        logits = theirs(input_ids=ids, attention_mask=(ids != PAD).long()).logits[:, 0]
        found[side] = (rewards - logits).abs().max().item()
        print(f"padding on the {side:<6} {len(ids)} rewards, largest difference from transformers: {found[side]:.1e}")
    assert max(found.values()) < 1e-5
    return max(found.values())


def reward_trainer(model: RewardModel, rows: list[dict], **arguments):
    """TRL's RewardTrainer on the raw pairs; None where TRL is not installed, and it says so."""
    if (trl := trl_library()) is None:
        return None
    from transformers.trainer_callback import PrinterCallback

    import datasets

    data = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in rows]
    trainer = trl.RewardTrainer(
        model=to_transformers(model),
        args=trl.RewardConfig(output_dir=str(work_dir() / "trl"), use_cpu=True, **QUIET, **arguments),
        train_dataset=datasets.Dataset.from_list(data),
        processing_class=to_transformers_chat(load_tokenizer()),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def their_loss(trainer) -> tuple[Tensor, Tensor]:
    """(loss of TRL's trainer on all its rows, the ids that it has made of them)."""
    batch = trainer.data_collator([trainer.train_dataset[k] for k in range(len(trainer.train_dataset))])
    return trainer.compute_loss(trainer.model, dict(batch)), batch["input_ids"]


def last_token(ids: Tensor) -> str:
    return load_tokenizer().decode([int(ids[ids != PAD][-1])], skip_special_tokens=False)


def equals_trl(head: Callable, loss_fn: Callable, base, rows: list[dict]) -> dict | None:
    """Loss and every gradient of `head` and `loss_fn` beside those of TRL's RewardTrainer on the same batch. Returns
    {"loss", "gradient": largest difference, "TRL reads", "the course reads": the token at the reward}.
    """
    model = with_a_drawn_head(base)
    if not (trainer := reward_trainer(model, rows)):
        return None
    loss, ids = their_loss(trainer)
    loss.backward()
    chosen, rejected = head(model.hidden(ids), ids, model.score.weight[0], PAD).chunk(2)
    own = loss_fn(chosen, rejected)
    own.backward()
    theirs = {name: p.grad for name, p in trainer.model.named_parameters()}
    apart = max((p.grad - theirs[name]).abs().max().item() for name, p in model.named_parameters())
    print(f"the same batch of {len(ids)} × {ids.shape[1]} tokens, the chosen answers first")
    print(f"loss {own.item():.6f}, TRL's {loss.item():.6f}; largest difference in any gradient: {apart:.1e}")
    assert abs(own.item() - loss.item()) < 1e-5 and apart < 1e-5
    read = {"TRL reads": last_token(ids[0]), "the course reads": last_token(as_batch(rows, model.config.context)[0])}
    return {"loss": abs(own.item() - loss.item()), "gradient": apart, **read}


def show_defaults(base, rows: list[dict]) -> None:
    """What TRL's RewardTrainer does where nothing is said, beside the course. Each line is looked at: an AssertionError
    where the installed version does something else.
    """
    with contextlib.redirect_stdout(None):
        trainer = reward_trainer(reward_model_of(copy.deepcopy(base).cpu()), rows)  # the head of zeros: all pairs tie
    if not trainer:
        return
    import trl

    lengths = sorted(max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in trainer.train_dataset)
    cut = reward_trainer(reward_model_of(copy.deepcopy(base).cpu()), rows, max_length=lengths[-1] - 1)
    their_loss(trainer)
    ids = their_loss(trainer)[1]
    assert trainer.args.max_length == 1024 and len(cut.train_dataset) < len(rows)
    assert trainer._metrics["train"]["accuracy"][-1] == 0.0
    assert last_token(ids[0]) == "\n" and last_token(as_batch(rows, base.config.context)[0]) == "<|im_end|>"
    assert trainer.args.center_rewards_coefficient is None and trainer.args.disable_dropout
    assert (trainer.args.learning_rate, trainer.args.num_train_epochs) == (1e-4, 3)
    table(
        {"": "", f"RewardTrainer of TRL {trl.__version__} by default": "", "this lab": ""},
        [
            ("reads the reward at", "the last token: here the newline after <|im_end|>", "<|im_end|>"),
            ("a pair that is too long", "left out; only a progress bar says so", "an error that names it"),
            ("a tie of two rewards", "counts as wrong in its accuracy", "in training, too; on held-out pairs one half"),
            ("the zero of the rewards", "free (center_rewards_coefficient=None)", "free"),
            ("optimiser", "AdamW, peak 1e-4, three epochs", "Muon, peak 3e-3, one epoch (lab 02)"),
        ],
    )
