"""The wheel for each system: its content, and that its metadata makes pip replace nothing."""

import email
import re
import zipfile
from pathlib import Path

import pytest

import sonic_nodes
from sonic_nodes.extension import targets
from tests.packaging import binary_rules as rules
from tests.packaging.binary_facts import read as read_facts
from tests.packaging.conftest import wheel_for

ROOT = Path(__file__).resolve().parents[2]
BINARY = "sonic_nodes/_sonic.abi3.so"  # in Linux' wheels
# What PyTorch 2.10's own wheels need (manylinux_2_28): glibc 2.28 and the libstdc++ of gcc 8.
NEWEST = {"GLIBC": (2, 28), **rules.NEWEST}
GLIBC_TAG = re.compile(r"manylinux_(\d+)_(\d+)_")  # manylinux2014 and such are other names of these
# Zig links its own C++ library into what it makes, and MinGW's C start-up code on Windows.
LICENSES = {
    "windows-x86_64": {"libcxx-LICENSE.txt", "libunwind-LICENSE.txt", "mingw-w64-COPYING.txt"},
    "macos-arm64": {"libcxx-LICENSE.txt"},
}


@pytest.fixture(scope="module", params=targets.TARGETS, ids=lambda target: target.name)
def target(request):
    return request.param


@pytest.fixture(scope="module")
def wheel(target):
    return wheel_for(target)


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


@pytest.mark.parametrize(
    "target", [t for t in targets.TARGETS if t.name.startswith("linux")], ids=lambda target: target.name, indirect=True
)
def test_its_name_has_the_glibc_that_it_needs(wheel, target, tmp_path):
    """pip reads the name; tests/packaging/test_binary.py compares the binary with what the pages say."""
    with zipfile.ZipFile(wheel) as archive:
        found = read_facts(Path(archive.extract(BINARY, tmp_path))).versions
    assert {"GLIBC", "GLIBCXX"} <= found.keys() <= NEWEST.keys()
    tags = [(int(major), int(minor)) for major, minor in GLIBC_TAG.findall(wheel.name)]
    assert tags, f"{wheel.name} does not name the glibc it needs"
    told = tuple(map(int, target.oldest.split()[1].split(".")))
    assert max(found["GLIBC"])[:2] <= min(tags) <= told <= NEWEST["GLIBC"]


def test_it_holds_the_package_and_nothing_else(names, target):
    package = Path(sonic_nodes.__file__).resolve().parent
    files = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wanted = {f"sonic_nodes/{name}" for name in files if not name.endswith((".so", ".pyd", ".c"))}
    wanted |= {
        f"sonic_nodes/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "locales").rglob("*") if path.is_file()
    } | {f"sonic_nodes/_sonic{target.suffix}"}
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


def test_licences_of_the_compilers_libraries_are_inside(names, target):
    held = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert LICENSES.get(target.name, set()) <= held


def test_pip_replaces_nothing(read):
    """PyTorch is not required at all; the other packages only have the lower bounds of requirements.txt."""
    metadata = email.message_from_string(read("METADATA"))
    required = {item for item in metadata.get_all("Requires-Dist") if "extra ==" not in item}
    assert not {item for item in required if item.startswith(("torch", "opencv"))}
    assert not re.search("==|<|~", "".join(required))
    assert metadata["Requires-Python"] == ">=3.10"
