// The panel of keys: suggested ones, those to paint and painted ones; files dropped onto them.

import { edit, putPicture, startJob } from "./connection.js";
import { button, filePicker, find, hint, icon, listen, make, plural, rebuild, row, setText, syncList } from "./dom.js";
import { clearErrors, errorCard, guarded, say, showError } from "./errors.js";
import { copyButton, folderButtons } from "./folders.js";
import { filmedUrl } from "./pictures.js";
import { editRangeOfKey } from "./ranges.js";
import { percent } from "./shared/curves.js";
import { stylizerPicker } from "./stylizers.js";
import {
  activeJobs, canEdit, goTo, indexOf, keyAt, keys, numberOf, openSuggestions, rangeOf, select,
  store, watch,
} from "./store.js";

const KEY_STATES = { painted: "painted", "to-paint": "waits for paint", made: "made by the stylizer" };

let list, next, planButton, acceptAll, addButton, overButton, stylizeRow, stylizeButton, picker, budget, place;

export function makeKeysPanel() {
  list = make("ul", { class: "keys", "aria-label": "Keys and suggested keys" });
  budget = make("input", { type: "number", min: 1, max: 200, value: 5, id: "plan-budget", class: "short" });
  planButton = button("Suggest keys", guarded(suggest), { class: "small" });
  acceptAll = button("Accept all", guarded(acceptEvery), { class: "small" });
  addButton = button("Add key here", guarded(() => addKey(store.frame)), { icon: "plus", class: "small", title: "Add a key at this frame (Enter)" });
  overButton = button("Paint over this frame", guarded(paintOver), { icon: "brush", class: "small", title: "Take the finished frame as a new key to paint over" });
  next = make("div", { class: "next", hidden: true });
  picker = stylizerPicker("Stylize keys with");
  stylizeButton = button("Stylize", guarded(stylizeWaiting), { class: "small", icon: "brush" });
  stylizeRow = make("div", { class: "stylize place" }, picker.element, stylizeButton);
  const picked = filePicker("Painted pictures", "image/*", (files) => dropFiles(files), true);
  place = make("div", { class: "place" });
  const folders = row(
    ...folderButtons("paint", () => store.data.project.paint_path),
    button("Drop or choose painted files", () => picked.click(), { icon: "upload", class: "quiet small" }), picked);
  watch("keys suggestions frames frame selection jobs project ranges options editable", update);
  return make("div", { class: "panel-body" },
    row(addButton, overButton),
    row(planButton,
      make("label", { for: "plan-budget", text: "at most" }), budget, acceptAll),
    next, stylizeRow, list, place, folders,
    hint("Saving a file in the folder updates the page. Files dropped anywhere become keys by the number in their name, or of the frame that is shown."));
}

export const addKey = (index) => edit("POST", `/api/keys/${index}`, { source: "input" }).then(() => select(index));

async function paintOver() {
  const index = store.frame;
  await edit("POST", `/api/keys/${index}`, { source: "styled" });
  select(index);
  say(`Frame ${numberOf(index)} lies in the folder to paint over`);
}

export const suggest = () => startJob("plan", budget && budget.value ? { budget: Number(budget.value) } : {});

export async function acceptEvery() {
  for (const item of openSuggestions()) await edit("POST", `/api/keys/${item.index}`, { source: "input" });
}

export async function stylizeWaiting() {
  const frames = keys().filter((key) => key.state === "to-paint").map((key) => key.index);
  await startJob("stylize", { frames, stylizer: picker.name, options: picker.options });
}

export const chosenStylizer = () => picker.name;

async function removeKey(index) {
  await edit("DELETE", `/api/keys/${index}`);
  say("Key removed; Undo brings it back");
}

export function goToNext() {
  const item = store.data.suggestions && store.data.suggestions.next;
  if (item) { goTo(item.index); select(item.index); }
}

// The frame that a file name tells: its last group of digits, as in frame_00012.png.
function frameOfName(name) {
  const digits = name.replace(/\.[^.]*$/, "").match(/\d+(?=\D*$)/);
  return digits ? indexOf(Number(digits[0])) : -1;
}

// Painted pictures become keys; one file may be meant for a certain frame.
export async function dropFiles(files, index = null) {
  clearErrors(place);
  for (const file of files) {
    const named = frameOfName(file.name);
    const target = index ?? (named >= 0 ? named : files.length === 1 ? store.frame : -1);
    if (target < 0) {
      showError({ message: `${file.name}: no frame number in its name; drop it alone onto a key or a frame` }, place);
      continue;
    }
    await putKey(target, file);
  }
}

async function putKey(index, file) {
  try {
    await putPicture(index, file);
    select(index);
    goTo(index);
    say(`${file.name} is the key of frame ${numberOf(index)}`);
  } catch (error) {
    const row = find(`[data-id="${index}"]`, list);
    showError(error, row || place, () => putKey(index, file));
  }
}

function update() {
  const { clip, project, suggestions } = store.data;
  const editable = canEdit();
  for (const element of [addButton, overButton, planButton, acceptAll]) element.disabled = !editable;
  if (!clip || !project) return;
  const waiting = keys().filter((key) => key.state === "to-paint");
  const isPainted = project.stylizer === "external";
  const hasFinished = Boolean(store.versions[store.frame]);
  addButton.disabled = !editable || Boolean(keyAt(store.frame)) || store.frame < clip.first || store.frame > clip.last;
  overButton.disabled = !editable || !hasFinished;
  planButton.disabled = !editable || activeJobs().some((job) => job.kind === "plan");
  acceptAll.hidden = openSuggestions().length < 2;
  stylizeRow.hidden = !isPainted || !waiting.length;
  setText(find("span", stylizeButton), `Stylize ${plural(waiting.length, "key")} that wait${waiting.length === 1 ? "s" : ""}`);
  stylizeButton.disabled = !editable || activeJobs().some((job) => job.kind === "stylize");
  setText(find("span", planButton), suggestions && !suggestions.current ? "Suggest keys again" : "Suggest keys");
  showNext(suggestions);
  const rows = [...keys(), ...openSuggestions().map(({ index, first, last }) => ({ index, first, last, state: "suggested" }))];
  rows.sort((a, b) => a.index - b.index);
  syncList(list, rows, (row) => row.index, makeRow, updateRow);
}

function showNext(suggestions) {
  const item = suggestions && suggestions.next;
  next.hidden = !item;
  if (!item) return;
  const text = `Next worth painting: frame ${numberOf(item.index)}. It would explain ${percent(item.gain)} more`
    + `${item.measured ? ", measured in the last run" : ", as the plan estimates"}.`;
  rebuild(next, text, () => [make("p", { text }), row(
    button("Show it", goToNext, { class: "small", title: "Show the next frame worth painting (N)" }),
    button("Make it a key", guarded(() => addKey(item.index)), { class: "small" }))]);
}

function makeRow(item) {
  const row = make("li", { class: "key-row" });
  const show = () => { select(item.index); goTo(item.index); };
  row.append(
    make("button", { type: "button", class: "key-head", on: { click: show } },
      make("img", { alt: "", loading: "lazy", width: 80, height: 45 }),
      make("span", { class: "key-text" }, make("b"), make("span", { class: "key-state" }), make("span", { class: "key-range" }))),
    make("div", { class: "row key-actions place" }));
  listen(row, "dragover", (event) => { event.preventDefault(); row.classList.add("drop"); });
  listen(row, "dragleave", () => row.classList.remove("drop"));
  listen(row, "drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    row.classList.remove("drop");
    dropFiles([...event.dataTransfer.files].slice(0, 1), item.index);
  });
  return row;
}

function updateRow(row, item) {
  const isSuggested = item.state === "suggested", isSelected = store.selected === item.index;
  const number = numberOf(item.index), { first, last } = isSuggested ? item : rangeOf(item);
  row.className = `key-row ${item.state}${isSelected ? " selected" : ""}${item.error ? " bad" : ""}`;
  find(".key-head", row).setAttribute("aria-pressed", String(isSelected));
  setText(find("b", row), `Frame ${number}`);
  setText(find(".key-state", row), isSuggested ? "suggested" : KEY_STATES[item.state]);
  const hasRange = isSuggested || item.range || item.state !== "to-paint";
  setText(find(".key-range", row), !hasRange ? "" : `${numberOf(first)}–${numberOf(last)}${item.range ? ", set by hand" : ""}`);
  const image = find("img", row);
  const url = isSuggested || !item.version ? filmedUrl(item.index) : `/api/keys/${item.index}/image.jpg?v=${item.version}`;
  if (image.getAttribute("src") !== url) image.src = url;
  updateActions(row, item, number, isSuggested, isSelected);
  const message = item.error ? item.error.message : "";
  if ((row.dataset.error || "") !== message) {
    row.dataset.error = message;
    clearErrors(row);
    if (item.error) row.append(errorCard(item.error));
  }
}

// The buttons of a row are made again only if other ones are needed.
function updateActions(row, item, number, isSuggested, isSelected) {
  const actions = find(".key-actions", row);
  const shape = `${item.state} ${isSelected} ${item.range} ${canEdit()}`;
  if (actions.dataset.shape === shape) return;
  const hadFocus = actions.contains(document.activeElement);
  actions.dataset.shape = shape;
  const named = (text, label, action, options = {}) => {
    const element = button(text, guarded(action), { class: "small", label: `${label} ${number}`, ...options });
    element.disabled = !canEdit();
    return element;
  };
  if (isSuggested) {
    actions.replaceChildren(named("Accept", "Accept suggested key", () => addKey(item.index), { class: "small primary" }));
  } else if (isSelected) actions.replaceChildren(...keyActions(item, named));
  else actions.replaceChildren();
  if (hadFocus) find(".key-head", row).focus();
}

function keyActions(item, named) {
  const download = make("a", { class: "button small quiet", href: `/api/keys/${item.index}/file`, download: "" }, icon("download"), make("span", { text: "Download" }));
  const replace = filePicker(`Painted picture of key ${numberOf(item.index)}`, "image/*", (files) => dropFiles(files, item.index));
  const actions = [download, named("Replace", "Replace key", () => replace.click(), { icon: "upload", class: "small quiet" }), replace,
    copyButton(() => item.path),
    named("First here (I)", "Range begins here, key", () => editRangeOfKey("first"), { class: "small quiet" }),
    named("Last here (O)", "Range ends here, key", () => editRangeOfKey("last"), { class: "small quiet" })];
  if (item.range) {
    actions.push(named("Range by itself", "Remove the range of key",
      () => edit("PUT", `/api/keys/${item.index}/range`, { first: null, last: null }, { again: true }), { class: "small quiet" }));
  }
  actions.push(named("Remove", "Remove key", () => removeKey(item.index), { icon: "trash", class: "small quiet" }));
  return actions;
}

