"""Machines that tools/bootstrap.sh meets, made of stand-in programs in a PATH of their own (stand_ins/), and what it
has to do on each."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAND_INS = Path(__file__).with_name("stand_ins")
# The programs of a bare Debian that the script uses; the test's machine needs them as well.
PROGRAMS = (
    "awk bash cat chmod cp cut df dirname du echo env grep head ln mkdir printf rm sed sha256sum sleep tail tr true "
    "uname xargs"
).split()
OPENCV = ["libopencv-core-dev", "libopencv-imgproc-dev"]
LIBRARIES = [*OPENCV, "libjpeg-dev"]

COMPILERS = ("no compiler", "no OpenCV", "no libjpeg", "no Python.h", "everything")
USERS = ("root", "sudo", "neither")
NETWORKS = ("network", "no network")
PYTHONS = ("good", "old", "without venv", "none")

# The first words of the last message, by what the user is asked to do.
REMEDIES = {
    "done": "",
    "ask the administrator": "Type this as administrator, then make again:",
    "check the network": "Check the network, then type make again:",
    "newer Python": "Install Python 3.10 or newer, or name one:",
}


@dataclass(frozen=True)
class Kind:
    """One combination of what a machine has."""

    compiler: str = "everything"
    user: str = "root"
    network: str = "network"
    python: str = "good"

    def missing(self) -> list[str]:
        """Debian's packages that setup needs here, in the order in which it names them."""
        libraries = {"no compiler": ["g++", *LIBRARIES], "no OpenCV": OPENCV, "no libjpeg": ["libjpeg-dev"]}.get(
            self.compiler, []
        )
        if self.python in ("old", "none"):
            return [*libraries, "python3", "python3-venv", "python3-dev"]
        venv = ["python3-venv"] if self.python == "without venv" else []
        headers = ["python3-dev"] if self.compiler in ("no compiler", "no Python.h") else []
        return [*libraries, *venv, *headers]

    def outcome(self) -> str:
        """The key in REMEDIES of how setup has to end."""
        if self.missing() and self.user == "neither":
            return "ask the administrator"
        if self.network == "no network":
            return "check the network"
        return "newer Python" if self.python == "old" else "done"


KINDS = [Kind(*values) for values in product(COMPILERS, USERS, NETWORKS, PYTHONS)]


class Machine:
    """A machine of a kind, in a folder: `checkout` has the script, `bin` what is in the PATH, other files are state
    that the stand-ins read and change."""

    def __init__(self, folder: Path, kind: Kind = Kind(), checkout: str = "checkout"):
        self.folder, self.checkout, self.bin = folder, folder / checkout, folder / "bin"
        (self.checkout / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "bootstrap.sh", self.checkout / "tools")
        lists = ("requirements.txt", "requirements-dev.txt", "requirements-dev.in", "tools/requirements-wheel.txt")
        for name in (*lists, "setup.py", "pyproject.toml"):
            (self.checkout / name).touch()
        self.bin.mkdir()
        for name in PROGRAMS:
            (self.bin / name).symlink_to(shutil.which(name))
        for name in ("id", "dpkg", "realpath", "apt-get"):
            self.add(name, name)
        self.write("uid", "0" if kind.user == "root" else "1000")
        if kind.user == "sudo":
            self.add("sudo", "sudo")
        if kind.network == "network":
            self.write("network")
        self.add_compiler(kind.compiler)
        self.add_python(kind)

    def add(self, name: str, program: str) -> None:
        (self.bin / name).symlink_to(STAND_INS / program)

    def write(self, name: str, text: str = "") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def add_compiler(self, compiler: str) -> None:
        if compiler == "no compiler":
            return
        for name in ("g++", "gcc"):
            self.add(name, "g++")
        if compiler != "no OpenCV":
            for part in ("core", "imgproc"):
                self.write(f"include/opencv2/{part}.hpp")
        if compiler != "no libjpeg":
            self.write("include/jpeglib.h")

    def add_python(self, kind: Kind) -> None:
        if kind.python == "none":
            return
        self.add("python3", "python3")
        if kind.python == "old":
            self.write("python_is_old")
        if kind.python != "without venv":
            self.write("venv")
        if kind.compiler not in ("no compiler", "no Python.h"):
            self.write("python_headers")

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": str(self.bin),
            "HOME": str(self.folder),
            "MACHINE": str(self.folder),
            "STAND_INS": str(STAND_INS),
            **more,
        }

    def command(self, goal: str = "run") -> list[str]:
        return [shutil.which("bash"), str(self.checkout / "tools" / "bootstrap.sh"), goal]

    def set_up(self, goal: str = "run", **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(goal),
            cwd=self.folder,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def last_message(done: subprocess.CompletedProcess) -> str:
    """What follows the log's end: the remedy and its details."""
    return done.stderr.rpartition("\n\n")[2].strip() if "\n\n" in done.stderr else done.stderr.strip()


def outcome(done: subprocess.CompletedProcess) -> str:
    """The key in REMEDIES of how a setup ended, or what it said that no remedy begins with."""
    if done.returncode == 0:
        return "done"
    message = last_message(done)
    named = [name for name, words in REMEDIES.items() if words and message.startswith(words)]
    return named[0] if done.returncode == 1 and named else f"status {done.returncode}: {message}"


def named_packages(done: subprocess.CompletedProcess) -> list[str]:
    """The packages that the message asks the administrator for."""
    line = next((line for line in done.stderr.splitlines() if "--no-install-recommends " in line), "")
    return line.partition("--no-install-recommends ")[2].split()


def try_kind(kind: Kind) -> tuple[str, list[str], subprocess.CompletedProcess]:
    """How setup ends on a machine of this kind, and the packages that it installed or asked for."""
    with tempfile.TemporaryDirectory(prefix="setup ") as folder:
        machine = Machine(Path(os.path.realpath(folder)), kind)
        done = machine.set_up()
        ended = outcome(done)
        asked = named_packages(done) if ended == "ask the administrator" else machine.read("installed")
        return ended, asked, done
