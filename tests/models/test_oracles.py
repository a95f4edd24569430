"""The networks against independent libraries, diffusers and transformers, with random weights and unusual sizes.

The package needs neither; without them these tests are skipped: pip install diffusers transformers
"""

import pytest
import torch

from sonic_nodes.models.call import run_network
from sonic_nodes.weights import shapes
from tests.models.golden import relative
from tests.models.other_names import clip_weights, vae_weights

TOLERANCE = 2e-5
CHANNELS = (32, 64, 64)


def randomised(module, seed):
    """Random values for every parameter, also for initial zeros and ones, scaled to keep activations near 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        spread = 0.1 if parameter.dim() < 2 else 1 / parameter[0].numel() ** 0.5
        noise = torch.randn(parameter.shape, generator=generator) * spread
        parameter.data = noise + 1 if "norm" in name and name.endswith("weight") else noise
    return module.eval()


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def vae():
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed: the autoencoder is not compared")
    blocks = ("DownEncoderBlock2D",) * len(CHANNELS)
    module = diffusers.AutoencoderKLTemporalDecoder(3, 3, blocks, CHANNELS, layers_per_block=2, latent_channels=4)
    return randomised(module, 1)


@torch.inference_mode()
@pytest.mark.parametrize("rows, columns", [(16, 40), (56, 24), (8, 8)])
def test_vae_encoder(vae, rows, columns):
    picture = random(2, 3, rows * 2, columns * 2).clamp(-1, 1)
    weights = vae_weights(vae.state_dict(), len(CHANNELS))
    expected = vae.encode(picture).latent_dist
    mean, log_variance = run_network("vae_encoder", {"picture": picture}, weights)
    assert relative(mean, expected.mean) < TOLERANCE
    assert relative(log_variance, expected.logvar) < TOLERANCE


def test_vae_weights_have_the_names_of_the_tables(vae):
    table = {**shapes.vae_encoder(CHANNELS), **shapes.vae_decoder(CHANNELS), **shapes.quantise()}
    got = vae_weights(vae.state_dict(), len(CHANNELS))
    assert {name.removeprefix("first_stage_model."): tuple(value.shape) for name, value in got.items()} == table


@torch.inference_mode()
@pytest.mark.parametrize("frames, rows, columns", [(3, 5, 9), (8, 6, 4), (26, 3, 3), (1, 7, 2)])
def test_vae_decoder(vae, frames, rows, columns):
    latents = random(frames, 4, rows, columns)
    weights = vae_weights(vae.state_dict(), len(CHANNELS))
    for chunk in (frames, 8):
        parts = [vae.decode(part, num_frames=len(part)).sample for part in latents.split(chunk)]
        (video,) = run_network("vae_decoder", {"latents": latents}, weights, [chunk])
        assert relative(video, torch.cat(parts)) < TOLERANCE


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_vae_in_half_precision_is_no_worse_than_the_library(vae, dtype):
    """Both against the library in float32. What bf16 loses in the autoencoder, it loses everywhere."""
    latents = random(5, 4, 6, 7)
    exact = vae.decode(latents, num_frames=5).sample
    weights = {name: value.to(dtype) for name, value in vae_weights(vae.state_dict(), len(CHANNELS)).items()}
    (ours,) = run_network("vae_decoder", {"latents": latents}, weights)
    state = {name: value.clone() for name, value in vae.state_dict().items()}
    theirs = vae.to(dtype).decode(latents.to(dtype), num_frames=5).sample
    vae.to(torch.float32).load_state_dict(state)
    assert relative(ours, exact) < 1.1 * relative(theirs, exact)
    assert relative(ours, exact) < (1e-2 if dtype == torch.float16 else 5e-2)


@torch.inference_mode()
@pytest.mark.parametrize("names", ["transformers", "open_clip"])
@pytest.mark.parametrize("width, heads, side, batch", [(48, 3, 42, 3), (80, 1, 28, 1)])
def test_clip_vision(width, heads, side, batch, names):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: CLIP is not compared")
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=100,
        num_hidden_layers=3,
        num_attention_heads=heads,
        image_size=side,
        patch_size=14,
        projection_dim=20,
        hidden_act="gelu",
    )
    module = randomised(transformers.CLIPVisionModelWithProjection(config), 2)
    state = {name: value for name, value in module.state_dict().items() if "position_ids" not in name}
    weights = state if names == "transformers" else clip_weights(state)
    pixels = random(batch, 3, side, side)
    (embeds,) = run_network("clip_vision", {"pixels": pixels}, weights, [heads])
    assert relative(embeds, module(pixels).image_embeds) < TOLERANCE


@torch.inference_mode()
@pytest.mark.parametrize("width, heads, positions, layers", [(48, 3, 33, 2), (64, 1, 100, 5)])
def test_whisper(width, heads, positions, layers):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: Whisper is not compared")
    config = transformers.WhisperConfig(
        d_model=width,
        encoder_attention_heads=heads,
        encoder_layers=layers,
        encoder_ffn_dim=70,
        max_source_positions=positions,
        decoder_layers=1,
        decoder_attention_heads=1,
        decoder_ffn_dim=8,
        vocab_size=60,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )
    module = randomised(transformers.WhisperModel(config).encoder, 3)
    mel = random(80, 4 * positions)
    (states,) = run_network(
        "whisper", {"mel": mel}, {f"encoder.{name}": value for name, value in module.state_dict().items()}, [heads]
    )
    for i in range(2):
        segment = mel[None, :, 2 * positions * i : 2 * positions * (i + 1)]
        expected = module(segment, output_hidden_states=True).hidden_states
        assert len(expected) == states.shape[1] == layers + 1
        for k, state in enumerate(expected):
            assert relative(states[positions * i : positions * (i + 1), k], state[0]) < TOLERANCE
