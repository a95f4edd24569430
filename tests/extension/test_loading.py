"""The messages when the compiled part does not load. Each failure is real wherever this machine can produce it."""

import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sonic_nodes.errors import InstallError
from sonic_nodes.extension import binary, causes, loading, places, targets, versions
from sonic_nodes.extension.native import _sonic
from tests.extension.pack_copy import FILE, PACKAGE, WINDOWS, gone_library, imported, message, real

HERE, OTHER = ("Windows", "Linux") if WINDOWS else ("Linux", "Windows")
REBUILD = "Unpack sonic-talking-portrait-" if WINDOWS else "Run `make -C"
FILES = {
    "Windows": b"MZ" + bytes(58) + b"\x40\0\0\0" + b"PE\0\0\x64\x86" + bytes(500),
    "Linux": b"\x7fELF" + bytes(500),
}

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "win32"), reason="files of macOS are not made here")
compiled = pytest.mark.skipif(sys.platform != "linux", reason="a compiler makes the ELF files of this test")


def linked(target, source, *flags):
    """Compiles one line of C to a library."""
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("install gcc for this test: it compiles a library that does not load")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", target, "-x", "c", "-", "-x", "none", *flags],
        input=source,
        text=True,
        check=True,
    )


def test_it_loads(copy):
    (copy / FILE).write_bytes(real())
    assert imported(copy)._sonic.__file__ == str(copy / FILE)


def test_no_file(copy):
    text = message(copy)
    assert text.startswith(REBUILD)
    assert f'"{copy.parent}"' in text.splitlines()[0] and f'"{sys.executable}"' in text.splitlines()[0]
    assert f"the compiled part is not in {copy}" in text
    assert "Original error" not in text


@pytest.mark.parametrize("part", [0.98, 0.5, 0.01])
def test_a_file_cut_short_is_not_loaded(copy, part):
    """dlopen would map it, and reading past its end crashes the process."""
    whole = real()
    (copy / FILE).write_bytes(whole[: int(len(whole) * part)])
    assert f"is cut short: it has {int(len(whole) * part):,} of {len(whole):,} bytes" in message(copy)


@pytest.mark.skipif(WINDOWS, reason="ELF has segments")
def test_every_segment_must_be_in_the_file():
    """Also if the section table comes first, where patchelf may put it."""
    head = bytearray(real()[: binary.HEAD_BYTES])
    head[40:48] = bytes(8)
    assert binary.HEADER_BYTES * 100 < binary.kind_of(bytes(head)).least_bytes <= len(real())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a shared library (0 bytes)"),
        (b"<!DOCTYPE html><html>Not Found</html>", "not a shared library (37 bytes)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        (b"MZ" + bytes(500), "not a shared library (502 bytes)"),
        (FILES[OTHER], f"made for {OTHER}, and this is {HERE}"),
        (b"\xcf\xfa\xed\xfe" + bytes(500), f"made for macOS, and this is {HERE}"),
    ],
)
def test_a_file_of_another_kind(copy, content, reason):
    (copy / FILE).write_bytes(content)
    text = message(copy)
    assert text.startswith(REBUILD) and reason in text


def test_a_file_of_another_system_under_its_own_name(copy):
    (copy / ("_sonic.abi3.so" if WINDOWS else "_sonic.pyd")).write_bytes(FILES[OTHER])
    assert f"made for {OTHER}, and this is {HERE}" in message(copy)


def test_a_file_for_another_processor(copy):
    other = "aarch64" if targets.processor() == "x86_64" else "x86_64"
    numbers = binary.PE_MACHINES if WINDOWS else binary.ELF_MACHINES
    content = bytearray(real())
    at = int.from_bytes(content[0x3C:0x40], "little") + 4 if WINDOWS else 18  # of Machine, of e_machine
    content[at : at + 2] = next(number for number, name in numbers.items() if name == other).to_bytes(2, "little")
    (copy / FILE).write_bytes(content)
    assert f"made for {other} processors, and this Python is for {targets.processor()}" in message(copy)


def test_this_machine_has_the_name_that_its_file_has():
    assert binary.kind_of(real()[: binary.HEAD_BYTES])[:2] == (HERE, targets.processor()), platform.machine()
    assert binary.flaw(Path(_sonic.__file__)) is None


@compiled
def test_a_function_that_this_pytorch_lacks(copy):
    linked(copy / FILE, "void torch_of_tomorrow(void); void *PyInit__sonic(void) { torch_of_tomorrow(); return 0; }")
    text = message(copy)
    assert text.startswith("Install PyTorch 2.10 or newer from pytorch.org, ")
    assert f"the installed one ({torch.__version__}) has no torch_of_tomorrow" in text
    assert (
        f"  2. Keep one copy of this pack: another one is already loaded, from {PACKAGE}." in text
        and f"  3. {REBUILD}" in text
    )
    assert (
        text.splitlines()[-1].startswith("Original error: ImportError: ")
        and "undefined symbol: torch_of_tomorrow" in text
    )


def test_pytorch_too_old(copy, monkeypatch):
    (copy / FILE).write_bytes(real())
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu128")
    text = message(copy)
    assert (
        text.startswith("Update PyTorch to 2.10 or newer, ")
        and "  1. Update PyTorch to 2.10 or newer: it is 2.9.1+cu128." in text
    )
    assert "\n  2." not in text


def test_pytorch_absent(copy, monkeypatch):
    (copy / FILE).write_bytes(real())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert message(copy).startswith(f'Run `"{sys.executable}" -m pip install torch`, ')


def test_pytorch_that_does_not_load(copy, monkeypatch, tmp_path):
    """As if a CUDA build does not find its libraries."""
    (copy / FILE).write_bytes(real())
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text(
        "raise OSError('libcudart.so.12: cannot open shared object file: No such file or directory')"
    )
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(broken)
    text = message(copy)
    assert text.startswith("Install PyTorch again until `") and "PyTorch itself does not load" in text
    assert text.endswith(
        "Original error: OSError: libcudart.so.12: cannot open shared object file: No such file or directory"
    )


@compiled
def test_a_function_that_this_python_lacks(copy):
    linked(copy / FILE, "void PyTomorrow_New(void); void *PyInit__sonic(void) { PyTomorrow_New(); return 0; }")
    assert message(copy).startswith("Use Python 3.10 or newer, ")


@compiled
def test_a_function_that_another_library_lacks(copy):
    linked(copy / FILE, "void _ZN2cv6resizeEv(void); void *PyInit__sonic(void) { _ZN2cv6resizeEv(); return 0; }")
    text = message(copy)
    assert (
        text.startswith(REBUILD)
        and "a library on this system has changed since the file was built: it has no _ZN2cv6resizeEv" in text
    )


@compiled
def test_a_newer_c_library(copy, tmp_path):
    """Linked to a newer libc that is built here; at load time it finds this system's."""
    names = tmp_path / "names.map"
    names.write_text("GLIBC_2.99 { global: strtomorrow; };")
    linked(
        tmp_path / "libc.so",
        "void strtomorrow(void) {}",
        "-nostdlib",
        "-Wl,-soname,libc.so.6",
        f"-Wl,--version-script={names}",
    )
    linked(
        copy / FILE,
        "void strtomorrow(void); void *PyInit__sonic(void) { strtomorrow(); return 0; }",
        "-nostdlib",
        tmp_path / "libc.so",
    )
    text = message(copy)
    assert text.startswith(REBUILD) and "the file needs GLIBC_2.99 and this system is older" in text


@pytest.mark.skipif(not WINDOWS, reason="Windows' loader")
def test_a_dll_that_is_gone(copy):
    (copy / FILE).write_bytes(gone_library())
    text = message(copy)
    assert text.startswith("Install the Microsoft Visual C++ Redistributable (https://aka.ms/") and REBUILD in text
    assert "Original error: ImportError: DLL load failed" in text


@compiled
def test_a_library_that_is_gone(copy, tmp_path):
    linked(tmp_path / "libopencv_gone.so", "void gone(void) {}", "-Wl,-soname,libopencv_gone.so.406")
    linked(
        copy / FILE, "void gone(void); void *PyInit__sonic(void) { gone(); return 0; }", tmp_path / "libopencv_gone.so"
    )
    text = message(copy)
    assert (
        text.startswith(REBUILD)
        and "the file was built with libopencv_gone.so.406, which is not on this system" in text
    )


def test_a_numpy_that_is_too_old(copy, monkeypatch):
    """Slot 211 of NumPy's function table reports version 0xe, that of NumPy 1.20."""
    core = "numpy._core" if importlib.util.find_spec("numpy._core") else "numpy.core"
    umath = importlib.import_module(f"{core}._multiarray_umath")
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    table = (ctypes.c_void_p * 300).from_buffer_copy(
        (ctypes.c_void_p * 300).from_address(pointer(umath._ARRAY_API, None))
    )
    old = ctypes.CFUNCTYPE(ctypes.c_uint)(lambda: 0xE)
    table[211] = ctypes.cast(old, ctypes.c_void_p).value
    monkeypatch.setattr(umath, "_ARRAY_API", capsule(ctypes.addressof(table), None, None))
    (copy / FILE).write_bytes(real())
    assert message(copy).startswith("Update NumPy to 1.25 or newer, ")


def test_a_file_of_another_version(copy):
    (copy / FILE).write_bytes(real())
    start = copy / "__init__.py"
    start.write_text(start.read_text().replace(f'"{loading.__version__}"', '"99.1.0"'))
    text = message(copy)
    assert (
        text.startswith(REBUILD)
        and f"is of version {loading.__version__}, the files around it are of version 99.1.0" in text
    )


def test_names_that_are_taken(copy, monkeypatch):
    """libtorch refuses a namespace that another library has registered."""
    path = copy / FILE
    path.write_bytes(real())
    monkeypatch.setattr(
        loading.hashlib, "sha256", lambda data: type("Hash", (), {"hexdigest": lambda self: "0" * 64})()
    )
    holder = torch.library.Library("sonic_0000000000000000", "DEF")  # registered until it is freed
    text = message(copy)
    assert holder.ns == "sonic_0000000000000000"
    assert text.startswith("Keep one copy of this pack, ") and f"  2. {REBUILD}" in text
    assert (
        "Original error: RuntimeError: libtorch has another library under the names sonic_0000000000000000::*" in text
    )


@pytest.mark.parametrize(
    ("error", "start"),
    [
        (
            "Error loading shared library ld-linux-x86-64.so.2: No such file or directory "
            "(needed by /x/_sonic.abi3.so)",
            REBUILD,
        ),
        ("libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory", REBUILD),
        ("/lib64/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /x/_sonic.abi3.so)", REBUILD),
        (
            "Error relocating /x/_sonic.abi3.so: torch_call_dispatcher: symbol not found",
            "Install PyTorch 2.10 or newer",
        ),
        (
            "dlopen(/x/_sonic.abi3.so, 0x0002): symbol not found in flat namespace '_aoti_torch_get_dtype'",
            "Install PyTorch 2.10 or newer",
        ),
        ("libtorch_cpu.so: cannot open shared object file: No such file or directory", "Install PyTorch again"),
        ("an unknown error", REBUILD),
    ],
)
def test_messages_of_other_loaders(error, start):
    """Those of musl, macOS and Windows."""
    text = causes.explain(ImportError(error))
    assert text.startswith(start) and text.splitlines()[1].startswith("  1. ")
    assert text.endswith(f"Original error: ImportError: {error}")


def test_an_installed_wheel_is_installed_again(monkeypatch, tmp_path):
    monkeypatch.setattr(places, "PACK", tmp_path)
    assert causes.repair().startswith(
        f'Run `"{sys.executable}" -m pip install --force-reinstall --no-deps sonic_talking_portrait-'
    )


@compiled
def test_building_again_replaces_a_bad_file(tmp_path):
    """The command in the message helps although the file is newer than all of its sources."""
    root = PACKAGE.parent
    if not (root / "csrc").is_dir() or not (root / "build" / "native" / "sonic_nodes" / FILE).is_file():
        pytest.skip("type make build for this test: it links what that compiled")
    for name in ("csrc", "tools"):
        (tmp_path / name).symlink_to(root / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "build" / "native", tmp_path / "build" / "native")
    target = tmp_path / "sonic_nodes" / FILE
    target.parent.mkdir()
    (target.parent / "__init__.py").touch()
    target.write_bytes(b"MZ")
    subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=600,
    )
    assert target.read_bytes() == (root / "build" / "native" / "sonic_nodes" / FILE).read_bytes()


def test_the_command_line_says_the_same(copy):
    """Exit code 7 and no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "sonic_copy", "render", "a.jpg", "b.wav", "-o", "c.mp4"],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": ""},  # an installed wheel there would stand in
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == InstallError.exit_code
    assert done.stderr.startswith(f"sonic: {REBUILD}") and "Traceback" not in done.stderr


def pythons_too_old():
    """Other Pythons on the PATH or of pyenv."""
    names = [shutil.which(f"python3.{minor}") for minor in range(6, 10)]
    return [*filter(None, names), *map(str, Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python"))]


def test_an_old_python_reads_one_sentence():
    tried = 0
    for python in pythons_too_old():
        done = subprocess.run(
            [python, "-c", "import sonic_nodes"], cwd=PACKAGE.parent, check=False, capture_output=True, text=True
        )
        if "command not found" in done.stderr:
            continue
        tried += 1
        assert done.stderr.splitlines()[-1].startswith("ImportError: Update Python to 3.10 or newer: it is 3."), (
            done.stderr
        )
    if not tried:
        pytest.skip("this machine has no Python older than 3.10")


def test_versions_are_compared_as_numbers():
    assert versions.numbers("2.10.0a0+git1") == (2, 10, 0) and versions.numbers("14.2.0rc1") == (14, 2, 0)
    assert (
        versions.too_old("torch", "2.10.0")
        is versions.too_old("torch", "10.0")
        is versions.too_old("pillow", "10.0.1")
        is None
    )
    assert versions.too_old("torch", "2.9.1") == "Update PyTorch to 2.10 or newer: it is 2.9.1"
