#!/usr/bin/env bash
# Makes dist/sonic-talking-portrait-VERSION.zip, the archive for ComfyUI's registry: the tracked files without those in
# .comfyignore, and the compiled part of the wheel in dist/ with the licences of the libraries in it. `make pack` makes
# the wheel and calls this.
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

# The tracked files in their present state, and the wheel's compiled part. `comfy node pack` packs what git tracks.
stage() {
    git rev-parse --show-toplevel >/dev/null 2>&1 ||
        stop "Type make pack in a git clone: the tracked files belong to the pack."
    rm -rf "$tree"
    mkdir -p "$tree/licenses"
    git ls-files -z | tar --create --null --ignore-failed-read --files-from=- 2>>"$log" |
        tar --extract --directory="$tree"
    "$python" - "$1" "$tree" <<'PYTHON'
import sys, zipfile
from pathlib import Path
wheel, tree = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
for name in wheel.namelist():
    path = Path(name)
    compiled = path.parent.name == "sonic_nodes" and path.suffix in (".so", ".pyd")
    own = path.name in ("LICENSE", "THIRD_PARTY.md")
    licence = path.parent.name == "licenses" and not name.endswith("/") and not own
    if compiled or licence:
        target = tree / ("sonic_nodes" if compiled else "licenses") / path.name
        target.write_bytes(wheel.read(name))
        target.chmod(0o755 if compiled else 0o644)
PYTHON
    git -C "$tree" init -q
    git -C "$tree" add -A
}

version=$("$python" -c 'import sonic_nodes; print(sonic_nodes.__version__)')
# A wheel with pip's own tag, linux_x86_64, needs libraries of this machine.
wheel=$(ls -t dist/sonic_talking_portrait-"$version"-*.whl 2>/dev/null | grep -v -- '-linux_' | head -n 1 || true)
[ -n "$wheel" ] || stop "Type make wheel: dist/ has no portable wheel of version $version."
archive=$PWD/dist/sonic-talking-portrait-$version.zip

install_cli
stage "$PWD/$wheel"
comfy node validate >>"$log" 2>&1 || true
grep -q "All validation checks passed" "$log" ||
    { tail -n 30 "$log" >&2; stop "Correct the errors above: comfy node validate failed."; }
rm -f "$archive"
comfy node pack >>"$log" 2>&1 || { tail -n 15 "$log" >&2; stop "comfy node pack failed; its output is in $log."; }
if grep -q "^Warning" "$log"; then
    grep "^Warning" "$log" >&2
    stop "Correct the warnings above, of comfy node pack."
fi
mv "$tree/node.zip" "$archive"
echo "dist/${archive##*/}"
