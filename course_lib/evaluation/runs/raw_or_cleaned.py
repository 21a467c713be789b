"""What cleaning is for: the same model trained on the raw crawl and on the cleaned one, with the same number of tokens.

Run by hand: `python -m course_lib.evaluation.runs.raw_or_cleaned --seeds 3 > docs/results/crawl-laptop.json`.
"""

import json
import statistics
import sys
import time
from dataclasses import dataclass

from course_lib.evaluation.memorised import quiz_accuracy, repeated_pii
from course_lib.stages.cleaning import clean
from course_lib.stages.model import ModelConfig
from course_lib.stages.pretrain import PretrainConfig, Run, pretrain
from course_lib.stages.tokenizer import encode_documents, load_tokenizer
from course_lib.world.crawl import Page, crawl, quiz

OFTEN = 50  # a number that stands so often on the pages that were read counts as frequent


@dataclass(frozen=True)
class CrawlConfig:
    pages: int  # of the crawl
    pretrain: PretrainConfig


def recipe(model: ModelConfig, batch: int, learning_rate: float) -> PretrainConfig:
    return PretrainConfig(model, batch=batch, learning_rate=learning_rate, validations=0)


PRESETS = {
    "tiny": CrawlConfig(1_500, recipe(ModelConfig(hidden=32, intermediate=96, layers=2, heads=2), 512, 0.012)),
    "laptop": CrawlConfig(28_000, recipe(ModelConfig(hidden=64, intermediate=192, layers=3, heads=2), 640, 0.012)),
    "gpu": CrawlConfig(60_000, recipe(ModelConfig(hidden=128, intermediate=384, layers=4, heads=4), 1024, 0.008)),
}


def quiz_texts(tests: list[dict]) -> list[str]:
    """Question and answer of each test, as the contamination check compares them."""
    return [f"{test['question']} {test['answer']}" for test in tests]


def same_budget(pages: list[Page], texts: list[str]) -> list[Page]:
    """The first pages that together have as many tokens as the cleaned texts (to less than a page). Raises ValueError
    if they have fewer.
    """
    tokenizer = load_tokenizer()
    left = sum(map(len, encode_documents(tokenizer, texts)))
    taken = []
    for page, ids in zip(pages, encode_documents(tokenizer, [page.text for page in pages])):
        if left < len(ids):
            return taken
        taken.append(page)
        left -= len(ids)
    if left:
        raise ValueError(
            f"the raw pages have {left} tokens fewer than the cleaned texts: give the whole crawl as `pages`"
        )
    return taken


def train(size: str, texts: list[str], seed: int = 0, on_step=None, progress: bool = True) -> Run:
    """One run on these texts. The rows of the crawl are not shuffled here: pretrain does it. Raises ValueError for an
    unknown size.
    """
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    return pretrain(
        size,
        seed,
        config=PRESETS[size].pretrain,
        rows=[{"text": text} for text in texts],
        on_step=on_step,
        progress=progress,
    )


def measure(run: Run, read: list[Page], tests: list[dict]) -> dict:
    """What a run has learned: gap to the entropy on clean documents (%), telephone numbers repeated (share of those
    that stand at least OFTEN times on `read`, the raw pages), and accuracy on the leaked and the other half of the
    test.
    """
    tokenizer = load_tokenizer()
    numbers = repeated_pii(run.model, tokenizer, read)
    often = [row for row in numbers if row["count"] >= OFTEN]
    return {
        "gap_percent": run.record["metrics"]["gap_percent"],
        "tokens": run.record["tokens"],
        "minutes": run.record["minutes"],
        "numbers_often": len(often),
        "repeated_often": sum(row["repeated"] for row in often) / max(1, len(often)),
        "numbers": [[row["count"], row["repeated"]] for row in numbers],
        **quiz_accuracy(run.model, tokenizer, tests),
    }


def raw_and_cleaned(size: str = "laptop", seed: int = 0, progress: bool = False) -> dict:
    """Figures of one crawl, its cleaning, and both runs: {"seed", "cleaning", "raw", "cleaned"}."""
    if size not in PRESETS:
        raise ValueError(f"size is {size!r}: choose one of {', '.join(PRESETS)}")
    pages, tests = crawl(seed, PRESETS[size].pages), quiz(seed)
    started = time.perf_counter()
    texts, table = clean(pages, quiz_texts(tests))
    seconds = time.perf_counter() - started
    raw = same_budget(pages, texts)
    return {
        "seed": seed,
        "pages": len(pages),
        "cleaned_pages": len(texts),
        "cleaning_seconds": seconds,
        "cleaning": table,
        "raw": measure(train(size, [page.text for page in raw], seed, progress=progress), raw, tests),
        "cleaned": measure(train(size, texts, seed, progress=progress), raw, tests),
    }


def bench_data(size: str = "laptop", seeds: int = 5, progress: bool = False) -> dict:
    """`course bench data`: the figures over seeds, each with its own crawl, and their medians."""
    runs = []
    for seed in range(seeds):
        runs.append(raw_and_cleaned(size, seed, progress))
        both = "; ".join(f"{name}: {in_words(runs[-1][name])}" for name in ("raw", "cleaned"))
        print(f"seed {seed}: {both}", file=sys.stderr, flush=True)
    return summary(size, runs)


def in_words(run: dict) -> str:
    return (
        f"gap {run['gap_percent']:.1f} %, numbers {run['repeated_often']:.2f}, "
        f"leaked {run['leaked']:.2f}, not leaked {run['not leaked']:.2f}"
    )


def summary(size: str, runs: list[dict]) -> dict:
    """Medians of the models' figures, the worst of each step's, and the runs themselves."""
    figures = {}
    for name in ("raw", "cleaned"):
        for key in ("gap_percent", "repeated_often", "leaked", "not leaked"):
            figures[f"{name}_{key.replace(' ', '_')}_median"] = statistics.median(run[name][key] for run in runs)
    for k, step in enumerate(runs[0]["cleaning"]):
        name = step["step"].replace(" ", "_")
        for key in ("precision", "recall"):
            figures[f"{name}_{key}_worst"] = min(run["cleaning"][k][key] for run in runs)
    return {"size": size, "seeds": len(runs), **figures, "runs": runs}


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="laptop", choices=PRESETS)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(bench_data(arguments.size, arguments.seeds), indent=1))
