// Play, step and jump; the slider named Frame and the number of the frame.

import { button, find, icon, listen, make, setLabel, setText } from "./dom.js";
import { prefetch } from "./pictures.js";
import { goTo, indexOf, keys, numberOf, openSuggestions, select, STATE_LABELS, stateOf, store, watch } from "./store.js";

let playButton, clock = null;

export function makeTransport(...more) {
  const slider = make("input", { type: "range", class: "frame", min: 0, max: 0, step: 1, value: 0, "aria-label": "Frame" });
  const number = make("input", { type: "text", inputmode: "numeric", class: "short number", "aria-label": "Frame number", autocomplete: "off" });
  const time = make("output", { class: "time" });
  playButton = button("", togglePlay, { icon: "play", label: "Play", title: "Play (Space)" });
  listen(slider, "input", () => { store.playing = 0; goTo(Number(slider.value)); });
  // arrows belong to the page again once the pointer has let go
  listen(slider, "pointerup", () => slider.blur());
  listen(number, "change", () => {
    const index = indexOf(Number(number.value));
    if (number.value.trim() && index >= 0) goTo(index);
    number.value = numberOf(store.frame);
  });
  listen(number, "keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") number.blur(); });
  watch("frame clip frames", () => {
    const { clip } = store.data;
    if (!clip) return;
    slider.max = clip.count - 1;
    slider.value = store.frame;
    slider.setAttribute("aria-valuetext", `Frame ${numberOf(store.frame)} of ${clip.count}, ${STATE_LABELS[stateOf(store.frame)]}`);
    if (document.activeElement !== number) number.value = numberOf(store.frame);
    setText(time, `${timecode(clip, store.frame)} / ${timecode(clip, clip.count - 1)}`);
  });
  const step = (name, text, hint, action) => button("", action, { icon: name, label: text, title: `${text} (${hint})` });
  return make("section", { class: "transport", "aria-label": "Transport" },
    make("div", { class: "group" },
      step("previousKey", "Previous key", "↑", () => goToKey(-1)),
      step("back", "Previous frame", "←", () => stepBy(-1)), playButton,
      step("forward", "Next frame", "→", () => stepBy(1)),
      step("nextKey", "Next key", "↓", () => goToKey(1))),
    number, slider, time, ...more);
}

function timecode(clip, index) {
  const seconds = clip.times ? clip.times[index] : index / clip.rate;
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60), whole % 60].map((part) => String(part).padStart(2, "0"));
  return `${parts.join(":")}.${String(Math.floor((seconds - whole) * 100 + 1e-6)).padStart(2, "0")}`;
}

export function stepBy(frames) {
  setPlaying(0);
  goTo(store.frame + frames);
}

export const secondInFrames = () => Math.max(1, Math.round((store.data.clip || { rate: 24 }).rate));

// To the next key or suggested key in a direction.
export function goToKey(direction) {
  setPlaying(0);
  const marks = [...keys(), ...openSuggestions()].map((mark) => mark.index).sort((a, b) => (a - b) * direction);
  const target = marks.find((index) => (index - store.frame) * direction > 0);
  if (target === undefined) return;
  goTo(target);
  select(target);
}

export function togglePlay() {
  const { clip } = store.data;
  if (!clip) return;
  if (!store.playing && store.frame >= clip.last) goTo(clip.first);
  setPlaying(store.playing ? 0 : 1);
}

// J, K, L: backwards, stop, forwards; once more is twice as fast.
export function shuttle(direction) {
  if (!direction) { setPlaying(0); return; }
  const isSame = Math.sign(store.playing) === direction;
  setPlaying(isSame ? Math.max(-8, Math.min(8, store.playing * 2)) : direction);
}

function setPlaying(speed) {
  store.playing = speed;
  showPlaying();
  if (!speed) return;
  const { clip } = store.data;
  clock = { time: performance.now(), frame: store.frame };
  const tick = (now) => {
    if (!store.playing || store.playing !== speed) { showPlaying(); return; }
    const wanted = Math.floor(clock.frame + ((now - clock.time) / 1000) * clip.rate * speed + (speed > 0 ? 0 : 0.999));
    if (wanted > clip.last || wanted < clip.first) {
      goTo(Math.min(clip.last, Math.max(clip.first, wanted)));
      setPlaying(0);
      return;
    }
    goTo(wanted);
    prefetch(wanted, Math.sign(speed), clip.count);
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function showPlaying() {
  const isPlaying = store.playing !== 0;
  const label = isPlaying ? "Pause" : "Play";
  if (playButton.getAttribute("aria-label") === label) return;
  setLabel(playButton, label, `${label} (Space)`);
  find("svg", playButton).replaceWith(icon(isPlaying ? "pause" : "play"));
}
