"""How sure is a share? Interval for k right out of n."""

import math


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """(low, high) of the share right / n: Wilson's score interval (1927), 95 % for z = 1.96. It stays within [0, 1] and
    is sensible at 0 of n and n of n.

    Raises ValueError for n < 1 and for a count outside 0 … n."""
    if n < 1 or not 0 <= right <= n:
        raise ValueError(f"{right} right out of {n} is no share: give a count from 0 to n, and n of at least 1")
    share, shrink = right / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / shrink
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / shrink
    return max(0.0, middle - half), min(1.0, middle + half)
