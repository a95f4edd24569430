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


def choose(faces: list[Face], face_index: int = 0, size: tuple[int, int] | None = None) -> tuple[Face, list[str]]:
    """(the face to animate, what to tell the user); index 0 is the largest. `size` (width, height) makes the refusal clearer."""
    if not faces:
        where = f" of {size[0]} x {size[1]} pixels" if size else ""
        raise NoFaceError("Choose a picture that shows a face from the front, at least a fortieth of the picture wide; or mark the face yourself "
                          f"with face_mask, or set crop to off: no face was found in the picture{where}.")
    if not 0 <= face_index < len(faces):
        raise InputError(f"Choose a face_index from 0 to {len(faces) - 1} (0 is the largest): it is {face_index}, "
                         f"and the picture shows {len(faces)} face{'s' if len(faces) > 1 else ''}.")
    if len(faces) == 1:
        return faces[0], []
    which = "the largest was chosen" if face_index == 0 else f"number {face_index} by size was chosen"
    return faces[face_index], [f"The picture shows {len(faces)} faces: {which}. Set face_index (0 to {len(faces) - 1}) for another."]


def crop_square(face_xyxy, expand_ratio: float, width: int, height: int) -> tuple[int, int, int, int]:
    """The square around a face, x0, y0, x1, y1 in whole pixels inside the picture (csrc/face/geometry.h)."""
    return _checked(_sonic.crop_square, tuple(float(v) for v in face_xyxy), float(expand_ratio), int(width), int(height))


def prepared_size(width: int, height: int, min_resolution: int) -> tuple[int, int]:
    """(width, height) that a picture is resized to: multiples of 64, the shorter side about min_resolution."""
    return _checked(_sonic.prepared_size, int(width), int(height), int(min_resolution))


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """u8 [H, W] or [H, W, 3] at `size` (width, height), by Pillow's Lanczos; the picture itself when it has that size."""
    if (picture.shape[1], picture.shape[0]) == tuple(size):
        return picture
    return np.array(Image.fromarray(picture).resize(size, LANCZOS))


def soft_mask(face_xyxy, source_size: tuple[int, int], size: tuple[int, int], area: float = 1.1) -> np.ndarray:
    """u8 mask at `size` (width, height): the face box in a picture of `source_size`, grown by `area`, its edge softened by the resize."""
    x0, y0, x1, y1 = (float(v) for v in face_xyxy)
    mask = np.empty((source_size[1], source_size[0]), np.uint8)
    _checked(_sonic.face_mask, mask, (x0, y0, x1 - x0, y1 - y0), float(area))
    return resize(mask, size)


def paste_back(frames: np.ndarray, source: np.ndarray, crop_xyxy, feather: float = 0.1) -> np.ndarray:
    """frames u8 [n, h, w, 3] at `crop_xyxy` of source u8 [H, W, 3] -> u8 [n, H, W, 3] (csrc/face/paste.h)."""
    source = check_picture(source)
    out = np.empty((len(frames), *source.shape), np.uint8)
    _checked(_sonic.paste_back, out, source, np.ascontiguousarray(frames), tuple(int(v) for v in crop_xyxy), float(feather))
    return out


def _checked(function, *arguments):
    """ValueError from C is a value that the user can mend."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise InputError(str(error)) from error
