"""How a failing operator ends: no exception passes through libtorch, and the caller gets the right one all the same.

Each kind of failure is planted, on every system; test_failing_allocations.py has every allocation fail in turn.
"""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sonic_nodes.errors import ResourceError
from sonic_nodes.extension import native
from sonic_nodes.extension.native import _sonic, call
from sonic_nodes.models.call import run_network
from sonic_nodes.progress import progress_callback
from tests.oracles.live import live_bytes

DIRECT = native._OPERATORS.tensor_operator  # as another extension would call it: torch.ops.NAMESPACE.tensor_operator
X = torch.ones(2, 3)


class Stop(BaseException):
    """Not an Exception: it must be passed on all the same."""


def stopping(done, total, preview):
    raise Stop("requested")


def interrupting(done, total, preview):
    signal.raise_signal(signal.SIGINT)


def operator(name, *tensors, numbers=()):
    return call("tensor_operator", tensors, f"op={name}", numbers)


def in_block(callback, **options):
    with progress_callback(callback, interval_ms=0, **options):
        operator("relu", X)


# {kind: (work, type, text)}
KINDS = {
    "argument": (lambda: operator("transmogrify", X), RuntimeError, "tensor.h has no function for 'op=transmogrify"),
    "zero byte": (lambda: operator("relu\0x", X), RuntimeError, "Give names without zero bytes to an operator."),
    "missing operand": (lambda: operator("add", X), RuntimeError, "add failed: an operand is missing"),
    "missing weight": (lambda: run_network("clip_vision", {"pixels": X}, {}, [2]), RuntimeError, "Use "),
    "missing layer": (lambda: call("tensor_operator", [X], "op=relu\n?lost"), RuntimeError, "it has no 'lost'."),
    "torch": (lambda: operator("matmul", X, X), RuntimeError, "matmul on [2,3] [2,3] failed: "),
    "tensor memory": (lambda: operator("zeros", X, numbers=(1 << 55,)), ResourceError, "do not fit in memory"),
    "handle memory": (lambda: in_block(None, fail_at=1), ResourceError, "Close other programs: a test says that"),
    "callback": (lambda: in_block(stopping), Stop, "requested"),
    "cancelled": (lambda: in_block(interrupting), KeyboardInterrupt, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_its_exception(kind):
    work, type_, text = KINDS[kind]
    for _ in range(2):
        with pytest.raises(BaseException) as raised:  # noqa: PT011
            work()
        assert type(raised.value) is type_ and text in str(raised.value)
        assert torch.equal(operator("relu", -X)[0], X * 0)


@pytest.mark.resident_memory
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_leaks(kind):
    def fail(times):
        for _ in range(times):
            with pytest.raises(BaseException):  # noqa: B017, PT011
                KINDS[kind][0]()

    fail(3)  # fills caches; libtorch's own errors take 20 ms each
    held = [live_bytes()]
    while len(held) < 6 and (len(held) < 2 or held[-1] - held[-2] >= 15 * 16):  # a list has 24 bytes, a handle 64
        fail(15)
        held.append(live_bytes())
    assert held[-1] - held[-2] < 15 * 16, held


def test_a_long_text_is_cut_between_characters():
    """'%.60s' ends inside of a character of two bytes, and is no UTF-8 then."""
    with pytest.raises(RuntimeError, match="tensor.h has no function for 'op=é"):
        operator("é" * 60, X)


def test_exceptions_of_python_and_of_torch_are_not_touched():
    with pytest.raises(AttributeError):
        call("no_such_operator", [X])
    with pytest.raises(RuntimeError, match="Tensor"):
        call("tensor_operator", [None], "op=relu")
    with pytest.raises(TypeError):
        _sonic.run_operator()


# Without a result


def test_an_operator_without_results_has_not_failed():
    assert operator("nothing") == []
    assert DIRECT([X], "op=nothing", []) == [] and _sonic.operator_failure() is None


def test_called_directly_a_failed_operator_returns_nothing_and_says_why():
    assert DIRECT([X], "op=transmogrify", []) == []
    assert "tensor.h has no function for 'op=transmogrify" in _sonic.operator_failure()
    with pytest.raises(RuntimeError, match="operand is missing"):  # collected: not the thread's
        operator("add", X)
    assert "transmogrify" in _sonic.operator_failure()
    assert torch.equal(DIRECT([X], "op=relu", [])[0], X) and _sonic.operator_failure() is None


def test_a_direct_call_is_cancelled_like_any_other():
    with pytest.raises(Stop), progress_callback(stopping, interval_ms=0):
        assert DIRECT([X], "op=relu", []) == []
        assert "the work was cancelled" in _sonic.operator_failure()


# Calls within calls


def around(before=lambda: None, after=lambda: None):
    """An operator with calls before and after the kernel: what a finaliser or a signal handler may do there."""

    def run_it(tensors, names, numbers):
        before()
        result = DIRECT(tensors, names, numbers)
        after()
        return result

    return lambda *a: _sonic.run_operator(run_it, *a)


def swallowed():
    with pytest.raises(RuntimeError, match="transmogrify"):
        operator("transmogrify", X)


def succeeds():
    assert torch.equal(operator("relu", X)[0], X)


@pytest.mark.parametrize("other", [swallowed, succeeds])
def test_a_failure_belongs_to_its_call(other):
    for places in ({"before": other}, {"after": other}, {"before": other, "after": other}):
        with pytest.raises(RuntimeError, match="operand is missing"):
            around(**places)([X], "op=add", [])
        assert torch.equal(around(**places)([X], "op=relu", [])[0], X)


@pytest.mark.parametrize("direct", [True, False])
def test_a_callback_may_fail_inside(direct):
    """What it calls is not what it is called from."""

    def callback(done, total, preview):
        if direct:
            assert DIRECT([X], "op=transmogrify", []) == []
        else:
            swallowed()

    for _ in range(2):
        with progress_callback(callback, interval_ms=0):
            assert torch.equal(operator("relu", X)[0], X)
        with pytest.raises(RuntimeError, match="matmul on"), progress_callback(callback, interval_ms=0):
            operator("matmul", X, X)


def test_threads_do_not_share_failures():
    start = threading.Barrier(4)

    def work(i):
        start.wait()
        for j in range(200):
            with pytest.raises(RuntimeError, match=f"'op=lost_{i}_{j}'|'op=lost_{i}_{j}\n'"):
                operator(f"lost_{i}_{j}", X)
            assert operator("relu", X)
        assert DIRECT([X], f"op=direct_{i}", []) == []
        start.wait()
        assert f"direct_{i}" in _sonic.operator_failure()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts processes without fork")
def test_a_forked_child_raises():
    child = os.fork()
    if child == 0:
        try:
            with pytest.raises(RuntimeError, match="matmul on"):
                operator("matmul", X, X)
            with pytest.raises(Stop):
                in_block(stopping)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
