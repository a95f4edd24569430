"""The C compiler with the flags of setup.py, for tests that compile parts of csrc/."""

import os
import runpy
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

import pytest
import setuptools

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
# A sanitizer that is preloaded for the extension (tools/asan.sh) is not for the compiler and its programs.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


@cache
def settings() -> dict:
    """The global names of setup.py, which builds nothing here."""
    with pytest.MonkeyPatch.context() as m:
        m.setattr(setuptools, "setup", lambda **_: None)
        return runpy.run_path(str(ROOT / "setup.py"))


def command(suffix: str) -> list[str]:
    """The compiler of ".c" or ".cpp" files and its flags; skips the test where it cannot run."""
    compiler = shutil.which("gcc" if suffix == ".c" else "g++")
    python = sysconfig.get_path("include")
    if not compiler or not CSRC.is_dir() or not Path(python, "Python.h").is_file():
        pytest.skip("install gcc, g++ and Python's headers, and run this in a checkout: it compiles csrc/")
    setup = settings()
    macros = [f"-D{name}={value}" for name, value in setup["MACROS"]]
    return [compiler, *macros, *setup["COMMON"], *setup["PER_LANGUAGE"][suffix], f"-I{CSRC}", f"-isystem{python}"]


def compile_text(text: str, suffix: str, *flags: str) -> str:
    """The compiler's report if it refuses this translation unit, else ""."""
    read = ["-x", "c" if suffix == ".c" else "c++", "-"]
    done = run([*command(suffix), *flags, *read], input=text)
    return done.stderr if done.returncode else ""


def run(arguments: list, env=ENVIRONMENT, **options) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, env=env, capture_output=True, text=True, check=False, **options)
