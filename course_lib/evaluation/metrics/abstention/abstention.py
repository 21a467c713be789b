"""evaluate.load("…/metrics/abstention"): share of answers "I do not know." The work is in
course_lib.evaluation.answers.
"""

import evaluate

import datasets
from course_lib.evaluation.answers import abstention


class Abstention(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="Share of answers that are “I do not know.” and nothing else.",
            citation="",
            inputs_description="predictions: answers · references: right values (not used)",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions, references):  # ty: ignore[incompatible-method-override]  # evaluate calls it by keyword
        return {"abstention": abstention(predictions)}
