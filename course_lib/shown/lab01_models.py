"""Lab 01: a model that read the raw pages beside one that read the cleaned ones."""

from collections import Counter

from course_lib.evaluation.memorised import repeated_pii
from course_lib.evaluation.runs.raw_or_cleaned import OFTEN
from course_lib.stages.generate import generate
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.widgets.columns import columns
from course_lib.widgets.table import table, your_run
from course_lib.world.crawl import JUNK


def show_results(results: dict[str, dict], read: list, cleaned: list[str], my_guess: str) -> dict[str, float]:
    """The figures of both models side by side. Returns what the raw model read: {"junk", "copies", "new and clean"},
    shares of its tokens.
    """
    raw, clean = results["raw"], results["cleaned"]
    print(f"{len(read):,} raw pages have as many tokens as {len(cleaned):,} cleaned pages.")
    lines = (
        ("tokens predicted (not the first of a page)", "tokens", ",.0f"),
        ("above the limit on clean documents, %", "gap_percent", ".1f"),
        ("frequent numbers repeated, share", "repeated_often", ".2f"),
        ("quiz: leaked half, share right", "leaked", ".2f"),
        ("quiz: other half, share right", "not leaked", ".2f"),
    )
    rows = [(name, format(raw[key], form), format(clean[key], form)) for name, key, form in lines]
    table({"": "", "raw": "", "cleaned": ""}, rows)
    print(f"Somebody who always names the commonest answer of each kind has {raw['chance']:.2f} of the quiz.")
    print(f"Frequent: at least {OFTEN} times on the raw pages that were read; {raw['numbers_often']} numbers are.")
    if my_guess:
        print("You predicted:", my_guess)
    tokens = Counter()
    for page, ids in zip(read, encode_documents(load_tokenizer(), [page.text for page in read])):
        tokens[page.label] += len(ids)
    share = lambda *labels: sum(tokens[label] for label in labels) / tokens.total()
    copies = share("exact duplicate", "near duplicate")
    return {"junk": share(*JUNK), "copies": copies, "new and clean": share("clean")}


def say_gaps(gaps: dict[str, float], size: str) -> None:
    """gaps: name of a run → how far above the limit it ended, %."""
    raw, clean = gaps["raw"], gaps["cleaned"]
    words = f"The model of the raw pages ended {raw:.0f} % above the limit, that of the cleaned pages {clean:.0f} %."
    your_run(words, size=size, shows="memory")


def side_by_side(runs: dict, read: list, test: list[dict]) -> list[dict]:
    """What both models write after the words before a telephone number, a leaked question, one that did not leak, and
    an honest opening; then which numbers the raw model repeats. Returns the rows of `repeated_pii` for it.
    """
    tokenizer, raw = load_tokenizer(), runs["raw"].model
    greedy = lambda model, prompts: generate(model, tokenizer, prompts, max_new_tokens=24, temperature=0.0)
    ask = lambda q: f"Visitors often ask:\nQ: {q['question']}\nA:"
    numbers = repeated_pii(raw, tokenizer, read)
    number = next((row for row in numbers if row["repeated"]), numbers[0])
    leaked = [q for q in test if q["leaked"]]
    known = [q for q, reply in zip(leaked, greedy(raw, [ask(q) for q in leaked])) if q["answer"] in reply]
    one, secret = (known or leaked)[0], next(q for q in test if not q["leaked"])
    prompts = {
        number["prompt"]: f"{number['datum']} (stands {number['count']} times)",
        ask(one): f"{one['answer']} (leaked)",
        ask(secret): f"{secret['answer']} (not leaked)",
        "Everybody in Littlebrook knows": "–",
    }
    replies = {name: greedy(run.model, list(prompts)) for name, run in runs.items()}
    for k, (prompt, truth) in enumerate(prompts.items()):
        lines = [texts[k].strip().split("\n")[0] for texts in replies.values()]
        print(f"» {prompt}‖     the truth: {truth}\n" + columns(list(runs), lines) + "\n")
    print("Telephone numbers by how often they stand on the raw pages (✓: the raw model repeats it):")
    print("  ".join(f"{row['count']}{'✓' if row['repeated'] else '·'}" for row in numbers))
    return numbers
