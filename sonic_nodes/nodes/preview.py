"""The preview under Sonic Latent Decoder: the beginning of a clip, with sound, as a small file in ComfyUI's temporary
folder."""

import math
import os
from contextlib import closing

import numpy as np
from PIL import Image

from .common import Progress, lazy_import
from .video import SonicVideo, temporary_path
from .video_file import sound_of

LENGTH_S = 5.0
SIDE_PX = 512  # of the longer side, at most


def preview_ui(video: SonicVideo, progress: Progress) -> dict:
    """The `ui` entry that web/figures.js plays. progress: told after each chunk of frames."""
    frames, path = video.frames, temporary_path()
    count = min(frames.count, math.ceil(LENGTH_S * frames.fps))
    factor = -(-max(frames.width, frames.height) // SIDE_PX)
    width, height = -(-frames.width // factor), -(-frames.height // factor)
    duration_s, sound = float(count / frames.fps), sound_of(video)
    if sound is not None and sound.duration_s > duration_s:
        sound = sound.trimmed(duration_s)
    writer = lazy_import("media.video_writer").VideoWriter(
        path, width, height, frames.fps, sound, metadata=video.tags, any_tag=True
    )
    done = 0
    with writer, closing(frames.chunks(lambda *_: progress.check())) as chunks:
        for chunk in chunks:
            writer.write(reduced(chunk[: count - done], factor))
            done += len(chunk)
            progress(min(done, count), count)
            if done >= count:
                break
    clip = {"filename": os.path.basename(path), "subfolder": "", "type": "temp"}
    shown = {"clip": clip, "width": width, "height": height, "duration_s": round(duration_s, 1)}
    return {"sonic_preview": (shown,)}


def reduced(frames: np.ndarray, factor: int) -> np.ndarray:
    """uint8 [n, H, W, 3] -> [n, ceil(H / factor), ceil(W / factor), 3]: the mean of factor x factor pixels."""
    if factor == 1:
        return frames
    return np.stack([np.asarray(Image.fromarray(frame).reduce(factor)) for frame in frames])
