// The choices of our nodes in the page's language: `options` of an input in locales/LANGUAGE/nodeDefs.json. ComfyUI
// translates names and tooltips from that file, but no choices; a widget may say itself how it shows its value.
import { api } from "../../scripts/api.js";
import { inPageLanguage } from "./language.js";

let nodeDefs = {}; // of the page's language

export async function loadChoices() {
  const language = inPageLanguage({ en: null, zh: "zh" });
  if (!language) return;
  const texts = await api.fetchApi("/i18n").then((answer) => answer.json()).catch(() => ({}));
  nodeDefs = texts?.[language]?.nodeDefs ?? {};
}

// The value stays beside its label: help pages, messages and workflow files name it.
export function labelChoices(node) {
  const inputs = nodeDefs[node.comfyClass ?? node.type]?.inputs ?? {};
  for (const widget of node.widgets ?? []) {
    const labels = inputs[widget.name]?.options;
    if (!labels || widget.type !== "combo" || !widget.options) continue;
    const labelOf = (value) => (labels[value] ? `${labels[value]} (${value})` : value ?? "");
    widget.options.getOptionLabel = labelOf;
    // Front end 1.27 does not know getOptionLabel; this is what it draws.
    Object.defineProperty(widget, "_displayValue", { configurable: true, get: () => labelOf(widget.value) });
  }
}
