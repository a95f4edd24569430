"""The speaking crop in the whole portrait, frame by frame: in the still picture, or, for two speakers, in the frames of
another clip of it."""

import math
from contextlib import ExitStack, closing

import numpy as np

from ..errors import UsageError
from .frame_streams import FrameStream, HeldFrames
from .lazy import lazy_import

SHAPE_ERROR = 0.02  # of frames relative to their crop: upscalers round sides


class PastedFrames(FrameStream):
    """The frames of a crop in the whole portrait, cut to even sides. Raises UsageError for frames of another shape than
    the crop; their size may differ, for example after an upscaler."""

    def __init__(self, source: FrameStream, data: dict, feather: float):
        super().__init__(source.count, *whole_size(data), source.fps)
        self.source, self.data, self.feather = source, data, feather
        check_shape(source, *data["image"].shape[:2])

    def pasted(self, frames: np.ndarray) -> np.ndarray:
        whole = lazy_import("pipeline").paste_back(frames, self.data, self.feather)
        return whole[:, : self.height, : self.width]

    def chunks(self, report):
        step = lazy_import("nodes.comfy_types").frames_at_once(self.frame_bytes)
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                for start in range(0, len(chunk), step):
                    yield self.pasted(chunk[start : start + step])

    def notes(self):
        return self.source.notes()


class CutFrames(FrameStream):
    """The crop of frames that show the whole portrait, such as those of a wide crop."""

    def __init__(self, source: FrameStream, data: dict):
        check_shape(source, *whole_size(data))
        (height, width), (left, top, right, bottom) = whole_size(data), data["crop_xyxy"]
        across, down = source.width / width, source.height / height
        self.columns = slice(round(max(left, 0) * across), round(min(right, width) * across))
        self.rows = slice(round(max(top, 0) * down), round(min(bottom, height) * down))
        super().__init__(
            source.count, self.rows.stop - self.rows.start, self.columns.stop - self.columns.start, source.fps
        )
        self.source = source

    def chunks(self, report):
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                yield np.ascontiguousarray(chunk[:, self.rows, self.columns])

    def notes(self):
        return self.source.notes()


class LayeredFrames(FrameStream):
    """The frames of a crop in those of another clip of the same portrait. The shorter clip holds its last frame; the
    other's rate is brought to that of the crop. Raises UsageError for a clip of another size, or frames of another
    shape than the crop."""

    def __init__(self, source: FrameStream, below: FrameStream, data: dict, feather: float):
        height, width = whole_size(data)
        if (below.height, below.width) not in ((height, width), data["source"].shape[:2]):
            raise UsageError(
                "Connect frames of the same picture to onto, not resized: they are "
                f"{below.width}x{below.height}, and the picture of the data is {width}x{height}."
            )
        check_shape(source, *data["image"].shape[:2])
        count = max(source.count, math.ceil(below.count / below.fps * source.fps))
        super().__init__(count, height, width, source.fps)
        self.source, self.below = HeldFrames(source, count, source.fps), HeldFrames(below, count, source.fps)
        self.data, self.feather = data, feather

    def chunks(self, report):
        with ExitStack() as stack:
            upper, lower = (
                stack.enter_context(closing(single_frames(stream, report))) for stream in (self.source, self.below)
            )
            for frame, picture in zip(upper, lower, strict=True):
                below = picture[None, : self.height, : self.width]
                yield lazy_import("pipeline").paste_onto(frame[None], below, self.data, self.feather)

    def notes(self):
        return [*self.below.notes(), *self.source.notes()]


def single_frames(stream: FrameStream, report):
    with closing(stream.chunks(report)) as chunks:
        for chunk in chunks:
            yield from chunk


def whole_size(data: dict) -> tuple[int, int]:
    """(height, width) of the portrait, even."""
    return lazy_import("nodes.comfy_types").even_size(*data["source"].shape[:2])


def check_shape(frames: FrameStream, height: int, width: int) -> None:
    if abs(frames.width * height - frames.height * width) > SHAPE_ERROR * frames.width * height:
        raise UsageError(
            "Connect the frames that were made from this data: they have the shape of another crop, "
            f"{frames.width}x{frames.height} instead of {width}x{height}."
        )
