#!/usr/bin/env bash
# Makes dist/*.whl: one wheel for all supported versions of Python, PyTorch and NumPy, with libjpeg-turbo and OpenCV
# linked statically. `make wheel` installs what this needs and calls it.
#
# MAX_JOBS=N            files to compile in parallel (default: one a processor)
# SONIC_STATIC_SOURCE   the sdist with the sources of both libraries, instead of a download by pip
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH="$PWD/.venv/bin:$PATH" MAX_JOBS=${MAX_JOBS:-$(nproc)}
log=build/wheel.log
mkdir -p build
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
rm -rf build/lib build/lib.* build/bdist.* build/wheel/raw dist/sonic_talking_portrait-*.whl
echo "Building the wheel" >&2
logged python -m pip --disable-pip-version-check wheel --no-build-isolation --no-deps --wheel-dir build/wheel/raw .
# Tags the wheel with the oldest glibc that it supports, and refuses dependencies on libraries of this machine. libtorch
# is the user's own.
logged auditwheel repair --exclude 'libtorch*' --exclude 'libc10*' --wheel-dir dist build/wheel/raw/*.whl
echo dist/*.whl
