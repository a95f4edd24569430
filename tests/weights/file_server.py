"""A server of weight files on this machine, with the faults that servers have."""

import hashlib
import http.server
import threading
from contextlib import contextmanager

from sonic_nodes.weights import download as module
from sonic_nodes.weights.files import SONIC_LICENCE, ModelFile

CONTENT = bytes(range(256)) * 4099  # more than one block
PATH = "maker/model/resolve/main/net.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        state = self.server
        state.seen.append((self.path, dict(self.headers)))
        if self.path.startswith("/moved"):
            return self.answer(state.content)
        if state.behaviour == "silent":
            self.head(200, len(CONTENT))
            self.wfile.write(CONTENT[:1000])
            return state.stop.wait(20)
        if state.behaviour in ("429", "503") and state.busy:
            state.busy -= 1
            return self.head(int(state.behaviour), 0, Retry_After=1)
        if state.behaviour == "endless chunks":
            return self.chunks()
        if state.behaviour == "another part":
            return self.head(206, 0, Content_Range=f"bytes 900000-900009/{len(CONTENT)}")
        if state.behaviour == "redirect":
            return self.head(302, 0, Location=f"http://localhost:{state.server_port}/moved")
        if state.behaviour.isdigit():
            return self.head(int(state.behaviour), 0)
        if state.behaviour == "unsized":
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            return self.wfile.write(CONTENT)
        return self.answer(b"\1" * len(CONTENT) if state.behaviour == "other" else state.content)

    def chunks(self):
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        except OSError:
            self.close_connection = True

    def head(self, status, length, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": length, **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def answer(self, content):
        start, etag = int(self.headers.get("Range", "bytes=0-")[6:-1]), self.server.etag
        if self.server.behaviour == "whole only" or self.headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(content):
            return self.head(416, 0, **({"Content_Range": f"bytes */{len(content)}"} if etag else {}))
        end = f"bytes {start}-{len(content) - 1}/{len(content)}"
        more = {"Content_Range": end} if start else {}
        more |= {"ETag": etag} if etag else {}
        self.head(206 if start else 200, len(content) - start, **more)
        limit = self.server.breaks.pop(0) if self.server.breaks else len(content)
        self.wfile.write(content[start : start + limit])
        self.close_connection = limit < len(content)


class Server(http.server.ThreadingHTTPServer):
    """etag: sent with each file, and compared with If-Range. busy: so many answers are 429 or 503."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour, self.breaks, self.seen, self.content, self.etag, self.busy = "", [], [], CONTENT, "", 0
        self.stop = threading.Event()

    def handle_error(self, request, client_address):
        """Some tests drop connections on purpose."""


@contextmanager
def serving(monkeypatch):
    """A Server that HF_ENDPOINT names."""
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{made.server_port}/")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "PAUSE_S", 0)
    yield made
    made.stop.set()
    made.shutdown()
    made.server_close()


def model_file(content=CONTENT, **changes):
    facts = {
        "networks": ("unet",),
        "places": ("sonic/net.pth",),
        "bytes": len(content),
        "source": "https://huggingface.co/maker/model",
        "sha256": (hashlib.sha256(content).hexdigest(),),
        "path": PATH,
        "licence": SONIC_LICENCE,
    }
    return ModelFile(**(facts | changes))
