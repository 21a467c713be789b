"""What the tests of this folder draw from.

COURSE_FUZZ=20000 gives each test so many examples instead of 100, found anew each time.
"""

import copy
import json
import os

import classroom
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from mutate import places

LAB = "00_start_here"
LONG = int(os.environ.get("COURSE_FUZZ", 0))
fuzz = settings(
    max_examples=LONG or 100,
    derandomize=not LONG,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

TEXT = st.text(max_size=60) | st.sampled_from(
    [
        "",
        "\x00",
        "\ud800",
        "\u202e",
        "def surprise(options):\n    return 0",
        'check("surprise")',
        "%%bash\nrm -rf",
        "!ls",
        "x = !ls",
        "await None",
        "🙂",
        "<!-- WRITTEN written_1 -->\nx",
        '"outputs": [',
        "\\",
    ]
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            TEXT | st.sampled_from(["cells", "source", "cell_type", "outputs", "text", "data", "metadata"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
BOOK = json.loads(classroom.notebook(classroom.sources(classroom.right_answers(LAB), LAB), {"written_1": "Because."}))


@st.composite
def with_a_part_replaced(draw, whole):
    """A copy of a JSON value, with any JSON in any one place."""
    whole = copy.deepcopy(whole)
    *way, last = draw(st.sampled_from(list(places(whole))))
    inside = whole
    for key in way:
        inside = inside[key]
    inside[last] = draw(JSON)
    return whole


@st.composite
def mutated_bytes(draw, data):
    """Bytes cut, doubled, overwritten, or with something put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        n = draw(st.integers(0, 40))
        match draw(st.integers(0, 4)):
            case 0:
                del data[at : at + n]
            case 1:
                data[at:at] = draw(st.binary(max_size=40))
            case 2:
                data[at : at + n] = draw(st.binary(min_size=n, max_size=n))
            case 3:
                data[at:at] = data[at : at + n]
            case 4:
                del data[at:]
    return bytes(data)
