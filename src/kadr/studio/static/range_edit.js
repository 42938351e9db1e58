// I and O: the first or the last frame of the selected key is the frame that is shown.

import { showError } from "./errors.js";
import { commitRange, dragRange } from "./ranges.js";
import { keyAt, keys, numberOf, select, store } from "./store.js";

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
