"""Lab 05: the search, the prompt, the measures, the rows and the rule, as they stand in the library."""

from course_lib.evaluation.answers import break_even, decide, score_answers  # noqa: F401
from course_lib.stages.retrieval import bm25_scores, build_prompt, idf, injection_rows, mean_pool, top_k  # noqa: F401
from course_lib.stages.retrieval import words as words_of  # noqa: F401
