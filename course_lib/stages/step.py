"""One step of a training loop: in which dtype the forward pass runs, the update, and what to say when a number is not
finite or memory runs out. Once, for all loops.

Mixed precision (Micikevicius et al. 2018, 1710.03740): the matrix products of forward and backward are done in half
precision; weights, their gradients and the optimisers' states stay in fp32. bf16 has the range of fp32. fp16 has not,
so the loss is scaled up before the backward pass and the gradients down after it. Preferences and RLHF train in fp32:
their losses are made of differences between two models' log π of an answer, which start at 0, and bf16's rounding moves
log π by 0.03 nats in the mean and up to 0.16 (shipped assistant, 256 answers; fp16: 0.004 and 0.02). Their models are
small, and sampling takes most of their time.

Settings, read when a loop begins: COURSE_CHECKPOINTING=1 computes the inside of each block a second time in the
backward pass and does not keep it (Chen et al. 2016, 1604.06174), COURSE_COMPILE=1 compiles the blocks (a T4 gains
nothing by it, a CPU needs a C++ compiler).
"""

import contextlib
import functools
import gc
import math
import os

import torch
from torch import Tensor
from tqdm import tqdm

from course_lib.platform import CourseError, device_and_dtype, give_back_buffers
from course_lib.stages.model import Llama

MEMORY = (
    "out of memory: set COURSE_CHECKPOINTING=1 (`%env COURSE_CHECKPOINTING=1`) and run this again, it goes on from its "
    "checkpoint if it has one; or take a smaller batch "
    "in the configuration, or COURSE_SIZE=laptop, and begin anew. On a shared GPU, nvidia-smi shows who else is on it."
)
LOWER = "lower learning_rate"
# settings by what they may be, in the configurations of all loops
COUNTS = ("batch", "epochs", "steps", "prompts", "each", "minibatches")
NOT_NEGATIVE = ("beta", "floor", "warmup", "embedding_rate")
POSITIVE = ("learning_rate", "value_rate", "clip", "value_clip", "max_norm", "kl_target")
SHARES = ("gamma", "lam")  # of GAE: λ = 0 trusts the critic, 1 the rewards


def forward_dtype(device: str) -> torch.dtype:
    """What the forward pass of a model on `device` ("cpu", "cuda") is computed in: `platform.device_and_dtype`'s choice
    where that is the course's device, else fp32.
    """
    chosen, dtype, _ = device_and_dtype()
    return dtype if device == chosen else torch.float32


def flag(name: str) -> bool:
    """Is the setting `name` on? CourseError for a value that is neither 0 nor 1."""
    value = os.environ.get(name) or "0"
    if value not in ("0", "1"):
        raise CourseError(f"{name} is {value!r}: set it to 1 or 0, or unset it.")
    return value == "1"


def prepare(model: Llama) -> None:
    """Turn on what COURSE_CHECKPOINTING and COURSE_COMPILE ask for."""
    model.checkpointing = flag("COURSE_CHECKPOINTING")
    if flag("COURSE_COMPILE"):
        for block in model.model.layers:  # they are alike, so one is compiled; lengths differ from step to step
            block.compile(dynamic=True)


def steps_left(history: list[dict], steps: int, description: str, progress: bool = True) -> tqdm:
    """The numbers of the steps after those in `history`, with a bar."""
    begun = len(history)
    return tqdm(range(begun, steps), description, steps, initial=begun, unit="step", disable=not progress)


def beside(t: Tensor):
    """Context in which a student's function makes its own tensors where `t` is: on a GPU `torch.arange(3)` would else
    stay on the CPU.
    """
    return contextlib.nullcontext() if t.device.type == "cpu" else torch.device(t.device)


def check_settings(config) -> None:
    """Raises CourseError for settings with which a loop would run to its end and teach nothing, or ruin the weights."""
    for name, value in vars(config).items():
        if name in COUNTS and value < 1:
            raise CourseError(f"{name} is {value}, so there is nothing to train: take at least 1")
        if name in POSITIVE and value is not None and not 0 < value < math.inf:
            raise CourseError(f"{name} is {value}: take a number above 0")
        if name in SHARES and not 0 <= value <= 1:
            raise CourseError(f"{name} is {value}: take a number from 0 to 1")
        if name in NOT_NEGATIVE and not 0 <= value < math.inf:
            raise CourseError(f"{name} is {value}: take 0 or a number above it")


def check_finite(step: int, what: str, values: Tensor, remedy: str) -> None:
    """Raises CourseError, one line, where a value is NaN or infinite: a step with it would ruin every weight."""
    values = values.detach().flatten()
    odd = values[~values.isfinite()]
    if len(odd):
        raise CourseError(f"step {step}: {what} is {odd[0].item()}, so training stops here: {remedy}")


def check_weights(model: torch.nn.Module, remedy: str) -> None:
    """Raises CourseError, one line, where a weight is NaN or infinite."""
    for name, p in model.named_parameters():
        if not p.isfinite().all():
            raise CourseError(f"{name} holds numbers that are not finite: {remedy}")


class Step:
    """What a loop does with a batch: `with update.forward(): logits = …`, then `update(loss, lr, step)`. On a CPU in
    fp32 it adds nothing.
    """

    def __init__(
        self, model: Llama, optimiser: list[torch.optim.Optimizer], clip: float, dtype: torch.dtype | None = None
    ):
        """`clip`: largest norm of the gradient. `dtype` of the forward pass: by default `forward_dtype` of the model's
        device. Raises CourseError for a model with weights that are not finite or with nothing to train.
        """
        prepare(model)
        check_weights(model, "an earlier training ruined the model that this one starts from, train that one again")
        self.trained = [p for p in model.parameters() if p.requires_grad]
        if not self.trained:
            raise CourseError("no parameter of the model requires a gradient: unfreeze it, or add_lora to it first")
        self.optimiser, self.clip, self.device = optimiser, clip, next(model.parameters()).device.type
        self.dtype = dtype or forward_dtype(self.device)
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype == torch.float16)
        for p in self.trained:
            p.grad = None  # what a run that was stopped has left would be added to the first step's

    def forward(self) -> torch.autocast:
        half = self.dtype != torch.float32
        return torch.autocast(self.device, self.dtype if half else None, enabled=half)

    def __call__(self, loss: Tensor, lr: float, step: int) -> None:
        """Backward, clip, one step of every optimiser at `lr` times its groups' "scale". With fp16 a step whose
        gradients overflow is left out, and the scale is halved.

        Raises CourseError, with the weights as they were, for a loss, a rate or a gradient that is not finite.
        """
        remedy = f"{LOWER}, which is {lr:g}, or mend the loss"
        check_finite(step, "the loss", loss, remedy)
        if not 0 <= lr < math.inf:
            raise CourseError(f"step {step}: the learning rate is {lr}, so training stops here: mend the schedule")
        self.scaler.scale(loss).backward()
        for o in self.optimiser:
            self.scaler.unscale_(o)
            for group in o.param_groups:
                group["lr"] = lr * group.get("scale", 1.0)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.clip)
        finite = bool(norm.isfinite())  # of all; the scaler knows of each optimiser alone
        for o in self.optimiser:
            if finite:
                self.scaler.step(o)
            o.zero_grad()
        self.scaler.update()
        # where the scale has become as small as this, scaling is not what is wrong
        if not self.scaler.is_enabled() or self.scaler.get_scale() < 1:
            check_finite(step, "the gradient's norm", norm, remedy)


def out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def explains_memory(loop):
    """A training loop whose "out of memory" is one line (CourseError) that names the knobs, and that leaves no buffers
    behind.
    """

    @functools.wraps(loop)
    def explained(*args, **options):
        try:
            return loop(*args, **options)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        finally:
            give_back_buffers()
        # outside the except block: the error holds the loop's frames, and with them all that filled the memory
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise CourseError(MEMORY)

    return explained
