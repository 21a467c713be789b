"""Files from an LMS or from a hostile hand, to folders and back out as a CSV."""

import concurrent.futures
import csv
import io
import os
import re
import signal
import stat
import subprocess
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from handins import BOOK, LAB, ROSTER, book, collected, handed_in, lms, metas, zipped

from course_lib.grading.intake import archives, collect, containers, downloads, unpacking
from course_lib.grading.lms import export
from course_lib.grading.reading import room
from course_lib.grading.records import store
from course_lib.platform import safe_name


def take(tmp_path, *paths, roster=None):
    lines = []
    counts = collect.collect(LAB, paths, roster, tmp_path / "submissions", lines.append)
    return (
        (counts["taken"] + counts["already here"], counts["rejected"] + counts["not matched"]),
        "\n".join(lines),
        store.submissions(LAB, tmp_path / "submissions"),
    )


def test_zip_of_submit(tmp_path):
    path = zipped(
        tmp_path / "hand.zip",
        {
            f"{LAB}.ipynb": BOOK,
            "work/pretrain/model.safetensors": b"m",
            "work/pretrain/record.json": "{}",
            "manifest.json": '{"student": "ann"}',
            "x.py": "x = 1",
            "torch.py": "",
            "elsewhere/y.py": "",
            "x.txt": "",
        },
    )
    counts, said, kept = take(tmp_path, path)
    assert counts == (1, 0) and kept[0][0] == "ann"
    assert [
        name in said for name in ("ignored: torch.py", f"ignored: {safe_name('elsewhere/y.py')}", "ignored: x.txt")
    ] == [True] * 3
    assert [(p.name, p.read_text()) for p in (kept[0][2] / "helpers").iterdir()] == [("x.py", "x = 1")]
    assert (kept[0][2] / "notebook.ipynb").read_text() == BOOK and (
        kept[0][2] / "work/pretrain/model.safetensors"
    ).read_bytes() == b"m"
    assert take(tmp_path, path)[0] == (1, 0) and len(store.submissions(LAB, tmp_path / "submissions")) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../../evil.ipynb",
        "/etc/evil.ipynb",
        "a/../../evil.ipynb",
        "..\\evil.ipynb",
        "C:\\evil.ipynb",
        "work/../../../model.safetensors",
    ],
)
def test_zip_slip_is_refused_whole(tmp_path, name):
    counts, said, kept = take(tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": BOOK, name: BOOK}))
    assert counts == (0, 1) and "outside its folder" in said and kept == []
    assert not list(tmp_path.parent.glob("evil*"))


def test_symlink_in_a_zip_is_refused(tmp_path):
    counts, said, _ = take(
        tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": "/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16)
    )
    assert counts == (0, 1) and "link" in said


def test_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_TOTAL", 2**20)
    counts, said, kept = take(tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": bytes(3 * 2**20)}))
    assert counts == (0, 1) and "unpacks to more" in said and kept == []


def test_a_thousand_members_are_refused(tmp_path):
    counts, said, _ = take(tmp_path, zipped(tmp_path / "ann.zip", {f"{i}.txt": "" for i in range(2001)}))
    assert counts == (0, 1) and "members" in said


@pytest.mark.parametrize(
    "name, data, why",
    [
        ("ann.zip", b"PK\x03\x04 broken", "damaged"),
        ("ann.exe", b"MZ", "neither"),
        ("ann.pkl", b"\x80\x04", "neither"),
        ("ann.tar.gz", b"\x1f\x8b", "neither"),
    ],
)
def test_what_is_no_submission_is_refused_with_one_line(tmp_path, name, data, why):
    (tmp_path / name).write_bytes(data)
    counts, said, kept = take(tmp_path, tmp_path / name)
    assert counts == (0, 1) and why in said and said.count("\n") == 0 and kept == []


def test_missing_file_and_empty_zip(tmp_path):
    counts, said, _ = take(tmp_path, tmp_path / "nothing.zip", zipped(tmp_path / "ann.zip", {"readme.txt": ""}))
    assert counts == (0, 2) and "no such file" in said and "no notebook" in said


def test_a_broken_notebook_is_kept_for_a_person(tmp_path):
    (tmp_path / "ann.ipynb").write_bytes(b"<html>login</html>")
    counts, _, kept = take(tmp_path, tmp_path / "ann.ipynb")
    assert counts == (1, 0) and kept[0][0] == "ann"


def test_link_on_disk_is_not_followed(tmp_path):
    (tmp_path / "ann.ipynb").symlink_to("/etc/passwd")
    assert take(tmp_path, tmp_path / "ann.ipynb")[0] == (0, 1)


@pytest.mark.parametrize(
    "name",
    [
        "lab 02 (1).ipynb",
        "été;rm -rf.ipynb",
        "\u202efdp.ipynb",
        "x" * 200 + ".ipynb",
        "-rf.ipynb",
        "ann.ipynb.txt",
        "=cmd.ipynb",
        "\U0001f600.ipynb",
    ],
)
def test_odd_file_names(tmp_path, name):
    (tmp_path / name).write_text(BOOK)
    counts, said, kept = take(tmp_path, tmp_path / name)
    assert counts == (1, 0), said
    folder = kept[0][2].relative_to(tmp_path)
    assert (
        len(folder.parts) == 4
        and not any(c in str(folder) for c in ";\u202e")
        and not folder.parts[2].startswith(("-", "."))
    )


def test_roster_maps_file_names(tmp_path):
    (tmp_path / "roster.csv").write_text("student,match\nann,ann\njoann,joann\nbob,smith_77\n")
    for name in ("joann_1_lab.ipynb", "Ann_2_lab.ipynb", "smith_77_late.ipynb", "stranger.ipynb"):
        (tmp_path / name).write_text(BOOK.replace("x = 1", name))
    counts, said, kept = take(tmp_path, *sorted(tmp_path.glob("*.ipynb")), roster=tmp_path / "roster.csv")
    assert (
        counts == (3, 1)
        and sorted(k[0] for k in kept) == ["ann", "bob", "joann"]
        and "no student of the roster" in said
    )


def test_a_manifest_cannot_take_another_students_place(tmp_path):
    (tmp_path / "roster.csv").write_text("student\nann\nbob\n")
    path = zipped(tmp_path / "bob_lab02.zip", {"a.ipynb": BOOK, "manifest.json": '{"student": "ann"}'})
    _, said, kept = take(tmp_path, path, roster=tmp_path / "roster.csv")
    assert kept[0][0] == "bob" and "says it is ann's" in said


def test_roster_without_the_column(tmp_path):
    (tmp_path / "roster.csv").write_text("name\nann\n")
    with pytest.raises(store.StoreError, match="column named student"):
        take(tmp_path, tmp_path / "x.ipynb", roster=tmp_path / "roster.csv")


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "ann.ipynb").write_text(BOOK)
    (tmp_path / "submissions").write_text("a file where the folder should be")
    with pytest.raises(store.StoreError, match="cannot write"):
        take(tmp_path, tmp_path / "ann.ipynb")


# ---- downloads of an LMS

CANVAS = {
    "doejane_12345_67890_02_pretraining_ab.zip": handed_in("jane"),
    "garcíamárquezjosé_LATE_12346_67891_02_pretraining-1.ipynb": book("jose"),
    "smithbob_12347_67892_02_pretraining_ff.zip": handed_in("bob's zip"),
    "smithbob_12347_67899_02_pretraining.ipynb": book("bob's notebook"),
    "mülleranne-marie_12348_67893_jane.ipynb".replace("-", ""): book("anne"),
    "texttom_12353_text.html": "<p>hi",
}


def test_canvas(tmp_path):
    found, said, counts = lms(tmp_path, "submissions.zip", CANVAS)
    assert found == {"jane": ["jane"], "jose": ["jose"], "bob": ["bob's notebook", "bob's zip"], "anne": ["anne"]}, (
        said
    )  # the zip counts, it has the model
    assert (
        counts == {"taken": 5, "already here": 0, "not matched": 0, "rejected": 0}
        and "submissions.zip: a download of Canvas with 5 hand-ins" in said
        and "jose (" in said
    )
    assert [(m["late"], m["ids"], m["received_from"]) for m in metas(tmp_path, "jose") + metas(tmp_path, "jane")] == [
        (True, {"canvas_id": "12346"}, "collected"),
        (False, {"canvas_id": "12345"}, "collected"),
    ]
    assert len(list((tmp_path / "submissions" / LAB / "bob").glob("*/work/pretrain/model.safetensors"))) == 1
    assert (
        metas(tmp_path, "jane")[0]["clock"] == "2026-01-02 03:04:06"
    )  # the student's clock is noted and decides nothing


def test_canvas_unpacked_or_packed_again_by_a_mac_is_the_same(tmp_path):
    lms(tmp_path, "submissions.zip", CANVAS)
    with zipfile.ZipFile(tmp_path / "submissions.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert lms(tmp_path, "unpacked", None)[2] == {"taken": 0, "already here": 5, "not matched": 0, "rejected": 0}
    names = {f"submissions/{unicodedata.normalize('NFD', n)}": d for n, d in CANVAS.items()}
    (tmp_path / "mac.zip").write_bytes(unflagged(names | {f"__MACOSX/submissions/._{n}": "x" for n in CANVAS}))
    assert lms(tmp_path, "mac.zip", None)[2] == {"taken": 0, "already here": 5, "not matched": 0, "rejected": 0}


def unflagged(members):
    """The bytes of a zip with UTF-8 names that does not say so."""
    packed = io.BytesIO()
    zipped(packed, members)
    data = bytearray(packed.getvalue())
    for mark, at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + at] &= ~0x08
    return bytes(data)


@pytest.mark.parametrize("name", ["นฤมลสุขใจ", "कुमारराज", "o'brien", "李俊", "nguyễnvăn", "łukasz"])
def test_canvas_names_of_any_script(tmp_path, name):
    found, said, _ = lms(
        tmp_path,
        "submissions.zip",
        {f"{name}_1_2_jane.ipynb": book("x"), "smithbob_5_6_jane.ipynb": book("bob")},
        f"student,name\njane,Jane Doe\nme,{name}\nbob,Bob Smith\n",
    )
    assert found == {"me": ["x"], "bob": ["bob"]}, said


def test_what_an_instructor_put_into_an_unpacked_download(tmp_path):
    (tmp_path / "in").mkdir()
    for file in ("doejane_12345_1_a.ipynb", "smithbob_5_6_a.ipynb", "anne mailed this.ipynb", "grades.csv"):
        (tmp_path / "in" / file).write_text(book(file))
    (tmp_path / "roster.csv").write_text(ROSTER)
    found, said, _ = lms(tmp_path, "in", None)
    assert (
        found
        == {"jane": ["doejane_12345_1_a.ipynb"], "bob": ["smithbob_5_6_a.ipynb"], "anne": ["anne mailed this.ipynb"]}
        and "grades.csv: REJECTED, neither" in said
    )
    found, said, _ = lms(
        tmp_path,
        "c.zip",
        {"doejane_12345_1_a.ipynb": book("1"), "smithbob_5_6_a.ipynb": book("2"), "anne.ipynb": book("3")},
    )
    assert (
        "anne" not in [s for s in found if len(found[s]) > 1]
        and "anne.ipynb: REJECTED, its name is none that Canvas gives" in said
    )


def test_nobody_takes_anothers_place_by_a_name_he_chooses(tmp_path):
    members = {
        "smithbob_12347_1_doejane_12345_2_x.ipynb": book("bob 1"),  # his file is called like hers
        "smithbob_12347_2_jane.zip": handed_in("bob 2", student="jane"),
        "doejane_99999_3_x.ipynb": book("another Jane Doe"),  # the roster's has another number
    }
    found, said, _ = lms(tmp_path, "submissions.zip", members)
    assert (
        found == {"bob": ["bob 1", "bob 2"]}
        and "the zip says it is jane's" in said
        and "add the column canvas_id with 99999" in said
    )
    flat = {"Bob Smith_7_assignsubmission_file_Jane Doe_8_assignsubmission_file_x.ipynb": book("bob 3")}
    assert lms(tmp_path, "moodle.zip", flat)[0] == {"bob": ["bob 1", "bob 2", "bob 3"]}


def test_a_students_zip_is_no_download_of_an_lms(tmp_path):
    fake = {"Jane Doe_7_assignsubmission_file/x.ipynb": book("by bob")}
    assert lms(tmp_path, "bob_lab.zip", fake)[0] == {"bob": ["by bob"]}
    assert lms(
        tmp_path, "moodle.zip", {"Jane Doe_7_assignsubmission_file/x.ipynb": book("by bob, too")}, source="files"
    )[0] == {"bob": ["by bob"]}


MOODLE = {
    "Jane Doe_1234567_assignsubmission_file/02_pretraining_ab.zip": handed_in("jane"),
    "José García Márquez_1234568_assignsubmission_file/02_pretraining.ipynb": book("jose"),
    "Bob Smith_1234569_assignsubmission_onlinetext/onlinetext.html": "<p>",
    "Bob Smith_1234569_assignsubmission_file_/deep/er/02 (1).ipynb": book("bob"),  # older Moodles end in _
}


def test_moodle(tmp_path):
    found, said, counts = lms(tmp_path, "CS7-Lab 2-4411.zip", MOODLE)
    assert (
        found == {"jane": ["jane"], "jose": ["jose"], "bob": ["bob"]}
        and counts["taken"] == 3
        and "a download of Moodle with 3" in said
    )
    assert metas(tmp_path, "jane")[0]["ids"] == {"moodle_id": "1234567"} and metas(tmp_path, "jane")[0]["late"] is None
    flat = {
        re.sub("file_?/(deep/er/)?", "file_", name).replace("text/", "text_"): data for name, data in MOODLE.items()
    }
    assert lms(tmp_path, "flat.zip", flat)[2] == {"taken": 0, "already here": 3, "not matched": 0, "rejected": 0}


def test_moodle_blind_by_the_number_of_the_participant(tmp_path):
    roster = "student,moodle_id\nann,Participant 71\nbob,72\n"
    members = {
        "Teilnehmer_71_assignsubmission_file/a.ipynb": book("a"),
        "Teilnehmer_72_assignsubmission_file/a.ipynb": book("b"),
        "Teilnehmer_73_assignsubmission_file/a.ipynb": book("c"),
    }
    found, said, _ = lms(tmp_path, "m.zip", members, roster)
    assert found == {"ann": ["a"], "bob": ["b"]} and "add the column moodle_id with 73" in said


METADATA = """---
submission_501:
  :submitters:
  - :name: Jane Doe
    :sid: '990001'
    :email: JANE@uni.edu
  :created_at: 2026-11-20 17:58:01.5 Z
  :history: []
submission_502:
  :submitters:
  - :name: Robert Smith
    :sid: '990003'
    :email: bob@gmail.com
  - :name: Anne-Marie Müller
    :sid:
    :email:
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-11-20 23:30:00 Z
submission_503:
  :submitters:
  - :name: Ghost Rider
    :email: ghost@x.org
  :created_at: 2026-11-19 10:00:00 -0800
submission_505:
  :submitters: []
"""


def gradescope(*numbers, metadata=METADATA):
    folders = {
        f"assignment_9_export/submission_{n}/{name}": data
        for n in numbers
        for name, data in {
            "a.ipynb": book(str(n)),
            "work/pretrain/model.safetensors": str(n),
            "manifest.json": '{"student": "bob"}',
        }.items()
    }
    return {
        "assignment_9_export/submission_metadata.yml": metadata,
        "__MACOSX/assignment_9_export/._submission_1": "x",
        **folders,
    }


def test_gradescope(tmp_path):
    found, said, counts = lms(tmp_path, "export.zip", gradescope(501, 502, 503, 504, 505))
    assert found == {"jane": ["501"], "bob": ["502"], "anne": ["502"]} and counts == {
        "taken": 3,
        "already here": 0,
        "not matched": 1,
        "rejected": 2,
    }, said
    assert (
        "no student of the roster is Ghost Rider: add the column email with ghost@x.org" in said
        and "submission_504: REJECTED, submission_metadata.yml does not name its student" in said
    )
    jane, anne = metas(tmp_path, "jane")[0], metas(tmp_path, "anne")[0]
    assert (round(jane["received"], 1), jane["received_from"], round(anne["received"])) == (
        1795197481.5,
        "gradescope",
        1795217400,
    ) and "handed in by a group of 2" in anne["notes"]
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    assert lms(tmp_path, "unpacked", None)[2]["already here"] == 3


def test_what_is_loose_in_an_export_is_told(tmp_path):
    """It went without a line: a file of Gradescope's name among the notebooks was enough."""
    found, said, counts = lms(tmp_path, "a.zip", {"submission_metadata.yml": METADATA, "x.ipynb": book("x")})
    assert found == {} and counts["rejected"] == 1 and "x.ipynb: REJECTED, submission_metadata.yml does not" in said
    found, said, counts = lms(tmp_path, "b.zip", {"submission_metadata.yml": METADATA, "read.me": "x"})
    assert found == {} and counts["rejected"] == 1 and "b.zip: REJECTED, there is no hand-in in it" in said


@pytest.mark.parametrize(
    "metadata, why",
    [
        ("a: [", "damaged"),
        ("", "empty"),
        ("- 1", "empty"),
        ("!!python/object/apply:os.system ['touch owned']", "empty"),
        ("\x00", "damaged"),
        ("submission_501:\n  :submitters: 3", "does not name"),
        ("submission_501:\n  :submitters: [{1: 2}, 7]", "no student of the roster"),
    ],
)
def test_gradescope_with_damaged_metadata_is_one_line(tmp_path, metadata, why):
    found, said, counts = lms(tmp_path, "export.zip", gradescope(501, metadata=metadata))
    assert (
        found == {}
        and counts["rejected"] + counts["not matched"] == 1
        and why in said
        and "\n" not in said.split("1 hand-in\n")[-1]
        and not Path("owned").exists()
    )


def test_two_students_of_one_name_hold_nobody_up(tmp_path):
    members = {"lijun_1_1_a.ipynb": book("a"), "doejane_12345_2_a.ipynb": book("jane"), "lijun_2_3_a.ipynb": book("b")}
    found, said, counts = lms(tmp_path, "submissions.zip", members)
    assert (
        found == {"jane": ["jane"]}
        and counts["not matched"] == 2
        and "lijun_1: NOT MATCHED, lijun may be li1 or li2: add the column canvas_id with 1 to the line of the one who "
        "is meant"
        in said
    )
    (tmp_path / "roster.csv").write_text(ROSTER.replace("Jun Li,,,", "Jun Li,,1,").replace("Li Jun,,,", "Li Jun,,2,"))
    assert lms(tmp_path, "submissions.zip", None)[0] == {"jane": ["jane"], "li1": ["a"], "li2": ["b"]}


def test_without_a_roster_the_lms_names_the_students(tmp_path):
    assert set(lms(tmp_path, "submissions.zip", CANVAS, roster=None)[0]) == {
        "doejane_12345",
        "garcíamárquezjosé_12346",
        "smithbob_12347",
        "mülleranne-marie_12348".replace("-", ""),
    }
    assert set(lms(tmp_path, "export.zip", gradescope(501, 502), roster=None)[0]) >= {
        "JANE@uni.edu",
        "bob@gmail.com",
        "Anne-Marie Müller",
    }
    members = MOODLE | {"Jane Doe_99_assignsubmission_file/x.ipynb": book("the other Jane")}
    found, said, _ = lms(tmp_path, "m.zip", members, roster=None)
    assert found["Jane Doe"] == ["jane"] and "two students are called Jane Doe" in said


def test_a_folder_of_folders_and_files(tmp_path):
    for name in (
        "Jane_Doe_lab02.ipynb",
        "bob lab02 (1).ipynb",
        "anne/a.ipynb",
        "anne/.ipynb_checkpoints/a-checkpoint.ipynb",
        "anne/__MACOSX/._a.ipynb",
        "Garcia Marquez Jose.ipynb",
        "stranger;rm -rf ~.ipynb",
        ".DS_Store",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(book(path.name))
    os.mkfifo(tmp_path / "in" / "fifo.ipynb")
    (tmp_path / "in" / "anne" / "link").symlink_to("/etc")
    found, said, counts = lms(tmp_path, "in", None)
    assert (
        found
        == {"jane": ["Jane_Doe_lab02.ipynb"], "bob": ["bob lab02 (1).ipynb"], "jose": ["Garcia Marquez Jose.ipynb"]}
        and counts["not matched"] == 1
    ), said
    assert "fifo.ipynb: REJECTED, not a file" in said and "anne: REJECTED, not a file" in said
    (tmp_path / "in" / "anne" / "link").unlink()
    assert lms(tmp_path, "in", None)[0]["anne"] == ["a.ipynb"]


# ---- hostile and clumsy archives


def test_one_zip_in_the_lmss_zip_is_opened_and_no_more(tmp_path):
    inner = zipped(io.BytesIO(), {"inner.zip": handed_in("x")})
    deeper = zipped(io.BytesIO(), {"inner.zip": inner.getvalue()})
    members = {"doejane_12345_1_a.zip": inner.getvalue(), "smithbob_1_2_a.zip": handed_in("bob")}
    found, said, _ = lms(tmp_path, "submissions.zip", members)
    assert found == {"bob": ["bob"]} and "a zip in a zip in a zip" in said
    (tmp_path / "jane.zip").write_bytes(inner.getvalue())
    assert lms(tmp_path, "jane.zip", None)[0]["jane"] == ["x"]
    (tmp_path / "jane.zip").write_bytes(deeper.getvalue())
    assert "a zip in a zip in a zip" in lms(tmp_path, "jane.zip", None)[1]


def test_one_bad_zip_in_a_download_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_TOTAL", 2**20)
    bad = {
        "slip": zipped(io.BytesIO(), {"../../evil.ipynb": BOOK}).getvalue(),
        "link": zipped(io.BytesIO(), {"a.ipynb": "/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16).getvalue(),
        "device": zipped(io.BytesIO(), {"a.ipynb": ""}, external_attr=(stat.S_IFBLK | 0o777) << 16).getvalue(),
        "bomb": zipped(io.BytesIO(), {"a.ipynb": bytes(3 * 2**20)}).getvalue(),
        "many": zipped(io.BytesIO(), {f"{i}.txt": "" for i in range(2001)}).getvalue(),
        "cut": handed_in("x")[:200],
        "empty": zipped(io.BytesIO(), {}).getvalue(),
        "password": locked(handed_in("x")),
        "lies": handed_in("x").replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63\x00"
        ),  # a method that does not exist
        "zips": zipped(io.BytesIO(), {"a.zip": handed_in("x"), "b.zip": handed_in("y")}).getvalue(),
        "code": zipped(io.BytesIO(), {"a.py": "1"}).getvalue(),
        "large": b"PK" + bytes(2**20),
    }
    roster = "student,name\njane,Jane Doe\n" + "".join(f"{k},Eve {k}\n" for k in bad)
    found, said, counts = lms(
        tmp_path,
        "submissions.zip",
        {"doejane_1_1_a.zip": handed_in("jane")}
        | {f"{k}eve_{i}_{i}_a.zip": data for i, (k, data) in enumerate(bad.items(), 2)},
        roster,
    )
    assert found == {"jane": ["jane"]} and counts == {
        "taken": 1,
        "already here": 0,
        "not matched": 0,
        "rejected": len(bad),
    }, said
    words = dict(zip(bad, [line.split("REJECTED, ")[1] for line in said.splitlines() if "REJECTED" in line]))
    for key, why in {
        "slip": "outside its folder",
        "link": "link or device",
        "device": "link or device",
        "bomb": "unpacks to more",
        "many": "members",
        "cut": "damaged",
        "empty": "no notebook",
        "password": "password",
        "lies": "damaged",
        "zips": "2 zips in one",
        "code": "a Python script",
        "large": "MB are more",
    }.items():
        assert why in words[key], (key, words[key])
    assert not list(tmp_path.rglob("evil*")) and [p.name for p in (tmp_path / "submissions").iterdir()] == [LAB]


def locked(data):
    """A zip whose members claim to be encrypted."""
    data = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(mark), bytes(data)):
            data[found.start() + at] |= 1
    return bytes(data)


def test_two_notebooks(tmp_path):
    old, new = (2026, 1, 1, 0, 0, 0), (2026, 1, 2, 0, 0, 0)

    def chosen(*members):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text, when in members:
                archive.writestr(zipfile.ZipInfo(name, when), text)
        (tmp_path / "jane.zip").write_bytes(packed.getvalue())
        found, said, _ = lms(tmp_path, "jane.zip", None)
        meta = max(metas(tmp_path, "jane"), key=lambda m: m["received"])
        return said, meta

    assert "taken is b.ipynb" in chosen(("a.ipynb", book("1"), old), ("b.ipynb", book("2"), new))[0]
    assert "taken is a.ipynb" in chosen(("a.ipynb", book("3"), old), ("b.ipynb", book("4")[:99], new))[0]  # cut off
    assert (
        "taken is a.ipynb"
        in chosen(("a.ipynb", book("5"), old), ("b.ipynb", book("6", "03_supervised_fine_tuning"), new))[0]
    )
    said, meta = chosen(("a.ipynb", book("7"), new), ("b.ipynb", book("8"), new))
    assert "ask which one counts" in meta["ungradable"] and "a.ipynb, b.ipynb" in meta["ungradable"]
    said, meta = chosen(
        ("a.ipynb", book("9"), new),
        (".ipynb_checkpoints/a-checkpoint.ipynb", book("10"), new),
        ("copy/a.ipynb", book("9"), old),
        ("__MACOSX/._a.ipynb", "x", new),
    )
    assert "ungradable" not in meta and "notebooks" not in said
    many = zipped(io.BytesIO(), {f"student{i}.ipynb": book(str(i)) for i in range(30)}).getvalue()
    (tmp_path / "jane.zip").write_bytes(many)
    assert "unpack it and collect the folder" in lms(tmp_path, "jane.zip", None)[1]


# ---- time, again, and killed


def test_received_sets_the_time_now_or_later(tmp_path):
    lms(tmp_path, "moodle.zip", MOODLE)
    assert time.time() - metas(tmp_path, "jane")[0]["received"] < 60
    _, said, counts = lms(tmp_path, "moodle.zip", None, received=1000.0)
    assert (
        counts["already here"] == 3
        and [(int(m["received"]), m["received_from"]) for s in ("jane", "jose", "bob") for m in metas(tmp_path, s)]
        == [(1000, "given")] * 3
    )
    lms(tmp_path, "moodle.zip", None)  # what is known is not guessed again
    assert int(metas(tmp_path, "jane")[0]["received"]) == 1000
    lms(tmp_path, "export.zip", gradescope(501))
    lms(tmp_path, "export.zip", None, received=2000.0)
    assert [int(m["received"]) for m in metas(tmp_path, "jane")] == [1000, 2000]


def test_received_keeps_what_canvas_calls_late(tmp_path):
    _, said, _ = lms(tmp_path, "submissions.zip", CANVAS, received=1000.0)
    told = [(m["late"], m["received"], m["received_from"]) for m in metas(tmp_path, "jose") + metas(tmp_path, "jane")]
    assert told == [(True, 1000.0, "given"), (False, 1000.0, "given")]
    assert re.search(r": jose \(\w+\), late", said) and not re.search(r": jane \(\w+\), late", said)


def test_a_group_of_one_that_is_nearly_another_is_said(tmp_path):
    said = lms(tmp_path, "submissions.zip", CANVAS, "student,name,group\njane,Jane Doe,Green\nx,,Green\ny,,Gren\n")[1]
    assert said.startswith("the group Gren of the roster has one student: is it Green?")


def test_late_only_by_the_time_of_collecting_is_said(tmp_path):
    (tmp_path / "policy.yaml").write_text("timezone: UTC\nlabs: {02_pretraining: {deadline: 2020-01-01 18:00}}")
    assert "3 of them count as late only because nobody told" in lms(tmp_path, "moodle.zip", MOODLE)[1]
    assert "count as late" not in lms(tmp_path, "submissions.zip", CANVAS)[1]
    assert collect.when_of("2020-01-01T18:00", LAB, tmp_path / "submissions") == 1577901600
    for text in ("yesterday", "2020-01-01", "2999-01-01T00:00"):
        with pytest.raises(store.StoreError, match="--received"):
            collect.when_of(text, LAB, tmp_path / "submissions")


def test_twice_changes_nothing(tmp_path):
    lms(tmp_path, "submissions.zip", CANVAS)
    lms(tmp_path, "export.zip", gradescope(501, 502))
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "submissions").rglob("*")}
    assert (
        lms(tmp_path, "submissions.zip", None)[2]["already here"] == 5
        and lms(tmp_path, "export.zip", None)[2]["already here"] == 3
    )
    assert before == {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in (tmp_path / "submissions").rglob("*")}


def test_killed_in_the_middle_leaves_nothing_half_done(tmp_path):
    zipped(
        tmp_path / "submissions.zip", {f"s{i:03}x_{i}_{i}_a.zip": handed_in(f"{i} " + "y" * 20_000) for i in range(100)}
    )
    run = [sys.executable, "-m", "course_lib.cli", "collect", LAB, "submissions.zip"]
    process = subprocess.Popen(run, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    kept = store.submissions(LAB, tmp_path / "submissions")
    assert 10 < len(kept) < 100 and all(
        sorted(p.name for p in folder.iterdir()) == ["meta.json", "notebook.ipynb", "work"] for _, _, folder, _ in kept
    )
    assert len(list((tmp_path / "submissions" / LAB).glob("*/*"))) == len(kept)
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert (
        done.returncode == 0
        and len(store.submissions(LAB, tmp_path / "submissions")) == 100
        and done.stdout.count("already here (") == len(kept)
    ), done.stderr
    assert re.search(rf"{100 - len(kept)} │ +{len(kept)} │ +0 │ +0 │", done.stdout), done.stdout[-600:]


def test_two_at_once_take_each_file_once(tmp_path):
    zipped(
        tmp_path / "submissions.zip", {f"s{i:03}x_{i}_{i}_a.zip": handed_in(f"{i} " + "y" * 20_000) for i in range(60)}
    )
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        counts = list(
            pool.map(
                lambda _: collect.collect(
                    LAB, [tmp_path / "submissions.zip"], None, tmp_path / "submissions", lambda line: None
                ),
                range(3),
            )
        )
    assert (
        sum(c["taken"] for c in counts) == 60
        and sum(c["already here"] for c in counts) == 120
        and len(store.submissions(LAB, tmp_path / "submissions")) == 60
    )


def test_a_lab_that_is_none_is_one_line(tmp_path):
    for lab in ("02_pretrain", "../x", ""):
        with pytest.raises(store.StoreError, match="there is no lab"):
            collect.collect(lab, [tmp_path], None, tmp_path / "submissions")


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    written = []

    def full(path, data):
        written.append(path)
        if len(written) > 5:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(unpacking, "synced", full)
    with pytest.raises(store.StoreError, match="No space left on device; nothing of .* was kept, run collect again"):
        lms(tmp_path, "submissions.zip", CANVAS)
    assert len(store.submissions(LAB, tmp_path / "submissions")) == 3 and not list(
        (tmp_path / "submissions" / ".incoming").iterdir()
    )


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    zipped(tmp_path / "submissions.zip", CANVAS | {"ghostgus_5_5_x.ipynb": book("g")})
    (tmp_path / "class.csv").write_text(ROSTER)
    assert collect.main([LAB, "submissions.zip", "--roster", "class.csv", "--received", "2026-01-01T18:00"]) == 1
    said = capsys.readouterr().out
    assert (
        re.search("taken.*already here.*not matched.*rejected", said)
        and re.search(r"5 │ +0 │ +1 │ +0 │", said)
        and metas(tmp_path, "jane")[0]["received_from"] == "given"
    )
    (tmp_path / "roster.csv").write_text(ROSTER + "gus,Gus Ghost,,,\n")  # found beside submissions/
    assert collect.main([LAB, "submissions.zip"]) == 0 and re.search(r"1 │ +5 │ +0 │ +0 │", capsys.readouterr().out)


# ---- store and export


def result(**changes):
    base = {
        "schema": 1,
        "lab": LAB,
        "student": "ann",
        "submission_sha": "a" * 16,
        "spec_sha": store.spec_sha(LAB),
        "status": "graded",
        "flags": [],
    }
    return (
        base
        | {
            "questions": [
                {"id": "rms_norm", "score": 0.5, "max": 1.0, "status": "fail", "cases": []},
                {"id": "written_1", "score": None, "max": 0.5, "status": "needs_review", "cases": []},
            ]
        }
        | changes
    )


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan"), float("inf"), "1", None, True and [1]])
def test_an_impossible_score_is_never_written(score):
    bad = result()
    bad["questions"][0]["score"] = score
    with pytest.raises(store.StoreError):
        store.validate(bad)


@pytest.mark.parametrize("status", ["ungradable", "infra_error"])
def test_no_grade_means_no_scores(status):
    with pytest.raises(store.StoreError):
        store.validate(result(status=status))
    fine = result(status=status, questions=[], reason="why")
    assert store.totals(store.validate(fine)) == (None, None, None)


def test_a_damaged_result_file_is_no_result(tmp_path):
    path = tmp_path / "r.json"
    store.write_json(path, result())
    assert store.read_result(path) and store.totals(store.read_result(path)) == (0.5, 1.0, 0.5)
    path.write_bytes(path.read_bytes()[:100])
    assert store.read_result(path) is None


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    store.write_json(path, result())
    with pytest.raises(ValueError):
        store.write_json(path, {"score": float("nan")})
    monkeypatch.setattr(store.os, "replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        store.write_json(path, {})
    assert store.read_result(path) and [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_secret_is_made_once_and_private(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_SECRET", raising=False)
    first = store.secret(tmp_path)
    assert (
        first == store.secret(tmp_path)
        and len(first) == 64
        and stat.S_IMODE((tmp_path / ".secret").stat().st_mode) == 0o600
    )
    assert store.seed_for(first, LAB, "a") != store.seed_for(first, LAB, "b") != store.seed_for(b"other", LAB, "b")
    (tmp_path / ".secret").write_text("")
    with pytest.raises(store.StoreError, match="damaged"):
        store.secret(tmp_path)


def test_csv_neutralises_formulas_and_keeps_numbers(tmp_path):
    for name in ("=HYPERLINK(1)", "+1", "-2", "@x", 'Ann, "A"\nB'):
        folder = tmp_path / "submissions" / LAB / safe_name(name) / ("a" * 16)
        store.write_json(folder / "meta.json", {"received": 1, "notes": [name]})
    store.write_json(
        store.result_path(LAB, safe_name("@x"), "a" * 16, store.spec_sha(LAB), tmp_path / "grades"),
        result(student="@x"),
    )
    rows = list(csv.DictReader(io.StringIO(export.to_csv(LAB, tmp_path / "grades", tmp_path / "submissions"))))
    assert len(rows) == 5 and not any(v[:1] in "=+-@" for row in rows for v in row.values() if v)
    graded = [r for r in rows if r["status"] == "graded"][0]
    assert (graded["score"], graded["percent"], graded["rms_norm"], graded["written_1"], graded["to_review"]) == (
        "0.5",
        "50.0",
        "0.5",
        "",
        "0.5",
    )
    assert {(r["score"], r["status"]) for r in rows if r is not graded} == {("", "not graded")}


def test_export_of_nothing_is_one_line(tmp_path):
    with pytest.raises(store.StoreError, match="course collect"):
        export.to_csv(LAB, tmp_path / "g", tmp_path / "s")


# ---- in the room


DEATHS = {
    "crashes": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "it crashes what reads it (SIGSEGV)"),
    "loops": (lambda: any(iter(int, 1)), "more than 1 s of computing"),
    "eats": (lambda: bytearray(2**40), "GiB of memory"),
    "raises": (lambda: {}["a student's words"], "it cannot be read (KeyError)"),
}


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("where", ["the looking", "the unpacking"])
def test_what_kills_its_reader_is_a_line_and_the_others_are_taken(tmp_path, monkeypatch, where, death):
    """The files are harmless: the reader does to itself what the name says."""
    does, words = DEATHS[death]
    (tmp_path / "class").mkdir()
    for name in ("ann", "bad", "cleo"):
        zipped(tmp_path / "class" / f"{name}.zip", {"a.ipynb": book(name)})
    module, name = (downloads, "in_file") if where == "the looking" else (unpacking, "contents")
    real = getattr(module, name)

    def reader(*given, **more):
        if "bad.zip" in str(given[0]):
            does()
        return real(*given, **more)

    monkeypatch.setattr(module, name, reader)
    limits = room.Limits(cpu=1, wall=60, memory=2**30, file=2**20)
    monkeypatch.setattr(downloads, "LOOKING", limits), monkeypatch.setattr(unpacking, "LIMITS", limits)
    found, said, counts = collected(tmp_path, tmp_path / "class")
    assert set(found) == {"ann", "cleo"} and counts["rejected"] == 1
    assert re.search(rf"bad.zip: REJECTED, it cannot be (?:read|looked through): .*{re.escape(words)}", said)
    assert "student's words" not in said and not list((tmp_path / "submissions").glob(".incoming/*"))


def test_one_child_reads_a_class(tmp_path, monkeypatch):
    born, child = [], room.Child.__init__
    monkeypatch.setattr(room.Child, "__init__", lambda self, *given: (born.append(given), child(self, *given))[1])
    (tmp_path / "class").mkdir()
    for number in range(30):
        zipped(tmp_path / "class" / f"s{number}.zip", {"a.ipynb": book(number)})
    found, _, _ = collected(tmp_path, tmp_path / "class")
    assert len(found) == 30 and len(born) == 2  # one looks, one unpacks


def test_members_are_counted_before_any_becomes_an_object(tmp_path, monkeypatch):
    path = zipped(tmp_path / "ann.zip", {f"{i}.txt": "" for i in range(2001)})
    monkeypatch.setattr(containers, "MAX_CONTAINER", 2000)
    monkeypatch.setattr(containers.zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    for most in (1, 2000):
        with open(path, "rb") as file, pytest.raises(containers.Rejected, match="2001 members"):
            containers.few_members(file, most)
    with open(path, "rb") as file:
        containers.few_members(file, 2001)


@pytest.mark.parametrize("many", [3, 70_000])  # of so many the zip has another end
def test_the_count_is_that_of_zipfile_whatever_stands_in_front(tmp_path, many):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(many):
            archive.writestr(zipfile.ZipInfo(str(number)), b"PK\x01\x02" * 3)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    with open(path, "rb") as file:
        containers.few_members(file, many)
        with pytest.raises(containers.Rejected, match=f"{many} members"):
            containers.few_members(file, many - 1)


def test_of_a_lab_only_its_own_stage_is_taken(tmp_path):
    from course_lib.questions import core

    asked = {
        lab: [q.stage for q in core.questions_of(lab) if isinstance(q, core.ArtifactQuestion)] for lab in core.labs()
    }
    assert {lab: stages[0] for lab, stages in asked.items() if stages} == archives.STAGES
    assert all(len(stages) < 2 for stages in asked.values())
    members = {"a.ipynb": book("a"), "work/sft/model.safetensors": "x", "work/pretrain/record.json": "{}"}
    collected(tmp_path, zipped(tmp_path / "ann.zip", members))
    (folder,) = [folder for _, _, folder, _ in store.submissions(LAB, tmp_path / "submissions")]
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*")) == [
        "meta.json",
        "notebook.ipynb",
        "work/pretrain/record.json",
    ]
    assert "ignored: work_sft_model.safetensors" in str(metas(tmp_path, "ann")[0]["notes"])


def test_a_model_larger_than_any_of_the_course_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(archives.LARGEST, "model.safetensors", 2**20)
    place = "work/pretrain/model.safetensors"
    found, said, _ = collected(tmp_path, zipped(tmp_path / "ann.zip", {"a.ipynb": book("a"), place: bytes(2**20 + 1)}))
    assert found == {"ann": ["a"]} and f"left out: {place} has more than 1 MB" in said


def test_an_export_without_its_metadata_is_one_line(tmp_path):
    (tmp_path / "export" / "submission_1").mkdir(parents=True)
    (tmp_path / "export" / "submission_1" / "a.ipynb").write_text(book("a"))
    _, said, counts = collected(tmp_path, tmp_path / "export", source="gradescope")
    assert counts["rejected"] == 1 and "there is no submission_metadata.yml" in said


def test_metadata_that_hold_themselves_a_thousand_times_cost_nothing(tmp_path):
    lists = "".join(f"  - &a{i} [{', '.join([f'*a{i - 1}'] * 20)}]\n" for i in range(1, 20))
    text = f"submission_1:\n  :x:\n  - &a0 [lol]\n{lists}  :submitters:\n  - :name: Ann Lee\n    :email: *a19\n"
    text += "submission_2:\n  :submitters:\n  - :name: *a19\n    :email: ben@x\n"
    members = {"submission_metadata.yml": text, "submission_1/a.ipynb": book("a"), "submission_2/a.ipynb": book("b")}
    began = time.monotonic()
    found, said, _ = lms(tmp_path, "export.zip", members, roster="student,name,email\nann,Ann Lee,a@x\nben,Ben,ben@x\n")
    assert found == {"ann": ["a"], "ben": ["b"]} and time.monotonic() - began < 20, said


def test_a_group_has_one_file_and_each_member_a_folder(tmp_path):
    roster = "student,name,canvas_id,group\nann,Ann Lee,1,blue\nben,Ben Ray,2,blue\n"
    found, _, _ = lms(tmp_path, "submissions.zip", {"annlee_1_9_a.ipynb": book("a")}, roster=roster)
    assert found == {"ann": ["a"], "ben": ["a"]}
    books = sorted((tmp_path / "submissions").rglob("notebook.ipynb"))
    assert len(books) == 2 and books[0].read_bytes() == books[1].read_bytes()


def test_a_dry_run_says_the_same_and_keeps_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    zipped(tmp_path / "in" / "ann.zip", {f"{LAB}.ipynb": BOOK})
    (tmp_path / "in" / "bob.ipynb").write_bytes(b"<html>")
    before = sorted(tmp_path.rglob("*"))
    assert collect.main([LAB, "in", "--dry-run"]) == 0
    tried = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before and "dry run: nothing was kept" in tried
    assert collect.main([LAB, "in"]) == 0
    lines = lambda said: [line for line in said.splitlines() if line.startswith(("ann", "bob"))]
    assert lines(capsys.readouterr().out) == lines(tried) and len(lines(tried)) == 2
    assert collect.main([LAB, "in", "--dry-run"]) == 0 and "ann.zip: already here" in capsys.readouterr().out
