"""What a lab says about its run, as code: the `# CLAIM` cells of its source.

    # CLAIM
    {
        "Each single merge buys less": all(a > b for a, b in pairwise(bought)),
        "Byte pair encoding begins with single characters": GENERAL,
    }

A claim cell follows the text that it is about. Each key stands in that text word for word and is part of one sentence;
its value says, in the notebook's own variables, whether the sentence is true of the run. GENERAL marks a sentence that
says nothing about the run. `course build` evaluates the claims where they stand and fails if one is false; neither
notebook shows them. A cell `# CLAIM stored` speaks of the figures in docs/results (`stored("dpo-laptop")`), which come
of five seeds or more, and is evaluated by every `course build --check`.
"""

import ast
import hashlib
import json
import re

from course_lib.platform import ROOT

GENERAL = "general"
MARK = "CLAIMS "
# texts about the run, of which each sentence is claimed or general
TOLD = re.compile(r"\s*(\*\*What to notice\.\*\*|## § \d+ Summary\n|<!-- WRITTEN )")


def stored(name):
    """The figures of a bench: docs/results/NAME.json."""
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def items(source):
    """[(key, expression)] of a claim cell, as nodes. ValueError where it is not one dict with texts as keys."""
    body = ast.parse(source).body
    table = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(table, ast.Dict):
        raise ValueError("a claim cell is one dict: {'words of the sentence': a true expression or GENERAL}")
    pairs = []
    for key, value in zip(table.keys, table.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            raise ValueError("a claim's key is the sentence's own words")
        pairs.append((key.value, value))
    return pairs


def is_general(node):
    return isinstance(node, ast.Name) and node.id == "GENERAL"


def judged(source, names):
    """{key: "" where it is true, else why not} of the claims of a cell that are code. names: what they may use."""
    names = {**names, "stored": stored}
    return {key: judged_one(node, names) for key, node in items(source) if not is_general(node)}


def judged_one(node, names):
    def value(part):
        return eval(compile(ast.Expression(part), "a claim", "eval"), names)

    try:
        if bool(value(node)):
            return ""
    except Exception as error:  # of whatever kind: the author's expression does not fit the run
        return f"{type(error).__name__}: {error}"
    shown = []
    for part in ast.walk(node):
        if isinstance(part, ast.Compare):
            for side in (part.left, *part.comparators):
                try:
                    shown.append(f"{ast.unparse(side)} = {value(side)!r:.200}")
                except Exception:  # a name of a comprehension: it has no value here
                    continue
    return "; ".join(dict.fromkeys(shown)) or ast.unparse(node)


def tell(source, names):
    """In the kernel of the build: prints what `judged` finds, for `told` to read."""
    print(MARK + json.dumps(judged(source, names)))


def asking(source):
    """The code of a cell that tells of the claims in `source`."""
    return f"import course_lib.authoring.claims\ncourse_lib.authoring.claims.tell({source!r}, globals())"


def told(outputs):
    """What `tell` has printed, from the outputs of its cell; None where it has not."""
    for line in "".join(output.get("text", "") for output in outputs).splitlines():
        if line.startswith(MARK):
            return json.loads(line.removeprefix(MARK))
    return None


def fingerprint(source):
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def plain(text):
    """A text on one line, without its headings, markers and folded parts."""
    text = re.sub(r"<details>.*?</details>|<!--.*?-->|\$\$.*?\$\$", " ", text, flags=re.S)
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|>|\||```|$)", line)]
    return " ".join(" ".join(lines).split())


def sentences(text):
    """The sentences of a markdown cell that state something: no questions, no headings, no tables."""
    words = plain(text).removeprefix("**What to notice.**")
    parts = re.split(r"(?<=[.!?])[*_)\"”]*\s+(?=[^a-z\s])", words)
    return [part.strip() for part in parts if re.search(r"[a-z]{2}", part) and not part.rstrip('*_)"” ').endswith("?")]


def gaps(text, sources):
    """(problems of the claim cells below a text as lines, sentences of it that are code, general)."""
    try:
        pairs = [(" ".join(key.split()), node) for source in sources for key, node in items(source)]
    except (ValueError, SyntaxError) as error:
        return [str(error)], 0, 0
    words = plain(text)
    problems = [f"no sentence above says {key!r}" for key, _ in pairs if key not in words]
    code = general = 0
    for sentence in sentences(text):
        kinds = [is_general(node) for key, node in pairs if key in sentence]
        code += bool(kinds) and not all(kinds)
        general += bool(kinds) and all(kinds)
        if not kinds and TOLD.match(text):
            problems.append(f"no claim for {sentence!r}")
    return problems, code, general
