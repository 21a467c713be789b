"""Scores by LTI 1.3: against an LMS on this machine that checks what the specifications ask, and fails as LMSs do."""

import datetime
import email.utils
import json
import os
import signal
import stat
import subprocess
import sys
import time
import types
from pathlib import Path

import jwt
import people
import pytest
import yaml
from lti_platform import CLIENT, SCOPES, TEACHER, Platform, member

from course_lib import cli
from course_lib.grading.lms import lti, lti_key, lti_sent, lti_service
from course_lib.grading.records import store

LAB = "04_lora_and_qlora"


def row(student, final, email="", name="", pending=0.0, status="graded", **ids):
    about = {"student": student, "email": email, "name": name, "ids": ids, "status": status}
    return about | {"final": final, "pending": pending, "out_of": None if final is None else 10.0}


CLASS = [
    row("ada", 8.5, "ada@uni.example", "Ada Lovelace"),
    row("ben", 10.0, name="Ben Müller"),
    row("cleo", 0.0, sis_id="S3"),
    row("dan", 7.126, lti_user_id="u-dan"),
    row("eve", None, "eve@uni.example"),
]
MEMBERS = [
    member("u-ada", "A. Lovelace", "Ada@uni.example"),
    member("u-ben", "Müller, Ben"),
    member("u-cleo", lis_person_sourcedid="S3"),
    member("u-dan"),
    member("u-eve", "Eve", "eve@uni.example"),
    member("u-teacher", "Ben Müller", roles=[TEACHER]),
]
POSTED = [("u-ada", 8.5, "FullyGraded"), ("u-ben", 10.0, "FullyGraded"), ("u-cleo", 0.0, "FullyGraded")]
POSTED += [("u-dan", 7.13, "FullyGraded")]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return lti_key.make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def waits(monkeypatch):
    """The pauses that were made, none of which lasts."""
    made = []
    clock = types.SimpleNamespace(time=time.time, sleep=made.append)
    monkeypatch.setattr(lti_service, "time", clock)
    return made


@pytest.fixture
def lms(tmp_path, monkeypatch, key, waits):
    """The LMS, with the class's folder around us. At the end the tool has done nothing wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(lti_key, "read_key", lambda grades: key)
    platform = Platform([dict(m) for m in MEMBERS], {"keys": [lti_key.public_jwk(key)]})
    write_rules(tmp_path, platform.settings())
    yield platform
    platform.close()
    assert platform.wrong == []


def write_rules(folder, settings):
    (folder / "course.yaml").write_text(yaml.safe_dump({"lti": settings}))


def post(grades=CLASS, **options):
    return lti.export(LAB, grades, yes=True, **options)


def journal():
    return [(line["student"], line["state"]) for line in store.read_lines(lti_sent.path_of(LAB))]


# ---- the way it should go


def test_it_shows_first_and_posts_with_yes(lms, capsys):
    assert lti.export(LAB, CLASS) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "04_lora_and_qlora → Lab 04: lora and qlora, out of 10 (to be made): 4 to post",
        "  ada: 8.5 of 10 (there: none)",
        "  ben: 10 of 10 (there: none)",
        "  cleo: 0 of 10 (there: none)",
        "  dan: 7.13 of 10 (there: none)",
    ]
    assert told.err.splitlines() == ["1 have no grade: eve", "nothing was posted: --yes posts it"]
    assert lms.items == [] and lms.posted == [] and not Path("grades").exists()

    assert post() == 0
    assert lms.posted == POSTED
    (item,) = lms.items
    assert (item["label"], item["resourceId"]) == ("Lab 04: lora and qlora", LAB)
    assert item["scoreMaximum"] == 10 and type(item["scoreMaximum"]) is int, "Open edX takes no 10.0"
    assert capsys.readouterr().out.splitlines()[-1] == "4 of 4 are there as posted"
    assert journal() == [(name, state) for name in ("ada", "ben", "cleo", "dan") for state in ("sending", "posted")]


def test_again_posts_nothing_and_a_changed_score_alone_is_posted(lms, capsys):
    post()
    asked = len(lms.log)
    assert post() == 0 and lms.posted == POSTED
    assert "scores" not in lms.log[asked:] and "create" not in lms.log[asked:]
    assert "4 have their score there already: ada, ben, cleo, dan" in capsys.readouterr().err
    grades = [CLASS[0] | {"final": 9.0}, *CLASS[1:]]
    assert post(grades) == 0 and lms.posted[4:] == [("u-ada", 9.0, "FullyGraded")]
    first, *_, last = (line["at"] for line in store.read_lines(lti_sent.path_of(LAB)) if line["student"] == "ada")
    assert last >= first + 1, "no timestamp goes back, whatever the clock does"


def test_points_still_to_be_read(lms):
    """Moodle shows nothing of such a score, so that its being there is taken from the journal."""
    lms.strict = True
    unread = [CLASS[0] | {"pending": 1.5}]
    assert post(unread) == 0 and lms.posted == [("u-ada", 8.5, "PendingManual")] and lms.score_of("u-ada") is None
    assert post(unread) == 0 and len(lms.posted) == 1
    assert post(CLASS[:1]) == 0 and lms.posted[1:] == POSTED[:1], "complete now, with the same points"
    assert post(CLASS[:1]) == 0 and len(lms.posted) == 2


def test_the_line_item_is_found_by_its_tag_on_any_page(lms):
    for number in range(1, 6):
        about = {"label": f"Lab {number}", "scoreMaximum": 10, "tag": f"0{number}_x" if number < 5 else LAB}
        lms.items.append({"id": f"{lms.url}/services.php/5/lineitems/{number}/lineitem?type_id=7"} | about)
    assert post() == 0 and {item for item, _ in lms.results} == {lms.items[4]["id"]} and len(lms.items) == 5
    lms.items[0]["resourceId"] = LAB
    with pytest.raises(store.StoreError, match=r"2 line items of 04_lora_and_qlora \(Lab 1, Lab 5\): remove all but"):
        post()


def test_other_points_are_refused_or_converted_by_the_lms(lms):
    post(CLASS[:1])
    lms.items[0]["scoreMaximum"] = 100
    lms.results.clear()
    with pytest.raises(store.StoreError, match="is out of 100 points and 04_lora_and_qlora of 10: .*--scale"):
        post()
    assert post(scale=True) == 0 and lms.score_of("u-dan") == 71.3
    assert post(scale=True) == 0 and len(lms.posted) == 5


# ---- whose


def test_who_is_not_found_is_named_and_not_posted(lms, capsys):
    grades = [*CLASS, row("zoe", 3.0, name="Zoe Quill"), row("Ben Muller", 4.0, name="Eve Nobody")]
    assert post(grades) == 0 and lms.posted == POSTED
    assert (
        "2 are not found in the LMS: give roster.csv an address or id that it has, or the column lti_user_id: zoe"
        in (capsys.readouterr().err)
    )


def test_a_contradiction_stops_it_before_anything_is_posted(lms):
    lms.members[0] = member("u-ada", "Grace Hopper", "ada@uni.example")
    with pytest.raises(store.StoreError, match="member Grace Hopper is ada's by email, but its name is Grace Hopper"):
        post()
    assert lms.posted == [] and lms.items == []


def test_who_has_no_name_may_be_a_namesake_and_stops_it(lms):
    with pytest.raises(store.StoreError, match="Müller, Ben is ben's by name alone, but may be zoe's.*: give zoe a"):
        post([*CLASS, row("zoe", 3.0)])
    assert lms.posted == [] and lms.items == []


def test_who_has_left_and_who_teaches_is_no_student(lms, capsys):
    lms.members[0]["status"] = "Inactive"
    post()
    assert [user for user, *_ in lms.posted] == ["u-ben", "u-cleo", "u-dan"]
    assert "1 are not found in the LMS" in capsys.readouterr().err


def test_the_rosters_column_where_the_lms_does_not_tell(lms, tmp_path):
    settings = lms.settings()
    del settings["memberships_url"]
    write_rules(tmp_path, settings)
    assert post() == 0 and lms.posted == POSTED[3:] and "memberships" not in lms.log
    with pytest.raises(store.StoreError, match="memberships_url .* or a column lti_user_id into roster.csv"):
        post(CLASS[:3])


# ---- somebody else's score


def test_a_score_that_is_not_from_here_stays(lms, capsys):
    post(CLASS[:2])
    lms.put_score("u-ada", 9.5)
    lms.put_score("u-cleo", 5.0)
    assert post([CLASS[0] | {"final": 9.0}, *CLASS[1:]]) == 0
    assert lms.posted[2:] == POSTED[3:] and lms.score_of("u-ada") == 9.5
    why = (
        "2 have another score there that is not from here, which stays: clear it there to post ours: ada (9.5, here 9)"
    )
    assert why + ", cleo (5, here 0)" in capsys.readouterr().err


def test_a_score_that_is_entered_meanwhile_is_newer(lms, capsys):
    """Between our reading and our posting: the timestamp is of the reading, so the LMS refuses."""
    post([CLASS[1] | {"final": 1.0}])
    lms.on_score = lambda body: lms.put_score("u-ben", 2.0, time.time() + 1) if body["userId"] == "u-ada" else None
    assert post() == 1
    assert lms.score_of("u-ben") == 2.0 and [user for user, *_ in lms.posted] == ["u-ben", "u-ada", "u-cleo", "u-dan"]
    told = capsys.readouterr()
    assert "ben: not posted (the LMS has a newer score, which stays): 409 Refusing score with an" in told.err
    assert "3 of 4 are there as posted" in told.out and ("ben", "newer") in journal()
    assert post() == 0 and "1 have another score there that is not from here" in capsys.readouterr().err


def test_a_score_without_a_grade_here_is_named_and_stays(lms, capsys):
    post(CLASS[:1])
    assert post([row("ada", None, "ada@uni.example", status="excused"), CLASS[1]]) == 0
    assert "1 have no grade here and a score there, which stays: ada" in capsys.readouterr().err
    assert lms.score_of("u-ada") == 8.5


# ---- an LMS that is busy, fails, or is not there


def test_retry_after_is_obeyed(lms, waits, capsys):
    later = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90), True)
    lms.fault("scores", 429, Retry_After=7)
    lms.fault("scores", 429, Retry_After=later)
    lms.fault("scores", 429)
    assert post() == 0 and lms.posted == POSTED
    assert waits[0] == 7 and 80 < waits[1] <= 90 and waits[2] == 4
    assert "the LMS asks to wait 7 s" in capsys.readouterr().err


def test_asked_to_wait_for_hours_it_says_so_and_stops(lms, waits):
    lms.fault("lineitems", 503, Retry_After=7200)
    with pytest.raises(store.StoreError, match="for line items: it answers 503, and asks to wait 7200 s. Run the same"):
        post()
    assert waits == []


@pytest.mark.parametrize("status", [500, 502, 503, None])
@pytest.mark.parametrize("after", [False, True], ids=["lost", "kept and the answer lost"])
def test_a_failure_is_tried_again(lms, waits, status, after):
    lms.fault("scores", status, times=2, after=after)
    assert post() == 0 and waits == [1, 2]
    assert {score[0]: score for score in lms.posted} == {score[0]: score for score in POSTED}


def test_who_fails_to_the_end_is_named_and_posted_next_time(lms, waits, capsys):
    lms.fault("scores", 500, times=6)
    assert post() == 1 and waits == [1, 2, 4, 8, 16] and lms.posted == POSTED[1:]
    told = capsys.readouterr()
    assert "ada: not posted: the LMS could not be asked for a score: it answers 500. Run the same" in told.err
    assert "3 of 4 are there as posted" in told.out and ("ada", "unknown") in journal()
    assert post() == 0 and lms.posted == [*POSTED[1:], POSTED[0]]


def test_kept_although_each_answer_was_lost(lms, capsys):
    """Moodle refuses a score of the same second: that it is ours is read back."""
    lms.strict = True
    lms.fault("scores", 500, after=True)
    assert post() == 0 and lms.posted == POSTED
    told = capsys.readouterr()
    assert "ada: not posted (the LMS has a newer score" in told.err and "ada: it is there all the same" in told.err
    assert "4 of 4 are there as posted" in told.out
    assert post([CLASS[0] | {"final": 9.0}, *CLASS[1:]]) == 0 and lms.posted[4:] == [("u-ada", 9.0, "FullyGraded")]


def test_an_lms_that_is_down_ends_it(lms):
    lms.fault("scores", None, times=100)
    with pytest.raises(store.StoreError, match="stopped: run the same command again later"):
        post()
    assert journal()[-1] == ("cleo", "unknown") and lms.posted == []
    lms.faults.clear()
    assert post() == 0 and lms.posted == POSTED


def test_a_student_whom_the_lms_does_not_grade(lms, capsys):
    lms.fault("scores", 400, body="<html><b>Incorrect score\nreceived</b>")
    assert post() == 1 and lms.posted == POSTED[1:]
    assert "ada: not posted: 400 Incorrect score received\n" in capsys.readouterr().err
    assert post() == 0 and lms.posted[3:] == POSTED[:1]


def test_a_score_that_the_lms_swallows_is_named(lms, capsys):
    lms.fault("scores", 200)
    assert post() == 1
    told = capsys.readouterr()
    assert "ada: posted 8.5, the LMS shows none: look there" in told.err and "3 of 4 are there" in told.out


def test_a_line_item_is_not_made_twice(lms):
    lms.fault("create", 500, after=True)
    with pytest.raises(store.StoreError, match="a line item: it answers 500. Run the same command later"):
        post()
    assert post() == 0 and len(lms.items) == 1 and lms.posted == POSTED


@pytest.mark.parametrize("name", ["token", "lineitems", "memberships", "results"])
def test_each_question_is_asked_patiently(lms, waits, name):
    lms.fault(name, 503)
    lms.fault(name, 429, Retry_After=3)
    assert post() == 0 and waits == [1, 3] and lms.posted == POSTED


# ---- killed


def test_killed_it_goes_on_where_it_was(lms, tmp_path, key):
    """SIGKILL in the middle of the third score, which the LMS has kept and not answered."""
    for student in ("ada", "ben", "cleo", "dan"):
        people.graded(tmp_path, student, [people.question("q", [people.case("a")])], lab=LAB)
    (tmp_path / "roster.csv").write_text("student,lti_user_id\nada,u-ada\nben,u-ben\ncleo,u-cleo\ndan,u-dan\n")
    form = lti_key.serialization.PrivateFormat.PKCS8, lti_key.serialization.NoEncryption()
    store.write_private(lti_key.path_of(), key.private_bytes(lti_key.serialization.Encoding.PEM, *form))
    command = [sys.executable, "-m", "course_lib.cli", "export", LAB, "--to", "lti", "--yes"]
    running = []

    def kill(body):
        if running and body["userId"] == "u-cleo":
            os.kill(running[0].pid, signal.SIGKILL)

    lms.on_score = kill
    running.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}))
    assert running[0].wait(120) == -signal.SIGKILL
    assert [user for user, *_ in lms.posted] == ["u-ada", "u-ben", "u-cleo"]
    assert journal()[-2:] == [("ben", "posted"), ("cleo", "sending")]
    running.clear()
    assert cli.main(["export", LAB, "--to", "lti", "--yes"]) == 0
    assert [user for user, *_ in lms.posted] == ["u-ada", "u-ben", "u-cleo", "u-dan"]
    assert post([row("cleo", 0.1, lti_user_id="u-cleo") | {"out_of": 0.25}]) == 0
    assert lms.posted[4:] == [("u-cleo", 0.1, "FullyGraded")], "what was on its way when it was killed is ours"


# ---- tokens


def test_one_token_serves_until_it_ends(lms, monkeypatch):
    post()
    assert lms.log.count("token") == 1 and lms.log.count("scores") == 4
    late, shift = [grade | {"final": 1.0} for grade in CLASS[:4]], [0]
    monkeypatch.setattr(lti_service.time, "time", lambda: time.time() + shift[0])
    lms.on_score = lambda body: shift.append(shift.pop() + 3300)  # an hour's token is renewed before it ends
    assert post(late) == 0 and lms.log.count("token") == 6 and len(lms.jtis) == 6


def test_a_token_that_is_taken_back_is_renewed(lms):
    lms.on_score = lambda body: lms.tokens.clear()
    assert post() == 0 and lms.posted == POSTED and lms.log.count("token") == 5


def test_no_token_is_ever_shown(lms, capsys, tmp_path):
    """Neither where the LMS repeats it in its answer, nor in the journal."""
    lms.scopes = {scope for scope in SCOPES if "nrps" not in scope}
    with pytest.raises(store.StoreError, match="the LMS refuses members: 401") as caught:
        post()
    assert "no scope for memberships" in str(caught.value)
    lms.scopes = SCOPES
    lms.on_score = lambda body: lms.fault("scores", 403, body=f"Bearer {next(iter(lms.tokens))} {[*lms.tokens][-1]}")
    post()
    told = "".join(capsys.readouterr()) + str(caught.value)
    told += "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "403" in told and not [token for token in lms.tokens if token in told or token[7:] in told]


def test_a_refused_assertion_is_one_line_without_it(lms, tmp_path):
    write_rules(tmp_path, lms.settings() | {"client_id": "another"})
    with pytest.raises(store.StoreError, match="the LMS refuses a token: 400 .*unknown client") as caught:
        post()
    write_rules(tmp_path, lms.settings() | {"audience": "https://elsewhere.example"})
    with pytest.raises(store.StoreError, match="the LMS refuses a token: 400 .*InvalidAudienceError") as other:
        post()
    assert "eyJ" not in str(caught.value) + str(other.value) and "\n" not in str(caught.value) + str(other.value)
    lms.audience = "https://elsewhere.example"
    assert post() == 0 and lms.posted == POSTED


def test_a_scope_that_is_not_granted_is_named(lms):
    lms.scopes = SCOPES - {"https://purl.imsglobal.org/spec/lti-ags/scope/score"}
    with pytest.raises(
        store.StoreError, match="does not allow https://purl.imsglobal.org/spec/lti-ags/scope/score: ask"
    ):
        post()


def test_nothing_of_netrc_is_sent(lms, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert post() == 0 and lms.posted == POSTED


def test_no_token_goes_where_anybody_may_listen(lms):
    post()
    for start in ("http://elsewhere.example", "http://127.0.0.1:x@elsewhere.example", "http://localhost.example"):
        lms.items[0]["id"] = f"{start}/lineitems/1/lineitem"
        with pytest.raises(store.StoreError, match=f"names an address without https:// for results: {start}"):
            post()


@pytest.mark.parametrize("body", ["", "<html>", "{}", '[{"id": 1}, 2]', "[[]]"])
def test_an_answer_that_is_something_else(lms, body):
    lms.fault("lineitems", 200, body=body)
    if body.startswith("["):
        assert post() == 0
    else:
        with pytest.raises(store.StoreError, match="answers something that is not line items: is the address right"):
            post()


def test_a_redirect_is_not_followed(lms):
    lms.fault("lineitems", 302, Location="https://elsewhere.example/")
    with pytest.raises(store.StoreError, match="the LMS refuses line items: 302"):
        post()


# ---- register, and the settings


def test_register(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError, match="no key grades/.lti.pem yet: run `course lti register`"):
        lti_key.read_key()
    assert cli.main(["lti", "register"]) == 0
    told, path = capsys.readouterr().out, Path("grades/.lti.pem")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and "PRIVATE" not in told
    (jwk,) = json.loads(next(line for line in told.splitlines() if "JWKS" in line).split(None, 3)[3])["keys"]
    assert jwk.keys() == {"kty", "n", "e", "kid", "alg", "use"} and f"key id {jwk['kid']}" in told
    assert len(jwk["kid"]) == 43
    signed = lti_key.assertion(lti_key.read_key(), CLIENT, "https://lms.example/token")
    assert jwt.decode(signed, jwt.PyJWK(jwk), ["RS256"], audience="https://lms.example/token")["iss"] == CLIENT
    assert "BEGIN PUBLIC KEY" in told and all(scope in told for scope in SCOPES)
    assert all(f"{name}: " in told for name in lti.SETTINGS) and "initiate login URL" in told and "redirect URI" in told
    key = path.read_bytes()
    assert cli.main(["lti", "register"]) == 0 and capsys.readouterr().out == told and path.read_bytes() == key
    path.write_bytes(b"x")
    with pytest.raises(store.StoreError, match="grades/.lti.pem is damaged: put back"):
        lti_key.read_key()


def test_the_settings_stand_in_course_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.StoreError, match="course.yaml has no client_id, token_url, lineitems_url under lti"):
        lti.settings_of()
    for text, why in (
        ("lti: {secret: x}", "lti: 'secret' is no setting; settings: client_id, token_url"),
        ("lti: {token_url: http://lms.example/token}", "must begin with https://"),
        ("lti: {client_id: [1]}", "lti: client_id must be one value"),
        ("lti: [1]", "lti must be a list of"),
    ):
        (tmp_path / "course.yaml").write_text(text)
        with pytest.raises(store.StoreError, match="course.yaml: ") as caught:
            lti.settings_of()
        assert why in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "course.yaml").write_text(
        "lti: {client_id: 0017, token_url: https://a.b/t, lineitems_url: https://a.b/l}"
    )
    assert lti.settings_of()["client_id"] == "0017"


def test_the_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for options, why in (
        (["--to", "csv", "--yes"], "--yes posts, which only --to lti does"),
        (["--to", "lti", "-o", "x"], "takes no -o and no --column"),
        (["--to", "lti", "--into", "x"], "takes no --into"),
        (["--to", "lti"], "nobody has a grade in 04_lora_and_qlora yet"),
    ):
        with pytest.raises(store.StoreError, match=why):
            lti_main(options)


def lti_main(options):
    from course_lib.grading.lms import export

    return export.main([LAB, *options])


# ---- what is to be done


@pytest.mark.parametrize(
    "there, sent, progress, what",
    [
        (None, [], "FullyGraded", "post"),
        (None, [(5.0, "FullyGraded")], "FullyGraded", "post"),  # cleared there
        (None, [(5.0, "PendingManual")], "PendingManual", "stands"),
        (None, [(5.0, "PendingManual")], "FullyGraded", "post"),
        (5.004, [], "FullyGraded", "stands"),
        (5.0, [(4.0, "FullyGraded")], "FullyGraded", "stands"),
        (5.0, [(5.0, "PendingManual")], "FullyGraded", "post"),
        (5.0, [(4.0, "PendingManual")], "FullyGraded", "post"),
        (4.0, [(4.0, "FullyGraded")], "FullyGraded", "post"),
        (4.0, [(4.0, "FullyGraded"), (4.5, "FullyGraded")], "FullyGraded", "post"),  # the second may not have arrived
        (4.2, [(4.0, "FullyGraded")], "FullyGraded", "theirs"),
        (4.0, [], "FullyGraded", "theirs"),
        (5.02, [], "FullyGraded", "theirs"),
    ],
)
def test_decisions(there, sent, progress, what):
    assert lti_sent.decision(5.0, progress, there, sent, 0.006) == what


def test_the_journal_of_another_item_or_a_refused_score_says_nothing(tmp_path):
    path = tmp_path / "lti.jsonl"
    line = {"student": "ada", "user": "u", "score": 1.0, "most": 2.0, "progress": "FullyGraded", "at": 50.0}
    for item, state in (("other", "posted"), ("mine", "sending"), ("mine", "refused")):
        lti_sent.note(path, {"id": item}, line, state)
    assert lti_sent.before(path, "mine") == ({"u": []}, {"u": 50.0})
    lti_sent.note(path, {"id": "mine"}, line | {"score": 1.5, "at": 60.0}, "sending")
    with path.open("a") as file:
        file.write('{"item": "mine", "user": "u", "sta')  # a kill
    assert lti_sent.before(path, "mine") == ({"u": [(1.5, "FullyGraded")]}, {"u": 60.0})
    assert lti_sent.stamp(1795197480.0625) == "2026-11-20T17:58:00.062+00:00"
    assert (
        lti_service.below("https://a.b/l/1/lineitem?type_id=7", "scores") == "https://a.b/l/1/lineitem/scores?type_id=7"
    )
