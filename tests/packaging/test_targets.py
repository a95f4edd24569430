"""Builds for other systems: the table of targets, what is made from it, the cache and the reproducible archive. Needs
no download: Zig is not called."""

import os
import re
import runpy
import shutil
import subprocess
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
import setuptools
from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

from tools import static_libraries
from tools.cross import archive, cache, headers, stubs, targets, zig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONIC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_zig(monkeypatch):
    """Zig's folder in the cache without Zig in it."""
    monkeypatch.setattr(zig, "folder", lambda log: cache.root() / f"zig-{zig.VERSION}")


def settings(name, monkeypatch, tmp_path):
    """What setup.py tells setuptools for a target, and its global names."""
    told, static = {}, tmp_path / "static"
    (static / "include" / "opencv2").mkdir(parents=True)
    monkeypatch.setenv("SONIC_TARGET", name)
    monkeypatch.setenv("SONIC_STATIC", str(static))
    monkeypatch.setattr(setuptools, "setup", lambda **options: told.update(options))
    monkeypatch.setattr(headers, "copy_for_targets", lambda folder: (folder / "python", folder / "numpy"))
    return told, runpy.run_path(str(ROOT / "setup.py"))


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_is_whole(name):
    target = targets.TARGETS[name]
    assert target.name == name == f"{target.system}-{target.machine}"
    assert bool(target.zig_triple) != bool(target.tool_prefix) and not target.is_native
    assert re.fullmatch(r"win_amd64|linux_aarch64|macosx_11_0_arm64", target.wheel_tag)
    assert target.extension == ("_sonic.pyd" if target.system == "windows" else "_sonic.abi3.so")


@pytest.mark.parametrize("name", targets.TARGETS)
def test_setup_builds_for_the_target(name, monkeypatch, tmp_path):
    """The libraries that a target has, no header of this machine, a folder and a tag of its own."""
    told, made = settings(name, monkeypatch, tmp_path)
    target, extension = targets.TARGETS[name], told["ext_modules"][0]
    assert told["options"]["bdist_wheel"] == {"py_limited_api": "cp310", "plat_name": target.wheel_tag}
    assert Path(told["options"]["build"]["build_base"]) == ROOT / "build" / name
    assert (
        extension.libraries == [*["torch_cpu"][: target.links_torch], *target.libraries]
        and ("SONIC_STATIC", "1") in extension.define_macros
    )
    assert extension.library_dirs == [str(ROOT / "build" / name / "stubs")]
    assert ("-fPIC" in extension.extra_compile_args) == (target.system != "windows")
    assert "-fvisibility=hidden" in extension.extra_compile_args
    assert not [flag for flag in extension.extra_compile_args if flag.startswith("/usr")]
    build = made["BuildExt"].__new__(made["BuildExt"])
    assert build.get_ext_filename("sonic_nodes._sonic") == str(Path("sonic_nodes", target.extension))


@pytest.mark.parametrize("name", ["windows", "linux-x86_64", "macos-x86_64", "Windows-x86_64"])
def test_an_unknown_target_is_refused(name, monkeypatch):
    monkeypatch.setenv("SONIC_TARGET", name)
    with pytest.raises(SystemExit, match=rf"^Set SONIC_TARGET to one of .*windows-x86_64.*{name} is none"):
        targets.chosen()


def test_without_a_name_it_is_this_machine(monkeypatch):
    monkeypatch.delenv("SONIC_TARGET", raising=False)
    assert targets.chosen().is_native
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit, match="^Install the wheel"):
        targets.chosen()


def test_the_lists_of_python_are_the_stable_interface():
    known = {
        entry.symbol.name
        for table in (DATAS, FUNCTIONS)
        for entry in table.values()
        if entry.added <= PyVersion(3, 10) and getattr(entry, "ifdef", None) is None
    }
    assert set(stubs.symbols("python3")) == known


@pytest.mark.parametrize("library", stubs.LIBRARIES)
def test_stubs_hold_the_symbols(library):
    names = stubs.symbols(library)
    assert names == sorted(set(names)) and len(names) > 300
    assert stubs.definition(library).split()[2:] == ["EXPORTS", *names]


def preprocessed(text, *flags):
    """{name: value} of lines NAME = EXPRESSION after the preprocessor."""
    if not shutil.which("gcc"):
        pytest.skip("install gcc for this test")
    done = subprocess.run(["gcc", "-E", "-P", *flags, "-"], input=text, capture_output=True, text=True, check=True)
    pairs = re.findall(r'^"(\w+)" ([-()*\w ]+)$', done.stdout, re.MULTILINE)
    return {name: eval(value, {}) for name, value in pairs if re.fullmatch(r"[\d()* ]+", value)}  # noqa: S307


def test_numpys_sizes_are_those_of_the_compiler():
    """On this machine as NumPy has measured them; on Windows as Microsoft's compiler has them."""
    measured = (headers.numpy_folder() / "numpy" / "_numpyconfig.h").read_text()
    names = re.findall(r"^#define (NPY_SIZEOF_\w+)", measured, re.MULTILINE)
    questions = "\n".join(f'"{name}" {name}' for name in names)
    wanted = preprocessed(f"{measured}\n{questions}\n")
    assert len(wanted) == len(names) > 10
    assert preprocessed(f"{headers.numpy_config(measured)}\n{questions}\n") == wanted
    windows = preprocessed(f"{headers.numpy_config(measured)}\n{questions}\n", "-D_WIN32")
    of_windows = {"LONGDOUBLE": 8, "COMPLEX_LONGDOUBLE": 16, "OFF_T": 4}
    assert windows == wanted | {f"NPY_SIZEOF_{name}": size for name, size in of_windows.items()}


def test_a_size_that_is_new_is_not_passed_over():
    with pytest.raises(SystemExit, match="^Add FLOAT128"):
        headers.numpy_config("#define NPY_SIZEOF_FLOAT128 16\n")


def test_pythons_sizes_are_those_of_the_compiler():
    names = re.findall(r"^#define (SIZEOF_\w+)", headers.PYCONFIG, re.MULTILINE)
    found = preprocessed(headers.PYCONFIG + "\n".join(f'"{name}" {name}' for name in names) + "\n")
    assert len(found) == len(names)
    assert found == {name: sysconfig.get_config_var(name) for name in names}


def test_a_wheel_is_the_same_whenever_and_wherever_it_is_made(tmp_path):
    """Other dates, modes, order and compression; the contents stay."""
    contents = {"a/b.py": b"x" * 5000, "a/__init__.py": b"", "z-1.dist-info/RECORD": b"r", "zz.py": b"z"}
    made = []
    for number, order in enumerate((sorted(contents), sorted(contents, reverse=True))):
        path = tmp_path / str(number) / "z-1-py3-none-any.whl"
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w", (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number]) as file:
            file.writestr(zipfile.ZipInfo("a/", (2001 + number, 1, 1, 0, 0, 0)), b"")
            for name in order:
                entry = zipfile.ZipInfo(name, (2001 + number, 2, 3, 4, 5, 6))
                entry.external_attr = (0o600, 0o755)[number] << 16
                file.writestr(entry, contents[name])
        made.append(archive.rewrite(path, tmp_path / f"dist{number}"))
    assert made[0].read_bytes() == made[1].read_bytes()
    with zipfile.ZipFile(made[0]) as file:
        assert {name: file.read(name) for name in file.namelist()} == contents
        assert file.namelist()[-1] == "z-1.dist-info/RECORD"


def test_a_broken_wheel_replaces_nothing(tmp_path):
    broken, dist = tmp_path / "x.whl", tmp_path / "dist"
    broken.write_bytes(b"PK\3\4 cut short")
    dist.mkdir()
    (dist / "x.whl").write_bytes(b"good")
    with pytest.raises(zipfile.BadZipFile):
        archive.rewrite(broken, dist)
    assert {path.name: path.read_bytes() for path in dist.iterdir()} == {"x.whl": b"good"}


def test_what_is_interrupted_is_not_in_the_cache(own_cache):
    def interrupted(folder):
        (folder / "part").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.made_once("x-1", interrupted)
    assert list(own_cache.iterdir()) == []
    cache.made_once("x-1", lambda folder: (folder / "part").write_text("whole"))
    assert (cache.made_once("x-1", interrupted) / "part").read_text() == "whole"


def test_what_a_killed_build_left_is_removed_the_next_day(own_cache):
    """Not what runs beside this one, and nothing that is whole."""
    ages_h = {"unfinished-killed": 25, "unfinished-running": 23, "zig-1": 1000}
    for name, hours in ages_h.items():
        (cache.root() / name / "made").mkdir(parents=True)
        written = time.time() - hours * 3600
        os.utime(own_cache / name, (written, written))
    cache.made_once("zig-1", lambda folder: None)
    assert {path.name for path in own_cache.iterdir()} == ages_h.keys()  # nothing was made
    cache.made_once("zig-2", lambda folder: None)
    assert {path.name for path in own_cache.iterdir()} == {"unfinished-running", "zig-1", "zig-2"}


def test_a_file_with_another_hash_is_refused(own_cache, tmp_path):
    path = cache.root() / zig.WHEEL.filename
    path.write_bytes(b"half of it")
    with pytest.raises(SystemExit, match="^Remove .*its SHA-256 is"):
        cache.downloaded(zig.WHEEL, tmp_path / "log")


def test_inputs_have_names_of_their_own():
    parts = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("bc", "a")]
    assert len({cache.digest(*each) for each in parts}) == len(parts)


def test_a_compiler_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"^Install g\+\+-aarch64-linux-gnu \(Debian: apt-get install g"):
        static_libraries.key(targets.LINUX_AARCH64)


def test_static_libraries_are_named_after_all_that_they_depend_on(no_zig, monkeypatch, tmp_path):
    """A change of an input gives another folder, the place of the cache does not."""
    monkeypatch.setattr(static_libraries, "compiler_version", lambda target: "clang 1")

    def key(name, place="one"):
        monkeypatch.setenv("SONIC_CACHE", str(tmp_path / place))
        return static_libraries.key(targets.TARGETS[name])

    before = {name: key(name) for name in targets.TARGETS}
    assert len(set(before.values())) == len(before)
    assert {name: key(name, "two") for name in targets.TARGETS} == before
    monkeypatch.setitem(static_libraries.VALUES, "CMAKE_BUILD_TYPE", "Debug")
    assert not {key(name) for name in targets.TARGETS} & set(before.values())
    monkeypatch.undo()
    monkeypatch.setattr(zig, "folder", lambda log: Path(os.devnull))
    monkeypatch.setattr(static_libraries, "compiler_version", lambda target: "clang 2")
    assert key("windows-x86_64") != before["windows-x86_64"]


def test_asking_for_the_compilers_version_leaves_nothing(monkeypatch, tmp_path):
    """Zig writes an a.o into the folder that it is called in."""
    compiler = tmp_path / "zig"
    compiler.write_text("#!/bin/sh\n: >a.o\necho zig 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SONIC_TARGET", raising=False)
    assert static_libraries.compiler_version(targets.chosen()) == "zig 1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["zig"]


def test_opencv_is_linked_as_far_as_it_is_used(monkeypatch):
    """Modules whose headers csrc/ includes, in each list: what is linked, built and installed."""
    included = {
        module
        for path in (ROOT / "csrc").rglob("*")
        if path.suffix in (".c", ".cpp", ".h")
        for module in re.findall(r"#include <opencv2/(\w+)", path.read_text("utf-8"))
    }
    assert "core" in included
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    build = runpy.run_path(str(ROOT / "setup.py"))
    assert {name.removeprefix("opencv_") for name in build["OPENCV"] if name != "jpeg"} == included
    assert set(static_libraries.VALUES["BUILD_LIST"].split(",")) == included
    headers_wanted = {name for name in build["SYSTEM_HEADERS"] if name.startswith("opencv2/")}
    assert headers_wanted == {f"opencv2/{module}.hpp" for module in included}
    script = (ROOT / "tools" / "bootstrap.sh").read_text("utf-8")
    assert set(re.findall(r"libopencv-(\w+)-dev", script)) == included
