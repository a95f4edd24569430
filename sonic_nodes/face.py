"""Faces in an image, the square around one, and pasting that square back. Computed in csrc/face."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from .errors import InputError, InstallError, NoFaceError, ResourceError, is_out_of_memory, shortage
from .extension.native import _sonic, call

ASSETS = Path(__file__).resolve().parent / "assets"
# Points of a mesh by name: csrc/face/landmarks.h
LANDMARKS: dict[str, int | tuple[int, ...]] = _sonic.face_landmarks()
WIDE_FACE_PX = 128  # SONIC_WIDE_FACE_PX of csrc/face/geometry.h
LARGEST_FIRST = "largest-first"  # the other order is left-to-right
WEIGHTS = {"detector": "face_detector.safetensors", "mesh": "face_mesh.safetensors"}


@dataclass(frozen=True)
class Face:
    """One face. Coordinates are pixels of the image and may lie outside it."""

    score: float  # the detector's, 0..1
    presence: float  # the mesh network's probability of a face, 0..1; found faces have at least 0.5
    box_xyxy: np.ndarray  # f32 [4], the detector's box: eyebrows to chin
    # f32 [6, 2]: left eye, right eye, nose tip, mouth, left ear, right ear; left and right in the image
    keypoints: np.ndarray
    mesh: np.ndarray  # f32 [468, 3], numbered as in csrc/face/landmarks.h; z on the same scale, larger is farther away
    hull_xyxy: np.ndarray  # f32 [4], bounding box of the mesh

    @classmethod
    def from_row(cls, row: np.ndarray) -> "Face":
        return cls(
            float(row[0]), float(row[1]), row[2:6], row[6:18].reshape(6, 2), row[18:-4].reshape(468, 3), row[-4:]
        )


@functools.cache
def network_weights() -> tuple[tuple[torch.Tensor, ...], str]:
    """(tensors, their names, one per line), float32; read once, never written, shared by threads."""
    found = {}
    for network, name in WEIGHTS.items():
        try:
            tensors = load_file(ASSETS / name)
        except Exception as error:
            if is_out_of_memory(error):
                raise shortage(error) from None
            raise InstallError(f"Install the package again: {ASSETS / name} cannot be read ({error}).") from error
        found.update({f"{network}.{key}": value.float() for key, value in tensors.items()})
    return tuple(found.values()), "\n".join(found)


def run_network(name: str, tensor: torch.Tensor, argument: str = "input", numbers=()) -> list[torch.Tensor]:
    """The outputs of an operator of csrc/face/face_operators.c on `tensor` and the weights."""
    tensors, names = network_weights()
    return call(name, (tensor, *tensors), f"{argument}\n{names}", numbers)


def check_picture(image: np.ndarray) -> np.ndarray:
    """The image as C-contiguous uint8 [H, W, 3]. Raises InputError for another type or shape."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InputError(f"Give the picture as 8-bit RGB, [height, width, 3]: it is {image.dtype} {list(image.shape)}.")
    return np.ascontiguousarray(image)


def find_faces(image: np.ndarray, thorough: bool = True) -> list[Face]:
    """The faces in an image u8 [H, W, 3] (RGB), largest first; [] without a face.

    A face counts when the detector and the mesh network agree. Rotated, small and cropped faces are searched when the
    whole image has none and `thorough` is true (csrc/face/find.h). May be called from several threads.
    """
    return _faces("face_find", image, () if thorough else (0.0,))


def _faces(operator: str, image: np.ndarray, numbers=()) -> list[Face]:
    image = check_picture(image)
    if not image.flags.writeable:
        image = image.copy()  # torch warns about read-only memory; nothing writes to it
    try:
        (rows,) = run_network(operator, torch.from_numpy(image), "image", numbers)
    except RuntimeError as error:
        raise _translated_error(error) from error
    return [Face.from_row(row) for row in rows.numpy()]


def _translated_error(error: RuntimeError) -> Exception:
    """The error that C reports, without libtorch's stack trace."""
    text = str(error).split("\nException raised from")[0].strip()
    if "memory" in text or is_out_of_memory(error):
        return ResourceError(text)
    return InputError(text)


def choose(
    image: np.ndarray, face_index: int = 0, face_mask: np.ndarray | None = None, order: str = LARGEST_FIRST
) -> tuple[Face, list[str]]:
    """(the face to animate, messages for the user).

    face_index  0 is the first face in `order`
    face_mask   [H, W], marked by the user (statues, animals, drawings, profiles): its box replaces the hull, and the
                mesh is fitted into it when no face is found there
    Raises NoFaceError and InputError.
    """
    if face_mask is not None:
        return _marked_face(image, face_mask)
    return pick(find_faces(image), face_index, (image.shape[1], image.shape[0]), order)


def pick(
    faces: list[Face], face_index: int, size: tuple[int, int], order: str = LARGEST_FIRST
) -> tuple[Face, list[str]]:
    """Face number `face_index` of `faces`, given largest first and counted in `order`, in an image of `size` (width,
    height), and messages."""
    if not faces:
        raise NoFaceError(
            "Choose a picture that shows a face from the front, or mark the face yourself (face_mask of "
            f"SONIC_PreData): no face was found in the picture of {size[0]} x {size[1]} pixels."
        )
    if not 0 <= face_index < len(faces):
        first = "largest" if order == LARGEST_FIRST else "leftmost"
        raise InputError(
            f"Choose a face_index from 0 to {len(faces) - 1} (0 is the {first}): it is {face_index}, "
            f"and the picture shows {len(faces)} face{'s' if len(faces) > 1 else ''}."
        )
    if len(faces) == 1:
        return faces[0], []
    which = "the largest was chosen" if face_index == 0 else f"number {face_index} by size was chosen"
    if order != LARGEST_FIRST:
        faces = sorted(faces, key=lambda found: float(found.hull_xyxy[0] + found.hull_xyxy[2]))
        which = f"number {face_index} from the left was chosen"
    return faces[face_index], [
        f"The picture shows {len(faces)} faces: {which}. Set face_index (0 to {len(faces) - 1}) for another."
    ]


def _marked_face(image: np.ndarray, face_mask: np.ndarray) -> tuple[Face, list[str]]:
    box = mask_box(face_mask, image.shape)
    inside = [f for f in find_faces(image) if _is_inside((f.hull_xyxy[:2] + f.hull_xyxy[2:]) / 2, box)]
    face, notes = (inside[0], []) if inside else (fit_face(image, box), [])
    if face.presence < 0.5:
        notes = [
            "No face was recognised inside face_mask: its box was taken as the face, so the mouth may sit a little off."
        ]
    return replace(face, hull_xyxy=box), notes


def _is_inside(point: np.ndarray, box: np.ndarray) -> bool:
    return bool((point >= box[:2]).all() and (point < box[2:]).all())


def mask_box(face_mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """f32 x0, y0, x1, y1: bounding box of a mask [H, W] thresholded at half of its maximum."""
    mask = np.asarray(face_mask)
    if mask.shape != tuple(shape[:2]):
        size = " x ".join(map(str, mask.shape[::-1]))
        raise InputError(f"Give a face_mask of the picture's size, {shape[1]} x {shape[0]}: it is {size}.")
    marked = mask >= max(float(mask.max()) / 2, 1e-3)
    if not marked.any():
        raise InputError("Paint the face in face_mask, or disconnect it: it is empty.")
    columns, rows = np.flatnonzero(marked.any(0)), np.flatnonzero(marked.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def fit_face(image: np.ndarray, box_xyxy) -> Face:
    """The mesh fitted into a box around an upright face, whether or not the networks confirm a face (`presence`)."""
    return _faces("face_fit", image, [float(v) for v in box_xyxy])[0]


def of_mesh(mesh: np.ndarray) -> Face:
    """A face of which only the mesh [468, 3] is known."""
    hull = np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)])
    return Face(0.0, 1.0, hull, np.zeros((6, 2), np.float32), mesh, hull)


def track_face(image: np.ndarray, before: np.ndarray) -> Face:
    """The face whose mesh was `before` [468, 3] in the previous frame of a video: one run of the mesh network. A
    `presence` below 0.5 means that it is lost."""
    tensors, names = network_weights()
    points = torch.from_numpy(np.ascontiguousarray(before, np.float32))
    try:
        (rows,) = call(
            "face_track", (torch.from_numpy(check_picture(image)), points, *tensors), f"image\nbefore\n{names}"
        )
    except RuntimeError as error:
        raise _translated_error(error) from error
    return Face.from_row(rows.numpy()[0])


def crop_square(shape: tuple[int, ...], face_xyxy, expand_ratio: float) -> tuple[int, int, int, int]:
    """The square around a face in an image of `shape` [H, W, ...]: x0, y0, x1, y1 (csrc/face/geometry.h)."""
    return _checked(
        _sonic.crop_square, tuple(float(v) for v in face_xyxy), float(expand_ratio), int(shape[1]), int(shape[0])
    )


def crop_wide(shape: tuple[int, ...], face_xyxy, expand_ratio: float, min_resolution: int) -> tuple[int, int, int, int]:
    """The widest crop of an image of `shape` [H, W, ...] whose face is WIDE_FACE_PX wide once it is prepared: x0, y0,
    x1, y1, the whole image where that is enough (csrc/face/geometry.h)."""
    return _checked(
        _sonic.crop_wide,
        tuple(float(v) for v in face_xyxy),
        float(expand_ratio),
        int(shape[1]),
        int(shape[0]),
        int(min_resolution),
    )


def prepared_size(shape: tuple[int, ...], min_resolution: int) -> tuple[int, int]:
    """(height, width) that an image of `shape` [H, W, ...] is resized to: multiples of 64, the shorter side about
    min_resolution."""
    width, height = _checked(_sonic.prepared_size, int(shape[1]), int(shape[0]), int(min_resolution))
    return height, width


def resize(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """u8 [H, W] or [H, W, 3] at the height and width of `shape`, by Pillow's Lanczos; returned as is at that size."""
    if image.shape[:2] == tuple(shape[:2]):
        return image
    return np.array(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.LANCZOS))


def soft_mask(
    shape: tuple[int, ...], face_xyxy, crop_xyxy, prepared_shape: tuple[int, ...], area: float = 1.1
) -> np.ndarray:
    """float32 [H, W] 0..1 of `prepared_shape`: the face box, scaled by `area`, in the crop of an image of `shape`,
    with soft edges."""
    x0, y0, x1, y1 = (float(v) for v in face_xyxy)
    left, top, right, bottom = (int(v) for v in crop_xyxy)
    if not (left < right and top < bottom and right - left <= 2 * shape[1] + 2 and bottom - top <= 2 * shape[0] + 2):
        raise InputError(
            f"Give a crop inside the picture of {shape[1]} x {shape[0]}: it is {left}, {top}, {right}, {bottom}."
        )
    mask = np.empty((bottom - top, right - left), np.uint8)
    _checked(_sonic.face_mask, mask, (x0 - left, y0 - top, x1 - x0, y1 - y0), float(area))
    return resize(mask, prepared_shape).astype(np.float32) / np.float32(255)


def paste_back(frames: np.ndarray, source: np.ndarray, crop_xyxy, feather: float = 0.1) -> np.ndarray:
    """frames u8 [n, h, w, 3] at `crop_xyxy` of source u8 [H, W, 3] -> u8 [n, H, W, 3] (csrc/face/paste.h)."""
    source = check_picture(source)
    out = np.empty((len(frames), *source.shape), np.uint8)
    _checked(
        _sonic.paste_back, out, source, np.ascontiguousarray(frames), tuple(int(v) for v in crop_xyxy), float(feather)
    )
    return out


def paste_onto(frames: np.ndarray, below: np.ndarray, crop_xyxy, feather: float = 0.1) -> np.ndarray:
    """frames u8 [n, h, w, 3], each pasted at `crop_xyxy` of its picture in below u8 [n, H, W, 3] -> u8 [n, H, W, 3]."""
    out = np.array(below, order="C")
    crop = tuple(int(v) for v in crop_xyxy)
    _checked(_sonic.paste_onto, out, np.ascontiguousarray(frames), crop, float(feather))
    return out


def _checked(function, *arguments):
    """Raises a ValueError of C as InputError."""
    try:
        return function(*arguments)
    except ValueError as error:
        raise InputError(str(error)) from error
