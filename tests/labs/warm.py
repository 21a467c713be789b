"""Kernels that are forked from one process which has imported what the labs import: twelve notebooks pay once for it.

    python -P warm.py      a line on stdin {"connection": a connection file, "folder", "environment"} starts a kernel

A cell that forgets an import of a library's submodule can pass here; `course build` runs it in a kernel of its own.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import warnings

# Libraries only: what the course's own modules compute or read from the environment, each notebook does itself.
MODULES = (
    "ipykernel.kernelapp", "ipywidgets", "torch", "torch._dynamo", "matplotlib.pyplot", "transformers", "datasets",
    "trl.trainer.sft_trainer", "trl.trainer.reward_trainer", "trl.trainer.dpo_trainer", "trl.trainer.kto_trainer",
    "trl.trainer.grpo_trainer", "trl.trainer.rloo_trainer", "peft", "bitsandbytes.functional", "evaluate",
    "scipy.stats", "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection",
    "sklearn.feature_extraction.text",
)  # fmt: skip


def forked(asked):
    """Starts a kernel in a child of this process. Returns in neither."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(asked["folder"])
    os.environ |= asked["environment"]
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance(["-f", asked["connection"]])
    os._exit(0)


def main():
    forks = sys.platform == "linux"  # on macOS what system libraries hold does not survive a fork
    for name in MODULES if forks else ():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)
    assert threading.active_count() == 1, "an import has begun a thread: none survives a fork"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the kernels
    for line in sys.stdin:
        asked = json.loads(line)
        if not forks:
            subprocess.Popen(
                [sys.executable, "-m", "ipykernel_launcher", "-f", asked["connection"]],
                cwd=asked["folder"],
                env=os.environ | asked["environment"],
                stdin=subprocess.DEVNULL,
            )
        elif os.fork() == 0:
            forked(asked)


if __name__ == "__main__":
    main()
