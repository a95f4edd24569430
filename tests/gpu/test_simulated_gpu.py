"""The simulated GPU itself: it catches what a real one would only punish elsewhere, and behaves as CUDA where our code
depends on that."""

import ctypes
import signal
import subprocess
import sys
import time

import pytest
import torch

from sonic_nodes.extension.native import call
from sonic_nodes.models.call import run_network
from tests.gpu import on_device

DEVICE = "simulated:1"

HOST_READ = f"""
import ctypes
from tests.gpu import simulated_gpu
gpu = simulated_gpu.start()
import torch
x = torch.ones(4, device="{DEVICE}")
print("before", flush=True)
ctypes.string_at(x.data_ptr(), 4)
print("after", flush=True)
"""


def test_a_host_read_of_device_memory_ends_the_process(gpu):
    done = subprocess.run(
        [sys.executable, "-c", HOST_READ], capture_output=True, text=True, check=False, cwd=on_device.ROOT
    )
    assert done.stdout.split() == ["before"] and done.returncode == -signal.SIGSEGV, done.stderr


def test_a_tensor_on_the_other_device_is_caught(gpu):
    on_device.check_other_devices(DEVICE)
    torch.ones(4, device="simulated:0")
    with pytest.raises(AssertionError, match="simulated:0"):
        on_device.check_other_devices(DEVICE)
    gpu.reset()


@pytest.mark.parametrize("work", ["add", "cat", "linear", "conv2d", "group_norm", "attention", "layer_norm"])
def test_an_operand_on_the_cpu_is_caught(gpu, work):
    """In our operators, as in PyTorch's."""
    shapes = {
        "linear": ((2, 3), (4, 3)),
        "conv2d": ((1, 4, 5, 5), (4, 4, 3, 3)),
        "group_norm": ((1, 4, 5, 5), (4,), (4,)),
        "attention": ((1, 2, 3, 8),) * 3,
        "layer_norm": ((2, 3), (3,), (3,)),
    }.get(work, ((2, 3), (2, 3)))
    numbers = {"cat": (0,), "conv2d": (1, 1, 1), "group_norm": (2, 1e-6), "attention": (0,), "layer_norm": (1e-5,)}
    tensors = [torch.ones(shape, device=DEVICE) for shape in shapes]
    call("tensor_operator", tensors, f"op={work}", numbers.get(work, ()))
    tensors[-1] = tensors[-1].cpu()
    with pytest.raises(RuntimeError, match="all tensors to be on the same device"):
        call("tensor_operator", tensors, f"op={work}", numbers.get(work, ()))
    with pytest.raises(RuntimeError, match="all tensors to be on the same device"):
        torch.cat([tensors[0].flatten(), tensors[-1].flatten()])


def test_operands_on_two_devices_are_caught(gpu):
    with pytest.raises(RuntimeError, match="same device, but found.* simulated:0 and simulated:1"):
        torch.ones(3, device="simulated:0") + torch.ones(3, device="simulated:1")
    gpu.reset()


def test_a_number_on_the_cpu_is_taken_where_cuda_takes_it(gpu):
    assert (torch.ones(3, device=DEVICE) * torch.tensor(2.0)).cpu().tolist() == [2, 2, 2]


def test_results_are_laid_out_as_on_cuda(gpu):
    """group_norm makes its operand contiguous; attention in float32 writes [batch, queries, heads, dim]."""
    image = torch.ones(1, 4, 5, 6, device=DEVICE).contiguous(memory_format=torch.channels_last)
    assert torch.nn.functional.group_norm(image, 2).is_contiguous()
    q = torch.ones(2, 3, 5, 8, device=DEVICE)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert attend(q, q, q).transpose(1, 2).is_contiguous() and attend(*[q.half()] * 3).is_contiguous()


def test_blocking_copies_are_counted(gpu):
    x = torch.ones(3)
    there = x.to(DEVICE)
    pinned = x.pin_memory()
    assert pinned.is_pinned() and not x.is_pinned()
    x.to(DEVICE, non_blocking=True)  # of memory that is not pinned: CUDA may wait
    pinned.to(DEVICE, non_blocking=True)
    assert (gpu.counter("blocking_to_device"), gpu.counter("async_to_device")) == (2, 1)
    there.cpu()
    float(there.sum())
    pinned.copy_(there, non_blocking=True)
    assert (gpu.counter("blocking_to_host"), gpu.counter("async_to_host")) == (2, 1)


def test_a_late_copy_has_no_values_before_its_event(gpu):
    x, arrived = torch.ones(3, device=DEVICE), torch.zeros(3).pin_memory()
    with gpu.delay(30_000):
        y = x + 1
        arrived.copy_(y, non_blocking=True)
        event = torch.accelerator.current_stream(DEVICE).record_event()
        assert not event.query() and arrived.isnan().all()
        started = time.monotonic()
        event.synchronize()
        assert time.monotonic() - started > 0.02 and event.query() and arrived.tolist() == [2, 2, 2]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["native", "cudaMallocAsync"])
def test_both_texts_when_memory_runs_out(gpu, asynchronous):
    """PyTorch's own exception ends at the device's number, which is a zero byte on device 0."""
    for device in (0, 1):
        with (
            gpu.memory_limit(device, gpu.live(device) + 4096, asynchronous),
            pytest.raises(torch.OutOfMemoryError) as e,
        ):
            torch.empty(1 << 20, device=f"simulated:{device}")
        text = "Allocation on device" if asynchronous else "CUDA out of memory. Tried to allocate 4.00 MiB"
        assert str(e.value).startswith(text)
    assert gpu.counter("refused") == 2


def test_count_only_runs_a_large_network_without_memory(gpu):
    """3 GB of operands, and the operators that a small one has."""
    sizes = {"small": 64, "large": 8192}
    counted = {}
    for name, side in sizes.items():
        with gpu.count_only(), gpu.log() as lines:
            x, weight = (torch.empty(side, side, device=DEVICE) for _ in range(2))
            for _ in range(3):
                x = torch.nn.functional.silu(torch.nn.functional.linear(x, weight))
        counted[name] = [line.split(" [")[0] for line in lines]
    assert counted["small"] == counted["large"] and len(counted["small"]) >= 6
    moved = sum(count for _, count in gpu.operators().values())
    assert moved >= 3 * 5 * 4 * 8192**2


def test_the_log_names_operators_and_shapes(gpu):
    with gpu.log() as lines:
        run_network("rife", *rife_operands())
    assert any(line.startswith("convolution and bias [1,11,") for line in lines), lines[:20]
    assert ctypes.c_long(gpu.operators()["convolution and bias"][0]).value > 10


def rife_operands():
    from tests.models.golden import weights

    frames = {name: torch.rand(1, 3, 32, 32, device=DEVICE) for name in ("before", "after")}
    return frames, {name: w.to(DEVICE) for name, w in weights("rife_ifnet").items()}
