"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const find = (query, within = document) => within.querySelector(query);
  const findAll = (query) => [...document.querySelectorAll(query)];
  document.documentElement.classList.add("js");

  const percent = (value) => {
    const value100 = value * 100;
    const digits = value100 >= 99.95 ? 0 : value100 >= 0.95 || value100 === 0 ? 1 : 2;
    return `${value100.toFixed(digits)} %`;
  };

  const nearest = (index) => {
    const covering = data.keys.filter((key) => key.start <= index && index < key.stop);
    const distanceTo = (key) => Math.abs(key.index - index);
    return covering.sort((a, b) => distanceTo(a) - distanceTo(b))[0];
  };

  const describe = (position) => {
    const index = data.first + position;
    const parts = [`frame ${data.numbers[position]}`];
    for (const curve of data.curves) {
      const value = curve.values[position];
      if (value !== null) {
        parts.push(`${curve.label} ${curve.kind === "percent" ? percent(value) : Number(value.toPrecision(4))}`);
      } else if (curve.missing) parts.push(curve.missing);
    }
    const key = nearest(index);
    if (key) {
      const distance = Math.abs(key.index - index);
      parts.push(distance === 0 ? "keyframe" : `nearest keyframe ${key.number}, distance ${distance} frame${distance > 1 ? "s" : ""}`);
    }
    return parts.join(" · ");
  };

  const plots = findAll(".plot"), readout = find(".readout");
  const showFrame = (position) => {
    readout.textContent = describe(position);
    for (const plot of plots) {
      const slider = find("input", plot), pointer = find(".pointer", plot);
      pointer.hidden = false;
      pointer.style.left = `${((position + 0.5) / data.numbers.length) * 100}%`;
      slider.value = position;
      slider.setAttribute("aria-valuetext", readout.textContent);
    }
  };
  for (const plot of plots) {
    const slider = find("input", plot);
    const show = () => showFrame(Number(slider.value));
    const follow = (event) => {
      const box = plot.getBoundingClientRect();
      const position = Math.floor(((event.clientX - box.left) / box.width) * data.numbers.length);
      slider.value = Math.min(data.numbers.length - 1, Math.max(0, position));
      show();
    };
    slider.hidden = false;
    readout.textContent = "Point at a chart to see the values of a frame.";
    slider.addEventListener("input", show);
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
    plot.addEventListener("click", follow);
  }

  const viewer = find(".viewer");
  if (viewer) {
    const box = find(".compare", viewer), divider = find("input", viewer), caption = find("p", viewer);
    const buttons = findAll(".pairs button");
    const modes = findAll(".modes button");
    const setMode = (mode) => {
      box.dataset.mode = mode;
      box.classList.remove("flipped");
      for (const button of modes) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    };
    for (const button of modes) button.addEventListener("click", () => setMode(button.dataset.mode));
    const flip = () => {
      if (box.dataset.mode === "flip") box.classList.toggle("flipped");
    };
    box.addEventListener("click", flip);
    divider.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") flip();
    });
    const setDivider = () => box.style.setProperty("--at", `${divider.value}%`);
    const choose = (button) => {
      const index = button.dataset.index;
      for (const name of ["original", "result", "heat"]) {
        const source = find(`img.${name}`, button), target = find(`img.${name}`, box);
        if (!target) continue;
        target.hidden = !source;
        if (source) { target.src = source.src; target.alt = source.alt; }
      }
      caption.textContent = describe(Number(index) - data.first);
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other.dataset.index === index));
      }
    };
    divider.addEventListener("input", setDivider);
    box.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      const edge = box.getBoundingClientRect();
      divider.value = ((event.clientX - edge.left) / edge.width) * 100;
      setDivider();
    });
    for (const button of buttons) {
      button.addEventListener("click", () => {
        choose(button);
        const edge = box.getBoundingClientRect();
        if (edge.top < 0 || edge.bottom > innerHeight) {
          const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
          box.scrollIntoView({ behavior: reducedMotion ? "auto" : "smooth", block: "center" });
        }
      });
    }
    choose(find(".strip button") || buttons[0]);
  }
})();
