// Compare two images of a frame in one box: a divider between them, a flip, a heat map.
//
// The box holds elements of the classes original, result and heat, and a range input that is the
// divider. The style sheet compare.css shows them by the box's data-mode and --at.

export function makeComparer(box, buttons) {
  const divider = box.querySelector("input");
  const setDivider = () => box.style.setProperty("--at", `${divider.value}%`);
  const comparer = {
    get mode() { return box.dataset.mode; },
    setMode(mode) {
      box.dataset.mode = mode;
      box.classList.remove("flipped");
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      }
    },
    flip() {
      if (box.dataset.mode === "flip") box.classList.toggle("flipped");
    },
    moveDivider(clientX) {
      const edge = box.getBoundingClientRect();
      divider.value = ((clientX - edge.left) / edge.width) * 100;
      setDivider();
    },
  };
  for (const button of buttons) {
    button.addEventListener("click", () => comparer.setMode(button.dataset.mode));
  }
  divider.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") comparer.flip();
  });
  divider.addEventListener("input", setDivider);
  return comparer;
}
