"""Runs the banks of wrong and right answers through the questions. `course bench questions` prints `tally()`."""

import functools
import importlib
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).parent
# fmt: off
BANKS = {
    "00_start_here": "bank00", "01_data_and_tokenizer": "bank01", "02_pretraining": "bank02",
    "03_supervised_fine_tuning": "bank03", "04_lora_and_qlora": "bank04", "05_finetune_or_retrieve": "bank05",
    "06_preferences_and_reward_model": "bank06", "07_rlhf": "bank07", "08_direct_alignment": "bank08",
    "09_ai_feedback": "bank09", "10_safety_refusals": "bank10", "11_evaluation_and_release": "bank11",
}
# fmt: on
SEEDS = ("public", "one", "two")
# What is slow to expect: a template that Jinja compiles, a cubic definition. All answers of a seed get the same inputs.
SLOW = {"03_supervised_fine_tuning": "rendered", "11_evaluation_and_release": "adjusted"}


def bank(lab):
    """id → {"wrong": {label: source}, "right": {label: source}, "named": {label: words of the mistake}} of a lab."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    return importlib.import_module(BANKS[lab]).BANK


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


def entries(labs=tuple(BANKS)):
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


def tally(seeds=SEEDS):
    """{"wrong_caught", "wrong_total", "right_accepted", "right_total", "labs": [the same for each lab, with its name
    and questions]}: an answer counts when it does so on every seed.
    """
    counts = {"wrong_caught": 0, "wrong_total": 0, "right_accepted": 0, "right_total": 0}
    labs = {lab: {"lab": lab, "questions": len(bank(lab)), **counts} for lab in BANKS}
    for question, kind, _, source, _ in entries():
        passes = [verdict(question, source, seed).status == "pass" for seed in seeds]
        for row in (counts, labs[question.lab]):
            row[f"{kind}_total"] += 1
            if kind == "wrong":
                row["wrong_caught"] += not any(passes)
            else:
                row["right_accepted"] += all(passes)
    return counts | {"labs": list(labs.values())}


def markdown(counts):
    """README's table of what tally gives."""
    lines = ["| lab | questions | wrong answers caught | right alternatives accepted |", "|---|---:|---:|---:|"]
    for row in [
        *counts["labs"],
        counts | {"lab": "**all**", "questions": sum(row["questions"] for row in counts["labs"])},
    ]:
        lines.append(
            f"| {row['lab']} | {row['questions']} | {row['wrong_caught']} of {row['wrong_total']} | "
            f"{row['right_accepted']} of {row['right_total']} |"
        )
    return "\n".join(lines)
