#!/usr/bin/env bash
# torchmetrics 1.9.0: BinaryAUROC of raw scores, as a reward model gives them, changes with what no ranking depends on. Each batch given to update() in which
# one score lies outside [0, 1] goes through a sigmoid, in float32, and a batch whose scores all happen to lie in [0, 1] does not. So (1) a constant added to
# all scores makes ties of them (from about 17 on every sigmoid is 1.0): 0.772 becomes 0.757 with 15 added; four scores above 17 in perfect order come to 0.5,
# a coin's; (2) the same rows in batches of one, two and eight come to 0.734, 0.755 and 0.772. The average precision moves with it. scikit-learn's area is the
# same for all of them.
# Ours counts pairs in their order, without a sigmoid: judge_accuracy in course_lib/evaluation/agreement.py.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6 torchmetrics==1.9.0 scikit-learn==1.9.1
OMP_NUM_THREADS=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.classification import BinaryAUROC


def area(scores, labels, batch):
    metric = BinaryAUROC()
    for k in range(0, len(scores), batch):
        metric.update(scores[k : k + batch], labels[k : k + batch])
    return round(float(metric.compute()), 3)


four, of_four = torch.tensor([18.0, 30.0, 25.0, 20.0]), torch.tensor([0, 1, 1, 0])
torch.manual_seed(0)
labels = torch.randint(0, 2, (2000,))
scores = torch.randn(2000) + labels
print("four scores in perfect order:", area(four, of_four, 4), "scikit-learn:", roc_auc_score(of_four, four))
shifted = {plus: area(scores + plus, labels, 2000) for plus in (0, 15)}
batched = {size: area(scores, labels, size) for size in (2000, 8, 2, 1)}
right = {plus: round(float(roc_auc_score(labels, scores + plus)), 3) for plus in shifted}
print("2,000 scores, with a constant added:", shifted, "scikit-learn:", right)
print("by the size of a batch:", batched)
assert area(four, of_four, 4) == 0.5 and roc_auc_score(of_four, four) == 1.0
assert right == {0: 0.772, 15: 0.772} and shifted == {0: 0.772, 15: 0.757}
assert batched == {2000: 0.772, 8: 0.772, 2: 0.755, 1: 0.734}
PYTHON
