#!/usr/bin/env bash
# For `make test`: installs what tests/packaging/test_windows.py needs, where its tests under Wine are wanted.
#
# SONIC_WINDOWS=1   they are: Debian's wine64 and nasm, 0.2 GB; then the tests download 0.5 GB into the cache
# SONIC_WINDOWS=0   they are not
# CI=...            like 1, but what cannot be had here leaves them out, and they say so
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case ${SONIC_WINDOWS:-}:${CI:-} in
0:* | :) exit ;;
esac
[ "$(uname -sm)" = "Linux x86_64" ] || exit 0
for goal in wheel windows; do
    bash tools/bootstrap.sh "$goal" && continue
    [ "${SONIC_WINDOWS:-}" != 1 ] || exit 1
    echo "Going on without the tests under Wine: the step above failed, and only SONIC_WINDOWS=1 asks for it." >&2
    exit 0
done
