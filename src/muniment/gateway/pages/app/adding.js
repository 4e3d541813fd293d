/** Adding files: each is sent, then its run is watched until the file can be found, or says why not. */

import { get, post, Problem, upload } from "./api.js";
import { count, el, size, ui } from "./dom.js";

const AT_ONCE = 2;
const WATCHED = 10;
const EVERY_MS = 700;
const WORDS = {
  waiting: "waiting to be sent",
  sending: "being sent",
  queued: "waiting its turn",
  running: "working",
  succeeded: "can be found",
  unchanged: "was there already",
};
const OVER = ["succeeded", "unchanged", "failed", "cancelled"];

/** Files with what became of each, and its row in the list. */
let items = [];
let watching = false;
let into = () => "";
let changed = () => {};

/** Which collection takes what is dropped, and who wants to know when something in one is other than before. */
export function addInto(collection, whenChanged) {
  into = collection;
  changed = whenChanged;
}

/** Files may be dropped anywhere: a browser would leave the page and show them. */
export function takeDrops(place) {
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return false;
    event.preventDefault();
    ui.drop.classList.toggle("over", event.type === "dragover");
    return true;
  };
  place.ondragover = place.ondragleave = over;
  place.ondrop = async (event) => {
    if (!over(event)) return;
    if (ui.documents.hidden) location.hash = "#/documents";
    add(await dropped([...event.dataTransfer.items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile())));
  };
  ui.choose.onclick = () => ui.files.click();
  ui.files.onchange = () => {
    add([...ui.files.files].map((file) => ({ file, key: file.name })));
    ui.files.value = "";
  };
  ui.addingClear.onclick = () => {
    items = items.filter((item) => !isOver(item));
    render();
  };
}

/** Files, and for folders what is in them, each with its path as its key. */
async function dropped(entries) {
  const found = [];
  for (const entry of entries) {
    if (entry instanceof File) found.push({ file: entry, key: entry.name });
    else if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ file, key: entry.fullPath.slice(1) });
    } else {
      const reader = entry.createReader();
      const some = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      for (let read = await some(); read.length; read = await some()) found.push(...await dropped(read));
    }
  }
  return found;
}

function add(files) {
  const collection = into();
  if (!collection) {
    ui.newCollection.open = true;
    ui.newForm.elements.name.focus();
    return;
  }
  items.push(...files.map(({ file, key }) => (
    { file, key, collection, state: "waiting", share: 0, run: null, reason: "", row: el("li") })));
  render();
  for (let sending = items.filter(({ state }) => state === "sending").length; sending < AT_ONCE; sending += 1) sendNext();
}

async function sendNext() {
  for (let item; (item = items.find(({ state }) => state === "waiting"));) await send(item);
}

async function send(item) {
  const form = new FormData();
  form.append("options", JSON.stringify({ key: item.key }));
  form.append("file", item.file);
  become(item, { state: "sending" });
  try {
    const { documents: [taken] } = await upload(`/collections/${item.collection}/documents`, form, (share) => become(item, { share }));
    if (taken.problem) throw new Problem(422, taken.problem);
    become(item, taken.run ? { state: "queued", run: { id: taken.run } } : { state: "unchanged" });
    watch();
  } catch (problem) {
    const own = problem.document?.documents?.[0]?.problem;
    become(item, { state: "failed", reason: own?.detail ?? problem.message });
  }
  changed(item.collection);
}

/** The oldest runs are asked about; those behind them wait for them. */
async function watch() {
  if (watching) return;
  watching = true;
  for (let open; (open = items.filter(({ state }) => state === "queued" || state === "running")).length;) {
    await Promise.all(open.slice(0, WATCHED).map(look));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  watching = false;
}

async function look(item) {
  try {
    const run = await get(`/runs/${item.run.id}`);
    become(item, { run, state: run.state, reason: run.problem?.detail ?? "" });
  } catch (problem) {
    become(item, { reason: problem.message, ...(problem.status === 404 && { state: "failed" }) });
  }
  if (isOver(item)) changed(item.collection);
}

async function retry(item) {
  ui.addingTitle.focus();
  become(item, { state: item.run ? "queued" : "waiting", reason: "" });
  if (!item.run) {
    sendNext();
    return;
  }
  try {
    item.run = await post(`/runs/${item.run.id}/retry`);
    watch();
  } catch (problem) {
    become(item, { state: "failed", reason: problem.message });
  }
}

const isOver = ({ state }) => OVER.includes(state);

function become(item, change) {
  Object.assign(item, change);
  renderItem(item);
  renderStatus();
}

function render() {
  ui.adding.hidden = !items.length;
  ui.addingList.replaceChildren(...items.map(({ row }) => row));
  items.forEach(renderItem);
  renderStatus();
}

function renderStatus() {
  const over = items.filter(isOver).length;
  const failed = items.filter(({ state }) => state === "failed").length;
  const told = `${over} of ${count(items.length, "file")} done${failed ? `, ${failed} failed` : ""}`;
  ui.addingStatus.textContent = told;
  ui.addingClear.hidden = !over;
}

function renderItem(item) {
  const { file, key, collection, state, share, run, reason, row } = item;
  const { done = 0, total = 0, unit } = run?.progress ?? {};
  // Sending is one half of the bar, reading and indexing the other.
  const value = state === "sending" ? share : 1 + (total && done / total);
  row.className = state;
  row.replaceChildren(...[
    el("span", { class: "name" }, key),
    el("span", { class: "soft small" }, `${collection}, ${size(file.size)}`),
    el("span", { class: "state" }, state === "running" && total ? `${done} of ${total} ${unit}` : WORDS[state] ?? state),
    !isOver(item) && state !== "waiting" && el("progress", { "aria-label": `Progress of ${key}`, max: 2, value }),
    reason && el("p", { class: "problem" }, reason),
    state === "failed" && el("button", { class: "acts", onclick: () => retry(item) }, "Try again"),
  ].filter(Boolean));
}
