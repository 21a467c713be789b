"""Littlebrook: the few names that the lab notebooks use. Everything heavy is imported where it is used."""

import importlib
import os
import sys

__version__ = "0.1.0"

# OpenMP threads that spin while they wait make a shared machine up to 35 times slower; torch reads this once, when it
# is imported.
if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault(
        "GOMP_SPINCOUNT", "1000"
    )  # but some microseconds, till the next small operation, are better spun than slept

_HOME = {
    "setup": "course_lib.notebook.setup",
    "check": "course_lib.notebook.check",
    "submit": "course_lib.notebook.submit",
    "load_stage": "course_lib.stages.artifacts",
    "save_stage": "course_lib.stages.artifacts",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module 'course_lib' has no attribute {name!r}; it offers {', '.join(_HOME)}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__():
    return sorted(__all__)
