"""Operations to seconds."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from sonic_nodes.memory import benchmark
from sonic_nodes.memory.benchmark import Speed
from sonic_nodes.memory.estimate import Cost


class MovedBytes(TorchDispatchMode):
    """Counts what every operator reads and writes; an operand that it writes in place counts as both."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        outs = out if isinstance(out, tuple) else (out,)
        self.bytes += sum(x.nbytes for x in (*args, *outs) if isinstance(x, torch.Tensor))
        return out


def test_each_kind_of_work_at_its_rate():
    assert Speed(2, 4, 8, 16).seconds(Cost(2, 8, 24, 64, 0, 10**9)) == 1 + 2 + 3 + 4
    assert Speed.of(2.0).seconds(Cost(2, 8, 24, 10**9, 0, 0)) == 17


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_calibration_divides_what_it_runs_by_its_seconds(monkeypatch, dtype):
    """PyTorch's own counter says what was run. It knows attention only as the products that it is made of."""
    flops, moved = [], []

    def two_seconds(work, device):
        counter, mover = FlopCounterMode(display=False), MovedBytes()
        with counter, mover, sdpa_kernel(SDPBackend.MATH):
            work()
        flops.append(counter.get_total_flops())
        moved.append(mover.bytes)
        return 2.0

    monkeypatch.setattr(benchmark, "fastest_run_s", two_seconds)
    rates = benchmark.calibrate("cpu", dtype)
    assert [2 * rates.convolution, 2 * rates.product, 2 * rates.attention] == flops[:3] and min(flops[:3]) > 1e9
    assert flops[3] == 0 and 2 * rates.moved == pytest.approx(moved[3], rel=1e-2)


def test_the_first_round_does_not_count(monkeypatch):
    took, now = iter([1.0, 9.0, 5.0, 7.0]), [0.0]
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work():
        now[0] += next(took)

    assert benchmark.fastest_run_s(work, torch.device("cpu")) == 5
    assert next(took, None) is None
