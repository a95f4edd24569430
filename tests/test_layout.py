"""Where tests, benches and tools are, and how they import each other: by name, from the root of the checkout."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Their subject is how ComfyUI, or Python itself, loads the pack from a folder.
IMPORTS_BY_PATH = {
    "tests/e2e/common.py",
    "tests/e2e/dynamic_vram.py",
    "tests/extension/pack_copy.py",
    "tests/extension/test_process.py",
    "tests/nodes/test_extension.py",
    "tests/tools/public_names.py",
    "tests/test_repository.py",
}
WITHOUT_COUNTERPART = {"e2e", "fuzz", "golden", "gpu", "oracles", "packaging", "tools"}


def scripts():
    return [path for folder in ("tests", "bench", "tools") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_nothing_changes_where_python_looks_for_modules():
    trick = re.compile(r"sys\.path\b|spec_from_file_location")
    found = {
        str(path.relative_to(ROOT))
        for path in scripts()
        if path != Path(__file__).resolve() and trick.search(path.read_text("utf-8"))
    }
    assert found == IMPORTS_BY_PATH


def test_every_folder_with_python_is_a_package():
    missing = {path.parent for path in scripts() if not (path.parent / "__init__.py").is_file()}
    assert not missing


@pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="the sources are not here, only an installed package")
def test_tests_mirror_the_code():
    """tests/gate tests csrc/gate and sonic_nodes/gate; what belongs to no folder of the code is listed above."""
    code = {path.name for parent in ("csrc", "sonic_nodes") for path in (ROOT / parent).iterdir() if path.is_dir()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("*.*"))}
    assert folders - code - {"__pycache__"} == WITHOUT_COUNTERPART
