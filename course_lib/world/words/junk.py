"""What a crawl brings along that nobody should learn from: each function draws a page's text and names its sort."""

import random

from course_lib.world.words.pools import POOLS

BOILERPLATE = {
    "cookies": [
        "{site} uses cookies to {use}. By going on you accept our cookie policy.\nAccept all | Reject all | Settings",
        "We value your privacy. We and our {n} partners store cookies on your device to {use}.\nAccept | More options",
        "Cookie settings\nNecessary cookies: always on\nStatistics: off\nAdvertising: off\nSave and close this "
        "window to {use}.",
    ],
    "navigation": [
        "Home | News | {p} | {p2} | Weather | Contact | Log in",
        "Menu\nHome\nAbout us\n{p}\n{p2}\nLog in\nSearch\nTop of page {n}",
        "You are here: Home > {p} > {p2} > Page {n}\nPrevious | Next | Print | Share | Log in",
    ],
    "error": [
        "Error {n}04. The page {p} was not found on this server. Back to the home page.",
        "Please enable JavaScript to view this page on {site}. Reload | Help | Error {n}",
        "Loading page {n} of {site} ... please wait. If nothing happens, click here to {use}.",
    ],
    "terms": [
        "© 20{n} {site}. All rights reserved. Terms of use | Privacy policy | Imprint | Sitemap",
        "Subscribe to the newsletter of {site} to {use}. Log in or sign up now. Privacy policy | Terms of use",
    ],
}
USES = [
    "make this page better",
    "count visitors",
    "show you offers",
    "keep you logged in",
    "remember your choice",
    "measure what you read",
]
SITES = ["The Littlebrook Web", "Brooknet", "This page", "The village portal", "Our shop", "Littlebrook Online"]
CHAINS = [
    "Send this page to ten friends or you will have bad luck",
    "You have won a prize of 1000 coins, click here and log in to fetch it",
    "Doctors hate this trick, click here to learn it today",
]
ACCENTS = {"a": "ä", "e": "é", "o": "ö", "u": "ü", "'": "’"}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
MASH = ["asdf", "jkl;", "qwer", "uiop", "zxcv", "#", "~~", "aaaa", "1", "0x", "--"]


def pick(draw: random.Random, options):
    """One of `options`. Only random() is used: it is the same on every Python 3."""
    return options[int(draw.random() * len(options))]


def boilerplate(draw: random.Random) -> tuple[str, str]:
    kind = pick(draw, list(BOILERPLATE))
    text = pick(draw, BOILERPLATE[kind])
    fields = {
        "site": pick(draw, SITES),
        "use": pick(draw, USES),
        "n": 10 + int(draw.random() * 89),
        "p": pick(draw, POOLS["place"])[4:].title(),
        "p2": pick(draw, POOLS["place"])[4:].title(),
    }
    return text.format(**fields), kind


def spam(draw: random.Random) -> tuple[str, str]:
    kind = pick(draw, ["offer", "stuffed", "chain letter"])
    a, b = pick(draw, POOLS["goods"]), pick(draw, POOLS["goods"])
    if kind == "offer":
        shout = pick(draw, ["BUY NOW!!!", "100% FREE!!!", "ONLY TODAY $$$", "CLICK HERE >>>", "WINNER!!!"])
        site = f"www.{a.replace(' ', '-')}-{int(draw.random() * 999)}.example"
        hurry = pick(draw, ["Act fast!!!", "No risk!!!", "$$$ $$$", "Click click click!!!"])
        return " ".join([shout, f"Best {a.upper()} and cheap {b} !!!", site, hurry, shout]), kind
    if kind == "stuffed":
        words = ["cheap " + a, "best " + a, a, "buy " + b, a + " online", "free " + a, b]
        return " ".join(pick(draw, words) for _ in range(12 + int(draw.random() * 14))), kind
    line = pick(draw, CHAINS)
    return "! ".join([line] * (2 + int(draw.random() * 3))) + f"! {a}{int(draw.random() * 999)}.example", kind


def broken(draw: random.Random, text: str) -> tuple[str, str]:
    """A document whose bytes were read with the wrong alphabet."""
    kind = pick(draw, ["accents", "blanks", "lost"])
    if kind == "accents":  # UTF-8 bytes read as Windows-1252
        text = "".join(ACCENTS.get(c, c) if draw.random() < 0.3 else c for c in text)
        return text.encode("utf-8").decode("cp1252", "replace"), kind
    if kind == "blanks":  # the same with hard blanks
        return "".join("Â\u00a0" if c == " " and draw.random() < 0.4 else c for c in text), kind
    return "".join("\ufffd" if c.isalpha() and draw.random() < 0.12 else c for c in text), kind


def gibberish(draw: random.Random, text: str) -> tuple[str, str]:
    kind = pick(draw, ["letters", "mash", "table", "word salad", "letters", "mash", "table"])
    if kind == "letters":
        word = lambda: "".join(pick(draw, ALPHABET) for _ in range(2 + int(draw.random() * 9)))
        return " ".join(word() for _ in range(15 + int(draw.random() * 30))), kind
    if kind == "mash":
        return "".join(pick(draw, MASH) for _ in range(20 + int(draw.random() * 40))), kind
    if kind == "table":
        line = lambda: " ; ".join(f"{draw.random() * 1000:.2f}" for _ in range(5))
        return "\n".join(line() for _ in range(3 + int(draw.random() * 6))), kind
    words = text.split()  # the right words in no order: no count of words or letters can tell
    return " ".join(words.pop(int(draw.random() * len(words))) for _ in range(len(words))), kind
