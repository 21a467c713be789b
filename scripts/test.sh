#!/usr/bin/env bash
# Runs the tests on all cores, those of `make lint` and all notebooks at size tiny included. Arguments go to pytest: --fast leaves out the slow ones, -n0 runs all in one
# process.
set -euo pipefail
cd "$(dirname "$0")/.."
install() { # install PACKAGE WHAT-THEN: by apt where that is allowed; else one line
    export DEBIAN_FRONTEND=noninteractive
    sudo=$([ "$(id -u)" = 0 ] || echo "sudo -n")
    { $sudo apt-get install -y -q "$1" || { $sudo apt-get update -q && $sudo apt-get install -y -q "$1"; }; } \
        >/dev/null 2>&1 || echo "Littlebrook: $1 is missing (sudo apt install $1); $2."
}
if [ "$(uname -s)" != Linux ]; then
    echo "Littlebrook: grading needs bubblewrap, which is for Linux only; the tests of the sandbox are skipped."
else
    command -v bwrap >/dev/null || install bubblewrap "the tests of the sandbox will fail"
    command -v chromium chromium-browser google-chrome >/dev/null ||
        install chromium "the tests in a real browser are skipped"
fi
export PATH="$PWD/.venv/bin:$PATH" COURSE_SIZE=tiny
export PYTHONPATH="$PWD/tests/without${PYTHONPATH:+:$PYTHONPATH}" # what costs each process seconds for nothing
if [ "${1:-}" = --fast ]; then # what needs no sandbox, browser, notebook or training of its own, and no 2,000 answers
    shift
    set -- -m "not slow" --ignore=tests/questions/test_answers.py tests/setup/test_lint.py tests/world tests/evaluation \
        tests/widgets tests/stages tests/questions "$@"
fi
# a process more than cores: the tests of the sandbox and of the browser wait for others much of their time
export PYTEST_XDIST_AUTO_NUM_WORKERS=$(($(getconf _NPROCESSORS_ONLN) + 1))
exec python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder "$@"
