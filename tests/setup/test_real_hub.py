"""A real JupyterHub with the service of docs/jupyterhub.md, set up as it stands there: two students hand in from
servers that it has started, and each sees only what is theirs. Needs jupyterhub and configurable-http-proxy on PATH:

    python -m venv /tmp/hub && /tmp/hub/bin/pip install jupyterhub
    npm install --prefix /tmp/hub configurable-http-proxy
    PATH=/tmp/hub/bin:/tmp/hub/node_modules/.bin:$PATH .venv/bin/pytest tests/setup/test_real_hub.py
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAB = "00_start_here"
MISSING = [program for program in ("jupyterhub", "configurable-http-proxy") if not shutil.which(program)]
PATIENCE = 900  # seconds for anything to come up, on a machine that has much else to do
CONFIG = re.search(r"```python\n(.*?)```", (ROOT / "docs/jupyterhub.md").read_text(), re.S)[1]
SERVER = """
import contextlib, http.server, os, urllib.request
from urllib.parse import urlsplit
import course_lib

def receipts(path=""):
    headers = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
    request = urllib.request.Request(os.environ["COURSE_SUBMIT_URL"] + "/" + path, headers=headers)
    return urllib.request.urlopen(request).read().decode()

with open("said", "w") as file, contextlib.redirect_stdout(file):
    course_lib.submit(notebook="LAB.ipynb", run=False)
    print(receipts())
    os.environ["COURSE_SUBMIT_URL"] += "-that-is-not-there"
    course_lib.submit(notebook="LAB.ipynb", run=False)
os.rename("said", "told")
port = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"]).port
http.server.HTTPServer(("127.0.0.1", port), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"), pytest.mark.slow]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    [s.close() for s in sockets]
    return ports


def ask(method, url, token, body=None):
    """(status, text) of a request; (0, "") where nobody answers."""
    request = urllib.request.Request(url, body, {"Authorization": f"token {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def until(done, what):
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, what()
        time.sleep(0.5)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """(its address, the token of a service that may start servers, the folder where all of it is)."""
    place = tmp_path_factory.mktemp("hub")
    for folder in ("srv", "bin", "home/ann", "home/bob"):
        (place / folder).mkdir(parents=True)
    course, student = place / "bin" / "course", place / "bin" / "student.py"
    course.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m course_lib.cli "$@"\n')
    course.chmod(0o755)
    student.write_text(SERVER.replace("LAB", LAB))
    ports, token = free_ports(4), uuid.uuid4().hex
    config = CONFIG.replace("/opt/course/.venv/bin/course", str(course)).replace("/srv/course", str(place / "srv"))
    config = config.replace(":8000", f":{ports[0]}").replace(":10105", f":{ports[1]}")
    config += f"""
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_port = {ports[2]}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[3]}"
c.ConfigurableHTTPProxy.should_start = False  # the hub would wait for ten seconds and no longer
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{place}/home/{{username}}"
c.Spawner.cmd = ["{sys.executable}", "{student}"]
c.Spawner.start_timeout = c.Spawner.http_timeout = {PATIENCE}
c.Spawner.environment |= {{"PYTHONPATH": "{ROOT}", "OMP_NUM_THREADS": "1"}}
c.JupyterHub.services.append({{"name": "trial", "api_token": "{token}"}})
scopes = ["admin:users", "admin:servers"]
c.JupyterHub.load_roles.append({{"name": "trial", "services": ["trial"], "scopes": scopes}})
"""
    (place / "jupyterhub_config.py").write_text(config)
    settings = {k: v for k, v in os.environ.items() if k not in ("COURSE_WORK", "PYTHONPATH")}
    settings |= {"CONFIGPROXY_AUTH_TOKEN": uuid.uuid4().hex}
    proxy = ["configurable-http-proxy", "--ip", "127.0.0.1", "--port", str(ports[0]), "--api-ip", "127.0.0.1"]
    with open(place / "log", "wb") as log:
        run = lambda command: subprocess.Popen(command, cwd=place, env=settings, stdout=log, stderr=log)
        proxy, process = run([*proxy, "--api-port", str(ports[3])]), run(["jupyterhub"])
    url, told = f"http://127.0.0.1:{ports[0]}", lambda: (place / "log").read_text()[-4000:]
    try:
        up = lambda: ask("GET", f"{url}/services/course/", "nobody")[0] == 403  # by the service, through the proxy
        until(lambda: process.poll() is not None or up(), told)
        assert process.poll() is None, told()
        yield url, token, place
    finally:
        for each in (process, proxy):
            each.terminate()
            each.wait(60)


def test_two_students_hand_in_and_each_sees_his_own(hub):
    url, token, place = hub
    for user in ("ann", "bob"):
        shutil.copy(ROOT / "labs" / f"{LAB}.ipynb", place / "home" / user)
        assert ask("POST", f"{url}/hub/api/users/{user}", token)[0] == 201
        assert ask("POST", f"{url}/hub/api/users/{user}/server", token)[0] in (201, 202)
    for user in ("ann", "bob"):
        told = place / "home" / user / "told"
        until(told.exists, lambda: (place / "log").read_text()[-4000:])
        said = told.read_text()
        print(said)
        assert re.search(rf"^Handed in: {LAB}, attempt 1, received .* UTC\. Keep this receipt\.$", said, re.M)
        (receipt,) = json.loads(re.search(r"^\{.*\}$", said, re.M)[0])["receipts"]
        assert (receipt["user"], receipt["lab"], receipt["attempt"]) == (user, LAB, 1) and receipt["sha256"] in said
        assert re.search(r"^Not handed in, the hub answered 40\d .*, or hand in submissions/\S+\.zip", said, re.M)
    filed = lambda: sorted(path.parts[-3] for path in (place / "srv/submissions" / LAB).glob("*/*/meta.json"))
    until(lambda: filed() == ["ann", "bob"], lambda: (place / "log").read_text()[-4000:])
    assert not any((place / "srv" / name).stat().st_mode & 0o007 for name in ("hub", "submissions"))
    assert ask("PUT", f"{url}/services/course/{LAB}", token, b"x")[0] == 403, "a service's token is no student's"
