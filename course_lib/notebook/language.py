"""A notebook's cell is written in IPython's language: this says what of it is Python, by IPython's own transformer.

Used wherever a cell's source is read: in the sandbox that runs it, and where its signs are looked for. Light to import.
"""

import ast
import builtins
import functools
import hashlib
import json
import re
import symtable
import warnings

from course_lib.platform import PACKAGE

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
# lines that may be IPython's own; some are not, so it serves for an upper bound alone
OWN_LINES = re.compile(r"(?m)^[ \t]*[%!?,;/]|=[ \t]*[%!]|\?[ \t]*(?:#.*)?$")

MAX_LINE = 2000  # characters: nobody's magic, and IPython's patterns cost the square of them
SHAPES = PACKAGE / "shipped" / "long_cells.json"
COMMENT = re.compile(r"(?m)^[ \t]*#")
FEWEST, MAX_RELEASED = 3, 20_000  # words that tell a cell; characters of a released one
LONG = re.compile(r"#\s*LONG\s*(?:$|[:(]|[—–-]\s)")  # and no "# LONG DOCUMENTS"


def as_python(source):
    """The cell as it is where Python reads it, else as IPython's transformer makes it: magics and commands become calls
    of get_ipython(). What neither reads comes back as it is.
    """
    try:
        ast.parse(source)
        return source
    except UNREADABLE:
        pass
    if any(len(line) > MAX_LINE for line in source.split("\n")):
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd line separators
            return TransformerManager().transform_cell(magic_first(source))
    except (*UNREADABLE, RuntimeError):  # the last: after 500 lines of its own it gives up
        return source


def magic_first(source):
    """A cell magic goes above the comments that stand above it: on Colab it works below #@title, and IPython's own
    transformer reads it in the first line alone.
    """
    lines = source.split("\n")
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), 0)
    if lines[first].startswith("%%"):
        lines.insert(0, lines.pop(first))
    return "\n".join(lines)


def effort(source):
    """Characters that the transformer has to read for a cell: it begins anew after every line of its own."""
    return len(source) * (1 + len(OWN_LINES.findall(source)))


def is_long(source):
    """Does `# LONG` stand alone on one of the cell's first comment lines, #@title and %%time among them? Graders skip
    such a cell. marimo takes all comments out of some cells: there it is one if a released lab has it as such.
    """
    for line in source.split("\n"):
        line = line.strip()
        if LONG.match(line):
            return True
        if line and not line.startswith(("#", "%")):
            break
    return len(source) < MAX_RELEASED and not COMMENT.search(source) and shape(source) in released_long()


def shape(source):
    """What of a cell stays the same in marimo, which gives variables other names, turns x += 1 into x = x + 1 and moves
    imports: a hash of the attributes and keywords that stand in it. "" where they are too few to tell a cell by.
    """
    try:
        tree = tree_of(source)
    except UNREADABLE:
        return ""
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}
    return hashlib.sha1(" ".join(sorted(words)).encode()).hexdigest()[:12] if len(words) >= FEWEST else ""


@functools.cache
def released_long():
    """The shapes of the released labs' # LONG cells; `course build` writes them down."""
    with open(SHAPES, encoding="utf-8") as file:
        return {each for shapes in json.load(file).values() for each in shapes}


@functools.lru_cache(maxsize=256)  # several look through the same notebook
def tree_of(source, depth=3):
    """The syntax tree of a cell, with the code that is given to magics (%time, %%capture, %%writefile …) as further
    statements; not to be changed. Raises one of UNREADABLE.
    """
    python = as_python(source)
    tree = ast.parse(python)
    if not depth or "_magic(" not in python:
        return tree
    for text in code_of_magics(tree):
        try:
            tree.body += tree_of(text, depth - 1).body
        except UNREADABLE:  # a command of the shell, HTML, a name of a file
            pass
    return tree


def children(node):
    """What ast.iter_child_nodes yields, as a list and in half the time."""
    found = []
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST)]
    return found


def nodes(tree):
    """All nodes of a tree in the order of ast.walk. Kept with it: each cell's are looked through a dozen times."""
    found = getattr(tree, "every_node", None)
    if found is None:
        found = [tree]
        for node in found:  # it grows meanwhile
            found += children(node)
        tree.every_node = found
    return found


def code_of_magics(tree):
    """The texts that calls of run_line_magic and run_cell_magic are given and that may be Python."""
    texts = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        given = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if node.func.attr == "run_line_magic" and given[:1] in (["time"], ["timeit"], ["prun"]):
            texts += [re.sub(r"^(?:-\w+\s*\d*\s+)*", "", text) for text in given[1:2]]
        elif node.func.attr == "run_cell_magic":
            texts += given[2:3]
    return texts


# ---- names -----------------------------------------------------------------------------------------------------------


def only_in_long(sources, wanted):
    """{id: [names that its answer uses and that nothing but # LONG cells binds]} for the ids of `wanted`, from the
    sources of a notebook's code cells. Graders skip those cells, so the answer would stop there with a NameError.
    """
    long, short, functions = set(), set(dir(builtins)), {}
    for source in sources:
        try:
            tree = tree_of(source)
        except UNREADABLE:
            continue
        if is_long(source):
            long |= bound(tree)
            continue
        short |= bound(tree)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                functions[node.name] = loaded(node)
    found = {}
    for question in wanted:
        seen, queue = set(), [question]
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue += functions.get(name, ())
        if names := sorted(seen & (long - short)):
            found[question] = names
    return found


def loaded(function):
    """The global names that a function or class uses, wherever in it, by Python's own table of names."""
    try:
        tables, names = [symtable.symtable(ast.unparse(function), "<cell>", "exec")], set()
    except UNREADABLE:  # what only the table finds, such as an argument that is there twice
        return set()
    while tables:
        table = tables.pop()
        names |= {name.get_name() for name in table.get_symbols() if name.is_referenced() and name.is_global()}
        tables += table.get_children()
    return names


def imports(tree):
    return [node for node in nodes(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def bound(tree):
    """The names that a cell binds at its top level, in whatever block."""
    names, queue = set(), list(tree.body)
    while queue:
        node = queue.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            queue += children(node)
    return names
