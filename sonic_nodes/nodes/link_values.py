"""The values that arrive at a node's inputs, checked against the node's own schema before it runs.

ComfyUI converts and checks what was typed into a widget. Of a value that comes over a link it compares the name of the
type alone (validate_inputs in its execution.py), and an output of type * matches every input: None, NaN, a number out
of range or the data of another pack then arrive as they are. Here a number is converted as ComfyUI converts a widget's,
int() or float(), and must lie within the limits of the widget; everything else must be what the input's type says.
"""

import inspect
import math
import numbers
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from ..engines.settings import Range, plain
from ..errors import InputError, UsageError
from .lazy import lazy_import
from .value_text import converted, described, readable

MAX_FILE_BYTES = 4096


def allowing(slot, limits: Range):
    """Lets links bring what `limits` allow to a number whose widget is narrower on purpose."""
    slot.allowed = limits
    return slot


def listing_files(slot):
    """Marks a choice among files. Its values are looked up where they are opened: the list is older than the run, and
    other spellings of a name are valid too."""
    slot.lists_files = True
    return slot


def taking_clips(slot):
    """Marks an input that takes an IMAGE or a VIDEO."""
    slot.takes_clips = True
    return slot


def checked(slots, execute: Callable, values: Mapping) -> dict:
    """The arguments of `execute`: `values` by input name, converted. An optional input without a value keeps the
    default of `execute`. Raises UsageError or InputError, which begin with the remedy and name the input."""
    parameters, kept = inspect.signature(execute).parameters, dict(values)
    for slot in slots:
        name = slot.id
        has_default = name in parameters and parameters[name].default is not inspect.Parameter.empty
        if name not in values:
            if name in parameters and not has_default:
                check_value(slot, None)
        elif values[name] is None and slot.optional:
            kept.pop(name)
            if not has_default:
                kept[name] = None
        else:
            kept[name] = check_value(slot, values[name])
    return kept


def check_value(slot, value):
    """The value that the node gets."""
    check = clip if getattr(slot, "takes_clips", False) else CHECKS.get(str(slot.io_type))
    check = file_name if getattr(slot, "lists_files", False) else check
    if check is None:
        return value
    with readable(slot.id, value):
        return check(slot, value)


def number(slot, value) -> int | float:
    """UsageError for what is no number, NaN, and a number outside the limits."""
    kind, limits = (int if slot.io_type == "INT" else float), getattr(slot, "allowed", None)
    low, high = (slot.min, slot.max) if limits is None else (limits.low, limits.high)
    low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
    found = converted(kind, value)
    if found is None or not low <= found <= high or (kind is float and math.isinf(found)):
        article = "to a whole number " if kind is int else ""
        between = f"between {plain(low)} and {plain(high)}" if math.isfinite(high - low) else "that is finite"
        raise UsageError(f"Set {slot.id} {article}{between}: {described(value)}.")
    return found


def boolean(slot, value) -> bool:
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, numbers.Integral) and value in (0, 1)):
        return bool(value)
    raise UsageError(f"Set {slot.id} to true or false: {described(value)}.")


def choice(slot, value) -> str:
    problem = choice_problem(slot.id, slot.options, value)
    if problem:
        raise UsageError(problem)
    return str.__str__(value)


def unless_linked(problem: Callable, name: str, *arguments) -> str | None:
    """problem(name, *arguments) for validate_inputs, whose values are None where they come over a link: those are
    checked when they are there."""
    return None if arguments[-1] is None else problem(name, *arguments)


def choice_problem(name: str, options, value) -> str | None:
    """The remedy when `value` is none of the texts `options`."""
    if isinstance(value, str) and str.__str__(value) in options:
        return None
    return f"Set {name} to one of {', '.join(options)}: {described(value)}."


def file_name(slot, value) -> str:
    problem = file_name_problem(slot.id, value)
    if problem:
        raise UsageError(problem)
    return str.__str__(value)


def file_name_problem(name: str, value) -> str | None:
    """The remedy when `value` cannot be the name of a file."""
    try:
        if isinstance(value, str) and 0 < len(os.fsencode(value)) <= MAX_FILE_BYTES and "\0" not in value:
            return None
    except UnicodeEncodeError:  # a lone surrogate
        pass
    return f"Choose {name} from its list: {described(value)}."


def text(slot, value) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    raise UsageError(f"Set {slot.id} to a text: {described(value)}.")


def image(slot, value):
    return lazy_import("nodes.comfy_types").check_image(value, slot.id)


def clip(slot, value):
    return value if is_video(value) else image(slot, value)


def is_video(value) -> bool:
    """Whether a value has the calls of ComfyUI's VIDEO: packs need not derive theirs from its class."""
    try:
        return all(callable(getattr(value, name, None)) for name in ("get_components", "get_stream_source", "save_to"))
    except Exception:  # an object of another pack may answer any question with an error of its own
        return False


def mask(slot, value):
    return lazy_import("nodes.comfy_types").check_mask(value, slot.id)


def audio(slot, value):
    return lazy_import("nodes.comfy_types").check_audio(value, slot.id)


def latent(slot, value):
    if not isinstance(value, dict):
        raise InputError(f"Connect the latent of Sonic Inference to {slot.id}: {described(value)}.")
    if value.get("samples") is not None:
        lazy_import("nodes.tensors").check_tensor(slot.id, value["samples"], "the latent of Sonic Inference")
    return value


def model(slot, value):
    if not isinstance(value, lazy_import("engines.base").Engine):
        given = "nothing" if value is None else type(value).__name__
        raise UsageError(
            f"Connect the Sonic Loader of this pack: the {slot.id} given ({given}) was made by another pack's loader."
        )
    return value


def video(slot, value):
    if not is_video(value):
        raise UsageError(f"Connect a video to {slot.id}, such as that of Load Video: {described(value)}.")
    return value


def data(slot, value):
    return lazy_import("nodes.predata").check_data(slot.id, value)


CHECKS: Mapping[str, Callable] = MappingProxyType(
    {
        "INT": number,
        "FLOAT": number,
        "BOOLEAN": boolean,
        "COMBO": choice,
        "STRING": text,
        "IMAGE": image,
        "MASK": mask,
        "AUDIO": audio,
        "VIDEO": video,
        "LATENT": latent,
        "MODEL_SONIC": model,
        "SONIC_PREDATA": data,
    }
)
