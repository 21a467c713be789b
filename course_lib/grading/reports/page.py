"""The look of every page that the grader writes: one stylesheet, one way to put text into HTML.

No page loads anything from elsewhere.

Students' text is hostile: it goes through `escape` (HTML) or is set as textContent (review_page.py), and its invisible
characters become visible.
"""

import html
import re
import unicodedata

CAP = 4000  # characters of any one text on a page
UNSEEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"  # a class of characters for re
FORMULA = "=+-@|%＝＋－＠"  # what a spreadsheet, an old one or an East Asian one, may take for the start of a formula

STYLE = """
:root {
  color-scheme: light dark; --ink: #1b1b1f; --soft: #55555f; --paper: #ffffff; --panel: #f4f4f7; --line: #84848f;
  --link: #0b57a4; --good: #12683f; --bad: #a3380a; --mark: #ffe9a8; --on-mark: #1b1b1f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #ececf1; --soft: #b9b9c6; --paper: #17171c; --panel: #23232a; --line: #81818f; --link: #8cc4ff;
    --good: #6fd6a4; --bad: #ff9d70; --mark: #5c4a10; --on-mark: #fff4d0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 62rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 1.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: .8rem 0 .2rem; }
a { color: var(--link); }
.soft { color: var(--soft); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.big { font-size: 1.3rem; font-weight: 650; }
section, .panel {
  background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .2rem 1rem .8rem;
  margin: .8rem 0;
}
pre, .text { white-space: pre-wrap; margin: .4rem 0; }
pre, code, kbd { font-family: ui-monospace, monospace; font-size: .92em; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: .3rem; padding: .5rem; overflow-x: auto; }
kbd { border: 1px solid var(--line); border-radius: .2rem; padding: 0 .3em; background: var(--paper); }
mark { background: var(--mark); color: var(--on-mark); }
bdi, .text, pre { unicode-bidi: isolate; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; }
table { overflow-wrap: break-word; }
tbody th { font-weight: 400; }
.scroll th:first-child { position: sticky; left: 0; background: var(--paper); }
td.bar { width: 70%; vertical-align: middle; }
td.bar div { height: .9em; background: var(--link); }
body.wide { max-width: 90rem; }
ul.cases { list-style: none; padding: 0; margin: .3rem 0; }
ul.cases > li { margin: .35rem 0; padding-left: 1.4rem; text-indent: -1.4rem; }
ul.cases div { text-indent: 0; }
button, input, textarea, select {
  font: inherit; max-width: 100%; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: .3rem; padding: .35rem .7rem;
}
textarea { width: 100%; min-height: 4.5rem; }
button[aria-pressed=true] { outline: 2px solid var(--link); font-weight: 650; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
label { max-width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .8rem; }
img { max-width: 100%; background: #fff; }
@media print {
  body { max-width: none; font-size: 10.5pt; }
  section { break-inside: avoid-page; }
  :root { color-scheme: light; --ink: #000; --soft: #333; --paper: #fff; --panel: #fff; --good: #064; --bad: #820; }
}
"""


def seen(c):
    return c in "\n\t\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def visible(text, cap=CAP):
    """Text whose invisible characters (controls, bidi overrides, lone surrogates; not the joiners that scripts and
    emoji need) read as [U+202E], at most `cap` characters of it.
    """
    text = str(text)
    if len(text) > cap:
        text = text[:cap] + f" … ({len(text) - cap} characters more)"
    return "".join(c if seen(c) else f"[U+{ord(c):04X}]" for c in text.replace("\r\n", "\n"))


def neutral(value):
    """A cell that no spreadsheet takes for a formula. Numbers stay numbers; a text keeps its words, in one line."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return value
    text = " ".join(str(value).split())
    # a spreadsheet that splits at another separator than ours starts a cell in the middle of a text
    text = re.sub(rf"""([,;\t]["'\s{UNSEEN}]*)([{re.escape(FORMULA)}])""", r"\1'\2", text)
    first = next((c for c in text if c.isprintable() and c not in "'\" "), "x")  # behind what nobody sees, too
    return "'" + text if first in FORMULA else text


def escape(text, cap=CAP):
    """As visible, for HTML text and quoted attributes."""
    return html.escape(visible(text, cap))


def page(title, body, wide=False):
    """A whole self-contained HTML document. `title` is text, `body` is HTML. The policy in it forbids scripts and
    whatever lies elsewhere. wide: for a table of many columns.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta '
        f'http-equiv="Content-Security-Policy" content="{policy}"><meta name="referrer" content="no-referrer">'
    )
    head += f"<title>{escape(title, 200)}</title><style>{STYLE}</style>"
    start = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body{" class=wide" if wide else ""}>'
    return f"{start}<main>\n{body}\n</main></body></html>\n"


def table(columns, rows, numeric=()):
    """An HTML table of texts; the columns named in `numeric` are set to the right, the first names its row and stays in
    sight.
    """
    side = lambda column: ' class="n"' if column in numeric else ""
    head = "".join(f'<th scope="col"{side(c)}>{escape(c)}</th>' for c in columns)
    lines = ""
    for row in rows:
        first, *others = zip(columns, row, strict=True)
        cells = "".join(f"<td{side(c)}>{escape(cell)}</td>" for c, cell in others)
        lines += f'<tr><th scope="row"{side(first[0])}>{escape(first[1])}</th>{cells}</tr>'
    named = f'role="region" aria-label="{escape(columns[0])} and more"'
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f'<div class="scroll" tabindex="0" {named}>{shown}</div>'


def rows_of(lab, grades, submitted):
    """The gradebook's rows of a lab, those with a submission or a person's word. StoreError with one line for an
    unknown lab and where there are none.
    """
    from course_lib.grading.people import gradebook
    from course_lib.grading.records import policy, store

    policy.known_lab(lab)
    found = [
        row
        for row in gradebook.rows(lab, grades=grades, submitted=submitted)
        if row["sha"] or row["adjusted"] or row["comments"]
    ]
    if not found:
        raise store.StoreError(f"no submissions of {lab}: run `course collect {lab} FILES…` first")
    return found


def graded_or_broken(lab, rows):
    """Those of rows_of that were graded or found ungradable. StoreError where there are none."""
    found = [row for row in rows if row["result"] is not None and row["result"]["status"] != "infra_error"]
    return found or not_graded(lab, rows)


def not_graded(lab, rows):
    from course_lib.grading.records import store

    older = any(row["status"] == "older questions" for row in rows)
    raise store.StoreError(
        f"{lab} was graded with older questions: run `course grade {lab}` again"
        if older
        else f"nothing of {lab} is graded yet: run `course grade {lab}` first"
    )
