"""Public preferences: read from a folder that stands for the Hub's, and what is said where they cannot be had."""

import hashlib

import pyarrow
import pyarrow.parquet
import pytest

from course_lib.platform import CourseError
from course_lib.stages import real_data


def row(prompt, chosen, rejected):
    talk = lambda answer: [{"content": prompt, "role": "user"}, {"content": answer, "role": "assistant"}]
    return {"prompt": prompt, "chosen": talk(chosen), "rejected": talk(rejected), "score_chosen": 9.0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    file = tmp_path / real_data.FILE
    file.parent.mkdir()
    rows = [
        row("Why is the sky blue?", "Air scatters blue light most.", "It is not."),
        row("Same?", "Yes.", "Yes."),
        row("Long?", "y" * 700, "No."),
        row("Empty?", " ", "No."),
        row("2 + 2?", "4", "5"),
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    monkeypatch.setattr(real_data, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    return tmp_path


def test_only_who_asks_gets_them(folder, monkeypatch):
    expected = [
        {
            "messages": [{"content": "Why is the sky blue?", "role": "user"}],
            "chosen": "Air scatters blue light most.",
            "rejected": "It is not.",
        },
        {"messages": [{"content": "2 + 2?", "role": "user"}], "chosen": "4", "rejected": "5"},
    ]
    assert real_data.hub_rows(2) == expected and real_data.hub_rows(1) == expected[:1]
    import huggingface_hub

    def cached(repo_id, filename, repo_type, revision, local_files_only):
        assert (repo_id, repo_type, revision) == (real_data.NAME, "dataset", real_data.REVISION) and local_files_only
        return str(folder / filename)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cached)
    monkeypatch.setenv("COURSE_DATA", "hub")
    assert real_data.hub_rows(2) == expected
    monkeypatch.delenv("COURSE_DATA")
    assert real_data.hub_rows(2) is None


def line(count=1):
    with pytest.raises(CourseError) as error:
        real_data.hub_rows(count)
    assert "\n" not in error.value.args[0] and len(error.value.args[0]) < 400
    return error.value.args[0]


def test_what_cannot_be_had_is_said_in_one_line(folder, monkeypatch):
    assert "has 2 preferences" in line(3)
    file = folder / real_data.FILE
    file.write_bytes(file.read_bytes()[:100])
    assert "cut off" in line()
    file.unlink()
    assert "has no data/test_prefs" in line()
    monkeypatch.setenv("COURSE_DATA", "hubb")
    assert "set it to hub or to a folder" in line()
    monkeypatch.setenv("COURSE_DATA", "hub")  # nothing in the cache, and the tests have no Hub
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set: unset it, or set COURSE_DATA" in line()
