"""What a worker of `sonic batch` does: it judges inputs, estimates runs and makes videos. From one task to the next it
keeps what they share: the engine with its networks, and the portrait with its face."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .. import pipeline
from ..batch.journal import digest_of, flush_to_disk
from ..batch.parcel import is_full
from ..batch.runner import DISK, INPUT, MEMORY, OUTPUT, PROGRAM
from ..engines import engine_class
from ..engines.lru_cache import LruCache
from ..engines.settings import PrepareSettings
from ..errors import DeviceError, OutputError, SonicError, is_out_of_memory, shortage
from ..extension.native import begin_process
from ..gate.check import evidence_of_container, judged, read_bytes
from ..gate.heat import thumbnails
from ..media.audio import read_sound
from ..media.image import display_name, load_picture
from ..models.constants import FPS
from ..models.speech import SAMPLE_RATE
from ..printable import printable
from .batch_remote import left_to_send, sent
from .render import backdrop_of, read_mask, rendered, timed_plan
from .render_options import RenderRequest

PORTRAITS_BYTES = 512 << 20  # of portraits
REPORT_S = 0.5  # between two messages about progress
SAMPLED_BLOCKS, SAMPLED_BYTES = 64, 1 << 16  # of a weight file's digest


@dataclass(frozen=True)
class Slot:
    """Where a worker runs."""

    threads: int  # of the processor
    device: str | None = None  # in place of the request's


@dataclass(frozen=True)
class PictureTask:
    """Is the portrait good enough, is there a face, and how large is the video?"""

    portrait: str
    face_mask: str | None
    prepare: PrepareSettings  # start and duration at their defaults
    is_judged: bool  # by the gate
    is_shown: bool  # by the report, as a thumbnail


@dataclass(frozen=True)
class SoundTask:
    """Can the recording be used, and how long is it?"""

    speech: str


@dataclass(frozen=True)
class PlanTask:
    """Memory and time of a run, of a video of `frames` frames."""

    request: RenderRequest
    frames: int


@dataclass(frozen=True)
class RenderTask:
    request: RenderRequest
    key: str
    log: str
    target: str | None = None  # address in a store that gets the video


class Worker:
    """work(task, report) -> dict; a problem with the task is in the dict, so that the worker goes on."""

    def __init__(self, slot: Slot):
        begin_process()
        torch.set_num_threads(slot.threads)
        self.slot, self.portraits = slot, LruCache(PORTRAITS_BYTES)
        self.engine, self.opened = None, None  # with which options

    def __call__(self, task: object, report: Callable[[float], None]) -> dict:
        if isinstance(task, RenderTask):
            return self.render(task, report)
        work = {PictureTask: self.picture, SoundTask: self.sound, PlanTask: self.plan}[type(task)]
        try:
            return work(task)
        except SonicError as error:
            return {"error": str(shortage(error) if is_out_of_memory(error) else error)}
        except Exception as error:  # noqa: BLE001 (any failure is that of its row)
            if is_out_of_memory(error):
                return {"error": str(shortage(error))}
            return {"error": f"Save the file again in another program: reading it failed ({type(error).__name__})."}

    def picture(self, task: PictureTask) -> dict:
        data = read_bytes(task.portrait)
        picture = load_picture(data, name=display_name(task.portrait))
        verdict, tiles = {"verdict": "off", "score": None, "reasons": []}, np.zeros((0, 0), np.uint8)
        if task.is_judged:
            verdict, tiles = judged(picture.pixels, evidence_of_container(data), alpha=picture.alpha)
        shown = pipeline.prepare_picture(picture.pixels, task.prepare, read_mask(task.face_mask))
        size = shown["source" if shown["paste_back"] else "image"].shape[:2]
        return {
            "verdict": verdict["verdict"],
            "score": verdict["score"],
            "advice": [reason["advice"] for reason in verdict["reasons"]],
            "height": size[0],
            "width": size[1],
            "pixels": shown["image"].shape[0] * shown["image"].shape[1],
            "thumbnail": base64.b64encode(thumbnails(picture.pixels, tiles)[0]).decode() if task.is_shown else "",
        }

    def sound(self, task: SoundTask) -> dict:
        return {"duration_s": read_sound(task.speech).duration_s}

    def plan(self, task: PlanTask) -> dict:
        engine, request = self.opened_engine(task.request), task.request
        shown = self.portrait_of(request)
        silence = np.zeros(round(task.frames * SAMPLE_RATE / FPS), np.float32)
        data = shown | {"audio": silence, "frames": task.frames, "duration_s": task.frames / FPS}
        plan = timed_plan(engine, data, request.settings)
        if plan is None:
            return {"seconds": None, "peak_bytes": None, "title": ""}
        return {"seconds": plan.seconds, "peak_bytes": plan.peak, "title": plan.title}

    def opened_engine(self, request: RenderRequest):
        """The engine with its networks: opened again only for other options."""
        options = request.options
        if self.slot.device and hasattr(options, "device"):
            options = replace(options, device=self.slot.device)
        wanted = request.engine, options
        if wanted != self.opened:
            self.engine = self.opened = None
            self.engine = engine_class(request.engine).open(options)
            self.opened = wanted
        return self.engine

    def portrait_of(self, request: RenderRequest) -> dict:
        """pipeline.prepare_picture, from the last jobs where they had the same files and settings."""
        files = [request.portrait, *([request.face_mask] if request.face_mask else [])]
        versions = [(path, os.stat(path).st_size, os.stat(path).st_mtime_ns) for path in files]
        settings = of_picture(request.prepare)

        def made() -> dict:
            picture = load_picture(request.portrait)
            shown = pipeline.prepare_picture(picture.pixels, settings, read_mask(request.face_mask))
            return shown | {"notes": [*picture.notes, *shown["notes"]]}

        return self.portraits.get((*versions, settings), made, bytes_of)

    def render(self, task: RenderTask, report: Callable[[float], None]) -> dict:
        with open(task.log, "a", encoding="utf-8", errors="backslashreplace") as log:

            def say(text: str) -> None:
                print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable(text)}", file=log, flush=True)

            say(f"{task.request.portrait} + {task.request.speech} -> {task.request.output}")
            try:
                facts = self.rendered(task, report, say)
            except (SonicError, OSError, MemoryError, RuntimeError) as error:
                say(f"{type(error).__name__}: {error}")
                traceback.print_exc(file=log)
                return failure(error)
            except Exception as error:  # noqa: BLE001 (a fault of the program is a failed job, not a lost worker)
                traceback.print_exc(file=log)
                return failure(error)
            say(f"done in {facts['seconds']:.1f} s")
            return facts

    def rendered(self, task: RenderTask, report: Callable[[float], None], say: Callable[[str], None]) -> dict:
        request = task.request
        made = left_to_send(request.output, task.key) if task.target else None
        made = made or self.made(task, report, say)
        flush_to_disk(request.output)
        size, digest = os.path.getsize(request.output), digest_of(request.output)
        facts = {name: made[name] for name in ("frames", "duration_s", "seconds", "peak_memory_mb", "notes")}
        upload = {"upload": sent(request.output, task.target)} if task.target else {}
        return {"status": "done", "bytes": size, "sha256": digest, **facts, **upload}

    def made(self, task: RenderTask, report: Callable[[float], None], say: Callable[[str], None]) -> dict:
        started, request = time.perf_counter(), task.request
        engine = self.opened_engine(request)
        engine.notify = say
        shown = self.portrait_of(request)
        sound = read_sound(request.speech)
        speech, notes = pipeline.trim(sound, request.prepare)
        data = pipeline.joined(shown, sound, speech, speech.mono_16k(), notes)
        plan = timed_plan(engine, data, request.settings)
        meter = meter_of(report, bool(plan))
        return rendered(request, engine, data, plan, started, backdrop_of(request), say, meter, job=task.key)


def of_picture(settings: PrepareSettings) -> PrepareSettings:
    """The part that decides what is made of the picture."""
    return replace(settings, start=PrepareSettings.start, duration=PrepareSettings.duration)


def bytes_of(shown: dict) -> int:
    return sum(value.nbytes for value in shown.values() if isinstance(value, np.ndarray))


def meter_of(report: Callable[[float], None], has_sampling: bool):
    """What stands for render's progress bar. Sampling is nearly all of a diffusion run, drawing all of another."""
    parts = {"sampling": (0.0, 0.9), "drawing": (0.9, 0.1)} if has_sampling else {"drawing": (0.0, 1.0)}
    last = time.monotonic()

    @contextlib.contextmanager
    def meter(title: str):
        first, width = parts[title]

        def show(done, total, preview=None):
            nonlocal last
            if time.monotonic() - last >= REPORT_S:
                last = time.monotonic()
                report(min(1.0, first + width * done / max(1, total)))

        yield show

    return meter


def failure(error: Exception) -> dict:
    """The result of a job that failed. A graphics card that failed leaves its process useless: that is raised."""
    if isinstance(error, DeviceError):
        raise error
    if is_full(error):
        return {"status": "failed", "kind": DISK, "error": str(error)}
    if is_out_of_memory(error):
        return {"status": "failed", "kind": MEMORY, "error": str(shortage(error))}
    if isinstance(error, OutputError):
        return {"status": "failed", "kind": OUTPUT, "error": str(error)}
    if isinstance(error, SonicError):
        return {"status": "failed", "kind": INPUT, "error": str(error)}
    text = f"Send the job's log to the makers of this program: it failed with {type(error).__name__} ({error})."
    return {"status": "failed", "kind": PROGRAM, "error": text}


def sampled_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's size and of 64 parts of it, evenly spread: tells fine-tuned weights of 10 GB apart in a
    moment. Raises OSError."""
    size = Path(path).stat().st_size
    found = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for number in range(SAMPLED_BLOCKS):
            file.seek(max(0, size - SAMPLED_BYTES) * number // (SAMPLED_BLOCKS - 1))
            found.update(file.read(SAMPLED_BYTES))
    return found.hexdigest()
