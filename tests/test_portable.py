"""What only POSIX has stands in modules that guard it; text files are opened with an encoding."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "select", "posix"}
CALLS = {
    "os": {"fork", "forkpty", "kill", "killpg", "getuid", "geteuid", "getppid", "sysconf", "mkfifo", "sync", "setsid"}
    | {"wait", "waitpid", "chown", "statvfs", "nice", "getpgid", "uname", "O_NOFOLLOW", "O_NONBLOCK", "fchmod"},
    "signal": {
        "SIGHUP",
        "SIGKILL",
        "SIGUSR1",
        "SIGUSR2",
        "SIGALRM",
        "SIGPIPE",
        "alarm",
        "pthread_sigmask",
        "setitimer",
    },
    "platform": {"node", "uname", "platform", "system", "win32_ver"},  # WMI, which takes a second on Windows
}
GUARDED = {
    "batch/template.py": "runs on Linux alone (is_possible)",
    "commands/supervisor.py": "runs on Linux alone (is_needed)",
    "errors.py": "resource in a try",
    "interrupts.py": "pthread_sigmask behind hasattr",
    "media/file_lock.py": "fcntl in a try",
    "memory/host.py": "resource in a try",
    "memory/plan.py": "sysconf behind hasattr",
}
TEXT = {"open", "read_text", "write_text"}


def posix_only(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if node.module in MODULES:
                yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names if a.name in CALLS.get(node.module, ()))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in CALLS.get(node.value.id, ()):
                yield f"{node.value.id}.{node.attr}"


def without_encoding(tree: ast.AST) -> Iterator[str]:
    """Calls of open(), Path.open, read_text and write_text that leave the encoding to the code page."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        is_plain = isinstance(node.func, ast.Name)
        name = node.func.id if is_plain else getattr(node.func, "attr", "")
        if name not in TEXT or (name == "open" and not is_plain):
            continue  # os.open, av.open, Image.open, Engine.open
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        has_encoding = any(k.arg == "encoding" for k in node.keywords) or (name == "read_text" and bool(texts))
        is_binary = name == "open" and len(node.args) > 1 and any("b" in text for text in texts[-1:])
        if not has_encoding and not is_binary:
            yield f"{name} in line {node.lineno}"


@pytest.fixture(scope="module")
def trees():
    folder = ROOT / "sonic_nodes"
    return {p.relative_to(folder).as_posix(): ast.parse(p.read_text("utf-8")) for p in folder.rglob("*.py")}


def test_what_only_posix_has_is_guarded(trees):
    found = {path: sorted(set(posix_only(tree))) for path, tree in trees.items()}
    assert {path: names for path, names in found.items() if names and path not in GUARDED} == {}
    assert [path for path in GUARDED if not found.get(path)] == [], "no longer needed"


def test_text_files_have_an_encoding(trees):
    found = {path: list(without_encoding(tree)) for path, tree in trees.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_offences_are_found():
    text = "import resource, os\nfrom os import fork\nos.kill(1, 0)\n"
    text += "open('a')\nopen('a', 'w')\nopen('a', 'rb')\np.read_text()\n"
    tree = ast.parse(text)
    assert sorted(posix_only(tree)) == ["os.fork", "os.kill", "resource"]
    assert list(without_encoding(tree)) == ["open in line 4", "open in line 5", "read_text in line 7"]
