"""Every operator of csrc/torch/tensor.h against eager PyTorch: the same kernels, so the same bits."""
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from sonic_nodes.native import call

DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def operator(name, *tensors, numbers=()):
    return call("tensor_operator", tensors, f"op={name}", numbers)[0]


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def cases():
    x, y = random(2, 6, 9, 11), random(2, 6, 1, 11)
    return {
        "conv2d": ((x, random(4, 6, 3, 3), random(4)), (2, 1, 1), lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1)),
        "conv2d without bias": ((x, random(4, 6, 3, 3)), (1, 0, 1), lambda x, w: F.conv2d(x, w)),
        "conv2d depthwise": ((x, random(6, 1, 5, 5), random(6)), (1, 2, 6), lambda x, w, b: F.conv2d(x, w, b, padding=2, groups=6)),
        "max_pool2d": ((x,), (2, 2), lambda x: F.max_pool2d(x, 2, 2)),
        "pad": ((x,), (1, 2, 0, 3, 0, 2), lambda x: F.pad(x, (1, 2, 0, 3, 0, 2))),
        "relu": ((x,), (), F.relu),
        "prelu": ((x, random(6)), (), F.prelu),
        "sigmoid": ((x,), (), torch.sigmoid),
        "add": ((x, y), (), torch.add),
        "mul": ((x, y), (), torch.mul),
        "cat": ((x, random(2, 3, 9, 11)), (1,), lambda *parts: torch.cat(parts, 1)),
        "reshape": ((x,), (12, -1), lambda x: x.reshape(12, -1)),
        "permute": ((x,), (0, 2, 3, 1), lambda x: x.permute(0, 2, 3, 1)),
        "slice": ((x,), (1, 2, 3), lambda x: x[:, 2:5]),
        "contiguous": ((x.permute(0, 2, 3, 1),), (), lambda x: x.contiguous()),
        "add_mul_in_inner_scope": ((x, y), (), lambda x, y: (x + y) * x),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", cases())
def test_operator_equals_eager(name, dtype):
    tensors, numbers, eager = cases()[name]
    tensors = [t.to(dtype) for t in tensors]
    got, expected = operator(name.split()[0], *tensors, numbers=numbers), eager(*tensors)
    assert got.dtype == dtype and got.shape == expected.shape
    assert torch.equal(got, expected)


def test_to_dtype_and_zeros():
    x = random(3, 5)
    assert torch.equal(operator("to_dtype", x, numbers=[1]), x.half())
    assert torch.equal(operator("to_dtype", x, numbers=[2]), x.bfloat16())
    assert torch.equal(operator("zeros", x, numbers=[2, 3, 4]), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("dims", range(9))
def test_every_rank_up_to_eight(dims):
    x = random(*[2] * dims)
    assert torch.equal(operator("relu", x), F.relu(x))


def test_error_names_operator_and_shapes_and_does_not_stick():
    with pytest.raises(RuntimeError, match=r"conv2d on \[1,3,8,8\] \[4,2,3,3\] failed: .*channels"):
        operator("conv2d", random(1, 3, 8, 8), random(4, 2, 3, 3), numbers=[1, 1, 1])
    assert operator("relu", random(2)).shape == (2,)


def test_missing_operand_is_an_error():
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator("mul", random(2))
    with pytest.raises(RuntimeError, match="an operand is missing"):
        operator("add_mul_in_inner_scope", random(2))


def test_unknown_function_is_an_error():
    with pytest.raises(RuntimeError, match="tensor.h has no function for"):
        operator("transmogrify", random(2))


@pytest.mark.resident_memory
def test_nothing_is_kept_alive():
    """Neither calls that succeed nor calls that fail leave memory behind: one leaked operand of 128 KiB each would show."""
    script = """
import resource, torch
from sonic_nodes.native import call
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
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work(150)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
assert grown < 4 * 1024, f"{grown} KiB grew"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_operands_may_come_from_inference_mode():
    with torch.inference_mode():
        x = random(2, 3)
        assert torch.equal(operator("relu", x), F.relu(x))
