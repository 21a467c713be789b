"""What happens in a term, drawn from a seed before any of it does: who is in the class, which rules hold, what each
student hands in and when, what readers and the instructor give. The commands play it (term.py), and what each student
must have in the end follows from it alone (term_expected.py).
"""

import dataclasses
import datetime
import random
import re
import zoneinfo

from course_lib.bench.classes.term_files import exercises_of, models_of
from course_lib.grading.records import policy
from course_lib.platform import ROOT

ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
FIRST = datetime.datetime(2024, 9, 13, 18, tzinfo=ZONE)  # a Friday; the clocks change between two of the deadlines
FIRST_NAMES = "Ada Ben Cléo Dora Egon Fatima Gül Hans Ines Jun Kofi Lena Maté Nadia Olu Pia Quinn Rosa Sam Tove".split()
LAST_NAMES = "Lovelace Müller Li Okafor Lindqvist García O'Brien Nguyen Nowak Şahin Dubois Rossi Smith Kim".split()
GRACE = 15  # minutes
COMMON = {
    "timezone": "Europe/Berlin",
    "grace_minutes": GRACE,
    "percent_a_day": 10,
    "max_days": 5,
    "cap": 40,
    "counts": "last",
    "drop_lowest": 1,
    "late_days": 3,
}
OF_LABS = [{"points": 20}, {"counts": "best"}, {"bonus": True}, {"counts": "last_on_time"}, {"counts_in_term": False}]
CHANNELS = ("canvas", "moodle", "gradescope", "files")
BROKEN = ("no notebook", "another lab", "torn zip", "zip that reaches outside")
MARKS = (0.0, 0.5, 1.0, 1.0)  # of a written answer's points
UNREAD = 23  # of so many answers one is left unread


@dataclasses.dataclass(frozen=True)
class Student:
    key: str
    name: str
    email: str
    canvas_id: int
    sis_id: int
    moodle_id: int
    group: str = ""
    extension: int = 0  # days, in the roster
    excused: tuple = ()  # labs, in the roster


@dataclasses.dataclass(frozen=True)
class HandIn:
    owners: tuple  # one student, or a team that Gradescope names
    at: datetime.datetime
    round: int
    right: frozenset = frozenset()  # exercises
    wrong: frozenset = frozenset()
    model: bool = False
    codes: tuple = ()  # of each written answer its code, None for an empty one
    broken: str = ""  # one of BROKEN

    @property
    def who(self):
        return self.owners[0]


@dataclasses.dataclass(frozen=True)
class Decision:
    """What the instructor says with `course adjust`."""

    student: str
    question: str | None
    kind: str  # "points", "percent", "excused", "clear", "comment"
    value: float | str | None = None
    bonus: bool = False


@dataclasses.dataclass
class Lab:
    name: str
    rule: dict  # its entry in course.yaml; deadline and extensions as datetimes
    channel: str
    rounds: list  # when each came in, where no LMS tells it singly
    exercises: dict  # {id: (points, source)}
    written: dict  # {id: points}
    model: tuple | None  # (id, points, stage) of the handed-in model, where the course ships one that has all points
    rest: dict  # {id: points} of models that nobody hands in
    hand_ins: list = dataclasses.field(default_factory=list)
    marks: dict = dataclasses.field(default_factory=dict)  # {(question, code): points, None for one that stays unread}
    decisions: list = dataclasses.field(default_factory=list)
    mended: str = ""  # the exercise that is graded wrongly at first


@dataclasses.dataclass
class Term:
    seed: int
    common: dict  # course.yaml without the labs
    students: list
    labs: list


def term(seed, students, labs=None):
    """The whole term: a class of so many students over the first `labs` labs (None: all there are)."""
    draw = random.Random(f"term|{seed}")
    names = [name for name in policy.labs() if (ROOT / "labs" / f"{name}.ipynb").exists()][:labs]
    people = class_of(draw, students, names)
    long = {s.key: draw.randint(1, 3) for s in draw.sample(people, max(1, students // 20))}
    made = Term(seed, COMMON | {"extensions": long}, people, [])
    for number, name in enumerate(names):
        lab = lab_of(draw, number, name, people)
        hand_ins(draw, lab, people)
        decide(draw, lab, people)
        made.labs.append(lab)
    made.labs[0].mended = next(iter(made.labs[0].exercises))
    return made


def class_of(draw, count, labs):
    """Students of all kinds of names; two in twenty are namesakes, a third is in groups of two to four."""
    pairs = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
    called = draw.sample(pairs, count)
    for k in range(1, count, 20):
        called[k] = called[k - 1]
    groups, left = {}, list(range(count // 3))
    draw.shuffle(left)
    while len(left) > 1:
        size = draw.randint(2, 4)
        groups |= dict.fromkeys(left[:size], f"Team {chr(65 + len(left) // 26)}{chr(65 + len(left) % 26)}")
        left = left[size:]
    found = []
    for k, (first, last) in enumerate(called):
        plain = re.sub(r"[^a-z]", "", (first[0] + last).lower())
        key = f"{plain}{100 + k}"
        more = {"extension": draw.randint(1, 4)} if draw.random() < 0.05 else {}
        more |= {"excused": (draw.choice(labs),)} if draw.random() < 0.05 else {}
        ids = (4000 + 7 * k, 990_000 + k, 123_000 + 11 * k)
        found.append(Student(key, f"{first} {last}", f"{key}@uni.example", *ids, group=groups.get(k, ""), **more))
    return found


def lab_of(draw, number, name, people):
    """A lab with its rules and what can be answered in it."""
    exercises, written, models = exercises_of(name)
    model = models_of(models)
    deadline = FIRST + datetime.timedelta(days=7 * number)  # the wall clock's
    rule = dict(OF_LABS[number]) if number < len(OF_LABS) else {}
    rule |= {} if number == 5 else {"deadline": deadline}
    if "deadline" in rule and number % 3 == 0:
        rule["extensions"] = {s.key: deadline + datetime.timedelta(days=2, hours=-6) for s in draw.sample(people, 2)}
    if number % 4 == 0:
        rule["excused"] = [draw.choice(people).key]
    grace = datetime.timedelta(minutes=GRACE)
    soon = draw.choice([grace, grace + datetime.timedelta(seconds=1), grace / 2, datetime.timedelta(hours=20)])
    late = datetime.timedelta(days=draw.randint(1, 6), hours=draw.randint(1, 22))
    rounds = [deadline - datetime.timedelta(hours=3), deadline + soon, deadline + late]
    rest = {m[0]: m[1] for m in models if m is not model}
    return Lab(name, rule, CHANNELS[number % 4], rounds, exercises, written, model, rest)


def hand_ins(draw, lab, people):
    """Who hands in what, when: groups by one of them or each alone, late ones, second and third attempts."""
    skill = {s.key: draw.uniform(0.4, 0.98) for s in people}
    teams = {}
    for s in people:
        teams.setdefault(s.group or s.key, []).append(s.key)
    for team in teams.values():
        together = len(team) > 1 and draw.random() < 0.6
        for member in [draw.choice(team)] if together else team:
            owners = tuple([member] + [m for m in team if m != member]) if together else (member,)
            owners = owners if lab.channel == "gradescope" else (member,)
            first = draw.choices([0, 1, 2, None], [85, 7, 3, 5])[0]
            again = draw.choices([None, 1, 2], [80, 12, 8])[0]
            times = [] if first is None else [first] + ([again] if again is not None and again > first else [])
            for n in times:
                lab.hand_ins.append(one(draw, lab, owners, n, skill[member]))
    lab.hand_ins.sort(key=lambda h: (h.round, h.at, h.who))  # as a download has them: of one time the last counts


def one(draw, lab, owners, number, skill):
    at = lab.rounds[number]
    if lab.channel == "gradescope":  # which tells when each came in
        at += datetime.timedelta(seconds=draw.randint(-90_000, 9_000) if number == 0 else draw.randint(-300, 10_000))
    if draw.random() < 0.04:
        return HandIn(owners, at, number, broken=draw.choice(BROKEN))
    tried = draw.sample(list(lab.exercises), min(len(lab.exercises), draw.randint(2, 5)))
    right = {name for name in tried if draw.random() < skill}
    for _ in lab.exercises:  # an answer that calls another one needs it
        said = "\n".join(lab.exercises[name][1] for name in right)
        right |= {other for other in lab.exercises if re.search(rf"\b{other}\(", said)}
    codes = []
    for question, points in lab.written.items():
        code = None if draw.random() < 0.1 else draw.randint(1000, 1000 + 40)
        codes.append(code)
        unread = code is not None and code % UNREAD == 0 and lab.rule.get("counts") != "best"
        lab.marks.setdefault((question, code), None if unread else 0.0 if code is None else points * draw.choice(MARKS))
    model = lab.model is not None and draw.random() < 0.05
    return HandIn(owners, at, number, frozenset(right), frozenset(set(tried) - right), model, tuple(codes))


def decide(draw, lab, people):
    """What the instructor decides: for ungradable hand-ins, for the ill, for a question, more than all, and what is
    taken back again.
    """
    keys, exercise = [s.key for s in people], draw.choice(list(lab.exercises))
    whole = sum(points for points, _ in lab.exercises.values())
    points = lab.exercises[exercise][0]
    some = draw.sample(keys, min(len(keys), 6))
    broken = [h.who for h in lab.hand_ins if h.broken in BROKEN[:2]]
    lab.decisions = [Decision(who, None, "percent", 60.0) for who in broken[:2]]
    lab.decisions += draw.sample(
        [
            Decision(some[0], exercise, "points", points / 2),
            Decision(some[1], None, "excused"),
            Decision(some[2], exercise, "excused"),
            Decision(some[3], None, "points", whole + 2.5, bonus=True),
            Decision(some[4], None, "comment", "Come and see me about the mask."),
        ],
        2,
    )
    if draw.random() < 0.3:
        lab.decisions += [Decision(some[5], None, "points", 0.5), Decision(some[5], None, "clear")]
