"""The extension in a shared process: with a second copy, with other libraries, after a fork, in many threads.

Each case runs in its own Python, because the state of the process before the extension loads is what is tested.
"""

import functools
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import sonic_nodes

PACKAGE = Path(sonic_nodes.__file__).resolve().parent

# speak(package) finds the face in the sample portrait, analyses the speech and renders four frames: the same bytes in
# every process.
PRELUDE = f"""
import importlib, importlib.util, os, sys
def load(name, folder={str(PACKAGE)!r}):
    start = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=[folder])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    return name
def speak(name):
    import numpy, wave
    from PIL import Image
    face, native = (importlib.import_module(f"{{name}}.{{part}}") for part in ("face", "extension.native"))
    sample = os.path.join(os.path.dirname(sys.modules[name].__file__), "assets", "sample")
    picture = numpy.asarray(Image.open(os.path.join(sample, "portrait.jpg")))
    with wave.open(os.path.join(sample, "speech.wav")) as file:
        voice = numpy.frombuffer(file.readframes(16000), numpy.int16).astype(numpy.float32) / 32768
    rig = native._sonic.draft_rig_create(picture, face.find_faces(picture)[0].mesh)
    frames = numpy.empty((4, *picture.shape), numpy.uint8)
    native._sonic.draft_render(rig, native._sonic.draft_poses(voice, 25, 7)[:4], frames)
    return frames.tobytes()
"""


def run(code, *arguments):
    command = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def copy_to(folder):
    """The package with its own binary, as in a second checkout."""
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_two_copies_work_side_by_side(tmp_path):
    """One of them also under a second name, as when a pack is linked into custom_nodes and installed, too."""
    first, second = copy_to(tmp_path / "first pack" / "sonic_nodes"), copy_to(tmp_path / "zweites" / "sonic_nodes")
    run(
        """
one, two, again = load("one", sys.argv[1]), load("two", sys.argv[2]), load("again", sys.argv[1])
assert speak(one) == speak(two) == speak(again) == speak(one)
assert sys.modules["one.extension.native"]._sonic.__file__ != sys.modules["two.extension.native"]._sonic.__file__
""",
        first,
        second,
    )


OTHERS = ["cv2", "PIL.Image", "av", "torchvision"]
USE_OTHERS = """
import numpy, io
picture = numpy.zeros((64, 64, 3), numpy.uint8)
def use_others(names):
    for name in names:
        importlib.import_module(name)
    if "cv2" in names:
        import cv2
        ok, png = cv2.imencode(".jpg", cv2.GaussianBlur(cv2.resize(picture, (96, 96)), (5, 5), 1))
        assert ok and cv2.imdecode(png, 1).shape == (96, 96, 3)
    if "PIL.Image" in names:
        import PIL.Image
        stream = io.BytesIO()
        PIL.Image.fromarray(picture).save(stream, "JPEG")
        assert PIL.Image.open(stream).convert("RGB").resize((32, 32)).size == (32, 32)
    if "torchvision" in names:
        import torch, torchvision
        assert torchvision.ops.nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5).tolist() == [0]
"""


@functools.cache
def importable(name):
    """Whether it is installed and loads: a torchvision built for another torch does not."""
    command = [sys.executable, "-c", f"import torch, {name}"]
    return find_spec(name) is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


def present(names):
    return [name for name in names if name != "torchvision" or importable(name)]


@pytest.mark.parametrize("names", [*([name] for name in OTHERS), OTHERS], ids=" ".join)
def test_other_libraries_that_came_first(names):
    if not present(names):
        pytest.skip(f"{names[0]} is not installed here, or was built for another PyTorch")
    run(
        USE_OTHERS
        + f"""
use_others({present(names)})
first = speak(load("sonic_nodes"))
use_others({present(names)})
assert speak("sonic_nodes") == first
"""
    )


def test_other_libraries_that_come_later():
    """One after the other in one process: the extension, whose symbols they might take, is there before each."""
    run(
        USE_OTHERS
        + f"""
first = speak(load("sonic_nodes"))
for name in {present(OTHERS)}:
    use_others([name])
    assert speak("sonic_nodes") == first, name
"""
    )


FORK = """
import hashlib, signal, torch
name = load("sonic_nodes")
importlib.import_module("sonic_nodes.extension.native")
def digest(how):
    return hashlib.sha256(how(name)).digest()
def in_a_child(how):
    pipe_out, pipe_in = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # ends a child that waits for threads it does not have
        os.write(pipe_in, digest(how))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return os.read(pipe_out, 64)
"""


@pytest.mark.posix("forked processes")
def test_a_child_forked_before_use():
    """As in a server that loads the package before it forks its workers."""
    run(
        FORK
        + """
torch.set_num_threads(1)
assert in_a_child(speak) == digest(speak)
"""
    )


@pytest.mark.posix("forked processes")
def test_a_child_forked_after_use_and_the_parent_again():
    """OpenMP's threads exist in the parent only, and a parallel region would wait for them forever: the child does all
    of the work on one thread. The number of threads changes the order of sums, so the parent uses one, too."""
    run(
        FORK
        + """
torch.set_num_threads(4)
first = digest(speak)
child = in_a_child(speak)
assert digest(speak) == first
torch.set_num_threads(1)
assert child == digest(speak)
"""
    )


def test_eight_threads_at_once():
    run("""
from concurrent.futures import ThreadPoolExecutor
name = load("sonic_nodes")
expected = speak(name)
with ThreadPoolExecutor(8) as pool:
    assert all(found == expected for found in pool.map(speak, [name] * 24))
""")
