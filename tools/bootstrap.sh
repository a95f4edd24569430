#!/usr/bin/env bash
# Sets up a checkout: Debian packages, .venv, PyTorch, the other Python packages, the C extension and .venv/bin/sonic.
# Does only what is missing, and continues where an interrupted run ended.
#
#   tools/bootstrap.sh run     what `sonic` needs
#   tools/bootstrap.sh test    that, and what the tests need
#   tools/bootstrap.sh wheel   what tools/wheel.sh needs: no OpenCV of the system, no extension in the checkout
#
# PYTHON=python3.12   the Python to build .venv from (the first python3 that is 3.10 or newer)
# TORCH=...           the PyTorch to install, as a pip requirement or the path of a wheel
# pip and apt-get are used as they are configured on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

goal=${1:-run}
torch_wanted=2.13.0
venv=.venv/bin/python
stamps=.venv/.sonic
log=build/setup.log

say() { printf '%s\n' "$*"; }
stop() { printf '\n%s\n' "$@" >&2; exit 1; }

# logged REMEDY COMMAND...: runs the command with its output in the log; on failure prints the log's end and REMEDY.
logged() {
    local remedy=$1; shift
    printf '\n$ %s\n' "$*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" >&2
    stop "$remedy" "All of the output is in $log."
}

pip() { "$venv" -m pip --disable-pip-version-check --no-input "$@"; }
key() { cat "$@" | sha256sum | cut -c 1-32; }
stamped() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() { mkdir -p "$stamps"; printf '%s' "$2" >"$stamps/$1"; }

# --- the system's part ---

is_good_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
        if is_good_python "$name"; then command -v "$name"; return; fi
    done
    return 1
}

python_is_complete() {
    "$1" - 2>/dev/null <<'EOF'
import ensurepip, os, sysconfig, venv
open(os.path.join(sysconfig.get_paths()["include"], "Python.h")).close()
EOF
}

# Debian's packages that hold the venv module and the headers of the Python that was found.
packages_of_python() {
    local real; real=$("$1" -c 'import os, sys; print(os.path.realpath(sys.executable))')
    case $real in
    "$(realpath -q /usr/bin/python3)") echo python3-venv python3-dev ;;
    /usr/bin/python3.*) echo "${real##*/}-venv" "${real##*/}-dev" ;;
    *) stop "Choose another Python, for example: make PYTHON=/usr/bin/python3" \
        "$real lacks the venv module or its header Python.h." ;;
    esac
}

# Debian's packages for the compiler and the libraries, as far as they are not there.
missing_libraries() {
    if [ "$goal" = wheel ]; then
        if ! command -v g++ >/dev/null || ! command -v gcc >/dev/null; then echo g++; fi
        if [ "$(uname -m)" = x86_64 ] && ! command -v nasm >/dev/null; then echo nasm; fi
        return
    fi
    if ! command -v g++ >/dev/null || ! command -v gcc >/dev/null; then
        echo g++ libopencv-core-dev libopencv-imgproc-dev libopencv-video-dev libjpeg-dev
        return
    fi
    # The compiler fails where a header is absent, and that is the answer asked for: it must not end the script.
    local probe; probe=$(printf '#if !__has_include(<%s>)\n#error @%s@\n#endif\n' \
        opencv2/core.hpp libopencv-core-dev opencv2/imgproc.hpp libopencv-imgproc-dev \
        opencv2/video.hpp libopencv-video-dev jpeglib.h libjpeg-dev |
        g++ -x c++ -E -I"${OPENCV_PREFIX:-/usr}/include/opencv4" -I/usr/local/include/opencv4 - 2>&1 >/dev/null) || true
    sed -n 's/.*#error @\(.*\)@.*/\1/p' <<<"$probe"
}

install_packages() {
    local install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120) root=()
    command -v apt-get >/dev/null || stop "Install with your system's package manager, then type make again:" \
        "  a C and C++ compiler, Python 3.10 or newer with headers and venv," \
        "  and the headers of libjpeg-turbo and OpenCV 4" \
        "  (Debian calls what is missing: $*)."
    if [ "$(id -u)" != 0 ]; then
        root=(sudo)
        if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            stop "Type this as administrator, then make again:" \
                "  apt-get update && apt-get install --no-install-recommends $*"
        fi
    fi
    say "Installing with apt-get: $*"
    if [ "${root[*]}" = sudo ]; then sudo -v; fi
    if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@" >>"$log" 2>&1 </dev/null; then
        logged "Check the network, then type make again: apt-get update failed." "${root[@]}" apt-get update
        logged "Type this to see why, then make again: apt-get install $*" \
            "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@"
    fi
}

prepare_system() {
    local packages; packages=$(missing_libraries | xargs)
    if ! python=$(find_python); then
        [ -z "${PYTHON:-}" ] || stop "Choose a Python that is 3.10 or newer: PYTHON=$PYTHON is not, or does not start."
        packages="$packages python3 python3-venv python3-dev"
    elif ! python_is_complete "$python"; then
        packages="$packages $(packages_of_python "$python")"
    fi
    # shellcheck disable=SC2086
    if [ -n "${packages// /}" ]; then install_packages $packages; fi  # a list of names
    python=$(find_python) ||
        stop "Install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3. This system's is older."
}

# --- the Python part ---

prepare_venv() {
    local home='import sys; print(sys.base_prefix)'
    if is_good_python "$venv" &&
        { [ -z "${PYTHON:-}" ] || [ "$("$venv" -c "$home")" = "$("$python" -c "$home")" ]; }; then
        if stamped pip ok; then return; fi
    else
        say "Making .venv with $("$python" --version) ($python)"
        "$python" -m venv --clear --without-pip .venv
    fi
    logged "Remove .venv and type make again: pip does not start in it." "$venv" -m ensurepip --upgrade --default-pip
    stamp pip ok
}

has_torch() {
    "$1" -c 'import torch; assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 10)' >/dev/null 2>&1
}

# .venv uses the torch that the chosen Python has, whether that Python is the system's or in a virtual environment.
borrow_torch() {
    local folder; folder=$("$python" -c 'import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))')
    say "Using the PyTorch in $folder"
    printf 'import site; site.addsitedir(%s)\n' "$("$python" -c 'import sys; print(ascii(sys.argv[1]))' "$folder")" \
        >"$("$venv" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/sonic_borrowed_torch.pth"
}

# What PyPI's torch and all that it brings weigh. (pip itself learns it only while downloading from some indexes.)
size_of_torch() {
    case $(uname -s) in
    Linux) echo "about 3.3 GB to download, most of it CUDA" ;;
    *) echo "about 0.1 GB to download" ;;
    esac
}

install_torch() {
    if [ -n "${TORCH:-}" ] && ! stamped torch "$TORCH"; then
        say "Installing PyTorch: $TORCH"
        logged "Check the name or path in TORCH=$TORCH: pip could not install it." pip install "$TORCH"
        stamp torch "$TORCH"
    elif has_torch "$venv"; then
        return
    elif has_torch "$python"; then
        borrow_torch
    else
        say "Installing PyTorch $torch_wanted for the CPU (about 0.2 GB to download)"
        try_torch "torch==$torch_wanted+cpu" ||
            try_torch "torch==$torch_wanted" --retries 1 --timeout 15 \
                --index-url https://download.pytorch.org/whl/cpu || {
            say "pip finds no CPU build of PyTorch for $("$venv" --version). Installing PyPI's: $(size_of_torch)"
            logged "Name a PyTorch (make TORCH=/path/to/torch.whl) or another Python (make PYTHON=python3.12):
pip could not install torch." pip install "torch>=2.10"
        }
    fi
    has_torch "$venv" || stop "Name another PyTorch, 2.10 or newer, with TORCH=...: the one in .venv does not load." \
        "This shows why: $venv -c 'import torch'"
}

try_torch() {
    printf '\n$ pip install %s\n' "$*" >>"$log"
    pip install "$@" >>"$log" 2>&1 </dev/null
}

prepare_packages() {
    local files=(requirements.txt) now
    if [ "$goal" = test ]; then files+=(requirements-dev.txt); fi
    if [ "$goal" = wheel ]; then files+=(tools/requirements-wheel.txt); fi
    now=$(key_of_packages "$goal" "${files[@]}")
    if stamped "$goal" "$now"; then return; fi
    install_torch
    say "Installing Python packages: $(sed 's/ *#.*//; s/[<>=;].*//' "${files[-1]}" | xargs)"
    logged "Check the network, then type make again: pip could not install the packages." \
        pip install "setuptools>=71" "${files[@]/#/--requirement=}"
    stamp choice "$(choice)"
    stamp "$goal" "$now"
    stamp run "$(key_of_packages run requirements.txt)"
}

# What the user chose, now or the last time.
choice() {
    if [ -n "${PYTHON:-}${TORCH:-}" ]; then
        echo "${PYTHON:-} ${TORCH:-}"
    else
        cat "$stamps/choice" 2>/dev/null || true
    fi
}

key_of_packages() { local goal=$1; shift; key "$@" "${BASH_SOURCE[0]}" <(echo "$goal $(choice)"); }

# --- our own part ---

build_extension() {
    export MAX_JOBS=${MAX_JOBS:-$(nproc)}
    local now remedy="Correct the first error above, then type make again: the C extension did not build."
    now=$(key setup.py pyproject.toml <(printf '%s' "$PWD"))
    if stamped install "$now" && [ -x .venv/bin/sonic ]; then
        logged "$remedy" "$venv" setup.py build_ext --inplace
    else
        say "Building the C extension"
        logged "$remedy" pip install --no-build-isolation --no-deps --editable .
        stamp install "$now"
    fi
}

mkdir -p build
: >"$log"
prepare_system
prepare_venv
prepare_packages
if [ "$goal" != wheel ]; then build_extension; fi
