"""Whose row is whose: a grade only ever stands in the row of the person who earned it, or nothing is written."""

import csv
import io
import os

from hypothesis import event, given, settings
from hypothesis import strategies as st

from course_lib.grading.lms import worksheet
from course_lib.grading.records import store

LAB = "04_lora_and_qlora"
MOST = 10.0
NAMES = ["Nadia Okafor", "Per Lindqvist", "Jun Li", "Li Jun", "Anne-Marie Müller", "Marie Müller", "Ana de la Cruz"]
COLUMNS = ["number", "sis", "login", "email", "name"]
SECTIONS, POINTS = st.sampled_from(["A", "7101", "S80"]), st.sampled_from(["", "8.00", "7101", "80"])
# fmt: off
MOODLE = {  # Identifier, Full name, Email address, ID number, Group, Status, Grade, Maximum grade; a participant's word
    "en": ("Identifier", "Full name", "Email address", "ID number", "Group", "Status", "Grade", "Maximum grade",
        "Participant "),
    "de": ("ID", "Vollständiger Name", "E-Mail-Adresse", "ID-Nummer", "Gruppe", "Status", "Bewertung", "Bestwertung",
        "Teilnehmer/in"),
    "fr": ("Identifiant", "Nom complet", "Adresse de courriel", "Numéro d’identification", "Groupe", "Statut", "Note",
        "Note maximale", "Participant"),
}
# fmt: on


def spoilt(number, how):
    """A number as a spreadsheet may write it."""
    return {"": number, "float": f"{number}.0", "exponent": f"{float(number):.1E}", "long": f"{float(number):.8E}"}[how]


@st.composite
def classes(draw):
    """(kind, bytes of a gradebook, [index of the person of each row], grade rows, whether all have a clean id)."""
    count = draw(st.integers(1, 6))
    order = draw(st.permutations(range(count)))
    people = []
    for place in order:
        email = draw(st.sampled_from([f"user{place}@uni.example", f"{place}@mail.example"]))
        person = {
            "name": draw(st.sampled_from(NAMES)),
            "number": str(7101 + 3 * place),  # Canvas's or Moodle's
            "sis": draw(st.sampled_from(["S{}", "{}"])).format(80 + place),
            "email": email,
            "login": draw(st.sampled_from([f"user{place}", email])),
            "section": draw(SECTIONS),
            "points": draw(POINTS),
        }
        people.append(person)
    kind = draw(st.sampled_from(["canvas", "split", *MOODLE]))
    complete = draw(st.booleans())  # either the file or the roster may lack people, not both
    rows = list(range(count)) if complete else draw(st.lists(st.sampled_from(range(count)), min_size=1, unique=True))
    known = draw(st.lists(st.sampled_from(range(count)), min_size=1, unique=True)) if complete else list(range(count))
    clean = draw(st.booleans())
    gone = lambda: False if clean else draw(st.integers(0, 3)) == 0
    cells = []
    for i in draw(st.permutations(rows)):
        person = people[i]
        sis, email = ("" if gone() else person["sis"]), ("" if gone() else person["email"])
        number = spoilt(person["number"], "" if clean else draw(st.sampled_from(["", "float"])))
        cells.append((i, person, number, sis, email))
    out = io.StringIO()
    writer = csv.writer(out)
    if kind in ("canvas", "split"):
        first = ["Student"] if kind == "canvas" else ["LastName", "FirstName"]
        writer.writerow([*first, "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 01 (1)", "Lab 04 (4)"])
        writer.writerow([*[""] * len(first), "", "", "", "Manual Posting", "", ""])
        writer.writerow(["    Points Possible", *[""] * (len(first) + 4), "10.00", "10.00"])
        for _, person, number, sis, _ in cells:
            given_name, last = person["name"].split(" ", 1)
            name = [f"{last}, {given_name}"] if kind == "canvas" else [last, given_name]
            writer.writerow([*name, number, sis, person["login"], person["section"], person["points"], ""])
    else:
        *headers, word = MOODLE[kind]
        writer.writerow(headers)
        for _, person, number, sis, email in cells:
            line = [
                word + number.removesuffix(".0"),
                person["name"],
                email,
                sis,
                person["section"],
                "Submitted",
                "",
                "10",
            ]
            writer.writerow(line)
    canvas = kind in ("canvas", "split")
    columns = draw(st.sampled_from([{"name"}, {"name", "sis"}]) | st.sets(st.sampled_from(COLUMNS)))
    columns |= {"number"} if clean else set()
    grades = []
    for i in known:
        person, has = people[i], lambda column: column in columns and not gone()
        ids = {"section": draw(SECTIONS), "Lab 01": draw(POINTS)}  # which may have changed since
        if has("number"):
            how = "" if clean else draw(st.sampled_from(["", "float", "exponent", "long"]))
            ids["canvas_id" if canvas else "moodle_id"] = spoilt(person["number"], how)
        ids |= {"sis_id": person["sis"]} if has("sis") else {}
        ids |= {"login": person["login"]} if has("login") else {}
        key = draw(st.sampled_from([str(i + 79), str(7101 + i), person["login"], f"{person['name']} {i}"]))
        final = draw(st.sampled_from([None, 1 + i / 4, 1 + i / 4])) if not clean else 1 + i / 4
        grades.append(
            {
                "student": key,
                "name": person["name"] if has("name") else "",
                "email": person["email"] if has("email") else "",
                "ids": ids,
                "final": final,
                "out_of": MOST,
                "status": "graded",
                "adjusted": {},
                "pending": 0.0,
            }
        )
    return kind, out.getvalue().encode(), [i for i, *_ in cells], known, grades, clean


@given(classes())
@settings(max_examples=int(os.environ.get("EXAMPLES", 120)), deadline=None)
def test_a_grade_stands_in_the_row_of_who_earned_it_or_nothing_is_written(tmp_path_factory, made):
    kind, data, rows, known, grades, clean = made
    path = tmp_path_factory.mktemp("sheet") / "export.csv"
    path.write_bytes(data)
    canvas = kind in ("canvas", "split")
    try:
        out, notes = worksheet.fill(path, LAB, "canvas" if canvas else "moodle", grades, skip_unmatched=True)
    except store.StoreError as reason:
        assert "\n" not in str(reason) and not (clean and "nobody has a grade" not in str(reason)), reason
        event(str(reason).split(" ")[-1])
        return
    before, after = (list(csv.reader(io.StringIO(text.decode()))) for text in (data, out))
    place = before[0].index("Lab 04 (4)") if canvas else 6
    filled = 0
    for number, (was, now) in enumerate(zip(before, after, strict=True)):
        if was == now:
            continue
        person = rows[number - (3 if canvas else 1)]
        assert was[:place] + was[place + 1 :] == now[:place] + now[place + 1 :]
        assert float(now[place]) == 1 + person / 4, (number, was, now)
        filled += 1
    if clean:
        assert filled == len(set(rows) & set(known)), notes
    event(f"filled {filled}")
