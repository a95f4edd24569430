"""What the README says about systems, against targets.py; and the lines for ComfyUI portable, which are typed."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from sonic_nodes import __version__
from sonic_nodes.extension import targets

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COLUMNS = "system | from | install | tried"


def rows(header):
    """The rows below this header, as lists of cells."""
    table = README.partition(f"| {header} |\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_the_table_of_systems_is_that_of_doctor():
    assert rows(COLUMNS) == [[t.title, t.oldest, t.install, t.tested] for t in targets.TARGETS]


def test_a_build_that_was_not_run_on_its_system_says_so():
    for target in targets.TARGETS:
        assert target.on_itself == (" not on " not in target.tested and not target.tested.startswith("not run")), target


def test_each_wheel_has_its_command():
    goals = re.findall(r"`((?:make )?wheel[\w-]*)`", README)
    assert {goal.removeprefix("make ") for goal in goals} == {target.goal for target in targets.TARGETS}


def lines_for_portable():
    block = README.partition("**ComfyUI portable for Windows**")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [line.strip() for line in block.splitlines()]


def test_the_lines_for_portable_work(tmp_path):
    """With slashes, on this system, a copy of the package for the archive's, and a Python that finds nothing else."""
    make, unpack, doctor = lines_for_portable()
    pack = "ComfyUI\\custom_nodes\\sonic-talking-portrait"
    assert make == f"mkdir {pack}" and unpack == f"tar -xf sonic-talking-portrait-{__version__}.zip -C {pack}"
    python, *arguments = shlex.split(doctor.replace("\\", "/"))
    assert python == "python_embeded/python.exe" and arguments == [pack.replace("\\", "/") + "/sonic_nodes", "doctor"]
    folder = tmp_path / pack.replace("\\", "/")
    shutil.copytree(ROOT / "sonic_nodes", folder / "sonic_nodes", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", *arguments], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 7 and done.stdout.startswith("ok  python: ") and not done.stderr, done.stderr
