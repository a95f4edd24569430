// Shows what a node said about its last run ("two faces found: the largest was taken") as words under the node.
import { app } from "../../scripts/app.js";

const NODES = new Set(["SonicLoadImage", "SONIC_PreData", "SonicInference"]);
const WIDGET = "sonic_notes";
const REGISTERED = Symbol.for("sonic-talking-portrait.notes"); // two copies of the pack may serve this file

function notesWidget(node) {
  const found = node.widgets?.find((widget) => widget.name === WIDGET);
  if (found) return found;
  const element = document.createElement("div");
  element.style.cssText =
    "box-sizing:border-box;padding:4px 8px;font-size:12px;line-height:1.35;white-space:pre-wrap;overflow:auto;" +
    "color:var(--input-text,#ddd);background:var(--comfy-input-bg,#222);border-radius:4px;";
  const widget = node.addDOMWidget(WIDGET, "sonic_notes", element, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => element.textContent,
    setValue: (text) => { element.textContent = text; },
    getMinHeight: () => 56,
    getMaxHeight: () => 110,
  });
  widget.serialize = false;
  return widget;
}

function showNotes(node, text) {
  const present = node.widgets?.some((widget) => widget.name === WIDGET);
  if (!text && !present) return;
  notesWidget(node).value = text;
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
}

if (!window[REGISTERED]) {
  window[REGISTERED] = true;
  app.registerExtension({
    name: "SonicTalkingPortrait.Notes",
    beforeRegisterNodeDef(nodeType, nodeData) {
      if (!NODES.has(nodeData.name)) return;
      const before = nodeType.prototype.onExecuted;
      nodeType.prototype.onExecuted = function (message) {
        before?.apply(this, arguments);
        showNotes(this, (message?.text ?? []).join("\n"));
      };
    },
  });
}
