#!/usr/bin/env bash
# Makes dist/sonic-talking-portrait-VERSION.zip, the archive of ComfyUI's registry: the tracked files less .comfyignore, and the compiled
# part of the wheel in dist/ with the licences of what is linked into it. `make pack` makes the wheel and calls this.
#
# comfy-cli, which packs and checks, lives in build/pack/cli and in no Python of yours. It asks nothing and reports nothing.
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

comfy() { # its settings and its first-run questions stay in build/pack
    (cd "$tree" && HOME=$cli XDG_CONFIG_HOME=$cli/config DO_NOT_TRACK=1 COMFY_NO_TELEMETRY=1 NO_COLOR=1 \
        "$cli/bin/comfy" --skip-prompt --no-enable-telemetry "$@" </dev/null)
}

install_cli() {
    if [ "$(cat "$cli/.wanted" 2>/dev/null)" = $wanted ]; then return; fi
    printf 'Installing %s into build/pack/cli\n' $wanted >&2
    { "$python" -m venv --clear "$cli" && "$cli/bin/python" -m pip --disable-pip-version-check --no-input install $wanted; } >>"$log" 2>&1 ||
        stop "Check the network, then type make pack again: pip could not install $wanted. Its output is in $log."
    printf %s $wanted >"$cli/.wanted"
}

# What is under version control, as it is now, with what the wheel has. git is how `comfy node pack` knows what belongs to a pack.
stage() {
    git rev-parse --show-toplevel >/dev/null 2>&1 || stop "Type make pack in a git clone: without git nothing tells which files belong to the pack."
    rm -rf "$tree"
    mkdir -p "$tree/licenses"
    git ls-files -z | tar --create --null --ignore-failed-read --files-from=- 2>>"$log" | tar --extract --directory="$tree"
    "$python" - "$1" "$tree" <<'PYTHON'
import sys, zipfile
from pathlib import Path
wheel, tree = zipfile.ZipFile(sys.argv[1]), Path(sys.argv[2])
for name in wheel.namelist():
    path = Path(name)
    compiled = path.parent.name == "sonic_nodes" and path.suffix in (".so", ".pyd")
    licence = path.parent.name == "licenses" and not name.endswith("/") and path.name not in ("LICENSE", "THIRD_PARTY.md")
    if compiled or licence:
        target = tree / ("sonic_nodes" if compiled else "licenses") / path.name
        target.write_bytes(wheel.read(name))
        target.chmod(0o755 if compiled else 0o644)
PYTHON
    git -C "$tree" init -q
    git -C "$tree" add -A
}

version=$("$python" -c 'import sonic_nodes; print(sonic_nodes.__version__)')
# pip's own tag, linux_x86_64, is that of a file which needs libraries of this machine.
wheel=$(ls -t dist/sonic_talking_portrait-"$version"-*.whl 2>/dev/null | grep -v -- '-linux_' | head -n 1 || true)
[ -n "$wheel" ] || stop "Type make wheel: dist/ has no wheel of version $version for others."
archive=$PWD/dist/sonic-talking-portrait-$version.zip

install_cli
stage "$PWD/$wheel"
comfy node validate >>"$log" 2>&1 || true
grep -q "All validation checks passed" "$log" || { tail -n 30 "$log" >&2; stop "Correct what stands above: comfy node validate is not satisfied."; }
rm -f "$archive"
comfy node pack >>"$log" 2>&1 || { tail -n 15 "$log" >&2; stop "comfy node pack failed; its output is in $log."; }
if grep -q "^Warning" "$log"; then grep "^Warning" "$log" >&2; stop "Correct what stands above: comfy node pack warns."; fi
mv "$tree/node.zip" "$archive"
echo "dist/${archive##*/}"
