"""Variants of what a student writes where people read it (numbers 41, 47, 48, 59), of 65, 69 and 70: each function
draws one.
"""

import csv
import io

from bad import attacks, run, ways
from bad.drawn_plain import ALL, HALF, NAMES, right
from bad.host import trouble
from bad.make import LARGE, SMALL, Bad, book, function, wrong

# what carries a value {v} out of a call: leaks.py looks for the word CANARY and the inputs in all that goes back
CARRIES = (
    "raise ValueError({v})",
    "raise RuntimeError('Found no NVIDIA driver' + {v})",
    "raise NotImplementedError({v})",
    "assert False, {v}",
    "raise MemoryError({v})",
    "import sys\nsys.exit({v})",
    "raise type({v}, (Exception,), {{}})()",
    "return {v}",
    "return {{{v}: [{v}]}}",
    "print({v})",
    "import os\nos.write(2, {v}.encode())",
    "import warnings\nwarnings.warn({v})",
    "import logging\nlogging.error({v})",
    "raise KeyError({v})",
    "raise AttributeError({v})",
    "raise ImportError({v}, name={v})",
    "raise SyntaxError({v})",
    "raise UnicodeError({v})",
    "raise ValueError('not run: ' + {v})",
    "raise ValueError('yours is ' + {v} + ', expected 1')",
    "raise ValueError('the shape is [' + {v})",
    "raise OSError(2, {v}, {v})",
    "raise ExceptionGroup({v}, [ValueError({v})])",
    "raise StopIteration({v})",
    "raise RecursionError({v})",
    "raise ValueError('surprise needs a GPU, CUDA ' + {v})",
    "raise TypeError({v} + ' took too long')",
    "try:\n    raise ValueError({v})\nexcept ValueError as e:\n    raise TypeError('x') from e",
    "e = ValueError('x')\ne.add_note({v})\nraise e",
    "return [{v}] * 9",
    "return ({v},)",
    "import os\nprint({v}, flush=True)\nos._exit(7)",
    "open('/tmp/kept', 'w').write({v})\nimport os\nos._exit(7)",
    "global surprise_seen\nsurprise_seen = {v}\nraise ValueError('x')",
    "import course_lib\ncourse_lib.check = {v}\nreturn 0.0",
)
VALUES = (
    "'CANARY' + repr(list(x))",
    "'CANARY' + ','.join(map(str, x))",
    "f'CANARY {list(x)!r}'",
    "'CANARY' + str(sum(x))",
    "'CANARY' + repr([17 * n for n in x])",
    "'CANARY' + '_'.join(format(n, '.3f') for n in x)",
    "'CANARY' + __import__('base64').b64encode(repr(x).encode()).decode()",
)


def exfiltrates(rng):
    text = rng.choice(CARRIES).format(v=rng.choice(VALUES))
    name, answers = rng.choice(NAMES), right(rng)
    way, source = ways.answer(rng, name, text + "\nreturn -1.0")
    told = "import os\nprint(os.path.exists('/tmp/kept') and open('/tmp/kept').read())\nraise ValueError(globals().get("
    told += "'surprise_seen'))"
    make = lambda p: book({**answers, name: source}, before=[told])
    return Bad(41, f"{text[:60]!r} in {name}, {way}", make, "Q0", HALF, flags_ok=True)


EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>x</script>',
    "<iframe src=javascript:alert(1)>",
    "</textarea><script>x</script>",
    "<style>*{{display:none}}</style>",
    "<!--",
    "]]>",
    "<a href='javascript:x'>x</a>",
    "{{{{constructor}}}}",
    "${{alert(1)}}",
    "<math><mi//xlink:href='data:x,<script>'>",
    "&lt;script&gt;",
    "<base href=//evil>",
    "<form action=//evil><input>",
    "\u202e\u2066<script>\u2069",
    "<plaintext>",
    "<meta http-equiv=refresh content=0>",
    "<object data=x>",
    "\x1b]8;;http://evil\x07",
    "<script\n>x</script\n>",
)
TAGS = (
    "<script",
    "<img",
    "<svg",
    "<iframe",
    "<style>*",
    "<base",
    "<form",
    "<plaintext",
    "<meta http",
    "<object data",
    "<a href='java",
    "<math",
    "<input>",
)


def markup(rng):
    """Markup at a drawn place: what a page shows of it is text."""
    picked, place = (
        [rng.choice(EVIL).replace("{{", "{").replace("}}", "}") for _ in range(3)],
        rng.choice(
            [
                "an answer",
                "an error",
                "a print",
                "a written answer",
                "a class",
                "a syntax error",
                "a name",
                "a cell's error",
            ]
        ),
    )
    evil = rng.choice(["", "x" * 300_000]) + "".join(picked)

    def play(where, start):
        from course_lib.grading.records import store
        from course_lib.grading.reports import feedback

        answers, more = right(rng), {}
        if place == "an answer":
            answers["surprise"] = function("surprise", f"return {evil!r}")
        elif place == "an error":
            answers["surprise"] = function("surprise", f"raise ValueError({evil!r})")
        elif place == "a class":
            answers["surprise"] = function("surprise", f"raise type({evil[-80:]!r}, (Exception,), {{}})()")
        elif place == "a print":
            more["before"] = [f"print({evil!r})"]
        elif place == "a cell's error":
            more["before"] = [f"raise ValueError({evil!r})"]
        elif place == "a syntax error":
            more["before"] = [f"x = = {evil[-80:]}"]
        elif place == "a written answer":
            more["written"] = {"written_1": evil, "written_2": "$" + evil}
        result = run.grade(where, "eve", book(answers, **more), SMALL, start)
        if place == "a name":
            folder = next((where / "submissions" / SMALL / "eve").iterdir())
            meta = store.read_meta(folder) | {"name": evil[-200:], "email": evil[-200:], "notes": [evil[-200:]]}
            store.write_json(folder / "meta.json", meta)
        feedback.write(SMALL, where / "pages", True, where / "grades", where / "submissions")
        pages = [p.read_text() for p in (where / "pages").glob("*.html")]
        shown = " ".join(pages).split("</style>", 1)[-1].lower()
        return trouble(
            (len(pages) == 1, "no page"),
            (not any(tag in shown for tag in TAGS), f"markup stands in the page: {place}"),
            (all(len(p) < 300_000 for p in pages), "the page is not capped"),
            (result["status"] == "graded", f"{result['status']}"),
            ("\x1b" not in shown and "\u202e" not in shown, "controls stand in the page"),
        )

    return Bad(47, f"{place}: {' '.join(picked)[:60]!r}{', long' * (len(evil) > 9999)}", play, "G", None, scene=True)


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@x",
    "|cmd",
    "%x",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "\uff0b1",
    "'=1",
    '"=1',
    '=HYPERLINK("x")',
    ";=1",
    ",=1",
    "\u200b=1",
    "\ufeff=1",
    "\x00=1",
    "\u00a0=1",
)


def formulas(rng):
    """Formulas in names, addresses, ids, notes and comments: no cell of any table is one."""
    names = [rng.choice(FORMULAS) + rng.choice(["", "Ann", ",x", '"', "\n"]) for _ in range(6)]

    def play(place, start):
        from course_lib.grading.lms import export
        from course_lib.grading.records import store
        from course_lib.platform import safe_name

        for n, name in enumerate(names):
            folder = place / "submissions" / SMALL / safe_name(f"{name}{n}") / ("a" * 16)
            store.write_json(
                folder / "meta.json",
                {
                    "received": 1,
                    "notes": [name],
                    "name": name,
                    "email": name,
                    "ids": {"canvas_id": name},
                    "source": name,
                    "manifest": {"student": name},
                },
            )
        rows = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
        cells = [v for row in rows for v in row.values() if v]
        found = [c for c in cells if c.lstrip(" \t\r\n\u200b\ufeff\u00a0\x00")[:1] in tuple("=+-@|%\uff1d\uff0b")]
        return trouble((len(rows) == len(names), f"{len(rows)} rows"), (not found, f"formulas: {found[:3]}"))

    return Bad(48, ", ".join(map(ascii, names))[:80], play, "G", None, scene=True)


def written(rng):
    """Drawn texts in drawn places: a person reads them, and no machine gives points."""
    text = rng.choice(
        [
            "",
            " \n\t",
            "YOUR ANSWER HERE",
            "An answer.",
            "word " * rng.randint(10, 30_000),
            "![x](attachment:x.png)",
            "<img src='data:image/png;base64,AAAA'>",
            "<!-- WRITTEN written_2 -->\nsteals",
            "\u202eevil\u2066",
            "\x00\x1b[2J",
            "$" + "\\frac{" * rng.randint(10, 3000),
            "# Lab 00\n## \u00a7 1\nheading",
            "```\n<!-- WRITTEN written_1 -->\n```",
            "[x](javascript:x)",
            "| a |\n|---|\n" * 500,
            "**1.** question?\nanswer",
            "\ud800",
        ]
    )

    def play(place, start):
        from course_lib.grading.records import store

        result = run.grade(place, "eve", book(right(rng), written={"written_1": text}), SMALL, start)
        rows = {q["id"]: q for q in result["questions"]}
        return trouble(
            (result["status"] == "graded", result["status"]),
            (
                all(
                    rows[w]["score"] is None and rows[w]["status"] == "needs_review" for w in ("written_1", "written_2")
                ),
                "a machine gave points",
            ),
            (store.totals(result)[:2] == (1.5, 1.5), f"{store.totals(result)}"),
            (len(rows["written_1"]["answer"]) <= 20_000, "not cut"),
        )

    return Bad(59, ascii(text[:40]), play, "G", None, scene=True)


def own_caller(rng):
    """The agent's own parts replaced by ones that answer well, in drawn ways; every answer is wrong."""
    part = rng.choice(["LocalCaller", "invoke", "explain", "time_limit"])
    text = (
        attacks.OWN_CALLER
        if part == "LocalCaller"
        else (
            f"import course_lib.questions.invoke as i\ni.{part} = lambda *a, **k: "
            f"{{'value': 1.0, 'grads': [], 'inputs': []}}"
        )
    )
    way, source = ways.cell(rng, text)
    return Bad(
        65,
        f"{part}, {way}",
        lambda p: book(wrong(LARGE), LARGE, before=[source]),
        "Q0F",
        0.0,
        ("reaches for the grader",),
        lab=LARGE,
        never=r"SEES \['",
    )


HURTS = {
    "unary": lambda n: "-" * n + "1",
    "brackets": lambda n: "(" * n,
    "attributes": lambda n: "a" + ".a" * n,
    "indents": lambda n: "".join(" " * i + "if 1:\n" for i in range(min(n, 300))),
    "f-strings": lambda n: "f'{" * n,
    "calls": lambda n: "f" + "()" * n,
    "lambdas": lambda n: "lambda: " * n,
    "a long line": lambda n: "x = '" + "a" * n + "'",
    "commas": lambda n: "x = [" + "0," * n + "]",
    "magics": lambda n: "%time " * n + "1",
    "commands": lambda n: "!ls\n" * n,
    "help": lambda n: "x?\n" * n,
    "comments": lambda n: "#\n" * n,
    "semicolons": lambda n: "1;" * n,
    "strings": lambda n: "'a' " * n,
    "decorators": lambda n: "@f\n" * n,
    "nested lists": lambda n: "[" * n + "]" * n,
    "subscripts": lambda n: "a" + "[0]" * n,
    "ternaries": lambda n: "1 if 1 else " * n + "1",
    "powers": lambda n: "2**" * n + "1",
    "blank": lambda n: "\n" * n,
    "a big number": lambda n: "x = " + "9" * n,
    "backslashes": lambda n: "x = 1 + \\\n" * n + "1",
    "tries": lambda n: "try:\n" * n,
    "ops": lambda n: "1+" * n + "1",
    "comparisons": lambda n: "1<" * n + "2",
    "keywords": lambda n: "f(" + ",".join(f"a{i}=1" for i in range(n)) + ")",
    "names": lambda n: "\n".join(f"v{i}={i}" for i in range(n)),
    "imports": lambda n: "from . import " + ",".join(f"a{i}" for i in range(n)),
    "captures": lambda n: "%%capture\n" * n,
}


def parsers(rng):
    """Text that is hard to read in a cell; the answers stand in others."""
    picked = [(k, rng.choice([300, 5000, 90_000])) for k in rng.sample(list(HURTS), 3)]
    before = [HURTS[k](n)[:200_000] for k, n in picked]
    make = lambda p: book(right(rng), before=before)
    return Bad(69, ", ".join(f"{n} {k}" for k, n in picked), make, "G", ALL, flags_ok=True, impatient=True)


def right_ways(rng):
    """A right answer under each way to hold it."""
    name, answers = rng.choice(NAMES), right(rng)
    way, source = ways.around(rng, name, answers[name], "return sound(x)", without=("globals()",))
    make = lambda p: book({**answers, name: source})
    return Bad(70, f"{name}: {way}", make, "G", ALL)


DRAW = {41: exfiltrates, 47: markup, 48: formulas, 59: written, 65: own_caller, 69: parsers, 70: right_ways}
