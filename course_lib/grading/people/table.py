"""A CSV as text, field by field: a file that is read and written again by a CSV library loses its quotes, line ends and
BOM, and an error in it has a line.
"""

import re

from course_lib.grading.records import store

SEPARATORS = ",;\t:"
HINT = re.compile(r'"?sep=(?P<separator>.)"?(?:\r\n|\r|\n|\Z)', re.I)  # a first line that spreadsheets write and hide


def decoded(data):
    """(text, encoding) of a CSV's bytes, which the text encodes to again; the BOM of UTF-8 stays its first character.
    Spreadsheets write each of them. Raises UnicodeDecodeError for half a UTF-16.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), "utf-16"
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            pass
    return data.decode("latin-1"), "latin-1"  # which has a character for every byte


def fields(text, separator, at=0):
    """Yields [(start, end)] of each row: where its fields stand in the text, quotes included. Raises StoreError."""
    plain = rf"[^{re.escape(separator)}\r\n]*"
    one = re.compile(rf'(?:"[^"]*(?:""[^"]*)*"|(?!"){plain})(\r\n|[\r\n]|{re.escape(separator)}|\Z)')
    row = []
    while True:
        found = one.match(text, at)
        if not found:
            raise store.StoreError(f"line {line_of(text, at)} has quotes that do not pair: export it anew")
        row.append((at, found.start(1)))
        at = found.end()
        if found[1] != separator:
            yield row
            row = []
            if at == len(text):
                return


def line_of(text, at):
    """The number of the line on which a character stands, as an editor counts."""
    return len(re.findall(r"\r\n|\r|\n", text[:at])) + 1


def value(text, span):
    raw = text[span[0] : span[1]]
    return raw[1:-1].replace('""', '"') if raw.startswith('"') else raw


def one_line(cell):
    """A cell without the line ends that may stand in its quotes, as messages show it."""
    return " ".join(cell.splitlines())


def table(text):
    """(separator, spans, values) of a CSV; rows that are blank, and a first line `sep=;`, are left out."""
    start = int(text.startswith("\ufeff"))
    hint = HINT.match(text, start)
    start = hint.end() if hint else start

    def columns(separator):
        try:
            return len(next(fields(text, separator, start)))
        except store.StoreError:  # a wrong guess may cut through quotes
            return 0

    separator = hint["separator"] if hint else max(SEPARATORS, key=columns)
    spans = [row for row in fields(text, separator, start) if row[0][0] != row[-1][1]]
    return separator, spans, [[value(text, span) for span in row] for row in spans]
