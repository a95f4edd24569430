"""Each stage of the Sonic engine against what the reference implementation recorded (tests/golden/README.md)."""

import numpy as np
import pytest
import torch

from sonic_nodes.engines.clip_spec import ClipSpec
from sonic_nodes.face import resize
from sonic_nodes.models import picture, speech, video
from tests.models.golden import read, relative, weights

HEADS = 2


@pytest.fixture(scope="module")
def pipeline():
    return read("pipeline_2window")


def test_clip_gets_the_squashed_picture():
    """The recorded pixels are of picture B after its resize. Releases of Pillow differ: 12.3 in one pixel of a
    thousand."""
    golden = read("preprocess")
    image = golden["B_ref_img_u8_chw"].permute(1, 2, 0).to(torch.uint8).numpy()
    got, expected = picture.clip_pixels(image, 224), golden["B_clip_pixels"].reshape(1, 3, 224, 224)
    level = 1 / 255 / min(picture.CLIP_STD)
    off = (got - expected).abs()
    assert off.max() < 12 * level and (off > 1.01 * level).float().mean() < 2e-3


def test_lanczos_is_pillows():
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    levels = picture.clip_pixels(image, 56)[0].permute(1, 2, 0) * torch.tensor(picture.CLIP_STD) + torch.tensor(
        picture.CLIP_MEAN
    )
    assert np.array_equal((levels * 255).round().byte().numpy(), resize(image, (56, 56, 3)))


def test_the_side_of_clips_square():
    assert picture.clip_side({"patch": 14, "tokens": 257}) == 224
    assert picture.clip_side({"patch": 14, "tokens": 17}) == 56


def test_embedding_and_mean(pipeline):
    embedding = picture.image_embedding(pipeline["clip_pixels"][None], weights("clip_tiny"), HEADS)
    assert relative(embedding, pipeline["image_embeds"]) < 1e-5
    mean = picture.vae_mean(pipeline["ref_img"][None], weights("vae_tiny_weights"))
    assert relative(mean, pipeline["vae_mean"]) < 2e-5


def test_pixels_for_the_autoencoder():
    image = np.array([[[0, 255, 51]]], np.uint8)
    assert torch.allclose(picture.vae_pixels(image).flatten(), torch.tensor([-1.0, 1.0, -0.6]))


@pytest.mark.parametrize("name, pictures", [("pipeline_2window", 16), ("pipeline_shortclip", 17)])
def test_tokens_and_motion_numbers(name, pictures):
    golden, adapters = read(name), weights("audio_adapters_tiny")
    audio = read("audio_mel")["mono_16k"].numpy()
    states = speech.States(audio, 2 * pictures, weights("whisper_tiny_enc"), HEADS)
    got = speech.speech_tokens(states, golden["image_embeds"], 8, adapters, adapters)
    assert relative(got.tokens, golden["audio_tokens"]) < 1e-4
    assert relative(got.silence, read("pipeline_2window")["audio_tokens_uncond"]) < 1e-5
    assert (got.buckets - golden["bucket_scaled"]).abs().max() < 1e-3


def test_pieces_and_blocks_change_nothing():
    """65 s: three pieces of sound, three blocks of frames; each frame has the tokens of its own windows."""
    generator = torch.Generator().manual_seed(1)
    audio = torch.randn(65 * 16000, generator=generator).numpy() * 0.1
    small, adapters = weights("whisper_tiny_enc"), weights("audio_adapters_tiny")
    states = speech.States(audio, speech.state_rows(len(audio)), small, HEADS)
    whole = states.between(0, states.rows)
    assert len(whole) == 3250 and len(states.segments) == 3
    again = speech.States(audio, states.rows, small, HEADS)
    got = speech.speech_tokens(again, torch.zeros(1, 32), 813, adapters, adapters)
    padded = torch.nn.functional.pad(whole, (0, 0, 0, 0, 24, 30))
    for i in (0, 1, 374, 375, 380, 749, 750, 812):
        windows = padded[20 + 4 * i : 30 + 4 * i].reshape(1, -1)
        token = speech.run_checked("audio_tokens_from_windows", {"windows": windows}, adapters)
        assert relative(got.tokens[i : i + 1], token) < 1e-5, i
        wide = padded[4 * i : 4 * i + 50, -1:].reshape(1, -1)
        raw = speech.run_checked("motion_bucket_from_windows", {"windows": wide, "image": torch.zeros(1, 32)}, adapters)
        assert relative(got.buckets[i : i + 1], 16 * raw + 16) < 1e-5, i


def test_states_of_few_pieces_are_held():
    audio = np.zeros(5 * speech.SEGMENT_SAMPLES, np.float32)
    calls = []
    states = speech.States(audio, 7500, weights("whisper_tiny_enc"), HEADS, lambda: calls.append(1))
    for start in range(0, 7500, 1500):
        states.between(start - 24, start + 1526)
        assert len(states.segments) <= 3
    assert len(calls) == 5


def test_states_outside_the_sound_are_zero():
    states = speech.States(np.ones(1600, np.float32), 4, weights("whisper_tiny_enc"), HEADS)
    inside = states.between(0, 4)
    assert inside.any(2).all()
    around = states.between(-3, 9)
    assert not around[:3].any() and not around[7:].any() and torch.equal(around[3:7], inside)
    assert not states.between(10, 14).any() and not states.between(-9, -4).any()


def test_tokens_of_sound_shorter_than_a_frame():
    adapters = weights("audio_adapters_tiny")
    states = speech.States(np.full(100, 0.1, np.float32), 0, weights("whisper_tiny_enc"), HEADS)
    got = speech.speech_tokens(states, torch.zeros(1, 32), 1, adapters, adapters)
    assert relative(got.tokens[0], got.silence) < 1e-6


def test_frames(pipeline):
    latents, small = pipeline["latents_final"][0] / 0.18215, weights("vae_tiny_weights")
    frames = torch.cat(list(video.decode_chunks(latents, lambda part: video.decode_chunk(part, small), chunk=3)))
    assert (frames - pipeline["video01"][0].transpose(0, 1)).abs().max() < 1e-4


def test_frames_between_also_across_chunks():
    net, generator = weights("rife_ifnet"), torch.Generator().manual_seed(2)
    frames = torch.rand(5, 3, 64, 64, generator=generator)
    out = torch.cat(list(video.interpolate(frames.split(2), lambda a, b: video.between(a, b, net))))
    assert len(out) == 9 and torch.equal(out[::2], frames)
    for i in range(4):
        assert torch.equal(out[2 * i + 1 : 2 * i + 2], video.between(frames[i : i + 1], frames[i + 1 : i + 2], net))
    golden = read("rife_ifnet")
    assert (video.between(golden["io_img0"], golden["io_img1"], net) - golden["io_out"]).abs().max() < 1e-4


def test_pictures_are_cut_to_the_count_and_rounded():
    def endless():
        yield torch.full((3, 3, 2, 4), 0.5)
        yield torch.full((3, 3, 2, 4), 1.0)
        raise AssertionError("more was decoded than is shown")

    got = list(video.uint8_frames(endless(), 4))
    assert [len(chunk) for chunk in got] == [3, 1] and got[0].shape == (3, 2, 4, 3) and got[0].dtype == np.uint8
    assert (got[0] == 128).all() and (got[1] == 255).all()


def clip_of(samples, frames, length="exact"):
    shape = (64, 64)
    return ClipSpec.of(
        {
            "audio": np.zeros(samples, np.float32),
            "frames": frames,
            "image": np.zeros((*shape, 3), np.uint8),
            "mask": np.ones(shape, np.float32),
        },
        length,
    )


def test_lengths():
    exact = clip_of(16 * 640 + 300, 16)
    assert (exact.frames, exact.latents, exact.speech_rows) == (16, 9, 32)
    upstream = clip_of(17 * 640, 17, "upstream")
    assert (upstream.frames, upstream.latents, upstream.speech_rows) == (15, 8, 34)
