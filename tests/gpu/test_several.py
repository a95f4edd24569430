"""Several graphics cards share the windows of a step: two simulated ones, whose memory no operator may mix."""

import gc
import time

import pytest
import torch

from sonic_nodes.engines import devices
from sonic_nodes.engines.settings import SonicOptions
from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.engines.stages import Stages
from sonic_nodes.errors import DeviceError, ResourceError, UsageError
from sonic_nodes.memory.device import free_bytes
from sonic_nodes.models.sampler import SPEEDS
from sonic_nodes.progress import progress_callback
from sonic_nodes.weights.models import Models
from tests.oracles.engine_runs import clip_data
from tests.sampler.clips import SmallClip

FIRST, SECOND = "simulated:0", "simulated:1"
WINDOW = 4
MODES = ("exact", "balanced", "fast")  # the speeds that leave something else out each
HALF = 0.05  # of half the work: how far a card may be from it


@pytest.fixture(autouse=True)
def leaves_nothing(gpu):
    """On either card; the suite around these tests looks for what was put on the other."""
    yield
    gc.collect()
    gpu.reset()


def copy_of(clip):
    """The clip's network on the second card."""
    return clip.net.on(torch.device(SECOND), {name: w.to(SECOND) for name, w in clip.net.weights.items()})


def small_clip(frames: int, **settings) -> SmallClip:
    return SmallClip(frames, WINDOW, device=FIRST, **settings)


def work(gpu) -> list[tuple[int, int]]:
    """(bytes moved by convolutions and products, their number) of each card."""
    found = []
    for card in range(2):
        counts = [v for name, v in gpu.operators(card).items() if name.startswith(("convolution", "aten::addmm"))]
        found.append((sum(moved for _, moved in counts), sum(calls for calls, _ in counts)))
    return found


@pytest.mark.parametrize("speed", MODES)
@pytest.mark.parametrize("branches", [1, 3])
@pytest.mark.parametrize("frames", [2, 9, 30])
def test_the_bits_are_those_of_one_card(gpu, speed, branches, frames):
    clip = small_clip(frames, steps=4, **SPEEDS[speed])
    (alone,) = clip.sample(branches)
    other = copy_of(clip)
    gpu.reset()
    (shared,) = clip.sample(branches, others=[other])
    assert torch.equal(shared, alone)
    assert gpu.operators(1)["convolution and bias"][0] > 0, "the second card computes"


@pytest.mark.parametrize("speed", MODES)
@pytest.mark.parametrize("windows", [8, 9, 11])
def test_each_card_does_half_of_the_work(gpu, speed, windows):
    clip = small_clip(WINDOW * windows, steps=8, **SPEEDS[speed])
    other = copy_of(clip)
    gpu.reset()
    clip.sample(others=[other])
    (moved, count), (other_moved, other_count) = work(gpu)
    assert count > 100
    assert abs(count / (count + other_count) - 0.5) <= HALF / 2
    assert abs(moved / (moved + other_moved) - 0.5) <= HALF / 2


def test_weights_or_constants_on_the_wrong_card_are_caught(gpu):
    clip = small_clip(9)
    for planted in ("weights", "constants"):
        other = copy_of(clip)
        tensors = getattr(other, planted)
        name = {"weights": "conv_out.weight", "constants": "image_spatial"}[planted]
        tensors[name] = tensors[name].to(FIRST)
        with pytest.raises(RuntimeError, match="all tensors to be on the same device"):
            clip.sample(others=[other])


def ignore(done, total, preview):
    pass


def test_a_step_waits_for_no_copy(gpu):
    """As with one card: what a further step adds is one asynchronous read of the first."""
    counts = []
    for steps in (2, 3, 5):
        clip = small_clip(9, steps=steps)
        other = copy_of(clip)
        gpu.reset()
        with progress_callback(ignore):
            clip.sample(others=[other])
        counts.append(gpu.counters())
    for name in ("blocking_to_device", "blocking_to_host"):
        assert len({found[name] for found in counts}) == 1, name
    assert [found["async_to_host"] for found in counts] == [2, 3, 5]
    assert [found["between_devices"] for found in counts] == [2 * steps * 1 + steps // 2 * 2 for steps in (2, 3, 5)]


def seconds(gpu, clip, others, delay_us: int) -> float:
    with gpu.delay(delay_us):
        started = time.monotonic()
        with progress_callback(ignore):
            clip.sample(others=others)
        return time.monotonic() - started


def test_two_cards_take_half_the_time(gpu):
    """Cards on which each operator takes so long that the host is ahead: no wait stands between their calls."""
    clip = small_clip(8 * WINDOW)
    others = [copy_of(clip)]
    clip.sample(others=others)
    delay_us = 400
    alone, shared = seconds(gpu, clip, [], delay_us), seconds(gpu, clip, others, delay_us)
    assert alone > 1
    assert 0.5 <= shared / alone < 0.6


def test_the_number_1_is_made_once_a_card(gpu):
    clip = small_clip(8 * WINDOW)
    other = copy_of(clip)
    with gpu.log():
        clip.sample(others=[other])
        fills = [gpu.operators(card).get("aten::fill_.Scalar", (0, 0))[0] for card in range(2)]
        mixes = [gpu.operators(card)["aten::lerp_.Tensor"][0] for card in range(2)]
    assert [made - mixed for made, mixed in zip(fills, mixes, strict=True)] == [1, 1]


def test_progress_and_cancel(gpu):
    clip = small_clip(9, steps=6)
    others, reports = [copy_of(clip)], []
    held = [gpu.live(card) for card in range(2)]
    with progress_callback(lambda done, total, preview: reports.append((done, total))):
        clip.sample(others=others)
    done = [count for count, _ in reports]
    assert done == sorted(done) and reports[-1] == (18, 18)

    def cancel(done, total, preview):
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress_callback(cancel):
        clip.sample(others=others)
    gc.collect()
    assert [gpu.live(card) for card in range(2)] == held


# The engine


def engine(small_models, others=(SECOND,), **options) -> SonicEngine:
    return SonicEngine(Models.in_folder(small_models), precision="fp32", device=FIRST, others=others, **options)


DATA_S, SETTINGS = 5.0, SonicSettings(steps=2)  # 63 latents: three windows


@pytest.fixture(scope="module")
def data():
    return clip_data(DATA_S)


@pytest.mark.parametrize("kind", ["batched", "sequential", "offload", "streamed"])
def test_a_clip_is_the_same_with_every_plan(gpu, small_models, data, kind):
    alone = engine(small_models, (), plan=kind).infer(data, 1, SETTINGS)["samples"]
    shared = engine(small_models, plan=kind)
    assert torch.equal(shared.infer(data, 1, SETTINGS)["samples"], alone)
    assert gpu.operators(1)["convolution and bias"][0] > 0
    assert (shared.models.held_bytes(SECOND) == 0) == shared.offload, "an offloaded copy is dropped"


def test_weights_go_from_card_to_card_once(gpu, small_models, data):
    shared = engine(small_models)
    shared.infer(data, 1, SETTINGS)
    first = gpu.counters()
    gpu.reset()
    shared.infer(data, 2, SETTINGS)
    second = gpu.counters()
    tensors = len(shared.models.tensors("unet", torch.float32, FIRST))
    assert first["between_devices"] - second["between_devices"] == tensors
    assert second["blocking_to_device"] < 20, "nothing is read from files again"
    assert shared.models.held_bytes(SECOND) == sum(t.nbytes for t in shared.models.copy("unet", SECOND).values())
    shared.models.release()
    assert shared.models.held_bytes(SECOND) == 0


def test_one_window_on_two_cards(gpu, small_models):
    short = clip_data(0.4)
    alone = engine(small_models, (), plan="sequential").infer(short, 1, SETTINGS)["samples"]
    gpu.reset()
    assert torch.equal(engine(small_models, plan="sequential").infer(short, 1, SETTINGS)["samples"], alone)
    assert gpu.operators(1)["convolution and bias"][0] > 0, "its branches are shared"


def test_the_plan_counts_what_each_card_holds(gpu, small_models, data):
    shared = engine(small_models, plan="batched")
    plan = shared.plan(data, SETTINGS)
    before = gpu.live(1)
    gpu.reset()
    shared.infer(data, 1, SETTINGS)
    (card,) = plan.others
    assert card.name == SECOND and plan.name == FIRST
    taken = gpu.peak(1) - before
    pages = gpu.allocations(1) and 2 * 4096 * len(shared.models.copy("unet", SECOND))  # a block is whole pages
    assert card.weights < taken <= card.weights + card.held + card.results + pages


@pytest.mark.parametrize("small", [0, 1])
def test_the_smallest_card_decides(gpu, small_models, data, small):
    shared = engine(small_models)
    with gpu.memory_limit(small, gpu.live(small) + (100 << 20)), pytest.raises(ResourceError) as refused:
        shared.plan(data, SETTINGS)
    text = str(refused.value)
    assert f" GB on simulated:{small}." in text
    assert text.startswith(f"Leave out the device {SECOND} (") == (small == 1)
    assert f"close other programs that use simulated:{small}" in text
    assert free_bytes(torch.device(FIRST)) > 1 << 30


class FailsOn:
    """Allocations on one card fail while its calls are sampled: the first of each attempt, `attempts` times."""

    def __init__(self, monkeypatch, gpu, card: int, attempts: int):
        original, left = Stages.sampling, [attempts]

        def sampling(*arguments, **options):
            if left[0] > 0:
                left[0] -= 1
                gpu.library.simulated_fail_allocations(card, 40, 1, True)
            try:
                return original(*arguments, **options)
            finally:
                gpu.library.simulated_fail_allocations(card, 0, 0, False)

        monkeypatch.setattr(Stages, "sampling", sampling)


@pytest.mark.parametrize("card", [0, 1])
def test_memory_that_runs_out_on_one_card_costs_time_alone(gpu, small_models, data, monkeypatch, card):
    notes: list[str] = []
    alone = engine(small_models, ()).infer(data, 1, SETTINGS)["samples"]
    shared = engine(small_models, notify=notes.append)
    shared.infer(data, 1, SETTINGS)
    FailsOn(monkeypatch, gpu, card, 1)
    gpu.reset()
    samples = shared.infer(data, 1, SETTINGS)["samples"]
    assert gpu.counter("refused") == 1 and len(notes) == 1
    assert (samples - alone).norm() <= 1e-5 * alone.norm()


@pytest.mark.parametrize("card", [0, 1])
def test_memory_that_runs_out_twice_names_the_card(gpu, small_models, data, monkeypatch, card):
    shared = engine(small_models)
    shared.infer(data, 1, SETTINGS)
    FailsOn(monkeypatch, gpu, card, 2)
    with pytest.raises(
        ResourceError, match="^Close other programs, choose a lower min_resolution or fp16: memory"
    ) as e:
        shared.infer(data, 1, SETTINGS)
    assert f"(on device {card})" in str(e.value) or f"copying the UNet to simulated:{card} " in str(e.value)


@pytest.mark.parametrize("card", [0, 1])
@pytest.mark.parametrize("after", [0, 120, 3000])
def test_a_lost_card_is_named_and_everything_is_freed(gpu, small_models, data, card, after):
    """Before the run; while networks run on the first card, or weights are copied to the second; in the loop."""
    gc.collect()
    shared, held = engine(small_models), [gpu.live(i) for i in range(2)]
    if after == 3000:
        shared.infer(data, 1, SETTINGS)
    sentence = f"^Leave out the device simulated:{card}, or restart the computer: the graphics card simulated:{card} f"
    devices.lacking_operators.cache_clear()
    with gpu.lost(card, after), pytest.raises(DeviceError, match=sentence) as raised:
        shared.infer(data, 2, SETTINGS)
    assert raised.value.exit_code == 5
    del raised
    gc.collect()
    assert [gpu.live(i) for i in range(2)] == held
    shared.infer(data, 2, SETTINGS)


def test_a_lost_card_of_one(gpu, small_models, data):
    one = engine(small_models, ())
    one.infer(data, 1, SETTINGS)
    with gpu.lost(0, 3000), pytest.raises(DeviceError, match="^Choose the device cpu, or restart the computer: "):
        one.infer(data, 2, SETTINGS)


# Lists of devices


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cpu,simulated:0", "^Choose graphics cards of one kind, .*lists cpu and simulated"),
        ("cpu,cpu", "^Choose graphics cards of one kind, .*lists cpu"),
        ("simulated:0,simulated:0", "^Name each graphics card once: .*lists simulated:0 twice"),
        ("simulated,simulated:0", "^Name each graphics card once: "),
        ("simulated:0,simulated:7", "^Choose the device cpu or simulated:0 or simulated:1: 'simulated:7' cannot"),
        ("simulated:0,cuda:0", "^Choose the device .*'cuda:0' cannot be used"),
        ("simulated:0,", "^Choose the device .*'' cannot be used"),
        ("all,simulated:0", "^Choose the device .*'all' cannot be used"),
    ],
)
def test_lists_that_are_refused(gpu, name, sentence):
    with pytest.raises(UsageError, match=sentence):
        devices.devices_of(name)


def test_lists_that_are_taken(gpu):
    both = (torch.device(FIRST), torch.device(SECOND))
    assert devices.devices_of("simulated:0, simulated:1") == both
    assert devices.devices_of("simulated:1,simulated:0") == both[::-1]
    assert devices.devices_of("all") == both
    assert devices.devices_of("cpu") == (torch.device("cpu"),)
    assert devices.devices_of("simulated:1") == (torch.device(SECOND),)
    with gpu.devices(1):
        assert devices.devices_of("all") == both[:1]
    with gpu.devices(0):
        assert devices.devices_of("all") == (torch.device("cpu"),)


def test_cards_that_differ_in_what_they_compute(gpu):
    """The second card: PyTorch asks each once, and tests/gpu/test_devices.py takes float16 from the first."""
    pair = [torch.device(SECOND), torch.device("cpu")]
    assert devices.dtype_on_all(pair[:1], "auto") is None
    assert devices.dtype_on_all(pair, "fp32") == torch.float32


def test_an_engine_is_opened_on_a_list(gpu, small_models):
    opened = SonicEngine.open(SonicOptions(models=str(small_models), device=f"{SECOND},{FIRST}"))
    assert opened.devices == (torch.device(SECOND), torch.device(FIRST))
