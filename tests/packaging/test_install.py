"""Installing the pack into a real ComfyUI's environment changes no installed version. Needs COMFYUI_PYTHON, its Python.

    COMFYUI_PYTHON=.../bin/python python -m pytest tests/packaging/test_install.py

The environment itself is not changed: pip reports what it would do there, and does it in a virtual environment that
includes it.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from sonic_nodes import __version__

ROOT = Path(__file__).resolve().parents[2]
NAME = "sonic-talking-portrait"


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python():
    named = os.environ.get("COMFYUI_PYTHON")
    if not named:
        pytest.skip("no ComfyUI at hand: set COMFYUI_PYTHON to the Python that runs it")
    return named


def would_install(python, *what):
    report = json.loads(
        run(python, "-m", "pip", "install", "--dry-run", "--quiet", "--no-input", "--report", "-", *what)
    )
    return {item["metadata"]["name"].lower(): item["metadata"]["version"] for item in report["install"]}


def test_the_requirements_are_met(python):
    assert would_install(python, "--requirement", ROOT / "requirements.txt") == {}


def test_the_wheel_installs_only_itself(python, wheel):
    assert would_install(python, wheel) == {NAME: __version__}


def test_pip_freeze_is_the_same_afterwards(python, wheel, tmp_path):
    guest = tmp_path / "guest"
    run(python, "-m", "venv", "--without-pip", guest)
    folders = json.loads(run(python, "-c", "import json, site; print(json.dumps(site.getsitepackages()))"))
    (inside,) = guest.glob("lib/python*/site-packages") if os.name != "nt" else [guest / "Lib" / "site-packages"]
    (inside / "host.pth").write_text("".join(f"import site; site.addsitedir({folder!r})\n" for folder in folders))
    its_python = guest / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def pip(*arguments):
        return run(python, "-m", "pip", "--python", its_python, *arguments, "--no-input")

    def freeze():
        return set(pip("freeze", "--all").splitlines())

    before = freeze()
    assert any(line.startswith("torch==") for line in before), "this Python has no PyTorch: it runs no ComfyUI"
    pip("install", "--quiet", "--requirement", ROOT / "requirements.txt", wheel)
    after = freeze()
    assert before - after == set() and {re.split("[ =]", line)[0].lower() for line in after - before} == {NAME}, (
        after - before
    )
    findings = json.loads(
        subprocess.run(
            [its_python, "-m", "sonic_nodes", "doctor", "--json"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        ).stdout
    )
    assert [item for item in findings if item["required"] and not item["ok"]] == []
    pip("uninstall", "--quiet", "--yes", NAME)
    assert freeze() == before
