"""What the nodes share: link types, lazy imports, error messages, progress with previews, notes under a node."""

import functools
import importlib
import logging
import math
import sys
import time
from types import ModuleType

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io
from PIL import Image

from ..errors import InstallError, OutOfMemoryError, SonicError, UsageError
from ..extension.loading import PACK

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


def lazy_import(name: str) -> ModuleType:
    """Imports a module of this package while a node runs. The nodes register even when the compiled extension does not
    load, and then report what to do."""
    try:
        return importlib.import_module(f"..{name}", __package__)
    except ImportError as error:
        raise InstallError(
            f"""Run `"{sys.executable}" -m pip install -r "{PACK / "requirements.txt"}"`, then restart ComfyUI: """
            f"a part of the Sonic nodes does not load ({error})."
        ) from None


def install_problem() -> str | None:
    """The remedy when the compiled extension does not load here, else None."""
    try:
        lazy_import("extension.native")
    except SonicError as error:
        return str(error)
    return None


def plain_errors(execute):
    """Raises a SonicError again with its message alone, without a chain of causes, so that the page shows only that.
    Also fails early, with the remedy, when the compiled extension does not load."""

    @functools.wraps(execute)
    def wrapped(cls, *args, **kwargs):
        try:
            lazy_import("extension.native")
            return execute(cls, *args, **kwargs)
        except SonicError as error:
            kind, message = type(error), str(error)
        # On this exception ComfyUI unloads all models, which leaves more room for the next run.
        if issubclass(kind, OutOfMemoryError):
            raise comfy.model_management.OOM_EXCEPTION(message)
        raise ValueError(message)

    return wrapped


class Progress:
    """Called by the engines as progress(done, total, frame uint8 [H,W,3] or None).

    Every call raises ComfyUI's own exception when Cancel was pressed. The bar, the preview and the text under the node
    are updated a few times a second only, because each update redraws the page."""

    def __init__(self, node_id: str | None = None, title: str = "Sonic") -> None:
        self.node_id, self.title, self.bar, self.done, self.headline = node_id, title, None, -1, ""
        self.bar_at = self.preview_at = self.text_at = -math.inf
        self.started = self.logged_at = time.monotonic()

    @staticmethod
    def check() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()

    def __call__(self, done: int, total: int, frame=None) -> None:
        self.check()
        now = time.monotonic()
        show = frame is not None and (now - self.preview_at >= PREVIEW_INTERVAL_S or done == total)
        if not show and (done == self.done or (done < total and now - self.bar_at < BAR_INTERVAL_S)):
            return
        preview = ("JPEG", Image.fromarray(frame), PREVIEW_SIDE_PX) if show else None
        self.bar_at, self.preview_at, self.done = now, now if show else self.preview_at, done
        self.bar = self.bar or comfy.utils.ProgressBar(total)
        self.bar.update_absolute(done, total, preview)
        self.update_text(done, total, now)

    def set_headline(self, line: str) -> None:
        """Shows a line that stays above the time left until the node ends."""
        self.headline = line
        send_text(self.node_id, line)

    def update_text(self, done: int, total: int, now: float) -> None:
        elapsed = now - self.started
        if done <= 0 or elapsed < MIN_ELAPSED_S or (done < total and now - self.text_at < TEXT_INTERVAL_S):
            return
        self.text_at = now
        left = f"{100 * done // total} %, {duration_text(elapsed * (total - done) / done)} left"
        line = left if done < total else f"done in {duration_text(elapsed)}"
        send_text(self.node_id, f"{self.headline}\n{line}".lstrip())
        if now - self.logged_at >= LOG_INTERVAL_S:
            self.logged_at = now
            log.info("%s: %s", self.title, line)


def duration_text(seconds: float) -> str:
    """A rounded duration: "40 s", "4 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def send_text(node_id: str | None, text: str) -> None:
    """Shows text under a node while it runs. Older ComfyUI versions cannot show it; their progress bar still moves."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if node_id is not None and hasattr(server, "send_progress_text"):
        server.send_progress_text(text, node_id)


def names_or_empty(list_names) -> list[str]:
    """list_names(), or [] when it fails: a broken model folder must not stop all nodes from registering."""
    try:
        return list_names()
    except Exception as error:
        log.warning("Check ComfyUI's model folders: their files cannot be listed (%s).", error)
        return []


def free_memory_bytes() -> int:
    return comfy.model_management.get_free_memory(torch.device("cpu"))


def notes_ui(lines: list[str]) -> dict:
    """The `ui` entry that web/sonic.js shows under the node."""
    return {"text": ("\n".join(lines),)} if lines else {}


def check_model(model) -> None:
    if not all(hasattr(model, call) for call in ("name", "settings", "plan", "infer", "decode")):
        raise UsageError(
            "Connect the Sonic Loader of this pack: "
            f"the model given ({type(model).__name__}) was made by another pack's loader."
        )


def check_data(data) -> None:
    if not isinstance(data, dict) or data.get("version") != 1:
        raise UsageError(
            "Use the SONIC_PreData node of this pack, and keep only one pack that defines it (add .disabled to the "
            "other's folder name and restart): the data given is not this pack's, version 1."
        )
