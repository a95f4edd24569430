"""From operations to seconds."""

import math

import pytest
import torch

from sonic_nodes.memory import benchmark
from sonic_nodes.memory.benchmark import Speed
from sonic_nodes.memory.estimate import Cost


def test_each_kind_of_work_at_its_rate():
    assert Speed(2, 4, 8, 16).seconds(Cost(2, 8, 24, 64, 0, 10**9)) == 1 + 2 + 3 + 4
    assert Speed.of(2.0).seconds(Cost(2, 8, 24, 10**9, 0, 0)) == 17


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_calibration_gives_rates(monkeypatch, dtype):
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    rates = benchmark.calibrate("cpu", dtype)
    assert all(1e6 < rate < math.inf for rate in (rates.convolution, rates.product, rates.attention, rates.moved))
