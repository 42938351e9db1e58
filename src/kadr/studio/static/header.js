// The header: project and state, undo, theme, help.

import { call } from "./connection.js";
import { button, find, listen, make, rebuild, setLabel, setText } from "./dom.js";
import { errorCard, guarded } from "./errors.js";
import { redo, showHelp, undo } from "./keyboard.js";
import { makeQueue, makeRunControls } from "./queue.js";
import { canEdit, countStates, store, touch, watch } from "./store.js";
import { previewFrame } from "./viewer.js";

const darkPreferred = matchMedia("(prefers-color-scheme: dark)");
const THEMES = ["auto", "light", "dark"];
const HIDDEN_NOTICES = "kadr-hidden-notices";

export function makeHeader() {
  const name = make("h1", { class: "project-name" });
  const state = make("p", { class: "project-state", role: "status" });
  const close = button("Close", guarded(() => call("POST", "/api/close", {})), { class: "quiet small", title: "Back to the start page; running jobs end" });
  const undoButton = button("", undo, { icon: "undo", label: "Undo" });
  const redoButton = button("", redo, { icon: "redo", label: "Redo" });
  const preview = button("Preview", previewFrame, { icon: "brush", title: "Make this frame at once" });
  const second = button("1 s", () => previewFrame(true), { title: "Make one second from this frame on at once", label: "Make one second at once" });
  watch("project frames keys undo redo jobs editable", () => {
    const { project, clip } = store.data;
    setText(name, project ? project.name : "");
    name.title = project ? project.path : "";
    document.title = project ? `${project.name} – kadr studio` : "kadr studio";
    setText(state, stateText());
    for (const [element, entry, word] of [[undoButton, store.data.undo, "Undo"], [redoButton, store.data.redo, "Redo"]]) {
      element.disabled = !canEdit() || !entry;
      element.title = entry ? `${word}: ${entry.label}` : `${word} (Ctrl+${word === "Undo" ? "" : "Shift+"}Z)`;
    }
    preview.disabled = second.disabled = !canEdit() || !clip;
    close.disabled = !store.connected;
  });
  return make("header", { class: "top" },
    make("div", { class: "project" }, name, state),
    makeRunControls(), make("div", { class: "group" }, preview, second), makeQueue(),
    make("div", { class: "group" }, undoButton, redoButton), make("div", { class: "group end" }, makeTheme(),
      button("?", showHelp, { label: "Keyboard shortcuts", title: "Keyboard shortcuts (?)" }), close));
}

function stateText() {
  const { clip, project, problem } = store.data;
  if (!store.connected) return "Connection lost: waiting for kadr";
  if (!clip) return problem ? "Cannot be used" : "Reading the project …";
  const counts = countStates(), total = clip.last - clip.first + 1;
  const parts = [`${counts.current + counts.edited} of ${total} frames up to date`];
  if (counts.stale) parts.push(`${counts.stale} out of date`);
  if (counts.failed) parts.push(`${counts.failed} failed`);
  if (project.stylizer !== "external") parts.push(`keys by ${project.stylizer}`);
  return parts.join(" · ");
}

// Lines across the page: no connection, another kadr at work, a problem of the project.
export function makeBanners() {
  const area = make("div", { class: "banners" });
  const line = make("p", { class: "banner", role: "status" }), problem = make("div");
  area.append(line, problem, makeClipNotices());
  watch("problem editable", () => {
    const { read_only: readOnly } = store.data;
    const text = readOnly ? `${readOnly.message} Looking works; changes do not.` : "";
    line.hidden = !text;
    setText(line, text);
    const { problem: fault } = store.data;
    rebuild(problem, fault ? fault.message : "", () => (fault ? [errorCard(fault)] : []));
    const dismiss = find(".quiet", problem);
    if (dismiss) dismiss.remove();
  });
  return area;
}

// What was found when the clip was opened, until it is hidden; the same lines as kadr info prints.
function makeClipNotices() {
  const list = make("ul", { class: "notices" }), hide = button("Hide", () => {
    localStorage.setItem(HIDDEN_NOTICES, list.dataset.shape);
    touch("clip");
  }, { class: "quiet small" });
  const box = make("div", { class: "banner clip-notices row", role: "status" }, list, hide);
  watch("clip", () => {
    const { notices = [], version } = store.data.clip || {}, shape = `${version} ${notices.join(" ")}`;
    box.hidden = !notices.length || localStorage.getItem(HIDDEN_NOTICES) === shape;
    rebuild(list, shape, () => notices.map((text) => make("li", { text })));
  });
  return box;
}

export function setTheme(theme) {
  localStorage.setItem("kadr-theme", theme);
  document.documentElement.dataset.theme = theme === "auto" ? (darkPreferred.matches ? "dark" : "light") : theme;
  touch("theme", "frames");
}

export function makeTheme() {
  const now = () => localStorage.getItem("kadr-theme") || "auto";
  const element = button("", () => {
    setTheme(THEMES[(THEMES.indexOf(now()) + 1) % THEMES.length]);
    name();
  }, { icon: "theme" });
  const name = () => setLabel(element, `Theme: ${now()}`);
  name();
  listen(darkPreferred, "change", () => setTheme(now()));
  return element;
}
