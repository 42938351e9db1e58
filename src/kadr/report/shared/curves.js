// Values of frames as text, and the frame that a pointer is over in a plot.

export function percent(value) {
  const value100 = value * 100;
  const digits = value100 >= 99.95 ? 0 : value100 >= 0.95 || value100 === 0 ? 1 : 2;
  return `${value100.toFixed(digits)} %`;
}

// The key nearest to a frame among those whose range [start, stop) covers it.
export function nearestKey(keys, index) {
  const covering = keys.filter((key) => key.start <= index && index < key.stop);
  const distanceTo = (key) => Math.abs(key.index - index);
  return covering.sort((a, b) => distanceTo(a) - distanceTo(b))[0];
}

// One line about a frame: its number, the value of each curve, its nearest key.
// curves: label, kind ("percent" or "number"), values by position, text for a missing value.
export function describeFrame({ first, numbers, curves, keys }, position) {
  const index = first + position;
  const parts = [`frame ${numbers[position]}`];
  for (const curve of curves) {
    const value = curve.values[position];
    if (value !== null && value !== undefined) {
      const text = curve.kind === "percent" ? percent(value) : Number(value.toPrecision(4));
      parts.push(`${curve.label} ${text}`);
    } else if (curve.missing) parts.push(curve.missing);
  }
  const key = nearestKey(keys, index);
  if (key) {
    const distance = Math.abs(key.index - index);
    const away = `distance ${distance} frame${distance > 1 ? "s" : ""}`;
    parts.push(distance === 0 ? "keyframe" : `nearest keyframe ${key.number}, ${away}`);
  }
  return parts.join(" · ");
}

// The frame in [first, first + span) that lies under a pointer over an element.
export function positionAt(element, clientX, first, span) {
  const box = element.getBoundingClientRect();
  const position = Math.floor(first + ((clientX - box.left) / box.width) * span);
  return Math.min(Math.ceil(first + span) - 1, Math.max(Math.floor(first), position));
}

// Segments without a gap of a curve in a plot of the given width and height, as lists of [x, y].
// values: 0 at the bottom to top at the top. Of the values that fall on one pixel column the one
// that pick takes is kept, so that no peak is lost.
export function curveSegments(values, { first, span, width, height, top, pick = Math.max }) {
  const step = Math.max(1, Math.floor(span / Math.max(1, width)));
  const segments = [];
  let segment = null;
  const start = Math.max(0, Math.floor((first - 1) / step) * step);
  for (let group = start; group < Math.min(values.length, first + span + step); group += step) {
    const present = values.slice(group, group + step).filter((value) => value !== null);
    if (!present.length) { segment = null; continue; }
    if (!segment) segments.push(segment = []);
    const x = ((group + step / 2 - first) / span) * width;
    const value = present.reduce((one, other) => pick(one, other));
    segment.push([x, height * (1 - Math.min(1, value / top))]);
  }
  return segments;
}
