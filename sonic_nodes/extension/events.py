"""Marks in a device's work, for csrc/torch/event.h, and a second queue of work, for csrc/torch/copy_stream.h.
PyTorch is loaded by then (loading.py)."""

import sys
import time

WAIT_S = 0.001  # between two looks: short beside a step, long beside a look


def record(device_index: int):
    """A torch.Event after what was queued on that device's current stream. Raises where the device has no events."""
    return sys.modules["torch"].accelerator.current_stream(device_index).record_event()


def query(event, wait: bool) -> bool:
    """Whether the device is past the event; with `wait`, if not, after a short one, in which other threads run. On
    Windows a look also hands queued work to the device. Raises what the device failed with."""
    past = event.query()
    if past or not wait:
        return past
    time.sleep(WAIT_S)
    return event.query()


def new_stream(device_index: int):
    """A torch.Stream beside the one that operators run on. Raises where the device has none."""
    torch = sys.modules["torch"]
    return torch.Stream(device=torch.device(torch.accelerator.current_accelerator().type, device_index))


def enter(stream):
    """This thread's operators on the stream's device run in it from now on. Returns what leave() takes."""
    accelerator = sys.modules["torch"].accelerator
    before = accelerator.current_device_index(), accelerator.current_stream(stream.device)
    accelerator.set_stream(stream)
    return before


def leave(before) -> None:
    device_index, stream = before
    accelerator = sys.modules["torch"].accelerator
    accelerator.set_stream(stream)
    accelerator.set_device_index(device_index)  # set_stream has changed it, too


def hold(device_index: int, event) -> None:
    """What is queued from now on in the device's current stream begins after the event; the host goes on."""
    sys.modules["torch"].accelerator.current_stream(device_index).wait_event(event)
