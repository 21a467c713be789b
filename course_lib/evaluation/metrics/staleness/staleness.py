"""evaluate.load("…/metrics/staleness"): share of answers that no longer hold. The work is in
course_lib.evaluation.answers.
"""

import evaluate

import datasets
from course_lib.evaluation.answers import staleness


class Staleness(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="Among the questions whose answer has changed: share of answers that name a value that no "
            "longer holds.",
            citation="",
            inputs_description="predictions: answers · references: right values (not used) · stale (keyword): for each "
            "question the values that no longer hold",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions, references, stale):  # ty: ignore[incompatible-method-override]  # evaluate calls it by keyword
        return {"staleness": staleness(predictions, stale)}
