"""Writes videos: H.264 and AAC in MP4 (with transparency VP9 in WebM or ProRes 4444), frame by frame, in constant
memory, atomically.

A worker thread converts, encodes and multiplexes frames while the caller renders the next ones; a short queue bounds
memory. The file is written beside its target under a temporary name. It replaces the target when it is complete, and is
removed when anything fails before.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from ..errors import InputError, OutputError
from ..interrupts import deferred
from . import boxes
from .aac import AacTrack, OpusTrack
from .audio import Sound
from .channels import positions_of
from .files import create_temporary, output_errors, output_path
from .provenance import movflags_for, xmp_box
from .tags import ANY_ENCODING
from .tracks import CarriedTracks
from .video_reader import MAX_SIDE_PX

if TYPE_CHECKING:
    from typing_extensions import Self

QUEUE_BYTES = 64 << 20
ENCODER_THREADS = 2

# ITU-T H.273: 1 is BT.709 for primaries, transfer and matrix, 0 the identity matrix (RGB); range 1 is limited, 2 full.
_BT709, _IDENTITY, _LIMITED, _FULL = 1, 0, 1, 2
# H.264 sites chroma at the left luma sample, as swscale's bilinear filter does. PyAV before 18 lacks its accurate
# rounding (0.1 levels too dark on average).
_CONVERSION = {
    "dst_colorspace": "ITU709",
    "src_color_range": "JPEG",
    "dst_color_range": "MPEG",
    "interpolation": Interpolation.BILINEAR,
}
if hasattr(Interpolation, "ACCURATE_RND"):
    _CONVERSION |= {"interpolation": Interpolation.BILINEAR | Interpolation.ACCURATE_RND, "threads": 1}


@dataclass(frozen=True)
class _Coding:
    codec: str
    pixels: str
    matrix: int
    range: int
    options: dict[str, str]
    source: str = "rgb24"
    container: str = "mp4"


_STANDARD = _Coding("libx264", "yuv420p", _BT709, _LIMITED, {"preset": "superfast", "crf": "20"})
_LOSSLESS = _Coding("libx264rgb", "rgb24", _IDENTITY, _FULL, {"preset": "ultrafast", "qp": "0"})
# with transparency, by the suffix of the file
_VP9 = {"crf": "20", "auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
_ALPHA = {
    ".webm": _Coding("libvpx-vp9", "yuva420p", _BT709, _LIMITED, _VP9, "rgba", "webm"),
    ".mov": _Coding("prores_ks", "yuva444p10le", _BT709, _LIMITED, {"profile": "4444"}, "rgba", "mov"),
}
ALPHA_SUFFIXES = tuple(_ALPHA)


class VideoWriter:
    """Context manager that writes `path`: uint8 RGB frames at `fps`, and the sound from time 0.

    Odd widths and heights are padded by repeating the last column or row, since H.264 in 4:2:0 needs even sides; with
    `lossless` (exact RGB, for measurements; browsers do not play it) they stay odd. Colours are BT.709, limited range.
    The target appears when the block ends without an exception. OutputError: the target cannot be written.

    time_base: in seconds; every frame comes with its time, for variable frame rates.
    pcm_format: (rate, channels, layout) that AAC supports (aac.py), for samples passed to `write_packet`.
    colours: primaries and transfer of ITU-T H.273, where they are not those of BT.709.
    before_rename: called when the file is complete; what it raises keeps the target as it was.
    pixel_aspect: width of a pixel by its height, where it is not 1.
    carried: what comes from the source as it is; packets of its tracks are passed to `write_packet`.
    any_tag: stores tags of any name, such as ComfyUI's `workflow`, as QuickTime's metadata keys; else MP4 keeps only
        those of iTunes' list. Where `metadata` has AIGC, it is so in any case.
    packet: the XMP packet of the file that the frames come from; without it one is made of `metadata`.
    finish: called with the path of the complete file before it is renamed, to sign it; what it raises keeps the target
        as it was.
    crf: x264's quality, 0 to 51, where it is not the usual one.
    alpha: frames have a fourth channel, straight alpha. `path` ends in .webm (VP9 and Opus) or .mov (ProRes 4444 and
        AAC).
    """

    def __init__(
        self,
        path: str | os.PathLike,
        width: int,
        height: int,
        fps: float | Fraction = 25,
        sound: Sound | None = None,
        lossless: bool = False,
        metadata: dict[str, str] | None = None,
        time_base: Fraction | None = None,
        pcm_format: tuple[int, int, str] | None = None,
        colours: tuple[int, int] | None = None,
        before_rename: Callable[[], object] = lambda: None,
        pixel_aspect: Fraction | None = None,
        carried: CarriedTracks | None = None,
        any_tag: bool = False,
        crf: float | None = None,
        packet: bytes = b"",
        finish: Callable[[str], object] = lambda path: None,
        alpha: bool = False,
    ):
        if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
            raise OutputError(
                f"Choose a smaller picture: videos have sides of 1 to {MAX_SIDE_PX} px, not {width} x {height}."
            )
        self.path = output_path(path)
        self.width, self.height = width, height
        self.fps = Fraction(fps).limit_denominator(1001)
        self.frames = 0
        self.time_base = time_base or 1 / self.fps
        self._sound, self._metadata = sound, dict(metadata or {})
        self._pcm_format, self._colours = pcm_format, colours or (_BT709, _BT709)
        self._pixel_aspect, self._carried = pixel_aspect, carried
        self._coding = _LOSSLESS if lossless else _STANDARD
        if alpha:
            self._coding = _ALPHA[os.path.splitext(self.path)[1].lower()]
        self._channels = 4 if alpha else 3
        if crf is not None and not lossless:
            self._coding = replace(_STANDARD, options={**_STANDARD.options, "crf": f"{crf:g}"})
        self._movflags = movflags_for(self._metadata, any_tag or alpha)
        self._queue: queue.Queue = queue.Queue(maxsize=max(2, min(16, QUEUE_BYTES // (width * height * 4))))
        self._before_rename, self._packet, self._finish = before_rename, packet, finish
        self._error: BaseException | None = None
        self._cancelled = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        with output_errors(self.path):
            self._folder = create_temporary(self.path)
            self._temporary = self._folder.output
            try:
                self._encoder = _Encoder(self)
                self._thread = threading.Thread(target=self._work, name="sonic-video-writer", daemon=True)
                with deferred():
                    self._thread.start()
            except BaseException:
                self._discard()
                raise
        return self

    def write(self, frames: np.ndarray, time: int | None = None) -> None:
        """Takes uint8 [n, height, width, 3] or [height, width, 3] (`alpha`: 4); the array may be reused afterwards.

        time: of a single frame, in units of `time_base`, strictly increasing; otherwise frames follow at `fps`.
        """
        frames = np.asarray(frames)
        frames = frames[None] if frames.ndim == 3 else frames
        if frames.dtype != np.uint8 or frames.shape[1:] != (self.height, self.width, self._channels):
            raise ValueError(
                f"frames must be uint8 [n, {self.height}, {self.width}, {self._channels}], not {frames.dtype} "
                f"{list(frames.shape)}"
            )
        for frame in frames:
            self._raise_failure()
            with output_errors(self.path):
                video_frame = self._encoder.to_video_frame(frame)
            video_frame.pts = self.frames if time is None else time
            self._put(video_frame)
            self.frames += 1

    def write_packet(self, item: av.Packet | np.ndarray) -> None:
        """Takes the next packet of a carried track, or the next samples of `pcm_format`, float32 [channels, count]."""
        self._raise_failure()
        self._put(item)

    def _put(self, item: av.VideoFrame | av.Packet | np.ndarray | None) -> None:
        with deferred():  # an exception between a lock and its `with` would leave the queue locked for ever
            self._queue.put(item)

    def __exit__(self, kind, error, traceback) -> None:
        self._cancelled = kind is not None
        try:
            self._stop()
            if kind is None:
                with output_errors(self.path):
                    self._complete()
        finally:
            self._discard()

    def _work(self) -> None:
        """Runs in the worker thread. After a failure it keeps emptying the queue, so that the caller never blocks."""
        while (item := self._queue.get()) is not None:
            if self._error is None and not self._cancelled:
                try:
                    if isinstance(item, av.VideoFrame):
                        self._encoder.write(item)
                    else:
                        self._encoder.write_packet(item)
                except BaseException as error:  # noqa: BLE001 (raised in the caller's thread)
                    self._error = error

    def _stop(self) -> None:
        if self._thread is not None:
            with deferred():
                self._put(None)
                self._thread.join()
                self._thread = None

    def _complete(self) -> None:
        self._raise_failure()
        if self.frames == 0:
            raise OutputError(f"Render at least one frame: {self.path!r} would be an empty video.")
        self._encoder.close()
        if self._coding.container == "webm":
            _check_frames(self._temporary, self.frames)
        else:
            _append(self._temporary, xmp_box(self._metadata, self._packet))
            _check_complete(self._temporary, self.frames)
        self._finish(self._temporary)
        with deferred():
            self._before_rename()
            self._folder.publish(self.path)

    def _discard(self) -> None:
        """Stops the worker and removes an unfinished file."""
        try:
            self._stop()
        finally:
            encoder, self._encoder = getattr(self, "_encoder", None), None
            if encoder is not None:
                encoder.abandon()
            self._folder.remove()

    def _raise_failure(self) -> None:
        if self._error is not None:
            with output_errors(self.path):
                raise self._error


def _append(path: str, content: bytes) -> None:
    with open(path, "ab") as file:
        file.write(content)


def _check_complete(path: str, frames: int) -> None:
    """Closing the container writes the last bytes and may hide an error: a full disk is detected here at the latest."""
    try:
        with open(path, "rb") as file:
            found = sum(kind == b"moov" for kind, _, _ in boxes.walk(file)) and _frame_count(path)
    except InputError:
        found = 0
    _require_all(found, frames)


def _check_frames(path: str, frames: int) -> None:
    """The same for a container that does not store its number of frames: they are read."""
    try:
        with av.open("file:" + path, **ANY_ENCODING) as container:
            found = sum(packet.size > 0 for packet in container.demux(video=0))
    except av.error.FFmpegError:
        found = 0
    _require_all(found, frames)


def _require_all(found: int, frames: int) -> None:
    if found != frames:
        raise OutputError(f"Free disk space and run again: only {found} of {frames} frames of the video were stored.")


def _frame_count(path: str) -> int:
    with av.open("file:" + path, **ANY_ENCODING) as container:
        return container.streams.video[0].frames


class _Encoder:
    """The container with its two encoders. All methods except `to_video_frame` run in one thread at a time."""

    def __init__(self, writer: VideoWriter):
        coding = writer._coding
        self.even = 2 if coding.pixels in ("yuv420p", "yuva420p") else 1
        self.reformatter = VideoReformatter()
        self.coding, self.fps, self.time_base = coding, writer.fps, writer.time_base
        self.audio = None
        options = {} if coding.container == "webm" else {"movflags": writer._movflags}
        self.container = av.open(
            "file:" + writer._temporary, "w", format=coding.container, options=options, **ANY_ENCODING
        )
        try:
            self._add_streams(writer)
        except BaseException:
            self.abandon()  # Windows deletes no file that is open
            raise

    def _add_streams(self, writer: VideoWriter) -> None:
        self.container.metadata.update(writer._metadata)
        width, height = (-(-side // self.even) * self.even for side in (writer.width, writer.height))
        self.video = self._video_stream(width, height, writer._colours)
        if writer._pixel_aspect is not None:
            self.video.codec_context.sample_aspect_ratio = writer._pixel_aspect
        sound = writer._sound
        if writer._pcm_format is not None:
            rate, channels, layout = writer._pcm_format
            sound = Sound(np.zeros((channels, 0), np.float32), rate, positions=positions_of(layout))
        track = OpusTrack if self.coding.container == "webm" else AacTrack
        self.audio = track(self.container, sound) if sound is not None else None
        self.carried = writer._carried
        if self.carried is not None:
            self.carried.add_to(self.container, self.video, self.audio and self.audio.stream)

    def _video_stream(self, width: int, height: int, colours: tuple[int, int]):
        stream = self.container.add_stream(self.coding.codec, rate=self.fps, options=dict(self.coding.options))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, self.coding.pixels
        context.time_base = self.time_base
        context.thread_count = ENCODER_THREADS
        context.color_primaries, context.color_trc = colours
        context.colorspace, context.color_range = self.coding.matrix, self.coding.range
        return stream

    def to_video_frame(self, frame: np.ndarray) -> av.VideoFrame:
        """Copies the frame, padded to even sides where the pixel format needs them."""
        height, width = frame.shape[:2]
        if height % self.even or width % self.even:
            frame = np.pad(frame, ((0, height % self.even), (0, width % self.even), (0, 0)), mode="edge")
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=self.coding.source)

    def write(self, frame: av.VideoFrame) -> None:
        time = frame.pts
        if self.coding.pixels != "rgb24":
            frame = self.reformatter.reformat(frame, format=self.coding.pixels, **_CONVERSION)
        frame.pts, frame.time_base = time, self.time_base
        self.container.mux(self.video.encode(frame))
        if self.audio is not None:
            self.audio.write_until(time * self.time_base + 1 / self.fps)

    def write_packet(self, item: av.Packet | np.ndarray) -> None:
        if isinstance(item, np.ndarray):
            self.audio.append(item)
        else:
            self.carried.mux(self.container, item)

    def close(self) -> None:
        self.container.mux(self.video.encode(None))
        if self.audio is not None:
            self.audio.close()
        container, self.container = self.container, None
        container.close()

    def abandon(self) -> None:
        """Closes a failed or cancelled container, whose own errors add nothing."""
        container, self.container = self.container, None
        if container is not None:
            try:
                container.close()
            except (OSError, ValueError, av.error.FFmpegError):
                pass
