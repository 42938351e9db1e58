// Controls from the description of options that the server sends: a new option appears by itself.

import { editOptions } from "./connection.js";
import { button, find, listen, make, setText, syncList } from "./dom.js";
import { clearErrors, showError } from "./errors.js";
import { canChange, store } from "./store.js";

const isNumber = ({ kind }) => kind === "number" || kind === "integer";
const idOf = (option) => `${option.section}.${option.name}`;

export const makeForm = () => make("div", { class: "form" });

// Show controls. values: null for options of the project, which are saved at once; or an object
// that the controls write into.
export function updateForm(form, options, values = null) {
  syncList(form, options, (option) => `${idOf(option)}:${option.kind}`,
    (option) => makeControl(option, values), (row, option) => updateControl(row, option, values));
}

function makeControl(option, values) {
  const id = `option-${values ? "own-" : ""}${option.section}-${option.name}`.replace(/[^\w-]/g, "-");
  const input = makeInput(option, id);
  const row = make("div", { class: `option ${option.kind} place` });
  const save = (value) => saveValue(row, option, values, value);
  listen(input, "change", () => save(readInput(input, option)));
  const reset = button("Default", () => { save(null); }, { class: "quiet tiny reset", label: `${option.label}: back to the default` });
  row.append(make("div", { class: "option-head" }, make("label", { for: id, text: option.label }), reset),
    input, make("p", { class: "help", id: `${id}-help`, text: helpOf(option) }));
  input.setAttribute("aria-describedby", `${id}-help`);
  return row;
}

function helpOf({ help, kind, unset, default: base, low, high }) {
  const parts = [help];
  if (kind !== "flag" && (unset || base)) parts.push(`default: ${unset || base}`);
  if (low !== null) parts.push(high === null ? `${low} or more` : `${low} to ${high}`);
  return parts.join("; ");
}

function makeInput(option, id) {
  if (option.kind === "flag") return make("input", { type: "checkbox", id });
  if (option.kind === "choice") {
    const none = option.default === null ? [make("option", { value: "", text: option.unset || "not set" })] : [];
    return make("select", { id }, ...none, ...option.choices.map((choice) => make("option", { value: choice, text: choice })));
  }
  if (option.kind === "list") return make("textarea", { id, rows: 2, placeholder: "one a line" });
  return make("input", {
    id, type: isNumber(option) ? "number" : "text", min: option.low, max: option.high, autocomplete: "off", spellcheck: "false",
    step: option.kind === "integer" ? 1 : isNumber(option) ? "any" : null,
    placeholder: option.unset || (option.default === null ? null : String(option.default)),
  });
}

function readInput(input, option) {
  if (option.kind === "flag") return input.checked;
  const text = input.value.trim();
  if (option.kind === "list") return text ? text.split("\n").map((line) => line.trim()).filter(Boolean) : null;
  if (!text) return null;
  const number = Number(text);
  return isNumber(option) && !Number.isNaN(number) ? number : text;
}

async function saveValue(row, option, values, value) {
  clearErrors(row);
  if (values) {
    if (value === null) delete values[option.name];
    else values[option.name] = value;
    updateControl(row, option, values);
    return;
  }
  try {
    await editOptions({ [idOf(option)]: value });
    if (value === null) find("input, select, textarea", row).blur();
  } catch (error) {
    showError(error, row);
  }
}

function updateControl(row, option, values) {
  const input = find("input, select, textarea", row);
  const own = values ? values[option.name] : option.value;
  const isSet = own !== null && own !== undefined;
  const value = isSet ? own : option.default;
  row.classList.toggle("is-set", isSet);
  find(".reset", row).hidden = !isSet;
  input.disabled = !values && !canChange();
  setText(find("label", row), option.label);
  // what somebody is typing or what was refused, or an edit under way, is newer than the server's value
  if (find(".error", row) || (document.activeElement === input && option.kind !== "flag") || (!values && store.editing)) return;
  if (option.kind === "flag") input.checked = Boolean(value);
  else if (option.kind === "choice") input.value = value === null ? "" : String(value);
  else if (option.kind === "list") input.value = (isSet ? own : []).join("\n");
  else input.value = isSet ? String(own) : "";
}

// The options whose name, label or help holds each word of a text.
export function filterOptions(options, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter((option) => {
    const all = `${option.name} ${option.label} ${option.help}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}
