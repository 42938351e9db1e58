// What the page knows: the server's snapshot, kept up to date by events, and the page's own state.

export const STATES = [
  "not-made", "queued", "working", "current", "stale", "edited", "failed", "outside",
];
export const STATE_LABELS = {
  "not-made": "not made yet", queued: "queued", working: "being made", current: "up to date",
  stale: "out of date", edited: "edited by hand", failed: "failed", outside: "not in the run",
};

export const author = `tab-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;

// The snapshot's members lie in store.data; frames are unpacked into store.states and so on.
export const store = {
  data: {}, connected: false,
  states: new Uint8Array(0), versions: [], previews: {}, failed: {}, newest: null,
  frame: 0, selected: null, view: { first: 0, span: 1 }, playing: 0, follow: false,
  pendingRanges: new Map(), editing: 0, against: 0,
};

// What decides whether something can be edited: a change of each is one of the topic "editable" too.
const EDITABLE = ["clip", "read_only", "connection"];

const listeners = [];
let changed = new Set(), scheduled = false;

// Call a listener, once for each animation frame, after one of these topics changed.
export function watch(topics, listener) {
  listeners.push([new Set(topics.split(" ")), listener]);
}

export function touch(...topics) {
  for (const topic of topics) changed.add(topic);
  if (topics.some((topic) => EDITABLE.includes(topic))) changed.add("editable");
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(flush);
}

function flush() {
  const topics = changed;
  scheduled = false;
  changed = new Set();
  for (const [wanted, listener] of listeners) {
    for (const topic of topics) {
      if (wanted.has(topic)) { listener(topics); break; }
    }
  }
}

function unpackFrames(frames, count) {
  store.states = new Uint8Array(count);
  store.versions = frames ? [...frames.versions] : [];
  store.previews = frames ? { ...frames.previews } : {};
  store.failed = frames ? { ...frames.failed } : {};
  if (frames) fillStates(frames.states);
}

function fillStates(runs) {
  for (const [state, first, last] of runs) store.states.fill(STATES.indexOf(state), first, last + 1);
}

export function loadSnapshot(data) {
  store.data = data;
  unpackFrames(data.frames, data.clip ? data.clip.count : 0);
  store.newest = null;
  touch("reload", ...Object.keys(data));
}

export function applyEvent(event) {
  if (event.n <= store.data.event) return;
  store.data.event = event.n;
  if (event.set) {
    Object.assign(store.data, event.set);
    if ("frames" in event.set || "clip" in event.set) {
      const { clip, frames } = store.data;
      if ("frames" in event.set || store.states.length !== (clip ? clip.count : 0)) {
        unpackFrames(frames, clip ? clip.count : 0);
      }
      touch("frames");
    }
    touch(...Object.keys(event.set));
  }
  if (event.frames) patchFrames(event.frames);
}

function patchFrames(patch) {
  if (patch.states) fillStates(patch.states);
  for (const [index, version] of Object.entries(patch.versions || {})) {
    store.versions[index] = version;
    if (version) store.newest = Number(index);
  }
  patchTable(store.previews, patch.previews);
  patchTable(store.failed, patch.failed);
  touch("frames");
}

function patchTable(table, patch = {}) {
  for (const [index, value] of Object.entries(patch)) {
    if (value === null) delete table[index];
    else table[index] = value;
  }
}

export const stateOf = (index) => STATES[store.states[index]] || "not-made";

export function numberOf(index) {
  const { clip } = store.data;
  return clip && clip.numbers ? clip.numbers[index] : index;
}

export function indexOf(number) {
  const { clip } = store.data;
  if (!clip) return -1;
  if (clip.numbers) return clip.numbers.indexOf(number);
  return number >= 0 && number < clip.count ? number : -1;
}

// The range that a key styles; one that is being dragged counts before the server's.
export function rangeOf(key) {
  return store.pendingRanges.get(key.index) || { first: key.first, last: key.last };
}

export const keys = () => store.data.keys || [];
export const keyAt = (index) => keys().find((key) => key.index === index);

// Suggested keys that are no keys yet.
export function openSuggestions() {
  const { suggestions } = store.data;
  if (!suggestions) return [];
  return suggestions.keys.filter((item) => !keyAt(item.index));
}

// The take whose pictures are compared with the result; undefined for the filmed ones.
export const chosenTake = () => (store.data.takes || []).find((take) => take.id === store.against);

export const jobs = () => store.data.jobs || [];
export const isActive = (job) => ["queued", "working", "paused", "stopping"].includes(job.state);
export const activeJobs = () => jobs().filter(isActive);

// Options can be changed even while the clip cannot be read.
export function canChange() {
  return store.connected && !store.data.read_only;
}

export const canEdit = () => canChange() && Boolean(store.data.clip);

// How many frames have each state.
export function countStates() {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const code of store.states) counts[STATES[code]] += 1;
  return counts;
}

export function select(index) {
  if (store.selected === index) return;
  store.selected = index;
  touch("selection");
}

export function goTo(index, { user = true } = {}) {
  const { clip } = store.data;
  if (!clip) return;
  const frame = Math.min(clip.count - 1, Math.max(0, Math.round(index)));
  if (user) store.follow = false;
  if (frame === store.frame) return;
  store.frame = frame;
  touch("frame");
}
