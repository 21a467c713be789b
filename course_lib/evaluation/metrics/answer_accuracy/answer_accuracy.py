"""evaluate.load("…/metrics/answer_accuracy"): share of right answers. The work is in course_lib.evaluation.answers."""

import evaluate

import datasets
from course_lib.evaluation.answers import accuracy


class AnswerAccuracy(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="Share of answers that name the right value and none that was right before; where nobody can "
            "know, that say so.",
            citation="",
            inputs_description="predictions: answers · references: right values · stale (keyword): for each question "
            "the values that no longer hold",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(self, predictions, references, stale=None):  # ty: ignore[incompatible-method-override]  # evaluate calls it by keyword
        return {"answer_accuracy": accuracy(predictions, references, stale)}
