// Run and Stop, and the queue of jobs with their progress.

import { call, startJob } from "./connection.js";
import { button, duration, find, hint, listen, make, plural, row, setProgress, setText, syncList } from "./dom.js";
import { errorCard, guarded, showError } from "./errors.js";
import { activeJobs, canEdit, goTo, isActive, jobs, numberOf, store, touch, watch } from "./store.js";

const KINDS = { run: "Run", preview: "Preview", plan: "Suggest keys", stylize: "Stylize keys", seeds: "Seed grid", export: "Export" };
const stateText = (state) => ({ queued: "waits", working: "" }[state] ?? state);

export const run = () => startJob("run");
export const activeRun = () => activeJobs().find((job) => job.kind === "run");

export async function stop() {
  const job = activeRun() || activeJobs()[0];
  if (job) await call("DELETE", `/api/jobs/${job.id}`);
}

// Run, Stop and the progress of the job that works now.
export function makeRunControls() {
  const runButton = button("Run", guarded(run), { icon: "play", class: "primary", title: "Make the frames that are missing or out of date" });
  const stopButton = button("Stop", guarded(stop), { icon: "stop", title: "Stop after the frame at work; finished frames are kept" });
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const text = make("span", { class: "progress-text" });
  const progress = make("div", { class: "progress" }, bar, text);
  watch("jobs queue project editable", () => {
    const job = activeJobs().find((item) => item.state !== "queued") || activeJobs()[0];
    runButton.disabled = !canEdit() || !store.data.clip || Boolean(activeRun());
    stopButton.disabled = !store.connected || !job || job.state === "stopping" || job.source === "terminal";
    progress.hidden = !job;
    if (!job) return;
    setProgress(bar, job.state === "queued" ? null : job.share);
    setText(text, progressText(job));
  });
  return make("div", { class: "run place", role: "group", "aria-label": "Run" }, runButton, stopButton, progress);
}

function progressText(job) {
  const parts = [KINDS[job.kind]];
  if (stateText(job.state)) parts.push(stateText(job.state));
  if (job.seconds_left && job.state === "working") parts.push(`${duration(job.seconds_left)} left`);
  if (job.step && job.state === "working") parts.push(job.total ? `${job.step} ${job.index} of ${job.total}` : job.step);
  return parts.join(" · ");
}

export function makeQueue() {
  const list = make("ul", { class: "jobs", "aria-label": "Jobs" });
  const empty = hint("Nothing is queued.");
  const pause = button("Pause", guarded(() => call("POST", "/api/queue", { paused: !store.data.queue.paused })), { icon: "pause", class: "small" });
  const all = button("Cancel all", guarded(() => call("DELETE", "/api/jobs")), { class: "small", icon: "close" });
  const summary = make("summary", { text: "Queue" });
  const body = make("div", { class: "popover" }, row(pause, all), empty, list);
  const details = make("details", { class: "queue" }, summary, body);
  watch("jobs queue editable", () => {
    const active = activeJobs(), isPaused = Boolean(store.data.queue && store.data.queue.paused);
    setText(summary, active.length ? `Queue (${active.length})` : "Queue");
    setText(find("span", pause), isPaused ? "Resume" : "Pause");
    pause.disabled = !canEdit();
    all.disabled = !store.connected || !jobs().length;
    setText(find("span", all), active.length ? "Cancel all" : "Clear the list");
    empty.hidden = jobs().length > 0;
    syncList(list, jobs(), (job) => job.id, makeJob, updateJob);
    announceFailures();
  });
  listen(document, "pointerdown", (event) => {
    if (details.open && !details.contains(event.target)) details.open = false;
  });
  listen(details, "keydown", (event) => {
    if (event.key !== "Escape") return;
    details.open = false;
    summary.focus();
  });
  return details;
}

function makeJob(job) {
  const first = button("First", guarded(() => call("POST", `/api/jobs/${job.id}/first`)), { class: "quiet tiny", label: `Job ${job.id} first` });
  const cancel = button("", guarded(() => call("DELETE", `/api/jobs/${job.id}`)), { icon: "close", class: "quiet tiny" });
  return make("li", { class: "job place" },
    make("div", { class: "row" }, make("b"), make("span", { class: "job-state" }), first, cancel),
    make("progress", { max: 1, "aria-label": `Progress of ${KINDS[job.kind]}` }), make("ul", { class: "notices" }));
}

function updateJob(row, job) {
  const [first, cancel] = row.querySelectorAll("button"), bar = find("progress", row);
  setText(find("b", row), jobTitle(job));
  setText(find(".job-state", row), jobState(job));
  row.dataset.state = job.state;
  bar.hidden = !["working", "paused", "stopping"].includes(job.state);
  setProgress(bar, job.share);
  const isElsewhere = job.source === "terminal";
  first.hidden = job.state !== "queued" || activeJobs().indexOf(job) < 2;
  cancel.hidden = isElsewhere && isActive(job);
  cancel.disabled = !store.connected || job.state === "stopping";
  cancel.setAttribute("aria-label", `${isActive(job) ? "Cancel" : "Remove"} job ${job.id}`);
  syncList(find(".notices", row), (job.notices || []).slice(-3), (notice) => notice, (notice) => make("li", { text: notice }), () => {});
  if (job.error && !find(".error", row)) row.append(errorCard(job.error, () => startJob(job.kind)));
}

function jobTitle(job) {
  if (job.kind === "preview" && job.frames) {
    const [first, last] = job.frames.map(numberOf);
    return `Preview of ${first}${first === last ? "" : `–${last}`}`;
  }
  return KINDS[job.kind] || job.kind;
}

function jobState(job) {
  if (job.state === "working") return progressText(job).split(" · ").slice(1).join(" · ");
  const parts = [stateText(job.state)];
  if (job.source === "terminal") parts.push("started in a terminal");
  if (job.state === "done" && job.result && job.result.seconds) parts.push(`${plural(job.result.frames, "frame")} in ${duration(job.result.seconds)}`);
  if (job.outdated) parts.push("keys or options changed since: run again");
  return parts.join(" · ");
}

const announced = new Set();
let isFirst = true;

// A failure that happens while somebody looks is also said where everybody sees it.
function announceFailures() {
  for (const job of jobs()) {
    if (job.state !== "failed" || announced.has(job.id)) continue;
    announced.add(job.id);
    if (!isFirst && job.error && job.kind !== "plan") showError(job.error, null, () => startJob(job.kind));
  }
  isFirst = false;
}

// While a run is followed, the newest finished frame is shown.
export function makeFollow() {
  const follow = button("Follow", () => {
    store.follow = !store.follow;
    touch("follow", "frames");
  }, { class: "small", title: "Show each frame as it is finished" });
  watch("follow frames frame jobs", () => {
    follow.setAttribute("aria-pressed", String(store.follow));
    if (store.follow && store.newest !== null) goTo(store.newest, { user: false });
  });
  return follow;
}
