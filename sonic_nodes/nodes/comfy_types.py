"""Conversion between ComfyUI's values and this package's. Imports torch and NumPy, not ComfyUI.

IMAGE float32 [B,H,W,3], 0..1                           frames uint8 [n,H,W,3], one picture uint8 [H,W,3]
MASK float32 [B,H,W]                                    mask float32 [H,W]
AUDIO {"waveform": [B,channels,S], "sample_rate"}       media.audio.Sound
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch

from ..errors import InputError, ResourceError
from ..media.audio import Sound, sound_from_array
from ..media.image import MAX_PIXELS, MAX_SIDE_PX
from ..media.sound_limits import MAX_VALUES
from .tensors import check_tensor
from .value_text import converted, described, readable, shown

CHUNK_FRAMES, CHUNK_BYTES = 16, 32 << 20
MAX_FRAMES = 432_000  # half an hour, as long as a recording may be, at 240 frames a second
MASK_DIMENSIONS = (2, 3, 4)  # [H,W], [B,H,W], and [B,1,H,W] of some nodes

LEVELS_RANGE = (-0.5, 2.0)  # an IMAGE has 0 to 1; decoders and filters overshoot a little, other scales far more


def image_from_uint8(frames: np.ndarray) -> torch.Tensor:
    """uint8 [n,H,W,3] -> float32 [n,H,W,3]; a level k becomes k / 255. `uint8_from_image` is its exact inverse."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(torch.float32).div_(255)


def uint8_from_image(image: torch.Tensor) -> np.ndarray:
    """float32 [n,H,W,C>=3] -> uint8 [n,H,W,3], rounded to the nearest level; values a little outside 0..1 are clipped.
    InputError for another scale, such as 0..255 or -1..1, and for NaN."""
    levels = image[..., :3].to("cpu", torch.float32)
    check_scale(levels)
    return levels.mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def check_scale(levels: torch.Tensor) -> None:
    """InputError for values that are not finite, or in another scale than 0 to 1."""
    low, high = (float(value) for value in torch.aminmax(levels.detach()))  # NaN when one value is NaN
    if not math.isfinite(low) or not math.isfinite(high):
        raise InputError("Check the node that made the images: they hold values that are NaN or infinite.")
    if high > LEVELS_RANGE[1]:
        raise InputError(f"Scale the picture to 0 to 1: its values reach {high:.6g}.")
    if low < LEVELS_RANGE[0]:
        raise InputError(f"Scale the picture to 0 to 1: its values go down to {low:.6g}.")


def write_levels(image: torch.Tensor, levels: np.ndarray, mask: np.ndarray) -> None:
    """Writes levels uint8 [H,W,3] into image float32 [H,W,C>=3] where mask bool [H,W,3] is set. Other values keep
    their exact bits."""
    colours, new = image[..., :3], image_from_uint8(levels).to(image)
    colours.copy_(torch.where(torch.from_numpy(mask).to(image.device), new, colours))


def is_image(value) -> bool:
    """Whether a value is an IMAGE of one or more colour images."""
    return isinstance(value, torch.Tensor) and value.ndim == 4 and value.shape[-1] >= 3 and 0 not in value.shape


def check_image(image, name: str) -> torch.Tensor:
    """The IMAGE itself. InputError, which names the input `name`, for anything else and for images that are too large
    for this pack."""
    return _checked_images(image, name, "a colour image", "an IMAGE of shape [1, height, width, 3]")


def check_clip(images, name: str) -> torch.Tensor:
    """The same for the frames of a clip."""
    images = _checked_images(images, name, "the frames of a clip", "an IMAGE of shape [frames, height, width, 3]")
    if len(images) > MAX_FRAMES:
        raise InputError(f"Shorten the clip: {name} has {len(images)} frames, and the limit is {MAX_FRAMES}.")
    return images


def _checked_images(value, name: str, wanted: str, expected: str) -> torch.Tensor:
    with readable(name, value):
        images = check_tensor(name, value, wanted)
    if not is_image(images):
        raise InputError(f"Connect {wanted} to {name}: {expected} is expected, {list(images.shape)} was given.")
    height, width = images.shape[1:3]
    if max(height, width) > MAX_SIDE_PX or height * width > MAX_PIXELS:
        raise InputError(
            f"Make the images smaller, for example 4000 pixels wide: {name} has {width} x {height} pixels, and the "
            f"limit is {MAX_PIXELS / 1e6:.0f} million and {MAX_SIDE_PX} a side."
        )
    return images


def first_picture(image: torch.Tensor) -> tuple[np.ndarray, list[str]]:
    """(the first image of an IMAGE as uint8 [H,W,3], notes for the user)."""
    image = check_image(image, "image")
    notes = [f"{len(image)} images were given: the first was used."] if len(image) > 1 else []
    return uint8_from_image(image[:1])[0], notes


def mask_from_alpha(alpha: np.ndarray | None, height: int, width: int) -> torch.Tensor:
    """Opacity uint8 [H,W], or None for opaque -> MASK float32 [1,H,W], 1 where the picture is transparent."""
    if alpha is None:
        return torch.zeros(1, height, width)
    return 1 - image_from_uint8(alpha[None])


def mask_from_image(image: torch.Tensor) -> torch.Tensor:
    """IMAGE [B,H,W,C] -> MASK float32 [B,H,W]: 1 where a fourth channel is transparent, else 0."""
    if image.shape[-1] < 4:
        return torch.zeros(image.shape[:3])
    return 1 - image[..., 3].to("cpu", torch.float32).clamp(0, 1)


def check_mask(mask, name: str) -> torch.Tensor:
    """The MASK itself. InputError, which names the input `name`, for anything else and for a batch of no masks."""
    mask = check_tensor(name, mask, "a mask")
    if mask.ndim not in MASK_DIMENSIONS or 0 in mask.shape:
        raise InputError(
            f"Connect a mask to {name}, or nothing: a MASK of shape [1, height, width] is expected, "
            f"{list(mask.shape)} was given."
        )
    return mask


def alpha_from_mask(mask: torch.Tensor) -> np.ndarray | None:
    """MASK [1,H,W] of mask_from_image -> opacity uint8 [H,W], or None when all of it is opaque."""
    return 255 - uint8_from_image(mask[0, ..., None].expand(-1, -1, 3))[..., 0] if bool(mask.any()) else None


def array_from_mask(mask: torch.Tensor | None, height: int, width: int) -> np.ndarray | None:
    """MASK [B,H,W] or [H,W] -> float32 [H,W] of the picture's size; None when none is connected. Of several masks the
    first is used."""
    if mask is None:
        return None
    mask = check_mask(mask, "face_mask")
    while mask.ndim > 2:
        mask = mask[0]
    if tuple(mask.shape) != (height, width):
        raise InputError(
            "Paint the mask on the same picture: "
            f"the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the picture {width}x{height}."
        )
    array = np.ascontiguousarray(_float32(mask).numpy())
    if not np.isfinite(array).all():
        raise InputError("Check the node that made the mask: it holds values that are NaN or infinite.")
    return array


def _float32(tensor: torch.Tensor) -> torch.Tensor:
    """In system memory, as NumPy takes it: without a gradient, and with the sign of a negated view applied."""
    return tensor.detach().to("cpu", torch.float32).resolve_neg()


def check_audio(audio, name: str) -> dict:
    """The two entries of an AUDIO, read once. InputError, which names the input `name`, for anything else. How long and
    how loud it may be is checked where it is read (media.audio)."""
    # VideoHelperSuite's AUDIO is a Mapping, not a dict: it reads its file on access.
    with readable(name, audio):
        if not isinstance(audio, Mapping):
            raise InputError(f"Connect a recording of speech to {name}: {described(audio)}.")
        waveform, rate = _entry(audio, "waveform", name), _entry(audio, "sample_rate", name)
    waveform = check_tensor(name, waveform, "a recording of speech")
    rate_hz = None if type(rate) is str else converted(float, rate)
    if rate_hz is None or not rate_hz >= 1:
        raise InputError(
            f"Connect a recording of speech to {name}: its sample_rate must be 1 Hz or more, {described(rate)}."
        )
    if waveform.numel() > MAX_VALUES:
        raise InputError(
            f"Cut the recording, or convert it to 48000 Hz stereo: the samples in {name} have the shape "
            f"{list(waveform.shape)}."
        )
    return {"waveform": waveform, "sample_rate": rate_hz}


def _entry(audio: Mapping, key: str, name: str):
    try:
        return audio[key] if key in audio else None
    except Exception as error:
        raise InputError(
            f"Check the node connected to {name}: its recording cannot be read ({shown(str(error))})."
        ) from None


def sound_from_audio(audio: Mapping) -> tuple[Sound, list[str]]:
    """(the first recording of an AUDIO as Sound, notes for the user)."""
    waveform, rate = check_audio(audio, "audio").values()
    notes = []
    if waveform.ndim == 3 and len(waveform) > 1:
        notes = [f"{len(waveform)} recordings were given: the first was used."]
        waveform = waveform[:1]
    return sound_from_array(_float32(waveform), int(min(rate, 2**31))), notes


def map_audio(audio: Mapping, transform: Callable[[np.ndarray], np.ndarray]) -> dict:
    """A copy of an AUDIO with `transform` applied to its samples, float32 [recordings * channels, samples]."""
    waveform = _float32(check_audio(audio, "audio")["waveform"])
    with readable("audio", audio):
        entries = dict(audio)
    rows = np.ascontiguousarray(waveform.reshape(-1, waveform.shape[-1]).numpy())
    return {**entries, "waveform": torch.from_numpy(transform(rows)).reshape(waveform.shape)}


def audio_from_sound(sound: Sound) -> dict:
    return {
        "waveform": torch.from_numpy(np.ascontiguousarray(sound.waveform, dtype=np.float32))[None],
        "sample_rate": int(sound.rate),
    }


def require_memory(frames: int, height: int, width: int, free_bytes: int) -> None:
    """ResourceError before the work starts when the frames of a clip do not fit: float32 takes 12 bytes a pixel."""
    needed = frames * height * width * 3 * 4
    if needed > free_bytes:
        raise ResourceError(
            "Shorten the recording or lower min_resolution, or set output of the Sonic Latent Decoder to 'video' and "
            f"connect that, which takes little memory: as images, {frames} frames of {width}x{height} need "
            f"{needed / 1e9:.1f} GB, {free_bytes / 1e9:.1f} GB is free."
        )


def image_from_chunks(chunks: Iterable[np.ndarray], frames: int, height: int, width: int) -> torch.Tensor:
    """Chunks uint8 [n,H,W,3] with `frames` frames in total -> IMAGE float32 [frames,H,W,3]. Only one chunk is held in
    memory beside the result."""
    image = torch.empty(frames, height, width, 3)
    done = 0
    for chunk in chunks:
        if done + len(chunk) <= frames:
            torch.div(torch.from_numpy(np.ascontiguousarray(chunk)), 255, out=image[done : done + len(chunk)])
        done += len(chunk)
    if done != frames:
        raise AssertionError(f"the engine returned {done} frames instead of {frames}")
    return image


def resample_indices(count: int, rate: float, target_rate: float) -> torch.Tensor:
    """Indices int64, ascending, that show `count` frames of `rate` per second at `target_rate` in the same duration:
    each output frame shows the input frame at its centre in time."""
    shown = max(1, round(count * target_rate / rate))
    return ((torch.arange(shown, dtype=torch.float64) + 0.5) * rate / target_rate).long().clamp_(max=count - 1)


def even_size(height: int, width: int) -> tuple[int, int]:
    """The size rounded down to even numbers: H.264 with 4:2:0 chroma stores no others, and Save Video fails on them."""
    return height - height % 2, width - width % 2


def uint8_chunks(image: torch.Tensor) -> Iterator[np.ndarray]:
    """An IMAGE as chunks uint8 [n<=CHUNK_FRAMES,H,W,3], of fewer frames where frames are large."""
    count = frames_at_once(image[0, ..., :3].numel())
    for start in range(0, len(image), count):
        yield uint8_from_image(image[start : start + count])


def frames_at_once(frame_bytes: int) -> int:
    """How many frames are handled between two looks at Cancel."""
    return max(1, min(CHUNK_FRAMES, CHUNK_BYTES // frame_bytes))


def with_progress(chunks: Iterable[np.ndarray], frames: int, progress) -> Iterable[np.ndarray]:
    """The same chunks; calls progress(done, frames, frame) before the first and after each. It may raise to stop."""
    done = 0
    progress(0, frames)
    for chunk in chunks:
        done += len(chunk)
        progress(done, frames, chunk[-1])
        yield chunk
