"""The walks in docs/architecture.md: files that exist, none twice in a walk, in the order in which they are entered."""

import json
import re
import subprocess
import sys
import threading
import wave
from pathlib import Path

import pytest

from sonic_nodes.commands.cli import main

ROOT = Path(__file__).resolve().parent.parent
IS_FUNCTION = 1  # CO_OPTIMIZED of a code object: bodies of modules and classes lack it


def walks() -> dict[str, list[str]]:
    """{heading: paths in order}"""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = re.search(r"^## Three walks\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    parts = re.split(r"^\*\*(.+?)\*\*", section, flags=re.MULTILINE)[1:]
    return {
        heading: re.findall(r"`((?:sonic_nodes|csrc)/[\w/.]+)`", text)
        for heading, text in zip(parts[::2], parts[1::2], strict=True)
    }


def entered(*arguments: str) -> list[str]:
    """The modules of sonic_nodes in which the command runs a function, in the order of their first one; in a process of
    its own, where nothing is cached."""
    command = [sys.executable, "-m", "tests.test_walks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def follow(arguments: list[str]) -> int:
    """Runs the command and prints what it entered as the last line."""
    found: dict[str, None] = {}

    def profile(frame, event, argument):
        if event == "call" and frame.f_code.co_flags & IS_FUNCTION:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT / "sonic_nodes"):
                found.setdefault(path.relative_to(ROOT).as_posix())

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        code = main(arguments)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    print(json.dumps(list(found)))
    return code


def in_order(walk: list[str], order: list[str]) -> list[str]:
    """The Python files of a walk, as they are entered; one that is not entered comes first."""
    return sorted(
        (path for path in walk if path.endswith(".py")),
        key=lambda path: (path in order, *map(order.index, {path} & set(order))),
    )


@pytest.mark.parametrize("heading", walks())
def test_each_file_exists_and_is_named_once(heading):
    paths = walks()[heading]
    assert len(paths) > 10 and [path for path in paths if not (ROOT / path).is_file()] == []
    assert [path for path in set(paths) if paths.count(path) > 1] == []


def python_of(heading: str) -> list[str]:
    return next([path for path in paths if path.endswith(".py")] for name, paths in walks().items() if heading in name)


def test_render_walks_as_written(tmp_path, sample_dir, small_models):
    with wave.open(str(sample_dir / "speech.wav")) as source, wave.open(str(tmp_path / "a.wav"), "wb") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(source.getframerate() // 2))
    files = [str(sample_dir / "portrait.jpg"), str(tmp_path / "a.wav"), "-o", str(tmp_path / "a.mp4")]
    options = ["--engine", "sonic", "--models", str(small_models), "--steps", "1", "--min-resolution", "128"]
    order, walk = entered("render", *files, *options), python_of("sonic render")
    assert in_order(walk, order) == walk, order


def test_check_walks_as_written(sample_dir):
    order, walk = entered("check", str(sample_dir / "portrait.jpg")), python_of("verdict")
    assert in_order(walk, order) == walk, order


if __name__ == "__main__":
    sys.exit(follow(sys.argv[1:]))
