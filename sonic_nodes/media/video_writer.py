"""Writing the finished video: H.264 and AAC in MP4, frame by frame, in constant memory, all or nothing.

Frames are converted, encoded and multiplexed in a worker thread, so that the caller renders the next ones meanwhile; a
short queue keeps memory bounded. The sound goes into the file as its frames do. The file is built beside its target
under another name and takes the target's name when it is complete; whatever goes wrong before removes it.
"""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from ..errors import InputError, OutputError
from ..extension.native import _sonic
from . import boxes
from .audio import Sound
from .files import in_words, reserve
from .provenance import xmp_box
from .tags import ANY_ENCODING
from .video_reader import MAX_SIDE_PX

if TYPE_CHECKING:
    from typing_extensions import Self

QUEUE_BYTES = 64 << 20
ENCODER_THREADS = 2
# ISO/IEC 14496-3, table 1.18
AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
AAC_BITS_PER_S = {1: 128_000, 2: 192_000, 6: 384_000}
AAC_FRAME = 1024

# ITU-T H.273: 1 is BT.709 for primaries, transfer and matrix, 0 the identity matrix (RGB); range 1 is limited, 2 full.
_BT709, _IDENTITY, _LIMITED, _FULL = 1, 0, 1, 2
# Chroma sits on the left luma sample in H.264, as in swscale's bilinear filter, which PyAV before 18 can only run in
# its rougher form (0.1 levels too dark on average).
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


_STANDARD = _Coding("libx264", "yuv420p", _BT709, _LIMITED, {"preset": "superfast", "crf": "20"})
_LOSSLESS = _Coding("libx264rgb", "rgb24", _IDENTITY, _FULL, {"preset": "ultrafast", "qp": "0"})


class VideoWriter:
    """Context manager that writes `path`: uint8 RGB frames at `fps`, and the sound from time 0.

    Frames of odd width or height are widened by repeating their last column or row, since H.264 in 4:2:0 has even
    sides; with `lossless` (exact RGB, for measuring; browsers do not play it) they stay as they are. Colours are
    BT.709, limited range. The target appears when the block ends without an exception. OutputError: the target cannot
    be written.

    With `time_base` (in seconds) every frame comes with its time, for videos of variable frame rate. With
    `copied_sound`, a stream of an open container, the sound comes as that stream's packets through `write_sound` and is
    copied as it is; with `fed_sound`, a rate of AAC_RATES_HZ and a number of channels of AAC_LAYOUTS, it comes as
    samples there.

    `colours`, primaries and transfer of ITU-T H.273, if the frames' are not BT.709's.
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
        copied_sound: av.AudioStream | None = None,
        fed_sound: tuple[int, int] | None = None,
        colours: tuple[int, int] | None = None,
    ):
        if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
            raise OutputError(
                f"Choose a smaller picture: videos have sides of 1 to {MAX_SIDE_PX} px, not {width} x {height}."
            )
        self.path = os.path.abspath(os.fspath(path))
        self.width, self.height = width, height
        self.fps = Fraction(fps).limit_denominator(1001)
        self.frames = 0
        self.time_base = time_base or 1 / self.fps
        self._sound, self._metadata = sound, dict(metadata or {})
        self._copied_sound, self._fed_sound, self._colours = copied_sound, fed_sound, colours or (_BT709, _BT709)
        self._coding = _LOSSLESS if lossless else _STANDARD
        self._queue: queue.Queue = queue.Queue(maxsize=max(2, min(16, QUEUE_BYTES // (width * height * 3))))
        self._error: BaseException | None = None
        self._cancelled = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        with in_words(self.path):
            self._temporary = reserve(self.path)
            try:
                self._encoder = _Encoder(self)
                self._thread = threading.Thread(target=self._work, name="sonic-video-writer", daemon=True)
                self._thread.start()
            except BaseException:
                self._discard()
                raise
        return self

    def write(self, frames: np.ndarray, time: int | None = None) -> None:
        """Takes uint8 [n, height, width, 3] or [height, width, 3]; the array may be reused when this returns.

        `time`, for a single frame: when it is shown, in units of `time_base`; each later than the one before. Else
        frames follow at `fps`.
        """
        frames = np.asarray(frames)
        frames = frames[None] if frames.ndim == 3 else frames
        if frames.dtype != np.uint8 or frames.shape[1:] != (self.height, self.width, 3):
            raise ValueError(
                f"frames must be uint8 [n, {self.height}, {self.width}, 3], not {frames.dtype} {list(frames.shape)}"
            )
        for frame in frames:
            self._raise_failure()
            with in_words(self.path):
                picture = self._encoder.picture(frame)
            picture.pts = self.frames if time is None else time
            self._queue.put(picture)
            self.frames += 1

    def write_sound(self, sound: av.Packet | np.ndarray) -> None:
        """Takes the next packet of `copied_sound`, or the next samples of `fed_sound`, float32 [channels, count]."""
        self._raise_failure()
        self._queue.put(sound)

    def __exit__(self, kind, error, traceback) -> None:
        self._cancelled = kind is not None
        try:
            self._stop()
            if kind is None:
                with in_words(self.path):
                    self._complete()
        finally:
            self._discard()

    def _work(self) -> None:
        """Runs in the worker. After a failure frames are still taken, so that nobody waits at a full queue."""
        while (picture := self._queue.get()) is not None:
            if self._error is None and not self._cancelled:
                try:
                    self._encoder.write(picture) if isinstance(picture, av.VideoFrame) else self._encoder.take_sound(
                        picture
                    )
                except BaseException as error:  # noqa: BLE001 (handed to the caller's thread, which raises it)
                    self._error = error

    def _stop(self) -> None:
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _complete(self) -> None:
        self._raise_failure()
        if self.frames == 0:
            raise OutputError(f"Render at least one frame: {self.path!r} would be an empty video.")
        self._encoder.close()
        _append(self._temporary, xmp_box(self._metadata))
        _check_complete(self._temporary, self.frames)
        os.replace(self._temporary, self.path)

    def _discard(self) -> None:
        """Ends the worker and removes what is unfinished; after success there is nothing left to do."""
        try:
            self._stop()
        finally:
            encoder, self._encoder = getattr(self, "_encoder", None), None
            if encoder is not None:
                encoder.abandon()
            if os.path.lexists(self._temporary):
                os.unlink(self._temporary)

    def _raise_failure(self) -> None:
        if self._error is not None:
            with in_words(self.path):
                raise self._error


def clock_origin(streams: list) -> Fraction:
    """Seconds to take off the times of an open container's streams. Broadcasts count from anywhere, and an MP4 with
    such times shows nothing until then; within a second of 0 they are kept as they are."""
    starts = [
        stream.start_time * stream.time_base for stream in streams if stream.start_time is not None and stream.time_base
    ]
    first = min(starts, default=Fraction(0))
    return first if first > 1 else Fraction(0)


def count_from(packet: av.Packet, origin_s: Fraction) -> None:
    """Takes `origin_s` off the packet's times."""
    early = round(origin_s / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - early
    packet.dts = None if packet.dts is None else packet.dts - early


def _append(path: str, content: bytes) -> None:
    with open(path, "ab") as file:
        file.write(content)


def _check_complete(path: str, frames: int) -> None:
    """The last bytes are written when the container closes, where an error is easily lost: a full disk shows here at
    the latest."""
    try:
        with open(path, "rb") as file:
            found = sum(kind == b"moov" for kind, _, _ in boxes.walk(file)) and _frame_count(path)
    except InputError:
        found = 0
    if found != frames:
        raise OutputError(f"Free disk space and run again: only {found} of {frames} frames of the video were stored.")


def _frame_count(path: str) -> int:
    with av.open("file:" + path, **ANY_ENCODING) as container:
        return container.streams.video[0].frames


class _Encoder:
    """The container with its two encoders. All calls but `picture` come from one thread at a time."""

    def __init__(self, writer: VideoWriter):
        coding = writer._coding
        self.even = 2 if coding.pixels == "yuv420p" else 1
        self.reformatter = VideoReformatter()
        self.coding, self.fps, self.time_base = coding, writer.fps, writer.time_base
        self.container = av.open(
            "file:" + writer._temporary, "w", format="mp4", options={"movflags": "+faststart"}, **ANY_ENCODING
        )
        self.container.metadata.update(writer._metadata)
        width, height = (-(-side // self.even) * self.even for side in (writer.width, writer.height))
        self.video = self._video_stream(width, height, writer._colours)
        sound = writer._sound
        if writer._fed_sound is not None:
            rate, channels = writer._fed_sound
            sound = Sound(np.zeros((channels, 0), np.float32), rate)
        self.sound = _SoundTrack(self.container, sound) if sound is not None else None
        self.copied = (
            self.container.add_stream_from_template(writer._copied_sound) if writer._copied_sound is not None else None
        )

    def _video_stream(self, width: int, height: int, colours: tuple[int, int]):
        stream = self.container.add_stream(self.coding.codec, rate=self.fps, options=dict(self.coding.options))
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, self.coding.pixels
        context.time_base = self.time_base
        context.thread_count = ENCODER_THREADS
        context.color_primaries, context.color_trc = colours
        context.colorspace, context.color_range = self.coding.matrix, self.coding.range
        return stream

    def picture(self, frame: np.ndarray) -> av.VideoFrame:
        """Copies the frame, with even sides where the pixel format wants them."""
        height, width = frame.shape[:2]
        if height % self.even or width % self.even:
            frame = np.pad(frame, ((0, height % self.even), (0, width % self.even), (0, 0)), mode="edge")
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")

    def write(self, picture: av.VideoFrame) -> None:
        time = picture.pts
        if self.coding.pixels != "rgb24":
            picture = self.reformatter.reformat(picture, format=self.coding.pixels, **_CONVERSION)
        picture.pts, picture.time_base = time, self.time_base
        self.container.mux(self.video.encode(picture))
        if self.sound is not None:
            self.sound.write_until(time * self.time_base + 1 / self.fps)

    def take_sound(self, sound: av.Packet | np.ndarray) -> None:
        if isinstance(sound, np.ndarray):
            self.sound.take(sound)
            return
        sound.stream = self.copied
        self.container.mux(sound)

    def close(self) -> None:
        self.container.mux(self.video.encode(None))
        if self.sound is not None:
            self.sound.close()
        container, self.container = self.container, None
        container.close()

    def abandon(self) -> None:
        """Closes what failed or was cancelled; its own errors say nothing new."""
        container, self.container = self.container, None
        if container is not None:
            try:
                container.close()
            except (OSError, ValueError, av.error.FFmpegError):
                pass


class _SoundTrack:
    """AAC, fed in pieces as the pictures need it. Rates and channel counts that AAC lacks become 48000 Hz and mono."""

    def __init__(self, container, sound: Sound):
        self.container = container
        self.samples = sound.waveform if sound.waveform.shape[0] in AAC_LAYOUTS else sound.mono()[None]
        self.rate, self.at, self.gone = sound.rate, 0, 0  # at: into `samples`; gone: samples before those
        if self.rate not in AAC_RATES_HZ:
            rate_in, self.rate = self.rate, 48000
            self.samples = np.stack(
                [_sonic.resample(np.ascontiguousarray(c), rate_in, self.rate) for c in self.samples]
            )
        channels = self.samples.shape[0]
        self.layout = AAC_LAYOUTS[channels]
        self.stream = container.add_stream("aac", rate=self.rate)
        self.stream.codec_context.layout = self.layout
        self.stream.codec_context.bit_rate = AAC_BITS_PER_S[channels]
        self.stream.codec_context.time_base = Fraction(1, self.rate)

    def write_until(self, seconds: Fraction) -> None:
        end = min(int(seconds * self.rate) + AAC_FRAME, self.samples.shape[1])
        while self.at + AAC_FRAME <= end:
            self._write(self.at + AAC_FRAME)

    def take(self, samples: np.ndarray) -> None:
        """More samples; those that are encoded are let go."""
        self.samples = np.concatenate([self.samples[:, self.at :], samples], axis=1)
        self.gone, self.at = self.gone + self.at, 0
        while self.at + AAC_FRAME <= self.samples.shape[1]:
            self._write(self.at + AAC_FRAME)

    def _write(self, end: int) -> None:
        piece = np.clip(self.samples[:, self.at : end], -1.0, 1.0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout=self.layout)
        frame.sample_rate, frame.time_base, frame.pts = self.rate, Fraction(1, self.rate), self.gone + self.at
        self.at = end
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        while self.at < self.samples.shape[1]:
            self._write(min(self.at + AAC_FRAME, self.samples.shape[1]))
        self.container.mux(self.stream.encode(None))
