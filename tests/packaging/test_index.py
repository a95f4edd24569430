"""What an index gets, the sdist and the wheel, and pip with a local index. Nothing is uploaded and nothing downloaded.

The sdist is made of the tracked files, with this environment's setuptools. SONIC_TEST_SDIST=1 also builds a wheel of
it, which compiles everything: minutes.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from sonic_nodes import __version__
from tools import local_index

ROOT = Path(__file__).resolve().parents[2]
NAME, STEM = "sonic-talking-portrait", f"sonic_talking_portrait-{__version__}"
MADE = {"PKG-INFO", "setup.cfg"}  # by setuptools, beside the egg-info


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked() -> list[str]:
    try:
        return run("git", "ls-files", "-z", cwd=ROOT).split("\0")[:-1]
    except (FileNotFoundError, AssertionError):
        pytest.skip("the files under version control are not known: git or the repository is absent")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The tracked files, and what a build leaves, which belongs into no sdist."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in ("sonic_nodes/_sonic.abi3.so", "sonic_nodes/binaries/_sonic-0.so", "sonic_nodes/a.pyd", "build/x.c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"left over")
    return folder


@pytest.fixture(scope="module")
def sdist(checkout, tmp_path_factory):
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "setup.py", "-q", "sdist", "--dist-dir", out, cwd=checkout)
    (made,) = out.iterdir()
    return made


def test_the_sdist_has_what_a_build_needs_and_nothing_else(sdist):
    assert sdist.name == f"{STEM}.tar.gz" and sdist.stat().st_size < 10 << 20
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    held = {name for name in names if not name.startswith("sonic_talking_portrait.egg-info/")} - MADE
    folders = ("sonic_nodes/", "csrc/", "locales/", "tools/cross/")
    single = {"setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "THIRD_PARTY.md", "CHANGELOG.md"}
    single |= {f"tools/{name}.py" for name in ("__init__", "static_libraries", "kernel_texts")}
    wanted = {name for name in tracked() if name.startswith(folders) and (ROOT / name).is_file()} | single
    assert held == wanted


def test_every_file_that_setup_reads_is_in_the_sdist(sdist, tmp_path):
    """setup.py runs to its end without the checkout, where it has written the kernels' texts."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / STEM
    assert run(sys.executable, "setup.py", "--version", cwd=folder).strip() == __version__
    assert len(list((folder / "build").rglob("*kernel*"))) > 0


@pytest.mark.skipif(os.environ.get("SONIC_TEST_SDIST") != "1", reason="SONIC_TEST_SDIST=1: it compiles everything")
def test_a_wheel_of_the_sdist_is_that_of_the_checkout(sdist, tmp_path):
    """Its Python files are the tracked ones, and its extension loads."""
    run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path, sdist)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    ours = {name for name in tracked() if name.startswith("sonic_nodes/") and (ROOT / name).is_file()}
    assert {name: (site / name).read_bytes() == (ROOT / name).read_bytes() for name in ours} == dict.fromkeys(
        ours, True
    )
    code = "import sonic_nodes; from sonic_nodes.extension.native import _sonic; print(sonic_nodes.__file__)"
    found = run(sys.executable, "-c", code, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)})
    assert Path(found.strip()).is_relative_to(site)


@pytest.fixture
def index(tmp_path):
    """serve(files) -> the address of an index with them."""
    servers = []

    def serve(*files):
        dist = tmp_path / "dist"
        dist.mkdir()
        for file in files:
            shutil.copy2(file, dist)
        local_index.write(tmp_path / "index", [dist])
        servers.append(local_index.server(tmp_path / "index", 0))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}/simple"

    yield serve
    for each in servers:
        each.shutdown()
        each.server_close()


@pytest.fixture
def guest(tmp_path):
    """A new environment with nothing of ours: the Python packages that the wheel asks for come from this one."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "guest")
    (inside,) = (tmp_path / "guest").glob("lib/python*/site-packages" if os.name != "nt" else "Lib/site-packages")
    own = sysconfig.get_paths()["purelib"]
    for name in ("numpy", "av", "PIL", "safetensors", "tqdm", "torch", "pip"):
        for path in Path(own).glob(f"{name}*"):
            (inside / path.name).symlink_to(path)
    (inside / "host.pth").write_text(own + "\n")
    return tmp_path / "guest/bin/python"


def clean() -> dict:
    """The environment without settings of pip, which may name other indexes."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return env | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "no_proxy": "127.0.0.1"}


@pytest.mark.posix("environments made of links")
def test_pip_installs_the_wheel_from_a_local_index(wheel, sdist, index, guest, tmp_path):
    """Beside an sdist of the same version pip takes the wheel. The command makes a video."""
    url, env = index(wheel, sdist), clean()
    said = run(guest, "-m", "pip", "install", "--ignore-installed", "--no-deps", "--index-url", url, NAME, env=env)
    assert f"Downloading {url}/{NAME}/{wheel.name}" in said and ".tar.gz" not in said
    sonic, sample = (
        guest.parent / "sonic",
        guest.parent.parent.glob("lib/python*/site-packages/sonic_nodes/assets/sample"),
    )
    folder = next(sample)
    assert run(sonic, "--version", env=env, cwd=tmp_path).strip() == f"sonic {__version__}"
    command = ["render", folder / "portrait.jpg", folder / "speech.wav", "-o", tmp_path / "v.mp4", "--duration", "0.4"]
    run(sonic, *command, "--min-resolution", "128", env=env, cwd=tmp_path)
    assert (tmp_path / "v.mp4").stat().st_size > 1000


def test_a_file_that_was_changed_on_the_way_is_refused(tmp_path, index):
    """pip compares the digest that the page has."""
    wheel = tmp_path / f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        text = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {__version__}\nRequires-Python: >=3.10\n"
        archive.writestr(f"{STEM}.dist-info/METADATA", text)
        archive.writestr(f"{STEM}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{STEM}.dist-info/RECORD", "")
    url = index(wheel)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "-d", tmp_path / "got"]
    command += ["--index-url", url, NAME]
    run(*command, env=clean())
    shutil.rmtree(tmp_path / "got")
    run(*[(tmp_path / "index/simple").as_uri() if part == url else part for part in command], env=clean())
    assert (tmp_path / "got" / wheel.name).is_file()  # of a folder, too, which nothing serves
    page = (tmp_path / "index/simple" / NAME / "index.html").read_text("utf-8")
    assert 'data-requires-python="&gt;=3.10"' in page and "#sha256=" in page
    served = tmp_path / "index/simple" / NAME / wheel.name
    served.write_bytes(served.read_bytes()[:-1] + b"x")
    shutil.rmtree(tmp_path / "got")
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, env=clean())
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("pyproject.toml", 'version = "{}"'),
        ("sonic_nodes/__init__.py", '__version__ = "{}"'),
        ("csrc/core/version.h", '#define SONIC_VERSION "{}"'),
        ("README.md", "    tar -xf sonic-talking-portrait-{}.zip"),
        ("CHANGELOG.md", "## {}"),
    ],
)
def test_each_file_has_the_version(file, line):
    """docs/release.md, step 1."""
    assert f"\n{line.format(__version__)}" in "\n" + (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "project"),
    [("sonic_talking_portrait-0.1.0-cp310-abi3-win_amd64.whl", NAME), ("Sonic.talking_portrait-0.1.0.tar.gz", NAME)],
)
def test_names_are_those_of_addresses(file, project):
    assert local_index.project_of(Path(file)) == project
