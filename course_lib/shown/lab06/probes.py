"""Lab 06: a taste for length, learned beside the reward, and the answers that look for it."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from course_lib.shown.lab06.judges import finds_the_better, margins_of
from course_lib.stages.preferences import PreferenceConfig, encode_answers, train
from course_lib.stages.pretrain import optimizers
from course_lib.stages.reward import REST, last_rewards, reward_model_of, rewards_of
from course_lib.stages.tokenizer import load_tokenizer
from course_lib.widgets import curve, judges
from course_lib.widgets.table import table, your_run
from course_lib.world import annotators as world
from course_lib.world import village
from course_lib.world.annotators import ANNOTATORS, pairs_of
from course_lib.world.residents import FACTS
from course_lib.world.tasks import COURTESIES, Draw, sentence

CECILY = next(person for person in ANNOTATORS if person.name == "Cecily")
ADDED = [0, 1, 2, 3, 4]  # pieces
KINDS = ("true facts", "courtesies")


def labelled_by(name: str, rows: list[dict]) -> list[dict]:
    """The pairs of the rows once more, all labelled by one person."""
    return world.label_pairs(pairs_of(rows), f"{name} alone", [p for p in ANNOTATORS if p.name == name])


def flipped(rows: list[dict], share: float) -> list[dict]:
    """The rows, this share of their labels turned round."""
    flips = torch.rand(len(rows), generator=torch.Generator().manual_seed(1)) < share
    turn = lambda row: {**row, "chosen": row["rejected"], "rejected": row["chosen"]}
    return [turn(row) if flip else row for row, flip in zip(rows, flips.tolist())]


def words_of(rows: list[dict]) -> tuple[Tensor, Tensor]:
    """(words of the chosen answers [N], of the rejected ones [N])."""
    count = lambda side: torch.tensor([float(len(world.words(row[side][0]["content"]))) for row in rows])
    return count("chosen"), count("rejected")


def train_with_a_weight(base, rows: list[dict], config: PreferenceConfig, loss_of: Callable):
    """(reward model, what the weight has become): `loss_of(places in rows, chosen, rejected, weight)` trains both, the
    weight from 0 by AdamW at three times the others' rate.
    """
    model = reward_model_of(base)
    weight = torch.nn.Parameter(torch.zeros((), device=model.score.weight.device))
    examples = encode_answers(load_tokenizer(), rows, ("chosen", "rejected"), model.config.context)

    def batch_loss(part):
        rewards = last_rewards(model, [examples[k][which] for which in (0, 1) for k in part])
        return loss_of(part, *rewards.chunk(2), weight), {"weight": weight.item()}

    own = torch.optim.AdamW([{"params": [weight], "scale": 3.0}], weight_decay=0.0)
    train(model, examples, batch_loss, [*optimizers(model, config.learning_rate, REST), own], config, progress=False)
    return model.eval(), weight.item()


def show_taste_for_length(exam: SimpleNamespace, models: dict) -> dict[str, tuple[float, float, float]]:
    """{model: (share where it prefers the longer answer, reward a word more, scale of its rewards)}: the first two on
    the pairs of equal gold utility and unequal length; the scale is by how much the better of two unequal is ahead.
    """
    equal, better, found, rows = (exam.gold == 0) & (exam.words != 0), np.sign(exam.gold), {}, []
    for name, model in models.items():
        margins = margins_of(model, exam)
        longer = ((margins > 0) == (exam.words > 0))[equal]
        slope, ahead = np.polyfit(exam.words[equal], margins[equal], 1)[0], (margins * better)[better != 0].mean()
        found[name] = float(longer.mean()), float(slope), float(ahead)
        rows.append((name, *found[name][:2], finds_the_better(exam, margins), ahead))
    heads = {"labels": "", "prefers the longer of equals": ".0%", "reward a word": "+.3f"}
    heads |= {"prefers the better of unequals": ".1%", "by a reward of": ".2f"}
    table(heads, rows, f"equals: {equal.sum()} held-out pairs of equal worth and unequal length")
    your_run(shows="a taste for length, in this cell and the next")
    return found


def padded(rows: list[dict], kind: str, n: int) -> list[str]:
    """A right answer to each question with n true facts behind it, or n courtesies before it."""
    people, answers = {person.first: person for person in village().residents}, []
    for k, row in enumerate(rows):
        draw, person, fact = Draw(village(), "train", f"probe {k}"), people[row["check"]["name"]], row["check"]["fact"]
        others = [other for other in FACTS if other != fact]
        answer = sentence(draw, person, fact)
        facts = [sentence(draw, person, others[(k + j) % len(others)]) for j in range(n)]
        polite = [COURTESIES[(k + j) % 3] for j in range(n)]
        answers.append(" ".join([answer, *facts] if kind == "true facts" else [*polite, answer]))
    return answers


def show_padding(models: dict, size: str) -> dict[str, dict[str, list[float]]]:
    """{kind: {model: change of the mean reward by 0 to 4 pieces of padding}}, and of the gold utility."""
    rows = [r for r in world.prompts("test", 40 if size == "tiny" else 250, "probe") if r["kind"] == "fact"]
    asked = [row["messages"] for row in rows]
    scores: dict[str, Callable] = {
        name: lambda answers, model=model: rewards_of(model, load_tokenizer(), asked, answers).numpy()
        for name, model in models.items()
    }
    scores["gold utility"] = lambda answers: [world.utility(row, answer) for row, answer in zip(rows, answers)]
    texts = {kind: [padded(rows, kind, n) for n in ADDED] for kind in KINDS}
    found = {}
    for kind in KINDS:
        means = {name: [float(np.mean(score(answers))) for answers in texts[kind]] for name, score in scores.items()}
        found[kind] = {name: [x - values[0] for x in values] for name, values in means.items()}
    curve.show(judges.probe_figure(ADDED, found, "change of reward, of utility"))
    heads = {"added": "", "judge": "", **{f"+{n}": "+.2f" for n in ADDED[1:]}}
    table(heads, [(kind, name, *values[1:]) for kind, lines in found.items() for name, values in lines.items()])
    return found
