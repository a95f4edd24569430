"""Conversion between ComfyUI's values and this package's."""

import itertools

import numpy as np
import pytest
import torch

from sonic_nodes.errors import InputError, ResourceError
from sonic_nodes.nodes import comfy_types


def test_uint8_round_trip_is_exact():
    pictures = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    image = comfy_types.image_from_uint8(pictures)
    assert image.dtype == torch.float32 and float(image.min()) == 0 and float(image.max()) == 1
    assert np.array_equal(comfy_types.uint8_from_image(image), pictures)


def test_values_out_of_range_are_clipped():
    image = torch.tensor([-0.5, 0.5, 1.5]).reshape(1, 1, 1, 3)
    assert comfy_types.uint8_from_image(image).ravel().tolist() == [0, 128, 255]


def test_nan_in_an_image_is_refused():
    with pytest.raises(InputError, match="^Check the node that made the images"):
        comfy_types.uint8_from_image(torch.full((1, 4, 4, 3), float("nan")))


def test_first_image_of_a_batch():
    image = torch.stack([torch.zeros(4, 4, 3), torch.ones(4, 4, 3)])
    picture, notes = comfy_types.first_picture(image)
    assert picture.max() == 0 and notes == ["2 images were given: the first was used."]
    assert comfy_types.first_picture(image[:1])[1] == []


@pytest.mark.parametrize(
    "image", [torch.zeros(4, 4, 3), torch.zeros(1, 4, 4, 1), torch.zeros(0, 4, 4, 3), torch.zeros(1, 0, 4, 3), None]
)
def test_values_that_are_not_an_image_are_refused(image):
    with pytest.raises(InputError, match="^Connect a colour image"):
        comfy_types.first_picture(image)


def test_mask_is_one_minus_opacity():
    alpha = np.array([[255, 0]], np.uint8)
    assert comfy_types.mask_from_alpha(alpha, 1, 2).tolist() == [[[0.0, 1.0]]]
    assert comfy_types.mask_from_alpha(None, 2, 3).shape == (1, 2, 3)


def test_mask_of_another_size_is_refused():
    assert comfy_types.array_from_mask(None, 4, 6) is None
    assert comfy_types.array_from_mask(torch.ones(2, 4, 6), 4, 6).shape == (4, 6)
    with pytest.raises(
        InputError, match="^Paint the mask on the same picture: the mask is 64x64 pixels, the picture 6x4"
    ):
        comfy_types.array_from_mask(torch.zeros(1, 64, 64), 4, 6)


def test_audio_round_trip_is_exact():
    audio = {"waveform": torch.linspace(-1, 1, 3200).reshape(1, 2, 1600), "sample_rate": 16000}
    sound, notes = comfy_types.sound_from_audio(audio)
    back = comfy_types.audio_from_sound(sound)
    assert notes == [] and sound.rate == 16000
    assert back["sample_rate"] == 16000 and torch.equal(back["waveform"], audio["waveform"])


def test_first_recording_of_a_batch():
    sound, notes = comfy_types.sound_from_audio({"waveform": torch.zeros(3, 1, 1600), "sample_rate": 16000})
    assert sound.waveform.shape == (1, 1600) and notes == ["3 recordings were given: the first was used."]


@pytest.mark.parametrize("audio", [None, {}, {"waveform": None, "sample_rate": 16000}, "speech.wav"])
def test_values_that_are_not_audio_are_refused(audio):
    with pytest.raises(InputError, match="^Connect a recording of speech"):
        comfy_types.sound_from_audio(audio)


@pytest.mark.parametrize("sizes", [[8, 8, 1], [3, 5, 1], [1, 1, 1, 1, 1], [9]])
def test_chunks_keep_their_order(sizes):
    total = sum(sizes)
    pictures = np.arange(total, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(6, 2).repeat(3, 3)
    edges = np.cumsum([0] + sizes)
    chunks = [pictures[a:b] for a, b in itertools.pairwise(edges)]
    image = comfy_types.image_from_chunks(chunks, total, 4, 6)
    assert np.array_equal(comfy_types.uint8_from_image(image), pictures)


@pytest.mark.parametrize("made", [7, 9])
def test_a_wrong_number_of_frames_from_an_engine_is_an_error(made):
    with pytest.raises(AssertionError, match=f"{made} frames instead of 8"):
        comfy_types.image_from_chunks([np.zeros((made, 4, 4, 3), np.uint8)], 8, 4, 4)


@pytest.mark.parametrize(("target", "shown"), [(25, 50), (12.5, 25), (30, 60), (5, 10), (120, 240), (24, 48)])
def test_resampling_the_frame_rate_keeps_the_duration(target, shown):
    order = comfy_types.resample_indices(50, 25, target)
    assert len(order) == shown and bool((order[1:] >= order[:-1]).all()) and int(order[0]) <= 2 and int(order[-1]) >= 47
    middle = (torch.arange(shown) + 0.5) / target
    assert float(((order + 0.5) / 25 - middle).abs().max()) <= 0.0201, (
        "a frame is shown more than half a frame from its time"
    )


def test_memory_is_checked_before_the_work():
    comfy_types.require_memory(250, 512, 512, 800_000_000)
    with pytest.raises(
        ResourceError, match="^Shorten the recording or lower min_resolution.*15000 frames of 512x512 need 47.2 GB"
    ):
        comfy_types.require_memory(15000, 512, 512, 8_000_000_000)


def test_even_size():
    assert comfy_types.even_size(513, 512) == (512, 512)
    assert comfy_types.even_size(600, 401) == (600, 400)


def test_chunks_cover_an_image():
    image = torch.rand(comfy_types.CHUNK_FRAMES * 2 + 1, 4, 4, 3)
    pieces = list(comfy_types.uint8_chunks(image))
    assert [len(p) for p in pieces] == [comfy_types.CHUNK_FRAMES, comfy_types.CHUNK_FRAMES, 1]
    assert np.array_equal(np.concatenate(pieces), comfy_types.uint8_from_image(image))


def test_progress_is_reported_per_chunk_and_may_stop_at_once():
    reports = []

    def progress(done, total, picture=None):
        reports.append((done, total, None if picture is None else int(picture.max())))
        if done == 2:
            raise KeyboardInterrupt

    made = []

    def chunks():
        for level in range(5):
            made.append(level)
            yield np.full((1, 2, 2, 3), level, np.uint8)

    with pytest.raises(KeyboardInterrupt):
        list(comfy_types.with_progress(chunks(), 5, progress))
    assert reports == [(0, 5, None), (1, 5, 0), (2, 5, 1)] and made == [0, 1]
