"""The sound moved so that it fits the mouth: in memory, and in a copy of the file whose pictures are the original's,
packet by packet."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from ..errors import OutputError, UsageError
from ..extension.native import _sonic
from ..media.audio import Sound
from ..media.files import copy_video, in_words, is_same_file, regular_file, replaced_video, reserve
from ..media.provenance import xmp_box
from ..media.tags import ANY_ENCODING, tags_of
from ..media.video_reader import open_video, picture_stream
from ..media.video_writer import AAC_BITS_PER_S, AAC_FRAME, AAC_LAYOUTS, AAC_RATES_HZ, clock_origin, count_from
from .estimate import MAX_OFFSET_MS, Estimate

FADE_S = 0.005
# ITU-R BT.1359-1, figure 2: earlier sound is noticed from 45 ms on, later sound from 125 ms
EARLY_MS, LATE_MS = -45.0, 100.0
TARGET_MS = 10.0  # what public clips that nobody shifted scatter about: within 60 ms of most of them
# what such recordings may have by themselves, and by how much they may be moved for it
OWN_MS, MOST_OF_OWN_MS = (-90.0, 120.0), 80.0


def check_max_offset(max_offset_ms: float) -> float:
    if not 0 <= max_offset_ms <= MAX_OFFSET_MS:
        raise UsageError(f"Choose the largest offset to mend from 0 to {MAX_OFFSET_MS} ms: it is {max_offset_ms:g}.")
    return float(max_offset_ms)


def decide(found: Estimate, max_offset_ms: float) -> tuple[float, str]:
    """(ms by which the sound is to be moved later, 0 when it stays; what to say)."""
    if not found.is_sure:
        return 0.0, found.reason
    if EARLY_MS <= found.offset_ms <= LATE_MS:
        return (
            0.0,
            f"{found.reason} It stays: {-EARLY_MS:.0f} ms before to {LATE_MS:.0f} ms after the mouth are not noticed.",
        )
    later_ms = TARGET_MS - found.offset_ms
    if OWN_MS[0] <= found.offset_ms <= OWN_MS[1]:
        later_ms = min(max(later_ms, -MOST_OF_OWN_MS), MOST_OF_OWN_MS)
    if abs(later_ms) > max_offset_ms:
        return 0.0, (
            f"{found.reason} It stays: mending that takes a move of {abs(later_ms):.0f} ms, more than the {max_offset_ms:.0f} ms "
            "allowed (max_offset_ms)."
        )
    return later_ms, f"{found.reason} It was moved by {abs(later_ms):.0f} ms, to the mouth."


def moved(sound: Sound, later_ms: float) -> Sound:
    """The sound `later_ms` later (below 0: earlier), to the nearest sample; of the same length, silent where there is
    none."""
    return replace(sound, waveform=moved_rows(sound.waveform, sound.rate, later_ms))


def moved_rows(waveform: np.ndarray, rate: int, later_ms: float) -> np.ndarray:
    """The same for samples float32 [rows, samples]."""
    later = round(later_ms * rate / 1000)
    return _sonic.sync_move(np.ascontiguousarray(waveform), later, round(FADE_S * rate)) if later else waveform


def check_target(source: str, target: str) -> None:
    """OutputError when `target` cannot be written, so that it is told before the clip is measured."""
    path = os.path.abspath(target)
    if is_same_file(path, source):
        raise OutputError("Choose another name for the mended video: the original is not written over.")
    with in_words(path):
        os.unlink(reserve(path))


def write_moved(source: str, target: str, sound: Sound, start_s: float) -> str:
    """A copy of the video `source` with `sound`, which begins at `start_s`; written whole or not at all. OutputError
    when it cannot be. Returns a sentence about what the copy does not have, or nothing."""
    name = repr(os.path.basename(source))
    with regular_file(source, name) as file, replaced_video(target) as temporary:
        with open_video(file, name) as old:
            _remux(old, temporary, sound, start_s, name)
            label, left_out = xmp_box(tags_of(old)), len(old.streams.audio) - 1
        with open(temporary, "ab") as end:
            end.write(label)
    return f" Tracks of sound that the copy does not have: {left_out}." if left_out else ""


def write_copy(source: str, target: str) -> None:
    """The file as it is, for those who go on with what `--fix` names."""
    with regular_file(source, repr(os.path.basename(source))) as file:
        copy_video(file, target)


def _remux(old, temporary: str, sound: Sound, start_s: float, name: str) -> None:
    pictures, options = picture_stream(old, name), {"movflags": "+faststart"}
    early_s = clock_origin([pictures, *old.streams.audio[:1]])
    with closing(av.open("file:" + temporary, "w", format="mp4", options=options, **ANY_ENCODING)) as new:
        new.metadata.update(tags_of(old))
        try:
            stream = new.add_stream_from_template(pictures)
        except ValueError as error:
            raise OutputError(
                f"Convert {name} to H.264 first: its pictures cannot go into an MP4 as they are ({error})."
            ) from None
        track = _Track(new, sound, max(0.0, start_s - float(early_s)))
        for packet in old.demux(pictures):
            if not packet.size:
                continue
            # Matroska gives the first pictures no decoding time; the muxer finds it
            count_from(packet, early_s)
            at = packet.pts if packet.dts is None else packet.dts
            if at is not None:
                track.write_until(float(at * packet.time_base) + 0.5)
            packet.stream = stream
            new.mux(packet)
        track.close()


class _Track:
    """AAC from 0 s on, silent until the sound begins: only there do MP4 files say how much of the encoder's own
    beginning is to be left out."""

    def __init__(self, container, sound: Sound, start_s: float):
        self.container = container
        if sound.waveform.shape[0] not in AAC_LAYOUTS:
            sound = replace(sound, waveform=sound.mono()[None])
        if sound.rate not in AAC_RATES_HZ:
            channels = [_sonic.resample(np.ascontiguousarray(channel), sound.rate, 48000) for channel in sound.waveform]
            sound = Sound(np.stack(channels), 48000)
        waiting = np.zeros((sound.waveform.shape[0], round(start_s * sound.rate)), np.float32)
        self.sound, self.at = replace(sound, waveform=np.concatenate([waiting, sound.waveform], axis=1)), 0
        channels = sound.waveform.shape[0]
        self.layout = AAC_LAYOUTS[channels]
        self.stream = container.add_stream("aac", rate=sound.rate)
        self.stream.codec_context.layout = self.layout
        self.stream.codec_context.bit_rate = 2 * AAC_BITS_PER_S[channels]
        self.stream.codec_context.time_base = Fraction(1, sound.rate)

    def write_until(self, seconds: float) -> None:
        while self.at + AAC_FRAME <= min(seconds * self.sound.rate, self.sound.samples):
            self._write(AAC_FRAME)

    def _write(self, count: int) -> None:
        piece = np.clip(self.sound.waveform[:, self.at : self.at + count], -1.0, 1.0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="fltp", layout=self.layout)
        frame.sample_rate, frame.time_base, frame.pts = self.sound.rate, Fraction(1, self.sound.rate), self.at
        self.at += count
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        while self.at < self.sound.samples:
            self._write(min(AAC_FRAME, self.sound.samples - self.at))
        self.container.mux(self.stream.encode(None))
