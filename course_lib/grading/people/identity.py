"""Who somebody is, in the columns of class lists and of what Canvas, Moodle and Gradescope export.

Only a column that is an identifier identifies, and only against the same column. Identities are {kind: {values}}; kinds
are those of WORDS, a column's own words where both sides have it and, of less weight, "name". The number that an
institution gives may be Canvas's sis_id and Moodle's id_number: equal they join, but where they differ there may be two
such numbers.

Moodle writes its columns in the teacher's language. The words are facts from its public language packs (assign.php and
moodle.php of version 4.5 as of May 2026; Polish 4.0, Brazilian Portuguese 3.11). Other languages are told by shape: an
address has an @, and an identifier of Moodle's is the word for a participant with a number at its end.
"""

import functools
import re
import unicodedata

from course_lib.grading.people import names

# fmt: off
WORDS = {
    "canvas_id": "canvas id,id",
    "sis_id": "sis id,sis user id,sid,student id,orgdefinedid",
    "id_number": "id number,idnumber,id nummer,numéro d identification,número de id,nummer id,codice identificativo,"
        "número de identificação id,numer id,numer indeksu",
    "login": "login,login id,sis login id,username,user name,anmeldename,nom d utilisateur,nombre de usuario,"
        "gebruikersnaam,nome de utilizador,nome de usuário,nazwa użytkownika",
    "integration_id": "integration id",
    "moodle_id": "moodle id,identifier,identifiant,identificador,identificatie,identificativo,identyfikator",
    "email": "email,e mail,email address,e mail adresse,adresse de courriel,dirección de correo,e mailadres,"
        "indirizzo email,endereço de email,adres e mail",
    "github": "github,github username,github login",
    "name": "name,full name,fullname,student,student name,vollständiger name,nom complet,nombre completo,"
        "volledige naam,nome completo,pełna nazwa",
    "first": "first name,firstname,vorname,prénom,nombre,voornaam,nome,imię",
    "last": "last name,lastname,surname,nachname,nom de famille,apellido s,achternaam,cognome,apelido,sobrenome,"
        "nazwisko",
    "group": "group,groups,gruppe,gruppen,groupe,groupes,grupo,grupos,groep,groepen,gruppo,gruppi,grupa,grupy",
}
# fmt: on
KINDS = {word: kind for kind, words in WORDS.items() for word in words.split(",")}
# a column that is an identifier by what it is called, and those that only sound so
OWN = re.compile(
    r"\b(?:id|ids|sid|uid|upi|netid|login|username|number|nummer|numéro|número|numero|matrik\w*|matric\w*|matríc\w*)\b"
)
SHARED = re.compile(
    r"section|group|gruppe|groupe|grupo|groep|gruppo|course|kurs|class|lab|assignment|phone|room|points|score|grade"
)
PARTICIPANTS = r"participante?|teilnehmer(?:/?in)?|deelnemer|partecipante|uczestnik"
PARTICIPANT = re.compile(rf"(?:{PARTICIPANTS}) ?(?=\d+$)")
NUMBERED = re.compile(r"([^\W\d_]{3,}[^\d]*)\d+")  # the same in a language that is not here
NUMBERS = ("canvas_id", "sis_id", "id_number", "integration_id", "moodle_id")  # which a spreadsheet writes otherwise


# what Canvas writes into the lines of its gradebook that are nobody's; "Manual Posting" is not translated
NOBODY = re.compile(r"\s*(?:muted|manual posting.*)?\s*", re.I)
TEST_STUDENT = (["student, test"], ["student", "test"], ["test student"])


def nobody(row):
    """Whether a line of Canvas's gradebook is no student's: points possible, posting policy, the test student."""
    start = [fold(cell) for cell in row[:2]]
    if any("points possible" in cell for cell in start) or all(map(NOBODY.fullmatch, row)):
        return True
    return start in TEST_STUDENT or start[:1] in TEST_STUDENT


def fold(text):
    return " ".join(unicodedata.normalize("NFC", str(text)).casefold().split())


def header(text):
    """A column's name to compare: "SIS_User-ID " -> "sis user id"."""
    return fold(re.sub(r"[\W_]+", " ", text))


@functools.lru_cache(4096)  # the columns of a class are asked for again at each hand-in
def kind_of(column):
    """The kind of a column by its name alone; "" for one that does not identify."""
    text = header(column)
    if text in KINDS:
        return KINDS[text]
    return f"the column {text}" if OWN.search(text) and not SHARED.search(text) else ""


def kinds(columns, rows):
    """[kind or ""] of the columns of a table, by their names and, where these are unknown, by their cells' shape."""
    found = [kind_of(column) for column in columns]
    for index, kind in enumerate(found):
        cells = [fold(row[index]) for row in rows if index < len(row) and row[index].strip()]
        if kind in ("", "canvas_id") and cells and all(map(PARTICIPANT.match, cells)):  # German: "ID"
            found[index] = "moodle_id"
        elif not kind and cells and all(re.fullmatch(r"[^@\s]+@[^@\s]+", cell) for cell in cells):
            found[index] = "email"
    if "first" in found and "last" not in found:  # Italian: "Nome" alone is the full name
        found[found.index("first")] = "name"
    return found


def of_row(kinds_of_columns, row):
    """{kind: {values}} of a row of a table."""
    found, first, last = {}, "", ""
    for kind, cell in zip(kinds_of_columns, row):
        cell = cell.strip()
        if kind == "first":
            first = cell
        elif kind == "last":
            last = cell
        elif kind and kind != "group" and cell:
            found.setdefault(kind, set()).add(cell)
    if first and last:
        found.setdefault("name", set()).add(f"{first} {last}")
    return found


def of_person(person):
    """{kind: {values}} of a student as roster.read and gradebook.rows give them."""
    found = {}
    for column, text in [("email", person["email"]), *person["ids"].items()]:
        if (kind := kind_of(column)) and text:
            found.setdefault(kind, set()).add(text)
    called = person["name"] or person["student"]
    if "@" not in called:
        found["name"] = {called}
    for values in found.values():  # what an LMS told is exact where a spreadsheet has spoilt the roster's
        if len(values) > 1:
            values -= {text for text in values if rounded(text)}
    return found


# ---- one value against another --------------------------------------------------------------------------------------


def key(kind, text):
    """A value to compare exactly."""
    return PARTICIPANT.sub("", fold(text)) if kind == "moodle_id" else fold(text)


def plain(text):
    """A number as it was before a spreadsheet wrote it: 7101.0 and 7.101E+03 are 7101, 0071 is 71. "" for what is no
    number, or one that was rounded.
    """
    text = text.strip().replace(",", ".")
    if found := re.fullmatch(r"(\d+)(?:\.0+)?", text):
        return found[1].lstrip("0") or "0"
    if found := re.fullmatch(r"(\d)(?:\.(\d+))?e\+?(\d+)", text, re.I):
        digits, zeros = found[1] + (found[2] or ""), int(found[3]) + 1
        return digits if len(digits) == zeros else ""
    return ""


def rounded(text):
    """Whether a value looks like a number of which a spreadsheet has left out digits: 7.1E+03."""
    return bool(re.fullmatch(r"\d(?:[.,]\d+)?e\+?\d+", text.strip(), re.I)) and not plain(text)


def may_be(text, other):
    """Whether a rounded number may have been the other one."""
    if not rounded(text) or not plain(other):
        return False
    digits = len(re.sub(r"e.*", "", text.strip().lower()).replace(".", "").replace(",", ""))
    return float(text.replace(",", ".")) == float(f"{float(plain(other)):.{digits - 1}e}")


def equal(kind, one, other):
    """Whether two values are the same but for what spreadsheets do to numbers, and the domain of a login."""
    if key(kind, one) == key(kind, other) or (kind in NUMBERS and plain(one) and plain(one) == plain(other)):
        return True
    short, long = sorted((fold(one), fold(other)), key=len)
    return kind == "login" and long.startswith(f"{short}@")


def agree(kind, mine, theirs):
    """True, False or None (it cannot be told) for two sets of values of one kind."""
    pairs = [(a, b) for a in mine for b in theirs]
    if kind == "name":
        return False if all(names.strangers(a, b) for a, b in pairs) else None
    if any(equal(kind, a, b) for a, b in pairs):
        return True
    return None if any(may_be(a, b) or may_be(b, a) for a, b in pairs) else False


def links(mine, theirs):
    """[(index in mine, index in theirs, kind)] of whoever an identifier joins; both are lists of {kind: {values}}.

    A value that two of one side share joins nobody. Numbers that a spreadsheet wrote otherwise are joined where no
    other number could be meant. An address is one, be it called a login or an email.
    """
    found = set()
    for kind in set().union(*mine) & set().union(*theirs) - {"name"}:
        exact = joined(mine, theirs, lambda person, kind=kind: {key(kind, v) for v in person.get(kind, ())})
        found |= {(i, j, kind) for i, j in exact}
        if kind in NUMBERS:
            loose = joined(mine, theirs, lambda person, kind=kind: {plain(v) for v in person.get(kind, ())} - {""})
            known_mine, known_theirs = {i for i, _ in exact}, {j for _, j in exact}
            found |= {(i, j, kind) for i, j in loose if i not in known_mine and j not in known_theirs}
    for how, values in (("address", addresses), ("number", numbers)):
        known = {(i, j) for i, j, _ in found}
        found |= {(i, j, how) for i, j in joined(mine, theirs, values) if (i, j) not in known}
    return sorted(found)


def addresses(person):
    return {fold(text) for kind in ("email", "login") for text in person.get(kind, ()) if "@" in text}


def numbers(person):
    return {fold(text) for kind in ("sis_id", "id_number") for text in person.get(kind, ())}


def joined(mine, theirs, values):
    """{(i, j)}: values(mine[i]) and values(theirs[j]) have one in common that nobody else has on either side."""

    def owners(people):
        found = {}
        for index, person in enumerate(people):
            for text in values(person):
                found.setdefault(text, []).append(index)
        return {text: indices[0] for text, indices in found.items() if len(indices) == 1}

    left, right = owners(mine), owners(theirs)
    return {(left[text], right[text]) for text in left.keys() & right.keys()}
