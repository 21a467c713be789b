"""`course bench page`: the site's page try.html in headless Chromium, from a server on this machine: how soon it is
ready, how fast it writes beside PyTorch on the same core, and whether it computes and reads the same.

It needs build/site as `make site` leaves it, Chromium and playwright.
"""

import base64
import contextlib
import functools
import http.server
import os
import shutil
import statistics
import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch

from course_lib.authoring.page import drawn, stages
from course_lib.platform import ROOT, CourseError
from course_lib.stages.generate import generate_ids
from course_lib.stages.sft import encode_chat
from course_lib.stages.tokenizer import BOS, IM_END, load_tokenizer
from course_lib.world import pretrain_rows
from course_lib.world.tasks import task_rows

SITE = ROOT / "build" / "site"
WRITTEN = 80  # tokens of a timed stream
ENGINE = "const engine = await import('./try/engine.js'); "


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's plain file server, which packs nothing: what is counted is what the files weigh."""

    def log_message(self, format, *args):
        pass


@contextlib.contextmanager
def served(folder: Path) -> Generator[str]:
    """The address at which a folder is served."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def chromium() -> Generator:
    """A headless Chromium. Raises CourseError where there is none."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if not found:
        raise CourseError("this needs Chromium (Debian, Ubuntu: apt-get install chromium) and pip install -e '.[dev]'")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


def opened(browser, address: str):
    """The page in a window without a cache, once it can be asked."""
    tab = browser.new_context().new_page()
    tab.set_default_timeout(240_000)
    tab.goto(f"{address}/try.html")
    tab.locator("html[data-ready]").wait_for(state="attached")
    return tab


def all_answered(tab) -> None:
    tab.locator("#stages[aria-busy=false]").wait_for()


def loading(browser, address: str) -> dict[str, float]:
    """Seconds and bytes until the page can be asked, from a cold start."""
    tab = opened(browser, address)
    ready = float(tab.locator("html").get_attribute("data-ready"))
    count = "performance.getEntriesByType(kind).filter(e => e.responseEnd <= ready)"
    bytes_ = tab.evaluate(
        f"ready => ['navigation', 'resource'].flatMap(kind => {count}).reduce((n, e) => n + e.transferSize, 0)", ready
    )
    tab.context.close()
    return {"ready_s": ready / 1000, "first_mb": bytes_ / 1e6}


def first_token(tab, question: str) -> float:
    """Milliseconds from Enter to the first token on the page, by the page's own clock."""
    all_answered(tab)
    tab.evaluate(
        """() => {
            let pressed;
            addEventListener("keydown", () => (pressed = performance.now()), { capture: true, once: true });
            window.first = new Promise(done => new MutationObserver((changes, watch) => {
                if (!document.querySelector(".answer span")) return;
                watch.disconnect();
                done(performance.now() - pressed);
            }).observe(document.getElementById("stages"), { childList: true, subtree: true }));
        }"""
    )
    tab.locator("#prompt").fill(question)
    # what stood there goes when Enter is pressed; until then the observer sees no change
    tab.locator("#prompt").press("Enter")
    took = tab.evaluate("() => window.first")
    all_answered(tab)
    return took


def streams(tab, names: list[str], ids: list[int]) -> tuple[float, float]:
    """Tokens a second of each of several streams at once, sampled at temperature 1: by the clock, and by the CPU time
    of the thread that computes them, which other work on the machine does not disturb.
    """
    script = """async ([names, ids, most]) => { %s
        window.reads ??= {};
        for (const name of names) window.reads[name] ??= await engine.loadStage(name);
        const started = performance.now();
        await Promise.all(names.map(async name => {
            for await (const _ of engine.grow(window.reads[name], ids, { most, temperature: 1, stop: -1 }));
        }));
        return most / (performance.now() - started) * 1000;
    }"""
    browser = tab.context.new_cdp_session(tab)
    browser.send("Performance.enable")
    computed = lambda: {m["name"]: m["value"] for m in browser.send("Performance.getMetrics")["metrics"]}["ThreadTime"]
    before = computed()
    by_clock = tab.evaluate(script % ENGINE, [names, ids, WRITTEN])
    return by_clock, WRITTEN / (computed() - before)


def by_torch(model, ids: list[int]) -> tuple[float, float]:
    """The same of `generate_ids`, the course's own, on one thread."""
    started, computed = time.perf_counter(), time.process_time()
    generate_ids(model, [ids], WRITTEN, temperature=1.0, stop=-1)
    return WRITTEN / (time.perf_counter() - started), WRITTEN / (time.process_time() - computed)


def questions(n: int) -> list[list[int]]:
    """The ids of n drawn questions, each as an assistant reads it."""
    tokenizer = load_tokenizer()
    return [encode_chat(tokenizer, row["messages"][:-1], True)[0] for row in task_rows("residents", n, "page bench")]


@torch.no_grad()
def equality(tab, prompts: list[list[int]]) -> dict[str, float]:
    """Against PyTorch: the largest difference of a logit, over all tokens of all prompts, and how many greedy answers
    are the same; each prompt is read by one of the stages, by turns.
    """
    worst, same, made = 0.0, 0, stages()
    for k, stage in enumerate(made):
        model, mine = stage.model(), prompts[k :: len(made)]
        found = tab.evaluate(
            """async ([name, prompts, stop]) => {
                const engine = await import('./try/engine.js');
                const read = await engine.loadStage(name), made = [];
                for (const ids of prompts) {
                    const { row } = await read(ids), bytes = [];
                    for (let t = 0; t < ids.length; t++) bytes.push(...new Uint8Array(row(t).slice().buffer));
                    const answer = [];
                    for await (const id of engine.grow(read, ids, { most: 80, stop })) answer.push(id);
                    let text = "";
                    for (const byte of bytes) text += String.fromCharCode(byte);
                    made.push([btoa(text), answer]);
                }
                return made;
            }""",
            [stage.name, mine, IM_END],
        )
        for ids, (logits, answer) in zip(mine, found):
            theirs = np.frombuffer(base64.b64decode(logits), np.float32).reshape(len(ids), -1)
            ours = model(torch.tensor([ids]))[0].numpy()
            worst = max(worst, float(np.abs(theirs - ours).max()))
            same += answer == generate_ids(model, [ids], 80, temperature=0.0, stop=IM_END)[0]
    return {"logits_differ": worst, "greedy_equal": same, "prompts": len(prompts)}


def same_tokens(tab, texts: list[str]) -> int:
    """On how many texts the page's tokenizer gives the ids of `tokenizers`."""
    script = "async texts => { %s const { document } = await engine.loadTokenizer(); return texts.map(document); }"
    theirs, tokenizer = tab.evaluate(script % ENGINE, texts), load_tokenizer()
    ours = [[BOS, *each.ids] for each in tokenizer.encode_batch(texts, add_special_tokens=False)]
    return sum(a == b for a, b in zip(theirs, ours))


def bench_page(arguments) -> dict:
    if not (SITE / "try").exists():
        raise CourseError("build/site has no models for try.html: `make site` makes them, where npm is installed")
    turns, n, texts = (5, 200, 1000) if arguments.size != "tiny" else (1, 12, 50)
    torch.set_num_threads(1)
    ask, model, names = questions(1)[0], stages()[1].model(), [stage.name for stage in stages()]
    with served(SITE) as address, chromium() as browser:
        loads = [loading(browser, address) for _ in range(turns)]
        tab = opened(browser, address)
        firsts = [first_token(tab, row["text"]) for row in drawn()["fact"][1 : 4 * turns + 1]]
        streams(tab, names, ask), by_torch(model, ask)  # warm
        # by turns, so that all meet the same machine
        runs = [
            (streams(tab, names[1:2], ask), streams(tab, names, ask), by_torch(model, ask)) for _ in range(3 * turns)
        ]
        found = equality(tab, questions(n))
        tokens = same_tokens(tab, [row["text"] for row in pretrain_rows("validation", texts)])
    middle = statistics.median
    rate = lambda which, clock: middle(run[which][clock] for run in runs)
    size = lambda pattern: sum(path.stat().st_size for path in (SITE / "try").glob(pattern)) / 1e6
    return {
        "ready_s": middle(load["ready_s"] for load in loads),
        "ready_s_best": min(load["ready_s"] for load in loads),
        "first_mb": max(load["first_mb"] for load in loads),
        "models_mb": size("*.onnx.gz"),
        "everything_mb": size("*"),
        "first_token_ms": middle(firsts),
        "first_token_ms_best": min(firsts),
        "tokens_s": rate(0, 0),
        "tokens_cpu_s": rate(0, 1),
        "each_of_all_tokens_s": rate(1, 0),
        "each_of_all_tokens_cpu_s": rate(1, 1),
        "stages": len(names),
        "torch_tokens_s": rate(2, 0),
        "torch_tokens_cpu_s": rate(2, 1),
        "vs_torch": middle(one[1] / theirs[1] for one, _, theirs in runs),  # in CPU time
        **found,
        "texts_same_tokens": tokens,
        "texts": texts,
        "load": os.getloadavg()[0],
    }
