"""The extension's file for each system: its exports and imports, and that it needs nothing newer than the oldest
supported Python, PyTorch and system. The rules are in binary_rules.py."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import lief
import pytest
import setuptools

from sonic_nodes.extension import binary as binary_file
from sonic_nodes.extension import targets
from tests.packaging import binary_rules as rules
from tests.packaging.binary_facts import Facts, read

LINUX, WINDOWS, ARM, MACOS = targets.TARGETS


def test_it_exports_and_needs_what_it_may(binary):
    path, portable = binary
    facts = read(path)
    assert len(facts.symbols) > 100 and targets.find(facts.target), facts.target
    assert (rules.problems if portable else rules.local_problems)(facts) == []


def test_abi3audit_finds_nothing(binary):
    path, _ = binary
    command = [sys.executable, "-m", "abi3audit", "--strict", "--report", "--assume-minimum-abi3", "3.10", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)["specs"][str(path)]["object"]["result"]
    assert result["is_abi3"] and result["is_abi3_baseline_compatible"] and result["baseline"] == "3.10"


def test_it_names_its_system(binary):
    """build_info says it, and the file's header, as loading reads it."""
    path, _ = binary
    facts, kind = read(path), binary_file.kind_of(path.read_bytes()[: binary_file.HEAD_BYTES])
    machine = facts.target.split("-")[1]
    assert facts.target.encode() + b"\0" in path.read_bytes()
    assert (kind.system.lower(), kind.machine) == (facts.system, targets.SAME.get(machine, machine))
    assert 0 < kind.least_bytes <= path.stat().st_size


# What a good file has on each system, to plant faults in.
PYTHON, TORCH = ("PyModuleDef_Init", "PyErr_SetString"), ("torch_call_dispatcher", "torch_get_num_threads")
GOOD = {
    LINUX: Facts(
        "linux-x86_64",
        frozenset({"PyInit__sonic"}),
        frozenset({"libtorch_cpu.so", "libstdc++.so.6", "libm.so.6", "libc.so.6", "ld-linux-x86-64.so.2"}),
        frozenset({*(("", name) for name in PYTHON + TORCH), ("GLIBC", "memcpy"), ("CXXABI", "__cxa_throw")}),
        versions={"GLIBC": {(2, 14), (2, 2, 5)}, "CXXABI": {(1, 3)}},
    ),
    WINDOWS: Facts(
        "windows-x86_64",
        frozenset({"PyInit__sonic"}),
        frozenset({"torch_cpu.dll", "python3.dll", "KERNEL32.dll", "api-ms-win-crt-math-l1-1-0.dll"}),
        frozenset(
            {
                *(("python3.dll", name) for name in PYTHON),
                *(("torch_cpu.dll", name) for name in TORCH),
                ("KERNEL32.dll", "Sleep"),
            }
        ),
    ),
    MACOS: Facts(
        "macos-arm64",
        frozenset({"PyInit__sonic", "_mh_dylib_header"}),
        frozenset({"/usr/lib/libSystem.B.dylib"}),
        frozenset({*(("", name) for name in PYTHON + TORCH), ("/usr/lib/libSystem.B.dylib", "memcpy")}),
        versions={"macOS": {(11, 0)}},
    ),
}
GOOD[ARM] = replace(
    GOOD[LINUX],
    target="linux-aarch64",
    libraries=GOOD[LINUX].libraries - {"ld-linux-x86-64.so.2"} | {"ld-linux-aarch64.so.1"},
    versions={"GLIBC": {(2, 17)}},
)


@pytest.mark.parametrize("target", GOOD, ids=lambda target: target.name)
def test_a_good_file_has_no_problems(target):
    assert rules.problems(GOOD[target]) == [] == rules.local_problems(GOOD[target])


def planted(target, **more):
    """The good file with more in some of its fields."""
    facts = GOOD[target]
    return replace(facts, **{name: getattr(facts, name) | value for name, value in more.items()})


def every(name, *values):
    """The same fault on each system."""
    return [(planted(target, **{name: frozenset(values)}), target) for target in GOOD]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        *((facts, "it exports jpeg_std_error") for facts, _ in every("exports", "jpeg_std_error")),
        *((replace(GOOD[target], exports=frozenset()), "PyInit__sonic is absent") for target in GOOD),
        (planted(LINUX, exports=frozenset({"_mh_dylib_header"})), "it exports _mh_dylib_header"),
        *((facts, "it needs libgomp.so.1, ") for facts, _ in every("libraries", "libgomp.so.1")),
        (planted(LINUX, libraries=frozenset({"libc10.so"})), "it needs libc10.so, "),
        (planted(ARM, libraries=frozenset({"libtorch_python.so"})), "it needs libtorch_python.so, "),
        (planted(WINDOWS, libraries=frozenset({"python313.dll"})), "it needs python313.dll, "),
        (planted(WINDOWS, libraries=frozenset({"libwinpthread-1.dll"})), "it needs libwinpthread-1.dll, "),
        (planted(WINDOWS, libraries=frozenset({"msvcrt.dll"})), "it needs msvcrt.dll, "),
        (planted(MACOS, libraries=frozenset({"/opt/homebrew/lib/libjpeg.8.dylib"})), "it needs /opt/homebrew/"),
        (planted(MACOS, libraries=frozenset({"@rpath/libc10.dylib"})), "it needs @rpath/libc10.dylib, "),
        *((replace(GOOD[target], search_paths=("/x",)), "it has a search path") for target in GOOD),
        (planted(LINUX, needed=frozenset({("", "torch_of_tomorrow")})), "PyTorch 2.10 has no torch_of_tomorrow"),
        (planted(WINDOWS, needed=frozenset({("torch_cpu.dll", "other")})), "PyTorch 2.10 has no other"),
        (planted(MACOS, needed=frozenset({("@rpath/libtorch_cpu.dylib", "x")})), "PyTorch 2.10 has no x"),
        (
            planted(LINUX, needed=frozenset({("", "_ZN3c105ErrorC1Ev")})),
            "_ZN3c105ErrorC1Ev binds it to one version of PyTorch",
        ),
        (
            planted(WINDOWS, needed=frozenset({("torch_cpu.dll", "?call@gelu_out@_ops@at@@SAAEAVTensor@3@AEBV43@@Z")})),
            "?call@gelu_out@_ops@at@@SAAEAVTensor@3@AEBV43@@Z binds it to one version of PyTorch",
        ),
        *(
            (planted(t, needed=frozenset({("", "PyType_GetName")})), "PyType_GetName is not in the limited API")
            for t in GOOD
        ),
        (planted(LINUX, needed=frozenset({("", "_PyLong_Sign")})), "_PyLong_Sign is not in the limited API"),
        (planted(WINDOWS, needed=frozenset({("python3.dll", "x")})), "x is not in the limited API of Python 3.10"),
        *(
            (planted(t, needed=frozenset({("", "_ZN2cv6resizeEv")})), "no library has _ZN2cv6resizeEv")
            for t in (LINUX, ARM, MACOS)
        ),
        (planted(LINUX, versions={"GLIBC": {(2, 28)}}), "it needs GLIBC 2.28"),
        (planted(ARM, versions={"GLIBC": {(2, 29)}}), "it needs GLIBC 2.29"),
        (planted(LINUX, versions={"GLIBCXX": {(3, 4, 26)}}), "it needs GLIBCXX 3.4.26"),
        (planted(LINUX, versions={"GLIBC_PRIVATE": {(0,)}}), "it needs GLIBC_PRIVATE 0"),
        (planted(MACOS, versions={"macOS": {(12, 3)}}), "it needs macOS 12.3"),
        (replace(GOOD[LINUX], target="linux-riscv64"), "linux-riscv64 is none of our targets"),
        *((replace(GOOD[target], writable_code=True), "code in it can be overwritten") for target in GOOD),
        (replace(GOOD[MACOS], flaws=("it has no signature",)), "it has no signature"),
    ],
)
def test_a_planted_fault_is_found(facts, problem):
    assert any(found.startswith(problem) for found in rules.problems(facts)), rules.problems(facts)


@pytest.mark.parametrize("target", GOOD, ids=lambda target: target.name)
def test_a_list_that_was_not_read_is_a_fault(target):
    found = rules.problems(replace(GOOD[target], needed=frozenset()))
    assert sum("was not read" in problem for problem in found) == 3


def test_what_a_build_of_this_machine_may_need_too():
    """OpenCV of the system, and a newer glibc; nothing else."""
    own = planted(
        LINUX,
        libraries=frozenset({"libopencv_core.so.406"}),
        needed=frozenset({("", "_ZN2cv3MatD1Ev"), ("LIBJPEG", "jpeg_read_header")}),
        versions={"GLIBC": {(2, 38)}},
    )
    assert rules.local_problems(own) == [] and len(rules.problems(own)) == 3
    assert rules.local_problems(planted(LINUX, libraries=frozenset({"libtbb.so.12"})))


SOURCE = """
extern void torch_call_dispatcher(void), torch_get_num_threads(void), *PyModuleDef_Init(void *);
void *PyInit__sonic(void) { torch_call_dispatcher(); torch_get_num_threads(); return PyModuleDef_Init(0); }
"""


@pytest.mark.parametrize(
    ("source", "flags", "problem"),
    [
        ("void sonic_tensor_free(void) {}", [], "it exports sonic_tensor_free"),
        ("extern int lost(void); int *kept(void) { return lost() ? 0 : 0; }", [], "no library has lost"),
        ("", ["-Wl,-rpath,/opt/x"], "it has a search path of the building machine: RUNPATH"),
        ("", ["-Wl,-z,execstack"], "code in it can be overwritten"),
        ("", ["-Wl,--no-as-needed", "-lextra"], "it needs libextra.so, "),
        ("extern void PyLong_Tomorrow(void); void *t = PyLong_Tomorrow;", [], "PyLong_Tomorrow is not in the limited"),
        ('int code __attribute__((section(".both,\\"awx\\"#"))) = 1;', [], "code in it can be overwritten"),
    ],
    ids=["export", "lost", "rpath", "stack", "library", "python", "writable code"],
)
def test_faults_are_read_from_real_elf_files(tmp_path, source, flags, problem):
    if not shutil.which("gcc") or sys.platform != "linux":
        pytest.skip("install gcc on Linux for this test: it compiles libraries with a fault")
    made = [tmp_path / name for name in ("libextra.so", "good.so", "bad.so")]
    for path, text, more in zip(made, ("", SOURCE, SOURCE + source), ([], [], flags), strict=True):
        command = ["gcc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", path, f"-L{tmp_path}", *more]
        subprocess.run(command, input=text, text=True, check=True)
    _, good, bad = (rules.problems(read(path)) for path in made)
    assert good == [] and any(found.startswith(problem) for found in bad), (good, bad)


def test_real_windows_files_are_read():
    """setuptools' starters of scripts: another program's imports and no exports."""
    for name, target in {"cli-64.exe": "windows-x86_64", "cli-arm64.exe": "windows-arm64"}.items():
        facts = read(Path(setuptools.__file__).with_name(name))
        assert facts.target == target and ("KERNEL32.dll", "WaitForSingleObject") in facts.needed
        found = rules.problems(facts)
        assert "PyInit__sonic is absent" in found and "it needs VCRUNTIME140.dll, which a machine may lack" in found


def test_a_fault_planted_in_a_real_mach_file_is_read(wheel_named, tmp_path):
    """No tool makes such a file from nothing in a second, so it takes the wheel's."""
    with zipfile.ZipFile(wheel_named("macos-arm64")) as archive:
        file = lief.parse(archive.extract("sonic_nodes/_sonic.abi3.so", tmp_path))
    file.add_library("/opt/x/liblost.dylib")
    file.remove_signature()
    file.write(str(tmp_path / "bad.so"))
    found = rules.problems(read(tmp_path / "bad.so"))
    assert "it needs /opt/x/liblost.dylib, which a machine may lack" in found
    assert "it has no signature, which Apple's processors demand" in found
