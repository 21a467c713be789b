"""Lab 12, reasoning with a checker: the graded questions. Each is written once and runs in the notebook (`check`) and
through the sandbox (`course grade`).

The oracles are another form of each formula (a product token by token, draws one after the other), or there is none and
the inputs are built so that the answer is known: this file does not ship the answers it asks for.
Sources: pass@k, Chen et al. 2021 (2107.03374) · majority vote, Wang et al. 2022 (2203.11171).
"""

import math
import statistics

import torch

from course_lib.questions.core import Question

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


@PASS.case(ALONE, rule=ALONE, hint="A standard deviation of one value is not defined: ask for it.", reread=PASS_TEXT)
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
    q.same("where each chain gave none", q.call("majority", [None, None, None]), (None, 0.0), mistakes=wrong)
    q.same("for no chain at all", q.call("majority", []), (None, 0.0), mistakes=wrong)


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
