"""Debian's packages for arm64 in a folder of their own, as an emulated program sees them.

apt works with lists, a status and an archive of its own, so that this machine's packages stay as they are and no
superuser is needed; it checks each file by the index that Debian's key signed. Nothing is configured: no script of a
package runs, and a Python does not miss that.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.cross import cache

SUITE = "bookworm"
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = f"""deb [arch=arm64 signed-by={KEY}] http://deb.debian.org/debian {SUITE} main
deb [arch=arm64 signed-by={KEY}] http://deb.debian.org/debian-security {SUITE}-security main
"""
SETTINGS = """APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "{0}";
Dir::State::Lists "{0}/lists";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "{0}/none";
Dir::Etc::PreferencesParts "{0}/none";
"""


def check_tools() -> None:
    missing = [name for name in ("apt-get", "dpkg-deb") if not shutil.which(name)]
    if missing or not Path(KEY).exists():
        sys.exit("Do this on Debian or Ubuntu with debian-archive-keyring: the arm64 Python is Debian's.")


def settings(place: Path) -> Path:
    """The file for APT_CONFIG: apt's own folders are below `place`; proxies are as this machine has them."""
    for folder in ("lists/partial", "cache/archives/partial", "none"):
        (place / folder).mkdir(parents=True)
    (place / "status").touch()
    (place / "sources.list").write_text(SOURCES)
    config = place / "apt.conf"
    config.write_text(SETTINGS.format(place))
    return config


def unpack(names: tuple[str, ...], place: Path, root: Path, log: Path) -> None:
    """Downloads the packages with all that they depend on, and unpacks them into `root`."""
    environment = {**os.environ, "APT_CONFIG": str(settings(place))}
    remedy = "Check the network, then start again: Debian's packages for arm64 could not be downloaded."
    cache.logged(["apt-get", "update"], log, remedy, env=environment)
    command = ["apt-get", "install", "--download-only", "--yes", *names]
    cache.logged(command, log, remedy, env=environment)
    root.mkdir(parents=True, exist_ok=True)
    for package in sorted((place / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
