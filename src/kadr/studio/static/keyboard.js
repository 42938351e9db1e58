// The keyboard: what each key does, and the dialog that lists it under "?".

import { edit } from "./connection.js";
import { button, hint, listen, make } from "./dom.js";
import { guarded } from "./errors.js";
import { addKey, goToNext } from "./keys.js";
import { editRangeOfKey } from "./ranges.js";
import { canEdit, goTo, keyAt, select, store } from "./store.js";
import { showAll, zoomTimeline } from "./timeline.js";
import { goToKey, secondInFrames, shuttle, stepBy, togglePlay } from "./transport.js";
import { flip } from "./viewer.js";

const LETTERS_OFF = "kadr-letters-off";

export const undo = guarded(() => edit("POST", "/api/undo"));
export const redo = guarded(() => edit("POST", "/api/redo"));
const makeKey = guarded(() => (keyAt(store.frame) ? select(store.frame) : addKey(store.frame)));

// Keys as people read them, what they do, the value of event.key, whether it is a letter.
const KEYS = [
  ["← →", "previous, next frame", { ArrowLeft: () => stepBy(-1), ArrowRight: () => stepBy(1) }],
  ["Shift + ← →", "one second back, on", {
    "Shift+ArrowLeft": () => stepBy(-secondInFrames()), "Shift+ArrowRight": () => stepBy(secondInFrames()) }],
  ["↑ ↓", "previous, next key or suggested key", { ArrowUp: () => goToKey(-1), ArrowDown: () => goToKey(1) }],
  ["Home, End", "first, last frame", { Home: () => goTo(0), End: () => goTo(Infinity) }],
  ["Space", "play, pause", { " ": togglePlay }],
  ["J K L", "play backwards, stop, play; again: twice as fast", {
    j: () => shuttle(-1), k: () => shuttle(0), l: () => shuttle(1) }],
  ["Enter", "make the frame a key", { Enter: makeKey }],
  ["I, O", "the selected key styles from, to this frame", {
    i: () => editRangeOfKey("first"), o: () => editRangeOfKey("last") }],
  ["N", "next frame worth painting", { n: goToNext }],
  ["B", "flip between the filmed frame and the result", { b: flip }],
  ["+ − 0", "timeline: fewer frames, more frames, the whole clip", {
    "+": () => zoomTimeline(1 / 1.6), "=": () => zoomTimeline(1 / 1.6), "-": () => zoomTimeline(1.6), 0: showAll }],
  ["Ctrl + Z, Ctrl + Shift + Z", "undo, redo", { "Ctrl+z": undo, "Ctrl+Shift+z": redo, "Ctrl+y": redo }],
  ["?", "this list", { "?": () => dialog.showModal() }],
];
const ACTIONS = Object.assign({}, ...KEYS.map(([, , actions]) => actions));
const EDITS = new Set(["Enter", "i", "o", "Ctrl+z", "Ctrl+Shift+z", "Ctrl+y"]);

let dialog;

export function makeHelp() {
  const letters = make("input", { type: "checkbox", id: "letters" });
  letters.checked = !localStorage.getItem(LETTERS_OFF);
  listen(letters, "change", () => {
    if (letters.checked) localStorage.removeItem(LETTERS_OFF);
    else localStorage.setItem(LETTERS_OFF, "yes");
  });
  const rows = KEYS.map(([names, text]) => make("div", {}, make("dt", {}, make("kbd", { text: names })), make("dd", { text })));
  dialog = make("dialog", { "aria-labelledby": "help-title" },
    make("h2", { id: "help-title", text: "Keyboard" }), make("dl", { class: "shortcuts" }, ...rows),
    make("p", {}, letters, make("label", { for: "letters", text: " Letters and digits work as shortcuts" })),
    hint("The ends of the selected key's range are sliders on the timeline: Tab reaches them, arrows move them."),
    button("Close", () => dialog.close(), { class: "primary" }));
  return dialog;
}

export const showHelp = () => dialog.showModal();

export function listenToKeyboard() {
  listen(document, "keydown", (event) => {
    if (!store.data.clip || dialog.open || event.defaultPrevented) return;
    const name = keyName(event), action = ACTIONS[name];
    if (!action || isForElement(event, name)) return;
    if (isLetter(name) && localStorage.getItem(LETTERS_OFF)) return;
    event.preventDefault();
    if (EDITS.has(name) && !canEdit()) return;
    action();
  });
}

function keyName(event) {
  if (event.altKey) return "";
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) return `Ctrl+${event.shiftKey ? "Shift+" : ""}${key}`;
  return event.shiftKey && key.length > 1 ? `Shift+${key}` : key;
}

const isLetter = (name) => name.length === 1 && name !== " " && name !== "?";

// Whether the focused element needs the key itself.
function isForElement(event, name) {
  const { target } = event;
  if (!(target instanceof Element)) return false;
  if (target.matches("textarea, select, input:not([type=range]):not([type=checkbox])")) return true;
  if (target.matches("input[type=range]:not(.frame), [role=slider]")) return name.includes("Arrow") || name === "Home" || name === "End";
  const isPressable = target.matches("button, a, summary, input[type=checkbox]") && target.matches(":focus-visible");
  if (isPressable && (name === " " || name === "Enter")) return true;
  return target.matches("[role=tab]") && (name === "ArrowLeft" || name === "ArrowRight");
}
