// One line on what to do next, with the button that does it.

import { editOptions } from "./connection.js";
import { button, duration, make, plural, rebuild, row } from "./dom.js";
import { guarded } from "./errors.js";
import { acceptEvery, chosenStylizer, stylizeWaiting, suggest } from "./keys.js";
import { showTab } from "./panel.js";
import { activeRun, run } from "./queue.js";
import { activeJobs, canEdit, countStates, goTo, keys, numberOf, openSuggestions, store, watch } from "./store.js";

export function makeNextStep() {
  const area = make("div", { class: "next-step place", "aria-live": "polite" });
  watch("keys suggestions frames jobs project options curves run_problem editable", () => {
    const step = nextStep();
    area.hidden = !step;
    if (!step) return;
    rebuild(area, `${step.text} ${step.buttons} ${canEdit()}`, () => [make("p", { text: step.text }), row(...step.buttons.map(([text, action], position) => {
      const element = button(text, guarded(action, area), { class: position ? "small" : "small primary" });
      element.disabled = !canEdit();
      return element;
    }))]);
  });
  return area;
}

function nextStep() {
  const { clip, project } = store.data;
  if (!clip || !project) return null;
  const working = activeJobs()[0];
  if (activeRun()) return { text: "The run is under way. Finished frames appear at once; you may look around and go on painting.", buttons: [] };
  if (working && working.kind !== "preview") return { text: "Working …", buttons: [] };
  const counts = countStates();
  const missing = counts["not-made"] + counts.stale + counts.failed + counts.queued;
  if (project.stylizer === "external") {
    const waiting = keys().filter((key) => key.state === "to-paint"), painted = keys().length - waiting.length;
    if (!keys().length && !openSuggestions().length) {
      return { text: "First choose keyframes: the frames that get the style. kadr looks at the clip and suggests some.", buttons: [["Suggest keys", suggest]] };
    }
    if (!keys().length) {
      return { text: `kadr suggests ${plural(openSuggestions().length, "key")}, dashed on the timeline. Accept them, or add others.`, buttons: [["Accept all", acceptEvery]] };
    }
    if (waiting.length) {
      return { text: `${plural(waiting.length, "key")} wait${waiting.length === 1 ? "s" : ""} for paint. Paint the files in your editor, or let kadr stylize them.`,
        buttons: [[`Stylize with ${chosenStylizer()}`, stylizeWaiting], ...(painted ? [["Go on with the painted ones", run]] : [])] };
    }
  }
  const { run_problem: cause } = store.data;
  if (cause) return { text: `A run cannot begin: ${cause.message}`, buttons: cause.remedy ? [[cause.remedy.label, () => editOptions(cause.remedy.options)]] : [] };
  if (missing) return { text: `${plural(missing, "frame")} ${missing === 1 ? "is" : "are"} to be made from ${plural(keys().length, "key")}${store.data.run_seconds > 1 ? `, in about ${duration(store.data.run_seconds)}` : ""}.`, buttons: [["Make the frames", run]] };
  return finished();
}

function finished() {
  const errors = (store.data.curves || {}).error || [];
  const worst = errors.reduce((best, value, index) => (value !== null && (best < 0 || value > errors[best]) ? index : best), -1);
  const buttons = [["Go to the output", () => showTab("Output")]];
  if (worst >= 0) buttons.push([`Show the weakest frame, ${numberOf(worst)}`, () => goTo(worst)]);
  return { text: "All frames are made. Compare them with the filmed ones; paint over a weak one and run again, or export.", buttons };
}
