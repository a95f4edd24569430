#!/usr/bin/env bash
# Fuzzes the C of the quality gate under libFuzzer and the sanitizers of clang, and the readers of weight files, which
# are Python, under atheris: the targets of tests/fuzz.
#
#     tools/fuzz.sh [SECONDS [TARGET...]]     runs each target so long (60), from its corpus; 0 runs the corpus alone
#     tools/fuzz.sh minimise [TARGET...]      reduces the corpus to the fewest files that reach all code found so far
#
# tests/fuzz/README.md has the targets, where inputs go, and what to do with a crash. Needs clang with its runtime
# libraries for targets in C, and .venv for those in Python; atheris is installed into build/fuzz/python. Exit status 1
# when a target failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

clang=${CLANG:-clang}
python=${PYTHON:-.venv/bin/python}
seconds=${1:-60}
shift $(($# > 0))
targets=("$@")
[ ${#targets[@]} -gt 0 ] || for file in tests/fuzz/*.c tests/fuzz/[a-z]*.py; do
    file=${file##*/}
    targets+=("${file%.*}")
done
mkdir -p build/fuzz

build() {
    if [ -f "tests/fuzz/$1.py" ]; then
        build_python
        return
    fi
    command -v "$clang" >/dev/null || {
        echo "Install clang (Debian: apt-get install clang libclang-rt-dev), or name one: CLANG=clang-19 $0" >&2
        exit 1
    }
    "$clang" -std=c11 -g -O2 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -Wall -Wextra -Werror -Icsrc -Itests/fuzz -o "build/fuzz/$1" "tests/fuzz/$1.c" \
        csrc/gate/*.c csrc/repair/*.c csrc/core/{arena,status,progress}.c tests/fuzz/support/serial.c -ljpeg -lm
}

build_python() {
    local wanted=tools/requirements-fuzz.txt
    [ build/fuzz/python/installed -nt $wanted ] && return
    "$python" -m pip install --quiet --upgrade --no-deps --require-hashes --target build/fuzz/python -r $wanted || {
        echo "Use Python 3.11 to 3.13 on Linux for the targets in Python: atheris has no wheel for $python." >&2
        exit 1
    }
    touch build/fuzz/python/installed
}

run() { # a target, then libFuzzer's options and folders
    local target=$1
    shift
    if [ -f "tests/fuzz/$target.py" ]; then
        PYTHONPATH=build/fuzz/python "$python" -m tests.fuzz.support.python_target "$target" -timeout=60 \
            -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" "$@"
        return
    fi
    ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
        "build/fuzz/$target" -timeout=60 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/$target-" "$@"
}

status=0
for target in "${targets[@]}"; do
    build "$target"
    found=build/fuzz/$target.found kept=tests/fuzz/corpus/$target
    mkdir -p "$found" "$kept"
    if [ "$seconds" = minimise ] && [ -f "tests/fuzz/$target.py" ]; then
        echo "$target: left as it is; libFuzzer starts itself again to merge, which it cannot where Python starts it"
    elif [ "$seconds" = minimise ]; then
        rm -rf "$found.least" && mkdir "$found.least"
        run "$target" -merge=1 -max_len=4096 "$found.least" "$kept" "$found" 2>&1 | tail -n 1
        rm -rf "$kept" && mv "$found.least" "$kept"
    elif [ "$seconds" = 0 ]; then
        run "$target" "$kept"/* >"build/fuzz/$target.log" 2>&1 || status=1
    else
        run "$target" -max_total_time="$seconds" "$found" "$kept" >"build/fuzz/$target.log" 2>&1 || status=1
    fi
    [ "$seconds" = minimise ] || { echo "$target:"; tail -n 12 "build/fuzz/$target.log"; }
done
exit $status
