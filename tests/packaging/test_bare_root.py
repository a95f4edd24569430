"""make demo in fresh Debian systems, as a newcomer types it: one with git and make alone, one with a compiler as well.

Takes minutes, so it runs where something that setup depends on has changed since it last passed here:

    SONIC_BARE_ROOT=0 make test      never
    SONIC_BARE_ROOT=1 make test      always

`tools/bare_root.sh` does the same for Debian 13, and for make test.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSED = ROOT / "build" / "bare" / "passed"
SYSTEMS = ("bookworm:bare", "bookworm:g++")
# What decides whether make demo works; tests, benches and pages do not.
SETUP = ("Makefile", "setup.py", "pyproject.toml", "requirements.txt", "tools/bootstrap.sh", "tools/bare_root.sh")


def state() -> str:
    """A hash of everything that make demo reads."""
    found = [ROOT / name for name in SETUP]
    for folder in ("csrc", "sonic_nodes", "tools/cross"):
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    digest = hashlib.sha256()
    for path in found:
        if path.suffix not in (".so", ".pyc"):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def answers(*command: str) -> bool:
    """Whether a registry's client reaches its registry."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def reason_to_skip() -> str | None:
    chosen = os.environ.get("SONIC_BARE_ROOT")
    if chosen == "0":
        return "SONIC_BARE_ROOT=0: the setup of a bare system is NOT tested"
    if not (ROOT / "csrc").is_dir():
        return "the sources are not here, only an installed package"
    if Path("/etc/apt/apt.conf.d/90bare-root").exists():
        return "this is a bare system already"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "run as root to test the setup of a bare system: it is NOT tested"
    if not shutil.which("debootstrap"):
        return "install debootstrap to test the setup of a bare system: it is NOT tested"
    if not answers("unshare", "--mount", "--propagation", "private", "true"):
        return "mounts are not allowed here: the setup of a bare system is NOT tested"
    if chosen != "1" and PASSED.exists() and PASSED.read_text() == state():
        return "the setup of a bare system passed here with this very state (SONIC_BARE_ROOT=1 tests it again)"
    pip = [sys.executable, "-m", "pip", "--no-input", "download", "--quiet", "--no-deps", "--dest"]
    if not answers(*pip, str(ROOT / "build" / "bare" / "probe"), "--retries", "0", "--timeout", "15", "tqdm"):
        return "pip reaches no registry: the setup of a bare system is NOT tested"
    return None


def test_make_demo_in_bare_systems():
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    done = subprocess.run(
        [ROOT / "tools" / "bare_root.sh", *SYSTEMS],
        env={**os.environ, "TARGETS": "demo"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [system.split(":") for system in SYSTEMS], done.stdout
    assert all("  passed  The portrait speaks: " in line for line in lines), done.stdout
    PASSED.write_text(state())
