"""IPython's shell where nobody looks at its output: magics and commands do what they do in Jupyter, but for those that
install, show, or wait for somebody.
"""

import os
import re
import signal
import subprocess
import sys

import IPython.core.magics  # the shell imports these when it is made: half of the time that it takes
import IPython.core.oinspect  # noqa: F401
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import LSString, SList
from traitlets.config import Config

from course_lib.notebook.language import UNREADABLE, tree_of
from course_lib.notebook.standins import Nothing

MOST = 2**20  # bytes of a command's output that are kept
INSTALLS = re.compile(
    r"\s*(?:sudo\s+(?:-\w+\s+)*)?(?:\S*python[\d.]*\s+-m\s+)?(?:uv|pip|pip3|conda|mamba|micromamba|apt|apt-get|brew)\b"
)
# magics that only show something, install something, change the front end, or wait for a person
# fmt: off
SILENT = {
    "pip", "conda", "mamba", "micromamba", "uv", "matplotlib", "load_ext", "reload_ext", "unload_ext", "autoreload",
    "config", "debug", "pdb", "pinfo", "pinfo2", "psearch", "page", "load", "loadpy", "edit", "notebook", "gui",
    "history", "recall", "rerun", "colors", "xmode", "precision", "lsmagic", "magic", "quickref", "html", "HTML",
    "javascript", "js", "latex", "markdown", "svg",
}
# fmt: on


def run_command(command):
    """(exit status, what it wrote, at most MOST bytes of it) of a line for the system's shell."""
    if INSTALLS.match(command):
        return 0, "nothing is installed while grading\n"
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"
    process = subprocess.Popen(
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PATH": path},
        start_new_session=True,
    )
    try:
        said = process.stdout.read(MOST)  # ty: ignore[missing-union-attribute]  # with PIPE it is there
        process.stdout.close()  # ty: ignore[missing-union-attribute]  # whoever writes on ends of it
        return process.wait(), said.decode(errors="replace")
    except BaseException:  # the cell's time is up
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        raise


class GraderShell(InteractiveShell):
    def __init__(self, **kwargs):
        config = Config()
        config.HistoryManager.enabled = False  # it would open a database and start a thread
        super().__init__(config=config, **kwargs)

    def init_completer(self):
        """Nobody types here; and it takes as long as all the rest."""

    def enable_gui(self, gui=None):
        """No window is ever opened."""

    def __getattr__(self, name):
        """What front ends add, get_ipython().kernel for one."""
        if name.startswith("_"):
            raise AttributeError(name)
        return Nothing()

    def system(self, cmd):
        self.user_ns["_exit_code"], said = run_command(self.var_expand(cmd, depth=1))
        print(said, end="")

    def getoutput(self, cmd, split=True, depth=0):
        said = run_command(self.var_expand(cmd, depth=depth + 1))[1]
        return SList(said.splitlines()) if split else LSString(said)

    def run_line_magic(self, magic_name, line, _stack_depth=1):
        if magic_name in SILENT or self.find_line_magic(magic_name) is None:
            return None
        if magic_name == "timeit":
            line = once(line)
        if magic_name == "pylab":
            line = "agg"
        return super().run_line_magic(magic_name, line, _stack_depth + 1)

    def run_cell_magic(self, magic_name, line, cell):
        if magic_name in SILENT:
            return None
        if magic_name == "timeit":
            line = once(line)
        if self.find_cell_magic(magic_name) is not None:
            return super().run_cell_magic(magic_name, line, cell)
        try:
            tree_of(cell)
        except UNREADABLE:
            return None
        return self.run_cell(cell).result  # of an extension that is not here: most run the cell, and do more

    def showtraceback(self, exc_tuple=None, *args, **kwargs):
        """IPython has caught it, inside %%capture or run_cell: one line for the log."""
        kind, error, _ = exc_tuple or sys.exc_info()
        print(f"{getattr(kind, '__name__', kind)}: {error}", file=sys.stderr)

    def showsyntaxerror(self, *args, **kwargs):
        self.showtraceback()


def once(line):
    """The line of %timeit with one run in place of its thousands: nobody reads the time."""
    kept = ""
    while option := re.match(r"\s*-(?:([nr])\s*\d+|p\s*\d+|v\s*\w+|[tcqo]+)(?=\s|$)", line):
        kept += "" if option[1] else option[0]
        line = line[option.end() :]
    return f"{kept} -n1 -r1 {line}"
