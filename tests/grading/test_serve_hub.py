"""Handing in to a JupyterHub's service: submit() on one side, `course serve-hub` on the other, and between them a small
stand-in for the hub's API. With a real hub: tests/setup/test_real_hub.py.
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from classroom import notebook, right_answers, sources
from handins import ROSTER, handed_in

from course_lib import cli
from course_lib.grading.intake import collect, hub, inbox
from course_lib.grading.records import store
from course_lib.notebook import hub as client
from course_lib.notebook.submit import submit

LAB = "00_start_here"
OURS = ["access:servers!server=ann/", "access:services!service=course"]
TOKENS = {  # what a hub says of whoever has this token
    "ann": {"kind": "user", "name": "ann", "scopes": OURS},
    "bob": {"kind": "user", "name": "bob", "scopes": ["access:services"]},
    "other": {"kind": "user", "name": "ann", "scopes": ["access:services!service=another"]},
    "service": {"kind": "service", "name": "ann", "scopes": OURS},
    "slash": {"kind": "user", "name": "../../ann", "scopes": OURS},
    "dots": {"kind": "user", "name": "..", "scopes": OURS},
    "nul": {"kind": "user", "name": "ann\0", "scopes": OURS},
    "long": {"kind": "user", "name": "a" * 300, "scopes": OURS},
    "quote": {"kind": "user", "name": "o'brien", "scopes": OURS},
    "under": {"kind": "user", "name": "o_brien", "scopes": OURS},
}


@contextlib.contextmanager
def serving(server):
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown(), server.server_close()


class Api(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        told = TOKENS.get(self.headers["Authorization"].removeprefix("token "))
        assert self.path == "/hub/api/user"
        self.send_response(200 if told else 403)
        self.end_headers()
        self.wfile.write(json.dumps(told or {"message": "Forbidden"}).encode())


@pytest.fixture(scope="module")
def api():
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Api)) as address:
        yield f"{address}/hub/api"


def settings_for(api):
    values = (api, "course", "/services/course/", "http://127.0.0.1:0")
    return dict(zip(hub.SETTINGS, values, strict=True))


@pytest.fixture
def service(api, tmp_path, monkeypatch):
    """The address of the service; what it has filed is in its `filed`."""
    monkeypatch.chdir(tmp_path)
    filed = []
    with serving(hub.server(settings_for(api), filed=lambda *attempt: filed.append(attempt))) as address:
        service = type("Service", (), {"url": f"{address}/services/course", "filed": filed})
        monkeypatch.setenv("COURSE_SUBMIT_URL", service.url)
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "ann")
        yield service


def ask(service, method, path="", token="ann", body=None, **headers):
    """(status, answer) of a request."""
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=20)
    headers |= {"Authorization": f"token {token}"} if token else {}
    connection.request(method, f"/services/course/{path}", body, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def inside(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# ---- the service ----------------------------------------------------------------------------------------------------


def test_an_attempt_is_kept_whole_and_once(service, tmp_path):
    data = b"PK never opened" * 1000
    status, receipt = ask(service, "PUT", LAB, body=data)
    assert status == 200 and receipt["sha256"] == hashlib.sha256(data).hexdigest()
    assert (receipt["user"], receipt["lab"], receipt["attempt"], receipt["bytes"]) == ("ann", LAB, 1, len(data))
    assert ask(service, "PUT", LAB, body=data) == (200, receipt), "the same bytes, the same receipt"
    assert ask(service, "PUT", LAB, body=b"other")[1]["attempt"] == 2
    assert ask(service, "PUT", LAB, body=data) == (200, receipt)
    home = f"{LAB}/ann"
    assert inside(tmp_path / "hub") == [
        f"{home}/{n}/{name}" for n in ("0001", "0002") for name in ("receipt.json", "submission.zip")
    ]
    assert (tmp_path / "hub" / home / "0001" / "submission.zip").read_bytes() == data
    assert service.filed == [(LAB, inbox.INBOX / home / n) for n in ("0001", "0002")], "each new attempt once"


def test_each_sees_his_own_receipts_and_nobody_elses(service):
    mine = ask(service, "PUT", LAB, "ann", b"of ann")[1]
    also = ask(service, "PUT", "02_pretraining", "ann", b"of ann, too")[1]
    bobs = ask(service, "PUT", LAB, "bob", b"of ann")[1]
    assert bobs["user"] == "bob" and bobs["attempt"] == 1
    assert ask(service, "GET", "", "ann") == (200, {"receipts": [mine, also]})
    assert ask(service, "GET", LAB, "bob") == ask(service, "GET", "?user=ann", "bob") == (200, {"receipts": [bobs]})
    assert (
        ask(service, "GET", f"{LAB}/ann", "bob")[0] == ask(service, "GET", f"{LAB}/../{LAB}/ann/0001", "bob")[0] == 404
    )


@pytest.mark.parametrize(
    "token, status, words",
    [
        (None, 401, "needs the token"),
        ("", 401, "needs the token"),
        ("an\nn", 401, "needs the token"),
        ("nobody", 403, "does not know this token"),
        ("other", 403, "not for the service course"),
        ("service", 403, "no student's token"),
        ("slash", 403, "cannot be the name of a folder"),
        ("dots", 403, "cannot be the name of a folder"),
        ("nul", 403, "cannot be the name of a folder"),
        ("long", 403, "cannot be the name of a folder"),
    ],
)
def test_who_is_no_user_of_this_service_gets_nothing_kept(service, tmp_path, token, status, words):
    if token == "an\nn":  # no client sends that: what a proxy may make of two headers
        token = "ann, token bob"
    for method, body in (("PUT", b"x" * 3_000_000), ("GET", None)):
        got, told = ask(service, method, LAB, token, body)
        assert got == status and words in told["message"]
    assert not (tmp_path / "hub").exists() or inside(tmp_path / "hub") == []
    assert service.filed == []


@pytest.mark.parametrize(
    "lab", ["..", "../../etc", "%2e%2e", "nothing", f"{LAB}/", f"{LAB}%00", ".incoming", "a" * 5000]
)
def test_a_lab_is_one_of_the_course(service, tmp_path, lab):
    status, told = ask(service, "PUT", lab, body=b"x")
    assert status == 404 and "there is no lab" in told["message"]
    assert inside(tmp_path) == []


def test_two_names_are_never_one_folder(service, tmp_path):
    ask(service, "PUT", LAB, "quote", b"x"), ask(service, "PUT", LAB, "under", b"x")
    assert sorted(os.listdir(tmp_path / "hub" / LAB)) == ["o%27brien", "o_brien"]
    assert [r["user"] for r in ask(service, "GET", LAB, "under")[1]["receipts"]] == ["o_brien"]


def test_sizes(service, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "MAX_ZIP", 1000)
    assert ask(service, "PUT", LAB, body=b"x" * 1000)[0] == 200
    assert ask(service, "PUT", LAB, body=b"x" * 1001)[0] == ask(service, "PUT", LAB, body=b"")[0] == 413
    chunked = {"Transfer-Encoding": "chunked"}
    assert ask(service, "PUT", LAB, body=None, **chunked)[0] == 411
    for lie in ("-5", "1e3", "９", "0" * 12 + "1" * 12):
        assert ask(service, "PUT", LAB, **{"Content-Length": lie.encode("utf-8")})[0] == 411
    assert len(ask(service, "GET", LAB)[1]["receipts"]) == 1


def test_an_upload_that_breaks_off_leaves_nothing(service, tmp_path, monkeypatch):
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=20)
    connection.putrequest("PUT", f"/services/course/{LAB}")
    connection.putheader("Authorization", "token ann"), connection.putheader("Content-Length", "1000")
    connection.endheaders(b"half of it")
    connection.sock.shutdown(1)
    answer = connection.getresponse()
    assert answer.status == 400 and "broke off" in answer.read().decode()
    connection.close()
    assert inside(tmp_path / "hub") == [] and service.filed == []


def test_a_full_disk_is_one_line_and_the_number_stays_free(service, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "settled", full)
        status, told = ask(service, "PUT", LAB, body=b"one")
        assert status == 507 and "No space left on device" in told["message"]
    assert inside(tmp_path / "hub") == [] and ask(service, "PUT", LAB, body=b"one")[1]["attempt"] == 1


def test_there_is_a_most_of_attempts(service, monkeypatch):
    monkeypatch.setattr(inbox, "MOST", 2)
    assert [ask(service, "PUT", LAB, body=str(n).encode())[0] for n in (1, 2, 3, 1)] == [200, 200, 409, 200]


def test_at_once_each_has_a_number_of_its_own(service):
    told = [None] * 8

    def put(n):
        told[n] = ask(service, "PUT", LAB, body=b"%d" % (n // 2))[1]["attempt"]

    threads = [threading.Thread(target=put, args=(n,)) for n in range(8)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert sorted(told) == [1, 1, 2, 2, 3, 3, 4, 4] and told[::2] == told[1::2]


def test_a_hub_that_is_down_keeps_nothing_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with serving(hub.server(settings_for("http://127.0.0.1:9/hub/api"))) as address:
        service = type("Service", (), {"url": f"{address}/services/course"})
        assert ask(service, "PUT", LAB, body=b"x") == (503, {"message": "the hub does not answer"})
    assert inside(tmp_path) == []


def test_outside_a_hub_the_command_is_one_line(monkeypatch, capsys):
    for name in hub.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    assert cli.main(["serve-hub"]) == 2
    said = capsys.readouterr().err
    assert "is started by a JupyterHub (docs/jupyterhub.md)" in said and said.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(service, api):
    settings = settings_for(api) | {"JUPYTERHUB_SERVICE_URL": service.url}
    with pytest.raises(store.StoreError, match="cannot listen at .* another url"):
        hub.server(settings)


# ---- from the inbox to the store -------------------------------------------------------------------------------------


def collected(tmp_path, path="hub", roster=None):
    """{student: [received, …]} in the order in which they count, and the lines."""
    if roster:
        (tmp_path / "roster.csv").write_text(roster)
    lines = []
    collect.collect(
        "02_pretraining", [tmp_path / path], submitted=tmp_path / "submissions", say=lines.append, source="hub"
    )
    found = {}
    for student, _, folder, meta in store.submissions("02_pretraining", tmp_path / "submissions"):
        text = re.search(r"# ([^\"\\]*)", (folder / "notebook.ipynb").read_text())[1]
        found.setdefault(student, []).append((text, meta["received"], meta["received_from"], meta["ids"]))
    return found, "\n".join(lines)


def put(tmp_path, user, text, student=""):
    """An attempt of the inbox, as the service keeps it."""
    data = handed_in(text, student, "02_pretraining")
    path = tmp_path / "body"
    path.write_bytes(data + os.urandom(8))  # as each zip of submit() is another one
    with open(path, "rb") as stream:
        return inbox.keep(tmp_path / "hub", "02_pretraining", user, stream, len(data) + 8)


def test_collect_files_each_attempt_at_its_time_for_its_user(tmp_path, monkeypatch):
    clock = iter(range(1000, 2000))
    monkeypatch.setattr(inbox.time, "time", lambda: float(next(clock)))
    first, _ = put(tmp_path, "ann", "one", student="bob")
    put(tmp_path, "ann", "two"), put(tmp_path, "o'brien", "three")
    found, said = collected(tmp_path)
    assert found == {
        "ann": [("one", 1000.0, "hub", {"login": "ann"}), ("two", 1001.0, "hub", {"login": "ann"})],
        "o_27brien": [("three", 1002.0, "hub", {"login": "o'brien"})],
    }
    assert "what came by course serve-hub with 3 hand-ins" in said and first["attempt"] == 1
    again, said = collected(tmp_path)
    assert again == found and said.count("already here") == 3


def test_one_attempt_alone_is_filed_the_same(tmp_path):
    receipt, folder = put(tmp_path, "ann", "one")
    assert collected(tmp_path, folder.relative_to(tmp_path))[0] == {
        "ann": [("one", receipt["received"], "hub", {"login": "ann"})]
    }


def test_what_is_handed_in_again_after_another_counts(tmp_path, monkeypatch):
    """A, A, B, A: the last A is the last, and the second no reason to be late."""
    clock = iter(range(1000, 2000))
    monkeypatch.setattr(inbox.time, "time", lambda: float(next(clock)))
    folders = [put(tmp_path, "ann", text)[1].relative_to(tmp_path) for text in "AABA"]
    for folder, expected in zip(folders, ("A 1000", "A 1000", "A 1000 B 1002", "B 1002 A 1003"), strict=True):
        found = collected(tmp_path, folder)[0]["ann"]
        assert " ".join(f"{text} {when:g}" for text, when, *_ in found) == expected
    for path in ("hub", *folders):  # and however often it is collected anew
        assert [text for text, *_ in collected(tmp_path, path)[0]["ann"]] == ["B", "A"]


def test_a_roster_is_asked_by_login_address_or_name_and_never_by_what_sounds_alike(tmp_path):
    put(tmp_path, "jane", "by name"), put(tmp_path, "bob@uni.edu", "by address"), put(tmp_path, "smith", "of nobody")
    put(tmp_path, "xy77", "by login"), put(tmp_path, "li1", "of a namesake, whose login is another")
    roster = ROSTER.replace("sis_id", "login").replace("anne@uni.edu,,", "anne@uni.edu,,xy77")
    roster = roster.replace("990001", "").replace("li1,Jun Li,,,", "li1,Jun Li,,,jun5")
    found, said = collected(tmp_path, roster=roster)
    assert {student: rows[0][0] for student, rows in found.items()} == {
        "jane": "by name", "bob": "by address", "anne": "by login"
    }  # fmt: skip
    for user in ("smith", "li1"):
        assert f"NOT MATCHED, no student of the roster is {user}: add the column login with {user}" in said


def test_what_is_no_zip_is_kept_and_refused_when_it_is_read(tmp_path):
    with open(os.devnull, "rb"), open(__file__, "rb") as stream:
        inbox.keep(tmp_path / "hub", "02_pretraining", "ann", stream, 100)
    found, said = collected(tmp_path)
    assert found == {} and "REJECTED" in said and (tmp_path / "hub/02_pretraining/ann/0001/submission.zip").exists()


def test_a_students_zip_is_never_taken_for_an_inbox(tmp_path):
    """What is in it may look like one: only `--from hub` of the instructor says so."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("0001/submission.zip", handed_in("forged"))
        archive.writestr("0001/receipt.json", json.dumps({"user": "jane", "lab": "02_pretraining", "received": 1}))
    (tmp_path / "roster.csv").write_text(ROSTER)
    lines = []
    counts = collect.collect("02_pretraining", [tmp_path / "x.zip"], submitted=tmp_path / "in", say=lines.append)
    assert counts["taken"] == 0 and "jane" not in "".join(lines)


# ---- the student's side ----------------------------------------------------------------------------------------------


@pytest.fixture
def written(service, tmp_path, monkeypatch):
    for name in ("COURSE_WORK", "COURSE_STUDENT", "JPY_SESSION_NAME", "NBGRADER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / f"{LAB}.ipynb").write_text(notebook(sources(right_answers(LAB), LAB)))
    return lambda: submit(namespace={}, run=False)


def test_submit_hands_in_and_prints_the_receipt(written, service, capsys):
    path = written()
    said = capsys.readouterr().out
    (receipt,) = ask(service, "GET", LAB)[1]["receipts"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == receipt["sha256"] and receipt["sha256"] in said
    assert re.search(
        rf"^Handed in: {LAB}, attempt 1, received 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\. Keep this", said, re.M
    )
    assert "Hand in this zip" not in said


def test_without_the_setting_nothing_is_sent(written, service, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_SUBMIT_URL")
    assert written().exists() and "Hand in this zip; keep the receipt." in capsys.readouterr().out
    assert ask(service, "GET", LAB)[1] == {"receipts": []}


FAILURES = {
    "no token": ({"JUPYTERHUB_API_TOKEN": ""}, "no JUPYTERHUB_API_TOKEN"),
    "an old token": ({"JUPYTERHUB_API_TOKEN": "nobody"}, "stop your server, start it again"),
    "a token with a line end": ({"JUPYTERHUB_API_TOKEN": "a\nb"}, "Invalid header value"),
    "nothing listens": ({"COURSE_SUBMIT_URL": "http://127.0.0.1:9/services/course"}, "cannot be reached"),
    "no such host": ({"COURSE_SUBMIT_URL": "http://nowhere.invalid/"}, "cannot be reached"),
    "no address": ({"COURSE_SUBMIT_URL": "services/course"}, "unknown url type"),
    "another page": ({"COURSE_SUBMIT_URL": "{api}"}, "the hub answered 501"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_one_line_and_the_zip_stays(written, api, monkeypatch, capsys, case):
    change, words = FAILURES[case]
    for name, value in change.items():
        monkeypatch.setenv(name, value.format(api=api))
    path = written()
    last = capsys.readouterr().out.splitlines()[-1]
    assert path.exists() and last.startswith("Not handed in, ") and words in last
    assert last.endswith(f"Run this cell again later, or hand in {path} in another way.")


def test_an_answer_that_is_no_receipt_is_none(written, monkeypatch, capsys):
    monkeypatch.setattr(inbox, "keep", lambda *_: ({"sha256": "of another file"}, None))
    assert written().exists() and "gave no receipt for this zip" in capsys.readouterr().out


def test_a_zip_that_is_too_large_is_not_sent(written, monkeypatch, capsys):
    monkeypatch.setattr(client, "MAX_ZIP", 10)
    assert written().exists() and "more than the 0 that the hub's service takes" in capsys.readouterr().out
