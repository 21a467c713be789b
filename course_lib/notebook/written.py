"""The written answers in a notebook, wherever its student has put them: below the mark, as a lab has it, or in a cell
of their own, split, moved, without the mark, in a cell that has become code or raw.

Nothing is thrown away: a person reads the text, with a note on where it was found.
"""

import re

from course_lib.notebook.language import UNREADABLE, effort, tree_of

STUB, MAX_ANSWER = "YOUR ANSWER HERE", 20_000  # characters
MAX_EFFORT = 200_000  # of a code cell that is looked at: longer ones are no answers
MARK = re.compile(r"<!--\s*WRITTEN\s+(\w+)\s*-->")
COURSE = re.compile(r"#+ (?:§|Lab \d)")  # how a lab's own headings begin
QUESTION = re.compile(r"^\*\*\d\.\*\*.*\n?", re.M)
# Databricks keeps text in code cells; comments may stand above a magic (#@title)
MAGIC = re.compile(r"((?:\s*#.*\n)*)\s*(?:%md(?:-sandbox)?|%%(?:markdown|md|html))\b[ \t]*\n?")


def written_answers(cells, ids):
    """{id: (text, note)} for the ids of a lab's written questions, in their order. cells: as read_cells gives them.

    note: "" where the text stands below its mark and nowhere else.
    """
    first = next(
        (n for n, (*_, source) in enumerate(cells) if MARK.search(source) or QUESTION.search(source)), len(cells)
    )
    texts = [(number, kind, prose(kind, source, n >= first)) for n, (number, kind, source) in enumerate(cells)]
    asked = {name: question_at(texts, name, place) for place, name in enumerate(ids, 1)}
    found = {name: answer(texts, name, asked) for name in ids}
    number, last = last_words(texts)
    for name, (text, _) in found.items():
        if last and not text:
            found[name] = last, f"nothing stands where it belongs: this was found at the end, in cell {number}"
    return {name: for_reader(text, note) for name, (text, note) in found.items()}


def for_reader(text, note):
    """(text, note) as a person gets them: not endless, and told where words are wanting."""
    if re.fullmatch(r"(?:!\[[^\]]*\]\([^)]*\)|<img[^>]*>|\s)+", text):
        note = "; ".join(filter(None, [note, "only an image was pasted: look into the notebook"]))
    if len(text) > MAX_ANSWER:
        text = text[:MAX_ANSWER]
        note = "; ".join(filter(None, [note, f"cut after {MAX_ANSWER} characters: the rest is in the notebook"]))
    return text, note


def prose(kind, source, near):
    """The text of a cell that may be part of an answer; None for code. near: not above all questions, where a code cell
    that holds no statement may be one, too.
    """
    if kind != "code":
        return source
    if MAGIC.match(source):
        return MAGIC.sub(r"\1", source, count=1)
    if MARK.match(source.lstrip()):
        return source
    if not near or effort(source) > MAX_EFFORT:
        return None
    try:
        return None if tree_of(source).body else source
    except UNREADABLE:
        return source


def question_at(texts, name, place):
    """The index of the cell that asks the lab's `place`-th question, None where there is none. An answer may have such
    numbers, too: the one above the mark comes first, then one that ends with the question.
    """
    found = []
    for index, (_, _, text) in enumerate(texts):
        line = re.search(rf"^\*\*{place}\.\*\*.*", MARK.split(text or "")[0], re.M)
        if line:
            below = texts[index + 1][2] if index + 1 < len(texts) else None
            found.append((name not in MARK.findall(below or ""), text.rstrip() != text[: line.end()].rstrip(), index))
    return min(found)[2] if found else None


def last_words(texts):
    """(number, text) of a cell below the lab's last, where some people put their answers; (None, "") without one."""
    number, kind, text = texts[-1] if texts else (None, "", None)
    above = [text is None or COURSE.match(text) for *_, text in texts[-2:-1]]
    mine = text is not None and any(above) and not MARK.search(text) and not COURSE.match(text)
    return (number, text.strip()) if mine else (None, "")


def answer(texts, name, asked):
    """(text, note) of one question: what stands below the question or below its mark, up to the next of the course."""
    found, marks, inside = [], 0, False  # found: [(number, kind, below its mark, text)]
    for index, (number, kind, text) in enumerate(texts):
        if index in asked.values():
            inside = index == asked[name]
            mark = MARK.search(text)
            text = QUESTION.split(text, maxsplit=1)[1] if inside else text[mark.start() :] if mark else ""
        elif text is None or COURSE.match(text):
            inside = False
            continue
        before, *pieces = MARK.split(text)  # text, id, text, id, text …
        marked = dict(zip(pieces[::2], pieces[1::2]))
        if inside or next(iter(marked), None) == name:
            found.append((number, kind, False, before))
        if name in marked:
            marks += 1
            found.append((number, kind, True, marked[name]))
        if marked:
            inside = list(marked)[-1] == name
    filled = [(number, kind, below, text.strip()) for number, kind, below, text in found if meaningful(text)]
    return "\n\n".join(dict.fromkeys(text for *_, text in filled)), note(filled, marks)


def meaningful(text):
    return text.strip() not in ("", STUB)


def note(filled, marks):
    """What the reader should know about where an answer was found, "" where it is where it belongs."""
    if not filled:
        return (
            "nothing was written: 0 suggested"
            if marks
            else "its cell is missing, and no text is in its place: look into the notebook"
        )
    places = list(dict.fromkeys((number, kind) for number, kind, *_ in filled))
    if len(filled) == 1 and filled[0][2] and marks == 1 and places[0][1] == "markdown":
        return ""
    shown = ", ".join(f"{number}" + ("" if kind == "markdown" else f" ({kind})") for number, kind in places)
    gone = "" if marks else "; its mark <!-- WRITTEN … --> is gone"
    copies = "; the mark stands there more than once" if marks > 1 else ""
    return f"found in cell{'s' * (len(places) > 1)} {shown}{gone}{copies}"
