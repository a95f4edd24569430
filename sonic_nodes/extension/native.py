"""The C extension; the rest of the package imports it from here alone: `from .native import _sonic, call`."""

import os

from ..errors import ResourceError
from . import events
from .loading import load
from .precision import ExactFloat32, Float16Sums

__all__ = ["_sonic", "begin_process", "call"]

torch, _sonic, _OPERATORS = load()
_sonic.provide_events(events.record, events.query)
_sonic.provide_streams(events.new_stream, events.enter, events.leave, events.hold)
_threads_of = {"process": os.getpid()}


def begin_process() -> None:
    """For a child forked from a process that had loaded the extension and computed nothing: it lost no threads, and may
    start its own."""
    _threads_of["process"] = os.getpid()
    _sonic.begin_process()


def call(name: str, tensors, names="", numbers=(), float16_sums: bool = False):
    """Run the operator `name` of csrc/torch/operators.h on `tensors`; returns its list of tensors.

    `names` is a string with one tensor name a line. float16_sums: precision.Float16Sums. Raises RuntimeError with C's
    message, ResourceError when out of memory, and what a progress callback (progress.py) raised.

    An operator reports its failure to run_operator, not to libtorch (csrc/torch/operator_outcome.h). Called as
    torch.ops.NAMESPACE.NAME, a failed one returns an empty list, and _sonic.operator_failure() says why.
    """
    if os.getpid() != _threads_of["process"] and torch.get_num_threads() > 1:
        torch.set_num_threads(1)  # a forked child has no OpenMP threads and would wait for them forever
    try:
        with torch.inference_mode(), ExactFloat32(torch), Float16Sums(torch, float16_sums):
            operator = getattr(_OPERATORS, name)
            return _sonic.run_operator(operator, list(tensors), names, [float(n) for n in numbers])
    except MemoryError as error:
        raise ResourceError(str(error).split("\n")[0]) from error
    except RuntimeError:
        raised = _sonic.progress_raised()
        if raised is None:
            raise
        try:
            raise raised from raised.__cause__
        finally:
            del raised  # its traceback refers to this frame
