"""Files from an LMS or from a hostile hand, to folders and back out as a CSV."""

import csv
import io
import json
import stat
import zipfile

import pytest

from course_lib.grading import collect, export, store

LAB = "02_pretraining"
BOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 1", "outputs": [], "execution_count": None}]})


def zipped(path, members, **infos):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in infos.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return path


def take(tmp_path, *paths, roster=None):
    lines = []
    counts = collect.collect(LAB, paths, roster, tmp_path / "submissions", lines.append)
    return (counts["taken"] + counts["already here"], counts["rejected"] + counts["not matched"]), "\n".join(lines), store.submissions(LAB, tmp_path / "submissions")


def test_zip_of_submit(tmp_path):
    path = zipped(tmp_path / "hand.zip", {f"{LAB}.ipynb": BOOK, "work/pretrain/model.safetensors": b"m", "work/pretrain/record.json": "{}", "manifest.json": '{"student": "ann"}', "x.py": ""})
    counts, said, kept = take(tmp_path, path)
    assert counts == (1, 0) and kept[0][0] == "ann" and "ignored: x.py" in said
    assert (kept[0][2] / "notebook.ipynb").read_text() == BOOK and (kept[0][2] / "work/pretrain/model.safetensors").read_bytes() == b"m"
    assert take(tmp_path, path)[0] == (1, 0) and len(store.submissions(LAB, tmp_path / "submissions")) == 1


@pytest.mark.parametrize("name", ["../../evil.ipynb", "/etc/evil.ipynb", "a/../../evil.ipynb", "..\\evil.ipynb", "C:\\evil.ipynb", "work/../../../model.safetensors"])
def test_zip_slip_is_refused_whole(tmp_path, name):
    counts, said, kept = take(tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": BOOK, name: BOOK}))
    assert counts == (0, 1) and "outside its folder" in said and kept == []
    assert not list(tmp_path.parent.glob("evil*"))


def test_symlink_in_a_zip_is_refused(tmp_path):
    counts, said, _ = take(tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": "/etc/passwd"}, external_attr=(stat.S_IFLNK | 0o777) << 16))
    assert counts == (0, 1) and "link" in said


def test_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MAX_TOTAL", 2**20)
    counts, said, kept = take(tmp_path, zipped(tmp_path / "ann.zip", {"ok.ipynb": bytes(3 * 2**20)}))
    assert counts == (0, 1) and "unpacks to more" in said and kept == []


def test_a_thousand_members_are_refused(tmp_path):
    counts, said, _ = take(tmp_path, zipped(tmp_path / "ann.zip", {f"{i}.txt": "" for i in range(2001)}))
    assert counts == (0, 1) and "members" in said


@pytest.mark.parametrize(
    "name, data, why",
    [("ann.zip", b"PK\x03\x04 broken", "damaged"), ("ann.exe", b"MZ", "neither"), ("ann.pkl", b"\x80\x04", "neither"), ("ann.tar.gz", b"\x1f\x8b", "neither")],
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


@pytest.mark.parametrize("name", ["lab 02 (1).ipynb", "été;rm -rf.ipynb", "\u202efdp.ipynb", "x" * 200 + ".ipynb", "-rf.ipynb", "ann.ipynb.txt", "=cmd.ipynb", "\U0001f600.ipynb"])
def test_odd_file_names(tmp_path, name):
    (tmp_path / name).write_text(BOOK)
    counts, said, kept = take(tmp_path, tmp_path / name)
    assert counts == (1, 0), said
    folder = kept[0][2].relative_to(tmp_path)
    assert len(folder.parts) == 4 and not any(c in str(folder) for c in ";\u202e") and not folder.parts[2].startswith(("-", "."))


def test_roster_maps_file_names(tmp_path):
    (tmp_path / "roster.csv").write_text("student,match\nann,ann\njoann,joann\nbob,smith_77\n")
    for name in ("joann_1_lab.ipynb", "Ann_2_lab.ipynb", "smith_77_late.ipynb", "stranger.ipynb"):
        (tmp_path / name).write_text(BOOK.replace("x = 1", name))
    counts, said, kept = take(tmp_path, *sorted(tmp_path.glob("*.ipynb")), roster=tmp_path / "roster.csv")
    assert counts == (3, 1) and sorted(k[0] for k in kept) == ["ann", "bob", "joann"] and "no student of the roster" in said


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


# ---- store and export


def result(**changes):
    base = {"schema": 1, "lab": LAB, "student": "ann", "submission_sha": "a" * 16, "spec_sha": store.spec_sha(LAB), "status": "graded", "flags": []}
    return base | {"questions": [{"id": "rms_norm", "score": 0.5, "max": 1.0, "status": "fail", "cases": []}, {"id": "written_1", "score": None, "max": 0.5, "status": "needs_review", "cases": []}]} | changes


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
    assert first == store.secret(tmp_path) and len(first) == 64 and stat.S_IMODE((tmp_path / ".secret").stat().st_mode) == 0o600
    assert store.seed_for(first, LAB, "a") != store.seed_for(first, LAB, "b") != store.seed_for(b"other", LAB, "b")
    (tmp_path / ".secret").write_text("")
    with pytest.raises(store.StoreError, match="damaged"):
        store.secret(tmp_path)


def test_csv_neutralises_formulas_and_keeps_numbers(tmp_path):
    for name in ("=HYPERLINK(1)", "+1", "-2", "@x", "Ann, \"A\"\nB"):
        folder = tmp_path / "submissions" / LAB / store.safe_name(name) / ("a" * 16)
        store.write_json(folder / "meta.json", {"received": 1, "notes": [name]})
    store.write_json(store.result_path(LAB, store.safe_name("@x"), "a" * 16, store.spec_sha(LAB), tmp_path / "grades"), result(student="@x"))
    rows = list(csv.DictReader(io.StringIO(export.to_csv(LAB, tmp_path / "grades", tmp_path / "submissions"))))
    assert len(rows) == 5 and not any(v[:1] in "=+-@" for row in rows for v in row.values() if v)
    graded = [r for r in rows if r["status"] == "graded"][0]
    assert (graded["score"], graded["percent"], graded["rms_norm"], graded["written_1"], graded["to_review"]) == ("0.5", "50.0", "0.5", "", "0.5")
    assert {(r["score"], r["status"]) for r in rows if r is not graded} == {("", "not graded")}


def test_export_of_nothing_is_one_line(tmp_path):
    with pytest.raises(store.StoreError, match="course collect"):
        export.to_csv(LAB, tmp_path / "g", tmp_path / "s")
