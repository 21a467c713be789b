"""Lab 05: the search, the prompt, the measures, the rows and the rule, as they stand in the library."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from course_lib.evaluation.answers import break_even, decide, score_answers  # noqa: F401
from course_lib.stages import retrieval
from course_lib.stages.retrieval import bm25_scores, build_prompt, idf, injection_rows, top_k  # noqa: F401
from course_lib.stages.retrieval import words as words_of  # noqa: F401


def mean_pool(hidden: Float[Tensor, "N T D"], mask: Int[Tensor, "N T"] | Bool[Tensor, "N T"]) -> Float[Tensor, "N D"]:
    """Each row's mean over its real tokens, scaled to length 1; the mask may be of True and False."""
    return retrieval.mean_pool(hidden, mask.long())
