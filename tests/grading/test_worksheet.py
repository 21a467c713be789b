"""The exports that people really have: Moodle in its languages, Canvas in its settings, and what is none of them."""

import csv
import io

import pytest

from course_lib.grading.lms import export, worksheet
from course_lib.grading.records import store

LAB = "00_start_here"
# fmt: off
# the columns of a grading worksheet and the word for a participant, as Moodle 4.5 writes them (Polish: 4.0)
LANGUAGES = {
    "English": ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Participant"),
    "Deutsch": ("ID", "Vollständiger Name", "E-Mail-Adresse", "Status", "Bewertung", "Bestwertung", "Teilnehmer/in"),
    "Français": ("Identifiant", "Nom complet", "Adresse de courriel", "Statut", "Note", "Note maximale", "Participant"),
    "Español": ("Identificador", "Nombre completo", "Dirección de correo", "Estado", "Calificación",
        "Calificación máxima", "Participante"),
    "Nederlands": ("Identificatie", "Volledige naam", "E-mailadres", "Status", "Cijfer", "Maximaal cijfer",
        "Deelnemer"),
    "Italiano": ("Identificativo", "Nome", "Indirizzo email", "Stato", "Valutazione", "Valutazione massima",
        "Partecipante"),
    "Português": ("Identificador", "Nome completo", "E-mail", "Estado", "Avaliação", "Nota máxima", "Participante"),
    "Polski": ("identyfikator", "Pełna nazwa", "E-mail", "Status", "Ocena", "Maksymalna ocena", "Uczestnik"),
    # none of these words is known here: told by shape
    "Svenska": ("Identifierare", "Fullständigt namn", "E-postadress", "Status", "Betyg", "Maxbetyg", "Deltagare"),
    "Русский": ("Идентификатор", "Полное имя", "Адрес электронной почты", "Статус", "Оценка", "Максимальная оценка",
        "Участник"),
    "Ελληνικά": ("Αναγνωριστικό", "Πλήρες όνομα", "Διεύθυνση ηλε.ταχυδρομείου", "Κατάσταση", "Βαθμός",
        "Μέγιστος Βαθμός", "Συμμετέχων"),
    "日本語": ("識別子", "フルネーム", "メールアドレス", "ステータス", "評点", "最大評点", "参加者"),
}
# fmt: on
PEOPLE = [("Nadia Okafor", "nokafor@uni.example", 7101), ("Per Lindqvist", "plindqvist@uni.example", 7102)]


def grade(student, final, name="", email="", most=2.0, **ids):
    about = {"student": student, "name": name, "email": email, "ids": ids, "status": "graded", "adjusted": {}}
    return about | {"final": final, "out_of": most, "pending": 0.0}


BY_EMAIL = [grade("no", 1.5, email=PEOPLE[0][1]), grade("pl", 0.25, email=PEOPLE[1][1])]
BY_NAME = [grade("no", 1.5, PEOPLE[0][0]), grade("pl", 0.25, PEOPLE[1][0])]
BY_NUMBER = [grade("no", 1.5, moodle_id="7101"), grade("pl", 0.25, moodle_id="Participant 7102")]


def moodle(language, most="2,00", group="", before=""):
    """A grading worksheet of Moodle."""
    identifier, name, email, status, points, maximum, word = LANGUAGES[language]
    out = io.StringIO()
    writer = csv.writer(out)
    extra = [group] if group else []
    writer.writerow([identifier, name, email, status, *extra, points, maximum, "?", "?"])
    for who, address, number in PEOPLE:
        writer.writerow(
            [f"{word}{number}", who, address, "…", *extra, before, most, "Ja", "Freitag, 20. November 2026"]
        )
    return out.getvalue().encode("utf-8-sig")


def filled(tmp_path, data, kind, grades, **options):
    """({first cell of the row: its changed cell}, notes); the rest of the file is as it was."""
    path = tmp_path / "export.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    out, notes = worksheet.fill(path, LAB, kind, grades, **options)
    separator = ";" if data.count(b";" if isinstance(data, bytes) else ";") > 4 else ","
    before, after = (
        list(csv.reader(io.StringIO(text.decode("utf-8-sig")), delimiter=separator))
        for text in (path.read_bytes(), out)
    )
    changed = {}
    for was, now in zip(before, after, strict=True):
        different = [(a, b) for a, b in zip(was, now, strict=True) if a != b]
        assert len(different) <= 1
        if different:
            changed[was[0]] = different[0][1]
    return changed, "\n".join(notes)


# ---- Moodle


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("grades", [BY_EMAIL, BY_NAME, BY_NUMBER], ids=["email", "name", "number"])
def test_a_worksheet_in_any_language(tmp_path, language, grades):
    word = LANGUAGES[language][-1]
    changed, _ = filled(tmp_path, moodle(language), "moodle", grades)
    assert changed == {f"{word}7101": "1,5", f"{word}7102": "0,25"}
    with pytest.raises(store.StoreError, match=r"is out of 1.5 points and 00_start_here of 2: .*--scale"):
        filled(tmp_path, moodle(language, "1,50"), "moodle", grades)
    changed, notes = filled(tmp_path, moodle(language, "100.00"), "moodle", grades, scale=True)
    assert changed == {f"{word}7101": "75", f"{word}7102": "12.5"} and "out of 100" in notes


@pytest.mark.parametrize("language", ["English", "Deutsch", "Svenska"])
def test_a_worksheet_with_teams(tmp_path, language):
    word = LANGUAGES[language][-1]
    changed, _ = filled(tmp_path, moodle(language, group="7102"), "moodle", BY_NUMBER)  # a team may be called anything
    assert changed == {f"{word}7101": "1,5", f"{word}7102": "0,25"}


def test_a_teams_number_is_no_participants(tmp_path):
    grades = [grade("Blue Team", 2.0, "Blue Team", moodle_id="7102")]
    with pytest.raises(store.StoreError, match=r"line 3 .*is Blue Team's by moodle id, but its name is Per Lindqvist"):
        filled(tmp_path, moodle("Deutsch"), "moodle", grades)


@pytest.mark.parametrize("scale", ["Scale", "Skala", "Barème"])
def test_a_scale_of_words_takes_no_points(tmp_path, scale):
    data = moodle("English", most="good\nbad").replace(b"Maximum grade", scale.encode())
    with pytest.raises(store.StoreError, match="graded by a scale of words"):
        filled(tmp_path, data, "moodle", BY_EMAIL)


# fmt: off
GRADEBOOKS = {
    "English": "First name,Last name,ID number,Email address,Assignment: Lab 00 (Real),Assignment: Lab 00 (Percentage),"
        "Assignment: Lab 00 (Letter),Assignment: Lab 00 (Feedback),Course total (Real),Last downloaded",
    "Deutsch": "Vorname,Nachname,ID-Nummer,E-Mail-Adresse,Aufgabe: Lab 00 (Punkte),Aufgabe: Lab 00 (Prozentsatz),"
        "Aufgabe: Lab 00 (Note),Aufgabe: Lab 00 (Rückmeldung),Kurs gesamt (Punkte),Zuletzt aus diesem Kurs geladen",
    "Français": "Prénom,Nom de famille,Numéro d’identification,Adresse de courriel,Devoir: Lab 00 (Brut),"
        "Devoir: Lab 00 (Pourcentage),Devoir: Lab 00 (Lettre),Devoir: Lab 00 (Feedback),Total du cours (Brut),Dernier",
    "Polski": "Imię,Nazwisko,Numer ID,E-mail,Zadanie: Lab 00 (Punkty),Zadanie: Lab 00 (Procentowo),"
        "Zadanie: Lab 00 (Nazwa oceny),Zadanie: Lab 00 (Informacja zwrotna),W całym kursie (Punkty),x",
}
# fmt: on


@pytest.mark.parametrize("language", GRADEBOOKS)
def test_a_gradebook_does_not_say_its_maximum(tmp_path, language):
    rows = "Nadia,Okafor,S71,nokafor@uni.example,-,-,-,,9.00,1796000000\nPer,Lindqvist,S72,,-,-,-,,9.00,1796000000\n"
    data = f"{GRADEBOOKS[language]}\n{rows}"
    grades = [BY_EMAIL[0], BY_NAME[1]]
    with pytest.raises(
        store.StoreError, match=r"does not say what .*Lab 00 .*is out of .00_start_here has 2 points.: say"
    ):
        filled(tmp_path, data, "moodle", grades)
    with pytest.raises(store.StoreError, match="does not say"):
        filled(tmp_path, data, "moodle", grades, scale=True)
    assert filled(tmp_path, data, "moodle", grades, scale=2.0)[0] == {"Nadia": "1.5", "Per": "0.25"}
    assert filled(tmp_path, data, "moodle", grades, scale=100.0)[0] == {"Nadia": "75", "Per": "12.5"}


def test_a_name_in_two_columns_is_compared_whole(tmp_path):
    data = f"{GRADEBOOKS['English']}\nNadia,Okafor,,,-,,,,,\nNadia,Lindqvist,,,-,,,,,\n"
    assert filled(tmp_path, data, "moodle", [grade("x", 1.0, "Lindqvist Nadia")], scale=2.0)[0] == {"Nadia": "1"}


# ---- Canvas

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 00 (4401),Lab 01 (4402),Current Score\r\n"
    ",,,,,Manual Posting,Manual Posting,\r\n"
    "    Points Possible,,,,,2.00,9.00,(read only)\r\n"
    '"Okafor, Nadia",7101,S71,nokafor,"A, B",,8.00,88.9\r\n'
    '"Lindqvist, Per",7102,S72,plindqvist,"A, B",EX,,\r\n'
    '"Novak, Zoe",7103,S73,znovak,"A, B",N/A,,\r\n'
    '"Student, Test",9,,x,"A, B",,,\r\n'
)
SPLIT = (
    CANVAS.replace("Student,ID", "LastName,FirstName,ID")
    .replace(",,,,,M", ",,,,,,M")
    .replace("Possible,", "Possible,,")
    .replace('"Okafor, Nadia"', "Okafor,Nadia")
    .replace('"Lindqvist, Per"', "Lindqvist,Per")
    .replace('"Novak, Zoe"', "Novak,Zoe")
    .replace('"Student, Test"', "Student,Test")
)
GERMAN = "sep=;\r\n" + CANVAS.replace(", ", "§").replace(",", ";").replace("§", ", ").replace("2.00", "2,00").replace(
    "8.00", "8,00"
).replace("9.00", "9,00").replace("88.9", "88,9")
CLASS = [grade("a", 1.5, canvas_id="7101"), grade("b", 0.5, sis_id="S72"), grade("c", 0.75, login="znovak")]


@pytest.mark.parametrize(
    "data, first, number",
    [(CANVAS, "Okafor, Nadia", "1.5"), (SPLIT, "Okafor", "1.5"), (GERMAN, "Okafor, Nadia", "1,5")],
)
def test_canvas_in_its_settings(tmp_path, data, first, number):
    changed, notes = filled(tmp_path, data, "canvas", CLASS)
    assert changed == {first: number} and "b (EX), c (N/A)" in notes  # excused stays excused
    assert "no student of ours" not in notes  # its own lines are nobody's
    with pytest.raises(store.StoreError, match="is out of 1.5 points and 00_start_here of 2"):
        filled(tmp_path, data.replace("2.00", "1.50").replace("2,00", "1,50"), "canvas", CLASS)


@pytest.mark.parametrize(
    "line", ["    Points Possible,,,,,2.00,9.00,(read only)\r\n", ",,,,,2.00,9.00,(read only)\r\n"]
)
def test_canvas_without_the_points_possible(tmp_path, line):
    data = CANVAS.replace("    Points Possible,,,,,2.00,9.00,(read only)\r\n", "" if "P" in line else line)
    with pytest.raises(store.StoreError, match="does not say what 'Lab 00 .4401.' is out of"):
        filled(tmp_path, data, "canvas", CLASS)


@pytest.mark.parametrize(
    "mine, theirs", [("7101.0", "7101"), ("7101", "7101.0"), ("7101", "7.101E+03"), ("07101", "7101")]
)
def test_numbers_that_went_through_a_spreadsheet(tmp_path, mine, theirs):
    data = CANVAS.replace(",7101,", f",{theirs},")
    assert filled(tmp_path, data, "canvas", [grade("a", 1.5, canvas_id=mine)])[0] == {"Okafor, Nadia": "1.5"}


def test_a_rounded_number_is_nobodys_and_the_line_says_why(tmp_path):
    with pytest.raises(store.StoreError, match=r"not in .*a .whose 7.1E.03 looks like a number that a spreadsheet has"):
        filled(tmp_path, CANVAS, "canvas", [grade("a", 1.5, canvas_id="7.1E+03")])
    assert filled(tmp_path, CANVAS, "canvas", [grade("a", 1.5, "N. Okafor", canvas_id="7.1E+03", sis_id="S71")])[0]


# ---- nobody's grade in another's row


def test_two_of_one_section_and_points_of_other_labs(tmp_path):
    """Canvas's own gradebook as the class list, in a later export of which the points have changed places."""
    grades = [
        grade("Okafor_ Nadia", 1.5, canvas_id="7101", sis_id="S71", Section="A, B") | {"name": ""},
        grade("Lindqvist_ Per", 0.25, canvas_id="7102", sis_id="S72", Section="A, B"),
    ]
    grades[0]["ids"]["Lab 01 (4402)"], grades[1]["ids"]["Lab 01 (4402)"] = "7.50", "8.00"
    changed, _ = filled(tmp_path, CANVAS.replace(",EX,", ",,"), "canvas", grades)
    assert changed == {"Okafor, Nadia": "1.5", "Lindqvist, Per": "0.25"}


# fmt: off
@pytest.mark.parametrize("grades, why", [
    ([grade("a", 1, sis_id="S71", login="plindqvist")],
        r"line 4 .Okafor, Nadia 7101. and line 5 .Lindqvist, Per 7102. are both a's, by sis id and by login"),
    ([grade("a", 1, sis_id="S71"), grade("b", 2, canvas_id="7101")],
        "line 4 .* is a's and b's, by sis id and by canvas id"),
    ([grade("a", 1, sis_id="S71"), grade("b", None, canvas_id="7101")], "is a's and b's"),
    ([grade("a", 1, sis_id="S71", canvas_id="9999")],
        "line 4 .* is a's by sis id, but its canvas id is 7101 and in the class list 9999: correct the one that"),
    ([grade("a", 1, "Per Lindqvist", sis_id="S71")], "its name is Okafor, Nadia and in the class list Per Lindqvist"),
    ([grade("a", 1, login="nokafor", sis_id="S79")], "is a's by login, but its sis id is S71"),
])
# fmt: on
def test_one_contradiction_stops_it(tmp_path, grades, why):
    with pytest.raises(store.StoreError, match=why) as caught:
        filled(tmp_path, CANVAS.replace(",EX,", ",,"), "canvas", grades, skip_unmatched=True)
    assert "\n" not in str(caught.value) and "Nothing was written" in str(caught.value)


def test_a_contradiction_about_nobodys_grade_stops_nothing(tmp_path):
    grades = [CLASS[0], grade("b", None, sis_id="S72", login="znovak")]
    assert filled(tmp_path, CANVAS, "canvas", grades)[0] == {"Okafor, Nadia": "1.5"}


@pytest.mark.parametrize(
    "grades",
    [
        [grade("a", 1, sis_id="S70"), grade("b", 2, sis_id="S70")],  # shared in the class list
        [grade("7101", 1), grade("7102", 2)],  # Canvas's own numbers are no one's key
        [grade("1", 1), grade("2", 2)],
        [grade("a", 1, "Nadia Okafor", sis_id="S99")],  # a namesake
        [grade("a", 1, Section="A, B")],
    ],
)
def test_what_does_not_identify_fills_nothing(tmp_path, grades):
    with pytest.raises(store.StoreError, match="not in .*--skip-unmatched"):
        filled(tmp_path, CANVAS, "canvas", grades)
    changed, notes = filled(tmp_path, CANVAS, "canvas", grades, skip_unmatched=True)
    assert changed == {} and "0 cells filled" in notes


def test_a_namesake_is_named(tmp_path):
    with pytest.raises(store.StoreError, match="a .line 4 has that name, but another id, or somebody else"):
        filled(tmp_path, CANVAS, "canvas", [grade("a", 1, "Nadia Okafor", sis_id="S99")])


@pytest.mark.parametrize("student", ["nokafor", "S71", "Okafor, Nadia", "Okafor_ Nadia"])
def test_the_column_student_may_be_any_of_them(tmp_path, student):
    assert filled(tmp_path, CANVAS, "canvas", [grade(student, 1.5)])[0] == {"Okafor, Nadia": "1.5"}


def test_a_student_who_stands_there_twice_is_refused(tmp_path):
    data = CANVAS + '"Okafor, Nadia",7101,S71,nokafor,C,,,\r\n'
    with pytest.raises(store.StoreError, match="not in .*a .* has that name"):
        filled(tmp_path, data, "canvas", [grade("a", 1.5, "Nadia Okafor", canvas_id="7101", sis_id="S71")])


# ---- exports of something else


# fmt: off
@pytest.mark.parametrize("kind, header, why", [
    ("moodle", "OrgDefinedId,Username,Last Name,First Name,Lab 00 Points Grade <Numeric MaxPoints:2>,"
        "End-of-Line Indicator", "an export of Brightspace"),
    ("moodle", '"Last Name","First Name","Username","Student ID","Last Access","Lab 00 [Total Pts: 2 Score] |77"',
        "an export of Blackboard"),
    ("moodle", "Display ID,ID,Last Name,First Name,Lab 00", "an export of Sakai"),
    ("moodle", "First Name,Last Name,SID,Email,Lab 00,Max Points,Submission ID", "an export of Gradescope"),
    ("moodle", "Student,ID,SIS User ID,SIS Login ID,Section,Lab 00 (4401)", "a gradebook of Canvas: use --to canvas"),
    ("canvas", "OrgDefinedId,Username,Last Name,First Name,Lab 00 (2)", "no gradebook of Canvas"),
    ("canvas", "Identifier,Full name,Email address,Status,Grade,Maximum grade", "no gradebook of Canvas"),
])
# fmt: on
def test_the_export_of_another_system_is_one_line(tmp_path, kind, header, why):
    row = ",".join("x" for _ in header.split(","))
    with pytest.raises(store.StoreError, match=why) as caught:
        filled(tmp_path, f"{header}\n{row}\n", kind, BY_EMAIL)
    assert "\n" not in str(caught.value)


def test_the_option_scale(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for value in ("0", "-1", "inf", "nan"):
        with pytest.raises(store.StoreError, match="--scale .*more than 0"):
            export.main([LAB, "--to", "canvas", "--into", "x.csv", "--scale", value])
    path = tmp_path / "export.csv"
    path.write_text(CANVAS)
    with pytest.raises(store.StoreError, match="is out of 2 points in .*, not of 100"):
        worksheet.fill(path, LAB, "canvas", CLASS, scale=100.0)
