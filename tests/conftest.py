"""Before torch is imported anywhere: one thread, no spinning, no network, a work folder for this process alone; and
every call in course_lib checked against its annotations.

After that: which tests run side by side.
"""

import gc
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

assert "torch" not in sys.modules, "tests/conftest.py must come before the first import of torch"
os.environ.update(
    OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
)
os.environ.setdefault("COURSE_SIZE", "tiny")
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # a make that a test runs is not a part of `make test`
    os.environ.pop(name, None)
# Hundreds of processes import course_lib here, and it should be compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A process of pytest holds a million objects that stay: to look for garbage among them is dear, and in a child that a
# test forks it copies the memory in which they lie.
gc.set_threshold(100_000)
scratch = tempfile.TemporaryDirectory(prefix="littlebrook-tests-", ignore_cleanup_errors=True)
os.environ.update(HF_HOME=f"{scratch.name}/hf", COURSE_WORK=f"{scratch.name}/work")

# The notebooks' kernels and the scripts under test find this checkout, installed or not.
ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import jaxtyping  # noqa: E402
from tiny_smollm2 import write  # noqa: E402
from typechecker import checked  # noqa: E402

if not os.environ.get("COURSE_SMOLLM"):  # the labs' real-model sections run, on a stand-in
    os.environ["COURSE_SMOLLM"] = str(write(f"{scratch.name}/smollm2"))
jaxtyping.install_import_hook("course_lib", "typechecker.check")
jaxtyping.jaxtyped = checked


@pytest.fixture(scope="module", autouse=True)
def own_work_folder(tmp_path_factory):
    """A file's tests find no stage that another file's tests have trained, whichever ran before in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_WORK", str(tmp_path_factory.mktemp("work")))
        yield


# seconds of the units that begin first, on a slow machine; of the rest ten for each slow test
LONG = {
    "tests/questions/test_answers.py": 150,
    "tests/labs/test_notebooks.py": 400,
    "tests/stages/test_tour.py": 80,
    "tests/stages/test_bench.py": 70,
    "tests/browser/test_page.py": 100,  # the site is built there
    "tests/stages/test_step.py": 60,
    "tests/grading/test_bad_submissions.py": 60,
    "tests/grading/test_attacks.py": 50,
}


# files that import TRL, which takes ten seconds
BY_TRL = ("tests/labs/test_shown_08.py", "tests/stages/test_dpo.py", "tests/stages/test_grpo.py")


def unit(nodeid: str) -> str:
    """What stays in one process, in its order: a file (fixtures cost more than tests); the files beside TRL."""
    path = nodeid.partition("::")[0]
    return "TRL" if path in BY_TRL else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        """A process gets its next unit when one test is left to it, and not while it has three: at the end none shall
        wait for another that has two long ones before it.
        """

        def _split_scope(self, nodeid):
            return unit(nodeid)

        def _reschedule(self, node):
            if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
                super()._reschedule(node)

    return Units(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The longest units come first: then all processes end at about the same time. Those of the browser come last: its
    event loop stands in the way of another one.
    """
    slow_ones = Counter(unit(item.nodeid) for item in items if item.get_closest_marker("slow"))

    def place(item):
        mine = unit(item.nodeid)
        return item.path.parent.name == "browser", -LONG.get(mine, 10 * slow_ones[mine])

    items.sort(key=place)


def pytest_collection_finish():
    gc.freeze()


def pytest_unconfigure():
    scratch.cleanup()  # a process of pytest-xdist ends without its exit handlers
