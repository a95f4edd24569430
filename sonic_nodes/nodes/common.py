"""What the nodes share: link types, errors as users read them, progress with previews, words under a node."""

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
BAR_EVERY_S = 0.05
PREVIEW_EVERY_S = 0.2
PREVIEW_SIDE_PX = 512
WORDS_EVERY_S = 1.0
LOG_EVERY_S = 30.0
SURE_AFTER_S = 3.0  # a forecast from less than that jumps about

ModelSonic = io.Custom("MODEL_SONIC")
PreData = io.Custom("SONIC_PREDATA")
DType = io.Custom("DTYPE")


def expert(widget):
    """Marks an input as one that a page may hide behind "show advanced inputs"."""
    widget.extra_dict = {**(widget.extra_dict or {}), "advanced": True}
    return widget


def part(name: str) -> ModuleType:
    """A module of the package, imported when a node runs: the nodes are there, and can say what to do, when the
    compiled part is not."""
    try:
        return importlib.import_module(f"..{name}", __package__)
    except ImportError as error:
        raise InstallError(
            f"""Run `"{sys.executable}" -m pip install -r "{PACK / "requirements.txt"}"`, then restart ComfyUI: """
            f"a part of the Sonic nodes does not load ({error})."
        ) from None


def install_problem() -> str | None:
    """What to do when the compiled part does not load here, else None."""
    try:
        part("extension.native")
    except SonicError as error:
        return str(error)
    return None


def plain_errors(execute):
    """Lets an error of ours reach the page as its own words: the remedy first, and no chain of causes behind it. A node
    that runs without the compiled part says how to get it, also where its own work would not need it yet."""

    @functools.wraps(execute)
    def wrapped(cls, *args, **kwargs):
        try:
            part("extension.native")
            return execute(cls, *args, **kwargs)
        except SonicError as error:
            kind, message = type(error), str(error)
        # at its own kind of error ComfyUI evicts all models, and the next run has more room
        if issubclass(kind, OutOfMemoryError):
            raise comfy.model_management.OOM_EXCEPTION(message)
        raise ValueError(message)

    return wrapped


class Progress:
    """Called by the engines as progress(done, total, picture uint8 [H,W,3] or None). Ends the run by ComfyUI's own
    exception when Cancel was pressed, at every call; moves the bar and shows a picture a few times a second, because a
    page redraws at each of them; and says under the node, and in the log, how long it will take."""

    def __init__(self, node_id: str | None = None, title: str = "Sonic") -> None:
        self.node_id, self.title, self.bar, self.done, self.plan = node_id, title, None, -1, ""
        self.moved_at = self.shown_at = self.said_at = -math.inf
        self.started = self.logged_at = time.monotonic()

    @staticmethod
    def check() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()

    def __call__(self, done: int, total: int, picture=None) -> None:
        self.check()
        now = time.monotonic()
        show = picture is not None and (now - self.shown_at >= PREVIEW_EVERY_S or done == total)
        if not show and (done == self.done or (done < total and now - self.moved_at < BAR_EVERY_S)):
            return
        preview = ("JPEG", Image.fromarray(picture), PREVIEW_SIDE_PX) if show else None
        self.moved_at, self.shown_at, self.done = now, now if show else self.shown_at, done
        self.bar = self.bar or comfy.utils.ProgressBar(total)
        self.bar.update_absolute(done, total, preview)
        self.forecast(done, total, now)

    def say(self, line: str) -> None:
        """What stays above the forecast until the end."""
        self.plan = line
        say(self.node_id, line)

    def forecast(self, done: int, total: int, now: float) -> None:
        spent = now - self.started
        if done <= 0 or spent < SURE_AFTER_S or (done < total and now - self.said_at < WORDS_EVERY_S):
            return
        self.said_at = now
        left = f"{100 * done // total} %, {duration_words(spent * (total - done) / done)} left"
        line = left if done < total else f"done in {duration_words(spent)}"
        say(self.node_id, f"{self.plan}\n{line}".lstrip())
        if now - self.logged_at >= LOG_EVERY_S:
            self.logged_at = now
            log.info("%s: %s", self.title, line)


def duration_words(seconds: float) -> str:
    """As people say it: "40 s", "4 min", "1 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def say(node_id: str | None, text: str) -> None:
    """Shows words under a node while it runs. Pages too old to show them miss nothing: the bar moves all the same."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if node_id is not None and hasattr(server, "send_progress_text"):
        server.send_progress_text(text, node_id)


def listed(names) -> list[str]:
    """What names() lists, or nothing: a list that fails must not take every node off the page."""
    try:
        return names()
    except Exception as error:
        log.warning("Look into the folders of ComfyUI's models: they cannot be listed (%s).", error)
        return []


def free_memory_bytes() -> int:
    return comfy.model_management.get_free_memory(torch.device("cpu"))


def words(lines: list[str]) -> dict:
    """The ui entry that web/sonic.js shows under the node."""
    return {"text": ("\n".join(lines),)} if lines else {}


def check_model(model) -> None:
    if not all(hasattr(model, call) for call in ("name", "settings", "infer", "decode")):
        raise UsageError(
            f"Connect the Sonic Loader of this pack: the model given ({type(model).__name__}) was made by another pack's loader."
        )


def check_data(data) -> None:
    if not isinstance(data, dict) or data.get("version") != 1:
        raise UsageError(
            "Use the SONIC_PreData node of this pack, and keep only one pack that defines it (add .disabled to the other's folder name and "
            "restart): the data given is not of this pack's kind, version 1."
        )
