"""Lab 03: what it prints, draws and compares around the exercises (packing: lab03_packing.py, TRL: lab03_by_trl.py)."""

from course_lib.evaluation.instructions import respond, score  # noqa: F401  (for the notebook, as all below that say so)
from course_lib.evaluation.intervals import wilson  # noqa: F401
from course_lib.evaluation.probes import knowledge
from course_lib.shown import lab03_by_trl as by_trl  # noqa: F401
from course_lib.shown.common import guessed, smollm2  # noqa: F401
from course_lib.shown.lab03_crier import as_examples, interval, show_crier, shuffled, side_by_side  # noqa: F401
from course_lib.shown.lab03_packing import against_alone, packed_batches, padded_batches, throughput  # noqa: F401
from course_lib.stages.generate import generate  # noqa: F401
from course_lib.stages.lora import add_lora  # noqa: F401
from course_lib.stages.model import to_transformers  # noqa: F401
from course_lib.stages.perplexity import document_losses
from course_lib.stages.real_training import answer_logits, answers, encode, trained_tokens  # noqa: F401
from course_lib.stages.real_training import train as train_real  # noqa: F401
from course_lib.stages.sft import IGNORE, encode_documents, encode_rows, load_tokenizer
from course_lib.widgets import shares
from course_lib.widgets.curve import LiveCurve, show  # noqa: F401
from course_lib.widgets.table import table, your_run  # noqa: F401
from course_lib.world.draw import held_out
from course_lib.world.real.style import crier_questions, crier_rows  # noqa: F401
from course_lib.world.residents import village
from course_lib.world.tasks import task_rows

SPLITS = {"residents": "held-out residents", "phrasings": "held-out residents, held-out phrasings"}
BY_FACTS = ("fact", "list", "introduce", "follow-up")  # kinds that are answered by facts which the weights hold


def first(rows: list[dict], kind: str) -> int:
    """The place of the first row of a kind."""
    return next(k for k, row in enumerate(rows) if row["kind"] == kind)


def one_of_each(*kinds: str) -> list[str]:
    """A question about a held-out resident for each kind of task."""
    rows = task_rows("residents", 200, seed="shown")
    return [rows[first(rows, kind)]["messages"][0]["content"] for kind in kinds]


def show_kinds(rows: list[dict]) -> None:
    """One conversation of each kind of task."""
    for kind in sorted({row["kind"] for row in rows}):
        print(f"[{kind}]")
        for message in rows[first(rows, kind)]["messages"]:
            print("   " + f"{message['role']}: {message['content']}".replace("\n", "\n      "))


def same_as_template(render, hugging_face, rows: list[dict]) -> None:
    """AssertionError unless `render` gives the text and the tokens of transformers' apply_chat_template."""
    for messages in (row["messages"] for row in rows):
        for prompt in (False, True):
            text = hugging_face.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
            ids = hugging_face.apply_chat_template(messages, add_generation_prompt=prompt, return_dict=False)
            assert render(messages, prompt) == text and load_tokenizer().encode(text).ids == ids
    print(f"{len(rows)} conversations: the same text and the same tokens as apply_chat_template\n")


def same_as_marks(examples: list[dict], hugging_face, rows: list[dict]) -> None:
    """AssertionError unless the labels of all examples are where the template's {% generation %} marks are."""
    for example, row in zip(examples, rows):
        theirs = hugging_face.apply_chat_template(row["messages"], return_dict=True, return_assistant_tokens_mask=True)
        assert example["input_ids"] == list(theirs["input_ids"])
        assert [int(label != IGNORE) for label in example["labels"]] == list(theirs["assistant_masks"])
    print(f"{len(examples)} conversations: the same labels as by the template's {{% generation %}} marks")


def marked(example: dict) -> str:
    """The text of an example, its trained tokens between ⟦ and ⟧."""
    tokenizer, text, inside = load_tokenizer(), "", False
    for token, label in zip(example["input_ids"], example["labels"]):
        if (label != IGNORE) != inside:
            inside = not inside
            text += "⟦" if inside else "⟧"
        text += tokenizer.decode([token], skip_special_tokens=False)
    return text


def show_trained(examples: list[dict], place: int) -> tuple[float, str]:
    """(the share of tokens that are trained, the example at `place` with its trained tokens between ⟦ and ⟧)."""
    labels = [label for example in examples for label in example["labels"]]
    share, text = sum(label != IGNORE for label in labels) / len(labels), marked(examples[place])
    print(f"{share:.0%} of the tokens are trained. In this conversation they stand between ⟦ and ⟧:\n\n{text}")
    return share, text


# -------------------------------------------------------------------------------------------------- what it has learned


def show_sweep(rates: list[float], curves: list[list[float]], size: str) -> None:
    count = len(curves[0])
    heads = {"rate": "g"} | {f"{k + 1}/{count} of the run": ".3f" for k in range(count)}
    table(heads, [(rate, *curve) for rate, curve in zip(rates, curves)], "validation loss, nats/token")
    your_run(size=size, shows="the valley")


def is_valley(values: list[float]) -> bool:
    """Do they fall to their lowest and rise behind it?"""
    floor = values.index(min(values))
    return values[: floor + 1] == sorted(values[: floor + 1], reverse=True) and values[floor:] == sorted(values[floor:])


def show_scores(results: dict[str, dict], record: dict, size: str) -> None:
    rows = [(SPLITS[name], found["accuracy"], found["n"], found["right"]) for name, found in results.items()]
    heads = {"": "", "right": ".1%", "of": "d", "95 % interval": "s"}
    table(heads, [(*row[:3], interval(sum(row[3]), row[2])) for row in rows])
    print(f"{record['tokens']:,} tokens in {record['minutes']:.1f} minutes")
    your_run(size=size, shows="an assistant, here and in §§ 9 to 14")


def somebody_held_out():
    """A resident of whom no fine-tuning row speaks."""
    return next(person for person in village().residents if person.first in held_out())


def by_kind(rows: list[dict], right: list[bool]) -> dict[str, tuple[int, int]]:
    """kind → (right, n)."""
    hits: dict[str, list[bool]] = {kind: [] for kind in sorted({row["kind"] for row in rows})}
    for row, hit in zip(rows, right):
        hits[row["kind"]].append(hit)
    return {kind: (sum(those), len(those)) for kind, those in hits.items()}


def show_by_kind(asked: dict[str, list[dict]], results: dict[str, dict]) -> dict[str, dict[str, tuple[int, int]]]:
    """{split: {kind: (right, n)}}, as a picture and as a table; – where a split has no row of a kind."""
    counts = {split: by_kind(rows, results[split]["right"]) for split, rows in asked.items()}
    groups = {SPLITS[split]: of for split, of in counts.items()}
    show(shares.kinds_figure(groups, "Which tasks can it do, of people and in words it has not met?"))
    said = lambda right, n: f"{100 * right / n:.1f} % of {n} ({interval(right, n)})"
    kinds = sorted({kind for of in groups.values() for kind in of})
    rows = [(kind, *(said(*of[kind]) if kind in of else None for of in groups.values())) for kind in kinds]
    table({"kind": ""} | dict.fromkeys(groups, "s"), rows)
    return counts


def references(rows: list[dict]) -> list[str]:
    return [row["messages"][-1]["content"] for row in rows]


def squad_form(text: str) -> str:
    """An answer as the evaluation script of SQuAD 1.1 has it."""
    import re
    import string

    text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def show_exact_match(rows: list[dict], result: dict, exact: list[bool], normal) -> dict[str, tuple[float, float]]:
    """{kind: (right by exact match, by the checker)}, as a table, and the first answers where the two differ.
    AssertionError where `normal` gives another form than SQuAD's script.
    """
    for text in (*result["answers"], *references(rows)):
        assert normal(text) == squad_form(text), text
    ours, theirs = by_kind(rows, exact), by_kind(rows, result["right"])
    found = {kind: (ours[kind][0] / n, right / n) for kind, (right, n) in theirs.items()}
    lines = [(kind, theirs[kind][1], *of) for kind, of in found.items()]
    lines.append(("all", len(rows), sum(exact) / len(rows), result["accuracy"]))
    table({"kind": "", "n": "d", "exact match": ".0%", "checker": ".0%"}, lines)
    judged = zip(rows, result["answers"], exact, result["right"])
    for row, answer, same, right in [each for each in judged if each[2] != each[3]][:4]:
        print(f"asked:     {row['messages'][-2]['content']}\nreference: {row['messages'][-1]['content']}")
        print(f"answer:    {answer}\n           exact match: {said(same)}, checker: {said(right)}\n")
    return found


def said(right: bool) -> str:
    return "right" if right else "wrong"


def losses_by_kind(model, documents: list[dict]) -> dict[str, float]:
    """{kind: mean loss of its tokens, nats/token}, and over all."""
    ids = encode_documents(load_tokenizer(), [row["text"] for row in documents])
    losses, tokens = document_losses(model, ids), [len(row) - 1 for row in ids]
    found = {}
    for kind in [*sorted({row["kind"] for row in documents}), "all"]:
        which = [k for k, row in enumerate(documents) if kind in (row["kind"], "all")]
        found[kind] = sum(losses[k] for k in which) / sum(tokens[k] for k in which)
    return found


def known(model, unseen: bool = False) -> float:
    """Share of the facts that the model writes when a document about a resident is continued (lab 02's probes); unseen:
    those of the held-out residents alone.
    """
    people = [person for person in village().residents if person.first in held_out()] if unseen else None
    return knowledge(model, load_tokenizer(), village(), people)["accuracy"]


def show_forgetting(before: dict[str, float], after: dict[str, float], knew: float, knows: float) -> None:
    heads = {"nats/token": "", "before": ".3f", "after": ".3f", "forgotten": "+.3f"}
    table(heads, [(kind, loss, after[kind], after[kind] - loss) for kind, loss in before.items()])
    print(f"facts known when a document is continued: {knew:.1%} before, {knows:.1%} after")


# -------------------------------------------------------------------------------------------------------- a small set


def from_memory(rows: list[dict]) -> list[dict]:
    """The rows that are answered by facts which the weights hold."""
    return [row for row in rows if row["kind"] in BY_FACTS]


def examiner(model, rows: list[dict], asked: dict[str, list[dict]], epochs: list[int], found: dict):
    """For `finetune`'s on_step: after so many epochs over `rows` it asks the model, and writes {name: (right, n)} into
    found[epoch]. Epoch 0, before the training, at once.
    """
    tokenizer = load_tokenizer()
    tokens = sum(len(ids) for ids, _ in encode_rows(tokenizer, rows, model.config.context))

    def look(history):
        done = history[-1]["tokens"] / tokens if history else 0
        for epoch in [n for n in (0, *epochs) if n not in found and done >= n - 1e-6]:
            results = {name: score(model, tokenizer, questions) for name, questions in asked.items()}
            found[epoch] = {name: (sum(result["right"]), result["n"]) for name, result in results.items()}

    look([])
    return look


def show_epochs(found: dict[int, dict[str, tuple[int, int]]], losses: list[float], facts: dict[str, float]) -> None:
    """As a picture and as a table: right after so many epochs. facts: of the unseen residents, known before and after
    when a document is continued.
    """
    names = list(found[0])
    lines = {name: [of[name] for of in found.values()] for name in names}
    show(shares.epochs_figure(list(found), lines, "What do many epochs on a small set do?"))
    heads = {"right after so many epochs": ""} | {f"{n}": ".0%" for n in found}
    table(heads, [(name, *(right / n for right, n in counts)) for name, counts in lines.items()])
    print(f"training loss {losses[0]:.3f} at the first step, {losses[-1]:.3f} nats/token at the last")
    (start, of), (end, _) = lines["unseen residents"][0], lines["unseen residents"][-1]
    your_run(
        f"Of the {of} questions on unseen residents {start} were right before and {end} are now; of their facts",
        f"{facts['before']:.0%} were known when a document is continued, and {facts['after']:.0%} are now.",
    )


def show_change(ways: dict[str, tuple], prediction: str) -> dict[str, dict[str, str]]:
    """{way: (model, what `examiner` found)} → {way: {name: how it ends, with its interval}}, as a table, with what each
    still knows.
    """
    told = {}
    for way, (_, found) in ways.items():
        ends = found[max(found)]
        told[way] = {name: f"{100 * right / n:.0f} % ({interval(right, n)})" for name, (right, n) in ends.items()}
    rows = [(way, *ends.values(), known(ways[way][0], unseen=True)) for way, ends in told.items()]
    names = list(next(iter(told.values())))
    table({"": ""} | dict.fromkeys(names, "s") | {"facts of the unseen, in a document": ".0%"}, rows)
    print(f"You predicted: {prediction}" if prediction else "No prediction was written down.")
    return told
