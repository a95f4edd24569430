"""A file that cannot be read as a picture is named for what it is, with what its user can do."""

import gzip
import io
import re
import struct
import sys
import types
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageFile

from sonic_nodes.errors import InputError
from sonic_nodes.gate.check import check_file
from sonic_nodes.media import image_formats
from sonic_nodes.media.image import MAX_DECODE_BYTES, check_cost, read_picture


def iso(brand, *others):
    content = brand + bytes(4) + b"".join(others)
    return struct.pack(">I", 8 + len(content)) + b"ftyp" + content + bytes(300)


def tiff(*entries, order="<"):
    """A TIFF header and one directory of (tag, type, count, value)."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    form = {3: order + "HHIHxx", 4: order + "HHII", 1: order + "HHII"}
    rows = b"".join(struct.pack(form[entry[1]], *entry) for entry in entries)
    return start + struct.pack(order + "H", len(entries)) + rows + bytes(300)


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("photo.jpg", b"x" * 100)
    return out.getvalue()


SVG = b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by hand -->\n<svg xmlns='http://www.w3.org/2000/svg' width='9'/>"
PDF_WORDS, RAW_WORDS = "Export the page", "camera raw"
FILES = {
    "heic": (iso(b"heic", b"mif1", b"heic"), "HEIC, the format of iPhone", "Most Compatible"),
    "heic by another brand": (iso(b"mif1", b"miaf", b"heix"), "HEIC", "pillow-heif"),
    "heic sequence": (iso(b"msf1", b"hevc"), "HEIC", "JPEG"),
    "jxl codestream": (b"\xff\x0a\xfa\x1f\x01" + bytes(90), "JPEG XL", "pillow-jxl-plugin"),
    "jxl container": (b"\0\0\0\x0cJXL \r\n\x87\n" + iso(b"jxl "), "JPEG XL", "JPEG or PNG"),
    "svg": (SVG, "SVG", "Export the drawing as PNG"),
    "svg with a doctype": (b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">\n<svg/>', "SVG", "PNG"),
    "svgz": (gzip.compress(SVG), "SVG", "PNG"),
    "cr3": (iso(b"crx ", b"crx ", b"isom"), RAW_WORDS, "Export the photo as JPEG"),
    "cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(300), RAW_WORDS, "JPEG"),
    "dng": (tiff((254, 4, 1, 0), (50706, 1, 4, 0x401)), RAW_WORDS, "JPEG"),
    "nef": (tiff((254, 4, 1, 1), (256, 4, 1, 160), (330, 4, 1, 99), order=">"), RAW_WORDS, "JPEG"),
    "pef": (tiff((254, 4, 1, 0), (262, 3, 1, 32803)), RAW_WORDS, "JPEG"),
    "raf": (b"FUJIFILMCCD-RAW 0201" + bytes(300), RAW_WORDS, "JPEG"),
    "orf": (b"IIRO\x08\0\0\0" + bytes(300), RAW_WORDS, "JPEG"),
    "rw2": (b"IIU\0\x18\0\0\0" + bytes(300), RAW_WORDS, "JPEG"),
    "psb": (b"8BPS\0\2" + bytes(300), "Photoshop", "JPEG or PNG"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF", PDF_WORDS),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript", PDF_WORDS),
    "eps for DOS": (b"\xc5\xd0\xd3\xc6" + bytes(300), "PostScript", PDF_WORDS),
    "wmf": (b"\xd7\xcd\xc6\x9a" + bytes(300), "WMF", "PNG"),
    "emf": (b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(300), "EMF", "PNG"),
    "exr": (b"v/1\x01\2\0\0\0" + bytes(300), "OpenEXR", "JPEG or PNG"),
    "hdr": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 9 +X 9\n", "Radiance HDR", "JPEG or PNG"),
    "xcf": (b"gimp xcf v011\0" + bytes(300), "GIMP's XCF", "JPEG or PNG"),
    "icns": (b"icns" + bytes(300), "ICNS", "PNG"),
    "web page": (b"\n<!doctype html>\n<html><body>404 not found</body></html>", "web page", "browser"),
    "web page in UTF-16": ("<HTML><head></head></HTML>".encode("utf-16"), "web page", "browser"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS", "git lfs pull"),
    "text": (b'{"error": "quota exceeded"}', "text file", "download it again"),
    "mp4": (iso(b"isom", b"avc1"), "a video", "one frame"),
    "mov without ftyp": (b"\0\0\0\x08wide" + bytes(300), "a video", "one frame"),
    "mkv": (b"\x1a\x45\xdf\xa3" + bytes(300), "a video", "one frame"),
    "avi": (b"RIFF\0\0\1\0AVI LIST" + bytes(300), "a video", "one frame"),
    "m4a": (iso(b"M4A "), "sound file", "as speech"),
    "mp3": (b"\xff\xfb\x90\x44" + bytes(range(256)), "sound file", "as speech"),
    "wav": (b"RIFF\0\0\1\0WAVEfmt " + bytes(300), "sound file", "as speech"),
    "flac": (b"fLaC" + bytes(300), "sound file", "as speech"),
    "zip": (archive(), "an archive", "Unpack"),
    "gzip": (gzip.compress(b"x" * 100), "an archive", "Unpack"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(300), "an archive", "Unpack"),
    "._photo.jpg": (b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(300), "metadata", "'._'"),
    "zeros": (bytes(5000), "zeros", "Copy or download"),
    "half a header": (b"\x89PNG\r\n\x1a\n\0\0", "incomplete PNG", "Save the picture again"),
    "damaged WebP": (b"RIFF\x20\0\0\0WEBPVP8 " + bytes(9), "could not create decoder", "Save the picture again"),
    "unknown": (b"\x93\x01 no idea \xff" + bytes(range(256)), "cannot be read", "Choose a picture"),
}


@pytest.fixture
def no_plugins(monkeypatch):
    for module, _, _ in image_formats.PLUGINS.values():
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails


@pytest.mark.parametrize("kind", FILES)
def test_what_a_file_is(no_plugins, tmp_path, kind):
    data, what, remedy = FILES[kind]
    path = tmp_path / "my photo.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_picture(path)
    text = str(caught.value)
    assert what in text and remedy in text and "'my photo.jpg'" in text and text.endswith(".")
    assert re.match(r"(Save|Choose|Export|Open|Download|Unpack|Copy) ", text) and "{" not in text
    verdict = check_file(path)
    assert verdict["verdict"] == "unreadable" and verdict["reasons"][0]["advice"] == text


def test_formats_that_this_pillow_was_built_without(monkeypatch):
    monkeypatch.setattr(image_formats.features, "check", lambda feature: False)
    assert "update the Python package pillow" in image_formats.refusal(iso(b"avif", b"mif1"), "'x'")
    assert "JPEG 2000, and the installed pillow" in image_formats.refusal(b"\xff\x4f\xff\x51" + bytes(90), "'x'")
    assert "WebP, and the installed pillow" in image_formats.refusal(b"RIFF\0\0\0\0WEBPVP8 ", "'x'")


class HeifFile(ImageFile.ImageFile):
    """A stand-in for pillow-heif's: four grey pixels."""

    format = "HEIF"

    def _open(self):
        self._size, self._mode = (2, 2), "RGB"
        self.__dict__["mode"] = "RGB"  # for Pillow 10.0
        self.tile = [("raw", (0, 0, 2, 2), 28, ("RGB", 0, 1))]


def test_heic_is_read_where_pillow_heif_is_installed(monkeypatch):
    def register(**_):
        Image.register_open("HEIF", HeifFile, lambda start: start[4:8] == b"ftyp")

    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    data = iso(b"heic", b"mif1", b"heic")[:28] + bytes([90] * 12)
    assert np.array_equal(read_picture(data), np.full((2, 2, 3), 90))
    with pytest.raises(InputError, match="^Save the picture again.*damaged"):
        read_picture(data[:30])


def test_ordinary_tiff_is_no_camera_raw():
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "TIFF")
    assert not image_formats.is_camera_raw(out.getvalue())
    assert image_formats.is_camera_raw(tiff((262, 3, 1, 34892)))
    assert not image_formats.is_camera_raw(b"II*\0\xff\xff\xff\xff")


def refusal_before_opening(data, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("was opened"))
    with pytest.raises(InputError) as caught:
        read_picture(data)
    return str(caught.value)


def icon(head):
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(head), 22) + head


@pytest.mark.parametrize(
    "data",
    [
        icon(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 12000, 12000) + bytes(40)),
        icon(struct.pack("<Iii", 40, 12000, 24000) + bytes(40)),
        b"RIFF\x64\0\0\0WEBPVP8X\n\0\0\0\x10\0\0\0" + (11999).to_bytes(3, "little") * 2 + bytes(60),
        b"RIFF\x64\0\0\0WEBPVP8L\x30\0\0\0\x2f" + (11999 | 11999 << 14).to_bytes(4, "little") + bytes(60),
        b"RIFF\x64\0\0\0WEBPVP8 \x30\0\0\0\0\0\0\x9d\1\x2a" + struct.pack("<HH", 12000, 12000) + bytes(60),
    ],
)
def test_formats_that_decode_when_opened_are_judged_by_their_header(monkeypatch, data):
    text = refusal_before_opening(data, monkeypatch)
    assert text.startswith("Make the picture smaller") and "12000 x 12000" in text


def test_an_icon_and_a_webp_of_usual_size_are_read():
    scene = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    for format, options in (("ICO", {}), ("ICO", {"bitmap_format": "bmp"}), ("WEBP", {"lossless": True})):
        out = io.BytesIO()
        Image.fromarray(scene).save(out, format, **options)
        assert image_formats.sizes_in_header(out.getvalue())[-1] == (64, 64)
        assert np.array_equal(read_picture(out.getvalue()), scene)


def test_formats_whose_decoders_need_much_memory_are_read_up_to_fewer_pixels():
    picture = types.SimpleNamespace(format="JPEG2000", width=8000, height=8000)
    with pytest.raises(InputError, match="^Make the picture smaller, or save it as PNG or JPEG: 'x.jp2'"):
        check_cost(picture, 1000, "'x.jp2'")
    check_cost(types.SimpleNamespace(format="PNG", width=8000, height=8000), 1000, "'x.png'")
    with pytest.raises(InputError, match="^Make the picture smaller"):
        check_cost(types.SimpleNamespace(format="TIFF", width=8000, height=8000), MAX_DECODE_BYTES // 2 << 1, "'x.tif'")
