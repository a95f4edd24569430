"""Paths and helpers that the end-to-end tests share."""

import importlib
import shutil
import sys
import wave
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
PACK_NAME = "sonic-talking-portrait"
PORTRAIT, SPEECH = ROOT / "sonic_nodes/assets/sample/portrait.jpg", ROOT / "sonic_nodes/assets/sample/speech.wav"
CANCEL_S = 0.5


def write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def server_options(comfyui, out, locale, **others):
    """What the harness' Server reads."""
    options = {"models": None, "inputs": None, "extra_pack": [], "server_arg": [], "start_timeout": 300, "port": 8199}
    return SimpleNamespace(
        **options | others,
        comfyui=comfyui,
        node_pack=str(ROOT),
        pack_name=PACK_NAME,
        out=out,
        python=sys.executable,
        chromium=shutil.which("chromium") or "/usr/bin/chromium",
        locale=locale,
    )


def load_harness(tools):
    """comfy_e2e.py of the folder `tools`, which is in no package."""
    sys.path.insert(0, str(tools))
    return importlib.import_module("comfy_e2e")


@contextmanager
def open_page(tools, comfyui, out, locale="en", settings=None, size=None, **options):
    """(comfy_e2e, its Page) with the pack in a server of its own, in ComfyUI's Python."""
    from playwright.sync_api import sync_playwright

    harness = load_harness(tools)
    harness.UI_SETTINGS |= {"Comfy.Locale": locale} | (settings or {})
    Path(out).mkdir(parents=True, exist_ok=True)
    server = harness.Server(server_options(comfyui, out, locale, **options))
    try:
        server.start()
        with sync_playwright() as playwright:
            page = harness.Page(server, playwright, {})
            if size:
                page.page.set_viewport_size(size)
            page.open()
            yield harness, page
    finally:
        server.stop()


def models_with_upscaler(small_models, folder):
    """A copy of the small networks with a file of every other name that a template has: pages then miss nothing."""
    shutil.copytree(small_models, folder)
    (folder / "upscale_models").mkdir()
    (folder / "upscale_models/RealESRGAN_x4plus.safetensors").touch()
    return folder


def video_of(run):
    return next(f for f in run["outputs"] if f["filename"].endswith(".mp4"))
