#!/usr/bin/env bash
# Runs the tests, the notebooks of solutions/ included (re-run at size tiny, outputs of the checks compared). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
install() { # install PACKAGE WHAT-THEN: by apt where that is allowed; else one line
    export DEBIAN_FRONTEND=noninteractive
    sudo=$([ "$(id -u)" = 0 ] || echo "sudo -n")
    { $sudo apt-get install -y -q "$1" || { $sudo apt-get update -q && $sudo apt-get install -y -q "$1"; }; } >/dev/null 2>&1 ||
        echo "Littlebrook: $1 is missing (sudo apt install $1); $2."
}
if [ "$(uname -s)" != Linux ]; then
    echo "Littlebrook: grading needs bubblewrap, which is for Linux only; the tests of the sandbox are skipped."
else
    command -v bwrap >/dev/null || install bubblewrap "the tests of the sandbox will fail"
    command -v chromium >/dev/null || install chromium "the tests in a real browser are skipped"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH="$PWD/.venv/bin:$PATH" COURSE_WORK="$work/work" COURSE_SIZE=tiny
python -m pytest --nbval-lax --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout=300 "$@"
