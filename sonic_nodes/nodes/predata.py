"""Whether a value is SONIC_PREDATA as pipeline.prepare makes it: other packs define a type of the same name."""

import numbers
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from ..errors import UsageError
from ..media.image import MAX_PIXELS, MAX_SIDE_PX
from ..media.sound_limits import MAX_DURATION_S
from ..media.sound_reader import SPEECH_RATE_HZ
from ..models.constants import FPS
from ..pipeline import PREDATA_VERSION
from .lazy import lazy_import

SIDE_MULTIPLE_PX = 64
MESH_SHAPE = (468, 3)
REACH = 16  # points of a mesh and of a box lie within so many sides of the picture


def check_data(name: str, data) -> dict:
    """The data itself; UsageError, which names the input `name`, for that of another pack, of another version, or
    changed since it was made."""
    version = data.get("version") if isinstance(data, dict) else None
    if type(version) is not int or version != PREDATA_VERSION:
        raise UsageError(
            "Use the SONIC_PreData node of this pack, and keep only one pack that defines it (add .disabled to the "
            f"other's folder name and restart): the {name} given is not this pack's, version {PREDATA_VERSION}."
        )
    for key, is_valid in KEYS.items():
        if not holds(is_valid, data, key):
            state = "is not as it was made" if key in data else "is missing"
            raise UsageError(
                f"Connect the data of SONIC_PreData of this pack, unchanged, to {name}: its entry {key!r} {state}."
            )
    clip = data.get("clip")
    if clip is not None and not is_clip(clip, data):
        raise UsageError(
            f"Connect the data of SONIC_PreData of this pack, unchanged, to {name}: its entry 'clip' is not as it was "
            "made."
        )
    return data


def is_clip(value, data) -> bool:
    """Whether a value is the clip of this data: as many frames, of the size of its source."""
    is_portrait = type(value) is lazy_import("dub.portrait").ClipPortrait
    return is_portrait and len(value.order) == data["frames"] and value.size == data["source"].shape[:2]


def holds(is_valid: Callable[[object, Mapping], bool], data: Mapping, key: str) -> bool:
    """Entries are checked in order, so that a check may rely on those before; an absent one is invalid."""
    try:
        return key in data and bool(is_valid(data[key], data))
    except Exception:  # an object of another pack may answer any question with an error of its own
        return False


def is_picture(value, data) -> bool:
    """uint8 [H, W, 3] of a size that this pack reads."""
    is_array = isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3
    return is_array and 0 < value.size <= 3 * MAX_PIXELS and max(value.shape) <= MAX_SIDE_PX


def is_prepared_picture(value, data) -> bool:
    return is_picture(value, data) and not any(side % SIDE_MULTIPLE_PX for side in value.shape[:2])


def is_float_array(value, shape: tuple[int, ...]) -> bool:
    is_array = isinstance(value, np.ndarray) and value.dtype == np.float32 and value.shape == shape
    return is_array and bool(np.isfinite(value).all())


def is_mask(value, data) -> bool:
    return is_float_array(value, data["image"].shape[:2]) and value.min() >= 0 and value.max() <= 1


def is_mesh(value, data) -> bool:
    return is_float_array(value, MESH_SHAPE) and np.abs(value).max() <= REACH * max(data["image"].shape)


def is_crop(value, data) -> bool:
    """Four whole numbers: a box that overlaps the source and is at most about twice its size (face.crop_square)."""
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        return False
    if not all(isinstance(side, numbers.Integral) and not isinstance(side, bool) for side in value):
        return False
    left, top, right, bottom = map(int, value)
    height, width = data["source"].shape[:2]
    overlaps = max(left, 0) < min(right, width) and max(top, 0) < min(bottom, height)
    return overlaps and right - left <= 2 * width + 2 and bottom - top <= 2 * height + 2


def is_box(value, data) -> bool:
    reach = REACH * max(data["source"].shape)
    return isinstance(value, (tuple, list)) and len(value) == 4 and all(abs(float(side)) <= reach for side in value)


def is_duration(value, data) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 < value <= MAX_DURATION_S


def is_speech(value, data) -> bool:
    """float32 [samples] at 16 kHz, as long as duration_s."""
    seconds = len(value) / SPEECH_RATE_HZ if isinstance(value, np.ndarray) else 0
    return abs(seconds - data["duration_s"]) <= 1 / FPS and is_float_array(value, (len(value),))


def is_frame_count(value, data) -> bool:
    is_count = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_count and value == max(1, round(FPS * data["duration_s"]))


def is_flag(value, data) -> bool:
    return isinstance(value, bool)


KEYS: Mapping[str, Callable] = MappingProxyType(
    {
        "image": is_prepared_picture,
        "source": is_picture,
        "crop_xyxy": is_crop,
        "face_xyxy": is_box,
        "mesh": is_mesh,
        "mask": is_mask,
        "duration_s": is_duration,
        "audio": is_speech,
        "frames": is_frame_count,
        "paste_back": is_flag,
    }
)
