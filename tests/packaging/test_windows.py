"""The wheel for Windows, built here and tried in Windows' own Python under Wine: a sample of `make test-windows`.

SONIC_WINDOWS=1 wants these tests, =0 leaves them out; without it they run where `make test-windows` has left Wine's
parts in the cache. `make test` installs Wine where they are wanted; a test never does.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import static_libraries
from tools.cross import cache, targets
from tools.wine import environment, installed, machine, packages, suite

ROOT = Path(__file__).resolve().parents[2]
PYTHON, TORCH = "3.13", "2.13.0"
SWITCH = os.environ.get("SONIC_WINDOWS", "")
MAKE = "type make test-windows once: it installs and makes all that this needs"


def test_marks_give_their_reason(pytester_like):
    """A mark without a reason stops the run."""
    good, bad = ('posix("pipes in a folder")', 'not_wine("a bug of it")'), ("posix", 'posix("")', "not_wine")
    for mark, status in [*((mark, 0) for mark in good), *((mark, 4) for mark in bad)]:
        assert pytester_like(mark) == status, mark


@pytest.fixture
def pytester_like(tmp_path):
    """pytester_like(mark) -> pytest's exit status for one test with it, under our conftest.py."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "conftest.py")
    options = [
        "-p",
        "no:cacheprovider",
        "-q",
        "--strict-markers",
        "-o",
        "markers=posix(reason): x\nnot_wine(reason): x",
        str(tmp_path),
    ]

    def run(mark: str) -> int:
        text = f"import pytest\n\n@pytest.mark.{mark}\ndef test_one():\n    pass\n"
        (tmp_path / "test_one.py").write_text(text)
        found = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pytest", "--rootdir", str(tmp_path), *options]
        return subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, check=False).returncode

    return run


def test_each_windows_python_is_pinned_for_each_torch():
    for torch, files in packages.TORCH.items():
        assert list(files) == list(packages.PYTHONS), torch
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in files.values())
    assert all(re.fullmatch("[0-9a-f]{64}", pinned.sha256) for pinned in packages.PYTHONS.values())


@pytest.mark.parametrize("python", packages.PYTHONS)
def test_what_is_installed_on_windows_is_locked(python):
    lines = packages.requirements(python, TORCH).splitlines()
    names = [line.split("==")[0] for line in lines]
    assert all("--hash=sha256:" in line for line in lines) and len(set(names)) == len(names)
    assert {"torch", "numpy", "av", "pillow", "safetensors", "tqdm", "pytest", "sympy", "colorama"} <= set(names)
    assert not set(names) & packages.NOT_FOR_WINDOWS


def test_results_are_read_as_pytest_prints_them():
    printed = [
        "tests/audio/test_resample.py::test_rates[8000-x y] PASSED             [ 12%]\n",
        "tests/media/test_image.py::test_unreadable SKIPPED (not for Windows: RLIMIT_FSIZE)  [ 50%]\n",
        "tests\\media\\test_image.py::test_two FAILED                        [100%]\n",
        "tests/media/test_image.py .....                              [100%]\n",
    ]
    found = [match and (match[1], match[2]) for match in map(suite.RESULT.match, map(str.rstrip, printed))]
    assert found[0] == ("tests/audio/test_resample.py::test_rates[8000-x y]", "PASSED")
    assert found[1] == ("tests/media/test_image.py::test_unreadable", "SKIPPED")
    assert found[2] == ("tests\\media\\test_image.py::test_two", "FAILED") and found[3] is None
    assert suite.MARK in suite.RESULT.match(printed[1].rstrip())[3]


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("== 1 failed, 2 passed, 3 skipped in 4.56s ==", True),
        ("=== 12 passed in 61.20s (0:01:01) ===", True),
        ('File "<frozen runpy>", line 198 in _run_module_as_main', False),
        ("tests/face/test_find.py::test_one PASSED [ 12%]", False),
    ],
)
def test_a_run_that_was_cut_short_is_not_taken_for_whole(line, whole):
    """faulthandler ends a test that hangs with the exit status of a failed test."""
    assert bool(suite.SUMMARY.search(line)) is whole


# With Wine


@pytest.fixture(scope="module")
def windows():
    """The Windows Python, started."""
    if SWITCH == "0":
        pytest.skip("SONIC_WINDOWS=0 leaves out the tests under Wine")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("Wine runs programs for x86-64 on Linux alone here")
    if not (environment.BIN / "wine64").is_file():
        pytest.skip(f"Wine is not installed (Debian: wine64); {MAKE}")
    if not SWITCH and not [*cache.root().glob(f"wine-python-{PYTHON}-torch-{TORCH}-*")]:
        pytest.skip(f"the cache has no Windows Python, 0.4 GB to download; {MAKE}")
    return machine.started(PYTHON, TORCH)


@pytest.fixture(scope="module")
def folder(windows):
    """The wheel, built from this checkout and installed, with the tests beside it."""
    target = targets.TARGETS["windows-x86_64"]
    made = (cache.root() / f"static-{target.name}-{static_libraries.key(target)}").is_dir()
    missing = [] if made else [name for name in ("cmake", "ninja", "nasm") if not has(name)]
    if missing or not (made or SWITCH):
        pytest.skip(f"OpenCV for Windows is not in the cache, 20 CPU minutes, or {missing} are absent; {MAKE}")
    found = {**os.environ, "SONIC_TARGET": target.name}
    done = subprocess.run(["bash", "tools/wheel.sh"], cwd=ROOT, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return installed.lay_out(installed.newest_wheel(), PYTHON)


def has(program: str) -> bool:
    return bool(shutil.which(program) or (Path(sys.executable).parent / program).is_file())


def run(windows, folder, *arguments) -> str:
    """What a command prints; it must end well."""
    lines: list[str] = []
    status = installed.run(windows, folder, list(arguments), 600, each_line=lines.append)
    assert status == 0, "".join(lines)[-3000:]
    return "".join(lines)


def test_doctor_says_yes_to_everything(windows, folder):
    printed = run(windows, folder, "-m", "sonic_nodes", "doctor")
    assert "ok  extension" in printed and not re.search(r"^NO ", printed, re.MULTILINE), printed


def test_operators_compute(windows, folder):
    """Failing ones too: their errors travel through libtorch, which another compiler has compiled."""
    chosen = ["tests/torch/test_tensor.py", "-k", "conv2d or linear or norm or error or failing or refused"]
    printed = run(windows, folder, "-m", "pytest", "-p", "no:cacheprovider", *chosen)
    assert " passed" in printed or printed.count("."), printed


def test_a_short_render(windows, folder):
    write = (
        "import wave; old = wave.open('sonic_nodes/assets/sample/speech.wav');"
        "new = wave.open('short.wav', 'wb'); new.setparams(old.getparams());"
        "new.writeframes(old.readframes(old.getframerate() // 2)); new.close()"
    )
    run(windows, folder, "-c", write)
    portrait = "sonic_nodes/assets/sample/portrait.jpg"
    run(windows, folder, "-m", "sonic_nodes", "render", portrait, "short.wav", "-o", "短 video.mp4")
    assert (folder / "短 video.mp4").stat().st_size > 10_000
