#!/usr/bin/env bash
# bm25s 0.3.16: a query of which no word is in the corpus does not come back empty. It returns k documents with score 0, the last ones of the corpus: a RAG
# pipeline that takes "the top k" puts unrelated text into the prompt. Look at the scores. (Lab 05 builds its own retriever and compares with this one.)
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q bm25s==0.3.16 numpy==2.4.6
"$place/venv/bin/python" - <<'PYTHON'
import bm25s

corpus = ["the mill grinds flour", "the brook runs past the mill", "the bridge is closed", "the fair begins on Sunday"]
index = bm25s.BM25()
index.index(bm25s.tokenize(corpus, stopwords=None, show_progress=False), show_progress=False)
found, scores = index.retrieve(bm25s.tokenize(["zebra"], stopwords=None, show_progress=False), k=2, show_progress=False)
print([corpus[n] for n in found[0]], scores[0])
assert set(found[0]) == {2, 3} and (scores == 0).all()
PYTHON
