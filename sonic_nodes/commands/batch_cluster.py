"""The tasks of `sonic batch` on other machines: what travels with each, and how a worker there opens it."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..batch.parcel import Parcel
from ..batch.ray_cluster import Needs
from ..batch.ray_pool import RayPool, address_of, check_installed
from ..errors import InstallError, UsageError
from ..matting.backdrop import is_picture
from ..provenance.signed_copy import finisher
from ..provenance.signing import Signer
from . import batch_remote
from .batch_job import PictureTask, PlanTask, RenderTask, Slot, SoundTask, Worker
from .render_options import RenderRequest

WEIGHTS = ("models", "unet", "checkpoint")  # options that name them
CPUS = 2  # of a worker without a graphics card, as on one machine
SHARED_CARD = ("auto", "cuda", "cpu")  # values of --device that mean the same on every node


def checked_ray(options: argparse.Namespace) -> None:
    """Before anything is read. UsageError, InstallError."""
    check_installed()
    address_of(options.ray)
    if options.device is not None and options.device not in SHARED_CARD:
        raise UsageError(
            f"Leave out --device, or choose auto, cuda or cpu: Ray gives each worker a card, not {options.device!r}."
        )


def ray_pool(options: argparse.Namespace, weights: str, folder: str, tell: Callable[[str], object]) -> RayPool:
    """weights: what the weights of this machine are known by; those of the nodes must be the same."""
    needs = Needs(CPUS, options.engine == "sonic" and options.device != "cpu", options.workers)
    places = {name: whole(getattr(options, name)) for name in WEIGHTS}
    make = WorkerOf(options.engine, weights, **places)
    return RayPool(options.ray, needs, make, placed, parcel_of, folder, tell)


def whole(path: str | None) -> str | None:
    return os.path.abspath(path) if path else None


@dataclass(frozen=True)
class WorkerOf:
    """make(threads) of ray_worker.py."""

    engine: str
    weights: str
    models: str | None
    unet: str | None
    checkpoint: str | None

    def __call__(self, threads: int) -> Worker:
        from .batch_checks import weights_of

        if weights_of(self) != self.weights:
            raise InstallError("Copy the weights of the machine on which the batch runs: those of the node are others.")
        return Worker(Slot(threads))


def files_of(task: object) -> dict[str, str]:
    """{field of the task or of its request: path of an input}."""
    if isinstance(task, PictureTask):
        found = {"portrait": task.portrait, "face_mask": task.face_mask}
    elif isinstance(task, SoundTask):
        found = {"speech": task.speech}
    else:
        request = task.request
        found = {"portrait": request.portrait, "face_mask": request.face_mask}
        if isinstance(task, RenderTask):
            caption = request.marks.caption
            found |= {"speech": request.speech, "font": caption.font if caption else None}
            found["background"] = request.background if is_picture(request.background) else None
    return {name: path for name, path in found.items() if path is not None}


def with_files(task: object, files: dict[str, str]) -> object:
    """The task with other paths in those fields."""
    if isinstance(task, PictureTask | SoundTask):
        return replace(task, **files)
    request, files = task.request, dict(files)
    if font := files.pop("font", None):
        request = replace(request, marks=replace(request.marks, caption=replace(request.marks.caption, font=font)))
    return replace(task, request=replace(request, **files))


def parcel_of(task: object) -> Parcel:
    """A private key stays here: the video is signed when it has come back."""
    inputs = tuple(dict.fromkeys(files_of(task).values()))
    if not isinstance(task, RenderTask | PlanTask):
        return Parcel(pickle.dumps(task), inputs)
    request = there(task.request)
    if isinstance(task, PlanTask):
        return Parcel(pickle.dumps(replace(task, request=request)), inputs)
    sent = pickle.dumps(replace(task, request=request, target=None))
    signer, output = task.request.signer, task.request.output
    return Parcel(
        sent,
        inputs,
        output,
        task.log,
        finish=signer and partial(signed, signer, output),
        upload=StoreUpload(output, task.key, task.target) if task.target else None,
    )


@dataclass(frozen=True)
class StoreUpload:
    """An Upload of parcel.py."""

    output: str
    key: str
    target: str

    def left(self) -> dict | None:
        return batch_remote.left_to_send(self.output, self.key)

    def send(self) -> dict:
        return batch_remote.sent(self.output, self.target)


def there(request: RenderRequest) -> RenderRequest:
    """The request as it travels: weights are named by whole paths, and the key is left out."""
    options = request.options
    places = {name: whole(getattr(options, name)) for name in WEIGHTS if hasattr(options, name)}
    return replace(request, signer=None, options=replace(options, **places))


def signed(signer: Signer, output: str, path: str) -> None:
    finisher(signer, output)(path)


def placed(task: object, places: dict[str, str], output: str, log: str) -> object:
    """The task with the files of the worker's machine. places: {path at home: path here}."""
    task = with_files(task, {name: places[path] for name, path in files_of(task).items()})
    if isinstance(task, RenderTask):
        return replace(task, request=replace(task.request, output=output), log=log)
    return task
