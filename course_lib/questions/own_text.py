"""Is an answer the course's own text? Its functions, without names of their own, against those of the library. A sign
for a person, never a score.

Two people who write the same short formula write the same text: among the 382 right answers of the banks seven are
functions of the library, the longest of 37 nodes, and among the solutions one of 49. So it takes LEAST nodes to count,
which 16 of the 48 library functions that bear a question's name have.
"""

import ast
import functools

from course_lib.platform import PACKAGE

LEAST = 50  # nodes of a function's body
ROOMS = ("answers", "stages", "evaluation", "world")  # where the library's own answers to exercises stand


def functions_of(tree):
    """{name: its last definition} of the functions at the top of a cell or module."""
    return {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}


def body_of(function):
    """The statements without docstring; those of a lambda are its one return."""
    if isinstance(function, ast.Lambda):
        return [ast.Return(function.body)]
    first = function.body[0]
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return function.body[1:] if told else function.body


def normal_form(function):
    """(text, nodes) of a function: no docstring, annotations, layout or comments, its own names numbered in order."""
    numbers = {}
    own = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    own |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    parts, nodes = [], 0

    def write(value):
        nonlocal nodes
        if isinstance(value, ast.AnnAssign) and value.value is not None:
            value = ast.Assign([value.target], value.value)
        if isinstance(value, ast.AST):
            nodes += not isinstance(value, (ast.expr_context, ast.Load))
            if isinstance(value, ast.Name):
                named = numbers.setdefault(value.id, len(numbers)) if value.id in own else value.id
                parts.append(f"name {named}")
                return
            if isinstance(value, ast.arg):
                parts.append(f"name {numbers.setdefault(value.arg, len(numbers))}")
                return
            parts.append(type(value).__name__)
            for field, inner in ast.iter_fields(value):
                if field not in ("ctx", "type_comment", "returns", "annotation", "kind"):
                    write(inner)
        elif isinstance(value, list):
            parts.append(f"[{len(value)}")
            for inner in value:
                write(inner)
        else:
            parts.append(repr(value))

    write(body_of(function))
    return " ".join(parts), nodes


def words_of(function):
    """The names of attributes in a function: they stand in the source of whatever has the same text."""
    return {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}


@functools.cache
def library():
    """[(dotted name, source)] of the modules that an answer could have been pasted from."""
    files = sorted(file for room in ROOMS for file in (PACKAGE / room).rglob("*.py"))
    dotted = [".".join(file.relative_to(PACKAGE).with_suffix("").parts) for file in files]
    return [(name, file.read_text(encoding="utf-8")) for name, file in zip(dotted, files, strict=True)]


@functools.cache
def forms_of(module, source):
    """{normal form: where it stands} of a module's functions."""
    return {normal_form(function)[0]: f"{module}.{name}" for name, function in functions_of(ast.parse(source)).items()}


def pasted(trees, ids):
    """{question: whose text it is} for the answers among `ids` that are the course's own; trees: of all code cells."""
    defined = {name: function for tree in trees for name, function in functions_of(tree).items()}
    found = {}
    for name in ids:
        if (answer := defined.get(name)) is None:
            continue
        form, nodes = normal_form(answer)
        if nodes < LEAST:
            continue
        words = words_of(answer)
        for module, source in library():
            if all(word in source for word in words) and form in forms_of(module, source):
                found[name] = f"course_lib.{forms_of(module, source)[form]}"
                break
    return found
