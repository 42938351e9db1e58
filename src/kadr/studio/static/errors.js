// Errors: kadr's own line beside its cause, with its remedy as a button where it has one.

import { editOptions } from "./connection.js";
import { button, make } from "./dom.js";

let general;

// Where errors without a place of their own appear.
export function makeErrorArea() {
  general = make("div", { class: "errors", "aria-live": "assertive" });
  return general;
}

// Show an error beside an element, or in the general area; again: what to repeat after the remedy.
export function showError(error, place = null, again = null) {
  const parent = place && place.isConnected ? place : general;
  for (const old of parent.querySelectorAll(":scope > .error")) {
    if (old.dataset.message === error.message) old.remove();
  }
  const card = errorCard(error, again);
  parent.append(card);
  if (parent === general && parent.children.length > 4) parent.firstElementChild.remove();
  card.scrollIntoView({ block: "nearest" });
}

export function clearErrors(place) {
  for (const card of place.querySelectorAll(":scope > .error")) card.remove();
}

export function errorCard(error, again = null) {
  const card = make("div", { class: "error", role: "alert", data: { message: error.message } },
    make("p", { text: error.message }));
  const actions = make("div", { class: "row" });
  if (error.remedy) {
    actions.append(button(error.remedy.label, async () => {
      try {
        await editOptions(error.remedy.options);
        card.remove();
        if (again) await again();
      } catch (other) { showError(other); }
    }, { class: "primary small" }));
  }
  actions.append(button("Dismiss", () => card.remove(), { class: "quiet small" }));
  card.append(actions);
  return card;
}

// A passing message that interrupts nobody.
export function say(text) {
  const line = make("div", { class: "message", role: "status", text });
  general.append(line);
  setTimeout(() => line.remove(), 3500);
}

// A click that may fail: its error appears beside the button.
export function guarded(action, place = null) {
  return async (event) => {
    const near = place || (event && event.currentTarget && event.currentTarget.closest(".place"));
    if (near) clearErrors(near);
    try {
      await action(event);
    } catch (error) {
      if (!error.message || error.status === undefined) throw error;
      showError(error, near);
    }
  };
}
