"""What goes back to students, searched for what must not: hidden inputs, seeds, the class's secret, places on the host,
other students' text.
"""

import json

import classroom

CANARY = "CANARY"  # what hostile code puts before a hidden input that it carries out
OTHERS = "the words of zoe, which nobody else may read"


def another_student(place):
    """A hand-in of a student whom nothing of the others' pages may quote."""
    if not (place / "submissions" / "01_data_and_tokenizer").exists():
        text = classroom.notebook([f"# {OTHERS}", f"print({OTHERS!r})"], {"written_1": OTHERS})
        classroom.hand_in(place, "zoe", text, lab="01_data_and_tokenizer")


def inputs_of(lab, seed):
    """Texts by which the hidden inputs of a submission could be known: its floats, and its longer lists."""
    from course_lib.questions import core

    found = set()

    class Recorder:
        def call(self, name, args, kwargs, options, timeout):
            for each in [*args, *kwargs.values()]:
                if isinstance(each, list):
                    found.update(repr(v) for v in each if isinstance(v, float) and len(repr(v)) > 9)
                    if 4 <= len(each) <= 20 and all(isinstance(v, int) for v in each) and len(set(each)) > 2:
                        found.add(repr(each))
            raise core.CallFailed("error", "not asked")

    for question in core.questions_of(lab):
        if isinstance(question, core.Question) and lab.startswith("00"):  # the others have tensors
            core.run(question, Recorder(), seed)
    return found


def sent_back(place, lab):
    """{name: text} of all that students get of a graded class: pages, texts, results.json, the figures, the table."""
    from course_lib.grading.lms import export, gradescope
    from course_lib.grading.people import gradebook
    from course_lib.grading.records import store
    from course_lib.grading.reports import feedback, stats

    grades, submitted = place / "grades", place / "submissions"
    rows = gradebook.rows(lab, grades, submitted)
    done = [row["result"] for row in rows if row["result"] is not None]
    if not done:
        return {}
    sent = {f"results.json of {r['student']}": json.dumps(gradescope.results(r), ensure_ascii=False) for r in done}
    sent["the table"] = export.to_csv(lab, grades, submitted)
    if all(result["status"] == "infra_error" for result in done):
        return sent
    try:
        feedback.write(lab, place / "sent", True, grades, submitted)
        sent["the figures"] = json.dumps(stats.summary(lab, rows), ensure_ascii=False, default=str)
    except store.StoreError:
        pass
    return sent | {f"page {p.suffix}": p.read_text() for p in (place / "sent").glob("*.*") if p.name != "mapping.csv"}


def leaked(place, lab):
    """[what of the grader's or of others stands in what goes back to students]"""
    from course_lib.grading.records import store

    sent = sent_back(place, lab)
    key = store.secret(place / "grades")
    hidden = {CANARY: "a hidden input", OTHERS: "another student's text", str(place): "a place on the host"}
    hidden |= {key.hex()[:24]: "the class's secret", key.decode("latin-1")[:24]: "the class's secret"}
    for _, sha, _, _ in store.submissions(lab, place / "submissions"):
        seed = store.seed_for(key, lab, sha)
        hidden |= {seed[12:36]: "the seed", store.seed_for(key, lab, "likeness")[:24]: "the seed of likeness"}
        hidden |= dict.fromkeys(inputs_of(lab, seed), "a hidden input")
    return [f"{what} stands in {name}" for name, text in sent.items() for word, what in hidden.items() if word in text]
