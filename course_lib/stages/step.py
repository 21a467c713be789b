"""One step of a training loop: in which dtype the forward pass runs, the update, and what to say when memory runs out.
Once, for all loops.

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
import os

import torch
from torch import Tensor
from tqdm import tqdm

from course_lib.platform import CourseError, device_and_dtype
from course_lib.stages.model import Llama

MEMORY = (
    "out of memory: set COURSE_CHECKPOINTING=1 (`%env COURSE_CHECKPOINTING=1`) and run this again, it goes on from its "
    "checkpoint if it has one; or take a smaller batch "
    "in the configuration, or COURSE_SIZE=laptop, and begin anew. On a shared GPU, nvidia-smi shows who else is on it."
)


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


class Step:
    """What a loop does with a batch: `with update.forward(): logits = …`, then `update(loss, lr)`. On a CPU in fp32 it
    adds nothing.
    """

    def __init__(
        self, model: Llama, optimiser: list[torch.optim.Optimizer], clip: float, dtype: torch.dtype | None = None
    ):
        """`clip`: largest norm of the gradient. `dtype` of the forward pass: by default `forward_dtype` of the model's
        device.
        """
        prepare(model)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimiser, self.clip, self.device = optimiser, clip, next(model.parameters()).device.type
        self.dtype = dtype or forward_dtype(self.device)
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.dtype == torch.float16)

    def forward(self) -> torch.autocast:
        half = self.dtype != torch.float32
        return torch.autocast(self.device, self.dtype if half else None, enabled=half)

    def __call__(self, loss: Tensor, lr: float) -> None:
        """Backward, clip, one step of every optimiser at `lr` times its groups' "scale". With fp16 a step whose
        gradients overflow is left out, and the scale is halved.
        """
        self.scaler.scale(loss).backward()
        for o in self.optimiser:
            self.scaler.unscale_(o)
            for group in o.param_groups:
                group["lr"] = lr * group.get("scale", 1.0)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.clip)
        # the scaler knows of each optimiser alone, and the norm is of all
        overflow = self.scaler.is_enabled() and not norm.isfinite()
        for o in self.optimiser:
            if not overflow:
                self.scaler.step(o)
            o.zero_grad()
        self.scaler.update()


def out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def explains_memory(loop):
    """A training loop whose "out of memory" is one line (CourseError) that names the knobs."""

    @functools.wraps(loop)
    def explained(*args, **options):
        try:
            return loop(*args, **options)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # outside the except block: the error holds the loop's frames, and with them all that filled the memory
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise CourseError(MEMORY)

    return explained
