"""Archives with bytes changed, and with any names in them."""

import io
import json
import tempfile
import zipfile

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from material import BOOK, LAB, LONG, fuzz, mutated_bytes
from targets import archive

from course_lib.grading.reports import page
from course_lib.platform import safe_name


def an_archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{LAB}.ipynb", json.dumps(BOOK))
        packed.writestr("work/pretrain/model.safetensors", b"m" * 200)
        packed.writestr("manifest.json", '{"student": "ann", "lab": "00_start_here"}')
    return out.getvalue()


def collected(data):
    with tempfile.TemporaryDirectory() as place:
        archive.read(data, place)


@settings(fuzz, max_examples=LONG or 40)
@given(mutated_bytes(an_archive()))
def test_archives_with_bytes_changed(data):
    collected(data)


@settings(fuzz, max_examples=LONG or 60)
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
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in members:
            try:
                packed.writestr(zipfile.ZipInfo(name), data)
            except (UnicodeEncodeError, ValueError, UserWarning):
                assume(False)
    collected(out.getvalue())


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
