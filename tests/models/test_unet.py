"""The UNet against tensors recorded from the published code, and with and without each exact optimisation."""

import pytest
import torch

from sonic_nodes.models import unet as model
from tests.models.golden import read, relative, weights

HEAD_DIM, FRAMES, ROWS, COLUMNS, TOKENS, CONTEXT = 32, 5, 8, 16, 8, 32


@pytest.fixture(scope="module")
def golden():
    return read("unet_tiny_io")


@pytest.fixture(scope="module")
def tiny_weights():
    return weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b")


def conditions(golden, **changes):
    image, audio = (
        golden["image_embeds"].view(3, FRAMES, 1, CONTEXT),
        golden["audio_tokens"].view(3, FRAMES, TOKENS, CONTEXT),
    )
    arguments = {
        "image": image,
        "audio": audio,
        "face_mask": golden["face_mask"],
        "rows": ROWS,
        "columns": COLUMNS,
        "window": FRAMES,
    }
    return model.Conditions(**{**arguments, **changes})


def prepared(tiny_weights, conditions):
    net = model.UNet(tiny_weights, HEAD_DIM)
    net.prepare(conditions)
    return net


def step(net, golden, sample=None, frames=range(FRAMES), **options):
    sample = golden["sample"] if sample is None else sample
    return net.step(sample, golden["timestep"].item(), golden["added_time_ids"][0].tolist(), list(frames), **options)


@pytest.fixture(scope="module")
def net(tiny_weights, golden):
    return prepared(tiny_weights, conditions(golden))


@pytest.fixture(scope="module")
def plain(net, golden):
    return step(net, golden)[0]


def random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


# Against the published model


def test_output(plain, golden):
    assert plain.dtype == torch.float32
    assert relative(plain, golden["out"]) < 2e-5
    assert relative(plain, golden["out_fp64"].float()) < 2e-5


def test_output_without_audio_and_mask(tiny_weights, golden):
    silent = conditions(golden, audio=[torch.zeros(1, TOKENS, CONTEXT)] * 3, face_mask=torch.zeros(64, 128))
    net = prepared(tiny_weights, silent)
    assert not net.constants["rectangles"].any()
    assert relative(step(net, golden)[0], golden["out_audio_zero_mask_zero"]) < 2e-5


def recorded_part(out, expected):
    """The recorded rows of a layer: those of the last branch. The embedding is the same for every branch."""
    return out.expand(expected.shape) if len(out) == 1 and len(expected) == 3 else out[-len(expected) :]


def test_every_layer(tiny_weights, golden):
    layers = [name.removeprefix("act.") for name in golden if name.startswith("act.")]
    once = [name for name in layers if name.endswith("time_pos_embed")]
    each = [name for name in layers if name not in once]
    net = model.UNet(tiny_weights, HEAD_DIM)
    outputs = dict(
        zip(once + each, net.prepare(conditions(golden), once) + step(net, golden, probes=each)[1:], strict=True)
    )
    errors = {
        name: relative(recorded_part(out, golden["act." + name]), golden["act." + name])
        for name, out in outputs.items()
    }
    assert len(errors) == 26
    assert max(errors.values()) < 1e-5, errors


def split_masks(net):
    sizes = [(ROWS >> level) * (COLUMNS >> level) for level in range(4)]
    return net.constants["masks"].split(sizes)


def test_masks(net, golden):
    for level, mask in enumerate(split_masks(net)):
        expected = golden[f"mask_down_{ROWS >> level}x{COLUMNS >> level}"][0]
        assert (mask - expected).abs().max() < 1e-5


def test_masks_of_a_rectangle(tiny_weights, golden):
    y0, y1, x0, x1 = golden["maskB_rect_y0y1x0x1"].tolist()
    mask = torch.zeros(512, 768)
    mask[y0:y1, x0:x1] = 1
    net = prepared(tiny_weights, conditions(golden, face_mask=mask, rows=64, columns=96))
    sizes = [(64 >> level, 96 >> level) for level in range(4)]
    for level, mask in enumerate(net.constants["masks"].split([rows * columns for rows, columns in sizes])):
        rows, columns = sizes[level]
        expected = golden[f"maskB_down_{rows}x{columns}"][0]
        assert (mask - expected).abs().max() < 1e-5
        top, height, left, width = net.constants["rectangles"][level].tolist()
        inside = torch.zeros(rows, columns, dtype=torch.bool)
        inside[top : top + height, left : left + width] = True
        assert not expected.view(rows, columns)[~inside].any()
        assert expected.view(rows, columns)[top].any() and expected.view(rows, columns)[:, left].any()


# Exact optimisations: with and without

EXACT = 2e-6


def test_folding_queries_and_outputs(net, golden, plain):
    (got,) = step(net, golden, disabled=model.UNFOLDED)
    assert 0 < relative(got, plain) < EXACT


def test_audio_attention_only_in_the_rectangle(net, golden, plain):
    top, height, left, width = net.constants["rectangles"][0].tolist()
    assert 0 < height * width < ROWS * COLUMNS
    (got,) = step(net, golden, disabled=model.WHOLE_MASK)
    assert 0 < relative(got, plain) < EXACT


def test_branches_one_after_another(net, golden, plain):
    for b in range(3):
        (got,) = step(net, golden, golden["sample"][b : b + 1], first_branch=b, branches=1)
        assert relative(got, plain[b : b + 1]) < EXACT


def test_conditions_that_are_the_same_for_all_frames(tiny_weights, golden):
    image, audio = golden["image_embeds"][:1], golden["audio_tokens"][:1]
    one = conditions(golden, image=[image] * 3, audio=[audio] * 3)
    many = conditions(golden, image=[image.expand(FRAMES, -1, -1)] * 3, audio=[audio.expand(FRAMES, -1, -1)] * 3)
    a, b = (step(prepared(tiny_weights, c), golden)[0] for c in (one, many))
    assert relative(a, b) < EXACT


def test_a_window_takes_its_frames_from_the_whole_clip(tiny_weights, golden):
    """Conditions of a clip of 9 frames against those of the window's frames alone, one of them twice."""
    clip_image, clip_audio, frames = random(9, 1, CONTEXT), random(9, TOKENS, CONTEXT), [7, 8, 0, 1, 7]
    uncond = golden["audio_tokens"][:1]
    whole = conditions(golden, image=[clip_image] * 3, audio=[uncond, uncond, clip_audio])
    window = conditions(golden, image=[clip_image[frames]] * 3, audio=[uncond, uncond, clip_audio[frames]])
    (got,) = step(prepared(tiny_weights, whole), golden, frames=frames)
    (expected,) = step(prepared(tiny_weights, window), golden)
    assert relative(got, expected) < EXACT


def test_audio_tokens_stay_in_host_memory(tiny_weights, golden):
    """Only a window's audio tokens are on the device, whatever the length of the clip."""
    clip = conditions(golden, image=[golden["image_embeds"][:1]] * 3, audio=[random(200, TOKENS, CONTEXT)] * 3)
    net = prepared(tiny_weights, clip)
    grows = {name for name, constant in net.constants.items() if 600 in constant.shape}
    assert grows == {"audio"} and net.constants["audio"].device.type == "cpu"


def test_image_latents_once_a_run(tiny_weights, golden):
    noisy, latents = (
        random(FRAMES, 4, ROWS, COLUMNS),
        [torch.zeros(4, ROWS, COLUMNS), random(4, ROWS, COLUMNS), random(4, ROWS, COLUMNS)],
    )
    sample = torch.stack([torch.cat([noisy, part.expand(FRAMES, -1, -1, -1)], 1) for part in latents])
    (expected,) = step(prepared(tiny_weights, conditions(golden)), golden, sample)
    split = prepared(tiny_weights, conditions(golden, image_latents=latents))
    (got,) = step(split, golden, noisy)
    assert relative(got, expected) < EXACT
    (last,) = step(split, golden, noisy, first_branch=2, branches=1)
    assert relative(last, expected[2:]) < EXACT


def test_audio_scale(tiny_weights, golden, plain):
    """A scale of 0 equals zero tokens at any scale, since values are linear in the tokens."""
    silent = step(prepared(tiny_weights, conditions(golden, audio_scale=0.0)), golden)[0]
    zeros = step(prepared(tiny_weights, conditions(golden, audio=[torch.zeros(1, TOKENS, CONTEXT)] * 3)), golden)[0]
    assert relative(silent, zeros) < EXACT
    assert relative(silent, plain) > 0.01


def test_any_number_of_frames_and_any_shape(tiny_weights, golden):
    for frames, rows, columns in ((1, 8, 8), (3, 16, 8), (26, 8, 24)):
        net = prepared(
            tiny_weights,
            conditions(
                golden,
                image=[golden["image_embeds"][:1]],
                audio=[random(frames, TOKENS, CONTEXT)],
                rows=rows,
                columns=columns,
                window=frames,
            ),
        )
        (out,) = step(net, golden, random(1, frames, 8, rows, columns), range(frames))
        assert out.shape == (1, frames, 4, rows, columns) and out.isfinite().all()


# Bad input


def test_layer_that_is_not_finite_is_named(tiny_weights, golden):
    broken = dict(tiny_weights)
    name = "up_blocks.1.attentions.1.transformer_blocks.0.ff.net.2.bias"
    broken[name] = torch.full_like(broken[name], torch.nan)
    net = prepared(broken, conditions(golden))
    assert not step(net, golden)[0].isfinite().any()
    with pytest.raises(RuntimeError, match=r"'up_blocks.1.attentions.1.transformer_blocks.0.ff' is not finite"):
        step(net, golden, check_finite=True)


@pytest.mark.parametrize("rows, columns", [(8, 12), (4, 16), (0, 8), (8192, 8)])
def test_invalid_sizes_are_refused(tiny_weights, golden, rows, columns):
    with pytest.raises(RuntimeError, match="Choose latents whose sides are multiples of 8"):
        prepared(tiny_weights, conditions(golden, rows=rows, columns=columns))


def test_weights_of_another_network(golden):
    with pytest.raises(RuntimeError, match="Give Sonic's unet.pth"):
        prepared(weights("whisper_tiny_enc"), conditions(golden))
    with pytest.raises(RuntimeError, match="do not divide into heads of 48"):
        model.UNet(weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b"), 48).prepare(conditions(golden))


def test_missing_weight_is_named(tiny_weights, golden):
    incomplete = {
        name: w for name, w in tiny_weights.items() if name != "mid_block.resnets.1.spatial_res_block.conv1.weight"
    }
    net = prepared(incomplete, conditions(golden))
    with pytest.raises(RuntimeError, match="no tensor 'mid_block.resnets.1.spatial_res_block.conv1.weight'"):
        step(net, golden)


def test_frames_branches_and_samples_out_of_range(net, golden):
    with pytest.raises(RuntimeError, match="index_select.*failed"):
        step(net, golden, frames=[0, 1, 2, 3, 5])
    with pytest.raises(RuntimeError, match="Choose among the 3 prepared branches"):
        step(net, golden, golden["sample"][:2], first_branch=2, branches=2)
    with pytest.raises(RuntimeError, match=r"\[branches, frames, 8, rows, columns\]"):
        step(net, golden, golden["sample"][:, :4])
    with pytest.raises(RuntimeError, match="Prepare for windows of 6 frames"):
        step(net, golden, random(3, 6, 8, ROWS, COLUMNS), range(6))


def test_constants_of_another_network(net, golden, tiny_weights):
    other = model.UNet(tiny_weights, HEAD_DIM)
    other.constants = {**net.constants, "mixes": net.constants["mixes"][:-1]}
    with pytest.raises(RuntimeError, match="constants that unet_prepare made"):
        step(other, golden)


# Reduced precision


@pytest.mark.parametrize("dtype, limit", [(torch.float16, 1e-2), (torch.bfloat16, 3e-2)], ids=str)
def test_reduced_precision(golden, plain, dtype, limit):
    """bfloat16 has 8 bits of precision: rounding the weights changes the output by 1e-2 in any implementation."""
    net = prepared(weights("unet_tiny_weights_a", dtype) | weights("unet_tiny_weights_b", dtype), conditions(golden))
    (got,) = step(net, golden)
    assert got.dtype == dtype
    assert relative(got, plain) < limit
