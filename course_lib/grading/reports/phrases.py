"""What a student may read of a graded call: phrases of the course's own source, nothing that the call has said.

A graded run calls the student's functions with hidden inputs, and the student's code decides much of what comes back:
an exception's text and class name, a wrong value, what it prints. Shown word for word, each is a way to carry hidden
inputs out ("raise ValueError(repr(x))"), and the grader's own words quote them too ("yours 3.1, expected 2.7"; "the
surprise of [4, 7]"). So no text of a graded call is shown. Each is looked up among phrases that stood in the course's
source before the student's code ran, and only the phrase is shown, with "…" in place of every number and name: a label,
mistake, hint or section of the questions' source (`phrases`), a kind of difference (`KINDS`), a class of exception of
Python itself (`EXCEPTIONS`). What is left to a student is the choice among such phrases: a few bits a case, as the
score itself is; and the inputs are other ones for each submission. With `check` in the notebook they see the full
words, on public inputs. What cells print while they are run (before any hidden input enters the sandbox), why a cell
stopped, and what is measured of a handed-in model (means over hidden data, on the trusted side) is shown.
"""

import ast
import re
from functools import lru_cache

from course_lib.platform import PACKAGE

# a pattern of a message of questions/{compare,core,invoke}.py or grading/sandbox/box.py: what a student is told of it
KINDS = {
    r"the shape is \[": "the shape is not the expected one",
    r"the dtype is ": "the dtype is not the expected one",
    r"values are NaN$": "there are NaN values",
    r"came back, .* expected": "something of another kind came back than was expected",
    r"it has \d+ entries, ": "the number of entries is not the expected one",
    r"the keys are \[": "the keys of the dict are not the expected ones",
    r"values differ|yours is .*, expected |yours .*, expected ": "the values are not the expected ones",
    r"is not a plain tensor": "it returns something that is not a plain tensor, number, text, list or dict",
    r"returned something of another kind": "something of another kind came back than was expected",
    r"^not run: see the case before": "not run, because of the case before",
    r"^not run: ": "not run: your code had used up its time or stopped the grader too often",
    r"^there is no \w+": "no function of this name was found after running your cells",
    r"is .{1,80}, not a function$": "this name is not a function after running your cells",
}
STATUS = {
    "todo": "not written yet",
    "timeout": "it took too long and was stopped",
    "oom": "it used too much memory and was stopped",
    "killed": "the process died",
    "missing": "no function of this name was found after running your cells",
    "protocol": "its reply could not be read",
    "error": "it stopped with an error",
    "fail": "the result is not what was asked for",
}
# fmt: off
EXCEPTIONS = (
    "TypeError", "ValueError", "IndexError", "KeyError", "AttributeError", "NameError", "UnboundLocalError",
    "RuntimeError", "ZeroDivisionError", "AssertionError", "RecursionError", "ImportError", "ModuleNotFoundError",
    "StopIteration", "OverflowError",
)
# fmt: on


@lru_cache
def phrases(lab):
    """({text: text}, [(pattern, shown)]) of all texts in the source of a lab's questions: constants as they are,
    f-strings with "…" for each of their holes.
    """
    texts, patterns = {}, []
    folder = PACKAGE / "questions"
    for file in (folder / name for name in (f"lab{lab}.py", "core.py", "invoke.py", "own_code.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and type(node.value) is str:
                texts[node.value] = node.value
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
                if sum(map(str.isalpha, "".join(filter(None, parts)))) > 6:  # f"{a}: {b}" would match anything
                    pattern = "".join("(?s:.{0,300}?)" if part is None else re.escape(part) for part in parts)
                    shown = "".join("…" if part is None else part for part in parts)
                    patterns.append((re.compile(pattern), shown))
    return texts, sorted(patterns, key=lambda p: -len(p[1]))


@lru_cache(maxsize=100_000)
def known(text, lab):
    """The phrase of the questions' source that a text is, with "…" for what was filled in; None where it is none."""
    texts, patterns = phrases(lab)
    return texts.get(text) or next((shown for pattern, shown in patterns if pattern.fullmatch(text[:2000])), None)


@lru_cache(maxsize=100_000)
def reduced(status, message, lab):
    """What a student is told of a failed case's message: fixed words only, see above."""
    message = message[:2000]
    if status == "error":
        name = message.partition(":")[0]
        return f"it stopped with a {name}" if name in EXCEPTIONS else STATUS["error"]
    if status != "fail":
        return next(
            (told for pattern, told in KINDS.items() if told.startswith("not run") and re.search(pattern, message)),
            STATUS.get(status, STATUS["fail"]),
        )
    kind = next((told for pattern, told in KINDS.items() if re.search(pattern, message)), None)
    cuts = [at.start() for at in re.finditer(": ", message)]
    label = next((found for at in cuts[:4] if (found := known(message[:at], lab))), None)
    return f"{label}: {kind}" if label and kind else known(message, lab) or kind or STATUS["fail"]


def told(case, lab):
    """[(label, text)] that explain a failed case of a function question."""
    lines = [("What went wrong", reduced(case["status"], case["message"] or "", lab))]
    return lines + [
        (label, text)
        for label, key in (("This looks like", "mistake"), ("Hint", "hint"), ("Re-read", "reread"))
        if case.get(key) and (text := known(case[key], lab))
    ]


def explained(question):
    """The failed cases to explain: while the core fails that one alone, for then the others' hints mislead."""
    failed = [case for case in question["cases"] if case["status"] != "pass"]
    return failed[:1] if failed and failed[0] is question["cases"][0] else failed
