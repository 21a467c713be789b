"""Where a student's work goes on Colab: into their Drive if they have mounted it, else onto a machine that forgets, and
that is said.
"""

import os
import sys
import types

import pytest

import course_lib
from course_lib import platform


@pytest.fixture
def colab(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(platform, "DRIVE", tmp_path / "drive/MyDrive")
    monkeypatch.delenv("COURSE_WORK", raising=False)
    (tmp_path / "content").mkdir()
    monkeypatch.chdir(tmp_path / "content")
    return tmp_path


def test_no_drive_is_said_once(colab, capsys):
    assert course_lib.setup("00_start_here").work == colab / "content/work"
    said = capsys.readouterr().out
    assert ", on Colab" in said and said.count("this machine forgets") == 1 and "files.download" in said


def test_a_mounted_drive_is_taken(colab, capsys):
    platform.DRIVE.mkdir(parents=True)
    assert (
        course_lib.setup("00_start_here").work == platform.DRIVE / "littlebrook/work"
        and platform.DRIVE.joinpath("littlebrook/work").is_dir()
    )
    assert "forgets" not in capsys.readouterr().out


def test_work_from_before_the_drive_is_not_lost_from_sight(colab, capsys):
    (colab / "content/work/pretrain").mkdir(parents=True)
    platform.DRIVE.mkdir(parents=True)
    course_lib.setup("00_start_here")
    assert f"!cp -rn {colab / 'content/work'}/. {platform.DRIVE / 'littlebrook/work'}" in capsys.readouterr().out
    (platform.DRIVE / "littlebrook/work/pretrain").mkdir()
    course_lib.setup("00_start_here")
    assert "cp -rn" not in capsys.readouterr().out


def test_submit_takes_the_model_from_the_drive(colab, monkeypatch, capsys):
    import json
    import zipfile

    from course_lib.notebook import submit

    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": 'import course_lib\ncourse = course_lib.setup("02_pretraining", seed=0)',
        }
    ]
    monkeypatch.setattr(
        submit,
        "colab_notebook",
        lambda: json.dumps({"nbformat": 4, "nbformat_minor": 0, "metadata": {}, "cells": cells}).encode(),
    )
    stage = platform.DRIVE / "littlebrook/work/pretrain"
    stage.mkdir(parents=True)
    (stage / "model.safetensors").write_bytes(b"weights")
    (stage / "record.json").write_text("{}")
    path = submit.submit(namespace={})
    assert "work/pretrain/model.safetensors" in zipfile.ZipFile(path).namelist(), capsys.readouterr().out


def test_a_setting_comes_first(colab, monkeypatch):
    platform.DRIVE.mkdir(parents=True)
    monkeypatch.setenv("COURSE_WORK", str(colab / "mine"))
    assert platform.work_dir() == colab / "mine"


def test_elsewhere_a_folder_of_that_name_is_no_drive(colab, monkeypatch):
    platform.DRIVE.mkdir(parents=True)
    monkeypatch.delitem(sys.modules, "google.colab")
    assert platform.work_dir() == colab / "content/work" and platform.colab_note(platform.work_dir()) is None


@pytest.mark.skipif(os.name != "posix", reason="folders are synchronised on POSIX alone")
def test_a_drive_that_cannot_synchronise_a_folder(tmp_path, monkeypatch):
    real = os.fsync

    def fsync(handle):
        if os.path.isdir(f"/proc/self/fd/{handle}") if sys.platform == "linux" else os.fstat(handle).st_mode & 0o040000:
            raise OSError(22, "Invalid argument")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    platform.write_atomic(tmp_path / "a", b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole" and [p.name for p in tmp_path.iterdir()] == ["a"]
