"""Conversion between ComfyUI's values and this package's. Imports torch and NumPy, not ComfyUI.

IMAGE float32 [B,H,W,3], 0..1                           frames uint8 [n,H,W,3], one picture uint8 [H,W,3]
MASK float32 [B,H,W]                                    mask float32 [H,W]
AUDIO {"waveform": [B,channels,S], "sample_rate"}       media.audio.Sound
"""

import numbers
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch

from ..errors import InputError, ResourceError
from ..media.audio import Sound, sound_from_array

CHUNK_FRAMES = 16


def image_from_uint8(frames: np.ndarray) -> torch.Tensor:
    """uint8 [n,H,W,3] -> float32 [n,H,W,3]; a level k becomes k / 255. `uint8_from_image` is its exact inverse."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(torch.float32).div_(255)


def uint8_from_image(image: torch.Tensor) -> np.ndarray:
    """float32 [n,H,W,C>=3] -> uint8 [n,H,W,3], rounded to the nearest level; values outside 0..1 are clipped."""
    levels = image[..., :3].to("cpu", torch.float32)
    if not bool(torch.isfinite(levels).all()):
        raise InputError("Check the node that made the images: they hold values that are NaN or infinite.")
    return levels.mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def write_levels(image: torch.Tensor, levels: np.ndarray, mask: np.ndarray) -> None:
    """Writes levels uint8 [H,W,3] into image float32 [H,W,C>=3] where mask bool [H,W,3] is set. Other values keep
    their exact bits."""
    colours, new = image[..., :3], image_from_uint8(levels).to(image)
    colours.copy_(torch.where(torch.from_numpy(mask).to(image.device), new, colours))


def is_image(value) -> bool:
    """Whether a value is an IMAGE of one or more colour images."""
    return isinstance(value, torch.Tensor) and value.ndim == 4 and value.shape[-1] >= 3 and 0 not in value.shape


def shape_or_type(value):
    return list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__


def check_image(image) -> None:
    if not is_image(image):
        raise InputError(
            "Connect a colour image: an IMAGE of shape [1, height, width, 3] is expected, "
            f"{shape_or_type(image)} was given."
        )


def check_clip(images) -> None:
    if not is_image(images):
        raise InputError(
            "Connect the frames of a clip: an IMAGE of shape [frames, height, width, 3] is expected, "
            f"{shape_or_type(images)} was given."
        )


def first_picture(image: torch.Tensor) -> tuple[np.ndarray, list[str]]:
    """(the first image of an IMAGE as uint8 [H,W,3], notes for the user)."""
    check_image(image)
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


def array_from_mask(mask: torch.Tensor | None, height: int, width: int) -> np.ndarray | None:
    """MASK [B,H,W] or [H,W] -> float32 [H,W] of the picture's size; None when none is connected. Of several masks the
    first is used."""
    if mask is None:
        return None
    mask = mask.to("cpu", torch.float32)
    while mask.ndim > 2:
        mask = mask[0]
    if tuple(mask.shape) != (height, width):
        raise InputError(
            "Paint the mask on the same picture: "
            f"the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the picture {width}x{height}."
        )
    return np.ascontiguousarray(mask.numpy())


def sound_from_audio(audio: dict) -> tuple[Sound, list[str]]:
    """(the first recording of an AUDIO as Sound, notes for the user)."""
    # VideoHelperSuite's AUDIO is a Mapping, not a dict: it reads its file on access.
    mapping = audio if isinstance(audio, Mapping) else {}
    waveform, rate = mapping.get("waveform"), mapping.get("sample_rate")
    if not isinstance(waveform, torch.Tensor):
        raise InputError(f"Connect a recording of speech: the audio has no waveform ({type(audio).__name__}).")
    if not isinstance(rate, numbers.Real) or not rate >= 1:
        raise InputError(
            f"Connect a recording of speech: the audio's sample_rate must be 1 Hz or more, it is {rate!r}."
        )
    notes = []
    if waveform.ndim == 3 and len(waveform) > 1:
        notes = [f"{len(waveform)} recordings were given: the first was used."]
        waveform = waveform[:1]
    return sound_from_array(waveform, int(min(rate, 2**31))), notes


def map_audio(audio: Mapping, transform: Callable[[np.ndarray], np.ndarray]) -> dict:
    """A copy of an AUDIO with `transform` applied to its samples, float32 [recordings * channels, samples]."""
    waveform = audio["waveform"].detach().to("cpu", torch.float32)
    rows = np.ascontiguousarray(waveform.reshape(-1, waveform.shape[-1]).numpy())
    return {**audio, "waveform": torch.from_numpy(transform(rows)).reshape(waveform.shape)}


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
            "Shorten the recording or lower min_resolution, or use `sonic render`, which writes the video while it "
            f"renders: {frames} frames of {width}x{height} need {needed / 1e9:.1f} GB of memory, "
            f"{free_bytes / 1e9:.1f} GB is free."
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


def uint8_chunks(image: torch.Tensor) -> Iterable[np.ndarray]:
    """An IMAGE as chunks uint8 [n<=CHUNK_FRAMES,H,W,3]."""
    for start in range(0, len(image), CHUNK_FRAMES):
        yield uint8_from_image(image[start : start + CHUNK_FRAMES])


def with_progress(chunks: Iterable[np.ndarray], frames: int, progress) -> Iterable[np.ndarray]:
    """The same chunks; calls progress(done, frames, frame) before the first and after each. It may raise to stop."""
    done = 0
    progress(0, frames)
    for chunk in chunks:
        done += len(chunk)
        progress(done, frames, chunk[-1])
        yield chunk
