"""s3:// through s3fs itself, with a server of S3's protocol on this machine. s3fs is no package of the tests; they run
where it is installed (`pip install s3fs`)."""

import hashlib
import http.server
import threading
from urllib.parse import unquote, urlsplit

import pytest

from sonic_nodes.batch import retries
from sonic_nodes.batch.addresses import Source
from sonic_nodes.batch.buckets import about, listing, put, try_writing
from sonic_nodes.batch.downloads import bring
from sonic_nodes.errors import OutputError
from sonic_nodes.media.fetch import Unavailable

s3fs = pytest.importorskip("s3fs", reason="pip install s3fs")

CONTENT = bytes(range(256)) * 20_000
SECRET = "hunter2"
CODES = {403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}
ENTRY = "<Contents><Key>{}</Key><Size>{}</Size><ETag>&quot;{}&quot;</ETag><LastModified>{}</LastModified></Contents>"
CHANGED = "2026-01-01T00:00:00.000Z"


class Handler(http.server.BaseHTTPRequestHandler):
    """Objects of one bucket, path style; self.server.status refuses everything."""

    protocol_version = "HTTP/1.1"

    def do(self):
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name, objects = unquote(parts.path).removeprefix("/bucket").lstrip("/"), self.server.objects
        if self.server.status:
            return self.refuse(self.server.status)
        if "list-type" in parts.query:
            return self.list(parts.query)
        if self.command == "PUT":
            objects[name] = body
            return self.answer(200, b"", ETag=self.etag(body))
        if name not in objects:
            return self.refuse(404)
        if self.command == "DELETE":
            del objects[name]
            return self.answer(204, b"")
        content = objects[name]
        if "Range" in self.headers:
            first, last = self.headers["Range"][6:].split("-")
            part = content[int(first) : int(last) + 1]
            where = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
            return self.answer(206, part, ETag=self.etag(content), Content_Range=where)
        return self.answer(200, content, ETag=self.etag(content))

    do_GET = do_HEAD = do_PUT = do_DELETE = do

    @staticmethod
    def etag(content):
        return f'"{hashlib.md5(content).hexdigest()}"'

    def list(self, query):
        prefix = next((unquote(p[7:]) for p in query.split("&") if p.startswith("prefix=")), "")
        found = {name: content for name, content in self.server.objects.items() if name.startswith(prefix)}
        entries = [ENTRY.format(n, len(c), self.etag(c).strip('"'), CHANGED) for n, c in found.items()]
        text = f"<ListBucketResult><KeyCount>{len(found)}</KeyCount>{''.join(entries)}</ListBucketResult>"
        self.answer(200, text.encode())

    def refuse(self, status):
        self.answer(status, f"<Error><Code>{CODES[status]}</Code><Message>{SECRET}</Message></Error>".encode())

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {
            "Content_Length": len(body),
            "Last_Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def bucket(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.objects, server.status = True, {}, None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(retries, "ATTEMPTS", 2)
    monkeypatch.setattr(retries, "FIRST_S", 0.01)
    s3fs.S3FileSystem.clear_instance_cache()
    yield server
    server.shutdown()
    server.server_close()
    s3fs.S3FileSystem.clear_instance_cache()


def test_what_is_sent_comes_back(bucket, tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    found = put(str(tmp_path / "a"), "s3://bucket/out/a b.mp4")
    assert bucket.objects == {"out/a b.mp4": CONTENT}
    assert found == {"url": "s3://bucket/out/a b.mp4", "version": about("s3://bucket/out/a b.mp4").version}
    assert listing("s3://bucket/out")["s3://bucket/out/a b.mp4"].version == found["version"]
    source = Source("s3://bucket/out/a b.mp4", str(tmp_path / "in" / "a"))
    assert bring([source]) == {} and (tmp_path / "in/a").read_bytes() == CONTENT
    try_writing("s3://bucket/out")
    assert list(bucket.objects) == ["out/a b.mp4"]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(403, "Give the account of the environment the right"), (503, "Try again later: the store of 's3://bucket")],
)
def test_a_bucket_that_refuses(bucket, tmp_path, status, remedy):
    bucket.status = status
    (problem,) = bring([Source("s3://bucket/a", str(tmp_path / "in" / "a"))]).values()
    assert problem.startswith(remedy) and SECRET not in problem
    with pytest.raises(OutputError if status == 403 else Unavailable, match=f"^{remedy}") as raised:
        try_writing("s3://bucket")
    assert SECRET not in str(raised.value)


def test_what_is_not_there(bucket, tmp_path):
    (problem,) = bring([Source("s3://bucket/a", str(tmp_path / "in" / "a"))]).values()
    assert problem == "Check the address: 's3://bucket/a' does not exist."
    assert listing("s3://bucket/out") == {}
