#!/usr/bin/env bash
# Runs the README's commands as a newcomer would: in fresh Debian systems that have git and make, and nothing else.
#
#   tools/bare_root.sh                                    all four systems, make demo and make test
#   tools/bare_root.sh bookworm:bare bookworm:g++         these systems; SUITE:bare or SUITE:g++
#
# TARGETS="demo test"   what to make, in that order; "wheel-windows test-windows" with an empty cache takes half an hour
# ARGS="-k face"        for make test and the like, as always
# MIRROR=URL            Debian's archive (the one in this machine's sources, else deb.debian.org)
# PLACE=build/bare      where the systems are made; a SUITE.tar of each stays there and serves the next run
# BIND="DIR ..."        further folders of this machine that the systems see, read-only
#
# Needs root and debootstrap. The systems use this machine's configuration of pip, apt's proxy, certificates and proxy
# variables, and see the folders that pip's configuration names. They are made in a mount namespace of their own, and
# removed at the end, also after an error or Ctrl-C. Prints a line a command with its minutes, the minutes of processor
# time (all processors together) and the MB that the system grew by; exit status 1 if one failed, and the log of each is
# PLACE/SUITE-KIND-TARGET.log. What was made in dist/ is copied to PLACE/SUITE-KIND-dist/.
set -Eeuo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stop() { printf '\n' >&2; printf '%s\n' "$@" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop "Run this as root: it makes systems with debootstrap and enters them with chroot."
command -v debootstrap >/dev/null || stop "Install debootstrap (Debian: apt-get install debootstrap)."
if [ -z "${SONIC_OWN_MOUNTS:-}" ]; then
    SONIC_OWN_MOUNTS=1 exec unshare --mount --propagation private -- bash "tools/bare_root.sh" "$@" ||
        stop "Run this where mounts are allowed (unshare --mount failed), not in an unprivileged container."
fi

systems=("$@")
[ $# -gt 0 ] || systems=(bookworm:bare bookworm:g++ trixie:bare trixie:g++)
for system in "${systems[@]}"; do
    case $system in *?:bare | *?:g++) ;; *) stop "Name systems as SUITE:bare or SUITE:g++, not $system." ;; esac
done
place=$(realpath -m "${PLACE:-build/bare}")
root=$place/root
certificates=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
mkdir -p "$place"
exec 9>"$place/lock"
flock -n 9 || stop "Wait until the other tools/bare_root.sh in $place has ended."
child=

# Mounts first: nothing of this machine may be below the folder that is removed.
remove_root() {
    local mounted
    mounted=$(awk -v root="$root/" 'index($2, root) == 1 { print $2 }' /proc/mounts | sort -r)
    for mounted in $mounted; do umount "$mounted" 2>/dev/null || umount --lazy "$mounted" || true; done
    if grep -qF " $root/" /proc/mounts; then
        printf 'Unmount what is below %s and remove it: it is in use.\n' "$root" >&2
        return 1
    fi
    rm -rf --one-file-system "$root" "$place"/*.part
}

ending() {
    local status=$?
    [ "$BASHPID" = $$ ] || exit "$status"
    [ -z "$child" ] || { kill -TERM -- "-$child" && wait "$child"; } 2>/dev/null || true
    remove_root || status=1
    exit "$status"
}
trap 'printf "Line %s of tools/bare_root.sh failed: %s\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
trap ending EXIT
trap 'printf "\nStopped.\n" >&2; exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# in_background LOG COMMAND...: a group of processes that ends with this script.
in_background() {
    local output=$1 status=0; shift
    set -m
    "$@" >>"$output" 2>&1 </dev/null 9>&- & child=$!
    set +m
    wait "$child" || status=$?
    child=
    return $status
}

mirror() {
    local found
    found=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
        grep -oE '(https?|file|mirror\+?\w*)://[^ ]*/debian/?( |$)' | head -n 1) || true
    echo "${MIRROR:-${found:-http://deb.debian.org/debian}}"
}

# Makes PLACE/SUITE.tar: a minimal Debian with git and make.
make_base() {
    local suite=$1 log=$place/$1.log
    [ ! -f "$place/$suite.tar" ] || return 0
    : >"$log"
    in_background "$log" debootstrap --variant=minbase --include=git,make "$suite" "$root" $(mirror) || {
        tail -n 15 "$log" >&2
        stop "Check the network and the mirror ($(mirror)): debootstrap could not make $suite. Its output is in $log."
    }
    in_background "$log" chroot "$root" apt-get clean
    in_background "$log" tar --create --one-file-system --directory="$root" --file="$place/$suite.tar.part" .
    mv "$place/$suite.tar.part" "$place/$suite.tar"
    remove_root
}

# What this machine's configuration of pip says, one word a line.
pip_words() {
    env | grep '^PIP_' || true
    python3 -m pip config list 2>/dev/null || true
}

configure() {
    local file folder proxy
    for file in /etc/pip.conf /etc/xdg/pip /root/.config/pip /root/.pip /etc/resolv.conf /etc/hosts; do
        [ -e "$file" ] || continue
        mkdir -p "$root$(dirname "$file")"
        rm -rf "${root:?}$file"
        cp -rL "$file" "$root$file"
    done
    # Beside the system's own, which is made anew when Python brings ca-certificates.
    mkdir -p "$root/etc/ssl"
    if [ -f "$certificates" ]; then cp -L "$certificates" "$root/etc/ssl/host.crt"; fi
    proxy=$(apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|ftp)::Proxy|^Acquire::Check-' || true)
    printf '// This is a system of tools/bare_root.sh.\n%s\n' "$proxy" >"$root/etc/apt/apt.conf.d/90bare-root"
    for file in proc sys dev; do mount --rbind "/$file" "$root/$file"; done
    # An index in a folder, .../simple, has its files beside it.
    for folder in ${BIND:-} $(pip_words | tr "='\" " '\n' | sed -n 's|^file://||; s|/simple/*$||; \|^/.|p'); do
        [ -d "$folder" ] && [ ! -d "$root$folder" ] || continue
        mkdir -p "$root$folder"
        mount --bind -o ro "$folder" "$root$folder"
    done
}

# As a clone, but with the files in their present state: some targets ask git which files there are.
copy_checkout() {
    mkdir -p "$root/srv/sonic"
    git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'ls -d "$@" 2>/dev/null' - |
        tar --create --owner=0 --group=0 --files-from=- | tar --extract --directory="$root/srv/sonic"
    inside sh -c 'git init --quiet && git add --all'
}

disk_mb() { du --summarize --block-size=1M --one-file-system "$root" | cut -f 1; }

# Sets cpu_s: seconds of processor time of this script's children that have ended, and of theirs. A subshell has none.
count_cpu() {
    times >"$place/times.part"
    cpu_s=$(awk -F'[ms ]+' 'NR == 2 { printf "%d", 60 * ($1 + $3) + $2 + $4 }' "$place/times.part")
}

inside() { # as after a login: of this machine's variables only those of pip, the proxy and certificates
    local passed=() names='^(PIP_[A-Z_]+|(http|https|no|all)_proxy|MAX_JOBS|ARGS)='
    mapfile -t passed < <(env | grep -iE "$names" | grep -v '^PIP_CERT=' || true)
    if [ -f "$certificates" ]; then passed+=(PIP_CERT=/etc/ssl/host.crt SSL_CERT_FILE=/etc/ssl/host.crt); fi
    chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        "${passed[@]}" sh -c 'cd /srv/sonic && exec "$@"' - "$@"
}

try_system() {
    local suite=${1%%:*} kind=${1##*:} target log begun result cpu_s before_s mb
    make_base "$suite"
    mkdir -p "$root"
    in_background "$place/$suite.log" tar --extract --directory="$root" --file="$place/$suite.tar"
    configure
    copy_checkout
    if [ "$kind" = g++ ]; then
        log=$place/$suite-g++.log
        in_background "$log" inside sh -c 'apt-get update && apt-get install -y --no-install-recommends g++' || {
            tail -n 15 "$log" >&2
            stop "Check the network: g++ could not be installed in $suite. The output is in $log."
        }
    fi
    for target in ${TARGETS:-demo test}; do
        log=$place/$suite-$kind-$target.log mb=$(disk_mb)
        count_cpu
        begun=$SECONDS before_s=$cpu_s
        : >"$log"
        result=passed
        in_background "$log" inside make "$target" || {
            result=FAILED failures=1
            tail -n 25 "$log" >&2
            cp "$root/srv/sonic/build/setup.log" "${log%.log}-setup.log" 2>/dev/null || true
        }
        count_cpu
        begun=$((SECONDS - begun)) cpu_s=$((cpu_s - before_s))
        printf '%-10s%-6smake %-14s%3d:%02d %3d:%02d CPU %5d MB  %s  %s\n' "$suite" "$kind" "$target" $((begun / 60)) \
            $((begun % 60)) $((cpu_s / 60)) $((cpu_s % 60)) $(($(disk_mb) - mb)) "$result" "$(tail -n 1 "$log")"
    done
    keep_dist "$place/$suite-$kind-dist"
    remove_root
}

keep_dist() {
    rm -rf "$1"
    [ ! -d "$root/srv/sonic/dist" ] || cp -r "$root/srv/sonic/dist" "$1"
}

failures=0
main() { # read whole before it runs: this file may change meanwhile
    remove_root
    for system in "${systems[@]}"; do try_system "$system"; done
    exit $failures
}
main
