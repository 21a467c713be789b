"""Each graded question, written once and run in two places: the notebook and the grader."""
