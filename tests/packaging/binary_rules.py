"""What the extension may export and need on each system. A rule returns what breaks it, one sentence each."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion, Symbol

from sonic_nodes.extension import targets
from tests.packaging.binary_facts import Facts

OLDEST_PYTHON = PyVersion(3, 10)
OLDEST_TORCH = Path(__file__).resolve().parents[2] / "tools" / "cross" / "symbols" / "torch_2.10.txt"
INIT = "PyInit__sonic"
# Zig's linker exports these from each library; a library's own are meant (mach-o/ldsyms.h), so they meet no other.
LINKER_EXPORTS = {"macos": {"_mh_dylib_header", "__dso_handle"}}
# What every system, Python or PyTorch of the supported ones has; patterns in lower case.
LIBRARIES = {
    "linux": """libtorch_cpu.so libstdc++.so.6 libgcc_s.so.1 libm.so.6 libc.so.6 libpthread.so.0 ld-linux-*.so.*""",
    "windows": """torch_cpu.dll python3.dll ucrtbase.dll api-ms-win-crt-*.dll kernel32.dll ole32.dll advapi32.dll
        ntdll.dll""",
    "macos": """@rpath/libtorch_cpu.dylib /usr/lib/libsystem.b.dylib /usr/lib/libc++.1.dylib""",
}
# A build of this machine links its OpenCV and libjpeg, perhaps a sanitizer, and with an older setup.py libc10.
LOCAL_LIBRARIES = "libopencv_*.so.* libjpeg.so.* libasan.so.* libubsan.so.* libclang_rt.* libc10.so"
LOCAL_SYMBOLS = re.compile(r"__asan|__ubsan|_ZN2cv|_ZNK2cv|_ZTVN2cv|_ZTIN2cv|_ZTSN2cv|jpeg_|jpeg_mem|jsimd")
# libstdc++ of gcc 8, which PyTorch's wheels of manylinux_2_28 need; glibc's own limit is in targets.py.
NEWEST = {"GLIBCXX": (3, 4, 25), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0)}
# C++ names of PyTorch: Itanium's mangling, and Microsoft's
TORCH_CPP = re.compile(r"_Z.*(?:3c10|2at|5torch|5caffe|8pybind11)|\?.*@(?:c10|at|torch|caffe2?|pybind11)@@")


def exports(facts: Facts) -> list[str]:
    found = facts.exports - LINKER_EXPORTS.get(facts.system, set())
    return [f"it exports {name}" for name in sorted(found - {INIT})] + ([] if INIT in found else [f"{INIT} is absent"])


def libraries(facts: Facts, local: bool = False) -> list[str]:
    allowed = f"{LIBRARIES[facts.system]} {LOCAL_LIBRARIES if local else ''}".split()
    foreign = [
        name for name in sorted(facts.libraries) if not any(fnmatchcase(name.lower(), pattern) for pattern in allowed)
    ]
    return [f"it needs {name}, which a machine may lack" for name in foreign]


def search_paths(facts: Facts) -> list[str]:
    return [f"it has a search path of the building machine: {path}" for path in facts.search_paths]


def torch(facts: Facts) -> list[str]:
    """Only C functions, and only those of PyTorch 2.10; newer ones are looked up at run time."""
    known = set(OLDEST_TORCH.read_text("utf-8").split())
    by_library = {symbol for library, symbol in facts.needed if "torch" in library or "c10" in library}
    named = {symbol for symbol in facts.symbols if re.match("aoti_torch_|torch_", symbol)}
    cpp = {symbol for symbol in facts.symbols if TORCH_CPP.match(symbol)}
    absent = {"torch_call_dispatcher", "torch_get_num_threads"} - facts.symbols
    return [
        *(f"{name} binds it to one version of PyTorch" for name in sorted(cpp)),
        *(f"PyTorch 2.10 has no {name}" for name in sorted((by_library | named) - cpp - known)),
        *(f"it does not use {name}: the list of symbols was not read" for name in sorted(absent)),
    ]


def python(facts: Facts) -> list[str]:
    """The limited API of 3.10, from any Python."""
    by_library = {symbol for library, symbol in facts.needed if re.match(r"python3\d*\.dll|.*Python$", library)}
    names = by_library | {symbol for symbol in facts.symbols if re.match("_?Py", symbol)}
    known = {name: FUNCTIONS.get(Symbol(name)) or DATAS.get(Symbol(name)) for name in names}
    bad = [name for name, entry in known.items() if entry is None or entry.added > OLDEST_PYTHON]
    absent = {"PyModuleDef_Init"} - names
    return [
        *(f"{name} is not in the limited API of Python 3.10" for name in sorted(bad)),
        *(f"it does not use {name}: the list of symbols was not read" for name in sorted(absent)),
    ]


def lost(facts: Facts, local: bool = False) -> list[str]:
    """Symbols that no library is named for, apart from those of PyTorch and Python: they would be missed at load."""
    found = {symbol for library, symbol in facts.needed if not library}
    known = set(OLDEST_TORCH.read_text("utf-8").split())
    nowhere = {name for name in found - known if not re.match("_?Py", name)}
    return [f"no library has {name}" for name in sorted(nowhere) if not (local and LOCAL_SYMBOLS.match(name))]


def oldest_system(facts: Facts) -> list[str]:
    """The versions of system libraries, against what the pages say that the build runs on."""
    target = targets.find(facts.target)
    if target is None:
        return [f"{facts.target} is none of our targets"]
    name, _, number = target.oldest.partition(" ")
    limits = {**NEWEST, {"glibc": "GLIBC"}.get(name, name): tuple(map(int, number.split(".")))}
    return [
        f"it needs {family} {'.'.join(map(str, version))}"
        for family, versions in sorted(facts.versions.items())
        for version in sorted(versions)
        if version[: len(limits.get(family, (0,)))] > limits.get(family, ())
    ]


def hardening(facts: Facts) -> list[str]:
    return [*(["code in it can be overwritten"] if facts.writable_code else []), *facts.flaws]


RULES = (exports, libraries, search_paths, torch, python, lost, oldest_system, hardening)
LOCAL_RULES = (exports, search_paths, torch, python, hardening)


def problems(facts: Facts) -> list[str]:
    """What is wrong with a file for others."""
    return [problem for rule in RULES for problem in rule(facts)]


def local_problems(facts: Facts) -> list[str]:
    """What is wrong with a build of this machine, which may use its libraries."""
    return [*(p for rule in LOCAL_RULES for p in rule(facts)), *libraries(facts, local=True), *lost(facts, local=True)]
