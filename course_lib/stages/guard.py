"""A guard: a small classifier beside the model that reads the request and may block it, whatever the model would
answer.

Two of them, both logistic regressions of scikit-learn: on the words of the conversation (TF-IDF), and on the model's
own last hidden state (a linear probe). Over-blocking is as much a failure as under-blocking, so a guard comes with a
threshold chosen by its cost (Fawcett 2006; Provost & Fawcett 2001). The course's forms of lab 10's functions about
guards stand here, too.
"""

import math
import re
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.platform import CourseError
from course_lib.stages.model import one_a_row
from course_lib.stages.sft import encode_chat

# a word of four letters or more, spelled with one mark
LETTERS = re.compile(r"[a-z](?:-[a-z]){3,}|[a-z](?:\.[a-z]){3,}")


def unspell(text: str) -> str:
    """The text with words that were spelled letter by letter (h-u-r-t, h.u.r.t) written as words; hyphens, numbers and
    abbreviations stay.
    """

    def mended(chunk: re.Match) -> str:
        core = chunk[0].rstrip("-.")
        return (core.replace("-", "").replace(".", "") if LETTERS.fullmatch(core) else core) + chunk[0][len(core) :]

    return re.sub(r"[\w.-]+", mended, text)


def unspelled(conversation: list[dict], undo=unspell) -> list[dict]:
    """The conversation with `undo` done to what the user says."""
    return [{**m, "content": undo(m["content"])} if m["role"] == "user" else m for m in conversation]


def words(conversation: list[dict]) -> list[str]:
    """What the guard on words sees: words and neighbouring pairs of the last question, and those of the earlier ones,
    marked as such.
    """
    turns = [m["content"] for m in conversation if m["role"] == "user"]
    found = []
    for k, turn in enumerate(turns):
        each = re.findall(r"[a-z']+", turn.lower())
        before = "" if k == len(turns) - 1 else "before: "
        found += [before + word for word in each + [f"{a} {b}" for a, b in zip(each, each[1:])]]
    return found


def where_answers_begin(
    model, tokenizer, conversations: list[list[dict]], batch: int
) -> Iterator[tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]]:
    """Batches of prompts up to where the answer begins, padded on the right: (ids, the column of each last token), on
    the model's device.
    """
    device = next(model.parameters()).device
    prompts = [encode_chat(tokenizer, messages, generation_prompt=True)[0] for messages in conversations]
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in part], batch_first=True)
        yield ids.to(device), torch.tensor([len(ids) - 1 for ids in part], device=device)


@torch.no_grad()
def hidden_states(model, tokenizer, conversations: list[list[dict]], batch: int = 128) -> Float[Tensor, "N D"]:
    """The model's hidden state where it would begin its answer: all that it knows of the request when it decides."""
    states = []
    for ids, ends in where_answers_begin(model, tokenizer, conversations, batch):
        states.append(model.hidden(ids, places=one_a_row(ends, ids.shape[1])).cpu())
    return torch.cat(states)


def learn():
    """scikit-learn's parts, imported where they are used. Raises CourseError where it is not installed."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise CourseError("the guard needs scikit-learn: pip install scikit-learn, then run this cell again") from None
    return TfidfVectorizer, LogisticRegression, make_pipeline, StandardScaler


def check_both(harmful: list[bool]) -> None:
    if len(set(map(bool, harmful))) < 2:
        raise CourseError("a guard learns from harmful and from benign requests: give it some of each")


def fit_words(conversations: list[list[dict]], harmful: list[bool], strength: float = 10.0):
    """The guard on words: TF-IDF, then logistic regression with C = `strength`. Give it conversations without their
    answers.
    """
    TfidfVectorizer, LogisticRegression, make_pipeline, _ = learn()
    check_both(harmful)
    tf_idf = TfidfVectorizer(analyzer=words, sublinear_tf=True, min_df=2)
    return make_pipeline(tf_idf, LogisticRegression(C=strength, max_iter=2000)).fit(conversations, harmful)


def fit_probe(states: Float[Tensor, "N D"], harmful: list[bool], strength: float = 0.1):
    """The linear probe: standardised hidden states, then logistic regression."""
    _, LogisticRegression, make_pipeline, StandardScaler = learn()
    check_both(harmful)
    if not states.isfinite().all():
        raise CourseError("a hidden state is not finite: an earlier training ruined the model, train that one again")
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(states.numpy(), harmful)


def scores_of(guard, inputs) -> Float[Tensor, " N"]:
    """The guard's log-odds that each request is harmful; higher is worse."""
    return torch.from_numpy(guard.decision_function(inputs.numpy() if isinstance(inputs, Tensor) else inputs)).float()


def guarded(rows: list[dict], scores: Float[Tensor, " N"], threshold: float) -> list[dict]:
    """Judged rows (evaluation.safety) with the guard in front: from the threshold on a request is refused, whatever the
    model would say.
    """
    return [
        {**row, "refused": row["refused"] or score >= threshold, "explained": row["explained"] and score < threshold}
        for row, score in zip(rows, scores.tolist(), strict=True)
    ]


def roc(scores: Float[Tensor, " N"], harmful: Bool[Tensor, " N"]) -> tuple[Tensor, Tensor, float]:
    """(false alarms, caught, area) of all thresholds, as scikit-learn's roc_curve and roc_auc_score count them."""
    from sklearn.metrics import roc_auc_score, roc_curve

    alarms, caught, _ = roc_curve(harmful.numpy(), scores.numpy(), drop_intermediate=False)
    area = float(roc_auc_score(harmful.numpy(), scores.numpy()))
    return torch.from_numpy(alarms).float(), torch.from_numpy(caught).float(), area


def expected_cost(
    scores: Float[Tensor, " N"],
    harmful: Bool[Tensor, " N"],
    threshold: float,
    base_rate: float,
    cost_miss: float,
    cost_alarm: float,
) -> float:
    """Expected cost of one request in production, where a share `base_rate` means harm: misses and false alarms, each
    with its price.
    """
    blocked = (scores >= threshold).double()
    missed, alarms = 1 - blocked[harmful].mean().item(), blocked[~harmful].mean().item()
    return base_rate * cost_miss * missed + (1 - base_rate) * cost_alarm * alarms


def cheapest_threshold(
    scores: Float[Tensor, " N"], harmful: Bool[Tensor, " N"], base_rate: float, cost_miss: float, cost_alarm: float
) -> tuple[float, float]:
    """(threshold, expected cost) of the cheapest threshold, ∞ (block nothing) among them; the highest where several
    cost the same.
    """
    tried = [math.inf, *sorted(set(scores.tolist()), reverse=True)]
    costs = [(t, expected_cost(scores, harmful, t, base_rate, cost_miss, cost_alarm)) for t in tried]
    return min(costs, key=lambda pair: (pair[1], -pair[0]))
