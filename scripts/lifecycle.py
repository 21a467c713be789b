"""docs/lifecycle.png, the picture at the top of README: python scripts/lifecycle.py"""

from pathlib import Path

from course_lib.widgets import lifecycle
from course_lib.widgets.style import png

TITLE = "One small model goes through every phase; the village knows the best possible result of each"


def main(path=Path(__file__).parents[1] / "docs" / "lifecycle.png"):
    path.write_bytes(png(lifecycle.figure(lifecycle.blank(), title=TITLE)))


if __name__ == "__main__":
    main()
