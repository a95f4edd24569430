"""tools/bootstrap.sh on machines that lack a compiler or headers: it says what to type, and never ends without a word.

Each case runs a copy of the script with a PATH of its own, as an ordinary user without sudo. The compiler is the real
one; OPENCV_PREFIX hides OpenCV's headers from it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = (
    "bash",
    "cat",
    "cut",
    "echo",
    "dirname",
    "env",
    "grep",
    "mkdir",
    "realpath",
    "sed",
    "sha256sum",
    "tail",
    "uname",
    "xargs",
)
OPENCV = ["libopencv-core-dev", "libopencv-imgproc-dev", "libopencv-video-dev"]
ALL = ["g++", *OPENCV, "libjpeg-dev"]
ORDINARY_USER = '#!/bin/sh\ncase "$1" in -u) echo 1000;; *) echo user;; esac\n'
NEVER_CALLED = '#!/bin/sh\necho "$0 was called" >&2\nexit 99\n'
# Good enough for the script's questions; making a virtual environment is where the test ends.
PYTHON = f'#!/bin/sh\ncase "$*" in *venv*--clear*) exit 42;; esac\nexec {sys.executable} "$@"\n'

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the script is for Debian"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++, which the stand-in machines have or lack"),
]


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """machine(compilers, opencv) -> the finished process of `tools/bootstrap.sh run` there."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.sh", tmp_path / "tools")
    path = tmp_path / "bin"
    path.mkdir()
    for name in PROGRAMS:
        (path / name).symlink_to(shutil.which(name))
    program(path, "id", ORDINARY_USER)
    program(path, "apt-get", NEVER_CALLED)
    program(path, "python3", PYTHON)

    def run(compilers, opencv_prefix):
        for name in compilers:
            program(
                path,
                name,
                f'#!/bin/sh\nPATH={Path(shutil.which(name)).parent}:/usr/bin exec {shutil.which(name)} "$@"\n',
            )
        environment = {"PATH": str(path), "HOME": str(tmp_path), "OPENCV_PREFIX": str(opencv_prefix)}
        command = [shutil.which("bash"), "tools/bootstrap.sh", "run"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def packages_to_install(done) -> list[str]:
    """What the message says to type."""
    assert done.returncode == 1
    assert done.stderr.lstrip().startswith("Type this as administrator, then make again:"), done.stderr
    line = next(line for line in done.stderr.splitlines() if "apt-get install" in line)
    return line.split("--no-install-recommends ")[1].split()


def test_without_a_compiler_all_packages_are_named(machine, tmp_path):
    assert packages_to_install(machine([], tmp_path)) == ALL


@pytest.mark.skipif(
    Path("/usr/local/include/opencv4").exists(), reason="OpenCV's headers in /usr/local cannot be hidden"
)
def test_with_a_compiler_alone_the_missing_headers_are_named(machine, tmp_path):
    """The last release ended here with "Error 1" and nothing else."""
    assert packages_to_install(machine(["gcc", "g++"], tmp_path))[:3] == OPENCV


def test_with_everything_it_goes_on(machine, tmp_path):
    """Headers are stand-ins: the probe asks only whether they are there."""
    for name in ("opencv2/core.hpp", "opencv2/imgproc.hpp", "opencv2/video.hpp", "jpeglib.h"):
        header = tmp_path / "include" / "opencv4" / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.touch()
    done = machine(["gcc", "g++"], tmp_path)
    assert "Making .venv with Python" in done.stdout and done.returncode == 42
    assert "apt-get" not in done.stdout + done.stderr
