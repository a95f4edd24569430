"""The harness fixture of the end-to-end tests. They run when COMFYUI_DIR names a checkout:

    COMFYUI_DIR=... COMFYUI_PYTHON=.../bin/python [SONIC_E2E_OUT=folder for screenshots] python -m pytest tests/e2e

COMFYUI_PYTHON is the Python that runs ComfyUI (with websocket-client and playwright). The harness, comfy_e2e.py, is in
../shared/tools or $SONIC_SHARED/tools; it starts the server, presses the buttons and writes result.json, which the
tests check. harness.py runs it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.common import PACK_NAME, ROOT


@pytest.fixture(scope="session")
def harness(shared_dir):
    """harness(folder with inputs and workflows, name of the result, *options) -> result.json with the server's log."""
    comfyui = os.environ.get("COMFYUI_DIR")
    if not comfyui:
        pytest.skip("set COMFYUI_DIR to a ComfyUI checkout and COMFYUI_PYTHON to its Python to run this test")
    script = shared_dir / "tools" / "comfy_e2e.py"
    if not script.exists():
        pytest.skip(f"the harness is missing: {script}")
    python = os.environ.get("COMFYUI_PYTHON", sys.executable)

    def run(folder, name, *options):
        out = Path(os.environ.get("SONIC_E2E_OUT", folder)) / name
        command = [
            python,
            "-m",
            "tests.e2e.harness",
            str(script.parent),
            "--comfyui",
            comfyui,
            "--node-pack",
            str(ROOT),
            "--pack-name",
            PACK_NAME,
            "--python",
            python,
            "--inputs",
            str(folder / "inputs"),
            "--workflows",
            str(folder / "workflows"),
            "--out",
            str(out),
            *options,
        ]
        subprocess.run(command, cwd=ROOT, check=False)
        result = json.loads((out / "result.json").read_text(encoding="utf-8"))
        result["server_log"] = (out / "server.log").read_text(errors="replace")
        return result

    return run
