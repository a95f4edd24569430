#!/usr/bin/env bash
# For `make test`: installs what tests/packaging/test_windows.py needs, where its tests under Wine are wanted.
#
# SONIC_WINDOWS=1   they are: Debian's wine64 and nasm, 0.2 GB; then the tests download 0.5 GB into the cache
# else              they run where `make test-windows` has left all this; nothing is installed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ "${SONIC_WINDOWS:-}" = 1 ] && [ "$(uname -sm)" = "Linux x86_64" ] || exit 0
for goal in wheel windows; do bash tools/bootstrap.sh "$goal"; done
