"""What the host waits for while a device computes: nothing in a call of the network, events between them. Counted by
the simulated GPU."""

import time

import numpy as np
import pytest
import torch

from sonic_nodes.extension.native import call
from sonic_nodes.models.call import run_network
from sonic_nodes.progress import progress_callback
from tests.gpu.test_simulated_gpu import DEVICE, rife_operands
from tests.models.golden import relative
from tests.sampler.clips import SmallClip

WINDOW = 4


def counted(gpu, work) -> dict[str, int]:
    gpu.reset()
    work()
    return gpu.counters()


def ignore(done, total, preview):
    pass


def sampled(clip, callback=ignore):
    with progress_callback(callback):
        return clip.sample()[0]


def test_a_call_of_the_network_waits_for_nothing(gpu):
    clip = SmallClip(6, WINDOW, device=DEVICE)
    sample = torch.ones(WINDOW, 4, 4, 4, device=DEVICE)
    for branches in ({}, {"first_branch": 2, "branches": 1}, {"first_branch": 0, "branches": 2}):
        found = counted(gpu, lambda b=branches: clip.net.step(sample, 0.5, (12.5, 1, 1), [5, 0, 1, 2], **b))
        assert (found["blocking_to_device"], found["blocking_to_host"], found["waits"]) == (0, 0, 0), branches
        assert found["async_to_device"] > 0


@pytest.mark.parametrize("frames", [3, 6, 13])
def test_a_step_waits_for_no_copy_and_reads_once(gpu, frames):
    """What a further step adds, with previews."""
    counts = []
    for steps in (2, 3, 5):
        clip = SmallClip(frames, WINDOW, steps=steps, device=DEVICE)
        sampled(clip)
        counts.append(counted(gpu, lambda c=clip: sampled(c)))
    for name in ("blocking_to_device", "blocking_to_host"):
        assert len({found[name] for found in counts}) == 1, name
    assert [found["async_to_host"] for found in counts] == [2, 3, 5]
    assert counts[0]["async_to_device"] < counts[1]["async_to_device"]


def test_results_and_previews_are_those_of_the_cpu(gpu):
    here, there, seen = SmallClip(6, WINDOW, steps=3), SmallClip(6, WINDOW, steps=3, device=DEVICE), {}
    results = {}
    for name, clip in (("cpu", here), ("gpu", there)):
        seen[name] = []
        results[name] = sampled(clip, lambda done, total, preview, n=name: seen[n].append((done, total, preview)))
    assert relative(results["gpu"].cpu(), results["cpu"]) < 1e-5
    pictures = {name: [p for *_, p in reports if p is not None] for name, reports in seen.items()}
    assert len(pictures["cpu"]) == len(pictures["gpu"]) == 3
    for a, b in zip(*pictures.values(), strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1
    for reports in seen.values():
        done = [count for count, *_ in reports]
        assert done == sorted(done) and reports[-1][:2] == (6, 6)


def test_the_number_1_is_made_once_a_call(gpu):
    clip = SmallClip(4, WINDOW, device=DEVICE)
    sample = torch.ones(WINDOW, 4, 4, 4, device=DEVICE)
    with gpu.log() as lines:
        clip.net.step(sample, 0.5, (12.5, 1, 1), range(4))
    adds = [line for line in lines if line.startswith("aten::_foreach_addcmul_")]
    fills = [line for line in lines if "fill_" in line]
    mixes = [line for line in lines if line.startswith("aten::lerp_")]
    assert len(adds) > 20 and len(fills) == 1 + len(mixes)


def test_a_pair_of_frames_waits_for_nothing(gpu):
    frames, weights = rife_operands()
    found = counted(gpu, lambda: run_network("rife", frames, weights))
    assert (found["blocking_to_device"], found["blocking_to_host"], found["waits"]) == (0, 0, 0)
    assert found["async_to_device"] == 1


def calls_of(clip, gpu) -> list[tuple[int, float]]:
    """(calls that are said to be done, seconds since the start), of each report."""
    reports, started = [], time.monotonic()
    sampled(clip, lambda done, total, preview: reports.append((done, time.monotonic() - started)))
    return reports


def test_progress_follows_the_device(gpu):
    """A device that takes 0.3 s a step, and a host that queues one at once: no call is said to be done early."""
    clip = SmallClip(4, WINDOW, steps=4, device=DEVICE)
    sampled(clip)
    work = sum(calls for calls, _ in gpu.operators().values())
    gpu.reset()
    clip.net.step(torch.ones(WINDOW, 4, 4, 4, device=DEVICE), 0.5, (12.5, 1, 1), range(4))
    step = sum(calls for calls, _ in gpu.operators().values())
    delay_us = 300_000 // step
    assert work > 4 * step
    with gpu.delay(delay_us):
        reports = calls_of(clip, gpu)
    assert {done for done, _ in reports} == {0, 1, 2, 3, 4}
    for done, seconds in reports:
        assert seconds >= done * step * delay_us / 1e6 * 0.95


def test_cancel_ends_within_two_steps(gpu):
    """Of a device that takes 0.3 s a step, pressed in the first half second of ten steps."""
    clip, device = SmallClip(4, WINDOW, steps=10, device=DEVICE), 1
    sampled(clip)
    gpu.reset()
    clip.net.step(torch.ones(WINDOW, 4, 4, 4, device=DEVICE), 0.5, (12.5, 1, 1), range(4))
    step = sum(calls for calls, _ in gpu.operators().values())
    started, pressed, held = time.monotonic(), 0.4, gpu.live(device)

    def cancel(done, total, preview):
        if time.monotonic() - started > pressed:
            raise KeyboardInterrupt

    with gpu.delay(300_000 // step), pytest.raises(KeyboardInterrupt):
        started = time.monotonic()
        try:
            sampled(clip, cancel)
        finally:
            heard = time.monotonic() - started
            queued = sum(calls for calls, _ in gpu.operators().values()) / step
    assert heard < pressed + 0.2
    assert queued < 1 + 2 + 2.5  # the counted step, those that the device has done or does, two ahead
    assert gpu.live(device) == held


@pytest.mark.parametrize("step", [1, 2, 3])
def test_latents_that_are_not_finite_end_the_run_with_their_step(gpu, monkeypatch, step):
    """The step is the one whose latents they are, not the one that is queued."""
    clip = SmallClip(4, WINDOW, steps=4, device=DEVICE, dynamic_scale=1.0)
    clip.net.weights["conv_out.bias"] = clip.net.weights["conv_out.bias"].clone()
    calls = 0

    def spoil(done, total, preview):
        nonlocal calls
        if done >= step - 1 and not calls:
            calls += 1
            clip.net.weights["conv_out.bias"].fill_(torch.nan)

    with pytest.raises(RuntimeError, match=r"after step (\d) of 4 the latents are not finite") as raised:
        sampled(clip, spoil)
    assert int(str(raised.value).split("after step ")[1][0]) in (step, step + 1)


def test_attention_over_more_sequences_than_a_grid_has_rows(gpu):
    """65536 of them, as the positions of a window at 2048 x 2048; the device refuses more than 65535."""
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(65_537, 1, 2, 8, generator=generator) for _ in range(3))
    with pytest.raises(RuntimeError, match="invalid configuration argument"):
        torch.nn.functional.scaled_dot_product_attention(*(x.to(DEVICE) for x in (q, k, v)))
    with gpu.log() as lines:
        (got,) = call("tensor_operator", [x.to(DEVICE) for x in (q, k, v)], "op=attention", [0])
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert relative(got.cpu(), expected) < 1e-6
    assert sum(line.startswith("attention,") for line in lines) == 3
