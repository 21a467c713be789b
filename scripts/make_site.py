"""`make site`: the course as pages in build/site, from the executed solution notebooks without their solutions. No
network is needed, to build or to read, but once by npm for the libraries of try.html.

    python scripts/make_site.py [--out FOLDER]       one line a problem, exit 1 if there is any: a broken link,
                                                     something fetched from elsewhere, a solution that shows

Pages: start with the lab cards (from README), the labs, results, every page of docs/ (try.html with the models
themselves, see site_try.py), glossary (docs/site/glossary.md), the instructors' and authors' guides, and the library's
docstrings.
"""

import argparse
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from site_check import check_site, leaks, secrets_of  # noqa: E402
from site_library import api_pages  # noqa: E402
from site_try import libraries, with_models, write_files  # noqa: E402

from course_lib.authoring.source import as_student, kind_of  # noqa: E402
from course_lib.platform import COURSE_REF, COURSE_REPO, OPTIONAL  # noqa: E402

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
            source = with_links(source, lab)
        if cell.cell_type == "markdown":
            source = source.replace("YOUR ANSWER HERE", "*Your answer goes here, in the notebook.*")
            cells.append(nbformat.v4.new_markdown_cell(source, id=cell.id))
            continue
        tags = {"tags": ["hide-input"]} if kind == "setup" else {}
        page = nbformat.v4.new_code_cell(source, id=cell.id, execution_count=cell.execution_count, metadata=tags)
        page.outputs = [output for output in cell.outputs if not leaks(text_of(output).splitlines(), lines, texts)]
        cells.append(page)
    language = {"name": "python", "pygments_lexer": "ipython3"}
    made = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": notebook.metadata.kernelspec, "language_info": language}
    )
    made.nbformat_minor = 5
    return made


def with_links(opening: str, lab: str) -> str:
    """A lab's first cell with links where its badge was."""
    title, _, rest = opening.partition("\n\n")
    links = f"[Open in Colab]({COLAB}/labs/{lab}.ipynb) · [the notebook]({GITHUB}/labs/{lab}.ipynb)"
    after = rest.partition("\n")[2]
    return f"{title}\n\n{links} · solutions are left out here; write your own in the notebook\n{after}"


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
    """A file of the repository as a page of the site, without what is for instructors alone: what the sandbox cannot
    stop.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    return relinked(re.sub(r"<!-- not on the site -->.*?<!-- to here -->\n", "", text, flags=re.S), file)


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


def points_of(row: dict) -> str:
    return f"{row['points']} points" + " beside the 100" * (row["lab"] in OPTIONAL)


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

{row["minutes"].replace(",", " min,", 1) if "," in row["minutes"] else row["minutes"] + " min"} · {points_of(row)}

{row["see"][0].upper() + row["see"][1:]}
:::
"""
        for row in rows
    )
    listed = "\n".join(f"labs/{row['lab']}" for row in rows)
    guides = "\n".join(guide for guide in GUIDES if guide != "try")
    return f"""{relinked(opening).strip()}

## The labs

Each card: minutes on two cores, points of 100, and the number you should see at the end.

::::{{grid}} 1 1 2 2
:gutter: 2

{cards}
::::

```{{toctree}}
:hidden:

try
```

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


def write_pages(folder: Path, models: bool = True) -> dict[str, tuple[set[str], set[str]]]:
    """All sources of the site into `folder`, try.html with its `models` or without; returns {lab: what of its solutions
    must not show}.
    """
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
    if models:
        texts_of["try.md"] = with_models(texts_of["try.md"])
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
    packages = ROOT / "build" / "npm"
    missing = libraries(packages)
    if missing:
        print(f"make site: try.html is without its models: {missing}", file=sys.stderr)
    hidden = write_pages(source, not missing)
    os.environ.setdefault("MPLBACKEND", "agg")
    from sphinx.cmd.build import build_main

    shutil.rmtree(out, ignore_errors=True)
    cache = out.with_name(out.name + "-cache")
    if build_main(["-q", "-W", "--keep-going", "-j", "2", "-d", str(cache), "-b", "html", str(source), str(out)]):
        print("make site: Sphinx found something wrong, see above", file=sys.stderr)
        return 1
    if not missing:
        write_files(out, packages)
    problems, external = check_site(out, hidden)
    out.with_name(out.name + "-links.txt").write_text("\n".join(external) + "\n", encoding="utf-8")
    print("\n".join(problems) or summary(out, time.perf_counter() - started, len(external)))
    return int(bool(problems))


def summary(out: Path, seconds: float, external: int) -> str:
    return (
        f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages in {seconds:.0f} s, no broken link, no solution "
        f"shows; {external} links lead outside (listed in {out.name}-links.txt, not tried)"
    )


if __name__ == "__main__":
    sys.exit(main())
