"""The transformer block of csrc/models against eager PyTorch: outputs and peak memory."""

import pytest
import torch
import torch.nn.functional as F

from sonic_nodes.models.call import METER, run_network

CHANNELS, HEAD_DIM, CONTEXT = 64, 32, 48


def weights(dtype):
    generator = torch.Generator().manual_seed(0)
    widths = {"attn1": CHANNELS, "attn2": CONTEXT}
    names = {
        f"{n}.to_{p}.weight": (CHANNELS, CHANNELS if p == "q" else width) for n, width in widths.items() for p in "qkv"
    }
    names |= {f"{n}.to_out.0.weight": (CHANNELS, CHANNELS) for n in ("attn1", "attn2")}
    names |= {f"{n}.to_out.0.bias": (CHANNELS,) for n in ("attn1", "attn2")}
    names |= {f"norm{i}.{p}": (CHANNELS,) for i in (1, 2, 3) for p in ("weight", "bias")}
    names |= {"ff.net.0.proj.weight": (8 * CHANNELS, CHANNELS), "ff.net.0.proj.bias": (8 * CHANNELS,)}
    names |= {"ff.net.2.weight": (CHANNELS, 4 * CHANNELS), "ff.net.2.bias": (CHANNELS,)}
    return {
        name: (torch.randn(shape, generator=generator) * shape[-1] ** -0.5).to(dtype) for name, shape in names.items()
    }


def eager(w, x, context):
    def norm(name):
        return F.layer_norm(x, (CHANNELS,), w[f"{name}.weight"], w[f"{name}.bias"])

    def attention(name, n, keys):
        q, k, v = (
            F.linear(t, w[f"{name}.to_{p}.weight"]).unflatten(-1, (-1, HEAD_DIM)).transpose(1, 2)
            for p, t in (("q", n), ("k", keys), ("v", keys))
        )
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return F.linear(y, w[f"{name}.to_out.0.weight"], w[f"{name}.to_out.0.bias"])

    n = norm("norm1")
    x = x + attention("attn1", n, n)
    x = x + attention("attn2", norm("norm2"), context)
    a, gate = F.linear(norm("norm3"), w["ff.net.0.proj.weight"], w["ff.net.0.proj.bias"]).chunk(2, -1)
    return x + F.linear(a * F.gelu(gate), w["ff.net.2.weight"], w["ff.net.2.bias"])


@pytest.mark.parametrize(
    "dtype, tolerance", [(torch.float32, 1e-6), (torch.float16, 2e-3), (torch.bfloat16, 1.5e-2)], ids=str
)
def test_block(dtype, tolerance, device):
    generator, w = torch.Generator().manual_seed(1), weights(dtype)
    x, context = (torch.randn(shape, generator=generator).to(dtype) for shape in ((2, 700, CHANNELS), (2, 3, CONTEXT)))
    moved, before = {name: t.to(device) for name, t in w.items()}, x.clone()
    (got,) = run_network("transformer_block", {"x": x.to(device), "context": context.to(device)}, moved, [HEAD_DIM])
    expected = eager({name: t.double() for name, t in w.items()}, x.double(), context.double())
    assert (got.cpu().double() - expected).norm() <= tolerance * expected.norm()
    assert got.dtype == dtype and torch.equal(x, before)


def test_peak():
    """Eager holds the stream, twice four times the stream of the gated layer, and its GELU: 13 times the stream at the
    least."""
    x, context = torch.randn(1, 8192, CHANNELS), torch.randn(1, 1, CONTEXT)
    _, cost = run_network(
        "transformer_block", {"x": x, "context": context}, weights(torch.float32), [HEAD_DIM], meter=True
    )
    peak = dict(zip(METER, cost.tolist(), strict=True))["peak_bytes"]
    assert x.nbytes < peak <= 6.1 * x.nbytes


def test_bad_input():
    with pytest.raises(RuntimeError, match="Give transformer_block x and context of three dimensions"):
        inputs = {"x": torch.zeros(2, CHANNELS), "context": torch.zeros(1, 1, CONTEXT)}
        run_network("transformer_block", inputs, weights(torch.float32), [HEAD_DIM])
