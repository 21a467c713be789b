"""The rows of a result, one a question, as plain JSON."""


def lost(question, message):
    blank = {"status": "protocol", "message": message, "seconds": 0.0}
    blank |= {"mistake": None, "hint": None, "reread": None}
    cases = [{"name": case.name, "cost": case.cost, **blank} for case in question.cases]
    row = {"id": question.id, "score": 0.0, "max": question.points, "status": "protocol", "cases": cases}
    return row | {"message": "", "flags": []}


def written(question, text, note):
    """A question read by a person: no score, the text, and a note on where it was found or what is suggested."""
    row = {"id": question.id, "score": None, "max": question.points, "status": "needs_review", "cases": []}
    return row | {"message": note, "note": note, "answer": text, "flags": []}


def name_the_cell(row, cells):
    """Of an exercise that is not there, because its cell is markdown or raw, the message says so."""
    from course_lib.notebook.cells import not_code

    where = not_code(cells, row["id"]) if row["status"] == "missing" else ""
    for case in row["cases"] if where else []:
        case["message"] = f"there is no {row['id']} here: {where}"


def rounded(question):
    for key in ("score", "max"):
        if question.get(key) is not None:
            question[key] = round(float(question[key]), 6)
    return question
