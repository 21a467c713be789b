"""`course review` beyond marks: hand-ins that a person decides, groups, like answers, drafts, claims and readers."""

import json
import stat
import sys
import time

import classroom
import pytest
from people import LAB, case, graded, question, written
from readers import ask, serving

from course_lib.evaluation.agreement import cohen_kappa
from course_lib.grading.people import gradebook
from course_lib.grading.records import adjustments, marks, store
from course_lib.grading.reports.review import handed_in, suggest, tas
from course_lib.grading.reports.review import queue as review_queue
from course_lib.grading.reports.review import server as review

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
SAID = "The source makes random choices and nobody can know which of them comes next, whatever they have read before."


def notebook(source, outputs):
    book = json.loads(classroom.notebook([f'course_lib.setup("{LAB}")', source]))
    book["cells"][1]["outputs"] = outputs
    return json.dumps(book)


def broken(root, student, text, reason):
    sha, result = graded(root, student, status="ungradable", reason=reason)
    (root / "submissions" / LAB / student / sha / "notebook.ipynb").write_text(text)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """ada, ben and cleo say the same; dan and eve are a group; mal has a flag; zoe's and yan's cannot be graded; tom's
    is not graded.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_SECRET", raising=False)
    texts = {"ada": SAID, "ben": SAID + "!", "cleo": SAID.upper(), "dan": "Because of dice.", "eve": "It is random."}
    for student, text in texts.items():
        graded(tmp_path, student, [question("surprise", [case("a")] * 3), written("written_1", text)])
    flags = [{"kind": "patched library", "evidence": f"cell 1: {EVIL}"}]
    graded(tmp_path, "mal", [question("surprise", [case("a")] * 3), written("written_1", "An own one.")], flags=flags)
    outputs = [
        {"output_type": "stream", "text": ["\x1b[31mred\x1b[0m ", EVIL]},
        {"data": {"text/html": "<b>no</b>", "text/plain": "<Figure>", "image/png": "AA"}},
        {"output_type": "error", "traceback": ["\x1b[0;31mValueError\x1b[0m", "no"]},
    ]
    broken(tmp_path, "zoe", notebook(f"x = 1  # {EVIL}", outputs), "two notebooks of one lab")
    broken(tmp_path, "yan", "<html>login", "a web page")
    classroom.hand_in(tmp_path, "tom", classroom.notebook(["x = 1"]), lab=LAB)
    people = ["ada,Ada Lovelace,", "ben,,", "cleo,,", "dan,,two", "eve,,two", "mal,,", "zoe,Zoë Ångström,", "yan,,"]
    (tmp_path / "roster.csv").write_text("\n".join(["student,name,group", *people, "tom,,"]))
    return tmp_path


def lists(address):
    return {q["id"]: q for q in ask(address, "start/s")[1]["questions"]}


def item_of(address, student, name):
    """The id of a student's item in a list, found as an instructor finds it: by name."""
    found = ask(address, "find", {"text": student})[1]["found"]
    order = set(lists(address)[name]["order"])
    return next(each for hit in found for each in hit["items"] if each in order)


def row(student):
    return next(row for row in gradebook.rows(LAB) if row["student"] == student)


# ---- hand-ins


def test_a_notebook_is_shown_as_text(course):
    with serving() as (address, _):
        found = lists(address)
        assert list(found) == ["written_1", "written_2", "ungradable", "flagged"]
        assert [part["points"] for part in found["ungradable"]["parts"]] == [2.0, 0.75, 0.75, 0.25, 0.25]
        shown = [ask(address, f"item/s/{name}")[1] for name in found["ungradable"]["order"]]
        [[_, second]] = [each["cells"] for each in shown if len(each["cells"]) == 2]
        assert second == [1, "code", f"x = 1  # {EVIL}", f"red {EVIL}\n<Figure>\nValueError\nno"]
        assert [each["cells"] for each in shown if len(each["cells"]) == 1] == [[[None, "", "<html>login", ""]]]
        flagged = ask(address, f"item/s/{found['flagged']['order'][0]}")[1]
        assert f"0.75 of 0.75 points (submission {row('mal')['sha']})\npatched library: cell 1" in flagged["note"]
        assert flagged["cells"][1][:2] == [1, "code"] and not flagged["who"]


def test_a_notebook_has_a_limit(tmp_path):
    long = "word " * 30_000
    out = [{"output_type": "stream", "text": long}]
    (tmp_path / "notebook.ipynb").write_text(notebook(long, out).replace('"cells": [', '"cells": [7, '))
    number, kind, source, output = handed_in.cells_in(str(tmp_path))[1]
    assert (number, kind, source) == (2, "code", long) and output.endswith(f"({len(long) - 2000} characters more)")
    book = json.loads(classroom.notebook([long] * 5))
    (tmp_path / "notebook.ipynb").write_text(json.dumps(book))
    cells = handed_in.cells_in(str(tmp_path))
    assert len(cells) == 3 and cells[1][2].endswith("(100000 characters more)") and "3 more cells" in cells[2][2]


@pytest.mark.parametrize("outputs", [None, 3, [3], [{"data": 3, "text": 4, "traceback": [5]}], [{"data": {}}]])
def test_outputs_that_are_none_are_no_text(outputs):
    assert handed_in.output_text(outputs) == ""


def test_points_for_a_hand_in_are_an_adjustment(course):
    with serving(names=True) as (address, _):
        name = item_of(address, "zoe", "ungradable")
        wish = {"id": name, "question": None, "points": 1.5, "reason": " read by\nhand ", "by": "anna", "seen": None}
        status, now = ask(address, "decide", wish)
        assert (status, now["decided"][name]["open"]) == (200, False)
        assert (row("zoe")["final"], row("yan")["final"]) == (1.5, None)
        text = "the whole lab: 1.5 of 2 points, by anna (read by hand)"
        assert now["decided"][name]["stands"][""]["text"] == text
        [line] = adjustments.history(LAB)
        assert (line["student"], line["kind"], line["value"], line["by"]) == ("zoe", "points", 1.5, "anna")
        assert (line["bonus"], line["submission_sha"]) == (False, row("zoe")["sha"])
        assert ask(address, "decide", wish | {"points": 1})[0] == 409, "somebody has decided meanwhile"
        seen = now["decided"][name]["stands"][""]["at"]
        assert ask(address, "decide", wish | {"points": None, "seen": seen})[1]["decided"][name]["open"] is True
        assert row("zoe")["final"] is None and [x["kind"] for x in adjustments.history(LAB)] == ["points", "clear"]
        for part in ("surprise", "entropy", "written_1", "written_2"):
            now = ask(address, "decide", wish | {"question": part, "points": 0.25})[1]
            assert now["decided"][name]["open"] is (part != "written_2"), "the rest is still to be read"
        assert (row("zoe")["status"], row("zoe")["final"]) == ("by hand", 1.0)


def test_a_student_is_excused_here_as_well(course):
    with serving(names=True) as (address, _):
        name = item_of(address, "zoe", "ungradable")
        wish = {"id": name, "question": None, "points": None, "excused": True, "by": "anna", "seen": None}
        assert ask(address, "decide", wish | {"reason": ""})[0] == 400 and adjustments.history(LAB) == []
        status, now = ask(address, "decide", wish | {"reason": "ill, certificate seen"})
        assert (status, now["decided"][name]["open"]) == (200, False)
        assert now["decided"][name]["stands"][""]["text"] == "the whole lab: excused, by anna (ill, certificate seen)"
        assert (row("zoe")["status"], row("zoe")["final"]) == ("excused", None)
        seen = now["decided"][name]["stands"][""]["at"]
        again = wish | {"excused": False, "reason": "she wants it to count", "seen": seen}
        assert ask(address, "decide", again)[1]["decided"][name]["open"] is True
        assert [line["kind"] for line in adjustments.history(LAB)] == ["excused", "clear"]


@pytest.mark.parametrize(
    "change",
    [
        {"excused": True}, {"excused": "yes", "points": None},
        {"points": 2.01}, {"points": -1}, {"points": "1"}, {"points": True}, {"points": float("nan")},
        {"question": "surprise", "points": 0.8}, {"question": "nothing"}, {"question": ["surprise"]},
        {"reason": "  "}, {"reason": 3}, {"reason": "x" * 4001}, {"by": ""}, {"id": "nobody"}, {"id": "an answer"},
    ],
)  # fmt: skip
def test_decisions_that_make_no_sense_write_nothing(course, change):
    with serving(names=True) as (address, _):
        if change.get("id") == "an answer":
            change = {"id": item_of(address, "ada", "written_1")}
        wish = {"id": item_of(address, "zoe", "ungradable"), "points": 1, "reason": "because", "by": "anna"}
        assert ask(address, "decide", wish | change)[0] == 400 and adjustments.history(LAB) == []
        mark = {"id": wish["id"], "score": 0, "comment": "", "by": "anna", "seen": None}
        assert ask(address, "mark", mark)[0] == 400, "a hand-in takes no mark"


@pytest.mark.parametrize("act", review.ACTS)
def test_every_request_is_only_the_pages_own(course, act):
    with serving(names=True) as (address, _):
        wish = {"id": item_of(address, "zoe", "ungradable"), "points": 1, "reason": "b", "by": "a", "text": "zoe"}
        for headers in (
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Origin": None},
            {"Content-Type": "text/plain"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            assert ask(address, act, wish, **headers)[0] == 403, headers
        assert ask(address, "/" + "x" * 32 + f"/{act}", wish)[0] == 404 and ask(address, act)[0] == 404
        assert adjustments.history(LAB) == [] and not marks.path_of(LAB).exists()


# ---- order, search, claims


def test_members_of_a_group_stand_together(course):
    rows = gradebook.rows(LAB)
    groups = review_queue.groups_of(rows, store.SUBMISSIONS)
    assert groups == {"dan": "two", "eve": "two"}
    rows = [r for r in rows if r["result"]]
    for key in (bytes([n]) for n in range(8)):
        work = review_queue.queue(LAB, rows, key, groups=groups)
        order = [work["items"][name] for name in work["questions"][0]["order"]]
        who = [item["student"] for item in order]
        assert abs(who.index("dan") - who.index("eve")) == 1 and len(who) == 6
        assert max(map(who.index, ("ada", "ben", "cleo"))) - min(map(who.index, ("ada", "ben", "cleo"))) == 2
        assert "from a group, 2 of whose members" in order[who.index("eve")]["note"]
    teams = [{"student": "x", "members": ["y", "x"]}, {"student": "y", "members": ["x", "y"]}]
    assert review_queue.groups_of(teams, course / "elsewhere" / "submissions") == {"x": "x|y", "y": "x|y"}


def test_like_answers_of_a_group_follow_one_another():
    items = {name: {"group": "", "note": ""} for name in "abcdef"}
    items["b"]["group"] = items["e"]["group"] = "two"
    assert review_queue.together(list("abcdef"), items, {"a": "a", "e": "a"}) == ["a", "b", "e", "c", "d", "f"]


@pytest.mark.parametrize(
    "text, who",
    [("ang zo", "Zoë Ångström"), ("ada", "Ada Lovelace"), ("lace", None), ("", None), ("zoe", "Zoë Ångström")],
)
def test_a_student_is_found_by_name(course, text, who):
    with serving(names=True) as (address, _):
        found = ask(address, "find", {"text": text})[1]["found"]
        assert [hit["who"] for hit in found] == ([who] if who else [])
    with serving() as (address, _):
        assert ask(address, "find", {"text": text})[1] == {"found": []}, "blind"


def test_a_claim_ends_when_its_tab_leaves_or_in_time(course, monkeypatch):
    with serving() as (address, _):
        name = lists(address)["written_1"]["order"][0]
        ask(address, f"item/one/{name}")
        taken = lambda: ask(address, "start/two")[1]["taken"]
        assert taken() == [name]
        assert ask(address, "leave", {"session": "two"})[0] == 200 and taken() == [name], "another's"
        assert ask(address, "leave", {"session": "one"})[0] == 200 and taken() == []
        ask(address, f"item/one/{name}")
        monkeypatch.setattr(review, "CLAIM", -1)
        assert taken() == []


# ---- drafts


def program(folder, body):
    path = folder / "draft.py"
    path.write_text(f"import json, sys\nasked = json.load(sys.stdin)\n{body}")
    return [sys.executable, str(path)]


def test_a_draft_is_shown_and_never_written(course):
    said = 'print(json.dumps({"level": 1, "comment": "\\u202e" + " ".join(sorted(asked)) + asked["answer"]}))'
    with serving(suggest=program(course, said), names=True) as (address, _):
        name = item_of(address, "dan", "written_1")
        found = ask(address, "suggest", {"id": name})[1]
        keys = "answer lab levels points question text"
        assert found == {"points": 0.25, "comment": f"[U+202E]{keys}Because of dice."}
        assert not marks.path_of(LAB).exists()
        assert ask(address, "suggest", {"id": item_of(address, "zoe", "ungradable")})[0] == 400
    with serving() as (address, _):
        assert "--suggest" in ask(address, "suggest", {"id": name})[1]["problem"]


@pytest.mark.parametrize(
    "body, why",
    [
        ("print('hello')", "it said no JSON: 'hello"),
        ("print('[' * 100_000)", "it said no JSON"),
        ("print('{}')", "it needs points from 0 to 0.25, or a level from 0 to 1"),
        ("print('{\"points\": 0.3}')", "it needs points"),
        ("print('{\"points\": true}')", "it needs points"),
        ("print('{\"points\": NaN}')", "it needs points"),
        ("print('{\"level\": 2}')", "it needs points"),
        ('print(\'{"points": 0, "comment": 3}\')', "its comment is no text"),
        ("sys.exit('no key\\nset KEY')", "it ended with status 1: set KEY"),
        ("sys.stdout.close(); import time; time.sleep(60)", "it took longer than 0.5 s"),
    ],
)
def test_a_bad_draft_is_one_line(tmp_path, body, why):
    levels = [{"points": 0.25, "text": "both"}, {"points": 0, "text": "neither"}]
    asked = {"id": "written_1", "text": "Why?", "points": 0.25, "levels": levels}
    seconds = 0.5 if "longer" in why else 60
    found = suggest.draft(program(tmp_path, body), LAB, asked, {"answer": "so"}, seconds)
    assert list(found) == ["problem"] and found["problem"].startswith(why) and "\n" not in found["problem"]


@pytest.mark.parametrize("text", ["", "no-such-program --x", "'open"])
def test_a_program_that_is_not_there_is_one_line(course, text):
    with pytest.raises(store.StoreError, match="--suggest"):
        review.main([LAB, "--suggest", text])


# ---- several readers


def test_the_file_of_readers_gets_tokens_and_stays_private(tmp_path):
    path = tmp_path / "tas.txt"
    path.write_text("Anna  Berg-Hohenstein-Sonnenburg\n\nben\n")
    found = tas.read(path)
    assert list(found) == ["Anna Berg-Hohenstein-Sonnenburg", "ben"] and all(
        len(token) >= 32 for token in found.values()
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and tas.read(path) == found, "the same again"
    with path.open("a") as file:
        file.write("cleo\n")
    assert tas.read(path) | found == tas.read(path) and list(tas.read(path)) == [*found, "cleo"]
    path.chmod(0o640)
    with pytest.raises(store.StoreError, match="chmod 600"):
        tas.read(path)


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "names nobody"),
        ("ann\nann\n", "line 2: a name that nobody else has"),
        (f"a: {'x' * 20}\nb: {'x' * 20}\n", "line 2: remove what is behind the colon"),
        ("a: short\n", "line 1: remove"),
        (f": {'x' * 20}\n", "line 1: a name"),
    ],
)
def test_a_file_of_readers_that_makes_no_sense_is_one_line(tmp_path, text, why):
    path = tmp_path / "tas.txt"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(store.StoreError, match=why):
        tas.read(path)
    with pytest.raises(store.StoreError, match="cannot be read"):
        tas.read(tmp_path / "nothing")


def test_shares_are_stable_and_even():
    items = {f"{n:03}": {"question": "q", "group": "", "answer": f"answer {n // 2}"} for n in range(600)}
    found = tas.shares(items, ["ann", "ben", "cleo"], 0.2, b"key")
    first = {each: name for name, (mine, second) in found.items() for each in mine - second}
    assert found == tas.shares(items, ["cleo", "ann", "ben"], 0.2, b"key") and len(first) == 600
    assert all(first[f"{n:03}"] == first[f"{n + 1:03}"] for n in range(0, 600, 2)), "answers of the same words"
    assert all(150 < len(mine - second) < 250 for mine, second in found.values())
    twice = [each for _, second in found.values() for each in second]
    assert 90 < len(twice) < 150 and len(set(twice)) == len(twice)
    assert all(first[each] != name for name, (_, second) in found.items() for each in second)
    left = tas.shares(items, ["ann", "ben"], 0.0, b"key")
    assert all(each in left[name][0] for each, name in first.items() if name != "cleo"), "only cleo's have moved"


def test_each_reader_sees_a_share_and_marks_under_an_own_name(course):
    with serving(accounts={"ann": "a" * 32, "ben": "b" * 32}, twice=1.0) as (address, others):
        starts = {name: ask(where, "start/s")[1] for name, where in others.items()}
        assert list(others) == ["ann", "ben"] and all(start["account"] for start in starts.values())
        everything = set(lists(address)["written_1"]["order"])
        for start in starts.values():
            assert start["questions"][0]["id"] == "written_1"
            assert set(start["questions"][0]["order"]) == everything, "all are marked twice"
        scores = {}
        for name, where in others.items():
            for each in sorted(everything):
                scores.setdefault(each, {})[name] = score = 0.25 if (name == "ann" or each != min(everything)) else 0
                wish = {"id": each, "score": score, "comment": "", "by": "somebody else", "seen": None}
                status, now = ask(where, "mark", wish)
                assert (status, now["marks"][each]["by"]) == (200, name)
        first, second = marks.read(LAB), marks.read(LAB, second=True)
        assert len(first) == len(second) == 6 and all(first[key]["by"] != second[key]["by"] for key in first)
        status, undone = ask(others["ann"], "undo", {"by": "ben"})
        assert status == 200 and undone["id"] == max(everything), "his or her own last, in either file"
        for place in ("ungradable", "flagged"):
            shares = {name: set(lists(where).get(place, {"order": []})["order"]) for name, where in others.items()}
            whose = {each: name for name in others for each in shares[name]}
            assert sorted(whose) == sorted(lists(address)[place]["order"]) and not shares["ann"] & shares["ben"]
            for each, name in whose.items():
                assert ask(others[name], f"item/s/{each}")[1]["cells"]
                stranger = others["ben" if name == "ann" else "ann"]
                wish = {"id": each, "points": 1, "reason": "read by hand", "by": "somebody else"}
                assert ask(stranger, f"item/s/{each}")[0] == 404 and ask(stranger, "decide", wish)[0] == 400
                assert ask(others[name], "decide", wish)[0] == 200 and adjustments.history(LAB)[-1]["by"] == name
        told = tas.agreement(LAB)
    a, b = [0.25] * 5, [0.25] * 4 + [0.0]
    assert told[0].startswith("written_1: 5 answers marked twice, 4 alike, κ ") and cohen_kappa(a, b) == 0
    assert len(told) == 2 and "ann 0.25" in told[1] and "ben 0" in told[1]


def test_agreement_is_cohens_kappa_of_first_readings(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert review.main([LAB, "--agreement"]) == 0 and "no answer" in capsys.readouterr().out
    a, b = [0, 0.5, 1, 1, 0, 0.5], [0, 0.5, 1, 0.5, 0, 1]
    for n, (one, other) in enumerate(zip(a, b)):
        about = {"student": f"s{n}", "submission_sha": "x", "question": "written_1", "comment": "", "at": float(n)}
        marks.append(LAB, about | {"score": one, "by": "ann"})
        marks.append(LAB, about | {"score": other, "by": "ben"}, second=True)
        marks.append(LAB, about | {"score": 0.75, "by": "the instructor, who has seen both"})
    assert marks.read(LAB)["s0", "x", "written_1"]["score"] == 0.75
    assert review.main([LAB, "--agreement"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"written_1: 6 answers marked twice, 4 alike, κ {cohen_kappa(a, b):.2f} (95 %: ")
    assert said[1:] == ["  s3: ann 1, ben 0.5", "  s5: ann 0.5, ben 1"]


@pytest.mark.parametrize("options", [["--twice", "0.2"], ["--twice", "2", "--tas", "tas.txt"]])
def test_a_share_that_makes_no_sense_is_one_line(course, options):
    (course / "tas.txt").write_text("ann\nben\n")
    with pytest.raises(store.StoreError, match="--twice"):
        review.main([LAB, *options])


# ---- in a real browser


def opened(browser, address, words, **options):
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.goto(address)
    tab.get_by_text(words).wait_for()
    return tab


def said(tab, words):
    tab.locator("#said").get_by_text(words).wait_for()


def test_one_key_marks_the_next_like_answer_and_the_end_is_said_only_when_it_is_so(browser, course):
    with serving(names=True, by="anna") as (address, _):
        tab = opened(browser, address, "0 of 6 marked")
        first = item_of(address, "ada", "written_1")
        tab.locator("#find").fill("ada")
        tab.locator("#find").press("Enter")
        tab.get_by_role("button", name="Ada Lovelace: ").first.click()
        tab.locator("#answer").get_by_text(SAID, exact=True).wait_for()
        tab.keyboard.press("l")
        said(tab, "Mark an answer first.")
        tab.keyboard.press("c")
        tab.keyboard.type("good")
        tab.keyboard.press("Escape")
        tab.keyboard.press("1")
        tab.get_by_text("1 of 6 marked").wait_for()
        for done in (2, 3):
            if "answers that say nearly the same" not in tab.locator("#note").text_content():
                tab.keyboard.press("l")
                said(tab, "Like your last: l gives it 0.25 points, too.")
            tab.keyboard.press("l")
            tab.get_by_text(f"{done} of 6 marked").wait_for()
        tab.keyboard.press("l")
        said(tab, "No open answer is like the one you marked last.")
        lines = [json.loads(line) for line in marks.path_of(LAB).read_text().splitlines()]
        assert sorted(line["student"] for line in lines) == ["ada", "ben", "cleo"]
        assert {(line["score"], line["comment"], line["by"]) for line in lines} == {(0.25, "good", "anna")}
        # somebody else has the last one on the screen
        order = lists(address)["written_1"]["order"]
        open_ones = [name for name in order if name not in ask(address, "start/t")[1]["marks"]]
        tab.keyboard.press("n")
        tab.wait_for_timeout(300)
        mine = [name for name in ask(address, "start/t")[1]["taken"] if name in open_ones]
        theirs = next(name for name in open_ones if name not in mine)
        ask(address, f"item/colleague/{theirs}")
        for done in (4, 5):
            tab.keyboard.press("0")
            tab.get_by_text(f"{done} of 6 marked").wait_for()
        said(tab, "1 of this list is still open, on another screen.")
        ask(address, "leave", {"session": "colleague"})
        tab.keyboard.press("n")
        tab.get_by_text("Not marked", exact=True).wait_for()
        tab.keyboard.press("0")
        said(tab, "This list is done. Still open: Ungradable hand-ins, to decide: 2; 1 hand-in not graded yet.")
        assert first in order and len(marks.read(LAB)) == 6
        tab.context.close()


def test_a_hand_in_is_decided_by_keyboard(browser, course):
    with serving(names=True, by="anna") as (address, _):
        tab = opened(browser, address, "0 of 6 marked")
        tab.get_by_label("Question").select_option("ungradable")
        tab.get_by_text("0 of 2 decided").wait_for()
        decided = {}
        for number, points, kept in ((1, "1,5", 1.5), (2, "0", 0)):
            tab.get_by_role("heading", name=f"Hand-in {number} of 2").wait_for()
            decided["zoe" if "Zoë" in tab.locator("#who").text_content() else "yan"] = kept
            tab.get_by_role("button", name="Excuse").click()
            tab.get_by_role("alert").get_by_text("the reason is missing").wait_for()
            tab.keyboard.press("p")
            tab.keyboard.type("3")
            tab.get_by_role("button", name="Set").click()
            tab.get_by_role("alert").get_by_text("points are a number from 0 to 2").wait_for()
            tab.get_by_role("textbox", name="Points").fill(points)
            tab.get_by_role("button", name="Set").click()
            tab.get_by_role("alert").get_by_text("the reason is missing").wait_for()
            tab.get_by_role("textbox", name="Points").press("Enter")
            tab.keyboard.type("read by hand: j1")
            tab.keyboard.press("Control+Enter")
            said(tab, f"the whole lab, {kept} points, kept.")
        said(tab, "This list is done. Still open: ")
        assert {student: row(student)["final"] for student in ("zoe", "yan")} == decided
        tab.get_by_text("2 of 2 decided").wait_for()
        tab.keyboard.press("Escape")
        tab.keyboard.press("u")
        said(tab, "what stood is cleared")
        tab.get_by_role("textbox", name="Reason").fill("ill")
        tab.get_by_role("button", name="Excuse").click()
        said(tab, "the whole lab, excused, kept.")
        assert [line["kind"] for line in adjustments.history(LAB)] == ["points", "points", "clear", "excused"]
        tab.context.close()


def test_a_closed_tab_sets_its_answer_free(browser, course):
    with serving() as (address, _):
        tab = opened(browser, address, "0 of 6 marked")
        taken = lambda: ask(address, "start/other")[1]["taken"]
        assert len(taken()) == 1
        tab.close(run_before_unload=True)
        ends = time.monotonic() + 60  # the browser sends it when it likes
        while taken() and time.monotonic() < ends:
            time.sleep(0.05)
        assert taken() == []


def test_a_draft_fills_in_and_yields_to_what_is_typed(browser, course):
    said = '{"points": 0.25, "comment": "a draft"}'
    body = f"print('{said}' if 'random' in asked['answer'].lower() else 'what?')"
    with serving(names=True, by="anna", suggest=program(course, body)) as (address, _):
        tab = opened(browser, address, "0 of 6 marked")
        for student, words in (("Ada Lovelace", "not saved: 0.25 points"), ("dan", "it said no JSON: 'what?")):
            tab.locator("#find").fill(student)
            tab.locator("#find").press("Enter")
            tab.get_by_role("button", name=f"{student}: ").first.click()
            tab.locator("#draft").get_by_text(words).wait_for()
            comment = tab.get_by_label("Comment for the student")
            assert comment.input_value() == ("a draft" if student != "dan" else "")
        assert not marks.path_of(LAB).exists() and tab.locator("#draft").text_content().startswith("No draft by ")
        comment.fill("mine")
        tab.keyboard.press("Escape")
        tab.keyboard.press("0")
        tab.get_by_text("1 of 6 marked").wait_for()
        assert [(m["score"], m["comment"]) for m in marks.read(LAB).values()] == [(0, "mine")]
        tab.context.close()


@pytest.mark.parametrize("width, height", [(390, 844), (1280, 800)])
def test_hand_ins_stay_text_and_are_accessible(browser, course, width, height):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with serving(names=True, suggest=program(course, "print('what?')")) as (address, _):
        size = {"width": width, "height": height}
        tab = opened(browser, address, "0 of 6 marked", viewport=size, bypass_csp=True)
        for name in ("written_1", "ungradable", "flagged"):
            tab.get_by_label("Question").select_option(name)
            tab.get_by_role("heading", name="Answer" if name == "written_1" else "Hand-in").wait_for()
            tab.get_by_role("region", name="Notebook").wait_for(state="hidden" if name == "written_1" else "visible")
            results = axe.Axe().run(tab)
            assert results.violations_count == 0, results.generate_report()
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert tab.locator("#cells *:not(h3):not(pre)").count() == 0 and tab.title() == f"Review {LAB}"
            box = tab.locator("#decision" if name != "written_1" else "#points").bounding_box()
            assert box["y"] + box["height"] <= height, "what gives points is in sight"
        tab.context.close()
