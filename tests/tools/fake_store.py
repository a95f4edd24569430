"""A store for s3:// in tests: fsspec's interface over a folder, with the faults that stores have. Processes that a test
starts find it too: `installed` adds it to fsspec's entry points."""

import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from fsspec import register_implementation
from fsspec.spec import AbstractFileSystem

ROOT_VARIABLE = "SONIC_TEST_STORE"
FAULTS, CALLS = "faults", "calls"


class StoreError(Exception):
    """As a store's package raises it: the status in an attribute, a secret in the text."""

    def __init__(self, status: int):
        super().__init__("https://store.example/?X-Signature=hunter2")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class NoCredentialsError(Exception):
    """botocore's, known by its name."""


class FakeStore(AbstractFileSystem):
    protocol, cachable = "s3", False

    @property
    def root(self) -> Path:
        return Path(os.environ[ROOT_VARIABLE])

    def path_of(self, url: str) -> Path:
        return self.root / "objects" / self._strip_protocol(url)

    def begin(self, operation: str) -> None:
        """Counts a call, and fails where the test wants it."""
        with open(self.root / CALLS, "a", encoding="utf-8") as file:
            file.write(operation + "\n")
        fault = self.root / FAULTS / operation
        if not fault.exists():
            return
        kind, left = fault.read_text("utf-8").split()
        if int(left) > 1:
            fault.write_text(f"{kind} {int(left) - 1}", "utf-8")
        else:
            fault.unlink()
        raise NoCredentialsError if kind == "credentials" else StoreError(int(kind))

    def has(self, fault: str) -> bool:
        return (self.root / FAULTS / fault).exists()

    def info(self, path, **_):
        self.begin("info")
        return self.described(self.path_of(path))

    def described(self, path: Path) -> dict:
        if path.is_dir():
            return {"name": path.name, "type": "directory", "size": 0}
        content = path.read_bytes()
        digest = hashlib.md5(content).hexdigest() + ("-2" if self.has("parts") else "")
        name = path.relative_to(self.root / "objects").as_posix()
        return {"name": name, "type": "file", "size": len(content), "ETag": f'"{digest}"'}

    def _open(self, path, mode="rb", **_):
        self.begin("open")
        source = self.path_of(path)
        if self.has("short"):  # ends without an error before the last byte
            (self.root / FAULTS / "short").unlink()
            shutil.copy(source, copy := self.root / "short")
            os.truncate(copy, source.stat().st_size - 1)
            source = copy
        return open(source, mode)

    def put_file(self, lpath, rpath, **_):
        self.begin("put")
        target = self.path_of(rpath)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(lpath, target)
        if self.has("spoil"):
            (self.root / FAULTS / "spoil").unlink()
            target.write_bytes(bytes(target.stat().st_size))

    def pipe_file(self, path, value, **_):
        self.begin("pipe")
        target = self.path_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(value)

    def rm_file(self, path):
        self.begin("rm")
        self.path_of(path).unlink()

    def find(self, path, detail=False, **_):
        self.begin("find")
        found = [self.described(each) for each in self.path_of(path).rglob("*") if each.is_file()]
        return {each["name"]: each for each in found} if detail else [each["name"] for each in found]


class Control:
    """What a test does with the store."""

    def __init__(self, root: Path):
        self.root = root
        (root / FAULTS).mkdir()
        (root / "objects").mkdir()

    def write(self, name: str, content: bytes) -> None:
        path = self.root / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def names(self) -> list[str]:
        objects = self.root / "objects"
        return sorted(path.relative_to(objects).as_posix() for path in objects.rglob("*") if path.is_file())

    def fail(self, operation: str, kind: object = "", count: int = 1) -> None:
        """The next `count` calls fail with the status `kind`, or for lack of "credentials"."""
        (self.root / FAULTS / operation).write_text(f"{kind} {count}", "utf-8")

    def heal(self) -> None:
        for path in (self.root / FAULTS).iterdir():
            path.unlink()

    def calls(self, operation: str) -> int:
        path = self.root / CALLS
        return path.read_text("utf-8").split().count(operation) if path.exists() else 0


@contextmanager
def installed(folder: Path, monkeypatch):
    """A Control; s3:// is the fake in this process and those that it starts."""
    root, packages = folder / "store", folder / "packages"
    root.mkdir()
    facts = packages / "fake_store-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-store\nVersion: 1\n", "utf-8")
    (facts / "entry_points.txt").write_text(f"[fsspec.specs]\ns3 = {__name__}:FakeStore\n", "utf-8")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    register_implementation("s3", FakeStore, clobber=True)
    try:
        yield Control(root)
    finally:
        register_implementation("s3", "s3fs.S3FileSystem", clobber=True)
