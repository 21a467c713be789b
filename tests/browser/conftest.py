"""A real JupyterLab on the student edition, and a real browser to press its buttons. One of each serves the tests of a
file, and no longer: neither a widget nor another browser likes the event loop of this one beside it. Skipped, with the
reason, where there is no browser.

Playwright drives the system's Chromium (Debian: apt-get install chromium). Pictures of what was seen are left in
build/screenshots.
"""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from clock import patience

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
# milliseconds at most for anything that a kernel does: a loaded machine is ten times slower than a quiet one
WAIT = 240_000
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
}

# JupyterLab says these of itself, with an empty notebook too; the one of null where a notebook is opened without a
# kernel
NOT_OURS = re.compile(
    r"ERR_INTERNET_DISCONNECTED|GPU stall|Failed to load resource.*(lsp|/api/me|workspaces)|\[vite\]|i18n|"
    r"Item with index \d+ did not appear|Download the React DevTools|Starting application in "
    r"workspace|\bLSP\b|findDOMNode|componentWill|reconnecting websocket|Connection lost|"
    r"WebSocket connection to .* failed|Could not restore the debugger state|JupyterLab - |not in "
    r"'disabledExtensions'|Canvas2D|Cannot read properties of null \(reading 'kernel'\)|Plugin \S+ .*(took|too long) .*"
    r"activate|Kernel: (connected|connecting|disconnected|idle|restarting)|History was unable to be retrieved|"
    r"Subshell identifier not available|Canceled future for"  # a kernel that is shut down while it still answers
)


def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        pytest.skip("no Chromium here (Debian, Ubuntu: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')"
    )
    with playwright.sync_playwright() as play:
        made = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield made
        made.close()


class Server:
    """A JupyterLab of its own: a copy of labs/, an empty work folder, a free port, a token that nobody can guess.

    TRL is missing there, as it may be on Colab: its import and its trainers cost as much as all else in a lab.
    """

    def __init__(self, folder: Path):
        self.folder, self.labs, self.work = folder, folder / "labs", folder / "work"
        shutil.copytree(
            ROOT / "labs", self.labs, ignore=shutil.ignore_patterns("work", "submissions", ".ipynb_checkpoints")
        )
        for name, values in SETTINGS.items():
            path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        missing = folder / "missing"
        missing.mkdir()
        (missing / "trl.py").write_text("raise ModuleNotFoundError('No module named trl', name='trl')\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.token = secrets.token_hex(16)
        own = {
            name: str(folder / name.lower())
            for name in (
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_DATA_DIR",
                "JUPYTER_RUNTIME_DIR",
                "JUPYTERLAB_WORKSPACES_DIR",
                "IPYTHONDIR",
            )
        }
        self.log = open(folder / "jupyter.log", "wb")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--expose-app-in-browser",
                f"--ServerApp.port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.labs}",
                "--ServerApp.ip=127.0.0.1",
            ],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            env={
                **os.environ,
                **own,
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "COURSE_WORK": str(self.work),
                "COURSE_SIZE": "tiny",
                "PYTHONPATH": os.pathsep.join((os.environ["PYTHONPATH"], str(missing))),
            },
        )
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api?token={self.token}", timeout=2).read()
                return
            except OSError:
                assert self.process.poll() is None, (folder / "jupyter.log").read_text()
                time.sleep(0.2)
        raise TimeoutError((folder / "jupyter.log").read_text())

    def address(self, lab: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/workspaces/{secrets.token_hex(4)}/tree/{lab}.ipynb?token={self.token}"

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("jupyter"))
    yield made
    made.stop()


class Notebook:
    """A notebook open in JupyterLab. `page` is Playwright's; cells are told by a piece of their text."""

    CURRENT = "window.jupyterapp.shell.currentWidget"

    def __init__(self, browser, server, lab: str, dark: bool = False, width: int = 1280, height: int = 900):
        self.server, self.lab = server, lab
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        self.outside: list[str] = []  # what the page wanted from other machines; the badge is all that it may
        self.context.route(
            lambda url: not url.startswith((f"http://127.0.0.1:{server.port}/", "data:", "blob:")), self.elsewhere
        )
        self.context.add_init_script(path=Path(__file__).with_name("page.js"))
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.noise: list[str] = []
        self.page.on(
            "console",
            lambda m: (
                self.noise.append(f"{m.type}: {m.text} ({m.location.get('url', '')[-80:]})")
                if m.type in ("error", "warning")
                else None
            ),
        )
        self.page.on("pageerror", lambda error: self.noise.append(f"uncaught: {error}"))
        self.page.goto(server.address(lab))
        self.page.wait_for_function(
            f"() => window.jupyterapp && {self.CURRENT} && {self.CURRENT}.content?.model?.cells?.length > 3 && "
            f"{self.CURRENT}.sessionContext?.isReady"
        )
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"  # the server remembers it from one window to the next
        self.run("apputils:change-theme", theme=theme)
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)

    def open(self, lab: str) -> None:
        """Another notebook in the same window, without a kernel; the one before is closed."""
        self.lab, self.noise, self.outside = lab, [], []
        self.page.evaluate("path => course.open(path)", f"{lab}.ipynb")
        self.page.wait_for_function(
            f"path => {self.CURRENT}?.context?.path === path && {self.CURRENT}.content.model?.cells?.length > 3",
            arg=f"{lab}.ipynb",
        )

    def elsewhere(self, route) -> None:
        url = route.request.url
        if url == "https://colab.research.google.com/assets/colab-badge.svg":
            route.fulfill(
                content_type="image/svg+xml",
                body='<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20"><rect width="117" height="20" '
                'rx="3" fill="#555"/></svg>',
            )
        else:
            self.outside.append(url)
            route.abort()

    def run(self, command: str, **options):
        """One of JupyterLab's own commands."""
        return self.page.evaluate(
            "([command, options]) => void window.jupyterapp.commands.execute(command, options)", [command, options]
        )

    def cells(self) -> list[dict]:
        """The cells as they are now, outputs included."""
        return self.page.evaluate(f"() => [...{self.CURRENT}.content.model.cells].map(cell => cell.toJSON())")

    def place(self, words: str) -> int:
        """Which cell has these words in its source."""
        found = [k for k, cell in enumerate(self.cells()) if words in "".join(cell["source"])]
        assert found, f"no cell with {words!r} in lab {self.lab}"
        return found[0]

    def go(self, words: str):
        """Make a cell the active one and bring it into view; returns the locator of its element."""
        place = self.place(words)
        self.page.evaluate(
            f"async k => {{ const n = {self.CURRENT}.content; n.activeCellIndex = k; n.deselectAll(); await "
            f"n.scrollToItem(k, 'start') }}",
            place,
        )
        cell = self.page.locator(
            f'.jp-WindowedPanel-viewport [data-windowed-list-index="{place}"], .jp-Notebook > '
            f'[data-windowed-list-index="{place}"]'
        ).first
        cell.wait_for(state="attached")
        return cell

    def run_all(self, upto: str | None = None) -> None:
        """Run all cells, or those up to and with the one that has these words, and wait for the last of them."""
        last = len(self.cells()) - 1 if upto is None else self.place(upto)
        if upto is None:
            self.run("notebook:run-all-cells")
        else:
            self.page.evaluate(
                f"k => {{ {self.CURRENT}.content.activeCellIndex = k + 1; {self.CURRENT}.content.deselectAll() }}", last
            )
            self.run("notebook:run-all-above")
        code = [k for k, cell in enumerate(self.cells()) if cell["cell_type"] == "code" and k <= last]
        self.page.wait_for_function(
            f"k => {{ const all = [...{self.CURRENT}.content.model.cells].slice(0, k + 1).filter(cell => cell.type === "
            "'code');"
            " return all.every(cell => cell.executionCount !== null) && "
            f"{self.CURRENT}.sessionContext.session?.kernel?.status === 'idle' }}",
            arg=code[-1],
        )

    def write(self, words: str, source: str) -> None:
        """Put another text into the cell with these words."""
        self.page.evaluate(
            f"([k, text]) => {self.CURRENT}.content.model.cells.get(k).sharedModel.setSource(text)",
            [self.place(words), source],
        )

    def run_cell(self, words: str):
        """Run one cell and wait for its end; returns the locator of its element."""
        cell, place = self.go(words), self.place(words)
        before = self.cells()[place].get("execution_count")
        self.run("notebook:run-cell")
        self.page.wait_for_function(
            f"([k, before]) => {{ const cell = {self.CURRENT}.content.model.cells.get(k); return cell.executionCount "
            "!== null && cell.executionCount !== before &&"
            f" {self.CURRENT}.sessionContext.session?.kernel?.status === 'idle' }}",
            arg=[place, before],
        )
        return cell

    def click(self, button, shown) -> float:
        """Clicks a button. Milliseconds until what is shown changes first, as on a quiet machine."""
        return self.quiet("click", "([button, shown]) => course.click(button, shown)", button, shown)

    def ask(self, field, question: str, shown) -> float:
        """Types a question into a field. Milliseconds from Enter to the first letter of the answer, as on a quiet
        machine.
        """
        field.fill(question)
        self.page.evaluate("([shown]) => course.watchForLetter(shown)", [shown.element_handle()])
        field.press("Enter")
        return self.quiet("first letter", "() => course.first.letter")

    def quiet(self, what: str, script: str, *elements) -> float:
        """The milliseconds that a script returns, over how many times busier than a quiet machine this one is."""
        before = patience()
        took = self.page.evaluate(script, [element.element_handle() for element in elements])
        busy = max(before, patience())
        print(f"{what}: {took:.0f} ms, on a machine {busy:.1f} times as busy as a quiet one")
        return took / busy

    def wait_for(self, condition: str, element) -> None:
        """Until a JavaScript condition on `shown`, an element, holds."""
        self.page.wait_for_function(f"shown => {condition}", arg=element.element_handle())

    def errors(self) -> list[str]:
        return [
            f"cell {k}: {o['ename']}: {o['evalue']}"
            for k, cell in enumerate(self.cells())
            for o in cell.get("outputs", [])
            if o["output_type"] == "error"
        ]

    def restart(self) -> None:
        """Restart the kernel and clear the outputs: the command of the Kernel menu and the button of its question."""
        self.run("kernelmenu:restart-and-clear")
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.wait_for_function(
            f"() => {self.CURRENT}.sessionContext.session?.kernel?.status === 'idle' && "
            f"[...{self.CURRENT}.content.model.cells].every(cell => cell.type !== 'code' || cell.executionCount === "
            "null)"
        )

    def save(self) -> int:
        """Save, wait until the server has written the file, and return its bytes."""
        self.page.evaluate(f"() => {self.CURRENT}.context.save()")
        return (self.server.labs / f"{self.lab}.ipynb").stat().st_size

    def picture(self, name: str, element=None) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (element or self.page).screenshot(path=str(PICTURES / f"{name}.png"))
        return PICTURES / f"{name}.png"

    def ours(self) -> list[str]:
        """What the browser's console has warned of, less what JupyterLab says of itself."""
        return [line for line in self.noise if not NOT_OURS.search(line)]

    def accessible(self, selector: str) -> list[str]:
        """axe-core's findings inside the elements of a CSS selector, one line each."""
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
        ).Axe()
        results = axe.run(self.page, context=selector)
        return [
            f"{v['id']} ({v['impact']}): {v['help']}: {n['html'][:160]}"
            for v in results.response["violations"]
            for n in v["nodes"]
        ]

    def close(self) -> None:
        """Shut the kernel down, close the window, and put the notebook back as it was."""
        self.page.evaluate(f"async () => {{ try {{ await {self.CURRENT}.sessionContext.shutdown() }} catch {{}} }}")
        self.context.close()
        if (ROOT / "labs" / f"{self.lab}.ipynb").exists():
            shutil.copy(ROOT / "labs" / f"{self.lab}.ipynb", self.server.labs)


@pytest.fixture
def open_lab(browser, server):
    """open_lab("00_start_here", dark=False) → Notebook; closed after the test."""
    opened: list[Notebook] = []

    def open_one(lab: str, **options) -> Notebook:
        opened.append(Notebook(browser, server, lab, **options))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()


@pytest.fixture(scope="module")
def window(browser, server):
    """One window in which notebooks are only looked at: .open(lab) shows another one, without a kernel."""
    made = Notebook(browser, server, "00_start_here")
    yield made
    made.close()
