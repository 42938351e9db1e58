// Calls to the server, edits one after another, and the stream of events.

import { applyEvent, author, loadSnapshot, store, touch } from "./store.js";

const SILENCE_MS = 25000;

export class CallError extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.kind = error.kind;
    this.remedy = error.remedy || null;
  }
}

async function answer(response) {
  const text = await response.text();
  let value = {};
  try { value = JSON.parse(text); } catch { /* not from kadr: said below */ }
  if (response.ok) return value;
  if (value.revision) store.data.revision = value.revision;
  throw new CallError(response.status, value.error || {
    kind: "", message: `The server answered ${response.status} ${response.statusText}`,
  });
}

export async function call(method, path, body) {
  const options = { method, headers: { "X-Kadr": "1" } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new CallError(0, { message: "kadr does not answer. Is the program that opened this page still running?" });
  }
  return answer(response);
}

let lastEdit = Promise.resolve();

// Run edits one after another, so that each has the revision that the one before it returned.
function inTurn(send) {
  store.editing += 1;
  const edit = lastEdit.then(async () => {
    try {
      const reply = await send();
      if (reply.revision) store.data.revision = Math.max(reply.revision, store.data.revision);
      return reply;
    } finally {
      store.editing -= 1;
      touch("edits");
    }
  });
  lastEdit = edit.catch(() => {});
  return edit;
}

// An edit; one that sets a value is sent again if somebody else edited in between.
export function edit(method, path, body = {}, { again = false } = {}) {
  const send = () => call(method, path, { ...body, revision: store.data.revision, author });
  return inTurn(async () => {
    try {
      return await send();
    } catch (error) {
      if (!again || error.status !== 409) throw error;
      return send();
    }
  });
}

export const editOptions = (values) => edit("PATCH", "/api/options", { values }, { again: true });

export function putPicture(index, file) {
  return inTurn(async () => {
    const query = new URLSearchParams({ revision: store.data.revision, author, name: file.name });
    return answer(await fetch(`/api/keys/${index}/image?${query}`, {
      method: "PUT", headers: { "X-Kadr": "1" }, body: file,
    }));
  });
}

export const startJob = (kind, members = {}) => call("POST", "/api/jobs", { kind, author, ...members });

// Send a file with progress, which fetch does not report.
export function upload(file, onShare) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/api/uploads?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader("X-Kadr", "1");
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onerror = () => reject(new CallError(0, { message: `${file.name}: the upload broke off; try again` }));
    request.onload = () => {
      const response = new Response(request.responseText, { status: request.status });
      answer(response).then(resolve, reject);
    };
    request.send(file);
  });
}

export async function refresh() {
  loadSnapshot(await call("GET", "/api/snapshot"));
}

function setConnected(connected) {
  if (store.connected === connected) return;
  store.connected = connected;
  touch("connection");
}

// Follow the server's events for ever; take a new snapshot after a gap or a restart.
export async function followEvents() {
  let wait = 300;
  for (;;) {
    try {
      await refresh();
      wait = 300;
      await readEvents();
    } catch { /* the server is gone: try again below */ }
    setConnected(false);
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(4000, wait * 1.6);
  }
}

// Ends when the connection does, or when the page must take a new snapshot.
function readEvents() {
  return new Promise((resolve) => {
    const { boot, event } = store.data;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/events?${new URLSearchParams({ boot, after: event })}`);
    let silence = 0;
    const end = () => { clearTimeout(silence); socket.close(); resolve(); };
    const restart = () => { clearTimeout(silence); silence = setTimeout(end, SILENCE_MS); };
    restart();
    socket.onopen = () => setConnected(true);
    socket.onclose = end;
    socket.onmessage = (message) => {
      restart();
      const batch = JSON.parse(message.data);
      if (batch.reset || batch.boot !== boot) { end(); return; }
      for (const item of batch.events) applyEvent(item);
    };
  });
}
