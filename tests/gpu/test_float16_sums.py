"""Sums in float16, a knob of `speed`: allowed during the sampler's calls alone, as the settings say and whatever the
host allows; used on the cards that gain from them, else left out in words."""

from contextlib import contextmanager

import pytest
import torch

from sonic_nodes.engines import devices
from sonic_nodes.engines.sonic import SonicEngine, SonicSettings
from sonic_nodes.errors import ResourceError
from sonic_nodes.extension import precision
from sonic_nodes.extension.native import call
from sonic_nodes.progress import progress_callback
from sonic_nodes.weights.models import Models
from tests.gpu.test_simulated_gpu import DEVICE
from tests.models.golden import relative
from tests.oracles.engine_runs import clip_data
from tests.sampler.clips import SmallClip

PRODUCTS = torch.backends.cuda.matmul


@contextmanager
def allowed_by_host(value: bool):
    """As ComfyUI's --fast fp16_accumulation does."""
    PRODUCTS.allow_fp16_accumulation = value
    try:
        yield
        assert PRODUCTS.allow_fp16_accumulation == value, "the host's setting is as it was"
    finally:
        PRODUCTS.allow_fp16_accumulation = False


def small_clip(wanted: bool, dtype=torch.float16) -> SmallClip:
    return SmallClip(6, 4, device=DEVICE, dtype=dtype, steps=3, fp16_accumulation=wanted)


@pytest.mark.parametrize("host", [False, True])
def test_the_settings_decide_during_our_calls(gpu, host):
    seen, latents = {}, {}
    for wanted in (False, True):
        clip, found = small_clip(wanted), seen.setdefault(wanted, set())
        gpu.reset()
        with allowed_by_host(host), progress_callback(lambda *_, f=found: f.add(PRODUCTS.allow_fp16_accumulation)):
            (latents[wanted],) = clip.sample()
        assert (gpu.counter("float16_sums") > 100) == wanted
    assert seen == {False: {False}, True: {True}}
    assert 0 < relative(latents[True].cpu(), latents[False].cpu()) < 1e-2


def test_only_products_of_float16_are_concerned(gpu):
    small_clip(True, torch.float32).sample()
    assert gpu.counter("float16_sums") == 0
    with allowed_by_host(True):
        x, w = torch.ones(1, 4, 8, 8, device=DEVICE).half(), torch.ones(4, 4, 3, 3, device=DEVICE).half()
        torch.nn.functional.conv2d(x, w)
        assert gpu.counter("float16_sums") == 0
        torch.nn.functional.linear(x, torch.ones(3, 8, device=DEVICE).half())
        assert gpu.counter("float16_sums") == 1
        call("tensor_operator", [x, x], "op=matmul")
    assert gpu.counter("float16_sums") == 1


@pytest.mark.parametrize("form", ["mm", "bmm", "addmm", "addmm in place", "baddbmm"])
def test_the_simulated_card_rounds_every_16_products(gpu, form):
    """1 + 2^-11 rounds to 1 in float16, so what the second block of 16 adds to the first is lost."""
    a, b = torch.zeros(2, 32), torch.ones(32, 3)
    a[:, 0], a[:, 16] = 1, 2.0**-11
    a[1, 1] = 1  # 2 + 2^-11, too
    x = torch.full((2, 3), 0.5)
    a, b, x = (t.half().to(DEVICE) for t in (a, b, x))
    with allowed_by_host(True):
        results = {
            "mm": lambda: a @ b,
            "bmm": lambda: torch.bmm(a[None], b[None])[0],
            "addmm": lambda: torch.addmm(x, a, b, alpha=2),
            "addmm in place": lambda: x.clone().addmm_(a, b, beta=2),
            "baddbmm": lambda: torch.baddbmm(x[None], a[None], b[None])[0],
        }[form]()
    rows = {"addmm": [2.5, 4.5], "addmm in place": [2, 3], "baddbmm": [1.5, 2.5]}.get(form, [1, 2])
    assert results.float().cpu().tolist() == [[row] * 3 for row in rows]


def test_the_setting_is_restored_after_every_end(gpu):
    class Cancelled(Exception):
        pass

    def cancel(*_):
        assert PRODUCTS.allow_fp16_accumulation
        raise Cancelled

    clip = small_clip(True)
    with allowed_by_host(False), pytest.raises(Cancelled), progress_callback(cancel):
        clip.sample()
    with allowed_by_host(False), pytest.raises(RuntimeError, match="not finite"):
        clip.net.weights["conv_out.bias"] = torch.full_like(clip.net.weights["conv_out.bias"], torch.nan)
        clip.sample()
    clip = small_clip(True)
    with (
        allowed_by_host(False),
        gpu.memory_limit(1, gpu.live(1) + 4096),
        pytest.raises(ResourceError, match="does not fit in memory"),
    ):
        clip.sample()


@pytest.mark.parametrize("host", [False, True])
def test_blocks_of_threads_that_overlap(host):
    """The first ends first: what the second found was not the host's."""
    with allowed_by_host(host):
        first, second = (precision.Float16Sums(torch, wanted) for wanted in (not host, host))
        for block in (first, second):
            block.__enter__()
            assert PRODUCTS.allow_fp16_accumulation == block.wanted
        for block in (first, second):
            block.__exit__()
    with allowed_by_host(host), precision.Float16Sums(torch, True):
        with precision.Float16Sums(torch, False):
            assert not PRODUCTS.allow_fp16_accumulation
        assert PRODUCTS.allow_fp16_accumulation


def test_a_pytorch_without_the_setting(monkeypatch):
    class Backends:
        class cuda:  # noqa: N801
            matmul = object()

    class Torch:
        backends = Backends

    for wanted in (False, True):
        with precision.Float16Sums(Torch, wanted):
            pass
    assert precision.float16_sums(Torch.backends.cuda.matmul) is None


@pytest.mark.parametrize(
    ("name", "dtype", "reason"),
    [
        ("NVIDIA GeForce RTX 3060", torch.float16, ""),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", torch.float16, ""),
        ("NVIDIA GeForce RTX 3060", torch.bfloat16, "it is for precision fp16 only"),
        ("NVIDIA GeForce GTX 1660", torch.float16, "NVIDIA GeForce GTX 1660 is as fast without it"),
        ("NVIDIA H100 80GB HBM3", torch.float16, "NVIDIA H100 80GB HBM3 is as fast without it"),
    ],
)
def test_cards_by_name(monkeypatch, name, dtype, reason):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr(torch.version, "hip", None)
    assert devices.no_float16_sums(torch.device("cuda:0"), dtype) == reason
    monkeypatch.setattr(devices, "float16_sums", lambda products: None)
    assert "cannot switch it on" in devices.no_float16_sums(torch.device("cuda:0"), dtype)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert devices.no_float16_sums(torch.device("cuda:0"), dtype) == "it is for NVIDIA GeForce RTX cards only"


@pytest.mark.parametrize("speed", ["fp16-accumulation", "fast-fp16"])
def test_an_engine_says_when_it_is_left_out(gpu, small_models, monkeypatch, speed):
    notes, data = [], clip_data(0.1)
    engine = SonicEngine(Models.in_folder(small_models), device=DEVICE, precision="fp16", notify=notes.append)
    settings = SonicSettings(steps=1, speed=speed)
    left_out = engine.infer(data, 1, settings)["samples"]
    assert notes == ["fp16 accumulation is left out: it is for NVIDIA GeForce RTX cards only."]
    assert gpu.counter("float16_sums") == 0
    monkeypatch.setattr("sonic_nodes.engines.sonic.no_float16_sums", lambda device, dtype: "")
    used = engine.infer(data, 1, settings)["samples"]
    assert gpu.counter("float16_sums") > 100 and len(notes) == 1
    assert 0 < relative(used, left_out) < 2e-2
