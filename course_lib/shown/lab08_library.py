"""Lab 08 beside TRL: the same rows, the same weights, its loss and every gradient; and what it does by default.

On the CPU. TRL is imported where it is used: it takes ten seconds. Where it is not installed the comparisons are left
out, with one line.
"""

import copy
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.platform import CourseError, work_dir
from course_lib.shown.common import QUIET, trl_library
from course_lib.stages import dpo as direct
from course_lib.stages.model import Llama, to_transformers
from course_lib.stages.preferences import batch_of, encode_answers
from course_lib.stages.sft import ANSWER_TEMPLATE, to_transformers_chat
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets.table import table

PAIR, THUMB = ("prompt", "chosen", "rejected"), ("prompt", "completion", "label")


@dataclass
class Twins:
    """A policy and its reference, which differ by a little noise on the weights, and answers as a batch of ids."""

    policy: Llama
    reference: Llama
    rows: list[dict]
    columns: tuple[str, ...]
    ids: Int[Tensor, "B T"]  # of pairs: first the chosen answers, then the rejected ones
    labels: Int[Tensor, "B T"]

    def to(self, device: str) -> "Twins":
        self.ids, self.labels = self.ids.to(device), self.labels.to(device)
        return self

    def lengths(self) -> Int[Tensor, " B"]:
        return (self.labels != -100).sum(1)


def twins(reference: Llama, rows: list[dict], columns: tuple[str, ...] = PAIR) -> Twins:
    still = copy.deepcopy(reference).cpu()
    noisy, generator = copy.deepcopy(still).requires_grad_(True), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in noisy.parameters():
            p += 0.02 * torch.randn(p.shape, generator=generator)
    keys = tuple(key for key in columns if key not in ("prompt", "label"))
    return Twins(noisy, still, rows, columns, *batch_of(encode_answers(load_tokenizer(), rows, keys, 512)))


def trainer_of(pair: Twins, model=None, ref_model=None, **options):
    """TRL's DPOTrainer, or KTOTrainer for thumbs, on the rows in one batch."""
    import datasets

    library = trl_library()
    config, make = (
        (library.DPOConfig, library.DPOTrainer) if pair.columns == PAIR else (library.KTOConfig, library.KTOTrainer)
    )
    fixed = QUIET | {"output_dir": str(work_dir() / "trl"), "use_cpu": True}
    fixed |= {"max_length": 512, "per_device_train_batch_size": len(pair.rows)}
    return make(
        model=model or to_transformers(pair.policy),
        ref_model=ref_model,
        args=config(**{**fixed, **options}),
        processing_class=to_transformers_chat(load_tokenizer(), ANSWER_TEMPLATE),
        train_dataset=datasets.Dataset.from_list([{key: row[key] for key in pair.columns} for row in pair.rows]),
    )


def first_loss(trainer, rows: int):
    """(batch, loss) of TRL's first step."""
    batch = trainer.data_collator([trainer.train_dataset[k] for k in range(rows)])
    return batch, trainer.compute_loss(trainer.model, batch)


@dataclass
class Theirs:
    batch: dict
    loss: float
    gradients: dict[str, Tensor]


def by_trl(pair: Twins, **options) -> Theirs | None:
    """The batch, the loss and every gradient that TRL's trainer comes to. None without TRL."""
    if trl_library() is None:
        return None
    made = trainer_of(pair, ref_model=to_transformers(pair.reference), **options)
    batch, loss = first_loss(made, len(pair.rows))
    loss.backward()
    return Theirs(batch, loss.item(), {name: p.grad for name, p in made.model.named_parameters()})


def cdpo_by_trl(pair: Twins, beta: float, smoothing: float) -> Theirs | None:
    """TRL has no cDPO. With L(m) = −log σ(m) its "robust" is [(1 − ε) L(m) − ε L(−m)] / (1 − 2ε), so cDPO is
    2 (1 − ε) L(m) − (1 − 2ε) robust, and TRL adds up losses by loss_weights.
    """
    weights = [2 * (1 - smoothing), -(1 - 2 * smoothing)]
    return by_trl(pair, beta=beta, label_smoothing=smoothing, loss_type=["sigmoid", "robust"], loss_weights=weights)


def compare(name: str, loss: Float[Tensor, ""], pair: Twins, theirs: Theirs | None) -> None:
    """Prints both losses and the largest difference of any gradient: they must agree to 1e-5, and the batches exactly.

    Raises AssertionError where they do not.
    """
    if theirs is None:
        return
    assert torch.equal(theirs.batch["input_ids"], pair.ids), "TRL makes another batch of these rows"
    pair.policy.zero_grad()
    loss.backward()
    ours = {name: p.grad for name, p in pair.policy.named_parameters() if p.grad is not None}
    apart = max((ours[name] - gradient).abs().max().item() for name, gradient in theirs.gradients.items())
    print(f"{name}: loss {loss.item():.6f}, TRL's {theirs.loss:.6f}; largest difference in any gradient {apart:.0e}")
    assert abs(loss.item() - theirs.loss) < 1e-5 and apart < 1e-5, f"{name}: TRL computes something else"


def reference_point(logprobs_of, pair: Twins, theirs: Theirs | None) -> Float[Tensor, ""]:
    """Mean log π − log π_ref of KTO's mismatched answers, each prompt with the answer to another, as TRL pairs them."""
    if theirs is None:
        return torch.tensor(0.0)
    ids = theirs.batch["KL_input_ids"]
    labels = ids.masked_fill(theirs.batch["KL_completion_mask"] == 0, -100)
    with torch.no_grad():
        return (logprobs_of(pair.policy(ids), labels) - logprobs_of(pair.reference(ids), labels)).mean()


def from_a_folder(pair: Twins):
    """The policy as a transformers model that was loaded from a folder, where the reference's weights lie, and has been
    trained in memory since.
    """
    from transformers import AutoModelForCausalLM

    folder = work_dir() / "trl" / "assistant"
    to_transformers(pair.reference).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(to_transformers(pair.policy).state_dict())
    return model


def expect(true: bool, what: str) -> None:
    if not true:
        raise CourseError(f"the installed TRL behaves otherwise than this table says ({what}): read its release notes")


def show_defaults(pair: Twins, preset) -> None:
    """The table "in the library": what DPOTrainer does by default beside what the lab does. Raises CourseError for a
    row that the installed version does not bear out.
    """
    library = trl_library()
    if library is None:
        return
    n, there = len(pair.rows), to_transformers(pair.reference)
    fresh = lambda **options: first_loss(trainer_of(pair, **options), n)[1].item()
    whole = trainer_of(pair, ref_model=there)
    against = first_loss(whole, n)[1].item()
    same = fresh(ref_model=to_transformers(pair.policy))
    expect(abs(same - math.log(2)) < 1e-6, "the first loss against a copy of the policy")
    left_out = fresh(model=from_a_folder(pair))
    expect(abs(left_out - against) < 1e-6, "ref_model left out")
    expect(fresh(ref_model=there, label_smoothing=0.2) == against, "label_smoothing with sigmoid")
    narrow = sorted(len(row["prompt_ids"]) for row in whole.train_dataset)[n // 2] + 2
    short = trainer_of(pair, ref_model=there, max_length=narrow)
    width = first_loss(short, len(short.train_dataset))[0]["input_ids"].shape[1]
    expect(0 < len(short.train_dataset) < n and width <= narrow < pair.ids.shape[1], "over-long rows")
    args = library.DPOConfig(output_dir=str(work_dir() / "trl"), use_cpu=True, bf16=False)
    expect(args.loss_type == ["sigmoid"] and args.beta == 0.1 and not args.precompute_ref_log_probs, "the defaults")
    expect((args.learning_rate, args.num_train_epochs, args.per_device_train_batch_size) == (1e-6, 3, 8), "the steps")
    rows = [
        ("ref_model left out", f"read anew from the model's folder: first loss {left_out:.4f}", "a frozen copy"),
        ("ref_model = a copy of the policy as it is now", f"first loss {same:.4f} = log 2", "log 2, too"),
        ("β", f"{args.beta:g}", f"{direct.BETA:g}"),
        ("loss_type", f"{args.loss_type}", "the loss that you write"),
        ("label_smoothing", 'not used by "sigmoid": the loss is the same', "cDPO, § 8"),
        ("π_ref's log-probabilities", "at every step", "once, before the loop"),
        (
            "learning rate, epochs, pairs a step",
            f"{args.learning_rate:g}, {args.num_train_epochs:g}, {args.per_device_train_batch_size}",
            f"{preset.learning_rate:g}, {preset.epochs}, {preset.batch}",
        ),
        ("a row that is too long", "its answer is cut, or it is dropped; no word", "an error that names it"),
    ]
    title = f"In the library: DPOTrainer of TRL {library.__version__}"
    table({"": "", "TRL by default": "", "this lab": ""}, rows, title)
