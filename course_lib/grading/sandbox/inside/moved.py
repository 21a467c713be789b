"""Old places of the course's modules: a notebook that was handed out before version 0.2 imports from there, and its
answers are graded the same. Inside the box only: who writes a notebook today meets the new names alone.
"""

import importlib
import importlib.abc
import importlib.util
import sys

MODULES = {
    "course_lib.artifacts": "course_lib.stages.artifacts",
    "course_lib.evaluation.perplexity": "course_lib.stages.perplexity",
    "course_lib.evaluation.adapters": "course_lib.evaluation.runs.adapters",
    "course_lib.evaluation.reward_model": "course_lib.evaluation.runs.reward_model",
    "course_lib.evaluation.rlhf": "course_lib.evaluation.runs.rlhf",
    "course_lib.stages.raw_or_cleaned": "course_lib.evaluation.runs.raw_or_cleaned",
    "course_lib.world.real_preferences": "course_lib.world.real.preferences",
    "course_lib.world.real_requests": "course_lib.world.real.requests",
    "course_lib.world.real_style": "course_lib.world.real.style",
}


class Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Under its old name a module is the very same object as under its new one."""

    def find_spec(self, fullname, path, target=None):
        return importlib.util.spec_from_loader(fullname, self) if fullname in MODULES else None

    def exec_module(self, module):
        sys.modules[module.__name__] = importlib.import_module(MODULES[module.__name__])


def install():
    """The finder, and the names that stood in other modules."""
    from course_lib import platform
    from course_lib.notebook import check, setup
    from course_lib.questions import core

    sys.meta_path.append(Moved())
    vars(core).update(check=check.check, mine=check.mine)
    vars(platform).update(setup=setup.setup)
