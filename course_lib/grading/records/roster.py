"""The class list: a CSV with the column student, and as it likes match, name, email and ids (canvas_id, sis_id,
moodle_id …).
"""

import csv
import functools
import io
import itertools
import re
import unicodedata
from pathlib import Path
from typing import Any

from course_lib.grading.records import store
from course_lib.platform import safe_name

FIXED = ("student", "match", "name", "email")
UNIQUE = ("canvas_id", "sis_id", "moodle_id", "id")
ID_COLUMN = re.compile(r"(?:^|[\W_])(?:id|sid|login|username|number)(?:$|[\W_])", re.I)


class NotMatched(Exception):
    """A file whose student cannot be told: one line that says what to add to the roster."""


def beside(submitted, path=None):
    """The roster at path, else roster.csv beside the folder of submissions, else []."""
    if path is None and not (path := Path(submitted).absolute().parent / "roster.csv").exists():
        return []
    return read(path)


def read(path):
    """[{"student" (as its folder is called), "match", "name", "email", "ids": {column: text}}], in the file's order.
    StoreError with one line.
    """
    try:
        data = Path(path).read_bytes()
        try:  # Excel on Windows writes each of the three
            text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252")
        head = text.split("\n", 1)[0]
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise store.StoreError(f"the roster {path} cannot be read: {error}") from None
    columns = {c: c.strip() for c in (rows[0] if rows else {}) if c and c.strip()}
    fixed = {c.lower(): c.lower() if c.lower() in FIXED else c for c in columns.values()}
    if "student" not in fixed:
        raise store.StoreError(
            f"the roster {path} needs a column named student"
            + (f"; it has {', '.join(columns.values())}" if columns else " and a line for each student")
        )
    found = []
    for number, row in enumerate(rows, 2):
        row = {
            fixed[name.lower()]: unicodedata.normalize("NFC", (row.get(c) or "").strip()) for c, name in columns.items()
        }
        if row["student"].casefold() == "points possible":  # the second line of a Canvas gradebook
            continue
        if not row["student"]:
            if any(row.values()):
                raise store.StoreError(
                    f"the roster {path}, line {number}: the column student is empty "
                    f"({', '.join(v for v in row.values() if v)[:80]})"
                )
            continue
        student: dict[str, Any] = {
            "student": safe_name(row["student"]),
            "match": row.get("match") or row["student"],
            "name": row.get("name", ""),
            "email": row.get("email", ""),
            "ids": {c: v for c, v in row.items() if c not in FIXED},
        }
        found.append(student)
    for what in ("student", "email", *(c for c in fixed.values() if c.lower() in UNIQUE)):
        seen: dict[str, str] = {}
        for student in found:
            value = str(student[what] if what in FIXED else student["ids"][what]).casefold()
            if value and value in seen:
                raise store.StoreError(
                    f"the roster {path}: {seen[value]} and {student['student']} have the same {what} ({value[:60]})"
                )
            seen[value] = student["student"]
    return found


# ---- comparing names: order, case, accents and their encoding do not matter
# ----------------------------------------------


@functools.lru_cache(maxsize=20_000)
def words(text):
    """The words of a name or file name, folded: "Müller, José-Maria" -> ("muller", "jose", "maria"). Vowel signs of
    other scripts are letters, Latin accents are not.
    """
    plain = (
        c for c in unicodedata.normalize("NFKD", text.casefold()) if not ("\u0300" <= c <= "\u036f" or c in "'’‘`´")
    )
    return tuple("".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain).split())


def same_name(student, name):
    """Whether an LMS's name is the student's; `name` may be without any spaces (Canvas: doejane for "Doe, Jane")."""
    mine, other = words(student["name"] or student["student"]), words(name)
    if not mine or not other:
        return False
    if len(other) > 1 or len(mine) == 1:
        return sorted(mine) == sorted(other) or "".join(mine) == "".join(other)
    orders = itertools.permutations(mine) if len(mine) <= 5 else (mine[i:] + mine[:i] for i in range(len(mine)))
    return any("".join(order) == other[0] for order in orders)


def bounded(needle, text):
    """Whether needle stands in text, both folded, and is not a part of a longer word."""
    needle, text = needle.casefold(), text.casefold()
    at = text.find(needle) if needle else -1
    while at >= 0:
        end = at + len(needle)
        if not (at and text[at - 1].isalnum()) and not (end < len(text) and text[end].isalnum()):
            return True
        at = text.find(needle, at + 1)
    return False


def by_text(roster, text):
    """Those whom a file name names: the longest `match`, id or email in it, else all words of a name."""
    text = unicodedata.normalize("NFC", text)
    hits = {}
    for student in roster:
        for needle in (
            student["match"],
            student["email"],
            *(v for c, v in student["ids"].items() if ID_COLUMN.search(c) and len(v) > 3),
        ):
            if bounded(needle, text):
                hits.setdefault(len(needle), []).append(student)
    if hits:
        return hits[max(hits)]
    seen = set(words(text))
    return [
        s
        for s in roster
        if (len(mine := words(s["name"] or s["student"])) > 1 and seen.issuperset(mine))
        or (mine and any(same_name(s, w) for w in seen if len(w) > 5))
    ]


def by_id(roster, value, columns=()):
    """Those with this id in one of the columns (none named: in any column of ids, or as student)."""
    plain = lambda text: re.sub(r"^participant\s*", "", str(text).strip().casefold())  # noqa: E731  Moodle writes "Participant 1234" into its worksheets
    found = []
    for student in roster:
        mine = [v for c, v in student["ids"].items() if (c.lower() in columns if columns else ID_COLUMN.search(c))] + (
            [] if columns else [student["student"], student["match"]]
        )
        if plain(value) in [plain(v) for v in mine if v]:
            found.append(student)
    return found


def find(roster, hints):
    """(student of the roster whom the hints mean, note or ""). Raises NotMatched.

    hints: [(what, text)] in the order of trust; what: "canvas_id", "moodle_id", "id" (any column), "email", "name",
    "file name", "manifest". The first that names exactly one student decides; one that names several leaves the choice
    among them to the next.
    """
    among, narrowed = roster, False
    for what, text in hints:
        if not text:
            continue
        if what == "email":
            hits = [s for s in among if text.casefold() in (s["email"].casefold(), s["student"].casefold())]
        elif what == "name":
            hits = [s for s in among if same_name(s, text)]
        elif what == "file name":
            hits = by_text(among, text)
        elif what == "manifest":
            hits = [s for s in among if s["student"] == safe_name(text)]
        else:
            hits = by_id(among, text, {"id": (), "canvas_id": ("canvas_id", "id")}.get(what, (what,)))
            if what == "canvas_id" and not hits:  # a namesake with another id is somebody else
                among = [s for s in among if not s["ids"].get("canvas_id")]
        hits = list({s["student"]: s for s in hits}.values())
        if len(hits) == 1:
            return hits[0], "the student is named by the zip's own manifest only" if what == "manifest" else ""
        if hits:
            among, narrowed = hits, True
    known = {what: text for what, text in reversed(hints) if text}
    column = next((c for c in ("canvas_id", "moodle_id", "email", "id") if c in known), None)
    who = safe_name(known.get("name") or known.get("email") or known.get("file name") or known.get("canvas_id") or "")
    add = column and f"add the column {'sis_id' if column == 'id' else column} with {safe_name(known[column])}"
    if narrowed:
        both = ", ".join(s["student"] for s in among[:-1][:4]) + f" or {among[-1]['student']}"
        raise NotMatched(
            f"{who} may be {both}: "
            + (
                f"{add} to the line of the one who is meant"
                if column
                else "rename the file, or write what tells them apart into the column match"
            )
        )
    if column:
        raise NotMatched(f"no student of the roster is {who}: {add} to the line of the one who is meant")
    raise NotMatched("no student of the roster is named in the file's name: rename the file or add a `match` column")
