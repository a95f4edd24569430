"""Smooths a video file. Frames keep their times; the sound is copied where MP4 can hold its codec."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..media.files import regular_file
from ..media.provenance import packet_of
from ..media.tags import copyable_tags
from ..media.tracks import CarriedTracks, fits_mp4, played_audio
from ..media.video_reader import Orientation, Orientations, clock_origin_s, decode, open_video, to_rgb, video_stream
from ..media.video_writer import VideoWriter
from ..provenance.signed_copy import copied, ending_note, finisher
from ..provenance.signing import Signer
from .frames import Smoother
from .sound import PcmDecoder

MIN_FPS = 8  # at lower rates shake cannot be separated from movement
MIN_SLANT_DEGREES = 1.0  # below that a display matrix is a right angle with rounding errors
_UNSPECIFIED = 2  # ITU-T H.273


class _Unchanged(Exception):
    """Stops writing a video in which nothing was corrected."""


def smooth_file(
    path: str,
    output: str,
    strength: float = 0.5,
    protect_mouth: bool = True,
    lossless: bool = False,
    signer: Signer | None = None,
) -> dict:
    """Writes `output`. Returns {"output", "changed", "reason", "frames", ...}.

    An MP4 in which nothing is corrected is copied byte for byte, unless `lossless` asks for its exact pixels. signer:
    signs what is written, except such a copy of a file that is signed.
    """
    name = repr(os.path.basename(path) or path)
    with regular_file(path, name) as file:
        ending = ending_note(file, name, signer)
        file.seek(0)
        try:
            with _SourceVideo(file, name) as source:
                too_slow = source.fps < MIN_FPS
                smoother = Smoother(0.0 if too_slow else strength, protect_mouth)
                fps = float(source.fps)
                _transfer(source, smoother, output, lossless, finisher(signer, output, parent=path))
                note = source.note + source.angle_note() + ending
        except _Unchanged:
            note = copied(file, path, output, signer)
    report = smoother.report()
    changed = any(report[kind] for kind in ("shaken", "flickering", "noisy"))
    reason = smoother.summary()
    if too_slow:
        reason = (
            f"Nothing was changed: {fps:.3g} frames per second are too few to separate shake from movement, "
            f"{MIN_FPS} are needed."
        )
    return {"output": os.path.abspath(output), "changed": changed, "reason": reason + note, **report}


def _transfer(source: _SourceVideo, smoother: Smoother, output: str, lossless: bool, finish: Callable) -> None:
    first = source.first()
    height, width = first.shape[:2]
    decoder = None
    if source.audio is not None and not source.copies_audio:
        decoder = PcmDecoder(source.audio, source.origin_s, source.name)
    source.note += decoder.note if decoder else ""
    with (
        VideoWriter(
            output,
            width,
            height,
            source.fps,
            None,
            lossless,
            copyable_tags(source.container),
            time_base=source.time_base,
            pcm_format=decoder and (decoder.rate, decoder.channels, decoder.layout),
            colours=source.colours(),
            pixel_aspect=source.pixel_aspect(),
            carried=source.carried,
            packet=source.packet,
            finish=finish,
        ) as writer,
        tqdm(desc="smoothing", total=source.video.frames or None, file=sys.stderr, disable=None, leave=False) as bar,
    ):
        times: list[int] = []

        def write_packet(packet: av.Packet) -> None:
            if decoder is None or packet.stream.index != source.audio.index:
                writer.write_packet(packet)
            else:
                for samples in decoder.decode(packet):
                    writer.write_packet(samples)

        for frame in smoother.run(source.frames(first, times, write_packet)):
            writer.write(frame, times.pop(0))
            bar.update()
        found = smoother.report()
        if not lossless and source.is_mp4 and not (found["shaken"] or found["flickering"] or found["noisy"]):
            raise _Unchanged


class _SourceVideo:
    """Upright RGB frames with their times, and the packets of other tracks between them."""

    def __init__(self, file, name: str):
        self.name, self.packet = name, packet_of(file)
        file.seek(0)
        self.container = open_video(file, name)
        try:
            self.video = video_stream(self.container, name)
        except InputError:
            self.container.close()
            raise
        self.video.thread_type = "AUTO"
        audio = played_audio(self.container)
        self.audio = audio if audio is not None and audio.codec_context is not None else None
        self.copies_audio = self.audio is not None and fits_mp4(self.audio)
        self.fps = Fraction(self.video.average_rate or self.video.guessed_rate or 25)
        self.time_base = Fraction(self.video.time_base)
        self.is_mp4 = self.container.format.name.startswith("mov,")
        self.origin_s = clock_origin_s([self.video, *([] if self.audio is None else [self.audio])])
        self.carried = CarriedTracks(self.container, self.video, self.audio, self.origin_s, self.copies_audio)
        self.note = self.carried.lost("output")
        self._orientations, self._orientation = Orientations(), Orientation()  # of the first frame
        others = [self.audio] if self.audio is not None and not self.copies_audio else []
        # shared by `first` and `frames`: a packet may hold more frames than the one asked for
        self._items = decode(self.container, self.video, [*others, *self.carried.streams], name)
        self._held: list = []
        self._last: int | None = None

    def __enter__(self) -> _SourceVideo:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.container.close()

    def angle_note(self) -> str:
        if self._orientation.off_degrees < MIN_SLANT_DEGREES:
            return ""
        return (
            f" The file asks for a slant of {self._orientation.off_degrees:.0f} degrees, which the output does not "
            "have: it is turned by the nearest right angle."
        )

    def colours(self) -> tuple[int, int] | None:
        """Primaries and transfer of ITU-T H.273, where the video declares both."""
        found = self.video.codec_context.color_primaries, self.video.codec_context.color_trc
        return None if _UNSPECIFIED in found or 0 in found else found

    def pixel_aspect(self) -> Fraction | None:
        """Width by height of a pixel of the upright frames; None where it is 1 or not declared. Call after `first`."""
        aspect = self.video.sample_aspect_ratio or self.video.codec_context.sample_aspect_ratio
        if not aspect or aspect <= 0 or aspect == 1:
            return None
        return 1 / Fraction(aspect) if self._orientation.swapped else Fraction(aspect)

    def first(self) -> np.ndarray:
        """The first frame; packets before it are held."""
        for item in self._items:
            self._held.append(item)
            if not isinstance(item, av.Packet):
                self._orientation = self._orientations.of(item)
                return self._rgb(item)
        raise AssertionError("`decode` yields a frame or raises")

    def frames(
        self, first: np.ndarray, times: list[int], write_packet: Callable[[av.Packet], None]
    ) -> Iterator[np.ndarray]:
        """Every frame, its time appended to `times`; packets of other tracks go to `write_packet`."""
        held, self._held = self._held, []
        for item in itertools.chain(held, self._items):
            if isinstance(item, av.Packet):
                write_packet(item)
                continue
            times.append(self._time(item))
            yield self._rgb(item) if first is None else first
            first = None

    def _time(self, frame) -> int:
        """In units of the stream's time base, strictly increasing."""
        step = max(1, round(1 / self.fps / self.time_base))
        origin = round(self.origin_s / self.time_base)
        at = frame.pts - origin if frame.pts is not None else 0 if self._last is None else self._last + step
        if self._last is not None and at <= self._last:
            at = self._last + 1
        self._last = at
        return at

    def _rgb(self, frame) -> np.ndarray:
        # undeclared colours mean BT.709 from 720 lines on, as in players
        matrix = {"src_colorspace": "ITU709"} if frame.colorspace == _UNSPECIFIED and frame.height >= 720 else {}
        context = self.video.codec_context
        shown = self._orientations.of(frame)
        return to_rgb(frame, self.name, shown, width=context.width, height=context.height, **matrix)
