// Shows what a node said about its last run ("2 faces: the largest was chosen") as words under its widgets, and opens older files.
import { app } from "../../scripts/app.js";

const NODES = new Set([
  "SonicLoadImage", "SonicImageGate", "SONIC_PreData", "SonicLoader", "SonicInference", "SonicLipSyncCalibrate", "SonicMotionSmooth",
  "SONICTLoader", "SONICSampler",
]);
const WIDGET = "sonic_notes";
const PROGRESS = "$$node-text-preview"; // where the page shows what a node says while it runs
const REGISTERED = Symbol.for("sonic-talking-portrait.notes"); // two copies of the pack may serve this file
const MIN_SCORE = 60; // the node's default
const LINE_PX = 16;
const CHARACTER_PX = 7; // of 11 px type, on the safe side
const PADDING_PX = 34; // the page leaves 10 px above and below a DOM widget

function heightOf(text, width) {
  const perLine = Math.max(16, Math.floor((width - 40) / CHARACTER_PX));
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
  return lines * LINE_PX + PADDING_PX;
}

function makeWidget(node) {
  const element = document.createElement("div");
  element.style.cssText =
    `box-sizing:border-box;padding:5px 8px;font-size:11px;line-height:${LINE_PX}px;white-space:pre-wrap;overflow:auto;` +
    "color:var(--input-text,#ddd);background:var(--comfy-input-bg,#222);border-radius:4px;";
  const height = () => heightOf(element.textContent, node.size[0]);
  const widget = node.addDOMWidget(WIDGET, "sonic_notes", element, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => element.textContent,
    setValue: (text) => { element.textContent = text; },
    getMinHeight: height,
    getMaxHeight: height,
  });
  widget.serialize = false;
  // A preview picture takes all the room below it, so the words go above it.
  const preview = node.widgets.findIndex((other) => other.name?.startsWith("$$"));
  if (preview >= 0) {
    node.widgets.splice(node.widgets.indexOf(widget), 1);
    node.widgets.splice(preview, 0, widget);
  }
  return widget;
}

// What a node said while it ran is part of its notes, or over.
function removeProgress(node) {
  const at = node.widgets?.findIndex((other) => other.name === PROGRESS) ?? -1;
  if (at < 0) return;
  node.widgets[at].onRemove?.();
  node.widgets.splice(at, 1);
}

function showNotes(node, text) {
  removeProgress(node);
  const widget = node.widgets?.find((other) => other.name === WIDGET);
  if (!widget && !text) return;
  (widget ?? makeWidget(node)).value = text;
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
}

// A page keeps a node's values by position, and where among them the upload button's value stands depends on the page's version and on the
// inputs that there were: min_score is the only number.
function mendMinScore(node, saved) {
  const widget = node.widgets?.find((other) => other.name === "min_score");
  if (!widget || typeof widget.value === "number") return;
  widget.value = (Array.isArray(saved) ? saved : []).find((value) => typeof value === "number") ?? MIN_SCORE;
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
      if (nodeData.name !== "SonicLoadImage") return;
      const configured = nodeType.prototype.onConfigure;
      nodeType.prototype.onConfigure = function (saved) {
        configured?.apply(this, arguments);
        mendMinScore(this, saved?.widgets_values);
      };
    },
  });
}
