"""A pretend GPU: every tensor stays an ordinary CPU tensor and carries a mark, "cuda" or not, and mixing the two raises
what a GPU would raise.

    with PretendCuda():                         # a card of compute capability 8.0; (7, 5) is a T4: fp16, slow on a CPU
        model = Llama(config).to("cuda")
        model(torch.tensor([[1, 2]]))           # RuntimeError: Expected all tensors to be on the same device

It sees what goes through `__torch_function__` on the thread that entered it. It does not see
- inside `backward()`, `torch.autograd.grad`, custom autograd functions' C++ side, hooks and compiled code: those run
unmarked;
- other threads and processes, DataLoader workers, kernels written for CUDA (bitsandbytes), `torch.Generator("cuda")`,
device meshes, streams;
- memory, speed, rounding, results that differ between runs, dtypes or sizes that only CUDA refuses (but for matrix
products of integers, which it does raise);
- autocast beyond the commonest operations that CUDA's keeps in fp32 (FP32).
A tensor made before it was entered is on the CPU. Import PEFT and TRL before, too: with a GPU "there", bitsandbytes
looks for functions that a build without CUDA has not.
"""

from contextlib import ExitStack
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
MOVES = {"copy_", "type_as", "_has_compatible_shallow_copy_type"}  # any device to any device
INDEXING = {"__getitem__", "__setitem__", "index_put", "index_put_"}
# fmt: off
NO_NUMBERS = {"cat", "concat", "stack", "hstack", "vstack", "index_select", "gather", "scatter", "scatter_",
    "scatter_add", "scatter_add_", "embedding",
              "cross_entropy", "nll_loss", "index_copy", "index_copy_", "index_add", "index_add_", "take_along_dim",
                  "equal"}
# fmt: on
PRODUCTS = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "mv", "dot", "addmm", "einsum", "linear", "tensordot"}
# fmt: off
FP32 = {"softmax", "log_softmax", "cross_entropy", "nll_loss", "layer_norm", "norm", "exp", "log", "pow", "__pow__",
    "rsqrt", "sum", "cumsum", "prod", "mse_loss",
        "binary_cross_entropy_with_logits", "softplus", "log1p", "expm1", "dist", "cosine_similarity"}
# fmt: on


def marked(t: Tensor) -> bool:
    return t.__dict__.get("on_gpu", False)


def mark(value, gpu: bool):
    """`value` with all its tensors marked."""
    for t in tree_leaves(value):
        if isinstance(t, Tensor):
            t.on_gpu = gpu
    return value


def is_gpu(device) -> bool | None:
    """Does this argument name the GPU? None if it names no device."""
    if isinstance(device, str):
        device = torch.device(device)
    return device.type == "cuda" if isinstance(device, torch.device) and device.type in ("cuda", "cpu") else None


def moved(t: Tensor, gpu: bool) -> Tensor:
    return t if marked(t) == gpu else mark(t.clone(), gpu)


def refuse_mixture(name: str, tensors: list[Tensor]) -> None:
    """RuntimeError where these arguments of `name`, in order, would not work together on a GPU. A number of the CPU (0
    axes) is welcome in most operations.
    """
    gpu = [t for t in tensors if marked(t)]
    in_place = (
        name.endswith("_") and not name.endswith("__") or name in ("__iadd__", "__isub__", "__imul__", "__itruediv__")
    )
    if gpu and any(not marked(t) and (t.dim() or name in NO_NUMBERS or in_place and t is tensors[0]) for t in tensors):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! (in "
            f"{name})"
        )
    if gpu and name in PRODUCTS and not any(t.is_floating_point() or t.is_complex() for t in gpu):
        raise RuntimeError(f'"addmm_cuda" not implemented for {str(gpu[0].dtype)!r} (in {name})')


def refuse_index(target: Tensor, index, value=None) -> None:
    """RuntimeError for an index on the GPU into the CPU (the other way is allowed), and for `target[index] = value`
    with numbers from elsewhere; slices copy, they take any.
    """
    indices = [t for t in tree_leaves(index) if isinstance(t, Tensor) and t.dim()]
    elsewhere = isinstance(value, Tensor) and value.dim() > 0 and marked(value) != marked(target)
    lists = [i for i in (index if isinstance(index, tuple) else (index,)) if isinstance(i, (list, np.ndarray))]
    if not marked(target) and any(map(marked, indices)) or (indices or lists) and elsewhere:
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")


class Autocast(torch.autocast):
    """CUDA's autocast, done by the CPU's."""

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        dtype = dtype or (torch.float16 if device_type == "cuda" else torch.bfloat16)
        super().__init__("cpu", dtype if enabled else torch.bfloat16, enabled=enabled, cache_enabled=cache_enabled)


class PretendCuda(TorchFunctionMode):
    def __init__(self, capability: tuple[int, int] = (8, 0)):
        super().__init__()
        answers = {
            "is_available": True,
            "device_count": 1,
            "current_device": 0,
            "get_device_capability": capability,
            "get_device_name": "Pretend",
            "empty_cache": None,
            "synchronize": None,
            "set_per_process_memory_fraction": None,
            "reset_peak_memory_stats": None,
            "max_memory_allocated": 0,
            "memory_allocated": 0,
            "mem_get_info": (2**34, 2**34),
            "get_rng_state": None,
            "set_rng_state": None,
            "manual_seed_all": None,
            "is_bf16_supported": True,
            "set_device": None,
        }
        make = torch.nn.Parameter.__new__  # no mode sees it
        self.patches = [
            patch.object(torch.cuda, name, lambda *a, answer=answer, **k: answer) for name, answer in answers.items()
        ] + [
            patch.object(torch, "autocast", Autocast),
            patch.object(torch.amp, "autocast", Autocast),
            patch.object(
                torch.nn.Parameter,
                "__new__",
                lambda cls, data=None, *a, **k: mark(
                    make(cls, data, *a, **k), isinstance(data, Tensor) and marked(data)
                ),
            ),
        ]

    def __enter__(self):
        with ExitStack() as stack:
            for each in self.patches:
                stack.enter_context(each)
            self.undo = stack.pop_all()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.undo.close()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name, of = getattr(func, "__name__", ""), getattr(func, "__self__", None)
        me = args[0] if args and isinstance(args[0], Tensor) else None
        gpu = me is not None and marked(me)
        if name == "__get__" and me is not None:
            answers = (
                {Tensor.device: GPU if gpu else me.device, Tensor.is_cuda: gpu, Tensor.is_cpu: not gpu}
                if of in (Tensor.device, Tensor.is_cuda, Tensor.is_cpu)
                else {}
            )
            return answers[of] if of in answers else mark(func(*args), gpu)
        if of is Tensor.data and name == "__set__":
            mark(me, marked(args[1]))
            return func(*args)
        if name in ("to", "cuda", "cpu") and me is not None:
            to = [
                named
                for a in [*args[1:], kwargs.get("device"), kwargs.get("other")]
                if (named := marked(a) if isinstance(a, Tensor) else is_gpu(a)) is not None
            ]
            where = {"cuda": True, "cpu": False}.get(name, to[0] if to else gpu)
            if name != "to":
                return moved(me, where)
            args, kwargs = (
                tree_map(lambda a: CPU if not isinstance(a, Tensor) and is_gpu(a) else a, (args, kwargs))
                if to
                else (args, kwargs)
            )
            out = func(*args, **kwargs)
            return mark(out, where) if out is not me else moved(me, where)
        if name in ("numpy", "__array__") and gpu:
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory "
                "first."
            )
        if name == "get_device" and me is not None:
            return 0 if gpu else -1
        if name in INDEXING:
            refuse_index(*args[:3])
            return mark(func(*args, **kwargs), gpu)
        tensors = [a for a in tree_leaves((args, kwargs)) if isinstance(a, Tensor) and a.device.type == "cpu"]
        asked = is_gpu(kwargs["device"]) if kwargs.get("device") is not None else None
        if asked:
            kwargs["device"] = CPU
        if name in ("tensor", "as_tensor", "asarray", "new_tensor"):
            gpu = asked if asked is not None else gpu  # a list of numbers on the GPU becomes a tensor on the CPU
        else:
            if name not in MOVES:
                refuse_mixture(name, tensors)
            gpu = asked if asked is not None else gpu if name in MOVES else any(map(marked, tensors))
        if gpu and any(isinstance(a, torch.Generator) for a in [*args, *kwargs.values()]):
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        if gpu and name in FP32 and torch.is_autocast_enabled("cpu"):
            args = tree_map(
                lambda a: a.float() if isinstance(a, Tensor) and a.dtype in (torch.float16, torch.bfloat16) else a, args
            )
        made = func(*args, **kwargs)
        return moved(made, gpu) if me is not None and made is me else mark(made, gpu)
