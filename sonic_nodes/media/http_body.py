"""The body of an HTTP/1.1 response, framed as RFC 9112 (6, 7.1) says and no other way.

http.client is more lenient than the standard: it takes "-1", "+5", "0x5" and "1_0" for the size of a chunk, and reads
to the end of the connection after the first; it counts neither what is between the chunks nor behind the last one.
"""

from __future__ import annotations

import http.client
import io
import re
from collections.abc import Callable, Iterator

CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[^\r\n]*)?\r\n")  # size and extensions, which are ignored
LENGTH = re.compile(r"[0-9]{1,18}")
MAX_LINE_BYTES = 4096
MAX_TRAILERS = 100  # as many as headers in http.client
PIECE_BYTES = 1 << 16


class TooLarge(Exception):
    """The body, or what is sent around it, exceeds its limit."""


class Malformed(http.client.HTTPException):
    """The response is not HTTP/1.1; the text says what is wrong."""


class Metered(io.RawIOBase):
    """A raw stream of a connection that counts what is read: status lines, headers, chunk sizes and trailers too."""

    def __init__(self, raw: io.RawIOBase, most: int):
        self.raw, self.left = raw, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        count = self.raw.readinto(buffer)
        self.left -= count or 0
        if self.left < 0:
            raise TooLarge
        return count

    def close(self) -> None:
        self.raw.close()
        super().close()


class Response(http.client.HTTPResponse):
    """An http.client response that reads `most` bytes from its connection at most, and whose body is read with body()
    or pieces().

    TooLarge and Malformed are raised besides what http.client raises.
    """

    def __init__(self, sock, most: int, wrapped: Callable[[io.RawIOBase], io.RawIOBase] = lambda raw: raw, **options):
        """wrapped(raw stream of the connection) -> the one to read from."""
        super().__init__(sock, **options)
        self.fp = io.BufferedReader(Metered(wrapped(self.fp.detach()), most))

    def body(self, most: int, check: Callable[[], object]) -> bytes:
        """The whole body, `most` bytes at most. check() is called before every read and may raise."""
        content = bytearray()
        for piece in self.pieces(most, check):
            content += piece
        return bytes(content)

    def pieces(self, most: int, check: Callable[[], object]) -> Iterator[bytes]:
        """The body as it arrives, `most` bytes at most. check() is called before every read and may raise."""
        codings = [value.strip().lower() for value in self.headers.get_all("Transfer-Encoding", [])]
        if codings:
            if codings != ["chunked"]:
                raise Malformed(f"it has the transfer coding {', '.join(codings)[:100]!r}")
            return self._chunks(most, check)
        length = self.stated_length()
        return self._to_the_end(most, check) if length is None else self._exactly(length, most, check)

    def has_end(self) -> bool:
        """Whether the response says where its body ends; another ends with the connection, even one that breaks off."""
        return bool(self.headers.get_all("Transfer-Encoding")) or self.stated_length() is not None

    def stated_length(self) -> int | None:
        """That of the header Content-Length, None where there is none."""
        lengths = {value.strip() for value in self.headers.get_all("Content-Length", [])}
        return length_of(lengths) if lengths else None

    def _to_the_end(self, most: int, check: Callable[[], object]) -> Iterator[bytes]:
        while piece := self._read_piece(most + 1, check):
            most -= len(piece)
            if most < 0:
                raise TooLarge
            yield piece

    def _exactly(self, count: int, most: int, check: Callable[[], object]) -> Iterator[bytes]:
        if count > most:
            raise TooLarge
        while count:
            piece = self._read_piece(count, check)
            if not piece:
                raise Malformed("it ends early")
            count -= len(piece)
            yield piece

    def _read_piece(self, count: int, check: Callable[[], object]) -> bytes:
        check()
        return self.fp.read1(min(count, PIECE_BYTES))

    def _chunks(self, most: int, check: Callable[[], object]) -> Iterator[bytes]:
        while True:
            head = CHUNK_HEAD.fullmatch(self._line())
            if head is None:
                raise Malformed("the size of a chunk is invalid")
            size = int(head[1], 16)
            if size == 0:
                break
            yield from self._exactly(size, most, check)
            most -= size
            if self._line() != b"\r\n":
                raise Malformed("a chunk is longer than its size")
        for _ in range(MAX_TRAILERS + 1):
            check()
            if self._line() == b"\r\n":
                return
        raise Malformed(f"it has more than {MAX_TRAILERS} trailers")

    def _line(self) -> bytes:
        line = self.fp.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise Malformed("it ends early" if len(line) < MAX_LINE_BYTES else "a line between its chunks is too long")
        return line


def length_of(values: set[str]) -> int:
    """Of the Content-Length headers, which must agree."""
    if len(values) != 1 or not LENGTH.fullmatch(next(iter(values))):
        raise Malformed(f"its length is {', '.join(sorted(values))[:100]!r}")
    return int(next(iter(values)))
