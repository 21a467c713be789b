"""Random and mutated notebooks and cells."""

import ast
import json
import tempfile

from hypothesis import example, given
from hypothesis import strategies as st
from material import BOOK, JSON, fuzz, mutated_bytes, with_a_part_replaced
from targets import notebook

from course_lib.grading.scoring import grade_one
from course_lib.notebook import cells as notebooks
from course_lib.notebook import language


@st.composite
def mutated_books(draw):
    """A notebook with up to three of its parts replaced by anything."""
    book = BOOK
    for _ in range(draw(st.integers(1, 3))):
        book = draw(with_a_part_replaced(book))
    return json.dumps(book).encode()


def read(data):
    with tempfile.TemporaryDirectory() as place:
        notebook.read(data, place)


@fuzz
@given(mutated_books())
def test_notebooks_with_parts_replaced(data):
    read(data)


@fuzz
@given(mutated_bytes(json.dumps(BOOK).encode()))
@example(b'{"cells": [{"cell_type": "code", "source": "x", "outputs": [')
@example(b"\xff\xfe")
def test_notebooks_with_bytes_changed(data):
    read(data)


@fuzz
@given(JSON)
@example({"cells": None, "worksheets": [{"cells": 3}, 4]})
@example(
    {"cells": [{"cell_type": "code", "source": ["x", 3, None], "outputs": [{"data": {"text/plain": 4}, "text": {}}]}]}
)
def test_any_json_as_a_notebook(value):
    read(json.dumps(value).encode())
    read(json.dumps({"cells": value}).encode())
    read(json.dumps({"cells": [value, {"cell_type": "code", "source": value, "outputs": value}]}).encode())


def emptied(value):
    """The value with every list under the key "outputs" empty."""
    if isinstance(value, dict):
        return {k: [] if k == "outputs" and isinstance(v, list) else emptied(v) for k, v in value.items()}
    return [emptied(v) for v in value] if isinstance(value, list) else value


@fuzz
@given(JSON | st.dictionaries(st.just("outputs"), st.lists(JSON, max_size=4)), st.booleans())
@example({"outputs": [['"outputs": [', "]", "\\", '\\"]']], "source": '"outputs": [1, 2]'}, True)
def test_outputs_are_cut_off_and_nothing_else(value, pretty):
    data = json.dumps(value, indent=1 if pretty else None).encode()
    # repr: NaN is not itself
    assert repr(json.loads(notebooks.without_outputs(data))) == repr(emptied(json.loads(data)))


MAGICS = st.sampled_from(
    [
        "%time x",
        "%%time\n",
        "%%bash\n",
        "!ls",
        "x = !ls",
        "x = %pwd",
        "?x",
        "x??",
        "\tif 1:",
        "pass",
        "await f()",
        "'''",
        "def f():",
        "    return 1",
        "\\",
        "%",
        "!",
        "?",
        "%%",
        "%%\n",
        "\x0c",
    ]
)


@fuzz
@given(st.lists(MAGICS | st.text(max_size=20), max_size=8).map("\n".join))
def test_cells_without_their_magics(source):
    plain = language.as_python(source)
    assert type(plain) is str and type(language.is_long(source)) is bool and language.effort(source) >= len(source)
    language.only_in_long([source, f"# LONG\n{source}"], ["x"])
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return
    assert plain == source, "what is Python stays as it is"


@fuzz
@given(JSON)
def test_what_goes_into_a_result_is_clean(value):
    text = json.dumps(grade_one.clean(value), ensure_ascii=False)
    assert text.encode("utf-8") and all(c.isprintable() for c in text.replace("\\n", "").replace("\\t", ""))
