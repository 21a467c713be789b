#!/usr/bin/env bash
# Layers and circles (import-linter), rules and line length (ruff), format (ruff), types (ty), the workflow (zizmor).
# All are tried; the exit status is 1 if any complains.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
code=(course_lib scripts tests)
if [ "${1:-}" = --fix ]; then
    ruff check --fix "${code[@]}"
    ruff format "${code[@]}"
fi
failed=0
lint-imports --no-logo || failed=1
ruff check "${code[@]}" || failed=1
ruff format --check "${code[@]}" || failed=1
ty check --output-format concise course_lib || failed=1
zizmor --quiet --offline --strict-collection .github/workflows || failed=1
exit $failed
