"""Error messages of the networks, probed layers, and properties of single networks."""

import pytest
import torch

from sonic_nodes.models.call import run_network
from tests.models.golden import full_mel, read, relative, weights


@pytest.mark.parametrize(
    "network, inputs, file, numbers, expected",
    [
        (
            "whisper",
            {"mel": torch.zeros(80, 2999)},
            "whisper_tiny_enc",
            [2],
            "Give the spectrum in segments of 3000 columns.*has 2999",
        ),
        (
            "whisper",
            {"mel": torch.zeros(80, 0)},
            "whisper_tiny_enc",
            [2],
            "Give the spectrum in segments of 3000 columns",
        ),
        (
            "whisper",
            {"mel": torch.zeros(1, 80, 3000)},
            "whisper_tiny_enc",
            [2],
            "Give the spectrum in segments of 3000 columns",
        ),
        ("whisper", {"mel": torch.zeros(80, 3000)}, "whisper_tiny_enc", [5], "32 channels do not divide into 5 heads"),
        ("whisper", {"mel": torch.zeros(80, 3000)}, "whisper_tiny_enc", [0], "do not divide into 0 heads"),
        ("whisper", {"mel": torch.zeros(79, 3000)}, "whisper_tiny_enc", [2], r"conv1d on \[1,79,3000\]"),
        (
            "whisper",
            {"mel": torch.zeros(80, 3000)},
            "clip_tiny",
            [2],
            "Use the weight file that belongs to this network",
        ),
        (
            "clip_vision",
            {"pixels": torch.zeros(1, 3, 224, 224)},
            "clip_tiny",
            [2],
            "16 patches of 14 pixels: it is 224 x 224",
        ),
        ("clip_vision", {"pixels": torch.zeros(3, 56, 56)}, "clip_tiny", [2], "Give CLIP an image"),
        (
            "clip_vision",
            {"pixels": torch.zeros(1, 3, 56, 56)},
            "whisper_tiny_enc",
            [2],
            "Use the weight file that belongs",
        ),
        (
            "audio_tokens",
            {"states": torch.zeros(32, 5, 32)},
            "audio_adapters_tiny",
            [9],
            "Ask for at most 8 frames: the audio has 32 rows",
        ),
        (
            "audio_tokens",
            {"states": torch.zeros(32, 5, 32)},
            "audio_adapters_tiny",
            [0],
            "Choose a recording of at least 0.08 seconds",
        ),
        ("audio_tokens", {"states": torch.zeros(0, 5, 32)}, "audio_adapters_tiny", [1], "Choose a recording"),
        ("audio_tokens", {"states": torch.zeros(32, 4, 32)}, "audio_adapters_tiny", [8], r"linear on \[8,1280\]"),
        (
            "motion_bucket",
            {"states": torch.zeros(32, 5, 32), "image": torch.zeros(1, 31)},
            "audio_adapters_tiny",
            [8],
            "takes 1632 values",
        ),
        (
            "motion_bucket",
            {"states": torch.zeros(32, 5, 32), "image": torch.zeros(2, 32)},
            "audio_adapters_tiny",
            [8],
            "takes 1632 values",
        ),
        (
            "vae_encoder",
            {"picture": torch.zeros(1, 3, 64, 60)},
            "vae_tiny_weights",
            [],
            "multiples of 8 pixels: it is 60 x 64",
        ),
        ("vae_encoder", {"picture": torch.zeros(1, 4, 64, 64)}, "vae_tiny_weights", [], "Resize the image"),
        ("vae_encoder", {"picture": torch.zeros(1, 3, 0, 64)}, "vae_tiny_weights", [], "Resize the image"),
        (
            "vae_decoder",
            {"latents": torch.zeros(3, 5, 8, 8)},
            "vae_tiny_weights",
            [],
            "Give latents of 4 channels.*5 channels",
        ),
        ("vae_decoder", {"latents": torch.zeros(0, 4, 8, 8)}, "vae_tiny_weights", [], "Decode 1 to 4096 chunks"),
        ("vae_decoder", {"latents": torch.zeros(3, 4, 8, 8)}, "vae_tiny_weights", [0], "Decode 1 to 4096 chunks"),
        (
            "rife",
            {"before": torch.zeros(1, 3, 64, 60), "after": torch.zeros(1, 3, 64, 60)},
            "rife_ifnet",
            [],
            "they are 60 x 64",
        ),
        (
            "rife",
            {"before": torch.zeros(1, 3, 64, 64), "after": torch.zeros(1, 3, 64, 48)},
            "rife_ifnet",
            [],
            "Give two frames of one size",
        ),
        ("rife", {"before": torch.zeros(1, 3, 64, 64)}, "rife_ifnet", [], "it has no tensor 'after'"),
    ],
)
def test_invalid_inputs_are_reported(network, inputs, file, numbers, expected):
    with pytest.raises(RuntimeError, match=expected):
        run_network(network, inputs, weights(file), numbers)


def test_a_missing_weight_is_named():
    tensors = weights("vae_tiny_weights")
    del tensors["first_stage_model.decoder.up.2.block.1.time_stack.in_layers.2.bias"]
    with pytest.raises(
        RuntimeError, match="it has no tensor 'first_stage_model.decoder.up.2.block.1.time_stack.in_layers.2.bias'"
    ):
        run_network("vae_decoder", {"latents": torch.zeros(2, 4, 4, 4)}, tensors)


def test_layers_can_be_probed():
    golden = read("vae_tiny_io")
    names = [
        "first_stage_model.decoder.mid.attn_1",
        "first_stage_model.decoder.up.0.block.2",
        "first_stage_model.decoder",
    ]
    latents, tensors = {"latents": golden["z"]}, weights("vae_tiny_weights")
    video, middle, last, same = run_network("vae_decoder", latents, tensors, [8], names)
    assert middle.shape == (5, 64, 8, 16) and last.shape == (5, 32, 64, 128) and torch.equal(same, video)
    with pytest.raises(RuntimeError, match="Ask for a layer that the network has: it has no 'decoder.up.9'"):
        run_network("vae_decoder", latents, tensors, [8], ["decoder.up.9"])


def test_first_layer_that_is_not_finite_is_named():
    tensors = weights("vae_tiny_weights")
    inputs = {"latents": read("vae_tiny_io")["z"][:2]}
    (clean,) = run_network("vae_decoder", inputs, tensors, check_finite=True)
    assert clean.isfinite().all()
    tensors["first_stage_model.decoder.up.1.block.1.conv1.weight"][3, 2, 1, 1] = torch.nan
    assert not run_network("vae_decoder", inputs, tensors)[0].isfinite().all()
    with pytest.raises(RuntimeError, match="the output of 'first_stage_model.decoder.up.1.block.1' is not finite"):
        run_network("vae_decoder", inputs, tensors, check_finite=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_network_computes_in_the_type_of_its_weights(dtype):
    golden, limit = read("clip_tiny"), {torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    (embeds,) = run_network("clip_vision", {"pixels": golden["io_pixels"]}, weights("clip_tiny", dtype), [2])
    assert embeds.dtype == dtype and relative(embeds, golden["io_image_embeds"]) < limit
    (states,) = run_network("whisper", {"mel": full_mel()}, weights("whisper_tiny_enc", dtype), [2])
    assert states.dtype == dtype and relative(states[:140, 4], read("whisper_tiny_enc")["io_hidden_4"][0]) < limit


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_rife_warps_in_float32_whatever_its_weights_are(dtype):
    golden = read("rife_ifnet")
    out, flow = run_network(
        "rife", {"before": golden["io_img0"], "after": golden["io_img1"]}, weights("rife_ifnet", dtype), (), ["flow2"]
    )
    assert out.dtype == flow.dtype == torch.float32
    assert relative(out, golden["io_out"]) < 1e-3


def test_rife_on_pairs_at_once_and_between_equal_frames():
    frames = torch.rand(3, 3, 48, 80, generator=torch.Generator().manual_seed(0))
    nets = weights("rife_ifnet")
    (both,) = run_network("rife", {"before": frames[:2], "after": frames[1:]}, nets)
    for i in range(2):
        (alone,) = run_network("rife", {"before": frames[i : i + 1], "after": frames[i + 1 : i + 2]}, nets)
        assert relative(both[i : i + 1], alone) < 1e-5
    assert both.min() >= 0 and both.max() <= 1


def test_windows_at_the_ends_are_zero_padded():
    """Two frames of audio: window rows outside the recording are zeros."""
    states = torch.randn(8, 5, 32, generator=torch.Generator().manual_seed(0))
    tensors = weights("audio_adapters_tiny")
    padded = torch.cat([torch.zeros(4, 5, 32), states, torch.zeros(6, 5, 32)])
    windows = torch.stack([padded[4 * i : 4 * i + 10] for i in range(2)]).flatten(1)
    (tokens,) = run_network("audio_tokens_from_windows", {"windows": windows}, tensors)
    assert torch.equal(run_network("audio_tokens", {"states": states}, tensors, [2])[0], tokens)
    padded = torch.cat([torch.zeros(24, 32), states[:, 4], torch.zeros(26, 32)])
    windows = torch.stack([padded[4 * i : 4 * i + 50] for i in range(2)]).flatten(1)
    image = torch.randn(1, 32, generator=torch.Generator().manual_seed(1))
    (raw,) = run_network("motion_bucket_from_windows", {"windows": windows, "image": image}, tensors)
    assert torch.allclose(
        run_network("motion_bucket", {"states": states, "image": image}, tensors, [2])[0], 16 * raw + 16
    )
