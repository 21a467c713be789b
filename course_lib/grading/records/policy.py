"""The rules of a term: one YAML file, course.yaml, and of it the late policy as one pure function.

    title: Training language models  # of the gradebook
    term: winter 2026
    drop_lowest: 1                   # labs that a student's total leaves out: those without which it is best
    extensions: {ann: 3}             # days, for every lab with a deadline
    late_days: 5                     # a student's free days of the whole term (free_days below)
    timezone: Europe/Berlin          # of all deadlines (IANA name)
    grace_minutes: 15                # nobody is late within them
    percent_a_day: 10                # of the points reached, for each day begun after the deadline and not free
    max_days: 5                      # later than that counts nothing
    cap: 50                          # but never more percent than this
    counts: last                     # which attempt: last, best or last_on_time
    labs:                            # an extension is days, or another deadline
      02_pretraining: {deadline: 2026-11-20 18:00, extensions: {ann: 3, bob: 2026-12-01 12:00}, excused: [eve]}
      04_lora_and_qlora: {counts_in_term: no}
      07_rlhf: {points: 20}          # that it counts in the term's total; default: its own
      11_evaluation_and_release: {bonus: yes}  # `no` for an optional lab (platform.OPTIONAL), which is one by itself
      10_safety_refusals: {exam: yes}  # `course release` hands it out without hints, and its checks do not judge
    lti: {client_id: …}              # an LMS that takes scores: `course lti register` says what belongs here

Only timezone and the deadlines are needed; a lab may have its own grace_minutes, percent_a_day, max_days, cap, counts
and timezone. A lab without a deadline is never late. A file called policy.yaml is read as well.
"""

import datetime
import math
import re
import zoneinfo
from pathlib import Path

from course_lib.grading.records import store
from course_lib.platform import OPTIONAL, PACKAGE, counted, nearest, safe_name

MOST, DEEPEST = 50_000, 20  # parts of the file; in one another
COUNTS = ("last", "best", "last_on_time")
DEFAULTS = {
    "timezone": None,
    "grace_minutes": 0.0,
    "percent_a_day": 0.0,
    "max_days": None,
    "cap": 100.0,
    "counts": "last",
}
TERM = {"title": "", "term": "", "drop_lowest": 0, "late_days": 0}  # of the whole file
LAB = {"points": None, "bonus": False, "counts_in_term": True, "exam": False}
NOBODY = {"deadline": None, "extensions": {}, "excused": {}}
NAMES = ("course.yaml", "policy.yaml")


def beside(submitted, path=None):
    """The rules at path, else those of course.yaml (or policy.yaml) beside the folder of submissions, else None."""
    if path is None:
        there = [path for name in NAMES if (path := Path(submitted).absolute().parent / name).exists()]
        if len(there) > 1:
            raise store.StoreError(f"there are both {there[0]} and {there[1]}: put all rules into the first")
        path = there[0] if there else None
    return read(path) if path else None


def read(path):
    """{lab: {"deadline" (aware datetime or None), "extensions": {student: datetime}, "excused": {student: who says so},
    "grace_minutes", "percent_a_day", "max_days", "cap", "counts", "points" (in the term; None: the lab's own), "bonus",
    "counts_in_term", "exam", and "title", "term", "drop_lowest", "late_days" of the file}}; labs
    without an entry under None, which has "lti" ({key: value}) as well.

    Raises StoreError with one line on whatever is not understood: a policy that is half read would cost students
    points.
    """
    try:
        import yaml
    except ImportError:
        raise store.StoreError("a late policy needs pyyaml: pip install 'littlebrook-course[grade]'") from None
    try:
        node = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise store.StoreError(f"the policy {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise store.StoreError(f"the policy {path} is not YAML: {' '.join(str(error).split())[:160]}") from None
    except RecursionError:
        raise store.StoreError(f"the policy {path} is nested far too deeply") from None
    plain = texts(node, path, yaml, iter(range(MOST)))
    try:
        plain = expect(plain or {}, dict, "the file")
        given = expect(plain.pop("labs", {}), dict, "labs")
        lti = expect(plain.pop("lti", {}), dict, "lti")
        everywhere = days_for_all(expect(plain.pop("extensions", {}), dict, "extensions"))
        common = DEFAULTS | TERM | LAB | settings(plain, DEFAULTS | TERM, "the file")
        for lab in given:
            known_lab(lab)
        every = {lab: lab_policy(lab, its, common, everywhere) for lab, its in given.items()}
        return {None: common | NOBODY | {"lti": lti}, **every}
    except (ValueError, store.StoreError) as error:
        raise store.StoreError(f"the policy {path}: {error}") from None


def labs():
    """The names of all labs, in order. The questions are not imported: that costs a second of torch."""
    return sorted(p.stem.removeprefix("lab") for p in (PACKAGE / "questions").glob("lab*.py"))


def known_lab(lab):
    """Raises StoreError for a name that is no lab's."""
    known = labs()
    if lab not in known:
        raise store.StoreError(f"there is no lab {lab!r}{nearest(lab, known)}; labs: {', '.join(known)}")


def texts(node, path, yaml, left, depth=0):
    """A YAML node as dicts, lists and strings: nothing is guessed (0123 is a student's number, `no` a name), and no key
    stands twice. left: one item for each part that may still be read, as an alias may stand for many, or for itself.
    """
    if next(left, None) is None or depth > DEEPEST:
        raise store.StoreError(f"the policy {path} has far too many parts, or is nested far too deeply")
    if node is None or isinstance(node, yaml.ScalarNode):
        return node.value if node is not None else None
    if isinstance(node, yaml.SequenceNode):
        return [texts(n, path, yaml, left, depth + 1) for n in node.value]
    found = {}
    for key, value in node.value:
        name, where = texts(key, path, yaml, left, depth + 1), f"the policy {path}, line {key.start_mark.line + 1}"
        if not isinstance(name, str):
            raise store.StoreError(f"{where}: a key must be a word")
        if name in found:
            raise store.StoreError(f"{where}: {name} stands there twice")
        found[name] = texts(value, path, yaml, left, depth + 1)
    return found


def expect(value, kind, what):
    if value == "" and kind is dict:  # `labs:` with nothing after it
        return {}
    if not isinstance(value, kind):
        wanted = "a list of `key: value`" if kind is dict else "one value"
        raise ValueError(f"{what} must be {wanted}, not {str(value)[:60]!r}")
    return value


def settings(given, allowed, where):
    """The common settings, read and checked."""
    found = {}
    for key, value in given.items():
        if key not in allowed:
            known = [*allowed, *(["labs", "extensions", "lti"] if where == "the file" else [])]
            raise ValueError(f"{where}: {key!r} is no setting; settings: {', '.join(known)}")
        expect(value, str, key)
        if key == "timezone":
            try:
                found[key] = zoneinfo.ZoneInfo(value)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"timezone: {value!r} is no time zone; write Europe/Berlin, UTC or the like") from None
        elif key == "counts":
            if value not in COUNTS:
                raise ValueError(f"counts: {value!r} must be one of {', '.join(COUNTS)}")
            found[key] = value
        elif key in ("title", "term"):
            found[key] = value
        elif key in ("bonus", "counts_in_term", "exam"):
            if value not in ("yes", "no", "true", "false"):
                raise ValueError(f"{where}: {key}: {value!r} must be yes or no")
            found[key] = value in ("yes", "true")
        else:
            highest = {"percent_a_day": 100, "cap": 100, "late_days": 366}.get(key, 1e6)
            try:
                number = float(value)
            except ValueError:
                number = math.nan
            whole = key in ("max_days", "drop_lowest", "late_days")
            if not 0 <= number <= highest or (whole and number % 1):
                kind = "whole number" if whole else "number"
                raise ValueError(f"{where}: {key}: {value!r} must be a {kind} from 0 to {highest:g}")
            found[key] = number
    return found


def days_for_all(given):
    """{student: days} of the extensions for every lab."""
    found = {}
    for student, value in given.items():
        if not isinstance(value, str) or not re.fullmatch(r"\d{1,3}", value):
            raise ValueError(f"the extension of {student} for all labs: {str(value)[:40]!r} must be a number of days")
        if safe_name(student) in found:
            raise ValueError(f"the extension of {student} for all labs stands there twice")
        found[safe_name(student)] = int(value)
    return found


def lab_policy(lab, given, common, everywhere):
    given = dict(expect(given, dict, lab))
    deadline, extensions = given.pop("deadline", None), expect(given.pop("extensions", {}), dict, f"{lab}: extensions")
    excused = excused_by(given.pop("excused", []), lab)
    own = settings(given, DEFAULTS | LAB | NOBODY, lab)
    made = common | {"bonus": lab in OPTIONAL} | own | NOBODY | {"excused": excused}
    if deadline is None:
        if extensions:
            raise ValueError(f"{lab}: extensions need a deadline")
        return made
    made["deadline"] = moment(deadline, made["timezone"], f"{lab}: deadline")
    made["extensions"] = {student: later(made["deadline"], days) for student, days in everywhere.items()}
    seen = set()  # one of the lab's own takes the place of that for all labs
    for student, value in extensions.items():
        where = f"{lab}: the extension of {student}"
        if isinstance(value, str) and re.fullmatch(r"\d{1,3}", value):
            new = later(made["deadline"], int(value))
        else:
            new = moment(value, made["timezone"], where)
        if new.timestamp() < made["deadline"].timestamp():
            raise ValueError(f"{where} ends before the deadline")
        if safe_name(student) in seen:
            raise ValueError(f"{where} stands there twice")
        seen.add(safe_name(student))
        made["extensions"][safe_name(student)] = new
    return made


def excused_by(names, lab):
    """{student: who says so} of a lab's `excused`, a list of students or one."""
    names = names if isinstance(names, list) else [names] if names else []
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{lab}: excused must be a list of students, like [ann, bob]")
    return dict.fromkeys(map(safe_name, names), "course.yaml says so")


def moment(text, zone, where):
    """An aware datetime. A time without an offset is one of `zone`."""
    shape = "a date and time like 2026-11-20 18:00"
    if not isinstance(text, str) or not re.search(r"\d[T ]\d", text):
        raise ValueError(f"{where}: {str(text)[:40]!r} must be {shape}")
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{where}: {text!r} must be {shape}") from None
    if zone is None and found.tzinfo is None:
        raise ValueError(f"{where}: in which time zone? Add a line like `timezone: Europe/Berlin`")
    return found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone) if zone else found


def later(when, days):
    """The same time on the clock some days later: a day in which the clocks change has 23 or 25 hours."""
    return when + datetime.timedelta(days=days)  # Python's arithmetic within one zone is that of the wall clock


def of_lab(policy, lab):
    """The rules of a lab (None: of all); where it has no entry of its own, those of all, with the bonus of an optional
    one.
    """
    if found := (policy or {}).get(lab):
        return found
    return ((policy or {}).get(None) or DEFAULTS | TERM | LAB | NOBODY) | {"bonus": lab in OPTIONAL}


def due_of(rule, student):
    """The deadline of a student, extended or not; None where there is none. rule: of of_lab."""
    return rule["extensions"].get(student, rule["deadline"])


def penalty(policy, lab, student, received, free=0):
    """(days late, fraction of the points kept, reason) of a submission received at `received` (epoch seconds, whole
    seconds count), of whose late days `free` cost nothing. Pure; policy as from `read`, or None.

    A day is one of the wall clock, begun days count whole, and each day's end has the grace minutes, too. On the very
    second of the deadline nobody is late.
    """
    rule = of_lab(policy, lab)
    due = due_of(rule, student)
    if due is None:
        return 0, 1.0, "no deadline"
    extended = f" (extension to {due:%Y-%m-%d %H:%M})" if student in rule["extensions"] else ""
    received, grace = math.floor(received), rule["grace_minutes"] * 60
    days = max(0, math.floor((received - grace - due.timestamp()) / 86400) - 1)
    while received > later(due, days).timestamp() + grace:
        days += 1
    if days == 0:
        within = "" if received <= due.timestamp() else f", within {rule['grace_minutes']:g} minutes of grace"
        return 0, 1.0, "on time" + within + extended
    kept, cost = price(rule, days - free)
    words = [f"{counted(days, 'day')} late{extended}", f"{free} free" if free else "", cost]
    return days, kept, ", ".join(filter(None, words))


def price(rule, days):
    """(fraction of the points kept, what that costs in words) of so many days that are late and not free."""
    if days <= 0:
        return 1.0, ""
    if rule["max_days"] is not None and days > rule["max_days"]:
        return 0.0, f"more than {rule['max_days']:g}: not counted"
    off = min(days * rule["percent_a_day"], rule["cap"])
    return 1 - off / 100, f"{off:g} % off" + (" (the most)" if off < days * rule["percent_a_day"] else "")


def free_days(policy, hand_ins):
    """{lab: free days} of one student's late hand-ins, [(when it came in, lab, days late)]: each takes from the term's
    late_days in the order in which they came in, as few as keep it the most points that the days left can. Pure.
    """
    left, taken = int(of_lab(policy, None)["late_days"]), {}
    for _, lab, days in sorted(hand_ins):
        kept = [price(of_lab(policy, lab), days - free)[0] for free in range(min(days, left) + 1)]
        taken[lab] = kept.index(max(kept))
        left -= taken[lab]
    return taken
