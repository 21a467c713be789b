"""Firefox by the browser's own protocol, WebDriver BiDi: Playwright drives only a Firefox of its own."""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time

import pytest


@contextlib.contextmanager
def firefox(address: str, folder):
    """evaluate(JavaScript) on a page in a headless Firefox; skipped where there is none."""
    websocket = pytest.importorskip("websocket", reason="websocket-client is not installed")
    found = shutil.which("firefox") or shutil.which("firefox-esr")
    if not found:
        pytest.skip("no Firefox here (Debian: apt-get install firefox-esr)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [found, "--headless", "--no-remote", "--profile", str(folder), f"--remote-debugging-port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        line, numbers = connected(websocket, f"ws://127.0.0.1:{port}/session"), itertools.count(1)

        def call(method: str, **params) -> dict:
            number = next(numbers)
            line.send(json.dumps({"id": number, "method": method, "params": params}))
            while (answer := json.loads(line.recv())).get("id") != number:
                pass
            return answer["result"]

        call("session.new", capabilities={})
        window = call("browsingContext.getTree")["contexts"][0]["context"]
        call("browsingContext.navigate", context=window, url=address, wait="complete")
        evaluate = lambda script: call(
            "script.evaluate", expression=script, target={"context": window}, awaitPromise=True
        )["result"].get("value")
        yield evaluate
        line.close()
    finally:
        process.terminate()
        process.wait(30)


def connected(websocket, address: str):
    for _ in range(300):
        with contextlib.suppress(OSError):
            return websocket.create_connection(address, suppress_origin=True, timeout=240)
        time.sleep(0.2)
    raise TimeoutError(address)
