"""Downloads one of the model's files, only when asked to: resumed where it stopped, and named as complete only when its
size and SHA-256 are those of the published file.

The address is below https://huggingface.co, or below HF_ENDPOINT, a mirror. Proxies of the environment are used. A
token in HF_TOKEN is sent to that server alone, not to where it redirects.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError, OutputError, ResourceError, UsageError
from ..media.file_lock import try_lock
from ..media.system_errors import is_disk_full, reason_of
from ..printable import printable
from .files import ModelFile, size_text

ENDPOINT = "https://huggingface.co"
PART = ".part"
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30.0
ATTEMPTS, PAUSE_S = 5, 2.0  # without a byte of progress in between
ROUNDED = 0.01  # sizes in files.py may be rounded by this much
SPARE_BYTES = 64 << 20
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)$")

Report = Callable[[int, int], object]  # report(bytes that are there, all bytes); may raise to stop


def endpoint() -> str:
    """HF_ENDPOINT or huggingface.co, without a slash at its end. UsageError for what is no address."""
    given = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or ENDPOINT
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"Set HF_ENDPOINT to the address of a mirror, such as https://hf-mirror.com, or unset it: it is {given!r}."
        )
    return given


class _SameHostToken(urllib.request.HTTPRedirectHandler):
    """Redirects never go from https to http, and the token never to another server."""

    def redirect_request(self, request, file, code, message, headers, address):
        if urlsplit(request.full_url).scheme == "https" and urlsplit(address).scheme != "https":
            raise urllib.error.URLError("a redirect from https to http")
        made = super().redirect_request(request, file, code, message, headers, address)
        if made is not None and urlsplit(address).netloc != urlsplit(request.full_url).netloc:
            made.remove_header("Authorization")
        return made


def download(file: ModelFile, target: Path, report: Report = lambda done, total: None) -> None:
    """Writes `file` at `target`. What arrived stays in a file beside it, named .part, whatever stops the download, and
    the next call goes on from there. Raises InputError when the server does not give the file, ResourceError for lack
    of disk space, OutputError when the folder cannot be written."""
    part = target.with_name(target.name + PART)
    address = f"{endpoint()}/{file.path}"
    with _writing(part):
        target.parent.mkdir(parents=True, exist_ok=True)
        out = open(part, "ab")  # noqa: SIM115 (closed below)
    with out:
        if try_lock(out.fileno()) is False:
            raise UsageError(f"Wait for the other download of {file.name}: {part} is in use.")
        _Transfer(file, address, out, report).run()
    with _writing(part):
        os.replace(part, target)


@contextmanager
def _writing(part):
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(f"Free disk space and run the same command again: {part} cannot grow.") from None
        raise OutputError(f"Choose a folder that can be written: {part} cannot be ({reason_of(error)}).") from None


class _Transfer:
    """One file into `out`, an open .part file."""

    def __init__(self, file: ModelFile, address: str, out, report: Report):
        self.file, self.address, self.out, self.report = file, address, out, report
        self.hash, self.done = hashlib.sha256(), 0
        self.opener = urllib.request.build_opener(_SameHostToken)

    def run(self) -> None:
        self._read_part()
        failures, before = 0, -1
        while not self._attempt():
            failures, before = (0 if self.done > before else failures + 1), self.done
            if failures >= ATTEMPTS:
                raise self._failed(self.problem)
            time.sleep(PAUSE_S * failures)
        if self.hash.hexdigest() not in self.file.sha256:
            self._restart()
            raise InputError(
                f"Run the same command again, or choose another mirror with HF_ENDPOINT: {self.file.name} from "
                f"{self.address} is not the published file (its SHA-256 differs), and was deleted."
            )
        with _writing(self.out.name):
            self.out.flush()
            os.fsync(self.out.fileno())

    def _read_part(self) -> None:
        with open(self.out.name, "rb") as kept:
            while block := kept.read(BLOCK_BYTES):
                self.hash.update(block)
                self.done += len(block)
                self.report(self.done, max(self.file.bytes, self.done))

    def _restart(self) -> None:
        self.out.seek(0)
        self.out.truncate()
        self.hash, self.done = hashlib.sha256(), 0

    def _attempt(self) -> bool:
        """Whether the file is complete."""
        self.problem = "the connection broke off"
        try:
            with self.opener.open(self._request(), timeout=TIMEOUT_S) as answer:
                return self._receive(answer)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # nothing is left to send, or the part is of another file
                if abs(self.done - self.file.bytes) <= ROUNDED * self.file.bytes:
                    return True
                self._restart()
                return False
            if error.code < 500 and error.code != 429:
                raise self._refused(error.code) from None
            self.problem = f"it answered {error.code}"
        except (OSError, http.client.HTTPException) as error:  # of the network: _writing translates the disk's
            self.problem = printable(str(getattr(error, "reason", error)))
        return False

    def _request(self) -> urllib.request.Request:
        headers = {"User-Agent": "sonic", "Accept-Encoding": "identity"}
        if token := os.environ.get("HF_TOKEN", "").strip():
            headers["Authorization"] = f"Bearer {token}"
        if self.done:
            headers["Range"] = f"bytes={self.done}-"
        return urllib.request.Request(self.address, headers=headers)

    def _receive(self, answer) -> bool:
        total = self._total(answer)
        if abs(total - self.file.bytes) > ROUNDED * self.file.bytes:
            raise InputError(
                f"Choose another mirror with HF_ENDPOINT: {self.address} has {size_text(total)}, and the published "
                f"{self.file.name} {size_text(self.file.bytes)}."
            )
        free = shutil.disk_usage(Path(self.out.name).parent).free
        if free < total - self.done + SPARE_BYTES:
            raise ResourceError(
                f"Free {size_text(total - self.done + SPARE_BYTES - free)} more on the disk of {self.out.name}: "
                f"{self.file.name} has {size_text(total)}."
            )
        while block := answer.read(BLOCK_BYTES):
            with _writing(self.out.name):
                self.out.write(block)
                self.out.flush()
            self.hash.update(block)
            self.done += len(block)
            self.report(self.done, total)
        return self.done >= total

    def _total(self, answer) -> int:
        """All bytes of the file. A server that does not continue a file sends it from its beginning."""
        found = RANGE.match(answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        if found and int(found[1]) == self.done:
            return int(found[2])
        self._restart()
        if answer.status != 200 or not (answer.headers.get("Content-Length") or "").isdigit():
            raise self._failed("it does not say how large the file is")
        return int(answer.headers["Content-Length"])

    def _refused(self, code: int) -> InputError:
        if code in (401, 403):
            return InputError(
                f"Accept the terms at {self.file.source}, make a token at {ENDPOINT}/settings/tokens and set HF_TOKEN "
                f"to it: {self.address} answered {code}."
            )
        return self._failed(f"it answered {code}")

    def _failed(self, why: str) -> InputError:
        return InputError(
            f"Run the same command again, or choose a mirror with HF_ENDPOINT (such as https://hf-mirror.com): "
            f"{self.file.name} could not be loaded from {self.address} ({why})."
        )
