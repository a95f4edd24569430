"""Run by test_templates.py in ComfyUI's Python: opens every template from the dialog, runs those that need no model of
Sonic's, and prints as JSON what the page says, what the nodes show and where the files are.

    python -m tests.e2e.templates_page TOOLS COMFYUI OUT LOCALE MODELS [--nodes-2]

MODELS: a models folder with files of the names that the templates have, so that nothing is missing.
"""

import json
import sys

from tests.e2e import templates_dialog
from tests.e2e.common import ROOT, open_page

WITH_MODEL = {"fast", "high_quality"}  # of random weights here: opened, not run
RUN_S = 900
SIZE = {"width": 1600, "height": 1000}
SETTINGS = {  # names and values are drawn at any zoom, and no map covers the nodes
    "LiteGraph.Canvas.LowQualityRenderingZoomThreshold": 0,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,
    "Comfy.Minimap.Visible": False,
}
# Texts of nodes that are wider than the node, and pairs of nodes that overlap, by type.
LAYOUT = """() => {
  const nodes = window.app.graph._nodes, title = 30, overlaps = [], texts = [];
  const box = (n) => [n.pos[0], n.pos[1] - title, n.pos[0] + n.size[0], n.pos[1] + n.size[1]];
  nodes.forEach((one, i) => nodes.slice(i + 1).forEach((other) => {
    const a = box(one), b = box(other);
    if (a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]) overlaps.push([one.type, other.type]);
  }));
  for (const node of nodes) {
    const notes = node.widgets?.find((each) => each.name === 'sonic_notes')?.element;
    if (notes?.scrollHeight > notes?.clientHeight + 4) texts.push([node.type, notes.lastElementChild.textContent]);
  }
  return { overlaps, hidden: texts };
}"""
LABELS = """() => window.app.graph._nodes.flatMap((node) => [node.title ?? '', ...(node.inputs ?? []).map((each) =>
  each.label ?? each.localized_name ?? each.name), ...(node.outputs ?? []).map((each) => each.label ??
  each.localized_name ?? each.name), ...(node.widgets ?? []).map((each) => each.label ?? each.name)].map((text) =>
  [node.type, text]))"""
CHOICES = """() => window.app.graph._nodes.filter((node) => /^sonic/i.test(node.type)).flatMap((node) =>
  (node.widgets ?? []).filter((each) => each.type === 'combo').map((each) => [node.type, each.name,
    String(each.options.getOptionLabel?.(each.value) ?? each.value)]))"""


def ran(harness, page):
    """The files of a run, as comfy_e2e.py describes them, and the players that the page shows."""
    prompt = page.queue()
    end = harness.wait_end(page.events, prompt, RUN_S, page.server, tick=page.page.wait_for_timeout)
    if not end or end[1] != "execution_success":
        return {"end": end and end[1], "error": end and str(end[2].get("exception_message")), "files": [], "videos": []}
    page.page.wait_for_timeout(4000)
    files, _ = harness.collect_outputs(page.server, page.server.history(prompt))
    return {"end": end[1], "files": [each for each in files if each["type"] == "output"], "videos": page.videos()}


def template(harness, page, name):
    found = {"thumbnail_width": templates_dialog.open_template(page, name)}
    state = page.inspect()
    problems = page.result["problems"] = []
    page.check_loaded(name, state)
    page.fit()
    found |= {"problems": problems, "labels": page.page.evaluate(LABELS), "choices": page.page.evaluate(CHOICES)}
    found |= {"nodes": state["nodes"], "opened": page.page.evaluate(LAYOUT)}
    page.shot(f"{name}.opened")
    if name not in WITH_MODEL:
        found["run"] = ran(harness, page)
        page.fit()
        found["done"] = page.page.evaluate(LAYOUT)
        page.page.wait_for_timeout(1500)
        page.shot(f"{name}.done")
    return found


def main(tools, comfyui, out, locale, models, *options):
    new_nodes = {"Comfy.VueNodes.Enabled": True} if "--nodes-2" in options else {}
    shown = {"templates": {}}
    settings = SETTINGS | new_nodes
    with open_page(tools, comfyui, out, locale, settings, SIZE, models=models) as (harness, page):
        for path in sorted((ROOT / "workflows").glob("*.json")):
            shown["templates"][path.stem] = template(harness, page, path.stem)
        templates_dialog.open_pack(page)
        page.page.wait_for_timeout(3000)
        page.shot("dialog")
        shown["console"] = page.console
    print(json.dumps(shown, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
