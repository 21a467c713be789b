"""Python files beside a notebook that its cells import: which they are, and which can be handed in with it."""

import ast
import importlib.machinery
import re
import sys

from course_lib.notebook.language import UNREADABLE, imports, tree_of

NAME = re.compile(r"[A-Za-z_]\w{0,60}\.py")
WRITES = re.compile(r"^%%(?:writefile|file)\s+(?:-a\s+)?(\S+)", re.M)
MOST, MAX_BYTES = 20, 200_000  # files, bytes of one
LIBRARIES = {"torch", "numpy", "course_lib", "safetensors", "transformers", "IPython", "conftest", "sitecustomize"}
LIBRARIES |= {"usercustomize", "jaxtyping", "setup"}


def helpers_of(cells, folder):
    """({name: bytes} of the files in `folder` that the code cells import or %run, lines on what is left out)."""
    sources = [source for _, kind, source in cells if kind == "code"]
    made = {name for source in sources for name in WRITES.findall(source)}
    found, notes, queue = {}, [], sources
    while queue:
        source = queue.pop(0)
        for module in modules_of(source):
            name = f"{module}.py"
            path = folder / name
            if name in found or name in made:
                continue
            if not path.is_file():
                if (folder / module).is_dir() and any((folder / module).glob("*.py")) and not installed(module, folder):
                    notes.append(f"{module}/ is a folder and is not handed in: put what you need of it into {name}")
                    made.add(name)
                continue
            data = path.read_bytes()
            if installed(module, folder):
                notes.append(f"{name} has the name of a library, which graders take instead: give it another name")
            elif not NAME.fullmatch(name) or len(data) > MAX_BYTES or len(found) == MOST:
                notes.append(f"{name} is not handed in: at most {MOST} files of {MAX_BYTES // 1000} kB are")
            else:
                found[name] = data
                queue.append(data.decode("utf-8", "replace"))
                continue
            made.add(name)
    return found, notes


def modules_of(source):
    """The top-level modules that a cell or a file imports, and the files that it runs."""
    names = {name.removesuffix(".py") for name in re.findall(r"^[^\S\n]*%run\s+(?:-\w+\s+)*(\w+\.py)\b", source, re.M)}
    try:
        tree = tree_of(source)
    except UNREADABLE:
        return sorted(names)
    for node in imports(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif node.module and not node.level:
            names.add(node.module.split(".")[0])
    return sorted(names)


def shadows(name):
    """Is a file called as a module that every notebook or the grader itself imports?"""
    module = name.removesuffix(".py")
    return module in sys.stdlib_module_names or module in LIBRARIES


def installed(module, folder):
    """Is there a module of that name elsewhere than beside the notebook?"""
    elsewhere = [place for place in sys.path if place not in ("", ".", str(folder), str(folder.absolute()))]
    return module in sys.stdlib_module_names or importlib.machinery.PathFinder.find_spec(module, elsewhere) is not None
