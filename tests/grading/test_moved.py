"""A notebook that was handed out before the rooms got their names imports from where things were then."""

import importlib

import pytest

from course_lib.grading.sandbox.box import Box
from course_lib.grading.sandbox.inside import moved

# the import line of a lab of 1b170b5, one name that it binds, and where that is today
OLD = [
    ("from course_lib.artifacts import ArtifactError", "ArtifactError", "course_lib.stages.artifacts"),
    ("from course_lib.evaluation.perplexity import document_losses", "document_losses", "course_lib.stages.perplexity"),
    (
        "from course_lib.evaluation.perplexity import distance_to_limit as measure",
        "measure",
        "course_lib.stages.perplexity",
    ),
    ("import course_lib.evaluation.perplexity as p", "p.entropy_per_token", "course_lib.stages.perplexity"),
    (
        "from course_lib.stages import cleaning, raw_or_cleaned",
        "raw_or_cleaned.summary",
        "course_lib.evaluation.runs.raw_or_cleaned",
    ),
    ("from course_lib.evaluation.rlhf import watched", "watched", "course_lib.evaluation.runs.rlhf"),
    ("from course_lib.world import real_preferences as taste", "taste.names_it", "course_lib.world.real.preferences"),
    ("from course_lib.world.real_style import is_right", "is_right", "course_lib.world.real.style"),
    ("from course_lib.platform import setup", "setup", "course_lib.notebook.setup"),
    ("from course_lib.questions.core import mine", "mine", "course_lib.notebook.runner"),
    ("from course_lib.questions.core import check", "check", "course_lib.notebook.runner"),
]


@pytest.fixture(scope="module")
def homes(zygote):
    """{old line: module of what it binds, or why its cell stopped}, all in one box."""
    cells = [(n, f"{line}\ndef home{n}():\n    return {name}.__module__\n") for n, (line, name, _) in enumerate(OLD)]
    made = Box(cells, zygote.spawn)
    try:
        made.load()
        return {
            line: made.stopped.get(str(n)) or made.call(f"home{n}", [], {}, {}, 10)["value"]
            for n, (line, _, _) in enumerate(OLD)
        }
    finally:
        made.stop()


@pytest.mark.parametrize("line, name, home", OLD, ids=[line for line, _, _ in OLD])
def test_an_old_import_gives_the_object_of_today(homes, line, name, home):
    assert homes[line] == home


def test_nothing_of_it_is_in_the_library():
    for old in moved.MODULES:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(old)
