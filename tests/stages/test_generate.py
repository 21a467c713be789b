"""Generation against a stand-in model whose next token is known."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from course_lib.stages.generate import BOS, EOS, generate, generate_ids, next_token_probs, sample_next_token


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


def test_the_cache_changes_nothing():
    """Ragged prompts, sampled and greedy: with the cache the same tokens come out as when the whole prefix is read for
    each.
    """
    from course_lib.stages.model import Llama, ModelConfig

    class Slow(torch.nn.Module):  # the same model without its `cached`
        def __init__(self, model):
            super().__init__()
            self.inner = model

        def forward(self, ids):
            return self.inner(ids)

    model = Llama(ModelConfig(vocabulary=40, hidden=16, intermediate=32, layers=2, heads=2, context=64), seed=3)
    prompts = [[1, 7], [1, 9, 8, 7, 12, 30], [1], [1, 5, 5, 5]]
    lengths = set()
    for temperature in (0.0, 1.0):
        fast, slow = (generate_ids(m, prompts, 25, temperature, seed=2, stop=4) for m in (model, Slow(model)))
        assert fast == slow
        lengths |= {len(row) for row in fast}
    assert len(lengths) > 2, "rows must stop at different times for this to say anything"
