"""Colour spaces as primaries and a transfer curve, and the ICC profiles that describe them.

A file that declares its colours in other words than an ICC profile (PNG's cICP, gAMA and cHRM, AVIF's nclx, EXIF) gets
a profile made here, so that LittleCMS converts all of them the same way.

Primaries and curves: ITU-T H.273 (07/2024), tables 2 and 3; HDR reference white and HLG's system gamma: ITU-R BT.2408
and BT.2100; profiles: ICC.1:2001-04 (version 2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Chromaticity = tuple[float, float]
Primaries = tuple[Chromaticity, Chromaticity, Chromaticity, Chromaticity]  # red, green, blue, white; CIE 1931 x, y

D65, WHITE_C, WHITE_DCI, WHITE_E = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351), (1 / 3, 1 / 3)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
CURVE_POINTS = 4096

SRGB_PRIMARIES: Primaries = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65)
ADOBE_RGB_PRIMARIES: Primaries = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
_SMPTE_170M: Primaries = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), WHITE_C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: _SMPTE_170M,
    7: _SMPTE_170M,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), WHITE_C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), WHITE_DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
PQ, HLG = 16, 18
REFERENCE_WHITE_NITS, HLG_PEAK_NITS, HLG_GAMMA = 203.0, 1000.0, 1.2
SHOULDER = 0.8  # from here on highlights are compressed, so that HLG_PEAK_NITS is white; chosen by hand

Curve = Callable[[np.ndarray], np.ndarray]  # levels 0..1 -> linear light 0..1


@dataclass(frozen=True)
class ColourSpace:
    """What the levels of a picture mean."""

    primaries: Primaries
    curve: Curve
    is_hdr: bool = False  # brighter than white: its highlights are compressed
    is_full_range: bool = True  # False: black is 16/255 and white 235/255, as in video

    def profile(self, is_grey: bool) -> bytes:
        """An ICC profile for pictures in RGB or in grey. ValueError for primaries that span no triangle."""
        levels = np.linspace(0, 1, CURVE_POINTS)
        light = self.curve(levels if self.is_full_range else np.clip((levels * 255 - 16) / 219, 0, 1))
        return icc_profile(None if is_grey else matrix_to_d50(self.primaries), light)


def parametric(gamma: float, a: float = 1.0, b: float = 0.0, c: float = 1.0, d: float = 0.0) -> Curve:
    """(a x + b) ^ gamma from d on, x / c below."""
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** gamma, x / c)


def pq_nits(x: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: cd/m2 of a level."""
    power = np.maximum(x, 0) ** (1 / 78.84375)
    return 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def hlg_nits(x: np.ndarray) -> np.ndarray:
    """BT.2100's HLG on a display of HLG_PEAK_NITS. The system gamma acts on each channel instead of on luminance, which
    changes saturation a little."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(x <= 0.5, x * x / 3, (np.exp((x - c) / a) + b) / 12)
    return HLG_PEAK_NITS * scene**HLG_GAMMA


def to_standard_range(nits: np.ndarray) -> np.ndarray:
    """Linear light 0..1 of display light: reference white stays below 1, up to SHOULDER nothing changes, and the range
    from there to HLG_PEAK_NITS is compressed by a curve of the same slope at its start."""
    light = nits / REFERENCE_WHITE_NITS
    end = HLG_PEAK_NITS / REFERENCE_WHITE_NITS - SHOULDER
    bend = 1 / (1 - SHOULDER) - 1 / end  # over / (1 + bend over) has slope 1 at 0 and reaches 1 - SHOULDER at the end
    over = np.clip(light - SHOULDER, 0, end)
    return np.where(light <= SHOULDER, light, SHOULDER + over / (1 + bend * over))


SRGB_CURVE = parametric(2.4, 1 / 1.055, 0.055 / 1.055, 12.92, 0.04045)
# The curves of video cameras (BT.709, BT.601, BT.2020) describe what a camera does; their display differs. Viewers show
# such levels as they show sRGB's, and so do we: the inverse of the camera's curve would wash out frames of videos.
CURVES: dict[int, Curve] = dict.fromkeys((1, 6, 11, 12, 14, 15), SRGB_CURVE) | {
    4: parametric(2.2),
    5: parametric(2.8),
    7: parametric(1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 4.0, 0.0913),
    8: parametric(1.0),
    13: SRGB_CURVE,
    PQ: lambda x: to_standard_range(pq_nits(x)),
    17: lambda x: np.minimum(52.37 / 48 * np.maximum(x, 0) ** 2.6, 1),
    HLG: lambda x: to_standard_range(hlg_nits(x)),
}
SRGB = ColourSpace(SRGB_PRIMARIES, SRGB_CURVE)
ADOBE_RGB = ColourSpace(ADOBE_RGB_PRIMARIES, parametric(563 / 256))


def coded_space(primaries: int, transfer: int, is_full_range: bool = True) -> ColourSpace | None:
    """The colour space of H.273's code points; None when one is unspecified, reserved or not handled here."""
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return ColourSpace(PRIMARIES[primaries], CURVES[transfer], transfer in (PQ, HLG), is_full_range)


def xyz(chromaticity: Chromaticity) -> np.ndarray:
    x, y = chromaticity
    if not (y > 0 and 0 <= x <= 1 and x + y <= 1.0001):
        raise ValueError(f"no colour has the chromaticity {x:.4f}, {y:.4f}")
    return np.array([x / y, 1, (1 - x - y) / y])


def matrix_to_d50(primaries: Primaries) -> np.ndarray:
    """f64 [3, 3]: linear RGB to XYZ, the white adapted to D50 by Bradford's transform."""
    white, columns = xyz(primaries[3]), np.stack([xyz(p) for p in primaries[:3]], 1)
    if abs(np.linalg.det(columns)) < 1e-3:
        raise ValueError("the primaries span no triangle")
    cones = (BRADFORD @ D50_XYZ) / (BRADFORD @ white)
    adapt = np.linalg.solve(BRADFORD, np.diag(cones) @ BRADFORD)
    return adapt @ (columns * np.linalg.solve(columns, white))


def icc_profile(matrix: np.ndarray | None, light: np.ndarray) -> bytes:
    """A version 2 profile of a display: with a matrix for RGB, without for grey. light: f64 [n] 0..1, the linear light
    of n equally spaced levels."""
    curve = curve_tag(light)
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 6) + b"sonic\0" + bytes(78), b"wtpt": _xyz_tag(D50_XYZ)}
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    if matrix is None:
        return assemble(b"GRAY", tags | {b"kTRC": curve})
    for index, letter in enumerate((b"r", b"g", b"b")):
        tags |= {letter + b"XYZ": _xyz_tag(matrix[:, index]), letter + b"TRC": curve}
    return assemble(b"RGB ", tags)


def curve_tag(light: np.ndarray) -> bytes:
    table = np.rint(np.clip(light, 0, 1) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(table)) + table.tobytes()


def assemble(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile: header of 128 bytes, tag table, tags at multiples of 4; equal tags are stored once."""
    table, body, places = struct.pack(">I", len(tags)), b"", {}
    start = 132 + 12 * len(tags)
    for name, content in tags.items():
        if content not in places:
            body += bytes(-len(body) % 4)
            places[content] = start + len(body)
            body += content
        table += name + struct.pack(">II", places[content], len(content))
    header = struct.pack(">I4s4s4s4s4s", start + len(body), b"", b"\2\x10\0\0", b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _s15(*D50_XYZ) + bytes(48)
    return header + table + body


def profile_tags(profile: bytes) -> dict[bytes, bytes]:
    """{name: content} of a profile's tags; {} for a broken table."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    except struct.error:
        return {}
    return {name: profile[at : at + size] for name, at, size in entries}


def grey_curve(profile: bytes) -> Curve | None:
    """What a grey profile, or an RGB profile on equal levels, does: its grey or its green curve. None for a profile of
    tables. ValueError for a damaged curve."""
    tags = profile_tags(profile)
    if b"A2B0" in tags:
        return None
    tag = tags.get(b"kTRC", tags.get(b"gTRC"))
    return None if tag is None else tag_curve(tag)


def tag_curve(tag: bytes) -> Curve:
    """The curve of an ICC tag: ICC.1:2022, 10.6 (curveType) and 10.18 (parametricCurveType)."""
    try:
        if tag[:4] == b"para":
            (kind,) = struct.unpack_from(">H", tag, 8)
            count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
            return _parametric_tag(kind, [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)])
        (count,) = struct.unpack_from(">I", tag, 8)
        if tag[:4] != b"curv" or len(tag) < 12 + 2 * count:
            raise ValueError("a damaged curve")
        if count < 2:  # none: linear; one: a gamma in units of 1/256
            return parametric(int.from_bytes(tag[12:14], "big") / 256 if count else 1.0)
        points = np.frombuffer(tag, ">u2", count, 12) / 65535
        return lambda x: np.interp(x, np.linspace(0, 1, count), points)
    except (struct.error, KeyError):
        raise ValueError("a damaged curve") from None


def _parametric_tag(kind: int, values: list[float]) -> Curve:
    """g; a, b; c; c, d; e, f, by the kind: (a x + b) ^ g + c or + e from a limit on, c x + f below."""
    g, a, b, c, d, e, f = (*values, 0, 0, 0, 0, 0, 0)[:7] if kind else (values[0], 1, 0, 0, 0, 0, 0)
    if kind == 0:
        return parametric(g)
    if kind in (1, 2):  # c is added on both sides of the limit -b / a
        e = f = c
        c, d = 0.0, -b / a if a else 0.0
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def srgb_levels(light: np.ndarray) -> np.ndarray:
    """uint8: sRGB's levels of linear light (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(level * 255).astype(np.uint8)


def _s15(*numbers: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(f">{len(numbers)}i", *(round(float(number) * 65536) for number in numbers))


def _xyz_tag(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + _s15(*values)
