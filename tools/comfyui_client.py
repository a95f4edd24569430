"""What a program asks of a ComfyUI server: queue a workflow in API format, wait for its end, stop it."""

import http.client
import json
import socket
import time
import urllib.error
import urllib.request

READY = "To see the GUI go to"  # the server's last line before it takes requests


class Failed(Exception):
    """The server did not answer, refused, or a run did not end as expected."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def errors_of(history: dict) -> list[dict]:
    """The data of the messages that say how a prompt ended badly."""
    messages = history["status"]["messages"]
    return [data for kind, data in messages if kind in ("execution_error", "execution_interrupted")]


class Client:
    """Of the server at `url`; `lines` is the server's log, whose end goes into errors."""

    def __init__(self, url: str) -> None:
        self.url, self.lines = url, []

    def request(self, path: str, data: dict | None = None, timeout: float = 120) -> dict:
        """The answer to a GET, or to a POST of `data`; an HTTP error's text is an answer, too."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"The server did not answer ({error!r}):\n{''.join(self.lines[-30:])}") from error
        return json.loads(text) if text else {}

    def queue(self, graph: dict) -> str:
        """The number of a prompt that was accepted; Failed with the server's words if it was not."""
        answer = self.request("/prompt", {"prompt": graph})
        if "prompt_id" not in answer:
            raise Failed(f"The server refused the workflow: {json.dumps(answer, ensure_ascii=False)}")
        return answer["prompt_id"]

    def wait(self, prompt: str, timeout: float = 1200, poll: float = 0.5) -> dict:
        """The history of a prompt that ended, however it did; asks every `poll` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            history = self.request(f"/history/{prompt}").get(prompt)
            if history:
                return history
            time.sleep(poll)
        raise Failed(f"The workflow did not end in {timeout:g} s.")
