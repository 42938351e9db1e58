// Make elements without a framework; keep lists of them in step with data.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  play: "M5 3l9 6-9 6z", pause: "M4 3h4v12H4zM10 3h4v12h-4z", stop: "M4 4h10v10H4z",
  back: "M12 3v12L4 9z", forward: "M6 3v12l8-6z",
  previousKey: "M3 3h2v12H3zM15 3v12L6 9z", nextKey: "M13 3h2v12h-2zM3 3v12l9-6z",
  undo: "M7 3L3 7l4 4V8h4a3 3 0 010 6H6v2h5a5 5 0 000-10H7z",
  redo: "M11 3l4 4-4 4V8H7a3 3 0 000 6h5v2H7A5 5 0 017 6h4z",
  plus: "M8 3h2v5h5v2h-5v5H8v-5H3V8h5z", minus: "M3 8h12v2H3z",
  fit: "M3 3h5v2H5v3H3zM10 3h5v5h-2V5h-3zM3 10h2v3h3v2H3zM13 10h2v5h-5v-2h3z",
  close: "M4.4 3L9 7.6 13.6 3 15 4.4 10.4 9l4.6 4.6-1.4 1.4L9 10.4 4.4 15 3 13.6 7.6 9 3 4.4z",
  download: "M8 2h2v6h3l-4 4-4-4h3zM3 14h12v2H3z", upload: "M8 12h2V6h3L9 2 5 6h3zM3 14h12v2H3z",
  folder: "M2 4h5l2 2h7v9H2z", copy: "M6 2h9v10h-2v3H3V5h3zM8 4v6h5V4zM5 7v6h6v-1H6V7z",
  trash: "M7 2h4v1h4v2H3V3h4zM4 6h10l-1 10H5z",
  theme: "M9 1a8 8 0 110 16A8 8 0 019 1zm0 2v12A6 6 0 009 3z",
  brush: "M15.5 1.5l1 1-7 9-2.5-2zM6 10.5l2.5 2c0 3-3 4-7 3.5 2-1 1.5-5 4.5-5.5z",
};

// An element; properties: class, text, on (listeners), data (dataset), others are attributes.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 18 18");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

export const listen = (element, type, listener, options) => element.addEventListener(type, listener, options);

// A button; options: icon, class, title, label (name for screen readers if there is no text).
export function button(text, onClick, options = {}) {
  const element = make("button", {
    type: "button", class: options.class, title: options.title || (!text && options.label),
    "aria-label": options.label, on: { click: onClick },
  });
  if (options.icon) element.append(icon(options.icon));
  if (text) element.append(make("span", { text }));
  return element;
}

// Controls side by side, and the errors of their calls.
export const row = (...children) => make("div", { class: "row place" }, ...children);

export const hint = (text) => make("p", { class: "hint", text });

// A hidden field for a button to click; take gets the files.
export function filePicker(label, accept, take, multiple = false) {
  const input = make("input", { type: "file", accept, multiple, hidden: true, "aria-label": label });
  listen(input, "change", () => { take([...input.files]); input.value = ""; });
  return input;
}

export const find = (query, within = document) => within.querySelector(query);

export function setLabel(element, label, title = label) {
  element.setAttribute("aria-label", label);
  element.title = title;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Keep the children of a list in step with items: made once for each id, updated, moved, removed.
export function syncList(parent, items, idOf, create, update) {
  const present = new Map([...parent.children].map((child) => [child.dataset.id, child]));
  const focused = document.activeElement;
  let before = parent.firstElementChild;
  for (const item of items) {
    const id = String(idOf(item));
    let child = present.get(id);
    present.delete(id);
    if (!child) {
      child = create(item);
      child.dataset.id = id;
    }
    if (child === before) before = before.nextElementSibling;
    else parent.insertBefore(child, before);
    update(child, item);
  }
  for (const child of present.values()) child.remove();
  if (focused && focused !== document.activeElement && focused.isConnected) focused.focus();
}

// Make children again when their shape is another one.
export function rebuild(element, shape, makeChildren) {
  if (element.dataset.shape === shape) return;
  element.dataset.shape = shape;
  element.replaceChildren(...makeChildren());
}

export function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

// Seconds as people say them: 8 s, 2 min 5 s, 1 h 20 min.
export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return minutes < 10 && whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  const rest = minutes % 60;
  return rest ? `${Math.floor(minutes / 60)} h ${rest} min` : `${Math.floor(minutes / 60)} h`;
}

// The cleared context of a canvas that has as many pixels as the screen shows of it.
export function clearCanvas(canvas) {
  const width = Math.round(canvas.clientWidth * devicePixelRatio);
  const height = Math.round(canvas.clientHeight * devicePixelRatio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.resetTransform();
  context.clearRect(0, 0, width, height);
  return context;
}

// A path through points: x, y, x, y …
export function trace(context, ...numbers) {
  context.beginPath();
  for (let i = 0; i < numbers.length; i += 2) context.lineTo(numbers[i], numbers[i + 1]);
}

export function clipTo(context, ...rectangle) {
  context.save();
  context.beginPath();
  context.rect(...rectangle);
  context.clip();
}

export function stripe(context, [left, top, width, height], step, thickness) {
  clipTo(context, left, top, width, height);
  context.lineWidth = thickness;
  context.beginPath();
  for (let x = Math.floor((left - height) / step) * step; x < left + width; x += step) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  context.restore();
}

export function setProgress(bar, share) {
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

// Arrows and letters belong to the page again, not to a field that somebody wrote in before.
export const releaseFocus = () => document.activeElement && document.activeElement.blur();

// Follow a pointer that was pressed on an element until it is released; end gets the last event.
export function followPointer(event, surface, move, end = () => {}) {
  event.preventDefault();
  surface.setPointerCapture(event.pointerId);
  const stop = new AbortController(), options = { signal: stop.signal };
  listen(surface, "pointermove", move, options);
  for (const type of ["pointerup", "pointercancel"]) {
    listen(surface, type, (last) => { stop.abort(); end(last); }, options);
  }
}
