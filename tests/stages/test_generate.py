"""Generation against a stand-in model whose next token is known."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from course_lib.stages.generate import BOS, EOS, generate, generate_ids, next_token_probs, sample_next_token
from course_lib.stages.model import Llama, ModelConfig


class Counter(torch.nn.Module):
    """After token t comes t + 1; after the last id comes EOS. `sharpness` 0 makes it uniform."""

    def __init__(self, vocab=12, sharpness=50.0):
        super().__init__()
        self.vocab, self.scale = vocab, torch.nn.Parameter(torch.tensor(sharpness))

    def forward(self, ids):
        following = torch.where(ids + 1 < self.vocab, ids + 1, torch.full_like(ids, EOS))
        return self.scale * torch.nn.functional.one_hot(following, self.vocab).float()


def letters():
    vocab = {"<|pad|>": 0, "<|bos|>": 1, "<|eos|>": 2, "<|im_start|>": 3, "<|im_end|>": 4}
    vocab |= {c: i + 5 for i, c in enumerate("abcdefg")}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<|pad|>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def test_greedy_follows_the_model_and_stops_at_eos():
    assert generate_ids(Counter(), [[BOS, 7]], 20, temperature=0) == [[8, 9, 10, 11]]


def test_stops_after_max_new_tokens():
    assert generate_ids(Counter(), [[BOS, 5]], 2, temperature=0) == [[6, 7]]
    assert generate_ids(Counter(), [[BOS, 5]], 0, temperature=0) == [[]]


def test_a_row_does_not_depend_on_its_neighbours():
    model, prompts = Counter(sharpness=1.0), [[BOS, 5], [BOS, 9, 8, 7], [BOS]]
    together = generate_ids(model, prompts, 15, seed=3)
    assert together == [generate_ids(model, [prompt], 15, seed=3 + row)[0] for row, prompt in enumerate(prompts)]


def test_the_seed_decides():
    model = Counter(sharpness=0.0)
    first = generate_ids(model, [[BOS]] * 4, 10, seed=1)
    assert first == generate_ids(model, [[BOS]] * 4, 10, seed=1) != generate_ids(model, [[BOS]] * 4, 10, seed=9)


def test_text_in_text_out():
    assert generate(Counter(), letters(), "c", temperature=0) == "defg"
    assert generate(Counter(), letters(), ["c", "f", "g"], temperature=0) == ["defg", "g", ""]
    assert generate(Counter(), letters(), []) == []


def test_an_empty_prompt_is_refused_in_one_line():
    with pytest.raises(ValueError, match="at least one token"):
        generate_ids(Counter(), [[]], 5)


@pytest.mark.parametrize("top_p, kept", [(1.0, 4), (0.9, 3), (0.71, 3), (0.69, 2), (0.3, 1), (1e-9, 1), (0.0, 1)])
def test_top_p_keeps_the_smallest_set_that_holds_p(top_p, kept):
    probs = next_token_probs(torch.tensor([0.05, 0.4, 0.25, 0.3]).log(), 1.0, top_p)
    assert (probs > 0).sum() == kept
    assert probs.sum().item() == pytest.approx(1)
    assert probs.argmax() == 1


def test_temperature_divides_the_logits():
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(next_token_probs(logits, 2.0), torch.softmax(logits / 2, -1))
    assert next_token_probs(logits, 0.0).max(-1).values.tolist() == [1, 1, 1]
    assert torch.isfinite(next_token_probs(logits * 1e4, 0.01, 0.9)).all()


def test_samples_have_the_right_frequencies():
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([0.1, 0.2, 0.7]).log()
    counts = (
        torch.bincount(torch.tensor([sample_next_token(logits, 1.0, 1.0, generator) for _ in range(4000)]), minlength=3)
        / 4000
    )
    torch.testing.assert_close(counts, torch.tensor([0.1, 0.2, 0.7]), atol=0.03, rtol=0)


class Uncached(torch.nn.Module):
    """A model without its `read`: it reads the whole text again for each token. Counts the texts."""

    def __init__(self, model):
        super().__init__()
        self.inner, self.texts = model, []

    def forward(self, ids):
        self.texts.append(len(ids))
        return self.inner(ids)


MODEL = Llama(ModelConfig(vocabulary=40, hidden=16, intermediate=32, layers=2, heads=2, context=64), seed=3)
RAGGED = [[1, 7], [1, 9, 8, 7, 12, 30], [1], [1, 5, 5, 5]]


def one_by_one(model, prompts, steps, temperature, top_p, seed, stop):
    """What `generate_ids` says that it does, a row and a token at a time."""
    answers = []
    for row, prompt in enumerate(prompts):
        generator, ids = torch.Generator().manual_seed(seed + row), list(prompt)
        uniform = torch.rand(steps, generator=generator, dtype=torch.float64)
        for u in uniform.tolist():
            logits = model(torch.tensor([ids]))[0, -1]
            probs = next_token_probs(logits, temperature, top_p).double()
            token = int((probs.cumsum(0) <= u * probs.sum()).sum()) if temperature else int(logits.argmax())
            if token == stop:
                break
            ids.append(token)
        answers.append(ids[len(prompt) :])
    return answers


@pytest.mark.parametrize("temperature, top_p", [(0.0, 1.0), (1.0, 1.0), (0.3, 1.0), (1.0, 0.6)])
@torch.no_grad()
def test_the_draws_are_those_of_a_row_on_its_own(temperature, top_p):
    """Ragged prompts, each six times: sharing what is equal, the cache and its forks change no token."""
    prompts = [prompt for prompt in RAGGED for _ in range(6)]
    alone = one_by_one(MODEL, prompts, 20, temperature, top_p, 2, stop=4)
    slow = Uncached(MODEL)
    assert generate_ids(MODEL, prompts, 20, temperature, top_p, 2, 4) == alone
    assert generate_ids(slow, prompts, 20, temperature, top_p, 2, 4) == alone
    assert len({len(answer) for answer in alone}) > 2 or not temperature, "rows must stop at different times"
    assert slow.texts[0] == 4 and max(slow.texts) <= (24 if temperature else 4), "equal texts are read once"


def test_a_text_may_be_as_long_as_the_context_whatever_has_ended_beside_it():
    """A row that has ended is computed until its place is needed: it must not run out of RoPE's table."""
    long = [1] + [7] * 61
    [[stop]] = generate_ids(MODEL, [long], 1, seed=1, stop=-1)
    said = generate_ids(MODEL, [long, *RAGGED], 50, seed=1, stop=stop)
    assert said[0] == [] and sum(len(answer) > 5 for answer in said) > 2, "the first ends, most of the others go on"


@torch.no_grad()
def test_forks_leave_every_text_its_own_keys():
    """Three go on from the first text; two of them end; the one left forks; all but one end: rows are copied, freed,
    filled again and moved together.
    """
    _, cache = MODEL.read(torch.tensor([[1, 7, 0], [1, 9, 8]]), torch.tensor([2, 3]), rows=6, room=4)
    texts, used = {0: [1, 7], 1: [1, 9, 8]}, []  # what stands in each row of the cache
    for grown in ([0, 0, 0, 1], [0, 1], [0, 0, 1], [2]):
        parents = [sorted(texts)[k] for k in grown]
        places = cache.fork(torch.tensor(parents)).tolist()
        texts = {place: [*texts[parent], 5 + n] for n, (place, parent) in enumerate(zip(places, parents))}
        added = torch.tensor([texts[row][-1] if row in texts else 0 for row in range(cache.rows)])
        logits = MODEL.read_on(added, cache)
        for row, text in texts.items():
            torch.testing.assert_close(logits[row], MODEL(torch.tensor([text]))[0, -1], atol=1e-5, rtol=0)
        used.append(cache.rows)
    assert len(texts) == 1 and used == [4, 2, 3, 1]
