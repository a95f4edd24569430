"""docs/api/run.py against a server of this process that answers as ComfyUI does, and the workflows that it fills."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs/api/run.py"
MADE = {"images": [{"filename": "sonic_00001_.mp4", "subfolder": "video", "type": "output"}], "animated": [True]}
SHOWN = {"images": [{"filename": "preview.png", "subfolder": "", "type": "temp"}], "text": ["a note"]}


class Server(ThreadingHTTPServer):
    """Takes a prompt, and has its history at the third question. status: how the run ends; refuse: an answer 400."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.prompts, self.questions, self.status, self.refuse = [], 0, "success", None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, content, code=200):
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        assert self.path == "/prompt"
        self.server.prompts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"])
        if self.server.refuse:
            self.answer(self.server.refuse, 400)
        else:
            self.answer({"prompt_id": "p7", "number": 1, "node_errors": {}})

    def do_GET(self):
        assert self.path == "/history/p7"
        self.server.questions += 1
        status = {"status_str": self.server.status, "messages": [["execution_error", {"exception_message": "Choose"}]]}
        entry = {"outputs": {"1": SHOWN, "8": MADE}, "status": status}
        self.answer({"p7": entry} if self.server.questions > 2 else {})


@pytest.fixture
def server():
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def run(url, *arguments):
    env = {"COMFYUI": url, "PATH": "", "no_proxy": "*", "SYSTEMROOT": "C:\\Windows"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_the_script_is_short():
    assert len(SCRIPT.read_text("utf-8").splitlines()) <= 40


def test_every_template_has_a_workflow_for_the_script():
    """Of every node but notes, under the same numbers; test_interface.py compares values."""
    templates = {path.stem for path in (ROOT / "workflows").glob("*.json")}
    assert {path.stem for path in (ROOT / "docs/api").glob("*.json")} == templates and "batch" in templates


def test_a_filled_workflow_is_queued_and_its_files_are_named(server):
    values = "image=me.jpg", "audio=hello.wav", "5.seed=7", "interpolate=false", "min_score=12.5"
    code, out, said = run(server.url, ROOT / "docs/api/draft.json", *values)
    assert (code, out, said) == (0, "video/sonic_00001_.mp4\n", "") and server.questions == 3
    expected = json.loads((ROOT / "docs/api/draft.json").read_text("utf-8"))
    expected["1"]["inputs"] |= {"image": "me.jpg", "min_score": 12.5}
    expected["2"]["inputs"]["audio"] = "hello.wav"
    expected["5"]["inputs"]["seed"] = 7
    expected["6"]["inputs"]["interpolate"] = False
    assert server.prompts == [expected]


def test_a_link_is_replaced_only_in_a_node_that_is_named(server):
    assert run(server.url, ROOT / "docs/api/batch.json", "filename_prefix=mine")[0] == 1
    assert run(server.url, ROOT / "docs/api/batch.json", "8.filename_prefix=mine", "folder=a=b")[0] == 0
    (prompt,) = server.prompts
    assert prompt["8"]["inputs"]["filename_prefix"] == "mine" and prompt["2"]["inputs"]["folder"] == "a=b"
    assert prompt["3"]["inputs"]["audio"] == ["2", 0]


def test_names_values_and_servers_that_are_wrong(server):
    draft = ROOT / "docs/api/draft.json"
    code, _, said = run(server.url, draft, "colour=red")
    assert code == 1 and said.startswith("Choose another input: no node of the workflow has 'colour'")
    assert run(server.url, draft, "1.seed=7")[0] == 1 and server.prompts == []
    server.refuse = {"error": {"type": "prompt_outputs_failed_validation"}, "node_errors": {"1": "image"}}
    code, _, said = run(server.url, draft)
    assert code == 1 and said.startswith("Correct the values") and "prompt_outputs_failed_validation" in said
    server.server_close()
    server.shutdown()
    code, _, said = run(server.url, draft)
    assert code == 1 and "start ComfyUI" in said


def test_a_run_that_fails_says_why(server):
    server.status = "error"
    code, _, said = run(server.url, ROOT / "docs/api/batch.json", "index=1")
    assert code == 1 and said.startswith("Look into the server's log") and "Choose" in said
    assert server.prompts[0]["2"] == json.loads((ROOT / "docs/api/batch.json").read_text("utf-8"))["2"] | {
        "inputs": {"folder": "sonic_sample_recordings", "index": 1}
    }
