"""Every picture works, or ends in one sentence that says what to do."""

import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sonic_nodes.errors import InputError
from sonic_nodes.gate.check import check_file
from sonic_nodes.media import files
from sonic_nodes.media.image import MAX_SIDE_PX, read_picture, read_picture_and_alpha
from tests.oracles.system import file_names

# A picture with a corner that tells every turn and mirror: 40 wide, 30 high, red left top, blue right bottom.
SCENE = np.full((30, 40, 3), 128, np.uint8)
SCENE[:10, :10] = 255, 0, 0
SCENE[20:, 30:] = 0, 0, 255


def encoded(image, format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def refusal(source):
    with pytest.raises(InputError) as caught:
        read_picture(source)
    text = str(caught.value)
    assert "\n" not in text and "Traceback" not in text and text.endswith(".")
    return text


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "TGA", "QOI"])
def test_lossless_formats_are_read_exactly(format):
    assert np.array_equal(read_picture(encoded(Image.fromarray(SCENE), format)), SCENE)


@pytest.mark.parametrize(
    "format, options",
    [("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 95}), ("AVIF", {}), ("JPEG2000", {})],
)
def test_lossy_formats_are_read(format, options):
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {format}")
    assert np.abs(read_picture(encoded(Image.fromarray(SCENE), format, **options)).astype(int) - SCENE).mean() < 6


def test_result_is_writable_and_contiguous():
    picture = read_picture(encoded(Image.fromarray(SCENE)))
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous and picture.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns(orientation):
    stored = {
        1: SCENE,
        2: SCENE[:, ::-1],
        3: SCENE[::-1, ::-1],
        4: SCENE[::-1],
        5: SCENE.transpose(1, 0, 2),
        6: np.rot90(SCENE),
        7: SCENE[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(SCENE, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(read_picture(encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)), SCENE)


def test_exif_nonsense_is_ignored():
    assert np.array_equal(read_picture(encoded(Image.fromarray(SCENE), exif=b"Exif\0\0garbage")), SCENE)


def test_palette():
    picture = read_picture(encoded(Image.fromarray(SCENE).quantize(8)))
    assert np.abs(picture.astype(int) - SCENE).max() <= 2


def test_black_and_white_and_grey():
    grey = SCENE[..., 0]
    assert np.array_equal(read_picture(encoded(Image.fromarray(grey))), np.repeat(grey[..., None], 3, 2))
    assert set(np.unique(read_picture(encoded(Image.fromarray(grey).convert("1"))))) == {0, 255}


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_range(format):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    picture = read_picture(encoded(Image.fromarray(ramp), format))
    assert np.abs(picture[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_16_bit_rgb_png():
    rows = b"".join(b"\0" + np.repeat(SCENE[y].astype(">u2") * 257, 1, 0).tobytes() for y in range(30))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 16, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    assert np.abs(read_picture(png).astype(int) - SCENE).max() <= 1


def test_float_tiff():
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (4, 1))
    ramp[0, 7] = np.nan
    picture = read_picture(encoded(Image.fromarray(ramp), "TIFF"))
    assert picture[0, 7, 0] == 0 and np.array_equal(picture[1, :, 0], np.arange(256))


def test_cmyk_jpeg():
    picture = read_picture(encoded(Image.fromarray(SCENE).convert("CMYK"), "JPEG", quality=95, subsampling=0))
    assert picture[2, 2, 0] > 200 and picture[2, 2, 2] < 60 and picture[27, 37, 2] > 200


def test_alpha_is_laid_on_white():
    rgba = np.dstack([SCENE, np.full((30, 40), 255, np.uint8)])
    rgba[:10, :10, 3], rgba[20:, 30:, 3] = 0, 128
    picture, alpha = read_picture_and_alpha(encoded(Image.fromarray(rgba)))
    assert np.all(picture[:10, :10] == 255) and np.array_equal(picture[10:20], SCENE[10:20])
    assert np.abs(picture[25, 35].astype(int) - (127, 127, 255)).max() <= 1
    assert np.array_equal(alpha, rgba[..., 3])


def test_opaque_alpha_is_none_and_changes_nothing():
    picture, alpha = read_picture_and_alpha(
        encoded(Image.fromarray(np.dstack([SCENE, np.full((30, 40), 255, np.uint8)])))
    )
    assert alpha is None and np.array_equal(picture, SCENE)


def test_transparent_palette_entry_and_grey_alpha():
    palette = Image.fromarray(SCENE).quantize(8)
    corner = palette.getpixel((0, 0))
    picture, alpha = read_picture_and_alpha(encoded(palette, transparency=corner))
    assert np.all(picture[:10, :10] == 255) and np.all(alpha[:10, :10] == 0) and alpha[15, 15] == 255
    assert read_picture_and_alpha(encoded(Image.fromarray(SCENE).convert("LA").copy()))[1] is None


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_first_picture_of_an_animation(format):
    others = [Image.new("RGB", (40, 30), "green"), Image.new("RGB", (40, 30), "black")]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(Image.fromarray(SCENE), format, save_all=True, append_images=others, duration=100, **options)
    assert np.abs(read_picture(data).astype(int) - SCENE).max() <= 2


def test_profile_becomes_srgb():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    # a profile of another colour space cannot apply: it is left out
    plain = encoded(Image.fromarray(SCENE), icc_profile=swapped)
    assert np.array_equal(read_picture(plain), SCENE)
    srgb = encoded(
        Image.fromarray(SCENE), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    assert np.array_equal(read_picture(srgb), SCENE)
    assert np.array_equal(read_picture(encoded(Image.fromarray(SCENE), icc_profile=b"nonsense" * 40)), SCENE)


def test_colours_of_a_profile_are_honoured():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    renamed = profile.replace("sRGB".encode("utf-16-be"), "Ours".encode("utf-16-be"))
    # its red is sRGB's blue
    swapped = renamed.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    assert renamed != profile and swapped != renamed
    picture = read_picture(encoded(Image.fromarray(SCENE), icc_profile=swapped))
    assert picture[2, 2, 2] > 200 and picture[2, 2, 0] < 60 and picture[27, 37, 0] > 200


def test_one_pixel():
    assert read_picture(encoded(Image.new("RGB", (1, 1), (1, 2, 3)))).tolist() == [[[1, 2, 3]]]


def png_claiming(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "width, height", [(30000, 30000), (10000, 10000), (MAX_SIDE_PX + 1, 2), (2**31 - 1, 2**31 - 1)]
)
def test_too_large_is_refused_from_the_header(width, height):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = refusal(png_claiming(width, height))
    assert text.startswith("Make the picture smaller")


def test_jpeg_of_900_million_pixels_is_refused_before_decoding():
    data = bytearray(encoded(Image.fromarray(SCENE), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 30000, 30000)
    assert refusal(bytes(data)).startswith("Make the picture smaller")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated(format, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), format)
    assert refusal(data[: int(len(data) * share)]).startswith(("Save the picture again", "Choose a picture"))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    format=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA", "ICO"]),
)
def test_damaged_bytes_never_raise_anything_else(seed, format):
    random = np.random.default_rng(seed)
    data = bytearray(encoded(Image.fromarray(SCENE), format))
    for _ in range(random.integers(1, 12)):
        data[random.integers(0, len(data))] = random.integers(0, 256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow remarks on odd metadata
        try:
            picture = read_picture(bytes(data))
        except InputError as error:
            assert str(error)[0].isupper()
        else:
            assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


def test_what_is_no_picture(tmp_path, sample_dir):
    assert refusal(sample_dir / "speech.wav").startswith("Choose a picture")
    assert refusal(b"").startswith("Choose a picture")
    assert refusal(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n").startswith("Export the page")
    (tmp_path / "empty.png").touch()
    assert "empty" in refusal(tmp_path / "empty.png")
    assert "is a folder" in refusal(tmp_path)
    assert "does not exist" in refusal(tmp_path / "none.png")
    assert "cannot be opened" in refusal("a\0b.png")
    assert "device or pipe" in refusal(os.devnull)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(Image.fromarray(SCENE)))
    path.chmod(0)
    assert refusal(path).startswith("Allow")


@pytest.mark.parametrize(
    "name",
    file_names("a b.png", 'it\'s "quoted".png', "肖像 画.png", "-o.png", "no_ending", "wrong.jpg", "line\nbreak.png"),
)
def test_odd_names(tmp_path, name):
    (tmp_path / name).write_bytes(encoded(Image.fromarray(SCENE)))
    assert np.array_equal(read_picture(tmp_path / name), SCENE)
    (tmp_path / name).write_bytes(b"no picture")
    refusal(tmp_path / name)


def test_several_threads():
    data, found = encoded(Image.fromarray(SCENE)), []
    threads = [
        threading.Thread(target=lambda: found.append(np.array_equal(read_picture(data), SCENE))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 8


def test_reading_asks_for_no_more_memory_than_the_file_has(tmp_path, monkeypatch):
    """Windows counts what is asked for, not what is used: a small paging file would refuse a small picture."""
    path, asked = tmp_path / "a.png", []
    path.write_bytes(encoded(Image.fromarray(SCENE)))
    real = files.open_regular

    class Counted:
        def __init__(self, file):
            self.file = file

        def read(self, count=-1):
            asked.append(count)
            return self.file.read(count)

        fileno, __enter__ = (lambda self: self.file.fileno()), (lambda self: self)

        def __exit__(self, *error):
            self.file.close()

    monkeypatch.setattr(files, "open_regular", lambda name: Counted(real(name)))
    assert np.array_equal(read_picture(path), SCENE)
    assert check_file(path)["verdict"] != "unreadable"
    assert len(asked) >= 2 and all(0 <= count <= path.stat().st_size for count in asked)
