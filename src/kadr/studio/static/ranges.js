// The range of frames that a key styles: dragged at once on the page, sent when it stands still.

import { edit } from "./connection.js";
import { showError } from "./errors.js";
import { numberOf, rangeOf, store, touch } from "./store.js";

const timers = new Map();

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

// Send a range, after a pause for keys that repeat; the page keeps it until the server has it.
export function commitRange(key, range, waitMs = 0) {
  clearTimeout(timers.get(key.index));
  timers.set(key.index, setTimeout(() => sendRange(key, range), waitMs));
}

async function sendRange(key, range) {
  try {
    await edit("PUT", `/api/keys/${key.index}/range`, range, { again: true });
  } catch (error) {
    showError(error);
  }
  // an event with the keys follows the reply; a newer drag keeps its own range
  setTimeout(() => {
    const pending = store.pendingRanges.get(key.index);
    if (pending && pending.first === range.first && pending.last === range.last) {
      store.pendingRanges.delete(key.index);
      touch("ranges", "keys");
    }
  }, 400);
}

export function readableRange(key, { first, last }) {
  return `Key ${key.number} styles frames ${numberOf(first)} to ${numberOf(last)}`;
}
