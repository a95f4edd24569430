"""python docs/api/run.py WORKFLOW.json [INPUT=VALUE ...]     (server: $COMFYUI, else http://127.0.0.1:8188)

Sets inputs of a workflow of this folder (5.seed=7: of node 5 alone), queues it, waits, and prints the files it made."""

import json
import os
import sys
import time
import urllib.request


def ask(path, data=None):
    address = os.environ.get("COMFYUI", "http://127.0.0.1:8188") + path
    try:
        return json.load(urllib.request.urlopen(urllib.request.Request(address, data and json.dumps(data).encode())))
    except OSError as error:  # an HTTPError has the server's reasons
        reasons = error.read().decode() if hasattr(error, "read") else ""
        sys.exit(f"Correct the values, or start ComfyUI: {error} {reasons}")


def fill(graph, name, value):
    node, _, own = name.rpartition(".")
    found = [each["inputs"] for key, each in graph.items() if node in ("", key) and own in each["inputs"]]
    found = [inputs for inputs in found if node or not isinstance(inputs[own], list)]  # links stay, unless named
    for inputs in found or sys.exit(f"Choose another input: no node of the workflow has {name!r}."):
        kind = type(inputs[own])
        inputs[own] = value == "true" if kind is bool else kind(value) if kind in (int, float) else value


workflow = json.load(open(sys.argv[1], encoding="utf-8"))
for change in sys.argv[2:]:
    fill(workflow, *change.split("=", 1))
prompt = ask("/prompt", {"prompt": workflow})["prompt_id"]
while not (ended := ask(f"/history/{prompt}").get(prompt)):
    time.sleep(0.5)
for file in [file for node in ended["outputs"].values() for part in node.values() for file in part]:
    if isinstance(file, dict) and file.get("type") == "output":
        print(f"{file['subfolder']}/{file['filename']}")
if ended["status"]["status_str"] != "success":
    sys.exit(f"Look into the server's log: {ended['status']['messages'][-1]}")
