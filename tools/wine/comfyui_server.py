"""A ComfyUI server, on the CPU, in the Windows Python under Wine, with an archive of the pack in its custom_nodes."""

import os
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from tools.comfyui_client import READY, Client, Failed, free_port
from tools.cross import cache

from . import environment, packages
from .machine import Machine, windows_path

ROOT = environment.ROOT
REQUIREMENTS = ROOT / "tools" / "requirements-comfyui.txt"
PYTHON, TORCH = "3.13", "2.13.0"  # what the list of packages is for
PACK = "sonic-talking-portrait"
BASE = ROOT / "build" / "wine" / "ComfyUI 测试 1"  # as users' folders are named
BYTECODE = ROOT / "build" / "wine" / "bytecode"
SERVER_LOG = ROOT / "build" / "wine" / "comfyui.log"
START_SECONDS = 1200  # one minute on an idle machine
FOLDERS = ("custom_nodes", "models", "input", "output", "temp", "user")


def site_packages() -> Path:
    """The folder with what ComfyUI imports, for PYTHONPATH."""

    def make(folder: Path) -> None:
        cache.report("Downloading ComfyUI's packages for Windows (60 MB)")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]
        chosen = ["--require-hashes", "--target", str(folder), "--requirement", str(REQUIREMENTS)]
        remedy = "Check the network, then start again: pip could not download ComfyUI's packages."
        with tempfile.TemporaryDirectory(dir=cache.root(), prefix="unfinished-") as place:
            # pip unpacks where TMPDIR is
            variables = {**os.environ, "TMPDIR": place}
            cache.logged([*command, *chosen, *packages.for_windows(PYTHON)], environment.LOG, remedy, env=variables)

    return cache.made_once(f"wine-comfyui-{cache.digest(REQUIREMENTS.read_bytes())}", make)


def lay_out(archive: Path) -> None:
    """ComfyUI's base directory, with the archive in custom_nodes as ComfyUI Manager unpacks it."""
    shutil.rmtree(BASE, ignore_errors=True)
    for name in FOLDERS:
        (BASE / name).mkdir(parents=True)
    with zipfile.ZipFile(archive) as files:
        files.extractall(BASE / "custom_nodes" / PACK)


class Server(Client):
    """A ComfyUI server under Wine. `with` starts it, waits until it is ready and stops it."""

    def __init__(self, windows: Machine, comfyui: Path) -> None:
        super().__init__(f"http://127.0.0.1:{free_port()}")
        self.windows, self.comfyui, self.base = windows, comfyui, BASE
        self.ready = threading.Event()  # or ended

    def __enter__(self) -> "Server":
        begun = time.monotonic()
        self.process = self.windows.start(self.arguments(), self.comfyui, self.variables())
        threading.Thread(target=self.read, daemon=True).start()
        self.ready.wait(START_SECONDS)
        if not any(READY in line for line in self.lines):
            self.stop()
            raise Failed(f"The server did not start in {START_SECONDS} s:\n{''.join(self.lines[-30:])}")
        self.start_seconds = time.monotonic() - begun
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def arguments(self) -> list[str]:
        options = ["--cpu", "--listen", "127.0.0.1", "--port", self.url.rsplit(":", 1)[1]]
        options += ["--disable-auto-launch", "--disable-api-nodes", "--preview-method", "auto"]
        options += ["--base-directory", windows_path(BASE)]
        options += ["--database-url", "sqlite:///" + windows_path(BASE / "user" / "comfyui.db")]
        return ["-u", "main.py", *options]

    def variables(self) -> dict[str, str]:
        """PYTHONUTF8 is for the log, which is a pipe; Wine reads arguments in the charset of LC_ALL."""
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        own = {"PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "PYTHONPATH": windows_path(site_packages())}
        return {**offline, **own, "PYTHONPYCACHEPREFIX": windows_path(BYTECODE)}  # the checkout is not ours

    def read(self) -> None:
        with open(SERVER_LOG, "w", encoding="utf-8") as log:
            for line in self.process.stdout:
                self.lines.append(line)
                log.write(line)
                log.flush()
                if READY in line:
                    self.ready.set()
        self.ready.set()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
