"""Pictures from the network, for those who ask for it: public addresses only, so that a list of addresses from
elsewhere cannot make this machine talk to itself or to its neighbours.

A name is resolved once, every address it has is checked, and the connection goes to an address that was checked: a name
server that answers differently the second time gains nothing. Each redirect is a new address to check. Proxies of the
environment are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from queue import Empty, Queue
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..errors import InputError

MAX_BYTES = 64 << 20
TIME_S = 30.0  # for everything: names, redirects, content
SILENCE_S = 10.0  # for one answer of the network
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"http": 80, "https": 443}
HEADERS = {"Accept-Encoding": "identity", "Accept": "image/*", "User-Agent": "sonic"}
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
PIECE_BYTES = 1 << 16
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
LOCALLY_TRANSLATED = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215

KEPT = "/%:@!$&'()*+,;=~-._?"  # in paths and queries, besides letters and digits (RFC 3986)

Resolver = Callable[[str, int], list[str]]


def is_url(text: str) -> bool:
    return SCHEME.match(text) is not None


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address belongs to the internet at large, also by the IPv4 address that an IPv6 one may
    carry."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        carried = _carried(found)
        if carried is not None:
            return is_public(str(carried))
        if found.is_site_local or found.scope_id or found in LOCALLY_TRANSLATED or found.teredo:
            return False
    local = found.is_private or found.is_loopback or found.is_link_local or found.is_unspecified
    return found.is_global and not (local or found.is_multicast or found.is_reserved)


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in TRANSLATED or address in ipaddress.ip_network("::/96") and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def addresses_of(host: str, port: int) -> list[str]:
    """What the system's resolver says, in its order."""
    return list(dict.fromkeys(info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def fetch(
    url: str,
    resolve: Resolver | None = None,
    allowed: Callable[[str], bool] | None = None,
    tls: ssl.SSLContext | None = None,
    max_bytes: int = MAX_BYTES,
    time_s: float = TIME_S,
) -> bytes:
    """The content of an http or https address. Raises InputError that begins with what to do.

    resolve(host, port) -> addresses, allowed(address) and tls stand in for addresses_of, is_public and the system's
    certificates.
    """
    way = _Way(
        resolve or addresses_of,
        allowed or is_public,
        tls or ssl.create_default_context(),
        max_bytes,
        time.monotonic() + time_s,
    )
    for _ in range(MAX_REDIRECTS + 1):
        content, onward = way.visit(url)
        if onward is None:
            return content
        if url.lower().startswith("https:") and onward.lower().startswith("http:"):
            raise InputError(f"Give the picture's own address: {url!r} leads from an encrypted address to an open one.")
        url = onward
    raise InputError(f"Give the picture's own address: it is behind more than {MAX_REDIRECTS} redirects.")


class _Way:
    """What all steps from redirect to redirect share."""

    def __init__(self, resolve: Resolver, allowed, tls: ssl.SSLContext, max_bytes: int, end: float):
        self.resolve, self.allowed, self.tls, self.max_bytes, self.end = resolve, allowed, tls, max_bytes, end

    def left_s(self) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, SILENCE_S)

    def visit(self, url: str) -> tuple[bytes, str | None]:
        """(content, None) or (nothing, where it is)."""
        place = _checked(url)
        try:
            addresses = self.public_addresses(place)
            with closing(_Connection(place, addresses, self)) as connection, connection.ended_in_time():
                connection.request("GET", _target(place), headers=HEADERS)
                return self.answer(url, connection.getresponse())
        except TimeoutError:
            raise InputError(
                f"Try again later, or download the picture yourself: {url!r} did not answer in time."
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise InputError(
                f"Download the picture yourself if you trust the place: the certificate of {place.hostname!r} is not valid "
                f"({error.verify_message})."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() >= self.end:
                raise InputError(
                    f"Try again later, or download the picture yourself: {url!r} did not answer in time."
                ) from None
            raise InputError(
                f"Check the address and the network: {url!r} cannot be reached ({error or type(error).__name__})."
            ) from None

    def public_addresses(self, place: SplitResult) -> list[str]:
        addresses = self.resolved(place.hostname, place.port or PORTS[place.scheme])
        refused = [address for address in addresses if not self.allowed(address)]
        if refused:
            raise InputError(
                f"Give a public address, or download the picture yourself: {place.hostname!r} is {refused[0]}, "
                "which is private or reserved."
            )
        if not addresses:
            raise InputError(f"Check the address: {place.hostname!r} has no address.")
        return addresses

    def resolved(self, host: str, port: int) -> list[str]:
        """In a thread of its own, because a resolver has no time limit."""
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

    def answer(self, url: str, response: http.client.HTTPResponse) -> tuple[bytes, str | None]:
        if response.status in REDIRECTS and response.headers["Location"]:
            return b"", urljoin(url, response.headers["Location"])
        if response.status != 200:
            raise InputError(f"Check the address: {url!r} answers {response.status} {response.reason}.")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise InputError(f"Download the picture yourself: {url!r} sends it compressed, which was not asked for.")
        if (response.length or 0) > self.max_bytes:
            raise self.too_large(url)
        return self.content(url, response), None

    def content(self, url: str, response: http.client.HTTPResponse) -> bytes:
        pieces, size = [], 0
        while piece := response.read(PIECE_BYTES):
            self.left_s()
            size += len(piece)
            if size > self.max_bytes:
                raise self.too_large(url)
            pieces.append(piece)
        self.left_s()
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(pieces)

    def too_large(self, url: str) -> InputError:
        return InputError(f"Choose a smaller picture: {url!r} has more than {self.max_bytes / (1 << 20):g} MB.")


class _Connection(http.client.HTTPConnection):
    """To one of the addresses that were checked, whatever the name says by now; TLS is verified for the name."""

    def __init__(self, place: SplitResult, addresses: list[str], way: _Way):
        super().__init__(place.hostname, place.port or PORTS[place.scheme])
        self.default_port = PORTS[place.scheme]  # decides whether the header Host names the port
        self.secure, self.addresses, self.way = place.scheme == "https", addresses, way
        self.line: socket.socket | None = None  # stays when http.client hands the socket on to the response

    def connect(self) -> None:
        self.sock = self.line = self._reached()
        self.sock.settimeout(self.way.left_s())
        if self.secure:
            self.sock = self.line = self.way.tls.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()

    def _reached(self) -> socket.socket:
        for i, address in enumerate(self.addresses):
            try:
                return socket.create_connection((address, self.port), timeout=self.way.left_s())
            except OSError:
                if i + 1 == len(self.addresses):
                    raise
        raise AssertionError("public_addresses gives at least one")

    def ended_in_time(self):
        """Cuts the connection at the end of the time: a server that sends a byte now and then never exceeds the time
        for one answer."""
        return _Alarm(self, self.way.end)


class _Alarm:
    def __init__(self, connection: _Connection, end: float):
        self.connection, self.timer = connection, threading.Timer(max(0.0, end - time.monotonic()), self.ring)
        self.timer.daemon = True

    def ring(self) -> None:
        with suppress(OSError, TypeError):
            # not the TLS layer's, which another thread is using
            socket.socket.shutdown(self.connection.line, socket.SHUT_RDWR)

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *error) -> None:
        self.timer.cancel()


def _checked(url: str) -> SplitResult:
    """The parts of an address that has nothing but what a picture's address needs."""
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port
    except ValueError as error:
        raise InputError(f"Check the address: {url!r} is not one ({error}).") from None
    if place.scheme not in PORTS:
        raise InputError(f"Give an address that begins with http:// or https://: {url!r} does not.")
    if place.username is not None or place.password is not None:
        raise InputError(f"Give an address without user name and password: that of {host!r} has them.")
    if not host or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise InputError(f"Check the address: {url!r} is not one.")
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InputError(f"Check the address: {host!r} cannot be a host's name.") from None
    port = f":{place.port}" if place.port is not None else ""
    return place._replace(netloc=(f"[{name}]" if ":" in name else name) + port)


def _target(place: SplitResult) -> str:
    """Path and query as they go into a request, other characters than ASCII as UTF-8."""
    path = quote(place.path or "/", safe=KEPT)
    return f"{path}?{quote(place.query, safe=KEPT)}" if place.query else path
