"""What an LMS's download says of each hand-in, by the names in it.

Canvas      submissions.zip: doejane_LATE_12345_67890_file.zip      name, user id, attachment id; LATE, but not how late
Moodle      Jane Doe_1234567_assignsubmission_file/file.zip         name, participant's number; a team's: its name and
            (flat: …_assignsubmission_file_file.zip)                number; without a number: all who are in no team
Gradescope  assignment_9_export/submission_123/… (unpacked)         submission_metadata.yml lists submitters and times
nbgrader    submitted/jane/02_pretraining/file.ipynb                student; timestamp.txt beside it
the hub     hub/02_pretraining/jane/0001/submission.zip             receipt.json beside it (inbox.py); never guessed
"""

import datetime
import json
import re
import zoneinfo
from urllib.parse import quote

from course_lib.grading.intake.containers import Rejected
from course_lib.grading.people import identity
from course_lib.grading.records import store
from course_lib.platform import safe_name

MAX_METADATA = 256 * 2**20
MAX_WORDS = 300  # characters of a name or an address
CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_|anon_)[^\s/]+?)_|(?=(?:LATE_)?anon_))(?:(?P<late>LATE)_)?(?P<id>\d+|anon_[^\W_]+)_"
    r"(?:(?P<attachment>\d+)_(?P<file>.+)|(?:text|link)\.html)",
    re.S,
)
MOODLE = re.compile(  # the first such part is Moodle's, the rest the student's
    r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<kind>[a-z]+)_?(?P<file>.*)", re.S
)
BLIND = re.compile(identity.PARTICIPANTS, re.I)
NBGRADER = re.compile(r"(?P<student>[^/]+)/(?P<lab>[^/]+)/(?P<file>.+)")
OTHERS = {  # downloads that are known and not read as they are
    "Blackboard": re.compile(r".+_attempt_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d(?:_.+|\.txt)", re.S),
    "Brightspace": re.compile(r"\d+-\d+ - .+ - .+/.+", re.S),
    "Sakai": re.compile(r"(?:[^/]+/)?[^/]+\([^()/]+\)/(?:Submission attachment\(s\)/.+|timestamp\.txt)", re.S),
}


def layout(names, lab):
    """("canvas" | "moodle" | "gradescope" | "nbgrader" | "files", length of the common folder that is in front of all
    names). An LMS's are most of the notebooks and zips, if not all.
    """
    tops = {n.split("/", 1)[0] for n in names}
    for cut in (0, len(next(iter(tops))) + 1) if len(tops) == 1 and all("/" in n for n in names) else (0,):
        short = [n[cut:] for n in names]
        if "submission_metadata.yml" in short:
            return "gradescope", cut
        work = [n for n in short if re.search(r"\.ipynb|\.zip$", n, re.I)] or short
        if most(MOODLE.fullmatch(n.split("/", 1)[0]) for n in work):
            return "moodle", cut
        if most("/" not in n and CANVAS.fullmatch(n) for n in work):
            return "canvas", cut
        labs = [found and found["lab"] for found in map(NBGRADER.fullmatch, work)]
        if all(labs) and lab in labs:
            return "nbgrader", cut
    return "files", 0


def most(found):
    found = list(found)
    return sum(map(bool, found)) > len(found) / 2


def canvas(entries, lab):
    made, groups = {}, {}
    matched = [(CANVAS.fullmatch(entry.name), entry) for entry in entries]
    for found, entry in sorted(matched, key=lambda m: int(m[0]["attachment"] or 0) if m[0] else 0):
        if found and not found["attachment"]:  # a text or a link that was handed in
            continue
        key = f"{found['name'] or ''}_{found['id']}".strip("_") if found else entry.name
        groups.setdefault(key, []).append(entry._replace(name=found["file"]) if found and not entry.bad else entry)
        if found:
            hints = [("canvas_id", found["id"]), ("name", found["name"]), ("file name", key)]
            made[key] = {
                "hints": hints,
                "ids": {"canvas_id": found["id"]},
                "name": found["name"] or "",
                "late": bool(found["late"]),
                "alone": key,
                "back": {"canvas": entry.name[: found.start("file")]},  # "doejane_12345_67890_"
            }
    return made, groups


def moodle(entries, lab):
    made, groups = {}, {}
    tops = [MOODLE.fullmatch(entry.name.partition("/")[0]) for entry in entries]
    called = {(found["name"], found["id"]) for found in tops if found and found["id"]}
    blind = len(called) > 1 and len({name for name, _ in called}) == 1  # the word in a language that is not in BLIND
    for found, entry in zip(tops, entries):
        top, _, rest = entry.name.partition("/")
        if found and found["kind"] != "file":  # onlinetext, comments
            continue
        key = " ".join(filter(None, (found["name"], found["id"]))) if found else top
        name = "/".join(filter(None, (found["file"], rest))) if found else entry.name
        groups.setdefault(key, []).append(entry._replace(name=name) if not entry.bad else entry)
        if found:
            name = "" if blind or BLIND.fullmatch(found["name"]) else found["name"]
            number = "moodle_number" if name else "moodle_id"
            made[key] = {
                "hints": [(number, found["id"]), ("name", name), ("file name", found["name"])],
                "ids": {"moodle_id": found["id"]} if found["id"] else {},
                "name": name,
                "alone": name or key,
                "back": {"moodle": f"{top[: found.end('kind')]}_/"} if found["id"] else {},
            }
    return made, groups


def nbgrader(entries, lab):
    made, groups = {}, {}
    for entry in entries:
        found = NBGRADER.fullmatch(entry.name)
        if not found or found["lab"] != lab:  # the hand-in of another lab
            continue
        student = found["student"]
        about = made.setdefault(student, {"hints": [("file name", student)], "alone": student, "received": None})
        if found["file"] == "timestamp.txt":
            about["received"] = moment(entry.read(200).decode("utf-8", "replace"))
        else:
            groups.setdefault(student, []).append(entry._replace(name=found["file"]) if not entry.bad else entry)
    return made, groups


def hub(entries, lab):
    """What `course serve-hub` has kept, of which receipt.json is the service's own."""
    made, groups = {}, {}
    attempts = {entry.name.rpartition("/")[0]: entry for entry in entries if entry.name.endswith("submission.zip")}
    for entry in entries:
        top, _, name = entry.name.rpartition("/")
        if name != "receipt.json" or top not in attempts or top.startswith("."):
            continue
        told = json.loads(entry.read(2**16))
        if told["lab"] == lab:
            user, key = told["user"], f"{told['user']} attempt {told['attempt']}"
            hints = [("login", user), ("email", user if "@" in user else ""), ("student", user)]
            alone = user if safe_name(user) == user else quote(user)  # o'brien and o_brien are two
            made[key] = {"hints": hints, "ids": {"login": user}, "alone": alone, "received": told["received"]}
            groups[key] = [attempts[top]]
    return made, groups


def gradescope(entries, lab):
    metadata = next((e for e in entries if e.name == "submission_metadata.yml"), None)
    if metadata is None:
        raise Rejected("there is no submission_metadata.yml: export the submissions from Gradescope again")
    told, made, groups = read_metadata(metadata), {}, {}
    for entry in entries:
        top, _, rest = entry.name.partition("/")
        if rest:
            groups.setdefault(top, []).append(entry._replace(name=rest) if not entry.bad else entry)
        elif re.search(r"\.ipynb|\.zip$", top, re.I):  # loose, so nobody's: a line says so
            groups.setdefault(top, []).append(entry)
    for top in groups:
        about = told.get(top, {})
        people = about.get(":submitters")
        people = [p for p in people if isinstance(p, dict)] if isinstance(people, list) else []
        everybody = [submitter({words(k).lstrip(":"): words(v).strip() for k, v in p.items()}, top) for p in people]
        if everybody:
            made[top] = everybody[0] | {"received": moment(about.get(":created_at")), "others": everybody[1:]}
    return made, groups


def words(value):
    """A scalar of the metadata as text. A list may hold itself, or a thousand times another one."""
    return str(value or "")[:MAX_WORDS] if isinstance(value, (str, int, float, bool)) else ""


def submitter(person, top):
    """What Gradescope says of one who has submitted: {"name", "email", "sid"}."""
    email, name, sid = (person.get(key, "") for key in ("email", "name", "sid"))
    return {
        "hints": [
            ("email", email),
            ("id", sid),
            ("name", name),
            ("file name", " ".join(filter(None, (email, name, sid)))),
        ],
        "ids": {"sis_id": sid} if sid else {},
        "name": name,
        "email": email,
        "alone": email or name or sid or top,
    }


READERS = {"canvas": canvas, "moodle": moodle, "gradescope": gradescope, "nbgrader": nbgrader, "hub": hub}


def read_metadata(entry):
    """submission_metadata.yml as a dict. Ruby's own tags are read as what they hold."""
    try:
        import yaml
    except ImportError:
        raise store.StoreError("a Gradescope export needs pyyaml: pip install 'littlebrook-course[grade]'") from None

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        def flatten_mapping(self, node):
            """Nothing is merged with <<: a few lines of it can stand for more keys than there is memory."""

    def plain(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        return loader.construct_sequence(node, deep=True)

    Loader.add_multi_constructor("", plain)
    data = entry.read(MAX_METADATA + 1)
    try:
        told = yaml.load(data, Loader=Loader) if len(data) <= MAX_METADATA else None
    except Exception as error:  # PyYAML's own, and AttributeError, KeyError … for what is no time, no number
        words = " ".join(str(error).split())[:80]
        raise Rejected(f"submission_metadata.yml is damaged ({words}): export again") from None
    if not isinstance(told, dict):
        raise Rejected("submission_metadata.yml is empty or too long: export again")
    return {str(k): v for k, v in told.items() if isinstance(v, dict)}


def moment(value):
    """Epoch seconds of a time in an LMS's file (UTC where it names no zone), or None."""
    if isinstance(value, dict):  # a Ruby object of a time with its zone
        value = value.get("utc")
    if isinstance(value, str):
        text, _, zone = value.strip().partition(" UTC")
        if not zone and (named := re.fullmatch(r"(.+) ([A-Z]\w+/[\w/+-]+)", value.strip())):
            text, zone = named[1], named[2]
        try:
            value = datetime.datetime.fromisoformat(text)
            if value.tzinfo is None and zone:
                value = value.replace(tzinfo=zoneinfo.ZoneInfo(zone))
        except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
            return None
    if not isinstance(value, datetime.datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=datetime.UTC)).timestamp()
