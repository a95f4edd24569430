"""Downloads of the model's files, from a server of this machine: whole, resumed, damaged, refused."""

import errno
import io
import ssl
import threading
import time
from pathlib import Path

import pytest

from sonic_nodes.commands.cli import command
from sonic_nodes.errors import InputError, ResourceError, UsageError
from sonic_nodes.weights import download as module
from sonic_nodes.weights.download import download
from sonic_nodes.weights.files import SONIC_LICENCE
from sonic_nodes.weights.hub import Connections, Network
from tests.weights.file_server import CONTENT, PATH, Handler, model_file, serving


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as made:
        yield made


@pytest.fixture
def target(tmp_path):
    return tmp_path / "sonic/net.pth"


def test_a_file_is_loaded_with_progress(server, target):
    reports = []
    download(model_file(), target, lambda done, total: reports.append((done, total)))
    assert target.read_bytes() == CONTENT and [path.name for path in target.parent.iterdir()] == ["net.pth"]
    assert reports[-1] == (len(CONTENT), len(CONTENT)) and reports == sorted(reports) and len(reports) > 1
    assert server.seen[0][0] == f"/{PATH}" and "Authorization" not in server.seen[0][1]


def test_a_connection_that_breaks_is_continued(server, target):
    server.breaks = [300_000, 0, 500_000]
    download(model_file(), target)
    assert target.read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in server.seen] == [
        None,
        "bytes=300000-",
        "bytes=300000-",
        "bytes=800000-",
    ]


def test_a_stopped_download_goes_on_in_the_next_call(server, target):
    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(model_file(), target, stop)
    part = target.with_name("net.pth.part")
    kept = part.stat().st_size
    assert 0 < kept < len(CONTENT) and not target.exists()
    download(model_file(), target)
    assert server.seen[-1][1]["Range"] == f"bytes={kept}-" and target.read_bytes() == CONTENT and not part.exists()


@pytest.mark.parametrize("behaviour", ["whole only", ""])
def test_a_part_of_another_version_is_not_taken_for_the_file(server, target, behaviour):
    """A server that cannot continue sends the whole file; one that can makes a mixture, which its hash reveals."""
    server.behaviour = behaviour
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(b"\2" * 1000)
    if behaviour:
        download(model_file(), target)
    else:
        with pytest.raises(InputError, match="^Try again, .* SHA-256 differs"):
            download(model_file(), target)
        assert target.with_name("net.pth.part").stat().st_size == 0
        download(model_file(), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("extra", [0, 1000])
def test_a_part_that_has_all_bytes_is_checked(server, target, extra):
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(CONTENT + bytes(extra))
    if extra:
        with pytest.raises(InputError, match="SHA-256 differs"):
            download(model_file(), target)
    else:
        download(model_file(), target)
        assert target.read_bytes() == CONTENT


def test_another_file_of_the_same_size_is_deleted(server, target):
    server.behaviour = "other"
    with pytest.raises(InputError, match="SHA-256 differs"):
        download(model_file(), target)
    assert not target.exists()


def test_another_size_is_refused_before_it_is_loaded(server, target):
    with pytest.raises(InputError, match="^Choose another mirror with HF_ENDPOINT: "):
        download(model_file(bytes=2 * len(CONTENT)), target)
    assert not target.exists() and target.with_name("net.pth.part").stat().st_size == 0


REFUSALS = {
    "401": "^Accept the terms at https://huggingface.co/maker/model, .* set HF_TOKEN",
    "403": "^Accept the terms at https://huggingface.co/maker/model, .* set HF_TOKEN",
    "404": "^Try again, or choose a mirror .*it answered 404",
    "503": "^Try again, or choose a mirror .*it answered 503",
    "unsized": "^Try again, .* how large the file is",
}


@pytest.mark.parametrize("behaviour", REFUSALS)
def test_what_a_server_answers_is_named(server, target, behaviour):
    server.behaviour = behaviour
    with pytest.raises(InputError, match=REFUSALS[behaviour]):
        download(model_file(), target)
    assert not target.exists()


def test_the_token_goes_to_the_mirror_alone(server, target, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    server.behaviour = "redirect"
    download(model_file(), target, network=Network(allowed=lambda address: True))
    (_, first), (path, second) = server.seen
    assert first["Authorization"] == "Bearer hf_secret" and path == "/moved" and "Authorization" not in second


def test_a_redirect_into_the_local_network_is_not_followed(server, target):
    """Neither by an address nor by a name that has one; the mirror itself may have any."""
    server.behaviour = "redirect"
    network = Network(resolve=lambda host, port: ["172.16.0.1"])
    with pytest.raises(InputError, match="^Choose a mirror with HF_ENDPOINT: .* 'localhost', which is 172.16.0.1"):
        download(model_file(), target, network=network)
    assert len(server.seen) == 1


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://localhost/x", "http://user:word@localhost/"])
def test_a_redirect_to_what_is_no_web_server(server, target, location, monkeypatch):
    server.behaviour = "302"
    monkeypatch.setattr(Handler, "head", lambda self, *given, **more: send_location(self, location))
    with pytest.raises(InputError, match="^Choose a mirror with HF_ENDPOINT"):
        download(model_file(), target)
    assert len(server.seen) == 1


def send_location(handler, location):
    handler.send_response(302)
    handler.send_header("Location", location)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def test_a_read_that_waits_is_stopped_from_another_thread(server, target):
    server.behaviour, connections, stopped = "silent", Connections(), []

    class Stopped(Exception):
        pass

    def report(done, total):
        if connections.is_closed:
            raise Stopped

    def work():
        try:
            download(model_file(), target, report, connections=connections)
        except Stopped:
            stopped.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    part = target.with_name("net.pth.part")
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    connections.close()
    thread.join(5)
    assert stopped and stopped[0] - began < 3  # a read that is not ended waits for 30 s
    assert part.read_bytes() == CONTENT[:1000]


def test_a_busy_server_is_asked_again_when_it_says(server, target):
    server.behaviour, server.busy = "429", 1
    began = time.monotonic()

    def report(done, total):
        server.behaviour = server.behaviour if server.busy else ""

    download(model_file(), target, report)
    assert time.monotonic() - began >= 1 and target.read_bytes() == CONTENT and len(server.seen) == 2


def test_a_file_that_changed_between_two_runs_is_loaded_anew(server, target):
    """If-Range: the old part is compared with the new file instead of being continued to a mixture."""
    server.etag, server.content, server.breaks = '"one"', b"\5" * len(CONTENT), [300_000] + [0] * 9
    with pytest.raises(InputError, match="^Try again"):
        download(model_file(), target)
    assert target.with_name("net.pth.part.etag").read_text() == '"one"'
    server.etag, server.content, server.breaks = '"two"', CONTENT, []
    download(model_file(), target)
    assert server.seen[-1][1]["If-Range"] == '"one"' and target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["net.pth"]


def test_a_server_without_ranges_takes_nothing_away(server, target):
    """It sends the file from the start and breaks off before the place that was reached."""
    server.behaviour, server.breaks = "whole only", [700_000, *[100_000] * 5]
    with pytest.raises(InputError, match="^Try again"):
        download(model_file(), target)
    assert target.with_name("net.pth.part").stat().st_size == 700_000
    download(model_file(), target)
    assert target.read_bytes() == CONTENT


def test_more_than_the_file_is_not_read(server, target):
    server.behaviour = "endless chunks"
    with pytest.raises(InputError, match="^Try again, .*it sends more than the file has"):
        download(model_file(), target)
    assert target.with_name("net.pth.part").stat().st_size <= len(CONTENT) and not target.exists()


def test_another_part_than_was_asked_for(server, target):
    server.behaviour = "another part"
    with pytest.raises(InputError, match="^Try again, .*another part of the file"):
        download(model_file(), target)


def test_a_part_that_is_too_long_is_cut_to_the_file(server, target):
    server.etag = '"one"'
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(CONTENT + bytes(1000))
    download(model_file(), target)
    assert target.read_bytes() == CONTENT


def test_a_disk_that_fills_up_keeps_what_is_there(server, target, monkeypatch):
    take, left = module._Transfer._take, [5]

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    def filling(self, piece, position):
        left[0] -= 1
        self.out = self.out if left[0] else Full(self.out)
        take(self, piece, position)

    monkeypatch.setattr(module._Transfer, "_take", filling)
    with pytest.raises(ResourceError, match="^Free disk space and try again: .*net.pth.part cannot grow"):
        download(model_file(), target)
    kept = target.with_name("net.pth.part").read_bytes()
    assert kept and CONTENT.startswith(kept) and not target.exists()


def test_a_certificate_that_is_not_trusted(server, target, monkeypatch):
    def failing(*arguments, **options):
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setenv("HF_ENDPOINT", f"https://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", failing)
    with pytest.raises(InputError, match="^Set this machine's clock, or .* not valid .self-signed certificate"):
        download(model_file(), target)
    assert server.seen == []


def test_a_server_that_is_absent_is_named(target, monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="^Try again, or choose a mirror"):
        download(model_file(), target)


@pytest.mark.parametrize("given", ["ftp://mirror", "mirror.example", "file:///tmp"])
def test_an_endpoint_that_is_no_address(target, monkeypatch, given):
    monkeypatch.setenv("HF_ENDPOINT", given)
    with pytest.raises(UsageError, match="^Set HF_ENDPOINT to the address of a mirror"):
        download(model_file(), target)


def test_a_full_disk_is_found_before_the_download(server, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(ResourceError, match="^Free 68.2 MB more on the disk of "):
        download(model_file(), target)


def test_two_downloads_of_one_file(server, target):
    from sonic_nodes.media.file_lock import try_lock

    target.parent.mkdir()
    with open(target.with_name("net.pth.part"), "ab") as other:
        if not try_lock(other.fileno()):
            pytest.skip("this file system has no locks")
        with pytest.raises(UsageError, match="^Wait for the other download of net.pth"):
            download(model_file(), target)


# The command

GET = ["models", "get", "--accept-licence", "--models"]


@pytest.fixture
def two_files(monkeypatch):
    files = (model_file(), model_file(places=("checkpoints/b.safetensors",), networks=("vae",)))
    monkeypatch.setattr("sonic_nodes.weights.files.FILES", files)
    monkeypatch.setattr("sonic_nodes.commands.models_get.FILES", files)


def test_the_command_loads_what_is_missing(server, two_files, tmp_path, capsys):
    (tmp_path / "sonic").mkdir()
    (tmp_path / "sonic/net.pth").write_bytes(b"mine")
    assert command([*GET, str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(tmp_path / "sonic/net.pth"), str(tmp_path / "checkpoints/b.safetensors")]
    assert "non-commercial use only" in err and "1 of 2 files are missing, 1.0 MB in all" in err
    assert (tmp_path / "sonic/net.pth").read_bytes() == b"mine", "what is there stays"
    assert (tmp_path / "checkpoints/b.safetensors").read_bytes() == CONTENT and len(server.seen) == 1


def test_the_command_loads_the_files_that_are_named(server, two_files, tmp_path, capsys):
    assert command([*GET, str(tmp_path), "net.pth"]) == 0
    assert len(server.seen) == 1 and not (tmp_path / "checkpoints").exists()
    assert command(["models", "get", "--models", str(tmp_path), "other.pth"]) == 2
    assert "Choose among net.pth, b.safetensors" in capsys.readouterr().err


def test_nothing_is_loaded_without_the_command(server, two_files, tmp_path, capsys):
    assert command(["models", "--models", str(tmp_path)]) == 7
    assert "`sonic models get` downloads what is missing" in capsys.readouterr().out and server.seen == []


def test_nothing_is_loaded_before_the_licences_are_accepted(server, two_files, tmp_path, capsys):
    assert command(["models", "get", "--models", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.endswith("sonic: Accept these licences with --accept-licence: nothing was downloaded.\n")
    assert f"net.pth, 1.0 MB, {SONIC_LICENCE}, https://huggingface.co/maker/model" in err and server.seen == []


@pytest.mark.parametrize(("typed", "code"), [("yes\n", 0), ("no\n", 2), ("", 2)])
def test_a_terminal_is_asked(server, two_files, tmp_path, monkeypatch, typed, code):
    terminal = io.StringIO(typed)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert command(["models", "get", "--models", str(tmp_path)]) == code
    assert len(server.seen) == (2 if code == 0 else 0)


def test_a_free_file_needs_no_licence(server, monkeypatch, tmp_path):
    monkeypatch.setattr("sonic_nodes.commands.models_get.FILES", (model_file(licence="MIT"),))
    assert command(["models", "get", "--models", str(tmp_path)]) == 0
    assert (tmp_path / "sonic/net.pth").read_bytes() == CONTENT


def test_a_stop_says_that_it_goes_on(server, two_files, tmp_path, capsys, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("sonic_nodes.commands.models_get.fetch", stop)
    assert command([*GET, str(tmp_path)]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_the_readme_has_the_facts_of_every_file():
    """Name, size, source and licence of each."""
    from sonic_nodes.weights.files import FILES, size_text

    text = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
    for file in FILES:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{file.places[0]}` |"))
        assert f"| {size_text(file.bytes)} |" in row and "/".join(file.path.split("/")[:2]) in row
        assert file.licence.split(" licence")[0] in row


def test_every_file_has_an_address_of_its_name():
    from pathlib import PurePosixPath

    from sonic_nodes.weights.files import FILES

    for file in FILES:
        assert PurePosixPath(file.path).name == PurePosixPath(file.places[0]).name
        assert f"https://huggingface.co/{'/'.join(file.path.split('/')[:2])}" in file.source
