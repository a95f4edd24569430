"""Fixtures that all tests share."""

import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.oracles.jpegs import decoded, jpeg
from tests.oracles.system import WINDOWS, is_wine

# A process started in the background ignores Ctrl-C, and so would what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        action="append",
        help="where operators and networks are tested (cpu, cuda, simulated:1); else the CPU, and CUDA where it is",
    )


def pytest_configure(config):
    """The simulated GPU is there for a run that names it, and for no other: `auto` would choose it."""
    if any(name.startswith("simulated") for name in config.getoption("device") or []):
        from tests.gpu import simulated_gpu

        try:
            simulated_gpu.start()
        except SystemExit as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(items):
    """How a test is left out on Windows, @pytest.mark.posix("why"), or on a Windows that is Wine alone,
    @pytest.mark.not_wine("why")."""
    systems = {"posix": (WINDOWS, "not for Windows"), "not_wine": (is_wine(), "not under Wine")}
    for item, name in itertools.product(items, systems):
        mark, (applies, text) = item.get_closest_marker(name), systems[name]
        if mark and not (len(mark.args) == 1 and len(str(mark.args[0])) > 10):
            raise pytest.UsageError(f"{item.nodeid}: say why in the mark, @pytest.mark.{name}(reason)")
        if mark and applies:
            item.add_marker(pytest.mark.skip(reason=f"{text}: {mark.args[0]}"))


def pytest_generate_tests(metafunc):
    if "device" in metafunc.fixturenames:
        import torch

        found = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        metafunc.parametrize("device", metafunc.config.getoption("device") or found, indirect=True)


@pytest.fixture
def device(request):
    """A device of PyTorch's, by name."""
    import torch

    if torch.device(request.param).type == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device, or this PyTorch is built without CUDA")
    return request.param


@pytest.fixture(autouse=True)
def networks_on_device(request, monkeypatch):
    """With one --device other than the CPU, all tests of operators, networks, sampler and engine run there, and nothing
    lands on another simulated device."""
    names = request.config.getoption("device") or []
    inside = request.path.is_relative_to(ROOT / "tests")
    folder = request.path.relative_to(ROOT / "tests").parts[0] if inside else ""
    if len(names) != 1 or names == ["cpu"]:
        yield
        return
    from tests.gpu import on_device

    if folder not in on_device.FOLDERS:
        yield
        return
    if mark := request.node.get_closest_marker("host"):
        pytest.skip(f"on the CPU only: {mark.args[0]}")
    if "device" not in request.fixturenames:
        on_device.redirect(monkeypatch, request.module, names[0])
    if names[0].startswith("simulated"):
        on_device.reset_peaks()
    yield
    if names[0].startswith("simulated"):
        on_device.check_other_devices(names[0])


@pytest.fixture(scope="session")
def shared_dir():
    """Real photos and recordings, kept beside the checkout (../shared) or where SONIC_SHARED says; they are not part of
    the repository."""
    folder = Path(os.environ.get("SONIC_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"real photos and recordings are not at hand: {folder} is absent (set SONIC_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden_dir():
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def small_models(tmp_path_factory):
    """ComfyUI's `models` with every file of the model: random weights, networks of a few megabytes. Copy it to change
    it."""
    import torch

    from tests.tools.make_models import make

    root = tmp_path_factory.mktemp("models")
    assert len(list(make(root, torch.float32, small=True))) == 6
    return root


@pytest.fixture(scope="session")
def sample_dir():
    return ROOT / "sonic_nodes" / "assets" / "sample"


@pytest.fixture(scope="module")
def picture(sample_dir):
    """The sample portrait."""
    from sonic_nodes.media.image import read_picture

    return read_picture(sample_dir / "portrait.jpg")


@pytest.fixture(scope="module")
def face(picture):
    """The face in the sample portrait."""
    from sonic_nodes.face import find_faces

    return find_faces(picture)[0]


@pytest.fixture(scope="session")
def clean(sample_dir):
    """The sample portrait at 0.6 of its size: its own compression is gone there."""
    picture = Image.open(sample_dir / "portrait.jpg").convert("RGB")
    size = [side * 6 // 10 for side in picture.size]
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def saved(clean):
    """saved(quality, ...) -> the sample after one compression, as pixels."""
    return lambda quality, **options: decoded(jpeg(clean, quality, **options))
