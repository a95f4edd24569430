"""Responses of servers that break HTTP/1.1, or keep to it only to spend memory and time: one sentence each, within the
limits of bytes and seconds. The server is a loopback socket that sends given bytes."""

import contextlib
import itertools
import re
import socket
import threading
import time
import tracemalloc

import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.media import fetch as module
from sonic_nodes.media.fetch import fetch

LOOPBACK = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 1 << 16
SENT_AT_MOST = 64 << 20  # a server that would go on for ever stops here, and the test fails by memory or by time


@pytest.fixture
def answer():
    """answer(pieces, **options): what fetch makes of a server that sends these pieces of bytes."""
    listener, current = socket.create_server((LOOPBACK, 0)), []
    port = listener.getsockname()[1]

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    for piece in current[-1]() if callable(current[-1]) else [current[-1]]:
                        connection.sendall(piece)

    threading.Thread(target=serve, daemon=True).start()

    def run(pieces, **options):
        current.append(pieces)
        return fetch(
            f"http://pictures.example:{port}/",
            **{
                "resolve": lambda host, port: [LOOPBACK],
                "allowed": lambda address: address == LOOPBACK,
                "max_bytes": LIMIT,
                "time_s": 5.0,
            }
            | options,
        )

    yield run
    listener.close()


def endless(start: bytes, piece: bytes):
    def pieces():
        yield start
        block = piece * max(1, 65536 // len(piece))
        yield from itertools.repeat(block, SENT_AT_MOST // len(block))

    return pieces


GOOD = {
    "two chunks": (CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
    "upper and lower case": (CHUNKED + b"A\r\n0123456789\r\nb\r\n0123456789x\r\n0\r\n\r\n", b"0123456789" * 2 + b"x"),
    "leading zeros": (CHUNKED + b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
    "extensions and trailers": (CHUNKED + b'3;name="x y"\r\nabc\r\n0;last\r\nDigest: 1\r\n\r\n', b"abc"),
    "coding in capitals": (OK + b"Transfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
    "a length twice": (OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    "no length": (OK + b"\r\nabc", b"abc"),
    "an empty picture": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "after 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    "more than the length": (OK + b"Content-Length: 3\r\n\r\nabcdef", b"abc"),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_the_standard_allows_is_read(answer, kind):
    sent, content = GOOD[kind]
    assert answer(sent) == content


SIZES = [b"-1", b"-5", b"+5", b"0x5", b" 5", b"5 ", b"1_0", b"", b"g", b"5.0", b"\xb2", b"0" * 17, b"-0", b"\t5", b"5,"]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_of_chunks_are_hexadecimal_digits(answer, size):
    with pytest.raises(InputError, match=r"^Check the address and the network: .*the size of a chunk is invalid"):
        answer(CHUNKED + size + b"\r\n" + b"x" * 5000)


def test_a_wrong_size_reads_no_further(answer):
    """http.client reads a chunk of size -1 to the end of the connection."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="the size of a chunk is invalid"):
            answer(endless(CHUNKED + b"-3\r\n", b"x"))
        assert tracemalloc.get_traced_memory()[1] < 16 * LIMIT
    finally:
        tracemalloc.stop()


MALFORMED = {
    "line feed alone": (CHUNKED + b"3\nabc\n0\n\n", "size of a chunk"),
    "no end of the chunk": (CHUNKED + b"3\r\nabcde\r\n0\r\n\r\n", "longer than its size"),
    "closed in a chunk": (CHUNKED + b"9\r\nabc", "ends early"),
    "closed between chunks": (CHUNKED + b"3\r\nabc\r\n", "ends early"),
    "closed in the trailers": (CHUNKED + b"0\r\nA: b\r\n", "ends early"),
    "long extension": (CHUNKED + b"3;" + b"x" * 9000 + b"\r\nabc", "too long"),
    "many trailers": (CHUNKED + b"0\r\n" + b"A: b\r\n" * 200 + b"\r\n", "more than 100 trailers"),
    "other coding": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
    "two codings": (
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer coding",
    ),
    "negative length": (OK + b"Content-Length: -1\r\n\r\nabc", "its length is '-1'"),
    "signed length": (OK + b"Content-Length: +3\r\n\r\nabc", "its length is"),
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "its length is '3, 4'"),
    "a list of lengths": (OK + b"Content-Length: 3, 3\r\n\r\nabc", "its length is"),
    "length in words": (OK + b"Content-Length: three\r\n\r\nabc", "its length is"),
    "short": (OK + b"Content-Length: 9\r\n\r\nabc", "ends early"),
    "HTTP/0.9": (b"\x89PNG\r\n" + b"x" * 5000, "cannot be reached"),
    "HTTP/2": (b"HTTP/2 200 OK\r\n\r\n", "cannot be reached"),
    "no status": (b"HTTP/1.1\r\n\r\n", "cannot be reached"),
    "status in words": (b"HTTP/1.1 two OK\r\n\r\n", "cannot be reached"),
    "nothing": (b"", "cannot be reached"),
    "bytes": (bytes(range(256)) * 9, "cannot be reached"),
    "many headers": (OK + b"A: b\r\n" * 500 + b"\r\n", "cannot be reached"),
    "a long header": (OK + b"A: " + b"b" * 100_000 + b"\r\n\r\n", "cannot be reached"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_not_the_standard_is_one_sentence(answer, kind):
    sent, message = MALFORMED[kind]
    with pytest.raises(InputError, match=f"^Check the address and the network: .*{message}") as raised:
        answer(sent)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 700


LOCATIONS = (
    "http://[::1 http://[ //[::1/ http://]/ http://[v1.x]:a/ http://\u2100/ http:// http://a:b/ http://a:99999/ "
    "http:///x http://%zz\x7f/ javascript:1 data:,x file:///dev/zero http://[::1%25x/ //a@b/ http://..a/"
).split()


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_redirect_to_nowhere_is_one_sentence(answer, location):
    with pytest.raises(InputError, match="^(Check the address|Give the file's final address|Give an address)"):
        answer(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\nContent-Length: 0\r\n\r\n")


def test_a_long_address_is_shown_in_part(answer):
    with pytest.raises(InputError) as raised:
        answer(b"HTTP/1.1 302 Found\r\nLocation: ftp://a/" + b"b" * 60_000 + b"\r\n\r\n")
    assert len(str(raised.value)) < 1000


ENDLESS = {
    "content": (OK + b"\r\n", b"x"),
    "small chunks": (CHUNKED, b"2\r\nab\r\n"),
    "a large chunk": (CHUNKED + b"fffffff\r\n", b"x"),
    "more digits than memory": (CHUNKED + b"7fffffffffffffff\r\n", b"x"),
    "chunk extensions": (CHUNKED, b"1;" + b"x" * 4000 + b"\r\na\r\n"),
    "a length larger than all": (OK + b"Content-Length: 99999999999999999\r\n\r\n", b"x"),
    "preliminary responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_bytes_without_end_are_too_large(answer, kind, monkeypatch):
    monkeypatch.setattr(module, "OVERHEAD_BYTES", 1 << 17)
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"^Choose a smaller file: .* has more than 0.0625 MB"):
            answer(endless(*ENDLESS[kind]))
        assert tracemalloc.get_traced_memory()[1] < 16 * LIMIT
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("start", [CHUNKED, CHUNKED + b"0\r\n", OK + b"Content-Length: 999\r\n\r\n", OK, b""])
def test_bytes_that_come_one_by_one_end_in_time(answer, start):
    def drip():
        yield start
        for _ in range(200):
            time.sleep(0.02)
            yield b"5"

    started = time.monotonic()
    with pytest.raises(InputError, match="^Try again later, .*did not answer in time"):
        answer(drip, time_s=0.4)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"identity, gzip", b"GZIP", b"x-unknown"])
def test_compressed_content_is_not_unpacked(answer, coding):
    with pytest.raises(InputError, match="^Download the file yourself: .* compressed"):
        answer(OK + b"Content-Encoding: " + coding + b"\r\nContent-Length: 3\r\n\r\nabc")
    two = OK + b"Content-Encoding: identity\r\nContent-Encoding: " + coding + b"\r\nContent-Length: 3\r\n\r\nabc"
    with pytest.raises(InputError, match="compressed"):
        answer(two)


def test_the_limits_hold_for_any_response(answer):
    """Pieces of responses in any order: the content, or one sentence."""
    parts = [
        OK,
        CHUNKED,
        b"\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n",
        b"Content-Length: 3\r\n",
        b"\x00\xff",
        b": \r\n",
        b" x\r\n",
        b"-",
    ]
    for chosen in itertools.islice(itertools.permutations(parts, 4), 0, 5040, 211):
        try:
            assert isinstance(answer(b"".join(chosen), time_s=2.0), bytes)
        except InputError as error:
            assert re.match(r"[A-Z][^\n]*\.$", str(error))
