"""Every lab's notebook in JupyterLab from top to bottom, as it is before anything has run."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LABS = sorted(path.stem for path in (ROOT / "labs").glob("[0-9][0-9]_*.ipynb"))
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("lab", LABS)
def test_every_lab_opened_and_scrolled(window, lab):
    window.open(lab)
    seen = window.page.evaluate("() => course.lookAtAll()")
    assert seen["found"] == []
    source = json.loads((ROOT / "labs" / f"{lab}.ipynb").read_text())
    assert seen["seen"] == len(source["cells"])
    prose = "\n".join(
        re.sub(r"`[^`]*`|<code>.*?</code>", "", "".join(cell["source"]))
        for cell in source["cells"]
        if cell["cell_type"] == "markdown"
    )
    assert seen["formulas"] == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose, re.S))
    window.picture(f"lab-{lab[:2]}-end")
    assert window.ours() == [] and window.outside == []
