"""`course rubric LAB`: what each question of a lab is worth and what costs how much, for graders and, if you like, for
students: as text, or as a page to print.
"""

import argparse
from pathlib import Path

from course_lib.grading.records import policy, store
from course_lib.grading.reports import page, rubric
from course_lib.platform import counted, write_atomic

CORE = "the core: without it the question counts 0"
HOW = (
    "A question has its full points when all its checks pass. Each check that fails takes its share of what is left: "
    "two that cost half leave a quarter. Hidden inputs are the student's own."
)


def lines_of(question):
    """[(what, what it costs or gives)] of a question."""
    from course_lib.questions.core import ArtifactQuestion, Question, cost_in_words

    if isinstance(question, Question):
        first, *rest = question.cases
        costs = [(case.name, f"costs {cost_in_words(case.cost)}") for case in rest]
        return [(first.name, CORE), *costs]
    if isinstance(question, ArtifactQuestion):
        return [
            (f"the model handed in as {question.stage!r}", "measured on hidden data; points by the measured figure")
        ]
    return [(text, counted(points, "point")) for points, text in rubric.levels(question.rubric, question.points)]


def sections(lab):
    """[(title, points, lines_of(…))] of a lab's questions, in order."""
    from course_lib.questions.core import questions_of

    return [(q.title or q.id, q.points, lines_of(q)) for q in questions_of(lab)]


def as_text(lab):
    made = sections(lab)
    blocks = [f"{lab}: {counted(sum(points for _, points, _ in made), 'point')}\n{HOW}"]
    for title, points, lines in made:
        blocks.append("\n".join([f"{title} ({points:g})", *(f"  {what}: {cost}" for what, cost in lines)]))
    return "\n\n".join(blocks) + "\n"


def as_html(lab):
    made = sections(lab)
    whole = counted(sum(points for _, points, _ in made), "point")
    body = [f"<h1>{page.escape(lab)}: {whole}</h1><p>{page.escape(HOW)}</p>"]
    for title, points, lines in made:
        body.append(f"<h2>{page.escape(title)} ({points:g})</h2>{page.table(('what', 'cost or points'), lines)}")
    return page.page(f"{lab}: rubric", "\n".join(body))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="course rubric", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("--html", metavar="FILE", help="a page to print")
    options = parser.parse_args(argv)
    policy.known_lab(options.lab)
    if not options.html:
        print(as_text(options.lab), end="")
        return 0
    try:
        write_atomic(options.html, as_html(options.lab).encode())
    except OSError as error:
        raise store.StoreError(f"cannot write {options.html} ({error.strerror})") from None
    print(f"{Path(options.html)} is written.")
    return 0
