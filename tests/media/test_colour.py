"""Colours that a file declares are shown as they are meant: profiles on every mode, PNG chunks, code points.

What is right is computed here from published matrices (CSS Color 4, 18; ITU-R BT.2087), not by the code under test.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from sonic_nodes.media import colour_space
from sonic_nodes.media.colour_space import ADOBE_RGB, PRIMARIES, SRGB_CURVE, SRGB_PRIMARIES, ColourSpace
from sonic_nodes.media.image import load_picture, oriented_srgb

TO_SRGB = {
    12: np.array([[1.22494, -0.22494, 0], [-0.04206, 1.04206, 0], [-0.01964, -0.07864, 1.09827]]),  # Display P3
    9: np.array([[1.66049, -0.58764, -0.07285], [-0.12455, 1.13290, -0.00835], [-0.01815, -0.10058, 1.11873]]),
}
ADOBE_TO_SRGB = np.array([[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]])

# colours from dark to bright, none outside sRGB, and greys
RAMP = np.linspace(20, 230, 64)
COLOURS = np.rint(
    np.stack([np.stack([RAMP, 128 + 0.3 * (RAMP - 128), 250 - RAMP], -1), np.repeat(RAMP[:, None], 3, 1)])
).astype(np.uint8)
COLOURS = np.repeat(COLOURS, 8, axis=0)
GREYS = COLOURS[8:9, :, 0].repeat(4, 0)


def encoded(image, format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def to_light(levels):
    a = np.asarray(levels, float) / 255
    return np.where(a <= 0.04045, a / 12.92, ((a + 0.055) / 1.055) ** 2.4)


def to_levels(light):
    a = np.clip(light, 0, 1)
    return 255 * np.where(a <= 0.0031308, 12.92 * a, 1.055 * a ** (1 / 2.4) - 0.055)


def shown(levels, matrix=None, gamma=None):
    """sRGB levels of `levels` in a space with this matrix to sRGB and with sRGB's curve or a gamma."""
    light = to_light(levels) if gamma is None else (np.asarray(levels, float) / 255) ** gamma
    return to_levels(light if matrix is None else light @ matrix.T)


def p3_profile(name=b"sonic\0"):
    profile = ColourSpace(PRIMARIES[12], SRGB_CURVE).profile(is_grey=False)
    return profile.replace(b"sonic\0", name[:6])


def grey_profile(gamma):
    return ColourSpace(SRGB_PRIMARIES, colour_space.parametric(gamma)).profile(is_grey=True)


def assert_shows(data, right, mean=0.6, notes=0):
    picture = load_picture(data, name="'x.png'")
    assert len(picture.notes) == notes, picture.notes
    assert np.abs(picture.pixels - np.asarray(right, float)).mean() < mean
    return picture


def with_alpha(image, level=255):
    image = image.copy()
    image.putalpha(level)
    return image


RIGHT = shown(COLOURS, TO_SRGB[12])
RIGHT_GREY = np.repeat(shown(GREYS, gamma=1.8)[..., None], 3, -1)


def test_the_inputs_differ_from_what_is_right():
    assert np.abs(RIGHT - COLOURS).mean() > 2 and np.abs(RIGHT_GREY[..., 0] - GREYS).mean() > 5


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF", "JPEG2000", "PSD"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_profile_acts_in_every_format(format, mode):
    Image.init()
    image = Image.fromarray(COLOURS)
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {format}")
    if mode == "RGBA" and format == "JPEG":
        pytest.skip("JPEG has no alpha")
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}, "AVIF": {"quality": 98}}
    image = with_alpha(image) if mode == "RGBA" else image
    data = encoded(image, format, icc_profile=p3_profile(), **options.get(format, {}))
    if format == "JPEG2000":
        data = with_jp2_profile(data, p3_profile())
    assert_shows(data, RIGHT, 2.5 if format in ("JPEG", "AVIF") else 0.6)


def with_jp2_profile(data, profile):
    """Replaces the enumerated colour space (15 bytes) by a restricted profile: ISO/IEC 15444-1, I.5.3.3."""
    at = data.index(b"colr") - 4
    content = b"\2\0\0" + profile
    box = struct.pack(">I4s", 8 + len(content), b"colr") + content
    out = data[:at] + box + data[at + 15 :]
    parent = out.index(b"jp2h") - 4
    size = struct.unpack_from(">I", out, parent)[0] + len(box) - 15
    return out[:parent] + struct.pack(">I", size) + out[parent + 4 :]


def test_profile_acts_on_a_palette():
    few = Image.fromarray(COLOURS).quantize(128)
    right = shown(np.asarray(few.convert("RGB")), TO_SRGB[12])
    assert_shows(encoded(few, icc_profile=p3_profile()), right)
    opacity = bytes([255] * 127 + [254])  # transparency as a table
    assert_shows(encoded(few, icc_profile=p3_profile(), transparency=opacity), right, 0.7)


def test_profile_acts_on_16_bit_rgb():
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in COLOURS)
    header = struct.pack(">IIBBBBB", COLOURS.shape[1], COLOURS.shape[0], 16, 2, 0, 0, 0)
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(p3_profile()))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + profile + chunk(b"IDAT", zlib.compress(rows))
    assert_shows(data + chunk(b"IEND", b""), RIGHT)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "I", "F", "P"])
def test_grey_profile_acts_on_every_grey_mode(mode):
    image = Image.fromarray(GREYS)
    if mode == "LA":
        image.putalpha(255)
    elif mode == "P":  # of one colour a level: Pillow stores it as grey in GIF and BMP
        assert_shows(encoded(image, "TIFF", icc_profile=grey_profile(1.8)), RIGHT_GREY)
        return
    elif mode != "L":
        levels = GREYS / np.float32(255) if mode == "F" else GREYS.astype(np.uint16 if ";" in mode else np.int32) * 257
        image = Image.fromarray(levels)
    assert image.mode.startswith(mode[0])
    format = "PNG" if mode in ("L", "LA", "I;16") else "TIFF"
    assert_shows(encoded(image, format, icc_profile=grey_profile(1.8)), RIGHT_GREY, 0.5)


def test_dark_16_bit_levels_of_linear_light_are_exact():
    levels = np.arange(0, 4096, 16, dtype=np.uint16)[None].repeat(3, 0)
    right = to_levels(levels / 65535)
    for profile in (grey_profile(1.0), ColourSpace(SRGB_PRIMARIES, colour_space.parametric(1)).profile(False)):
        picture = load_picture(encoded(Image.fromarray(levels), icc_profile=profile))
        assert np.abs(picture.pixels[..., 0] - right).max() <= 1.1


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (0, [2.2]),
        (1, [2.2, 1.1, -0.1]),
        (2, [2.0, 1.1, -0.1, 0.0]),
        (3, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]),
    ],
)
def test_parametric_grey_curves_are_those_of_littlecms(kind, values):
    tag = b"para\0\0\0\0" + struct.pack(">HH", kind, 0)
    tag += struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
    profile = bytearray(colour_space.assemble(b"GRAY", {b"wtpt": b"XYZ " + bytes(16), b"kTRC": tag}))
    profile[8] = 4  # such curves belong to version 4
    levels = np.arange(256, dtype=np.uint8)[None]
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "L", "RGB", flags=0x0100
    )
    right = np.asarray(ImageCms.applyTransform(Image.fromarray(levels), transform)).astype(int)
    shown = load_picture(encoded(Image.fromarray(levels), icc_profile=bytes(profile))).pixels
    assert np.abs(shown - right).max() <= (2 if kind == 3 else 1)


def test_black_and_white_stays_black_and_white():
    image = Image.fromarray(GREYS > 128)
    picture = load_picture(encoded(image, "TIFF", icc_profile=grey_profile(3.0)))
    assert np.array_equal(picture.pixels[..., 0], np.asarray(image) * np.uint8(255))


def test_rgb_profile_on_a_grey_picture_acts_by_its_curve():
    profile = ColourSpace(PRIMARIES[12], colour_space.parametric(1.8)).profile(is_grey=False)
    assert_shows(encoded(Image.fromarray(GREYS), "JPEG", quality=98, icc_profile=profile), RIGHT_GREY, 1)


def test_profile_is_judged_by_what_it_does():
    mislabelled = p3_profile(b"sRGB!\0")
    assert b"sRGB!" in mislabelled
    assert_shows(encoded(Image.fromarray(COLOURS), icc_profile=mislabelled), RIGHT)
    own = ColourSpace(SRGB_PRIMARIES, SRGB_CURVE).profile(is_grey=False)
    for profile in (own, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        renamed = profile.replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))
        assert np.array_equal(load_picture(encoded(Image.fromarray(COLOURS), icc_profile=renamed)).pixels, COLOURS)


def test_profile_in_several_jpeg_segments():
    profile = bytearray(p3_profile() + bytes(150_000))
    struct.pack_into(">I", profile, 0, len(profile))
    data = encoded(Image.fromarray(COLOURS), "JPEG", quality=98, subsampling=0, icc_profile=bytes(profile))
    assert data.count(b"ICC_PROFILE\0") == 3
    assert_shows(data, RIGHT, 2.5)
    at = data.rindex(b"ICC_PROFILE\0")
    broken = data[:at] + b"XXX" + data[at + 3 :]  # one is missing: told, and the picture is shown as it is
    assert_shows(broken, COLOURS, 2, notes=1)


def test_bmp_with_a_profile():
    pixels = encoded(Image.fromarray(COLOURS), "BMP")[54:]
    profile, (height, width) = p3_profile(), COLOURS.shape[:2]
    header = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    header += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(pixels), len(profile), 0)
    assert len(header) == 124
    start = b"BM" + struct.pack("<IHHI", 138 + len(pixels) + len(profile), 0, 0, 138)
    assert_shows(start + header + pixels + profile, RIGHT)


@pytest.mark.parametrize("profile", [b"nonsense" * 40, p3_profile()[:300], grey_profile(1.8)])
def test_unusable_profile_is_told_and_the_picture_shown(profile):
    picture = assert_shows(encoded(Image.fromarray(COLOURS), icc_profile=profile), COLOURS, 0.01, notes=1)
    assert picture.notes[0].startswith("Save 'x.png' again with an sRGB profile") and "ignored" in picture.notes[0]


def test_rgb_profile_on_cmyk_is_told():
    data = encoded(Image.fromarray(COLOURS).convert("CMYK"), "JPEG", quality=98, icc_profile=p3_profile())
    picture = assert_shows(data, COLOURS, 3, notes=1)
    assert "for RGB and the picture is CMYK" in picture.notes[0]


def test_lab():
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    assert_shows(encoded(ImageCms.applyTransform(Image.fromarray(COLOURS), transform), "TIFF"), COLOURS, 1.5)


def test_colours_are_converted_before_they_are_laid_on_white():
    picture = load_picture(encoded(with_alpha(Image.fromarray(COLOURS), 128), icc_profile=p3_profile()))
    right = RIGHT * (128 / 255) + 255 * (127 / 255)
    assert np.abs(picture.pixels - right).mean() < 0.8 and np.all(picture.alpha == 128)
    grey = load_picture(encoded(with_alpha(Image.fromarray(GREYS), 128), icc_profile=grey_profile(1.8)))
    assert np.abs(grey.pixels - (RIGHT_GREY * 128 + 255 * 127) / 255).mean() < 0.8


def test_colours_under_a_painted_mask_are_converted_too():
    data = encoded(with_alpha(Image.fromarray(COLOURS), 0), icc_profile=p3_profile())
    assert np.abs(load_picture(data, on_white=False).pixels - RIGHT).mean() < 0.6


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(image, *chunks, **options):
    data = encoded(image, **options)
    return data[:33] + b"".join(chunk(*one) for one in chunks) + data[33:]


def gama(value):
    return b"gAMA", struct.pack(">I", value)


P3_CICP, SRGB_CICP = (b"cICP", bytes([12, 13, 0, 1])), (b"cICP", bytes([1, 13, 0, 1]))
WIDE_CHRM = b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)  # Display P3


def test_png_code_points():
    colours = Image.fromarray(COLOURS)
    assert_shows(png(colours, P3_CICP), RIGHT)
    assert_shows(png(with_alpha(colours), P3_CICP), RIGHT)
    assert_shows(png(colours, (b"cICP", bytes([9, 13, 0, 1]))), shown(COLOURS, TO_SRGB[9]))
    assert_shows(png(colours, (b"cICP", bytes([1, 4, 0, 1]))), shown(COLOURS, gamma=2.2))
    assert_shows(png(Image.fromarray(GREYS), (b"cICP", bytes([12, 8, 0, 1]))), shown(GREYS, gamma=1)[..., None])
    narrow = np.rint(16 + COLOURS * (219 / 255)).astype(np.uint8)
    assert_shows(png(Image.fromarray(narrow), (b"cICP", bytes([1, 13, 0, 0]))), COLOURS)


@pytest.mark.parametrize("code", [(2, 2, 0, 1), (1, 13, 0, 1), (1, 1, 0, 1)])
def test_code_points_that_change_nothing(code):
    assert_shows(png(Image.fromarray(COLOURS), (b"cICP", bytes(code))), COLOURS, 0.01)


@pytest.mark.parametrize("code", [(12, 13, 1, 1), (3, 13, 0, 1), (1, 200, 0, 1)])
def test_unknown_code_points_are_told(code):
    assert_shows(png(Image.fromarray(COLOURS), (b"cICP", bytes(code))), COLOURS, 0.01, notes=1)


def test_precedence_of_png_chunks():
    colours = Image.fromarray(COLOURS)
    wide = p3_profile()
    assert_shows(png(colours, SRGB_CICP, icc_profile=wide), COLOURS, 0.01)
    assert_shows(png(colours, gama(100000), icc_profile=wide), RIGHT)
    assert_shows(png(colours, (b"sRGB", b"\0"), gama(100000), WIDE_CHRM), COLOURS, 0.01)
    assert_shows(png(colours, gama(100000), icc_profile=b"nonsense" * 40), shown(COLOURS, gamma=1), notes=1)


def test_gamma_and_primaries_of_png():
    colours = Image.fromarray(COLOURS)
    assert_shows(png(colours, gama(45455)), COLOURS, 0.01)
    assert_shows(png(colours, gama(55556)), shown(COLOURS, gamma=1.8))
    assert_shows(png(Image.fromarray(GREYS), gama(62500)), shown(GREYS, gamma=1.6)[..., None])
    few = colours.quantize(100)
    assert_shows(png(few, gama(55556)), shown(np.asarray(few.convert("RGB")), gamma=1.8))
    assert_shows(png(colours, WIDE_CHRM), RIGHT)
    assert_shows(png(colours, gama(45455), WIDE_CHRM), RIGHT)


@pytest.mark.parametrize("chunks", [[gama(0)], [gama(2**31 - 1)], [(b"cHRM", bytes(32))]])
def test_nonsense_in_png_chunks_changes_nothing(chunks):
    picture = load_picture(png(Image.fromarray(COLOURS), *chunks))
    assert np.array_equal(picture.pixels, COLOURS)


@pytest.mark.parametrize("transfer, white", [(16, 0.5807), (18, 0.75)])
def test_hdr_is_brought_to_the_range_of_a_screen(transfer, white):
    """BT.2408: reference white is at 58 % of PQ and 75 % of HLG."""
    levels = np.rint(np.linspace(0, 255, 64)[None].repeat(2, 0)[..., None].repeat(3, -1)).astype(np.uint8)
    picture = load_picture(png(Image.fromarray(levels), (b"cICP", bytes([9, transfer, 0, 1]))), name="'x.png'")
    row = picture.pixels[0, :, 1].astype(int)
    assert row[0] == 0 and row[-1] == 255 and np.all(np.diff(row) >= 0)
    assert 225 <= np.interp(white * 255, levels[0, :, 0], row) <= 250
    assert picture.notes == ["Check how 'x.png' looks: it is an HDR picture, and its highlights were compressed."]


def test_avif_code_points():
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("this Pillow writes no AVIF")
    data = bytearray(encoded(Image.fromarray(COLOURS), "AVIF", quality=98))
    struct.pack_into(">H", data, data.index(b"colrnclx") + 8, 12)
    assert_shows(bytes(data), RIGHT, 2.5)


def test_adobe_rgb_of_cameras():
    def directory(*entry):
        return struct.pack(">HHHI", 1, *entry[:3]) + entry[3] + bytes(4)

    first, second = struct.pack(">I", 26), struct.pack(">I", 44)  # offsets of the EXIF and interoperability IFDs
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + directory(0x8769, 4, 1, first) + directory(0xA005, 4, 1, second)
    exif += directory(1, 2, 4, b"R03\0")
    options = {"quality": 98, "subsampling": 0, "exif": exif}
    right = shown(COLOURS, ADOBE_TO_SRGB, 563 / 256)
    assert_shows(encoded(Image.fromarray(COLOURS), "JPEG", **options), right, 2)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_shows(encoded(Image.fromarray(COLOURS), "JPEG", icc_profile=srgb, **options), COLOURS, 2)
    assert ADOBE_RGB.primaries[1] == (0.21, 0.71)


def test_pixels_of_another_decoder_get_the_same_colours():
    for image, profile in ((Image.fromarray(COLOURS), p3_profile()), (Image.fromarray(GREYS), grey_profile(1.8))):
        data = encoded(image, "JPEG", quality=95, icc_profile=profile)
        with Image.open(io.BytesIO(data)) as decoded:
            pixels = np.array(decoded.convert("RGB"))
        assert np.array_equal(oriented_srgb(data, pixels), load_picture(data).pixels)
