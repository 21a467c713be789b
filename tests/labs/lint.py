"""What must be true of a student notebook before it runs: the static half of the platforms' check-list (N1 to N9). One
line a finding.
"""

import json
import re
from pathlib import Path

from course_lib.authoring.source import kind_of
from course_lib.platform import COURSE_REF, COURSE_REPO

ROOT = Path(__file__).parents[2]
ASKING = ("input(", "getpass", "drive.mount", "notebook_login", "userdata")


def lint(path, notebook, trains):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    text = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    kinds = [kind_of(cell) for cell in code]
    later = "\n".join(cell.source for cell in code[1:])
    ids = [cell.get("id", "") for cell in notebook.cells]
    badge = f"https://colab.research.google.com/github/{COURSE_REPO}/blob/{COURSE_REF}/labs/{path.name}"
    raw = json.loads(path.read_text())
    return [
        message
        for wrong, message in [
            (
                kinds[0][0] != "setup" or kinds.count(("setup", "")) != 1,
                "N1 the set-up cell is the first code cell, and the only one",
            ),
            (re.search(r"\bpip[3]? install|\bconda install|apt-get", later), "N1 nothing is installed after set-up"),
            (
                re.search(
                    r"pip install[^\n]* (-U|--upgrade)|pip install[^\n]*\b(torch|numpy|ipywidgets)\b", code[0].source
                ),
                "N1 set-up moves nothing that is there",
            ),
            ((raw["nbformat"], raw["nbformat_minor"]) != (4, 5), "N2 nbformat 4.5"),
            (
                len(set(ids)) != len(ids) or not all(re.fullmatch("[0-9a-f]{8}", i) for i in ids),
                "N2 ids of eight hex digits, each once",
            ),
            (
                not {"name", "display_name", "language"} <= set(notebook.metadata.kernelspec),
                "N2 kernelspec with name, display_name, language",
            ),
            (any(cell.outputs or cell.execution_count for cell in code), "N2 no outputs"),
            ("widgets" in notebook.metadata, "N2 no widget state"),
            (
                (notebook.metadata.get("accelerator") == "GPU") != trains,
                "N3 a GPU is asked for where something is trained, and nowhere else",
            ),
            (not notebook.metadata.colab.generative_ai_disabled, "N3 Colab's assistant is off"),
            (
                any(cell.cell_type == "raw" or cell.get("attachments") for cell in notebook.cells),
                "N4 no raw cells, no attachments",
            ),
            (
                any(len(uri) > 50_000 for uri in re.findall(r"data:image[^)\"']+", "\n".join(text))),
                "N4 pictures in the text below 50 kB",
            ),
            (
                any(
                    not link.startswith(("https://", "data:", "attachment:"))
                    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)|<img[^>]+src=[\"']([^\"']+)", "\n".join(text))
                    for link in filter(None, link)
                ),
                "N4 pictures by https or data URI: Colab opens the notebook alone",
            ),
            (any(word in later for word in ASKING), "N4 nothing asks for input, a token or a drive"),
            (re.search(r"^\s*[!%]", later, re.M), "N5 no shell and no magic outside set-up"),
            ("/content" in later or re.search(r"""["'](/tmp|/home|/root)""", later), "N5 no absolute paths"),
            (
                any(a[0] == "exercise" and b != ("check", a[1]) for a, b in zip(kinds, kinds[1:] + [("", "")])),
                "N6 each exercise is followed by its check",
            ),
            (badge not in notebook.cells[0].source, "N7 the badge is of this notebook, repository and tag"),
            (
                not (ROOT / "labs" / path.name).exists() and path.is_relative_to(ROOT),
                "N7 the badge leads to a file that is there",
            ),
            ("tqdm.notebook" in later or "tqdm.auto" in later, "N8 plain tqdm"),
            (path.stat().st_size >= 1_000_000, "N9 below 1 MB"),
        ]
        if wrong
    ]
