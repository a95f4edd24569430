"""From a picture and a sound to SONIC_PREDATA, and from an engine's frames back into the whole portrait.

Used by the nodes and by the command line alike; knows neither ComfyUI nor files.
"""

import numpy as np

from . import face
from .errors import InputError, UsageError

PREDATA_VERSION = 1
FPS = 25
MAX_ASPECT = 4.0
MISMATCH_S = 0.1


def prepare(
    picture,
    sound,
    *,
    min_resolution=512,
    duration=0.0,
    expand_ratio=0.18,
    crop="face",
    face_index=0,
    face_mask=None,
    on_mismatch="use shorter",
):
    """Find the face, crop with head room, mask, resize; trim the sound. Returns SONIC_PREDATA, a dict:

    version 1; image uint8 [H, W, 3], sides multiples of 64; source uint8, the picture as given; crop_xyxy and face_xyxy
    in source pixels; mesh float32 [468, 3] in image pixels; mask float32 [H, W]; audio float32 mono 16 kHz; speech, the
    trimmed Sound; duration_s; frames = round(25 x duration_s); notes, sentences for the user.

    picture      uint8 [H, W, 3] RGB
    sound        media.audio.Sound
    duration     seconds; 0 is the exact length of the sound
    crop         "face" (square around the face) or "off" (the whole picture)
    face_mask    [H, W], the user's own mark of the face, or None
    on_mismatch  "use shorter" or "refuse", when duration and sound differ by 0.1 s or more
    Raises NoFaceError, InputError (a picture or sound that cannot be used), UsageError (a value out of range).
    """
    check_ranges(min_resolution, duration, expand_ratio, crop, on_mismatch)
    speech, notes = fit_duration(sound, duration, on_mismatch)
    chosen, notes_on_face = face.choose(picture, face_index, face_mask)
    height, width = picture.shape[:2]
    box = face.crop_square(picture.shape, chosen.hull_xyxy, expand_ratio) if crop == "face" else (0, 0, width, height)
    image = prepared_image(picture, box, min_resolution)
    return {
        "version": PREDATA_VERSION,
        "image": image,
        "source": picture,
        "crop_xyxy": box,
        "face_xyxy": tuple(float(v) for v in chosen.hull_xyxy),
        "mesh": mesh_in_image(chosen.mesh, box, image.shape),
        "mask": face.soft_mask(picture.shape, chosen.hull_xyxy, box, image.shape),
        "audio": speech.mono_16k(),
        "speech": speech,
        "duration_s": speech.duration_s,
        "frames": max(1, round(FPS * speech.duration_s)),
        "notes": [*sound.notes, *notes, *notes_on_face],
    }


def check_ranges(min_resolution, duration, expand_ratio, crop, on_mismatch):
    if not 128 <= min_resolution <= 2048:
        raise UsageError(f"Choose min_resolution between 128 and 2048: it is {min_resolution}.")
    if not duration >= 0:
        raise UsageError(f"Choose a duration of 0 (all of the sound) or more seconds: it is {duration}.")
    if not 0 <= expand_ratio <= 1:
        raise UsageError(f"Choose expand_ratio between 0 and 1: it is {expand_ratio}.")
    if crop not in ("face", "off"):
        raise UsageError(f"Choose crop 'face' or 'off': it is {crop!r}.")
    if on_mismatch not in ("use shorter", "refuse"):
        raise UsageError(f"Choose on_mismatch 'use shorter' or 'refuse': it is {on_mismatch!r}.")


def fit_duration(sound, duration, on_mismatch):
    """(the Sound to speak, sentences for the user)."""
    have = sound.duration_s
    if duration == 0 or abs(duration - have) < 1e-9:
        return sound, []
    if on_mismatch == "refuse" and abs(duration - have) >= MISMATCH_S:
        raise InputError(f"Set duration to 0 or use a recording of {duration:.2f} s: the recording lasts {have:.2f} s.")
    if duration > have:
        return sound, [
            f"The recording lasts {have:.2f} s, less than the {duration:.2f} s asked for: the video is as long as it."
        ]
    return sound.trimmed(max(duration, 1 / FPS)), [
        f"The first {duration:.2f} s of the recording are used; it lasts {have:.2f} s."
    ]


def prepared_image(picture, box, min_resolution):
    """The part of the picture in `box`, resized: uint8 [H, W, 3], sides multiples of 64."""
    width, height = box[2] - box[0], box[3] - box[1]
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(
            f"Crop the picture, or set crop to 'face': {width}x{height} is longer than {MAX_ASPECT:.0f} times its width."
        )
    cut = cut_out(picture, box)
    return face.resize(cut, face.prepared_size(cut.shape, min_resolution))


def cut_out(picture, box):
    """Rows and columns of `box`; what lies outside the picture (rounding can reach a pixel) repeats its border."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    inside = picture[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    return np.ascontiguousarray(np.pad(inside, beyond, mode="edge"))


def mesh_in_image(mesh, box, shape):
    """The picture's mesh [468, 3] in pixels of the image that `box` became; depth scales like the columns."""
    scale_x, scale_y = shape[1] / (box[2] - box[0]), shape[0] / (box[3] - box[1])
    moved = (mesh - np.float32([box[0], box[1], 0])) * np.float32([scale_x, scale_y, scale_x])
    return np.ascontiguousarray(moved, np.float32)


def paste_back(frames, data, feather=0.1):
    """Frames [n, h, w, 3] put into the whole portrait with a soft edge: uint8 [n, H, W, 3]."""
    if not 0 <= feather <= 0.5:
        raise UsageError(f"Choose feather between 0 and 0.5: it is {feather}.")
    return face.paste_back(frames, data["source"], data["crop_xyxy"], feather)
