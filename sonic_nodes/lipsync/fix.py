"""Shifts the sound into sync with the mouth: in memory, and in a copy of the file with the same video packets."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace

import av
import numpy as np

from ..errors import OutputError, UsageError
from ..extension.native import _sonic
from ..media.aac import AacTrack
from ..media.audio import Sound
from ..media.channels import output_note
from ..media.files import atomic_video, check_video_path, is_same_file, regular_file
from ..media.provenance import movflags_for, packet_of, xmp_box
from ..media.tags import ANY_ENCODING, copyable_tags
from ..media.tracks import CarriedTracks, played_audio
from ..media.video_reader import clock_origin_s, open_video, shift_timestamps, video_stream
from ..provenance.signed_copy import copied, ending_note, finisher
from ..provenance.signing import Signer
from .estimate import MAX_OFFSET_MS, Estimate

FADE_S = 0.005
# ITU-R BT.1359-1, figure 2: early sound is noticed from 45 ms on, late sound from 125 ms
EARLY_MS, LATE_MS = -45.0, 100.0
TARGET_MS = 10.0  # the centre of public clips: within 60 ms of most of them (docs/lipsync.md)
# offsets that public clips have by themselves, and the largest shift for these
NATURAL_MS, MAX_NATURAL_SHIFT_MS = (-90.0, 120.0), 80.0
BIT_RATE_SCALE = 2  # the sound is encoded a second time


def check_max_offset(max_offset_ms: float) -> float:
    if not 0 <= max_offset_ms <= MAX_OFFSET_MS:
        raise UsageError(f"Choose the largest offset to correct from 0 to {MAX_OFFSET_MS} ms: it is {max_offset_ms:g}.")
    return float(max_offset_ms)


def decide(found: Estimate, max_offset_ms: float) -> tuple[float, str]:
    """(delay of the sound in ms, below 0 to advance it and 0 to keep it; a sentence for the user)."""
    if not found.is_confident:
        return 0.0, found.reason
    if EARLY_MS <= found.offset_ms <= LATE_MS:
        limits = f"from {-EARLY_MS:.0f} ms before to {LATE_MS:.0f} ms after the mouth"
        return 0.0, f"{found.reason} It stays: {limits} it is not noticed."
    delay_ms = TARGET_MS - found.offset_ms
    if NATURAL_MS[0] <= found.offset_ms <= NATURAL_MS[1]:
        delay_ms = min(max(delay_ms, -MAX_NATURAL_SHIFT_MS), MAX_NATURAL_SHIFT_MS)
    if abs(delay_ms) > max_offset_ms:
        return 0.0, (
            f"{found.reason} It stays: a shift of {abs(delay_ms):.0f} ms is more than the {max_offset_ms:.0f} ms "
            "allowed (max_offset_ms)."
        )
    return delay_ms, f"{found.reason} It was moved by {abs(delay_ms):.0f} ms, to the mouth."


def shifted(sound: Sound, delay_ms: float) -> Sound:
    """The sound delayed by `delay_ms` (below 0: advanced), to the nearest sample; same length, filled with silence."""
    return replace(sound, waveform=shift_samples(sound.waveform, sound.rate, delay_ms))


def shift_samples(waveform: np.ndarray, rate: int, delay_ms: float) -> np.ndarray:
    """The same for samples float32 [channels, samples]."""
    delay = round(delay_ms * rate / 1000)
    return _sonic.lipsync_shift(np.ascontiguousarray(waveform), delay, round(FADE_S * rate)) if delay else waveform


def check_target(source: str, target: str) -> None:
    """OutputError when `target` cannot be written: called before the clip is measured."""
    if is_same_file(target, source):
        raise OutputError("Choose another name for the corrected video: the original is not overwritten.")
    check_video_path(target)


def write_shifted(source: str, target: str, sound: Sound, start_s: float, signer: Signer | None = None) -> str:
    """Writes a copy of the video `source` with `sound`, which starts at `start_s`, atomically. OutputError when that
    fails. signer: the copy is signed. Returns sentences about tracks that the copy lacks and about the signature of the
    source, or nothing."""
    name = repr(os.path.basename(source))
    with regular_file(source, name) as file, atomic_video(target) as temporary:
        packet, ending = packet_of(file), ending_note(file, name, signer)
        with open_video(file, name) as old:
            carried = _remux(old, temporary, sound, start_s, name)
            label, note = xmp_box(copyable_tags(old), packet), carried.lost("copy")
        with open(temporary, "ab") as end:
            end.write(label)
        finisher(signer, target, parent=source)(temporary)
    others = carried.copied["audio"]
    if mixed := output_note(sound.positions, len(sound.waveform)):
        note = f" {mixed}{note}"
    further = f" Further audio tracks, copied without a shift: {others}." if others else ""
    return "".join((note, further, ending))


def write_copy(source: str, target: str, signer: Signer | None = None) -> str:
    """The file as it is, with its signature, so that scripts find the file that `--fix` names. signer: sign it where it
    is not signed. Returns a sentence about that, or nothing."""
    with regular_file(source, repr(os.path.basename(source))) as file:
        return copied(file, source, target, signer)


def _remux(old, temporary: str, sound: Sound, start_s: float, name: str) -> CarriedTracks:
    video, audio, options = video_stream(old, name), played_audio(old), {"movflags": movflags_for(old.metadata)}
    origin_s = clock_origin_s([video, *([] if audio is None else [audio])])
    carried = CarriedTracks(old, video, audio, origin_s)
    with closing(av.open("file:" + temporary, "w", format="mp4", options=options, **ANY_ENCODING)) as new:
        new.metadata.update(copyable_tags(old))
        try:
            stream = new.add_stream_from_template(video)
        except ValueError as error:
            raise OutputError(
                f"Convert {name} to H.264 first: its video cannot be copied into an MP4 ({error})."
            ) from None
        if video.sample_aspect_ratio:  # the container's, which is not among the codec's parameters
            stream.codec_context.sample_aspect_ratio = video.sample_aspect_ratio
        track = AacTrack(new, sound, max(0.0, start_s - float(origin_s)), BIT_RATE_SCALE)
        carried.add_to(new, stream, track.stream)
        for packet in old.demux([video, *carried.streams]):
            if not packet.size:
                continue
            if packet.stream.index != video.index:
                carried.mux(new, packet)
                continue
            # Matroska gives the first frames no decoding time; the muxer infers it
            shift_timestamps(packet, origin_s)
            at = packet.pts if packet.dts is None else packet.dts
            if at is not None:
                track.write_until(float(at * packet.time_base) + 0.5)
            packet.stream = stream
            new.mux(packet)
        track.close()
    return carried
