"""Downloads: what is fetched, and which addresses are never contacted. The server is local; the resolver and the
allowed addresses replace the network."""

import http.server
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from sonic_nodes.errors import InputError
from sonic_nodes.media import fetch as module
from sonic_nodes.media.fetch import fetch, is_public, is_url

PICTURE = bytes(range(256)) * 40
LOOPBACK = "127.0.0.1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        getattr(self, "get_" + self.path.strip("/").partition("?")[0].split("/")[0].split("-")[0], self.get_missing)()

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def get_picture(self):
        self.reply(200, PICTURE)

    def get_unsized(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(PICTURE)
        self.close_connection = True

    def get_chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(PICTURE), 1000):
            part = PICTURE[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def get_endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    def get_short(self):
        self.reply(200, PICTURE, Content_Length=str(len(PICTURE) + 9))
        self.close_connection = True

    def get_claims(self):
        self.reply(200, b"", Content_Length=str(1 << 40))

    def get_zipped(self):
        self.reply(200, PICTURE, Content_Encoding="gzip")

    def get_drip(self):
        """Sends a byte now and then, forever."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.stop.wait(0.05):
                self.wfile.write(b"X-More: yes\r\n" if "head" in self.path else b"\r\n1\r\n")
        except OSError:
            pass

    def get_to(self):
        self.reply(302, Location=self.path.partition("?")[2])

    def get_loop(self):
        left = int(self.path.rpartition("-")[2])
        self.reply(301, Location=f"/loop-{left - 1}" if left else "/picture")

    def get_missing(self):
        self.reply(404)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Some tests drop connections on purpose."""


@pytest.fixture
def server():
    made = Server((LOOPBACK, 0), Handler)
    made.daemon_threads = True
    made.seen, made.stop, made.port = [], threading.Event(), made.server_address[1]
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    yield made
    made.stop.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def get(server):
    """get(path on pictures.example): the name resolves to the server, whose address is allowed."""

    def run(path, **options):
        url = path if "//" in path[:9] else f"http://pictures.example:{server.port}{path}"
        return fetch(
            url, **{"resolve": lambda host, port: [LOOPBACK], "allowed": lambda address: address == LOOPBACK} | options
        )

    return run


@pytest.mark.parametrize("path", ["/picture", "/unsized", "/chunked", "/loop-4"])
def test_the_content_is_complete(get, path):
    assert get(path) == PICTURE


def test_the_request_contains_the_name_and_no_local_address(get, server):
    assert get("/picture/ä%20b?x=ü&y=%20") == PICTURE
    path, headers = server.seen[0]
    assert path == "/picture/%C3%A4%20b?x=%C3%BC&y=%20"
    assert headers["Host"] == f"pictures.example:{server.port}" and headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "^Check the address: .* answers 404"),
        ("/short", "^Check the address and the network: .* cannot be reached"),
        ("/zipped", "^Download the file yourself: .* compressed"),
        ("/claims", "^Choose a smaller file: .* more than 1 MB"),
        ("/endless", "^Choose a smaller file: .* more than 1 MB"),
        ("/loop-5", "^Give the file's final address: it is behind more than 5 redirects"),
        (
            "/to?http://other.example/a",
            "^Give a public address, or download the file yourself: 'other.example' is 172.16.0.1",
        ),
        ("/to?file:///etc/passwd", "^Give an address that begins with http"),
        ("/to?ftp://pictures.example/a", "^Give an address that begins with http"),
        ("/to?http://user:word@pictures.example/", "^Give an address without user name"),
    ],
)
def test_other_problems_are_refused(get, path, message):
    def resolve(host, port):
        return ["172.16.0.1"] if host == "other.example" else [LOOPBACK]

    with pytest.raises(InputError, match=message):
        get(path, max_bytes=1 << 20, resolve=resolve)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "http://",
        "http:///a.png",
        "http://a b/",
        "http://example.com/a\r\nHost: x",
        "http://x:99999/",
        "http://[::1/",
        "http://" + "a" * 70 + ".example/",
        "gopher://example.com/",
    ],
)
def test_malformed_urls_are_refused(url):
    with pytest.raises(InputError, match="^(Give an address that begins|Check the address)"):
        fetch(url, resolve=lambda host, port: pytest.fail("nothing to look up"))


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@host.example/a",
        "http://user:sla/hunter2@host.example/a",
        "http://host.example/a?signature=hunter2",
        "http://user:hunter2@h\u2100st.example/",
        "ftp://user:hunter2@host.example/",
    ],
)
def test_messages_show_no_password_and_no_query(url):
    with pytest.raises(InputError) as raised:
        fetch(url, resolve=lambda host, port: [], allowed=lambda address: True)
    assert "hunter2" not in str(raised.value) and "hunter2" not in module.shown(url)
    assert module.shown("http://host.example:80/a@b") == "'http://host.example:80/a@b'"


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_that_is_reached(get, server):
    """DNS rebinding: a second answer of the name server is never used."""
    asked = []

    def resolve(host, port):
        asked.append(host)
        return [LOOPBACK] if len(asked) == 1 else ["127.0.0.2"]

    assert get("/picture", resolve=resolve) == PICTURE
    assert asked == ["pictures.example"]


def test_every_redirect_is_resolved_and_checked_again(get, server):
    checked = []
    get("/loop-3", allowed=lambda address: checked.append(address) or True)
    assert checked == [LOOPBACK] * 5


def test_one_private_address_among_public_ones_is_enough_to_refuse(get, server):
    with pytest.raises(InputError, match="is 172.16.8.7, which is private or reserved"):
        get("/picture", resolve=lambda host, port: [LOOPBACK, "172.16.8.7"])
    assert server.seen == []


def test_the_second_address_is_used_when_the_first_fails(get):
    assert get("/picture", resolve=lambda host, port: ["127.0.0.9", LOOPBACK], allowed=lambda a: True) == PICTURE


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_never_reached_by_default(server, host):
    with pytest.raises(InputError, match="private or reserved|is not found"):
        fetch(f"http://{host}:{server.port}/picture")
    assert server.seen == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        str(ipaddress.ip_address(10 << 24 | 1)),
        "172.16.0.1",
        "172.31.255.255",
        str(ipaddress.ip_address(0xC0A80001)),
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:a00:1",
        "::ffff:a9fe:a9fe",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001:0:1::1",
        "",
        "example.com",
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize("path", ["/drip-head", "/drip-body", "/silent"])
def test_a_slow_server_ends_in_time(get, server, monkeypatch, path):
    monkeypatch.setattr(Handler, "get_silent", lambda self: self.server.stop.wait(20), raising=False)
    started = time.monotonic()
    with pytest.raises(InputError, match="^Try again later.*did not answer in time"):
        get(path, time_s=0.6)
    assert time.monotonic() - started < 3


def test_a_slow_resolver_ends_in_time(get, server):
    started = time.monotonic()
    with pytest.raises(InputError, match="did not answer in time"):
        get("/picture", time_s=0.3, resolve=lambda host, port: server.stop.wait(20))
    assert time.monotonic() - started < 2


def test_a_name_that_does_not_exist_and_a_port_where_nobody_listens(get):
    def unknown(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(
        InputError, match="^Check the address and the network: the name 'pictures.example' is not found"
    ):
        get("/picture", resolve=unknown)
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match="^Check the address and the network: .* cannot be reached"):
        get(f"http://pictures.example:{port}/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key) for pictures.example, self-signed."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate of this test, and is not installed")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=pictures.example",
            "-addext",
            "subjectAltName=DNS:pictures.example",
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


@pytest.fixture
def secure(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def test_tls_is_verified_for_the_name_of_the_address(get, secure, certificate):
    trusting = ssl.create_default_context(cafile=certificate[0])
    assert get(f"https://pictures.example:{secure.port}/picture", tls=trusting) == PICTURE
    with pytest.raises(InputError, match="the certificate of 'other.example' is not valid"):
        get(f"https://other.example:{secure.port}/picture", tls=trusting)
    with pytest.raises(InputError, match="the certificate of 'pictures.example' is not valid"):
        get(f"https://pictures.example:{secure.port}/picture")


def test_redirects_from_https_to_http_are_refused(get, secure, certificate):
    trusting = ssl.create_default_context(cafile=certificate[0])
    with pytest.raises(InputError, match="redirects from https to http"):
        get(f"https://pictures.example:{secure.port}/to?http://pictures.example/picture", tls=trusting)


def test_proxies_of_the_environment_are_not_asked(get, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get("/picture") == PICTURE


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a/b.png", True),
        ("HTTPS://a", True),
        ("ftp://a", True),
        ("file:///a", True),
        ("a.png", False),
        ("C:\\a.png", False),
        ("/a//b", False),
        ("a:b.png", False),
    ],
)
def test_what_looks_like_an_address(text, url):
    assert is_url(text) is url


def test_the_system_resolver_is_asked_by_default(monkeypatch):
    found = [(2, 1, 6, "", ("172.16.8.7", 80)), (2, 2, 17, "", ("172.16.8.7", 80))]
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *args, **options: found)
    with pytest.raises(InputError, match="'pictures.example' is 172.16.8.7, which is private"):
        fetch("http://pictures.example/")
