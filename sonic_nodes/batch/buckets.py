"""Objects of s3:// and gs:// by fsspec: downloaded and uploaded, each time bounded and compared.

fsspec and the package for the store are imported when an address asks for them, and are an extra of the installation:
`pip install "sonic-talking-portrait[s3]"`, `[gs]`. They read credentials and endpoints from the environment. What a
store says in an error is not shown, for it may hold a signed address; its kind and status are.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from queue import Empty, Queue
from typing import TypeVar

from ..errors import InputError, InstallError, OutputError, ResourceError, SonicError
from ..media.fetch import Unavailable, shown
from ..media.system_errors import is_disk_full
from .addresses import BUCKETS, Facts, scheme_of

BLOCK_BYTES = 1 << 20
POLL_S = 0.2
ASK_S = 120.0  # for a question without content, the store's own tries included
LISTING_S = 600.0
UPLOAD_S, LEAST_BYTES_PER_S = 300.0, 100_000  # an upload has the former, and its size by the latter
PROBE = ".sonic-probe"
LOGGERS = ("fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "aiohttp", "google")
QUIET = logging.NullHandler()
FINAL = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "CredentialRetrievalError")
BUSY = (errno.EBUSY, errno.EIO, errno.EAGAIN)  # what s3fs makes of SlowDown, InternalError and their like

T = TypeVar("T")


def filesystem(scheme: str):
    """fsspec's file system. Raises InstallError where it is not installed, InputError where it does not start."""
    for name in LOGGERS:  # they print what a store has answered, and tracebacks
        logging.getLogger(name).addHandler(QUIET)
    try:
        import fsspec

        made = fsspec.filesystem(scheme)
    except ImportError:
        package = BUCKETS[scheme]
        raise InstallError(
            f"Install what {scheme}:// needs: `pip install {package}`. Addresses of stores are read with fsspec and "
            f"{package}, and one of them is missing or too old."
        ) from None
    except Exception as error:  # noqa: BLE001 (what a store's package raises is its own)
        raise refusal(error, f"{scheme}://") from None
    return made


def within(seconds: float, url: str, call: Callable[[Callable[[], None]], T]) -> T:
    """call(check) in a thread, since a store's package may wait for ever; check() raises once the time is over, so that
    the thread ends. Raises SonicError alone."""
    found: Queue = Queue()
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() >= end:
            raise TimeoutError

    def work() -> None:
        try:
            found.put((call(check), None))
        except BaseException as error:  # noqa: BLE001 (raised below, in the thread that asked)
            found.put((None, error))

    threading.Thread(target=work, name="sonic-bucket", daemon=True).start()
    result, error = None, None
    while True:  # in steps, between which a signal interrupts on Windows, too
        try:
            result, error = found.get(timeout=POLL_S)
            break
        except Empty:
            if time.monotonic() >= end:
                error = TimeoutError()
                break
    if error is None:
        return result
    if isinstance(error, SonicError):
        raise error
    raise refusal(error, url) from None


def refusal(error: BaseException, url: str) -> SonicError:
    """What an error of fsspec means. Unavailable where another try may succeed."""
    if is_disk_full(error):
        return ResourceError(f"Free disk space and give the same command again: a copy of {shown(url)} does not fit.")
    if isinstance(error, FileNotFoundError):
        return InputError(f"Check the address: {shown(url)} does not exist.")
    status = status_of(error)
    if isinstance(error, PermissionError) or status in (401, 403):
        return InputError(f"Give the account of the environment the right to use {shown(url)}: the store refuses it.")
    if type(error).__name__ in FINAL:
        return InputError(
            "Set the store's credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            f"GOOGLE_APPLICATION_CREDENTIALS: {shown(url)} asks for them."
        )
    kind = type(error).__name__ if status is None else f"{type(error).__name__} {status}"
    return Unavailable(f"Try again later: the store of {shown(url)} does not answer ({kind}).")


def status_of(error: BaseException) -> int | None:
    """The status of HTTP behind an error of s3fs (botocore), gcsfs or aiohttp."""
    answer = getattr(error, "response", None)
    found = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
    for value in (found, getattr(error, "status", None), getattr(error, "code", None)):
        try:
            if value is not None and 100 <= int(value) <= 599:
                return int(value)
        except (TypeError, ValueError):
            continue
    if isinstance(error, OSError) and error.errno in BUSY:
        return 503
    if type(error) is OSError and str(error).startswith("Forbidden"):  # of gcsfs
        return 403
    return None


def facts_of(info: dict) -> Facts:
    """Of what fsspec says about an object."""
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    digest = str(info.get("md5Hash") or "")
    changed = info.get("LastModified") or info.get("updated") or info.get("mtime") or info.get("created") or ""
    # without the time where there is more: a store's listing may give it with more digits than the object itself
    version = f"{info['size']} {digest or etag or changed}" if digest or etag or changed else ""
    is_md5 = len(etag) == 32 and not set(etag.lower()) - set("0123456789abcdef")
    return Facts(int(info["size"]), version, etag.lower() if is_md5 else digest)


def about(url: str, seconds: float = ASK_S) -> Facts:
    """Of one object, asked of the store. Raises InputError."""
    system = filesystem(scheme_of(url))

    def ask(_check) -> Facts:
        system.invalidate_cache()
        info = system.info(url)
        if info.get("type") != "file" or not isinstance(info.get("size"), int):
            raise InputError(f"Check the address: {shown(url)} is no object with a size.")
        return facts_of(info)

    return within(seconds, url, ask)


def get(url: str, facts: Facts, take: Callable[[bytes], object], stop: Callable[[], object], seconds: float) -> None:
    """Calls take(piece) for each piece of an object of `facts.size` bytes. stop(): may raise. Unavailable where the
    object has other bytes by now."""
    system = filesystem(scheme_of(url))

    def load(check) -> None:
        count = 0
        with system.open(url, "rb", block_size=BLOCK_BYTES * 4) as file:
            while piece := file.read(BLOCK_BYTES):
                check()
                stop()
                count += len(piece)
                if count > facts.size:
                    break
                take(piece)
        if count != facts.size:
            raise Unavailable(f"Try again: {shown(url)} gave {count} bytes, and has {facts.size}.")

    within(seconds, url, load)


def put(path: str, url: str) -> dict:
    """Uploads a file and compares what has arrived, by the store's MD5 or by reading it again. Returns {"url",
    "version"}. Raises Unavailable where another try may succeed, OutputError otherwise."""
    system, size = filesystem(scheme_of(url)), os.path.getsize(path)

    def send(_check) -> None:
        system.put_file(path, url)

    seconds = UPLOAD_S + size / LEAST_BYTES_PER_S
    try:
        within(seconds, url, send)
        facts = about(url)
        if facts.size != size or not is_same(path, url, facts, seconds):
            raise Unavailable(f"Try again: {shown(url)} does not hold the bytes that were sent.")
    except Unavailable:
        raise
    except InputError as error:
        raise OutputError(str(error)) from None
    return {"url": url, "version": facts.version}


def is_same(path: str, url: str, facts: Facts, seconds: float) -> bool:
    """Whether the object has the file's bytes."""
    md5, sha256, there = hashlib.md5(usedforsecurity=False), hashlib.sha256(), hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            md5.update(block)
            sha256.update(block)
    if facts.md5 in (md5.hexdigest(), b64encode(md5.digest()).decode()):
        return True
    get(url, facts, there.update, lambda: None, seconds)  # an ETag of parts, or of an encrypted object, is no MD5
    return there.digest() == sha256.digest()


def listing(folder: str) -> dict[str, Facts]:
    """{address: facts} of all objects below an address. Raises InputError."""
    scheme = scheme_of(folder)
    system = filesystem(scheme)

    def ask(_check) -> dict[str, Facts]:
        system.invalidate_cache()
        try:
            found = system.find(folder, detail=True)
        except FileNotFoundError:
            return {}
        return {
            f"{scheme}://{name.lstrip('/')}": facts_of(info)
            for name, info in found.items()
            if isinstance(info.get("size"), int)
        }

    return within(LISTING_S, folder, ask)


def try_writing(folder: str) -> None:
    """Writes a small object below an address and removes it, so that a batch does not begin in vain. Raises
    Unavailable where another try may succeed, OutputError otherwise."""
    system, url = filesystem(scheme_of(folder)), f"{folder}/{PROBE}"

    def write(_check) -> None:
        system.pipe_file(url, b"sonic\n")

    def remove(_check) -> None:
        system.rm_file(url)

    try:
        within(ASK_S, folder, write)
    except Unavailable:
        raise
    except InputError as error:
        raise OutputError(str(error)) from None
    try:
        within(ASK_S, url, remove)
    except InputError:
        pass  # an account that may write and not delete is enough
