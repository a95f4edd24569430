"""The tracks of a media file: which sound is played, and what a rewritten video takes over from its source."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import av
from av.stream import Disposition

from ..errors import InputError
from .video_reader import shift_timestamps

# Codecs whose packets go into MP4 as they are: registered at mp4ra.org, known to FFmpeg's muxer and to players.
# Values are names of FFmpeg's decoders.
MP4_CODECS = {
    "audio": ("aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "flac", "alac"),
    "video": ("h264", "hevc", "av1", "libdav1d", "libaom-av1", "vp9", "libvpx-vp9", "mpeg4"),
    "cover picture": ("mjpeg", "png"),
    "subtitle": ("mov_text",),
}
# tags of a track that hold for a copy of it; timecode makes FFmpeg write the track of time codes again
TRACK_TAGS = ("language", "title", "handler_name", "timecode")


def played_audio(container) -> av.AudioStream | None:
    """The audio track that players choose: the first marked as default, else the first. Tracks that cannot be decoded
    are taken only when there is no other."""
    tracks = sorted(
        container.streams.audio,
        key=lambda s: (s.codec_context is None, not has_disposition(s, Disposition.default), s.index),
    )
    return tracks[0] if tracks else None


def has_disposition(stream, flag: Disposition) -> bool:
    return bool(_number(stream.disposition) & _number(flag))


def _number(disposition) -> int:
    return int(getattr(disposition, "value", disposition))  # PyAV 14: no IntFlag


def kind_of(stream) -> str:
    """ "video", "cover picture", "audio", "subtitle", "data" or "attachment"."""
    if stream.type == "video" and has_disposition(stream, Disposition.attached_pic):
        return "cover picture"
    return stream.type


def has_video(container) -> bool:
    """Cover pictures do not count."""
    return any(kind_of(stream) == "video" for stream in container.streams.video)


def fits_mp4(stream) -> bool:
    """Whether an MP4 file can hold the packets of this track as they are."""
    context = stream.codec_context
    return context is not None and context.name in MP4_CODECS.get(kind_of(stream), ())


def frame_format(head: bytes) -> tuple[int, ...] | None:
    """What the first 4 bytes of a frame say of its format: ADTS (ISO/IEC 14496-3, 1.A.2.2) and MPEG audio (ISO/IEC
    11172-3, 2.4.1.3); None for frames of another kind."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0x06 == 0:  # layer 0: ADTS. Profile, sampling rate and channels, without the private bit
        return head[2] & 0xFD, head[3] & 0xC0
    return head[1] & 0xFE, head[2] & 0x0C, int(head[3] >> 6 == 3)  # version and layer, sampling rate, mono


def track_tags(stream) -> dict[str, str]:
    return {key.lower(): value for key, value in stream.metadata.items() if key.lower() in TRACK_TAGS}


def unused_audio_note(container, used, name: str) -> str:
    """A sentence about the audio tracks that are not heard; "" when there is only one."""
    tracks = list(container.streams.audio)
    if len(tracks) < 2:
        return ""
    marked = ", the one marked as default" if has_disposition(used, Disposition.default) else ""
    if marked and all(has_disposition(s, Disposition.default) for s in tracks):
        marked = ""
    return (
        f"{name} has {len(tracks)} audio tracks: number {tracks.index(used) + 1}{marked} is used, "
        f"{len(tracks) - 1} not."
    )


class CarriedTracks:
    """What the MP4 copy of an open video takes over: chapters, tags of tracks, and, packet by packet, every track that
    fits into MP4 but those that are written anew, `video` and `audio`. With `copy_audio`, `audio` is copied, too."""

    def __init__(self, container, video, audio, origin_s: Fraction, copy_audio: bool = False):
        self._container, self._video, self._audio, self._origin_s = container, video, audio, origin_s
        others = [s for s in container.streams if s not in (video, audio)]
        self.streams = ([audio] if copy_audio else []) + [s for s in others if fits_mp4(s)]
        self._copies: dict[int, av.stream.Stream] = {}
        # counted here: a stream of a closed container must not be touched
        self.copied = Counter(kind_of(s) for s in others if fits_mp4(s))
        self._lost = Counter(kind_of(s) for s in others if not fits_mp4(s) and not self._is_written_anew(s))
        self._chapters = _chapters(container, origin_s)
        self._format: tuple[int, ...] | None = None

    def _is_written_anew(self, stream) -> bool:
        """Data tracks that the muxer makes itself: time codes and the titles of chapters."""
        if stream.type != "data":
            return False
        if "timecode" in track_tags(stream) and "timecode" in track_tags(self._video):
            return True
        # FFmpeg's MOV demuxer discards the track that holds the chapters' titles
        return int(getattr(stream, "discard", 0)) >= 48 and bool(_chapters(self._container, Fraction(0)))

    def add_to(self, output, new_video, new_audio=None) -> None:
        """Before the first packet. `new_video` and `new_audio` are the tracks that are written anew."""
        for new, old in ((new_video, self._video), (new_audio, self._audio)):
            if new is not None and old is not None:
                _describe(new, old)
        for stream in self.streams:
            copy = self._copies[stream.index] = output.add_stream_from_template(stream)
            _describe(copy, stream)
        if self._chapters:
            output.set_chapters(self._chapters)

    def mux(self, output, packet: av.Packet) -> None:
        """Writes a packet of one of `streams`. A packet whose times the muxer refuses is left out."""
        stream = packet.stream
        if stream.index == getattr(self._audio, "index", None):
            self._check_format(packet)
        shift_timestamps(packet, self._origin_s)
        packet.stream = self._copies[stream.index]
        try:
            output.mux(packet)
        except (av.error.ArgumentError, av.error.InvalidDataError):
            if stream.index == getattr(self._audio, "index", None):
                raise

    def _check_format(self, packet: av.Packet) -> None:
        """MP4 declares one format for a track: what comes after a change would be noise."""
        found = frame_format(bytes(packet)[:4])
        self._format = self._format or found
        if found != self._format:
            raise InputError(
                "Convert the video to MP4 first, for example with HandBrake: its sound changes its sampling rate or "
                "channels on the way."
            )

    def lost(self, copy: str) -> str:
        """ " The `copy` does not have: 1 subtitle track, 2 data tracks.", or nothing."""
        if not self._lost:
            return ""
        counted = [f"{n} {kind}{_plural_of(kind, n)}" for kind, n in sorted(self._lost.items())]
        return f" Tracks that the {copy} does not have: {', '.join(counted)}."


def _plural_of(kind: str, count: int) -> str:
    noun = " track" if kind in ("audio", "video", "subtitle", "data") else ""
    return noun + ("s" if count > 1 else "")


def _describe(new, old) -> None:
    new.metadata.update(track_tags(old))
    new.disposition = _number(old.disposition)


def _chapters(container, origin_s: Fraction) -> list[dict]:
    """As PyAV gives them, from `origin_s` on; none with PyAV before 14.3, which does not know them."""
    if not hasattr(container, "chapters"):
        return []
    found = []
    for chapter in container.chapters():
        origin = round(origin_s / chapter["time_base"])
        start, end = max(chapter["start"] - origin, 0), max(chapter["end"] - origin, 0)
        found.append({**chapter, "start": start, "end": end})
    return found
