/** Adding files: each is sent, then its run is watched until it can be found, or says why not. */

import { get, post, Problem, upload } from "./api.js";
import { byId, count, el, size } from "./dom.js";

const AT_ONCE = 2;
const WATCHED = 10;
const EVERY_MS = 700;
const OVER = ["succeeded", "failed", "cancelled"];

/** @typedef {{file: File, key: string, collection: string, state: string, share: number, run: any, reason: string, row: HTMLElement}} Item */

/** @type {Item[]} */
let items = [];
let watching = false;
let choice = () => "";
let changed = () => {};

/** Where dropped files go, and who wants to know when one is there. */
export function addInto(collection, whenChanged) {
  choice = collection;
  changed = whenChanged;
}

/** Files may be dropped anywhere; a browser would leave the page and show them. */
export function takeDrops(place) {
  const over = (event, on) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    byId("drop").classList.toggle("over", on);
  };
  place.addEventListener("dragover", (event) => over(event, true));
  place.addEventListener("dragleave", (event) => over(event, false));
  place.addEventListener("drop", async (event) => {
    over(event, false);
    if (!event.dataTransfer?.types.includes("Files")) return;
    location.hash = choice() ? `#/documents/${choice()}` : "#/documents";
    add(await dropped(event.dataTransfer));
  });
  byId("choose").addEventListener("click", () => byId("files").click());
  byId("files").addEventListener("change", (event) => {
    add([...event.target.files].map((file) => ({ file, key: file.name })));
    event.target.value = "";
  });
  byId("adding-clear").addEventListener("click", () => {
    items = items.filter((item) => !isOver(item));
    renderAll();
  });
}

/** Files and, for folders, what is in them, each with its path as its key. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, key: file.name }));
  const found = [];
  while (entries.length) {
    const entry = entries.shift();
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, key: entry.fullPath.replace(/^\//, "") });
    } else {
      const reader = entry.createReader();
      const some = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      for (let read = await some(); read.length; read = await some()) entries.push(...read);
    }
  }
  return found;
}

function add(files) {
  const collection = choice();
  if (!collection) {
    byId("new-collection").open = true;
    byId("new-form").elements.name.focus();
    return;
  }
  for (const { file, key } of files) {
    const item = { file, key, collection, state: "waiting", share: 0, run: null, reason: "" };
    item.row = el("li", { class: "adding" });
    items.push(item);
  }
  renderAll();
  for (let free = AT_ONCE - items.filter(({ state }) => state === "sending").length; free > 0; free -= 1) sendNext();
}

async function sendNext() {
  const item = items.find(({ state }) => state === "waiting");
  if (!item) return;
  await send(item);
  await sendNext();
}

async function send(item) {
  const form = new FormData();
  form.append("options", JSON.stringify({ key: item.key }));
  form.append("file", item.file);
  become(item, { state: "sending", share: 0, reason: "" });
  try {
    const path = `/collections/${encodeURIComponent(item.collection)}/documents`;
    const taken = await upload(path, form, (share) => become(item, { share }));
    const [document] = taken.documents;
    if (document.problem) throw new Problem(422, document.problem);
    if (document.run) become(item, { state: "queued", run: { id: document.run } });
    else become(item, { state: "unchanged" });
    watch();
  } catch (problem) {
    const own = problem.document?.documents?.[0]?.problem;
    become(item, { state: "failed", reason: own?.detail ?? problem.message });
  }
  changed(item.collection);
}

/** The oldest runs are asked for; those behind them wait for them. */
async function watch() {
  if (watching) return;
  watching = true;
  const going = () => items.filter(({ state }) => state === "queued" || state === "running");
  for (let open = going(); open.length; open = going()) {
    await Promise.all(open.slice(0, WATCHED).map(look));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  watching = false;
}

async function look(item) {
  try {
    const run = await get(`/runs/${item.run.id}`);
    become(item, { run, state: run.state, reason: run.problem?.detail ?? run.problem?.title ?? "" });
  } catch (problem) {
    if (problem.status >= 400 && problem.status < 500) become(item, { state: "failed", reason: problem.message });
    else become(item, { reason: problem.message });
  }
  if (isOver(item)) changed(item.collection);
}

async function retry(item) {
  if (!item.run) {
    become(item, { state: "waiting" });
    await sendNext();
    return;
  }
  try {
    become(item, { state: "queued", reason: "", run: await post(`/runs/${item.run.id}/retry`) });
    watch();
  } catch (problem) {
    become(item, { state: "failed", reason: problem.message });
  }
  byId("adding-title").focus();
}

const isOver = ({ state }) => OVER.includes(state) || state === "unchanged";

function become(item, change) {
  Object.assign(item, change);
  renderItem(item);
  renderStatus();
}

function renderAll() {
  byId("adding").hidden = !items.length;
  byId("adding-list").replaceChildren(...items.map(({ row }) => row));
  items.forEach(renderItem);
  renderStatus();
}

function renderStatus() {
  const over = items.filter(isOver).length;
  const failed = items.filter(({ state }) => state === "failed").length;
  const told = `${over} of ${count(items.length, "file")} done${failed ? `, ${failed} failed` : ""}`;
  if (byId("adding-status").textContent !== told) byId("adding-status").textContent = told;
  byId("adding-clear").hidden = !over;
}

function renderItem(item) {
  item.row.className = `adding ${item.state}`;
  const bar = progressOf(item);
  item.row.replaceChildren(...[
    el("span", { class: "name" }, item.key),
    el("span", { class: "soft small" }, `${item.collection}, ${size(item.file.size)}`),
    el("span", { class: "state" }, wordsOf(item)),
    bar && el("progress", { "aria-label": `Progress of ${item.key}`, ...bar }),
    item.reason && el("p", { class: "problem" }, item.reason),
    item.state === "failed" && el("button", { type: "button", onclick: () => retry(item) }, "Try again"),
  ].filter(Boolean));
}

/** Sending is one half of the bar, reading and indexing the other. */
function progressOf({ state, share, run }) {
  if (state === "sending") return { max: 2, value: share };
  if (state !== "running" && state !== "queued") return null;
  const { done = 0, total = null } = run.progress ?? {};
  return { max: 2, value: 1 + (total ? done / total : 0) };
}

function wordsOf({ state, run }) {
  const { done = 0, total = null, unit = "" } = run?.progress ?? {};
  if (state === "running" && total) return `working: ${done} of ${total} ${unit}`;
  return STATES[state] ?? state;
}

const STATES = {
  waiting: "waiting to be sent",
  sending: "being sent",
  queued: "waiting its turn",
  running: "working",
  succeeded: "can be found",
  unchanged: "was there already, unchanged",
  failed: "failed",
  cancelled: "called off",
};
