"""Where are we running? Device, dtype and the reason for it, size, work folder; decided once and printed by `setup()`.

Nothing here touches the network, imports peft or transformers, or looks for Google's modules unless Colab has loaded
them.
"""

import contextlib
import ctypes
import importlib.metadata
import os
import sys
import time
import unicodedata
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The one setting behind every badge and every Colab install. A release tag, so that a term's students see a term's
# course.
COURSE_REPO = os.environ.get("COURSE_REPO", "littlebrook-course/littlebrook")
COURSE_REF = os.environ.get("COURSE_REF", "v0.1.0")

OPTIONAL = ("12_reasoning",)  # labs whose points stand beside the 100 of the others
SIZES = ("tiny", "laptop", "gpu")
DTYPES = ("float32", "float16", "bfloat16")
OLDEST_PYTHON = (3, 11)
PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent  # the course folder, where course_lib is not installed but a checkout
DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts a student's Drive
FREE_DISK_MB = 500  # what one lab writes, with room to spare


class CourseError(Exception):
    """Something a student or an instructor can mend; the message is one line that says how."""

    def _render_traceback_(self):  # IPython shows this instead of a stack trace
        return [str(self)]


@dataclass(frozen=True)
class Platform:
    python: str
    torch: str
    device: str
    dtype: str
    reason: str
    threads: int
    size: str
    work: Path


def in_colab():
    return "google.colab" in sys.modules


def drive_mounted():
    """Has the student mounted a Drive on Colab? Mounting it is how they say that they want their work there; the course
    never asks.
    """
    return in_colab() and DRIVE.is_dir()


def colab_note(work):
    """What to do so that work outlives a Colab machine, or None where nothing need be done."""
    if not in_colab():
        return None
    if work.is_relative_to(DRIVE):
        before = Path("work").absolute()
        if {path.name for path in before.glob("[!.]*")} <= {path.name for path in work.iterdir()}:
            return None
        return f"what you trained before you mounted the Drive is in {before}: copy it with `!cp -rn {before}/. {work}`"
    return (
        f"this machine forgets {work} when it ends: mount your Drive (folder sign on the left) and run this cell "
        "again, or keep files with google.colab.files.download(path)"
    )


def size(device=None):
    """The dial of every stage: `tiny` (seconds), `laptop` (minutes on 2 cores), `gpu`. COURSE_SIZE, else by device."""
    chosen = os.environ.get("COURSE_SIZE") or ("gpu" if (device or device_and_dtype()[0]) == "cuda" else "laptop")
    if chosen not in SIZES:
        raise CourseError(f"COURSE_SIZE is {chosen!r}: set it to one of {', '.join(SIZES)}, or unset it.")
    return chosen


def work_dir():
    """Folder of what the student has trained: env COURSE_WORK, else littlebrook/work in the student's own Drive if
    Colab has that mounted, else ./work. Made if absent. Raises CourseError if unwritable.
    """
    own = "work" if not drive_mounted() else DRIVE / "littlebrook" / "work"
    folder = Path(os.environ.get("COURSE_WORK") or own).expanduser().absolute()
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise CourseError(
            f"Cannot write to {folder} ({error.strerror}): set the environment variable COURSE_WORK to a folder you "
            "may write to."
        ) from None
    return folder


def write_atomic(path, data):
    """The whole of data (bytes) or nothing at `path`, also after a crash at any moment. Raises OSError, and then
    nothing has changed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the new name, too, must be on disk
        folder = os.open(path.parent, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a Drive on Colab may not know how; the file is there all the same
            os.fsync(folder)
        os.close(folder)


def device_and_dtype():
    """(device, dtype, reason), from the compute capability.

    `torch.cuda.is_bf16_supported()` says True on a T4, where bf16 is emulated and slow, so we do not ask it.
    Env COURSE_DEVICE (cpu, cuda) and COURSE_DTYPE (one of DTYPES) come first; CourseError if the machine or the course
    has no such thing.
    """
    import torch

    device, asked = os.environ.get("COURSE_DEVICE") or None, os.environ.get("COURSE_DTYPE") or None
    if device not in (None, "cpu", "cuda"):
        raise CourseError(f"COURSE_DEVICE is {device!r}: set it to cpu or cuda, or unset it.")
    if asked not in (None, *DTYPES):
        raise CourseError(f"COURSE_DTYPE is {asked!r}: set it to one of {', '.join(DTYPES)}, or unset it.")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        why = (
            "no GPU is visible to it"
            if torch.version.cuda or torch.version.hip
            else f"torch {torch.__version__} is a build without CUDA"
        )
        raise CourseError(
            f"COURSE_DEVICE is cuda and {why}: install the driver and `COURSE_TORCH=cuda make lab`, on Colab choose a "
            "GPU runtime, or unset COURSE_DEVICE."
        )
    if device == "cpu" or not there:
        if asked:  # slower on most CPUs; it is how the way of a GPU is tried without one
            return "cpu", getattr(torch, asked), f"COURSE_DTYPE is {asked}"
        return "cpu", torch.float32, "COURSE_DEVICE is cpu: fp32" if device else "no CUDA device: fp32 on the CPU"
    device, dtype, reason = by_capability()
    if asked == "bfloat16" and dtype != torch.bfloat16:
        raise CourseError(f"COURSE_DTYPE is bfloat16, and this card only emulates it ({reason}): unset COURSE_DTYPE.")
    return (device, getattr(torch, asked), f"COURSE_DTYPE is {asked}") if asked else (device, dtype, reason)


def by_capability():
    """(device, dtype, reason) of the first GPU."""
    import torch

    capability = torch.cuda.get_device_capability()
    name = torch.cuda.get_device_name()
    level = f"{name}, compute capability {capability[0]}.{capability[1]}"
    if capability >= (8, 0):
        return "cuda", torch.bfloat16, f"{level}: native bf16"
    if capability >= (7, 0):
        return "cuda", torch.float16, f"{level}: bf16 would be emulated, so fp16 autocast over fp32 weights"
    return "cuda", torch.float32, f"{level}: no tensor cores, so fp32"


def share_gpu(device):
    """Keeps this kernel within COURSE_GPU_FRACTION (above 0, at most 1) of the GPU's memory, where several kernels have
    one GPU (JupyterHub). torch then raises its own out-of-memory error at that mark, and the neighbours go on. Returns
    a note, or None. CourseError for a bad fraction.
    """
    asked = os.environ.get("COURSE_GPU_FRACTION")
    if not asked:
        return None
    try:
        fraction = float(asked)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        raise CourseError(
            f"COURSE_GPU_FRACTION is {asked!r}: set it to a number above 0 and at most 1, such as 0.25 for four "
            "kernels on one GPU, or unset it."
        )
    if device != "cuda":
        return None
    import torch

    torch.cuda.set_per_process_memory_fraction(fraction)
    return f"at most {fraction:.0%} of the GPU's memory is for this kernel (COURSE_GPU_FRACTION)"


def keep_large_buffers():
    """Let glibc keep memory that was freed. A training step frees and takes the same large tensors again and again, and
    by default each is handed back to the kernel and zeroed page by page: a seventh of a step. Does nothing where there
    is no glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD, bytes
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD, bytes


def give_back_buffers():
    """Hand back to the kernel all that glibc has kept: what follows a training loop takes tensors of other sizes, which
    would come on top. Does nothing where there is no glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


# Packages that may be too old on Colab: the oldest version that will do, and why. The image has torchao 0.10, and peft
# raises; the newest trl that fits the image is 0.29
OLDEST = {
    "torchao": ((0, 16), "peft needs 0.16 or later, the course needs none"),
    "trl": ((1, 16), "the labs compare with 1.16 or later and go on without it"),
}


def hide_old(package):
    """Make a package of OLDEST that is too old look absent. Returns a note, or None."""
    oldest, why = OLDEST[package]
    if package in sys.modules:
        return None
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    if tuple(int("".join(filter(str.isdigit, part)) or 0) for part in version.split(".")[:2]) >= oldest:
        return None
    absent: Any = None  # find_spec now returns None, which is what peft and transformers ask; an import raises
    sys.modules[package] = absent
    return f"{package} {version} is hidden ({why})"


def safe_name(text, longest=80):
    """A student's or file's name as a folder name: letters and digits of any script, no separators, no control or bidi
    characters.
    """
    text = unicodedata.normalize("NFC", str(text))

    def mended(c):
        if c.isalnum() or c in "._-@ ":
            return c
        return "" if unicodedata.category(c).startswith("C") else "_"

    text = "".join(map(mended, text)).strip(" .-")
    return text[:longest].strip(" .-") or "unnamed"


def counted(n, noun):
    """ "1 point", "7 points", "0.5 points": every count that a person reads."""
    return f"{f'{n:g}' if isinstance(n, float) else n} {noun}{'s' * (n != 1)}"


def nearest(word, known, called=None):
    """The end of a message, `, did you mean X?`, for what of `known` sounds most like `word`; "" where nothing does.
    called: {one of known: how to name it}.
    """
    import difflib

    folded, word = {name.casefold(): name for name in reversed(list(known))}, word.casefold()
    starts = [name for name in folded if word and name.startswith(word)]
    found = starts if len(starts) == 1 else difflib.get_close_matches(word, folded, n=1, cutoff=0.5)
    if not found:
        return ""
    name = folded[found[0]]
    return f", did you mean {(called or {}).get(name, name)}?"


def matmul_rate(seconds: float = 2.0, n: int = 1024, device: str = "cpu", dtype=None) -> float:
    """This machine's matmul rate right now, GFLOP/s, in fp32 unless `dtype` says else: n × n · n × n again and again.
    The mean over the time and not the best moment, as what it is compared with is a mean over time, too.
    """
    import torch

    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(4):
        a @ b
    wait()
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        a @ b
        wait()
        count += 1
    return count * 2 * n**3 / (time.perf_counter() - start) / 1e9
