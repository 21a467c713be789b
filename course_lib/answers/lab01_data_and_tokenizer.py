"""Lab 01: the course's answers. All of them stand in the library in the shape that the exercises ask for."""

from course_lib.stages.bpe import learn_merges, merge_pair
from course_lib.stages.cleaning import (
    bytes_per_token,
    candidate_pairs,
    contaminated,
    drop_exact_duplicates,
    find_pii,
    keep_page,
    minhash_signature,
)

__all__ = [
    "bytes_per_token",
    "candidate_pairs",
    "contaminated",
    "drop_exact_duplicates",
    "find_pii",
    "keep_page",
    "learn_merges",
    "merge_pair",
    "minhash_signature",
]
