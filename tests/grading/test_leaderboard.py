"""course leaderboard: ranks with ties, what cannot be examined, one atomic file, resumed where it was killed. Models
are tiny; what they know is faked.
"""

import json
import struct
from dataclasses import replace

import pytest
import torch

from course_lib.evaluation import reasoning, release
from course_lib.grading.records import store
from course_lib.grading.reports import leaderboard as board
from course_lib.stages.artifacts import save_stage
from course_lib.stages.model import Llama, ModelConfig

CONFIG = ModelConfig(hidden=16, intermediate=32, layers=1, heads=2)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty course folder; a model is right in the share of rows that its first weight says.

    course(): [the prompts of each exam that was taken]; they are taken in children.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(board, "EACH", 60)
    monkeypatch.setattr(board, "ROUNDS", 400)
    monkeypatch.setenv("COURSE_SECRET", "s" * 40)
    monkeypatch.setattr(board, "EXAM", board.EXAM._replace(file=None))
    examined = tmp_path / "examined.jsonl"

    def take(model, rows):
        able = float(model.state_dict()["model.norm.weight"][0])
        if able > 1:
            raise RuntimeError("the tensors\ncannot be computed")
        store.append_line(examined, {"prompts": [row["messages"][0]["content"] for row in rows]})
        hard = torch.rand(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        return [{**row, "right": h < able} for row, h in zip(rows, hard)]

    monkeypatch.setattr(release, "take", take)
    return lambda: [line["prompts"] for line in store.read_lines(examined)]


def hand_in(student, able, stage="release", received=1.0, sha=None, lab=board.LAB, **record):
    model = Llama(CONFIG)
    with torch.no_grad():
        model.model.norm.weight[0] = able
    folder = store.SUBMISSIONS / lab / student / (sha or f"{student[:8]}{received}")
    work = folder / "work" / board.BOARDS[lab].stage
    save_stage(stage, model, record, folder=work)
    store.write_json(folder / "meta.json", {"student": student, "received": received, "notes": []})
    return work / "model.safetensors"


def spoiled(path):
    """The same file with a weight that is no number: save_stage itself refuses it."""
    blob = path.read_bytes()
    path.write_bytes(blob[:-4] + struct.pack("<f", float("nan")))


def ranks(result):
    return [(row["rank"], row["student"]) for row in result["board"]]


def test_who_cannot_be_told_apart_shares_a_rank(course):
    for student, able in (("cleo", 0.6), ("ada", 0.97), ("ben", 0.97), ("dora", 0.965)):
        hand_in(student, able)
    result = board.leaderboard(progress=False)
    assert (
        ranks(result)[:2] == [(1, "ada"), (1, "ben")]
        and (1, "dora") in ranks(result)
        and ranks(result)[-1] == (4, "cleo")
    )
    best = result["board"][0]
    assert best["low"] <= best["score"] <= best["high"] and best["score"] == pytest.approx(
        best["helpful"] * best["harmless"] * best["truthful"]
    )
    assert len({tuple(rows) for rows in course()}) == 1 and len(course()) == 4, "all take the same rows"
    assert json.loads((store.GRADES / board.LAB / "leaderboard.json").read_text()) == result


def test_the_hidden_rows_are_the_secrets(course, monkeypatch):
    hand_in("ada", 0.9)
    board.leaderboard(progress=False)
    monkeypatch.setenv("COURSE_SECRET", "t" * 40)
    board.leaderboard(progress=False)
    assert len(course()) == 2 and course()[0] != course()[1], (
        "another secret draws other rows, and nothing of the old exam is used"
    )
    assert course()[0] != [row["messages"][0]["content"] for row in release.exam("lab 11", 60)]


def test_what_cannot_be_examined_is_left_out_with_its_reason(course):
    hand_in("ada", 0.9)
    spoiled(hand_in("ben", 0.9))
    hand_in("cleo", 0.9, stage="safe")
    hand_in("dora", 0.9).unlink()
    hand_in("egon", 0.9).write_bytes(b"\x80\x04pickle")
    hand_in("fritz", 2.0)
    target = hand_in("gala", 0.9)
    target.rename(target.with_name("elsewhere"))
    target.symlink_to(target.with_name("elsewhere"))
    result = board.leaderboard(progress=False)
    assert ranks(result) == [(1, "ada")]
    reasons = {row["student"]: row["reason"] for row in result["left_out"]}
    assert set(reasons) == {"ben", "cleo", "dora", "egon", "fritz", "gala"} and not any(
        "\n" in reason for reason in reasons.values()
    )
    assert (
        "NaN" in reasons["ben"]
        and "another stage than 'release'" in reasons["cleo"]
        and "not handed in" in reasons["dora"]
        and "safetensors" in reasons["egon"]
        and "cannot" not in reasons["fritz"]
    )


def test_killed_and_started_again_it_goes_on(course, monkeypatch):
    for student in ("ada", "ben"):
        hand_in(student, 0.9)
    first = board.leaderboard(progress=False)
    assert board.leaderboard(progress=False) == first and len(course()) == 2, "nobody is examined twice"
    hand_in("cleo", 0.5)
    board.leaderboard(progress=False)
    assert len(course()) == 3
    for cache in (store.GRADES / ".leaderboard").rglob("*.json"):
        cache.write_text("[1, 2")
    assert ranks(board.leaderboard(progress=False)) and len(course()) == 6, "a damaged file is examined anew"


def test_the_result_is_whole_or_absent(course, monkeypatch, capsys):
    hand_in("ada", 0.9)
    write, target = store.write_json, store.GRADES / board.LAB / "leaderboard.json"

    def full(path, value):
        if path == target:
            raise OSError(28, "No space left on device")
        write(path, value)

    monkeypatch.setattr(store, "write_json", full)
    assert board.main([]) == 2 and "free some space" in capsys.readouterr().err and not target.exists()
    monkeypatch.setattr(store, "write_json", write)
    assert board.main([]) == 0 and target.exists()


def test_the_last_submission_counts_and_the_record_is_quoted(course):
    hand_in("ada", 0.5, received=1.0, tokens=10)
    hand_in("ada", 0.95, received=2.0, tokens=1_700_000)
    hand_in("ben", 0.9, tokens="many")
    rows = {row["student"]: row for row in board.leaderboard(progress=False)["board"]}
    assert rows["ada"]["score"] > 0.6 and rows["ada"]["tokens"] == 1_700_000 and rows["ben"]["tokens"] is None


def test_json_table_and_nothing_collected(course, capsys):
    assert (
        board.main([]) == 2
        and "no submissions in submissions/11_evaluation_and_release: run `course collect" in capsys.readouterr().err
    )
    hand_in("[red]ada", 0.9)
    hand_in("ben", 0.9).unlink()
    assert board.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["board"][0]["student"] == "[red]ada"
    assert board.main([]) == 0
    shown = capsys.readouterr().out
    assert "[red]ada" in shown and "not ranked: ben: model.safetensors was not handed in" in shown, (
        "a name is no markup"
    )


def test_by_the_command(course, capsys):
    from course_lib import cli

    hand_in("ada", 0.9)
    assert cli.main(["leaderboard", "--json"]) == 0 and json.loads(capsys.readouterr().out)["rows"] == 300


def test_lab_12_wants_right_answers_in_few_tokens(course, monkeypatch, capsys):
    lab, tokens = "12_reasoning", {0.97: 27, 0.965: 27, 0.6: 20, 0.99: board.MOST + 0.5}

    def tries(model, rows, each):
        able = round(float(model.state_dict()["model.norm.weight"][0]), 4)
        hard = torch.rand(len(rows), generator=torch.Generator().manual_seed(0)).tolist()
        return [{**row, "right": [h < able], "tokens": [tokens[able]]} for row, h in zip(rows, hard)]

    monkeypatch.setattr(reasoning, "tries", tries)
    monkeypatch.setattr(board, "QUESTIONS", 300)
    for student, able in (("ada", 0.97), ("ben", 0.965), ("cleo", 0.6), ("dora", 0.99)):
        hand_in(student, able, stage="reasoning", lab=lab)
    hand_in("egon", 0.9, stage="safe", lab=lab)
    result = board.leaderboard(lab, progress=False)
    assert ranks(result) == [(1, "ada"), (1, "ben"), (3, "cleo")] and result["rows"] == 300
    best = result["board"][0]
    assert best["low"] < best["score"] < best["high"] and (best["tokens"], "helpful" in best) == (27, False)
    reasons = {row["student"]: row["reason"] for row in result["left_out"]}
    assert reasons["dora"] == "its answers have 28.5 tokens, and 28 are allowed"
    assert "another stage than 'reasoning'" in reasons["egon"]
    assert board.leaderboard(lab, progress=False) == result, "also from what was kept"
    assert board.main([lab]) == 0 and "tokens an answer" in " ".join(capsys.readouterr().out.split())


def test_a_model_of_another_tokenizer_and_a_lab_without_a_board_are_one_line(course, monkeypatch, capsys):
    monkeypatch.setattr(board, "QUESTIONS", 6)
    monkeypatch.setattr(f"{__name__}.CONFIG", replace(CONFIG, vocabulary=300))
    hand_in("ada", 0.9, stage="reasoning", lab="12_reasoning")
    [left] = board.leaderboard("12_reasoning", progress=False)["left_out"]
    assert "the course's tokenizer has" in left["reason"]
    assert board.main(["12_resoning"]) == 2
    assert "no leaderboard, did you mean 12_reasoning?; labs: 11_eval" in capsys.readouterr().err
