"""The webhook: what arrives, how it is signed, and addresses that are wrong, refuse or hang."""

import contextlib
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time

import pytest

from sonic_nodes.batch import webhook
from sonic_nodes.batch.webhook import SIGNATURE, TIME, Webhook, checked_address
from sonic_nodes.errors import UsageError

SECRET = b"the secret of the receiver"


@contextlib.contextmanager
def receiver(status: int = 204):
    """(address, requests) of a server on this machine."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook?id=3", requests
        server.shutdown()
        thread.join()


def test_messages_arrive_in_order_with_a_signature_that_the_receiver_can_check():
    with receiver() as (url, requests):
        hook = Webhook(url, SECRET)
        for number in range(5):
            hook.send({"event": "done", "row": number})
        hook.close()
    assert (hook.sent, hook.failed) == (5, 0)
    assert [json.loads(body)["row"] for _, _, body in requests] == list(range(5))
    for path, headers, body in requests:
        wanted = hmac.new(SECRET, headers[TIME].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert path == "/hook?id=3" and headers[SIGNATURE] == f"sha256={wanted}"
        assert abs(int(headers[TIME]) - time.time()) < 60


def test_without_a_secret_there_is_no_signature():
    with receiver() as (url, requests):
        hook = Webhook(url, b"")
        hook.send({})
        hook.close()
    assert SIGNATURE not in requests[0][1]


@pytest.mark.parametrize("status", [302, 403, 503])
def test_a_refusal_is_counted_and_no_redirect_followed(status):
    with receiver(status) as (url, requests):
        hook = Webhook(url, SECRET)
        hook.send({})
        hook.close()
    assert (hook.sent, hook.failed, hook.last_problem) == (0, 1, f"it answered {status}") and len(requests) == 1


def test_an_address_that_hangs_stops_nothing(monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(webhook, "END_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        hook, started = Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", SECRET), time.monotonic()
        for _ in range(webhook.MAX_WAITING + 200):
            hook.send({})
        assert time.monotonic() - started < 1.0
        hook.close()
        assert time.monotonic() - started < 5.0
    assert hook.sent == 0 and hook.failed >= webhook.MAX_WAITING


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a/", "http://", "http://a:0/", "http://a:99999/", "http://a b/", "http://é/", "file:///etc/passwd"],
)
def test_what_is_no_address(url):
    with pytest.raises(UsageError, match="Give --webhook an address"):
        checked_address(url)


def test_a_password_has_no_place_in_the_address():
    with pytest.raises(UsageError, match="Leave name and password out"):
        checked_address("https://user:word@host/")
