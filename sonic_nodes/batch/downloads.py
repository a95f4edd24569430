"""Brings inputs from addresses into a folder on the local disk, several at a time.

A download is a file of its own with .part behind its name until its last byte has arrived, so none that broke off is
taken for whole. What is there from an earlier run stays where the server says that nothing has changed (ETag or
version of the object). The number of bytes and the time are bounded.
"""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from ..errors import InputError, OutputError, ResourceError, SonicError
from ..media.fetch import Request, Unavailable, shown, stream
from ..media.system_errors import is_disk_full, reason_of, retried
from . import buckets
from .addresses import BUCKETS, Source, scheme_of
from .retries import tried

THREADS = 4
TIME_S = 900.0  # for one input; what is slower should be loaded beforehand
POLL_S = 0.2
PART, FACTS = ".part", ".facts"


class Cancelled(Exception):
    """The batch ends."""


def bring(
    sources: Sequence[Source], network: Request | None = None, on_done: Callable[[Source], object] = lambda source: None
) -> dict[str, str]:
    """Loads all sources. Returns {path: what the user can do} of those that were not loaded. network: what tests
    replace of the requests.

    Raises ResourceError for a full disk, OutputError for a folder that cannot be written, InstallError where a package
    is missing; SonicError of other kinds is that of one source."""
    for scheme in sorted({scheme_of(source.url) for source in sources} & set(BUCKETS)):
        buckets.filesystem(scheme)
    waiting, ended = SimpleQueue(), SimpleQueue()
    for source in sources:
        waiting.put(source)
    stop = threading.Event()
    network = network or Request()
    network = replace(network, tls=network.tls or ssl.create_default_context())  # takes longer than many a download
    for _ in range(min(THREADS, len(sources))):
        threading.Thread(target=work, args=(waiting, ended, stop, network), name="sonic-download", daemon=True).start()
    problems: dict[str, str] = {}
    try:
        for _ in sources:
            source, error = next_of(ended)
            if isinstance(error, (ResourceError, OutputError)) or not isinstance(error, (SonicError, type(None))):
                raise error
            if error is not None:
                problems[source.path] = str(error)
            on_done(source)
    finally:
        stop.set()
    return problems


def next_of(ended: SimpleQueue):
    """Signals interrupt between two looks, on Windows too."""
    while True:
        with suppress(Empty):
            return ended.get(timeout=POLL_S)


def work(waiting: SimpleQueue, ended: SimpleQueue, stop: threading.Event, network: Request) -> None:
    """The life of a thread."""

    def check() -> None:
        if stop.is_set():
            raise Cancelled

    while not stop.is_set():
        try:
            source = waiting.get_nowait()
        except Empty:
            return
        try:
            load(source, network, check)
            ended.put((source, None))
        except Cancelled:
            return
        except BaseException as error:  # noqa: BLE001 (raised in the thread that waits)
            ended.put((source, error))


def load(source: Source, network: Request, check: Callable[[], object]) -> None:
    """Brings one source, unless it is there. Raises SonicError."""
    try:
        os.makedirs(os.path.dirname(source.path), exist_ok=True)
        known = known_version(source)
        version = tried(lambda: attempt(source, known, network, check), check)
        if version is None:
            return
        with suppress(FileNotFoundError):
            os.remove(source.path + FACTS)
        retried(os.replace, source.path + PART, source.path)
        if version:
            write_facts(source, version)
    except OSError as error:
        raise disk_problem(source, error) from None
    finally:
        with suppress(OSError):
            os.remove(source.path + PART)


def attempt(source: Source, known: str, network: Request, check: Callable[[], object]) -> str | None:
    """Loads the source's .part from its first byte on. Returns its version, "" without one; None where the file that
    is there still has it."""
    with open(source.path + PART, "wb") as file:

        def take(piece: bytes) -> None:
            try:
                file.write(piece)
            except OSError as error:  # not the network's, whose errors mean another try
                raise disk_problem(source, error) from None

        if scheme_of(source.url) in BUCKETS:
            version = from_bucket(source, known, take, check)
        else:
            request = replace(network, max_bytes=source.max_bytes, time_s=TIME_S, check=check, accept="*/*")
            version = stream(source.url, replace(request, etag=known, has_end=True), take)
        file.flush()
        os.fsync(file.fileno())
    return version


def from_bucket(source: Source, known: str, take: Callable[[bytes], object], check: Callable[[], object]) -> str | None:
    facts = buckets.about(source.url)
    if facts.version and facts.version == known:
        return None
    if facts.size > source.max_bytes:
        raise InputError(
            f"Choose a smaller file: {shown(source.url)} has more than {source.max_bytes / (1 << 20):g} MB."
        )
    buckets.get(source.url, facts, take, check, TIME_S)
    if buckets.about(source.url).version != facts.version:
        raise Unavailable(f"Try again: {shown(source.url)} changed while it was read.")
    return facts.version


def known_version(source: Source) -> str:
    """That of the file which an earlier run has left; "" where there is none, or where it has other bytes."""
    try:
        with open(source.path + FACTS, encoding="utf-8") as file:
            facts = json.loads(file.read(1 << 16))
        if facts["bytes"] == os.path.getsize(source.path) and isinstance(facts["version"], str):
            return facts["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return ""


def write_facts(source: Source, version: str) -> None:
    text = json.dumps({"bytes": os.path.getsize(source.path), "version": version})
    with open(source.path + FACTS + PART, "w", encoding="utf-8") as file:
        file.write(text)
    retried(os.replace, source.path + FACTS + PART, source.path + FACTS)


def disk_problem(source: Source, error: OSError) -> SonicError:
    if is_disk_full(error):
        return ResourceError(
            f"Free disk space and give the same command again: a copy of {shown(source.url)} does not fit "
            f"({reason_of(error)})."
        )
    return OutputError(
        f"Choose a folder on a local disk with --state: {source.path!r} cannot be written ({reason_of(error)})."
    )
