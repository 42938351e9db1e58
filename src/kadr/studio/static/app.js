// READ FIRST: the page is put together here; what it knows lies in store.js.

import { followEvents } from "./connection.js";
import { find, listen, make } from "./dom.js";
import { makeErrorArea } from "./errors.js";
import { makeBanners, makeHeader, makeTheme, setTheme } from "./header.js";
import { listenToKeyboard, makeHelp } from "./keyboard.js";
import { dropFiles, makeKeysPanel } from "./keys.js";
import { makeNextStep } from "./next_step.js";
import { makePanel } from "./panel.js";
import { makeFollow } from "./queue.js";
import { makeStart, uploadClip } from "./start.js";
import { goTo, indexOf, numberOf, store, touch, watch } from "./store.js";
import { makeLayersPanel, makeOutputPanel, makeStylePanel } from "./style.js";
import { makeTimeline } from "./timeline.js";
import { makeTransport } from "./transport.js";
import { makeViewer } from "./viewer.js";

setTheme(localStorage.getItem("kadr-theme") || "auto");

const start = makeStart();
const help = makeHelp();
const startTop = make("div", { class: "start-top", hidden: true }, make("b", { text: "kadr studio" }), makeTheme());
const editor = make("div", { class: "editor", hidden: true },
  makeHeader(), makeBanners(),
  make("main", { class: "stage" }, makeViewer(), makeTransport(makeFollow()), makeTimeline()),
  makePanel([["Keys", makeKeysPanel()], ["Layers", makeLayersPanel()], ["Style", makeStylePanel()], ["Output", makeOutputPanel()]],
    makeNextStep()));
find("#app").append(startTop, start, editor, makeErrorArea(), help);

watch("project start connection", () => {
  const isOpen = Boolean(store.data.project);
  editor.hidden = !isOpen;
  start.hidden = startTop.hidden = isOpen || !store.data.start;
  find("#loading").hidden = isOpen || Boolean(store.data.start);
  document.body.classList.toggle("is-lost", !store.connected);
});

// The address keeps project and frame, for a reload and for a link.
let restored = "";
watch("clip project", () => {
  const { project, clip } = store.data;
  if (!project || !clip || restored === `${project.path} ${clip.version}`) return;
  restored = `${project.path} ${clip.version}`;
  const parts = new URLSearchParams(location.hash.slice(1));
  const index = parts.get("project") === project.name ? indexOf(Number(parts.get("frame"))) : -1;
  store.frame = Math.min(store.frame, clip.count - 1);
  store.selected = null;
  goTo(index >= 0 ? index : clip.first);
  touch("frame", "selection");
});
let saving = 0;
watch("frame", () => {
  clearTimeout(saving);
  saving = setTimeout(() => {
    if (!store.data.project) return;
    const parts = new URLSearchParams({ project: store.data.project.name, frame: numberOf(store.frame) });
    history.replaceState(null, "", `#${parts}`);
  }, 250);
});

// Files dropped anywhere: a clip on the start page, painted keys in a project.
listen(document, "dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
for (const type of ["dragleave", "drop"]) {
  listen(document, type, () => document.body.classList.remove("dragging"));
}
listen(document, "drop", (event) => {
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  if (!files.length) return;
  if (store.data.project) dropFiles(files);
  else uploadClip(files[0]);
});

listenToKeyboard();
followEvents();
