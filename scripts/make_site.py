"""`make site`: the course as pages in build/site, from the executed solution notebooks without their solutions. No
network is needed, to build or to read.

    python scripts/make_site.py [--out FOLDER]       one line a problem, exit 1 if there is any: a broken link,
                                                     something fetched from elsewhere, a solution that shows

Pages: start with the lab cards (from README), the labs, results, every page of docs/, glossary (docs/site/glossary.md),
the instructors' and authors' guides, and the library's docstrings.
"""

import argparse
import ast
import os
import re
import shutil
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from course_lib.authoring.source import as_student, kind_of, regions  # noqa: E402
from course_lib.platform import COURSE_REF, COURSE_REPO  # noqa: E402

GITHUB = f"https://github.com/{COURSE_REPO}/blob/{COURSE_REF}"
COLAB = f"https://colab.research.google.com/github/{COURSE_REPO}/blob/{COURSE_REF}"
GUIDES = [path.stem for path in sorted((ROOT / "docs").glob("*.md"))]
PAGES = {  # file of the repository: its page here
    "README.md": "index.md",
    "docs/results/README.md": "results.md",
    **{f"docs/{guide}.md": f"{guide}.md" for guide in GUIDES},
    "INSTRUCTORS.md": "instructors.md",
    "CONTRIBUTING.md": "contributing.md",
}
PACKAGES = {  # a page each; the labs' questions are left out, for their docstrings speak of answers
    "Notebook": ["platform.py", "notebook/*.py", "questions/core.py"],
    "Stages": ["stages/*.py"],
    "Evaluation": ["evaluation/*.py"],
    "Widgets": ["widgets/*.py"],
    "World": ["world/*.py"],
    "Grading": ["grading/*/*.py"],
    "Authoring and benches": ["authoring/*.py", "bench/*.py", "tour/*.py", "train.py"],
}


# --- what must not show ---------------------------------------------------------------------------------------------


def secrets_of(notebook) -> tuple[set[str], set[str]]:
    """(lines, texts) of the solutions that students must not see: whole lines of code or prose, and long strings in the
    code; blanks made one.

    What the student edition says itself, a hint for one, is no secret."""
    lines, texts, shown = (
        set(),
        set(),
        squeeze("\n".join(as_student(cell.source, kind_of(cell)[0]) for cell in notebook.cells)),
    )
    for cell in notebook.cells:
        for region in regions(cell.source):
            lines |= {squeeze(line) for line in region}
            texts |= {text for text in re.findall(r'"([^"\n]{25,})"', "\n".join(region)) if text not in shown}
    return {line for line in lines if len(re.sub(r"\W", "", line)) >= 5 and line not in shown}, {
        squeeze(text) for text in texts
    }


def squeeze(text: str) -> str:
    return " ".join(text.split())


def leaks(shown_lines: list[str], lines: set[str], texts: set[str]) -> list[str]:
    """What of a solution stands in some text: a line of its own, or a long piece anywhere in it."""
    whole = {squeeze(line) for line in shown_lines}
    running = squeeze(" ".join(shown_lines))
    return sorted(lines & whole | {text for text in lines | texts if len(text) >= 25 and text in running})


# --- the pages ------------------------------------------------------------------------------------------------------


def lab_page(notebook, lab: str):
    """The executed solution notebook as everybody may read it: stubs in place of solutions, no output that tells one,
    links in place of the badge.
    """
    lines, texts = secrets_of(notebook)
    cells = []
    for number, cell in enumerate(notebook.cells):
        kind, _ = kind_of(cell)
        source = as_student(cell.source, kind)
        if number == 0:
            title, _, rest = source.partition("\n\n")
            links = f"[Open in Colab]({COLAB}/labs/{lab}.ipynb) · [the notebook]({GITHUB}/labs/{lab}.ipynb)"
            source = (
                f"{title}\n\n{links} · solutions are left out here; write your own in the "
                f"notebook\n{rest.partition(chr(10))[2]}"
            )
        if cell.cell_type == "markdown":
            cells.append(
                nbformat.v4.new_markdown_cell(
                    source.replace("YOUR ANSWER HERE", "*Your answer goes here, in the notebook.*"), id=cell.id
                )
            )
            continue
        page = nbformat.v4.new_code_cell(
            source,
            id=cell.id,
            execution_count=cell.execution_count,
            metadata={"tags": ["hide-input"]} if kind == "setup" else {},
        )
        page.outputs = [output for output in cell.outputs if not leaks(text_of(output).splitlines(), lines, texts)]
        cells.append(page)
    made = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": notebook.metadata.kernelspec,
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        },
    )
    made.nbformat_minor = 5
    return made


def text_of(output) -> str:
    """The words of an output, plain ones where there are some."""
    data = output.get("data", {})
    return output.get("text") or data.get("text/plain") or re.sub(r"<[^>]+>", " ", data.get("text/html", ""))


def relinked(markdown: str, file: str = "README.md") -> str:
    """The links in `file` of the repository lead to a page here if there is one, else to GitHub; pictures to
    build/site's own copies."""

    def to(found):
        picture, words, target = found[1], found[2], found[3]
        if re.match(r"\w+:|#", target):
            return found[0]
        path, hash_, place = target.partition("#")
        path = os.path.normpath(Path(file).parent / path)
        if picture:
            return f"![{words}]({Path(path).name})"
        here = path if re.fullmatch(r"labs/\w+\.ipynb", path) else PAGES.get(path) or f"{GITHUB}/{path}"
        return f"[{words}]({here}{hash_}{place})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", to, markdown)


def page_of(file: str) -> str:
    """A file of the repository as a page of the site."""
    return relinked((ROOT / file).read_text(encoding="utf-8"), file)


def lab_rows(readme: str) -> list[dict]:
    """README's table of labs: {"number", "lab", "title", "minutes", "points", "see"}."""
    pattern = r"^\| (\d\d) \| \[([^\]]+)\]\(labs/(\w+)\.ipynb\) \|[^|]*\| ([^|]+) \| (\d+) \| ([^|]+) \|$"
    return [
        dict(zip(("number", "title", "lab", "minutes", "points", "see"), map(str.strip, row)))
        for row in re.findall(pattern, readme, re.M)
    ]


def objectives(notebook) -> list[str]:
    """What one can do after a lab, from its list."""
    text = next(cell.source for cell in notebook.cells if "After this lab you can" in cell.source)
    return [line.strip("> -") for line in text.splitlines() if line.startswith("> - ")]


def glossary(markdown: str, rows: list[dict]) -> str:
    """The glossary with its lab numbers made into links."""
    page = {row["number"]: f"[{row['number']}](labs/{row['lab']}.ipynb)" for row in rows}
    return re.sub(
        r"\((\d\d(?:, \d\d)*)\)$",
        lambda found: f"({', '.join(page[number] for number in found[1].split(', '))})",
        markdown,
        flags=re.M,
    )


def index_page(readme: str, rows: list[dict]) -> str:
    """README down to its labs, with the larger picture, the labs as cards, and the contents."""
    words = "The map of the course, a training curve, the red-team console, a check card, a heat map of tokens"
    opening = re.sub(r"!\[.*\]\(.*\)", f"![{words}](docs/course.png)", readme.partition("\n## Labs\n")[0])
    cards = "\n".join(
        f"""\
:::{{grid-item-card}} {row["number"]} · {row["title"]}
:link: labs/{row["lab"]}
:link-type: doc
:class-card: lab-card

{row["minutes"].replace(",", " min,", 1) if "," in row["minutes"] else row["minutes"] + " min"} · {row["points"]} points

{row["see"][0].upper() + row["see"][1:]}
:::
"""
        for row in rows
    )
    listed = "\n".join(f"labs/{row['lab']}" for row in rows)
    guides = "\n".join(GUIDES)
    return f"""{relinked(opening).strip()}

## The labs

Each card: minutes on two cores, points of 100, and the number you should see at the end.

::::{{grid}} 1 1 2 2
:gutter: 2

{cards}
::::

```{{toctree}}
:hidden:
:caption: Labs

{listed}
```

```{{toctree}}
:hidden:
:caption: About

results
{guides}
glossary
instructors
contributing
api/index
```
"""


def lab_cards_page(rows: list[dict], notebooks: dict) -> str:
    """What each lab teaches, in its own words."""
    return "\n\n".join(
        f"### [{row['number']} {row['title']}](labs/{row['lab']}.ipynb)\n\n"
        + "\n".join(f"- {line}" for line in objectives(notebooks[row["lab"]]))
        for row in rows
    )


# --- the library's docstrings ---------------------------------------------------------------------------------------


def prose(docstring: str) -> str:
    """A docstring as Markdown: paragraphs stay, indented blocks are code, nothing in it is markup but `backticks`."""
    made = []
    if not docstring.strip():
        return ""
    for block in re.split(r"\n\s*\n", docstring.strip()):
        lines = block.splitlines()
        if all(line.startswith("    ") for line in lines):
            made.append("```text\n" + "\n".join(line[4:] for line in lines) + "\n```")
            continue
        spoken = [
            re.sub(r"(`[^`]*`)|([\\*_\[\]<>$|{}#~^])", lambda m: m[1] or "\\" + m[2], line.strip()) for line in lines
        ]
        spoken = [re.sub(r"^(\d+)([.)]) ", r"\1\\\2 ", re.sub(r"^([-+=:]+)", r"\\\1", line)) for line in spoken]
        breaks = [bool(re.match(r"\s|[A-Z]\w*:|\W*[-·] ", after)) for after in lines[1:]] + [
            False
        ]  # a list or a label begins a line of its own
        made.append("\n".join(line + ("\\" if stop else "") for line, stop in zip(spoken, breaks)))
    return "\n\n".join(made)


def signature(node) -> str:
    if isinstance(node, ast.ClassDef):
        return node.name
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returned}"


def module_page(path: Path) -> str:
    """The public functions and classes of a module that have a docstring, as Sphinx's Python domain knows them. "" if
    there is nothing to say.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    said = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and ast.get_docstring(node)
    ]
    intro = prose(ast.get_docstring(tree) or "")
    if not intro and not said:
        return ""
    parts = [f"## {name}", f"````{{py:module}} {name}\n````", intro]
    for node in said:
        kind = "class" if isinstance(node, ast.ClassDef) else "function"
        parts.append(f"`````{{py:{kind}}} {signature(node)}\n\n{prose(ast.get_docstring(node))}\n`````")
    return "\n\n".join(parts)


def api_pages() -> dict[str, str]:
    """{file name: Markdown}"""
    pages = {}
    for title, patterns in PACKAGES.items():
        paths = sorted(path for pattern in patterns for path in (ROOT / "course_lib").glob(pattern))
        pages[f"{title.split()[0].lower()}.md"] = (
            f"# {title}\n\n" + "\n\n".join(filter(None, map(module_page, paths))) + "\n"
        )
    listed = "\n".join(name.removesuffix(".md") for name in pages)
    pages["index.md"] = f"""# The library

What `course_lib` offers, from its docstrings. The axes of tensors have [letters](../contributing.md): `B` batch,
`T` tokens, `V` vocabulary, `D` width, and so on.
A notebook needs five names of it: `setup`, `check`, `submit`, `load_stage`, `save_stage`.

```{{toctree}}
{listed}
```
"""
    return pages


# --- looking at what was built --------------------------------------------------------------------------------------


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
        self.fetched |= {given["src"]} if "src" in given and tag != "a" else set()
        self.fetched |= (
            {given["href"]}
            if tag == "link"
            and "href" in given
            and given.get("rel") not in ("canonical", "index", "search", "next", "prev", "author", "copyright")
            else set()
        )
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
                continue
            if parts.scheme in ("data", "javascript"):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            if not there.exists():
                problems.append(f"{name} links to {target}, which is not there")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].anchors:
                problems.append(f"{name} links to {target}: no such place on that page")
        shown = "".join(page.text).splitlines()
        problems += [f"{name} shows a solution: {leak!r}" for leak in leaks(shown, *hidden.get(name.stem, everything))]
        if name.parts[0] == "labs" and re.search(r"\$\$|\\frac|\\text\{|\\sum", "\n".join(shown)):
            problems.append(f"{name} shows raw LaTeX")
    return problems, sorted(external)


def write_pages(folder: Path) -> dict[str, tuple[set[str], set[str]]]:
    """All sources of the site into `folder`; returns {lab: what of its solutions must not show}."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "labs").mkdir(parents=True)
    (folder / "api").mkdir()
    for path in (ROOT / "docs" / "site").iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    for path in (ROOT / "docs").glob("*.png"):
        shutil.copy(path, folder)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = lab_rows(readme)
    notebooks = {row["lab"]: nbformat.read(ROOT / "solutions" / f"{row['lab']}.ipynb", as_version=4) for row in rows}
    for lab, notebook in notebooks.items():
        nbformat.write(lab_page(notebook, lab), folder / "labs" / f"{lab}.ipynb")
    texts_of = {page: page_of(file) for file, page in PAGES.items()} | {
        "index.md": index_page(readme, rows),
        "glossary.md": glossary((folder / "glossary.md").read_text(encoding="utf-8"), rows),
        **{f"api/{name}": text for name, text in api_pages().items()},
    }
    texts_of["results.md"] += f"\n## After each lab you can\n\n{lab_cards_page(rows, notebooks)}\n"
    for name, text in texts_of.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {lab: secrets_of(notebook) for lab, notebook in notebooks.items()}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(prog="make site", description="Build the course as pages")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "site", help="folder of the pages (default: build/site)"
    )
    out, started = parser.parse_args(argv).out.resolve(), time.perf_counter()
    source = out.with_name(out.name + "-source")
    hidden = write_pages(source)
    os.environ.setdefault("MPLBACKEND", "agg")
    from sphinx.cmd.build import build_main

    shutil.rmtree(out, ignore_errors=True)
    if build_main(
        [
            "-q",
            "-W",
            "--keep-going",
            "-j",
            "2",
            "-d",
            str(out.with_name(out.name + "-cache")),
            "-b",
            "html",
            str(source),
            str(out),
        ]
    ):
        print("make site: Sphinx found something wrong, see above", file=sys.stderr)
        return 1
    problems, external = check_site(out, hidden)
    out.with_name(out.name + "-links.txt").write_text("\n".join(external) + "\n", encoding="utf-8")
    print(
        "\n".join(problems)
        or f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages in {time.perf_counter() - started:.0f} s, no "
        "broken link, "
        f"no solution shows; {len(external)} links lead outside (listed in {out.name}-links.txt, not tried)"
    )
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
