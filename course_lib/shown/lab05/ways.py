"""Lab 05: the five ways of answering beside each other, their costs, and questions as people type them."""

from collections.abc import Callable

from course_lib.evaluation import answers as measures
from course_lib.evaluation import ways as five
from course_lib.evaluation.instructions import score as score_tasks
from course_lib.shown.lab05.board import answers_to, boards, notices_on, share
from course_lib.stages.perplexity import distance_to_limit
from course_lib.stages.retrieval import WAYS
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve
from course_lib.widgets.table import table, your_run
from course_lib.widgets.ways import days_figure
from course_lib.world import news, pretrain_rows, village
from course_lib.world.tasks import task_rows


def measure(assistant, injected, each: int, **options) -> list[dict]:
    """Rows of ways.measure: the five ways on the same questions of each day."""
    models = {way: injected if "LoRA" in way else assistant for way in WAYS}
    return five.measure(models, load_tokenizer(), each=each, **options)


def show_injection(changes: list[dict], rows: list[dict], run) -> float:
    """What went in, and the seconds that it took."""
    seconds, record = run.history[-1]["seconds"], run.record
    print(f"{len(changes)} changes, {len(rows)} rows. The first: {[m['content'] for m in rows[0]['messages']]}")
    print(f"{record['trained_parameters']:,} of {run.model.parameter_count():,} parameters trained on", end=" ")
    print(f"{record['tokens']:,} tokens in {seconds:.0f} s: {seconds / len(changes):.1f} s for each change")
    return seconds


def show_ways(results: list[dict], size: str) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """({way: right about what has changed on days 1, 2, 3}, {way: outdated on these days}): the five ways as tables and
    a picture.
    """
    shown = [(0, "old"), *((day, "changed") for day in (1, 2, 3)), *((3, k) for k in ("again", "new", "old", "never"))]
    cells = lambda way: [five.cell(results, way, day, kind) for day, kind in shown]
    heads = {"right about": "", **{f"day {day} {kind}": ".0%" for day, kind in shown}}
    table(heads, [(way, *cells(way)) for way in WAYS], f"at most {results[0]['n']} questions in a cell")
    stale = {way: {day: five.outdated(results, way, day) for day in (1, 2, 3)} for way in WAYS}
    heads = {"outdated": "", **{f"day {day}": ".0%" for day in (1, 2, 3)}}
    table(heads, [(way, *days.values()) for way, days in stale.items()])
    right = {way: {day: share_right(results, way, day) for day in (1, 2, 3)} for way in WAYS}
    curve.show(days_figure({"right on what has changed": right, "outdated answers": stale}, "Day by day"))
    by_day = "{:.0%}, {:.0%} and {:.0%}".format(*right["RAG"].values())
    your_run(
        f"On days 1, 2 and 3 RAG is right about {by_day} of what has changed.",
        f"LoRA is right about {right['LoRA'][1]:.0%} on day 1; on day 3 {stale['LoRA'][3]:.0%} are outdated.",
        size=size,
        shows="how well notices are read and news is trained in",
    )
    lists = lambda made: {way: list(days.values()) for way, days in made.items()}
    return lists(right), lists(stale)


def share_right(results: list[dict], way: str, day: int, kind: str = "changed") -> float:
    """One share of `measure`, where there are such questions."""
    share = five.cell(results, way, day, kind)
    assert share is not None, f"there is no question of kind {kind} on day {day}"
    return share


def renamed(texts: list[str], old, new) -> list[str]:
    """The texts with one person's name in place of another's."""
    return [text.replace(old.full, new.full).replace(old.first, new.first) for text in texts]


def exchanged(q: dict, old, new, alone: bool = False) -> tuple[dict, list[str]]:
    """(a question of day 3, its board), one person's name in place of another's, whose own notices come off. alone: so
    does what else is said of the person than the notice that answers.
    """
    notices = boards()[3]
    answers = notices[notices_on(3, q)[-1]]
    kept = [text for text in notices if old == new or new.full not in text]
    kept = [text for text in kept if not alone or text == answers or old.full not in text]
    question, *board = renamed([q["question"], *kept], old, new)
    return {**q, "question": question}, board


def show_names(model, each: int, search_of: Callable, build: Callable) -> dict[str, float]:
    """{questions: share right}, to find out whether it is the name: questions of day 3 about people who have settled,
    as they are, with one notice about the person, and with residents' names in question and notices; those about
    residents, and with settlers' names.
    """
    people = {person.first: person for person in news.village_on(3).residents}
    busy = {change.resident for day in news.DAYS for change in news.changes(day)}
    calm = [person for person in village().residents if person.first not in busy]
    found = {}

    def right(q, name=None, alone=False):
        own = people[q["resident"]]
        asked, board = exchanged(q, own, name or own, alone)
        said = answers_to(model, "RAG", [asked], board, search=search_of(board), build=build)
        return measures.is_right(said[0]["answer"], q["gold"], q["stale"])

    for kind, others, whose in (("new", calm, "residents'"), ("changed", [*news.settlers()] * 4, "settlers'")):
        asked = [q for q in news.questions(3, each) if q["kind"] == kind]
        told = [right(q) for q in asked]
        found[kind] = share(told)
        if kind == "new":
            for fact in ("home", "job"):
                found[f"new, their {fact}s"] = share([ok for ok, q in zip(told, asked) if q["fact"] == fact])
            found["new, one notice about them"] = share([right(q, alone=True) for q in asked])
        found[f"{kind}, with {whose} names"] = share([right(q, other) for q, other in zip(asked, others)])
    table({"day 3, RAG, questions": "", "right": ".0%"}, found.items())
    your_run(shows="whether it is the name")
    return found


def forgetting(model, size: str, each: int) -> dict[str, float]:
    """Old facts right on day 1, share of held-out tasks passed, loss on the documents of pre-training, and that of
    the best possible model.
    """
    tokenizer, tasks = load_tokenizer(), task_rows("residents", 40 if size == "tiny" else 200)
    limit = distance_to_limit(model, tokenizer, pretrain_rows("validation", 200))
    old = five.measure({"closed book": model}, tokenizer, [1], 2 * each, ways=["closed book"])
    return {
        "old facts right, from memory": share_right(old, "closed book", 1, "old"),
        "held-out tasks passed": score_tasks(model, tokenizer, tasks)["accuracy"],
        "pre-training loss, nats/token": limit["loss"],
        "the lowest possible loss": limit["entropy"],
    }


def news_known(model, each: int) -> float:
    """Share of the news of day 1 that the model knows without reading."""
    rows = five.measure({"LoRA": model}, load_tokenizer(), [1], each, ways=["LoRA"])
    return share_right(rows, "LoRA", 1)


def show_change(models: dict, size: str, each: int) -> dict[str, dict[str, float]]:
    """{model: what it knows of the news of day 1, and what it has forgotten}."""
    known = {name: {"news of day 1 right": news_known(model, each)} for name, model in models.items()}
    found = {name: {**known[name], **forgetting(model, size, each)} for name, model in models.items()}
    show_beside(found)
    return found


def show_beside(columns: dict[str, dict[str, float]]) -> None:
    """A row for each figure, a column for each model: shares in per cent, a loss in nats/token."""
    said = lambda name, value: f"{value:.3f}" if "loss" in name else f"{value:.1%}"
    rows = [(name, *(said(name, each[name]) for each in columns.values())) for name in next(iter(columns.values()))]
    table({"": "", **{name: "" for name in columns}}, rows)


# ------------------------------------------------------------------------------------------------------ costs and needs


def table_of(results: list[dict], parameters: int, tokens: int) -> dict:
    """The decision table, with the costs of each way as a table: FLOP of the training, and of a question."""
    made = five.table_of(results, parameters, tokens)
    rows = [
        (way, cost["training"] / 1e9, cost["each"] / 1e9, cost["each"] / 2 / parameters)
        for way, cost in made["cost"].items()
    ]
    heads = {"way": "", "training, GFLOP": ",.0f", "a question, GFLOP": ".3f", "tokens a question": ".0f"}
    table(heads, rows, "a question: the mean over all kinds on days 1 to 3")
    return made


def decisions(made: dict, decide: Callable) -> dict[str, str]:
    """{need: way}: what the rule `decide` says for each need, by the worst kind of question of the need."""
    found = {}
    for need, asks in measures.NEEDS.items():
        worst = {way: min(cells[f"{d} {kind}"] for d, kind in asks["rows"]) for way, cells in made["accuracy"].items()}
        ways = [{"way": way, "accuracy": worst[way], **made["cost"][way]} for way in worst]
        found[need] = decide(ways, asks["needed"], asks["questions"])
        rows = [
            (
                way["way"],
                way["accuracy"],
                (way["training"] + asks["questions"] * way["each"]) / 1e9,
                "◀" if way["way"] == found[need] else "",
            )
            for way in ways
        ]
        kinds = ", ".join(f"day {day} {kind}" for day, kind in asks["rows"])
        title = f"{need}: {asks['needed']:.0%} on {kinds}; {asks['questions']:,} questions. Decided: {found[need]}"
        table({"way": "", "right": ".1%", "GFLOP": ",.0f", "": ""}, rows, title)
    return found


def show_robustness(model, injected, by_words: Callable, by_letters: Callable, each: int) -> dict[str, dict]:
    """{"words", "letters", "LoRA": {style: {"found", "accuracy"}}} of questions as people type them, about all news up
    to day 3 with RAG, about those of day 1 with LoRA, which finds nothing. by_words: notices → search.
    """
    searches = {"words": by_words, "letters": by_letters}
    found = {n: five.robustness(model, load_tokenizer(), 3, each=each, search=s) for n, s in searches.items()}
    heads = {"style": "", **{f"{what}, by {name}": ".0%" for name in found for what in ("found", "right")}}
    cells = lambda style: [row[style][what] for row in found.values() for what in ("found", "accuracy")]
    lora = five.robustness(injected, load_tokenizer(), 1, "LoRA", each)
    rows = [(style, *cells(style), row["accuracy"]) for style, row in lora.items()]
    table({**heads, "right, LoRA (day 1)": ".0%"}, rows)
    found["LoRA"] = lora
    your_run(shows="which of these breaks the reading")
    return found


def show_failures(model, each: int, search_of: Callable) -> list[tuple[dict, dict]]:
    """(question, answer) of what went wrong with typing errors and two questions in one, the first two and the last."""
    asked = [q for q in news.production_queries(3, each) if q["style"] in ("typo", "two in one")]
    notices = boards()[3]
    said = answers_to(model, "RAG", asked, notices, search=search_of(notices))
    wrong = [(q, a) for q, a in zip(asked, said) if not measures.is_right(a["answer"], q["gold"], q["stale"])]
    told = lambda gold: gold if isinstance(gold, str) else " and ".join(gold)
    rows = [
        (q["style"], q["question"], a["answer"], told(q["gold"]), " / ".join(notices[k] for k in a["found"][:2]))
        for q, a in wrong[:2] + wrong[-2:]
    ]
    table({"style": "", "question": "", "said": "", "right": "", "found": ""}, rows)
    return wrong
