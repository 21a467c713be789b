"""Several readers of one class: a file of names and tokens, whose answers are whose, and how well they agree.

The file (private: mode 0600) has a line for each reader, `name: token`; the token makes the address, and a line without
one gets one. An answer is read by the first of all readers in an order of its own, drawn by hash from the class's
secret: when one leaves, only his or her answers move. Answers of the same words, and those of a group, go to the same
reader.
"""

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from course_lib.evaluation.agreement import bootstrap, cohen_kappa
from course_lib.grading.records import marks, store
from course_lib.grading.reports.review.queue import vocabulary

SHORTEST = 20  # characters of a token


def read(path):
    """{name: token} of the file; those without a token get one, and it is written again. Raises StoreError."""
    path = Path(path)
    try:
        text, mode = path.read_text(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise store.StoreError(f"the readers' file {path} cannot be read: {error}") from None
    found, fresh = {}, False
    for number, line in enumerate(text.splitlines(), 1):
        name, token = (" ".join(part.split()) for part in line.partition(":")[::2])
        if not name and not token:
            continue
        if token and mode & 0o077:
            raise store.StoreError(f"{path} holds tokens and others may read it: chmod 600 {path}")
        if token and (not re.fullmatch(rf"[\w-]{{{SHORTEST},}}", token) or token in found.values()):
            raise store.StoreError(f"{path}, line {number}: remove what is behind the colon, and a new token is made")
        if not name or name in found or len(name) > 80:
            raise store.StoreError(f"{path}, line {number}: a name that nobody else has, of at most 80 characters")
        fresh |= not token
        found[name] = token or secrets.token_urlsafe(24)
    if not found:
        raise store.StoreError(f"{path} names nobody: a line for each reader, the name alone")
    if fresh:
        store.write_private(path, "".join(f"{name}: {token}\n" for name, token in found.items()).encode())
    return found


def drawn(key, *parts):
    """A number from 0 to 1 that only these parts and the class's secret decide."""
    digest = hmac.new(key, "|".join(("reader", *parts)).encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def shares(items, names, twice, key):
    """{name: (ids that he or she reads, those of them that another one reads first)}; a share `twice` of all is read by
    a second one. items: the answers, or the hand-ins with "group" for whose they are.
    """
    found = {name: (set(), set()) for name in names}
    for each, item in items.items() if names else ():
        words = " ".join(sorted(vocabulary(item["answer"])))
        same = f"{item['question']}|{item['group'] or words}"
        first, *others = sorted(names, key=lambda name: drawn(key, same, name))
        found[first][0].add(each)
        if others and drawn(key, "twice", each) < twice:
            found[others[0]][0].add(each)
            found[others[0]][1].add(each)
    return found


def agreement(lab, grades=store.GRADES):
    """Lines on the answers that two people have marked: for each question how many, in how many they agree, Cohen's κ
    of their points with its 95 % interval, and the answers in which they differ, most first.
    """
    ones, others, pairs = marks.by_reader(lab, grades), marks.by_reader(lab, grades, second=True), {}
    for key in sorted(ones.keys() & others.keys()):
        # of the first file the one who marked first: what somebody has decided afterwards, knowing both, is no reading
        first, second = next(iter(ones[key].items()), None), next(iter(others[key].items()), None)
        if first and second and first[0] != second[0]:
            pairs.setdefault(key[2], []).append((key[0], first, second))
    lines = []
    for question, found in sorted(pairs.items()):
        a, b = [one for _, (_, one), _ in found], [other for _, _, (_, other) in found]
        same, kappa, (low, high) = sum(x == y for x, y in zip(a, b)), cohen_kappa(a, b), bootstrap(cohen_kappa, a, b)
        told = f"κ {kappa:.2f} (95 %: {low:.2f} to {high:.2f})" if kappa == kappa else "no κ: all points are the same"
        lines.append(f"{question}: {len(found)} answers marked twice, {same} alike, {told}")
        for student, (who, one), (other, two) in sorted(found, key=lambda each: -abs(each[1][1] - each[2][1])):
            if one != two:
                lines.append(f"  {student}: {who} {one:g}, {other} {two:g}")
    return lines or [f"no answer of {lab} is marked by two people yet: course review {lab} --tas FILE --twice 0.2"]
