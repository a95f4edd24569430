"""Faces in a picture, the square around one, and the way back into the picture. The work is done in csrc/face."""
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from .errors import InputError, InstallError, NoFaceError, ResourceError
from .native import _sonic, call

ASSETS = Path(__file__).resolve().parent / "assets"
WEIGHTS = {"detector": "face_detector.safetensors", "mesh": "face_mesh.safetensors"}

LANCZOS = Image.Resampling.LANCZOS


@dataclass(frozen=True)
class Face:
    """One face; every coordinate is in pixels of the picture, and may lie beyond its border."""

    score: float            # the detector's, 0..1
    presence: float         # the mesh network's belief that this is a face, 0.5..1
    box_xyxy: np.ndarray    # f32 [4], the detector's box: eyebrows to chin
    keypoints: np.ndarray   # f32 [6, 2]: eye on the left of the picture, eye on its right, nose tip, mouth, left ear, right ear
    mesh: np.ndarray        # f32 [468, 3], MediaPipe's numbering; z on the same scale, larger is farther away
    hull_xyxy: np.ndarray   # f32 [4], least and largest x, y of the mesh

    @classmethod
    def from_row(cls, row: np.ndarray) -> "Face":
        return cls(float(row[0]), float(row[1]), row[2:6], row[6:18].reshape(6, 2), row[18:-4].reshape(468, 3), row[-4:])


@functools.cache
def network_weights() -> tuple[tuple[torch.Tensor, ...], str]:
    """(tensors, names one a line), float32; read once and never written to, so threads share them."""
    found = {}
    for network, name in WEIGHTS.items():
        try:
            tensors = load_file(ASSETS / name)
        except Exception as error:
            raise InstallError(f"Install the package again: {ASSETS / name} cannot be read ({error}).") from error
        found.update({f"{network}.{key}": value.float() for key, value in tensors.items()})
    return tuple(found.values()), "\n".join(found)


def run_network(name: str, tensor: torch.Tensor, argument: str = "input") -> list[torch.Tensor]:
    """One operator of csrc/face/face_operators.c on `tensor` and the weights."""
    tensors, names = network_weights()
    return call(name, (tensor, *tensors), f"{argument}\n{names}")


def check_picture(picture: np.ndarray) -> np.ndarray:
    """The picture as C-contiguous uint8 [H, W, 3]."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise InputError(f"Give the picture as 8-bit RGB, [height, width, 3]: it is {picture.dtype} {list(picture.shape)}.")
    return np.ascontiguousarray(picture)


def find_faces(picture: np.ndarray) -> list[Face]:
    """The faces in a picture u8 [H, W, 3] (RGB), largest first; [] when there is none.

    A face counts when the detector and the mesh network both see one. Turned, small and cut faces are looked for when the picture
    as a whole shows none (csrc/face/find.h). May be called from several threads.
    """
    picture = check_picture(picture)
    if not picture.flags.writeable:
        picture = picture.copy()  # torch warns about read-only memory; nothing writes to it
    try:
        rows, = run_network("face_find", torch.from_numpy(picture), "picture")
    except RuntimeError as error:
        raise _explained(error) from error
    return [Face.from_row(row) for row in rows.numpy()]


def _explained(error: RuntimeError) -> Exception:
    """The C text of a refusal, without libtorch's frames around it."""
    text = str(error).split("\nException raised from")[0].strip()
    if "memory" in text:
        return ResourceError(text)
    return InputError(text)
