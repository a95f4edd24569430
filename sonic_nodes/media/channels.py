"""Channels of a recording: where they are placed, which mixture of them the mouth follows, and what AAC keeps of them.

Positions are FFmpeg's names (libavutil/channel_layout.h): FL and FR front left and right, FC front centre, LFE
low-frequency effects, BL BR back, SL SR side, BC back centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..extension.native import _sonic

HOP_S, BLOCK_S = 0.04, 10.0
MAX_WINDOWS = 8192  # 5.5 minutes; of longer recordings every second window counts, or every fourth

# Where a file does not say: WAVE_FORMAT_EXTENSIBLE's order of speakers. Four channels are usually four microphones.
DEFAULT_POSITIONS = {
    1: ("FC",),
    2: ("FL", "FR"),
    3: ("FL", "FR", "FC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
# ISO/IEC 14496-3, table 1.19 (channel configurations), by FFmpeg's names of the layouts. Its 7.1 is left out: PyAV, and
# so ComfyUI, crashes when it reads eight channels of AAC (samples.py).
AAC_LAYOUTS = {
    ("FC",): "mono",
    ("FL", "FR"): "stereo",
    ("FL", "FR", "FC"): "3.0",
    ("FL", "FR", "FC", "BC"): "4.0",
    ("FL", "FR", "FC", "BL", "BR"): "5.0",
    ("FL", "FR", "FC", "LFE", "BL", "BR"): "5.1",
}
# ITU-R BS.775-4, table 2: centre and surrounds at -3 dB; a back centre at -3 dB in each surround; no low-frequency
# effects. Height channels, which it does not name, as a back centre.
_M3DB, _M6DB = 0.7071, 0.5
STEREO_GAINS = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_M3DB, _M3DB),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BL": (_M3DB, 0.0),
    "BR": (0.0, _M3DB),
    "SL": (_M3DB, 0.0),
    "SR": (0.0, _M3DB),
    "WL": (_M3DB, 0.0),
    "WR": (0.0, _M3DB),
    "FLC": (_M3DB, 0.0),
    "FRC": (0.0, _M3DB),
    "BC": (_M6DB, _M6DB),
    "TC": (_M6DB, _M6DB),
    "TFC": (_M6DB, _M6DB),
    "TBC": (_M6DB, _M6DB),
    "TFL": (_M6DB, 0.0),
    "TFR": (0.0, _M6DB),
    "TBL": (_M6DB, 0.0),
    "TBR": (0.0, _M6DB),
    "DL": (1.0, 0.0),
    "DR": (0.0, 1.0),
}
SPOKEN = {"FL": "left", "FR": "right", "FC": "centre", "BL": "back left", "BR": "back right", "SL": "side left"}
SPOKEN |= {"SR": "side right", "BC": "back centre", "LFE": "bass"}


def known_positions(layout, count: int) -> tuple[str, ...]:
    """Positions of a PyAV layout; the usual ones of `count` channels where it names none; () where there are none."""
    names = tuple(channel.name for channel in layout.channels) if layout is not None else ()
    named = len(names) == count and all(name in STEREO_GAINS or name.startswith("AMBI") for name in names)
    return names if named else DEFAULT_POSITIONS.get(count, ())


def aac_layout(positions: tuple[str, ...]) -> str | None:
    """FFmpeg's name of the layout in which AAC keeps these channels as they are, None when it has none. Side speakers
    are the back ones where there are no others."""
    if "BL" not in positions:
        positions = tuple({"SL": "BL", "SR": "BR"}.get(name, name) for name in positions)
    return AAC_LAYOUTS.get(positions)


def positions_of(layout: str) -> tuple[str, ...]:
    """Of a layout that AAC has."""
    return next(positions for positions, name in AAC_LAYOUTS.items() if name == layout)


def output_gains(positions: tuple[str, ...], count: int) -> np.ndarray:
    """float32 [1 or 2, count]: the mixture that replaces channels that AAC does not have. Of ambisonic sound the
    omnidirectional channel; channels without a position go left and right by turns."""
    if positions and positions[0].startswith("AMBI"):
        return np.eye(1, count, dtype=np.float32)
    if not positions:
        by_turns = np.arange(count) % 2
        by_turns[count - 1] = 2 if count % 2 else 1  # 2: both sides
        return np.stack([by_turns != 1, by_turns != 0]).astype(np.float32)
    return np.array([STEREO_GAINS.get(name, (_M6DB, _M6DB)) for name in positions], np.float32).T.copy()


def for_aac(waveform: np.ndarray, positions: tuple[str, ...]) -> tuple[np.ndarray, str]:
    """(float32 [channels, samples], FFmpeg's name of their layout): as given where AAC keeps the channels, else mixed
    to stereo or mono, and attenuated where the mixture would clip."""
    positions = positions or DEFAULT_POSITIONS.get(len(waveform), ())
    layout = aac_layout(positions)
    if layout is not None:
        return waveform, layout
    gains = output_gains(positions, len(waveform))
    mixed = gains @ waveform
    peak = max(float(mixed.max(initial=0)), -float(mixed.min(initial=0)))
    if peak > 1:
        mixed /= peak
    return mixed, "mono" if len(mixed) == 1 else "stereo"


def output_note(positions: tuple[str, ...], count: int) -> str:
    """What `for_aac` changes, as a sentence; "" where it changes nothing."""
    positions = positions or DEFAULT_POSITIONS.get(count, ())
    if aac_layout(positions) is not None:
        return ""
    if positions and positions[0].startswith("AMBI"):
        return f"The video has mono sound: of the {count} ambisonic channels the omnidirectional one is kept."
    how = ", centre and surround at -3 dB (ITU-R BS.775)" if positions else ""
    return f"The video has stereo sound: its {count} channels were mixed{how}."


@dataclass(frozen=True)
class ChannelMix:
    """The mixture of channels that the mouth follows. `weights` float32 [channels], or None for their arithmetic mean;
    `note` is a sentence for the user, "" for the mean."""

    weights: np.ndarray | None = None
    note: str = ""

    def mono(self, waveform: np.ndarray) -> np.ndarray:
        """float32 [samples], contiguous, of [channels, samples]."""
        if len(waveform) == 1:
            return np.ascontiguousarray(waveform[0])
        if self.weights is None:
            return waveform.mean(axis=0, dtype=np.float32)
        used = np.flatnonzero(self.weights)
        if len(used) == 1:
            return waveform[used[0]].copy()
        return np.ascontiguousarray(self.weights[used] @ waveform[used], np.float32)


class ChannelMeter:
    """Takes a recording piece by piece and chooses its mixture (csrc/audio/channels.h)."""

    def __init__(self, rate: int, channels: int, positions: tuple[str, ...]):
        self._rate, self._channels = rate, channels
        self._positions = positions or DEFAULT_POSITIONS.get(channels, ())
        self._hop = max(1, round(HOP_S * rate))
        self._pieces: list[np.ndarray] = []
        self._held, self._powers, self._windows = 0, [], 0

    def add(self, piece: np.ndarray) -> None:
        """float32 [channels, count]."""
        if self._channels == 1 or not piece.shape[1]:
            return
        self._pieces.append(piece)
        self._held += piece.shape[1]
        if self._held >= BLOCK_S * self._rate:
            self._measure()

    def _measure(self) -> None:
        block = np.concatenate(self._pieces, axis=1) if len(self._pieces) > 1 else self._pieces[0]
        self._pieces, self._held = [], 0
        self._powers.append(_sonic.channels_measure(np.ascontiguousarray(block), self._rate, self._hop))
        self._windows += len(self._powers[-1])
        if self._windows > MAX_WINDOWS:
            self._powers = [np.concatenate(self._powers)[::2]]
            self._windows, self._hop = len(self._powers[0]), 2 * self._hop

    def choose(self) -> ChannelMix:
        if self._pieces:
            self._measure()
        if not self._powers:
            return ChannelMix()
        weights, is_mean = _sonic.channels_choose(
            np.concatenate(self._powers), self._channels, self._centre(), self._index("LFE")
        )
        return ChannelMix() if is_mean else ChannelMix(weights, mix_note(weights, self._positions))

    def _centre(self) -> int:
        if self._positions and self._positions[0] == "AMBI0":
            return 0
        return self._index("FC")

    def _index(self, position: str) -> int:
        return self._positions.index(position) if position in self._positions else -1


def mix_note(weights: np.ndarray, positions: tuple[str, ...]) -> str:
    used = [(i, weight) for i, weight in enumerate(weights) if weight]
    names = []
    for i, weight in used:
        spoken = SPOKEN.get(positions[i]) if positions else None
        details = [*([spoken] if spoken else []), *(["inverted"] if weight < 0 else [])]
        names.append(f"{i + 1}" + (f" ({', '.join(details)})" if details else ""))
    which = f"channel {names[0]}" if len(names) == 1 else f"channels {', '.join(names[:-1])} and {names[-1]}"
    return (
        f"The mouth follows {which} of the recording's {len(weights)}: in the mean of all, the voice would be "
        "cancelled or covered."
    )
