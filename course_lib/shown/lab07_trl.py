"""TRL's GRPO beside lab 07's: batches of its trainer with all that its loss is made of, and what it does by default."""

import importlib.util
import inspect
import warnings
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from course_lib.platform import CourseError
from course_lib.shown.common import QUIET, trl_library
from course_lib.stages import grpo
from course_lib.stages.model import to_transformers
from course_lib.stages.rollout import LONGEST
from course_lib.stages.sft import to_transformers_chat
from course_lib.stages.tokenizer import IM_END, SPECIAL, load_tokenizer
from course_lib.widgets.table import table

GROUP = 8


def config(trl, work, **settings):
    """A GRPOConfig of TRL's own defaults, but for what a small run on any machine needs, and `settings`."""
    return trl.GRPOConfig(
        output_dir=str(work / "trl"), per_device_train_batch_size=2 * GROUP, max_completion_length=LONGEST,
        use_cpu=not torch.cuda.is_available(), **QUIET, **settings,
    )  # fmt: skip


def batches(reference, reward: Callable, rows: list[dict], work, **settings) -> list[SimpleNamespace]:
    """What TRL's GRPOTrainer has made of each batch: loss, logprobs, old, reference [B T], advantages [B], mask, and
    the rewards that it was given, [P G]; TRL has shuffled the answers meanwhile. [] without TRL. settings: of
    GRPOConfig.
    """
    trl = trl_library()
    if trl is None:
        return []
    settings = {"learning_rate": 1e-4} | settings  # large enough that the second use of a batch has other ratios
    import transformers

    import datasets

    given, seen = [], []

    def their_reward(prompts, completions, **_):
        asked = [{"messages": prompt} for prompt in prompts]
        given.append(reward(asked, [completion[0]["content"] for completion in completions]))
        return given[-1].tolist()

    class Watched(trl.GRPOTrainer):
        def _compute_loss(self, model, inputs):
            loss = super()._compute_loss(model, inputs)
            ids = torch.cat((inputs["prompt_ids"], inputs["completion_ids"]), 1)
            real = torch.cat((inputs["prompt_mask"], inputs["completion_mask"]), 1)
            width = inputs["prompt_ids"].shape[1]
            with torch.no_grad():
                logits = model(input_ids=ids, attention_mask=real).logits[:, :-1].float()
                logprobs = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0].cpu()
            logprobs = F.pad(logprobs, (1, 0))
            aligned = lambda key: F.pad(inputs[key].cpu(), (width, 0)) if inputs.get(key) is not None else logprobs
            seen.append(SimpleNamespace(
                loss=loss.item(), logprobs=logprobs, old=aligned("old_per_token_logps"),
                reference=aligned("ref_per_token_logps"), advantages=inputs["advantages"].cpu(),
                mask=real.bool().cpu() & (torch.arange(ids.shape[1]) >= width), rewards=given[-1].cpu().view(-1, GROUP),
            ))  # fmt: skip
            return loss

    words = to_transformers_chat(load_tokenizer())
    words.eos_token = SPECIAL[IM_END]  # what ends an answer; <|eos|> ends a document, and no answer would stop
    folder = work / "trl_policy"  # TRL reads its reference model from the folder that the policy came from
    to_transformers(reference).save_pretrained(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = Watched(
            model=transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32),
            reward_funcs=[their_reward],
            args=config(trl, work, **settings),
            train_dataset=datasets.Dataset.from_list([{"prompt": row["messages"]} for row in rows[: 2 * GROUP]]),
            processing_class=words,
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    for batch in seen:
        batch.holds_reference = trainer.ref_model is not None
    return seen


def differences(batch: SimpleNamespace, loss: torch.Tensor, advantages: torch.Tensor) -> dict[str, float]:
    """How far TRL's loss and advantages of a batch are from ours, and the largest log ratio of its tokens."""
    ours, theirs = (each.flatten().sort().values for each in (advantages, batch.advantages))  # TRL has shuffled them
    return {
        "loss": abs(loss.item() - batch.loss),
        "advantages": (ours - theirs).abs().max().item(),
        "ratio": (batch.logprobs - batch.old)[batch.mask].abs().max().item(),
    }


def show_apart(rows: list[dict]) -> None:
    """The largest differences, a line a batch: {"loss", "advantages", "ratio"}."""
    heads = {"batch": "", "the losses differ by": ".1e", "the advantages by": ".1e", "largest |log ratio|": ".2f"}
    table(heads, [(str(k), row["loss"], row["advantages"], row["ratio"]) for k, row in enumerate(rows)])


def as_by_default(batch, clip: float, beta: float) -> float:
    """TRL's loss where only β is set: the mean over all tokens of the batch of the clipped term and β · k3 · ratio."""
    terms, ratio = grpo.clipped_terms(batch.logprobs, batch.old, batch.advantages[:, None], clip)
    terms = terms + beta * ratio * grpo.k3(batch.logprobs, batch.reference)
    return float(terms[batch.mask].mean())


def show_defaults(reference, reward: Callable, rows: list[dict], work, ours) -> dict[str, bool]:
    """The table "in the library": lab 07's settings (`ours`, a GRPOConfig of the course) beside what TRL does by
    default. Returns {statement of the table: is it so?}; raises CourseError where the installed TRL does otherwise.
    {} without TRL.
    """
    trl = trl_library()
    if trl is None:
        return {}
    theirs, rloo = config(trl, work), trl.RLOOConfig(output_dir=str(work / "trl"), use_cpu=True, bf16=False)
    [plain] = batches(reference, reward, rows, work, max_steps=1)
    priced = batches(reference, reward, rows, work, max_steps=2, num_iterations=2, beta=0.1)
    scaled = [grpo.group_advantages(batch.rewards, True).flatten().sort().values for batch in priced]
    facts = {
        "no penalty, no reference": theirs.beta == 0.0 and not plain.holds_reference,
        "k3 times the ratio in the loss": all(abs(as_by_default(b, 0.2, 0.1) - b.loss) < 1e-5 for b in priced),
        "mean over all tokens": theirs.loss_type == "dapo" and abs(as_by_default(plain, 0.2, 0.0) - plain.loss) < 1e-5,
        "over the group's deviation": theirs.scale_rewards == "group"
        and all(torch.allclose(s, b.advantages.sort().values, atol=1e-5) for s, b in zip(scaled, priced)),
        "clip and samples": (theirs.epsilon, theirs.num_generations, theirs.num_iterations) == (0.2, GROUP, 1),
        "small steps": (theirs.learning_rate, trl.GRPOConfig.max_completion_length) == (1e-6, 512),
        "RLOO pays in the reward": rloo.beta == 0.05
        and "rewards - self.beta * kl" in inspect.getsource(trl.RLOOTrainer),
        "no PPO": not hasattr(trl, "PPOTrainer") and importlib.util.find_spec("trl.experimental.ppo") is None,
    }  # fmt: skip
    if wrong := [name for name, holds in facts.items() if not holds]:
        raise CourseError(f"TRL {trl.__version__} does not do what this table says: {', '.join(wrong)}")
    lines = [
        ("price of a nat", f"β = {ours.beta:g}", "beta=0.0: no penalty, and no reference model is held"),
        ("place of the penalty", "in the reward (§ 3)", "where beta is set: k3 in the loss, times the ratio"),
        ("mean", "of each answer, then of the answers", 'loss_type="dapo": over all tokens, as PPO (§ 6)'),
        ("advantages", "scaled" if ours.scale else "not scaled", 'scale_rewards="group": over the deviation + 1e-4'),
        ("clip, answers a prompt, passes", f"{ours.clip:g}, {ours.each}, {ours.epochs}", "0.2, 8, 1"),
        ("learning rate, longest answer", f"{ours.learning_rate:g}, {LONGEST}", "1e-6, 512"),
        ("penalty in the reward", "here", "RLOOTrainer (beta=0.05), its baseline the mean of the other answers"),
        ("PPO", "here, ppo.py", "none: PPOTrainer and models with a value head are gone"),
    ]
    table({"": "", "this lab": "", f"TRL {trl.__version__}, GRPOTrainer by default": ""}, lines)
    return facts
