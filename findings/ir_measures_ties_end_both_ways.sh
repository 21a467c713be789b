#!/usr/bin/env bash
# ir_measures 0.4.3: documents with equal scores stand in one order for RR, P, R, AP, nDCG and Success (of equals the identifier that comes last is first, by
# trec_eval) and in the opposite order for RR with a cutoff and for Judged (by its providers msmarco and judged). So RR@10, which can only lose against RR,
# comes out three times as large for a list of three equals, and RR@2 is 0 where RR is 1. BM25 gives equal scores to all documents that have none of the
# query's words.
# Ours sorts before it measures: top_k of lab 05 has a rule for ties (the later document first), with a case of its own.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q ir_measures==0.4.3 pytrec_eval-terrier==0.5.11
"$place/venv/bin/python" - <<'PYTHON'
from ir_measures import RR, Judged, P, Qrel, ScoredDoc, Success, calc_aggregate, nDCG

RUN = [ScoredDoc("query", document, 1.0) for document in "abc"]


def with_relevant(document, measures):
    found = calc_aggregate(measures, [Qrel("query", document, 1)], RUN)
    return [round(found[measure], 3) for measure in measures]


seen = {document: with_relevant(document, [RR, P @ 1, Success @ 1, nDCG @ 1, RR @ 2, RR @ 10, Judged @ 1]) for document in "abc"}
print("relevant  RR  P@1  Success@1  nDCG@1  |  RR@2  RR@10  Judged@1")
for document, figures in seen.items():
    print(document, figures)
assert seen == {
    "a": [0.333, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
    "b": [0.5, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0],
    "c": [1.0, 1.0, 1.0, 1.0, 0.0, 0.333, 0.0],
}
PYTHON
