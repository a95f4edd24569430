"""The UNet's weights brought to the simulated GPU part by part, beside its computing: the same bits, a fraction of the
memory, and the time of the longer of both."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from sonic_nodes.engines.settings import SonicSettings
from sonic_nodes.engines.sonic import SonicEngine
from sonic_nodes.extension import events
from sonic_nodes.extension.native import _sonic
from sonic_nodes.models.unet import UNet
from sonic_nodes.weights.models import Models
from sonic_nodes.weights.streamed import is_streamed, part_of
from tests.models.golden import weights
from tests.models.test_unet import HEAD_DIM, conditions, golden, step  # noqa: F401
from tests.oracles.engine_runs import clip_data
from tests.sampler.clips import SmallClip

DEVICE = "simulated:1"


def nbytes(tensors) -> int:
    return sum(t.nbytes for t in tensors)


def placed(stream: bool) -> dict[str, torch.Tensor]:
    """The recorded UNet's weights; where they are streamed, most in host memory."""
    all_weights = weights("unet_tiny_weights_a") | weights("unet_tiny_weights_b")
    return {
        name: w if stream and is_streamed(name, tuple(w.shape)) else w.to(DEVICE) for name, w in all_weights.items()
    }


def run(gpu, stream: bool, golden):  # noqa: F811
    """(output, peak of the device above its weights, weights on the device)."""
    shaped = conditions(golden)
    net = UNet(placed(stream), HEAD_DIM)
    net.prepare(conditions(golden, image=[t.to(DEVICE) for t in shaped.image]))
    sample = golden["sample"].to(DEVICE)
    gpu.reset()
    before = gpu.live(1)
    out = step(net, golden, sample)[0].cpu()
    assert gpu.live(1) <= before + out.nbytes, "what was brought is gone"
    return out, gpu.peak(1) - before, nbytes(w for w in net.weights.values() if w.device.type == "simulated")


def test_a_step_has_the_same_bits_and_few_weights_on_the_device(gpu, golden):  # noqa: F811
    plain, plain_peak, plain_weights = run(gpu, False, golden)
    streamed, streamed_peak, stayed = run(gpu, True, golden)
    assert torch.equal(streamed, plain)
    parts = {}
    for name, w in placed(True).items():
        if is_streamed(name, tuple(w.shape)):
            parts[part_of(name)] = parts.get(part_of(name), 0) + w.nbytes
    assert stayed < 0.2 * plain_weights
    assert streamed_peak - plain_peak <= max(parts.values()), "more than one part's weights are there at a time"
    assert streamed_peak + stayed < plain_peak + plain_weights


def test_an_engine_that_streams(gpu, small_models):
    settings, data = SonicSettings(steps=2), clip_data(0.6)
    samples = {}
    for kind in ("sequential", "streamed"):
        engine = SonicEngine(Models.in_folder(small_models), precision="fp32", device=DEVICE, plan=kind)
        plan = engine.plan(data, settings)
        assert plan.stream == (kind == "streamed")
        samples[kind] = engine.infer(data, 1, settings)["samples"]
    assert torch.equal(samples["streamed"], samples["sequential"])


@pytest.mark.parametrize("kind", ["sequential", "streamed"])
def test_weights_of_the_other_plan_are_read_again(gpu, small_models, kind):
    models = Models.in_folder(small_models)
    here = models.tensors("unet", torch.float32, DEVICE, stream=kind == "streamed")
    other = models.tensors("unet", torch.float32, DEVICE, stream=kind != "streamed")
    on_host = [{name for name, w in tensors.items() if w.device.type == "cpu"} for tensors in (here, other)]
    assert sorted(map(bool, on_host)) == [False, True]
    streamed = models.tensors("unet", torch.float32, DEVICE, stream=True)
    assert {name for name, w in streamed.items() if w.device.type == "cpu"} == {
        name for name, w in streamed.items() if is_streamed(name, tuple(w.shape))
    }
    assert models.held_bytes(DEVICE) == nbytes(w for w in streamed.values() if w.device.type != "cpu")


# The loop: two buffers that take turns


def in_host_memory_where_streamed(clip: SmallClip) -> dict[str, int]:
    """Takes the clip's streamed weights to pinned memory; bytes of each part of them."""
    parts: Counter[str] = Counter()
    for name, w in clip.net.weights.items():
        if is_streamed(name, tuple(w.shape)):
            clip.net.weights[name] = w.cpu().pin_memory()
            parts[part_of(name)] += w.nbytes
    return parts


def clips(gpu, steps: int = 3, frames: int = 6, **settings):
    """(the clip with all weights on the device, the same with streamed ones, bytes of each part)."""
    plain, streamed = (SmallClip(frames, 4, steps=steps, device=DEVICE, **settings) for _ in range(2))
    return plain, streamed, in_host_memory_where_streamed(streamed)


@pytest.fixture
def streams(gpu):
    """Gives C these functions of extension/events.py in place of some; afterwards all are as before."""
    given = {"create": events.new_stream, "enter": events.enter, "leave": events.leave, "hold": events.hold}
    yield lambda **others: _sonic.provide_streams(*(given | others).values())
    _sonic.provide_streams(*given.values())


def without_streams(device_index):
    raise RuntimeError("this device has one queue")


@pytest.mark.parametrize("branches", [1, 3])
@pytest.mark.parametrize("speed", [{}, {"reuse": 2}])
@pytest.mark.parametrize("queues", [1, 2])
def test_the_loop_has_the_same_bits_and_two_parts_at_most(gpu, streams, branches, speed, queues):
    if queues == 1:
        streams(create=without_streams)
    plain, streamed, parts = clips(gpu, **speed)
    peaks, results = [], []
    for clip in (plain, streamed):
        gpu.reset()
        before = gpu.live(1)
        results.append(clip.sample(branches)[0])
        assert gpu.counter("unordered") == 0
        peaks.append(gpu.peak(1) - before)
        del before
    assert torch.equal(*results)
    padding = 4 * 128 * 64 + 2 * 4096 * 2  # weights begin at multiples of 128 values, blocks of memory at pages
    assert 0 < peaks[1] - peaks[0] <= 2 * (max(parts.values()) + padding)


def test_each_weight_crosses_once_a_call(gpu):
    """And ahead: what a call needs is known from the one before."""
    plain, streamed, parts = clips(gpu, steps=3, frames=4)
    counts = {}
    for clip in (plain, streamed):
        clip.sample()
        gpu.reset()
        clip.sample()
        counts[clip] = gpu.counter("async_to_device")
        assert gpu.counter("blocking_to_device") <= 8, "of the run, not of its calls"
    weights_used = [name for name, w in streamed.net.weights.items() if is_streamed(name, tuple(w.shape))]
    unused = [name for name in weights_used if ".attn2.to_k." in name or ".attn2.to_v." in name]  # one token: constants
    a_call = (counts[streamed] - counts[plain]) / 3
    assert len(weights_used) - 2 * len(unused) <= a_call <= len(weights_used) + 1


@pytest.mark.parametrize(("compute", "copy"), [(0.4, 0.2), (0.2, 0.4), (0.3, 0.3)])
def test_copies_overlap_computing(gpu, streams, compute, copy):
    """Of a device that computes a call in `compute` seconds and to which all its weights take `copy`: more than half of
    the shorter one is hidden behind the longer one, and with one queue nothing is. By the device's clock; the first
    call, which learns what to copy, is left out."""
    plain, streamed, parts = clips(gpu, steps=2, frames=4)
    gpu.reset()
    plain.sample()
    operators = sum(calls for calls, _ in gpu.operators(1).values()) / 2
    rates, found = (1e6 * compute / operators, 1e6 * copy / (sum(parts.values()) / 2**20)), {}
    for name, clip in (("plain", plain), ("two queues", streamed), ("one queue", streamed)):
        if name == "one queue":
            streams(create=without_streams)
        times = []
        for steps in (2, 4):
            clip.settings = replace(clip.settings, steps=steps)
            with gpu.clock(*rates) as seconds:
                clip.sample()
                times.append(seconds(1))
        found[name] = (times[1] - times[0]) / 2
    used = found["one queue"] - found["plain"]  # of the copies: weights that only constants need stay where they are
    assert found["plain"] == pytest.approx(compute, rel=0.05)
    assert 0.7 * copy < used < 1.01 * copy
    assert found["two queues"] < max(found["plain"], used) + 0.5 * min(found["plain"], used)


@pytest.mark.parametrize("fault", ["operators do not wait for copies", "copies do not wait for operators"])
def test_a_missing_event_is_caught(gpu, streams, fault):
    """Of two queues that nothing orders, the simulated device counts each use of memory that the other used last."""

    def hold(device_index, event):
        is_copying = torch.accelerator.current_stream(device_index).stream_id != 0
        if is_copying != (fault == "copies do not wait for operators"):
            events.hold(device_index, event)

    _, streamed, _ = clips(gpu)
    gpu.reset()
    streams(hold=hold)
    streamed.sample()
    assert gpu.counter("unordered") > 0


def test_a_device_without_events(gpu, streams):
    """All of them: it copies as it goes. Those of the copies' queue alone: the run ends, since the operators could read
    what is not there."""

    def no_event(device_index):
        raise RuntimeError("no event")

    def none_of_copies(device_index):
        if torch.accelerator.current_stream(device_index).stream_id:
            raise RuntimeError("no event")
        return events.record(device_index)

    plain, streamed, _ = clips(gpu)
    expected = plain.sample()[0]
    try:
        _sonic.provide_events(no_event, events.query)
        gpu.reset()
        assert torch.equal(streamed.sample()[0], expected)
        assert gpu.counter("unordered") == 0
        _sonic.provide_events(none_of_copies, events.query)
        with pytest.raises(RuntimeError, match="did not say when weights have arrived"):
            streamed.sample()
    finally:
        _sonic.provide_events(events.record, events.query)


def test_a_failure_frees_the_buffers(gpu):
    """Out of memory for the buffers, and a device that is lost amid copies: nothing is left, and the text says why."""
    _, streamed, parts = clips(gpu)
    streamed.sample()
    before = gpu.live(1)
    with gpu.memory_limit(1, before + max(parts.values())), pytest.raises(Exception, match="memory"):
        streamed.sample()
    assert gpu.live(1) == before
    with gpu.lost(1, 400), pytest.raises(RuntimeError, match="failed|lost|launch failure"):
        streamed.sample()
    assert gpu.live(1) == before
    assert torch.isfinite(streamed.sample()[0].cpu()).all()
