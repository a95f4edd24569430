"""Downloads files, where the user allows it, from public addresses only: an untrusted list of URLs must not reach this
machine or its local network (server-side request forgery).

A name is resolved once, all its addresses are checked, and the connection goes to one of these, so DNS rebinding has no
effect. Each redirect is checked the same way. Proxies of the environment are not used. Messages show no query and no
user name of an address: signed addresses are as good as a password.
"""

from __future__ import annotations

import functools
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from queue import Empty, Queue
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..errors import InputError
from .http_body import Response, TooLarge

MAX_BYTES = 64 << 20
TIME_S = 30.0  # for everything: names, redirects, content
READ_TIMEOUT_S = 10.0  # for one network operation
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (408, 429, 500, 502, 503, 504)  # answers of a server that may give the file later
ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]{1,200}"')  # RFC 9110, 8.8.3
MAX_WAIT = re.compile(r"[0-9]{1,6}")  # seconds of the header Retry-After; its other form is a date
PORTS = {"http": 80, "https": 443}
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "sonic"}
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
OVERHEAD_BYTES = 1 << 20  # of headers, chunk sizes and trailers, besides as many bytes as the file may have
MAX_HOST = 253  # characters of a name (RFC 1035, 2.3.4)
SHOWN = 200  # characters of an address in a message
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215

UNQUOTED = "/%:@!$&'()*+,;=~-._?"  # in paths and queries, besides letters and digits (RFC 3986)

# A user name before the host; the second form is that of a password with a slash, which is no URL but is often written
USER = re.compile(r"(?<=//)(?:[^/?#]*|[^/?#:]*:(?![0-9]{1,5}(?:/|$))[^?#]*)@")

Resolver = Callable[[str, int], list[str]]


class Unavailable(InputError):
    """The server, or the way to it, does not give the file now. wait_s: after so many seconds it may."""

    def __init__(self, message: str, wait_s: float = 0.0):
        super().__init__(message)
        self.wait_s = wait_s


def is_url(text: str) -> bool:
    return SCHEME.match(text) is not None


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address, or the IPv4 address embedded in an IPv6 one, is globally reachable."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        embedded = _embedded_ipv4(found)
        if embedded is not None:
            return is_public(str(embedded))
        if found.is_site_local or found.scope_id or found in LOCAL_NAT64 or found.teredo:
            return False
    local = found.is_private or found.is_loopback or found.is_link_local or found.is_unspecified
    return found.is_global and not (local or found.is_multicast or found.is_reserved)


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64 or address in ipaddress.ip_network("::/96") and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of the system's resolver, in its order."""
    return list(dict.fromkeys(info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


@dataclass(frozen=True)
class Request:
    """What a download may take, and what tests replace: resolve(host, port) -> addresses, allowed(address), and the
    certificates that are trusted."""

    resolve: Resolver | None = None  # addresses_of
    allowed: Callable[[str], bool] | None = None  # is_public
    tls: ssl.SSLContext | None = None
    max_bytes: int = MAX_BYTES
    time_s: float = TIME_S
    check: Callable[[], object] = lambda: None  # called before each read; may raise to stop
    accept: str = "image/*"  # the kind of file that is asked for
    etag: str = ""  # of the content that is known already
    has_end: bool = False  # whether the response must say where it ends: one that does not may be cut off unnoticed


def fetch(url: str, **options) -> bytes:
    """The content of an http or https URL. options: those of Request. InputError begins with the remedy."""
    content = bytearray()
    stream(url, Request(**options), content.extend)
    return bytes(content)


def stream(url: str, request: Request, take: Callable[[bytes], object]) -> str | None:
    """Calls take(piece) for each piece of a URL's content. Returns its ETag, "" without one; None, and nothing was
    taken, where the content is still that of request.etag. Unavailable where another try may succeed: what was taken
    is no whole file then. InputError otherwise."""
    download = _Download(request, take)
    for _ in range(MAX_REDIRECTS + 1):
        etag, redirect = download.visit(url)
        if redirect is None:
            return etag
        if url.lower().startswith("https:") and redirect.lower().startswith("http:"):
            raise InputError(f"Give the file's final address: {shown(url)} redirects from https to http.")
        url = redirect
    raise InputError(f"Give the file's final address: it is behind more than {MAX_REDIRECTS} redirects.")


class _Download:
    """State shared by all redirects of one download."""

    def __init__(self, request: Request, take: Callable[[bytes], object]):
        self.request, self.take, self.max_bytes = request, take, request.max_bytes
        self.resolve, self.allowed = request.resolve or addresses_of, request.allowed or is_public
        self.tls, self.end = request.tls or ssl.create_default_context(), time.monotonic() + request.time_s

    def left_s(self) -> float:
        self.request.check()
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, READ_TIMEOUT_S)

    def visit(self, url: str) -> tuple[str | None, str | None]:
        """(ETag or None, None) as `stream` returns it, or (None, the URL of a redirect)."""
        parts = _checked(url)
        try:
            addresses = self.public_addresses(parts)
            with closing(_Connection(parts, addresses, self)) as connection, connection.deadline():
                connection.request("GET", _target(parts), headers=self.headers())
                return self.answer(url, connection.getresponse())
        except TooLarge:
            raise self.too_large(url) from None
        except TimeoutError:
            raise late(url) from None
        except ssl.SSLCertVerificationError as error:
            raise InputError(
                f"Download the file yourself if you trust the server: the certificate of {parts.hostname!r} "
                f"is not valid ({error.verify_message})."
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= self.end:
                raise late(url) from None
            reason = str(error)[:SHOWN] or type(error).__name__
            raise Unavailable(
                f"Check the address and the network: {shown(url)} cannot be reached ({reason})."
            ) from None

    def headers(self) -> dict[str, str]:
        known = {"If-None-Match": self.request.etag} if self.request.etag else {}
        return {"Accept": self.request.accept, **HEADERS, **known}

    def public_addresses(self, parts: SplitResult) -> list[str]:
        addresses = self.resolved(parts.hostname, parts.port or PORTS[parts.scheme])
        refused = [address for address in addresses if not self.allowed(address)]
        if refused:
            raise InputError(
                f"Give a public address, or download the file yourself: {parts.hostname!r} is {refused[0]}, "
                "which is private or reserved."
            )
        if not addresses:
            raise InputError(f"Check the address: {parts.hostname!r} has no address.")
        return addresses

    def resolved(self, host: str, port: int) -> list[str]:
        """Runs in its own thread, because resolvers have no timeout."""
        found: Queue = Queue()

        def work():
            try:
                found.put(self.resolve(host, port))
            except (OSError, UnicodeError) as error:
                found.put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            result = found.get(timeout=self.left_s())
        except Empty:
            raise TimeoutError from None
        if isinstance(result, Exception):
            raise InputError(f"Check the address and the network: the name {host!r} is not found ({result}).")
        return result

    def answer(self, url: str, response: Response) -> tuple[str | None, str | None]:
        if response.status in REDIRECTS and response.headers["Location"]:
            return None, _joined(url, response.headers["Location"])
        if response.status == 304 and self.request.etag:
            return None, None
        if response.status != 200:
            raise _refused(url, response)
        codings = response.headers.get_all("Content-Encoding", [])
        if any(coding.strip().lower() not in ("", "identity") for coding in codings):
            raise InputError(f"Download the file yourself: {shown(url)} sends it compressed.")
        if self.request.has_end and not response.has_end():
            raise InputError(f"Download the file yourself: {shown(url)} does not say how large it is.")
        for piece in response.pieces(self.max_bytes, self.left_s):
            self.take(piece)
        self.left_s()
        etag = response.headers["ETag"] or ""
        return etag if ETAG.fullmatch(etag) else "", None

    def too_large(self, url: str) -> InputError:
        return InputError(f"Choose a smaller file: {shown(url)} has more than {self.max_bytes / (1 << 20):g} MB.")


class _Connection(http.client.HTTPConnection):
    """Connects to one of the checked addresses without resolving the name again; TLS is verified for the name."""

    def __init__(self, parts: SplitResult, addresses: list[str], download: _Download):
        super().__init__(parts.hostname, parts.port or PORTS[parts.scheme])
        self.default_port = PORTS[parts.scheme]  # decides whether the header Host names the port
        self.secure, self.addresses, self.download = parts.scheme == "https", addresses, download
        self.raw: socket.socket | None = None  # stays when http.client passes the socket on to the response
        self.response_class = functools.partial(Response, most=2 * download.max_bytes + OVERHEAD_BYTES)

    def connect(self) -> None:
        self.sock = self.raw = self._open_socket()
        self.sock.settimeout(self.download.left_s())
        if self.secure:
            self.sock = self.raw = self.download.tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _open_socket(self) -> socket.socket:
        for i, address in enumerate(self.addresses):
            try:
                return socket.create_connection((address, self.port), timeout=self.download.left_s())
            except OSError:
                if i + 1 == len(self.addresses):
                    raise
        raise AssertionError("public_addresses gives at least one")

    def deadline(self):
        """Closes the connection at the deadline: a server that sends a byte now and then never exceeds the timeout of
        one read."""
        return _Deadline(self, self.download.end)


class _Deadline:
    def __init__(self, connection: _Connection, end: float):
        self.connection, self.timer = connection, threading.Timer(max(0.0, end - time.monotonic()), self.expire)
        self.timer.daemon = True

    def expire(self) -> None:
        with suppress(OSError, TypeError):
            # the plain socket: another thread uses the TLS layer
            socket.socket.shutdown(self.connection.raw, socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *error) -> None:
        self.timer.cancel()


def shown(url: str) -> str:
    """The URL in a message: quoted, without user name and query, its beginning when it is long."""
    found = USER.sub("", url)
    found, query, _ = found.partition("?")
    found = found if len(found) <= SHOWN else found[:SHOWN] + "..."
    return repr(found + "?..." if query else found)


def _refused(url: str, response: Response) -> InputError:
    answer = f"{shown(url)} answers {response.status} {response.reason[:SHOWN]}"
    if response.status in BUSY:
        wait = response.headers["Retry-After"] or ""
        return Unavailable(f"Try again later: {answer}.", float(wait) if MAX_WAIT.fullmatch(wait) else 0.0)
    if response.status in (401, 403):
        return InputError(f"Give an address that needs no password, or download the file yourself: {answer}.")
    return InputError(f"Check the address: {answer}.")


def late(url: str) -> InputError:
    return Unavailable(f"Try again later, or download the file yourself: {shown(url)} did not answer in time.")


def _joined(url: str, location: str) -> str:
    """The absolute URL of a redirect."""
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise InputError(
            f"Give the file's final address: {shown(url)} redirects to {shown(location)}, "
            f"which is not an address ({error})."
        ) from None


def _checked(url: str) -> SplitResult:
    """The parts of a URL without credentials or control characters."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        url.encode("utf-8")
    except ValueError as error:
        if "@" in url:  # the error's text may have the password
            raise InputError(f"Check the address: {shown(url)} is not one.") from None
        raise InputError(f"Check the address: {shown(url)} is not one ({str(error)[:SHOWN]}).") from None
    if parts.scheme not in PORTS:
        raise InputError(f"Give an address that begins with http:// or https://: {shown(url)} does not.")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"Give an address without user name and password: that of {shown(host or '')} has them.")
    if not host or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise InputError(f"Check the address: {shown(url)} is not one.")
    try:
        if len(host) > MAX_HOST:  # Python before 3.11.1 takes quadratic time for long names
            raise UnicodeError
        name = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InputError(f"Check the address: {shown(host)} cannot be a host's name.") from None
    port = f":{parts.port}" if parts.port is not None else ""
    return parts._replace(netloc=(f"[{name}]" if ":" in name else name) + port)


def _target(parts: SplitResult) -> str:
    """Path and query for the request line, non-ASCII characters as UTF-8."""
    path = quote(parts.path or "/", safe=UNQUOTED)
    return f"{path}?{quote(parts.query, safe=UNQUOTED)}" if parts.query else path
