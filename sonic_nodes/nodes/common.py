"""What the nodes share: link types, error messages, progress with previews, notes under a node."""

import functools
import inspect
import logging
import math
import sys
import time

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from PIL import Image

from ..errors import OutOfMemoryError, SonicError
from ..printable import printable, printable_lines
from .language import in_page_language, server
from .lazy import lazy_import
from .link_values import checked, taking_clips

log = logging.getLogger(__name__)

CATEGORY = "Sonic"
BAR_INTERVAL_S = 0.05
PREVIEW_INTERVAL_S = 0.2
PREVIEW_SIDE_PX = 512
TEXT_INTERVAL_S = 1.0
LOG_INTERVAL_S = 30.0
MIN_ELAPSED_S = 3.0  # an estimate of the time left from less than that is unstable

ModelSonic = io.Custom("MODEL_SONIC")
PreData = io.Custom("SONIC_PREDATA")
DType = io.Custom("DTYPE")


def advanced(widget):
    """Marks an input that the page may hide behind "show advanced inputs"."""
    widget.extra_dict = {**(widget.extra_dict or {}), "advanced": True}
    return widget


def install_problem() -> str | None:
    """The remedy when the compiled extension does not load here, else None."""
    try:
        lazy_import("extension.native")
    except SonicError as error:
        return str(error)
    return None


def plain_errors(execute):
    """Calls `execute` with values that the node's schema allows (link_values.py), except for the inputs in the class's
    `passed_on`, which it checks itself and hands on unchanged when they cannot be used. Errors are `shown_plainly`."""
    signature, slots = inspect.signature(execute), []

    @functools.wraps(execute)
    @shown_plainly
    def wrapped(cls, *args, **kwargs):
        values = named_values(signature, signature.bind_partial(cls, *args, **kwargs).arguments)
        slots[:] = slots or cls.define_schema().inputs  # once: a schema lists the files in ComfyUI's folders
        passed_on = getattr(cls, "passed_on", ())
        return execute(cls, **checked([slot for slot in slots if slot.id not in passed_on], execute, values))

    return wrapped


def shown_plainly(function):
    """Raises a SonicError of `function` again with its message alone, without a chain of causes, so that the page shows
    only that. What C computes meanwhile asks a few dozen times a second whether Cancel was pressed
    (sonic_nodes/progress.py). Fails early, with the remedy, when the compiled extension does not load."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        try:
            with lazy_import("progress").progress_callback(lambda *_: Progress.check(), preview=False):
                return function(*args, **kwargs)
        except SonicError as error:
            kind, message = type(error), in_page_language(str(error))
        # On this exception ComfyUI unloads all models, which leaves more room for the next run.
        if issubclass(kind, OutOfMemoryError):
            raise comfy.model_management.OOM_EXCEPTION(message)
        raise ValueError(message)

    return wrapped


def named_values(signature: inspect.Signature, arguments: dict) -> dict:
    """The arguments of a node's `execute` by input name, those of its **settings included, without the class."""
    cls_name, *_ = signature.parameters
    values = {name: value for name, value in arguments.items() if name != cls_name}
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            values.update(values.pop(parameter.name, {}))
    return values


class Progress:
    """Called by the engines as progress(done, total, frame uint8 [H,W,3] or None). node_id: the node under which the
    time left is shown. previews: whether frames are shown in it; a node that shows a video afterwards cannot. usage:
    memory.usage.Usage, sampled at each call and shown with the time left.

    Every call raises ComfyUI's own exception when Cancel was pressed. The bar, the preview and the text under the node
    are updated a few times a second only, because each update redraws the page."""

    def __init__(self, node_id: str | None, title: str, previews: bool = True, usage=None) -> None:
        self.node_id, self.title, self.previews, self.bar, self.done, self.headline = (
            node_id,
            title,
            previews,
            None,
            -1,
            "",
        )
        self.usage = usage
        self.bar_at = self.preview_at = self.text_at = -math.inf
        self.started = self.logged_at = time.monotonic()

    @staticmethod
    def check() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()

    def __call__(self, done: int, total: int, frame=None) -> None:
        self.check()
        used = self.usage.sample() if self.usage else None
        now = time.monotonic()
        show = self.previews and frame is not None and (now - self.preview_at >= PREVIEW_INTERVAL_S or done == total)
        if not show and (done == self.done or (done < total and now - self.bar_at < BAR_INTERVAL_S)):
            return
        preview = ("JPEG", Image.fromarray(frame), PREVIEW_SIDE_PX) if show else None
        self.bar_at, self.preview_at, self.done = now, now if show else self.preview_at, done
        self.bar = self.bar or comfy.utils.ProgressBar(total)
        self.bar.update_absolute(done, total, preview)
        self.update_text(done, total, now, used)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def set_headline(self, line: str) -> None:
        """Shows a line that stays above the time left until the node ends."""
        self.headline = line
        send_text(self.node_id, line)

    def update_text(self, done: int, total: int, now: float, used: int | None = None) -> None:
        elapsed = now - self.started
        if done <= 0 or elapsed < MIN_ELAPSED_S or (done < total and now - self.text_at < TEXT_INTERVAL_S):
            return
        self.text_at = now
        left = f"{100 * done // total} %, {duration_text(elapsed * (total - done) / done)} left"
        line = left if done < total else f"done in {duration_text(elapsed)}"
        lines = [self.headline, line] + ([] if used is None else [memory_text(used, self.usage.peak)])
        send_text(self.node_id, "\n".join(filter(None, lines)))
        if now - self.logged_at >= LOG_INTERVAL_S:
            self.logged_at = now
            log.info("%s: %s", self.title, line)


def memory_text(used: int, peak: int) -> str:
    size = lazy_import("memory.plan").size
    return f"{size(used)} of memory in use, {size(peak)} at most so far"


def duration_text(seconds: float) -> str:
    """A rounded duration: "40 s", "4 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def send_text(node_id: str | None, text: str) -> None:
    """Shows text under a node while it runs. Older ComfyUI versions cannot show it; their progress bar still moves."""
    if node_id is not None and hasattr(server(), "send_progress_text"):
        server().send_progress_text(in_page_language(text), node_id)


def executing_node() -> str | None:
    """The node that ComfyUI runs, for work that another node's call asks for; None where that is not known."""
    utils = sys.modules.get("comfy_execution.utils")
    context = utils.get_executing_context() if utils else None
    return context.node_id if context else None


def blocked(message: str):
    """The value of an output that this run does not make: a node that takes it is not run and shows the message."""
    return ExecutionBlocker(in_page_language(message))


def images_blocked(title: str):
    """That of the images of a node that was given a video."""
    return blocked(f"Connect the output video of {title}: a video is connected to its images.")


def video_blocked(title: str):
    """That of the video of a node that was given images."""
    return blocked(f"Connect the output images of {title}, or a video to its images: images are connected now.")


def clip_input(name: str, **options):
    """An input for the frames of a clip, as IMAGE or as VIDEO."""
    return taking_clips(io.MultiType.Input(name, [io.Image, io.Video], **options))


def names_or_empty(list_names) -> list[str]:
    """list_names(), or [] when it fails: a broken model folder must not stop all nodes from registering."""
    try:
        return list_names()
    except Exception as error:
        log.warning("Check ComfyUI's model folders: their files cannot be listed (%s).", printable(str(error)))
        return []


def free_memory_bytes() -> int:
    return comfy.model_management.get_free_memory(torch.device("cpu"))


def notes_ui(lines: list[str]) -> dict:
    """The `ui` entry that web/sonic.js shows under the node."""
    shown = [in_page_language(printable_lines(line)) for line in lines]
    return {"text": ("\n".join(shown),)} if lines else {}
