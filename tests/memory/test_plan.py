"""Which plan is chosen for how much memory, the refusal when none fits, and the retry when memory runs out anyway."""

import builtins
import json
import re
from dataclasses import replace

import pytest
import torch

from sonic_nodes.errors import ResourceError, UsageError
from sonic_nodes.memory import estimate, host, plan, streaming
from sonic_nodes.memory.cards import Card
from sonic_nodes.memory.estimate import Shortcuts
from sonic_nodes.memory.plan import GIB, VARIANTS, Budget, Speed, make, plans, with_retry
from sonic_nodes.memory.stage import Stage

PLENTY = 64 * GIB
TEN_SECONDS = 126
SPEED = Speed(2e14, 2e14, 1e14, 2e12)


def on_gpu(gib, **options):
    return {"budget": Budget(round(gib * GIB), PLENTY), **options}


def variant(p):
    return VARIANTS.index((p.branches_at_once, p.offload, p.stream))


@pytest.mark.parametrize("side", [512, 1024])
def test_more_memory_never_gives_a_slower_plan_and_no_plan_exceeds_it(side):
    best = None
    for gib in (3, 4, 5, 5.5, 6, 7, 8, 10, 12, 16, 24, 48):
        try:
            p = make(side // 8, side // 8, TEN_SECONDS, speed=SPEED, **on_gpu(gib))
        except ResourceError:
            assert best is None, f"{gib} GiB are refused, less was enough"
            continue
        assert p.fits and p.peak <= gib * GIB
        assert best is None or variant(p) <= variant(best) and p.seconds <= best.seconds
        best = p
    assert variant(best) == 0


@pytest.mark.parametrize(
    "gib, side, expected",
    [
        (6, 512, "batched, offload"),
        (8, 512, "batched"),
        (12, 512, "batched"),
        (24, 512, "batched"),
        (8, 1024, "sequential, offload"),
        (12, 1024, "sequential"),
        (24, 1024, "batched"),
    ],
)
def test_common_cards(gib, side, expected):
    assert make(side // 8, side // 8, TEN_SECONDS, **on_gpu(gib)).kind == expected


def test_refusal_has_numbers_and_remedies_that_work():
    with pytest.raises(ResourceError) as refused:
        make(128, 128, TEN_SECONDS, **on_gpu(5))
    text = str(refused.value)
    (side,) = map(int, re.findall(r"min_resolution to (\d+)", text))
    assert make(side // 8, side // 8, TEN_SECONDS, **on_gpu(5)).fits
    with pytest.raises(ResourceError):
        make(side // 8 + 8, side // 8 + 8, TEN_SECONDS, **on_gpu(5))
    (more,) = map(float, re.findall(r"free ([\d.]+) GB more", text))
    assert make(128, 128, TEN_SECONDS, Budget(round(5 * GIB + (more + 0.01) * 1e9), PLENTY)).fits
    assert text.startswith("Set min_resolution") and "run on the CPU" in text and "5.37 GB free" in text


@pytest.mark.parametrize(
    ("guidance", "speed"), [({"guidance_low": 0.3, "guidance_high": 30.0}, "balanced"), ({}, "exact")]
)
def test_refusal_names_a_speed_that_fits(guidance, speed):
    """Steps that share features keep them for the whole clip: 8 MB a frame."""
    sharing, minutes = Shortcuts(**guidance, reuse=2), 750
    assert make(64, 64, minutes, **on_gpu(6)).fits
    with pytest.raises(ResourceError, match=f"^Set speed to {speed}"):
        make(64, 64, minutes, shortcuts=sharing, **on_gpu(6))
    assert make(64, 64, minutes, shortcuts=replace(sharing, reuse=1), **on_gpu(6)).fits


def test_streamed_weights_fit_small_cards():
    """Whole cards: what the driver uses is not free."""
    assert make(64, 64, TEN_SECONDS, **on_gpu(4 - 0.6)).kind == "batched, streamed"
    assert make(64, 64, TEN_SECONDS, **on_gpu(2)).kind == "sequential, streamed"
    assert make(128, 128, TEN_SECONDS, **on_gpu(6 - 0.6)).kind == "sequential, streamed"
    least = make(64, 64, TEN_SECONDS, **on_gpu(2))
    assert least.host > 2.5e9, "the weights wait in system memory"
    with pytest.raises(ResourceError, match="system memory"):
        make(64, 64, TEN_SECONDS, Budget(2 * GIB, GIB))


def test_a_call_takes_the_longer_of_copying_and_computing():
    """Part by part: at least the longer of both sums, and less than their sum."""
    m = estimate.model(plan.network_dtypes(torch.float16), gpu=True)
    copying = estimate.streamed_bytes(m) / streaming.PCIE_BYTES_PER_S
    assert 0.25 < copying < 0.27, "3.1 GB at 12 GB a second"
    assert streaming.call_seconds(m, 0) == pytest.approx(copying)
    assert streaming.call_seconds(m, 5.0) == pytest.approx(5.0, rel=0.01), "an RTX 3060 at 512 x 512"
    for computing in (0.1, 0.25, 1.0):
        both = streaming.call_seconds(m, computing)
        assert max(computing, copying) <= both < max(computing, copying) + 0.6 * min(computing, copying)


def test_parts_are_in_the_order_of_use():
    """Of the published network: down, middle, up."""
    m = estimate.model(plan.network_dtypes(torch.float16), gpu=True)
    found = streaming.parts(m)
    assert sum(count for count, _ in found) == estimate.streamed_bytes(m)
    assert [level for _, level in found] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 9 + [2] * 7 + [1] * 7 + [0] * 6


def test_streaming_takes_time_where_copying_takes_longer():
    def seconds(kind, steps, **changes):
        p = make(64, 64, TEN_SECONDS, speed=SPEED, kind=kind, steps=steps, **on_gpu(24), **changes)
        return p.stage(Stage.SAMPLING).seconds

    copying = 10 * 6 * 3.14e9 / streaming.PCIE_BYTES_PER_S  # ten steps of six windows
    batched, streamed = seconds("batched", 10), seconds("streamed", 10)
    assert max(batched, copying) < streamed < batched + copying
    assert seconds("streamed", 20) == pytest.approx(2 * streamed)
    fast = Shortcuts(guidance_low=0.3, guidance_high=30.0, reuse=2)
    assert seconds("streamed", 10, shortcuts=fast) < 0.6 * streamed


def test_streaming_is_for_cards():
    with pytest.raises(UsageError, match="^Choose another plan"):
        make(64, 64, TEN_SECONDS, Budget(None, 64 * GIB), kind="streamed")


def test_refusal_of_a_long_clip_names_the_longest_that_fits():
    budget = Budget(round(5.5 * GIB), 4 * GIB)
    with pytest.raises(ResourceError) as refused:
        make(64, 64, 200_000, budget)
    (seconds,) = map(int, re.findall(r"set duration to (\d+) s", str(refused.value).lower()))
    assert make(64, 64, round(12.5 * seconds), budget).fits
    with pytest.raises(ResourceError):
        make(64, 64, round(12.5 * seconds) + 2 * plan.WINDOW, budget)


def test_system_memory_counts_on_a_gpu_too():
    long = 200_000
    assert make(64, 64, long, Budget(64 * GIB, PLENTY)).fits
    with pytest.raises(ResourceError, match="system memory") as refused:
        make(64, 64, long, Budget(64 * GIB, 4 * GIB))
    (more,) = map(float, re.findall(r"free ([\d.]+) GB more", str(refused.value)))
    assert make(64, 64, long, Budget(64 * GIB, round(4 * GIB + (more + 0.01) * 1e9))).fits


def test_on_the_cpu_precision_follows_memory():
    assert make(64, 64, TEN_SECONDS, Budget(None, 24 * GIB)).dtype == torch.float32
    smaller = make(64, 64, TEN_SECONDS, Budget(None, 7 * GIB))
    assert smaller.dtype == torch.bfloat16 and smaller.fits
    with pytest.raises(ResourceError, match="precision to bf16"):
        make(64, 64, TEN_SECONDS, Budget(None, 7 * GIB), dtype=torch.float32)


def test_a_plan_can_be_forced():
    for kind, holds in (
        ("batched", lambda p: p.branches_at_once == 3),
        ("sequential", lambda p: p.branches_at_once == 1),
        ("offload", lambda p: p.offload),
        ("streamed", lambda p: p.stream),
    ):
        assert holds(make(64, 64, TEN_SECONDS, kind=kind, **on_gpu(24)))
        assert all(holds(p) for p in plans(64, 64, TEN_SECONDS, kind=kind, **on_gpu(24)))
    with pytest.raises(ResourceError):
        make(64, 64, TEN_SECONDS, kind="batched", **on_gpu(2.5))
    with pytest.raises(UsageError, match="Choose the plan among auto, batched"):
        make(64, 64, TEN_SECONDS, kind="fast", **on_gpu(24))


def test_time_grows_with_steps_and_windows():
    def sampling(frames, steps):
        return make(64, 64, frames, steps=steps, speed=SPEED, **on_gpu(24)).stage(Stage.SAMPLING).seconds

    assert sampling(25, 20) == pytest.approx(2 * sampling(25, 10))
    assert sampling(26, 10) == sampling(50, 10) == pytest.approx(2 * sampling(25, 10))
    assert make(64, 64, 25, **on_gpu(24)).seconds is None


def test_text_and_json():
    p = make(64, 64, TEN_SECONDS, speed=SPEED, **on_gpu(8))
    assert p.title.startswith("512x512, 10.1 s, fp16: fits, ") and p.title in p.text[0]
    assert all(any(line.startswith(stage.stage.value) for line in p.text) for stage in p.stages)
    described = json.loads(json.dumps(p.as_dict()))
    assert described["peak"] == p.peak == max(stage["peak"] for stage in described["stages"])
    assert described["chunk"] == 8 and described["branches_at_once"] == p.branches_at_once


def test_free_memory_is_found_without_psutil(monkeypatch):
    real = builtins.__import__

    def without_psutil(name, *rest):
        if name == "psutil":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_psutil)
    assert 1e8 < plan.free_host_bytes() < 1e14
    monkeypatch.setattr(host.Path, "read_text", lambda self, encoding: "")
    assert 1e8 < plan.free_host_bytes() < 1e14


# Memory that runs out during the run


class Fails:
    """Runs out of memory `times` times, then returns the plan's kind."""

    def __init__(self, error, times):
        self.error, self.times, self.seen = error, times, []

    def __call__(self, p):
        self.seen.append(p)
        if len(self.seen) <= self.times:
            raise self.error
        return p.kind


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    MemoryError(),
    ResourceError("Choose a smaller size: no memory left."),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
def test_once_more_with_less(error):
    p, work, notes, freed = make(64, 64, TEN_SECONDS, **on_gpu(24)), Fails(error, 1), [], []
    assert with_retry(p, work, lambda: freed.append(len(work.seen)), notes.append) == "batched, offload"
    assert freed == [1] and work.seen[1].peak < work.seen[0].peak
    assert notes == ["Memory ran out (batched): trying once more, batched, offload."]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
def test_the_second_failure_is_raised_unchanged(error):
    work = Fails(error, 2)
    with pytest.raises(type(error)) as failed:
        with_retry(make(64, 64, TEN_SECONDS, **on_gpu(24)), work)
    assert failed.value is error and len(work.seen) == 2


def test_the_smallest_plan_and_other_errors_are_not_tried_again():
    smallest = plans(64, 64, TEN_SECONDS, **on_gpu(24))[-1]
    for p, error in (
        (smallest, torch.OutOfMemoryError()),
        (make(64, 64, TEN_SECONDS, **on_gpu(24)), ValueError("other")),
    ):
        work = Fails(error, 1)
        with pytest.raises(type(error)):
            with_retry(p, work)
        assert len(work.seen) == 1


# Several cards


def with_cards(*gib, first=24.0):
    cards = tuple(Card(f"cuda:{i}", round(g * GIB)) for i, g in enumerate(gib, 1))
    return Budget(round(first * GIB), PLENTY, cards, "cuda:0")


def test_the_smallest_card_decides():
    assert make(64, 64, TEN_SECONDS, with_cards(24)).kind == "batched"
    assert make(64, 64, TEN_SECONDS, with_cards(5)).kind == "sequential"
    assert make(64, 64, TEN_SECONDS, with_cards(24, 3)).kind == "batched, streamed"
    assert make(64, 64, TEN_SECONDS, with_cards(24, first=6)).kind == "batched, offload"


def test_a_refusal_names_the_card_and_remedies_that_work():
    with pytest.raises(ResourceError) as refused:
        make(128, 128, TEN_SECONDS, with_cards(24, 2))
    text = str(refused.value)
    assert text.startswith("Leave out the device cuda:2 (") and " on cuda:2." in text
    assert make(128, 128, TEN_SECONDS, with_cards(24)).fits
    (side,) = map(int, re.findall(r"min_resolution to (\d+)", text))
    assert make(side // 8, side // 8, TEN_SECONDS, with_cards(24, 2)).fits
    (more,) = map(float, re.findall(r"free ([\d.]+) GB more: close other programs that use cuda:2", text))
    assert make(128, 128, TEN_SECONDS, with_cards(24, 2 + (more + 0.01) * 1e9 / GIB)).fits


def test_a_first_card_that_is_too_small_is_named():
    with pytest.raises(ResourceError, match=r"^Set min_resolution .* use cuda:0\..* on cuda:0\.$"):
        make(128, 128, TEN_SECONDS, with_cards(24, first=2))


def test_the_rest_of_a_clip_is_on_the_first_card():
    (card,) = make(64, 64, TEN_SECONDS, with_cards(24)).others
    long = make(64, 64, 7500, with_cards(24))
    assert long.others[0].peak == card.peak < long.stage(Stage.SAMPLING).peak
    assert card.weights == pytest.approx(3.05e9, rel=0.05), "the UNet alone"


def test_time_is_that_of_the_calls_that_follow_one_another():
    def seconds(latents, cards, kind="batched"):
        return (
            make(64, 64, latents, with_cards(*[24] * (cards - 1)), speed=SPEED, kind=kind).stage(Stage.SAMPLING).seconds
        )

    one = seconds(8 * plan.WINDOW, 1)
    assert seconds(8 * plan.WINDOW, 2) == pytest.approx(one / 2)
    assert seconds(9 * plan.WINDOW, 2) == pytest.approx(seconds(9 * plan.WINDOW, 1) * 5 / 9)
    assert seconds(plan.WINDOW, 2) == seconds(plan.WINDOW, 1)


def test_the_smaller_plan_is_smaller_on_every_card():
    for p in plans(64, 64, TEN_SECONDS, with_cards(24)):
        assert p.smaller is None or p.smaller.others[0].peak < p.others[0].peak and p.smaller.peak < p.peak


def test_cards_are_in_text_and_json():
    p = make(64, 64, TEN_SECONDS, with_cards(24))
    assert "(cuda:0), " in p.title and "(cuda:1)" in p.title
    assert [line.split()[0] for line in p.text if line.startswith("cuda")] == ["cuda:1"]
    described = json.loads(json.dumps(p.as_dict()))
    assert [card["name"] for card in described["others"]] == ["cuda:1"] and described["others"][0]["peak"] > 3e9


def test_the_slower_of_two_machines():
    assert Speed(4, 2, 3, 9).at_most(Speed(1, 5, 3)) == Speed(1, 2, 3, 9)
