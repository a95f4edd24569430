"""The wheels of `make wheel`, `make wheel-windows` and so on in dist/, or SONIC_WHEEL for this system's."""

import os
import zipfile
from pathlib import Path

import pytest

from sonic_nodes import __version__
from sonic_nodes.extension import targets
from sonic_nodes.extension.native import _sonic
from tools.pack_binaries import newest_source, wheel_of

ROOT = Path(__file__).resolve().parents[2]
HERE = targets.find(targets.this())


def wheel_for(target) -> Path:
    """The wheel in dist/; skips where it is absent or older than the sources."""
    if target is HERE and "SONIC_WHEEL" in os.environ:
        return Path(os.environ["SONIC_WHEEL"])
    found = target and wheel_of(ROOT / "dist", target, __version__)
    if not found or found.stat().st_mtime < newest_source(ROOT):
        goal = target.goal if target else "wheel"
        title = target.title if target else targets.this()
        pytest.skip(f"type make {goal} for this test: dist/ has no wheel for {title}, or one older than the sources")
    return found


@pytest.fixture(scope="session")
def wheel():
    """This system's."""
    return wheel_for(HERE)


@pytest.fixture(scope="session")
def wheel_named():
    """wheel_named("macos-arm64")"""
    return lambda name: wheel_for(targets.find(name))


@pytest.fixture(scope="session", params=["build", *targets.TARGETS], ids=lambda param: getattr(param, "name", param))
def binary(request, tmp_path_factory):
    """(path, whether it is for other machines, too) of the extension: the imported one, and that in each wheel."""
    if request.param == "build":
        return Path(_sonic.__file__), _sonic.build_info()["build"] == "wheel"
    folder = tmp_path_factory.mktemp(request.param.name)
    with zipfile.ZipFile(wheel_for(request.param)) as archive:
        return Path(archive.extract(f"sonic_nodes/_sonic{request.param.suffix}", folder)), True
