"""Run by test_results_page.py in ComfyUI's Python: runs a poor portrait through the draft template in a browser,
reloads the page, and prints as JSON what the nodes show before and after.

    python -m tests.e2e.results_page TOOLS COMFYUI OUT LOCALE [--front-end-root DIR] [--nodes-2]

OUT/inputs/poor.jpg: the portrait. --nodes-2: with the page's new kind of nodes. --front-end-root: of ComfyUI.
"""

import json
import os
import sys

from tests.e2e.common import ROOT, open_page

NODES = ("SonicLoadImage", "SonicInference", "SonicLatentDecoder", "SonicLipSyncCalibrate", "SonicMotionSmooth")
# What assistive technology reads of a node's results, and whether pictures and video have arrived.
SHOWN = """(types) => Object.fromEntries(types.map((type) => {
  const node = window.app.graph._nodes.find((each) => each.type === type);
  const box = node.widgets?.find((each) => each.name === "sonic_notes")?.element;
  if (!box) return [type, null];
  const of = (selector, read) => [...box.querySelectorAll(selector)].map(read);
  return [type, {
    attached: box.isConnected && box.offsetHeight > 0,
    label: box.getAttribute("aria-label"),
    text: box.lastElementChild.textContent,
    badge: of("[role=status]", (each) => each.textContent),
    images: of("img", (each) => [each.alt, each.naturalWidth]),
    legend: of("figcaption", (each) => each.textContent),
    plot: of("svg[role=img]", (each) => each.getAttribute("aria-label")),
    lines: of("svg polyline", (each) => each.getAttribute("points").split(" ").length),
    video: of("video", (each) => ({ s: each.duration, loop: each.loop, controls: each.controls, w: each.videoWidth,
      error: each.error?.message ?? null, label: each.getAttribute("aria-label") })),
    hidden: Math.max(0, box.scrollHeight - box.clientHeight),
  }];
}))"""

# Opens the menu of Load Image's policy as a click on the canvas does.
OPEN_MENU = """() => {
  const node = window.app.graph._nodes.find((each) => each.type === "SonicLoadImage");
  const widget = node.widgets.find((each) => each.name === "policy");
  const e = Object.assign(new MouseEvent("click", { clientX: 300, clientY: 300 }), { canvasX: node.pos[0] + 100 });
  widget.onClick({ e, node, canvas: window.app.canvas });
}"""
POLICY = """() => {
  const node = window.app.graph._nodes.find((each) => each.type === "SonicLoadImage");
  const widget = node.widgets.find((each) => each.name === "policy");
  return [widget.value, widget._displayValue];
}"""


def graph(name="poor.jpg"):
    """The draft template with the poor portrait, and an id by which the page finds its last run again."""
    made = json.loads((ROOT / "workflows/draft.json").read_text("utf-8"))
    next(node for node in made["nodes"] if node["type"] == "SonicLoadImage")["widgets_values"][0] = name
    return made | {"id": "0a0a0a0a-0b0b-4c0c-8d0d-0e0e0e0e0e0e"}


def wait_for_run(tab):
    for _ in range(240):
        runs = tab.evaluate("async () => Object.values(await (await fetch('/history?max_items=1')).json())")
        if runs and runs[0].get("status", {}).get("completed"):
            return tab.wait_for_timeout(3000)
        tab.wait_for_timeout(1000)
    raise TimeoutError("the run did not end within four minutes")


def photograph(page, name):
    page.fit()
    page.page.wait_for_timeout(1500)
    page.shot(name)
    for kind in ("SonicLoadImage", "SonicLatentDecoder", "SonicLipSyncCalibrate"):
        page.page.evaluate(
            "(kind) => { const n = window.app.graph._nodes.find((each) => each.type === kind);"
            " window.app.canvas.ds.scale = 0.9; window.app.canvas.centerOnNode(n); }",
            kind,
        )
        page.page.wait_for_timeout(1200)
        page.shot(f"{name}.{kind}")


def slider_by_keyboard(tab):
    """The heat map's opacity before and after three presses of an arrow key."""
    tab.evaluate(
        "() => { const n = window.app.graph._nodes.find((each) => each.type === 'SonicLoadImage');"
        " window.app.canvas.centerOnNode(n); }"
    )
    tab.wait_for_timeout(800)
    tab.locator("figure:has(figcaption) input[type=range]").first.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowLeft")
    return tab.evaluate("() => document.activeElement.closest('figure').querySelectorAll('img')[1].style.opacity")


def steps(page, nodes_2):
    tab = page.page
    if nodes_2:
        tab.evaluate("() => window.app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', true)")
        tab.wait_for_timeout(1000)
    page.load(graph(), "results")
    page.queue()
    wait_for_run(tab)
    shown = {"run": tab.evaluate(SHOWN, list(NODES))}
    photograph(page, "run")
    shown["opacity"] = slider_by_keyboard(tab)
    shown["vue"] = tab.locator("[data-node-id]").count()
    page.open()  # a new page, and the same workflow, as the page keeps it
    if not tab.evaluate("() => window.app.graph._nodes.some((each) => each.type === 'SonicLoadImage')"):
        page.load(graph(), "results")
    tab.wait_for_timeout(3000)
    shown["reload"] = tab.evaluate(SHOWN, list(NODES))
    photograph(page, "reload")
    page.load(graph("sonic_sample_portrait.jpg"), "other")  # of the same id, with another picture
    tab.wait_for_timeout(3000)
    shown["other"] = tab.evaluate(SHOWN, list(NODES))
    tab.evaluate(OPEN_MENU)
    tab.locator(".litemenu-entry", has_text="strict").first.click()
    shown["policy"] = tab.evaluate(POLICY)
    shown["console"] = page.console
    return shown


def main(tools, comfyui, out, locale, *options):
    root = options[options.index("--front-end-root") + 1] if "--front-end-root" in options else None
    arguments = {"inputs": os.path.join(out, "inputs"), "server_arg": ["--front-end-root", root] if root else []}
    with open_page(tools, comfyui, out, locale, {"Comfy.Workflow.Persist": True}, **arguments) as (_, page):
        print(json.dumps(steps(page, "--nodes-2" in options)))


if __name__ == "__main__":
    main(*sys.argv[1:])
