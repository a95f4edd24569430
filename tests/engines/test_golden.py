"""The recorded clips, from sound and picture to frames, through the engine's stages (tests/golden/README.md).

The files hold the networks' input pixels and the drawn noise; test_stages.py tests how those are made.
"""

import dataclasses

import numpy as np
import pytest
import torch

from sonic_nodes.engines.clip_spec import ClipSpec
from sonic_nodes.engines.stages import conditions_of, noise_of
from sonic_nodes.models import picture, speech, video
from sonic_nodes.models.sampler import Settings, sample
from sonic_nodes.models.unet import UNet
from tests.models.golden import read, relative, weights

SEED = 72589
CLIPS = {
    "pipeline_2window": (16, Settings(steps=3, window=5, shift=2)),
    "pipeline_shortclip": (17, Settings(steps=2, window=9, shift=2, dynamic_scale=1.5)),
}


def clip_of(golden, pictures: int) -> ClipSpec:
    """A recording of `pictures` frames at the reference's length. Of the image only the size counts."""
    rows, columns = golden["ref_img"].shape[1:]
    data = {
        "audio": np.zeros(640 * pictures, np.float32),
        "frames": pictures,
        "image": np.zeros((rows, columns, 3), np.uint8),
        "mask": golden["face_mask"].float().numpy(),
    }
    return ClipSpec.of(data, "upstream")


@pytest.fixture(scope="module", params=CLIPS)
def made(request):
    """(golden, clip, latents of our stages)."""
    golden, (pictures, settings) = read(request.param), CLIPS[request.param]
    clip, adapters = clip_of(golden, pictures), weights("audio_adapters_tiny")
    embedding = picture.image_embedding(golden["clip_pixels"][None], weights("clip_tiny"), 2)
    mean = picture.vae_mean(golden["ref_img"][None], weights("vae_tiny_weights"))
    states = speech.States(read("audio_mel")["mono_16k"].numpy(), clip.speech_rows, weights("whisper_tiny_enc"), 2)
    tokens = speech.speech_tokens(states, embedding, clip.latents, adapters, adapters)
    net = UNet(weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b"), 32)
    conditions = conditions_of(clip, embedding, mean, tokens, 1.0)
    net.prepare(dataclasses.replace(conditions, window=settings.window))
    (latents,) = sample(net, noise_of(clip, SEED), mean, tokens.buckets, settings, 1)
    return golden, clip, latents


def test_length_and_noise_of_the_seed(made):
    golden, clip, _ = made
    assert clip.latents == 8 and clip.frames == 15
    noise = noise_of(clip, SEED)
    assert relative(noise, golden["noise_latents"][0]) < 1e-6


def test_final_latents(made):
    golden, _, latents = made
    assert relative(0.18215 * latents, golden["latents_final"][0]) < 1e-4


@pytest.mark.parametrize("made", ["pipeline_2window"], indirect=True)
def test_frames(made):
    """The other clip's frames were not recorded."""
    golden, _, latents = made
    small = weights("vae_tiny_weights")
    frames = torch.cat(list(video.decode_chunks(latents, lambda part: video.decode_chunk(part, small), chunk=3)))
    assert (frames - golden["video01"][0].transpose(0, 1)).abs().max() < 1e-3
