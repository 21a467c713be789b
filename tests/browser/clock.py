"""How long a click takes in a browser, and how long it may."""

import os

# milliseconds from a click to the first change of what is shown, by the page's own clock
ANSWER = """async ([button, shown]) => {
    const seen = new Promise(done => new MutationObserver((_, all) => { all.disconnect(); done(performance.now()) }).observe(shown, {childList: true, subtree: true, characterData: true}));
    const started = performance.now();
    button.click();
    return await seen - started;
}"""


def patience() -> float:
    """How many times slower than a quiet machine this one may be just now: the load per core."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
