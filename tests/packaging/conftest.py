"""The wheel of `make wheel` in dist/, or SONIC_WHEEL."""

import os
import zipfile
from pathlib import Path

import pytest

from sonic_nodes.extension.native import _sonic

ROOT = Path(__file__).resolve().parents[2]
BINARY = "sonic_nodes/_sonic.abi3.so"


@pytest.fixture(scope="session")
def wheel():
    if "SONIC_WHEEL" in os.environ:
        return Path(os.environ["SONIC_WHEEL"])
    found = sorted((ROOT / "dist").glob("sonic_talking_portrait-*.whl"))
    inside = [
        path for name in ("sonic_nodes", "csrc", "locales") for path in (ROOT / name).rglob("*") if path.is_file()
    ]
    if not found or found[-1].stat().st_mtime < max(
        path.stat().st_mtime for path in inside if path.suffix not in (".so", ".pyc")
    ):
        pytest.skip("type make wheel for this test: there is no wheel in dist/, or it is older than the sources")
    return found[-1]


@pytest.fixture(scope="session", params=["build", "wheel"])
def binary(request, tmp_path_factory):
    """Path of the extension: the imported one, and the one in the wheel."""
    if request.param == "build":
        return Path(_sonic.__file__)
    with zipfile.ZipFile(request.getfixturevalue("wheel")) as archive:
        return Path(archive.extract(BINARY, tmp_path_factory.mktemp("wheel")))
