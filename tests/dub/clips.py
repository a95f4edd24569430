"""Clips with a face that speaks, made of the sample, and what a video file shows."""

from fractions import Fraction

import av
import numpy as np

from sonic_nodes.media.video_reader import timed_frames
from tests.lipsync import speaking

CLOCK_HZ = 1000


def write_clip(path, frames, times_s=None, fps=25, key_frames=12, rotation=None):
    """Frames uint8 [n, H, W, 3] as H.264 without loss in 4:4:4; times_s: when each is shown, else `fps`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "rgb24", {"qp": "0", "preset": "ultrafast", "g": str(key_frames)}
        stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            time_s = i / fps if times_s is None else times_s[i]
            frame.pts, frame.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_frames(path):
    return np.stack([frame for _, frame in timed_frames(path)])


def numbered(count, height=18, width=34):
    """Frame k has level 2 k + 10 everywhere, so that it is known again after encoding."""
    return np.stack([np.full((height, width, 3), 2 * k + 10, np.uint8) for k in range(count)])


def numbers_of(frames):
    return [round((float(frame.mean()) - 10) / 2) for frame in frames]


def speaking_frames(count=100):
    """The sample, 256 x 256, speaking: its mouth opens and closes."""
    return speaking.frames()[:count]
