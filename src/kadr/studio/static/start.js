// The start page: open a clip or a project, or try the sample.

import { call, upload } from "./connection.js";
import { button, filePicker, icon, listen, make, row, setProgress, setText, syncList } from "./dom.js";
import { guarded, showError } from "./errors.js";
import { store, watch } from "./store.js";

let bar, barText, progress, place;

export function makeStart() {
  const path = make("input", { type: "text", id: "open-path", placeholder: "/home/you/clip.mp4", autocomplete: "off", spellcheck: "false" });
  const picker = filePicker("Clip to open", "video/*,.mkv,.mxf,.gif", ([file]) => uploadClip(file));
  place = make("div", { class: "place" });
  bar = make("progress", { max: 1, "aria-label": "Upload" });
  barText = make("span");
  progress = make("div", { class: "upload", hidden: true, role: "status" }, bar, barText);
  const form = make("form", { class: "row" }, make("label", { for: "open-path", text: "Path on this machine" }), path,
    make("button", { type: "submit", text: "Open" }));
  listen(form, "submit", (event) => {
    event.preventDefault();
    if (path.value.trim()) open(path.value.trim());
  });
  const recent = makeList("Recent projects"), nearby = makeList("In this folder");
  watch("start", () => {
    const { start } = store.data;
    if (!start) return;
    const folder = start.folder || { path: "", projects: [], clips: [] };
    fillList(recent, start.recent);
    fillList(nearby, [...folder.projects, ...folder.clips]);
    setText(nearby.firstElementChild, folder.path ? `In ${folder.path}` : "In this folder");
    if (start.busy) showProgress(start.busy, null);
    else if (bar.dataset.own !== "yes") progress.hidden = true;
  });
  return make("main", { class: "start", hidden: true },
    make("div", { class: "hero" },
      make("h1", { text: "Restyle a clip from a few painted frames" }),
      make("p", { text: "Open a clip. kadr suggests the frames worth painting; paint them in your own editor or let kadr stylize them, and it paints all others." })),
    make("div", { class: "drop-zone" }, icon("upload"), make("p", { text: "Drop a clip here" }),
      row(
        button("Choose a clip", () => picker.click(), { class: "primary" }), picker,
        button("Try the sample", guarded(openSample, place), {}))),
    progress, place, form, recent, nearby);
}

function makeList(title) {
  return make("section", { hidden: true }, make("h2", { text: title }), make("ul", { class: "projects" }));
}

function fillList(section, items) {
  section.hidden = !items.length;
  syncList(section.lastElementChild, items, (item) => item.path, (item) => make("li", {},
    make("button", { type: "button", class: "project", on: { click: () => open(item.path) } },
      make("b", { text: item.name }), make("span", { text: item.path }))), () => {});
}

function showProgress(text, share) {
  progress.hidden = false;
  setText(barText, text);
  setProgress(bar, share);
}

async function withProgress(text, action) {
  place.replaceChildren();
  bar.dataset.own = "yes";
  showProgress(text, null);
  try {
    await action();
  } catch (error) {
    showError(error, place);
  } finally {
    bar.dataset.own = "";
    progress.hidden = true;
  }
}

const open = (path) => withProgress(`Opening ${path}`, () => call("POST", "/api/open", { path }));
const openSample = () => withProgress("Making the sample", () => call("POST", "/api/sample", {}));

export function uploadClip(file) {
  if (!file) return;
  const limit = store.data.start && store.data.start.upload_limit;
  if (limit && file.size > limit) {
    showError({ message: `${file.name}: larger than ${Math.round(limit / 1e9)} GB; open it by its path instead` }, place);
    return;
  }
  withProgress(`Copying ${file.name}`, () => upload(file, (share) => showProgress(`Copying ${file.name}`, share)));
}
