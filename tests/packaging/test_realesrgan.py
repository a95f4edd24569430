"""Reading ncnn's form of the upscaler's weights, on two files made here."""

import numpy as np
import pytest

from tools import realesrgan


@pytest.fixture
def made(monkeypatch):
    """(param, data, the tensors) of two convolutions, the first with an odd number of weights."""
    monkeypatch.setattr(realesrgan, "names", lambda: ["first", "last"])
    random, data, expected = np.random.default_rng(0), b"", {}
    lines = ["7767517", "3 3", "Input data 0 1 data"]
    for name, (outputs, inputs) in {"first": (1, 3), "last": (2, 1)}.items():
        weights = random.standard_normal((outputs, inputs, 3, 3)).astype("<f2")
        bias = random.standard_normal(outputs).astype("<f4")
        padding = bytes(-2 * weights.size % 4)
        data += realesrgan.HALF_PRECISION.to_bytes(4, "little") + weights.tobytes() + padding + bias.tobytes()
        lines.append(f"Convolution {name} 1 1 a b 0={outputs} 1=3 4=1 5=1 6={weights.size} 9=2 -23310=1,2.0e-01")
        expected |= {f"{name}.weight": weights.astype("f4"), f"{name}.bias": bias}
    return "\n".join(lines), data, expected


def test_weights_and_biases_are_read(made):
    param, data, expected = made
    found = realesrgan.tensors(param, data)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_other_files_are_refused(made):
    param, data, _ = made
    with pytest.raises(ValueError, match="2 bytes are left"):
        realesrgan.tensors(param, data + b"\0\0")
    with pytest.raises(ValueError, match="first is not in half precision"):
        realesrgan.tensors(param, b"\0" + data[1:])
    with pytest.raises(ValueError):
        realesrgan.tensors(param.rsplit("\n", 1)[0], data)


def test_the_network_has_351_convolutions():
    assert len(realesrgan.names()) == len(set(realesrgan.names())) == 351
