// The viewer: filmed and restyled frame in one box, with zoom and pan.

import { startJob } from "./connection.js";
import { button, clearCanvas, find, followPointer, listen, make, releaseFocus, setText, stripe, syncList } from "./dom.js";
import { guarded } from "./errors.js";
import { themeColours } from "./paint_timeline.js";
import { makePictureLoader, prefetch } from "./pictures.js";
import { makeComparer } from "./shared/compare.js";
import { chosenTake, STATE_LABELS, canEdit, numberOf, stateOf, store, watch } from "./store.js";

const MODES = [["slider", "Split"], ["flip", "Flip"], ["side", "Side by side"], ["heat", "Heat map"]];
const HOTTEST = 48, HEAT_WIDTH = 480, MOST_ZOOM = 32, GRAB = 18;

const look = { zoom: 1, x: 0.5, y: 0.5 };
let box, comparer, canvases, pair = null, divider, badge, absent, absentText, zoomText, load, fullTimer = 0;
let leftName;

export function makeViewer() {
  const modes = MODES.map(([mode, text]) => {
    const element = button(text, () => setMode(mode));
    element.dataset.mode = mode;
    element.setAttribute("aria-pressed", "false");
    return element;
  });
  canvases = Object.fromEntries(["result", "original", "heat"].map((name) => [name, make("canvas", { class: name })]));
  divider = make("input", { type: "range", min: 0, max: 100, step: 0.5, value: 50,
    "aria-label": "Divider between filmed and restyled" });
  absentText = make("p");
  absent = make("div", { class: "absent" }, absentText,
    button("Make it at once", previewFrame, { class: "small", icon: "brush" }));
  badge = make("span", { class: "badge", hidden: true });
  leftName = make("span", { class: "side left", text: "Filmed" });
  box = make("div", { class: "compare", data: { mode: "slider" } },
    canvases.result, canvases.original, canvases.heat, absent,
    make("span", { class: "edge" }), leftName,
    make("span", { class: "side right", text: "Result" }), badge,
    make("span", { class: "scale", text: `Difference: black 0, white ${HOTTEST} levels of 255 and more` }), divider);
  comparer = makeComparer(box, modes);
  const against = make("select", { "aria-label": "Compare with", class: "small" });
  listen(against, "change", () => { store.against = Number(against.value); reload(); });
  watch("takes", () => {
    const takes = store.data.takes || [];
    if (!chosenTake()) store.against = 0;
    against.hidden = !takes.length;
    syncList(against, [{ id: 0, name: "Filmed" }, ...takes], (take) => take.id,
      (take) => make("option", { value: take.id }), (option, take) => setText(option, take.name));
    against.value = store.against;
    reload();
  });
  zoomText = make("output", { class: "zoom", text: "Fit" });
  const bar = make("div", { class: "viewer-bar" },
    make("div", { class: "modes", role: "group", "aria-label": "Way to compare" }, ...modes, against),
    make("div", { class: "group", role: "group", "aria-label": "Zoom" },
      button("", () => zoomBy(1 / 1.5), { icon: "minus", label: "Zoom out" }), zoomText,
      button("", () => zoomBy(1.5), { icon: "plus", label: "Zoom in" }),
      button("", fit, { icon: "fit", label: "Fit the frame" })));
  load = makePictureLoader((loaded) => {
    const step = pair ? loaded.index - pair.index : 0;
    pair = loaded;
    draw();
    if (Math.abs(step) === 1) prefetch(pair.index, step, store.data.clip.count, 3);
  });
  watch("frame frames clip keys", reload);
  watch("connection", showAbsent);
  addPointer();
  new ResizeObserver(draw).observe(box);
  comparer.setMode(localStorage.getItem("kadr-mode") || "slider");
  return make("section", { class: "viewer", "aria-label": "Viewer" }, bar, box);
}

export function setMode(mode) {
  comparer.setMode(mode);
  localStorage.setItem("kadr-mode", mode);
  draw();
}

// Show the other picture; the first call changes to the flip.
export function flip() {
  if (comparer.mode !== "flip") setMode("flip");
  comparer.flip();
  draw();
}

// Make the frame that is shown ahead of the queue, or one second from it on.
export const previewFrame = guarded((isSecond) => {
  const { clip } = store.data;
  const count = isSecond === true ? Math.min(60, Math.max(1, Math.round(clip.rate))) : 1;
  return startJob("preview", { first: store.frame, last: Math.min(clip.last, store.frame + count - 1) });
});

function reload() {
  const isFull = Boolean(pair && pair.isFull && pair.index === store.frame);
  if (store.data.clip) load(store.frame, isFull);
  showAbsent();
}

function loadFullLater() {
  clearTimeout(fullTimer);
  const { clip, pictures } = store.data;
  if (!clip || !pair || pair.isFull || clip.width <= pictures.width) return;
  if (scaleOf(box.clientWidth, box.clientHeight, pictures) * devicePixelRatio <= 1.1) return;
  fullTimer = setTimeout(() => load(store.frame, true), 160);
}

// Pixels of the screen for one of a picture.
function scaleOf(width, height, picture) {
  return Math.min(width / picture.width, height / picture.height) * look.zoom;
}

function place(canvas, picture) {
  const scale = scaleOf(canvas.width, canvas.height, picture);
  return {
    scale, left: canvas.width / 2 - look.x * picture.width * scale,
    top: canvas.height / 2 - look.y * picture.height * scale,
  };
}

function drawPicture(canvas, picture) {
  const context = clearCanvas(canvas);
  if (!picture || !canvas.width) return;
  const { scale, left, top } = place(canvas, picture);
  context.imageSmoothingEnabled = scale < 4;
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
}

// Stripes where a picture would be: never the filmed frame in its place.
function drawAbsent(canvas, size) {
  const context = clearCanvas(canvas);
  if (!size || !canvas.width) return;
  const { scale, left, top } = place(canvas, size), box = [left, top, size.width * scale, size.height * scale];
  const colours = themeColours();
  context.fillStyle = colours.shade;
  context.fillRect(...box);
  context.strokeStyle = colours.line;
  stripe(context, box, 22 * devicePixelRatio, 6 * devicePixelRatio);
}

function draw() {
  if (!pair) return;
  drawOrAbsent(canvases.original, pair.left);
  setText(leftName, !pair.take ? "Filmed" : pair.left ? pair.take.name : `${pair.take.name}: not made`);
  drawOrAbsent(canvases.result, pair.styled);
  if (comparer.mode === "heat") drawOrAbsent(canvases.heat, pair.styled && pair.left && heatMap(pair.left, pair.styled));
  box.dataset.frame = pair.index;
  setText(zoomText, look.zoom === 1 ? "Fit" : `${Math.round(look.zoom * 100)} %`);
  showAbsent();
  loadFullLater();
}

function drawOrAbsent(canvas, picture) {
  if (picture) drawPicture(canvas, picture);
  else drawAbsent(canvas, pair.filmed || store.data.pictures);
}

// The mean difference of the channels: black, red, yellow, white at HOTTEST levels and above.
function heatMap(left, right) {
  const width = Math.min(HEAT_WIDTH, left.width);
  const height = Math.max(1, Math.round((width * left.height) / left.width));
  const pixels = [left, right].map((picture) => {
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(picture, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  });
  const [a, b] = pixels, heat = new ImageData(width, height);
  for (let i = 0; i < a.length; i += 4) {
    const sum = Math.abs(a[i] - b[i]) + Math.abs(a[i + 1] - b[i + 1]) + Math.abs(a[i + 2] - b[i + 2]);
    // red, then green, then blue fill up: the array clamps to 0–255
    for (let channel = 0; channel < 3; channel += 1) heat.data[i + channel] = ((sum / HOTTEST) - channel) * 255;
    heat.data[i + 3] = 255;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(heat, 0, 0);
  return canvas;
}

// Say in words that there is no picture, and what kind of picture it is if there is one.
function showAbsent() {
  const hasResult = Boolean(pair && pair.styled);
  absent.hidden = !pair || hasResult;
  badge.hidden = !pair || !hasResult || pair.result.kind === "styled";
  if (!pair) return;
  const number = numberOf(pair.index), failure = store.failed[pair.index], state = stateOf(pair.index);
  setText(badge, pair.result.label);
  badge.dataset.kind = pair.result.kind;
  let text = `Frame ${number} is ${STATE_LABELS[state]}`;
  if (state === "failed" && failure) text = `Frame ${number} failed: ${failure}`;
  else if (pair.result.url) text = `The picture of frame ${number} cannot be loaded`;
  setText(absentText, text);
  find("button", absent).disabled = !canEdit() || state === "outside";
}

function fit() {
  Object.assign(look, { zoom: 1, x: 0.5, y: 0.5 });
  draw();
}

function zoomBy(factor, clientX = null, clientY = null) {
  if (!pair || !pair.filmed) return;
  const zoom = Math.min(MOST_ZOOM, Math.max(1, look.zoom * factor));
  if (clientX !== null) {
    const canvas = canvasAt(clientX), edge = canvas.getBoundingClientRect();
    const { scale } = place(canvas, pair.filmed);
    const perPixel = devicePixelRatio / scale;
    const away = 1 - look.zoom / zoom;
    look.x += ((clientX - edge.left - edge.width / 2) * perPixel * away) / pair.filmed.width;
    look.y += ((clientY - edge.top - edge.height / 2) * perPixel * away) / pair.filmed.height;
  }
  look.zoom = zoom;
  if (zoom === 1) Object.assign(look, { x: 0.5, y: 0.5 });
  keepInside();
  draw();
}

function keepInside() {
  look.x = Math.min(1, Math.max(0, look.x));
  look.y = Math.min(1, Math.max(0, look.y));
}

function canvasAt(clientX) {
  const edge = box.getBoundingClientRect();
  const isLeft = comparer.mode === "side" && clientX < edge.left + edge.width / 2;
  return isLeft ? canvases.original : canvases.result;
}

function panBy(dx, dy) {
  if (!pair || !pair.filmed) return;
  const { scale } = place(canvases.result, pair.filmed);
  look.x -= (dx * devicePixelRatio) / scale / pair.filmed.width;
  look.y -= (dy * devicePixelRatio) / scale / pair.filmed.height;
  keepInside();
  draw();
}

// In a split view dragging moves the divider; zoomed, only near it, and pans elsewhere.
function movesDivider(event) {
  if (comparer.mode !== "slider" || event.button === 1) return false;
  if (look.zoom === 1) return true;
  const edge = box.getBoundingClientRect();
  return Math.abs(event.clientX - edge.left - (divider.value / 100) * edge.width) < GRAB;
}

function addPointer() {
  listen(box, "pointerdown", (event) => {
    if (event.target.closest("button") || event.button > 1) return;
    const isDivider = movesDivider(event);
    let { clientX: x, clientY: y } = event, distance = 0;
    if (isDivider) comparer.moveDivider(x);
    releaseFocus();
    followPointer(event, box, ({ clientX, clientY }) => {
      const dx = clientX - x, dy = clientY - y;
      [x, y] = [clientX, clientY];
      distance += Math.abs(dx) + Math.abs(dy);
      if (isDivider) comparer.moveDivider(x);
      else panBy(dx, dy);
    }, (last) => {
      if (distance < 4 && last.type === "pointerup" && comparer.mode === "flip") flip();
    });
  });
  listen(box, "dblclick", fit);
  listen(box, "wheel", (event) => {
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY * 0.0016), event.clientX, event.clientY);
  }, { passive: false });
}
