// The model's six files under the Sonic Loader: state, size, licence, folder and source of each, with downloads that
// begin only when a licence is accepted here. Also keeps files that are there out of the page's "Missing Models".
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { inPageLanguage, pageLanguage } from "./language.js";

const FILES = "/sonic-talking-portrait/model-files"; // sonic_nodes/nodes/model_list.py
const DOWNLOADS = "/sonic-talking-portrait/model-downloads";
const WIDGET = "sonic_model_files";
const LEAST_PX = 320; // width of a node with the list
const POLL_MS = 500;
const PATIENCE_MS = 3000; // for the list, before a workflow opens
const ACTIVE = new Set(["waiting", "running"]);
const TEXT = {
  en: {
    check: "Check files", title: "Files of the Sonic model", file: "File", size: "Size", state: "State",
    action: "Action", ok: "✓ there", missing: "✗ missing", unusable: "⚠ unusable", download: "Download",
    cancel: "Cancel", close: "Close", waiting: "waiting", running: "loading", stopped: "stopped, kept so far",
    failed: "failed", done: "loaded", left: "left", in: "in", licence: "Licence",
    accept: (file) => file.free ? `Download ${file.size}` : `Accept the licence and download ${file.size}`,
    silent: "The server does not answer: ",
  },
  zh: {
    check: "检查文件", title: "Sonic 模型的文件", file: "文件", size: "大小", state: "状态",
    action: "操作", ok: "✓ 已有", missing: "✗ 缺少", unusable: "⚠ 不可用", download: "下载",
    cancel: "取消", close: "关闭", waiting: "等待中", running: "下载中", stopped: "已停止，已下载的部分保留",
    failed: "失败", done: "已下载", left: "剩余", in: "位于", licence: "许可",
    accept: (file) => file.free ? `下载 ${file.size}` : `接受许可并下载 ${file.size}`,
    silent: "服务器没有回应：",
  },
};

function words() {
  return inPageLanguage(TEXT);
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

async function ask(path, order) {
  const options = order && {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order),
  };
  const answer = await api.fetchApi(`${path}?language=${encodeURIComponent(pageLanguage())}`, options);
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok && !content.error) throw new Error(`HTTP ${answer.status}`);
  return content;
}

function leftText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const text = seconds < 90 ? `${Math.max(1, seconds)} s` : `${Math.round(seconds / 60)} min`;
  return `, ${text} ${words().left}`;
}

class Panel {
  constructor(node) {
    this.node = node;
    this.list = { headline: "", terms: "", files: [], downloads: {} };
    this.asked = null; // key of the file whose licence is shown
    this.message = "";
    this.buttons = new Map();
    this.status = make("p", { role: "status", "aria-live": "polite", class: "sonic-headline" });
    this.confirm = make("div", { class: "sonic-confirm", hidden: true });
    const t = words();
    const head = [t.file, t.size, t.state, t.action].map((text) => make("th", { scope: "col" }, text));
    this.head = make("thead", {}, make("tr", {}, ...head));
    this.table = make("table", { "aria-label": t.title });
    this.inner = make(
      "div", { class: "sonic-models", role: "region", "aria-label": t.title }, this.status,
      this.table, this.confirm,
    );
    this.leastHeight = node.size[1];
    this.element = make("div", {}, this.inner);
    this.widget = node.addDOMWidget(WIDGET, "sonic_model_files", this.element, {
      serialize: false, hideOnZoom: false, getMinHeight: () => this.height(), getMaxHeight: () => this.height(),
    });
    this.widget.serialize = false;
  }

  height() {
    return (this.inner.offsetHeight || 260) + 24;
  }

  // The list is longer than the room below the node in a template: it lies over the next nodes, not under them.
  show() {
    app.canvas.bringToFront?.(this.node);
    return this.refresh();
  }

  async refresh() {
    try {
      this.list = await ask(FILES);
      this.message = "";
    } catch (error) {
      this.message = words().silent + error.message;
    }
    this.draw();
    this.poll();
  }

  async order(file, action) {
    try {
      const answer = await ask(DOWNLOADS, { file: file.key, action, licence: file.licence });
      this.message = answer.error ?? "";
      this.list.downloads = answer.downloads ?? this.list.downloads;
    } catch (error) {
      this.message = words().silent + error.message;
    }
    this.asked = null;
    this.draw();
    this.buttons.get(file.key)?.focus();
    this.poll();
  }

  isActive() {
    return Object.values(this.list.downloads).some((each) => ACTIVE.has(each.state));
  }

  poll() {
    if (this.timer || !this.isActive()) return;
    this.timer = setTimeout(async () => {
      this.timer = null;
      if (!this.node.graph) return; // the node was deleted
      try {
        this.list.downloads = (await ask(DOWNLOADS)).downloads;
      } catch (error) {
        this.message = words().silent + error.message;
      }
      if (!this.isActive()) return void this.refresh().then(() => app.refreshComboInNodes?.());
      this.draw();
      this.poll();
    }, POLL_MS);
  }

  draw() {
    const focused = [...this.buttons].find(([, button]) => button === document.activeElement)?.[0];
    this.status.textContent = this.message || this.list.headline;
    this.buttons.clear();
    this.table.replaceChildren(this.head, ...this.list.files.map((file) => this.row(file)));
    this.drawConfirm();
    if (focused) this.buttons.get(focused)?.focus();
    this.node.setSize([Math.max(this.node.size[0], this.node.computeSize()[0], LEAST_PX), this.node.size[1]]);
    this.fit();
  }

  // The text breaks into its lines when the page has given the element its width: one frame later.
  fit(frames = 2) {
    this.node.setSize([this.node.size[0], Math.max(this.leastHeight, this.node.computeSize()[1])]);
    this.node.setDirtyCanvas?.(true, true);
    if (frames > 0) requestAnimationFrame(() => this.fit(frames - 1));
  }

  // A group of two rows: the facts, then where the file is and how its download goes.
  row(file) {
    const t = words(), download = this.list.downloads[file.key];
    const link = make("a", { href: file.source, target: "_blank", rel: "noopener noreferrer" }, file.name);
    const details = make("td", { colspan: 4, class: "sonic-small" },
      `${t.in} ${file.folder}`, make("br"), `${t.licence}: ${file.licence_text}`);
    if (file.state === "unusable") details.append(make("br"), file.detail);
    if (download && file.state !== "ok") details.append(...this.progress(file, download));
    return make("tbody", {},
      make("tr", {}, make("th", { scope: "row" }, link), make("td", {}, file.size),
        make("td", { title: file.detail }, t[file.state]), make("td", {}, ...this.action(file, download))),
      make("tr", {}, details));
  }

  progress(file, download) {
    const t = words(), percent = Math.floor((100 * download.done) / Math.max(1, download.total));
    const text = ACTIVE.has(download.state)
      ? `${t[download.state]}: ${percent} %${leftText(download.left_s)}`
      : `${t[download.state]}${download.message ? `: ${download.message}` : ""}`;
    const bar = make("progress", { max: download.total, value: download.done, "aria-label": file.name });
    return [make("br"), ...(ACTIVE.has(download.state) ? [bar] : []), make("div", {}, text)];
  }

  action(file, download) {
    const t = words(), isActive = download && ACTIVE.has(download.state);
    if (file.state !== "missing") return [];
    const press = isActive ? () => this.order(file, "cancel") : () => this.showLicence(file);
    const label = isActive ? t.cancel : t.download;
    const button = make("button", { type: "button", "aria-label": `${label} ${file.name}`, click: press }, label);
    this.buttons.set(file.key, button);
    return [button];
  }

  showLicence(file) {
    this.asked = file.key;
    this.draw();
    this.confirm.querySelector("button")?.focus();
  }

  drawConfirm() {
    const t = words(), file = this.list.files.find((each) => each.key === this.asked);
    this.confirm.hidden = !file;
    if (!file) return this.confirm.replaceChildren();
    if (this.confirm.dataset.file === file.key && this.confirm.childElementCount) return;
    this.confirm.dataset.file = file.key;
    const close = () => { this.asked = null; this.draw(); this.buttons.get(file.key)?.focus(); };
    this.confirm.onkeydown = (event) => { if (event.key === "Escape") close(); };
    this.confirm.replaceChildren(
      make("p", {}, `${file.name}: ${file.licence_text}. `,
        make("a", { href: file.source, target: "_blank", rel: "noopener noreferrer" }, file.source)),
      make("p", {}, file.free ? "" : this.list.terms),
      make("button", { type: "button", click: () => this.order(file, "download") }, t.accept(file)), " ",
      make("button", { type: "button", click: close }, t.close),
    );
  }
}

const STYLE = `
.sonic-models { font-size: 11px; line-height: 15px; padding: 6px 8px; box-sizing: border-box; border-radius: 4px;
  color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); }
.sonic-models p { margin: 0 0 6px; }
.sonic-models table { width: 100%; border-collapse: collapse; text-align: left; }
.sonic-models th, .sonic-models td { padding: 2px 3px; vertical-align: top; font-weight: normal; }
.sonic-models tbody th { overflow-wrap: anywhere; }
.sonic-models tbody { border-top: 1px solid var(--border-color, #444); }
.sonic-models thead th { opacity: .8; }
.sonic-models td:nth-child(n+2) { white-space: nowrap; }
.sonic-models a { color: inherit; text-decoration: underline; }
.sonic-models .sonic-small { opacity: .8; font-size: 10px; line-height: 13px; overflow-wrap: anywhere; }
.sonic-models progress { width: 100%; height: 8px; }
.sonic-models button { font: inherit; color: inherit; background: var(--comfy-menu-bg, #353535); cursor: pointer;
  border: 1px solid var(--border-color, #555); border-radius: 4px; padding: 1px 6px; }
.sonic-models button:focus-visible, .sonic-models a:focus-visible { outline: 2px solid #6cf; outline-offset: 1px; }
.sonic-models .sonic-confirm { border-top: 1px solid var(--border-color, #444); padding-top: 6px; }
`;

function addStyle() {
  if (!document.getElementById("sonic-models-style")) {
    document.head.append(make("style", { id: "sonic-models-style" }, STYLE));
  }
}

// The button of the Sonic Loader: the list of files, also before the first run.
export function addModelFiles(node) {
  addStyle();
  const open = () => (node.sonicModelFiles ??= new Panel(node)).show();
  const button = node.addWidget("button", words().check, null, open);
  button.serialize = false; // the workflow file keeps the values of the other widgets in their places
  // Downloads go on while the page is reloaded.
  ask(DOWNLOADS).then(({ downloads }) => {
    if (Object.values(downloads ?? {}).some((each) => ACTIVE.has(each.state))) return open();
  }).catch(() => {});
}

// The page compares names alone: a file that is there under another name, or as published (.pth) where a template names
// the converted one (.safetensors), would be called missing.
export async function dropPresentModels(graphData) {
  const models = graphData?.models;
  if (!Array.isArray(models) || !models.some((each) => String(each?.url).includes("/LeonJoe13/Sonic/"))) return;
  const late = new Promise((resolve) => setTimeout(() => resolve({ files: [] }), PATIENCE_MS));
  const { files } = await Promise.race([ask(FILES), late]).catch(() => ({ files: [] }));
  const present = new Set((files ?? []).filter((file) => file.state === "ok").map((file) => file.url));
  graphData.models = models.filter((each) => !present.has(each?.url));
}
