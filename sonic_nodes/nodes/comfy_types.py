"""ComfyUI's values and ours: IMAGE float32 [B,H,W,3] in 0..1, MASK float32 [B,H,W], AUDIO {"waveform": [B,C,S],
"sample_rate"} on one side; uint8 pictures [H,W,3] or [n,H,W,3], float32 masks [H,W] and Sound on the other. Knows torch
and NumPy, not ComfyUI."""

import numbers
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch

from ..errors import InputError, ResourceError
from ..media.audio import Sound, sound_from_array

CHUNK_FRAMES = 16


def image_from_pictures(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [n,H,W,3] -> float32 [n,H,W,3] in 0..1; a value k becomes k / 255, which `pictures_from_image` takes back
    exactly."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(torch.float32).div_(255)


def pictures_from_image(image: torch.Tensor) -> np.ndarray:
    """float32 [n,H,W,C>=3] -> uint8 [n,H,W,3], rounded to the nearest level; values outside 0..1 are clipped."""
    levels = image[..., :3].to("cpu", torch.float32)
    if not bool(torch.isfinite(levels).all()):
        raise InputError(
            "Check the node that made the picture: it holds values that are not numbers (NaN or infinite)."
        )
    return levels.mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def put_levels(picture: torch.Tensor, levels: np.ndarray, where: np.ndarray) -> None:
    """Writes levels uint8 [H,W,3] over a picture float32 [H,W,C>=3] where the mask bool [H,W,3] says so; the rest stays
    to the bit."""
    colours, wanted = picture[..., :3], image_from_pictures(levels).to(picture)
    colours.copy_(torch.where(torch.from_numpy(where).to(picture.device), wanted, colours))


def check_image(image) -> None:
    """InputError for what is no IMAGE."""
    if not isinstance(image, torch.Tensor) or image.ndim != 4 or image.shape[-1] < 3 or 0 in image.shape:
        shape = list(image.shape) if isinstance(image, torch.Tensor) else type(image).__name__
        raise InputError(
            f"Connect one colour picture: an IMAGE of shape [1, height, width, 3] is expected, {shape} was given."
        )


def check_clip(images) -> None:
    """InputError for what is no IMAGE of one or more colour pictures."""
    if not isinstance(images, torch.Tensor) or images.ndim != 4 or images.shape[-1] < 3 or 0 in images.shape:
        shape = list(images.shape) if isinstance(images, torch.Tensor) else type(images).__name__
        raise InputError(
            f"Connect the frames of a clip: an IMAGE of shape [frames, height, width, 3] is expected, {shape} was given."
        )


def first_picture(image: torch.Tensor) -> tuple[np.ndarray, list[str]]:
    """The portrait of an IMAGE -> uint8 [H,W,3], and what has to be said about it."""
    check_image(image)
    notes = [f"{len(image)} pictures were given: the first was taken."] if len(image) > 1 else []
    return pictures_from_image(image[:1])[0], notes


def mask_from_alpha(alpha: np.ndarray | None, height: int, width: int) -> torch.Tensor:
    """Opacity uint8 [H,W] (or none: opaque) -> MASK float32 [1,H,W], 1 where the picture is transparent."""
    if alpha is None:
        return torch.zeros(1, height, width)
    return 1 - image_from_pictures(alpha[None])


def mask_from_image(image: torch.Tensor) -> torch.Tensor:
    """IMAGE [B,H,W,C] -> MASK float32 [B,H,W]: 1 where a fourth channel says transparent, else 0."""
    if image.shape[-1] < 4:
        return torch.zeros(image.shape[:3])
    return 1 - image[..., 3].to("cpu", torch.float32).clamp(0, 1)


def array_from_mask(mask: torch.Tensor | None, height: int, width: int) -> np.ndarray | None:
    """MASK [B,H,W] or [H,W] -> float32 [H,W] of the picture's size, or None when none is connected. The first mask
    counts."""
    if mask is None:
        return None
    mask = mask.to("cpu", torch.float32)
    while mask.ndim > 2:
        mask = mask[0]
    if tuple(mask.shape) != (height, width):
        raise InputError(
            f"Paint the mask on the same picture: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the picture {width}x{height}."
        )
    return np.ascontiguousarray(mask.numpy())


def sound_from_audio(audio: dict) -> tuple[Sound, list[str]]:
    """AUDIO -> Sound, and what has to be said about it. Of several recordings the first counts."""
    # VideoHelperSuite's is no dict: it reads its file when it is asked
    given = audio if isinstance(audio, Mapping) else {}
    waveform, rate = given.get("waveform"), given.get("sample_rate")
    if not isinstance(waveform, torch.Tensor):
        raise InputError(
            f"Connect a recording of speech: the audio given carries no waveform ({type(audio).__name__})."
        )
    if not isinstance(rate, numbers.Real) or not rate >= 1:
        raise InputError(
            f"Connect a recording of speech: the audio given has no sample_rate of 1 Hz or more, but {rate!r}."
        )
    notes = []
    if waveform.ndim == 3 and len(waveform) > 1:
        notes = [f"{len(waveform)} recordings were given: the first was taken."]
        waveform = waveform[:1]
    return sound_from_array(waveform, int(min(rate, 2**31))), notes


def audio_changed(audio: Mapping, change: Callable[[np.ndarray], np.ndarray]) -> dict:
    """An AUDIO like the one given, the samples of all its recordings and channels, float32 [rows, samples], put through
    `change`."""
    waveform = audio["waveform"].detach().to("cpu", torch.float32)
    rows = np.ascontiguousarray(waveform.reshape(-1, waveform.shape[-1]).numpy())
    return {**audio, "waveform": torch.from_numpy(change(rows)).reshape(waveform.shape)}


def audio_from_sound(sound: Sound) -> dict:
    return {
        "waveform": torch.from_numpy(np.ascontiguousarray(sound.waveform, dtype=np.float32))[None],
        "sample_rate": int(sound.rate),
    }


def require_memory(frames: int, height: int, width: int, free_bytes: int) -> None:
    """Says before the work starts that a clip does not fit: float32 pictures take 12 bytes a pixel."""
    needed = frames * height * width * 3 * 4
    if needed > free_bytes:
        raise ResourceError(
            f"Shorten the recording or lower min_resolution, or use `sonic render`, which writes the video as it goes: "
            f"{frames} pictures of {width}x{height} need {needed / 1e9:.1f} GB of memory, {free_bytes / 1e9:.1f} GB is free."
        )


def image_from_chunks(chunks: Iterable[np.ndarray], frames: int, height: int, width: int) -> torch.Tensor:
    """Chunks of uint8 [n,H,W,3], `frames` pictures in all -> IMAGE float32 [frames,H,W,3]. One chunk at a time is held
    beside it."""
    image = torch.empty(frames, height, width, 3)
    seen = 0
    for chunk in chunks:
        if seen + len(chunk) <= frames:
            torch.div(torch.from_numpy(np.ascontiguousarray(chunk)), 255, out=image[seen : seen + len(chunk)])
        seen += len(chunk)
    if seen != frames:
        raise AssertionError(f"the engine returned {seen} pictures instead of {frames}")
    return image


def resampled(count: int, rate: float, wanted: float) -> torch.Tensor:
    """Which of `count` pictures at `rate` a second to show, so that at `wanted` a second they last as long: int64, in
    order."""
    shown = max(1, round(count * wanted / rate))
    return ((torch.arange(shown, dtype=torch.float64) + 0.5) * rate / wanted).long().clamp_(max=count - 1)


def even_size(height: int, width: int) -> tuple[int, int]:
    """The size less an odd last row or column: H.264 with 4:2:0 colour stores even sizes only, and ComfyUI's Save Video
    fails on others."""
    return height - height % 2, width - width % 2


def chunks_of(image: torch.Tensor) -> Iterable[np.ndarray]:
    """An IMAGE as uint8 [n<=CHUNK_FRAMES,H,W,3] pieces."""
    for start in range(0, len(image), CHUNK_FRAMES):
        yield pictures_from_image(image[start : start + CHUNK_FRAMES])


def with_progress(chunks: Iterable[np.ndarray], frames: int, progress) -> Iterable[np.ndarray]:
    """The same chunks; progress(done, frames, picture) is told before the work and after each, and may raise to end
    it."""
    done = 0
    progress(0, frames)
    for chunk in chunks:
        done += len(chunk)
        progress(done, frames, chunk[-1])
        yield chunk
