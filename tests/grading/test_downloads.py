"""What is handed in elsewhere than in Canvas or Gradescope: teams, groups, repositories, nbgrader's folders, mail."""

import json
import os
import subprocess
import zipfile

import pytest
from handins import LAB, book, collected, files, handed_in, lms, metas, zipped

from course_lib.grading.intake import commits
from course_lib.grading.people import gradebook
from course_lib.grading.records import store

CLASS = "student,name,group,moodle_id,github\n" + "".join(
    f"{line}\n"
    for line in (
        "nadia,Nadia Okafor,Blue,7101,nokafor",
        "per,Per Lindqvist,Blue,7102,per-l",
        "zoe,Zoe Novak,Blue,7103,znovak",
        "ann,Ann Lee,Red Team,7104,l",
        "bob,Bob Roe,,7105,bobroe",
    )
)

# ---- teams and groups


@pytest.mark.parametrize("name", [f"Blue_7104_assignsubmission_file{between}a.ipynb" for between in "/_"])
def test_a_moodle_teams_number_is_its_groups(tmp_path, name):
    found, said, _ = lms(
        tmp_path, "m.zip", {name: book("blue"), "Red Team_12_assignsubmission_file/a.ipynb": book("red")}, CLASS
    )
    assert found == {"nadia": ["blue"], "per": ["blue"], "zoe": ["blue"], "ann": ["red"]}, said
    assert "handed in by the group Blue" in said and metas(tmp_path, "per")[0]["ids"] == {}
    assert all(m["members"] == ["nadia", "per", "zoe"] and not m.get("by") for m in metas(tmp_path, "zoe"))


def test_a_team_that_the_roster_does_not_know_is_nobodys(tmp_path):
    found, said, _ = lms(tmp_path, "m.zip", {"Team 9_7101_assignsubmission_file/a.ipynb": book("x")}, CLASS)
    assert found == {} and "no student of the roster is Team 9" in said
    members = {
        "Ann Lee_7101_assignsubmission_file/a.ipynb": book("x")
    }  # a team called like a student of another number
    found, said, _ = lms(tmp_path, "n.zip", members, CLASS)
    assert found == {} and "Moodle's number 7101, which the roster gives to nadia: a team's number" in said
    found, said, _ = lms(tmp_path, "o.zip", {"Default group_assignsubmission_file/a.ipynb": book("y")}, CLASS)
    assert found == {} and "NOT MATCHED" in said  # of all who are in no team


def test_before_moodle_4_2_a_team_stood_before_each_members_name(tmp_path):
    members = {
        "Red Team-Ann Lee_7104_assignsubmission_file_/a.ipynb": book("red"),
        "Green-Bob Roe_7105_assignsubmission_file_/a.ipynb": book("bob"),
        "Green-Zed Roe_7104_assignsubmission_file_/a.ipynb": book("nobody's"),
    }
    found, said, _ = lms(tmp_path, "m.zip", members, CLASS)
    assert found == {"ann": ["red"], "bob": ["bob"]} and "no student of the roster is Green-Zed Roe" in said


@pytest.mark.parametrize("word", ["Participant", "Teilnehmerin", "Deelnemer", "Участник", "参加者"])
def test_anonymous_in_any_language(tmp_path, word):
    members = {f"{word}_{n}_assignsubmission_file/a.ipynb": book(str(n)) for n in (7104, 7105)}
    assert lms(tmp_path, "m.zip", members, CLASS.replace("Red Team", ""))[0] == {"ann": ["7104"], "bob": ["7105"]}
    (tmp_path / "alone").mkdir()
    assert len(lms(tmp_path / "alone", "m.zip", members, roster=None)[0]) == 2


def test_one_hand_in_counts_for_all_of_the_group_and_a_members_own_for_that_member(tmp_path):
    found, said, counts = lms(tmp_path, "c.zip", {"okafornadia_1_1_a.ipynb": book("nadia's")}, CLASS)
    assert found == {"nadia": ["nadia's"], "per": ["nadia's"], "zoe": ["nadia's"]} and counts["taken"] == 1
    assert "nadia (" in said and "counts for the group Blue, too: per, zoe" in said
    files(tmp_path / "in", {"per.ipynb": book("per's own")})
    found, said, _ = collected(tmp_path, tmp_path / "in")
    assert found["per"] == ["nadia's", "per's own"] and found["zoe"] == ["nadia's", "per's own"]
    rows = {r["student"]: r for r in gradebook.rows(LAB, tmp_path / "grades", tmp_path / "submissions")}
    last = {who: rows[who]["folder"].joinpath("notebook.ipynb").read_text() for who in ("nadia", "per", "zoe")}
    assert "nadia's" in last["nadia"] and "per's own" in last["per"] and "per's own" in last["zoe"]
    assert (
        "handed in by per for the group Blue" in rows["zoe"]["reason"] and "for the group" not in rows["per"]["reason"]
    )
    assert rows["zoe"]["members"] == ["per", "nadia", "zoe"] and rows["bob"]["status"] == "not handed in"
    assert rows["per"]["ids"] == {"moodle_id": "7102", "github": "per-l"}  # nothing of what Canvas said of nadia
    assert {s[0]: s[3]["student"] for s in store.latest(LAB, tmp_path / "submissions")}["per"] == "per"


def test_a_group_of_canvas_is_named_instead_of_a_student(tmp_path):
    roster = "student,name,group,canvas_id\nnadia,Nadia Okafor,Blue Team,1\nper,Per Lindqvist,Blue Team,2\n"
    found, said, _ = lms(tmp_path, "c.zip", {"blueteam_2_1_a.ipynb": book("x")}, roster)
    assert found == {"nadia": ["x"], "per": ["x"]} and "handed in by the group Blue Team" in said
    assert not any(m.get("by") or m["ids"] for m in metas(tmp_path, "nadia") + metas(tmp_path, "per"))


# ---- repositories


def git(folder, *arguments, when=None):
    stamp = {"GIT_COMMITTER_DATE": f"{when} +0200", "GIT_AUTHOR_DATE": "1600000000 +0000"} if when else {}
    who = ["-c", "user.name=N", "-c", "user.email=n@x.org"]
    run = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(run, check=True, capture_output=True, env={**os.environ, **stamp}).stdout


def checkout(folder, contents, when=1_795_000_000, pack=False):
    """A repository with one commit of these files."""
    files(folder, contents)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "done", when=when)
    if pack:
        git(folder, "gc", "-q")
        git(folder, "pack-refs", "--all")
    return folder


def test_a_folder_of_checkouts(tmp_path):
    repositories = tmp_path / "lab02-submissions"
    for i, (name, who) in enumerate({"lab02-nokafor": "nadia", "lab02-per-l": "per", "lab02-l": "ann"}.items()):
        work = {
            f"{LAB}.ipynb": book(who),
            "work/pretrain/model.safetensors": who,
            "README.md": "x",
            "data.zip": "no zip",
        }
        work |= {"helpers.py": f"# {who}", "elsewhere/b.py": ""}
        checkout(repositories / name, work, 1_795_000_000 + i, pack=i == 1)
    (repositories / "lab02-l" / "link").symlink_to("/etc/passwd")  # of no interest, and not followed
    files(repositories, {"lab02-znovak/a.ipynb": book("unpacked by hand")})
    roster = CLASS.replace(",Blue", ",").replace("Red Team", "")
    found, said, counts = collected(tmp_path, repositories, roster=roster)
    assert found == {"nadia": ["nadia"], "per": ["per"], "ann": ["ann"], "zoe": ["unpacked by hand"]}, said
    assert "lab02-submissions: repositories with 3 hand-ins" in said and counts["rejected"] == 0
    kept = {p.name for p in (tmp_path / "submissions" / LAB / "ann").rglob("*.*")}
    assert kept == {"notebook.ipynb", "meta.json", "model.safetensors", "helpers.py"}
    told = [(m["received"], m["received_from"]) for who in ("nadia", "per", "ann") for m in metas(tmp_path, who)]
    assert told == [(1_795_000_000, "git"), (1_795_000_001, "git"), (1_795_000_002, "git")]
    collected(tmp_path, repositories)
    assert [m["received"] for m in metas(tmp_path, "ann")] == [1_795_000_002]


def test_checkouts_one_by_one_and_without_a_roster(tmp_path):
    for name in ("hw-ann", "hw-bob"):
        checkout(tmp_path / "all" / name, {f"{LAB}.ipynb": book(name)})
    assert collected(tmp_path, tmp_path / "all")[0] == {"ann": ["hw-ann"], "bob": ["hw-bob"]}
    one = files(tmp_path / "one", {})
    assert collected(one, tmp_path / "all" / "hw-ann")[0] == {"hw-ann": ["hw-ann"]}


def test_a_fork_tells_its_owner(tmp_path):
    folder = checkout(tmp_path / "in" / "labs", {f"{LAB}.ipynb": book("fork")})
    git(folder, "remote", "add", "origin", "git@github.com:BobRoe/labs.git")
    assert collected(tmp_path, tmp_path / "in", roster=CLASS)[0] == {"bob": ["fork"]}


def test_two_notebooks_of_one_lab_in_a_repository_are_asked_about(tmp_path):
    checkout(tmp_path / "in" / "bobroe", {f"{LAB}.ipynb": book("1"), f"old/{LAB}.ipynb": book("2")})
    collected(tmp_path, tmp_path / "in", roster=CLASS)
    assert (
        "ask which one counts" in metas(tmp_path, "bob")[0]["ungradable"]
    )  # a checkout's files are all of its cloning


def packed(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize("history", [True, False])
def test_a_class_in_one_zip(tmp_path, history):
    for name in ("lab02-nokafor", "lab02-bobroe"):
        folder = tmp_path / "lab02" / name
        (checkout if history else files)(folder, {f"{LAB}.ipynb": book(name), "work/pretrain/record.json": "{}"})
    path = packed(tmp_path / "lab02", tmp_path / "lab02-submissions.zip")
    found, said, _ = collected(tmp_path, path, roster=CLASS.replace(",Blue", ","))
    assert found == {"nadia": ["lab02-nokafor"], "bob": ["lab02-bobroe"]}, said
    assert "a class's zip with 2 hand-ins" in said
    assert {m["received_from"] for m in metas(tmp_path, "bob")} == {"git" if history else "collected"}


def test_a_class_in_one_zip_without_a_roster(tmp_path):
    members = {f"lab02-{who}/{LAB}.ipynb": book(who) for who in ("ann", "bob")}
    found, said, _ = lms(tmp_path, "all.zip", members, roster=None)
    assert found == {} and "2 folders with a notebook 02_pretraining.ipynb each: if these are students'" in said
    assert lms(tmp_path, "all.zip", None, roster=None, source="github")[0] == {"ann": ["ann"], "bob": ["bob"]}


def test_times_of_commits_wherever_git_keeps_them(tmp_path):
    folder = checkout(tmp_path / "r", {"a": "0"}, 1_700_000_000)
    where = folder / ".git"

    def told():
        packs = [f"objects/pack/{p.stem}" for p in where.glob("objects/pack/*.pack")]
        return commits.last_commit_time(lambda name, limit: (where / name).read_bytes()[:limit], packs)

    for i in range(1, 12):
        files(folder, {"a": str(i)})
        git(folder, "commit", "-q", "-a", "-m", "the same long message again " * 40, when=1_700_000_000 + i)
        if i % 4 == 0:  # now commits are differences to one another
            git(folder, "repack", "-adfq", "--depth=50", "--window=50")
        assert told() == 1_700_000_000 + i
    for line in git(folder, "log", "--format=%H %ct").decode().split("\n")[:-1]:
        name, when = line.split()
        (where / "HEAD").write_text(f"{name}\n")
        assert told() == float(when)
    for head in ("ref: ../../etc/passwd", "ref: refs/heads/none", "0" * 40, "", "x" * 2000):
        (where / "HEAD").write_text(head)
        assert told() is None
    (where / "HEAD").write_text("ref: refs/heads/main\n")
    for pack in where.glob("objects/pack/*"):
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[: pack.stat().st_size // 2])
    assert told() in (None, 1_700_000_011)


# ---- nbgrader, other systems


def test_nbgraders_submitted(tmp_path):
    tree = {
        f"submitted/bobroe/{LAB}/{LAB}.ipynb": book("bob"),
        f"submitted/bobroe/{LAB}/timestamp.txt": "2026-11-20 17:58:02.123456 UTC",
        "submitted/bobroe/03_supervised_fine_tuning/a.ipynb": book("another lab"),
        f"submitted/nokafor/{LAB}/{LAB}.ipynb": book("nadia"),
        f"submitted/nokafor/{LAB}/timestamp.txt": "2026-11-20 18:58:02 Europe/Berlin",
        "submitted/znovak/03_supervised_fine_tuning/a.ipynb": book("only another lab"),
    }
    folder = files(tmp_path / "course", tree) / "submitted"
    found, said, _ = collected(tmp_path, folder, roster=CLASS.replace(",Blue", ",").replace("bob,", "bobroe,"))
    assert found == {"bobroe": ["bob"], "nadia": ["nadia"]} and "nbgrader's folder with 2 hand-ins" in said, said
    told = [(int(m["received"]), m["received_from"]) for who in ("bobroe", "nadia") for m in metas(tmp_path, who)]
    assert told == [(1795197482, "nbgrader"), (1795197482, "nbgrader")]
    alone = files(tmp_path / "alone", {})
    assert set(collected(alone, zipped_tree(tmp_path, tree))[0]) == {"bobroe", "nokafor"}


def zipped_tree(tmp_path, tree):
    return zipped(tmp_path / "nb.zip", tree)


PEOPLE = {"Nadia Okafor": "nokafor", "Bob Roe": "bobroe"}
OTHERS = {
    "Blackboard": [f"Lab 2_{login}_attempt_2026-11-20-17-58-02_{LAB}.ipynb" for login in PEOPLE.values()],
    "Brightspace": [f"123-45{len(who)} - {who} - Nov 20, 2026 558 PM/{LAB}.ipynb" for who in PEOPLE],
    "Sakai": [f"Lab 2/{who}({login})/Submission attachment(s)/{LAB}.ipynb" for who, login in PEOPLE.items()],
}


@pytest.mark.parametrize("product", OTHERS)
def test_downloads_of_other_systems_lose_nobody(tmp_path, product):
    contents = {name: book(name.lower()) for name in OTHERS[product]}
    found, said, _ = lms(tmp_path, "download.zip", contents, roster=None)
    assert found == {} and f"REJECTED, a download of {product}: unpack it, and collect the folder with a roster" in said
    with zipfile.ZipFile(tmp_path / "download.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked" / "Lab 2" if product == "Sakai" else tmp_path / "unpacked"
    roster = "student,name\nnokafor,Nadia Okafor\nbobroe,Bob Roe\nann,Ann Lee\n"
    found, said, _ = collected(tmp_path, folder, roster=roster)
    assert sorted(found) == ["bobroe", "nokafor"], said
    again = files(tmp_path / "again", {"roster.csv": roster})
    assert sorted(collected(again, tmp_path / "download.zip")[0]) == ["bobroe", "nokafor"]  # its names name two of them


# ---- mail


def test_bare_notebooks_of_one_name_are_two_people(tmp_path):
    mail = files(tmp_path / "mail", {f"{who}/{LAB}.ipynb": book(who) for who in ("nadia", "per")})
    found, said, _ = collected(tmp_path, mail / "nadia" / f"{LAB}.ipynb", mail / "per" / f"{LAB}.ipynb")
    assert found == {"nadia": ["nadia"], "per": ["per"]} and "the student is named by the folder only" in said
    assert collected(files(tmp_path / "a", {}), mail)[0] == {"nadia": ["nadia"], "per": ["per"]}
    assert collected(files(tmp_path / "b", {}), mail / "nadia", mail / "per")[0] == {"nadia": ["nadia"], "per": ["per"]}
    roster = files(tmp_path / "c", {"roster.csv": "student\nnadia\nper\n"})
    assert collected(roster, *sorted(mail.glob("*/*")))[0] == {"nadia": ["nadia"], "per": ["per"]}


@pytest.mark.parametrize(
    "names",
    [(f"{LAB}.ipynb", f"{LAB} (1).ipynb"), ("lab02.ipynb", "Lab 2 - Copy.ipynb"), ("Untitled.ipynb", "hw2.ipynb")],
)
def test_bare_notebooks_in_one_folder_are_refused(tmp_path, names):
    folder = files(tmp_path / "Downloads", {name: book(name) for name in names})
    found, said, counts = collected(tmp_path, *sorted(folder.iterdir()))
    assert found == {} and counts["not matched"] == 2 and "rename it to the student's" in said
    assert collected(tmp_path, *sorted(folder.iterdir()), folder / "ann.ipynb")[2]["not matched"] == 2


def test_one_name_in_two_folders_is_two_people(tmp_path):
    mail = files(tmp_path / "mail", {f"{who}/homework by me.ipynb": book(who) for who in ("ann", "bob")})
    assert collected(tmp_path, *sorted(mail.glob("*/*")))[0] == {"ann": ["ann"], "bob": ["bob"]}


def test_a_bare_notebook_that_lies_in_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(files(tmp_path, {f"{LAB}.ipynb": book("x")}))
    found, said, _ = collected(tmp_path, f"{LAB}.ipynb")
    assert found == {} and "its name does not say whose it is, and it lies in no folder: rename it" in said


def test_a_notebook_called_by_its_owner_is_the_owners(tmp_path):
    folder = files(tmp_path / "in", {"ann_02_pretraining.ipynb": book("ann"), "bob (1).ipynb": book("bob")})
    assert collected(tmp_path, folder)[0] == {"ann": ["ann"], "bob": ["bob"]}


# ---- two attempts of one time


def test_of_two_of_one_second_the_later_collected_counts(tmp_path):
    for text in ("first", "second", "third"):
        folder = files(tmp_path / text, {"0.ipynb": book("x"), "ann.ipynb": book(text)})
        collected(tmp_path, folder / "ann.ipynb", *([folder / "0.ipynb"] * 3), roster="student\nann\n", received=1000.0)
    assert [s[3]["received"] for s in store.submissions(LAB, tmp_path / "submissions")] == [1000.0] * 3
    assert "third" in (store.latest(LAB, tmp_path / "submissions")[0][2] / "notebook.ipynb").read_text()


def test_in_one_call_the_later_file_counts_and_an_older_store_keeps_its_order(tmp_path):
    paths = [files(tmp_path / name, {"ann.zip": handed_in(name)}) / "ann.zip" for name in ("b", "a", "c")]
    found, _, _ = collected(tmp_path, *paths, roster="student\nann\n", received=1000.0)
    assert found["ann"] == ["b", "a", "c"]
    for (_, _, folder, meta), received in zip(
        store.submissions(LAB, tmp_path / "submissions"), (1000.000002, 1000.0, 1000.000001)
    ):
        meta.pop("collected")
        (folder / "meta.json").write_text(json.dumps(meta | {"received": received}))
    order = [(f / "notebook.ipynb").read_text() for _, _, f, _ in store.submissions(LAB, tmp_path / "submissions")]
    assert [next(n for n in "abc" if f"# {n}" in text) for text in order] == ["a", "c", "b"]
