"""What one call leaves behind must not touch the next: the process's own settings, put back before each.

    state = remember()              after the libraries are loaded, before any student's code
    mark(state, namespace)          after the notebook's cells
    restore(state, namespace, id)   before each call of a question

For the clumsy, not the hostile: a default dtype of float64, a deleted builtin, `del torch`, warnings as errors. The
global random generators are seeded where a question begins, so that an answer with unseeded dropout gets the same
verdict in every regrade, and other noise in each call.
"""

import builtins
import os
import random
import signal
import sys
import types
import warnings

import numpy as np
import torch

# fmt: off
TORCH = ("zeros", "ones", "tensor", "arange", "exp", "log", "sum", "mean", "matmul", "where", "allclose", "equal",
    "isfinite", "isnan", "no_grad", "manual_seed")
# fmt: on
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


def remember():
    """A dict of the settings as they are now."""
    return {
        "builtins": dict(vars(builtins)),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "filters": list(warnings.filters),
        "recursion": sys.getrecursionlimit(),
        "numpy": np.geterr(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "torch": {name: getattr(torch, name) for name in TORCH},
        "signals": {number: signal.getsignal(number) for number in SIGNALS},
        "names": {},
        "question": None,
    }


def mark(state, namespace):
    """Keeps which module, function or class each of the notebook's names means once its cells have run. Data may
    change: a function may fill a table for the next.
    """
    state["names"] = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type))
    }


def restore(state, namespace, question):
    """Puts the settings back, and seeds the global random generators where another question begins."""
    builtins.__dict__.update(state["builtins"])  # first, and by no name of theirs: they may be gone
    for name, function in state["torch"].items():
        setattr(torch, name, function)
    namespace.update(state["names"])
    if dict(os.environ) != state["environment"]:
        os.environ.clear()
        os.environ.update(state["environment"])
    sys.path[:] = state["path"]
    warnings.filters[:] = state["filters"]  # ty: ignore[invalid-assignment]  # a list, whatever its stub says
    sys.setrecursionlimit(state["recursion"])
    np.seterr(**state["numpy"])
    os.chdir(state["folder"])
    for number, handler in state["signals"].items():
        signal.signal(number, handler)
    torch.set_default_dtype(state["dtype"])
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.set_num_threads(state["threads"])
    if state["question"] != question:
        state["question"] = question
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
