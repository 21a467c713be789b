"""Three questions to one student on their own lines, with the answer that an examiner may expect.

A line of an answer is changed in a small way that is understood (changes.py), the answer is run again in the sandbox,
and what the checks then say is the expected answer: it is seen, not guessed. Best is a change that makes the answer one
of the questions' named mistakes: the answer as it stands is one step away from it. An answer that fails is asked about
first: for the step that would mend it, else for the mistake that the checks name in it.
"""

import ast
import hashlib
import hmac
import random
import re
from pathlib import Path

from course_lib.grading.records import store
from course_lib.grading.reports.phrases import known
from course_lib.grading.reports.viva import changes
from course_lib.notebook import cells as notebooks
from course_lib.notebook.language import UNREADABLE, as_python

QUESTIONS = 3  # a student
TRIED = 6  # changes of one answer that are run, drawn by the student's seed
ENOUGH = 8  # of telling(): a mistake is named by such a value alone
STOPPED = 3  # changes that took the sandbox with them, then no more


def answers_in(cells, ids):
    """{question: (cell, source, function)} of the answers that a notebook defines; of two the last, as in Python."""
    found = {}
    for number, kind, source in cells:
        if kind != "code":
            continue
        source = as_python(source)
        try:
            tree = ast.parse(source)
        except UNREADABLE:
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name in ids:
                found[node.name] = (number, source, node)
    return found


def changed_source(answer, change, name):
    """The source of an answer with one change, under another name, wherever it calls itself, too."""
    _, source, function = answer
    text = changes.Text(source)
    first, end = text.at(function.lineno, function.col_offset), text.place(function)[1]
    start, last = change.place
    body = source[first:start] + change.new + source[last:end]
    return re.sub(rf"(?<![\w.\"']){re.escape(function.name)}(?=\s*\()", name, body)


class Renamed:
    """A caller (questions/core.py) for which one name means another; it keeps the last value that came back."""

    def __init__(self, caller, name, new):
        self.caller, self.name, self.new, self.value = caller, name, new, None

    def call(self, name, args, kwargs, options, timeout):
        self.value = None
        name = self.new if name == self.name else name
        reply = self.caller.call(name, args, kwargs, options, timeout)
        self.value = reply["value"]
        return reply


def telling(value):
    """How much a value says of the way it came about. Two mistakes often give the same step or the same two names, but
    hardly the same ten places or one real number.
    """
    if isinstance(value, (list, tuple)):
        return sum(map(telling, value))
    if isinstance(value, dict):
        return sum(map(telling, value.values()))
    if isinstance(value, str):
        return len(value) / 4
    if hasattr(value, "numel"):
        return value.numel() * (ENOUGH if value.is_floating_point() else 1)
    return ENOUGH if isinstance(value, float) and not value.is_integer() else 1


def drawn(answers, draw):
    """[(question, change)] in the order in which they are tried: at most TRIED of each answer, one of each in turn, of
    as many kinds as there are.
    """
    turns = []
    for name, (_, source, function) in answers.items():
        found = changes.changes(source, function)
        draw.shuffle(found)
        kinds = [change.kind for change in found]
        found = [found[i] for i in sorted(range(len(found)), key=lambda i: kinds[:i].count(kinds[i]))]
        turns += [(turn, draw.random(), name, change) for turn, change in enumerate(found[:TRIED])]
    return [(name, change) for _, _, name, change in sorted(turns, key=lambda item: item[:2])]


def asked_of(cells, questions, lab, seed, key, spawn=None, files=None):
    """At most QUESTIONS dicts {"question", "cell", "line", "code", "ask", "expect"} for a notebook's cells.

    seed: of the hidden inputs, as it was graded with. key: bytes that the choice is drawn from. Raises Infra.
    """
    from course_lib.grading.sandbox.box import Box

    draw, by_id = random.Random(key), {q.id: q for q in questions}
    answers = answers_in(cells, by_id)
    tried = [(name, change, f"{name}_changed_{k}") for k, (name, change) in enumerate(drawn(answers, draw))]
    last = max((number for number, _, _ in cells), default=0)
    code = [(number, source) for number, kind, source in cells if kind == "code" and source.strip()]
    code += [(last + 1 + k, changed_source(answers[name], change, new)) for k, (name, change, new) in enumerate(tried)]
    if not tried:
        return []
    box = Box(code, spawn, files)
    try:
        found = seen(answers, tried, by_id, box, seed, lab)
    finally:
        box.stop()
    if box.infra:
        raise box.infra
    return picked(found)


def seen(answers, tried, by_id, box, seed, lab):
    """The questions that come of running the answers as they stand, and then changed, until there are enough."""
    found, stands = [], {}
    for name, answer in answers.items():
        stands[name] = first_failure(by_id[name], Renamed(box, name, name), seed)
        if stands[name] and (own := of_mistake(name, answer, stands[name], lab)):
            found.append(own)
    for name, change, new in sorted(tried, key=lambda item: stands[item[0]] is None):  # first what may mend an answer
        good = {item["question"] for item in found if item["rank"] <= 1 and item["kind"] != "mistake"}
        if len(good) >= QUESTIONS or box.restarts >= STOPPED:
            break
        if stands[name] is None or stands[name].status == "fail":
            caller = Renamed(box, name, new)
            failed = first_failure(by_id[name], caller, seed)
            if made := of_change(name, answers[name], change, stands[name], failed, lab, telling(caller.value)):
                found.append(made)
    return found


def first_failure(question, caller, seed):
    """The first CaseResult that is no pass, None where all pass."""
    from course_lib.questions import core

    results = (core.run_case(question, case, caller, seed) for case in question.cases)
    return next((result for result in results if result.status != "pass"), None)


def picked(found):
    """QUESTIONS of them by rank: each about another answer and another kind of change, as far as there are such."""
    left, chosen = list(found), []
    while left and len(chosen) < QUESTIONS:
        names, kinds = ([item[what] for item in chosen] for what in ("question", "kind"))
        costs = [(names.count(item["question"]), kinds.count(item["kind"]), item["rank"]) for item in left]
        chosen.append(left.pop(costs.index(min(costs))))
    return [{k: v for k, v in item.items() if k not in ("rank", "kind")} for item in chosen]


# ---- one question and its answer -------------------------------------------------------------------------------------


def of_change(name, answer, change, before, after, lab, tells):
    """The question on one change, None where the checks see no difference that teaches anything.

    before, after: the first failed CaseResult without and with the change, None where all pass. tells: of telling().
    """
    if before is None and after is not None:
        rank, said = verdict(after, lab, tells)
    elif before is not None and after is None:
        rank, said = 0, "All checks of this exercise pass then: this is what is wrong."
    else:
        return None
    if rank is None:
        return None
    return item(
        name,
        answer,
        change.line,
        change.kind,
        rank,
        f"What would be different {change.ask}?",
        f"{change.effect} {said}",
    )


def verdict(failed, lab, tells):
    """(rank, what the checks say); the better they name a mistake, the lower the rank. (None, "") for a failure that
    says nothing about a line.
    """
    if failed.status == "timeout":
        return 3, "It never ends."
    if failed.status != "fail":
        return None, ""
    fails = f"The check “{failed.name}” fails"
    for rank, text in ((1, failed.mistake if tells >= ENOUGH else None), (2, None if failed.mistake else failed.hint)):
        if text and (said := known(text, lab)):
            return rank, f"{fails}. {ended(said)}"
    return 3, f"{fails}."


def of_mistake(name, answer, failed, lab):
    """The question on the mistake that the checks name in an answer as it stands; None where they name none."""
    said = known(failed.mistake, lab) if failed.mistake else None
    returns = [node.lineno for node in ast.walk(answer[2]) if isinstance(node, ast.Return)]
    if not said or not returns:
        return None
    ask = f"The check “{failed.name}” fails. What is wrong with what this line gives back, and which line makes it so?"
    return item(name, answer, max(returns), "mistake", 0, ask, ended(said))


def item(name, answer, line, kind, rank, ask, expect):
    number, source, _ = answer
    code = source.split("\n")[line - 1].strip()
    return {
        "question": name, "kind": kind, "rank": rank, "cell": number, "line": line, "code": code, "ask": ask,
        "expect": expect,
    }  # fmt: skip


def ended(text):
    """A mistake or a hint of the questions as a sentence; its Greek letters stay small."""
    text = text.strip().rstrip(".") + "."
    return text[0].upper() + text[1:] if text[0].isascii() else text


# ---- a submission ----------------------------------------------------------------------------------------------------


def of_submission(folder, lab, sha, secret, spawn=None):
    """{"asked": [questions]} or {"none": why} of a submission's folder. For the room: plain JSON."""
    from course_lib.grading.sandbox.borders import NoSandbox
    from course_lib.grading.sandbox.box import Infra
    from course_lib.questions import core

    folder = Path(folder)
    files = {path.name: path.read_text("utf-8", "replace") for path in sorted((folder / "helpers").glob("*.py"))}
    questions = [q for q in core.questions_of(lab) if isinstance(q, core.Question)]
    key = hmac.new(secret, f"viva|{lab}|{sha}".encode(), hashlib.sha256).digest()
    try:
        cells = notebooks.read_cells(folder / "notebook.ipynb")
        found = asked_of(cells, questions, lab, store.seed_for(secret, lab, sha), key, spawn, files)
    except notebooks.Ungradable as reason:
        return {"none": str(reason)}
    except (NoSandbox, Infra) as reason:
        return {"trouble": str(reason)}
    return {"asked": found} if found else {"none": "they have written no answer whose lines can be asked about"}
