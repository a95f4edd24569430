#!/usr/bin/env bash
# Makes dist/sonic-talking-portrait-VERSION.zip, the archive for ComfyUI's registry: the tracked files without those in
# .comfyignore, and the compiled part of the wheels in dist/, one a system, with the licences of the libraries in them
# (tools/pack_binaries.py). `make pack` calls this.
#
# BINARIES="linux-x86_64 windows-x86_64"   the systems to serve (all of sonic_nodes/extension/targets.py)
#
# comfy-cli, which checks and packs, is installed in build/pack/cli only. It asks no questions and sends no telemetry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=$PWD/.venv/bin/python
cli=$PWD/build/pack/cli
tree=$PWD/build/pack/tree
log=$PWD/build/pack.log
wanted=comfy-cli==1.23.0
mkdir -p build/pack dist
: >"$log"

stop() { printf '\n%s\n' "$@" >&2; exit 1; }

comfy() { # its settings stay in build/pack
    (cd "$tree" && HOME=$cli XDG_CONFIG_HOME=$cli/config DO_NOT_TRACK=1 COMFY_NO_TELEMETRY=1 NO_COLOR=1 \
        "$cli/bin/comfy" --skip-prompt --no-enable-telemetry "$@" </dev/null)
}

install_cli() {
    if [ "$(cat "$cli/.wanted" 2>/dev/null)" = $wanted ]; then return; fi
    printf 'Installing %s into build/pack/cli\n' $wanted >&2
    { "$python" -m venv --clear "$cli" &&
        "$cli/bin/python" -m pip --disable-pip-version-check --no-input install $wanted; } >>"$log" 2>&1 ||
        stop "Check the network, then type make pack again: pip could not install $wanted. Its output is in $log."
    printf %s $wanted >"$cli/.wanted"
}

# The tracked files in their present state, and the wheels' compiled parts. `comfy node pack` packs what git tracks.
stage() {
    git rev-parse --show-toplevel >/dev/null 2>&1 ||
        stop "Type make pack in a git clone: the tracked files belong to the pack."
    rm -rf "$tree"
    mkdir -p "$tree"
    git ls-files -z | tar --create --null --ignore-failed-read --files-from=- 2>>"$log" |
        tar --extract --directory="$tree"
    # shellcheck disable=SC2086  # several names
    "$python" -m tools.pack_binaries "$tree" ${BINARIES:-}
    git -C "$tree" init -q
    git -C "$tree" add -A
}

version=$("$python" -c 'import sonic_nodes; print(sonic_nodes.__version__)')
archive=$PWD/dist/sonic-talking-portrait-$version.zip
most_mb=25

stage
install_cli
comfy node validate >>"$log" 2>&1 || true
grep -q "All validation checks passed" "$log" ||
    { tail -n 30 "$log" >&2; stop "Correct the errors above: comfy node validate failed."; }
rm -f "$archive"
comfy node pack >>"$log" 2>&1 || { tail -n 15 "$log" >&2; stop "comfy node pack failed; its output is in $log."; }
if grep -q "^Warning" "$log"; then
    grep "^Warning" "$log" >&2
    stop "Correct the warnings above, of comfy node pack."
fi
size_mb=$(( ($(stat -c %s "$tree/node.zip") + (1 << 20) - 1) >> 20 ))
[ "$size_mb" -le $most_mb ] ||
    stop "Make the binaries smaller, or name fewer in BINARIES: the archive has $size_mb MB of at most $most_mb."
mv "$tree/node.zip" "$archive"
echo "dist/${archive##*/}, $size_mb MB"
