#!/usr/bin/env bash
# Installs one wheel into clean environments and runs the tests on the installed package; then compares results bit by
# bit.
#
#   tools/matrix.sh [dist/*.whl]
#
# MATRIX="3.12:2:2.13.0 ..."   the environments, as Python:NumPy:PyTorch
# PLACE=build/matrix           their folder. PyTorch takes some 5 GB a version, once: environments share uv's cache
# TESTS="tests"                what pytest runs; tests/e2e, which starts a ComfyUI, is left out
#
# Needs the Python versions on the PATH (pyenv's are found) and uv (pip install uv). UV_INDEX=... names an index with
# PyTorch's CPU builds; PyPI's CUDA builds run on a CPU, too. Exits 0 when everything passed and all environments with
# the same PyTorch agree in every bit.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

matrix=${MATRIX:-3.10:1.26:2.10.0 3.12:1.26:2.10.0 3.13:2:2.10.0 3.12:2:2.13.0 3.13:2:2.13.0}
place=$(realpath -m "${PLACE:-build/matrix}")
wheel=$(realpath "${1:-$(echo dist/sonic_talking_portrait-*.whl)}")
export UV_CACHE_DIR=${UV_CACHE_DIR:-$place/cache} PATH="$PATH:$(echo ~/.pyenv/versions/*/bin | tr ' ' ':')"
unset PYTHONPATH
[ -f "$wheel" ] || { echo "Type make wheel first: $wheel does not exist." >&2; exit 1; }
command -v uv >/dev/null || { echo "Install uv: pip install uv." >&2; exit 1; }
mkdir -p "$place"
failed=0

# The checkout with a link to the installed package in place of its own, so no test can import the sources.
lay_out() {
    local folder=$1 package=$2
    rm -rf "$folder"
    mkdir -p "$folder"
    git ls-files -z --cached --others --exclude-standard | grep -zv '^sonic_nodes/\|^csrc/' |
        xargs -0 cp --parents -t "$folder"
    ln -s "$package" "$folder/sonic_nodes"
}

prepare() {
    local name=$1 python=$2 numpy=$3 torch=$4
    rm -rf "${place:?}/$name"
    uv venv --quiet --python "$python" "$place/$name" &&
        uv pip install --quiet --python "$place/$name" "torch==$torch" "numpy==$numpy.*" \
            -r requirements-dev.in || return  # the ranges: the lock has one NumPy a Python
    uv pip freeze --python "$place/$name" >"$place/$name.before"
    uv pip install --quiet --python "$place/$name" "$wheel" || return
    uv pip freeze --python "$place/$name" | grep -v '^sonic-talking-portrait' >"$place/$name.after"
    diff "$place/$name.before" "$place/$name.after" ||
        { echo "installing the wheel changed the packages above" >&2; return 1; }
}

check() {
    local name=$1 bin="$place/$1/bin" package
    package=$(cd / && "$bin/python" -c 'import os, sonic_nodes.extension.native as n
print(os.path.dirname(os.path.realpath(n._sonic.__file__)))') || return
    case $package in
        "$(realpath "$place/$name")"/*) ;;
        *) echo "$package is not the installed package" >&2; return 1 ;;
    esac
    lay_out "$place/checkout-$name" "$package"
    (
        cd "$place/checkout-$name" || exit
        "$bin/sonic" doctor
        "$bin/python" -m bench.fingerprint >"$place/$name.fingerprint" &&
            SONIC_WHEEL=$wheel "$bin/python" -m pytest -rs -p no:cacheprovider --ignore=tests/e2e \
                --ignore=tests/test_repository.py ${TESTS:-}
    )
}

for row in $matrix; do
    IFS=: read -r python numpy torch <<<"$row"
    name=python$python-numpy$numpy-torch$torch
    log=$place/$name.log
    if prepare "$name" "$python" "$numpy" "$torch" >"$log" 2>&1 && check "$name" >>"$log" 2>&1; then
        echo "$name: $(tail -n 1 "$log")"
    else
        failed=1
        echo "$name FAILED: $(tail -n 1 "$log")   ($log)"
    fi
done

for torch in $(printf '%s\n' $matrix | cut -d: -f3 | sort -u); do
    first=
    for file in "$place"/*-torch"$torch".fingerprint; do
        name=$(basename "$file" .fingerprint)
        case " $matrix " in *" $(sed 's/python//; s/-numpy/:/; s/-torch/:/' <<<"$name") "*) ;; *) continue ;; esac
        if [ -z "$first" ]; then first=$file; continue; fi
        if different=$(diff "$first" "$file"); then
            echo "$name computes the same $(wc -l <"$file") results as $(basename "$first" .fingerprint), bit by bit"
        else
            failed=1
            echo "$name and $(basename "$first" .fingerprint) differ:"
            echo "$different"
        fi
    done
done
exit $failed
