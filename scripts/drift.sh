#!/usr/bin/env bash
# What will break next? A second venv with the tested torch and the newest releases of what does not depend on it; all
# labs at size tiny; a table of what moved. Labs can be named: scripts/drift.sh 03_supervised_fine_tuning. --dry-run:
# only say which releases are newer than the tested ones.
# Settings: DRIFT (the venv's folder, build/drift), DRIFT_PYTHON (else .venv's), DRIFT_PACKAGES (else those below;
# "transformers==4.57.6 trl" tries a version of your choice).
set -euo pipefail
cd "$(dirname "$0")/.."
stop() { echo "Littlebrook: $*" >&2; exit 1; }
packages=${DRIFT_PACKAGES:-transformers trl peft datasets ipywidgets jupyterlab}
mkdir -p "${DRIFT:=build/drift}"
venv=$(cd "$DRIFT" && pwd)
python=${DRIFT_PYTHON:-.venv/bin/python}
"$python" -c 'import venv' 2>/dev/null || stop "no $python: run make test first, or set DRIFT_PYTHON."

# 1. Everything at its pin but these packages and what they bring with them. torch and numpy stay, so that what is
# seen is the libraries' drift alone.
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || stop "could not make $venv."
grep -E '^(torch|numpy)==' constraints.txt > "$venv/stays.txt"
index=()
cpu_index=https://download.pytorch.org/whl/cpu
"$python" -c "import urllib.request as u; u.urlopen('$cpu_index/torch/', timeout=5)" 2>/dev/null &&
    index=(--extra-index-url "$cpu_index")
pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check "$@" ||
        stop "pip failed (see above): two of the newest releases may not go together."
}
table() { # tested, found
    "$venv/bin/python" - "$1" $packages <<'PY'
import json, re, sys
tested = dict(line.strip().split("==") for line in open("constraints.txt") if "==" in line)
installed = [item["metadata"] for item in json.load(open(sys.argv[1]))["install"]]
found = {re.sub(r"[-_.]+", "-", m["name"]).lower(): m["version"].partition("+")[0] for m in installed}
names = [re.match(r"[\w.-]+", asked)[0] for asked in sys.argv[2:]] # also of transformers==4.57.6
for name in names:
    moved = "" if tested.get(name) == found.get(name) else " moved"
    print(f"{name:16} tested {tested.get(name, '?'):12} found {found.get(name, '?'):12}" + moved)
brought = {name: version for name, version in found.items() if name not in names}
others = sorted(f"{n} {tested[n]} -> {version}" for n, version in brought.items() if tested.get(n, version) != version)
print(f"and of the {len(found) - len(names)} packages that they bring: {', '.join(others) or 'none moved'}")
PY
}
pip install -qq --dry-run --ignore-installed --report "$venv/report.json" -c "$venv/stays.txt" \
    ${index[@]+"${index[@]}"} torch $packages
table "$venv/report.json"
[ "${1:-}" != --dry-run ] || exit 0

# 2. Install: the newest of these, then the course's other libraries at their lower bounds or above.
pip install -qq --upgrade -c "$venv/stays.txt" ${index[@]+"${index[@]}"} torch $packages
"$venv/bin/python" -m pip list --format=freeze > "$venv/live.txt"
pip install -qq -c "$venv/live.txt" ${index[@]+"${index[@]}"} -e ".[lab,grade]"

# 3. The labs. A row that does not say `ran` names the notebook, the cell, the exception and the line of course_lib,
# which is where the API moved.
"$venv/bin/python" -m ipykernel install --prefix "$venv" --name python3 >/dev/null 2>&1
COURSE_SIZE=tiny PATH="$venv/bin:$PATH" exec "$venv/bin/python" scripts/run_labs.py "$@"
