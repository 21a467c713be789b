"""The part of a lab that meets the real model, in the build that PYTHONPATH names, this one or an older one: what
`course bench real` runs in a process of its own.

    python real_part.py LAB        LAB: 03_supervised_fine_tuning, …; prints one line of JSON

Of the lab's solution it runs the cell that calls smollm2(), or the first below "A real model", and before it the
statements that this cell needs and no others: imports, the answers to exercises, a constant here and there. So the peak
is that of the real model. This file is read by older builds, too: it imports nothing but what they all have.
"""

import ast
import contextlib
import io
import json
import re
import resource
import symtable
import sys
import time
from pathlib import Path

import course_lib

HEADING = r"(?m)^# ## § \d+ A real model$"


def code_cells(source: str) -> list[str]:
    """The code cells of a notebook in jupytext's percent format."""
    cells = [cell.partition("\n") for cell in source.split("\n# %%")]
    return [code for head, _, code in cells[1:] if "[markdown]" not in head]


def needed_names(source: str) -> set[str]:
    """The global names that a piece of code reads and does not bind itself, and those that it names to `mine`."""
    top = symtable.symtable(source, "<cell>", "exec")
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    tables, read = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        read |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    asked = {
        ast.literal_eval(call.args[0]) for call in calls if isinstance(call.func, ast.Name) and call.func.id == "mine"
    }
    return (read - bound) | asked


def bound_names(source: str) -> set[str]:
    top = symtable.symtable(source, "<cell>", "exec")
    return {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def sliced(cells: list[str], part: int) -> list[str]:
    """The statements before cell `part` that it needs, in their order: of each name the last that binds it before it is
    read (a function may read what is bound below it), and what that needs in turn.
    """
    statements = [ast.unparse(node) for cell in cells[:part] for node in ast.parse(cell).body]
    bound, kept = [bound_names(each) for each in statements], set()
    wanted = [(name, len(statements)) for name in needed_names(cells[part])]
    while wanted:
        name, reader = wanted.pop()
        places = [k for k, names in enumerate(bound) if name in names]
        place = max([k for k in places if k < reader] or places, default=None)
        if place is not None and place not in kept:
            kept.add(place)
            wanted += [(other, place) for other in needed_names(statements[place])]
    return [statements[k] for k in sorted(kept)]


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_gb() -> float:
    """The largest resident memory that this process has had, 10⁹ bytes. Not ru_maxrss, where Linux counts what the
    starting process had (as in chain_phase.py: each of these scripts runs with the course_lib of another build).
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024 / 1e9
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB on Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main(lab: str) -> None:
    source = (Path(course_lib.__file__).parents[1] / "solutions" / f"{lab}.py").read_text(encoding="utf-8")
    cells, before = code_cells(source), re.split(HEADING, source)[0]
    part = next((k for k, cell in enumerate(cells) if "smollm2()" in cell), len(code_cells(before)))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names = {"__name__": "__main__", "course_lib": course_lib, "course": course_lib.setup(lab)}
        names["load_stage"] = course_lib.load_stage  # of the set-up cell, too
        for statement in sliced(cells, part):
            exec(statement, names)
        before, wall, cpu = peak_gb(), time.perf_counter(), cpu_seconds()
        printed.truncate(0), printed.seek(0)
        exec(compile(cells[part], lab, "exec"), names)
    print(
        json.dumps(
            {
                "peak_gb": peak_gb(),
                "before_gb": before,
                "wall_s": time.perf_counter() - wall,
                "cpu_s": cpu_seconds() - cpu,
                "printed": printed.getvalue(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
