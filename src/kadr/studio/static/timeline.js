// The timeline: an overview of the whole clip above lanes that can be zoomed; frames, keys and
// ranges are pointed at and dragged here.

import { button, followPointer, listen, make, releaseFocus, setText, syncList } from "./dom.js";
import { LANES, OVERVIEW_HEIGHT, TIMELINE_HEIGHT, drawOverview, drawSwatch, drawTimeline, rangeLane } from "./paint_timeline.js";
import { commitRange, dragRange, readableRange } from "./ranges.js";
import { describeFrame, positionAt } from "./shared/curves.js";
import { canEdit, countStates, goTo, keyAt, keys, numberOf, openSuggestions, rangeOf, select, STATE_LABELS, stateOf, STATES, store, touch, watch } from "./store.js";

const FEWEST_FRAMES = 8, GRAB = 7;

let canvas, overview, readout, handles, plot, legend;
let resized = 0;

export function makeTimeline() {
  overview = make("canvas", { class: "overview", "aria-hidden": "true" });
  canvas = make("canvas", { class: "lanes", "aria-hidden": "true" });
  overview.style.height = `${OVERVIEW_HEIGHT}px`;
  canvas.style.height = `${TIMELINE_HEIGHT}px`;
  handles = { first: makeHandle("first"), last: makeHandle("last") };
  plot = make("div", { class: "plot-area" }, canvas, handles.first, handles.last);
  readout = make("p", { class: "readout" });
  legend = make("ul", { class: "legend", "aria-label": "Frames by state" });
  const zoom = make("div", { class: "group", role: "group", "aria-label": "Zoom of the timeline" },
    button("", () => zoomTimeline(1.6), { icon: "minus", label: "Show more frames", title: "Show more frames (−)" }),
    button("", showAll, { icon: "fit", label: "Show the whole clip", title: "Show the whole clip (0)" }),
    button("", () => zoomTimeline(1 / 1.6), { icon: "plus", label: "Show fewer frames", title: "Show fewer frames (+)" }));
  watch("frame frames keys suggestions curves pictures clip selection view ranges theme", draw);
  watch("frame", followPlayhead);
  watch("clip", resetView);
  watch("frames clip theme", showLegend);
  watch("frame frames curves keys", showReadout);
  new ResizeObserver(() => { cancelAnimationFrame(resized); resized = requestAnimationFrame(draw); }).observe(plot);
  addOverviewPointer();
  addTimelinePointer();
  return make("section", { class: "timeline", "aria-label": "Timeline" },
    overview, plot, make("div", { class: "timeline-bar" }, readout, legend, zoom));
}

function resetView() {
  const { clip } = store.data;
  if (!clip) return;
  if (store.view.clip !== clip.version || store.view.first + store.view.span > clip.count) showAll();
}

function setView(first, span) {
  const { clip } = store.data;
  const shown = Math.min(clip.count, Math.max(Math.min(FEWEST_FRAMES, clip.count), span));
  store.view = { first: Math.min(clip.count - shown, Math.max(0, first)), span: shown, clip: clip.version };
  touch("view");
}

export function showAll() {
  if (store.data.clip) setView(0, store.data.clip.count);
}

// Show more (above 1) or fewer frames; the frame at the anchor keeps its place.
export function zoomTimeline(factor, anchor = store.frame + 0.5) {
  if (!store.data.clip) return;
  const { first, span } = store.view;
  const fits = anchor >= first && anchor <= first + span;
  const share = fits ? (anchor - first) / span : 0.5;
  const { count } = store.data.clip;
  const wanted = Math.min(count, Math.max(Math.min(FEWEST_FRAMES, count), span * factor));
  setView(anchor - share * wanted, wanted);
}

function followPlayhead() {
  const { first, span } = store.view;
  if (store.frame < first) setView(store.frame - span * 0.1, span);
  else if (store.frame + 1 > first + span) setView(store.frame + 1 - span * 0.9, span);
}

function draw() {
  if (!store.data.clip || !canvas.clientWidth) return;
  const again = () => touch("view");
  drawOverview(overview, store.view, again);
  drawTimeline(canvas, store.view, again);
  placeHandles();
}

// Two sliders for the ends of the selected key's range; they can be dragged and moved by keys.
function makeHandle(end) {
  const handle = make("div", { class: `handle ${end}`, role: "slider", tabindex: 0, hidden: true });
  listen(handle, "keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const key = keyAt(store.selected);
    if (key) commitRange(key, dragRange(key, end, rangeOf(key)[end] + step * (event.shiftKey ? 10 : 1)), 350);
  });
  listen(handle, "pointerdown", (event) => startRangeDrag(event, keyAt(store.selected), end));
  return handle;
}

function placeHandles() {
  const key = keyAt(store.selected), { view } = store;
  for (const [end, handle] of Object.entries(handles)) {
    const range = key && rangeOf(key);
    const edge = range && (end === "first" ? range.first : range.last + 1);
    const isInside = range && edge >= view.first && edge <= view.first + view.span;
    handle.hidden = !isInside;
    if (!isInside) continue;
    handle.style.left = `${((edge - view.first) / view.span) * 100}%`;
    handle.style.top = `${rangeLane(keys().indexOf(key))[0]}px`;
    const isFirst = end === "first", { clip } = store.data;
    for (const [name, value] of Object.entries({
      label: `${isFirst ? "Start" : "End"} of the range of key ${key.number}`,
      valuemin: numberOf(isFirst ? clip.first : key.index), valuemax: numberOf(isFirst ? key.index : clip.last),
      valuenow: numberOf(range[end]), valuetext: `frame ${numberOf(range[end])}`, disabled: !canEdit(),
    })) handle.setAttribute(`aria-${name}`, value);
  }
}

function startRangeDrag(event, key, end) {
  if (!key || !canEdit() || event.button !== 0) return;
  event.stopPropagation();
  select(key.index);
  let range = null;
  followPointer(event, event.currentTarget, (moved) => {
    const edge = frameAt(moved.clientX) - (end === "last" ? 1 : 0);
    range = dragRange(key, end, Math.round(edge));
    setText(readout, readableRange(key, range));
  }, (last) => {
    if (range && last.type === "pointerup") commitRange(key, range);
    else if (range) { store.pendingRanges.delete(key.index); touch("ranges"); }
  });
}

// The position in frames, with fractions, under a pointer.
function frameAt(clientX) {
  const edge = canvas.getBoundingClientRect();
  return store.view.first + ((clientX - edge.left) / edge.width) * store.view.span;
}

function pointedFrame(clientX) {
  return Math.min(store.data.clip.count - 1, Math.max(0, Math.floor(frameAt(clientX))));
}

function laneAt(event) {
  const y = event.clientY - canvas.getBoundingClientRect().top;
  return Object.keys(LANES).find((name) => y >= LANES[name][0] && y < LANES[name][0] + LANES[name][1] + 2);
}

const near = (index, clientX) => {
  const pixels = canvas.clientWidth / store.view.span;
  return Math.abs(index - frameAt(clientX)) * pixels;
};

// The key and end of the range whose edge lies under the pointer.
function rangeEdgeAt(event, lane) {
  const hits = keys().flatMap((key, position) => {
    if (rangeLane(position) !== LANES[lane]) return [];
    const { first, last } = rangeOf(key);
    return [
      { key, end: "first", away: near(first, event.clientX) },
      { key, end: "last", away: near(last + 1, event.clientX) },
    ];
  });
  hits.sort((a, b) => a.away - b.away);
  return hits.length && hits[0].away < GRAB ? hits[0] : null;
}

function keyNear(event) {
  const marks = [...keys(), ...openSuggestions()];
  const nearest = marks.map((mark) => ({ mark, away: near(mark.index + 0.5, event.clientX) }))
    .sort((a, b) => a.away - b.away)[0];
  return nearest && nearest.away < 11 ? nearest.mark : null;
}

function addTimelinePointer() {
  listen(canvas, "pointerdown", (event) => {
    if (!store.data.clip || event.button !== 0) return;
    releaseFocus();
    const lane = laneAt(event);
    if (lane === "ranges" || lane === "ranges2") {
      const edge = rangeEdgeAt(event, lane);
      if (edge) { startRangeDrag(event, edge.key, edge.end); return; }
      const frame = pointedFrame(event.clientX);
      const key = keys().find((item, position) => rangeLane(position) === LANES[lane]
        && rangeOf(item).first <= frame && frame <= rangeOf(item).last);
      if (key) select(key.index);
    }
    if (lane === "keys") {
      const mark = keyNear(event);
      if (mark) { select(mark.index); goTo(mark.index); return; }
    }
    scrub(event, canvas, store.view);
  });
  listen(canvas, "pointermove", (event) => {
    const lane = laneAt(event);
    const isEdge = (lane === "ranges" || lane === "ranges2") && rangeEdgeAt(event, lane);
    const isKey = lane === "keys" && keyNear(event);
    canvas.style.cursor = isEdge ? "ew-resize" : isKey ? "pointer" : "default";
    canvas.title = isKey ? markTitle(isKey) : "";
  });
  listen(canvas, "wheel", (event) => {
    if (!store.data.clip) return;
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      setView(store.view.first + (sideways / canvas.clientWidth) * store.view.span, store.view.span);
    } else zoomTimeline(Math.exp(event.deltaY * 0.0015), frameAt(event.clientX));
  }, { passive: false });
}

function markTitle(mark) {
  if (!keyAt(mark.index)) return `Suggested key: frame ${numberOf(mark.index)}`;
  return `Key ${mark.number}: ${mark.error ? mark.error.message : mark.state}`;
}

// Follow the pointer until it is released.
function scrub(event, surface, view) {
  store.playing = 0;
  const { first, span } = view;
  const follow = (moved) => goTo(positionAt(surface, moved.clientX, first, span));
  follow(event);
  followPointer(event, surface, follow);
}

// On the overview a drag moves the shown part, or scrubs while the whole clip is shown.
function addOverviewPointer() {
  listen(overview, "pointerdown", (event) => {
    const { clip } = store.data;
    if (!clip || event.button !== 0) return;
    releaseFocus();
    const { first, span } = store.view;
    if (span >= clip.count) { scrub(event, overview, { first: 0, span: clip.count }); return; }
    const edge = overview.getBoundingClientRect();
    const frameOf = (moved) => ((moved.clientX - edge.left) / edge.width) * clip.count;
    const start = frameOf(event);
    const offset = start >= first && start <= first + span ? start - first : span / 2;
    const move = (moved) => setView(frameOf(moved) - offset, span);
    move(event);
    followPointer(event, overview, move);
  });
}

function showReadout() {
  const { clip, curves } = store.data;
  if (!clip) return;
  const text = describeFrame({
    first: 0, numbers: { [store.frame]: numberOf(store.frame) },
    curves: [
      { label: "error", values: (curves && curves.error) || [], kind: "percent" },
      { label: "coverage", values: (curves && curves.coverage) || [], kind: "percent" },
    ],
    keys: keys().map((key) => ({ ...key, start: key.first, stop: key.last + 1 })),
  }, store.frame);
  const [frame, ...rest] = text.split(" · ");
  setText(readout, [frame, STATE_LABELS[stateOf(store.frame)], ...rest].join(" · "));
}

function showLegend() {
  const counts = countStates(), states = STATES.filter((state) => counts[state]);
  syncList(legend, states, (state) => state, () => make("li", {}, make("canvas", { class: "swatch", "aria-hidden": "true" }), make("span")),
    (item, state) => setText(item.lastChild, `${counts[state]} ${STATE_LABELS[state]}`));
  states.forEach((state, position) => drawSwatch(legend.children[position].firstChild, state));
}
