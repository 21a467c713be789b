"""Runs the banks of wrong and right answers through the questions. `course bench questions` prints `tally()`. Of one
lab, each wrong answer with what it keeps, where it fails and which mistake is shown:

    .venv/bin/python tests/questions/tally.py 00_start_here [question …]
"""

import functools
import importlib
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).parent
LABS = sorted(path.stem for path in (HERE.parents[1] / "solutions").glob("[0-9][0-9]_*.py"))
SEEDS = ("public", "one", "two")
# What is slow to expect: a template that Jinja compiles, a cubic definition. All answers of a seed get the same inputs.
SLOW = {"03_supervised_fine_tuning": "rendered", "11_evaluation_and_release": "adjusted"}


def bank(lab):
    """id → {"wrong": {label: source}, "right": {label: source}, "named": {label: words of the mistake that is to be
    shown}, "breaks": {label: the rule of the question which this wrong answer breaks, and no other}} of a lab.
    """
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(f"bank{lab[:2]}").BANK


def once(function):
    """The function, which does not do twice what it has done for arguments that read the same."""
    seen = {}

    @functools.wraps(function)
    def kept(*arguments, **named):
        key = repr((arguments, named))
        if key not in seen:
            seen[key] = function(*arguments, **named)
        return seen[key]

    return kept


def verdict(question, source, seed):
    """QuestionResult of one answer, given as source text."""
    from course_lib.questions.core import LocalCaller, run

    namespace = {}
    exec(source, namespace)
    with warnings.catch_warnings():  # numpy warns about the 0/0 of a wrong answer
        warnings.simplefilter("ignore")
        return run(question, LocalCaller(namespace), seed)


def entries(labs=tuple(LABS)):
    """(question, "wrong" | "right", label, source, words of the mistake or None) for every answer in the banks."""
    from course_lib.questions.core import questions_of

    for lab in labs:
        if lab in SLOW:
            module = importlib.import_module(f"course_lib.questions.lab{lab}")
            setattr(module, SLOW[lab], once(getattr(module, SLOW[lab])))
        by_id = {question.id: question for question in questions_of(lab)}
        for name, answers in bank(lab).items():
            for kind in ("wrong", "right"):
                for label, source in answers[kind].items():
                    yield by_id[name], kind, label, source, answers["named"].get(label) if kind == "wrong" else None


def shown(result):
    """The mistakes that the card of this result names."""
    from course_lib.notebook.card import failures

    return [case.mistake for case in failures(result) if case.mistake]


def naming(results, words):
    """ "rightly", "wrongly" or "not": is what the cards of a wrong answer call its mistake what it is? words: they
    stand in the right name; None: no name fits.
    """
    names = [name for result in results for name in shown(result)]
    if not names:
        return "not"
    return "rightly" if words and all(words in name for name in names) else "wrongly"


def tally(seeds=SEEDS):
    """{"wrong_caught", "wrong_total", "right_accepted", "right_total" (an answer counts when it does so on every seed),
    "questions", "rules" (which the questions list), "rules_with_own_case", "rules_with_own_answer" (a wrong one that
    breaks this rule alone), "kept_mean" (mean share of the points that wrong answers keep), "kept_70" (share of them
    that keep 70 % or more on some seed), "named_rightly", "named_wrongly", "not_named" (wrong answers),
    "labs": [the same for each lab, with its name]}
    """
    from course_lib.questions.core import Question, questions_of

    zero = "wrong_caught wrong_total right_accepted right_total questions rules rules_with_own_case".split()
    zero += "rules_with_own_answer kept_mean kept_70 named_rightly named_wrongly not_named".split()
    labs, every = {lab: {"lab": lab} | dict.fromkeys(zero, 0) for lab in LABS}, dict.fromkeys(zero, 0)
    for lab in LABS:
        for question in (q for q in questions_of(lab) if isinstance(q, Question)):
            decided, broken = {c.rule for c in question.cases}, bank(lab)[question.id].get("breaks", {}).values()
            for row in (every, labs[lab]):
                row["questions"] += 1
                row["rules"] += len(question.rules)
                row["rules_with_own_case"] += len(decided & set(question.rules))
                row["rules_with_own_answer"] += len(set(broken) & set(question.rules))
    for question, kind, _, source, words in entries():
        results = [verdict(question, source, seed) for seed in seeds]
        passes = [result.status == "pass" for result in results]
        kept = [result.score / question.points for result in results]
        for row in (every, labs[question.lab]):
            row[f"{kind}_total"] += 1
            if kind == "right":
                row["right_accepted"] += all(passes)
                continue
            row["wrong_caught"] += not any(passes)
            row["kept_mean"] += sum(kept) / len(kept)
            row["kept_70"] += max(kept) >= 0.7
            named = naming(results, words)
            row["not_named" if named == "not" else f"named_{named}"] += 1
    for row in (every, *labs.values()):
        for share in ("kept_mean", "kept_70"):
            row[share] = round(row[share] / row["wrong_total"], 4)
    return every | {"labs": list(labs.values())}


def listed(lab, only=(), seeds=SEEDS):
    """Lines on each wrong answer of a lab: what it keeps (on each seed where that differs), which cases fail, the
    mistake that is shown, the words that are wanted. A "!" marks what is to be looked at: a wrong name or none where
    words are wanted, or more than half kept.
    """
    for question, kind, label, source, words in entries((lab,)):
        if kind == "right" or (only and question.id not in only):
            continue
        results = [verdict(question, source, seed) for seed in seeds]
        kept = [round(100 * result.score / question.points) for result in results]
        named, rule = naming(results, words), bank(lab)[question.id].get("breaks", {}).get(label)
        sign = "!" if named == "wrongly" or (words and named == "not") or max(kept) > 50 else " "
        yield f"{sign} {question.id} / {label}: keeps {' '.join(f'{k} %' for k in dict.fromkeys(kept))}"
        if rule:
            yield f"      breaks: {rule}"
        numbers = dict.fromkeys(
            tuple(i for i, case in enumerate(result.cases) if case.status != "pass") for result in results
        )
        for failed in numbers:
            yield "      fails: " + (" | ".join(question.cases[i].name for i in failed) or "NOTHING")
        for name in dict.fromkeys(name for result in results for name in shown(result)):
            yield f"      shown: {name}"
        if words:
            yield f"      words wanted: {words}"


def markdown(counts):
    """README's table of what tally gives."""
    lines = ["| lab | questions | wrong answers caught | right alternatives accepted |", "|---|---:|---:|---:|"]
    for row in [*counts["labs"], counts | {"lab": "**all**"}]:
        lines.append(
            f"| {row['lab']} | {row['questions']} | {row['wrong_caught']} of {row['wrong_total']} | "
            f"{row['right_accepted']} of {row['right_total']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent.parent))
    for line in listed(sys.argv[1], sys.argv[2:]):
        print(line, flush=True)
