"""Random and mutated input for everything that reads what a student has written: notebooks, cells, archives, frames,
replies, results.

COURSE_FUZZ=20000 gives each test so many examples instead of 100, found anew each time.
"""

import copy
import io
import json
import os
import shutil
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import classroom
import pytest
import torch
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from course_lib.grading.intake import collect
from course_lib.grading.records import store
from course_lib.grading.reports import page
from course_lib.grading.sandbox import box
from course_lib.grading.scoring import grade_one, signs
from course_lib.notebook import cells as notebooks
from course_lib.notebook import language, written
from course_lib.platform import safe_name
from course_lib.questions import compare, core, wire
from course_lib.questions.invoke import CallFailed

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


def places(value, path=()):
    """Every path into a JSON value."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


@st.composite
def mutated_books(draw):
    """A notebook with up to three of its parts replaced by anything."""
    book = copy.deepcopy(BOOK)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([p for p in places(book) if p]))
        inside = book
        for key in way:
            inside = inside[key]
        inside[last] = draw(JSON)
    return json.dumps(book).encode()


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


# ---- notebooks and cells --------------------------------------------------------------------------------------------


def read(data):
    """All that is done with a notebook before any of it runs."""
    with tempfile.NamedTemporaryFile(suffix=".ipynb") as file:
        file.write(data)
        file.flush()
        try:
            cells, passed, notes = notebooks.read_book(Path(file.name))
        except notebooks.Ungradable as reason:
            assert str(reason) and "\n" not in str(reason)
            return
    assert cells and all(
        type(n) is int and kind in ("code", "markdown") and type(source) is str for n, kind, source in cells
    )
    assert all(type(name) is str for name in passed) and all(type(note) is str for note in notes)
    ids = {lab: [q.id for q in core.questions_of(lab)] for lab in core.labs()}
    assert notebooks.lab_of(cells, ids) is None or type(notebooks.lab_of(cells, ids)) is str
    found = written.written_answers(cells, ["written_1", "written_2"])
    assert all(type(text) is str and type(note) is str for text, note in found.values())
    flags = signs.static_flags(cells, ["surprise"]) + signs.forbidden_flags(
        cells, [q for q in core.questions_of(LAB) if isinstance(q, core.Question)]
    )
    assert all(set(flag) == {"kind", "evidence"} for flag in flags)
    assert all(type(note) is str for note in signs.double_notes(cells, ["surprise"]))
    wire.decode(wire.encode([[n, s] for n, _, s in cells]))  # as they go into the box


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
    import ast

    plain = language.as_python(source)
    assert type(plain) is str and type(language.is_long(source)) is bool and language.effort(source) >= len(source)
    language.only_in_long([source, f"# LONG\n{source}"], ["x"])
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return
    assert plain == source, "what is Python stays as it is"


# ---- archives -------------------------------------------------------------------------------------------------------


def an_archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{LAB}.ipynb", json.dumps(BOOK))
        archive.writestr("work/pretrain/model.safetensors", b"m" * 200)
        archive.writestr("manifest.json", '{"student": "ann", "lab": "00_start_here"}')
    return out.getvalue()


def collected(name, data):
    """Collects one file in a folder of its own and looks at what was written."""
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        (root / "in").mkdir()
        (root / "in" / name).write_bytes(data)
        lines = []
        counts = collect.collect(LAB, [root / "in"], None, root / "submissions", lines.append)
        assert sum(counts.values()) >= 1 and all(type(line) is str and "\n" not in line for line in lines)
        for path in root.rglob("*"):
            inside = path.relative_to(root).parts
            assert not path.is_symlink() and inside[0] in ("in", "submissions"), path
            assert inside[0] == "in" or len(inside) < 5 or inside[4] in ("notebook.ipynb", "meta.json", "work"), path
    finally:
        shutil.rmtree(root)


@fuzz
@given(mutated_bytes(an_archive()))
def test_archives_with_bytes_changed(data):
    collected("ann.zip", data)


@fuzz
@given(
    st.lists(
        st.tuples(
            st.text(min_size=1, max_size=40)
            | st.sampled_from(
                [
                    "a.ipynb",
                    "../a.ipynb",
                    "work/x/model.safetensors",
                    "manifest.json",
                    "/a",
                    "C:\\a",
                    ".",
                    "..",
                    "a/../../b.ipynb",
                    "work/../work/x/record.json",
                    "a\x00.ipynb",
                ]
            ),
            st.binary(max_size=50) | st.just(json.dumps(BOOK).encode()),
        ),
        max_size=5,
    )
)
def test_archives_with_any_names(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members:
            try:
                archive.writestr(zipfile.ZipInfo(name), data)
            except (UnicodeEncodeError, ValueError, UserWarning):
                assume(False)
    collected("ann.zip", out.getvalue())


@fuzz
@given(st.text(max_size=40))
def test_names_for_folders(text):
    name = safe_name(text)
    assert (
        0 < len(name) <= 80
        and safe_name(name) == name
        and not set(name) & set("/\\\0\n<>|:*?\"'`$;&")
        and not name.startswith((".", "-"))
    )
    assert all(c.isprintable() for c in name)


@fuzz
@given(st.text(max_size=60))
def test_cells_of_a_spreadsheet(text):
    cell = page.neutral(text)
    assert not str(cell).strip().startswith(("=", "+", "-", "@", "\t", "\r")) and "\n" not in cell


# ---- the border -----------------------------------------------------------------------------------------------------

TENSORS = st.tuples(st.sampled_from(list(wire.DTYPES.values())), st.lists(st.integers(0, 3), max_size=3)).map(
    lambda t: torch.zeros(t[1], dtype=t[0])
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**2000), 2**2000)
    | st.floats()
    | st.text(max_size=20)
    | TENSORS
    | st.sampled_from(list(wire.DTYPES.values())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@fuzz
@given(st.dictionaries(st.integers() | st.booleans(), st.integers(), min_size=1, max_size=4))
def test_keys_are_text_alone_on_both_sides(value):
    """Numbers that collide make a dict's reading quadratic: 2**61 - 1 and its multiples are one hash."""
    with pytest.raises(wire.NotPlain):
        wire.encode(value)
    text = json.dumps(["dict", [[key, 0] for key in value]]).encode()
    with pytest.raises(ValueError, match="malformed dict"):
        wire.decode(len(text).to_bytes(8, "little") + text)


@pytest.mark.parametrize("part", [b"[],", b'["list",[]],', b"0,", b"{},"])
def test_what_has_too_many_parts_is_not_read(part):
    text = b'["list",[' + part * (wire.MAX_PARTS + 1) + b"0]]"
    with pytest.raises(ValueError, match="far too many parts|far too much JSON"):
        wire.decode(len(text).to_bytes(8, "little") + text)


# every JSON type in every place of a header: a reader that is not strict raises what nobody catches, or believes it
HEADER = {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"littlebrook": "{}"}}


@fuzz
@given(st.data())
def test_headers_with_parts_replaced(data):
    header = copy.deepcopy(HEADER)
    *way, last = data.draw(st.sampled_from([place for place in places(header) if place]))
    inside = header
    for key in way:
        inside = inside[key]
    inside[last] = data.draw(JSON)
    text = json.dumps(header).encode()
    blob = len(text).to_bytes(8, "little") + text + bytes(24)
    try:
        entries, _, behind = wire.read_header(blob)
    except ValueError as error:
        assert type(error) is ValueError or isinstance(error, UnicodeError), error
        return
    for code, shape, start, end in entries.values():
        assert wire.tensor_of(blob, code, shape, start, end).shape == torch.Size(shape)
    assert sum(end - start for _, _, start, end in entries.values()) + len(behind) <= 24


@fuzz
@given(PLAIN)
def test_values_cross_the_border_as_they_are(value):
    there = wire.decode(wire.encode(value))
    assert repr(there) == repr(value) == repr(wire.plain(value))
    assert compare.describe_difference(there, value, 0.0, equal_nan=True) is None


@fuzz
@given(PLAIN.flatmap(lambda v: mutated_bytes(wire.encode(v))) | st.binary(max_size=200))
@example((13).to_bytes(8, "little") + b'["generator",0]')
def test_frames_with_bytes_changed(data):
    try:
        value = wire.decode(data)
    except ValueError:
        return
    assert wire.encode(value)


@fuzz
@given(JSON, st.lists(TENSORS, max_size=2))
def test_any_json_as_a_frame(tree, tensors):
    import safetensors.torch

    text = json.dumps(tree).encode()
    data = (
        len(text).to_bytes(8, "little")
        + text
        + (safetensors.torch.save({str(i): t for i, t in enumerate(tensors)}) if tensors else b"")
    )
    try:
        wire.decode(data)
    except ValueError:
        pass


@fuzz
@given(PLAIN, PLAIN)
def test_any_answer_can_be_compared(got, expected):
    difference = compare.describe_difference(got, expected, 1e-5)
    assert difference is None or (type(difference) is str and len(difference) < 2000)


class Said:
    """A process that has said all it will ever say. As box.py sees one."""

    def __init__(self, data):
        self.ends, self.returncode, self.pid = [], None, 2**22 + 1
        self.stdout, self.stderr, self.over = self.readable(data), self.readable(), self.readable()
        out, into = os.pipe()
        self.stdin = os.fdopen(into, "wb", buffering=0)
        self.ends.append(out)

    def readable(self, data=None):
        """A pipe's end; the other is closed once `data` is in it, or without any when the process ends."""
        out, into = os.pipe()
        if data is None:
            self.ends.append(into)
        else:
            os.write(into, data[:60_000])
            os.close(into)
        return os.fdopen(out, "rb", buffering=0)

    def fileno(self):
        return self.over.fileno()

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        self.kill()
        return self.returncode

    def kill(self):
        if self.returncode is None:
            self.returncode = 0
            for end in self.ends:
                os.close(end)

    def __del__(self):
        self.over.close()


def exchanged(data, ask):
    """ask(box) of a box whose agent says `data`; whatever it says, the box is left in order."""
    token, box.secrets.token_bytes = box.secrets.token_bytes, lambda n: b"i" * n
    made = None
    try:
        made = box.Box([(0, "x = 1")], lambda: Said(data))
        made.loaded = True
        return ask(made)
    finally:
        box.secrets.token_bytes = token
        if made is not None:
            made.stop()


def framed(payload, call_id=b"i" * 16):
    return len(payload).to_bytes(8, "little") + call_id + payload


REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["ok", *core.STATUSES]) | PLAIN,
        "reply": PLAIN | st.fixed_dictionaries({"value": PLAIN}),
        "message": PLAIN,
        "hint": PLAIN,
        "at": PLAIN,
        "stopped": PLAIN,
    },
)


@fuzz
@given(
    st.lists(REPLIES | PLAIN, min_size=1, max_size=3)
    .map(lambda said: b"".join(framed(wire.encode(v)) for v in said))
    .flatmap(lambda data: st.just(data) | mutated_bytes(data))
    | st.binary(max_size=100)
)
def test_whatever_an_agent_says_to_a_call(data):
    began = time.monotonic()

    def call(made):
        made.spawn = None  # no second agent
        return made.call("surprise", [[2, 3]], {}, {}, 1.0)

    try:
        reply = exchanged(data, call)
        assert type(reply) is dict and "value" in reply
    except CallFailed as failure:
        assert (
            failure.status in core.STATUSES
            and failure.status != "pass"
            and type(failure.message) is str
            and len(failure.message) <= 600
        )
        assert failure.hint is None or type(failure.hint) is str
    assert time.monotonic() - began < 8


@fuzz
@given(
    st.lists(REPLIES | PLAIN, min_size=1, max_size=3)
    .map(lambda said: b"".join(framed(wire.encode(v)) for v in said))
    .flatmap(lambda data: st.just(data) | mutated_bytes(data))
)
def test_whatever_an_agent_says_to_the_cells(data):
    def cells(made):
        made.loaded = False
        made.try_cells()
        assert made.loaded or made.skip or isinstance(made.failure, (box.Died, box.Infra)) or made.infra
        assert all(type(k) is str and type(v) is str for k, v in made.stopped.items())
        json.dumps(made.flags)

    exchanged(data, cells)


@fuzz
@given(REPLIES)
def test_a_case_survives_any_reply(reply):
    """No reply makes a point out of a wrong value, and none makes a case raise."""

    class Caller:
        def call(self, *args):
            if type(reply.get("reply")) is dict and "value" in reply["reply"]:
                return reply["reply"]
            raise CallFailed("error", "x")

    for question in core.questions_of(LAB) + core.questions_of("02_pretraining"):
        if isinstance(question, core.Question):
            assert core.run(question, Caller()).score == 0.0


# ---- results --------------------------------------------------------------------------------------------------------

# fmt: off
RESULT = {"schema": 1, "lab": LAB, "student": "ann", "submission_sha": "a" * 16, "spec_sha": "b" * 16,
    "status": "graded", "flags": [], "questions": [{"id": "surprise", "score": 0.5, "max": 0.75, "status": "fail",
    "cases": []}]}
# fmt: on


@fuzz
@given(st.data())
def test_results_with_parts_replaced(data):
    result = copy.deepcopy(RESULT)
    *way, last = data.draw(st.sampled_from([p for p in places(result) if p]))
    inside = result
    for key in way:
        inside = inside[key]
    inside[last] = data.draw(JSON)
    try:
        valid = store.validate(result)
    except store.StoreError:
        return
    score, most, _ = store.totals(valid)
    assert score is None or 0 <= score <= most + 1e-9


@fuzz
@given(JSON)
def test_what_goes_into_a_result_is_clean(value):
    text = json.dumps(grade_one.clean(value), ensure_ascii=False)
    assert text.encode("utf-8") and all(c.isprintable() for c in text.replace("\\n", "").replace("\\t", ""))


def test_the_fuzzed_boxes_leave_no_threads():
    assert threading.active_count() < 20
