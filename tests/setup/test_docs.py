"""What the pages in Markdown say of the repository is so: links, settings, commands, files; and README is one that
opens.
"""

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from course_lib import cli
from course_lib.bench.bench import BENCHES

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/*.md", "docs/results/*.md", "labs/*.md", "datasets/**/*.md")
    for path in ROOT.glob(pattern)
)
SETTING = r"\bCOURSE_[A-Z]+(?:_[A-Z]+)*\b"


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def places(markdown):
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if re.match(r"\w+:", target):
            continue
        path, _, place = target.partition("#")
        there = (ROOT / page).parent / unquote(path) if path else ROOT / page
        assert there.exists(), f"{page} links to {target}"
        assert not place or place in places(there.read_text(encoding="utf-8")), f"{page} links to {target}"


def test_readme_opens():
    readme = text_of("README.md")
    assert len(readme.split()) <= 1_200 and len(re.findall(r"^\|", readme, re.M)) <= 25
    opening = readme.partition("\n## ")[0]
    assert opening.count("![") == 1 and re.findall(r"^make \w+", opening, re.M) == ["make lab", "make tour"]
    assert readme.split("\n## ")[1].startswith("Labs\n")


def test_the_minutes_of_cards_and_readme_are_those_that_were_measured():
    measured = json.loads(text_of("docs/results/minutes-laptop.json"))["minutes"]
    assert sorted(measured) == sorted(path.stem for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py"))
    for lab, minutes in measured.items():
        card = r"\*\*About (\d+) minutes.*?Your computer works alone for (about|less than) (\d+) of these minutes"
        whole, about, waiting = re.search(card, text_of(f"solutions/{lab}.py")).groups()
        assert abs(int(waiting) - minutes) <= 0.75 if about == "about" else minutes < int(waiting), lab
        said = whole if about == "less than" else f"{whole}, of them {waiting} compute"
        assert re.search(rf"labs/{lab}\.ipynb\) \|.*?\| {said} \|", text_of("README.md")), lab


def test_every_page_of_docs_is_found_from_readme():
    assert {str(page) for page in PAGES if page.parts[0] == "docs"} <= set(
        re.findall(r"\]\((docs/[^)#]+)\)", text_of("README.md"))
    )


def test_the_table_of_settings_names_those_that_the_code_reads():
    listed = re.findall(rf"^\| ({SETTING}) \|", text_of("docs/settings.md"), re.M)
    code = [*(ROOT / "course_lib").rglob("*.py"), *(ROOT / "scripts").iterdir(), ROOT / "Makefile"]
    read = {name for path in code if path.is_file() for name in re.findall(SETTING, path.read_text(encoding="utf-8"))}
    assert len(listed) == len(set(listed)) and set(listed) == read


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_settings_and_commands_that_a_page_names_are_there(page):
    text = text_of(page)
    assert set(re.findall(SETTING, text)) <= set(re.findall(SETTING, text_of("docs/settings.md")))
    verbs = re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M)
    assert set(re.findall(r"(?:`|^)(?:\w+=\S+ )*make ([a-z-]+)", text, re.M)) <= set(verbs)
    for command, rest in re.findall(r"(?:`|^)(?:\.venv/bin/)?course ([a-z][\w-]*)((?: [^`\n]*)?)", text, re.M):
        assert command in cli.COMMANDS, f"{page}: course {command}"
        bench = re.match(r" ([a-z]+)", rest)
        assert command != "bench" or not bench or bench[1] in BENCHES, f"{page}: course bench{rest}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_that_a_page_names_are_there(page):
    named = re.findall(r"`((?:course_lib|tests|scripts|docs|labs|solutions|docker)/[\w./-]+)`", text_of(page))
    assert [name for name in named if not re.search("NN", name) and not (ROOT / name).exists() and not made(name)] == []


def made(name):
    """What a student's or a tool's work makes."""
    return name.startswith(("labs/work", "labs/submissions", "labs/smollm2"))


def test_the_house_of_readme_is_the_one_that_stands():
    rooms = re.findall(r"^(\w+)/ +[A-Z]+ +(.*)$", text_of("README.md"), re.M)
    house = ROOT / "course_lib" / "grading"
    assert {room for room, _ in rooms} == {path.parent.name for path in house.glob("*/__init__.py")}
    assert [
        f"{room}/{name}"
        for room, words in rooms
        for name in re.findall(r"[\w/]+\.py", words)
        if not (house / room / name).is_file()
    ] == []


def test_the_layers_of_contributing_are_those_that_lint_holds():
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    for page in ("CONTRIBUTING.md", "AGENTS.md"):
        said = re.sub(r"\s+", " ", text_of(page))
        for layers in (contract["layers"] for contract in contracts if "layers" in contract):
            assert " > ".join(layers).replace("course_lib.", "") in said, page


def test_a_tutor_has_one_text():
    assert text_of("labs/CLAUDE.md") == text_of("labs/AGENTS.md")


def test_contributors_rules_fit_a_screen():
    assert len(text_of("AGENTS.md").splitlines()) <= 30 and len(text_of("CONTRIBUTING.md").splitlines()) <= 60
