// Buttons for a folder or a file on this machine: open it, copy its path.

import { call } from "./connection.js";
import { button, make } from "./dom.js";
import { guarded, say } from "./errors.js";
import { store, watch } from "./store.js";

// what: as the server names the folder; layer: whose keys.
export function folderButtons(what, pathOf, layer) {
  const open = button("Open folder", guarded(() => call("POST", "/api/reveal", { what, layer })), { icon: "folder", class: "quiet small" });
  const show = () => { open.hidden = !(store.data.project || {}).local; };
  watch("project", show);
  show();
  return [open, copyButton(pathOf)];
}

export const copyButton = (pathOf) => button("Copy path", () => copyPath(pathOf()), { icon: "copy", class: "quiet small" });

function copyPath(path) {
  const area = make("textarea", { class: "offscreen", "aria-hidden": "true" });
  area.value = path;
  document.body.append(area);
  area.select();
  // the clipboard interface is missing on pages that came over plain http from another machine
  const isCopied = document.execCommand("copy");
  area.remove();
  say(isCopied ? `Copied: ${path}` : path);
}
