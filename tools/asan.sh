#!/usr/bin/env bash
# Builds the extension with sanitizers, beside the normal one, and runs the tests of csrc/ on it. Arguments are passed
# to pytest; those that name tests replace the folders of csrc/.
#
#   tools/asan.sh                            GCC; AddressSanitizer and UndefinedBehaviorSanitizer; build/asan
#   SONIC_SANITIZE=undefined tools/asan.sh   clang; UndefinedBehaviorSanitizer alone, several times faster; build/ubsan
#
# In both, memory that nothing was written to is filled with a pattern, and numbers must fit what they are converted to.
# The sanitizers' libraries are preloaded, and libstdc++ with them so that they intercept C++ exceptions.
# Leaks count if they were allocated in csrc/; Python, libtorch and the test libraries keep memory until the process
# ends. Therefore exitcode=0, and this script reads the reports. Errors abort the process, whatever the exit code.
# alloc_dealloc_mismatch=0: libtorch frees with `delete` what its own operators got from malloc.
# allocator_may_return_null=1: tests ask for more memory than malloc can have.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python
export SONIC_SANITIZE=${SONIC_SANITIZE:-address}
case $SONIC_SANITIZE in
address) name=asan ;;
undefined) name=ubsan CC=${CC:-clang} CXX=${CXX:-clang++} && export CC CXX ;;
*) echo "Set SONIC_SANITIZE to address or undefined: it is $SONIC_SANITIZE." >&2 && exit 2 ;;
esac
build=$PWD/build/$name
reports=$build/report
for compiler in "${CC:-gcc}" "${CXX:-g++}"; do
    [ "$(command -v "$compiler")" ] || {
        echo "Install $compiler (Debian: apt-get install ${compiler%++} libclang-rt-dev): it is not there." >&2
        exit 1
    }
done

MAX_JOBS=${MAX_JOBS:-$(nproc)} "$python" setup.py build_ext >"$build.log" 2>&1 || {
    tail -n 20 "$build.log" >&2
    echo "Correct the first error above: the sanitized extension did not build. The whole output is in" \
        "build/$name.log." >&2
    exit 1
}

# A package folder of links to the real one, except for the extension; beside it the packages that tests import.
for folder in tests bench tools; do ln -sfn "$PWD/$folder" "$build/$folder"; done
for file in sonic_nodes/*; do
    case $file in *.so | *__pycache__) ;; *) ln -sfn "$PWD/$file" "$build/$file" ;; esac
done

# What clang links is named after the processor.
runtime() {
    local file
    case ${CC:-gcc} in
    *clang*)
        file=$("$CC" -print-resource-dir)/lib/linux/libclang_rt.ubsan_standalone-$(uname -m).so
        [ -f "$file" ] || echo "Install clang's runtime (Debian: apt-get install libclang-rt-dev): no $file" >&2
        echo "$file"
        ;;
    *) for file in libasan.so libubsan.so libstdc++.so; do g++ -print-file-name=$file; done ;;
    esac
}

sanitized() {
    local preload malloc=alloc_dealloc_mismatch=0:allocator_may_return_null=1
    preload=$(runtime | tr '\n' ' ')
    rm -f "$reports".*
    env LD_PRELOAD="${preload% }" PYTHONPATH="$build" PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
        ASAN_OPTIONS="detect_leaks=1:exitcode=0:abort_on_error=1:$malloc:log_path=$reports" \
        UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:abort_on_error=1:log_path=$reports" \
        "$python" "$@"
}

sanitized -c 'import sys; from sonic_nodes.extension.native import _sonic
sys.exit("build/" + sys.argv[1] not in _sonic.__file__ and _sonic.__file__)' $name
folders=()
case " $* " in
*" tests/"*) ;;
*) for folder in csrc/*/; do [ ! -d "tests/${folder#csrc/}" ] || folders+=("tests/${folder#csrc/}"); done ;;
esac
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
