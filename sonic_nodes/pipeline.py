"""From a portrait and a recording to SONIC_PREDATA, and from an engine's frames back into the whole portrait.

Used by the nodes and the command line; knows neither ComfyUI nor files.
"""

from functools import partial

import numpy as np

from . import face, portrait
from .dub.portrait import follow
from .engines.settings import PrepareSettings, SharedSettings, limits
from .errors import InputError, UsageError
from .media.voice import speech_notes
from .models.constants import FPS

PREDATA_VERSION = 1
MAX_ASPECT = 4.0
STEPS = 3  # of prepare: sound, face, picture
MISMATCH_S = 0.1
FEATHER = limits(SharedSettings, "feather")


class RecordingTooShort(InputError):
    """`fact`: both lengths, as a clause. The remedy is that of the node; the command has its own."""

    def __init__(self, fact: str):
        super().__init__(f"Set duration to 0, or on_mismatch to 'use shorter': {fact}.")
        self.fact = fact


def prepare(picture, sound, *, face_mask=None, progress=lambda done, total: None, **settings):
    """Find the face, crop, mask and resize; trim the sound. Returns SONIC_PREDATA, a dict:

    version 1; image uint8 [H, W, 3], sides multiples of 64; source uint8, the picture as given; crop_xyxy and face_xyxy
    in source pixels; mesh float32 [468, 3] in image pixels; mask float32 [H, W]; audio float32 mono 16 kHz; speech, the
    trimmed Sound; duration_s; frames = round(25 x duration_s); paste_back, whether the frames of the image are to be
    pasted into the source; notes, sentences for the user. `clip` is that of prepare_clip.

    picture      uint8 [H, W, 3] RGB
    sound        media.audio.Sound
    face_mask    [H, W], the face as the user marked it, or None
    progress     called as progress(done, total) between the steps; what it raises ends the work
    settings     those of PrepareSettings
    Raises NoFaceError, InputError (a picture or sound that cannot be used), UsageError (a value out of range).
    """
    chosen = PrepareSettings(**settings)
    progress(0, STEPS)
    speech, notes = trim(sound, chosen)
    mono = speech.mono_16k()
    progress(1, STEPS)
    shown = prepare_picture(picture, chosen, face_mask, lambda: progress(2, STEPS))
    progress(STEPS, STEPS)
    return joined(shown, sound, speech, mono, notes)


def prepare_picture(picture, chosen, face_mask=None, on_face=lambda: None):
    """The part of SONIC_PREDATA that the picture alone decides; its notes are "notes". `joined` adds the sound.

    on_face: called when the face is found
    """
    found, notes_on_face = face.choose(picture, chosen.face_index, face_mask, chosen.face_order)
    on_face()
    data = framed(picture, found, chosen)
    wide = wide_notes(picture.shape, found.hull_xyxy, data["crop_xyxy"], data["image"].shape, chosen)
    return data | {"notes": [*notes_on_face, *wide, *portrait.notes(picture, found)]}


def joined(shown, sound, speech, mono, notes):
    """SONIC_PREDATA of prepare_picture's dict and of a Sound: its trimmed part with the notes of `trim`, and that as
    float32 mono at 16 kHz."""
    notes = [*sound.notes, *notes, *speech_notes(speech, mono), *shown["notes"]]
    return shown | spoken(speech, mono) | {"notes": notes}


def prepare_clip(clip, sound, *, face_mask=None, progress=lambda done, total: None, **settings):
    """The same for a clip (dub.clip.Clip) in place of the picture: its frames keep their size, whatever the settings
    say, and only the draft engine draws them. `clip` is the ClipPortrait; image, source, mesh and boxes are those of
    its first frame. progress counts frames. Raises NoFaceError where the face is lost for too long."""
    chosen = PrepareSettings(**settings)
    if face_mask is not None:
        raise UsageError("Leave out face_mask, or give a picture instead of a clip: a mask does not follow the face.")
    speech, notes = trim(sound, chosen)
    mono, told = speech.mono_16k(), spoken(speech, None)
    choose = partial(picked, index=chosen.face_index, order=chosen.face_order)
    followed = follow(clip, told["frames"], chosen.clip_end, choose, progress)
    picture = followed.first_frame()
    found = face.of_mesh(followed.meshes[0])
    data = framed(picture, found, chosen) | spoken(speech, mono) | {"clip": followed, "paste_back": True}
    about = [*followed.notes, *portrait.notes(picture, found)]
    return data | {"notes": [*sound.notes, *notes, *speech_notes(speech, mono), *about]}


def picked(faces, size, index, order):
    return face.pick(faces, index, size, order)


def framed(picture, found, chosen):
    """The entries of SONIC_PREDATA that come from a picture and its face."""
    box = crop_box(picture.shape, found.hull_xyxy, chosen)
    image = prepared_image(picture, box, chosen.min_resolution)
    return {
        "version": PREDATA_VERSION,
        "image": image,
        "source": picture,
        "crop_xyxy": box,
        "face_xyxy": tuple(float(v) for v in found.hull_xyxy),
        "mesh": mesh_in_image(found.mesh, box, image.shape),
        "mask": face.soft_mask(picture.shape, found.hull_xyxy, box, image.shape),
        "paste_back": chosen.crop == "wide" and box != whole_box(picture.shape),
    }


def spoken(speech, mono):
    """Those that come from the trimmed recording."""
    frames = max(1, round(FPS * speech.duration_s))
    return {"audio": mono, "speech": speech, "duration_s": speech.duration_s, "frames": frames}


def shows_whole(data):
    """Whether an engine's frames of SONIC_PREDATA are those of a clip, which show the whole picture already."""
    return data.get("clip") is not None


def drawn_size(data):
    """(height, width) of the frames that an engine makes of SONIC_PREDATA."""
    return data["clip"].size if shows_whole(data) else data["image"].shape[:2]


def whole_box(shape):
    return 0, 0, shape[1], shape[0]


def crop_box(shape, face_xyxy, chosen):
    """What PrepareSettings show of a picture of `shape`: x0, y0, x1, y1."""
    if chosen.crop == "face":
        return face.crop_square(shape, face_xyxy, chosen.expand_ratio)
    if chosen.crop == "wide":
        return face.crop_wide(shape, face_xyxy, chosen.expand_ratio, chosen.min_resolution)
    return whole_box(shape)


def wide_notes(shape, face_xyxy, box, image_shape, chosen):
    """What crop 'wide' chose in a picture of `shape`, and why: sentences."""
    if chosen.crop != "wide":
        return []
    width, height = box[2] - box[0], box[3] - box[1]
    face_px = min(face_xyxy[2] - face_xyxy[0], face_xyxy[3] - face_xyxy[1])
    shown_px = round(face_px * min(image_shape[:2]) / min(width, height))
    if box == whole_box(shape):
        return [
            f"The whole picture is animated: its face is {shown_px} pixels wide, and {face.WIDE_FACE_PX} are needed."
        ]
    whole_px = round(face_px * min(image_shape[:2]) / min(shape[:2]))
    reason = f"in the whole picture the face would be {whole_px} pixels wide, and {face.WIDE_FACE_PX} are needed"
    if whole_px >= face.WIDE_FACE_PX:
        reason = f"the model's pictures are at most {MAX_ASPECT:.0f} times as long as they are wide"
    which = f"{width}x{height} pixels around the face are animated and pasted into the picture of {shape[1]}x{shape[0]}"
    return [f"{which}: {reason}.", *small_face_notes(face_px, shown_px, chosen.min_resolution)]


def small_face_notes(face_px, shown_px, min_resolution):
    """face_px: the face's width in the picture; shown_px: in the prepared image."""
    if shown_px < face.WIDE_FACE_PX - 1:
        return [f"Raise min_resolution: at {min_resolution} the face is {shown_px} pixels wide, so the mouth is soft."]
    if face_px < face.WIDE_FACE_PX / 2:
        return [f"Choose a picture that shows the face larger: it is {face_px:.0f} pixels wide, so the video is soft."]
    return []


def frames_note(data):
    """Length and size of the clip that an engine makes of SONIC_PREDATA, as a sentence."""
    height, width = drawn_size(data)
    is_pasted = data["paste_back"] and not shows_whole(data)
    pasted = "{1}x{0} pixels, pasted into {3}x{2}" if is_pasted else "{1}x{0} pixels"
    size = pasted.format(height, width, *data["source"].shape[:2])
    return f"{data['duration_s']:.3f} s, {data['frames']} frames at {FPS} a second, {size}."


def trim(sound, chosen):
    """(the part of the Sound that PrepareSettings choose, sentences for the user)."""
    whole, start, wanted = sound.duration_s, chosen.start, chosen.duration
    if start >= whole:
        raise InputError(f"Set start below {whole:.2f} s, the length of the recording: it is {start:.2f} s.")
    left = whole - start
    after = f" after start, {start:.2f} s" if start else ""
    if chosen.on_mismatch == "refuse" and wanted - left >= MISMATCH_S:
        raise RecordingTooShort(f"the recording has {left:.2f} s{after}, and duration asks for {wanted:.2f} s")
    used = min(max(wanted, 1 / FPS), left) if wanted else left
    speech = sound.part(start, used)
    if wanted > left + 1e-9:
        short = f"The recording has {left:.2f} s{after}, less than duration, {wanted:.2f} s: the video is as short."
        return speech, [short]
    if speech is sound:
        return speech, []
    which = f"{start:.2f} s to {start + used:.2f} s" if start else f"The first {used:.2f} s"
    return speech, [f"{which} of the recording are used; it lasts {whole:.2f} s."]


def prepared_image(picture, box, min_resolution):
    """The picture inside `box`, resized: uint8 [H, W, 3], sides multiples of 64."""
    width, height = box[2] - box[0], box[3] - box[1]
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(
            f"Crop the picture, or set crop to 'face': {width}x{height} is more than {MAX_ASPECT:.0f} times as long as "
            "it is wide."
        )
    cut = cut_out(picture, box)
    return face.resize(cut, face.prepared_size(cut.shape, min_resolution))


def cut_out(picture, box):
    """The picture inside `box`. Outside the picture, by a pixel of rounding, its border is repeated."""
    height, width = picture.shape[:2]
    left, top, right, bottom = box
    inside = picture[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    beyond = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    return np.ascontiguousarray(np.pad(inside, beyond, mode="edge"))


def mesh_in_image(mesh, box, shape):
    """The picture's mesh [468, 3] in pixels of the image that `box` was resized to; depth scales as x does."""
    scale_x, scale_y = shape[1] / (box[2] - box[0]), shape[0] / (box[3] - box[1])
    moved = (mesh - np.float32([box[0], box[1], 0])) * np.float32([scale_x, scale_y, scale_x])
    return np.ascontiguousarray(moved, np.float32)


def paste_back(frames, data, feather=FEATHER.default):
    """Frames [n, h, w, 3] pasted into the whole portrait with a soft edge: uint8 [n, H, W, 3]."""
    FEATHER.check("feather", feather)
    return face.paste_back(frames, data["source"], data["crop_xyxy"], feather)


def paste_onto(frames, below, data, feather=FEATHER.default):
    """Frames [n, h, w, 3] pasted into as many pictures of the whole portrait, uint8 [n, H, W, 3], which may have lost a
    last row or column."""
    FEATHER.check("feather", feather)
    return face.paste_onto(frames, below, data["crop_xyxy"], feather)
