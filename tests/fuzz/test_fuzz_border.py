"""The border between grader and box: frames, headers, replies."""

import json
import os
import threading
import time

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from material import JSON, LAB, fuzz, mutated_bytes, with_a_part_replaced

from course_lib.grading.sandbox import box
from course_lib.questions import compare, core, wire
from course_lib.questions.invoke import CallFailed

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
    header = data.draw(with_a_part_replaced(HEADER))
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


def test_the_fuzzed_boxes_leave_no_threads():
    assert threading.active_count() < 20
