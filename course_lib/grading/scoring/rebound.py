"""What a notebook's cells put in another's place: parts of a library, the name check, a text that becomes code.

Read in syntax trees, never executed. Python has many ways to bind a name; each function here looks for what they have
in common, a target or a call with the module among its arguments, and not for one way's spelling.
"""

import ast

from course_lib.notebook.language import UNREADABLE, children, nodes, tree_of

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SETTERS = {"setattr", "delattr", "__setattr__", "__delattr__", "setitem", "delitem", "__setitem__"}
OF_A_DICT = {"update", "setdefault", "pop", "popitem", "clear", "__ior__", "__delitem__", *SETTERS}
NAMESPACES = {"globals", "locals", "vars"}
IMPORTERS = {"__import__", "import_module"}
RUNS_TEXT = {"exec", "eval", "compile", "__import__"}
# that run what they are given, whatever they belong to; and those of single modules
RUNNERS = {"run_cell", "run_cell_async", "run_code", "runsource", "runcode", "run_path", "run_module", "exec_module"}
RUNNERS |= {"ex", "ev"}
OF_MODULES = {("marshal", "loads"), ("pickle", "loads"), ("types", "FunctionType"), ("types", "CodeType")}
NAMED_BY_TEXT = {"getattr", "attrgetter", "methodcaller", *IMPORTERS}
MOST_TEXTS = 50


def unfolded(tree, depth=3):
    """(the tree with what exec, eval and compile are given as a text, as further statements; those texts)."""
    texts, bodies = [], []
    for node in nodes(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in RUNS_TEXT | RUNNERS and len(texts) < MOST_TEXTS:
            texts += [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    for text in list(texts) if depth else ():
        try:
            inner, more = unfolded(tree_of(text), depth - 1)
        except UNREADABLE:
            continue
        bodies += inner.body
        texts += more
    return (ast.Module([*tree.body, *bodies], []) if bodies else tree), texts


def last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def import_names(trees):
    """{name: dotted name of what it imports} over all cells."""
    names = {}
    for node in (node for tree in trees for node in nodes(tree)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def other_names(trees, names):
    """Further names of imported modules: m = torch, m = importlib.import_module("torch")."""
    found = {}
    for node in (node for tree in trees for node in nodes(tree)):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if name not in names and isinstance(value, (ast.Name, ast.Call)) and (module := dotted(value, names)):
                found[name] = module
    return found


def dotted(node, names):
    """The dotted name of an expression with its import resolved: torch.nn.functional.relu for F.relu, torch for
    vars(torch), sys.modules["torch"] and import_module("torch"); "" for what is none.
    """
    parts = []
    while True:
        if isinstance(node, ast.Attribute):
            parts += [] if node.attr == "__dict__" else [node.attr]
            node = node.value
        elif isinstance(node, ast.Subscript):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            inside = dotted(node.value, names)
            if inside == "sys.modules" and isinstance(key, str):
                return ".".join([key, *reversed(parts)])
            if isinstance(node.value, ast.Call) and last_name(node.value.func) in NAMESPACES and not node.value.args:
                return ".".join([names.get(key, ""), *reversed(parts)]) if names.get(key) else ""
            node = node.value
        elif isinstance(node, ast.Call) and node.args:
            called, first = last_name(node.func), node.args[0]
            if called in IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                return ".".join([first.value, *reversed(parts)])
            if called not in ("vars", "getattr"):
                return ""
            node = first
        else:
            found = names.get(node.id, "") if isinstance(node, ast.Name) else ""
            return ".".join([found, *reversed(parts)]) if found else ""


def replaced(node, names):
    """The dotted names of parts of modules that one node of a tree sets, deletes or has set."""
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return [dotted(node, names)] if of_namespace(node) or has_attribute(node) else []
    if not isinstance(node, ast.Call):
        return []
    called, given = last_name(node.func), list(node.args)
    if called == "partial" and last_name(given[0] if given else None) in SETTERS:
        return [dotted(a, names) for a in given[1:2]]
    if called == "patch" and given and isinstance(given[0], ast.Constant) and "." in str(given[0].value):
        return [str(given[0].value)]
    if called == "object" and last_name(getattr(node.func, "value", None)) == "patch":
        return [dotted(a, names) for a in given[:1]]
    holder = getattr(node.func, "value", None)
    if called in OF_A_DICT and of_namespace(holder):
        return [dotted(holder, names)]
    return [dotted(a, names) for a in [holder, *given[:1]]] if called in SETTERS else []


def has_attribute(node):
    """x.y, x.y[0]; not x[0], which may be any variable that bears the name of an import."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return isinstance(node, ast.Attribute)


def of_namespace(node):
    """Is this vars(…), globals() or ….__dict__, or a part of it?"""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call):
        return last_name(node.func) in NAMESPACES
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def runs_text(node, names, own=frozenset()):
    """What of a node runs a text that only the running program knows, "" where it does not. own: the notebook's own
    functions.
    """
    if not (isinstance(node, ast.Call) and node.args):
        return ""
    called, fixed = last_name(node.func), isinstance(node.args[0], ast.Constant) and type(node.args[0].value) is str
    holder = dotted(node.func.value, names) if isinstance(node.func, ast.Attribute) else ""
    of = getattr(node.func, "value", None)
    bare = of is None or holder == "builtins" or last_name(of) == "__builtins__"
    if called in RUNS_TEXT - own and bare and not fixed:
        return f"{called}(…)"
    one = called != "ev" or len(node.args) == 1  # a spline's ev takes two
    if called in RUNNERS and one and isinstance(node.func, ast.Attribute) and not fixed:
        return f"{called}(…)"
    if called in NAMED_BY_TEXT and any(map(in_pieces, node.args[:2])):
        return f"{called}(a name in pieces)"
    named = dotted(node.func, names)
    return named if (named.rpartition(".")[0], called) in OF_MODULES else ""


def in_pieces(node):
    """A text that is put together of nothing but constants: nobody spells a name so whom nobody is to find."""
    parts = list(ast.walk(node))
    texts = [n for n in parts if isinstance(n, ast.Constant) and isinstance(n.value, (str, bytes))]
    named = any(isinstance(n, ast.Name) for n in parts)
    return bool(texts) and not named and isinstance(node, (ast.BinOp, ast.Subscript, ast.JoinedStr, ast.Call))


# ---- check -----------------------------------------------------------------------------------------------------------


def rebinds(tree, name):
    """Does a cell give this name to something else: by a statement, in a function that says global, or in globals()?"""
    queue = list(tree.body) if any(binds(node, name) for node in nodes(tree)) else []
    while queue:
        node = queue.pop()
        if binds(node, name):
            return True
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            inside = nodes(node)
            told = any(isinstance(n, ast.Global) and name in n.names for n in inside)
            if told and any(binds(n, name) for n in inside):
                return True
            continue
        if not isinstance(node, ast.ClassDef):
            queue += children(node)
    return any(in_globals(node, name) for node in nodes(tree))


def binds(node, name):
    if isinstance(node, ast.Name):
        return node.id == name and not isinstance(node.ctx, ast.Load)
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return node.name == name
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("course_lib"):
        return any(a.asname == name != a.name for a in node.names)
    return isinstance(node, (ast.Import, ast.ImportFrom)) and any((a.asname or a.name) == name for a in node.names)


def in_globals(node, name):
    """globals()["check"] = …, globals().update(check=…), and the same of IPython's user_ns."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return isinstance(node.slice, ast.Constant) and node.slice.value == name
    if not isinstance(node, ast.Call):
        return False
    words = [a.value for a in node.args if isinstance(a, ast.Constant)]
    words += [k.value for a in node.args if isinstance(a, ast.Dict) for k in a.keys if isinstance(k, ast.Constant)]
    called = last_name(node.func)
    return called in OF_A_DICT | {"push"} and name in [*words, *(k.arg for k in node.keywords)]


def called_with(trees, name):
    """The texts that the cells call this function with: not in a branch that is never taken, nor in a function that
    nothing else speaks of.
    """
    loaded = {n.id for tree in trees for n in nodes(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    found, queue = set(), [node for tree in trees for node in tree.body]
    while queue:
        node = queue.pop()
        if isinstance(node, FUNCTIONS) and node.name not in loaded:
            continue
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            if not any(isinstance(t, ast.Name) and t.id in loaded for t in node.targets):
                continue
        if isinstance(node, (ast.If, ast.While)) and isinstance(node.test, ast.Constant) and not node.test.value:
            queue += node.orelse
            continue
        if isinstance(node, ast.Call) and last_name(node.func) == name and node.args:
            first = node.args[0]
            found |= {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
        queue += children(node)
    return found
