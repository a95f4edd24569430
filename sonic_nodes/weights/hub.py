"""Requests to huggingface.co, or to the mirror in HF_ENDPOINT, as the downloads of weight files need them.

The user chose that server, so its address may be any. Where it redirects to must be a public address or the same host,
so that no server makes this machine ask others in its network (server-side request forgery); each name is resolved
once, and the connection goes to an address that was checked. Proxies of the environment are used, and resolve the names
of what they are asked for. A token in HF_TOKEN is sent to the server alone, not to where it redirects.
"""

from __future__ import annotations

import functools
import http.client
import io
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from ..errors import InputError, UsageError
from ..media.fetch import MAX_REDIRECTS, REDIRECTS, Resolver, addresses_of, is_public, shown
from ..media.http_body import Response

ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 30.0  # for one network operation
POLL_S = 0.2  # a read that waits looks this often whether it shall end
OVERHEAD_BYTES = 1 << 20  # of headers and chunk sizes, besides as many bytes as the body may have


@dataclass(frozen=True)
class Network:
    """What tests replace: resolve(host, port) -> addresses, allowed(address), and the certificates that are trusted."""

    resolve: Resolver = addresses_of
    allowed: Callable[[str], bool] = is_public
    tls: ssl.SSLContext | None = None


PUBLIC = Network()


class Connections:
    """Those of a download, for another thread that ends it."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """The read that waits ends within POLL_S, and all further ones at once."""
        self.is_closed = True


class _Interruptible(io.RawIOBase):
    """The raw stream of an answer, whose reads end when its Connections are closed.

    It looks every POLL_S. Shutting the socket down from the other thread would end the read at once on Linux; on
    Windows it need not.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, connections: Connections):
        self.raw, self.sock, self.connections = raw, sock, connections

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        seconds, end = self.sock.gettimeout(), time.monotonic() + TIMEOUT_S
        try:
            self.sock.settimeout(POLL_S)
            while not self.connections.is_closed:
                try:
                    return self.sock.recv_into(buffer)
                except TimeoutError:
                    if time.monotonic() >= end:
                        raise
        finally:
            self.sock.settimeout(seconds)  # a proxy's answer comes before the TLS handshake
        raise ConnectionAbortedError

    def close(self) -> None:
        self.raw.close()
        super().close()


class _Answer(Response):
    def __init__(self, sock, most: int, connections: Connections, **options):
        super().__init__(sock, most, wrapped=lambda raw: _Interruptible(raw, sock, connections), **options)


def endpoint() -> str:
    """HF_ENDPOINT or huggingface.co, without a slash at its end. UsageError for what is no address."""
    given = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or ENDPOINT
    try:
        parts = urlsplit(given)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address:
        raise UsageError(
            f"Set HF_ENDPOINT to the address of a mirror, such as https://hf-mirror.com, or unset it: it is {given!r}."
        )
    return given


def ask(address: str, headers: dict[str, str], most: int, network: Network, connections: Connections):
    """The Response to a GET of `address`, of 2xx, after its redirects; `most` bytes of body at most. Raises
    urllib.error.HTTPError for other answers, OSError and http.client.HTTPException where there is none, InputError for
    redirects that are not followed."""
    headers = {"User-Agent": "sonic", "Accept-Encoding": "identity", **headers}
    if token := os.environ.get("HF_TOKEN", "").strip():
        authorization = f"Bearer {token}"
        headers["Authorization"] = authorization
    own = urlsplit(address)
    for _ in range(MAX_REDIRECTS + 1):
        is_own = urlsplit(address).hostname == own.hostname
        opener = _opener(is_own, most, network, connections)
        try:
            return opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            location = error.headers.get("Location") if error.code in REDIRECTS else None
            error.close()
            if not location:
                raise
        address = _redirected(address, location)
        if urlsplit(address).netloc != own.netloc:
            headers.pop("Authorization", None)
    raise InputError(f"Choose a mirror with HF_ENDPOINT: the file is behind more than {MAX_REDIRECTS} redirects.")


def _redirected(address: str, location: str) -> str:
    target = urljoin(address, location)
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise InputError(f"Choose a mirror with HF_ENDPOINT: {shown(address)} redirects to {shown(location)}.")
    if urlsplit(address).scheme == "https" and parts.scheme != "https":
        raise InputError(f"Choose a mirror with HF_ENDPOINT: {shown(address)} redirects from https to http.")
    return target


def _opener(is_own: bool, most: int, network: Network, connections: Connections) -> urllib.request.OpenerDirector:
    options = {"is_own": is_own, "most": most, "network": network, "connections": connections}
    return urllib.request.build_opener(_Handler(options), _NoRedirects)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Both schemes, over connections that check their address."""

    def __init__(self, options: dict):
        super().__init__()
        self.options = options

    def http_open(self, request):
        return self.do_open(self._made(_Plain, request), request)

    def https_open(self, request):
        tls = self.options["network"].tls or ssl.create_default_context()
        return self.do_open(self._made(_Secure, request), request, context=tls)

    def _made(self, kind, request):
        """A proxy is the user's choice too, and resolves the name itself."""
        is_proxied = request.host != urlsplit(request.full_url).netloc
        return functools.partial(kind, options=self.options, is_checked=not (is_proxied or self.options["is_own"]))


class _Checked:
    """What _Plain and _Secure share."""

    def __init__(self, host, options: dict, is_checked: bool, **more):
        super().__init__(host, **more)
        most = 2 * options["most"] + OVERHEAD_BYTES
        self.response_class = functools.partial(_Answer, most=most, connections=options["connections"])
        if is_checked:
            self._create_connection = functools.partial(_connect_checked, network=options["network"])


class _Plain(_Checked, http.client.HTTPConnection):
    pass


class _Secure(_Checked, http.client.HTTPSConnection):
    pass


def _connect_checked(address, timeout, source_address=None, network: Network | None = None) -> socket.socket:
    host, port = address
    found = network.resolve(host, port)
    refused = [each for each in found if not network.allowed(each)]
    if refused:
        raise InputError(
            f"Choose a mirror with HF_ENDPOINT: the file is behind a redirect to {host!r}, which is {refused[0]}, a "
            "private or reserved address."
        )
    problem: OSError = OSError(f"{host!r} has no address")
    for each in found:
        try:
            return socket.create_connection((each, port), timeout, source_address)
        except OSError as error:
            problem = error
    raise problem
