"""The levels of a written question's rubric: what a reviewer chooses from, and what a student reads beside a mark."""

import re


def told(rubric, points):
    """{points: text} of a rubric like "0.5: says both. 0.25: only one.  0: neither."; {} where it has no levels."""
    parts = re.split(r"(?:^|\n|  )(\d+(?:\.\d+)?):\s", rubric)
    return {float(p): " ".join(text.split()) for p, text in zip(parts[1::2], parts[2::2]) if float(p) <= points}


def levels(rubric, points):
    """[(points, text)], the highest first. Without levels: quarters of the points."""
    found = told(rubric, points)
    if not found or max(found) == 0:
        found |= {points * quarter / 4: f"{25 * quarter} %" for quarter in range(5)}
    return sorted(({0.0: "nothing of it"} | found).items(), reverse=True)
