// The range of frames that a key styles: dragged at once on the page, sent when it stands still.

import { edit } from "./connection.js";
import { showError } from "./errors.js";
import { keyAt, keys, numberOf, rangeOf, select, store, touch, watch } from "./store.js";

const timers = new Map(), sent = new Set();

// Move one end of a key's range to a frame, within the run and not past the key; shown at once.
export function dragRange(key, end, frame) {
  const { clip } = store.data;
  const range = { ...rangeOf(key) };
  if (end === "first") range.first = Math.min(key.index, Math.max(clip.first, frame));
  else range.last = Math.max(key.index, Math.min(clip.last, frame));
  store.pendingRanges.set(key.index, range);
  touch("ranges");
  return range;
}

// Send a range, after a pause for keys that repeat; the page shows it until the server has it.
export function commitRange(key, range, waitMs = 0) {
  clearTimeout(timers.get(key.index));
  timers.set(key.index, setTimeout(() => sendRange(key, range), waitMs));
}

async function sendRange(key, range) {
  timers.delete(key.index);
  try {
    await edit("PUT", `/api/keys/${key.index}/range`, range, { again: true });
  } catch (error) {
    showError(error);
    forget(key.index);
    return;
  }
  const now = keyAt(key.index);
  if (!now || (now.first === range.first && now.last === range.last)) forget(key.index);
  else sent.add(key.index);
}

// Keys that come after the reply hold the range that was sent, or a newer one.
watch("keys", () => {
  for (const index of sent) forget(index);
});

// A range that is dragged again meanwhile is newer than what the server says.
function forget(index) {
  sent.delete(index);
  if (timers.has(index)) return;
  store.pendingRanges.delete(index);
  touch("ranges");
}

export function readableRange(key, { first, last }) {
  return `Key ${key.number} styles frames ${numberOf(first)} to ${numberOf(last)}`;
}

// I and O: the selected key's range begins or ends at the frame that is shown.
export function editRangeOfKey(end) {
  const key = keyAt(store.selected) || keyAt(store.frame) || keyCovering(store.frame);
  if (!key) { showError({ message: "Select a key first: the range is that of a key" }); return; }
  if (end === "first" ? store.frame > key.index : store.frame < key.index) {
    showError({ message: `Frame ${numberOf(store.frame)}: the range of key ${key.number} must hold its own frame` });
    return;
  }
  select(key.index);
  commitRange(key, dragRange(key, end, store.frame));
}

function keyCovering(frame) {
  return keys().find((key) => key.first <= frame && frame <= key.last);
}
