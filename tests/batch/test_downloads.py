"""Inputs from addresses: whole or not at all, bounded, tried again where that may help, and never from inside. The web
server is local: the resolver and the allowed addresses replace the network."""

import errno
import http.server
import logging
import threading
import time

import pytest

from sonic_nodes.batch import buckets, downloads, retries
from sonic_nodes.batch.addresses import Source
from sonic_nodes.batch.downloads import bring
from sonic_nodes.errors import InputError, InstallError, OutputError, ResourceError
from sonic_nodes.media.fetch import Request, Unavailable
from tests.tools.fake_store import installed

CONTENT = bytes(range(256)) * 5000
LOOPBACK = "127.0.0.1"
SECRET = "hunter2"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, query = self.path.partition("?")[::2]
        self.server.seen.append((path, dict(self.headers)))
        if path == "/busy" and self.server.busy:
            self.server.busy -= 1
            return self.answer(503, b"", Retry_After="0")
        if path.startswith("/status-"):
            return self.answer(int(path[8:]), b"")
        if path == "/to":
            return self.answer(302, b"", Location=query)
        if path == "/short":
            return self.answer(200, CONTENT[:-1], Content_Length=len(CONTENT))
        if path == "/unsized":
            self.close_connection = True
            return self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)
        if path == "/silent":
            self.answer(200, CONTENT[:1000], Content_Length=len(CONTENT))
            return self.server.stop.wait(20)
        if self.headers.get("If-None-Match") == self.server.etag:
            return self.answer(304, b"")
        return self.answer(200, CONTENT, ETag=self.server.etag)

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or len(body) != int(headers.get("Content_Length", len(body)))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Some tests drop connections on purpose."""


@pytest.fixture
def server():
    made = Server((LOOPBACK, 0), Handler)
    made.seen, made.stop, made.busy, made.etag = [], threading.Event(), 0, '"v1"'
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.stop.set()
    made.shutdown()
    made.server_close()


@pytest.fixture
def network():
    """files.example is the server here; every other name is an address of somebody's own network."""
    return Request(
        resolve=lambda host, port: [LOOPBACK] if host == "files.example" else ["172.16.0.7"],
        allowed=lambda address: address == LOOPBACK,
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_S", 0.01)


@pytest.fixture
def store(tmp_path, monkeypatch):
    with installed(tmp_path, monkeypatch) as control:
        yield control


def from_web(server, path, tmp_path, **changes):
    return Source(f"http://files.example:{server.server_port}{path}", str(tmp_path / "in" / "a.wav"), **changes)


def left_of(tmp_path):
    return sorted(path.name for path in (tmp_path / "in").rglob("*") if path.is_file())


def test_a_file_of_the_web_is_whole_and_loaded_once(tmp_path, server, network):
    source = from_web(server, "/a", tmp_path)
    assert bring([source], network) == {}
    assert (tmp_path / "in/a.wav").read_bytes() == CONTENT and left_of(tmp_path) == ["a.wav", "a.wav.facts"]
    assert bring([source], network) == {}
    assert [headers.get("If-None-Match") for _, headers in server.seen] == [None, '"v1"']
    server.etag = '"v2"'
    (tmp_path / "in/a.wav").write_bytes(b"half")  # other bytes than those that were loaded: asked for without the ETag
    assert bring([source], network) == {} and (tmp_path / "in/a.wav").read_bytes() == CONTENT
    assert server.seen[-1][1].get("If-None-Match") is None


@pytest.mark.parametrize(
    ("path", "remedy", "requests"),
    [
        ("/status-403", "Give an address that needs no password, .* answers 403", 1),
        ("/status-404", "Check the address: .* answers 404", 1),
        ("/status-503", "Try again later: .* answers 503", retries.ATTEMPTS),
        ("/short", "Check the address and the network: .*it ends early", retries.ATTEMPTS),
        ("/unsized", "Download the file yourself: .* does not say how large it is", 1),
        ("/to?http://inside.example/a", "Give a public address, .* 'inside.example' is 172.16.0.7", 1),
        ("/to?http://127.0.0.1:1/", "Give a public address, .*172.16.0.7", 1),
        ("/to?file:///etc/passwd", "Give an address that begins with http", 1),
        (f"/to?http://user:{SECRET}@files.example/", "Give an address without user name", 1),
        (f"/status-403?signature={SECRET}", r"Give an address that needs no password, .*status-403\?\.\.\.'", 1),
    ],
)
def test_what_does_not_arrive_is_named_and_leaves_nothing(tmp_path, server, network, path, remedy, requests):
    (problem,) = bring([from_web(server, path, tmp_path)], network).values()
    with pytest.raises(InputError, match=f"^{remedy}"):
        raise InputError(problem)
    assert len(server.seen) == requests and left_of(tmp_path) == [] and SECRET not in problem


def test_an_address_inside_is_never_asked(tmp_path, server):
    """With the system's resolver and rules, as a batch has them."""
    for host in ("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0x7f.1"):
        source = Source(f"http://{host}:{server.server_port}/a", str(tmp_path / "in" / "a"))
        (problem,) = bring([source]).values()
        assert "private or reserved" in problem or "is not found" in problem
    assert server.seen == []


def test_a_busy_server_is_asked_again(tmp_path, server, network):
    server.busy = retries.ATTEMPTS - 1
    assert bring([from_web(server, "/busy", tmp_path)], network) == {}
    assert (tmp_path / "in/a.wav").read_bytes() == CONTENT and len(server.seen) == retries.ATTEMPTS


def test_pauses_grow_and_are_capped(monkeypatch):
    waits, now = [], [0.0]
    monkeypatch.setattr(retries, "FIRST_S", 8.0)
    monkeypatch.setattr(retries.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(retries.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def call():
        waits.append(now[0])
        raise Unavailable("Try again later.", 20.0 if len(waits) == 1 else 1e6 if len(waits) == 4 else 0.0)

    with pytest.raises(Unavailable):
        retries.tried(call)
    assert [round(b - a) for a, b in zip(waits, waits[1:], strict=False)] == [20, 16, 32, 60]


def test_a_file_over_the_limit_is_not_loaded(tmp_path, server, network, store):
    store.write("b/a", CONTENT)
    for source in (
        from_web(server, "/a", tmp_path, max_bytes=1 << 20),
        Source("s3://b/a", str(tmp_path / "in" / "a"), max_bytes=1 << 20),
    ):
        (problem,) = bring([source], network).values()
        assert problem.startswith("Choose a smaller file") and "1 MB" in problem
    assert left_of(tmp_path) == [] and store.calls("open") == 0


def test_a_server_that_stops_sending_is_left_in_time(tmp_path, server, network, monkeypatch):
    monkeypatch.setattr(downloads, "TIME_S", 0.3)
    monkeypatch.setattr(retries, "ATTEMPTS", 2)
    started = time.monotonic()
    (problem,) = bring([from_web(server, "/silent", tmp_path)], network).values()
    assert "did not answer in time" in problem and time.monotonic() - started < 5.0 and left_of(tmp_path) == []


def test_a_signal_ends_downloads_at_once(tmp_path, server, network):
    """A second source is answered; its report raises, as a signal would."""

    def stop(_source):
        raise KeyboardInterrupt

    silent = Source(from_web(server, "/silent", tmp_path).url, str(tmp_path / "in" / "b"))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        bring([silent, from_web(server, "/a", tmp_path)], network, stop)
    assert time.monotonic() - started < 2.0
    server.stop.set()


def test_many_sources_are_all_loaded(tmp_path, server, network):
    url = from_web(server, "/a", tmp_path).url
    sources = [Source(f"{url}?{number}", str(tmp_path / "in" / str(number) / "a")) for number in range(60)]
    seen = []
    assert bring(sources, network, seen.append) == {} and sorted(seen, key=sources.index) == sources
    assert all((tmp_path / "in" / str(number) / "a").read_bytes() == CONTENT for number in range(60))


def test_an_object_is_whole_and_loaded_once(tmp_path, store):
    store.write("b/a", CONTENT)
    source = Source("s3://b/a", str(tmp_path / "in" / "a"))
    assert bring([source]) == {} and (tmp_path / "in/a").read_bytes() == CONTENT
    assert bring([source]) == {} and store.calls("open") == 1
    store.write("b/a", CONTENT[::-1])
    assert bring([source]) == {} and (tmp_path / "in/a").read_bytes() == CONTENT[::-1]


def test_an_object_that_ends_early_is_loaded_again(tmp_path, store):
    store.write("b/a", CONTENT)
    store.fail("short")
    assert bring([Source("s3://b/a", str(tmp_path / "in" / "a"))]) == {}
    assert (tmp_path / "in/a").read_bytes() == CONTENT and store.calls("open") == 2


@pytest.mark.parametrize(
    ("kind", "remedy", "tries"),
    [
        (403, "Give the account of the environment the right to use 's3://b/a'", 1),
        (503, "Try again later: the store of 's3://b/a' does not answer .StoreError 503", retries.ATTEMPTS),
        ("credentials", "Set the store's credentials in the environment", 1),
    ],
)
def test_a_store_that_refuses(tmp_path, store, kind, remedy, tries):
    store.write("b/a", CONTENT)
    store.fail("open", kind, 99)
    (problem,) = bring([Source("s3://b/a", str(tmp_path / "in" / "a"))]).values()
    with pytest.raises(InputError, match=f"^{remedy}"):
        raise InputError(problem)
    assert store.calls("open") == tries and SECRET not in problem and left_of(tmp_path) == []


def test_an_object_that_is_none(tmp_path, store):
    store.write("b/folder/a", b"x")
    for name in ("missing", "folder"):
        (problem,) = bring([Source(f"s3://b/{name}", str(tmp_path / "in" / "a"))]).values()
        assert problem.startswith("Check the address: 's3://b/")


def test_a_store_that_hangs_is_left_in_time():
    started = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer .TimeoutError"):
        buckets.within(0.2, "s3://b/a", lambda check: time.sleep(5))
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (OSError(f"Forbidden: https://storage/?signature={SECRET}"), InputError, "Give the account"),
        (PermissionError(SECRET), InputError, "Give the account"),
        (OSError(errno.EBUSY, SECRET), Unavailable, "Try again later: .*OSError 503"),
        (ConnectionError(SECRET), Unavailable, "Try again later: .*ConnectionError"),
        (FileNotFoundError(SECRET), InputError, "Check the address: 's3://b/a' does not exist"),
        (OSError(errno.ENOSPC, SECRET), ResourceError, "Free disk space"),
        (RuntimeError(SECRET), Unavailable, "Try again later: .*RuntimeError"),
    ],
)
def test_what_the_errors_of_stores_mean(error, kind, remedy):
    """gcsfs says Forbidden in an OSError, s3fs makes errno of S3's codes (s3fs/errors.py)."""
    found = buckets.refusal(error, "s3://b/a")
    assert type(found) is kind and SECRET not in str(found)
    with pytest.raises(kind, match=f"^{remedy}"):
        raise found


def test_packages_of_stores_print_nothing(store):
    """Python prints the warnings of a logger that has no handler at all; theirs have tracebacks and addresses."""
    for _ in range(2):
        buckets.filesystem("s3")
    for name in ("s3fs", "gcsfs", "fsspec"):
        assert logging.getLogger(name).handlers.count(buckets.QUIET) == 1


def test_without_the_packages_the_remedy_comes_first(tmp_path, monkeypatch):
    import fsspec

    def missing(scheme):
        raise ImportError(f"Install gcsfs to access {scheme}")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(InstallError, match="^Install what gs:// needs: `pip install gcsfs`"):
        bring([Source("gs://b/a", str(tmp_path / "in" / "a"))])


def test_a_full_disk_stops_the_batch(tmp_path, server, network, store, monkeypatch):
    store.write("b/a", CONTENT)
    real = open

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, piece):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads, "open", lambda path, *a, **k: Full(real(path, *a, **k)), raising=False)
    for source in (from_web(server, "/a", tmp_path), Source("s3://b/a", str(tmp_path / "in" / "a"))):
        with pytest.raises(ResourceError, match="^Free disk space and give the same command again"):
            bring([source], network)
    assert left_of(tmp_path) == []


def test_a_folder_that_cannot_be_written_stops_the_batch(tmp_path, server, network):
    (tmp_path / "in").write_bytes(b"a file")
    with pytest.raises(OutputError, match="^Choose a folder on a local disk with --state"):
        bring([from_web(server, "/a", tmp_path)], network)
