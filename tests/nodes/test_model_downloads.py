"""Downloads that the page asks for: what starts them, what ends them, and who may not. The server is a local one."""

import asyncio
import json
import shutil
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from sonic_nodes.weights.files import SONIC_LICENCE
from tests.weights.file_server import CONTENT, model_file, serving

PAGE = {
    "Host": "127.0.0.1:8188",
    "Origin": "http://127.0.0.1:8188",
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": "application/json",
}


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as made:
        yield made


@pytest.fixture
def files(monkeypatch):
    made = (model_file(), model_file(places=("checkpoints/b.safetensors",), networks=("vae",), licence="MIT"))
    monkeypatch.setattr("sonic_nodes.weights.files.FILES", made)
    return made


@pytest.fixture
def page(extension, files, server, monkeypatch):
    """page(order, headers=..., remote=...) -> (status, answer), as web/models.js asks."""
    fake = ModuleType("aiohttp")
    fake.web = SimpleNamespace(json_response=lambda content, status: (status, content))
    monkeypatch.setitem(sys.modules, "aiohttp", fake)
    listed = sys.modules["sonic_nodes.nodes.model_list"]

    def ask(order, remote="127.0.0.1", **headers):
        body = order if isinstance(order, bytes) else json.dumps(order).encode()

        async def read():
            return body

        given = {name: value for name, value in (PAGE | headers).items() if value}
        request = SimpleNamespace(remote=remote, headers=given, query={}, content_length=len(body), read=read)
        return asyncio.run(listed.take_order(request))

    return ask


@pytest.fixture
def state(page):
    """state(key): of a download, once it has ended, or has one of the given states."""

    def wait(key, *wanted):
        downloads, deadline = sys.modules["sonic_nodes.nodes.model_list"].downloads, time.monotonic() + 10
        while time.monotonic() < deadline:
            found = downloads.states()[key]
            if found["state"] in (wanted or ("done", "failed", "stopped")):
                return found
            time.sleep(0.01)
        pytest.fail(f"still {found}")

    return wait


STOP_S = 3.0  # milliseconds on an idle machine; a read that is not ended waits for 30 s
DOWNLOAD = {"file": "unet", "action": "download", "licence": SONIC_LICENCE}


def test_a_click_loads_the_file_to_its_folder(page, state, comfy, server):
    status, answer = page(DOWNLOAD)
    assert status == 200 and answer["downloads"]["unet"]["state"] in ("waiting", "running", "done")
    assert state("unet")["done"] == len(CONTENT)
    assert (comfy.models / "sonic/net.pth").read_bytes() == CONTENT
    assert page(DOWNLOAD)[1]["error"].startswith(f"Remove {comfy.models / 'sonic/net.pth'} first")
    assert len(server.seen) == 1


@pytest.mark.parametrize("licence", ["", "MIT"])
def test_nothing_is_loaded_without_its_licence(page, server, comfy, licence):
    status, answer = page(DOWNLOAD | {"licence": licence})
    assert status == 400 and answer["error"] == f"Accept the licence of net.pth first: {SONIC_LICENCE}."
    assert server.seen == [] and not comfy.models.exists()


def test_a_free_file_needs_no_licence(page, state, comfy):
    assert page({"file": "vae", "action": "download"})[0] == 200
    assert state("vae")["state"] == "done" and (comfy.models / "checkpoints/b.safetensors").exists()


STRANGERS = {
    "another machine": {"remote": "192.0.2.7"},
    "no address": {"remote": None},
    "another site": {"Origin": "https://other.example"},
    "another port": {"Origin": "http://127.0.0.1:9999"},
    "no page": {"Origin": ""},
    "a name that was rebound": {"Host": "other.example:8188", "Origin": "http://other.example:8188"},
    "a page in a frame": {"Sec-Fetch-Site": "cross-site"},
    "a form": {"Content-Type": "text/plain"},
    "no host": {"Host": "", "Origin": ""},
    "a broken host": {"Host": "[::1", "Origin": "http://[::1"},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_only_a_page_of_this_server_on_this_machine_may_ask(page, server, comfy, name):
    headers = dict(STRANGERS[name])
    status, answer = page(DOWNLOAD, remote=headers.pop("remote", "127.0.0.1"), **headers)
    assert status == 400 and answer["error"].startswith("Open ComfyUI on the machine it runs on, or use `sonic models")
    assert server.seen == [] and not comfy.models.exists()


@pytest.mark.parametrize("host", ["localhost:8188", "[::1]:8188"])
def test_other_names_of_this_machine(page, state, host):
    assert page(DOWNLOAD, remote="::ffff:127.0.0.1", Host=host, Origin=f"http://{host}")[0] == 200
    assert state("unet")["state"] == "done"


ODD = [
    b"",
    b"[]",
    b"{",
    b"\xff",
    b"[" * 900,
    {"file": "../../etc/passwd", "action": "download", "licence": SONIC_LICENCE},
    {"file": "unet", "action": "delete"},
    {"file": ["unet"], "action": "download"},
    {"file": "unet", "action": "download", "licence": "x" * 2000},
]


@pytest.mark.parametrize("order", ODD)
def test_other_orders_are_refused(page, server, comfy, order):
    status, answer = page(order)
    assert status == 400 and answer["error"].startswith("Reload the page: it asks ")
    assert server.seen == [] and not comfy.models.exists()


def test_cancel_keeps_what_has_arrived_and_the_next_click_goes_on(page, state, server, comfy):
    server.behaviour = "silent"
    page(DOWNLOAD)
    state("unet", "running")
    part = comfy.models / "sonic/net.pth.part"
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert page(DOWNLOAD)[1]["error"] == "Wait for net.pth, or cancel it: it is being downloaded."
    began = time.monotonic()
    page({"file": "unet", "action": "cancel"})
    assert state("unet")["state"] == "stopped" and time.monotonic() - began < STOP_S
    assert part.read_bytes() == CONTENT[:1000]
    server.behaviour = ""
    page(DOWNLOAD)
    assert state("unet")["state"] == "done" and server.seen[-1][1]["Range"] == "bytes=1000-"
    assert (comfy.models / "sonic/net.pth").read_bytes() == CONTENT


def test_a_file_that_waits_can_be_cancelled(page, state, server):
    server.behaviour = "silent"
    page(DOWNLOAD)
    state("unet", "running")
    assert page({"file": "vae", "action": "download"})[1]["downloads"]["vae"]["state"] == "waiting"
    assert page({"file": "vae", "action": "cancel"})[1]["downloads"]["vae"]["state"] == "stopped"
    page({"file": "unet", "action": "cancel"})
    assert state("unet")["state"] == "stopped" and len(server.seen) == 1


def test_a_cancel_of_nothing(page):
    assert page({"file": "unet", "action": "cancel"}) == (200, {"downloads": {}})


def test_a_failure_is_shown_with_its_remedy(page, state, server):
    server.behaviour = "403"
    page(DOWNLOAD)
    found = state("unet")
    assert found["state"] == "failed" and found["message"].startswith(
        "Accept the terms at https://huggingface.co/maker"
    )


def test_the_list_has_what_the_page_shows(extension, comfy, small_models):
    listed = sys.modules["sonic_nodes.nodes.model_list"]
    shutil.copytree(small_models, comfy.models)
    (comfy.models / "sonic/RIFE/flownet.pkl").unlink()
    found = listed.listing()
    assert [file["state"] for file in found["files"]] == ["ok"] * 4 + ["missing", "ok"]
    rife = found["files"][4]
    assert rife["name"] == "RIFE/flownet.pkl" and rife["size"] == "12.2 MB" and rife["free"]
    assert rife["folder"] == str(comfy.models / "sonic/RIFE") and rife["source"].startswith("https://huggingface.co/")
    assert found["files"][0]["folder"] == str(comfy.models / "sonic") and not found["files"][0]["free"]
    assert "non-commercial" in found["terms"] and found["downloads"] == {}
    json.dumps(found)
