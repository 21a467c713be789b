#!/usr/bin/env bash
# Raters who give all texts one and the same label agree fully, by chance as well as in fact: the corrected agreement is 0/0. Five packages answer four things
# for the same labels: NaN (statsmodels 0.15.0, Cohen and Fleiss; scikit-learn 1.9.1; torchmetrics 1.9.0, Cohen), 0.0, as for raters who guess (torchmetrics
# 1.9.0, Fleiss), 1 (nltk 3.10.4, alpha), and a ValueError (krippendorff 0.9.0, alpha). A judge who finds nothing in a clean sample gets a perfect mark, the
# mark of a coin, or none. With two labels in use all of them say 1.
# Ours is NaN, which the table shows as a missing value: cohen_kappa in course_lib/evaluation/agreement.py, tests/evaluation.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 statsmodels==0.15.0 torchmetrics==1.9.0 scikit-learn==1.9.1 nltk==3.10.4 krippendorff==0.9.0
OMP_NUM_THREADS=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import krippendorff
import numpy as np
import torch
from nltk.metrics.agreement import AnnotationTask
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from torchmetrics.functional import cohen_kappa
from torchmetrics.functional.nominal import fleiss_kappa as fleiss_of_torchmetrics


def answers(labels):
    """What each function says of two raters who both gave these labels, 0 or 1."""
    counts = np.array([[2 - 2 * label, 2 * label] for label in labels])  # votes for each label, by text
    table = np.diag(counts.sum(0) // 2)
    asked = {
        "statsmodels, Cohen": lambda: cohens_kappa(table).kappa,
        "statsmodels, Fleiss": lambda: fleiss_kappa(counts),
        "scikit-learn, Cohen": lambda: cohen_kappa_score(labels, labels),
        "torchmetrics, Cohen": lambda: cohen_kappa(torch.tensor(labels), torch.tensor(labels), task="binary"),
        "torchmetrics, Fleiss": lambda: fleiss_of_torchmetrics(torch.tensor(counts)),
        "nltk, alpha": lambda: AnnotationTask([(who, text, label) for who in "ab" for text, label in enumerate(labels)]).alpha(),
        "krippendorff, alpha": lambda: krippendorff.alpha([labels, labels], level_of_measurement="nominal"),
    }
    said = {}
    for name, ask in asked.items():
        try:
            said[name] = round(float(ask()), 3)
        except ValueError as error:
            said[name] = type(error).__name__
    return said


one, two = answers([0, 0, 0, 0]), answers([0, 1, 0, 1])
for name in one:
    print(f"{name}: {one[name]} where one label is in use, {two[name]} where two are")
assert set(two.values()) == {1.0}
assert {name: str(value) for name, value in one.items()} == {
    "statsmodels, Cohen": "nan",
    "statsmodels, Fleiss": "nan",
    "scikit-learn, Cohen": "nan",
    "torchmetrics, Cohen": "nan",
    "torchmetrics, Fleiss": "0.0",
    "nltk, alpha": "1.0",
    "krippendorff, alpha": "ValueError",
}
PYTHON
