#!/usr/bin/env bash
# Sets up a checkout: Debian packages, .venv, PyTorch, the other Python packages, the C extension and .venv/bin/sonic.
# Does only what is missing, and continues where an interrupted run ended.
#
#   tools/bootstrap.sh run     what `sonic` needs
#   tools/bootstrap.sh test    that, and what the tests need
#   tools/bootstrap.sh wheel   what tools/wheel.sh needs: no OpenCV of the system, no extension in the checkout
#   tools/bootstrap.sh windows   what tools/wine needs: Debian's wine64 and the packages of the tests
#   tools/bootstrap.sh aarch64   what tools/qemu needs: Debian's qemu-user-static, and all that `test` sets up
#
# SONIC_TARGET=linux-aarch64   for wheel: also Debian's cross compiler
# PYTHON=python3.12   the Python to build .venv from (the first python3 that is 3.10 or newer)
# TORCH=...           the PyTorch to install, as a pip requirement or the path of a wheel
# LOCK=no             for test and wheel: take what the index has instead of the files that the lock names
# MAX_JOBS=N          files to compile in parallel (default: one a processor, as far as memory allows)
# pip and apt-get are used as they are configured on this machine. The end is 0, or a sentence that says what to do.
set -Eeuo pipefail

goal=${1:-run}
torch_wanted=2.13.0
venv=.venv/bin/python
stamps=.venv/.sonic
log=build/setup.log
scratch=build/tmp  # not /tmp, which may be small and in memory
needed_mb=3000
no_network='Temporary failure|Could not resolve|Name or service not known|Network is unreachable|No route to host'
no_network+='|NewConnectionError|NameResolution|TimeoutError|ProxyError|SSLError|Failed to fetch'
no_network+='|Connection (refused|timed out|reset)'
progress='^( *(Collecting|Downloading|Using cached|Installing collected|Unpacking|Setting up)|Get:|\[ *[0-9]+/)'

# --- how it ends ---

explained='' child='' ticker='' failed_line='' failed_command=''

say() { printf '%s\n' "$*" 2>/dev/null || true; }  # a closed output stops nothing
stop() { explained=1; { echo && printf '%s\n' "$@"; } >&2 || true; exit 1; }

# The end of what the running step wrote to the log.
step_log() {
    tail -n 200 "$log" 2>/dev/null | awk '/^\$ / { text = "" } { text = text $0 "\n" } END { printf "%s", text }'
}

free_mb() { df -Pm "$1" 2>/dev/null | awk 'NR == 2 { print $4 }'; }

# A remedy for the causes that any step can meet, read off the end of the log; fails for others.
common_remedy() {
    local text free; text=$(step_log)
    free=$(free_mb .) || free=
    found() { grep -qiE "$1" <<<"$text"; }
    if found 'No space left|Disk quota exceeded' || [ "${free:-$needed_mb}" -lt 20 ]; then
        echo "Free disk space, then type make again: $PWD has ${free:-few} MB left and needs about $needed_mb MB."
    elif found 'DO NOT MATCH THE HASHES'; then
        echo "Let pip use PyPI itself (pip config list shows what it uses), or accept others: make $goal LOCK=no." \
            "A package is not the file that the lock names."
    elif found "$no_network"; then
        echo "Check the network, then type make again: a download failed."
    elif found 'Permission denied|Read-only file system|Operation not permitted'; then
        echo "Make this folder yours (chown -R $(id -un) .), then type make again: not all of $PWD can be written."
    elif found 'out of memory|cannot allocate memory|MemoryError|Killed signal|^Killed'; then
        echo "Close other programs, then type make MAX_JOBS=1: memory ran out."
    else
        return 1
    fi
}

# explain REMEDY: ends with the log's end and the remedy, or a better one if the log names the cause.
explain() {
    tail -n 15 "$log" >&2 || true
    stop "$(common_remedy || printf '%s' "$1")" "All of the output is in $log."
}

stop_child() {
    [ -z "$ticker" ] || { kill -KILL "$ticker" && wait "$ticker"; } 2>/dev/null || true
    [ -z "$child" ] || { kill -TERM -- "-$child" && wait "$child"; } 2>/dev/null || true
    ticker='' child=''
}

interrupted() {
    explained=1
    stop_child
    printf '\nType make again: it continues where it was stopped (%s).\n' "$1" >&2 || true
    exit "$2"
}

# Whatever ended the script: not without a word.
ending() {
    local status=$?
    [ "$BASHPID" = $$ ] || exit "$status"  # a background process that a signal met early
    stop_child
    rm -rf "$scratch" 2>/dev/null || true
    [ "$status" != 0 ] || exit 0
    [ -n "$explained" ] || explain "Type make again; if it ends here again, report this with $log:
line $failed_line of tools/bootstrap.sh failed with status $status: $failed_command"
    exit "$status"
}

trap 'failed_line=$LINENO failed_command=$BASH_COMMAND' ERR
trap ending EXIT
trap 'interrupted Ctrl-C 130' INT
trap 'interrupted SIGTERM 143' TERM
trap 'interrupted "the terminal was closed" 129' HUP
trap '' PIPE

# --- running a step ---

minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# How far the step is: its newest line that says so, and what pip has downloaded.
how_far() {
    local line mb
    line=$(step_log | tr '\r' '\n' | grep -E "$progress" | tail -n 1) || line='still running'
    line=${line#"${line%%[! ]*}"}
    case $line in Downloading*)
        mb=$(du -sm "$scratch" 2>/dev/null | cut -f 1) || mb=
        line=${line#Downloading } line="${mb:-0} MB downloaded; now ${line##*/}" ;;
    esac
    printf '%s' "$line"
}

# On a terminal one line that changes each second; in a log a line after 15 s, 30 s, 1 min and then each minute.
show_progress() {
    local begun=$SECONDS next=15 passed
    trap - EXIT ERR INT TERM HUP
    while sleep 1 >/dev/null 2>&1 </dev/null; do
        passed=$((SECONDS - begun))
        if [ -t 1 ]; then
            printf '\r\033[K  %s  %.66s' "$(minutes $passed)" "$(how_far)"
        elif [ $passed -ge $next ]; then
            next=$((next < 60 ? next * 2 : next + 60))
            printf '  %s  %.100s\n' "$(minutes $passed)" "$(how_far)"
        fi
    done
}

# attempt COMMAND...: runs it with its output in the log and shows how far it is. Its processes are a group of their
# own, which is ended with this script. sudo stays in the foreground, where it may ask for a password.
attempt() {
    local status=0 begun=$SECONDS passed
    printf '\n$ %s\n' "$*" 2>/dev/null >>"$log" ||
        stop "Make this folder writable and free disk space, then type make again: $PWD/$log cannot be written."
    show_progress & ticker=$!
    if [ "$1" = sudo ]; then
        "$@" >>"$log" 2>&1 </dev/null || status=$?
    else
        set -m
        "$@" >>"$log" 2>&1 </dev/null & child=$!
        set +m
        wait "$child" || status=$?
        child=''
    fi
    stop_child
    if [ -t 1 ]; then printf '\r\033[K' 2>/dev/null || true; fi
    passed=$((SECONDS - begun))
    if [ $status = 0 ] && [ $passed -ge 5 ]; then say "  done in $(minutes $passed)"; fi
    return $status
}

# logged REMEDY COMMAND...: the same; on failure prints the log's end and REMEDY.
logged() {
    local remedy=$1; shift
    attempt "$@" || explain "$remedy"
}

pip() { "$venv" -m pip --disable-pip-version-check --no-input "$@"; }
key() { cat "$@" 2>/dev/null | sha256sum | cut -c 1-32; }
stamped() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() { mkdir -p "$stamps" && printf '%s' "$2" >"$stamps/$1"; }

# --- the system's part ---

is_good_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# What is wrong with a Python: "old", or which of Debian's parts are absent: "venv", "dev". Fails if it does not start.
flaws_of_python() {
    "$1" - 2>/dev/null <<'PYTHON'
import os, sys, sysconfig
if sys.version_info < (3, 10):
    print("old")
try:
    import ensurepip, venv
except ImportError:
    print("venv")
if not os.path.isfile(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
    print("dev")
PYTHON
}

# Sets `python` and `lacks`: the first Python that lacks nothing, else the first that is new enough.
find_python() {
    local name found names=(python3 python3.14 python3.13 python3.12 python3.11 python3.10)
    python='' lacks=''
    [ -z "${PYTHON:-}" ] || names=("$PYTHON")
    for name in "${names[@]}"; do
        found=$(flaws_of_python "$name") || continue
        case $found in
        old*) ;;
        '') python=$(command -v "$name") lacks=''; return ;;
        *) if [ -z "$python" ]; then python=$(command -v "$name") lacks=$found; fi ;;
        esac
    done
    [ -n "$python" ]
}

# packages_of_python PYTHON PART...: Debian's packages of these parts; fails for a Python that is not Debian's.
packages_of_python() {
    local real; real=$("$1" -c 'import os, sys; print(os.path.realpath(sys.executable))'); shift
    case $real in
    "$(realpath -q /usr/bin/python3)") printf 'python3-%s\n' "$@" ;;
    /usr/bin/python3.*) printf "${real##*/}-%s\n" "$@" ;;
    *) return 1 ;;
    esac
}

# Debian's packages for the compiler and the libraries, as far as they are not there.
missing_libraries() {
    if [ "$goal" = windows ]; then
        [ -x /usr/lib/wine/wine64 ] || echo wine64
        return
    fi
    if [ "$goal" = wheel ]; then
        if ! command -v g++ >/dev/null || ! command -v gcc >/dev/null; then echo g++; fi
        if [ "$(uname -m)" = x86_64 ] && ! command -v nasm >/dev/null; then echo nasm; fi
        if [ "${SONIC_TARGET:-}" = linux-aarch64 ] && ! command -v aarch64-linux-gnu-g++ >/dev/null; then
            echo g++-aarch64-linux-gnu
        fi
        return
    fi
    if [ "$goal" = aarch64 ] && ! command -v qemu-aarch64-static >/dev/null; then echo qemu-user-static; fi
    local headers=(opencv2/core.hpp libopencv-core-dev opencv2/imgproc.hpp libopencv-imgproc-dev
        jpeglib.h libjpeg-dev)
    # The compiler fails where a header is absent, and that is the answer asked for: it must not end the script.
    local probe='' status=1
    if command -v g++ >/dev/null && command -v gcc >/dev/null; then
        status=0
        probe=$(printf '#if !__has_include(<%s>)\n#error @%s@\n#endif\n' "${headers[@]}" |
            g++ -x c++ -E -I"${OPENCV_PREFIX:-/usr}/include/opencv4" -I/usr/local/include/opencv4 - 2>&1 >/dev/null) ||
            status=$?
    fi
    if [ $status = 0 ]; then return; fi
    if ! sed -n 's/.*#error @\(.*\)@.*/\1/p' <<<"$probe" | grep .; then
        echo g++ libopencv-core-dev libopencv-imgproc-dev libjpeg-dev  # none, or one that is broken
    fi
}

# What apt-get would download, in words; nothing if it does not know yet.
download_size() {
    apt-get install --print-uris -qq --no-install-recommends "$@" 2>/dev/null |
        awk '/^.?[a-z+]+:/ { sum += $3 } END { if (sum) printf " (%.0f MB to download)", sum / 1e6 }' || true
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
    say "Installing with apt-get: $*$(download_size "$@")"
    if [ "${root[*]}" = sudo ]; then
        sudo -v || stop "Type your password when sudo asks, or type this as administrator, then make again:" \
            "  apt-get update && apt-get install --no-install-recommends $*"
    fi
    install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" "$@")
    if ! attempt "${install[@]}"; then
        attempt "${root[@]}" dpkg --configure -a || true  # finishes what an interrupted run began
        say "Reading the lists of packages: apt-get update"
        logged "Check the network, then type make again: apt-get update failed." "${root[@]}" apt-get update
        say "Installing with apt-get$(download_size "$@")"
        logged "Type this as administrator to see why, then make again: apt-get install $*" "${install[@]}"
    fi
}

prepare_system() {
    local packages more; packages=$(missing_libraries | xargs)
    if ! find_python; then
        [ -z "${PYTHON:-}" ] || stop "Choose a Python that is 3.10 or newer: PYTHON=$PYTHON is not, or does not start."
        packages="$packages python3 python3-venv python3-dev"
    elif [ -n "$lacks" ]; then
        # shellcheck disable=SC2086
        more=$(packages_of_python "$python" $lacks | xargs) || stop_for_python
        packages="$packages $more"
    fi
    if [ -z "${packages// /}" ]; then return; fi
    # shellcheck disable=SC2086
    install_packages $packages  # a list of names
    find_python ||
        stop "Install Python 3.10 or newer, or name one: make PYTHON=/path/to/python3. This system's is older."
    [ -z "$lacks" ] || stop_for_python
}

stop_for_python() {
    stop "Choose another Python, for example: make PYTHON=/usr/bin/python3" \
        "$python lacks ${lacks//$'\n'/ and } (venv: the module venv; dev: the header Python.h)."
}

# --- the Python part ---

prepare_venv() {
    local home='import sys; print(sys.base_prefix)'
    if is_good_python "$venv" &&
        { [ -z "${PYTHON:-}" ] || [ "$("$venv" -c "$home")" = "$("$python" -c "$home")" ]; }; then
        if stamped pip ok; then return; fi
    else
        say "Making .venv with $("$python" --version) ($python)"
        logged "Remove .venv and type make again, or choose another Python: make PYTHON=/usr/bin/python3
$python cannot make a virtual environment." "$python" -m venv --clear --without-pip .venv
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
        attempt pip install "torch==$torch_wanted+cpu" ||
            attempt pip install "torch==$torch_wanted" --retries 1 --timeout 15 \
                --index-url https://download.pytorch.org/whl/cpu || {
            say "pip finds no CPU build of PyTorch for $("$venv" --version). Installing PyPI's: $(size_of_torch)"
            logged "Name a PyTorch (make TORCH=/path/to/torch.whl) or another Python (make PYTHON=python3.12):
pip could not install torch." pip install "torch>=2.10"
        }
    fi
    has_torch "$venv" || stop "Name another PyTorch, 2.10 or newer, with TORCH=...: the one in .venv does not load." \
        "This shows why: $venv -c 'import torch'"
}

# The list of packages for a goal. Users' packages are ranges, as in ComfyUI; the tools are locked to files by hash.
list_of_packages() {
    local lock=txt
    if [ "${LOCK:-yes}" = no ]; then lock=in; fi
    case $1 in
    run) echo requirements.txt ;;
    test | windows | aarch64) echo requirements-dev.$lock ;;
    wheel) echo tools/requirements-wheel.$lock ;;
    esac
}

prepare_packages() {
    local list now options; list=$(list_of_packages "$goal")
    now=$(key_of_packages "$goal")
    if stamped "$goal" "$now"; then return; fi
    install_torch
    case $list in
    requirements.txt) options=("setuptools>=71") ;;
    *.txt) options=(--require-hashes --only-binary :all:) ;;
    *) options=() ;;
    esac
    say "Installing Python packages ($list)"
    logged "Look at the error above, then type make again: pip could not install the packages of $list." \
        pip install "${options[@]}" --requirement "$list"
    stamp choice "$(choice)"
    stamp "$goal" "$now"
    stamp run "$(key_of_packages run)"
}

# What the user chose, now or the last time.
choice() {
    if [ -n "${PYTHON:-}${TORCH:-}" ]; then
        echo "${PYTHON:-} ${TORCH:-}"
    else
        cat "$stamps/choice" 2>/dev/null || true
    fi
}

key_of_packages() {
    local list; list=$(list_of_packages "$1")
    key requirements.txt "$list" "${BASH_SOURCE[0]}" <(echo "$1 $list $(choice)")
}

# --- our own part ---

# All that .venv/bin/sonic depends on, as it is: another entry point, a moved folder or a removed file changes it.
key_of_command() {
    key setup.py tools/cross/*.py pyproject.toml .venv/bin/sonic .venv/pyvenv.cfg <(printf '%s' "$PWD") \
        .venv/lib/python*/site-packages/{__editable__*sonic_talking_portrait*,sonic_talking_portrait-*.dist-info/*.txt}
}

build_extension() {
    say "Building the C extension"
    logged "Correct the first error above, then type make again: the C extension did not build." \
        "$venv" setup.py build_ext --inplace
    if [ -x .venv/bin/sonic ] && stamped install "$(key_of_command)"; then return; fi
    say "Installing the command .venv/bin/sonic"
    logged "Remove .venv and type make again: the command sonic could not be installed." \
        pip install --no-build-isolation --no-deps --editable .
    logged "Remove .venv and type make again: the command sonic does not start." .venv/bin/sonic --version
    stamp install "$(key_of_command)"
}

prepare_folder() {
    local problem
    case $goal in
    run | test | wheel | windows | aarch64) ;;
    *) stop "Type tools/bootstrap.sh run, test, wheel, windows or aarch64: $goal is none of them." ;;
    esac
    case $PWD in
    *:* | *$'\n'*) stop "Move this folder to a path without colons: Python makes no virtual environment in $PWD." ;;
    esac
    if ! problem=$({ rm -rf "$scratch" && mkdir -p "$scratch" && printf '%s\n' "$goal" >"$log"; } 2>&1); then
        stop "Make this folder writable and free disk space, then type make again: $PWD/build cannot be written." \
            "$problem"
    fi
    export TMPDIR=$PWD/$scratch
}

failed_line=$LINENO failed_command=cd
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prepare_folder
prepare_system
prepare_venv
prepare_packages
case $goal in run | test | aarch64) build_extension ;; esac
