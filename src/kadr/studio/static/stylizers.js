// Choose a stylizer and its options for something that is made once, such as keys or a seed grid.

import { listen, make, setText, syncList } from "./dom.js";
import { makeForm, updateForm } from "./forms.js";
import { store, watch } from "./store.js";

let count = 0;

// element, and name and options as they are chosen now.
export function stylizerPicker(label) {
  const id = `stylizer-${count += 1}`;
  const select = make("select", { id });
  const help = make("p", { class: "help" });
  const values = {};
  const form = makeForm();
  const details = make("details", {}, make("summary", { text: "Options of the stylizer" }), form);
  const ownOptions = () => (values[select.value] ||= {});
  const show = () => {
    const stylizer = usable().find((item) => item.name === select.value);
    if (!stylizer) return;
    setText(help, stylizer.needs || stylizer.help);
    help.classList.toggle("needs", Boolean(stylizer.needs));
    if (form.dataset.stylizer !== stylizer.name) form.replaceChildren();
    form.dataset.stylizer = stylizer.name;
    details.hidden = !stylizer.options.length;
    updateForm(form, stylizer.options, ownOptions());
  };
  listen(select, "change", show);
  watch("options", () => {
    const before = select.value;
    syncList(select, usable(), (item) => item.name,
      (item) => make("option", { value: item.name }), (element, item) => setText(element, item.name));
    if (before) select.value = before;
    if (!select.value && select.options.length) select.selectedIndex = 0;
    show();
  });
  return {
    element: make("div", { class: "picker" }, make("label", { for: id, text: label }), select, help, details),
    get name() { return select.value; },
    get options() { return ownOptions(); },
  };
}

// Those that work at once stand first.
function usable() {
  const { options } = store.data;
  const all = options ? options.stylizers.filter((item) => item.name !== "external") : [];
  return [...all.filter((item) => !item.needs), ...all.filter((item) => item.needs)];
}
