// Pictures of frames: which one shows a frame, and loading them while the frame changes quickly.

import { chosenTake, keyAt, stateOf, store } from "./store.js";

const MOST_BITMAPS = 72, AHEAD = 8;

// What shows the result of a frame: url and label, or url null if there is nothing to show.
export function resultOf(index) {
  const preview = store.previews[index], version = store.versions[index], state = stateOf(index);
  const base = `/api/frames/${index}`;
  if (preview) {
    return { url: `${base}/preview.jpg?v=${preview.version}`, kind: "preview",
      label: preview.exact ? "Preview" : "Preview, an estimate" };
  }
  if (version) {
    const label = { stale: "Out of date", edited: "Edited by hand" }[state] || "Result";
    return { url: `${base}/styled.jpg?v=${version}`, kind: state === "stale" ? "stale" : "styled", label };
  }
  const key = keyAt(index);
  if (key && key.version && key.state !== "to-paint" && !key.error) {
    return { url: `/api/keys/${index}/image.jpg?v=${key.version}`, kind: "key", label: "Painted key" };
  }
  return { url: null, kind: state, label: "" };
}

export function filmedUrl(index) {
  return `/api/frames/${index}/input.jpg?v=${store.data.clip.version}`;
}

// The picture of a frame as a take made it; null if it has none.
function takeUrl(index, take) {
  const isMade = take.frames.some(([first, last]) => first <= index && index <= last);
  return isMade ? `/api/takes/${take.id}/frames/${index}.jpg?v=${take.version}` : null;
}

const bitmaps = new Map();
let inUse = new Set();

// A decoded picture; kept for a while, so that going back and forth needs no network.
export function loadBitmap(url) {
  let entry = bitmaps.get(url);
  if (entry) {
    bitmaps.delete(url);
    bitmaps.set(url, entry);
    return entry.promise;
  }
  entry = { bitmap: null };
  entry.promise = fetch(url).then(async (response) => {
    if (!response.ok) throw new Error(`${response.status}`);
    entry.bitmap = await createImageBitmap(await response.blob());
    return entry.bitmap;
  });
  entry.promise.catch(() => bitmaps.delete(url));
  bitmaps.set(url, entry);
  dropOldest();
  return entry.promise;
}

function dropOldest() {
  for (const [url, entry] of bitmaps) {
    if (bitmaps.size <= MOST_BITMAPS) break;
    if (!entry.bitmap || inUse.has(url)) continue;
    bitmaps.delete(url);
    entry.bitmap.close();
  }
}

async function loadPair(index, isFull) {
  const suffix = isFull ? "&full=1" : "";
  const result = resultOf(index), take = chosenTake();
  const urls = [filmedUrl(index), result.url].map((url) => url && url + suffix);
  if (take) urls.push(takeUrl(index, take));
  const [filmed, styled, left = filmed] = await Promise.all(urls.map((url) => url && loadBitmap(url).catch(() => null)));
  return { index, filmed, styled, left, take, result, urls: urls.filter(Boolean), isFull };
}

// Load the pictures of the newest frame that was asked for. One frame is in flight, the newest
// waits, and whatever arrives is shown: aborting would show nothing during a quick drag.
export function makePictureLoader(onPair) {
  let wanted = null, busy = false;
  const run = async () => {
    busy = true;
    while (wanted) {
      const { index, isFull } = wanted;
      wanted = null;
      const pair = await loadPair(index, isFull);
      inUse = new Set(pair.urls);
      onPair(pair);
    }
    busy = false;
  };
  return (index, isFull = false) => {
    wanted = { index, isFull };
    if (!busy) run();
  };
}

// Load the frames that playing or stepping reaches next.
export function prefetch(index, direction, count, frames = AHEAD) {
  for (let step = 1; step <= frames; step += 1) {
    const ahead = index + step * direction;
    if (ahead < 0 || ahead >= count) return;
    const take = chosenTake();
    for (const url of [filmedUrl(ahead), resultOf(ahead).url, take && takeUrl(ahead, take)]) {
      if (url) loadBitmap(url).catch(() => {});
    }
  }
}

const sheets = new Map();

// The sheet of thumbnails that holds a frame, if it lies ready; onLoad is called when it arrives.
export function thumbnailSheet(number, onLoad) {
  const { pictures, clip } = store.data;
  if (!pictures.sheet.ready.includes(number)) return null;
  const url = `/api/sheets/${number}.jpg?v=${clip.version}`;
  let image = sheets.get(url);
  if (!image) {
    image = new Image();
    image.addEventListener("load", onLoad);
    image.src = url;
    sheets.set(url, image);
  }
  return image.complete && image.naturalWidth ? image : null;
}
