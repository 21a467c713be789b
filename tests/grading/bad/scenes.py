"""Rows that are more than one submission graded once, about one student: each scene plays it, its sandboxes started by
`start`, and returns what came of it.
"""

import csv
import io
import json
import threading
import urllib.request

import classroom
import torch
from bad import run
from bad.host import trouble
from bad.make import SMALL, book, function, outputs
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from course_lib.platform import safe_name


def hard_coded(place):
    """The public inputs' answers in a table: passes every check in the notebook."""
    from course_lib.questions import core

    question = next(q for q in core.questions_of(SMALL) if q.id == "surprise")
    table, right = {}, {}
    exec(classroom.right_answers(SMALL)["surprise"], right)

    def recorder(options):
        table[str(options)] = right["surprise"](options)
        return table[str(options)]

    assert core.run(question, core.LocalCaller({"surprise": recorder})).status == "pass"
    text = book({"surprise": f"TABLE = {table!r}\ndef surprise(options):\n    return TABLE.get(str(options), 0.0)"})
    return outputs(
        text, surprise="✓ surprise: passed, 0.75 of 0.75 points", entropy="✓ entropy: passed, 0.75 of 0.75 points"
    )


def exfiltrates(place, start):
    """Hidden inputs in an exception and in what is printed: they are other ones for each submission, and the page that
    the student gets has none of them.
    """
    from course_lib.grading.reports import feedback

    body = "print('HIDDEN', [17 * n for n in x])\nraise ValueError('INPUT ' + '_'.join(str(n) for n in x) + ' END')"
    results = [
        run.grade(place, "eve", book({"surprise": function("surprise", body)}, after=[f"x = {n}"]), SMALL, start)
        for n in range(2)
    ]
    told = [json.dumps(r) for r in results]
    inputs = [text[text.index("INPUT") : text.index("END")] for text in told]
    feedback.write(SMALL, place / "pages", True, place / "grades", place / "submissions")
    pages = "".join(p.read_text() for p in (place / "pages").iterdir())
    return trouble(
        (inputs[0] != inputs[1], "two submissions have the same hidden inputs"),
        (
            "INPUT" not in pages and "HIDDEN" not in pages and inputs[1][6:-1] not in pages,
            "hidden inputs stand in the feedback",
        ),
        ("ValueError" in pages, "the page does not say what happened"),
    )


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def html_in_feedback(place, start):
    """HTML in the name, in a cell's error and output, in the written answer."""
    from course_lib.grading.reports import feedback

    answers = {
        "written_1": EVIL + "$" + "\\frac{" * 3000,
        "written_2": "![x](data:image/svg+xml;base64," + "A" * 500_000 + ")",
    }
    text = book(
        {"surprise": function("surprise", f"raise ValueError({EVIL!r})")},
        before=[f"print({EVIL!r})\nraise ValueError({EVIL!r})"],
        written=answers,
    )
    run.grade(place, "eve", text, SMALL, start)
    feedback.write(SMALL, place / "pages", True, place / "grades", place / "submissions")
    pages = [p.read_text() for p in (place / "pages").glob("*.html")]
    return trouble(
        (len(pages) == 1, "no page"),
        (all("<script>" not in p and "<img" not in p for p in pages), "HTML of the student stands in the page"),
        (all(len(p) < 300_000 for p in pages), "the page is not capped"),
        ("&lt;script&gt;" in pages[0], "what the student wrote is not shown"),
    )


def html_in_review(place, start):
    """The same in the page for the marker: its data reach it as JSON and are set as text."""
    from course_lib.grading.reports.review import server as review

    run.grade(place, "eve", book(written={"written_1": EVIL, "written_2": "</script>" + EVIL}), SMALL, start)
    server, address = review.server(SMALL, 0, False, place / "grades", place / "submissions")[:2]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with urllib.request.urlopen(address, timeout=20) as reply:
            page, kind = reply.read().decode(), reply.headers["Content-Type"]
            policy = reply.headers.get("Content-Security-Policy", "") + page
    finally:
        server.shutdown()
        server.server_close()
    return trouble(
        ("html" in kind, "no page"),
        ("<script>alert" not in page and "<img src=x" not in page, "HTML of the student stands in the page"),
        ("default-src" in policy, "no content security policy"),
    )


def csv_injection(place, start):
    """Formulas in a student's name and in the notes."""
    from course_lib.grading.lms import export
    from course_lib.grading.records import store

    for name in ("=HYPERLINK(1)", "+1", "-2", "@x", 'Ann, "A"\nB', "\t=1+1"):
        folder = place / "submissions" / SMALL / safe_name(name) / ("a" * 16)
        store.write_json(folder / "meta.json", {"received": 1, "notes": [name], "name": name, "email": name})
    rows = list(csv.DictReader(io.StringIO(export.to_csv(SMALL, place / "grades", place / "submissions"))))
    cells = [v for row in rows for v in row.values() if v]
    return trouble(
        (len(rows) == 6, "rows are lost"),
        (not any(c.strip()[:1] in "=+-@" for c in cells), "a cell is a formula"),
        (all(not row["score"] and not row["final"] for row in rows), "a score without a grade"),
    )


def drift(place, start):
    """A model's weights off by what another machine's arithmetic gives move its points by less than a hundredth; the
    curve has no step.
    """
    from course_lib.questions import core
    from course_lib.questions import lab02_pretraining as questions

    (place / "near").mkdir()
    source = run.Path(core.__file__).parents[1] / "shipped" / "pretrain" / "model.safetensors"
    with safe_open(source, "pt") as file:
        record = file.metadata()
    generator = torch.Generator().manual_seed(0)
    weights = {
        n: (t.float() * (1 + 1e-4 * torch.randn(t.shape, generator=generator))).to(t.dtype)
        for n, t in load_file(source).items()
    }
    save_file(weights, place / "near" / "model.safetensors", record)
    gaps = [questions.score_model(str(folder), "drift", False) for folder in (source.parent, place / "near")]
    steps = [
        min(1.0, max(0.0, (questions.GAP_ZERO - g / 10) / (questions.GAP_ZERO - questions.GAP_FULL)))
        for g in range(1000)
    ]
    return trouble(
        (abs(gaps[0][0] - gaps[1][0]) < 0.01, f"the points moved: {gaps}"),
        (max(abs(a - b) for a, b in zip(steps, steps[1:])) < 0.1, "the curve has a step"),
    )


def same_verdict(place, start):
    """Noise around the tolerance, sets in another order: the same submission graded three times, each time in a fresh
    sandbox, has one verdict.
    """
    body = """import math, random, torch
import numpy as np
noise = 1e-6 * (random.random() + float(torch.rand(1)) + np.random.rand())
print(hash('a'), noise)
return sum(math.log(n) for n in x) * (1 + noise) + 1e-9 * list({'a', 'b', 'c', 'd', 'e'}).index('c')"""
    verdicts = []
    for student, how in (
        ("s0", None),
        ("s1", start),
        ("s2", start),
    ):  # the same content has the same seed, whoever hands it in
        result = run.grade(place, student, book({"surprise": function("surprise", body)}), SMALL, how)
        verdicts.append(
            (
                result["log_tail"],
                [(c["name"], c["status"], c["message"]) for q in result["questions"] for c in q["cases"]],
            )
        )
    return trouble((verdicts[0] == verdicts[1] == verdicts[2], f"the verdict changed: {verdicts}"[:600]))


def written_answers(place, start):
    """Nothing written is suggested as 0 and never given as 0; a picture and a very long answer are said to be so."""
    from course_lib.grading.records import store

    pasted = "![x](data:image/png;base64," + "A" * 2_000_000 + ")"
    words = {
        "": "0 suggested",
        "YOUR ANSWER HERE": "0 suggested",
        "![image.png](attachment:image.png)": "only an image",
        pasted: "only an image",
        "word " * 20_000: "cut after",
        "An answer.": "",
    }
    found = []
    for n, (text, said) in enumerate(words.items()):
        result = run.grade(place, f"s{n}", book(written={"written_1": text}), SMALL, start)
        question = next(q for q in result["questions"] if q["id"] == "written_1")
        fine = (
            question["score"] is None
            and question["status"] == "needs_review"
            and said in question["message"]
            and bool(said) == bool(question["message"])
        )
        found.append((fine, f"{text[:20]!r}: {question['status']}, {question['message']!r}"))
        found.append((store.totals(result) == (1.5, 1.5, 0.5), "a written answer was scored by a machine"))
    return trouble(*found)
