"""What a file that is no readable picture is, by its first bytes, and what its user can do about it.

Magic numbers: the formats' specifications, as collected in the tables of `file(1)`; TIFF tags: TIFF 6.0 and DNG 1.7.
"""

from __future__ import annotations

import importlib
import re
import struct
import zlib

from PIL import features

HEAD_BYTES = 4096  # what is looked at; text formats may begin with a comment

# Readers that Pillow uses when they are installed: format -> (module, name in Image.OPEN, name on PyPI)
PLUGINS = {"HEIC": ("pillow_heif", "HEIF", "pillow-heif"), "JPEG XL": ("pillow_jxl", "JXL", "pillow-jxl-plugin")}

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ")

# Formats that Pillow reads: such a file is damaged, or Pillow was built without the format's library
PILLOW_FEATURES = {"AVIF": "avif", "JPEG 2000": "jpg_2000", "WebP": "webp"}
PILLOW_FORMATS = ("PNG", "JPEG", "GIF", "TIFF")

RAW, VIDEO = "camera raw", "video"
SAVE_JPEG = "Save the picture as JPEG or PNG in the program that made it"
REMEDIES = {
    "HEIC": "Save the photo as JPEG, or install the Python package pillow-heif: {name} is HEIC, the format of iPhone "
    "photos. To take JPEG photos on an iPhone, set Settings > Camera > Formats to Most Compatible.",
    "AVIF": "Save the picture as JPEG or PNG, or update the Python package pillow to 11.3 or newer: {name} is AVIF.",
    "JPEG XL": "Save the picture as JPEG or PNG, or install the Python package pillow-jxl-plugin: {name} is JPEG XL.",
    "JPEG 2000": "Save the picture as JPEG or PNG: {name} is JPEG 2000, and the installed pillow does not read it.",
    "WebP": "Save the picture as JPEG or PNG: {name} is WebP, and the installed pillow does not read it.",
    RAW: "Export the photo as JPEG from the camera or from a photo program: {name} is a camera raw file (such as CR3, "
    "NEF, ARW or DNG), which holds the data of the sensor and no finished picture.",
    "SVG": "Export the drawing as PNG, at least 1024 pixels wide: {name} is SVG, which holds lines and no pixels.",
    "EPS or PostScript": "Export the page as PNG or JPEG: {name} is EPS or PostScript, which only runs as a program.",
    "PDF": "Export the page as PNG or JPEG: {name} is PDF.",
    "WMF or EMF": "Export the drawing as PNG: {name} is WMF or EMF, which holds drawing commands.",
    "HTML": "Open the address in a browser and save the picture itself: {name} is a web page.",
    "Git LFS": "Download the file itself (git lfs pull): {name} is only a Git LFS pointer to it.",
    "text": "Choose a picture, for example PNG or JPEG, or download it again: {name} is a text file.",
    VIDEO: "Save one frame of the video as PNG and choose that: {name} is a video.",
    "audio": "Choose a picture here and the recording as speech: {name} is a sound file.",
    "archive": "Unpack the archive and choose the picture in it: {name} is an archive (zip, rar, 7z or gzip).",
    "AppleDouble": "Choose the file of the same name without '._' in front: {name} is only the metadata that macOS "
    "wrote beside it.",
    "shortcut": "Choose the picture that the shortcut leads to: {name} is a shortcut.",
    "iCloud": "Open the photo once so that iCloud downloads it: {name} is only a placeholder.",
    "zeros": "Copy or download the picture again: {name} consists of zeros only.",
}

# (offset, first bytes, kind); a kind without a remedy of its own gets SAVE_JPEG
MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"IIU\0", RAW),
    (0, b"FOVb", RAW),
    (0, b"\0MRM", RAW),
    (0, b"HEAPCCDR", RAW),
    (6, b"HEAPCCDR", RAW),
    (0, b"%PDF", "PDF"),
    (0, b"%!", "EPS or PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS or PostScript"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF or EMF"),
    (40, b" EMF", "WMF or EMF"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"8BPS", "a Photoshop file of a kind that cannot be read here (PSB, or saved without a composite picture)"),
    (0, b"gimp xcf", "GIMP's XCF"),
    (0, b"DDS ", "DDS"),
    (0, b"icns", "an icon of macOS (ICNS)"),
    (0, b"\0\0\2\0", "a cursor (CUR)"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"FLIF", "FLIF"),
    (0, b"SIMPLE  =", "FITS"),
    (128, b"DICM", "DICOM"),
    (0, b"\x01\xda", "SGI"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (0, b"version https://git-lfs", "Git LFS"),
    (0, b"\0\5\x16\7", "AppleDouble"),
    (0, b"L\0\0\0\x01\x14\x02\0", "shortcut"),
    (0, b"[InternetShortcut]", "shortcut"),
    (0, b"bplist00", "iCloud"),
    (0, b"PK\3\4", "archive"),
    (0, b"PK\5\6", "archive"),
    (0, b"Rar!", "archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive"),
    (0, b"\x1a\x45\xdf\xa3", "video"),
    (0, b"FLV\1", "video"),
    (0, b"\0\0\1\xba", "video"),
    (0, b"\0\0\1\xb3", "video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
    (0, b"ID3", "audio"),
    (0, b"fLaC", "audio"),
    (0, b"OggS", "audio"),
    (0, b"#!AMR", "audio"),
    (0, b"caff", "audio"),
)


def name_format(data: bytes) -> str | None:
    """What the bytes of a file are, a key of REMEDIES or a format's name; None when nothing is recognised."""
    head = data[:HEAD_BYTES]
    for kind in (_by_magic, _by_iso_brand, _by_riff, _by_mpeg, _by_text, _by_gzip):
        if found := kind(head):
            return found
    return "zeros" if head and not head.strip(b"\0") else None


def refusal(data: bytes, name: str) -> str:
    """The sentence for a file that Pillow does not open: the remedy, then what the file is."""
    kind = name_format(data)
    if kind is None:
        return f"Choose a picture, for example PNG or JPEG: {name} cannot be read as one."
    if kind in PILLOW_FORMATS or is_built_in(kind) or has_plugin(kind):
        return f"Save the picture again, as PNG or JPEG: {name} is a damaged or incomplete {kind} file."
    return REMEDIES.get(kind, f"{SAVE_JPEG}: {{name}} is {kind}.").format(name=name)


def is_camera_raw(data: bytes) -> bool:
    """Whether a file that looks like a TIFF holds the data of a camera's sensor. Pillow would read its thumbnail."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if data[8:10] == b"CR":  # Canon CR2
        return True
    tags = _tiff_tags(data)
    is_reduced = tags.get(254, 0) & 1 and 330 in tags  # NewSubfileType: the picture itself is in one of the SubIFDs
    return bool(50706 in tags or is_reduced or tags.get(262) in (32803, 34892))  # DNGVersion; CFA and linear raw


def load_plugin(data: bytes) -> str | None:
    """Registers the installed Pillow plug-in that reads these bytes and returns its name in Image.OPEN, else None."""
    kind = name_format(data)
    if not has_plugin(kind):
        return None
    module, opener, _ = PLUGINS[kind]
    if kind == "HEIC":
        importlib.import_module(module).register_heif_opener(thumbnails=False)
    return opener


def is_built_in(kind: str) -> bool:
    """Whether the installed Pillow was built with the library for this format."""
    return kind in PILLOW_FEATURES and bool(features.check(PILLOW_FEATURES[kind]))


def has_plugin(kind: str | None) -> bool:
    """Whether a plug-in for the format is installed; importing pillow_jxl registers it."""
    if kind not in PLUGINS:
        return False
    try:
        importlib.import_module(PLUGINS[kind][0])
    except Exception:  # noqa: BLE001 (absent, or broken: then its format is named instead)
        return False
    return True


def sizes_in_header(data: bytes) -> list[tuple[int, int]]:
    """(width, height) of the pictures that Pillow allocates or decodes as soon as it opens a file: ICO and WebP."""
    if data[:4] == b"\0\0\1\0":
        return _icon_sizes(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data[12:30])
    return []


def _icon_sizes(data: bytes) -> list[tuple[int, int]]:
    """Of each entry of an ICO directory: a PNG, or a bitmap whose height counts colours and mask."""
    sizes = []
    for entry in range(int.from_bytes(data[4:6], "little")):
        at = int.from_bytes(data[18 + 16 * entry : 22 + 16 * entry], "little")
        head = data[at : at + 24]
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            sizes.append(struct.unpack(">II", head[16:24]) if len(head) == 24 else (0, 0))
        elif len(head) >= 12:
            width, height = struct.unpack("<ii", head[4:12])
            sizes.append((abs(width), abs(height) // 2))
    return [size for size in sizes if size != (0, 0)]


def _webp_size(head: bytes) -> list[tuple[int, int]]:
    """From the first chunk (RFC 9649); `head` begins with its name."""
    if head[:4] == b"VP8X" and len(head) >= 18:
        return [(1 + int.from_bytes(head[12:15], "little"), 1 + int.from_bytes(head[15:18], "little"))]
    if head[:4] == b"VP8L" and len(head) >= 13:
        bits = int.from_bytes(head[9:13], "little")
        return [(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))]
    if head[:4] == b"VP8 " and len(head) >= 18:
        return [tuple(side & 0x3FFF for side in struct.unpack("<HH", head[14:18]))]
    return []


def _by_magic(head: bytes) -> str | None:
    return next((kind for at, start, kind in MAGIC if head.startswith(start, at)), None)


def _by_iso_brand(head: bytes) -> str | None:
    """ISO/IEC 14496-12: a box of type ftyp with the major and the compatible brands. QuickTime may begin otherwise."""
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip") and len(head) > 8:
        return "video"
    if head[4:8] != b"ftyp":
        return None
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head)), 4))]
    for kinds, kind in (((b"avif", b"avis"), "AVIF"), (HEIC_BRANDS, "HEIC"), ((b"crx ",), RAW)):
        if any(brand in kinds for brand in brands):
            return kind
    return "audio" if brands[0] in AUDIO_BRANDS else "video"


def _by_riff(head: bytes) -> str | None:
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio"
    kinds = {b"AVI ": "video", b"WAVE": "audio", b"WEBP": "WebP"}
    return kinds.get(head[8:12]) if head[:4] in (b"RIFF", b"RF64") else None


def _by_mpeg(head: bytes) -> str | None:
    """MPEG audio and ADTS begin with twelve (eleven) set bits, a transport stream with 0x47 every 188 bytes."""
    is_layer = len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08
    if is_layer and head[1] not in (0xFE, 0xFF) and head[2] & 0xF0 != 0xF0:  # FF FE: text in UTF-16
        return "audio"
    return "video" if len(head) > 376 and head[0] == head[188] == head[376] == 0x47 else None


def _by_text(head: bytes) -> str | None:
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = head.decode(encoding, "strict" if len(head) < HEAD_BYTES else "ignore").lstrip()
    except UnicodeDecodeError:
        return None
    if not text or re.search(r"[\0-\x08\x0e-\x1a\x1c-\x1f]", text):
        return None
    markup = re.sub(r"<\?.*?\?>|<!--.*?-->", "", text, flags=re.DOTALL).lstrip().lower()
    if re.match(r"(<!doctype svg[^\[>]*(\[.*?\])?\s*>\s*)?<(\w+:)?svg\b", markup, flags=re.DOTALL):
        return "SVG"
    return "HTML" if re.match(r"<(!doctype html|html|head|body|script|meta|title)\b", markup) else "text"


def _by_gzip(head: bytes) -> str | None:
    if head[:2] != b"\x1f\x8b":
        return None
    try:
        inside = zlib.decompressobj(31).decompress(head, HEAD_BYTES)
    except zlib.error:
        inside = b""
    return "SVG" if _by_text(inside) == "SVG" else "archive"


def _tiff_tags(data: bytes) -> dict[int, int]:
    """{tag: first value} of the first directory of a TIFF; 0 for values that do not fit into an entry."""
    order = "<" if data[:2] == b"II" else ">"

    def read(form: str, at: int) -> tuple:
        return struct.unpack_from(order + form, data, at)

    try:
        (at,) = read("I", 4)
        (count,) = read("H", at)
        tags = {}
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values = read("HHI", entry)
            fits = values * {3: 2, 4: 4}.get(kind, 9) <= 4
            tags[tag] = read("H" if kind == 3 else "I", entry + 8)[0] if fits else 0
        return tags
    except struct.error:
        return {}
