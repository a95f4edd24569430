"""Each network against the tensors that the reference implementation recorded (tests/golden/README.md gives the
tolerances)."""

import pytest
import torch

from sonic_nodes.models.call import METER, run_network
from tests.models.golden import full_mel, read, relative, weights


def test_whisper():
    golden = read("whisper_tiny_enc")
    (states,) = run_network("whisper", {"mel": full_mel()}, weights("whisper_tiny_enc"), [2])
    assert states.shape == (1500, 5, 32)
    for i in range(5):
        assert relative(states[:140, i], golden[f"io_hidden_{i}"][0]) < 1e-4
    assert relative(states[-20:, 4], golden["io_hidden_last_tail"][0]) < 1e-4


def test_whisper_pieces_do_not_see_one_another():
    mel = torch.cat([full_mel(), full_mel().roll(100, 1)], 1)
    nets = weights("whisper_tiny_enc")
    (both,) = run_network("whisper", {"mel": mel}, nets, [2])
    for i in range(2):
        (alone,) = run_network("whisper", {"mel": mel[:, 3000 * i : 3000 * (i + 1)]}, nets, [2])
        assert torch.equal(both[1500 * i : 1500 * (i + 1)], alone)


def test_clip_vision():
    golden = read("clip_tiny")
    inputs = {"pixels": golden["io_pixels"]}
    embeds, first, last = run_network("clip_vision", inputs, weights("clip_tiny"), [2], ["hidden_0", "hidden_last"])
    assert relative(embeds, golden["io_image_embeds"]) < 1e-5
    assert relative(first, golden["io_hidden_0"]) < 1e-5
    assert relative(last, golden["io_hidden_last"]) < 1e-5


def test_audio_tokens_and_windows():
    """The windows are built in C from Whisper's states; the golden ones come from the reference's own host code."""
    golden, pipeline = read("audio_adapters_tiny"), read("pipeline_2window")
    (mel_states,) = run_network("whisper", {"mel": full_mel()}, weights("whisper_tiny_enc"), [2])
    tokens, silence = run_network("audio_tokens", {"states": mel_states[:32]}, weights("audio_adapters_tiny"), [8])
    assert relative(tokens, pipeline["audio_tokens"]) < 1e-4
    assert relative(silence, golden["io_token_uncond"][0, 0]) < 1e-5
    assert relative(silence, pipeline["audio_tokens_uncond"]) < 1e-5


def test_motion_bucket():
    pipeline = read("pipeline_2window")
    (states,) = run_network("whisper", {"mel": full_mel()}, weights("whisper_tiny_enc"), [2])
    inputs = {"states": states[:32], "image": pipeline["image_embeds"]}
    (ids,) = run_network("motion_bucket", inputs, weights("audio_adapters_tiny"), [8])
    assert (ids - pipeline["bucket_scaled"]).abs().max() < 1e-3


@pytest.mark.parametrize(
    "conditioner", [False, True], ids=["quantising convolution folded", "separate quantising convolution"]
)
def test_vae_encoder(conditioner):
    golden, vae = read("vae_tiny_io"), weights("vae_tiny_weights")
    if conditioner:
        prefix, own = "first_stage_model.encoder.", "conditioner.embedders.3.encoder.encoder."
        vae = {own + k.removeprefix(prefix): v for k, v in vae.items() if k.startswith(prefix)} | {
            k: v for k, v in vae.items() if k.startswith("conditioner.")
        }
    mean, log_variance = run_network("vae_encoder", {"picture": golden["image"]}, vae, [int(conditioner)])
    assert relative(mean, golden["enc_mean"]) < 2e-5
    assert relative(log_variance, golden["enc_logvar"]) < 2e-5


@pytest.mark.parametrize("name, frames, chunk", [("dec_5", 5, 8), ("dec_3plus2", 5, 3), ("dec_1_first", 1, 8)])
def test_vae_decoder(name, frames, chunk):
    golden = read("vae_tiny_io")
    (video,) = run_network("vae_decoder", {"latents": golden["z"][:frames]}, weights("vae_tiny_weights"), [chunk])
    assert relative(video, golden[name]) < 2e-5


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("frames", [1, 5])
def test_vae_decoder_in_parts(frames, channels_last):
    """As for large videos: spatial layers frame by frame, temporal layers in parts of channels and positions."""
    latents, tensors = {"latents": read("vae_tiny_io")["z"][:frames]}, weights("vae_tiny_weights")
    if channels_last:
        tensors = {
            name: w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w for name, w in tensors.items()
        }
    whole, cost = run_network("vae_decoder", latents, tensors, [8], meter=True)
    for part in (1, 3000, 100_000):
        video, cost_in_parts = run_network("vae_decoder", latents, tensors, [8, part], meter=True)
        assert relative(video, whole) < 3e-6  # 2.03e-6 with the MKL of Windows' PyTorch
        assert frames == 1 or cost_in_parts[METER.index("peak_bytes")] < cost[METER.index("peak_bytes")]


def test_rife():
    golden = read("rife_ifnet")
    probes = ["flow0", "flow1", "flow2", "merged0", "merged1", "mask"]
    out, *layers = run_network(
        "rife", {"before": golden["io_img0"], "after": golden["io_img1"]}, weights("rife_ifnet"), (), probes
    )
    for name, layer in zip(probes, layers, strict=True):
        assert (layer - golden[f"io_{name}"]).abs().max() < (1e-3 if "flow" in name else 1e-4), name
    assert (out - golden["io_out"]).abs().max() < 1e-4
