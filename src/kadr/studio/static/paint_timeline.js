// Draw the timeline and the overview: thumbnails, cuts, states, keys, ranges, curves.

import { clearCanvas, clipTo, stripe, trace } from "./dom.js";
import { thumbnailSheet } from "./pictures.js";
import { curveSegments } from "./shared/curves.js";
import { STATES, keys, numberOf, openSuggestions, rangeOf, store } from "./store.js";

// Lanes from the top: y and height in CSS pixels.
export const LANES = {
  ruler: [0, 18], thumbnails: [18, 46], states: [66, 14], keys: [83, 24],
  ranges: [109, 14], ranges2: [125, 14], curves: [145, 54],
};
export const TIMELINE_HEIGHT = 203, OVERVIEW_HEIGHT = 34;

// Of several frames on one pixel the state that comes first here is drawn.
const URGENCY = ["failed", "working", "stale", "not-made", "queued", "edited", "current", "outside"]
  .map((state) => STATES.indexOf(state));

// Canvases do not understand light-dark(): the colours of the style sheet that hold now, by name.
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, name) => style.getPropertyValue(`--${name}`).trim() });
}

function prepare(canvas) {
  const context = clearCanvas(canvas);
  context.scale(devicePixelRatio, devicePixelRatio);
  context.font = "11px system-ui, sans-serif";
  return { context, width: canvas.clientWidth, colours: themeColours() };
}

export function drawTimeline(canvas, view, onThumbnail) {
  const { context, width, colours } = prepare(canvas);
  const x = (frame) => ((frame - view.first) / view.span) * width;
  const scene = { context, width, colours, view, x };
  context.fillStyle = colours.shade;
  for (const lane of ["thumbnails", "curves"]) context.fillRect(0, LANES[lane][0], width, LANES[lane][1]);
  drawRuler(scene);
  drawThumbnails(scene, LANES.thumbnails, onThumbnail);
  drawStates(scene, LANES.states);
  drawCurves(scene);
  drawRanges(scene);
  drawCuts(scene, 18, TIMELINE_HEIGHT);
  drawKeys(scene);
  drawOutside(scene, TIMELINE_HEIGHT);
  drawPlayhead(scene, 0, TIMELINE_HEIGHT);
}

export function drawOverview(canvas, window, onThumbnail) {
  const { context, width, colours } = prepare(canvas), { count } = store.data.clip;
  const view = { first: 0, span: count };
  const scene = { context, width, colours, view, x: (frame) => (frame / count) * width };
  context.fillStyle = colours.shade;
  context.fillRect(0, 0, width, OVERVIEW_HEIGHT);
  drawThumbnails(scene, [0, 25], onThumbnail);
  drawStates(scene, [26, 8]);
  drawCuts(scene, 0, OVERVIEW_HEIGHT);
  context.fillStyle = colours.key;
  for (const key of keys()) { diamond(context, scene.x(key.index + 0.5), 22, 4); context.fill(); }
  drawPlayhead(scene, 0, OVERVIEW_HEIGHT);
  const left = scene.x(window.first), right = scene.x(window.first + window.span);
  veil(context, colours.paper, 0.6, [0, 0, left, OVERVIEW_HEIGHT], [right, 0, width - right, OVERVIEW_HEIGHT]);
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.strokeRect(left + 1, 1, Math.max(6, right - left - 2), OVERVIEW_HEIGHT - 2);
}

function drawRuler({ context, width, colours, view, x }) {
  const fewest = (view.span / width) * 64;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, fewest)));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= fewest));
  context.fillStyle = colours.soft;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  const { count } = store.data.clip;
  for (let frame = Math.ceil(view.first / step) * step; frame < Math.min(count, view.first + view.span); frame += step) {
    const left = Math.round(x(frame)) + 0.5;
    trace(context, left, 4, left, 18);
    context.stroke();
    context.fillText(String(numberOf(frame)), left + 4, 9);
  }
}

function drawThumbnails({ context, width, x, view }, [top, height], onThumbnail) {
  const { clip, pictures } = store.data;
  if (!pictures || !pictures.sheet) return;
  const { frames: perSheet, columns, width: cellWidth, height: cellHeight } = pictures.sheet;
  const thumbWidth = Math.max(8, (height * cellWidth) / cellHeight);
  const frameWidth = width / view.span;
  const step = Math.max(1, Math.round(thumbWidth / frameWidth));
  const start = Math.floor(view.first / step) * step;
  for (let frame = start; frame < Math.min(clip.count, view.first + view.span); frame += step) {
    const sheet = thumbnailSheet(Math.floor(frame / perSheet), onThumbnail);
    if (!sheet) continue;
    const cell = frame % perSheet;
    const left = x(frame), right = x(frame + step);
    clipTo(context, left, top, right - left, height);
    // a cell at the middle of its frames, as many pixels wide as its shape needs
    const shown = Math.min(thumbWidth, Math.max(right - left, thumbWidth));
    context.drawImage(sheet, (cell % columns) * cellWidth, Math.floor(cell / columns) * cellHeight,
      cellWidth, cellHeight, (left + right - shown) / 2, top, shown, height);
    context.restore();
  }
}

// Neighbouring pixels or frames of one state become one bar; its shape says the state too.
function drawStates(scene, lane) {
  const { view, width, x } = scene;
  const last = Math.min(store.states.length, Math.ceil(view.first + view.span));
  const step = Math.max(1, Math.floor(view.span / width));
  let runState = -1, runStart = 0;
  const first = Math.max(0, Math.floor(view.first / step) * step);
  for (let frame = first; frame <= last; frame += step) {
    const state = frame < last ? mostUrgent(frame, Math.min(last, frame + step)) : -1;
    if (state === runState) continue;
    if (runState >= 0) drawState(scene, lane, STATES[runState], x(runStart), x(Math.min(last, frame)));
    runState = state;
    runStart = frame;
  }
  if (width / view.span >= 9) drawFrameEdges(scene, lane, first, last);
}

function mostUrgent(start, stop) {
  let best = URGENCY.length - 1;
  for (let frame = start; frame < stop; frame += 1) {
    best = Math.min(best, URGENCY.indexOf(store.states[frame]));
  }
  return URGENCY[best];
}

// The mark of a state, for the legend.
export function drawSwatch(canvas, state) {
  const scene = prepare(canvas);
  drawState(scene, [0, 12], state, 0, scene.width);
}

function drawState({ context, colours }, [top, height], state, left, right) {
  const width = Math.max(1.5, right - left), middle = top + height / 2;
  context.fillStyle = colours[`state-${state}`] || colours.soft;
  if (state === "current") context.fillRect(left, top, width, height);
  else if (state === "edited") {
    context.fillRect(left, top, width, height);
    context.fillStyle = colours.paper;
    context.fillRect(left, middle - 1, width, 2);
  } else if (state === "stale") {
    context.strokeStyle = context.fillStyle;
    stripe(context, [left, top, width, height], 7, 3);
  } else if (state === "queued") context.fillRect(left, middle - 1.5, width, 3);
  else if (state === "not-made") context.fillRect(left, top + height - 2, width, 2);
  else if (state === "working") {
    trace(context, left, top, left + Math.max(width, 8), middle, left, top + height);
    context.fill();
  } else if (state === "failed") cross(context, (left + right) / 2, middle, height / 2 - 1);
}

function cross(context, x, y, size) {
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 2.5;
  for (const way of [size, -size]) {
    trace(context, x - way, y - size, x + way, y + size);
    context.stroke();
  }
}

function drawFrameEdges({ context, colours, x }, [top, height], first, last) {
  context.fillStyle = colours.paper;
  for (let frame = first + 1; frame < last; frame += 1) context.fillRect(x(frame) - 0.5, top, 1, height);
}

function drawCurves({ context, width, colours, view }) {
  const { error, coverage } = store.data.curves || {};
  const [top, height] = LANES.curves;
  const shape = { first: view.first, span: view.span, width, height };
  const at = (points) => points.flatMap(([x, y]) => [x, top + y]);
  if (error) {
    const largest = error.reduce((most, value) => Math.max(most, value || 0), 0.05);
    for (const points of curveSegments(error, { ...shape, top: largest })) {
      trace(context, ...at(points));
      context.strokeStyle = colours.curve;
      context.lineWidth = 1.75;
      context.stroke();
      context.lineTo(points[points.length - 1][0], top + height);
      context.lineTo(points[0][0], top + height);
      context.fillStyle = colours.area;
      context.fill();
    }
  }
  if (coverage) {
    context.setLineDash([5, 4]);
    context.strokeStyle = colours.plan;
    context.lineWidth = 1.25;
    for (const points of curveSegments(coverage, { ...shape, top: 1, pick: Math.min })) {
      trace(context, ...at(points));
      context.stroke();
    }
    context.setLineDash([]);
  }
}

export const rangeLane = (position) => LANES[position % 2 ? "ranges2" : "ranges"];

function drawRanges({ context, colours, x }) {
  keys().forEach((key, position) => {
    const [top, height] = rangeLane(position), { first, last } = rangeOf(key);
    if (key.state === "to-paint" && first === last) return;
    const left = x(first), right = x(last + 1), isSelected = key.index === store.selected;
    context.fillStyle = colours["key-fill"];
    context.strokeStyle = isSelected ? colours.ink : colours.key;
    context.lineWidth = isSelected ? 2 : 1;
    // a range that was set by hand has a solid outline
    context.setLineDash(key.range || isSelected ? [] : [3, 3]);
    context.beginPath();
    context.roundRect(left + 1, top + 1, Math.max(2, right - left - 2), height - 2, 4);
    context.fill();
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colours.key;
    diamond(context, x(key.index + 0.5), top + height / 2, 3);
    context.fill();
  });
}

function diamond(context, x, y, size) {
  trace(context, x, y - size, x + size, y, x, y + size, x - size, y);
  context.closePath();
}

function drawKeys({ context, colours, x, width }) {
  const [top, height] = LANES.keys, y = top + height / 2;
  context.strokeStyle = colours.key;
  context.lineWidth = 1.75;
  for (const item of openSuggestions()) drawSuggestion(context, x(item.index + 0.5), y, colours);
  const next = store.data.suggestions && store.data.suggestions.next;
  if (next) drawNext(context, x(next.index + 0.5), y, colours);
  for (const key of keys()) {
    const left = x(key.index + 0.5);
    if (left < -20 || left > width + 20) continue;
    context.fillStyle = key.state === "to-paint" ? colours.paper : colours.key;
    context.strokeStyle = key.error ? colours["state-failed"] : colours.key;
    diamond(context, left, y, 8);
    if (key.state === "made") {
      context.beginPath();
      context.arc(left, y, 6, 0, Math.PI * 2);
    }
    context.fill();
    context.stroke();
    if (key.error) cross(context, left, y, 8);
    if (key.index !== store.selected) continue;
    context.strokeStyle = colours.ink;
    context.strokeRect(left - 11, y - 11, 22, 22);
  }
}

function drawSuggestion(context, x, y, colours) {
  context.strokeStyle = colours.soft;
  context.setLineDash([3, 2]);
  diamond(context, x, y, 8);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colours.soft;
  context.fillRect(x - 3.5, y - 0.75, 7, 1.5);
  context.fillRect(x - 0.75, y - 3.5, 1.5, 7);
}

function drawNext(context, x, y, colours) {
  context.fillStyle = colours.curve;
  trace(context, x, y - 2, x + 5, y + 8, x - 5, y + 8);
  context.fill();
  context.textAlign = "center";
  context.fillText("N", x, y - 8);
  context.textAlign = "start";
}

function drawCuts({ context, colours, x }, top, bottom) {
  const { suggestions } = store.data;
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.5;
  context.setLineDash([2, 3]);
  for (const cut of (suggestions && suggestions.cuts) || []) {
    trace(context, x(cut), top, x(cut), bottom);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawOutside({ context, colours, x, width }, height) {
  const { first, last } = store.data.clip;
  veil(context, colours.paper, 0.65, [0, 0, x(first), height], [x(last + 1), 0, width - x(last + 1), height]);
}

function veil(context, colour, alpha, ...boxes) {
  context.fillStyle = colour;
  context.globalAlpha = alpha;
  for (const box of boxes) context.fillRect(...box);
  context.globalAlpha = 1;
}

function drawPlayhead({ context, colours, x }, top, bottom) {
  const middle = x(store.frame + 0.5), frameWidth = x(store.frame + 1) - x(store.frame);
  if (frameWidth > 4) veil(context, colours.ink, 0.12, [x(store.frame), top, frameWidth, bottom]);
  context.fillStyle = colours.ink;
  context.fillRect(middle - 0.75, top, 1.5, bottom - top);
  trace(context, middle - 6, top, middle + 6, top, middle, top + 7);
  context.fill();
}
