"""The wheel: its content, the oldest Linux it supports, and that its metadata makes pip replace nothing."""

import email
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

import sonic_nodes

ROOT = Path(__file__).resolve().parents[2]
BINARY = "sonic_nodes/_sonic.abi3.so"
# What PyTorch 2.10's own wheels need (manylinux_2_28): glibc 2.28 and the libstdc++ of gcc 8.
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 25), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0)}
TAG = re.compile(r"-cp310-abi3-(?:\w+\.)*manylinux_(\d+)_(\d+)_x86_64\.whl$")


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def read(wheel, names):
    """read("METADATA"): the text of a file in dist-info."""
    folder = next(name.split("/")[0] for name in names if ".dist-info/" in name)
    with zipfile.ZipFile(wheel) as archive:
        yield lambda name: archive.read(f"{folder}/{name}").decode()


def versions(binary):
    """{"GLIBC": {(2, 14): [names], ...}, ...}: the symbol versions that the binary needs."""
    if not shutil.which("nm"):
        pytest.skip("install binutils for this test: nm is absent")
    listed = subprocess.run(["nm", "-D", "--undefined-only", binary], check=True, capture_output=True, text=True).stdout
    found = {}
    for name, family, version in re.findall(r"(\S+)@+([A-Z]+)_([\d.]+)$", listed, re.MULTILINE):
        found.setdefault(family, {}).setdefault(tuple(map(int, version.split("."))), []).append(name)
    return found


def test_it_supports_every_linux_that_torch_supports(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        found = versions(archive.extract(BINARY, tmp_path))
    assert {"GLIBC", "GLIBCXX"} <= found.keys() <= NEWEST.keys()
    newer = {
        f"{family} {version}": who
        for family in found
        for version, who in found[family].items()
        if version > NEWEST[family]
    }
    assert not newer, "these need a newer system: csrc/core/glibc_compat.c selects old versions"
    tag = TAG.search(wheel.name)
    assert tag, f"{wheel.name} does not name the glibc it needs"
    assert max(found["GLIBC"]) <= tuple(map(int, tag.groups())) <= NEWEST["GLIBC"]


def test_it_holds_the_package_and_nothing_else(names):
    package = Path(sonic_nodes.__file__).resolve().parent
    files = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted = {f"sonic_nodes/{name}" for name in files if not name.endswith((".so", ".c"))}
    wanted |= {
        f"sonic_nodes/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "locales").rglob("*") if path.is_file()
    } | {BINARY}
    held = {name for name in names if ".dist-info/" not in name and not name.endswith("/")}
    assert held == wanted, "type make wheel again"


def test_it_installs_the_command(read):
    assert "sonic = sonic_nodes.__main__:main" in read("entry_points.txt")


@pytest.mark.parametrize(
    "name, words",
    [
        ("LICENSE", "Apache License"),
        ("THIRD_PARTY.md", "MediaPipe"),
        ("OpenCV-LICENSE.txt", "Apache License"),
        ("OpenCV-COPYRIGHT.txt", "Copyright"),
        ("libjpeg-turbo-LICENSE.md", "Redistribution and use in source and binary forms"),
        ("libjpeg-turbo-README.ijg", "The Independent JPEG Group"),
        ("zlib-LICENSE.txt", "Jean-loup Gailly"),
    ],
)
def test_licences_of_what_is_inside_are_inside(read, name, words):
    assert words in read(f"licenses/{name}")


def test_pip_replaces_nothing(read):
    """PyTorch is not required at all; the other packages only have the lower bounds of requirements.txt."""
    metadata = email.message_from_string(read("METADATA"))
    required = {item for item in metadata.get_all("Requires-Dist") if "extra ==" not in item}
    assert not {item for item in required if item.startswith(("torch", "opencv"))}
    assert not re.search("==|<|~", "".join(required))
    assert metadata["Requires-Python"] == ">=3.10"
