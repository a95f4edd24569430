"""The wheel for Linux on Arm: its binary, and what builds and tests it. `make test-aarch64` runs it in an emulator."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from tools.lock import read
from tools.qemu import check, debian, environment

from .test_wheel import BINARY, NEWEST

ROOT = Path(__file__).resolve().parents[2]
COMPILER = "aarch64-linux-gnu-gcc"
NEEDED = {"libtorch_cpu.so", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6", "ld-linux-aarch64.so.1"}


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    found = sorted((ROOT / "dist").glob("sonic_talking_portrait-*_aarch64.whl"))
    if not found:
        pytest.skip("type make wheel-aarch64 for this test: dist/ has no wheel for Linux on Arm")
    with zipfile.ZipFile(found[-1]) as archive:
        path = archive.extract(BINARY, tmp_path_factory.mktemp("aarch64"))
    with open(path, "rb") as file:
        yield ELFFile(file)


def needed_versions(elf) -> set[str]:
    """Names such as "GLIBC_2.17" that the loader must find in libraries."""
    return {aux.name for _, entries in elf.get_section_by_name(".gnu.version_r").iter_versions() for aux in entries}


def test_the_binary_is_for_arm(binary):
    assert binary["e_machine"] == "EM_AARCH64"


def test_the_binary_exports_the_init_function_alone(binary):
    symbols = binary.get_section_by_name(".dynsym").iter_symbols()
    defined = {s.name for s in symbols if s["st_shndx"] != "SHN_UNDEF" and s["st_info"]["bind"] != "STB_LOCAL"}
    assert defined == {"PyInit__sonic"}


def test_the_binary_needs_torch_and_what_every_linux_has(binary):
    dynamic = next(section for section in binary.iter_sections() if isinstance(section, DynamicSection))
    tags = list(dynamic.iter_tags())
    assert {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"} <= NEEDED
    assert not [tag for tag in tags if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH")]


def test_the_binary_needs_no_newer_system_than_torch(binary):
    found = needed_versions(binary)
    assert "GLIBC_2.17" in found
    for name in found:
        family, version = name.split("_", 1)
        assert tuple(map(int, version.split("."))) <= NEWEST[family], name


def test_torch_is_used_through_c_functions(binary):
    symbols = binary.get_section_by_name(".dynsym").iter_symbols()
    names = {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF"}
    assert "torch_call_dispatcher" in names
    assert not {name for name in names if re.match("_Z", name) and re.search("3c10|2at|5torch", name)}


def test_old_versions_of_functions_are_asked_for(tmp_path):
    """Also where the wheel is not built: the compatibility file, compiled for Arm."""
    if not shutil.which(COMPILER):
        pytest.skip("apt-get install g++-aarch64-linux-gnu for this test: code for Arm is NOT compiled")
    target = tmp_path / "compat.o"
    command = [COMPILER, "-DSONIC_STATIC=1", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-c", "-o", target]
    subprocess.run([*command, ROOT / "csrc/core/glibc_compat.c"], check=True)
    with open(target, "rb") as file:
        names = [symbol.name for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols()]
    asked = dict(name.split("@", 1) for name in names if "@" in name)
    assert {"exp", "pow", "dlopen", "pthread_create", "__xstat"} <= asked.keys()
    assert set(asked.values()) == {"GLIBC_2.17", "GLIBCXX_3.4", "GLIBCXX_3.4.21", "CXXABI_1.3.3"}


def test_the_emulated_python_has_what_the_locks_name():
    lines = environment.requirements().splitlines()
    wanted = [name for names in environment.PACKAGES for name in names]
    assert len(lines) == len(wanted) == len({line.split("==")[0] for line in lines})
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", line) for line in lines)
    (torch,) = (
        e for e in read((ROOT / "tools/requirements-aarch64.txt").read_text("utf-8")) if e.requirement.name == "torch"
    )
    assert str(torch.requirement).startswith("torch==2.10") and len(torch.hashes) == 1


def test_what_compiles_is_not_run_in_the_emulator():
    """Each folder's tests but those, and no folder without."""
    assert check.not_here("torch") == ["tests/torch/test_example.py", "tests/torch/test_failing_allocations.py"]
    assert check.not_here("face") == check.not_here("audio") == []
    for folder in check.TESTS:
        arguments = check.commands()[folder]
        assert arguments[-1] == f"tests/{folder}" and len(list((ROOT / arguments[-1]).glob("test_*.py"))) > 2
        assert [f"--ignore={name}" for name in check.not_here(folder)] == [a for a in arguments if "--ignore" in a]


def test_apt_works_in_folders_of_its_own(tmp_path):
    text = debian.settings(tmp_path / "apt").read_text("utf-8")
    places = re.findall(r'^Dir::\S+ "(.+)";$', text, re.MULTILINE)
    assert len(places) == 7 and all(place.startswith(str(tmp_path)) for place in places)
    assert "arch=arm64" in (tmp_path / "apt" / "sources.list").read_text("utf-8")


def test_the_worst_frame_counts():
    a = np.full((3, 4, 4, 3), 100, np.uint8)
    b = a.copy()
    b[1] += 10
    assert check.worst_psnr_db(a, a) == float("inf")
    assert check.worst_psnr_db(a, b) == pytest.approx(10 * np.log10(255**2 / 100))
    with pytest.raises(ValueError, match="Render both clips alike"):
        check.worst_psnr_db(a, b[:2])
