"""Downloads one of the model's files, only when asked to: continued where it stopped, and named as complete only when
its SHA-256 is that of the published file (hub.py has the requests).

What has arrived is in a file of the same name with .part behind it, which one process at a time can use. Its strong
ETag, where the server gives one, is kept beside it: a server whose file has changed then sends the whole file (RFC
9110, 13.1.5). Bytes that are sent again are compared with those that are there, and nothing is cut off before a byte
differs.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import ssl
import time
import urllib.error
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import InputError, OutputError, ResourceError, UsageError
from ..media.file_lock import try_lock
from ..media.http_body import TooLarge
from ..media.system_errors import is_disk_full, reason_of, retried
from ..printable import printable
from .files import ModelFile, size_text
from .hub import ENDPOINT, PUBLIC, Connections, Network, ask, endpoint

PART, ETAG = ".part", ".part.etag"
BLOCK_BYTES = 1 << 20
ATTEMPTS, PAUSE_S = 5, 2.0  # without a byte of progress in between
LONGEST_PAUSE_S, STEP_S = 60.0, 0.1
ROUNDED = 0.01  # the size that a server states may differ by this much from files.py; then the SHA-256 decides
SPARE_BYTES = 64 << 20
RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})")
NO_RANGE = re.compile(r"bytes \*/(\d{1,18})")
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')

Report = Callable[[int, int], object]  # report(bytes that are there, all bytes); may raise to stop


def download(
    file: ModelFile,
    target: Path,
    report: Report = lambda done, total: None,
    network: Network = PUBLIC,
    connections: Connections | None = None,
) -> None:
    """Writes `file` at `target`. What arrived is kept, whatever stops the download, and the next call goes on from
    there. report is called before each read, and while the download waits. Another thread ends a read that waits by
    closing `connections`.

    Raises InputError when the server does not give the file, ResourceError for lack of disk space, OutputError when the
    folder cannot be written, UsageError while another download of the file runs."""
    part = target.with_name(target.name + PART)
    address = f"{endpoint()}/{file.path}"
    with _writing(part):
        target.parent.mkdir(parents=True, exist_ok=True)
        out = open(part, "a+b")  # noqa: SIM115 (closed below)
    with out:
        if try_lock(out.fileno()) is False:
            raise UsageError(f"Wait for the other download of {file.name}: {part} is in use.")
        _Transfer(file, address, out, report, network, connections or Connections()).run()
    with _writing(part):
        retried(os.replace, part, target)
    with suppress(OSError):
        os.remove(target.with_name(target.name + ETAG))


@contextmanager
def _writing(part):
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(f"Free disk space and try again: {part} cannot grow.") from None
        raise OutputError(f"Choose a folder that can be written: {part} cannot be ({reason_of(error)}).") from None


class _Transfer:
    """One file into `out`, an open .part file. `done` bytes are in it, with the SHA-256 `hash`."""

    def __init__(self, file: ModelFile, address: str, out, report: Report, network: Network, connections: Connections):
        self.file, self.address, self.out, self.report = file, address, out, report
        self.network, self.connections = network, connections
        self.hash, self.done, self.total = hashlib.sha256(), 0, file.bytes
        self.etag_path = out.name.removesuffix(PART) + ETAG
        self.problem, self.wait_s = "", 0.0

    def run(self) -> None:
        self._read_part(os.fstat(self.out.fileno()).st_size)
        failures, before = 0, -1
        while not self._attempt():
            failures, before = (0 if self.done > before else failures + 1), self.done
            if failures >= ATTEMPTS:
                raise self._failed(self.problem)
            self._pause(max(PAUSE_S * failures, self.wait_s))
        if self.hash.hexdigest() not in self.file.sha256:
            self._cut(0)
            raise InputError(
                f"Try again, or choose another mirror with HF_ENDPOINT: {self.file.name} from {self.address} is not "
                "the published file (its SHA-256 differs), and was deleted."
            )
        with _writing(self.out.name):
            self.out.flush()
            os.fsync(self.out.fileno())

    def _check(self) -> None:
        self.report(self.done, self.total)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + min(seconds, LONGEST_PAUSE_S)
        while (left := end - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, STEP_S))

    def _read_part(self, count: int) -> None:
        """Hashes the first `count` bytes of the file. The same handle reads: on Windows no other one may, of a file
        that is locked."""
        self.hash, self.done = hashlib.sha256(), 0
        with _writing(self.out.name):
            self.out.seek(0)
            while self.done < count and (block := self.out.read(min(BLOCK_BYTES, count - self.done))):
                self.hash.update(block)
                self.done += len(block)
                self.report(self.done, max(self.file.bytes, count))

    def _cut(self, count: int) -> None:
        """Keeps the first `count` bytes."""
        with _writing(self.out.name):
            self.out.truncate(count)
        with suppress(OSError):
            os.remove(self.etag_path)
        self._read_part(count)

    def _attempt(self) -> bool:
        """Whether the file is complete."""
        self.problem, self.wait_s = "the connection broke off", 0.0
        most = int(self.file.bytes * (1 + ROUNDED)) + 1
        try:
            with ask(self.address, self._headers(), most, self.network, self.connections) as answer:
                return self._receive(answer)
        except urllib.error.HTTPError as error:
            return self._answered(error)
        except TooLarge:
            self.problem = "it sends more than the file has"
        except (OSError, http.client.HTTPException, ValueError) as error:  # the network's: _writing has the disk's
            self._check()  # the connection may have been closed to stop
            cause = getattr(error, "reason", error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise InputError(
                    "Set this machine's clock, or choose another mirror with HF_ENDPOINT: the certificate of the "
                    f"server of {self.file.name} is not valid ({cause.verify_message})."
                ) from None
            self.problem = printable(str(cause))[:200]
        return False

    def _answered(self, error: urllib.error.HTTPError) -> bool:
        if error.code == 416 and self.done:  # nothing is left to send, or the part is of another file
            known = NO_RANGE.fullmatch(error.headers.get("Content-Range", ""))
            total = int(known[1]) if known else self.done
            if self._is_plausible(total) and self.done >= total:
                if self.done > total:
                    self._cut(total)
                return True
            self._cut(0)
            return False
        if error.code < 500 and error.code != 429:
            raise self._refused(error.code) from None
        after = error.headers.get("Retry-After", "")
        self.problem, self.wait_s = f"it answered {error.code}", float(after) if after[:9].isdecimal() else 0.0
        return False

    def _headers(self) -> dict[str, str]:
        if not self.done:
            return {}
        try:
            with open(self.etag_path, encoding="ascii") as file:
                etag = file.read(300)
        except (OSError, UnicodeError):
            etag = ""
        return {"Range": f"bytes={self.done}-", **({"If-Range": etag} if STRONG_ETAG.fullmatch(etag) else {})}

    def _receive(self, answer) -> bool:
        position, total = self._range(answer)
        if not self._is_plausible(total):
            raise InputError(
                f"Choose another mirror with HF_ENDPOINT: {self.address} has {size_text(total)}, and the published "
                f"{self.file.name} {size_text(self.file.bytes)}."
            )
        self.total = total
        self._require_space(total - self.done)
        self._keep_etag(answer.headers.get("ETag") or "")
        for piece in answer.pieces(total - position, self._check):
            self._take(piece, position)
            position += len(piece)
        if position >= total and self.done > total:
            self._cut(total)
        self.report(self.done, total)
        return self.done >= total

    def _take(self, piece: bytes, position: int) -> None:
        """Compares what is there of a piece of the file with it, and appends the rest."""
        overlap = max(0, min(self.done - position, len(piece)))
        with _writing(self.out.name):
            if overlap:
                self.out.seek(position)
                if self.out.read(overlap) != piece[:overlap]:
                    self._cut(position)
                    overlap = 0
            self.out.write(piece[overlap:])
            self.out.flush()
        self.hash.update(piece[overlap:])
        self.done += len(piece) - overlap

    def _range(self, answer) -> tuple[int, int]:
        """(position of the first byte that is sent, all bytes of the file)"""
        if answer.status == 206:
            found = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if not found or int(found[1]) > self.done or int(found[1]) > int(found[2]):
                raise http.client.HTTPException("it sent another part of the file than it was asked for")
            return int(found[1]), int(found[2])
        length = answer.stated_length() if answer.status == 200 else None
        if length is None:
            raise self._failed("it does not say how large the file is")
        return 0, length

    def _is_plausible(self, total: int) -> bool:
        return abs(total - self.file.bytes) <= ROUNDED * self.file.bytes

    def _require_space(self, count: int) -> None:
        free = shutil.disk_usage(Path(self.out.name).parent).free
        if free < count + SPARE_BYTES:
            raise ResourceError(
                f"Free {size_text(count + SPARE_BYTES - free)} more on the disk of {self.out.name}: "
                f"{self.file.name} has {size_text(self.total)}."
            )

    def _keep_etag(self, etag: str) -> None:
        with suppress(OSError):  # without it a file that changed is found by its SHA-256
            if STRONG_ETAG.fullmatch(etag):
                Path(self.etag_path).write_text(etag, encoding="ascii")
            else:
                os.remove(self.etag_path)

    def _refused(self, code: int) -> InputError:
        if code in (401, 403):
            return InputError(
                f"Accept the terms at {self.file.source}, make a token at {ENDPOINT}/settings/tokens and set HF_TOKEN "
                f"to it: {self.address} answered {code}."
            )
        return self._failed(f"it answered {code}")

    def _failed(self, why: str) -> InputError:
        return InputError(
            f"Try again, or choose a mirror with HF_ENDPOINT (such as https://hf-mirror.com): {self.file.name} could "
            f"not be loaded from {self.address} ({why})."
        )
