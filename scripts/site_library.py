"""The library's docstrings as pages of the site."""

import ast
import re
from pathlib import Path

from course_lib.platform import ROOT

# a page each; the labs' questions are left out, for their docstrings speak of answers, and of the grader the rooms that
# say how a cheat is looked for, and when it is not found
PACKAGES = {
    "Notebook": ["platform.py", "notebook/*.py", "questions/core.py"],
    "Stages": ["stages/*.py"],
    "Evaluation": ["evaluation/*.py"],
    "Widgets": ["widgets/*.py"],
    "World": ["world/*.py"],
    "Grading": [f"grading/{room}/*.py" for room in ("intake", "people", "records", "reports", "lms", "replay")],
    "Authoring and benches": ["authoring/*.py", "bench/*.py", "tour/*.py", "train.py"],
}


def prose(docstring: str) -> str:
    """A docstring as Markdown: paragraphs stay, indented blocks are code, nothing in it is markup but `backticks`."""
    made = []
    for block in filter(None, re.split(r"\n\s*\n", docstring.strip())):
        lines = block.splitlines()
        if all(line.startswith("    ") for line in lines):
            made.append("```text\n" + "\n".join(line[4:] for line in lines) + "\n```")
            continue
        spoken = plain(lines[0])
        for line in lines[1:]:  # a list or a label begins a line of its own
            spoken += ("\\\n" if re.match(r"\s|[A-Z]\w*:|\W*[-·] ", line) else "\n") + plain(line)
        made.append(spoken)
    return "\n\n".join(made)


def plain(line: str) -> str:
    """A line of words that Markdown takes as they are; what stands in `backticks` stays."""
    line = re.sub(r"(`[^`]*`)|([\\*_\[\]<>$|{}#~^])", lambda found: found[1] or "\\" + found[2], line.strip())
    return re.sub(r"^(\d+)([.)]) ", r"\1\\\2 ", re.sub(r"^([-+=:]+)", r"\\\1", line))


def signature(node) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returned}"


def module_page(path: Path) -> str:
    """The public functions and classes of a module that have a docstring, as Sphinx's Python domain knows them. "" if
    there is nothing to say.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    said = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and ast.get_docstring(node)
    ]
    intro = prose(ast.get_docstring(tree) or "")
    if not intro and not said:
        return ""
    parts = [f"## {name}", f"````{{py:module}} {name}\n````", intro]
    for node in said:
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        parts.append(f"`````{{py:{kind}}} {signature(node)}\n\n{prose(ast.get_docstring(node))}\n`````")
    return "\n\n".join(parts)


def api_pages() -> dict[str, str]:
    """{file name: Markdown}"""
    pages = {}
    for title, patterns in PACKAGES.items():
        paths = sorted(path for pattern in patterns for path in (ROOT / "course_lib").glob(pattern))
        pages[f"{title.split()[0].lower()}.md"] = (
            f"# {title}\n\n" + "\n\n".join(filter(None, map(module_page, paths))) + "\n"
        )
    listed = "\n".join(name.removesuffix(".md") for name in pages)
    pages["index.md"] = f"""# The library

What `course_lib` offers, from its docstrings. The axes of tensors have [letters](../contributing.md): `B` batch,
`T` tokens, `V` vocabulary, `D` width, and so on.
A notebook needs five names of it: `setup`, `check`, `submit`, `load_stage`, `save_stage`.

```{{toctree}}
{listed}
```
"""
    return pages
