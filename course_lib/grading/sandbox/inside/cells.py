"""The cells of a notebook, inside the box: what is run of them, and what they find there in place of a notebook's front
end.
"""

import ast
import builtins
import inspect
import linecache
import os
import re
import sys
import types

# fmt: off
SKIPPED_MAGICS = {"bash", "sh", "script", "html", "HTML", "javascript", "js", "latex", "markdown", "svg", "writefile",
    "file", "perl", "ruby", "cmd", "system", "sx"}
# fmt: on


def plain_python(source):
    """The cell without IPython's own syntax: magics and shell lines become nothing, assignments from them None."""
    first = source.lstrip().split("\n", 1)
    if first[0].startswith("%%"):
        if first[0][2:].split(" ")[0].strip() in SKIPPED_MAGICS:
            return ""
        source = first[1] if len(first) > 1 else ""
    try:
        ast.parse(source)
        return source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines = []
    for line in source.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        if len(line) > 2000:  # nobody's magic, and these patterns are slow on it
            pass
        elif re.match(r"\s*[%!?]|\s*[\w.]+\?{1,2}\s*$", line):
            line = indent + "pass"
        elif found := re.match(r"(\s*[\w\[\]'\", ]+=\s*)[!%]", line):
            line = found.group(1) + "None"
        lines.append(line)
    return "\n".join(lines)


def run_cell(source, number, namespace):
    """Executes one cell. Returns None, or one line saying why it stopped."""
    from course_lib.questions.invoke import Timeout

    name = f"<cell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    try:
        code = compile(plain_python(source), name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            asyncio.run(result)
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


class NoInput(Exception):
    pass


def no_input(*_):
    raise NoInput("input() cannot be answered while grading")


class Shell:
    """What get_ipython() gives here: every attribute is there and every call does nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Shell()

    def __call__(self, *args, **kwargs):
        return None


def nothing(*args, **kwargs):
    return False


def fall_back(name, namespace, fallback):
    """mine() where nothing is checked: the lab goes on with the course's function."""
    return fallback


def neutralise(namespace):
    """check, submit and save_stage do nothing here; input() and debuggers do not wait; IPython's names exist, and the
    course's at their old places.
    """
    import pdb

    import course_lib
    from course_lib import platform
    from course_lib.grading.sandbox.inside import moved
    from course_lib.notebook import check, setup
    from course_lib.questions import core
    from course_lib.stages import artifacts

    submit = types.ModuleType("course_lib.notebook.submit")
    for module in (course_lib, core, check, submit, artifacts):
        vars(module).update(check=nothing, submit=nothing, save_stage=nothing)
    for module in (core, check):  # in core for notebooks that were handed out before 0.2, as platform's setup
        vars(module).update(mine=fall_back)
    vars(platform).update(setup=setup.setup)
    sys.modules["course_lib.notebook.submit"] = submit
    sys.meta_path.append(moved.Moved())
    vars(builtins).update(input=no_input, get_ipython=Shell, display=nothing, exit=sys.exit, quit=sys.exit)
    vars(sys).update(breakpointhook=nothing)
    vars(pdb).update(set_trace=nothing)
    os.environ["PYTHONBREAKPOINT"] = "0"
    namespace["__name__"] = "__main__"


def run_cells(cells, skip, seconds, namespace, report):
    """cells: [(number, source)]. Skips LONG cells and those in `skip`. Returns {number: why it stopped}."""
    from course_lib.questions.invoke import time_limit

    stopped = {}
    for number, source in cells:
        if number in skip:
            stopped[str(number)] = skip[number]
            continue
        if source.lstrip().startswith("# LONG"):
            continue
        report(number)
        try:
            with time_limit(seconds):
                why = run_cell(source, number, namespace)
        except BaseException as error:  # the alarm may fire between the cell and here
            why = f"{type(error).__name__}"
        if why:
            stopped[str(number)] = why
    return stopped
