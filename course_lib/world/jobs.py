"""New jobs for the assistant of lab 03: what an adapter is trained for. The questions are those of tasks.py, the
answers have another form.

  clerk  answers with a record and nothing else: "{job: a baker}", "{pet: a cat, hobby: chess}", and "{}" where nobody
         knows
  crier  calls the answer out: "Hear, hear! By trade she is a baker!"
Rows have the shape of task rows, the same splits (no training row names a held-out resident, held-out phrasings are
never trained), and the same checker, `tasks.passes`. Row k of a split has the seed "<job> <split> <seed> <k>".
"""

from course_lib.world.residents import FACTS, village
from course_lib.world.tasks import LIST, OPENINGS, SPLITS, WORDS, Draw, ask, row, sentence, some_facts

NOBODY = "{}"
SHARES = ("one", "one", "one", "one", "one", "two", "two", "two", "nobody", "nobody")


def record(person, facts: list[str]) -> str:
    """The facts as a YAML flow mapping: "{job: a baker, pet: a cat}"."""
    return "{" + ", ".join(f"{WORDS[fact]}: {person.facts[fact]}" for fact in facts) + "}"


def clerk_row(s: Draw) -> dict:
    kind, person = s.pick(SHARES), s.pick(s.people)
    if kind == "one":
        facts = [s.pick(FACTS)]
        asked = s.form(OPENINGS) + ask(s, person, facts[0])
    elif kind == "two":
        facts = some_facts(s, 2)
        asked = s.words(s.form(LIST).replace("{w}", " and ".join(WORDS[fact] for fact in facts)), a=person)
    else:
        facts = []
        asked = s.form(OPENINGS) + ask(s, s.stranger(), s.pick(FACTS))
    answer = record(person, facts) if facts else NOBODY
    return row(kind, asked, answer, {"exactly": answer})


def crier_row(s: Draw) -> dict:
    person, fact = s.pick(s.people), s.pick(FACTS)
    answer = f"Hear, hear! {sentence(s, person, fact)[:-1]}!"
    return row(
        "one",
        s.form(OPENINGS) + ask(s, person, fact),
        answer,
        {"name": person.first, "fact": fact, "facts": person.facts},
    )


JOBS = {"clerk": clerk_row, "crier": crier_row}


def job_rows(job: str, split: str, n: int, seed: int | str = 0) -> list[dict]:
    """The first n rows of a split of a job. Raises ValueError for an unknown job or split."""
    if job not in JOBS or split not in SPLITS:
        raise ValueError(f"job {job!r}, split {split!r}: choose from {', '.join(JOBS)} and {', '.join(SPLITS)}")
    return [JOBS[job](Draw(village(), split, f"{job} {split} {seed} {k}")) for k in range(n)]
