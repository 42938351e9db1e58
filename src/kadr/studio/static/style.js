// The panels of options: style with seed grid and takes, layers and masks, output and export.

import { edit, editOptions, startJob } from "./connection.js";
import { button, find, hint, icon, listen, make, plural, row, setText, syncList } from "./dom.js";
import { folderButtons } from "./folders.js";
import { guarded, say } from "./errors.js";
import { filterOptions, makeForm, updateForm } from "./forms.js";
import { stylizerPicker } from "./stylizers.js";
import { canChange, canEdit, countStates, goTo, jobs, numberOf, select, store, watch } from "./store.js";

const FORMATS = [["mp4", "MP4, H.264"], ["webm", "WebM, VP9"], ["mov", "MOV, with alpha if there is one"],
  ["gif", "GIF"], ["frames", "PNG frames in a zip"]];

const heading = (text) => make("h3", { text });

export function makeStylePanel() {
  const source = make("select", { id: "key-source" });
  const sourceHelp = make("p", { class: "help" });
  listen(source, "change", guarded(() => editOptions({ "stylizer.name": source.value })));
  const stylizerForm = makeForm();
  const forms = makeForms({ picture: "Picture", keys: "Keyframes", guides: "Guides of your own" });
  const stylizerHead = heading("Options of the stylizer");
  const filter = make("input", { type: "search", placeholder: "Find an option", "aria-label": "Find an option" });
  const update = () => {
    const { options, project } = store.data;
    if (!options || !project) return;
    syncList(source, options.stylizers, (item) => item.name, (item) => make("option", { value: item.name }),
      (element, item) => setText(element, item.name === "external" ? "painted by you, or stylized one by one" : `made in each run by ${item.name}`));
    if (document.activeElement !== source) source.value = project.stylizer;
    source.disabled = !canChange();
    const chosen = options.stylizers.find((item) => item.name === project.stylizer);
    setText(sourceHelp, chosen ? chosen.needs || chosen.help : "");
    const of = (name) => filterOptions(sectionOptions(name), filter.value);
    const own = of("stylizer").filter((option) => option.name !== "name");
    stylizerHead.hidden = !own.length;
    updateForm(stylizerForm, own);
    forms.update((name) => of(name).filter((option) => option.kind !== "path"));
  };
  watch("options project edits editable", update);
  listen(filter, "input", update);
  return make("div", { class: "panel-body" },
    make("div", { class: "picker place" }, make("label", { for: "key-source", text: "Keys are" }), source, sourceHelp),
    makeSeedGrid(), makeTakes(), filter, stylizerHead, stylizerForm,
    ...forms.elements);
}

// Forms for sections of the project file under their headings.
function makeForms(titles) {
  const forms = Object.keys(titles).map((name) => [name, makeForm()]);
  return {
    elements: forms.flatMap(([name, form]) => [heading(titles[name]), form]),
    update(optionsOf) { for (const [name, form] of forms) updateForm(form, optionsOf(name)); },
  };
}

function sectionOptions(name) {
  const { options } = store.data;
  const section = options && options.sections.find((item) => item.name === name);
  return section ? section.options : [];
}

function makeSeedGrid() {
  const picker = stylizerPicker("Stylizer");
  const first = make("input", { type: "number", id: "first-seed", value: 0, min: 0, class: "short" });
  const grid = make("ul", { class: "seeds", "aria-label": "Seed grid" });
  const head = hint("");
  const start = button("Make four", guarded(() => {
    const seed = Number(first.value) || 0;
    return startJob("seeds", { frame: store.frame, stylizer: picker.name, options: picker.options,
      seeds: [0, 1, 2, 3].map((step) => seed + step) });
  }), { class: "small" });
  watch("jobs frame editable", () => {
    start.disabled = !canEdit();
    const job = jobs().filter((item) => item.kind === "seeds" && item.state === "done" && item.result).at(-1);
    const frame = job ? job.result.frame : null;
    setText(head, job ? `Frame ${numberOf(frame)} in ${plural(job.result.images, "version")}. Keep one: it becomes the key.`
      : "Stylizes the frame that is shown with several seeds, side by side.");
    const images = job ? job.result.labels.map((label, position) => ({ label, position, job })) : [];
    syncList(grid, images, (item) => `${item.job.id}-${item.position}`, makeSeed, () => {});
  });
  return make("details", { class: "box" }, make("summary", { text: "Seed grid" }),
    make("div", { class: "place" }, picker.element,
      row(make("label", { for: "first-seed", text: "Seeds from" }), first, start)), head, grid);
}

function makeSeed({ label, position, job }) {
  return make("li", { class: "place" },
    make("img", { src: `/api/jobs/${job.id}/images/${position}.jpg`, alt: `Frame ${numberOf(job.result.frame)}, ${label}` }),
    row(make("span", { text: label }),
      button("Keep", guarded(async () => {
        await edit("POST", `/api/jobs/${job.id}/keep`, { image: position });
        goTo(job.result.frame);
        select(job.result.frame);
        say(`Key of frame ${numberOf(job.result.frame)}: ${label}`);
      }), { class: "small", label: `Keep ${label}` })));
}

function makeTakes() {
  const name = make("input", { type: "text", placeholder: "Name", "aria-label": "Name of the take", maxlength: 60 });
  const list = make("ul", { class: "takes", "aria-label": "Takes" });
  const keep = guarded(async () => {
    await edit("POST", "/api/takes", { name: name.value.trim() || `take ${(store.data.takes || []).length + 1}` });
    name.value = "";
  });
  const add = button("Keep settings", keep, { class: "small" });
  watch("takes editable", () => {
    add.disabled = !canEdit();
    syncList(list, store.data.takes || [], (take) => take.id, makeTake, updateTake);
  });
  return make("details", { class: "box" }, make("summary", { text: "Takes" }),
    hint("Settings kept under a name, with the pictures made so far: choose a take above the viewer to compare."),
    row(name, add), list);
}

function makeTake(take) {
  return make("li", { class: "row place" }, make("span", { class: "take-name" }),
    button("Use", guarded(() => edit("PUT", `/api/takes/${take.id}`)), { class: "small", label: `Use take ${take.name}` }),
    button("", guarded(() => edit("DELETE", `/api/takes/${take.id}`)), { icon: "trash", class: "quiet small", label: `Delete take ${take.name}` }));
}

function updateTake(row, take) {
  setText(find(".take-name", row), take.current ? `${take.name} (current)` : take.name);
  find("button", row).disabled = take.current || !canEdit();
}

export function makeLayersPanel() {
  const list = make("ul", { class: "layers", "aria-label": "Layers" });
  const text = hint("");
  const maskForm = makeForm();
  watch("layers keys options project edits editable", () => {
    const layers = [...(store.data.layers || [])].reverse();
    setText(text, layers.length ? "The first lies on top. Each layer has its own keys; a mask says where it is restyled."
      : "This project has one layer. Masks below restrict where it is restyled; kadr layer add makes layers.");
    syncList(list, layers, (layer) => layer.name, makeLayer, updateLayer);
    updateForm(maskForm, sectionOptions("mask"));
  });
  return make("div", { class: "panel-body" }, text, list, heading("Mask"), maskForm);
}

function makeLayer({ name }) {
  const set = (values) => edit("PATCH", "/api/layers", { name, values }, { again: true });
  const shown = make("input", { type: "checkbox", id: `show-${name}` });
  const mask = make("input", { type: "text", placeholder: "no mask", "aria-label": `Mask of ${name}` });
  listen(shown, "change", guarded(() => set({ show: shown.checked ? null : false })));
  listen(mask, "change", guarded(() => set({ "mask.mask": mask.value.trim() || null })));
  const move = (step) => guarded(() => {
    const names = store.data.layers.map((layer) => layer.name), place = names.indexOf(name);
    names.splice(place + step, 0, ...names.splice(place, 1));
    return edit("PUT", "/api/layers/order", { names });
  });
  return make("li", {}, row(shown, make("label", { for: shown.id, text: name }), make("span", { class: "take-name" }),
    button("↑", move(1), { class: "quiet tiny", label: `Move ${name} up` }), button("↓", move(-1), { class: "quiet tiny", label: `Move ${name} down` })),
    row(mask, ...folderButtons("keys", () => layerOf(name).keys_path, name)));
}

const layerOf = (name) => store.data.layers.find((layer) => layer.name === name);

function updateLayer(element, layer) {
  const [shown, mask] = element.querySelectorAll("input"), [up, down] = element.querySelectorAll("button");
  setText(find("span", element), plural((store.data.keys || []).filter((key) => key.layer === layer.name).length, "key"));
  shown.checked = layer.visible;
  if (document.activeElement !== mask) mask.value = layer.mask || "";
  shown.disabled = mask.disabled = !canEdit();
  up.disabled = !canEdit() || layer === store.data.layers.at(-1);
  down.disabled = !canEdit() || layer === store.data.layers[0];
}

export function makeOutputPanel() {
  const format = make("select", { id: "export-format" },
    ...FORMATS.map(([value, text]) => make("option", { value, text })));
  const start = button("Export", guarded(() => startJob("export", { format: format.value })), { class: "primary", icon: "download" });
  const files = make("ul", { class: "files", "aria-label": "Files" });
  const note = hint("");
  const forms = makeForms({ output: "Film", clip: "Clip", run: "Run" });
  watch("project jobs frames options edits editable", () => {
    const { project, clip } = store.data;
    if (!project || !clip) return;
    const counts = countStates(), total = clip.last - clip.first + 1;
    const finished = counts.current + counts.edited;
    setText(note, finished < total ? `${finished} of ${total} frames are up to date: press Run for the rest.` : "All frames are up to date.");
    start.disabled = !canEdit() || !finished;
    syncList(files, outputFiles(project), (item) => item.id, makeFile, (row, item) => { find("a", row).href = item.href; });
    forms.update(sectionOptions);
  });
  return make("div", { class: "panel-body" }, note,
    row(make("label", { for: "export-format", text: "Format" }), format, start),
    files,
    row(...folderButtons("output", () => store.data.project.output)),
    ...forms.elements);
}

const fileName = (path) => path.split(/[\\/]/).pop();

function outputFiles(project) {
  const films = project.output_version
    ? [{ id: "film", text: fileName(project.output), href: `/api/output?v=${project.output_version}` }] : [];
  const exported = jobs().filter((job) => job.kind === "export" && job.state === "done" && job.result)
    .map((job) => ({ id: `export-${job.id}`, text: fileName(job.result.file), href: `/api/exports/${job.id}?v=${job.ended}` }));
  const report = project.report_version
    ? [{ id: "report", text: "Report of the run", href: `/api/report?v=${project.report_version}`, isPage: true }] : [];
  return [...exported, ...films, ...report];
}

function makeFile(item) {
  const link = make("a", item.isPage ? { href: item.href, target: "_blank", rel: "noopener" } : { href: item.href, download: "" },
    !item.isPage && icon("download"), make("span", { text: item.text }));
  return make("li", {}, link);
}
