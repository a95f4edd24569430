"""Every operator of csrc/torch/tensor.h against eager PyTorch: the same kernels, so the same bits."""

import ctypes
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from sonic_nodes.extension.native import _sonic, call

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def torch_has_messages():
    """Whether C can read an exception's text: from PyTorch 2.13 on."""
    return next(
        there
        for name, _, there in _sonic.build_info()["optional"]
        if name == "torch_exception_get_what_without_backtrace"
    )


def operator(name, *tensors, numbers=()):
    return call("tensor_operator", tensors, f"op={name}", numbers)[0]


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def cases():
    """{name: (tensors, numbers, PyTorch's function)}"""
    return {**convolution_cases(), **network_cases(), **elementwise_cases(), **layout_cases()}


def convolution_cases():
    x, video, grid = random(2, 6, 9, 11), random(2, 6, 4, 5, 7), random(2, 4, 5, 2)
    return {
        "conv1d": (
            (random(2, 6, 20), random(4, 6, 3), random(4)),
            (2, 1, 1),
            lambda x, w, b: F.conv1d(x, w, b, stride=2, padding=1),
        ),
        "conv3d": (
            (video, random(4, 6, 3, 1, 1), random(4)),
            (1, 0, 0),
            lambda x, w, b: F.conv3d(x, w, b, padding=(1, 0, 0)),
        ),
        "conv_transpose2d": (
            (x, random(6, 4, 4, 4), random(4)),
            (2, 1),
            lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1),
        ),
        "avg_pool2d": ((x,), (3, 2), lambda x: F.avg_pool2d(x, 3, 2)),
        "resize_nearest": ((x,), (2,), lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
        "resize_bilinear down": ((x,), (4, 5), lambda x: F.interpolate(x, (4, 5), mode="bilinear")),
        "resize_bilinear up": ((x,), (18, 22), lambda x: F.interpolate(x, (18, 22), mode="bilinear")),
        "grid_sample": (
            (x, grid),
            (),
            lambda x, g: F.grid_sample(x, g, mode="bilinear", padding_mode="border", align_corners=True),
        ),
        "conv2d": (
            (x, random(4, 6, 3, 3), random(4)),
            (2, 1, 1),
            lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1),
        ),
        "conv2d without bias": ((x, random(4, 6, 3, 3)), (1, 0, 1), F.conv2d),
        "conv2d depthwise": (
            (x, random(6, 1, 5, 5), random(6)),
            (1, 2, 6),
            lambda x, w, b: F.conv2d(x, w, b, padding=2, groups=6),
        ),
        "max_pool2d": ((x,), (2, 2), lambda x: F.max_pool2d(x, 2, 2)),
        "conv2d_padded": (
            (x, random(4, 6, 3, 1), random(4)),
            (1, 0),
            lambda x, w, b: F.conv2d(x, w, b, padding=(1, 0)),
        ),
    }


def network_cases():
    x, video = random(2, 6, 9, 11), random(2, 6, 4, 5, 7)
    q, k, v = random(2, 3, 7, 16), random(2, 3, 5, 16), random(2, 3, 5, 16)
    return {
        "linear": ((x, random(8, 11), random(8)), (), F.linear),
        "linear without bias": ((x, random(8, 11)), (), F.linear),
        "matmul": ((q, k.transpose(2, 3)), (), torch.matmul),
        "group_norm": ((x, random(6), random(6)), (3, 1e-6), lambda x, w, b: F.group_norm(x, 3, w, b, 1e-6)),
        "group_norm of video": (
            (video, random(6), random(6)),
            (2, 1e-5),
            lambda x, w, b: F.group_norm(x, 2, w, b, 1e-5),
        ),
        "group_norm without weight": ((x,), (3, 1e-6), lambda x: F.group_norm(x, 3, eps=1e-6)),
        "layer_norm": ((x, random(11), random(11)), (1e-5,), lambda x, w, b: F.layer_norm(x, (11,), w, b, 1e-5)),
        "attention": ((q, k, v), (0,), F.scaled_dot_product_attention),
        "attention with scale": ((q, k, v), (0.3,), lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3)),
        "prelu": ((x, random(6)), (), F.prelu),
    }


def elementwise_cases():
    x, y = random(2, 6, 9, 11), random(2, 6, 1, 11)
    return {
        "silu": ((x,), (), F.silu),
        "hard_swish": ((x * 4,), (), F.hardswish),
        "gelu": ((x,), (), F.gelu),
        "gelu of a permuted view": ((x.permute(0, 2, 3, 1),), (), F.gelu),
        "gelu of a part": ((x[:, 1:3],), (), F.gelu),
        "exp": ((x,), (), torch.exp),
        "sqrt": ((x.abs(),), (), torch.sqrt),
        "neg": ((x,), (), torch.neg),
        "softmax": ((x,), (1,), lambda x: F.softmax(x, 1)),
        "sub": ((x, y), (), torch.sub),
        "div": ((x, y), (), torch.div),
        "mul_scalar": ((x,), (0.18215,), lambda x: x * 0.18215),
        "add_scalar": ((x,), (-1.25,), lambda x: x - 1.25),
        "add_scaled": ((x, y), (-5.5,), lambda x, y: torch.add(x, y, alpha=-5.5)),
        "clamp": ((x,), (-0.5, 0.75), lambda x: x.clamp(-0.5, 0.75)),
        "lerp": ((x, random(2, 6, 9, 11) * 2), (0.375,), lambda x, y: torch.lerp(x, y, x.new_tensor(0.375))),
        "lerp_tensor": ((x, random(2, 6, 9, 11) * 2, random(1)), (), torch.lerp),
        "mean": ((x,), (2,), lambda x: x.mean(2, keepdim=True)),
        "sum": ((x,), (-1,), lambda x: x.sum(-1, keepdim=True)),
        "max": ((x,), (1,), lambda x: x.amax(1, keepdim=True)),
        "relu": ((x,), (), F.relu),
        "sigmoid": ((x,), (), torch.sigmoid),
        "add": ((x, y), (), torch.add),
        "mul": ((x, y), (), torch.mul),
    }


def layout_cases():
    x, y = random(2, 6, 9, 11), random(2, 6, 1, 11)
    return {
        "expand": ((y,), (2, 6, 9, 11), lambda y: y.expand(2, 6, 9, 11)),
        "transpose": ((x,), (1, 3), lambda x: x.transpose(1, 3)),
        "channels_last": ((x,), (), lambda x: x.contiguous(memory_format=torch.channels_last)),
        "to_device_of": ((x, y), (), lambda x, y: x.to(y.device)),
        "pad": ((x,), (1, 2, 0, 3, 0, 2), lambda x: F.pad(x, (1, 2, 0, 3, 0, 2))),
        "cat": ((x, random(2, 3, 9, 11)), (1,), lambda *parts: torch.cat(parts, 1)),
        "reshape": ((x,), (12, -1), lambda x: x.reshape(12, -1)),
        "permute": ((x,), (0, 2, 3, 1), lambda x: x.permute(0, 2, 3, 1)),
        "slice": ((x,), (1, 2, 3), lambda x: x[:, 2:5]),
        "contiguous": ((x.permute(0, 2, 3, 1),), (), lambda x: x.contiguous()),
        "view": ((x,), (12, 99), lambda x: x.view(12, 99)),
        "clone": ((x,), (), torch.clone),
        "add_mul_in_inner_scope": ((x, y), (), lambda x, y: (x + y) * x),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", cases())
def test_operator_equals_eager(name, dtype, device):
    tensors, numbers, eager = cases()[name]
    tensors = [t.to(device, dtype) for t in tensors]
    got, expected = operator(name.split()[0], *tensors, numbers=numbers), eager(*tensors)
    assert got.dtype == dtype and got.shape == expected.shape and got.stride() == expected.stride()
    assert torch.equal(got, expected)


def metered(name, tensors, numbers, meter="?#"):
    """(result, bytes of it, bytes at the peak)."""
    names = "\n".join([f"op={name}", *(f"operand.{i}" for i in range(1, len(tensors))), meter])
    result, reading = call("tensor_operator", tensors, names, numbers)
    return result, reading[3:].tolist()


def laid_out(name, tensors):
    """As given, and with images in channels-last layout, as in the networks."""
    yield tensors
    if name.split()[0] not in ("view", "attention") and any(t.dim() == 4 for t in tensors):
        yield [t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in tensors]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("name", cases())
def test_dry_run_has_the_same_shape_layout_and_bytes(name, dtype, device):
    tensors, numbers, _ = cases()[name]
    meter = "?#" if device == "cpu" else "?#gpu"
    for operands in laid_out(name, [t.to(device, dtype) for t in tensors]):
        result, measured = metered(name.split()[0], operands, numbers)
        estimated, estimated_bytes = metered(name.split()[0], [t.to("meta") for t in operands], numbers, meter)
        assert estimated.is_meta and estimated.dtype == result.dtype and estimated.shape == result.shape
        assert [s for s, n in zip(estimated.stride(), result.shape, strict=True) if n > 1] == [
            s for s, n in zip(result.stride(), result.shape, strict=True) if n > 1
        ]
        # numbers become tensors on the CPU
        scalar_bytes = 8 * (name in ("mul_scalar", "add_scalar", "clamp", "lerp"))
        assert estimated_bytes[0] == measured[0] and 0 <= measured[1] - estimated_bytes[1] <= 2 * scalar_bytes


def eager_group_norm_last(x, groups, weight, bias, epsilon):
    return F.group_norm(x.permute(0, 3, 1, 2), groups, weight, bias, epsilon).permute(0, 2, 3, 1)


@pytest.mark.parametrize("shape", [(2, 3, 5, 12), (1, 25, 511, 24), (3, 1, 256, 4), (1, 1, 1, 8)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_group_norm_last(shape, dtype, device):
    """Bit-equal to libtorch's kernel in half precision and on other devices; in float32 on the CPU closer to the exact
    result than either of its kernels."""
    x, w, b = ((random(*s) * 2 + 3).to(device, dtype) for s in (shape, shape[-1:], shape[-1:]))
    got = operator("group_norm_last", x, w, b, numbers=(4, 1e-6))
    assert got.is_contiguous() and got.dtype == dtype
    assert torch.equal(got, operator("group_norm_last_taken", x, w, b, numbers=(4, 1e-6)))
    if dtype != torch.float32 or device != "cpu":
        assert torch.equal(got, eager_group_norm_last(x, 4, w, b, 1e-6))
        return
    truth = eager_group_norm_last(x.double(), 4, w.double(), b.double(), 1e-6)
    eager = eager_group_norm_last(x, 4, w, b, 1e-6)
    assert (got - truth).norm() <= 1.05 * (eager - truth).norm() + 1e-7 * truth.norm()


def test_group_norm_last_in_float32_sums_in_double():
    x, w, b = random(1, 64, 1024, 32) * 2 + 30, torch.ones(32), torch.zeros(32)
    truth = eager_group_norm_last(x.double(), 4, w.double(), b.double(), 1e-6)
    got = operator("group_norm_last", x, w, b, numbers=(4, 1e-6))
    assert (got - truth).norm() < 1e-6 * truth.norm()


def test_group_norm_last_propagates_nan():
    x = random(2, 3, 5, 8)
    x[1, 2, 3, 4] = torch.nan
    got = operator("group_norm_last", x, torch.ones(8), torch.zeros(8), numbers=(4, 1e-6))
    assert got[0].isfinite().all() and got[1, ..., 4:6].isnan().all() and got[1, ..., :4].isfinite().all()


@pytest.mark.host("the kernel that sums in double")
def test_group_norm_last_of_the_wrong_size_is_an_error():
    with pytest.raises(RuntimeError, match="8 channels do not divide into 3 groups"):
        operator("group_norm_last", random(2, 3, 5, 8), torch.ones(8), torch.zeros(8), numbers=(3, 1e-6))
    with pytest.raises(RuntimeError, match="8 channels are normalised with 6 weights"):
        operator("group_norm_last", random(2, 3, 5, 8), torch.ones(6), torch.zeros(8), numbers=(4, 1e-6))


def test_empty_images_have_the_layout_of_their_operand():
    for x in (random(2, 6, 9, 11), random(2, 6, 9, 11).contiguous(memory_format=torch.channels_last)):
        got = operator("empty_images", x[:1].half(), numbers=(5,))
        assert got.dtype == torch.float16 and got.shape == (5, 6, 9, 11) and got.stride() == x.stride()


IN_PLACE = {
    "copy_in_place": ((random(5, 7),), (), lambda x, y: x.copy_(y)),
    "silu_in_place": ((), (), F.silu),
    "gelu_in_place": ((), (), F.gelu),
    "gelu_by_operator": ((), (), F.gelu),
    "mul_in_place": ((random(5, 1),), (), lambda x, y: x.mul_(y)),
    "add_in_place": ((random(5, 7),), (), lambda x, y: x.add_(y)),
    "add_in_place broadcast": ((random(7),), (), lambda x, y: x.add_(y)),
    "add_scaled_in_place": ((random(5, 7),), (0.3,), lambda x, y: x.addcmul_(y, y.new_ones(()), value=0.3)),
    "add_product_in_place": ((random(5, 7), random(5, 1)), (-1.25,), lambda x, a, b: x.addcmul_(a, b, value=-1.25)),
    "lerp_in_place": ((random(5, 7),), (0.375,), lambda x, y: x.lerp_(y, x.new_tensor(0.375))),
    "add_linear_in_place": ((random(5, 3), random(7, 3)), (), lambda x, y, w: x.addmm_(y, w.T)),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", IN_PLACE)
def test_operator_in_place_equals_eager(name, dtype, device):
    """On part of a tensor; the remainder does not change."""
    operands, numbers, eager = IN_PLACE[name]
    operands = [t.to(device, dtype) for t in operands]
    whole = random(9, 7).to(device, dtype)
    expected = whole.clone()
    expected[2:7] = eager(whole[2:7].clone(), *operands)
    part = whole[2:7]
    got = operator(name.split()[0], part, *operands, numbers=numbers)
    assert got.data_ptr() == part.data_ptr()
    assert torch.equal(whole, expected)


def test_add_in_place_keeps_the_strides_of_a_view():
    whole, y = random(4, 5, 6), random(2, 3, 6)
    expected = whole.clone()
    expected[1:3, 2:5] += y
    operator("add_in_place", whole[1:3, 2:5], y)
    assert torch.equal(whole, expected)


def test_view_never_copies():
    with pytest.raises(RuntimeError, match="view on .* failed"):
        operator("view", random(3, 4).T, numbers=[12])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gather_takes_whole_slices(dtype, device):
    x, index = random(4, 5, 3).to(device, dtype), torch.tensor([3, 0, 0, 2], device=device)
    assert torch.equal(operator("gather", x, index, numbers=[0]), x[index])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("value, finite", [(1.0, True), (torch.inf, False), (-torch.inf, False), (torch.nan, False)])
def test_is_finite(value, finite, dtype, device):
    x = torch.full((4, 5), torch.finfo(dtype).max, dtype=dtype, device=device)
    x[2, 3] = value
    assert bool((operator("is_finite", x) == x).all()) == finite
    assert operator("is_finite", x[:0]).shape == (0, 5)


def test_cast_like(device):
    x, like = random(2, 3), torch.zeros(1, dtype=torch.bfloat16, device=device)
    assert torch.equal(operator("cast_like", x, like), x.to(like))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_to_device_of(dtype, device):
    """There and back: the dtype stays."""
    x, like = random(2, 3).to(dtype), torch.zeros(1, device=device)
    there = operator("to_device_of", x, like)
    assert there.device == like.device and torch.equal(there, x.to(device))
    back = operator("to_device_of", there, x)
    assert back.device == x.device and torch.equal(back, x)


def test_indices():
    assert torch.equal(operator("indices", numbers=[3, -1, 2**40]), torch.tensor([3, -1, 2**40]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_to_dtype(dtype, device):
    x = random(3, 5).to(device, dtype)
    for number, target in enumerate([torch.float32, torch.float16, torch.bfloat16]):
        assert torch.equal(operator("to_dtype", x, numbers=[number]), x.to(target))


def test_zeros():
    assert torch.equal(operator("zeros", numbers=[2, 3, 4]), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("dims", range(9))
def test_every_rank_up_to_eight(dims):
    x = random(*[2] * dims)
    assert torch.equal(operator("relu", x), F.relu(x))


def test_error_names_operator_and_shapes_and_does_not_stick():
    reason = ".*channels" if torch_has_messages() else "libtorch gave no reason"
    with pytest.raises(RuntimeError, match=r"conv2d on \[1,3,8,8\] \[4,2,3,3\] failed: " + reason):
        operator("conv2d", random(1, 3, 8, 8), random(4, 2, 3, 3), numbers=[1, 1, 1])
    assert operator("relu", random(2)).shape == (2,)


@pytest.mark.parametrize("name", ["gelu", "gelu_in_place", "gelu_by_operator"])
def test_gelu_of_integers_is_an_error(name):
    reason = ".*(Long|Int)" if torch_has_messages() else "(.*(Long|Int)|libtorch gave no reason)"
    with pytest.raises(RuntimeError, match=f"gelu.* failed: {reason}"):
        operator(name, torch.arange(20))
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator(name)


def test_missing_operand_is_an_error():
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator("mul", random(2))
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator("add_mul_in_inner_scope", random(2))


def test_repeated_calls():
    """The calls that bench/operator_call.py measures are run: three more."""
    x = torch.zeros(2)
    operator("add_in_place*3", x, torch.ones(2))
    assert torch.equal(x, torch.full((2,), 4.0))
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator("relu*3")


def test_unknown_function_is_an_error():
    with pytest.raises(RuntimeError, match="tensor.h has no function for"):
        operator("transmogrify", random(2))


@pytest.mark.resident_memory
def test_nothing_is_kept_alive():
    """Neither successful nor failing calls leak: one operand of 128 KiB per call would be noticed."""
    script = """
import torch
from tests.oracles.system import peak_memory
from sonic_nodes.extension.native import call
x, w = torch.randn(1, 8, 64, 64), torch.randn(8, 7, 3, 3)
def work(n):
    for i in range(n):
        for j in range(10):
            call("tensor_operator", [x, x], "op=add_mul_in_inner_scope")
        try:
            call("tensor_operator", [x, w], "op=conv2d", [1, 1, 1])
        except RuntimeError:
            pass
work(30)
before = peak_memory()
work(150)
grown = peak_memory() - before
assert grown < 4 << 20, f"{grown} bytes grew"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


class Mallinfo(ctypes.Structure):
    """malloc.h of glibc 2.33 and later."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


@pytest.mark.posix("the bytes are those that glibc's mallinfo2 counts")
@pytest.mark.resident_memory
@pytest.mark.parametrize(
    "name", "gelu gelu_in_place gelu_by_operator pad linear resize_nearest mean cat clamp group_norm".split()
)
def test_ten_thousand_calls_do_not_grow(name):
    """Not even by one string a call: compares the bytes that the C library has allocated."""
    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        pytest.skip("this C library does not report allocated memory (glibc 2.33 does)")
    mallinfo.restype = Mallinfo
    tensors, numbers = ([random(5, 7)], ()) if name in IN_PLACE else cases()[name][:2]

    def allocated_after(calls):
        for _ in range(calls):
            operator(name, *tensors, numbers=numbers)
        return mallinfo().uordblks

    before = allocated_after(1000)
    assert allocated_after(10_000) - before < 40_000


def test_operands_may_come_from_inference_mode():
    with torch.inference_mode():
        x = random(2, 3)
        assert torch.equal(operator("relu", x), F.relu(x))
