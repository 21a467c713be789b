"""Grades on their way out: the CSV, and the round trip of an instructor's own Canvas or Moodle export."""

import csv
import io

import people
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.grading.lms import export, worksheet
from course_lib.grading.people import table
from course_lib.grading.records import store
from course_lib.grading.reports import page

LAB = "04_lora_and_qlora"


def row(student, final, email="", name="", pending=0.0, most=10.0, **ids):
    return {
        "student": student,
        "final": final,
        "out_of": None if final is None else most,
        "status": "graded",
        "adjusted": {},
        "pending": None if final is None else pending,
        "email": email,
        "name": name,
        "ids": ids,
    }


CLASS = [
    row("ada", 8.5, "ada@uni.example", "Ada Lovelace", sis_id="S1"),
    row("ben", 10, "ben@uni.example", "Ben Müller", sis_id="S2"),
    row("cleo", None, "cleo@uni.example", "Cleo N'Diaye", sis_id="S3"),
]

CANVAS = (
    "\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Lab 03 (1230),Lab 04 (1234),Assignments Current Score\r\n"
    '"    Points Possible",,,,,10.0,10.0,(read only)\r\n'
    '"Lovelace, Ada",101,S1,ada@uni.example,"Spring, A",7.25,,72.5\r\n'
    '"Müller, Ben",102,S2,ben@uni.example,"Spring ""B""",10,3.0,\r\n'
    '"N\'Diaye, Cleo",103,S3,cleo@uni.example,,,4,\r\n'
    '"Student, Test",104,,x1,,,,\r\n'
    "Nobody,105,S9,nobody,,,1,"  # no line end
).encode()

MOODLE = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified '
    '(submission)","Feedback comments"\n'
    '"Participant 123456","Ada Lovelace",ada@uni.example,"Submitted for grading",,10.00,Yes,"Friday, 20 November 2026, '
    '5:58 PM","<p>\n=1+1</p>"\n'
    '"Participant 123457","Ben Müller",,"Submitted for grading",9.00,10.00,Yes,-,\n'
    '"Participant 123458","Cleo N\'Diaye",cleo@uni.example,"No submission",,10.00,Yes,-,\n'
).encode()


def fill(tmp_path, data, kind, rows=CLASS, **options):
    path = tmp_path / "export.csv"
    path.write_bytes(data)
    out, notes = worksheet.fill(path, LAB, kind, rows, **options)
    assert path.read_bytes() == data
    return out, "\n".join(notes)


def test_canvas_gets_one_column_and_keeps_every_other_byte(tmp_path):
    out, notes = fill(tmp_path, CANVAS, "canvas")
    assert out == CANVAS.replace(b"7.25,,72.5", b"7.25,8.5,72.5").replace(b"10,3.0,", b"10,10,")
    assert (
        "2 cells filled, 1 of them had another number" in notes
        and "1 without a grade, their cells are left as they are: cleo" in notes
        and "Nobody" in notes
        and "Test" not in notes
    )
    again, notes = fill(tmp_path, out, "canvas")
    assert again == out and "0 cells filled" in notes


def test_moodle_worksheet(tmp_path):
    out, notes = fill(tmp_path, MOODLE, "moodle")
    assert out == MOODLE.replace(b'"Submitted for grading",,10.00', b'"Submitted for grading",8.5,10.00').replace(
        b",9.00,", b",10,"
    )
    numbered = [row("a", 1, moodle_id="123456"), row("b", 2, moodle_id="123458"), row("c", None, moodle_id="123457")]
    out, _ = fill(tmp_path, MOODLE, "moodle", numbered)
    assert [r["Grade"] for r in csv.DictReader(io.StringIO(out.decode()))] == ["1", "9.00", "2"]


def test_moodle_gradebook_with_a_decimal_comma_in_another_locale(tmp_path):
    text = (
        "Vorname;Nachname;ID-Nummer;E-Mail-Adresse;Aufgabe: Lab 04 (Punkte);Aufgabe: Lab 4 (Feedback);Kurs "
        "gesamt\r\nAda;Lovelace;77;ada@uni.example;-;;7,50\r\nBen;Müller;78;ben@uni.example;2,00;;8,00\r\n"
    )
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(store.StoreError, match="does not say what 'Aufgabe: Lab 04 .Punkte.' is out of .*--scale"):
            fill(tmp_path, text.encode(encoding), "moodle")
        out, _ = fill(tmp_path, text.encode(encoding), "moodle", scale=10.0)
        assert out == text.replace(";-;", ";8,5;").replace(";2,00;", ";10;").encode(encoding)
    commas = (
        text.replace(",", "|")
        .replace(";", ",")
        .replace("|", ",")
        .replace("7,50", '"7,50"')
        .replace("2,00", '"2,00"')
        .replace("8,00", '"8,00"')
    )
    assert b',"8,5",' in fill(tmp_path, commas.encode(), "moodle", scale=10.0)[0]


@given(
    st.lists(st.lists(st.text(st.sampled_from('ab,;\t" \n\r=0é')), min_size=2, max_size=4), min_size=1, max_size=4),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_fields_are_read_as_the_csv_module_reads_them(rows, delimiter, end, bom):
    out, returns = (
        io.StringIO(),
        any("\r" in cell for row in rows for cell in row),
    )  # which Python's writer does not always quote
    csv.writer(
        out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    ).writerows(rows)
    text = "\ufeff" * bom + out.getvalue()
    spans = [row for row in table.fields(text, delimiter, int(bom)) if row[0][0] != row[-1][1]]
    assert [[table.value(text, span) for span in row] for row in spans] == rows


def test_names_are_the_last_resort_and_must_be_unique(tmp_path):
    named = [row("x1", 5, name="Ada Lovelace"), row("x2", 6, name="ben  müller")]
    assert b",5,72.5" in fill(tmp_path, CANVAS, "canvas", named)[0]
    assert b"10,6," in fill(tmp_path, CANVAS, "canvas", named)[0]
    twins = CANVAS.replace(b'"M\xc3\xbcller, Ben",102,S2,ben@uni.example', b'"Lovelace, Ada",102,S2,other')
    with pytest.raises(store.StoreError, match="not in .*export.csv: x1"):
        fill(tmp_path, twins, "canvas", named[:1])


def test_who_has_no_name_may_be_a_namesake(tmp_path):
    data = CANVAS.replace(b"101,S1,ada@uni.example", b"101,,ada")  # in truth the row of 79, the other Ada
    for unnamed in (row("79", None), row("79", 3), row("79", None, "ada@uni.example")):
        reason = r"line 3 .*is 80's by name alone, but may be 79's.*: give 79 a name there, or an id that the file has"
        with pytest.raises(store.StoreError, match=reason):
            fill(tmp_path, data, "canvas", [unnamed, row("80", 5, name="Ada Lovelace")], skip_unmatched=True)
    for other in (row("79", 3, login="ada"), row("79", 3, name="Ada Lovelace", login="ada")):
        out, _ = fill(tmp_path, data, "canvas", [other, row("80", 5, name="Ada Lovelace")], skip_unmatched=True)
        assert out == data.replace(b"7.25,,72.5", b"7.25,3,72.5")
    for other in (row("79", 3, name="Zoe Quill"), row("79", 3, login="zoe"), row("Zoe Quill", 3)):
        out, _ = fill(tmp_path, data, "canvas", [other, row("80", 5, name="Ada Lovelace")], skip_unmatched=True)
        assert out == data.replace(b"7.25,,72.5", b"7.25,5,72.5")


def test_who_is_not_in_the_file_stops_it_or_is_listed(tmp_path):
    rows = [*CLASS, row("zoe", 3)]
    with pytest.raises(store.StoreError, match="zoe.*--skip-unmatched"):
        fill(tmp_path, CANVAS, "canvas", rows)
    out, notes = fill(tmp_path, CANVAS, "canvas", rows, skip_unmatched=True)
    assert out == fill(tmp_path, CANVAS, "canvas")[0] and "not in the file, left out: zoe" in notes


def test_a_missing_grade_is_never_a_zero(tmp_path):
    with pytest.raises(store.StoreError, match="nobody has a grade"):
        fill(tmp_path, CANVAS, "canvas", [row("ada", None), row("ben", None)])
    assert b"cleo@uni.example,,,4," in fill(tmp_path, CANVAS, "canvas")[0]
    assert b"7.25,0,72.5" in fill(tmp_path, CANVAS, "canvas", [row("S1", 0.0)])[0]  # a 0 that was earned is a grade


def test_a_word_in_a_cell_stays(tmp_path):
    out, notes = fill(tmp_path, CANVAS.replace(b"10,3.0,", b"10,EX,"), "canvas")
    assert b"10,EX," in out and "ben (EX)" in notes


def test_other_points_are_refused_or_converted(tmp_path):
    data = CANVAS.replace(b"10.0,10.0,(read", b"10.0,100.0,(read")
    with pytest.raises(store.StoreError, match="out of 100 points and .* of 10"):
        fill(tmp_path, data, "canvas")
    assert b"7.25,85,72.5" in fill(tmp_path, data, "canvas", scale=True)[0]
    out, notes = fill(tmp_path, CANVAS, "canvas", [row("ada", 6.0, "ada@uni.example", pending=2.0)])
    assert b"7.25,6,72.5" in out and "still to be read" in notes


@pytest.mark.parametrize(
    ("data", "kind", "options", "words"),
    [
        (
            CANVAS.replace(b"Lab 04 (1234)", b"Homework (1234)"),
            "canvas",
            {},
            "--column; columns: Lab 03 .1230., Homework",
        ),
        (CANVAS.replace(b"Lab 03", b"Lab 4"), "canvas", {}, "more than once"),
        (CANVAS, "canvas", {"column": "Lab 99"}, "not there"),
        (MOODLE, "canvas", {}, "no gradebook of Canvas"),
        (b"Student,ID\n", "canvas", {}, "no students"),
        (CANVAS.replace(b'"Spring, A"', b'"Spring, A'), "canvas", {}, "quotes that do not pair"),
        (CANVAS.decode().encode("utf-16"), "canvas", {}, "UTF-8"),
    ],
)
def test_what_cannot_be_filled_is_one_line(tmp_path, data, kind, options, words):
    with pytest.raises(store.StoreError, match=words) as caught:
        fill(tmp_path, data, kind, **options)
    assert "\n" not in str(caught.value)


def test_the_column_can_be_named(tmp_path):
    data = CANVAS.replace(b"Lab 04 (1234)", b"Homework (1234)")
    assert b"7.25,8.5,72.5" in fill(tmp_path, data, "canvas", column="homework")[0]


def test_no_cell_is_a_formula_for_any_spreadsheet():
    unseen = ("\ufeff=1", "\u200b=1", "\u00ad+1", "\u202e\u2066@x", "\x00=1", '\ufeff"\u2060-1', "\u00a0=1")
    for text in ("=HYPERLINK(1)", "+1", "-2", "@x", "\t=1", "\r=1", " =1", '"=1', "＝1", "|x", *unseen):
        assert page.neutral(text).startswith("'"), text
    assert page.neutral("a;\u200b=1") == "a;\u200b'=1" and page.neutral("\ufeffAnn") == "\ufeffAnn"
    assert [page.neutral(text) for text in ("a;=1+1", 'a\t"@b', "a, -b")] == [
        "a;'=1+1",
        'a "@b',
        "a, '-b",
    ]  # where the cell is split at another separator
    assert [page.neutral(v) for v in (-2, 0.5, None, "fine - really", "a\r\nb")] == [
        -2,
        0.5,
        "",
        "fine - really",
        "a b",
    ]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    root = tmp_path_factory.mktemp("class")
    people.graded(
        root,
        "ada",
        [
            people.question("surprise", [people.case("one"), people.case("two", "fail")]),
            people.written("written_1", "text"),
        ],
    )
    people.graded(root, "=cmd()", status="ungradable", reason="@sum: the file is empty")
    return root


def test_the_commands(graded, tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(graded)
    worksheet_file = tmp_path / "mine.csv"
    worksheet_file.write_bytes(b"Student,ID,Lab 00 (7)\nPoints Possible,,0.75\nada,1,\n")
    assert export.main([people.LAB, "--to", "canvas", "--into", str(worksheet_file)]) == 0
    out, err = capfdbinary.readouterr()
    assert out == b"Student,ID,Lab 00 (7)\nPoints Possible,,0.75\nada,1,0.25\n" and b"1 cell filled" in err
    for arguments, words in (
        (["--to", "canvas"], "--into"),
        (["--into", "x"], "takes no --into"),
        (["--to", "gradescope"], "-o FILE.zip"),
        (["--to", "moodle", "--into", "nothing.csv"], "cannot be read"),
        (["--to", "canvas", "--into", str(worksheet_file), "-o", str(worksheet_file)], "another name"),
        (["-o", "/proc/nothing/x.csv"], "cannot write"),
    ):
        with pytest.raises(store.StoreError, match=words):
            export.main([people.LAB, *arguments])
    assert export.main([people.LAB, "-o", str(tmp_path / "all.csv")]) == 0
    rows = {r["status"]: r for r in csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text()))}
    assert (
        rows["graded"]["final"],
        rows["graded"]["to_review"],
        rows["graded"]["surprise"],
        rows["graded"]["written_1"],
    ) == ("0.25", "0.25", "0.25", "")
    bad = rows["ungradable"]
    assert bad["final"] == bad["score"] == "" and not any(value[:1] in tuple("=+-@") for value in bad.values() if value)
