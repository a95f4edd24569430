// Shows notes ("2 faces: the largest was chosen") and figures of a node's last run below its widgets, and repairs the
// values of Load Image in older workflow files. Tells the server the page's language, in which it then writes notes and
// errors (sonic_nodes/nodes/language.py). choices.js has the choices, models.js the list of the model's files.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { labelChoices, loadChoices } from "./choices.js";
import { pageLanguage } from "./language.js";
import { addModelFiles, dropPresentModels } from "./models.js";
import { figures, restoreResults, resultsLabel } from "./results.js";

const NODES = new Set([
  "SonicLoadImage", "SonicImageGate", "SONIC_PreData", "SonicLoader", "SonicInference", "SonicLipSyncCalibrate",
  "SonicMotionSmooth", "SonicLatentDecoder", "SonicPasteBack", "SonicBackground", "SonicInspect", "SonicBatch",
  "SONICTLoader", "SONICSampler",
]);
const WITH_CHOICES = new Set([...NODES, "SonicVisibleLabel"]);
const RESTORED = new Set([...NODES, "SaveVideo"]);
const REPORT_PX = 400; // width of a new Inspect, whose report has long lines
const NOTES_WIDGET = "sonic_notes";
const PROGRESS_WIDGET = "$$node-text-preview"; // the page's own widget for text while a node runs
const REGISTERED = Symbol.for("sonic-talking-portrait.notes"); // two copies of the pack may serve this file
const LANGUAGE = "/sonic-talking-portrait/language"; // sonic_nodes/nodes/language.py
const DEFAULT_MIN_SCORE = 60;
const LINE_PX = 16;
const CHARACTER_PX = 7; // upper estimate for 11 px type
const WIDE_PX = 11.5; // of Chinese characters and their punctuation
const WIDE = /[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]/g;
const PADDING_PX = 34; // the page leaves 10 px above and below a DOM widget

function textWidth(line) {
  const wide = line.match(WIDE)?.length ?? 0;
  return wide * WIDE_PX + (line.length - wide) * CHARACTER_PX;
}

function textHeight(text, width) {
  const room = Math.max(16 * CHARACTER_PX, width - 40);
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(textWidth(line) / room)), 0);
  return lines * LINE_PX + PADDING_PX;
}

let told = "";

async function tellLanguage() {
  const now = JSON.stringify({ client_id: api.clientId, language: pageLanguage() });
  if (!api.clientId || now === told) return;
  told = now;
  try {
    await api.fetchApi(LANGUAGE, { method: "POST", headers: { "Content-Type": "application/json" }, body: now });
  } catch {
    told = ""; // the next status of the server tries again
  }
}

function makeNotesWidget(node) {
  const element = document.createElement("div");
  element.style.cssText =
    `box-sizing:border-box;padding:5px 8px;font-size:11px;line-height:${LINE_PX}px;white-space:pre-wrap;` +
    "overflow:auto;overflow-wrap:anywhere;border-radius:4px;" +
    "color:var(--input-text,#ddd);background:var(--comfy-input-bg,#222);";
  const text = document.createElement("div"), above = document.createElement("div");
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", resultsLabel(node));
  text.setAttribute("aria-live", "polite");
  element.append(above, text);
  // The page's shortcuts on single keys (space, arrows, Delete) would act on the graph instead.
  element.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  const height = () => textHeight(text.textContent, node.size[0]) +
    [...above.children].reduce((sum, each) => sum + each.sonicHeight(node.size[0] - 36), 0);
  const widget = node.addDOMWidget(NOTES_WIDGET, "sonic_notes", element, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => text.textContent,
    setValue: (value) => { text.textContent = value; },
    getMinHeight: height,
    getMaxHeight: height,
  });
  widget.serialize = false;
  widget.sonicFigures = above;
  // A preview image takes all the room below it, so the notes go above it.
  const preview = node.widgets.findIndex((other) => other.name?.startsWith("$$"));
  if (preview >= 0) {
    node.widgets.splice(node.widgets.indexOf(widget), 1);
    node.widgets.splice(preview, 0, widget);
  }
  return widget;
}

// After the run the notes replace the progress text.
function removeProgressText(node) {
  const index = node.widgets?.findIndex((other) => other.name === PROGRESS_WIDGET) ?? -1;
  if (index < 0) return;
  node.widgets[index].onRemove?.();
  node.widgets.splice(index, 1);
}

function showResults(node, message) {
  removeProgressText(node);
  const text = (message?.text ?? []).join("\n"), above = figures(message);
  const known = node.widgets?.find((other) => other.name === NOTES_WIDGET);
  if (!known && !text && !above.length) return;
  const widget = known ?? makeNotesWidget(node);
  widget.value = text;
  widget.sonicFigures.replaceChildren(...above);
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
}

// Workflow files store widget values by position. The position of the upload button's value depends on the page's
// version and on the inputs at that time, so it may land in min_score, which is the only number among them.
function restoreMinScore(node, saved) {
  const widget = node.widgets?.find((other) => other.name === "min_score");
  if (!widget || typeof widget.value === "number") return;
  widget.value = (Array.isArray(saved) ? saved : []).find((value) => typeof value === "number") ?? DEFAULT_MIN_SCORE;
}

if (!window[REGISTERED]) {
  window[REGISTERED] = true;
  app.registerExtension({
    name: "SonicTalkingPortrait.Notes",
    beforeConfigureGraph: dropPresentModels,
    afterConfigureGraph: () => restoreResults(NODES, RESTORED),
    init: loadChoices,
    nodeCreated(node) {
      if (WITH_CHOICES.has(node.comfyClass)) labelChoices(node);
      if (node.comfyClass === "SonicInspect") node.setSize([Math.max(node.size[0], REPORT_PX), node.size[1]]);
    },
    setup() {
      // The server's first status brings this page's id, and a restarted server has forgotten it.
      api.addEventListener("status", tellLanguage);
      api.addEventListener("reconnected", () => { told = ""; tellLanguage(); });
      app.ui?.settings?.addEventListener?.("Comfy.Locale.change", () => setTimeout(tellLanguage));
      tellLanguage();
    },
    beforeRegisterNodeDef(nodeType, nodeData) {
      if (!NODES.has(nodeData.name)) return;
      const onExecuted = nodeType.prototype.onExecuted;
      nodeType.prototype.onExecuted = function (message) {
        onExecuted?.apply(this, arguments);
        showResults(this, message);
      };
      if (nodeData.name === "SonicLoader") {
        const onNodeCreated = nodeType.prototype.onNodeCreated;
        nodeType.prototype.onNodeCreated = function () {
          onNodeCreated?.apply(this, arguments);
          addModelFiles(this);
        };
      }
      if (nodeData.name === "SonicBatch") {
        const onNodeCreated = nodeType.prototype.onNodeCreated;
        nodeType.prototype.onNodeCreated = function () {
          onNodeCreated?.apply(this, arguments);
          const control = this.widgets?.find((other) => other.name === "control_after_generate");
          if (control) control.value = "increment"; // the page's own first choice is a random recording
        };
      }
      if (nodeData.name !== "SonicLoadImage") return;
      const onConfigure = nodeType.prototype.onConfigure;
      nodeType.prototype.onConfigure = function (saved) {
        onConfigure?.apply(this, arguments);
        restoreMinScore(this, saved?.widgets_values);
      };
    },
  });
}
