"""The kernels, run in C, against PyTorch's operators in double precision; and their twins where they do not apply."""

import pytest
import torch
import torch.nn.functional as F

from sonic_nodes import kernels
from sonic_nodes.extension.native import _sonic, call

TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 8e-3}
TYPES = list(TOLERANCE)


def launches() -> int:
    return sum(_sonic.kernels_launches().values())


def random(*shape, dtype, scale=1.0, mean=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return (torch.randn(shape, generator=generator) * scale + mean).to(dtype)


def assert_close(ours, expected, dtype):
    """Within the tolerance of the largest value, and no further than one rounding more than PyTorch's."""
    error = (ours.double() - expected).abs().max() / expected.abs().max().clamp(min=1)
    assert torch.isfinite(ours.float()).all()
    assert error <= TOLERANCE[dtype], float(error)


def group_norm(x, groups, weight, bias, before=None, epsilon=1e-5, silu=True):
    tensors = {"x": x, "weight": weight, "bias": bias} | ({} if before is None else {"before": before})
    return call("fused_group_norm", list(tensors.values()), "\n".join(tensors), [groups, epsilon, silu])[0]


def group_norm_exactly(x, groups, weight, bias, before=None, epsilon=1e-5, silu=True):
    x = x.double() if before is None else x.double() + before.double()
    y = F.group_norm(x.movedim(-1, 1), groups, weight.double(), bias.double(), epsilon).movedim(1, -1)
    return F.silu(y) if silu else y


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "shape, groups",
    [
        ((2, 1, 64, 320), 32),  # 160 pairs: one row of tokens at a time
        ((3, 1, 300, 64), 32),  # 32 pairs: eight rows; the last chunk is not full
        ((1, 5, 513, 96), 3),
        ((2, 1, 7, 2560), 32),  # more pairs than threads
        ((1, 1, 1, 4096), 256),
        ((1, 1, 20000, 32), 4),  # many chunks
    ],
)
@pytest.mark.parametrize("with_bias", [False, True])
def test_group_norm_agrees_with_double_precision(card, dtype, shape, groups, with_bias):
    channels = shape[-1]
    x = random(*shape, dtype=dtype, mean=0.5)
    weight, bias = random(channels, dtype=dtype, seed=1), random(channels, dtype=dtype, seed=2)
    before = random(channels, dtype=dtype, seed=3) if with_bias else None
    count = launches()
    ours = group_norm(x, groups, weight, bias, before, silu=with_bias)
    assert launches() == count + 2
    assert_close(ours, group_norm_exactly(x, groups, weight, bias, before, silu=with_bias), dtype)


@pytest.mark.parametrize("mean, scale", [(1000.0, 1.0), (-60.0, 0.01), (0.0, 1e-4)])
def test_group_norm_of_values_far_from_zero(card, mean, scale):
    """Sums of squares would cancel here: float32 has 7 digits."""
    x = random(2, 1, 4096, 64, dtype=torch.float32, mean=mean, scale=scale)
    ones, zeros = torch.ones(64), torch.zeros(64)
    ours = group_norm(x, 32, ones, zeros, silu=False)
    expected = group_norm_exactly(x, 32, ones, zeros, silu=False)
    assert (ours - expected).abs().max() < 1e-4 * expected.abs().max()


def test_group_norm_passes_nan_and_infinity_on(card):
    x = random(2, 1, 64, 64, dtype=torch.float16)
    x[0, 0, 3, 5] = float("nan")
    x[1, 0, 3, 5] = float("inf")
    ours = group_norm(x, 32, torch.ones(64).half(), torch.zeros(64).half())
    assert ours[0, 0, :, 4:6].isnan().all() and ours[0, 0, :, :4].isfinite().all()
    assert not ours[1, 0, :, 4:6].isfinite().all() and ours[1, 0, :, :4].isfinite().all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("rows, width", [(1, 2), (100, 1280), (33, 514)])
def test_geglu_agrees_with_double_precision(card, dtype, rows, width):
    both = random(rows, 2 * width, dtype=dtype, scale=2)
    count = launches()
    (ours,) = call("fused_geglu", [both], "both")
    assert launches() == count + 1
    a, gate = both.double().chunk(2, 1)
    assert_close(ours, a * F.gelu(gate), dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 2), (8, 320), (3, 5, 1280), (17, 66)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_layer_norm_agrees_with_double_precision(card, dtype, shape, with_bias):
    channels = shape[-1]
    x, weight, bias = (random(*s, dtype=dtype, mean=0.3, seed=i) for i, s in enumerate([shape, shape[-1:], shape[-1:]]))
    tensors = {"x": x, "weight": weight, "bias": bias}
    tensors |= {"before": random(channels, dtype=dtype, seed=7)} if with_bias else {}
    count = launches()
    ours, stream = call("fused_layer_norm", list(tensors.values()), "\n".join(tensors), [1e-5])
    assert launches() == count + 1
    expected = x + tensors["before"] if with_bias else x
    assert torch.equal(stream, expected), "the bias is added as PyTorch adds it"
    exact = F.layer_norm(expected.double(), [channels], weight.double(), bias.double(), 1e-5)
    assert_close(ours, exact, dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_layer_norm_of_a_rectangle_of_pictures(card, dtype):
    whole = random(3, 9, 11, 66, dtype=dtype, mean=0.3)
    part, before = whole[:, 2:7, 3:10], random(66, dtype=dtype, seed=7)
    weight, bias = random(66, dtype=dtype, seed=1), random(66, dtype=dtype, seed=2)
    count = launches()
    (ours, _) = call("fused_layer_norm", [part, weight, bias], "x\nweight\nbias", [1e-5, 1])
    assert launches() == count + 1
    assert_close(ours, F.layer_norm(part.double(), [66], weight.double(), bias.double(), 1e-5), dtype)
    kept = whole.clone()
    call("fused_layer_norm", [part, before, weight, bias], "x\nbefore\nweight\nbias", [1e-5, 1])
    kept[:, 2:7, 3:10] += before
    assert torch.equal(whole, kept), "nothing outside the rectangle changes"


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 2), (16, 320), (3, 7, 1280), (17, 66)])
def test_add_scaled_agrees_with_double_precision(card, dtype, shape):
    x, y, bias = (random(*s, dtype=dtype, seed=i) for i, s in enumerate([shape, shape, shape[-1:]]))
    count = launches()
    (ours,) = call("fused_add_scaled", [x, y, bias], "x\ny\nbias", [0.3])
    assert launches() == count + 1
    assert_close(ours, x.double() + 0.3 * y.double() + bias.double(), dtype)
    kernels.unload()
    (twin,) = call("fused_add_scaled", [x, y, bias], "x\ny\nbias", [0.3])
    assert launches() == count + 1
    assert_close(twin, x.double() + 0.3 * y.double() + bias.double(), dtype)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"x": random(2, 1, 8, 65, dtype=torch.float16)[..., :64]},  # not contiguous
        lambda t: t | {"weight": random(65, dtype=torch.float16)[1:]},  # begins between two pairs
        lambda t: {name: x[..., :32] for name, x in t.items()} | {"x": t["x"][..., :32].contiguous()},  # width 1
    ],
    ids=["strided", "unaligned", "odd width"],
)
def test_twin_computes_where_a_kernel_does_not_apply(card, change):
    x, weight, bias = (random(*shape, dtype=torch.float16) for shape in [(2, 1, 8, 64), (64,), (64,)])
    tensors = change({"x": x, "weight": weight, "bias": bias})
    count = launches()
    ours = group_norm(tensors["x"], 32, tensors["weight"], tensors["bias"])
    assert launches() == count
    assert_close(ours, group_norm_exactly(tensors["x"], 32, tensors["weight"], tensors["bias"]), torch.float16)


def test_twin_computes_without_kernels(fake_cuda):
    x, weight, bias = (random(*s, dtype=torch.float32) for s in [(2, 1, 64, 64), (64,), (64,)])
    before = random(64, dtype=torch.float32, seed=5)
    count = launches()
    ours = group_norm(x, 32, weight, bias, before)
    assert launches() == count
    assert_close(ours, group_norm_exactly(x, 32, weight, bias, before), torch.float32)


def test_failed_launch_is_an_error(card):
    both = random(4, 8, dtype=torch.float16)
    card.fake_fail(b"cuLaunchKernel")
    with pytest.raises(RuntimeError, match="^Update the graphics driver.*geglu failed with CUDA error 719"):
        call("fused_geglu", [both], "both")
    card.fake_fail(b"")
    assert call("fused_geglu", [both], "both")[0].shape == (4, 4)


def test_types_without_kernels_use_the_twin(fake_cuda, tmp_path):
    kernels.load(torch.device("cpu"), torch.float16, "sm_86", fake_cuda, fake_cuda, tmp_path)
    count = launches()
    call("fused_geglu", [random(4, 8, dtype=torch.float32)], "both")
    assert launches() == count
    call("fused_geglu", [random(4, 8, dtype=torch.float16)], "both")
    assert launches() == count + 1
