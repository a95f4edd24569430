"""The structure, read from includes, calls and imports: no circle of files, no arrow that climbs.

A unit is a .c or .cpp file with the header of its name, or a Python module. One unit depends on another when it
includes its header, calls a function that the other defines, or imports it, at the top of a file or inside a function.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Folders of csrc from the ground up; a unit may depend on units of its own folder and of the folders in the set.
C_LAYERS: dict[str, set[str]] = {
    "core": {""},
    "audio": {"", "core"},
    "torch": {"", "core"},
    "opencv": {"", "core"},
    "kernels": {"", "core", "torch"},
    "face": {"", "core", "torch", "opencv"},
    "models": {"", "core", "torch", "kernels"},
    "sampler": {"", "core", "torch", "kernels", "models"},
    "draft": {"", "core", "audio", "face", "opencv"},
    "dub": {"", "core", "face", "draft"},
    "gate": {"", "core"},
    "repair": {"", "core", "gate"},
    "lipsync": {"", "core", "audio", "face"},
    "smooth": {"", "core", "face", "opencv"},
    "matting": {"", "core", "torch", "face"},
    "watermark": {"", "core", "face"},
}
C_LAYERS["bindings"] = {"", *C_LAYERS}

# Packages and modules of sonic_nodes from the ground up: each may import those above it in this list, and its own.
PYTHON_LAYERS = (
    ("", "printable", "translation"),
    ("errors", "interrupts"),
    ("extension",),
    ("progress",),
    ("media",),
    ("kernels",),
    ("face",),
    ("face_tracker",),
    ("portrait_limits",),
    ("portrait",),
    ("watermark",),
    ("provenance",),
    ("weights",),
    ("models",),
    ("memory",),
    ("dub",),
    ("engines",),
    ("pipeline",),
    ("gate", "lipsync", "matting", "smooth"),
    ("batch",),
    ("commands", "nodes"),
    ("__main__",),
)
# Declared below, defined above: what core asks of libtorch's thread pool.
IMPLEMENTATIONS = {"torch/parallel": "core/parallel"}
COMFYUI = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "nodes", "server", "execution"}

DEFINITION = re.compile(
    r"^(?!static|typedef|#)[A-Za-z_][^;{}#()]*?\b((?:sonic|st)_\w+)\s*\([^;{}]*\)\s*\{", re.MULTILINE
)
NAME = re.compile(r"\b(?:sonic|st)_\w+")
INCLUDE = re.compile(r'^#include "([\w/]+\.h)"', re.MULTILINE)
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def unit_of(path: str) -> str:
    return path.rsplit(".", 1)[0]


def c_edges(files: Mapping[str, str]) -> dict[str, set[str]]:
    """{unit: units that it includes or calls} of {path below csrc: text}."""
    code = {path: COMMENT.sub(lambda m: m[0] if m[0].startswith('"') else " ", text) for path, text in files.items()}
    home = {
        name: IMPLEMENTATIONS.get(unit_of(path), unit_of(path))
        for path, text in code.items()
        if not path.endswith(".h")
        for name in DEFINITION.findall(text)
    }
    edges: dict[str, set[str]] = {unit_of(path): set() for path in files}
    for path, text in code.items():
        edges[unit_of(path)] |= {unit_of(name) for name in INCLUDE.findall(text)}
        if not path.endswith(".h"):
            edges[unit_of(path)] |= {home[name] for name in NAME.findall(text) if name in home}
    return {unit: found - {unit} for unit, found in edges.items()}


def imported(module: str, text: str, modules: set[str]) -> Iterable[str]:
    """Modules of `modules` that `module` imports anywhere in its text, lazy_import("a.b") included."""
    package = module if f"{module}.__init__" in modules else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            full = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{full}.{a.name}" if f"{full}.{a.name}" in modules else full for a in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "lazy_import" and node.args:
            yield f"sonic_nodes.{ast.literal_eval(node.args[0])}"


def python_edges(files: Mapping[str, str]) -> dict[str, set[str]]:
    """{module: modules that it imports} of {path: text}; a package stands for its __init__.py."""
    names = {path: path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files}
    modules = set(names.values())
    packages = {f"{names[path]}.__init__" for path in files if path.endswith("/__init__.py")}
    return {
        names[path]: {name for name in imported(names[path], text, modules | packages) if name in modules}
        - {names[path]}
        for path, text in files.items()
    }


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one unit (Tarjan, SIAM J. Comput. 1, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(unit: str) -> None:
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        for other in sorted(edges.get(unit, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[unit] = min(low[unit], low[other])
        if low[unit] == index[unit]:
            at = stack.index(unit)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for unit in sorted(edges):
        if unit not in index:
            visit(unit)
    return found


def folder(unit: str) -> str:
    return unit.split("/")[0] if "/" in unit else ""


def c_climbs(edges: Mapping[str, set[str]]) -> list[str]:
    """Arrows to a folder that the unit's own folder stands below."""
    return [
        f"{unit} -> {other}"
        for unit, others in sorted(edges.items())
        for other in sorted(others)
        if folder(other) != folder(unit) and folder(other) not in C_LAYERS.get(folder(unit), set())
    ]


def python_rank(module: str) -> int:
    """Place in PYTHON_LAYERS; the package itself checks the version of Python and stands above all."""
    if "." not in module:
        return len(PYTHON_LAYERS)
    first = (module.split(".") + [""])[1]
    return next(rank for rank, names in enumerate(PYTHON_LAYERS) if first in names)


def python_climbs(edges: Mapping[str, set[str]]) -> list[str]:
    """Imports of a package further up, or of a neighbour on the same level."""
    return [
        f"{module} -> {other}"
        for module, others in sorted(edges.items())
        for other in sorted(others)
        if other != "sonic_nodes" and module.split(".")[1:2] != other.split(".")[1:2]
        if python_rank(other) >= python_rank(module)
    ]


@pytest.fixture(scope="module")
def c_files():
    paths = [p for p in (ROOT / "csrc").rglob("*") if p.suffix in (".c", ".h", ".cpp")]
    return {p.relative_to(ROOT / "csrc").as_posix(): p.read_text("utf-8") for p in paths}


@pytest.fixture(scope="module")
def python_files():
    paths = (ROOT / "sonic_nodes").rglob("*.py")
    return {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in paths}


def test_no_circle_of_c_files(c_files):
    assert circles(c_edges(c_files)) == []


def test_no_circle_of_python_files(python_files):
    assert circles(python_edges(python_files)) == []


def test_no_include_or_call_climbs(c_files):
    assert c_climbs(c_edges(c_files)) == []


def test_no_import_climbs(python_files):
    assert python_climbs(python_edges(python_files)) == []


def test_every_folder_has_its_place(c_files, python_files):
    assert {folder(path) for path in c_files} - {""} == set(C_LAYERS)
    known = {name for names in PYTHON_LAYERS for name in names}
    assert {Path(path).parts[1].removesuffix(".py") for path in python_files} - {"__init__"} == known - {""}


def test_only_the_nodes_import_comfyui(python_files):
    for path, text in python_files.items():
        found = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(text))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        assert path.startswith("sonic_nodes/nodes/") or not found & COMFYUI, path


def test_the_extension_is_reached_through_one_module(python_files):
    """Only extension/loading.py names the binary, and only extension/native.py what it loaded."""
    users = {path for path, text in python_files.items() if re.search(r"import.*\b_sonic\b", text)}
    direct = {
        path for path in users if not re.search(r"native import .*_sonic|^from \.native", python_files[path], re.M)
    }
    assert not direct


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (
            {"gate/a.c": '#include "gate/b.h"\n', "gate/b.h": "", "gate/b.c": '#include "gate/a.h"\n', "gate/a.h": ""},
            True,
        ),
        (
            {
                "gate/a.c": "int sonic_a(void)\n{\n    return sonic_b();\n}\n",
                "gate/b.c": "int sonic_b(void) { return sonic_a(); }\n",
            },
            True,
        ),
        (
            {
                "gate/a.c": "int sonic_a(void)\n{\n    return sonic_b();\n}\n",
                "gate/b.c": "int sonic_b(void) { return 1; }\n",
            },
            False,
        ),
        (
            {
                "gate/a.c": "int sonic_a(void) { return 1; }\n",
                "gate/b.c": "/* sonic_a() */ int sonic_b(void) { return sonic_a(); }\n",
            },
            False,
        ),
    ],
)
def test_a_planted_circle_of_c_files_is_found(planted, found):
    assert bool(circles(c_edges(planted))) == found


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("from .b import g\n", "def g():\n    from . import a\n", True),
        ("import sonic_nodes.gate.b\n", "from sonic_nodes.gate.a import f\n", True),
        ('lazy_import("gate.b")\n', "from .a import f\n", True),
        ("from .b import g\n", "import re\n", False),
    ],
)
def test_a_planted_circle_of_modules_is_found(first, second, found):
    planted = {"sonic_nodes/gate/__init__.py": "", "sonic_nodes/gate/a.py": first, "sonic_nodes/gate/b.py": second}
    assert bool(circles(python_edges(planted))) == found


def test_a_planted_climb_is_found():
    assert c_climbs(c_edges({"core/a.c": '#include "gate/b.h"\n', "gate/b.h": ""})) == ["core/a -> gate/b"]
    planted = {"sonic_nodes/media/a.py": "from ..gate import b\n", "sonic_nodes/gate/b.py": ""}
    planted |= {"sonic_nodes/gate/__init__.py": "", "sonic_nodes/media/__init__.py": ""}
    assert python_climbs(python_edges(planted)) == ["sonic_nodes.media.a -> sonic_nodes.gate.b"]
