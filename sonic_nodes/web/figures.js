// What is drawn under a node besides its notes: the heat map over its picture, Calibrate's plot, a video that loops.
import { api } from "../../scripts/api.js";
import { inPageLanguage } from "./language.js";

const MAX_PX = 220; // height of a picture or video
const LEGEND_PX = 44;
const START = 70; // how strongly the heat map covers its picture, in percent
const PLOT = { width: 400, height: 232, left: 8, right: 392 };
const SCORES = { top: 22, bottom: 88 };
const CURVES = { top: 136, bottom: 210, spread: 3 }; // spread: standard deviations above and below the mean
const MOUTH = "#e0654a", SOUND = "#6a9cf0";
const TEXT = {
  en: {
    picture: "The picture that was judged", map: "Heat map over it: where JPEG blocks have left traces",
    strength: "Heat map", none: "no trace", strong: "strong traces", match: "match, by the delay of the sound",
    offset: "offset", confidence: "confidence", mouth: "mouth", sound: "sound, shifted", ms: "ms", s: "s", comma: ", ",
    preview: (seconds) => `Preview with sound, the first ${seconds} s`,
  },
  zh: {
    picture: "所检查的图片", map: "叠加的热图：显示 JPEG 块痕迹所在的位置",
    strength: "热图", none: "无痕迹", strong: "痕迹明显", match: "不同声音延迟下的匹配程度",
    offset: "偏移", confidence: "置信度", mouth: "嘴部", sound: "声音（已移动）", ms: "毫秒", s: "秒", comma: "，",
    preview: (seconds) => `带声音的预览，前 ${seconds} 秒`,
  },
};

function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawn(tag, properties, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function urlOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}

// CSS of a box with the sides' ratio, and the height that it takes in a node: the page asks for it before it lays out.
function boxOf(width, height) {
  const css = `display:block;width:100%;aspect-ratio:${width}/${height};max-height:${MAX_PX}px;object-fit:contain;`;
  return [css, (room) => Math.min(MAX_PX, (room * height) / width)];
}

// The picture with the heat map over it, how strongly the map covers it, and what its colours mean.
export function heatMap(shown) {
  if (!shown?.picture || !shown.map) return [];
  const t = inPageLanguage(TEXT), [css, heightOf] = boxOf(shown.width, shown.height);
  const picture = make("img", { src: urlOf(shown.picture), alt: t.picture, style: css });
  const map = make("img", { src: urlOf(shown.map), alt: t.map, style: `${css}position:absolute;inset:0;height:100%;` });
  const range = make("input",
    { type: "range", min: 0, max: 100, step: 10, value: START, style: "flex:1;min-width:60px;" });
  const cover = () => { map.style.opacity = range.value / 100; };
  range.addEventListener("input", cover);
  cover();
  const scale = make("span", { "aria-hidden": "true", style: "flex:1;height:10px;border-radius:3px;" +
    "background:linear-gradient(90deg,#555,#a02a00 40%,#ff6600 70%,#ffcc00);" });
  const line = "display:flex;align-items:center;gap:6px;height:20px;white-space:nowrap;";
  const figure = make("figure", { style: "margin:0 0 4px;" },
    make("div", { style: "position:relative;" }, picture, map),
    make("label", { style: line }, t.strength, range),
    make("figcaption", { style: `${line}font-size:10px;` }, t.none, scale, t.strong));
  figure.sonicHeight = (room) => heightOf(room) + LEGEND_PX;
  return [figure];
}

// A clip that plays without sound until its speaker is pressed; it stands still for those who ask for less motion.
export function preview(shown) {
  if (!shown?.clip) return [];
  const [css, heightOf] = boxOf(shown.width, shown.height);
  const video = make("video", { src: urlOf(shown.clip), controls: "", loop: "", playsinline: "", preload: "auto",
    "aria-label": inPageLanguage(TEXT).preview(shown.duration_s), style: `${css}margin-bottom:4px;background:#000;` });
  video.muted = true;
  video.autoplay = !window.matchMedia?.("(prefers-reduced-motion: reduce)").matches;
  video.sonicHeight = (room) => heightOf(room) + 4;
  return [video];
}

function curve(values, { top, bottom }, low, high, colour) {
  const points = values.map((value, i) => {
    const part = (Math.min(high, Math.max(low, value)) - low) / (high - low);
    const x = PLOT.left + ((PLOT.right - PLOT.left) * i) / Math.max(1, values.length - 1);
    return `${x.toFixed(1)},${(bottom - part * (bottom - top)).toFixed(1)}`;
  });
  return drawn("polyline", { points: points.join(" "), fill: "none", stroke: colour, "stroke-width": 1.5 });
}

function label(text, x, y, options = {}) {
  return drawn("text", { x, y, fill: "currentColor", "font-size": 11, ...options }, text);
}

function frame({ top, bottom }) {
  return drawn("rect", { x: PLOT.left, y: top, width: PLOT.right - PLOT.left, height: bottom - top, fill: "none",
    stroke: "currentColor", "stroke-opacity": 0.35 });
}

function scoresPart(found, t) {
  const xOf = (ms) => PLOT.left + ((PLOT.right - PLOT.left) * (ms + found.max_offset_ms)) / (2 * found.max_offset_ms);
  const parts = [label(t.match, PLOT.left, SCORES.top - 7), frame(SCORES)];
  for (const ms of [-1, -0.5, 0, 0.5, 1].map((part) => part * found.max_offset_ms)) {
    const anchor = ms === -found.max_offset_ms ? "start" : ms === found.max_offset_ms ? "end" : "middle";
    const text = ms ? `${ms > 0 ? "+" : "−"}${Math.abs(ms)} ${t.ms}` : "0";
    parts.push(label(text, xOf(ms), SCORES.bottom + 14, { "text-anchor": anchor }));
  }
  const at = { x1: xOf(found.offset_ms), x2: xOf(found.offset_ms), y1: SCORES.top, y2: SCORES.bottom };
  parts.push(drawn("line", { ...at, stroke: MOUTH, "stroke-width": 2 }));
  return [...parts, curve(found.scores, SCORES, 0, 1, "currentColor")];
}

function curvesPart(found, t) {
  const y = CURVES.top - 7, seconds = (value) => `${value.toFixed(1)} ${t.s}`;
  return [
    frame(CURVES), label(t.mouth, PLOT.left, y, { fill: MOUTH }), label(t.sound, 80, y, { fill: SOUND }),
    curve(found.mouth, CURVES, -CURVES.spread, CURVES.spread, MOUTH),
    curve(found.sound, CURVES, -CURVES.spread, CURVES.spread, SOUND),
    label(seconds(found.from_s), PLOT.left, CURVES.bottom + 14),
    label(seconds(found.to_s), PLOT.right, CURVES.bottom + 14, { "text-anchor": "end" }),
  ];
}

// The scores over the delay of the sound, and mouth and sound beside each other after the shift.
export function plot(found) {
  if (!found?.scores?.length) return [];
  const t = inPageLanguage(TEXT), sign = found.offset_ms > 0 ? "+" : "";
  const headline = `${t.offset} ${sign}${found.offset_ms} ${t.ms}${t.comma}${t.confidence} ${found.confidence}`;
  const [css, heightOf] = boxOf(PLOT.width, PLOT.height);
  const svg = drawn("svg",
    { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", "aria-label": headline, style: css });
  svg.append(drawn("title", {}, headline), ...scoresPart(found, t), ...curvesPart(found, t));
  svg.sonicHeight = heightOf;
  return [svg];
}
