"""From the rows of a list to jobs: options read, inputs judged, lengths known, memory and time estimated, keys made."""

from __future__ import annotations

import argparse
import base64
import contextlib
import copy
import functools
import hashlib
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from .. import __version__, pipeline
from ..batch.journal import Journal, digest_of
from ..batch.known import Known
from ..batch.manifest import BadRow, Listing, Places, Row
from ..batch.page import MAX_PICTURES
from ..batch.runner import Job, Pool, answers
from ..engines import ENGINES
from ..errors import InputError, SonicError
from ..matting.backdrop import is_picture, read_backdrop
from ..media.audio import Sound
from ..media.file_names import system_path
from ..media.files import regular_file
from ..memory.plan import duration, size
from ..models.constants import FPS
from ..models.speech import SAMPLE_RATE
from ..printable import printable
from ..weights.models import Models
from .batch_job import PictureTask, PlanTask, RenderTask, SoundTask, of_picture, sampled_digest
from .render_options import RenderRequest, add_options

MAX_SHOWN = 40  # portraits in the table
DIGEST = re.compile("[0-9a-f]{64}")
T = TypeVar("T")
# Parts of a request that change no pixel, or that stand in the key by their content
APART = ("portrait", "speech", "output", "face_mask", "frames", "plan_only")
PLACES_OF_WEIGHTS = ("models", "unet", "checkpoint", "device", "plan")


class RowParser(argparse.ArgumentParser):
    """Reads the options of a row. What is wrong with them is an InputError."""

    def __init__(self):
        super().__init__(add_help=False, allow_abbrev=False)
        add_options(self)

    def error(self, message: str):
        raise InputError(f"Correct the options of the row: {message}.")


@dataclass
class Entry:
    """A row whose options are read."""

    row: Row
    request: RenderRequest
    picture: dict = field(default_factory=dict)  # the worker's answers
    duration_s: float = 0.0

    @property
    def picture_task(self) -> tuple:
        return self.request.portrait, self.request.face_mask, of_picture(self.request.prepare)

    @property
    def frames(self) -> int:
        return max(1, round(FPS * self.duration_s))


@dataclass
class Prepared:
    places: Places
    entries: list[Entry] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    listing: dict[int, Row] = field(default_factory=dict)  # rows by number, bad ones too where they were read
    jobs: list[Job] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    seconds: float | None = None  # of all that is left, on one worker
    peak_bytes: int | None = None
    plan_title: str = ""

    @property
    def waiting(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "waiting"]

    def table(self) -> list[str]:
        """Lines about the portraits, and about all of it."""
        lines = [f"{'portrait':<32}{'verdict':>10}{'score':>7}{'size':>12}{'videos':>8}{'minutes':>9}"]
        counts = Counter(entry.request.portrait for entry in self.entries)
        minutes: Counter = Counter()
        for entry in self.entries:
            minutes[entry.request.portrait] += entry.duration_s / 60
        first = {entry.request.portrait: entry.picture for entry in reversed(self.entries)}
        for portrait, count in list(counts.items())[:MAX_SHOWN]:
            facts = first[portrait]
            score = "" if facts["score"] is None else f"{facts['score']:.0f}"
            name = printable(os.path.basename(portrait))[:31]
            shape = f"{facts['width']}x{facts['height']}"
            lines.append(f"{name:<32}{facts['verdict']:>10}{score:>7}{shape:>12}{count:>8}{minutes[portrait]:>9.1f}")
        if len(counts) > MAX_SHOWN:
            lines.append(f"and {len(counts) - MAX_SHOWN} portraits more")
        return [*lines, *self.totals()]

    def totals(self) -> list[str]:
        left, total_s = len(self.waiting), sum(entry.duration_s for entry in self.entries)
        lines = [
            f"{len(self.jobs)} videos of {total_s / 60:.1f} minutes; {len(self.jobs) - left} are finished, {left} are "
            f"left, {len(self.bad)} rows cannot be used."
        ]
        if self.peak_bytes is not None:
            lines.append(f"The longest takes {size(self.peak_bytes)} of memory: {self.plan_title}.")
        if self.seconds is not None:
            lines.append(f"On one worker all that is left takes about {duration(self.seconds)}.")
        return lines


def prepared_jobs(listing: Listing, options: argparse.Namespace, places: Places) -> Prepared:
    """Reads the options of each row; rows with wrong ones are bad."""
    found = Prepared(places, bad=list(listing.bad), listing={row.number: row for row in listing.rows})
    parser = RowParser()
    for row in shown(listing.rows, "rows"):
        try:
            request = request_of(row, options, parser)
            places.remote.require(request.portrait, request.speech, request.face_mask)
            found.entries.append(Entry(row, request))
        except SonicError as error:
            found.bad.append(BadRow(row.number, str(error)))
    return found


def request_of(row: Row, options: argparse.Namespace, parser: RowParser) -> RenderRequest:
    own = copy.copy(options)
    if row.options:
        parser.parse_args(list(row.options), own)
    own.portrait, own.speech, own.output, own.plan_only = row.portrait, row.speech, row.output, None
    problem = background_problem(own.background)
    if problem:
        raise InputError(problem)
    request = RenderRequest.of(own)
    if options.require_consent and not request.marks.consents:
        raise InputError(
            "Write in the column consent who agrees, to what and until when, or name the file that says so, or give "
            "--consent for all rows: the row has no consent."
        )
    return request


@functools.lru_cache
def background_problem(text: str | None) -> str:
    """Why a batch cannot use this --background; each is read once."""
    if text is None:
        return ""
    try:
        is_opaque = read_backdrop(text).channels == 3
    except SonicError as error:
        return str(error)
    if is_opaque:
        return ""
    return "Choose another background, or make it with `sonic render`: batches write MP4, which has no transparency."


def checked(prepared: Prepared, pool: Pool, journal: Journal, options: argparse.Namespace) -> None:
    """Has the workers judge each input once, if an earlier start has not. Afterwards `jobs` has a job for each row that
    can be used, and those that an earlier batch has finished are skipped."""
    with Known(prepared.places.reserved) as known:
        ask_pictures(prepared, pool, options, known)
        ask_sounds(prepared, pool, known)
        digests, weights = Digests(known), weights_of(options)
        keep(prepared, lambda entry: add_job(prepared, entry, digests, weights, journal), "files")
    estimate(prepared, pool)
    prepared.bad.sort(key=lambda bad: bad.number)


def shown(items: Sequence[T], title: str) -> Iterable[T]:
    """The items, with a bar where they take longer than a second."""
    return tqdm(items, desc=title, file=sys.stderr, disable=None, leave=False, delay=1.0)


def keep(prepared: Prepared, check: Callable[[Entry], object], title: str = "checks") -> None:
    """Entries for which `check` raises no SonicError stay; the others are bad rows."""
    left = []
    for entry in shown(prepared.entries, title):
        try:
            check(entry)
            left.append(entry)
        except SonicError as error:
            prepared.bad.append(BadRow(entry.row.number, str(error)))
    prepared.entries = left


def asked(tasks: Sequence, pool: Pool, title: str, take: Callable[[int, dict], object]) -> None:
    with tqdm(desc=title, total=len(tasks), file=sys.stderr, disable=None, leave=False) as bar:

        def one(index: int, answer: dict) -> None:
            take(index, answer)
            bar.update()

        answers(tasks, pool, one)


def asked_once(
    tasks: Sequence, keys: Sequence[str | None], known: Known, pool: Pool, title: str, has: Callable
) -> list[dict]:
    """The answer to each task: the one that is known, where has(answer) says that it is whole, else the workers'."""
    found: dict[int, dict] = {}
    for index, key in enumerate(keys):
        answer = known.get(key)
        if answer is not None and has(answer):
            found[index] = answer
    left = [index for index in range(len(tasks)) if index not in found]

    def take(number: int, answer: dict) -> None:
        found[left[number]] = answer
        if "error" not in answer:  # memory may have run out, or a disk have failed
            known.put(keys[left[number]], answer)

    asked([tasks[index] for index in left], pool, title, take)
    return [found[index] for index in range(len(tasks))]


def ask_pictures(prepared: Prepared, pool: Pool, options: argparse.Namespace, known: Known) -> None:
    places = list(dict.fromkeys(entry.picture_task for entry in prepared.entries))
    tasks = [PictureTask(*place, options.gate != "off", number < MAX_PICTURES) for number, place in enumerate(places)]
    keys = [known.key("picture", place[:2], asdict(task)) for place, task in zip(places, tasks, strict=True)]
    answers = asked_once(tasks, keys, known, pool, "portraits", is_picture_answer)
    for place, answer in zip(places, answers, strict=True):
        if thumbnail := decoded(answer.get("thumbnail", "")):
            prepared.thumbnails.setdefault(place[0], thumbnail)
    found = dict(zip(places, answers, strict=True))

    def check(entry: Entry) -> None:
        entry.picture = found[entry.picture_task]
        if "error" in entry.picture:
            raise InputError(entry.picture["error"])
        if entry.picture["verdict"] == "reject" and options.gate == "stop":
            advice = " ".join(entry.picture["advice"])
            raise InputError(f"{advice} (--gate warn uses the picture as it is: the quality gate rejects it.)")

    keep(prepared, check)


def is_picture_answer(answer: dict) -> bool:
    """Whether a value read from a file is what a worker says of a picture."""
    sizes = [answer.get(name) for name in ("height", "width", "pixels")]
    score, advice = answer.get("score", ""), answer.get("advice")
    return (
        all(type(number) is int and number > 0 for number in sizes)
        and (score is None or isinstance(score, float | int))
        and isinstance(advice, list)
        and all(isinstance(text, str) for text in (answer.get("verdict"), answer.get("thumbnail"), *advice))
    )


def decoded(text: str) -> bytes:
    with contextlib.suppress(ValueError):
        return base64.b64decode(text)
    return b""


def is_sound_answer(answer: dict) -> bool:
    return isinstance(answer.get("duration_s"), float) and 0 < answer["duration_s"] < math.inf


def ask_sounds(prepared: Prepared, pool: Pool, known: Known) -> None:
    paths = list(dict.fromkeys(entry.request.speech for entry in prepared.entries))
    keys = [known.key("sound", [path]) for path in paths]
    answers = asked_once([SoundTask(path) for path in paths], keys, known, pool, "recordings", is_sound_answer)
    found = dict(zip(paths, answers, strict=True))

    def check(entry: Entry) -> None:
        answer = found[entry.request.speech]
        if "error" in answer:
            raise InputError(answer["error"])
        entry.duration_s = used_s(answer["duration_s"], entry.request)

    keep(prepared, check)


def used_s(duration_s: float, request: RenderRequest) -> float:
    """Seconds of a recording that the options choose. Raises InputError as rendering would."""
    samples = max(1, round(duration_s * SAMPLE_RATE))
    silence = Sound(np.broadcast_to(np.float32(0), (1, samples)), SAMPLE_RATE)
    try:
        return pipeline.trim(silence, request.prepare)[0].duration_s
    except pipeline.RecordingTooShort as error:
        raise InputError(f"Lower duration, or leave it empty to use all that there is: {error.fact}.") from None


class Digests:
    """SHA-256 of files, each read once."""

    def __init__(self, known: Known):
        self.known, self.found = known, {}

    def of(self, path: str) -> str:
        if path not in self.found:
            key = self.known.key("digest", [path])
            kept = (self.known.get(key) or {}).get("sha256")
            self.found[path] = kept if isinstance(kept, str) and DIGEST.fullmatch(kept) else self.read(path)
            self.known.put(key, {"sha256": self.found[path]})
        return self.found[path]

    def read(self, path: str) -> str:
        name = repr(os.path.basename(path))
        with regular_file(path, name):
            pass
        try:
            return digest_of(system_path(path))
        except OSError as error:
            raise InputError(f"Check the disk: {name} cannot be read ({error}).") from None


def weights_of(options: argparse.Namespace) -> str:
    """Tells the weights apart; "" for an engine without. Raises InputError where they are missing."""
    if options.engine != "sonic":
        return ""
    folder = options.models or os.environ.get("SONIC_MODELS", "models")
    paths = sorted({str(path) for path in Models.in_folder(folder, options.unet, options.checkpoint).paths.values()})
    return hashlib.sha256("".join(map(sampled_digest, paths)).encode()).hexdigest()


def key_of(request: RenderRequest, contents: Sequence[str], weights: str) -> str:
    """Equal for jobs whose videos are equal: of the inputs' content, the options, the weights and the version."""
    facts = {name: value for name, value in asdict(request).items() if name not in APART}
    facts["options"] = {name: value for name, value in facts["options"].items() if name not in PLACES_OF_WEIGHTS}
    text = json.dumps([__version__, weights, *contents, facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def add_job(prepared: Prepared, entry: Entry, digests: Digests, weights: str, journal: Journal) -> None:
    request, places = entry.request, prepared.places
    mask = digests.of(request.face_mask) if request.face_mask else ""
    portrait = digests.of(request.portrait)
    background = digests.of(request.background) if is_picture(request.background) else ""
    key = key_of(request, (portrait, digests.of(request.speech), mask, background), weights)
    output = os.path.relpath(request.output, places.out).replace(os.sep, "/")
    log = os.path.join(places.reserved, "logs", f"{entry.row.number:06d}.log")
    group = f"{portrait} {mask} {of_picture(request.prepare)}"
    target = places.remote.target(output)
    job = Job(entry.row.number, key, output, request.output, group, 0.0, RenderTask(request, key, log, target))
    job.cost = entry.frames * entry.picture["pixels"]
    if is_done(job, target, places, journal):
        job.state, job.share, job.result = "skipped", 1.0, journal.ends[key, output]
    prepared.jobs.append(job)


def is_done(job: Job, target: str | None, places: Places, journal: Journal) -> bool:
    if target is None:
        return journal.is_done(job.key, job.output, job.path)
    return places.remote.is_uploaded(journal.ends.get((job.key, job.output)), target)


def estimate(prepared: Prepared, pool: Pool) -> None:
    """Memory and time by the engine's plan, of the longest job of each kind; shorter ones take their part of it."""
    kinds: dict[tuple, list[tuple[Entry, Job]]] = {}
    for entry, job in zip(prepared.entries, prepared.jobs, strict=True):
        if job.state == "waiting" and ENGINES[entry.request.engine].has_plan:
            request = entry.request
            kind = request.engine, request.options, request.settings, entry.picture["height"], entry.picture["width"]
            kinds.setdefault(kind, []).append((entry, job))
    groups = list(kinds.values())
    longest = [max(group, key=lambda pair: pair[0].frames)[0] for group in groups]
    found: dict[int, dict] = {}
    tasks = [PlanTask(entry.request, entry.frames) for entry in longest]
    asked(tasks, pool, "plans", lambda index, answer: found.update({index: answer}))
    seconds: list[float] = []
    for index, group in enumerate(groups):
        answer = found[index]
        if "error" in answer:
            raise InputError(answer["error"])
        if answer["peak_bytes"] is not None and answer["peak_bytes"] > (prepared.peak_bytes or 0):
            prepared.peak_bytes, prepared.plan_title = answer["peak_bytes"], answer["title"]
        if answer["seconds"] is not None:
            seconds.append(answer["seconds"] * sum(entry.frames for entry, _ in group) / longest[index].frames)
    prepared.seconds = sum(seconds) if seconds and len(seconds) == len(groups) else None
