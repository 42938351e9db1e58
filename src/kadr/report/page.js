"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const one = (query, within = document) => within.querySelector(query);
  const all = (query) => [...document.querySelectorAll(query)];
  document.documentElement.classList.add("js");

  const share = (value) => {
    if (value === null) return "not made";
    const hundred = value * 100;
    const digits = hundred >= 99.95 ? 0 : hundred >= 0.95 || hundred === 0 ? 1 : 2;
    return `${hundred.toFixed(digits)} %`;
  };

  const nearest = (index) => {
    const near = facts.keys.filter((key) => key.start <= index && index < key.stop);
    const away = (key) => Math.abs(key.index - index);
    return near.sort((a, b) => away(a) - away(b))[0];
  };

  const describe = (at) => {
    const index = facts.first + at;
    const parts = [`frame ${facts.numbers[at]}`];
    const error = facts.measured[at];
    parts.push(error === null ? "not made" : `error ${share(error)}`);
    if (facts.predicted) parts.push(`predicted ${share(facts.predicted[at])}`);
    const key = nearest(index);
    if (key) {
      const away = Math.abs(key.index - index);
      parts.push(away === 0 ? "a key itself" : `key ${key.number} is ${away} frame${away > 1 ? "s" : ""} away`);
    }
    return parts.join(" · ");
  };

  const plot = one(".plot");
  if (plot) {
    const slider = one("input", plot), pointer = one(".pointer", plot), readout = one(".readout");
    const show = () => {
      const at = Number(slider.value);
      pointer.hidden = false;
      pointer.style.left = `${((at + 0.5) / facts.numbers.length) * 100}%`;
      readout.textContent = describe(at);
      slider.setAttribute("aria-valuetext", readout.textContent);
    };
    const follow = (event) => {
      const box = plot.getBoundingClientRect();
      const place = Math.floor(((event.clientX - box.left) / box.width) * facts.numbers.length);
      slider.value = Math.min(facts.numbers.length - 1, Math.max(0, place));
      show();
    };
    slider.hidden = false;
    readout.textContent = "Point at the chart to read a frame.";
    slider.addEventListener("input", show);
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
    plot.addEventListener("click", follow);
  }

  const viewer = one(".viewer");
  if (viewer) {
    const box = one(".compare", viewer), divide = one("input", viewer), told = one("p", viewer);
    const buttons = all(".pairs button");
    const place = () => box.style.setProperty("--at", `${divide.value}%`);
    const choose = (button) => {
      const index = button.dataset.index;
      for (const name of ["filmed", "made"]) {
        const from = one(`img.${name}`, button), to = one(`img.${name}`, box);
        to.hidden = !from;
        if (from) { to.src = from.src; to.alt = from.alt; }
      }
      told.textContent = describe(Number(index) - facts.first);
      for (const other of buttons) {
        other.setAttribute("aria-pressed", String(other.dataset.index === index));
      }
    };
    divide.addEventListener("input", place);
    box.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      const edge = box.getBoundingClientRect();
      divide.value = ((event.clientX - edge.left) / edge.width) * 100;
      place();
    });
    for (const button of buttons) {
      button.addEventListener("click", () => {
        choose(button);
        const edge = box.getBoundingClientRect();
        if (edge.top < 0 || edge.bottom > innerHeight) {
          const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
          box.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "center" });
        }
      });
    }
    choose(one(".strip button") || buttons[0]);
  }
})();
