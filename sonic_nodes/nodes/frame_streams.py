"""Clips whose frames are made when they are asked for, chunk by chunk, so that memory does not grow with a clip: the
inside of a VIDEO of this pack (video.py). Imports torch and NumPy, not ComfyUI."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction

import numpy as np
import torch

from ..errors import InputError
from .lazy import lazy_import

Report = Callable[..., None]  # report(done, total, preview or None): called while a chunk is made; may raise to end it
CACHE_BYTES = 1 << 30
SIGNATURE_ENDS = "The signature of the video (C2PA) ends here: sign the file with `sonic sign`, as the last step."


class FrameStream(ABC):
    """`count` frames of `height` x `width` pixels, `fps` a second."""

    def __init__(self, count: int, height: int, width: int, fps: Fraction):
        self.count, self.height, self.width, self.fps = count, height, width, fps

    @abstractmethod
    def chunks(self, report: Report) -> Iterator[np.ndarray]:
        """Makes the frames from the first on, each time it is called: uint8 [n, height, width, 3]."""

    def notes(self) -> list[str]:
        """Sentences for the user about the frames, after the last was made."""
        return []

    @property
    def frame_bytes(self) -> int:
        return self.height * self.width * 3

    @property
    def duration_s(self) -> float:
        return float(self.count / self.fps)


class ImageFrames(FrameStream):
    """The frames of an IMAGE."""

    def __init__(self, images: torch.Tensor, fps: float | Fraction):
        super().__init__(*images.shape[:3], Fraction(fps).limit_denominator(1001))
        self.images = images

    def chunks(self, report):
        return lazy_import("nodes.comfy_types").uint8_chunks(self.images)


class DecodedFrames(FrameStream):
    """The frames of a LATENT, cut to even sides. model, data: as the engine takes them."""

    def __init__(self, model, latent, data, interpolate: bool, fps: Fraction):
        count = data["frames"] if interpolate else -(-data["frames"] // 2)
        size = lazy_import("pipeline").drawn_size(data)
        super().__init__(count, *lazy_import("nodes.comfy_types").even_size(*size), fps)
        self.arguments, self.interpolate, self.model = (latent, data), interpolate, model

    def chunks(self, report):
        with closing(self.model.decode(*self.arguments, report, self.interpolate)) as chunks:
            for chunk in chunks:
                yield chunk[:, : self.height, : self.width]


class KeptFrames(FrameStream):
    """Those of another stream, made once: for frames that take long. They stay in memory, a quarter of what an IMAGE
    takes."""

    def __init__(self, source: FrameStream):
        super().__init__(source.count, source.height, source.width, source.fps)
        self.source, self.kept = source, None

    @classmethod
    def fit(cls, source: FrameStream, free_bytes: int) -> bool:
        return source.count * source.frame_bytes <= min(CACHE_BYTES, free_bytes // 4)

    def chunks(self, report):
        if self.kept is not None:
            yield from self.kept
            return
        made = []
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                made.append(chunk)
                yield chunk
        self.kept = made

    def notes(self):
        return self.source.notes()


class SmoothedFrames(FrameStream):
    """Without flicker, shake and noise. Raises InputError for frames that cannot be smoothed."""

    def __init__(self, source: FrameStream, strength: float, protect_mouth: bool):
        super().__init__(source.count, source.height, source.width, source.fps)
        self.source, self.settings, self.summary = source, (strength, protect_mouth), ""
        self.smoother().prepare((self.height, self.width, 3))

    def smoother(self):
        return lazy_import("smooth.frames").Smoother(*self.settings)

    def chunks(self, report):
        smoother = self.smoother()
        with closing(self.source.chunks(report)) as chunks:
            for frame in smoother.run(frame for chunk in chunks for frame in chunk):
                yield frame[None]
        self.summary = smoother.summary()

    def notes(self):
        return [*self.source.notes(), *([self.summary] if self.summary else [])]


class FileFrames(FrameStream):
    """The frames of a video file at its mean rate: those of files with a variable rate are repeated or dropped, so that
    each is shown in its time."""

    def __init__(self, clip):
        """clip: media.clip_file.ClipFile"""
        super().__init__(clip.count, clip.height, clip.width, clip.fps)
        self.clip = clip

    def chunks(self, report):
        timed, shown, done = lazy_import("media.video_reader").timed_frames(self.clip.path), None, 0
        with closing(timed):
            for time_s, frame in timed:
                if frame.shape != (self.height, self.width, 3):
                    raise InputError("Convert the video to frames of one size: its frames change their size.")
                while shown is not None and done < self.count and self.time_of(done) < time_s:
                    yield shown[None]
                    done += 1
                shown = frame
        for _ in range(done, self.count):
            yield shown[None]

    def notes(self):
        return [SIGNATURE_ENDS] if self.clip.is_signed else []

    def time_of(self, index: int) -> float:
        """The middle of a frame's time, on the file's clock."""
        return self.clip.first_s + float((index + Fraction(1, 2)) / self.fps)


class HeldFrames(FrameStream):
    """Those of another stream at a rate and in a number of this one's own: each is shown in its time, the last one to
    the end."""

    def __init__(self, source: FrameStream, count: int, fps: Fraction):
        super().__init__(count, source.height, source.width, fps)
        self.source = source

    def index_of(self, index: int) -> int:
        """The source's frame in the middle of the time of a frame."""
        return min(self.source.count - 1, int((index + Fraction(1, 2)) / self.fps * self.source.fps))

    def chunks(self, report):
        step = lazy_import("nodes.comfy_types").frames_at_once(self.frame_bytes)
        first = done = 0
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                while done < self.count and self.index_of(done) < first + len(chunk):
                    end = min(done + step, self.count)
                    order = [self.index_of(i) - first for i in range(done, end)]
                    order = [i for i in order if i < len(chunk)]
                    done += len(order)
                    yield chunk[order]
                first += len(chunk)

    def notes(self):
        return self.source.notes()


class BackgroundFrames(FrameStream):
    """Before another background. backdrop: matting.backdrop.Backdrop, not a transparent one. Raises InputError for
    frames that are too large."""

    def __init__(self, source: FrameStream, backdrop):
        super().__init__(source.count, source.height, source.width, source.fps)
        self.source, self.backdrop = source, backdrop
        self.presenter()

    def presenter(self):
        return lazy_import("matting.presenter").Presenter(self.backdrop, self.height, self.width)

    def chunks(self, report):
        presenter = self.presenter()
        with closing(self.source.chunks(report)) as chunks:
            for chunk in chunks:
                for frame in chunk:
                    report(0, self.count)
                    yield presenter.frame(frame)[None]
        presenter.finish()

    def notes(self):
        return self.source.notes()
