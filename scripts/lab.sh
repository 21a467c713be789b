#!/usr/bin/env bash
# Opens JupyterLab in labs/ and prints its address. More arguments for it: make lab ARGS="--port 9000"
set -euo pipefail
cd "$(dirname "$0")/.."
ls labs/*.ipynb >/dev/null 2>&1 || {
    echo "Littlebrook: labs/ has no notebooks: get a whole copy of the course, or run make build." >&2
    exit 1
}
# JupyterLab's defaults for this course: no questions about news, no look for updates
settings=.venv/share/jupyter/lab/settings
mkdir -p $settings && cat > $settings/overrides.json <<'JSON'
{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
JSON
options=(--ServerApp.root_dir="$PWD/labs")
[ "$(id -u)" != 0 ] || options+=(--allow-root)
[ "$(uname -s)" = Darwin ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || options+=(--no-browser)
echo "Littlebrook: JupyterLab starts; open the address with ?token= below in a browser. Ctrl-C twice ends it."
PATH="$PWD/.venv/bin:$PATH" OMP_WAIT_POLICY=passive exec jupyter lab "${options[@]}" "$@"
