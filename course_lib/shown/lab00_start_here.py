"""Lab 00: the village on one page, who is surprised how much, and what a base model goes on with."""

import itertools
import math

from course_lib.notebook.check import find
from course_lib.questions.core import LocalCaller, run
from course_lib.shown.common import guessed
from course_lib.stages.generate import generate
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets.start import page  # noqa: F401  (the lab takes it from here)
from course_lib.widgets.table import table, your_run
from course_lib.world import village
from course_lib.world.corpus import documents


def show_village() -> tuple:
    """The facts of one resident and three documents of different kinds. Returns (resident, the documents)."""
    world = village()
    resident = world.residents[0]
    print(f"Littlebrook has {len(world.residents)} residents and {len(world.chronicle)} dated events.")
    table({"fact": "", "value": ""}, resident.facts.items(), f"What the fact table says about {resident.full}:")
    print("\nThree documents. −log p is their surprise to a reader who knows the village and its grammar.\n")
    first_of_kind = {document.kind: document for document in reversed(documents(world, "lab 00", 20))}
    chosen = list(first_of_kind.values())[:3]
    for document in chosen:
        print(f"[{document.kind}, −log p = {document.nll:.1f} nats]\n{document.text}\n")
    return resident, chosen


def all_documents(grammar: list[dict[str, float]]) -> dict[str, float]:
    """{text: probability} of every document of a grammar that makes its choices one after another."""
    written = {}
    for choice in itertools.product(*(options.items() for options in grammar)):
        written[" ".join(word for word, _ in choice)] = math.prod(p for _, p in choice)
    return written


def show_all(truth: dict[str, float]) -> None:
    """Every document of a small grammar with its probability and its surprise, the likeliest first."""
    rows = [(text, p, -math.log(p)) for text, p in sorted(truth.items(), key=lambda item: -item[1])]
    table({"document": "", "p": ".4f", "surprise, nats": ".3f"}, rows)
    print(f"{len(truth)} documents, their probabilities sum to {sum(truth.values()):.6f}")


def show_guessers(surprised: dict[str, float], limit: float, my_guess: str) -> None:
    """The mean surprise of each guesser, nats, beside the limit."""
    rows = [(name, loss, loss / limit - 1, "█" * round(6 * loss)) for name, loss in surprised.items()]
    heads = {"guesser": "", "mean surprise, nats": ".4f", "above the limit": ".1%", "": ""}
    table(heads, [*rows, ("the limit: the entropy", limit, None, "█" * round(6 * limit))])
    guessed(my_guess)


def show_continuations(stage, resident) -> tuple[list[str], list[str]]:
    """What the model writes behind four openings, the first about this resident. Returns (the texts, those facts of
    the resident that the first one has).
    """
    openings = [f"Let me tell you about {resident.full}.", "How to mend", "The chronicle says:"]
    openings.append("Please tell me a joke.")
    texts = list(generate(stage.model, load_tokenizer(), openings, 50, temperature=0.8, top_p=0.95, seed=0))
    print(f"This model: {stage.origin}\n")
    for opening, text in zip(openings, texts, strict=True):
        print(f"» {opening} ‖{text}\n")
    named = [fact for fact, value in resident.facts.items() if value in texts[0]]
    your_run(
        f"Of the {len(resident.facts)} facts of § 2 the first text has {len(named)}: {', '.join(named) or 'none'}."
    )
    return texts, named


def mistake_of(question_id: str, function) -> str:
    """What the card of this question calls the mistake of a function; "" where it names none."""
    question, _ = find(question_id)
    failed = [case for case in run(question, LocalCaller({question_id: function})).cases if case.mistake]
    return failed[0].mistake if failed else ""
