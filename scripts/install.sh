#!/usr/bin/env bash
# scripts/install.sh EXTRA…    makes .venv with the pins of constraints.txt and the course's extras in it; does nothing
# when that is done.
# Settings: PYTHON (which one), COURSE_TORCH=cpu|cuda (else by nvidia-smi), COURSE_MIN_DISK_MB (4000; 9000 with CUDA).
set -euo pipefail
cd "$(dirname "$0")/.."

stop() { echo "Littlebrook: $*" >&2; exit 1; }
CPU_INDEX=https://download.pytorch.org/whl/cpu

# 1. A Python: the one in .venv if that works, else the first that does. Shims that do not run, too old and too new are
# passed over.
stamp=".venv/.installed-$(IFS=-; echo "$*")"
venv=.venv/bin/python
[ "$(cat .venv/.place 2>/dev/null)" = "$PWD" ] && $venv -m pip --version >/dev/null 2>&1 || venv=""
python="" seen=""
for name in ${PYTHON:-} $venv python3 python3.13 python3.12 python3.11; do
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in
        3.11 | 3.12 | 3.13) python=$name; break ;;
        *) seen="$seen $version" ;;
    esac
done
[ -n "$python" ] || stop "needs Python 3.11, 3.12 or 3.13 and found${seen:- none}. Debian/Ubuntu: sudo apt install" \
    "python3 python3-venv; macOS: brew install python@3.13; or set PYTHON=/path/to/python."
[ "$python" = "$venv" ] ||
    [ "$($venv -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ] || venv=""

# 2. Done already?
wanted="$(cat pyproject.toml constraints.txt scripts/install.sh | cksum) $version"
[ -n "$venv" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

# 3. What else could be missing.
{ touch ".probe-$$" && rm ".probe-$$"; } 2>/dev/null ||
    stop "cannot write to $PWD: copy the course to a folder of your own."
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    stop "this Python has no venv module: sudo apt install python$version-venv"
index=() need=4000
if [ "$(uname -s)" = Linux ]; then
    if [ "${COURSE_TORCH:-}" = cuda ] || { [ -z "${COURSE_TORCH:-}" ] && nvidia-smi >/dev/null 2>&1; }; then
        need=9000
    # PyPI's Linux build of torch brings gigabytes of CUDA. PyTorch's own index has a CPU build; pip waits long for an
    # index that is away, so ask first.
    elif "$python" -c "import urllib.request as u; u.urlopen('$CPU_INDEX/torch/', timeout=5)" 2>/dev/null; then
        index=(--extra-index-url "$CPU_INDEX")
    else
        need=9000
        echo "Littlebrook: $CPU_INDEX does not answer, so torch comes from pip's usual places" \
            "(PyPI's build is about 3 GB)."
    fi
fi
if [ -z "$venv" ]; then
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    need=${COURSE_MIN_DISK_MB:-$need}
    [ "$free" -ge "$need" ] ||
        stop "needs $need MB of disk and $PWD has $free MB free: make room, or move the course to another disk."
    # 4. Install. Nothing outside .venv is touched.
    rm -rf .venv
    "$python" -m venv .venv || stop "could not make .venv with $python (see above)."
    echo "$PWD" > .venv/.place # a venv that was moved does not work
fi
echo "Littlebrook: installing into $PWD/.venv: first PyTorch, some minutes the first time …"
pip() {
    .venv/bin/python -m pip --disable-pip-version-check "$@" ||
        stop "pip failed (see above); run the same command again to go on from here."
}
pip install -qq -c constraints.txt ${index[@]+"${index[@]}"} torch numpy
echo "Littlebrook: … then JupyterLab and the rest …"
pip install -qq -c constraints.txt -e ".[$(IFS=,; echo "$*")]"
echo "$wanted" > "$stamp"
