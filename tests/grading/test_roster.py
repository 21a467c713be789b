"""The class list: what people keep it in, and whom it means."""

import unicodedata

import pytest
from handins import ROSTER, book, lms

from course_lib.grading.people import identity, names, roster
from course_lib.grading.records import store


@pytest.mark.parametrize(
    "text, why",
    [
        ("name\nann\n", "column named student; it has name"),
        ("", "column named student"),
        ("student\n", "column named student"),
        ("student\nann\nANN\n", "ann and ANN have the same student"),
        ("student,email\nann,A@x.org\nbob,a@x.org\n", "ann and bob have the same email"),
        ("student,canvas_id\nann,7\nbob,7\n", "ann and bob have the same canvas_id \\(7\\)"),
        ("student,name\nann,Ann\n,Bob\n", "line 3: the column student is empty \\(Bob\\)"),
        ("student\na/b\na_b\n", "a_b and a_b have the same student"),
    ],
)
def test_a_roster_with_a_slip_is_one_line(tmp_path, text, why):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(store.StoreError, match=why):
        roster.read(tmp_path / "roster.csv")


@pytest.mark.parametrize("encoding, separator", [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", ";")])
def test_a_roster_as_spreadsheets_write_it(tmp_path, encoding, separator):
    (tmp_path / "r.csv").write_bytes(
        f'Student{separator}Name{separator}Matriculation Number\r\nann{separator}"Müller\n, '
        f'Änne"{separator}0123\r\n{separator}{separator}\r\n'.encode(encoding)
    )
    assert roster.read(tmp_path / "r.csv") == [
        {
            "student": "ann",
            "match": "ann",
            "name": "Müller\n, Änne",
            "email": "",
            "group": "",
            "extension": "",
            "excused": "",
            "ids": {"Matriculation Number": "0123"},
        }
    ]


def test_canvas_own_gradebook_is_a_roster(tmp_path):
    text = (
        'Student,ID,SIS User ID,SIS Login ID,Section,Lab 2 (88)\n    Points Possible,,,,,10.00\n"Doe, '
        'Jane",12345,990001,jane@uni.edu,A,\n"Smith, Bob",12347,,bob,A,10.00\n'
    )
    found, said, _ = lms(
        tmp_path,
        "submissions.zip",
        {"doejane_12345_1_a.ipynb": book("jane"), "smithbob_12347_2_10.00.ipynb": book("bob")},
        text,
    )
    assert found == {"Doe_ Jane": ["jane"], "Smith_ Bob": ["bob"]}, said


@pytest.mark.parametrize(
    "mine, theirs, same",
    [
        ("Jane Doe", "Doe, Jane", True),
        ("Jane Doe", "doejane", True),
        ("José García Márquez", "Garcia Marquez Jose", True),
        ("José", unicodedata.normalize("NFD", "JOSÉ"), True),
        ("Anne-Marie Müller", "mullerannemarie", True),
        ("Sinéad O’Brien", "o'brien sinead", True),
        ("Großmann, Uwe", "UWE GROSSMANN", True),
        ("李 俊", "李俊", True),
        ("Jane Doe", "Jane Roe", False),
        ("Jane Doe", "Jane Mary Doe", False),
        ("Jane Doe", "", False),
        ("", "", False),
        ("!", "?", False),
    ],
)
def test_names(mine, theirs, same):
    assert names.same(mine, theirs) is same and names.same(theirs, mine) is same


def read(tmp_path, data):
    path = tmp_path / "roster.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return roster.read(path)


@pytest.mark.parametrize(
    "text, why",
    [
        ("student,name\nann,Lee, Ann\n", "line 2 has more fields than the first one"),
        ('student,name\nann,"Lee\n', "line 2 has quotes that do not pair"),
        ("student,name,full name\nann,Ann,Ann\n", "has the column name twice: name, full name"),
        ("student,github\nann,x\nbob,X\n", "ann and bob have the same github"),
        ("student,group\n" + "".join(f"s{i},Tutorial 1\n" for i in range(9)), "Tutorial 1 has 9 students"),
        ("Last Name,First Name,Username,Student ID\nLee,Ann,al,7\n", "needs a column named student; it has Last Name"),
        ("OrgDefinedId,Username,Last Name,First Name\n#7,#al,Lee,Ann\n", "needs a column named student"),
    ],
)
def test_a_roster_that_could_mix_people_up_is_one_line(tmp_path, text, why):
    with pytest.raises(store.StoreError, match=why) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"sep=;\r\n", b"\xef\xbb\xbfsep=;\r\n", b'"sep=;"\n'])
def test_bom_semicolons_and_the_line_that_spreadsheets_hide(tmp_path, start):
    (ann,) = read(tmp_path, start + b'student;name;email\r\nann;"Lee,\r\nAnn";ann@x.org\r\n\r\n;;\r\n')
    assert (ann["student"], ann["name"], ann["email"]) == ("ann", "Lee,\r\nAnn", "ann@x.org")


SPLIT = "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section,Lab 00 (4401)\n"


@pytest.mark.parametrize(
    "text",
    [
        "Student,ID,SIS User ID,SIS Login ID,Section,Lab 00 (4401)\n,,,,,Manual Posting\n"
        '    Points Possible,,,,,2.00\n"Okafor, Nadia",7101,S71,nokafor,A,\n"Student, Test",9,,x,A,\n',
        f"{SPLIT},,,,,,Manual Posting (scores hidden from instructors)\n    Points Possible,,,,,,2.00\n"
        "Okafor,Nadia,7101,S71,nokafor,A,\nStudent,Test,9,,x,A,\n",
        f"{SPLIT},,,,,,Muted\n,Points Possible,,,,,2.00\nOkafor,Nadia,7101.0,S71,nokafor,A and B,(read only)\n",
    ],
)
def test_canvas_own_lines_are_nobodys(tmp_path, text):
    (nadia,) = read(tmp_path, text)
    assert nadia["student"] == "Okafor_ Nadia" and nadia["ids"]["sis_id"] == "S71" and "Section" not in nadia["ids"]
    assert roster.find([nadia], [("canvas_id", "7101")])[0] is nadia


def test_two_of_one_name_in_canvas_are_told_apart_by_its_id(tmp_path):
    text = 'Student,ID,SIS Login ID,Section,Lab 2 (88)\n"Li, Jun",7,lj1,A,\n"Li, Jun",8,lj2,A,\n"Doe, Jane",9,jd,A,\n'
    assert [s["student"] for s in read(tmp_path, text)] == ["Li_ Jun 7", "Li_ Jun 8", "Doe_ Jane"]
    found, said, _ = lms(
        tmp_path, "submissions.zip", {"lijun_8_1_a.ipynb": book("b"), "lijun_7_2_a.ipynb": book("a")}, text
    )
    assert found == {"Li_ Jun 7": ["a"], "Li_ Jun 8": ["b"]}, said


@pytest.mark.parametrize(
    "text",
    [
        "First Name,Last Name,SID,Email,Role,Section\nNadia,Okafor,S71,no@x.org,Student,A\nIda,Ray,,i@x.org,TA,\n",
        "Name,SID,Email,Role\nNadia Okafor,S71,no@x.org,Student\nTom Tay,S9,t@x.org,TA\n",
        "Full Name;Email;SID\nNadia Okafor;no@x.org;S71\n",
    ],
)
def test_gradescopes_roster(tmp_path, text):
    (nadia,) = read(tmp_path, text)
    assert (nadia["student"], nadia["name"], nadia["ids"]) == ("no@x.org", "Nadia Okafor", {"sis_id": "S71"})


def test_two_sections_merged(tmp_path):
    text = "student,name,sis_id,section\nann,Ann Lee,S1,A\nbob,Bob Roe,S2,A\nann,Ann Lee,S1,B\n"
    assert [s["student"] for s in read(tmp_path, text)] == ["ann", "bob"]  # one line of ann's is as good as the other
    with pytest.raises(store.StoreError, match="ann and ann have the same student"):
        read(tmp_path, text.replace("Ann Lee,S1,B", "Ann Lee,S3,B"))


@pytest.mark.parametrize(
    "theirs, mine, note",
    [
        ("7101", "7101.0", ""),
        ("7101", "7101,00", ""),
        ("7101", "7.101E+03", ""),
        ("007101", "7101", ""),
        ("7101", "7.1E+03", "is rounded"),  # found by the name, which it does not contradict
        ("7250", "7.1E+03", "add the column canvas_id with 7250"),
    ],
)
def test_ids_that_went_through_a_spreadsheet(tmp_path, theirs, mine, note):
    students = read(tmp_path, f'student,name,canvas_id\nno,N. Okafor,"{mine}"\npl,P. Lindqvist,"7102.0"\n')
    hints = [("canvas_id", theirs), ("name", "okafornadia")]
    if not note:
        assert roster.find(students, hints)[0]["student"] == "no"
        return
    called = [("canvas_id", theirs), ("name", "okafor n")]
    if note == "is rounded":
        assert roster.find(students, called)[0]["student"] == "no"
        with pytest.raises(roster.NotMatched, match="no's 7.1E.03 looks like a number that a spreadsheet has rounded"):
            roster.find(students, hints)
    else:
        with pytest.raises(roster.NotMatched, match=note):
            roster.find(students, called)


def test_zeros_that_are_missing_on_two_sides_tell_nobody(tmp_path):
    students = read(tmp_path, "student,canvas_id\na,071\nb,71\n")
    assert roster.find(students, [("canvas_id", "71")])[0]["student"] == "b"
    assert roster.by_id(students, "canvas_id", "0071") == []


def test_what_many_share_identifies_nobody(tmp_path):
    text = "student,group number,class id,phone number\nann,7101,4401,123456\nbob,7101,4401,123456\n"
    assert [s["ids"] for s in read(tmp_path, text)] == [{}, {}]
    assert identity.kind_of("Matriculation number") and not identity.kind_of("Section ID")


@pytest.mark.parametrize(
    "mine, theirs, apart",
    [
        ("Nadia Okafor", "Per Lindqvist", True),
        ("N. Okafor", "Okafor, Nadia", False),
        ("Alex Smith", "Alexander Schmidt", False),
        ("Nadia Okafor", "okafornadia", False),
        ("李明", "Ming Li", False),
        ("Nadia Okafor", "", False),
        ("user 7", "Nadia Okafor", False),
    ],
)
def test_strangers(mine, theirs, apart):
    assert names.strangers(mine, theirs) is apart and names.strangers(theirs, mine) is apart


def test_the_roster_of_the_other_tests_is_read(tmp_path):
    assert len(read(tmp_path, ROSTER)) == 6
