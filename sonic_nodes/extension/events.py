"""Marks in a device's work, for csrc/torch/event.h. PyTorch is loaded by then (loading.py)."""

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
