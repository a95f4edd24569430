"""The cost meter against counts by hand."""

import torch

from sonic_nodes.models.call import METER, run_network


def reading(function, *tensors, numbers=()):
    names = [f"op={function}", *(f"operand.{i}" for i in range(1, len(tensors)))]
    out, cost = run_network("tensor_operator", dict(zip(names, tensors, strict=True)), {}, numbers, meter=True)
    return out, dict(zip(METER, cost.tolist(), strict=True))


def test_convolutions():
    x = torch.randn(2, 6, 9, 11)
    out, cost = reading("conv2d", x, torch.randn(4, 3, 3, 3), torch.randn(4), numbers=(2, 1, 2))
    assert cost["convolution_flops"] == 2 * out.numel() * 3 * 9
    assert cost["product_flops"] == cost["attention_flops"] == 0
    out, cost = reading("conv_transpose2d", x, torch.randn(6, 4, 4, 4), torch.randn(4), numbers=(2, 1))
    assert cost["convolution_flops"] == 2 * x.numel() * 4 * 16
    out, cost = reading("conv3d", torch.randn(1, 6, 4, 5, 7), torch.randn(4, 6, 3, 1, 1), numbers=(1, 0, 0))
    assert cost["convolution_flops"] == 2 * out.numel() * 6 * 3


def test_products():
    for function, b in (("linear", torch.randn(7, 11)), ("matmul", torch.randn(11, 7))):
        assert reading(function, torch.randn(2, 5, 11), b)[1]["product_flops"] == 2 * 2 * 5 * 7 * 11
    assert (
        reading("add_linear_in_place", torch.randn(5, 7), torch.randn(5, 3), torch.randn(7, 3))[1]["product_flops"]
        == 2 * 5 * 7 * 3
    )


def test_attention():
    q, k, v = torch.randn(2, 3, 7, 16), torch.randn(2, 3, 5, 16), torch.randn(2, 3, 5, 16)
    assert reading("attention", q, k, v, numbers=(0,))[1]["attention_flops"] == 2 * 2 * (2 * 3) * 7 * 5 * 16


def test_a_dry_run_on_the_meta_device_counts_the_same():
    operands = torch.empty(1000, 1000, device="meta"), torch.empty(1000, 1000, device="meta")
    cost = reading("linear", *operands)[1]
    assert cost["product_flops"] == 2 * 10**9 and cost["live_bytes"] == cost["peak_bytes"] == 4 * 10**6


def test_memory_counts_once_and_operands_do_not():
    x = torch.randn(256, 1024)
    assert reading("relu", x)[1] == dict(zip(METER, (0, 0, 0, 2 * x.nbytes, x.nbytes, x.nbytes), strict=True))
    view = reading("transpose", x, numbers=(0, 1))[1]
    assert view["moved_bytes"] == view["live_bytes"] == view["peak_bytes"] == 0
    assert reading("silu_in_place", x.clone())[1]["peak_bytes"] == 0


def test_bytes_moved_by_operators_without_products():
    x, y = torch.randn(256, 1024), torch.randn(1, 1024)
    assert reading("add_in_place", x.clone(), y)[1]["moved_bytes"] in range(
        2 * x.nbytes + y.nbytes, 2 * x.nbytes + y.nbytes + 9
    )
    assert reading("sub", x, y)[1]["moved_bytes"] == 2 * x.nbytes + y.nbytes
    assert reading("gelu_in_place", x.clone())[1]["moved_bytes"] == 2 * x.nbytes
    assert reading("cat", x, x.clone(), numbers=(0,))[1]["moved_bytes"] == 4 * x.nbytes
    assert reading("linear", x, torch.randn(7, 1024))[1]["moved_bytes"] == 0


def test_the_peak_is_above_the_bytes_left():
    """(x + y) x: the sum exists until the product is done."""
    x = torch.randn(256, 1024)
    cost = reading("add_mul_in_inner_scope", x, x.clone())[1]
    assert cost["live_bytes"] == x.nbytes and cost["peak_bytes"] == 2 * x.nbytes
