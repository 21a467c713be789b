"""Before torch is imported anywhere: one thread, no spinning, no network; and every call in course_lib checked against
its annotations.
"""

import os
import sys
import tempfile
from pathlib import Path

assert "torch" not in sys.modules, "tests/conftest.py must come before the first import of torch"
os.environ.update(
    OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg"
)
os.environ.setdefault("COURSE_SIZE", "tiny")
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # a make that a test runs is not a part of `make test`
    os.environ.pop(name, None)
scratch = tempfile.TemporaryDirectory(prefix="littlebrook-tests-", ignore_cleanup_errors=True)
os.environ["HF_HOME"] = f"{scratch.name}/hf"
os.environ.setdefault("COURSE_WORK", f"{scratch.name}/work")

# The notebooks' kernels and the scripts under test find this checkout, installed or not.
ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
sys.path.insert(0, str(ROOT))

sys.path.insert(0, str(ROOT / "tests"))

from jaxtyping import install_import_hook  # noqa: E402
from tiny_smollm2 import write  # noqa: E402

os.environ["COURSE_SMOLLM"] = os.environ.get("COURSE_SMOLLM") or str(
    write(f"{scratch.name}/smollm2")
)  # the labs' real-model sections run, on a stand-in
install_import_hook("course_lib", "typechecker.check")


def pytest_collection_modifyitems(items):
    """The browser's event loop runs until the session ends, and widgets behave otherwise where one runs: those tests
    come last.
    """
    items.sort(key=lambda item: item.path.parent.name == "browser")
