"""Which file is loaded where several lie: a build of this machine, the archive's for this system, an installed wheel's;
and what users of systems without a compiler are told."""

import importlib.metadata
import logging
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import SimpleNamespace

import pytest

from sonic_nodes import __version__
from sonic_nodes.extension import binary, causes, loading, places, targets
from tests.extension import pack_copy
from tests.extension.pack_copy import FILE, imported, message, real

HERE = targets.find(targets.this())
WINDOWS = targets.find("windows-x86_64")

known = pytest.mark.skipif(HERE is None, reason="this system is none of those that builds are made for")


def bring(folder, target=HERE, content=None, version=__version__):
    """A file as the archive has it. It needs no mode bits."""
    path = folder / "binaries" / places.archive_name(target, version)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(real() if content is None else content)
    path.chmod(0o644)
    return path


def installed_wheel(monkeypatch, folder):
    """As if pip had installed a wheel into this folder."""
    (folder / "sonic_nodes").mkdir(parents=True)
    found = SimpleNamespace(locate_file=lambda path: folder / path, read_text={"WHEEL": "Wheel-Version: 1.0\n"}.get)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: found)
    return folder / "sonic_nodes" / FILE


@known
def test_what_a_build_left_in_a_checkout_is_no_installed_wheel(monkeypatch, tmp_path):
    path = installed_wheel(monkeypatch, tmp_path / "site-packages")
    path.touch()
    assert path in places.in_installed_wheel()
    importlib.metadata.distribution("").read_text = {"PKG-INFO": "Name: sonic-talking-portrait\n"}.get
    assert places.in_installed_wheel() == []


@known
def test_the_archives_file_for_this_system_is_loaded(copy):
    for target in targets.TARGETS:
        bring(copy, target, real() if target is HERE else b"MZ")
    native = imported(copy)
    assert native._sonic.__file__ == str(copy / "binaries" / places.archive_name(HERE))
    assert native._sonic.__name__ == "sonic_copy._sonic" and native._sonic.build_info()["version"] == __version__


@known
def test_a_build_of_this_machine_comes_first(copy, caplog):
    bring(copy)
    (copy / FILE).write_bytes(real())
    assert imported(copy)._sonic.__file__ == str(copy / FILE) and not caplog.records


def another_version(content):
    """The same length, so that it still loads."""
    return content.replace(__version__.encode() + b"\0", b"9" * len(__version__) + b"\0")


def gone_library():
    """A library that needs another one, which is nowhere."""
    if pack_copy.WINDOWS:
        return pack_copy.gone_library()
    if not shutil.which("gcc"):
        pytest.skip("install gcc for this test: it compiles a library that does not load")
    with tempfile.TemporaryDirectory() as folder:
        needed, path = Path(folder, "libgone.so"), Path(folder, "made.so")
        common = ["gcc", "-shared", "-fPIC", "-x", "c", "-"]
        subprocess.run([*common, "-o", needed], input="void gone(void) {}", text=True, check=True)
        text = "void gone(void); void *PyInit__sonic(void) { gone(); return 0; }"
        command = [*common, "-o", path, "-x", "none", f"-L{folder}", "-Wl,--no-as-needed", "-lgone"]
        subprocess.run(command, input=text, text=True, check=True)
        return path.read_bytes()


@known
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: real()[:5000], "is cut short"),
        (lambda: b"<html>", "is not a shared library"),
        (lambda: another_version(real()), "is of version 99999, "),
        (gone_library, "DLL load failed" if pack_copy.WINDOWS else "libgone.so"),
    ],
    ids=["cut short", "not a library", "other version", "its library is gone"],
)
def test_a_build_that_does_not_fit_is_passed_over_and_named(copy, caplog, tmp_path, content, reason):
    brought = bring(copy)
    (copy / FILE).write_bytes(content())
    with caplog.at_level(logging.WARNING):
        assert imported(copy)._sonic.__file__ == str(brought)
    (record,) = caplog.records
    text = record.getMessage()
    assert text.startswith(f"Delete {copy / FILE} or build it again: {brought} is used instead") and reason in text


@known
def test_when_none_loads_the_own_builds_reason_is_told(copy):
    bring(copy, content=real()[:7000])
    (copy / FILE).write_bytes(real()[:6000])
    assert f"{copy / FILE} is cut short: it has 6,000 of" in message(copy)
    (copy / FILE).write_bytes(another_version(real()))
    assert f"{copy / FILE} is of version 99999, " in message(copy)


@known
def test_an_installed_wheel_serves_a_clone(copy, monkeypatch, tmp_path):
    path = installed_wheel(monkeypatch, tmp_path / "site-packages")
    path.write_bytes(real())
    assert imported(copy)._sonic.__file__ == str(path)


@known
def test_an_installed_wheel_of_another_version_does_not(copy, monkeypatch, tmp_path):
    path = installed_wheel(monkeypatch, tmp_path / "site-packages")
    path.write_bytes(another_version(real()))
    assert f"{path} is of version 99999, the files around it are of version {__version__}" in message(copy)


def test_a_file_of_an_older_archive_is_not_taken_for_this_ones(copy):
    old = bring(copy, HERE or WINDOWS, version="0.0.9")
    text = message(copy)
    assert places.left_over(copy) == [old]
    assert f"the compiled part in {old.parent} is not of version {__version__}: {old.name}" in text


@pytest.mark.parametrize(("platform", "may_be_removed"), [("win32", True), ("darwin", False)])
def test_an_archive_without_this_systems_file(monkeypatch, tmp_path, system, platform, may_be_removed):
    target = {"win32": WINDOWS, "darwin": targets.find("macos-arm64")}[platform]
    system(platform, target.name)
    pack(monkeypatch, tmp_path / "pack", "_sonic-1-linux-x86_64.abi3.so")
    text = causes.explain(causes.Missing("absent"))
    assert f"has no {places.archive_name(target)}, the compiled part for {target.title}" in text
    assert ("a virus scanner may have removed it" in text) == may_be_removed


def test_left_over_files_are_those_of_other_versions(copy):
    bring(copy, WINDOWS, b"new")
    old = [bring(copy, WINDOWS, b"old", version) for version in ("0.0.9", f"{__version__}rc1")]
    assert set(places.left_over(copy)) == set(old) and len(places.archived(copy)) == 3


def test_names_in_the_archive_differ_by_system_and_version():
    names = {places.archive_name(target, version) for target in targets.TARGETS for version in ("1.0", "1.0.1")}
    assert len(names) == 2 * len(targets.TARGETS)
    assert all(name.endswith((".abi3.so", ".pyd")) for name in names)


@pytest.fixture
def system(monkeypatch):
    """system("win32", "windows-arm64"): as if this Python were another's."""

    def pretend(platform, name):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(targets, "this", lambda: name)

    return pretend


def pack(monkeypatch, folder, *files):
    """An unpacked archive, without a file for this system."""
    monkeypatch.setattr(places, "PACK", folder)
    monkeypatch.setattr(places, "FOLDER", folder / "sonic_nodes")
    (folder / "sonic_nodes").mkdir(parents=True)
    (folder / "Makefile").touch()
    monkeypatch.setattr(places, "candidates", lambda: [])
    monkeypatch.setattr(places, "archived", lambda: [folder / name for name in files])
    monkeypatch.setattr(places, "left_over", lambda: [])


@pytest.mark.parametrize(
    ("platform", "name"),
    [("win32", "windows-arm64"), ("win32", "windows-x86"), ("darwin", "macos-x86_64"), ("win32", "windows-riscv64")],
)
def test_a_system_without_a_build_is_named_in_one_sentence(monkeypatch, tmp_path, system, platform, name):
    system(platform, name)
    pack(monkeypatch, tmp_path / "pack", "_sonic-1-linux-x86_64.abi3.so")
    first, cause, *rest = causes.explain(causes.Missing("absent")).splitlines()
    assert cause.endswith(f"{targets.no_build(name)}.") and not rest and "make" not in first + cause
    remedy = targets.OTHERS.get(name, ("", "Use one of the systems that there are builds for"))[1]
    assert first.startswith(f"{remedy}, then start again: ")


@pytest.mark.parametrize("name", ["linux-riscv64", "linux-musl-x86_64"])
def test_on_linux_it_can_be_built(monkeypatch, tmp_path, system, name):
    system("linux", name)
    pack(monkeypatch, tmp_path / "pack", "_sonic-1-linux-x86_64.abi3.so")
    text = causes.explain(causes.Missing("absent"))
    assert text.startswith(f'Run `make -C "{tmp_path / "pack"}" build PYTHON=') and targets.no_build(name) in text


@pytest.mark.parametrize(("platform", "target"), [("win32", WINDOWS), ("darwin", targets.find("macos-arm64"))])
def test_without_a_compiler_the_remedy_is_a_file(monkeypatch, tmp_path, system, platform, target):
    """Whatever the cause. cmd.exe does not expand patterns, so a wheel for Windows has its whole name."""
    system(platform, target.name)
    folder = tmp_path / "custom_nodes" / "sonic-talking-portrait"
    pack(monkeypatch, folder)
    wheel = f"sonic_talking_portrait-{__version__}-{target.tag}"
    pip = f'`"{sys.executable}" -m pip install --force-reinstall --no-deps {wheel}`'
    for error in (causes.Missing("absent"), causes.Unfit("x is cut short"), ImportError("unknown")):
        text = causes.explain(error)
        assert text.startswith(f'Unpack sonic-talking-portrait-{__version__}.zip over "{folder}", or run {pip}, then')
        assert "make" not in text
    assert platform != "win32" or "*" not in wheel
    monkeypatch.setattr(places, "PACK", tmp_path / "site-packages")
    assert causes.repair() == f"Run {pip}"


@pytest.mark.parametrize(
    ("code", "start"),
    [
        (causes.MODULE_NOT_FOUND, "Install the Microsoft Visual C++ Redistributable"),
        (causes.PROCEDURE_NOT_FOUND, "Install PyTorch 2.10 or newer"),
        *((code, 'Allow "C:\\x.pyd" in Windows Security') for code in sorted(causes.REFUSED)),
        (1, "Unpack "),
    ],
)
def test_windows_errors_are_known_by_number(monkeypatch, tmp_path, system, code, start):
    """Their text is in the language of that Windows."""
    system("win32", "windows-x86_64")
    pack(monkeypatch, tmp_path / "pack")
    monkeypatch.setattr(places, "candidates", lambda: [tmp_path])
    error = ImportError("DLL load failed while importing _sonic: 找不到指定的模块。", path="C:\\x.pyd")
    error.windows_code = code
    text = causes.explain(error)
    assert text.startswith(start) and text.endswith(f"Original error: ImportError: {error}")


def blocked():
    error = OSError("blocked")
    error.winerror = 4551
    return error


@pytest.mark.parametrize(("raised", "number"), [(blocked(), 4551), (FileNotFoundError("Could not find module"), 126)])
def test_the_number_is_asked_of_windows(monkeypatch, tmp_path, raised, number):
    asked = []

    def refuse(path, winmode):
        asked.append((path, winmode))
        raise raised

    path = tmp_path / f"_sonic{EXTENSION_SUFFIXES[-1]}"
    path.write_bytes(b"none")
    assert loading.windows_code(path) is None or sys.platform == "win32"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(loading.ctypes, "WinDLL", refuse, raising=False)
    with pytest.raises(ImportError) as found:
        loading.load_file(path)
    assert found.value.windows_code == number and asked == [(str(path), loading.SEARCHED_FOLDERS)]


def test_macos_refuses_downloaded_files(monkeypatch, tmp_path, system):
    system("darwin", "macos-arm64")
    pack(monkeypatch, tmp_path / "pack")
    monkeypatch.setattr(places, "candidates", lambda: [tmp_path])
    text = "dlopen(/x/_sonic.so, 0x0002): code signature in '/x/_sonic.so' not valid for use in process"
    assert causes.explain(ImportError(text)).startswith(f'Run `xattr -dr com.apple.quarantine "{tmp_path / "pack"}"`, ')


def test_memory_that_runs_out_is_no_reason_for_another_file(monkeypatch, tmp_path):
    """It is reported as what it is, at once."""
    paths = [tmp_path / "one", tmp_path / "two"]
    tried = []

    def fail(path):
        tried.append(path)
        raise ImportError("failed to map segment from shared object")

    monkeypatch.setattr(places, "candidates", lambda: paths)
    monkeypatch.setattr(binary, "flaw", lambda path: None)
    monkeypatch.setattr(loading, "load_file", fail)
    with pytest.raises(ImportError):
        loading.import_extension()
    assert tried == paths[:1]
