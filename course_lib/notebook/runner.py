"""The cells of a notebook run from top to bottom without a front end: in the grader's sandbox, and when submit() tries
a notebook before it is handed in.

As in Jupyter: IPython's language and magics, In, Out and _, __future__ flags that last, top-level await. Unlike there:
# LONG cells are skipped; check, submit and save_stage do nothing; input() and debuggers do not wait.
"""

import __future__

import ast
import builtins
import functools
import inspect
import linecache
import operator
import os
import re
import sys
import types
from time import monotonic

from course_lib.notebook import standins
from course_lib.notebook.language import as_python, is_long

FUTURE = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
LAST = "<value>"  # where a cell's last expression is kept for a moment: a name that no source can have


class Session:
    """What lasts from cell to cell: the names, the inputs and outputs, the flags, and IPython's shell once a cell needs
    it.
    """

    def __init__(self, module):
        self.module, self.names = module, vars(module)
        self.inputs, self.outputs, self.flags = [""], {}, 0
        self.shown = ""  # what _ stands for, unless the notebook has given that name to something else
        self.loop, self.made_shell = None, None
        self.names |= {"In": self.inputs, "_ih": self.inputs, "Out": self.outputs, "_oh": self.outputs}
        self.names |= {"_": self.shown, "__": "", "___": "", "get_ipython": self.shell, "__name__": "__main__"}

    def run_all(self, cells, skip, seconds, report, total=float("inf")):
        """cells: [(number, source)]. Skips LONG cells and those in `skip`. Returns {number: why it stopped}.

        seconds: for a cell; total: for all together, after which the rest is not run.
        """
        from course_lib.questions.invoke import time_limit

        stopped, end = {}, monotonic() + total
        for number, source in cells:
            self.inputs.append(source)
            if number in skip:
                stopped[str(number)] = skip[number]
                continue
            if is_long(source):
                continue
            if monotonic() > end:
                stopped[str(number)] = "not run: the cells before it have used up the time for all of them"
                continue
            report(number)
            try:
                with time_limit(seconds):
                    why = self.run(source, number)
            except BaseException as error:  # the alarm may fire between the cell and here
                why = f"{type(error).__name__}"
            if why:
                stopped[str(number)] = why
        return stopped

    def run(self, source, number):
        """Executes one cell. Returns None, or one line saying why it stopped."""
        from course_lib.questions.invoke import Timeout

        try:
            self.execute(as_python(source), f"<cell {number}>")
            return None
        except SyntaxError as error:
            return f"SyntaxError: {error.msg} (line {error.lineno})"
        except NotImplementedError:
            return "NotImplementedError"
        except Timeout:
            return "timeout: the cell took too long and was stopped"
        except SystemExit:
            return "the cell called exit()"
        except BaseException as error:  # KeyboardInterrupt, GeneratorExit and the student's own among them
            try:
                return f"{type(error).__name__}: {str(error)[:300]}"
            except BaseException:
                return f"{type(error).__name__}"

    def execute(self, python, name):
        flags = self.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        try:
            tree = compile(python, name, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        except SyntaxError:
            if "\n" in python.strip():
                raise
            python = self.shell().transform_cell(python)  # a magic without its %, which IPython reads in a line alone
            tree = compile(python, name, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        linecache.cache[name] = (len(python), None, python.splitlines(True), name)
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = tree.body[-1]
            target = ast.copy_location(ast.Name(LAST, ast.Store()), last)
            tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        code = compile(tree, name, "exec", flags, dont_inherit=True)
        self.flags |= code.co_flags & FUTURE
        if self.made_shell is not None:
            self.made_shell.compile.flags |= self.flags
        result = eval(code, self.names)
        if code.co_flags & inspect.CO_COROUTINE:
            self.run_coroutine(result)
        value = self.names.pop(LAST, None)
        if value is not None and not re.search(r";\s*(?:#.*)?$", python.rstrip()):
            self.keep(value)
        if self.made_shell is not None:
            self.flags |= self.made_shell.compile.flags & FUTURE

    def run_coroutine(self, coroutine):
        """All cells share one event loop, as in Jupyter: a task may be begun in one and awaited in another."""
        import asyncio

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(coroutine)

    def keep(self, value):
        """The value of a cell's last line, in Out and _."""
        number = len(self.inputs) - 1
        self.outputs[number] = self.names[f"_{number}"] = value
        if self.names.get("_") is self.shown:
            self.names["___"], self.names["__"], self.names["_"] = self.names.get("__"), self.shown, value
            self.shown = value

    def shell(self):
        """get_ipython(): IPython's own shell over the names of this session, made when it is first asked for."""
        if self.made_shell is None:
            from course_lib.notebook.shell import GraderShell

            kept = dict(self.names)
            self.made_shell = GraderShell.instance(user_module=self.module, user_ns=self.names)
            for name in ("exit", "quit", "open"):  # IPython's own, which only set a flag
                self.names.pop(name, None)
            self.names.update(kept)
            self.made_shell.compile.flags |= self.flags
            self.made_shell.execution_count = len(self.inputs)
        return self.made_shell


class Caller:
    """Calls functions of a session (see questions.core), each as if it were the first: what one call has set in the
    process is put back before the next.
    """

    def __init__(self, session):
        from course_lib.questions import ambient

        self.session, self.state = session, ambient.remember()

    def mark(self):
        """The cells have run: their names stand from here on."""
        from course_lib.questions import ambient

        ambient.mark(self.state, self.session.names)

    def call(self, name, args, kwargs, options, timeout):
        from course_lib.questions import ambient
        from course_lib.questions.invoke import LocalCaller

        ambient.restore(self.state, self.session.names, name)
        return LocalCaller(self.session.names).call(name, args, kwargs, options, timeout)


# ---- what is not there -----------------------------------------------------------------------------------------------


class NoInput(Exception):
    pass


def no_input(*_):
    raise NoInput("input() cannot be answered while grading")


def nothing(*args, **kwargs):
    return None


def passed(*args, **kwargs):
    """check(): a notebook that asserts it goes on."""
    return True


def fall_back(name, namespace, fallback=None):
    """mine() where nothing is checked: the lab goes on with the course's function. fallback: of a notebook made before
    the library had them all.
    """
    import importlib
    import pkgutil

    import course_lib.answers
    from course_lib.notebook.check import lab_in_use

    modules = [module.name for module in pkgutil.iter_modules(course_lib.answers.__path__)]
    for module in sorted(modules, key=lambda module: module != f"lab{lab_in_use()}"):  # the others import in vain
        fallback = fallback or getattr(importlib.import_module(f"course_lib.answers.{module}"), name, None)
    return fallback


def neutralise(session):
    """check, submit and save_stage do nothing in this process from here on; input() and debuggers do not wait; the
    names that IPython and front ends bring exist.
    """
    import pdb

    import IPython.core.getipython

    import course_lib
    from course_lib.notebook import check
    from course_lib.stages import artifacts

    submit = types.ModuleType("course_lib.notebook.submit")
    for module in (course_lib, check, submit, artifacts):
        vars(module).update(check=passed, submit=nothing, save_stage=nothing, mine=fall_back)
    sys.modules["course_lib.notebook.submit"] = submit
    for module in (IPython, IPython.core.getipython, builtins):
        vars(module).update(get_ipython=session.shell)
    vars(builtins).update(input=no_input, display=nothing, displayHTML=nothing, dbutils=standins.Nothing())
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    vars(sys).update(breakpointhook=nothing)
    vars(pdb).update(set_trace=nothing)
    os.environ["PYTHONBREAKPOINT"] = "0"
    standins.install()
    if "" not in sys.path:
        sys.path.append("")  # modules that the notebook has written, after all others: none may stand before a library
