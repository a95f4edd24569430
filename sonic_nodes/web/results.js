// What a run has left under the nodes: badge, pictures and plots above the notes, and all of it again after a reload.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { heatMap, plot, preview } from "./figures.js";
import { inPageLanguage } from "./language.js";

const BADGE_PX = 24;
const RUNS = 20; // of the history that are searched
const KINDS = {
  ok: { colour: "#2e7d32", sign: "✓", en: "fine", zh: "合格" },
  warn: { colour: "#b26a00", sign: "!", en: "warning", zh: "警告" },
  reject: { colour: "#b3261e", sign: "✗", en: "rejected", zh: "不合格" },
  unreadable: { colour: "#555555", sign: "?", en: "not judged", zh: "无法评估" },
};
const TEXT = {
  en: { gate: "Quality gate", of: "of 100", results: "Results", comma: ", ", colon: ": " },
  zh: { gate: "画质检查", of: "/ 100", results: "结果", comma: "，", colon: "：" },
};

function line(style, ...children) {
  const element = document.createElement("div");
  element.sonicHeight = () => BADGE_PX;
  element.style.cssText = `height:${BADGE_PX}px;display:flex;align-items:center;gap:6px;white-space:nowrap;${style}`;
  element.append(...children);
  return element;
}

function span(text, style = "") {
  const element = document.createElement("span");
  element.textContent = text;
  element.style.cssText = style;
  return element;
}

// The verdict, a line of BADGE_PX above the notes, whose text has the reasons.
function badge(verdict) {
  const kind = KINDS[verdict?.verdict], t = inPageLanguage(TEXT);
  if (!kind) return [];
  const score = verdict.verdict === "unreadable" ? "" : `${t.comma}${verdict.score} ${t.of}`;
  const pill = span(`${kind.sign} ${inPageLanguage(kind)}${score}`,
    `background:${kind.colour};color:#fff;border-radius:9px;padding:1px 9px;font-weight:600;`);
  pill.setAttribute("role", "status");
  pill.setAttribute("aria-label", `${t.gate}${t.colon}${inPageLanguage(kind)}${score}`);
  return [line("", pill)];
}

// What a run's message shows above the notes. Each element has sonicHeight(room): its height in `room` pixels of width.
export function figures(message) {
  const [verdict, heat, measured, clip] =
    ["sonic_verdict", "sonic_heat_map", "sonic_plot", "sonic_preview"].map((name) => message?.[name]?.[0]);
  return [...badge(verdict), ...heatMap(heat), ...plot(measured), ...preview(clip)];
}

export function resultsLabel(node) {
  const t = inPageLanguage(TEXT);
  return `${node.title ?? ""}${t.colon}${t.results}`;
}

// The page saves the value of a player (Load Audio) as null and reads it as "".
function written(values) {
  return JSON.stringify(values ?? [], (_, value) => value ?? "");
}

// Whether a node is as it was when the run was saved, and so is everything before it: its results would be the same.
// Templates of one id, and copies of one workflow, differ in what they load.
function comparer(then, now) {
  const index = (graph) => ({
    nodes: new Map(graph.nodes.map((node) => [String(node.id), node])),
    links: new Map(graph.links.map((link) => (Array.isArray(link)
      ? [link[0], { node: String(link[1]), slot: link[2] }]
      : [link.id, { node: String(link.origin_id), slot: link.origin_slot }]))),
  });
  const one = index(then), other = index(now), known = new Map();
  const sources = (graph, node) => (node.inputs ?? []).filter((input) => input.link != null)
    .map((input) => [input.name, graph.links.get(input.link)]);
  const compare = (id) => {
    const before = one.nodes.get(id), after = other.nodes.get(id);
    if (!before || before.type !== after?.type) return false;
    if (written(before.widgets_values) !== written(after.widgets_values)) return false;
    const linked = sources(one, before);
    return JSON.stringify(linked) === JSON.stringify(sources(other, after)) &&
      linked.every(([, source]) => source && isUnchanged(source.node));
  };
  const isUnchanged = (id) => {
    if (!known.has(id)) known.set(id, compare(id));
    return known.get(id);
  };
  return isUnchanged;
}

// The results of the newest run of this workflow, for each node that would give them again: nodes of the types in
// `restored`, in a graph that has one of `ours`.
export async function restoreResults(ours, restored) {
  const id = app.graph?.id;
  const typeOf = (node) => node.comfyClass ?? node.type;
  const nodes = (app.graph?._nodes ?? []).filter((node) => restored.has(typeOf(node)));
  if (!id || !nodes.some((node) => ours.has(typeOf(node)))) return;
  const history = await api.fetchApi(`/history?max_items=${RUNS}`).then((answer) => answer.json()).catch(() => ({}));
  for (const run of Object.values(history).reverse()) {
    const saved = run?.prompt?.[3]?.extra_pnginfo?.workflow;
    if (saved?.id !== id || !Array.isArray(saved.links)) continue;
    const isUnchanged = comparer(saved, JSON.parse(JSON.stringify(app.graph.serialize())));
    for (const node of nodes) {
      const output = run.outputs?.[node.id];
      if (!output || !isUnchanged(String(node.id))) continue;
      if (app.nodeOutputs) app.nodeOutputs[String(node.id)] = output;
      node.onExecuted?.(output);
    }
    app.graph.setDirtyCanvas?.(true, true);
    return;
  }
}
