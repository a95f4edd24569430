"""Crop, size and mask equal those of the model's own preparation; pasting changes nothing outside the square."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from sonic_nodes import face
from sonic_nodes.errors import InputError


@pytest.fixture(scope="module")
def golden(golden_dir):
    return load_file(golden_dir / "preprocess.safetensors")


def test_crop_squares_equal_golden(golden):
    for (x0, y0, x1, y1, ratio, height, width), expected in zip(
        golden["bbox_cases_x1y1x2y2_ratio_h_w"], golden["bbox_out_x1y1x2y2"], strict=True
    ):
        assert face.crop_square((int(height), int(width), 3), (x0, y0, x1, y1), ratio) == tuple(expected)


@pytest.mark.parametrize("case", "ABC")
def test_resize_and_mask_equal_golden(golden, case):
    picture, (x, y, width, height) = golden[f"{case}_image_u8_hwc"], golden[f"{case}_bbox_xywh"]
    shape = face.prepared_size(picture.shape, 128)
    expected = golden[f"{case}_ref_img_u8_chw"].transpose(1, 2, 0)
    assert shape == expected.shape[:2]
    assert np.abs(face.resize(picture, shape).astype(int) - expected).max() <= 1
    mask = face.soft_mask(
        picture.shape, (x, y, x + width, y + height), (0, 0, picture.shape[1], picture.shape[0]), shape
    )
    assert mask.dtype == np.float32
    assert np.abs(mask * 255 - golden[f"{case}_face_mask_u8_hw"]).max() <= 1.001


def test_mask_follows_the_crop():
    mask = face.soft_mask((100, 100, 3), (40, 40, 60, 60), (20, 30, 84, 94), (64, 64))
    rows, columns = np.nonzero(mask > 0.5)
    assert (columns.min() + 20, rows.min() + 30, columns.max() + 21, rows.max() + 31) == (39, 39, 61, 61)


BOX = st.tuples(*[st.floats(-50, 700) for _ in range(4)])


@settings(max_examples=200, deadline=None)
@given(box=BOX, ratio=st.floats(0, 4), width=st.integers(1, 600), height=st.integers(1, 600))
def test_crop_is_a_square_inside_the_picture(box, ratio, width, height):
    try:
        x0, y0, x1, y1 = face.crop_square((height, width), box, ratio)
    except InputError:
        assert not (
            box[0] < box[2]
            and box[1] < box[3]
            and box[0] < width
            and box[1] < height
            and box[2] > 1
            and box[3] > 1
            and min(box[2], width) - max(box[0], 0) > 1
            and min(box[3], height) - max(box[1], 0) > 1
        )
        return
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert abs((x1 - x0) - (y1 - y0)) <= 1


@settings(max_examples=300, deadline=None)
@given(
    width=st.integers(40, 3000),
    height=st.integers(40, 3000),
    middle=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    share=st.floats(0.02, 0.9),
    resolution=st.integers(2, 32),
)
def test_wide_crop_is_the_widest_whose_face_is_large_enough(width, height, middle, share, resolution):
    resolution, side = 64 * resolution, max(8, share * min(width, height))
    x0, y0 = middle[0] * (width - side), middle[1] * (height - side)
    box = (x0, y0, x0 + side, y0 + side)
    crop = face.crop_wide((height, width), box, 0.18, resolution)
    x, y = crop[2] - crop[0], crop[3] - crop[1]
    assert 0 <= crop[0] < crop[2] <= width and 0 <= crop[1] < crop[3] <= height
    assert crop[0] <= x0 + 0.5 and crop[1] <= y0 + 0.5 and crop[2] >= x0 + side - 0.5 and crop[3] >= y0 + side - 0.5
    assert max(x, y) <= 4 * min(x, y) + 1
    prepared = face.prepared_size((y, x), resolution)
    shown = side * min(prepared) / min(x, y)
    square = face.crop_square((height, width), box, 0.18)
    assert shown >= face.WIDE_FACE_PX - 1e-6 or min(x, y) <= max(square[2] - square[0], square[3] - square[1], side) + 1
    if (x, y) != (width, height):
        one_wider = side * min(prepared) / (min(x, y) + 1)
        is_full = min(x, y) == min(width, height)
        assert one_wider <= face.WIDE_FACE_PX + 1e-6 or is_full and max(width, height) > 4 * min(width, height)
        assert abs(x * prepared[0] - y * prepared[1]) <= 1.01 * max(prepared), "no proportions are changed"


@pytest.mark.parametrize(
    ("shape", "box", "crop"),
    [
        ((2000, 3000), (1400, 900, 1500, 1030), (1150, 765, 1750, 1165)),
        ((4000, 200), (50, 300, 150, 430), (0, 0, 200, 800)),
        ((200, 4000), (3850, 30, 3950, 160), (3200, 0, 4000, 200)),
        ((600, 512), (150, 100, 350, 360), (0, 0, 512, 600)),
    ],
)
def test_wide_crops_by_hand(shape, box, crop):
    """A face 100 pixels wide has 128 where 400 pixels become 512; strips are cut to 4 to 1."""
    assert face.crop_wide(shape, box, 0.18, 512) == crop


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (float("nan"), 0, 5, 5), (900, 0, 950, 50), (0, 0, float("inf"), 4)])
def test_wide_crops_of_impossible_boxes_are_refused(box):
    with pytest.raises(InputError, match="^Give"):
        face.crop_wide((480, 640), box, 0.2, 512)
    with pytest.raises(InputError, match="^Choose a min_resolution"):
        face.crop_wide((480, 640), (10, 10, 50, 50), 0.2, 1 << 20)


@pytest.mark.parametrize(
    "size, resolution, text",
    [
        ((4000, 10), 512, "less elongated"),
        ((100, 100), 32, "min_resolution from 64"),
        ((0, 100), 512, "that has pixels"),
    ],
)
def test_impossible_sizes_are_refused(size, resolution, text):
    with pytest.raises(InputError, match=text):
        face.prepared_size(size, resolution)


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (float("nan"), 0, 5, 5), (900, 0, 950, 50), (0, 0, float("inf"), 4)])
def test_impossible_boxes_are_refused(box):
    with pytest.raises(InputError, match="^Give"):
        face.crop_square((480, 640), box, 0.2)


@pytest.fixture(scope="module")
def scene():
    random = np.random.default_rng(1)
    return random.integers(0, 256, (90, 120, 3), np.uint8), random.integers(0, 256, (3, 64, 64, 3), np.uint8)


CROPS = [
    (20, 10, 84, 74),
    (-20, 30, 44, 94),
    (60, -5, 140, 75),
    (0, 0, 120, 90),
    (-10, -10, 130, 100),
    (119, 89, 183, 153),
]


@pytest.mark.parametrize("feather", [0, 0.1, 0.5])
@pytest.mark.parametrize("crop", CROPS)
def test_paste_keeps_the_outside(scene, crop, feather):
    source, frames = scene
    out = face.paste_back(frames, source, crop, feather)
    rows, columns = np.mgrid[:90, :120]
    outside = (columns < crop[0]) | (columns >= crop[2]) | (rows < crop[1]) | (rows >= crop[3])
    assert np.array_equal(out[:, outside], np.broadcast_to(source[outside], (3, outside.sum(), 3)))


def test_paste_without_feather_is_the_frame(scene):
    source, frames = scene
    assert np.array_equal(face.paste_back(frames, source, (20, 10, 84, 74), 0)[:, 10:74, 20:84], frames)


def test_paste_fades_monotonically_from_source_to_frame():
    source, frames = np.zeros((100, 100, 3), np.uint8), np.full((1, 80, 80, 3), 200, np.uint8)
    row = face.paste_back(frames, source, (10, 10, 90, 90), 0.2)[0, 50, :, 0].astype(int)
    assert row[9] == 0 and row[10] < 10 and np.all(np.diff(row[9:50]) >= 0)
    assert np.all(row[26:74] == 200) and np.array_equal(row[10:90], row[10:90][::-1])


def test_paste_does_not_fade_at_the_border_of_the_picture():
    source, frames = np.zeros((50, 50, 3), np.uint8), np.full((1, 50, 50, 3), 200, np.uint8)
    assert np.all(face.paste_back(frames, source, (0, 0, 50, 50), 0.5) == 200)


def test_paste_scales_the_frame_to_the_crop():
    source = np.zeros((300, 300, 3), np.uint8)
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 1, 3))[None]
    large = face.paste_back(ramp, source, (22, 22, 278, 278), 0)[0, 150, 22:278, 0].astype(int)
    assert np.abs(large - np.linspace(0, 255, 256)).max() < 6
    small = face.paste_back(ramp, source, (22, 22, 38, 38), 0)[0, 30, 22:38, 0].astype(int)
    assert np.abs(small - np.linspace(0, 255, 16)).max() < 10


@pytest.mark.parametrize(
    "crop, feather, text",
    [
        ((0, 0, 0, 5), 0.1, "crop of 1 to"),
        ((200, 0, 250, 50), 0.1, "touches the picture"),
        ((0, 0, 40000, 40000), 0.1, "crop of 1 to"),
        ((0, 0, 50, 50), 0.6, "feather"),
        ((0, 0, 50, 50), float("nan"), "feather"),
    ],
)
def test_impossible_pastes_are_refused(scene, crop, feather, text):
    with pytest.raises(InputError, match=text):
        face.paste_back(scene[1], scene[0], crop, feather)


def test_paste_refuses_arrays_that_do_not_fit(scene):
    with pytest.raises(InputError):
        face.paste_back(scene[1][:0], scene[0], (0, 0, 50, 50))
    with pytest.raises(InputError):
        face.paste_back(scene[1][..., :2], scene[0], (0, 0, 50, 50))


def test_paste_onto_a_still_picture_is_paste_back(scene):
    source, frames = scene
    for crop in CROPS:
        below = np.broadcast_to(source, (3, *source.shape))
        assert np.array_equal(face.paste_onto(frames, below, crop, 0.2), face.paste_back(frames, source, crop, 0.2))


def test_paste_onto_keeps_what_is_around_in_each_picture(scene):
    below = np.random.default_rng(2).integers(0, 256, (3, 90, 120, 3), np.uint8)
    kept = below.copy()
    out = face.paste_onto(scene[1], below, (20, 10, 84, 74), 0)
    assert np.array_equal(below, kept) and np.array_equal(out[:, 10:74, 20:84], scene[1])
    out[:, 10:74, 20:84] = below[:, 10:74, 20:84]
    assert np.array_equal(out, below)


def test_paste_onto_refuses_arrays_that_do_not_fit(scene):
    source, frames = scene
    for below in (source[None], np.zeros((3, 0, 5, 3), np.uint8), np.zeros((3, 90, 120, 4), np.uint8)):
        with pytest.raises(InputError):
            face.paste_onto(frames, below, (20, 10, 84, 74))
