"""What of the solutions must not show on the site, and a look at what was built: links, what is fetched, leaks."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from course_lib.authoring.source import as_student, kind_of, regions

POINTERS = ("canonical", "index", "search", "next", "prev", "author", "copyright")  # <link>s that fetch nothing


def secrets_of(notebook) -> tuple[set[str], set[str]]:
    """(lines, texts) of the solutions that students must not see: whole lines of code or prose, and long strings in the
    code; blanks made one.

    What the student edition says itself, a hint for one, is no secret."""
    shown = squeeze("\n".join(as_student(cell.source, kind_of(cell)[0]) for cell in notebook.cells))
    lines, texts = set(), set()
    for cell in notebook.cells:
        for region in regions(cell.source):
            lines |= {squeeze(line) for line in region}
            texts |= set(re.findall(r'"([^"\n]{25,})"', "\n".join(region)))
    telling = {line for line in lines if len(re.sub(r"\W", "", line)) >= 5}
    return {line for line in telling if line not in shown}, {squeeze(text) for text in texts if text not in shown}


def squeeze(text: str) -> str:
    return " ".join(text.split())


def leaks(shown_lines: list[str], lines: set[str], texts: set[str]) -> list[str]:
    """What of a solution stands in some text: a line of its own, or a long piece anywhere in it."""
    whole = {squeeze(line) for line in shown_lines}
    running = squeeze(" ".join(shown_lines))
    return sorted(lines & whole | {text for text in lines | texts if len(text) >= 25 and text in running})


class Page(HTMLParser):
    """What a page links to, what it fetches, which anchors it has, and its text."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.links, self.fetched, self.anchors, self.text, self.open = set(), set(), set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = {key: value or "" for key, value in attributes}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if tag != "a" and "src" in given:
            self.fetched.add(given["src"])
        if tag == "link" and "href" in given and given.get("rel") not in POINTERS:
            self.fetched.add(given["href"])
        if tag in ("script", "style"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag in ("p", "div", "li", "br", "h1", "h2", "h3", "td", "pre", "dd", "dt"):
            self.text.append("\n")

    def handle_data(self, data):
        if not self.open:
            self.text.append(data)


def check_site(out: Path, hidden: dict[str, tuple[set[str], set[str]]]) -> tuple[list[str], list[str]]:
    """(problems, external links): every internal link and anchor must be there, nothing may be fetched from elsewhere,
    no solution may show.

    `hidden` is secrets_of each lab: its own page may show none of it, and the pages that are no lab's none of any lab
    (two labs may share a line that one of them gives)."""
    everything = tuple(set().union(*(each[k] for each in hidden.values())) for k in (0, 1))
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(out.rglob("*.html"))}
    problems, external = [], set()
    for path, page in pages.items():
        name = path.relative_to(out.resolve())
        for target in page.links | page.fetched:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto") or parts.netloc:
                external.add(target)
                if target in page.fetched:
                    problems.append(f"{name} fetches {target}: the site must need no network")
            elif parts.scheme not in ("data", "javascript"):
                problems += broken(path, name, target, pages)
        shown = "".join(page.text).splitlines()
        problems += [f"{name} shows a solution: {leak!r}" for leak in leaks(shown, *hidden.get(name.stem, everything))]
        if name.parts[0] == "labs" and re.search(r"\$\$|\\frac|\\text\{|\\sum", "\n".join(shown)):
            problems.append(f"{name} shows raw LaTeX")
    return problems, sorted(external)


def broken(path: Path, name: Path, target: str, pages: dict[Path, Page]) -> list[str]:
    """What is wrong with the link to `target` within the site, on the page at `path`: one line or none."""
    parts = urlsplit(target)
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    there = there / "index.html" if there.is_dir() else there
    if not there.exists():
        return [f"{name} links to {target}, which is not there"]
    if parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
        return [f"{name} links to {target}: no such place on that page"]
    return []
