"""Photographs each node, with the sample's results under it, for the help pages. Run it in ComfyUI's Python when a
node has changed its looks:

    python -m tests.e2e.help_pictures TOOLS COMFYUI OUT

TOOLS is the folder of comfy_e2e.py. The pictures go to sonic_nodes/web/docs/pictures, screenshots to OUT. The nodes
that the two templates do not have are run on the draft engine, too; SONICTLoader shows its values only.
"""

import json
import sys
from pathlib import Path

from tests.e2e.common import ROOT, open_page

PICTURES = ROOT / "sonic_nodes/web/docs/pictures"
SCALE, TITLE_PX, MARGIN_PX, QUALITY = 1.0, 30, 8, 85
DRAFT_NODES = [
    "SonicLoadImage",
    "SONIC_PreData",
    "SonicLoader",
    "SonicInference",
    "SonicLatentDecoder",
    "SonicLipSyncCalibrate",
    "SonicMotionSmooth",
]
REST_NODES = ["SonicImageGate", "SONICTLoader", "SONICSampler", "SonicCreateVideo"]
ORIGIN_NODES = ["SonicBatch", "SonicBackground", "SonicVisibleLabel", "SonicInspect"]


def rest():
    """The API graph with the nodes of REST_NODES, without SONICTLoader, for which there are no weights."""
    graph = json.loads((ROOT / "docs/api/draft.json").read_text("utf-8"))
    graph["31"] = {"class_type": "SonicImageGate", "inputs": {"pixels": ["1", 0], "policy": "warn", "min_score": 60}}
    graph["3"]["inputs"]["image"] = ["31", 0]
    sampler = {"model": ["4", 0], "data_dict": ["3", 0], "seed": 0, "inference_steps": 25, "dynamic_scale": 1.0}
    graph["32"] = {"class_type": "SONICSampler", "inputs": sampler | {"fps": 25.0}}
    graph["6"]["inputs"]["output"] = "images"
    made = {"images": ["6", 0], "model": ["4", 0], "latent": ["5", 0], "data": ["3", 0], "fps": ["6", 1]}
    graph["33"] = {"class_type": "SonicCreateVideo", "inputs": made}
    graph["34"] = {"class_type": "SaveVideo", "inputs": graph["8"]["inputs"] | {"video": ["32", 2]}}
    graph["8"]["inputs"]["video"] = ["33", 0]
    del graph["10"], graph["11"]
    return graph


def with_origin():
    """The batch template's API graph with the other nodes of ORIGIN_NODES before Save Video."""
    graph = json.loads((ROOT / "docs/api/batch.json").read_text("utf-8"))
    background = {"images": graph["8"]["inputs"]["video"], "background": "green", "colour": "#00b140"}
    label = {"text": "AI-generated", "corner": "bottom-right", "size": 0.06, "always": False, "consent": ""}
    graph["31"] = {"class_type": "SonicBackground", "inputs": background}
    graph["32"] = {"class_type": "SonicVisibleLabel", "inputs": label | {"video": ["31", 2]}}
    graph["33"] = {"class_type": "SonicInspect", "inputs": {"video": ["32", 0]}}
    graph["8"]["inputs"]["video"] = ["32", 0]
    return graph


def run(harness, page):
    prompt = page.queue()
    end = harness.wait_end(page.events, prompt, 400, page.server, tick=lambda ms: page.page.wait_for_timeout(50))
    assert end and end[1] == "execution_success", end
    page.page.wait_for_timeout(4000)


def run_api_graph(harness, page, graph):
    page.page.evaluate("async graph => { await window.app.loadApiJson(graph, 'rest'); }", graph)
    page.page.wait_for_timeout(1500)
    run(harness, page)


def save(page, kind, out):
    """A photograph of the last node of this kind, moved away from the others, at its own size."""
    from PIL import Image

    photo = Path(out) / f"{kind}.png"
    left, top, width, height = page.page.evaluate(
        """async ([kind, scale, title]) => {
          const app = window.app, node = app.graph._nodes.filter(n => n.type === kind).pop();
          node.pos = [200000 + 4000 * app.graph._nodes.indexOf(node), 0];
          app.canvas.ds.scale = scale;
          app.canvas.ds.offset = [-node.pos[0] + 420, 130];
          app.canvas.deselectAll?.();
          app.canvas.setDirty(true, true);
          await new Promise(done => setTimeout(done, 1500));
          const frame = app.canvas.canvas.getBoundingClientRect();
          return [420 * scale + frame.x, (130 - title) * scale + frame.y, node.size[0], node.size[1] + title];
        }""",
        [kind, SCALE, TITLE_PX],
    )
    page.page.screenshot(path=str(photo))
    area = left - MARGIN_PX, top - MARGIN_PX, left + width + MARGIN_PX, top + height + MARGIN_PX
    Image.open(photo).convert("RGB").crop(tuple(map(round, area))).save(
        PICTURES / f"{kind}.jpg", quality=QUALITY, optimize=True
    )


def steps(harness, page, out):
    page.load(json.loads((ROOT / "workflows/draft.json").read_text("utf-8")), "draft")
    run(harness, page)
    for kind in DRAFT_NODES:
        save(page, kind, out)
    page.load(json.loads((ROOT / "workflows/two_speakers.json").read_text("utf-8")), "two_speakers")
    run(harness, page)
    save(page, "SonicPasteBack", out)
    run_api_graph(harness, page, with_origin())
    for kind in ORIGIN_NODES:
        save(page, kind, out)
    run_api_graph(harness, page, rest())
    page.page.evaluate("() => { window.app.graph.add(LiteGraph.createNode('SONICTLoader')); }")
    for kind in REST_NODES:
        save(page, kind, out)


def main(tools, comfyui, out):
    PICTURES.mkdir(parents=True, exist_ok=True)
    with open_page(tools, comfyui, out, size={"width": 1600, "height": 1600}) as (harness, page):
        steps(harness, page, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
