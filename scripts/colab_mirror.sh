#!/usr/bin/env bash
# A venv with the versions of Colab's newest image that we know (tests/setup/colab), the course installed in it as on
# Colab, and all labs run at size tiny. By hand, before a term: 5 GB of disk and some minutes (torch is PyPI's,
# without a GPU it is the same code). Labs can be named: scripts/colab_mirror.sh 04_lora_and_qlora
# Settings: FREEZE (2026-08), MIRROR (the venv's folder, build/colab-FREEZE), COLAB_PYTHON (else 3.13, the nearest
# where there is none).
set -euo pipefail
cd "$(dirname "$0")/.."
stop() { echo "Littlebrook: $*" >&2; exit 1; }

freeze=${FREEZE:-2026-08} file=tests/setup/colab/${FREEZE:-2026-08}.txt
[ -f "$file" ] || stop "there is no $file; there is: $(cd tests/setup/colab && echo *.txt)"
mkdir -p "${MIRROR:=build/colab-$freeze}"
venv=$(cd "$MIRROR" && pwd) wanted=$(sed -n 's/^# python \([0-9]*\.[0-9]*\).*/\1/p' "$file")

# 1. The Python of the image, or the nearest.
python=""
of_pyenv=("$HOME"/.pyenv/versions/"$wanted".*/bin/python)
for name in ${COLAB_PYTHON:-} "python$wanted" "${of_pyenv[@]}" python3.13 python3.12 python3.11 python3; do
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case $version in 3.11 | 3.12 | 3.13) python=$name; break ;; esac
done
[ -n "$python" ] || stop "found no Python 3.11 to 3.13; set COLAB_PYTHON=/path/to/python."
[ "$version" = "$wanted" ] ||
    echo "Littlebrook: Colab's image has Python $wanted, this machine $version: what follows is the nearest there is."

# 2. What the image has. torchao, too: an old one is what breaks peft. triton comes with torch; sentencepiece and what
# the course never imports stay out.
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || stop "could not make $venv."
grep -E '^[a-z0-9-]+==' "$file" | grep -v '^triton==' > "$venv/freeze.txt"
libraries='tqdm|safetensors|torch|numpy|pandas|transformers|peft|accelerate|datasets|pyarrow|fsspec|tokenizers|torchao'
tools='ipywidgets|ipython|ipykernel|traitlets|tornado|nbclient|nbformat|matplotlib|scikit-learn|anywidget'
names=$(grep -oE "^($libraries|$tools|huggingface-hub|pytest)==" "$venv/freeze.txt" | tr -d '=')
index=()
cpu_index=https://download.pytorch.org/whl/cpu
"$python" -c "import urllib.request as u; u.urlopen('$cpu_index/torch/', timeout=5)" 2>/dev/null &&
    index=(--extra-index-url "$cpu_index")
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@" || stop "pip failed (see above)."; }
if [ "${1:-}" = --dry-run ]; then
    pip install -qq --dry-run -c "$venv/freeze.txt" ${index[@]+"${index[@]}"} $names
    echo "Littlebrook: the image's versions install together under Python $version: $(echo $names)"
    exit 0
fi
pip install -qq -c "$venv/freeze.txt" ${index[@]+"${index[@]}"} $names nbclient ipykernel scikit-learn matplotlib

# 3. The course, as the set-up cell of a notebook does it: what is there is a constraint. Then nothing of the image may
# have moved. pip leaves its own build/ where it builds.
"$venv/bin/python" -m pip list --format=freeze > "$venv/live.txt"
rm -rf "$venv/course" && mkdir "$venv/course" && cp -r pyproject.toml README.md LICENSE course_lib "$venv/course"
SECONDS=0
(cd "$venv/course" && "$venv/bin/python" -m pip --disable-pip-version-check install -qq -c ../live.txt .) ||
    stop "pip failed (see above)."
took=$SECONDS
"$venv/bin/python" -m pip list --format=freeze | grep -v '^littlebrook-course==' > "$venv/after.txt"
moved=$(grep -vxFf "$venv/after.txt" "$venv/live.txt" || true)
[ -z "$moved" ] || stop "installing the course moved: $(echo $moved)"
added=$(grep -vxFf "$venv/live.txt" "$venv/after.txt" | tr '\n' ' ' || true)
echo "Littlebrook: installing the course took $took s, added ${added:-nothing new }and moved nothing."
"$venv/bin/python" -m pip uninstall -qq -y littlebrook-course # the labs run on this checkout

# 4. The labs.
"$venv/bin/python" -m ipykernel install --prefix "$venv" --name python3 >/dev/null 2>&1
COURSE_FAKE_COLAB=1 COURSE_SIZE=tiny PATH="$venv/bin:$PATH" exec "$venv/bin/python" scripts/run_labs.py "$@"
