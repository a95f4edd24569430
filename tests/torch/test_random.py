"""Normal noise against torch.randn of a seeded generator on the CPU."""

import threading

import numpy as np
import pytest
import torch

from sonic_nodes.extension.native import _sonic, call

SEEDS = [0, 42, -1, -(2**63), 2**64 - 1, 2**40 + 7]
TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])


def assert_close(got: np.ndarray, expected: np.ndarray):
    """Within 4 units in the last place of PyTorch's AVX2 kernel; its plain kernel differs by more."""
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        assert np.all(np.abs(got - expected) <= 4 * np.spacing(np.abs(expected)))
    else:
        assert got.shape == expected.shape and np.all(np.abs(got - expected) <= 3e-6)  # also of an empty draw


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 31, 624, 100_003])
def test_one_draw(seed, count):
    expected = torch.randn(count, generator=torch.Generator().manual_seed(seed)).numpy()
    got = _sonic.normal(_sonic.generator(seed), count)
    assert got.dtype == np.float32 and got.shape == (count,)
    if count < 16:
        assert np.array_equal(got, expected)
    else:
        assert_close(got, expected)


def test_state_is_carried_from_draw_to_draw():
    """Odd draws keep the second of a pair for the next short draw, also across long ones."""
    ours, theirs = _sonic.generator(7), torch.Generator().manual_seed(7)
    for count in (5, 3, 17, 16, 7, 32, 1, 100, 4, 0, 2, 1000, 1):
        assert_close(_sonic.normal(ours, count), torch.randn(count, generator=theirs).numpy())


def test_a_seed_gives_these_values_on_every_machine():
    """Those of torch.randn after torch.manual_seed(0) and (42)."""
    assert np.allclose(_sonic.normal(_sonic.generator(0), 3), [1.5410, -0.2934, -2.1788], atol=5e-5)
    assert np.allclose(_sonic.normal(_sonic.generator(42), 3), [0.3367, 0.1288, 0.2345], atol=5e-5)


def test_generators_are_independent():
    a, b = _sonic.generator(1), _sonic.generator(1)
    first = _sonic.normal(a, 100)
    _sonic.normal(a, 100)
    assert np.array_equal(_sonic.normal(b, 100), first)


def test_statistics():
    x = _sonic.normal(_sonic.generator(3), 1_000_000).astype(np.float64)
    assert abs(x.mean()) < 4e-3 and abs(x.std() - 1) < 3e-3 and abs((x**4).mean() - 3) < 0.03


def test_one_generator_in_many_threads_stays_in_bounds():
    generator = _sonic.generator(5)
    threads = [threading.Thread(target=lambda: [_sonic.normal(generator, 1000) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.isfinite(_sonic.normal(generator, 1000)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("before, shape", [(3, (2, 3)), (17, (3, 37)), (5, (4, 5, 8)), (0, (100, 101))])
def test_tensors(dtype, before, shape):
    if dtype != torch.float32 and TORCH < (2, 13):
        pytest.skip("PyTorch before 2.13 may draw half-precision noise from uniforms of 8 or 11 bits")
    generator = torch.Generator().manual_seed(9)
    torch.randn(before, generator=generator, dtype=dtype)
    expected = torch.randn(shape, generator=generator, dtype=dtype)
    number = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}[dtype]
    (got,) = call("tensor_operator", [], "op=normal", [number, 9, before, *shape])
    assert got.dtype == dtype and got.shape == expected.shape
    if dtype == torch.float32:
        assert_close(got.numpy(), expected.numpy())
    else:
        # a value on the edge of rounding may fall to either side
        step = 2 * torch.finfo(dtype).eps * expected.float().abs() + 1e-6
        assert ((got.float() - expected.float()).abs() <= step).all()
        assert (got != expected).float().mean() < 1e-3


def test_bad_input():
    with pytest.raises(ValueError, match="Ask for no fewer than 0 values: -1"):
        _sonic.normal(_sonic.generator(0), -1)
    with pytest.raises(TypeError):
        _sonic.generator("0")
    with pytest.raises(ValueError):
        _sonic.normal(object(), 4)
    with pytest.raises(MemoryError):
        _sonic.normal(_sonic.generator(0), 2**59)
