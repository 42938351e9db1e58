// The panel beside the viewer: tabs for keys, layers, style and output.

import { listen, make } from "./dom.js";

const tabs = new Map();

export function makePanel(bodies, above) {
  const bar = make("div", { class: "tabs", role: "tablist", "aria-label": "Panel" });
  const panel = make("aside", { class: "panel", "aria-label": "Settings" }, above, bar);
  for (const [name, body] of bodies) {
    const id = name.toLowerCase();
    const tab = make("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, text: name, on: { click: () => showTab(name) } });
    const content = make("div", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, tabindex: -1 }, body);
    tabs.set(name, { tab, content });
    bar.append(tab);
    panel.append(content);
  }
  listen(bar, "keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const names = [...tabs.keys()];
    const now = names.findIndex((name) => tabs.get(name).tab === event.target);
    const name = names[(now + step + names.length) % names.length];
    showTab(name);
    tabs.get(name).tab.focus();
  });
  showTab(localStorage.getItem("kadr-tab") || "Keys");
  return panel;
}

export function showTab(name) {
  const wanted = tabs.has(name) ? name : "Keys";
  localStorage.setItem("kadr-tab", wanted);
  for (const [other, { tab, content }] of tabs) {
    tab.setAttribute("aria-selected", String(other === wanted));
    tab.tabIndex = other === wanted ? 0 : -1;
    content.hidden = other !== wanted;
  }
}
