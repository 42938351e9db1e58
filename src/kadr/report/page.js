"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const find = (query, within = document) => within.querySelector(query);
  const findAll = (query) => [...document.querySelectorAll(query)];
  document.documentElement.classList.add("js");

  // describeFrame, positionAt and makeComparer come from shared/, which the page holds too
  const describe = (position) => describeFrame(data, position);

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
      slider.value = positionAt(plot, event.clientX, 0, data.numbers.length);
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
    const box = find(".compare", viewer), caption = find("p", viewer);
    const buttons = findAll(".pairs button");
    const comparer = makeComparer(box, findAll(".modes button"));
    box.addEventListener("click", comparer.flip);
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
    box.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) comparer.moveDivider(event.clientX);
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
