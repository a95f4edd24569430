"""Repair of JPEG artefacts from files and from pixels, and pictures that stay unchanged."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from sonic_nodes.errors import InputError
from sonic_nodes.extension.native import _sonic
from sonic_nodes.gate.repair import repair_picture
from sonic_nodes.media.image import read_picture
from sonic_nodes.progress import progress_callback
from tests.oracles.jpegs import decoded, jpeg

LUMA = np.float32([0.299, 0.587, 0.114])


def psnr(original, picture):
    return 10 * np.log10(255**2 / np.mean((original.astype(np.float64) - picture) ** 2))


def luma_gain(original, plain, repaired):
    return psnr(original @ LUMA, repaired @ LUMA) - psnr(original @ LUMA, plain @ LUMA)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [10, 25, 40, 60, 78])
def test_a_repaired_file_is_nearer_to_the_original(clean, quality, subsampling):
    data = jpeg(clean, quality, subsampling)
    repaired, report = repair_picture(data)
    assert report.repaired
    assert report.quality == quality
    assert luma_gain(clean, decoded(data), repaired) > 0.3
    assert psnr(clean, repaired) > psnr(clean, decoded(data)) + 0.2


def test_a_grey_file(clean):
    grey = np.asarray(Image.fromarray(clean).convert("L"))
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=40)
    repaired, report = repair_picture(stream.getvalue())
    assert report.repaired
    assert np.array_equal(repaired[..., 0], repaired[..., 2])
    assert psnr(grey, repaired[..., 0]) > psnr(grey, decoded(stream.getvalue())[..., 0]) + 0.3


def test_progressive_gives_the_same_picture(clean):
    assert np.array_equal(repair_picture(jpeg(clean, 40))[0], repair_picture(jpeg(clean, 40, progressive=True))[0])


def test_custom_tables(clean):
    data = jpeg(clean, None, qtables=[[24] * 64, [30] * 64])
    repaired, report = repair_picture(data)
    assert report.repaired
    assert luma_gain(clean, decoded(data), repaired) > 0.3


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 23), (33, 16), (250, 97), (131, 260)])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_odd_sizes(clean, width, height, subsampling):
    picture = np.ascontiguousarray(clean[60 : 60 + height, 40 : 40 + width])
    data = jpeg(picture, 30, subsampling)
    repaired, report = repair_picture(data)
    assert report.repaired
    assert repaired.shape == picture.shape
    assert psnr(picture, repaired) > psnr(picture, decoded(data)) - 0.2


@pytest.mark.parametrize(("width", "height"), [(8, 8), (1, 1), (5, 40), (40, 5)])
def test_sizes_too_small_to_be_judged(clean, width, height):
    data = jpeg(np.ascontiguousarray(clean[100 : 100 + height, 100 : 100 + width]), 30)
    rgb = np.empty((height, width, 3), np.uint8)
    _sonic.repair_jpeg(data, rgb)
    assert np.abs(rgb.astype(int) - decoded(data)).mean() < 12
    pixels = rgb.copy()
    steps = np.full((8, 8), 20, np.float32)
    assert _sonic.repair_pixels(pixels, steps, steps, 9)[0] == 0
    assert np.array_equal(pixels, rgb)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("kind", ["bytes", "floats"])
def test_pixels_alone(clean, saved, subsampling, kind):
    plain = saved(40, subsampling=subsampling)
    repaired, report = repair_picture(plain if kind == "bytes" else plain / np.float32(255))
    assert report.repaired
    assert report.quality == 40
    assert repaired.dtype == (np.uint8 if kind == "bytes" else np.float32)
    levels = repaired if kind == "bytes" else repaired * 255
    assert luma_gain(clean, plain, levels) > 0.3
    assert psnr(clean, levels) > psnr(clean, plain) + 0.25


@pytest.mark.parametrize(("top", "left"), [(1, 0), (0, 5), (3, 6), (7, 7)])
def test_pixels_off_the_grid(clean, saved, top, left):
    repaired, report = repair_picture(saved(40)[top:, left:])
    assert report.repaired
    assert luma_gain(clean[top:, left:], saved(40)[top:, left:], repaired) > 0.3


@pytest.mark.parametrize(
    "table", [[24] * 64, [12] * 64, [8 + 3 * (k % 8) + 2 * (k // 8) for k in range(64)]], ids=["24", "12", "rising"]
)
def test_pixels_with_a_custom_table(clean, table):
    plain = decoded(jpeg(clean, None, qtables=[table, [30] * 64]))[2:, 5:]
    repaired, report = repair_picture(plain)
    assert report.repaired
    assert luma_gain(clean[2:, 5:], plain, repaired) > 0.3


def test_pixels_rotated_by_90_degrees(clean, saved):
    repaired, report = repair_picture(np.rot90(saved(40, subsampling=1)))
    assert report.repaired
    assert luma_gain(np.rot90(clean), np.rot90(saved(40, subsampling=1)), repaired) > 0.3


@pytest.mark.parametrize("shift", [(0, 0), (3, 2)])
def test_a_coarser_compression_before_that_of_the_file(clean, saved, shift):
    data = jpeg(np.ascontiguousarray(saved(40)[shift[0] :, shift[1] :]), 92)
    repaired, report = repair_picture(data)
    assert report.repaired
    assert abs(report.quality - 40) <= 1
    assert luma_gain(clean[shift[0] :, shift[1] :], decoded(data), repaired) > 0.3


def test_the_coarsest_of_two_compressions_on_one_grid(clean, saved):
    plain = decoded(jpeg(saved(40), 75))
    repaired, report = repair_picture(plain)
    assert abs(report.quality - 40) <= 2
    assert luma_gain(clean, plain, repaired) > 0.3


@pytest.mark.parametrize(
    "make",
    [
        lambda clean, saved: clean,
        lambda clean, saved: saved(90),
        lambda clean, saved: np.asarray(Image.fromarray(saved(40)).resize((300, 333), Image.Resampling.LANCZOS)),
        lambda clean, saved: np.asarray(Image.fromarray(saved(40)).rotate(2, Image.Resampling.BICUBIC)),
        lambda clean, saved: np.full((64, 64, 3), 90, np.uint8),
        lambda clean, saved: np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8),
    ],
    ids=["clean", "fine", "resized", "rotated", "flat", "noise"],
)
def test_unchanged_pictures(clean, saved, make):
    picture = make(clean, saved)
    repaired, report = repair_picture(picture)
    assert not report.repaired
    assert report.reason.startswith("The picture is left as it is:")
    assert report.score_before == report.score_after
    assert np.array_equal(repaired, picture)


@pytest.mark.parametrize("quality", [82, 90, 100])
def test_files_that_lost_little_are_unchanged(clean, quality):
    data = jpeg(clean, quality)
    repaired, report = repair_picture(data)
    assert not report.repaired
    assert "too little" in report.reason
    assert np.array_equal(repaired, read_picture(data))


def test_unchanged_floats_are_the_same_object(clean):
    picture = clean / np.float32(255)
    assert repair_picture(picture)[0] is picture


def test_a_file_without_chroma_planes(clean):
    data = jpeg(clean, 40, 0, keep_rgb=True)
    repaired, report = repair_picture(data)
    assert report.repaired
    assert psnr(clean, repaired) > psnr(clean, decoded(data)) + 0.3


def test_cmyk_is_declined_with_a_reason(clean):
    stream = io.BytesIO()
    Image.fromarray(clean).convert("CMYK").save(stream, "JPEG", quality=30)
    repaired, report = repair_picture(stream.getvalue())
    assert not report.repaired
    assert "4 components" in report.reason
    assert np.array_equal(repaired, read_picture(stream.getvalue()))


def test_a_damaged_file_is_declined(clean):
    data = bytearray(jpeg(clean, 40))
    data[len(data) // 2 : len(data) // 2 + 300] = b"\0" * 300
    rgb = np.empty(clean.shape, np.uint8)
    with pytest.raises(ValueError, match="damaged|scans"):
        _sonic.repair_jpeg(bytes(data[: len(data) // 2]), rgb)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_exif_orientation_is_applied(clean, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = jpeg(clean, 40, exif=exif)
    repaired, report = repair_picture(data)
    shown = read_picture(data)
    assert report.repaired
    assert repaired.shape == shown.shape
    assert np.abs(repaired.astype(int) - shown).mean() < 6


def test_values_that_are_not_finite_are_refused(clean):
    picture = clean / np.float32(255)
    picture[5, 5] = np.nan
    with pytest.raises(InputError, match="floats from 0 to 1"):
        repair_picture(picture)


def test_the_score_rises_with_what_was_repaired(clean):
    for quality in (40, 60, 75):
        report = repair_picture(jpeg(clean, quality))[1]
        assert report.score_before < report.score_after <= 100
        assert report.verdict["score"] == report.score_after
        reason = next(r for r in report.verdict["reasons"] if r["name"] == "jpeg_history") if quality == 40 else None
        assert not reason or "after its repair" in reason["advice"]


@pytest.mark.parametrize("quality", [25, 55, 75])
def test_the_note_says_about_how_much_was_gained(clean, quality):
    """Where the original is known, the estimate is near the real gain."""
    data = jpeg(clean, quality)
    repaired, report = repair_picture(data)
    luma = [picture @ np.array([0.299, 0.587, 0.114]) for picture in (clean, decoded(data), repaired)]
    gained = 10 * np.log10(np.mean((luma[0] - luma[1]) ** 2) / np.mean((luma[0] - luma[2]) ** 2))
    stated = float(re.search(r"About ([\d.]+) dB nearer to the original \(estimated\)", report.reason)[1])
    assert stated == pytest.approx(gained, abs=0.5)
    assert "still marked because detail is gone for good" in report.reason


def test_a_cancelled_repair_changes_nothing(saved):
    picture = saved(40)
    before = picture.copy()

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress_callback(stop, interval_ms=0):
        repair_picture(picture)
    assert np.array_equal(picture, before)
