"""setup(), the first cell of every lab: seeds everything, looks at the machine, prints one table."""

import logging
import os
import random
import shutil
import sys

from course_lib.notebook.check import use_lab
from course_lib.platform import (
    FREE_DISK_MB,
    OLDEST,
    OLDEST_PYTHON,
    CourseError,
    Platform,
    colab_note,
    device_and_dtype,
    hide_old,
    in_colab,
    share_gpu,
    size,
    work_dir,
)


def setup(lab, seed=0, exam=False):
    """Seed everything, look at the machine, print one table. Returns a Platform. exam: nothing is judged.

    Raises CourseError, one line, for a Python that is too old, an unknown COURSE_SIZE, COURSE_DEVICE, COURSE_DTYPE or
    COURSE_GPU_FRACTION, an unwritable work folder, a full disk.
    """
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise CourseError(
            f"The course needs Python 3.11, 3.12 or 3.13 and this kernel is {sys.version.split()[0]}: "
            "run `make lab` in the course folder, or choose its kernel."
        )
    import numpy
    import torch

    device, dtype, reason = device_and_dtype()
    work = work_dir()
    free = shutil.disk_usage(work).free // 2**20
    if free < int(os.environ.get("COURSE_MIN_FREE_MB", FREE_DISK_MB)):
        raise CourseError(
            f"Only {free} MB are free on the disk of {work}: free some space, or set COURSE_WORK to a folder elsewhere."
        )
    use_lab(lab, exam)
    notes = [note for note in [*map(hide_old, OLDEST), share_gpu(device), colab_note(work)] if note]
    # peft and TRL load it, and it would say in red that a faster kernel is not installed
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    here = Platform(
        python=sys.version.split()[0],
        torch=torch.__version__,
        device=device,
        dtype=str(dtype).removeprefix("torch."),
        reason=reason,
        threads=torch.get_num_threads(),
        size=size(device),
        work=work,
    )
    rows = {
        "lab": f"{lab}, seed {seed}" + (", exam: nothing is judged before you hand in" if exam else ""),
        "python": f"{here.python}, torch {here.torch}" + (", on Colab" if in_colab() else ""),
        "device": f"{here.device}, {here.threads} thread{'s' * (here.threads > 1)}",
        "dtype": f"{here.dtype} ({here.reason})",
        "size": here.size,
        "work": str(here.work),
    }
    for name, value in [*rows.items(), *(("note", note) for note in notes)]:
        print(f"{name:>7}  {value}")
    return here
