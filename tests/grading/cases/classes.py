"""Classes: rosters, gradebooks and downloads that people really have, and whose points must stand where."""

from cases.make import FULL, LAB, Case, checkout, notebook, table, zipped

NADIA, PER = ("Nadia Okafor", "nokafor", 7101), ("Per Lindqvist", "plindqvist", 7102)
N, P = notebook(note="nadia"), notebook(note="per")
ROSTER = "student,name,email\n" + "".join(f"{login},{name},{login}@uni.example\n" for name, login, _ in (NADIA, PER))
BOTH = {"nokafor": FULL, "plindqvist": FULL}
CANVAS_ZIP = {
    "submissions.zip": zipped(
        {"okafornadia_7101_90001_lab00.ipynb": N, "lindqvistper_LATE_7102_90002_lab00-1.ipynb": P, "x_9_text.html": b""}
    )
}
MOODLE_ZIP = {
    "moodle.zip": zipped(
        {
            f"{name}_{number}_assignsubmission_file/lab00.ipynb": data
            for (name, _, number), data in ((NADIA, N), (PER, P))
        }
    )
}


def canvas(first=("Student",), most="2.00", numbers=("7101", "7102"), extra=(), **how):
    """A gradebook of Canvas with two students of one section."""
    head = [*first, "ID", "SIS User ID", "SIS Login ID", "Section", "Lab 00 (4401)", "Lab 01 (4402)"]
    blank = [""] * (len(first) - 1)
    rows = [head, *extra, ["    Points Possible", *blank, "", "", "", "", most, "9.00"]]
    for (name, login, _), number, points in zip((NADIA, PER), numbers, ("8.00", "7.50")):
        given, last = name.split()
        called = [f"{last}, {given}"] if len(first) == 1 else [last, given]
        rows.append([*called, number, f"S{int(float(number)) - 7030}", f"{login}@uni.example", "Autumn", "", points])
    return table(*rows, **how)


WORDS = {  # Identifier, Full name, Email address, Status, Grade, Maximum grade; the word for a participant
    "English": ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum grade", "Participant"),
    "German": ("ID", "Vollständiger Name", "E-Mail-Adresse", "Status", "Bewertung", "Bestwertung", "Teilnehmer/in"),
    "French": ("Identifiant", "Nom complet", "Adresse de courriel", "Statut", "Note", "Note maximale", "Participant"),
    "Spanish": (
        "Identificador",
        "Nombre completo",
        "Correo",
        "Estado",
        "Calificación",
        "Calificación máxima",
        "Participante",
    ),
    "Dutch": ("Identificatie", "Volledige naam", "E-mailadres", "Status", "Cijfer", "Maximaal cijfer", "Deelnemer"),
    "Italian": (
        "Identificativo",
        "Nome",
        "Indirizzo email",
        "Stato",
        "Valutazione",
        "Valutazione massima",
        "Partecipante",
    ),
    "Portuguese": ("Identificador", "Nome completo", "E-mail", "Estado", "Avaliação", "Nota máxima", "Participante"),
    "Polish": ("identyfikator", "Pełna nazwa", "E-mail", "Status", "Ocena", "Maksymalna ocena", "Uczestnik"),
    "Swedish": ("Identifierare", "Fullständigt namn", "E-postadress", "Status", "Betyg", "Maxbetyg", "Deltagare"),
}


def moodle(language, most="2,00"):
    *head, word = WORDS[language]
    rows = [[f"{word}{number}", name, f"{login}@uni.example", "…", "", most] for name, login, number in (NADIA, PER)]
    return table(head, *rows, start="\ufeff")


def filled(word, value):
    return {f"{word}7101": value, f"{word}7102": value}


CANVAS_FILLED = {"Okafor, Nadia": "1.5", "Lindqvist, Per": "1.5"}
CANVAS_BOTH = {"Okafor_ Nadia": FULL, "Lindqvist_ Per": FULL}
MANUAL = [["", "", "", "", "", "Manual Posting", "Manual Posting"]]
GROUPS = (
    "student,name,group,github\nnokafor,Nadia Okafor,Blue,nadia-o\nplindqvist,Per Lindqvist,Blue,perl\n"
    "zoe,Zoe Novak,,zoe\n"
)

CASES = [
    *(
        Case(
            "Canvas's gradebook as class list and as the file",
            label,
            CANVAS_ZIP,
            CANVAS_BOTH,
            roster,
            into=("canvas", file, CANVAS_FILLED),
        )
        for label, roster, file in (
            ("two of one section", canvas(), canvas()),
            ("points of other labs changed places", canvas(), canvas().replace(b"8.00", b"7.50", 1)),
            ("with a line Manual Posting", canvas(extra=MANUAL), canvas(extra=MANUAL)),
        )
    ),
    Case(
        "Canvas's gradebook as class list and as the file",
        "split names",
        CANVAS_ZIP,
        CANVAS_BOTH,
        canvas(("LastName", "FirstName")),
        into=("canvas", canvas(("LastName", "FirstName")), {"Okafor": "1.5", "Lindqvist": "1.5"}),
    ),
    *(
        Case("Canvas's own lines in the class list", label, CANVAS_ZIP, CANVAS_BOTH, canvas(extra=[line]))
        for label, line in (
            ("Manual Posting", MANUAL[0]),
            ("Muted", ["", "", "", "", "", "Muted", ""]),
            ("the test student", ["Student, Test", "9", "", "x", "Autumn", "", ""]),
        )
    ),
    *(
        Case(
            "ids that went through a spreadsheet",
            label,
            CANVAS_ZIP,
            BOTH,
            f"student,name,canvas_id\nnokafor,{name},{one}\nplindqvist,P. Lindqvist,{two}\n",
            into=("canvas", canvas(), CANVAS_FILLED),
        )
        for label, name, one, two in (
            ("7101.0", "N. Okafor", "7101.0", "7102.0"),
            ("7.101E+03", "N. Okafor", "7.101E+03", "7.102E+03"),
            ("zeros in front", "N. Okafor", "007101", "007102"),
        )
    ),
    Case(
        "ids that went through a spreadsheet",
        "rounded",
        CANVAS_ZIP,
        {},
        "student,name,canvas_id\nnokafor,N. Okafor,7.1E+03\n",
        says="7.1E.03 looks like a number that a spreadsheet has rounded",
    ),
    *(
        Case(
            "Moodle in its people's languages",
            language,
            MOODLE_ZIP,
            BOTH,
            ROSTER,
            into=("moodle", moodle(language), filled(words[-1], "1,5")),
        )
        for language, words in WORDS.items()
    ),
    *(
        Case("a maximum that is not the lab's", label, MOODLE_ZIP, BOTH, ROSTER, says="--scale", into=(kind, file, {}))
        for label, kind, file in (
            ("1,50 in German", "moodle", moodle("German", "1,50")),
            ("100.00 in English", "moodle", moodle("English", "100.00")),
            (
                "none that is told",
                "moodle",
                table(
                    ["First name", "Last name", "Email address", "Lab 00 (Real)"],
                    ["Nadia", "Okafor", "nokafor@uni.example", ""],
                ),
            ),
            ("1.50 in Canvas", "canvas", canvas(most="1.50")),
        )
    ),
    *(
        Case("a maximum that is converted", label, MOODLE_ZIP, BOTH, ROSTER, into=(kind, file, cells, scale))
        for label, kind, file, cells, scale in (
            ("to 100", "moodle", moodle("French", "100,00"), filled("Participant", "75"), True),
            ("to 1.5", "canvas", canvas(most="1.50"), {"Okafor, Nadia": "1.12", "Lindqvist, Per": "1.12"}, True),
            (
                "to what is said",
                "moodle",
                table(
                    ["First name", "Last name", "Email address", "Lab 00 (Real)"],
                    ["Nadia", "Okafor", "nokafor@uni.example", ""],
                    ["Per", "Lindqvist", "", ""],
                ),
                {"Nadia": "7.5", "Per": "7.5"},
                10.0,
            ),
        )
    ),
    Case(
        "a team's number",
        "of a group of the class list",
        {"m.zip": zipped({"Blue_7101_assignsubmission_file/a.ipynb": N})},
        BOTH,
        GROUPS,
    ),
    Case(
        "a team's number",
        "of no group",
        {"m.zip": zipped({"Green_7101_assignsubmission_file/a.ipynb": N})},
        {},
        "student,name,moodle_id\nnokafor,Nadia Okafor,7101\n",
        "NOT MATCHED",
    ),
    Case(
        "a team's number",
        "of the default group",
        {"m.zip": zipped({"Default group_assignsubmission_file/a.ipynb": N})},
        {},
        ROSTER,
        "NOT MATCHED",
    ),
    Case(
        "a team's number",
        "in an older Moodle",
        {
            "m.zip": zipped(
                {
                    "Blue-Nadia Okafor_77_assignsubmission_file_/a.ipynb": N,
                    "Blue-Per Lindqvist_78_assignsubmission_file_/a.ipynb": N,
                }
            )
        },
        BOTH,
        GROUPS,
    ),
    Case(
        "a group",
        "by one member's file",
        {"nokafor.ipynb": N},
        BOTH,
        GROUPS,
        "counts for the group Blue, too: plindqvist",
    ),
    Case(
        "a group", "each member's own counts for that member", {"nokafor.ipynb": N, "plindqvist.ipynb": P}, BOTH, GROUPS
    ),
    Case(
        "a group", "in Canvas", {"c.zip": zipped({"blue_1_2_a.ipynb": N})}, BOTH, GROUPS, "handed in by the group Blue"
    ),
    Case(
        "bare notebooks of one name",
        "two files",
        {f"nadia/{LAB}.ipynb": N, f"per/{LAB}.ipynb": P},
        {"nadia": FULL, "per": FULL},
        paths=((f"nadia/{LAB}.ipynb", f"per/{LAB}.ipynb"),),
    ),
    Case(
        "bare notebooks of one name",
        "a folder of folders",
        {f"nadia/{LAB}.ipynb": N, f"per/{LAB}.ipynb": P},
        {"nadia": FULL, "per": FULL},
    ),
    Case(
        "bare notebooks of one name",
        "in one folder",
        {f"{LAB}.ipynb": N, f"{LAB} (1).ipynb": P},
        {},
        says="rename it to the student's",
    ),
    Case(
        "bare notebooks of one name",
        "over two calls",
        {f"nadia/{LAB}.ipynb": N, f"per/{LAB}.ipynb": P},
        {"nadia": FULL, "per": FULL},
        paths=((f"nadia/{LAB}.ipynb",), (f"per/{LAB}.ipynb",)),
    ),
    Case(
        "repositories",
        "by the column github",
        checkout("lab00-nadia-o", {f"{LAB}.ipynb": N}, 1_795_000_000)
        | checkout("lab00-perl", {f"{LAB}.ipynb": P}, 1_795_000_000),
        BOTH,
        GROUPS.replace(",Blue", ","),
    ),
    Case(
        "repositories",
        "by the folder",
        checkout("ada", {f"{LAB}.ipynb": N}, 1_795_000_000) | checkout("bob", {f"{LAB}.ipynb": P}, 1_795_000_000),
        {"ada": FULL, "bob": FULL},
    ),
    Case(
        "repositories",
        "in one zip",
        {"lab00.zip": zipped({f"lab00/lab00-nadia-o/{LAB}.ipynb": N, f"lab00/lab00-perl/{LAB}.ipynb": P})},
        BOTH,
        GROUPS.replace(",Blue", ","),
    ),
    Case("repositories", "of a group", checkout("lab00-nadia-o", {f"{LAB}.ipynb": N}, 1_795_000_000), BOTH, GROUPS),
    *(
        Case(
            "nbgrader's folders",
            label,
            {f"{root}{who}/{LAB}/{LAB}.ipynb": data for who, data in (("nokafor", N), ("plindqvist", P))}
            | {f"{root}nokafor/{LAB}/timestamp.txt": time}
            | {f"{root}zoe/other/x.ipynb": N},
            BOTH,
            roster,
        )
        for label, root, time, roster in (
            ("submitted/", "", b"2026-11-20 17:58:02 UTC", ROSTER),
            ("without a roster", "", b"2026-11-20 17:58:02.5 Europe/Berlin", ""),
            ("the folder around it", "submitted/", b"no time", ROSTER),
        )
    ),
    *(
        Case("Gradescope's roster", label, {"okafor nadia.ipynb": N}, {"nokafor@uni.example": FULL}, roster)
        for label, roster in (
            (
                "two columns of names",
                "First Name,Last Name,SID,Email,Role\nNadia,Okafor,S71,nokafor@uni.example,Student\n",
            ),
            ("one column", "Name,SID,Email,Role\nNadia Okafor,S71,nokafor@uni.example,Student\nTom,,t@x.org,TA\n"),
            ("sep=;", "sep=;\nName;SID;Email\nNadia Okafor;S71;nokafor@uni.example\n"),
        )
    ),
    *(
        Case(
            "two attempts of one time",
            label,
            {"1/ada.ipynb": one, "2/ada.ipynb": two},
            {"ada": points},
            "student\nada\n",
            paths=paths,
            received=1_795_000_000.0,
        )
        for label, one, two, points, paths in (
            (
                "in two calls",
                notebook([("code", f'course = setup("{LAB}")')]),
                N,
                FULL,
                (("1/ada.ipynb",), ("2/ada.ipynb",)),
            ),
            (
                "in one call",
                notebook([("code", f'course = setup("{LAB}")')]),
                N,
                FULL,
                (("1/ada.ipynb", "2/ada.ipynb"),),
            ),
            (
                "the later file first",
                N,
                notebook([("code", f'course = setup("{LAB}")')]),
                FULL,
                (("2/ada.ipynb",), ("1/ada.ipynb",)),
            ),
        )
    ),
    *(
        Case(
            "a download of another system",
            product,
            {"all.zip": zipped({names[0]: N, names[1]: P})},
            {},
            says=f"a download of {product}",
        )
        for product, names in {
            "Blackboard": [f"Lab 0_{who}_attempt_2026-11-20-17-58-02_{LAB}.ipynb" for who in ("nokafor", "plindqvist")],
            "Brightspace": [
                f"12-3{i} - {who} - Nov 20, 2026 558 PM/{LAB}.ipynb"
                for i, who in enumerate(("Nadia Okafor", "Per Lindqvist"))
            ],
            "Sakai": [
                f"Lab 0/{who}/Submission attachment(s)/{LAB}.ipynb"
                for who in ("Okafor, Nadia(no)", "Lindqvist, Per(pl)")
            ],
        }.items()
    ),
    *(
        Case(
            "anonymous hand-ins of Moodle",
            word,
            {"m.zip": zipped({f"{word}_{n}_assignsubmission_file/a.ipynb": d for n, d in ((7101, N), (7102, P))})},
            BOTH,
            "student,moodle_id\nnokafor,7101\nplindqvist,Participant 7102\n",
        )
        for word in ("Participant", "Teilnehmerin", "Deltagare")
    ),
]
