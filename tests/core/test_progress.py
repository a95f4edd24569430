"""Progress and cancellation: before every operator, in any thread, without leaks."""

import _thread
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sonic_nodes import face
from sonic_nodes.errors import ResourceError
from sonic_nodes.extension.native import _sonic, call
from sonic_nodes.models.call import run_network
from sonic_nodes.progress import progress_callback
from tests.models.golden import full_mel, read, weights
from tests.oracles.live import live_bytes
from tests.sampler.clips import SmallClip
from tests.torch.test_tensor import cases, random, torch_has_messages

IN_PLACE = {
    "silu_in_place": (random(3, 5),),
    "gelu_in_place": (random(3, 5),),
    "mul_in_place": (random(3, 5), random(3, 5)),
    "add_in_place": (random(3, 5), random(3, 5)),
    "add_linear_in_place": (random(3, 7), random(3, 5), random(7, 5)),
    "add_product_in_place": (random(3), random(3), random(3)),
    "group_norm_last": (random(1, 2, 3, 8), random(8), random(8)),
    "gather": (random(3, 5), torch.tensor([0, 2])),
    "zeros": (random(1),),
    "indices": (random(1),),
}
NUMBERS = {
    "add_product_in_place": (2,),
    "group_norm_last": (4, 1e-6),
    "gather": (0,),
    "zeros": (2, 3),
    "indices": (1, 2),
}
OPERATORS = {name.split()[0]: (tensors, numbers) for name, (tensors, numbers, _) in cases().items()}
OPERATORS |= {name: (tensors, NUMBERS.get(name, ())) for name, tensors in IN_PLACE.items()}


class Stop(BaseException):
    """Not an Exception: it must be passed on all the same."""


class Calls:
    """A callback that raises at its call of number `stop_at`."""

    def __init__(self, stop_at: int = 0):
        self.seen, self.stop_at, self.error = [], stop_at, Stop("requested")

    def __call__(self, done, total, preview):
        self.seen.append((done, total, preview))
        if len(self.seen) == self.stop_at:
            raise self.error


@pytest.fixture(scope="module")
def clip():
    """One step of one window: about 2000 operators."""
    return SmallClip(frames=2, window=2)


@pytest.fixture(scope="module")
def latents(clip):
    return clip.sample()[0]


def operators_of(work) -> int:
    handle = _sonic.progress_begin(None, False, 10**6, 0)
    work()
    return _sonic.progress_end(handle)[1]


# Every operator


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_polls_before_it_runs(name):
    tensors, numbers = OPERATORS[name]
    before = [t.clone() for t in tensors]
    with pytest.raises(Stop), progress_callback(Calls(1), interval_ms=0):
        call("tensor_operator", tensors, f"op={name}", numbers)
    assert all(map(torch.equal, tensors, before))
    call("tensor_operator", tensors, f"op={name}", numbers)


def every_network():
    vae, rife, mel = read("vae_tiny_io"), read("rife_ifnet"), {"mel": full_mel()}
    return {
        "whisper": lambda: run_network("whisper", mel, weights("whisper_tiny_enc"), [2]),
        "clip_vision": lambda: run_network(
            "clip_vision", {"pixels": read("clip_tiny")["io_pixels"]}, weights("clip_tiny"), [2]
        ),
        "vae_encoder": lambda: run_network("vae_encoder", {"picture": vae["image"]}, weights("vae_tiny_weights"), [0]),
        "vae_decoder": lambda: run_network("vae_decoder", {"latents": vae["z"]}, weights("vae_tiny_weights"), [2]),
        "rife": lambda: run_network(
            "rife", {"before": rife["io_img0"], "after": rife["io_img1"]}, weights("rife_ifnet")
        ),
        "face": lambda: face.find_faces(torch.zeros(128, 128, 3, dtype=torch.uint8).numpy()),
    }


@pytest.mark.parametrize("name", every_network())
def test_every_network_stops(name):
    work = every_network()[name]
    count = operators_of(work)
    for stop_at in (1, count // 2, count):
        calls = Calls(stop_at)
        with pytest.raises(Stop) as raised, progress_callback(calls, interval_ms=0):
            work()
        assert raised.value is calls.error and len(calls.seen) == stop_at
        assert calls.seen[-1] == (0, 0, None)
    work()


# Sampling


def test_progress_and_preview():
    clip, calls = SmallClip(frames=5, window=3, steps=3), Calls()
    with progress_callback(calls, interval_ms=10**6):
        clip.sample(branches_at_once=1)
    progress = [(done, total) for done, total, _ in calls.seen if total]
    assert progress == [(i, 18) for i in range(19)]
    shown = {done: preview for done, _, preview in calls.seen if preview is not None}
    assert list(shown) == [6, 12, 18]
    assert all(p.shape == (4, 4, 3) and p.dtype == "uint8" for p in shown.values())
    calls = Calls()
    with progress_callback(calls, preview=False):
        clip.sample()
    assert all(preview is None for _, _, preview in calls.seen)


def test_last_preview_is_the_result():
    """The published fit (discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204) applied to the
    middle frame, whose denoised latents are the result of the last step."""
    factors = torch.tensor(
        [[0.298, 0.207, 0.208], [0.187, 0.286, 0.173], [-0.158, 0.189, 0.264], [-0.184, -0.271, -0.473]]
    )
    clip, calls = SmallClip(frames=5, window=3, steps=2), Calls()
    with progress_callback(calls):
        (latents,) = clip.sample()
    linear = torch.einsum("khw,kc->hwc", latents[2] * 0.18215, factors)
    expected = ((linear + 1) * 127.5).clamp(0, 255)
    assert (torch.from_numpy(calls.seen[-1][2]) - expected).abs().max() <= 0.51
    assert expected.std() > 10


def leaked_bytes(work, places) -> int:
    """Bytes more after work(place) for each place than before. A first round fills the caches of libtorch and Python.

    0 under a sanitizer, whose malloc is not counted and which checks for leaks itself.
    """
    for place in places:
        work(place)
    before = live_bytes()
    for place in places:
        work(place)
    return live_bytes() - before


def places_of(count):
    return [*range(1, 60), *range(60, count, 23), count]


LEAST_LEAK = 100 * 256  # a handle with an empty tensor at each of more than 100 places


def test_cancelling_at_any_operator_leaks_nothing(clip, latents):
    def cancel(place):
        calls = Calls(place)
        with pytest.raises(Stop) as raised, progress_callback(calls, interval_ms=0):
            clip.sample()
        assert raised.value is calls.error and len(calls.seen) == place

    count = operators_of(clip.sample)
    assert count > 1000
    assert leaked_bytes(cancel, places_of(count)) < LEAST_LEAK / 2
    assert torch.equal(clip.sample()[0], latents)


def test_out_of_memory_at_any_operator_leaks_nothing(clip, latents):
    def fail(place):
        with pytest.raises(ResourceError) as raised, progress_callback(None, fail_at=place):
            clip.sample()
        assert str(raised.value) == f"Close other programs: a test says that operator {place} has no memory."

    assert leaked_bytes(fail, places_of(operators_of(clip.sample))) < LEAST_LEAK / 2
    assert torch.equal(clip.sample()[0], latents)


@pytest.mark.resident_memory
def test_a_leak_is_measured():
    before = live_bytes()
    kept = torch.zeros(2048)
    assert live_bytes() - before >= kept.nbytes


@pytest.mark.resident_memory
def test_the_error_without_memory_is_one_line():
    if not torch_has_messages():
        pytest.skip("PyTorch before 2.13 does not say why an operator failed")
    whole = torch.zeros(1, 1).expand(10**7, 10**8)
    sentence = r"^Choose a smaller size .* contiguous on \[10000000,100000000\] does not fit in memory\."
    with pytest.raises(ResourceError, match=sentence) as raised:
        call("tensor_operator", [whole], "op=contiguous")
    assert "\n" not in str(raised.value)


# What a callback may do


def test_exceptions_are_passed_on_unchanged(clip):
    cause, error = ValueError("why"), KeyError("what")

    def callback(done, total, preview):
        raise error from cause

    with pytest.raises(KeyError) as raised, progress_callback(callback):
        clip.sample()
    assert raised.value is error and raised.value.__cause__ is cause
    assert raised.traceback[-1].name == "callback"


def test_a_swallowed_exception_is_raised_at_the_end(clip):
    calls = Calls(1)
    with pytest.raises(Stop), progress_callback(calls, interval_ms=0):
        for _ in range(3):
            try:
                clip.sample()
            except Stop:
                pass
    assert len(calls.seen) == 1, "work continued after it was cancelled"


def test_an_error_of_the_work_itself_is_passed_on(clip):
    calls = Calls()
    with pytest.raises(RuntimeError, match="tensor.h has no function"), progress_callback(calls):
        call("tensor_operator", [random(2)], "op=transmogrify")
    with pytest.raises(ZeroDivisionError), progress_callback(calls):
        raise ZeroDivisionError


def test_a_callback_may_compute(clip, latents):
    seen = []

    def callback(done, total, preview):
        if total and not seen:
            seen.append(clip.sample()[0])

    with progress_callback(callback, interval_ms=0):
        (outer,) = clip.sample()
    assert torch.equal(outer, latents) and torch.equal(seen[0], latents)


def test_ctrl_c_stops_at_once(clip):
    """A signal while C computes: only the progress handle checks for it."""

    def press():
        time.sleep(0.2)
        _thread.interrupt_main()

    thread, start = threading.Thread(target=press), time.monotonic()
    big, w = random(1, 64, 256, 256), random(64, 64, 3, 3)
    with pytest.raises(KeyboardInterrupt), progress_callback(None):
        thread.start()
        while time.monotonic() - start < 20:
            call("tensor_operator", [big, w], "op=conv2d", [1, 1, 1])
    thread.join()
    assert time.monotonic() - start < 5


# Threads and order


def test_threads_do_not_disturb_each_other(clip, latents):
    results = {}

    def work(name, calls):
        try:
            with progress_callback(calls, interval_ms=0):
                results[name] = SmallClip(frames=2, window=2).sample()[0]
        except Stop as stop:
            results[name] = stop

    calls = {name: Calls(stop_at) for name, stop_at in (("a", 0), ("b", 300), ("c", 0))}
    threads = [threading.Thread(target=work, args=item) for item in calls.items()]
    for thread in threads:
        thread.start()
    (without_callback,) = clip.sample()
    for thread in threads:
        thread.join()
    assert results["b"] is calls["b"].error and len(calls["b"].seen) == 300
    assert (
        torch.equal(results["a"], latents)
        and torch.equal(results["c"], latents)
        and torch.equal(without_callback, latents)
    )
    assert len(calls["a"].seen) == len(calls["c"].seen) > 1000


def test_only_the_innermost_callback_is_called():
    outer, inner = Calls(), Calls()
    work = ([random(2)], "op=relu")
    with progress_callback(outer, interval_ms=0):
        call("tensor_operator", *work)
        with progress_callback(inner, interval_ms=0):
            call("tensor_operator", *work)
        with pytest.raises(Stop), progress_callback(Calls(1), interval_ms=0):
            call("tensor_operator", *work)
        call("tensor_operator", *work)
    assert len(outer.seen) == 2 and len(inner.seen) == 1


def test_left_in_any_order_and_in_another_thread():
    """A handle that cannot be ended stays with its thread, which therefore belongs to the test."""
    second = progress_callback(Calls(), interval_ms=0)

    def work():
        first = progress_callback(Calls(), interval_ms=0)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        call("tensor_operator", [random(2)], "op=relu")
        entered.set()
        refused.wait()
        call("tensor_operator", [random(2)], "op=relu")  # the handle is still in use: it was not freed
        return True

    entered, refused = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        worked = pool.submit(work)
        try:
            assert entered.wait(60)
            with pytest.raises(ValueError, match="in the thread that began it"):
                second.__exit__(None, None, None)
        finally:
            refused.set()
        assert worked.result()


def test_python_is_called_at_most_once_per_interval():
    calls, start = Calls(), time.monotonic()
    with progress_callback(calls, interval_ms=50):
        while time.monotonic() - start < 0.5:
            call("tensor_operator", [random(2)], "op=relu")
    assert 3 <= len(calls.seen) <= 12
