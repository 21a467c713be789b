"""The village and its limits. Method: −log p is checked against two independent computations, exhaustive enumeration of
shrunken grammars (probabilities sum to 1, no text twice, the entropies agree) and, for full documents, the sum over all
derivations."""

import hashlib
import math
import random
import re
from collections import Counter
from dataclasses import replace

import pytest

from course_lib.world import FACTS, KINDS, documents, pretrain_documents, pretrain_rows, rows_hash, village
from course_lib.world.corpus import FOLDER, SPLIT_SIZES, read_rows
from course_lib.world.documents import QUESTIONS, SENTENCES, write_document
from course_lib.world.source import Source, derivations, enumerate_texts, next_path
from course_lib.world.words.pools import FEMALE, MALE, POOLS, SURNAMES

# A change of these is a change of the village: every artefact must be made again.
FIRST_100 = "ad4569962d025dee"


def test_the_village_is_rich_enough():
    world = village()
    assert len(world.residents) >= 300
    assert all(len(r.facts) >= 6 for r in world.residents)
    assert len(KINDS) >= 6
    assert len({r.first for r in world.residents}) == len(world.residents)


def test_pools_have_no_word_twice():
    for name, pool in POOLS.items():
        assert len(set(pool)) == len(pool), name
    names = FEMALE + MALE + SURNAMES
    assert len(set(names)) == len(names)
    words = {word for pool in POOLS.values() for value in pool for word in value.split()}
    assert not words & set(names), "a name that is also a word gives facts away"


def test_next_path_visits_every_leaf_once():
    path, seen = [], []
    while path is not None:
        full = path + [0] * (2 - len(path))
        seen.append(tuple(full))
        path = next_path(path, [3, 2])
    assert seen == [(a, b) for a in range(3) for b in range(2)]


def shrink_by(mask_seed: int, budget: int):
    """A random shrunken grammar: a few draws keep 2 or 3 options, the others 1, at most `budget` derivations."""
    rng = random.Random(mask_seed)
    wide: dict[int, int] = {}

    def shrink(k: int, n: int) -> int:
        if k not in wide:
            spent = math.prod(wide.values())
            wide[k] = rng.choice((1, 2, 2, 3)) if spent * 3 <= budget else 1
        return min(n, wide[k])

    return shrink


@pytest.mark.parametrize("kind", KINDS)
def test_enumeration_of_shrunken_grammars(kind):
    """Eight different shrunken grammars of each kind, every derivation of each."""
    world = village(residents=5)
    seen = 0
    for mask in range(8):
        found = list(enumerate_texts(world, KINDS[kind], shrink_by(mask, 3000)))
        seen += len(found)
        assert math.isclose(math.fsum(1 / ways for _, ways in found), 1.0, rel_tol=1e-12)
        assert len({text for text, _ in found}) == len(found), "two derivations write the same text"
        # entropy of the distribution over *texts*, against the mean of the generator's own −log p
        mass = Counter()
        for text, ways in found:
            mass[text] += 1 / ways
        entropy = -math.fsum(p * math.log(p) for p in mass.values())
        assert math.isclose(entropy, math.fsum(math.log(ways) / ways for _, ways in found), rel_tol=1e-12)
    assert seen > 200


class Shrunken(Source):
    """The generator itself on a shrunken grammar, with draws from a seed: its −log p averages to the entropy."""

    def __init__(self, world, seed, shrink):
        super().__init__(world, seed)
        self.shrink, self.k = shrink, 0

    def pick(self, options):
        n = self.shrink(self.k, len(options))
        self.k += 1
        return super().pick(options[:n])


@pytest.mark.parametrize("kind", KINDS)
def test_the_generators_figure_is_the_enumerated_entropy(kind):
    world, shrink = village(residents=5), shrink_by(1, 3000)
    exact = math.fsum(math.log(ways) / ways for _, ways in enumerate_texts(world, KINDS[kind], shrink))
    drawn = []
    for k in range(2000):
        source = Shrunken(world, f"entropy {k}", shrink)
        KINDS[kind](world, source)
        drawn.append(source.nll)
    mean = sum(drawn) / len(drawn)
    error = math.sqrt(sum((x - mean) ** 2 for x in drawn) / len(drawn) / len(drawn))
    assert abs(mean - exact) <= 4 * error + 1e-9


@pytest.mark.slow
def test_every_document_has_one_derivation_and_its_nll_is_exact():
    """The probability of 40 documents under the *full* grammar, summed over every way to derive their text."""
    world = village()
    for document in documents(world, "derivations", 40):
        ways = derivations(world, write_document, document.text)
        assert len(ways) == 1, document.text
        assert math.isclose(math.log(ways[0]), document.nll, abs_tol=1e-8)


def test_documents_are_the_same_bytes_everywhere():
    texts = [d.text + f" {d.nll:.6f}" for d in pretrain_documents("train", 100)]
    assert hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16] == FIRST_100


def test_rows_on_the_fly_are_the_rows_of_the_folder(monkeypatch, tmp_path):
    shipped = pretrain_rows("validation")
    monkeypatch.setattr("course_lib.world.corpus.FOLDER", tmp_path)
    assert rows_hash(pretrain_rows("validation")) == rows_hash(shipped)
    assert [r["nll"] for r in pretrain_rows("validation", 50)] == [r["nll"] for r in shipped[:50]]


def test_rows_are_read_from_a_file_a_part_at_a_time(tmp_path):
    import pyarrow.parquet

    rows = [{"text": str(k), "nll": k / 7} for k in range(4_500)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    for n in (0, 1, 2_000, 2_001, 4_500, 9_000, None):
        assert read_rows(tmp_path / "rows.parquet", n) == rows[:n]


def other_facts(world):
    """The same village in which everybody has the next resident's facts (and keeps their name and pronoun)."""
    people = world.residents
    return replace(
        world, residents=tuple(replace(p, facts=people[(k + 1) % len(people)].facts) for k, p in enumerate(people))
    )


def test_no_template_gives_a_fact_away():
    """With other facts and the same draws, a document differs in nothing but the facts themselves."""
    world = village()
    swapped = other_facts(world)
    values = sorted({v for p in world.residents for f in FACTS for v in [p.facts[f]]}, key=len, reverse=True)
    fact = re.compile(r"\b(" + "|".join(map(re.escape, values)) + r")\b")
    for k in range(400):
        texts = []
        for w in (world, swapped):
            source = Source(w, f"giveaway {k}")
            write_document(w, source)
            texts.append(source.text)
        assert fact.sub("#", texts[0]) == fact.sub("#", texts[1])


def test_facts_are_independent_of_the_pronoun():
    """No fact is told by he or she: a χ² statistic far from any dependence, for each fact with enough people a cell."""
    people = village().residents
    for name in ("job", "home", "pet", "food", "colour", "hobby", "mentor"):
        cells = Counter((p.pronoun, p.facts[name]) for p in people)
        total = Counter(p.pronoun for p in people)
        values = Counter(p.facts[name] for p in people)
        chi2 = sum(
            (cells[g, v] - total[g] * values[v] / len(people)) ** 2 / (total[g] * values[v] / len(people))
            for g in total
            for v in values
        )
        freedom = len(values) - 1
        assert chi2 < freedom + 4 * math.sqrt(2 * freedom), name


def test_the_corpus_knows_nothing_after_the_cut_off():
    text = "\n".join(d.text for d in pretrain_documents("train", 3000))
    assert not re.search(r"20(2[5-9]|[3-9]\d)", text)


def test_phrasings_are_whole_sentences_about_the_fact():
    for fact in FACTS:
        assert all("{a." + fact + "}" in s and s.endswith(".") for s in SENTENCES[fact])
        assert all("{a." + fact + "}" not in q and q.endswith("?") for q in QUESTIONS[fact])


def test_the_folder_loads_with_datasets():
    """As a user of the Hugging Face library would: a local folder and the name of a config."""
    import datasets

    loaded = datasets.load_dataset(str(FOLDER), "pretrain")
    assert {split: len(rows) for split, rows in loaded.items()} == SPLIT_SIZES
    made = pretrain_documents("train", 300)
    assert loaded["train"][:300] == {
        "text": [d.text for d in made],
        "kind": [d.kind for d in made],
        "nll": [d.nll for d in made],
    }
