#!/usr/bin/env bash
# Makes dist/*.whl: one wheel for all supported versions of Python, PyTorch and NumPy, with libjpeg-turbo and OpenCV
# linked statically. `make wheel` installs what this needs and calls it; so do `make wheel-windows` and the like.
#
# SONIC_TARGET          another system than this one: tools/cross/targets.py has the list
# MAX_JOBS=N            files to compile in parallel (default: one a processor)
# SONIC_STATIC_SOURCE   the sdist with the sources of both libraries, instead of a download by pip
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="$PWD/.venv/bin:$PATH" MAX_JOBS=${MAX_JOBS:-$(nproc)}
target=${SONIC_TARGET:-native}
case $target in # the end of the wheel's name
native) machine=$(uname -m) ;;
windows-x86_64) machine=amd64 ;;
linux-aarch64) machine=aarch64 ;;
macos-arm64) machine=arm64 ;;
*) echo "Set SONIC_TARGET to a name in tools/cross/targets.py: $target is none." >&2; exit 1 ;;
esac
log=build/wheel-$target.log work=build/wheel/$target
mkdir -p "$work"
: >"$log"

logged() {
    printf '\n$ %s\n' "$*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" >&2
    printf '\nCorrect the first error above: the wheel was not made. The whole output is in %s.\n' "$log" >&2
    exit 1
}

SONIC_STATIC=$(python -m tools.static_libraries)
export SONIC_STATIC
# A module that was removed from the sources would stay in setuptools' folder and get into the wheel.
if [ "$target" = native ]; then rm -rf build/lib build/lib.* build/bdist.*; else rm -rf "build/$target"/{lib,bdist}*; fi
rm -rf "$work"/{raw,repaired} dist/sonic_talking_portrait-*_"$machine".whl
echo "Building the wheel" >&2
logged python -m pip --disable-pip-version-check wheel --no-build-isolation --no-deps --wheel-dir "$work/raw" .
made=raw
case $target in native | linux-*)
    # Tags the wheel with the oldest glibc that it supports, and refuses dependencies on libraries of this machine.
    # libtorch is the user's own.
    logged auditwheel repair --exclude 'libtorch*' --exclude 'libc10*' --wheel-dir "$work/repaired" "$work"/raw/*.whl
    made=repaired ;;
esac
python -m tools.cross.archive "$work/$made"/*.whl dist
