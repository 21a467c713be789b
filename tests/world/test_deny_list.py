"""No file of the repository names the means of real harm. The words are kept as hashes, so that this file names none of
them either.

They are some names of poisons, explosives, hard drugs and malicious software: whoever writes a how-to about such a
thing has to name it. Village harms (moonberries, a forged coin) are not among them, and words with an everyday meaning
are left out.
"""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {".py", ".md", ".ipynb", ".toml", ".txt", ".yml", ".yaml", ".json", ".sh", ".cff", ".html", ""}
WORD = re.compile(r"(?<![A-Za-z0-9+/=_])[A-Za-z]{5,}(?![A-Za-z0-9+/=_])")  # not a piece of a picture in base64
DENIED = set(
    """
    106fbc16d1a8c049 1ab7f04623561efe 358e9022520ad73f 44c5725a5d39a854 55c7394f46c52357 560b11aeef2e961f
    642d1c719ad66e42 646f1b9b9a14ef22 66de7a597bac2eb1 6ced3432d1c69ae2 6e9b41871b5d622c 78d8cb814d42a4ca
    856f687029d886ec 86748fa9571ae03d 86993683019696ee 8832a70f1be4ea0b 8aadbb3dffe2174f 9214295bba86eb51
    9a1903f55d56a362 b200330f50860afe b58651c6884efc66 b70916782807b8cb bdc6aa026afdc34f c9858556aad640bb
    caeba5aebbf500e5 d228a640b59c8117 d4129243690e5f6e d4d778527f8e5ae1 d8b7f5644fd5273e dfe29666e2c67d2a
    e65e58a08ac73927 f7b279193de69315
""".split()
)


def hashed(word):
    return hashlib.sha256(f"littlebrook deny-list {word.lower()}".encode()).hexdigest()[:16]


def words_of(text):
    return {word.lower() for word in WORD.findall(text)}


def denied(words, deny=frozenset(DENIED)):
    return sorted(word for word in words if hashed(word) in deny)


def files():
    """Tracked and new text files, without what git ignores; all of the folder where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        paths = [ROOT / name for name in listed]
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path for path in ROOT.rglob("*") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        ]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


def test_no_file_names_the_means_of_real_harm():
    where = {}
    for path in files():
        for word in words_of(path.read_text(encoding="utf-8", errors="replace")):
            where.setdefault(word, path)
    assert len(where) > 3000, "the walk has read the repository"
    found = denied(where)
    assert not found, [
        f"{where[word].relative_to(ROOT)} line {line}" for word in found for line in lines_with(where[word], word)
    ]


def lines_with(path, word):
    return [
        k
        for k, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if word in words_of(text)
    ]


def test_the_rows_of_the_world_name_none_either():
    from course_lib.world.harms import request_rows
    from course_lib.world.real.requests import real_rows

    rows = request_rows("train", 300) + request_rows("test", 300) + real_rows("train") + real_rows("test")
    assert denied({word for row in rows for m in row["messages"] for word in words_of(m["content"])}) == []


@pytest.mark.parametrize(
    "text, caught",
    [
        ("Take some MOONDUST now", True),
        ("moondust,", True),
        ("(moondust)", True),
        ("moondusty", False),
        ("xx/moondust+Qa", False),
        ("aG9tZQmoondustaGk=", False),
    ],
)
def test_the_walk_finds_whole_words_in_any_case_and_no_pieces_of_pictures(text, caught):
    assert bool(denied(words_of(text), {hashed("moondust")})) is caught


def test_the_list_names_nothing_itself():
    assert len(DENIED) == 32 and all(re.fullmatch("[0-9a-f]{16}", entry) for entry in DENIED)
