import importlib.metadata
import shutil
import sys

import pytest

from tests.extension.pack_copy import PACKAGE


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The package without the extension under another name; removed from sys.modules afterwards. No wheel of it counts
    as installed."""
    folder = tmp_path / "pack" / "sonic_copy"
    left = shutil.ignore_patterns("__pycache__", "assets", "web", "*.so", "*.pyd", "binaries")
    shutil.copytree(PACKAGE, folder, ignore=left)
    (folder.parent / "Makefile").touch()

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("sonic_copy"):
            del sys.modules[name]
