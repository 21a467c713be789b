"""check() and mine(): the questions as a student meets them in the notebook. Practice, with messages that teach; never
a grade.
"""

import difflib
import importlib
import os
import sys

from course_lib.notebook import language
from course_lib.questions import core
from course_lib.questions.invoke import LocalCaller

_lab, _exam = None, False  # set by course_lib.setup(lab)


def use_lab(lab, exam=False):
    """The lab whose questions `check` means, and whether it says nothing of them; setup() calls this."""
    global _lab, _exam
    _lab, _exam = lab, exam


def in_exam():
    """Is this an exam, in which nothing is judged here? No border: who changes the set-up cell is in none. Not under
    nbgrader, which takes its points from the checks.
    """
    return _exam and not os.environ.get("NBGRADER_EXECUTION")


def notebook_namespace():
    """The globals of the first frame outside course_lib: the notebook's, or the script's."""
    frame = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "course_lib":
        frame = frame.f_back
    return frame.f_globals if frame is not None else vars(sys.modules["__main__"])


def lab_in_use():
    """What setup() was called with, None before."""
    return _lab


def find(question_id):
    """(question or None, ids near to it), in the lab of setup() or else in any lab."""
    ids = []
    for lab in [_lab] if _lab in core.labs() else core.labs():
        for question in core.questions_of(lab):
            if question.id == question_id:
                return question, []
            ids.append(question.id)
    return None, difflib.get_close_matches(str(question_id), ids, n=3, cutoff=0.4) or ids[:8]


class Verdict(int):
    """True or False, which a notebook does not echo below the card."""

    def _ipython_display_(self):
        pass


def verdict(score, passed):
    """What check() gives back. nbgrader takes the value of a check's cell as its points, and a cell without a value for
    full marks: under it, the points.
    """
    return round(float(score), 6) if os.environ.get("NBGRADER_EXECUTION") else Verdict(passed)


def check(question_id, namespace=None):
    """Runs the question on public inputs and prints a card. True if all of it passes; never raises for a student's
    error. In an exam it only writes down that there was an answer.
    """
    question, near = find(question_id)
    if question is None:
        print(f"There is no question {question_id!r}. Did you mean: {', '.join(near)}?")
        return verdict(0.0, False)
    if isinstance(question, core.WrittenQuestion):
        print(f"{question.id}: read by a person after you hand in ({question.points:g} points).")
        return Verdict(True)
    if in_exam():
        from course_lib.widgets import progress

        print("\n".join(filter(None, [f"{question.id}: taken.", progress.taken(question.id, question.lab)])))
        return Verdict(True)
    here = notebook_namespace() if namespace is None else namespace
    if isinstance(question, core.ArtifactQuestion):
        from course_lib.platform import work_dir

        result = artifact_result(question, str(work_dir() / question.stage), core.PUBLIC_SEED, public=True)
    else:
        result = core.run(question, LocalCaller(here))
    show(result)
    for note in long_names(executed(here), [question.id]) if isinstance(question, core.Question) else []:
        print(note)
    remember(result, question.lab)
    return verdict(result.score, result.status == "pass")


def executed(namespace):
    """Sources of the cells that were run in this notebook, as they were written; [] outside IPython."""
    shell = namespace.get("get_ipython")
    history = getattr(shell() if callable(shell) else None, "history_manager", None)
    sources = getattr(history, "input_hist_raw", None) or namespace.get("In") or []
    return [source for source in sources if type(source) is str]


def long_names(sources, ids):
    """A line for each answer that uses a name which only a # LONG cell defines: graders skip those."""
    found = language.only_in_long(sources[-500:], ids)
    cure = "which only a # LONG cell defines: graders skip such cells, so define or import it in another"
    return [f"note: {name} uses {', '.join(names)}, {cure}" for name, names in found.items()]


def remember(result, lab):
    """For the student's own start page. Not under nbgrader, whose runs are no student's."""
    from course_lib.widgets import progress

    problem = "" if os.environ.get("NBGRADER_EXECUTION") else progress.record(result, lab)
    if problem:
        print(problem)


def artifact_result(question, folder, seed, public):
    """QuestionResult of a model folder; a bad or missing file is a failed case with one line."""
    import time

    from course_lib.stages.artifacts import ArtifactError

    started, fraction, status = time.perf_counter(), 0.0, "fail"
    if not os.path.exists(os.path.join(folder, "model.safetensors")):
        status, message = "todo", f"no model in {folder}: run the cell of the lab that trains and saves it"
    else:
        try:
            fraction, message = question.score(folder, seed, public)
            fraction = min(1.0, max(0.0, float(fraction))) if fraction == fraction else 0.0
            status = "pass" if fraction >= 1.0 else "fail"
        except ArtifactError as error:
            status, message = "error", str(error)
    points = round(question.points * fraction, 4)
    case = core.CaseResult("the model", status, message=message, seconds=round(time.perf_counter() - started, 4))
    return core.QuestionResult(question.id, points, question.points, status, [case], message)


def show(result):
    try:
        from course_lib.notebook import card
    except ImportError:
        return show_plain(result)
    card.show(result)


def show_plain(result):
    print(f"{result.id}: {result.score:g} of {result.max:g} points")
    for case in result.cases:
        print(f"  [{case.status.upper()}] {case.name}" + (f" — {case.message}" if case.message else ""))
        for word, text in (("looks like", case.mistake), ("hint", case.hint), ("re-read", case.reread)):
            if text:
                print(f"      {word}: {text}")


def mine(name, namespace):
    """The student's function `name` if its check passes, else the course's answer to that question, with a one-line
    note: the lab goes on either way. In an exam always the course's, which tells nobody anything.
    """
    question, near = find(name)
    if question is None:
        raise LookupError(f"there is no question {name!r}. Did you mean: {', '.join(near)}?")
    if in_exam():
        print(f"{name}: the course's version is used from here on, as for everybody in an exam.")
    elif core.run(question, LocalCaller(namespace)).status == "pass":
        return namespace[name]
    else:
        print(f"{name}: the course's version is used from here on, until yours passes its check.")
    return getattr(importlib.import_module(f"course_lib.answers.lab{question.lab}"), name)
