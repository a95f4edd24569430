"""From a picture and a sound to SONIC_PREDATA, and from an engine's frames back into the whole portrait.

Used by the nodes and by the command line alike; knows neither ComfyUI nor files.
"""
import numpy as np
from PIL import Image

from . import face
from .errors import InputError, UsageError

PREDATA_VERSION = 1
FPS = 25
MAX_FRAMES = 25 * 60 * 30
MAX_SIDE_PX = 4096


def prepare(picture, sound, *, min_resolution=512, duration=0.0, expand_ratio=0.18, crop="face", face_index=0, face_mask=None,
            on_mismatch="use shorter"):
    """Find the face, crop with head room, mask, resize; trim the sound. Returns SONIC_PREDATA (docs/architecture.md).

    picture   uint8 [H, W, 3] RGB
    sound     media.audio.Sound
    duration  seconds; 0 is the exact length of the sound
    crop      "face" (square around the face) or "off" (the whole picture)
    face_mask float [H, W] 0..1 or None; given, no face is looked for in what lies outside it
    Raises NoFaceError, InputError (too short, too large), UsageError (a value out of range).
    """
    check_ranges(min_resolution, duration, expand_ratio, crop, on_mismatch)
    notes = []
    speech, notes_on_length = fit_duration(sound, duration, on_mismatch)
    notes += notes_on_length
    frames = frame_count(speech.duration_s)
    chosen, notes_on_face = face.choose(picture, face_index, face_mask)
    notes += notes_on_face
    crop_xyxy = face.crop_square(picture.shape, chosen.hull_xyxy, expand_ratio) if crop == "face" else whole(picture)
    image = crop_and_resize(picture, crop_xyxy, min_resolution)
    return {
        "version": PREDATA_VERSION,
        "image": image,
        "source": picture,
        "crop_xyxy": crop_xyxy,
        "face_xyxy": chosen.hull_xyxy,
        "mesh": mesh_in_crop(chosen.mesh, crop_xyxy, image.shape),
        "mask": face.soft_mask(picture.shape, chosen.hull_xyxy, crop_xyxy, image.shape),
        "audio": speech.mono_16k(),
        "speech": speech,
        "duration_s": speech.duration_s,
        "frames": frames,
        "notes": notes,
    }
