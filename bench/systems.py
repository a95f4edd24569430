"""What two systems compute of the sample: each stage of the draft engine, its largest difference, and the frames' PSNR.

    python -m bench.systems --write linux.npz                       here
    python -m bench.systems --write windows.npz --given linux.npz   there: each stage from its own inputs and ours
    python -m bench.systems --compare linux.npz windows.npz         exits 1 when a frame is below 70 dB

A stage that differs with its own inputs and is equal with given ones only passes on what differs before it; one that
differs with given inputs is where a difference begins. Rows of libtorch have none of our code: products of matrices
(SGEMM of its BLAS), as the convolutions of the face networks on one thread become, and a convolution by oneDNN.
"""

import argparse
import sys
import wave
from pathlib import Path

import numpy as np
from PIL import Image

LEAST_DB = 70.0
FRAMES = 159  # all of the sample


def sample() -> tuple[np.ndarray, np.ndarray, int]:
    """The portrait, the speech and its rate in Hz."""
    from sonic_nodes import face

    folder = Path(face.__file__).resolve().parent / "assets" / "sample"
    with wave.open(str(folder / "speech.wav")) as file:
        voice = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        rate = file.getframerate()
    return np.array(Image.open(folder / "portrait.jpg")), voice, rate


def frames_of(picture: np.ndarray, mesh: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """uint8 [frames, height, width, 3]"""
    from sonic_nodes.extension.native import _sonic

    frames = np.empty((len(poses), *picture.shape), np.uint8)
    _sonic.draft_render(_sonic.draft_rig_create(picture, mesh), poses, frames)
    return frames


def products() -> dict[str, np.ndarray]:
    """[32, 128] x [128, columns] by libtorch on one thread; the last maps of the mesh network have 9 columns."""
    import torch

    draw, before = np.random.default_rng(0), torch.get_num_threads()
    torch.set_num_threads(1)
    found = {}
    for columns in (256, 36, 9, 1):
        a, b = (draw.standard_normal(shape).astype(np.float32) for shape in ((32, 128), (128, columns)))
        found[f"product of libtorch, {columns} columns"] = torch.mm(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    torch.set_num_threads(before)
    return found


def libraries() -> str:
    """The versions of the libraries in libtorch that multiply matrices."""
    import torch

    lines = [line.strip(" -") for line in torch.__config__.show().splitlines()]
    named = [line for line in lines if "Math Kernel" in line or "MKL-DNN" in line]
    return "; ".join([f"PyTorch {torch.__version__}", torch.backends.cpu.get_cpu_capability(), *named])


def networks() -> dict[str, np.ndarray]:
    """The face networks, and one convolution by libtorch without any of our code, of fixed inputs."""
    import torch

    from sonic_nodes import face

    draw = np.random.default_rng(0)
    crop, whole = (torch.from_numpy(draw.random((1, 3, side, side), np.float32)) for side in (192, 128))
    weights = torch.from_numpy(draw.standard_normal((16, 3, 3, 3)).astype(np.float32))
    return {
        "convolution of libtorch": torch.nn.functional.conv2d(crop, weights).numpy(),
        "detector network": face.run_network("face_detector", whole)[0].numpy(),
        "mesh network": face.run_network("face_mesh", crop)[0].numpy(),
    }


def stages(given: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    from sonic_nodes import face
    from sonic_nodes.extension.native import _sonic

    picture, voice, rate = sample()
    if rate != 16000:
        sys.exit("Record the sample at 16 kHz again: this script does not resample.")
    mesh = face.find_faces(picture)[0].mesh
    poses = _sonic.draft_poses(voice, min(FRAMES, len(voice) * 25 // rate), 7)
    found = {"picture": picture, "mesh": mesh, "poses": poses, "frames": frames_of(picture, mesh, poses)}
    found |= products() | networks()
    found["tracked"] = face.track_face(picture, mesh).mesh
    if given:
        found["mesh given picture"] = face.find_faces(given["picture"])[0].mesh
        found["tracked given picture and mesh"] = face.track_face(given["picture"], given["mesh"]).mesh
        found["frames given mesh and poses"] = frames_of(given["picture"], given["mesh"], given["poses"])
    return found


def decibels(a: np.ndarray, b: np.ndarray) -> list[float]:
    """PSNR of each frame; infinite where all bits are equal."""
    errors = [float(np.mean((x.astype(np.float64) - y) ** 2)) for x, y in zip(a, b, strict=True)]
    return [float("inf") if error == 0 else 10 * np.log10(255**2 / error) for error in errors]


def compare(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Prints a row a stage; the worst PSNR of frames."""
    worst = float("inf")
    for name, values in other.items():
        base = one[name.split(" given")[0]]
        if base.dtype.kind == "U":
            print(f"{name:34}{base}\n{'':34}{values}")
            continue
        difference = np.abs(base.astype(np.float64) - values)
        equal = np.mean(difference == 0)
        row = f"{name:34}largest difference {difference.max():.3g}, {100 * equal:.4f} % equal"
        if name.startswith("frames"):
            every = decibels(base, values)
            worst = min(worst, *every)
            row += f", worst PSNR {min(every):.1f} dB, {sum(map(np.isinf, every))} of {len(every)} frames the same"
        print(row)
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path)
    parser.add_argument("--given", type=Path)
    parser.add_argument("--compare", type=Path, nargs=2)
    chosen = parser.parse_args()
    if chosen.compare:
        return compare(*(dict(np.load(path)) for path in chosen.compare)) < LEAST_DB
    if not chosen.write:
        parser.error("say --write FILE or --compare FILE FILE")
    found = stages(dict(np.load(chosen.given)) if chosen.given else None)
    np.savez(chosen.write, libraries=np.array(libraries()), **found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
