"""Run by test_models_page.py in ComfyUI's Python: presses the buttons of the list of model files in a browser, against
a server of this machine, and prints what the page showed as JSON.

    python -m tests.e2e.models_page TOOLS COMFYUI OUT LOCALE
"""

import http.server
import json
import os
import sys
import threading
import time

from tests.e2e.common import ROOT, open_page

RIFE_BYTES = 12_186_817
PANEL = ".sonic-models"


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends a file of RIFE's size, of other content, slowly."""

    protocol_version = "HTTP/1.1"
    seen: list = []
    slow = threading.Event()

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.seen.append((self.path, self.headers.get("Range")))
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{RIFE_BYTES - 1}/{RIFE_BYTES}")
        self.send_header("Content-Length", str(RIFE_BYTES - start))
        self.end_headers()
        try:
            while start < RIFE_BYTES:
                count = min(1 << 18, RIFE_BYTES - start)
                self.wfile.write(bytes(count))
                start += count
                time.sleep(1.0 if self.slow.is_set() else 0)
        except OSError:
            self.close_connection = True


def steps(page, out):
    """Every step as a person takes it, by keyboard where that is possible."""
    shown, tab = {"requests": Handler.seen}, page.page
    page.load(json.loads((ROOT / "workflows/draft.json").read_text("utf-8")), "draft")
    node = "window.app.graph._nodes.find(n => n.type === 'SonicLoader')"
    tab.evaluate(f"() => {{ const n = {node}; n.widgets.find(w => w.type === 'button').callback(); }}")
    tab.wait_for_selector(f"{PANEL} tbody:nth-of-type(6)", timeout=60_000)
    tab.evaluate(f"() => {{ const n = {node}; n.pos = [0, 0]; window.app.canvas.centerOnNode(n); }}")
    tab.wait_for_timeout(1000)
    shown["list"] = tab.locator(PANEL).inner_text()
    page.shot("list")
    Handler.slow.set()
    tab.locator(f"{PANEL} tbody:has-text('flownet.pkl') button").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_timeout(500)
    shown["focused"] = tab.evaluate("() => document.activeElement.textContent")
    shown["asked"], shown["before"] = tab.locator(f"{PANEL} .sonic-confirm").inner_text(), len(Handler.seen)
    page.shot("licence")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(f"{PANEL} progress[value]", timeout=20_000)
    tab.wait_for_timeout(3000)
    shown["loading"] = tab.locator(f"{PANEL} tbody:has-text('flownet.pkl')").inner_text()
    page.shot("loading")
    page.open()  # the download outlives the page
    page.load(json.loads((ROOT / "workflows/draft.json").read_text("utf-8")), "draft")
    tab.wait_for_selector(f"{PANEL} progress[value]", timeout=20_000)
    began = time.monotonic()
    tab.evaluate(f"() => document.querySelector('{PANEL} progress').closest('tbody').querySelector('button').click()")
    tab.wait_for_selector(f"{PANEL} progress", state="detached", timeout=20_000)
    shown["cancel_s"] = round(time.monotonic() - began, 2)
    tab.evaluate(f"() => {{ const n = {node}; n.pos = [0, 0]; window.app.canvas.centerOnNode(n); }}")
    tab.wait_for_timeout(1500)
    shown["stopped"] = tab.locator(f"{PANEL} tbody:has-text('flownet.pkl')").inner_text()
    page.shot("stopped")
    Handler.slow.clear()
    tab.evaluate(
        f"() => [...document.querySelectorAll('{PANEL} tbody')].find(r => r.textContent.includes('flownet'))"
        ".querySelector('button').click()"
    )
    tab.evaluate(f"() => document.querySelector('{PANEL} .sonic-confirm button').click()")
    tab.wait_for_function(f"() => document.querySelector('{PANEL}').textContent.includes('SHA-256')", timeout=30_000)
    tab.wait_for_timeout(1000)
    shown["failed"] = tab.locator(f"{PANEL} tbody:has-text('flownet.pkl')").inner_text()
    page.shot("failed")
    page.load(json.loads((ROOT / "workflows/fast.json").read_text("utf-8")), "fast")
    tab.wait_for_timeout(2000)
    shown["dialog"] = tab.locator('.p-dialog, [role="dialog"]').first.inner_text()
    page.shot("dialog")
    shown["console"] = page.console
    return shown


def main(tools, comfyui, out, locale):
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    os.environ |= {"HF_ENDPOINT": f"http://127.0.0.1:{files.server_port}", "no_proxy": "*"}
    try:
        with open_page(tools, comfyui, out, locale) as (_, page):
            print(json.dumps(steps(page, out)))
    finally:
        files.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
