"""A prompt is read once for all its answers: log-probabilities, values, rewards and every gradient are those of rows of
their own.
"""

import pytest
import torch
import torch.nn.functional as F

from course_lib.stages import rollout, shared
from course_lib.stages.model import ModelConfig, RewardModel, ValuePolicy
from course_lib.stages.ppo import token_logprobs_and_values
from course_lib.stages.reward import last_rewards
from course_lib.stages.rollout import chosen_logits, entropies, exact_kl, token_logprobs

SMALL = ModelConfig(vocabulary=50, hidden=32, intermediate=64, layers=2, heads=2, context=64)
PROMPTS = [[1, 5, 6, 7], [1, 9], [1] + list(range(10, 30))]
# some twice, one the beginning of another, one empty but for its end, one with a token that is not counted
ANSWERS = [[8, 9, 4], [8, 9, 4], [8, 9, 30, 31, 32, 4], [4], [4], [40] * 12, [41, 42], [8, 9, 4]]
OF = [0, 0, 0, 1, 1, 1, 2, 2]


def policy(seed=1):
    model = ValuePolicy(SMALL, seed)
    torch.nn.init.normal_(model.value.weight, generator=torch.Generator().manual_seed(seed))
    return model


@pytest.fixture(params=["one pass", "several passes"])
def batch(request, monkeypatch):
    monkeypatch.setattr(shared, "ALIKE", 1.0 if request.param == "several passes" else 99.0)
    monkeypatch.setattr(rollout, "ANSWERS", 3 if request.param == "several passes" else 99)
    rows = [PROMPTS[k] + answer for k, answer in zip(OF, ANSWERS)]
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, 0)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for k, (of, answer) in enumerate(zip(OF, ANSWERS)):
        mask[k, len(PROMPTS[of]) : len(PROMPTS[of]) + len(answer)] = True
    mask[2, len(PROMPTS[0]) + 2] = False
    mask[4] = False  # nothing is chosen in it
    return ids, mask


def plain(model, ids, mask):
    """log π and V at the masked tokens out of whole rows, a padded one for each answer."""
    hidden = model.hidden(ids)[:, :-1]
    logprobs = torch.log_softmax(model.head(hidden), -1).gather(2, ids[:, 1:, None])[..., 0]
    return tuple(F.pad(each, (1, 0)) * mask for each in (logprobs, model.value(hidden)[..., 0]))


def test_log_probabilities_values_and_gradients(batch):
    ids, mask = batch
    model, weight = policy(), torch.randn(2, *mask.shape, generator=torch.Generator().manual_seed(0))
    gradients = []
    for way in (plain, token_logprobs_and_values):
        logprobs, values = way(model, ids, mask)
        gradients.append(torch.autograd.grad((weight[0] * logprobs + weight[1] * values).sum(), model.parameters()))
        torch.testing.assert_close(logprobs, plain(model, ids, mask)[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(values, plain(model, ids, mask)[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(token_logprobs(model, ids, mask), logprobs, atol=1e-6, rtol=0)
    for theirs, ours in zip(*gradients):
        torch.testing.assert_close(ours, theirs, atol=2e-5 * float(theirs.abs().max()), rtol=0)
        assert theirs.abs().max() > 1e-3


@torch.no_grad()
def test_logits_kl_and_entropy(batch):
    ids, mask = batch
    model, reference = policy(), policy(2)
    p, q = (torch.log_softmax(each(ids), -1)[:, :-1] for each in (model, reference))
    torch.testing.assert_close(
        torch.log_softmax(chosen_logits(model, ids, mask), -1), p[mask[:, 1:]], atol=1e-5, rtol=0
    )
    kl = F.pad((p.exp() * (p - q)).sum(-1), (1, 0)) * mask
    torch.testing.assert_close(exact_kl(model, reference, ids, mask), kl.sum(1), atol=1e-5, rtol=0)
    entropy = F.pad(-(p.exp() * p).sum(-1), (1, 0)) * mask
    torch.testing.assert_close(entropies(model, ids, mask), entropy, atol=1e-5, rtol=0)


def test_rewards_and_gradients(batch):
    ids, _ = batch
    model = RewardModel(SMALL)
    torch.nn.init.normal_(model.score.weight, generator=torch.Generator().manual_seed(3))
    rows = [PROMPTS[k] + answer for k, answer in zip(OF, ANSWERS)]
    examples = [(row, [0] * len(PROMPTS[k]) + [1] * len(answer)) for row, k, answer in zip(rows, OF, ANSWERS)]
    theirs, ours = model(ids), last_rewards(model, examples)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    weight = torch.randn(len(rows), generator=torch.Generator().manual_seed(4))
    for a, b in zip(*(torch.autograd.grad((weight * each).sum(), model.parameters()) for each in (theirs, ours))):
        torch.testing.assert_close(b, a, atol=2e-5 * float(a.abs().max()), rtol=0)


def test_what_is_equal_is_read_once(batch):
    ids, mask = batch
    model, read = policy(), []
    hidden = model.hidden
    model.hidden = lambda ids, **options: read.append(ids) or hidden(ids, **options)
    token_logprobs(model, ids, mask)
    # a prompt once; of each different answer all but its last token, which is chosen and leads to nothing
    tokens = sum(int((each != 0).sum()) for each in read)
    assert tokens == (4 + 2 + 5) + (2 + 0 + 11) + (21 + 1 + 2) and len(read) in (1, 3)


def test_a_pass_holds_no_more_tokens_than_it_may():
    rows = [((1,) * k, [(2,)]) for k in (30, 5, 5, 6, 5)]
    made = shared.passes(rows, 12)
    assert sorted(row for part in made for row in part) == sorted(rows)
    assert all(len(part) == 1 or len(part) * max(map(shared.width, part)) <= 12 for part in made)
    assert len(shared.passes(rows, 1_000)) == 2, "the long one has a pass of its own"
