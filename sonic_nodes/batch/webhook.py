"""Tells an address of what a batch finishes: POST of JSON, signed, from a thread that no job waits for.

The signature is that of many services: `X-Sonic-Signature: sha256=` and the hexadecimal HMAC-SHA256 (RFC 2104) of the
header X-Sonic-Time, a full stop and the body, with the secret as the key. The receiver compares it in constant time and
refuses old times. An address that hangs costs TIMEOUT_S a message; messages beyond MAX_WAITING are dropped and counted.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import socket
import ssl
import threading
import time
from urllib.parse import SplitResult, urlsplit

from ..errors import UsageError

TIMEOUT_S = 5.0  # of one message, from the name's address to the answer
MAX_WAITING = 1000
END_S = 15.0  # at the end, for messages that wait
MAX_ANSWER = 1 << 16
SIGNATURE, TIME = "X-Sonic-Signature", "X-Sonic-Time"


def checked_address(url: str) -> SplitResult:
    """Raises UsageError for what is no address of http or https."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not url.isascii() or any(c <= " " for c in url):
        raise UsageError(f"Give --webhook an address that begins with http:// or https://: it is {url[:200]!r}.")
    if parts.username or parts.password:
        raise UsageError("Leave name and password out of the --webhook: messages are signed with the secret.")
    return parts


def signature(secret: bytes, sent_at: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret, sent_at.encode() + b"." + body, hashlib.sha256).hexdigest()


class Webhook:
    """send(message) returns at once; close() waits END_S at most. `failed`: messages that did not arrive."""

    def __init__(self, url: str, secret: bytes):
        self.parts, self.secret = checked_address(url), secret
        self.failed, self.sent = 0, 0
        self.last_problem, self.is_closed = "", False
        self._queue: queue.Queue = queue.Queue(MAX_WAITING)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sonic-webhook", daemon=True)
        self._thread.start()

    def send(self, message: dict) -> None:
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self.failed += 1

    def close(self) -> None:
        self.is_closed = True
        self._end.set()
        self._thread.join(END_S)
        if self._thread.is_alive():
            self.failed += self._queue.qsize() + 1

    def _work(self) -> None:
        while not (self._end.is_set() and self._queue.empty()):
            try:
                message = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            problem = self._posted(message)
            if problem:
                self.failed, self.last_problem = self.failed + 1, problem
            else:
                self.sent += 1

    def _posted(self, message: dict) -> str:
        """Empty when the message has arrived, else what was wrong. The time limit holds for the whole exchange: a
        socket's own limit begins anew with each byte that it receives."""
        connection = self._connection()
        timer = threading.Timer(TIMEOUT_S, lambda: abort(connection))
        timer.daemon = True
        timer.start()
        try:
            body, sent_at = json.dumps(message).encode(), str(int(time.time()))
            headers = {"Content-Type": "application/json", "User-Agent": "sonic", TIME: sent_at}
            if self.secret:
                headers[SIGNATURE] = signature(self.secret, sent_at, body)
            target = (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            answer.read(MAX_ANSWER)
            return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            return str(error) or type(error).__name__
        finally:
            timer.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.parts.hostname, self.parts.port
        if self.parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)


def abort(connection: http.client.HTTPConnection) -> None:
    """Ends an exchange from another thread."""
    opened = connection.sock
    if opened is not None:
        try:
            opened.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
