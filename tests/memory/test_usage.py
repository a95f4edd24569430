"""Memory in use while work runs."""

import sys

import pytest
import torch

from sonic_nodes.memory import device, host, usage

MIB = 1 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_resident_memory_follows_what_is_written():
    before = host.resident_bytes()
    block = bytearray(b"x") * (64 * MIB)
    assert 48 * MIB < host.resident_bytes() - before < 96 * MIB
    del block


def test_the_peak_is_the_highest_sample(monkeypatch):
    samples = iter([3, 9, 4])
    monkeypatch.setattr(host, "resident_bytes", lambda: next(samples))
    measured = usage.Usage("cpu")
    assert measured.peak is None
    assert [(measured.sample(), measured.peak) for _ in range(3)] == [(3, 3), (9, 9), (4, 9)]


def test_a_card_is_asked_for_what_its_allocator_handed_out(monkeypatch):
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda where: 7 if where.index == 1 else 0)
    assert usage.Usage("cuda:1").sample() == 7


def test_where_nothing_is_known_nothing_is_said(monkeypatch):
    def refused(where):
        raise RuntimeError("not implemented")

    monkeypatch.setattr(torch.cuda, "memory_allocated", refused)
    measured = usage.Usage(torch.device("cuda"))
    assert device.used_bytes(torch.device("cuda")) is None and measured.sample() is None and measured.peak is None
