"""The UNet with kernels of our own, against tensors recorded from the published code, and without them."""

import pytest
import torch

from sonic_nodes import kernels
from sonic_nodes.extension.native import _sonic
from tests.models.golden import relative
from tests.models.test_unet import FRAMES, conditions, golden, prepared, step, tiny_weights  # noqa: F401

# Of the output, in the 2-norm. The kernels round fewer times than PyTorch's operators do.
TOLERANCE = {torch.float32: 1e-5, torch.float16: 6e-3, torch.bfloat16: 6e-2}


def cast(network_weights, dtype):
    return {name: w.to(dtype) for name, w in network_weights.items()}


def conditions_in(golden, dtype):  # noqa: F811
    shaped = conditions(golden)
    return conditions(golden, image=shaped.image.to(dtype), audio=shaped.audio.to(dtype))


def test_output_agrees_with_the_published_code(card, tiny_weights, golden):  # noqa: F811
    net = prepared(tiny_weights, conditions(golden))
    before = _sonic.kernels_launches()
    out = step(net, golden)[0]
    counts = {name: count - before[name] for name, count in _sonic.kernels_launches().items()}
    assert relative(out, golden["out"]) < 2e-5
    # 16 transformers (one of them twice the norms of the others') and 22 pairs of residual blocks; FRAMES is 5
    assert counts["group_norm_sums"] == counts["group_norm_apply"] > 22
    assert counts["geglu"] >= 48 and counts["layer_norm"] >= 64, counts


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_output_agrees_with_pytorchs_operators(card, tiny_weights, golden, dtype):  # noqa: F811
    exact = step(prepared(tiny_weights, conditions(golden)), golden)[0]
    net = prepared(cast(tiny_weights, dtype), conditions_in(golden, dtype))
    sample = golden["sample"].to(dtype)
    fused = step(net, golden, sample)[0]
    kernels.unload()
    plain = step(net, golden, sample)[0]
    assert relative(fused.float(), exact) <= max(relative(plain.float(), exact) * 1.05, 1e-5)
    assert relative(fused.float(), plain.float()) < TOLERANCE[dtype]
    assert dtype == torch.float32 or not torch.equal(fused, plain), "the kernels did not run"


def test_layers_are_complete_where_they_are_looked_at(card, tiny_weights, golden):  # noqa: F811
    """A bias that waits for the next kernel would be missing in what a probe sees."""
    block = "down_blocks.2.attentions.1.temporal_transformer_blocks.0"
    names = [f"{block}.{part}" for part in ("ff_in", "attn1", "attn2", "ff", "")]
    names[-1] = block
    net = prepared(tiny_weights, conditions(golden))
    fused = step(net, golden, probes=names)
    kernels.unload()
    plain = step(net, golden, probes=names)
    for name, ours, expected in zip(["output", *names], fused, plain, strict=True):
        assert relative(ours, expected) < 2e-5, name


def test_the_same_bits_in_every_run(card, tiny_weights, golden):  # noqa: F811
    net = prepared(tiny_weights, conditions(golden))
    assert torch.equal(step(net, golden)[0], step(net, golden)[0])


def test_a_failed_launch_ends_the_step(card, tiny_weights, golden):  # noqa: F811
    net = prepared(tiny_weights, conditions(golden))
    card.fake_fail(b"cuLaunchKernel")
    with pytest.raises(RuntimeError, match="^Update the graphics driver"):
        step(net, golden)
    card.fake_fail(b"")
    assert relative(step(net, golden)[0], golden["out"]) < 2e-5
