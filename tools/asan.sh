#!/usr/bin/env bash
# Builds the extension with AddressSanitizer and UndefinedBehaviorSanitizer into build/asan, beside the normal one, and
# runs the tests of csrc/ on it. Arguments are passed to pytest.
#
# The sanitizers' libraries are preloaded, and libstdc++ with them so that they intercept C++ exceptions.
# Leaks count if they were allocated in csrc/; Python, libtorch and the test libraries keep memory until the process
# ends. Therefore exitcode=0, and this script reads the reports. Errors abort the process, whatever the exit code.
# alloc_dealloc_mismatch=0: libtorch frees with `delete` what its own operators got from malloc.
# allocator_may_return_null=1: tests ask for more memory than malloc can have.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python
reports=$PWD/build/asan/report

SONIC_SANITIZE=1 MAX_JOBS=${MAX_JOBS:-$(nproc)} "$python" setup.py build_ext >build/asan.log 2>&1 || {
    tail -n 20 build/asan.log >&2
    echo "Correct the first error above: the sanitized extension did not build. The whole output is in" \
        "build/asan.log." >&2
    exit 1
}

# A package folder of links to the real one, except for the extension; beside it the packages that tests import.
for folder in tests bench tools; do ln -sfn "$PWD/$folder" "build/asan/$folder"; done
for file in sonic_nodes/*; do
    case $file in *.so | *__pycache__) ;; *) ln -sfn "$PWD/$file" "build/asan/$file" ;; esac
done

sanitized() {
    local preload='' library malloc=alloc_dealloc_mismatch=0:allocator_may_return_null=1
    for library in libasan.so libubsan.so libstdc++.so; do preload+=" $(g++ -print-file-name=$library)"; done
    rm -f "$reports".*
    env LD_PRELOAD="${preload# }" PYTHONPATH="$PWD/build/asan" PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
        ASAN_OPTIONS="detect_leaks=1:exitcode=0:abort_on_error=1:$malloc:log_path=$reports" \
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:abort_on_error=1:log_path=$reports" \
        "$python" "$@"
}

sanitized -c 'import sys; from sonic_nodes.extension.native import _sonic
sys.exit("build/asan" not in _sonic.__file__ and _sonic.__file__)'
folders=()
for folder in csrc/*/; do [ ! -d "tests/${folder#csrc/}" ] || folders+=("tests/${folder#csrc/}"); done
status=0
sanitized -m pytest -p no:cacheprovider -p no:faulthandler --capture=sys -m "not resident_memory" \
    "${folders[@]}" "$@" || status=$?

for report in "$reports".*; do
    [ -e "$report" ] || continue
    if grep -q -e 'ERROR: AddressSanitizer' -e 'runtime error:' "$report"; then
        head -n 60 "$report" >&2
        status=1
    fi
    # One paragraph a leak; ours have a frame in csrc/.
    if awk 'BEGIN { RS = "" } /^(Direct|Indirect) leak/ && /csrc\// { print $0 "\n"; found = 1 }
            END { exit !found }' "$report" >&2; then
        echo "Free what the stacks above allocate: it leaks." >&2
        status=1
    fi
done
exit $status
