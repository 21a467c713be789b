"""Lab 12, reasoning with a checker: the graded questions. Each is written once and runs in the notebook (`check`) and
through the sandbox (`course grade`).

The oracles are another form of each formula (a product token by token, draws one after the other, differences of all
pairs in place of a mean, the weight of a token in place of a sum), or there is none and the inputs are built so that
the answer is known: this file does not ship the answers it asks for.
Sources: pass@k, Chen et al. 2021 (2107.03374) · majority vote, Wang et al. 2022 (2203.11171) · GRPO, Shao et al. 2024
(2402.03300), in TRL's form · Dr. GRPO, Liu et al. 2025 (2503.20783) · DAPO, Yu et al. 2025 (2503.14476) · MaxRL, Tajwar
et al. 2026 (2602.02710) · rejection sampling, Zelikman et al. 2022 (2203.14465).
"""

import math
import statistics

import torch

from course_lib.questions.compare import CaseFailed
from course_lib.questions.core import ArtifactQuestion, Question, WrittenQuestion, derive_seed
from course_lib.questions.invoke import CallFailed

LAB = "12_reasoning"

JOBS = ["a baker", "a carter", "a cooper", "a fisher", "a miller", "a potter", "a tailor", "a weaver"]


def some_jobs(q, n):
    """n different answers, in the alphabet's order."""
    return sorted(JOBS[k] for k in q.permutation(len(JOBS))[:n].tolist())


# ------------------------------------------------------------------------------------------------ chances of the steps

NOWHERE = "a token of no part, −1, counts nowhere, whatever it holds: NaN, too"
ABSENT = "the chance of a part that a row does not have is 1"
COLUMNS = "there are as many columns as the largest number + 1"
CHANCES = Question("step_chances", lab=LAB, points=1, rules=(NOWHERE, ABSENT, COLUMNS))
CHANCES_TEXT = "§ 3 Where is it lost?"
THREE_PARTS = [[0, 0, 1, 1, 1, 2, 2], [0, 1, 1, 2, 2, 2, 2], [0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2, 2]]
WITH_PROMPT = [[-1, -1, 0, 0, 1, 1, 2, -1], [-1, 0, 1, 1, 2, 2, 2, 2], [-1, -1, -1, 0, 0, 1, 2, -1]]


def by_part(logprobs, part, of_tokens):
    """[B S]: of_tokens(list of the tokens' log-probabilities) for each part of each row."""
    numbers = range(int(part.max()) + 1)
    rows = [
        [of_tokens([x for x, its in zip(row, where) if its == s]) for s in numbers]
        for row, where in zip(logprobs.tolist(), part.tolist(), strict=True)
    ]
    return torch.tensor(rows, dtype=logprobs.dtype)


def product(tokens):
    return math.prod(map(math.exp, tokens))


def some_logprobs(q, part):
    part = torch.tensor(part)
    return -1.2 * q.rand(*part.shape) - 0.1, part


@CHANCES.case("the product of the tokens' chances, part by part", reread=CHANCES_TEXT)
def _(q):
    logprobs, part = args = some_logprobs(q, THREE_PARTS)
    right = by_part(*args, product)
    mean = statistics.fmean
    q.close(
        "the chances",
        q.call("step_chances", *args),
        right,
        tol=1e-5,
        mistakes={
            "log-probabilities came back: exp makes chances of them": by_part(*args, sum),
            "the signs are turned and exp is missing: chances are asked for": -by_part(*args, sum),
            "exp of the MEAN log-probability: the tokens' chances are multiplied, so their logarithms are added up": (
                by_part(*args, lambda tokens: math.exp(mean(tokens)))
            ),
            "the tokens' chances were added up: they are multiplied": (
                by_part(*args, lambda tokens: sum(map(math.exp, tokens)))
            ),
            "the tokens' chances were averaged: they are multiplied": (
                by_part(*args, lambda tokens: mean(map(math.exp, tokens)))
            ),
            "each part holds the parts before it as well: its own tokens alone": right.cumprod(1),
            "the whole chain's chance came back: one for each part is asked for": right.prod(1),
            "the rows were multiplied, too: each row has its own chances": right.prod(0),
            "rows and parts changed places: [B, S] is asked for": right.T.contiguous(),
            "the last part is missing: range(n) ends before n": right[:, :-1],
            "each token's own chance came back: one for each part is asked for": logprobs.exp(),
            "the chance that the part goes WRONG came back": 1 - right,
            "only the weakest token of each part counted": by_part(*args, lambda tokens: math.exp(min(tokens))),
            "only the first token of each part counted": by_part(*args, lambda tokens: math.exp(tokens[0])),
            "only the last token of each part counted": by_part(*args, lambda tokens: math.exp(tokens[-1])),
        },
    )


@CHANCES.case(
    "prompt and padding of part −1, with numbers and with NaN and −∞",
    rule=NOWHERE,
    hint="torch.where(part == s, logprobs, 0.0) takes the tokens of a part; 0 · NaN is NaN.",
    reread=CHANCES_TEXT,
)
def _(q):
    logprobs, part = args = some_logprobs(q, WITH_PROMPT)
    right = by_part(*args, product)
    off = torch.where(part < 0, logprobs, 0.0).sum(1).exp()
    into = lambda s: right * torch.where(torch.arange(3) == s, off[:, None], 1.0)
    q.close(
        "the chances",
        q.call("step_chances", *args),
        right,
        tol=1e-5,
        mistakes={
            "the tokens of no part were counted as tokens of part 0": into(0),
            "the tokens of no part were counted as tokens of the LAST part: as an index, −1 is the last place": into(2),
            "the tokens of no part were counted as tokens of every part": right * off[:, None],
            "the tokens of no part have a column of their own: they count nowhere": torch.cat([off[:, None], right], 1),
        },
    )
    logprobs[0, 0], logprobs[1, 0], logprobs[0, 7] = math.nan, -math.inf, math.nan
    masked = torch.stack([(logprobs * (part == s)).sum(1).exp() for s in range(3)], 1)
    name = "a product with the mask: 0 · NaN is NaN, take torch.where"
    q.close("the chances beside NaN", q.call("step_chances", *args), right, tol=1e-5, mistakes={name: masked})


@CHANCES.case(
    "a chain of three parts among chains of one and two",
    rule=ABSENT,
    hint="A sum of nothing is 0, and exp(0) is 1.",
    reread=CHANCES_TEXT,
)
def _(q):
    logprobs, part = args = some_logprobs(q, [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]])
    right = by_part(*args, product)
    there = by_part(*args, len) > 0
    q.close(
        "the chances",
        q.call("step_chances", *args),
        right,
        tol=1e-5,
        mistakes={
            "a part that a row does not have got the chance 0: it cannot go wrong": torch.where(there, right, 0.0),
            "a part that a row does not have got NaN: it cannot go wrong": torch.where(there, right, math.nan),
        },
    )


@CHANCES.case(
    "a number that no row has",
    rule=COLUMNS,
    hint="Count from 0 to part.max(), not over part.unique().",
    reread=CHANCES_TEXT,
)
def _(q):
    args = some_logprobs(q, [[0, 0, 1, 1, 4, 4], [0, 1, 1, 1, 4, 4]])
    got = q.call("step_chances", *args)
    q.true("a tensor is asked for", isinstance(got, torch.Tensor))
    q.same(
        "the shape",
        list(got.shape),
        [2, 5],
        mistakes={
            "only numbers that occur have a column: there are as many as the largest number + 1": [2, 3],
            "the largest number itself has no column": [2, 4],
        },
    )
    here = [0, 1, 4]  # what stands in the columns of nobody is another rule's
    q.close("the chances", got[:, here], by_part(*args, product)[:, here], tol=1e-5)


@CHANCES.case("one chain of one part; float64 in, float64 out; the inputs are left alone", reread=CHANCES_TEXT)
def _(q):
    args = some_logprobs(q, [[0, 0, 0, 0]])
    q.close("the chance of one part", q.call("step_chances", *args), by_part(*args, product), tol=1e-5)
    logprobs, part = some_logprobs(q, THREE_PARTS)
    got = q.call_checked_unmutated("step_chances", logprobs.double(), part)
    q.close("the chances in float64", got, by_part(logprobs.double(), part, product), tol=1e-9)


# -------------------------------------------------------------------------------------------------------------- pass@k

FEW_WRONG = "with fewer than k wrong tries the value is 1"
LARGE = "several thousand tries work, too"
ERROR = "the standard error is the values' standard deviation, with Q − 1, over √Q"
ALONE = "of one question the error is 0.0"
PASS = Question("pass_at_k", lab=LAB, points=1, rules=(FEW_WRONG, LARGE, ERROR, ALONE))
PASS_TEXT = "§ 4 Right once in k tries"


def none_right(c, n, k):
    """The chance that k tries, drawn one after the other without putting any back, are all wrong."""
    return math.prod(max(n - c - i, 0) / (n - i) for i in range(k))


def passed(found, n, k):
    return [1 - none_right(c, n, k) for c in found]


def standard_error(values):
    return statistics.stdev(values) / math.sqrt(len(values))


def two_numbers(q, found, n, k):
    got = q.call("pass_at_k", found, n, k)
    q.true("two numbers are asked for: (mean, standard error)", isinstance(got, (list, tuple, torch.Tensor)))
    q.true("two numbers are asked for: (mean, standard error)", len(got) == 2)
    return got


def some_found(q, n, k):
    """Numbers of right tries, n − k − 1 at most: of each question more than k are wrong."""
    found = [0, 1, 1, 2, 5, n - k - 1, *q.randint(0, n - k, (2,)).tolist()]
    return [found[i] for i in q.permutation(len(found)).tolist()]


@PASS.case("the mean of 1 − C(n − c, k) / C(n, k)", reread=PASS_TEXT)
def _(q):
    n, k = q.randint(12, 18), 4
    found = some_found(q, n, k)
    got, mean = two_numbers(q, found, n, k), statistics.fmean
    values = passed(found, n, k)
    exactly = lambda c: c * math.comb(n - c, k - 1) / math.comb(n, k)
    q.close(
        "the mean",
        got[0],
        mean(values),
        tol=1e-5,
        mistakes={
            "that is 1 − (1 − c/n)^k, which is too low: a try that was drawn is not put back": (
                mean(1 - (1 - c / n) ** k for c in found)
            ),
            "k was not used: that is the share of right tries": mean(found) / n,
            "that is the chance that NONE of k is right: 1 minus it": mean(none_right(c, n, k) for c in found),
            "that is the chance that ALL k are right: one is enough": (
                mean(math.comb(c, k) / math.comb(n, k) for c in found)
            ),
            "that is 1 minus the chance that ALL k are right: c and n − c were mixed up": (
                mean(1 - math.comb(c, k) / math.comb(n, k) for c in found)
            ),
            "that is the chance that EXACTLY one of k is right: at least one": mean(map(exactly, found)),
            "that is the number of right ones that k tries have on average: how often is there at least one?": (
                mean(k * c / n for c in found)
            ),
            "k · c/n, held at 1, is no chance: use the subsets": mean(min(1.0, k * c / n) for c in found),
            "that is the sum over the questions: their mean": sum(values),
            "that is the share of questions with any right try at all: of k tries": mean(c > 0 for c in found),
            "all questions' tries were put on one heap: a value for each question, then their mean": (
                1 - none_right(sum(found), n * len(found), k)
            ),
            "that is the median of the questions: their mean": statistics.median(values),
            "that is in percent": 100 * mean(values),
            "the two changed places: (mean, standard error)": standard_error(values),
        },
    )


@PASS.case(
    FEW_WRONG,
    rule=FEW_WRONG,
    hint="math.comb(n − c, k) is 0 there; factorials and logarithms are not defined. With exactly k wrong ones it is "
    "less than 1.",
    reread=PASS_TEXT,
)
def _(q):
    found, n, k = [8, 7, 6, 5, 4, 2], 8, 3  # 0, 1, 2, 3, 4 and 6 wrong ones
    known = [1.0, 1.0, 1.0, *passed(found[3:], n, k)]
    q.close(
        "the mean",
        two_numbers(q, found, n, k)[0],
        statistics.fmean(known),
        tol=1e-5,
        mistakes={
            "with fewer than k wrong tries the value was 0: some right one is always among the k": (
                sum(known[3:]) / len(found)
            ),
            "questions with fewer than k wrong tries were left out": statistics.fmean(known[3:]),
            "exactly k wrong tries gave 1, too: there is one subset without a right one": (
                statistics.fmean([1.0] * 4 + known[4:])
            ),
        },
    )
    q.close("the mean for k = n", two_numbers(q, [0, 1, 5, 6], 6, 6)[0], 0.75, tol=1e-5)


@PASS.case(
    "4,000 tries, k = 1,500",
    rule=LARGE,
    hint="Divide the whole numbers of math.comb by each other, or multiply quotients: no binomial may become a float.",
    reread=PASS_TEXT,
)
def _(q):
    found, n, k = [0, 1, 2, 3, q.randint(4, 9)], q.randint(4000, 4400), 1500
    q.close("the mean", two_numbers(q, found, n, k)[0], statistics.fmean(passed(found, n, k)), tol=1e-5)


@PASS.case(
    "the second number",
    rule=ERROR,
    hint="One value a question; their standard deviation over √Q. Tries are not counted here.",
    reread=PASS_TEXT,
)
def _(q):
    n, k = q.randint(12, 18), 3
    found = some_found(q, n, k)
    values, Q = passed(found, n, k), len(found)
    p = statistics.fmean(values)
    q.close(
        "the standard error",
        two_numbers(q, found, n, k)[1],
        standard_error(values),
        tol=1e-5,
        mistakes={
            "Q stands in the standard deviation: Q − 1": statistics.pstdev(values) / math.sqrt(Q),
            "that is the standard deviation itself: over √Q": statistics.stdev(values),
            "that is the standard deviation with Q in it: Q − 1, and over √Q": statistics.pstdev(values),
            "the standard deviation was divided by Q: by √Q": statistics.stdev(values) / Q,
            "the standard deviation was divided by √(Q − 1): Q − 1 stands in it, then over √Q": (
                statistics.stdev(values) / math.sqrt(Q - 1)
            ),
            "that is the variance over Q: its root is missing": statistics.variance(values) / Q,
            "the variance was divided by √Q: the standard deviation": statistics.variance(values) / math.sqrt(Q),
            "that is √(p(1 − p)/Q), as if each question were right or wrong: their values are known": (
                math.sqrt(p * (1 - p) / Q)
            ),
            "that is √(p(1 − p)/n): the questions are what was drawn": math.sqrt(p * (1 - p) / n),
            "the standard deviation was divided by √n: there are Q questions": statistics.stdev(values) / math.sqrt(n),
            "that is half of a 95 % interval: one standard error": 1.96 * standard_error(values),
            "that is the error of the numbers of right tries: of the questions' values": standard_error(found),
            "that is the error of c/n: of the questions' values": standard_error([c / n for c in found]),
        },
    )


@PASS.case(
    ALONE, rule=ALONE, hint="A standard deviation of one value is NaN: ask first how many there are.", reread=PASS_TEXT
)
def _(q):
    c, n = q.randint(2, 6), q.randint(9, 14)
    value = passed([c], n, 2)[0]
    q.close(
        "the error of one question",
        two_numbers(q, [c], n, 2)[1],
        0.0,
        tol=1e-9,
        mistakes={
            "the error of one question is NaN: ask for it": math.nan,
            "the error of one question is √(p(1 − p)): 0.0": math.sqrt(value * (1 - value)),
        },
    )


@PASS.case("k = 1; the list is left alone", reread=PASS_TEXT)
def _(q):
    got = q.call_checked_unmutated("pass_at_k", [3, 0, 2, 1], 5, 1)
    q.true("two numbers are asked for: (mean, standard error)", isinstance(got, (list, tuple, torch.Tensor)))
    q.close("the mean for k = 1", got[0], 0.3, tol=1e-5)  # the error is another rule's


# -------------------------------------------------------------------------------------------------------------- a vote

NEVER_WINS = "None never wins"
NOT_CAST = "None is not among the votes cast"
CAME_FIRST = "in a tie the answer that came first wins"
NOBODY = "where nobody voted: (None, 0.0)"
VOTE = Question("majority", lab=LAB, points=0.75, rules=(NEVER_WINS, NOT_CAST, CAME_FIRST, NOBODY))
VOTE_TEXT = "§ 5 A vote"


def vote_on(q, answers):
    got = q.call("majority", answers)
    q.true("two things are asked for: (answer, share)", isinstance(got, (list, tuple)) and len(got) == 2)
    return got


@VOTE.case("the most frequent answer and its share", reread=VOTE_TEXT)
def _(q):
    alphabet, least, most, first, last = some_jobs(q, 5)
    among = [most] * 5 + [last] * 2 + [alphabet] * 2 + [first, least]
    answers = [first, *(among[k] for k in q.permutation(len(among)).tolist()), last]
    got = vote_on(q, answers)
    q.same(
        "the answer",
        got[0],
        most,
        mistakes={
            "the RAREST answer came back": least,
            "that is the answer of the first chain: count them": first,
            "that is the answer of the last chain: count them": last,
            "that is the first answer in the alphabet: count them": alphabet,
            "no answer has more than half of the votes, but the most frequent one wins all the same": None,
            "the two changed places: (answer, share)": 5 / 13,
        },
    )
    q.close(
        "the share",
        got[1],
        5 / 13,
        tol=1e-6,
        mistakes={
            "that is the number of votes: its share of them": 5,
            "that is in percent": 500 / 13,
            "its votes were divided by the number of different answers: by the votes cast": 1.0,
            "its votes were divided by those of the others: by all votes cast": 5 / 8,
            "that is its lead over the second": 2 / 13,
            "that is the share of the other answers": 8 / 13,
            "that is one over the number of different answers: its votes over the votes cast": 1 / 5,
        },
    )


@VOTE.case(
    "more chains without an answer than with any one",
    rule=NEVER_WINS,
    hint="Leave None out before you count.",
    reread=VOTE_TEXT,
)
def _(q):
    few, most = some_jobs(q, 2)
    answers = [None, few, None, most, None, None, most, few, most, None]
    q.same("the answer", vote_on(q, answers)[0], most, mistakes={"None won, and it is no vote": None})


@VOTE.case(NOT_CAST, rule=NOT_CAST, hint="Divide by the number of answers that are not None.", reread=VOTE_TEXT)
def _(q):
    few, most = some_jobs(q, 2)
    answers = [most, few, None, most, few, most, None, few, most]
    wrong = {"the chains without an answer were counted among the votes cast": 4 / 9}
    q.close("the share", vote_on(q, answers)[1], 4 / 7, tol=1e-6, mistakes=wrong)


@VOTE.case(
    CAME_FIRST,
    rule=CAME_FIRST,
    hint="Counter.most_common and max over a dict keep the order in which the answers came; a set and sorted do not.",
    reread=VOTE_TEXT,
)
def _(q):
    a, b, c, d, e = some_jobs(q, 5)
    votes = [[b, a, a, b], [c, b, a, a, b, c], [None, a, c, b, c, b, a], [b, c, a], [d, c, a, a, c]]
    votes += [[a, b, c, d, e][k:] + [a, b, c, d, e][:k] for k in range(5)]
    by_hand = [b, c, a, b, c]
    turns = [a, b, c, d, e]
    q.same(
        "the winners",
        [vote_on(q, answers)[0] for answers in votes],
        by_hand + turns,
        names=[f"the vote {answers}" for answers in votes],
        mistakes={
            "in a tie the answer that came LAST won": [a, a, b, a, a, e, a, b, c, d],
            "in a tie the answer of the LAST of their chains won": [b, c, a, a, c, e, a, b, c, d],
            "in a tie the first of the alphabet won": [a] * 10,
            "in a tie the last of the alphabet won": [b, c, c, c, c] + [e] * 5,
            "in a tie the one won that had its votes together first: the one whose FIRST vote came first": (
                [a, a, c, b, a] + turns
            ),
        },
    )


@VOTE.case(NOBODY, rule=NOBODY, hint="Ask first whether there is a vote.", reread=VOTE_TEXT)
def _(q):
    wrong = {
        "a share of no votes is NaN here: 0.0": (None, math.nan),
        "None has all the votes, but None is no vote": (None, 1.0),
        "both are None: the share is 0.0": (None, None),
        "the answer is an empty text: None": ("", 0.0),
        "one thing came back: (None, 0.0)": None,
    }
    both = ("the answer", "the share")
    got = q.call("majority", [None, None, None])
    q.same("where each chain gave none", got, (None, 0.0), mistakes=wrong, names=both)
    q.same("for no chain at all", q.call("majority", []), (None, 0.0), mistakes=wrong, names=both)


@VOTE.case("one vote; the list is left alone", reread=VOTE_TEXT)
def _(q):
    few, most = some_jobs(q, 2)
    q.close("one vote", vote_on(q, [few]), (few, 1.0), tol=1e-6, names=("the answer", "the share"))
    got = q.call_checked_unmutated("majority", [most, None, few, most, None, most])
    q.true("two things are asked for: (answer, share)", isinstance(got, (list, tuple)) and len(got) == 2)
    q.same("the answer", got[0], most)  # the share is another rule's


# ----------------------------------------------------------------------------------------------------------- a checker

ONCE = "`Answer:` stands exactly once"
ONLY = "behind it stands the right answer and nothing else"
BEFORE = "what stands before it does not count"
ASIDE = "blanks, line breaks, capitals and one full stop make no difference"
JUST_SO = "`Answer:` itself is written just so"
VERIFY = Question("verify", lab=LAB, points=1.25, rules=(ONCE, ONLY, BEFORE, ASIDE, JUST_SO))
VERIFY_TEXT = "§ 6 A checker"


def two_jobs(q):
    """(right, other) in any order of the alphabet."""
    pair = some_jobs(q, 2)
    return pair if q.randint(0, 2) else pair[::-1]


def judge(q, label, rows, mistakes):
    """Every (text, right answer, verdict due) of rows. mistakes: {name: numbers of the rows judged wrongly}."""
    due = [verdict for _, _, verdict in rows]
    q.same(
        label,
        [q.call("verify", text, answer) for text, answer, _ in rows],
        due,
        names=[f"{text!r} where {answer!r} is right" for text, answer, _ in rows],
        mistakes={name: [v != (i in wrong) for i, v in enumerate(due)] for name, wrong in mistakes.items()},
    )


@VERIFY.case("right answers are accepted, wrong ones are not", reread=VERIFY_TEXT)
def _(q):
    right, other = two_jobs(q)
    rows = [
        (f"Answer: {right}", right, True),
        (f"Answer: {other}", right, False),
        (f"The teacher of Ada is Dora. I guess so. Answer: {right}", right, True),
        (f"The teacher of Ada is Dora. I guess so. Answer: {other}", right, False),
    ]
    judge(
        q,
        "the verdicts",
        rows,
        {
            "no text is ever accepted: is the blank behind `Answer:` taken off?": (0, 2),
            "every text is accepted": (1, 3),
            "the verdicts are turned round": (0, 1, 2, 3),
            "a text with steps before its answer is never accepted": (2,),
        },
    )


@VERIFY.case(
    "no `Answer:`, and two", rule=ONCE, hint='text.count("Answer:") says how often it stands there.', reread=VERIFY_TEXT
)
def _(q):
    right, other = two_jobs(q)
    texts = ["", right, f"It is {right}.", f"Answer: {right} Answer: {right}", f"Answer: {other} Answer: {right}"]
    texts += [f"Answer: Answer: {right}", f"Answer: {right}\nAnswer: {right}", f"Answer: {right} Answer:"]
    texts += [f"Answer: {right}\nAnswer: {other}"]
    judge(
        q,
        "the verdicts",
        [(text, right, False) for text in texts],
        {
            "a text without `Answer:` was taken for an answer": (1,),
            "with two answers the LAST one was judged: two answers are none": (3, 4, 5, 6),
            "with two answers the last one was judged, and a text without `Answer:` was taken for one": (1, 3, 4, 5, 6),
            "with two answers the FIRST one was judged: two answers are none": (3, 6, 7, 8),
            "with two answers both were judged, and one that is right twice passed: two answers are none": (3, 6),
            "the right answer anywhere in the text is accepted": (1, 2, 3, 4, 5, 6, 7, 8),
            "the right answer anywhere behind the first `Answer:` is accepted": (3, 4, 5, 6, 7, 8),
        },
    )


@VERIFY.case(
    "a list, something behind, a part of the answer, a longer word",
    rule=ONLY,
    hint="Compare with ==: neither `in`, nor startswith, nor the first line or the first word.",
    reread=VERIFY_TEXT,
)
def _(q):
    right, other = two_jobs(q)
    given = [f"{right}, {other}", f"{other}, {right}", f"{right} or {other}", f"{other} or {right}", f"not {right}"]
    given += [f"{right}. That is it.", f"{right}\nI am sure of it.", f"{right} {right}", f"{right}y"]
    given += ["", right[:-2], right.removeprefix("a ")]
    rows = [(f"I guess so. Answer: {text}", right, False) for text in given]
    rows += [("Answer: ninety", "nine", False), ("Answer: nine", "ninety", False)]
    judge(
        q,
        "the verdicts",
        rows,
        {
            "the right answer anywhere behind `Answer:` is accepted, so a list of all answers is": (
                (0, 1, 2, 3, 4, 5, 6, 7, 8, 12)
            ),
            "the right answer as a whole word anywhere behind `Answer:` is accepted, so a list of all answers is": (
                (0, 1, 2, 3, 4, 5, 6, 7)
            ),
            "what BEGINS with the right answer is accepted: a list that begins with it, too": (0, 2, 5, 6, 7, 8, 12),
            "what ENDS with the right answer is accepted: a list that ends with it, too": (1, 3, 4, 7),
            "a part of the right answer is accepted, even an empty one: the test with `in` is the wrong way round": (
                (9, 10, 11, 13)
            ),
            "one right answer in a list is enough": (0, 1),
            "only the first of a list was judged": (0,),
            "only the first sentence behind `Answer:` was judged: nothing may follow it": (5,),
            "only the first line behind `Answer:` was judged: nothing may follow it": (6,),
        },
    )


@VERIFY.case(
    "right and wrong steps, a chain of several lines",
    rule=BEFORE,
    hint="Look at nothing but what follows `Answer:`. In a regular expression a point matches no line break without "
    "re.DOTALL.",
    reread=VERIFY_TEXT,
)
def _(q):
    right, other = two_jobs(q)
    rows = [
        (f"The job of Dora is {right}. Answer: {right}", right, True),
        (f"The job of Dora is {other}. Answer: {right}", right, True),
        (f"The job of Dora is {right}. Answer: {other}", right, False),
        (f"{right}. Answer: {other}", right, False),
        (f"Who is it?\nLet me think.\nAnswer: {right}", right, True),
        (f"First: who? Then: what (1 + 1 = 3)? Answer: {right}", right, True),
    ]
    judge(
        q,
        "the verdicts",
        rows,
        {
            "a right answer BEFORE `Answer:` was accepted": (2, 3),
            "a text in which the right answer stands twice was refused: before `Answer:` it does not count": (0,),
            "a wrong step was held against a right answer": (1,),
            "a chain of several lines was refused": (4,),
            "a colon in the steps was taken for the end of `Answer:`": (5,),
        },
    )


@VERIFY.case(
    ASIDE,
    rule=ASIDE,
    hint='.strip() first, then .removesuffix("."), which takes off one; .lower() on both sides.',
    reread=VERIFY_TEXT,
)
def _(q):
    right = two_jobs(q)[0]
    rows = [
        (f"Answer:{right}", right, True),
        (f"Answer:   {right}  ", right, True),
        (f"Answer:\n{right}\n", right, True),
        (f"Answer: {right.title()}", right, True),
        (f"Answer: {right.upper()}", right, True),
        (f"Answer: {right}.", right, True),
        (f"Answer: {right}. \n", right, True),
        ("Answer: mill lane", "Mill Lane", True),
        ("Answer: Mill Lane", "Mill Lane", True),
        (f"Answer: {right}..", right, False),
        (f"Answer: {right}!", right, False),
    ]
    judge(
        q,
        "the verdicts",
        rows,
        {
            "one full stop at the end made a difference": (5, 6),
            "capitals made a difference": (3, 4, 7),
            "neither capitals nor the full stop at the end were put aside": (3, 4, 5, 6, 7),
            "capitals were put aside in the text alone: in the right answer, too": (7, 8),
            "the full stop was looked for before the blanks behind it were taken off": (6,),
            "more than one full stop was taken off: one at most": (9,),
            "a second full stop or another sign behind the answer was accepted: one full stop at most": (9, 10),
            "`Answer:` was only found with a blank behind it: a line break will do, or nothing": (0, 2),
            "line breaks were not taken off: .strip() takes off all blanks": (2, 6),
            "exactly one blank was taken off: .strip() takes off all": (0, 1, 2, 6),
            "the blanks behind the answer were not taken off": (1, 2, 6),
        },
    )


@VERIFY.case(
    "`answer:`, `Answer` without its colon",
    rule=JUST_SO,
    hint="Look for `Answer:` before you put capitals aside.",
    reread=VERIFY_TEXT,
)
def _(q):
    right, other = two_jobs(q)
    rows = [
        (f"answer: {right}", right, False),
        (f"ANSWER: {right}", right, False),
        (f"Answer {right}", right, False),
        (f"Result: {right}", right, False),
        (f"No answer: not yet. Answer: {right}", right, True),
        (f"The Answer is near. Answer: {right}", right, True),
        (f"No answer: {right}. Answer: {other}", right, False),
    ]
    judge(
        q,
        "the verdicts",
        rows,
        {
            "`answer:` and `ANSWER:` were taken for `Answer:`, too": (0, 1, 4),
            "`answer:` and `ANSWER:` were taken for `Answer:` where they stood alone": (0, 1),
            "the word Answer was looked for without its colon": (2, 5),
            "any colon was taken for `Answer:`": (0, 1, 3),
        },
    )


# ----------------------------------------------------------------------------------------------------------- advantages

DEVIATION = '"grpo" divides by the standard deviation of the group, with G − 1 in it'
EPSILON = "10⁻⁴ is added to the deviation"
BY_THE_MEAN = '"maxrl" divides by the mean of the group'
ALIKE = "a group whose rewards are all alike has advantages of 0, never NaN"
UNKNOWN = "another kind raises a ValueError"
ADVANTAGES = Question("advantages", lab=LAB, points=1.25, rules=(DEVIATION, EPSILON, BY_THE_MEAN, ALIKE, UNKNOWN))
ADVANTAGES_TEXT = "§ 7 What a prompt weighs"
LEFT_ALONE = "float64 in, float64 out; the inputs are left alone"


def of_pairs(rewards, kind, eps=1e-4):
    """The advantages from the differences of all pairs of a group."""
    pairs = rewards.double()[:, :, None] - rewards.double()[:, None, :]
    P, G = rewards.shape
    if kind == "dr_grpo":
        under = torch.full((P, 1), float(G), dtype=torch.float64)
    elif kind == "grpo":
        under = G * ((pairs.square().sum((1, 2)) / (2 * G * (G - 1))).sqrt()[:, None] + eps)
    else:
        under = rewards.double().sum(1, keepdim=True)
        under[under == 0] = 1.0
    return (pairs.sum(2) / under).to(rewards.dtype)


def refuses(q, name, *args):
    """The call must raise a ValueError."""
    advice = 'raise ValueError(f"kind is {kind!r}") behind the last of the three.'
    try:
        q.call(name, *args)
    except CallFailed as failure:
        if failure.status == "error" and failure.message.startswith("ValueError"):
            return
        if failure.status not in ("error", "todo"):
            raise
        raised = failure.message if failure.status == "error" else "NotImplementedError"
        raise CaseFailed(f"an unknown kind raised no ValueError, but: {raised}", hint=advice) from None
    raise CaseFailed("an unknown kind raised nothing: a value came back", hint=advice)


def wide_rewards(q, P=5, G=4):
    """Rewards, none negative, whose deviations are far above 10⁻⁴, so that it does not show; each group has a mean of
    its own.
    """
    apart = torch.linspace(0, 1, G)[torch.stack([q.permutation(G) for _ in range(P)])]
    return 200 * apart + 40 * q.rand(P, G) + 300 * q.rand(P, 1) + 10


@ADVANTAGES.case('"dr_grpo": reward − mean of its group', reread=ADVANTAGES_TEXT)
def _(q):
    rewards = wide_rewards(q)
    mean, std = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    others = (rewards.sum(1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "dr_grpo"),
        of_pairs(rewards, "dr_grpo"),
        tol=1e-5,
        mistakes={
            "the mean was taken over the whole batch: each group, a row, has its own": rewards - rewards.mean(),
            "the mean ran over the columns, that is over the prompts: a group is one row": rewards - rewards.mean(0),
            "the mean was that of the OTHER chains: it is that of the whole group": rewards - others,
            "the mean was not taken off": rewards,
            "the sign is wrong: better than the group is positive": mean - rewards,
            "the median was taken, not the mean": rewards - rewards.median(1, keepdim=True).values,
            "the best of its group was subtracted, not the mean": rewards - rewards.amax(1, keepdim=True),
            'it was divided by the deviation: that is "grpo"': (rewards - mean) / (std + 1e-4),
            'it was divided by the mean: that is "maxrl"': (rewards - mean) / mean,
        },
    )


@ADVANTAGES.case(
    '"grpo": the difference over the standard deviation of the group',
    rule=DEVIATION,
    hint="rewards.std(1, keepdim=True) has the G − 1.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    rewards = wide_rewards(q)
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "grpo"),
        of_pairs(rewards, "grpo"),
        tol=1e-5,
        mistakes={
            "the deviation has G in it, not G − 1: torch.std with its default has G − 1": (
                centred / rewards.std(1, correction=0, keepdim=True)
            ),
            "the deviation was taken over the whole batch: each group, a row, has its own": centred / rewards.std(),
            "the deviation ran over the columns, that is over the prompts: a group is one row": (
                centred / rewards.std(0)
            ),
            "the variance was divided by, not its root": centred / std**2,
            "multiplied by the deviation: divide": centred * std,
            'it was not divided: that is "dr_grpo"': centred,
            'it was divided by the mean: that is "maxrl"': centred / rewards.mean(1, keepdim=True),
            "it was divided by the mean distance from the mean: that is no standard deviation": (
                centred / centred.abs().mean(1, keepdim=True)
            ),
        },
    )


@ADVANTAGES.case(
    '"grpo" of nearly tied groups',
    rule=EPSILON,
    hint="Divide by (s + 1e-4): a group in which next to nothing differs must not count as much as a good one.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    # 400 chains: whether the deviation has G or G − 1 in it, which is another rule's, does not show
    rewards = q.rand(3, 400) * torch.tensor([[3e-5], [3e-4], [1e-3]])
    centred, std = rewards - rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    q.close(
        "the advantages",
        q.call("advantages", rewards, "grpo"),
        of_pairs(rewards, "grpo"),
        tol=5e-3,
        mistakes={
            "the 10⁻⁴ is missing, or much smaller: it is added to the standard deviation": centred / std,
            "the 10⁻⁴ was put in the root: it is added to the standard deviation": centred / (std**2 + 1e-4).sqrt(),
            "the deviation was held at 10⁻⁴ or more: the 10⁻⁴ is added to it": centred / std.clamp(min=1e-4),
        },
    )


@ADVANTAGES.case(
    '"maxrl": the difference over the mean of the group',
    rule=BY_THE_MEAN,
    hint="(r − mean) / mean, with the mean of the group.",
    reread=ADVANTAGES_TEXT,
)
def _(q):
    found = torch.arange(8) < torch.tensor([[2], [3], [4], [7]])  # of eight chains so many are right
    of_a_checker = torch.stack([row[q.permutation(8)] for row in found]).float()
    for what, rewards in (("the verdicts of a checker", of_a_checker), ("other rewards", wide_rewards(q))):
        mean, G = rewards.mean(1, keepdim=True), rewards.shape[1]
        centred, others = rewards - mean, (rewards.sum(1, keepdim=True) - rewards) / (G - 1)
        q.close(
            f"the advantages of {what}",
            q.call("advantages", rewards, "maxrl"),
            of_pairs(rewards, "maxrl"),
            tol=1e-4,
            mistakes={
                "the mean was not taken off: (r − mean) / mean": rewards / mean,
                "the sign is wrong: better than the group is positive": -centred / mean,
                "it was divided by the mean of the whole batch: each group, a row, has its own": (
                    centred / rewards.mean()
                ),
                "it was divided by the number of right chains, a sum: by their share, the mean": centred / (G * mean),
                "it was divided by the root of the mean": centred / mean.sqrt(),
                "it was divided by the mean of the OTHER chains: by that of the whole group": centred / others,
                'the 10⁻⁴ of "grpo" was added to the mean': centred / (mean + 1e-4),
                'it was not divided: that is "dr_grpo"': centred,
                'it was divided by the deviation: that is "grpo"': centred / (rewards.std(1, keepdim=True) + 1e-4),
                "it was multiplied by the mean: divide": centred * mean,
            },
        )


@ADVANTAGES.case(
    "groups of zeros, of ones, of equal rewards",
    rule=ALIKE,
    hint='"maxrl" divides 0 by 0 where nothing is right: mean.clamp(min=1e-12) keeps it away.',
    reread=ADVANTAGES_TEXT,
)
def _(q):
    rewards = torch.stack([torch.full((4,), worth) for worth in (0.0, 1.0, 2.5)])[q.permutation(3)]
    wrong = {
        "dr_grpo": {},
        "grpo": {"the 10⁻⁴ is missing: 0 was divided by 0": torch.full((3, 4), math.nan)},
        "maxrl": {
            "0 was divided by 0 where nothing is right": torch.where(rewards > 0, 0.0, math.nan),
            "a group of zeros got −1: r / mean − 1 is (r − mean) / mean only where the mean is not 0": torch.where(
                rewards > 0, 0.0, -1.0
            ),
        },
    }
    for kind, mistakes in wrong.items():
        got = q.call("advantages", rewards, kind)
        q.close(f"the advantages, {kind}", got, torch.zeros(3, 4), tol=1e-6, mistakes=mistakes)


@ADVANTAGES.case("an unknown kind", rule=UNKNOWN, reread=ADVANTAGES_TEXT)
def _(q):
    for kind in ("dapo", "ppo"):
        refuses(q, "advantages", wide_rewards(q), kind)


@ADVANTAGES.case("groups of two, one group; " + LEFT_ALONE, reread=ADVANTAGES_TEXT)
def _(q):
    for rewards in (wide_rewards(q, 6, 2), wide_rewards(q, 1, 5), wide_rewards(q, 3, 4).double()):
        got = q.call_checked_unmutated("advantages", rewards, "dr_grpo")
        label = f"the advantages of {len(rewards)} groups of {rewards.shape[1]}"
        q.close(label, got, of_pairs(rewards, "dr_grpo"), tol=1e-5)


# ---------------------------------------------------------------------------------------------------------- informative

ANY_REWARD = "rewards that differ are meant, whatever they are"
EMPTY = "no such group: a tensor with no places in it, int64 as well"
INFORMATIVE = Question("informative", lab=LAB, points=0.5, rules=(ANY_REWARD, EMPTY))
INFORMATIVE_TEXT = "§ 8 Groups that say nothing"


def kept(rewards):
    """Places of the chains from which some chain of their group differs."""
    flat, G = rewards.flatten().tolist(), rewards.shape[1]
    found = [k for k, r in enumerate(flat) if any(r != other for other in flat[k // G * G : k // G * G + G])]
    return torch.tensor(found, dtype=torch.int64)


def groups_of(q, *counts, G=5):
    """Verdicts [P G]: so many right chains in each group."""
    return torch.stack([(torch.arange(G) < c)[q.permutation(G)] for c in counts]).float()


@INFORMATIVE.case("the places of the chains whose group has different rewards", reread=INFORMATIVE_TEXT)
def _(q):
    rewards = groups_of(q, *[(0, 2, 5, 0, 3, 4, 5, 1)[k] for k in q.permutation(8)])
    telling = ((rewards > 0).any(1) & (rewards < 1).any(1)).repeat_interleave(5)
    flat, at = rewards.flatten() > 0, torch.arange(40)
    q.close(
        "the places",
        q.call("informative", rewards),
        kept(rewards),
        tol=0,
        check_dtype=False,
        mistakes={
            "the numbers of the groups came back: the places of their chains are asked for": at[:8][telling[::5]],
            "True or False for each chain came back: the places of the True ones": telling,
            "True or False for each chain came back, in rows: the places of the True ones": telling.view(8, 5),
            "True or False for each group came back: the places of the chains": telling[::5],
            "a column came back, [K 1]: nonzero()[:, 0] is [K]": at[telling][:, None],
            "the groups that say nothing came back: the others are asked for": at[~telling],
            "rewards came back: the places of the chains": rewards.flatten()[telling],
            "the places count from 0 in each group: the chains of group p have pG to pG + G − 1": (at % 5)[telling],
            "(group, chain) came back: one number a chain, pG + its place in the group": torch.stack(
                [at // 5, at % 5], 1
            )[telling],
            "the places count from 1: from 0": at[telling] + 1,
            "the right chains of ALL groups came back: whether a group tells something is asked": at[flat],
            "the wrong chains of ALL groups came back: whether a group tells something is asked": at[~flat],
            "the place was taken as chain · P + group: the chains of a group stand beside each other": (
                at.view(5, 8).T.flatten()[telling].sort().values
            ),
            "only the right chains of such groups stayed: the wrong ones teach, too": at[telling & flat],
            "only the wrong chains of such groups stayed: the right ones teach, too": at[telling & ~flat],
        },
    )


@INFORMATIVE.case(
    "rewards other than 0 and 1",
    rule=ANY_REWARD,
    hint="Compare the largest reward of a group with its smallest.",
    reread=INFORMATIVE_TEXT,
)
def _(q):
    # tied at ½ and at 3; different with a sum of G, without a 0, and by little
    rewards = torch.tensor(
        [
            [0.5, 0.5, 0.5, 0.5],
            [0.0, 2.0, 1.0, 1.0],
            [3.0, 3.0, 3.0, 3.0],
            [0.25, 0.25, 0.25, 0.5],
            [1.0, 1.0, 1.0, 0.9375],
        ]
    )[q.permutation(5)]
    mean = rewards.mean(1)
    at = torch.arange(20).view(5, 4)
    q.close(
        "the places",
        q.call("informative", rewards),
        kept(rewards),
        tol=0,
        check_dtype=False,
        mistakes={
            "groups with a mean between 0 and 1 were kept: a group may be tied there": (
                at[(mean > 0) & (mean < 1)].flatten()
            ),
            "groups with a mean other than 0 and 1 were kept: a group may be tied there": (
                at[(mean != 0) & (mean != 1)].flatten()
            ),
            "only groups with a 0 among other rewards were kept: rewards above 0 may differ, too": (
                at[(rewards == 0).any(1) & (rewards > 0).any(1)].flatten()
            ),
        },
    )


@INFORMATIVE.case(
    "the places are int64, also where there are none",
    rule=EMPTY,
    hint="mask.nonzero() gives int64. A tensor made of a list needs dtype=torch.int64: torch.tensor([]) is float32.",
    reread=INFORMATIVE_TEXT,
)
def _(q):
    some = groups_of(q, 5, 2, 0)
    q.close("the places", q.call("informative", some), kept(some), tol=0)
    none = torch.zeros(0, dtype=torch.int64)
    q.close("the places of tied groups", q.call("informative", groups_of(q, 0, 5, 5, 0)), none, tol=0)


@INFORMATIVE.case("one group, groups of two, float64; the inputs are left alone", reread=INFORMATIVE_TEXT)
def _(q):
    for rewards in (groups_of(q, 2), groups_of(q, 1, 0, 2, 1, 1, G=2), groups_of(q, 0, 3, 5).double()):
        got = q.call_checked_unmutated("informative", rewards)
        q.close("the places", got, kept(rewards), tol=0, check_dtype=False)


# -------------------------------------------------------------------------------------------------------- mean of terms

CHAINS_FIRST = '"grpo" is the mean of each chain\'s tokens, then the mean of the chains'
A_CONSTANT = '"dr_grpo" divides by B · longest'
OFF = "0 off the chains, whatever the terms hold there: NaN, too"
GRADIENT = "a gradient reaches the terms"
MEAN = Question("mean_of_terms", lab=LAB, points=1, rules=(CHAINS_FIRST, A_CONSTANT, OFF, UNKNOWN, GRADIENT))
MEAN_TEXT = "§ 9 One loss of many tokens"
SPANS, WIDTH, LONGEST = ((1, 5), (3, 4), (2, 8), (2, 9)), 10, 13  # prompt, chain, padding; a chain may have 13 tokens


def chains_of(spans=SPANS, T=WIDTH):
    """[B T], True on a chain: from its first to before its last place."""
    t = torch.arange(T)
    return torch.stack([(t >= start) & (t < end) for start, end in spans])


def weight_of(kind, mask, longest):
    """[B T]: what a token of the batch weighs."""
    B, T = mask.shape
    weights = torch.zeros(B, T, dtype=torch.float64)
    for b, t in mask.nonzero().tolist():
        tokens = {"grpo": B * int(mask[b].sum()), "dapo": int(mask.sum()), "dr_grpo": B * longest}
        weights[b, t] = 1 / tokens[kind]
    return weights


def weighted(terms, mask, kind, longest=LONGEST):
    weights = weight_of(kind, mask, longest)
    total = math.fsum(float(terms[b, t]) * float(weights[b, t]) for b, t in mask.nonzero().tolist())
    return torch.tensor(total, dtype=torch.float64).to(terms.dtype)


def terms_of(q, mask):
    """Terms of both signs whose sum is not near 0."""
    return q.randn(*mask.shape) + 0.7


def other_means(terms, mask, longest=LONGEST):
    """{what it is: value} of losses that are none of the three."""
    B, T = mask.shape
    of_chains = torch.stack([row[on].sum() for row, on in zip(terms, mask)])
    lengths = mask.sum(1)
    total = of_chains.sum()
    return {
        "the mean ran over prompt and padding, too": terms.mean(),
        "prompt and padding were put to 0, but counted: B · T is no divisor here": total / (B * T),
        "the tokens were added up and divided by nothing": total,
        "the sum was divided by the number of chains alone": total / B,
        "the sum was divided by `longest` alone": total / longest,
        "the sum was divided by B · the longest chain OF THE BATCH: `longest` is how many tokens a chain can have": (
            total / (B * lengths.max())
        ),
        "the means of the chains were added up: take their mean": (of_chains / lengths).sum(),
        "the mean of the chains' means was divided by `longest`": (of_chains / lengths).mean() / longest,
        "the mean was divided by `longest`, too": total / lengths.sum() / longest,
        "terms off the chains were added, too": terms.sum() / (B * longest),
    }


IS = {
    "grpo": 'each chain was averaged first, then the chains: that is "grpo"',
    "dapo": 'all tokens of the batch were averaged at once: that is "dapo"',
    "dr_grpo": 'the sum was divided by B · longest: that is "dr_grpo"',
}


def one_loss(q, kind):
    mask = chains_of()
    terms = terms_of(q, mask)
    wrong = {IS[other]: weighted(terms, mask, other) for other in IS if other != kind}
    q.close(
        "the loss",
        q.call("mean_of_terms", terms, mask, kind, LONGEST),
        weighted(terms, mask, kind),
        tol=1e-5,
        check_dtype=False,
        mistakes=other_means(terms, mask) | wrong,
    )


@MEAN.case('"dapo": the mean of all tokens of the batch', reread=MEAN_TEXT)
def _(q):
    one_loss(q, "dapo")


@MEAN.case(
    '"grpo": the mean of each chain, then of the chains',
    rule=CHAINS_FIRST,
    hint="Sum each row, divide by mask.sum(1), then .mean().",
    reread=MEAN_TEXT,
)
def _(q):
    one_loss(q, "grpo")


@MEAN.case(
    '"dr_grpo": the sum over B · longest', rule=A_CONSTANT, hint="B is len(mask), not a token count.", reread=MEAN_TEXT
)
def _(q):
    one_loss(q, "dr_grpo")


@MEAN.case(
    "prompts and padding that hold NaN and ∞",
    rule=OFF,
    hint="0 · NaN is NaN: take torch.where(mask, terms, 0.0) in place of a product with the mask.",
    reread=MEAN_TEXT,
)
def _(q):
    mask = chains_of()
    clean = torch.where(mask, terms_of(q, mask), 0.0)
    terms = clean.clone()
    terms[~mask] = torch.tensor([math.nan, math.inf, -math.inf, 5.0])[q.randint(0, 4, (int((~mask).sum()),))]
    terms[:, 0] = math.nan
    for kind in IS:  # against the same function of clean terms: which mean it is, other cases ask
        q.close(
            f"the loss, {kind}",
            q.call("mean_of_terms", terms, mask, kind, LONGEST),
            q.call("mean_of_terms", clean, mask, kind, LONGEST),
            tol=1e-5,
            check_dtype=False,
            mistakes={
                "what stands off the chains was added, or multiplied by 0: 0 · NaN is NaN": torch.tensor(math.nan)
            },
        )


@MEAN.case("an unknown kind", rule=UNKNOWN, reread=MEAN_TEXT)
def _(q):
    mask = chains_of()
    for kind in ("maxrl", "ppo"):
        refuses(q, "mean_of_terms", terms_of(q, mask), mask, kind, LONGEST)


@MEAN.case(
    "the pull at each token",
    rule=GRADIENT,
    hint="Return a tensor of shape []; no .detach(), no .item(), no torch.tensor(…).",
    reread=MEAN_TEXT,
)
def _(q):
    mask = chains_of()
    terms = terms_of(q, mask)
    for kind in IS:
        loss, (grad,) = q.call_with_grad("mean_of_terms", [terms, mask, kind, LONGEST], wrt=(0,), names=("terms",))
        if kind == "dapo":
            q.close("the gradient", grad, weight_of(kind, mask, LONGEST).float(), tol=1e-6)
        q.close(f"Σ gradient · term, {kind}, is the loss", (grad * terms).sum(), loss, tol=1e-4)


@MEAN.case("one chain; " + LEFT_ALONE, reread=MEAN_TEXT)
def _(q):
    for mask in (chains_of(((2, 5),), 7), chains_of()):
        terms = terms_of(q, mask).double()
        got = q.call_checked_unmutated("mean_of_terms", terms, mask, "dapo", LONGEST)
        q.close("the loss in float64", got, weighted(terms, mask, "dapo"), tol=1e-9)


# ---------------------------------------------------------------------------------------------------------- first right

THE_FIRST = "the first right chain is chosen"
NEITHER = "a question without a right chain is in neither list"
RIGHT_OR_NOT = "the control is the first chain, right or not"
ITS_NUMBER = "the number is that of the question among all"
CHOICE = Question("first_right", lab=LAB, points=1, rules=(THE_FIRST, NEITHER, RIGHT_OR_NOT, ITS_NUMBER))
CHOICE_TEXT = "§ 12 Learning or choosing?"


def written(q, *marks):
    """(answers, right): a text for each letter of `marks`, "x" where the checker accepts it; no two texts alike."""
    numbers = (10_000 + q.permutation(90_000)[: sum(map(len, marks))]).tolist()
    answers = [[f"… Answer: {numbers.pop()}" for _ in row] for row in marks]
    return answers, [[letter == "x" for letter in row] for row in marks]


def taken(answers, right, place):
    """[(question, chain)] of the questions with a right chain; place(places of the right ones) → the one that is
    taken.
    """
    places = {n: [k for k, on in enumerate(marks) if on] for n, marks in enumerate(right)}
    return [(n, answers[n][place(at)]) for n, at in places.items() if at]


def both_lists(q, answers, right):
    got = q.call("first_right", answers, right)
    pair = type(got) in (list, tuple) and len(got) == 2 and all(type(part) in (list, tuple) for part in got)
    q.true("two lists are asked for: (chosen, control)", pair, hint="return chosen, control")
    return got


@CHOICE.case("(number, right chain), and (number, first chain)", reread=CHOICE_TEXT)
def _(q):
    answers, right = written(q, "--x-", "-x-", "---x", "-x")  # one right chain each, never the first
    got = both_lists(q, answers, right)
    chosen, control = taken(answers, right, min), taken(answers, right, lambda at: 0)
    every = [(n, chain) for n, its in enumerate(answers) for chain in its]
    q.same(
        "chosen",
        got[0],
        chosen,
        mistakes={
            "the two changed places: (chosen, control)": control,
            "the chains came back without their numbers": [chain for _, chain in chosen],
            "the questions count from 1: from 0": [(n + 1, chain) for n, chain in chosen],
            "(chain, number) came back: (number, chain)": [(chain, n) for n, chain in chosen],
            "the place of the chain came back: its text": [(n, answers[n].index(chain)) for n, chain in chosen],
            "the place of the chain stands where the number of the question is asked for": [
                (answers[n].index(chain), chain) for n, chain in chosen
            ],
            "every chain came back: the right one of each question": every,
            "the wrong chains came back: the right ones": [pair for pair in every if pair not in chosen],
            "the pairs (chosen, control) came back, one a question: two lists": [chosen[0], control[0]],
            "the questions stand in the opposite order": chosen[::-1],
        },
    )
    q.same(
        "control",
        got[1],
        control,
        mistakes={
            "the chosen chains came back twice: the control takes the first chain, right or not": chosen,
            "the last chain of each question was taken: the first": taken(answers, right, lambda at: -1),
            "the chain before the right one was taken: the first": taken(answers, right, lambda at: min(at) - 1),
            "the chains came back without their numbers": [chain for _, chain in control],
            "every chain that was not chosen came back: one a question, the first": [
                pair for pair in every if pair not in chosen
            ],
            "every chain came back: the first of each question": every,
        },
    )


@CHOICE.case(
    "several right chains to a question",
    rule=THE_FIRST,
    hint="marks.index(True) is the place of the first one.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "-xx-", "x-x", "--xxx", "-x-x")
    q.same(
        "chosen",
        both_lists(q, answers, right)[0],
        taken(answers, right, min),
        mistakes={
            "the LAST right chain was chosen": taken(answers, right, max),
            "all right chains were chosen: one a question": [
                (n, chain) for n, its in enumerate(answers) for chain, on in zip(its, right[n]) if on
            ],
        },
    )


@CHOICE.case(
    "questions without a right chain",
    rule=NEITHER,
    hint="Ask any(marks) first; only then append to both lists.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "---", "-x-", "--", "-x--", "---")
    chains = lambda pairs: [chain for _, chain in pairs]  # the numbers are another rule's
    got = both_lists(q, answers, right)
    firsts, chosen = [its[0] for its in answers], chains(taken(answers, right, min))
    wrong = [chosen[0] if n == 1 else chosen[1] if n == 3 else its for n, its in enumerate(firsts)]
    q.same(
        "the chosen chains",
        chains(got[0]),
        chosen,
        mistakes={
            "a question without a right chain gave its first one: it is left out": wrong,
            "a question without a right chain gave None: it is left out": [
                chain if any(marks) else None for chain, marks in zip(wrong, right)
            ],
            "a question without a right chain gave its last one: it is left out": [
                chain if any(marks) else its[-1] for chain, marks, its in zip(wrong, right, answers)
            ],
        },
    )
    q.same(
        "the chains of the control",
        chains(got[1]),
        chains(taken(answers, right, lambda at: 0)),
        mistakes={
            "the control has other questions than the chosen chains: one without a right chain is in neither": firsts
        },
    )


@CHOICE.case(
    "first chains that are right",
    rule=RIGHT_OR_NOT,
    hint="The control is its[0]: nobody has looked at its mark.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "x--", "-x-", "x-", "--x")
    control = taken(answers, right, lambda at: 0)
    wrong = [(n, its[right[n].index(False)]) for n, its in enumerate(answers)]
    q.same(
        "control",
        both_lists(q, answers, right)[1],
        control,
        mistakes={
            "the first WRONG chain was taken: the control is not chosen at all": wrong,
            "a question whose first chain is right was left out": [control[1], control[3]],
        },
    )


@CHOICE.case(
    "numbers of the questions",
    rule=ITS_NUMBER,
    hint="for q, (its, marks) in enumerate(zip(answers, right)) gives q. answers.index finds the first of two alike.",
    reread=CHOICE_TEXT,
)
def _(q):
    answers, right = written(q, "--", "-x-", "---", "-x", "-x-")
    answers[4] = list(answers[1])  # asked twice, answered alike
    asked = answers[1] + answers[3]  # who is in a list is another rule's
    numbers = lambda pairs: [n for n, chain in pairs if chain in asked]
    got = both_lists(q, answers, right)
    again = {
        "the questions were numbered anew: the number is that of the question among all": [0, 1, 2],
        "two questions with the same chains got one number: enumerate counts, .index searches": [1, 3, 1],
    }
    q.same("the numbers of chosen", numbers(got[0]), [1, 3, 4], mistakes=again)
    q.same("the numbers of control", numbers(got[1]), [1, 3, 4], mistakes=again)


@CHOICE.case("the lists are left alone", reread=CHOICE_TEXT)
def _(q):
    answers, right = written(q, "-x", "x--")
    got = q.call_checked_unmutated("first_right", answers, right)
    q.same("chosen", got[0], taken(answers, right, min))


@CHOICE.case("no question", cost=0.25, reread=CHOICE_TEXT)
def _(q):
    q.same("the lists", list(both_lists(q, [], [])), [[], []], names=("chosen", "control"))


# ----------------------------------------------------------------------------------------------------------------- cost

ALL_OVER_RIGHT = "tokens a right answer: all tokens, also of questions that were answered wrong, over the right answers"
EVERY_TEXT = "every text that was written for a question counts"
NONE_RIGHT = "no right answer: the third number is infinite"
COST = Question("cost", lab=LAB, points=0.75, rules=(ALL_OVER_RIGHT, EVERY_TEXT, NONE_RIGHT))
COST_TEXT = "§ 13 What a right answer costs"
THREE = ("the share", "the tokens a question", "the tokens a right answer")


def lengths(q, *texts):
    """For each question so many lengths, of 5 to 60 tokens."""
    return [q.randint(5, 61, (n,)).tolist() for n in texts]


def of_cost(q, tokens, right):
    got = q.call("cost", tokens, right)
    q.true("three numbers are asked for", type(got) in (list, tuple) and len(got) == 3)
    return got


def one_text_each(q):
    """(tokens, right) of 8 questions, 3 of them right; the wrong ones were longer."""
    right = [bool(k < 3) for k in q.permutation(8)]
    return [[n + (0 if ok else 70)] for (n,), ok in zip(lengths(q, *[1] * 8), right)], right


@COST.case("the share answered right, and the tokens a question", reread=COST_TEXT)
def _(q):
    tokens, right = one_text_each(q)
    total, of_right = sum(n for (n,) in tokens), sum(n for (n,), ok in zip(tokens, right) if ok)
    got = of_cost(q, tokens, right)
    q.close(
        THREE[0],
        got[0],
        3 / 8,
        tol=1e-5,
        mistakes={
            "a count came back: divide by the number of questions": 3,
            "in percent: a share is between 0 and 1": 37.5,
            "the share of the WRONG answers came back": 5 / 8,
            "right over wrong came back: right over all": 3 / 5,
        },
    )
    q.close(
        THREE[1],
        got[1],
        total / 8,
        tol=1e-5,
        mistakes={
            "only the tokens of right answers were counted: all of them": of_right / 8,
            "all tokens came back: divide by the number of questions": total,
            "tokens a right answer stand in the second place: (share, tokens a question, tokens a right answer)": (
                total / 3
            ),
            "that is the mean of the right ones: all questions were paid for": of_right / 3,
            "only the tokens of wrong answers were counted: all of them": (total - of_right) / 8,
        },
    )


@COST.case(
    "tokens a right answer",
    rule=ALL_OVER_RIGHT,
    hint="All tokens over sum(right): wrong answers were paid for as well.",
    reread=COST_TEXT,
)
def _(q):
    tokens, right = one_text_each(q)
    total, of_right = sum(n for (n,) in tokens), sum(n for (n,), ok in zip(tokens, right) if ok)
    q.close(
        THREE[2],
        of_cost(q, tokens, right)[2],
        total / 3,
        tol=1e-5,
        mistakes={
            "the tokens of questions that were answered wrong were left out: they were paid for, too": of_right / 3,
            "that is a question, not a right answer: divide by sum(right)": total / 8,
            "it was divided by the number of WRONG answers": total / 5,
            "all tokens came back: divide by sum(right)": total,
            "it was multiplied by the share of right answers: divide": total / 8 * 3 / 8,
            "it was divided by the share alone: tokens a question over the share": total / (3 / 8),
            "it is upside down: that is right answers a token": 3 / total,
            "only the tokens of wrong answers were counted: all of them": (total - of_right) / 3,
        },
    )


@COST.case(
    "several texts a question",
    rule=EVERY_TEXT,
    hint="Each of the lists holds the lengths of all texts of one question: sum over both.",
    reread=COST_TEXT,
)
def _(q):
    tokens = lengths(q, 3, 1, 5, 2)
    each = lambda chosen: [math.fsum(map(chosen, tokens)) / 4] * 2
    texts = sum(map(len, tokens))
    q.close(
        "the tokens",
        list(of_cost(q, tokens, [True] * 4)[1:]),
        each(sum),
        tol=1e-5,
        names=THREE[1:],
        mistakes={
            "that is tokens a TEXT: a question has several, divide by the number of questions": (
                [sum(map(sum, tokens)) / texts] * 2
            ),
            "the texts of a question were averaged: all were paid for": each(lambda row: sum(row) / len(row)),
            "only the first text of a question was counted": each(lambda row: row[0]),
            "only the last text of a question was counted": each(lambda row: row[-1]),
            "only the longest text of a question was counted": each(max),
            "the texts were counted, not their tokens": each(len),
            "tokens a text stand in the second place: tokens a question": (
                [sum(map(sum, tokens)) / texts, sum(map(sum, tokens)) / 4]
            ),
        },
    )


@COST.case("nothing right", rule=NONE_RIGHT, hint="x / 0 raises ZeroDivisionError: ask first.", reread=COST_TEXT)
def _(q):
    tokens = lengths(q, 1, 1, 1)
    total = sum(n for (n,) in tokens)
    got = of_cost(q, tokens, [False] * 3)
    q.close("the first two", list(got[:2]), [0.0, total / 3], tol=1e-5, names=THREE)
    q.close(
        THREE[2],
        got[2],
        math.inf,
        mistakes={
            "nothing right gave 0: for no price is one to be had": 0,
            "nothing right gave all tokens, as if one were right": total,
            "nothing right gave NaN: math.inf": math.nan,
        },
    )


@COST.case("one question; the lists are left alone", reread=COST_TEXT)
def _(q):
    (row,) = tokens = lengths(q, 1)
    got = q.call_checked_unmutated("cost", tokens, [True])
    q.close("the numbers", list(got), [1.0, *map(float, row * 2)], tol=1e-6, names=THREE)


# --------------------------------------------------------------------------------------------- the policy and the words


def score_reasoner(folder, seed, public):
    """(fraction, message): the share of fresh questions, about residents of no training row, that the handed-in policy
    answers right. The course's checker is asked, not the student's.
    """
    from pathlib import Path

    from course_lib.evaluation.reasoning import score_of_reasoner
    from course_lib.stages.artifacts import load_folder

    return score_of_reasoner(load_folder(Path(folder), "reasoning")[0], derive_seed(seed, LAB))


REASONER = ArtifactQuestion(
    "trained_reasoner",
    lab=LAB,
    points=0.5,
    stage="reasoning",
    score=score_reasoner,
    title="The policy that you trained",
)

WRITTEN_1 = WrittenQuestion(
    "written_1",
    lab=LAB,
    points=0.5,
    title="Has reinforcement taught anything new?",
    rubric="""0.5: compares pass@1 AND pass@k for a large k before and after, with the student's own numbers, and says
what follows: where pass@1 has risen to about what pass@32 was and pass@32 has not, right chains that the cold start
could already write have become likely (a rise of pass@32 beyond its error would speak for more); names the part of § 3
that was lost (a statement or the answer, with its chance) as the one that had room to rise; AND uses § 12's control:
the same questions and as many chains, not chosen, so what the chosen ones gain over it comes from the checker and not
from practice. Either conclusion earns full marks where the student's numbers carry it.
0.25: only two of the three (curves, parts, control), or the right reading without numbers.  0: "pass@1 rose, so it has
learned to reason", with nothing on larger k.""",
)

WRITTEN_2 = WrittenQuestion(
    "written_2",
    lab=LAB,
    points=0.5,
    title="A checker for a task of your own",
    rubric="""0.5: names a task and at least two kinds of texts to try before training: some that know no answer and
must be refused (all options in a list, two answers, the answer in passing, nothing at all), AND a right one written in
another way that must be accepted; names at least two things to watch during the run that are not the reward itself (a
stricter checker or fresh questions that the policy is not rewarded on, texts read by eye, their length, the share of
groups that tell something, steps that are false, other abilities); AND supports both with own numbers: what § 6's
checker accepted, what § 11's policy wrote and earned from either checker, false steps or lost instructions and refusals
of § 14.
0.25: only one side (texts, or what to watch), or no number of one's own.  0: "test it well", or trusts the reward.""",
)
