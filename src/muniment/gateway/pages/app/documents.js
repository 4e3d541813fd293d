/** Documents: the collections, what is in each and in which state, adding and deleting. */

import { addInto } from "./adding.js";
import { all, get, post, remove } from "./api.js";
import { byId, complain, confirmed, count, day, el, size, sourceLink, titleOf } from "./dom.js";
import { may } from "./session.js";

const AGAIN_MS = 2000;
const STATES = {
  received: "waiting to be read",
  parsed: "read",
  chunked: "cut into passages",
  embedded: "nearly there",
  indexed: "nearly there",
  current: "searchable",
  retired: "replaced",
  failed: "failed",
};

let collections = [];
let open = null;
let cursor = null;
let latest = 0;
let again = 0;

export function begin() {
  addInto(() => open?.name ?? "", (collection) => collection === open?.name && refresh());
  byId("new-form").addEventListener("submit", (event) => {
    event.preventDefault();
    make(event.target);
  });
  byId("listing-form").addEventListener("submit", (event) => event.preventDefault());
  byId("listing-form").addEventListener("input", () => list());
  byId("more-rows").addEventListener("click", () => list(cursor));
  byId("shelf-delete").addEventListener("click", deleteCollection);
}

/** `#/documents` opens the first collection, `#/documents/handbook` that one. */
export async function show(_parameters, [name]) {
  complain(byId("documents-failed"), null);
  byId("new-collection").hidden = !may("documents:write");
  try {
    collections = await all("/collections");
    const wanted = name ?? open?.name;
    open = collections.find((each) => each.name === wanted) ?? (name ? null : collections[0] ?? null);
    if (name && !open) throw new Error(`There is no collection ${name} that you may see.`);
    renderShelf();
    await list();
  } catch (problem) {
    open = null;
    renderShelf();
    complain(byId("documents-failed"), problem);
  }
}

function renderShelf() {
  byId("collections").replaceChildren(...collections.map((each) => el("li", {},
    el("a", { href: `#/documents/${each.name}`, "aria-current": each.name === open?.name && "page" },
      el("span", {}, each.title || each.name),
      el("span", { class: "soft small" }, count(each.documents ?? 0, "document"))))));
  if (!collections.length) {
    byId("collections").replaceChildren(el("li", { class: "soft" }, "There is no collection yet."));
    byId("new-collection").open = may("documents:write");
  }
  byId("shelf").hidden = byId("listing").hidden = !open;
  if (!open) return;
  byId("shelf-title").textContent = open.title || open.name;
  const about = [open.description, `New documents are ${open.access_level}.`];
  byId("shelf-about").textContent = about.filter(Boolean).join(" ");
  byId("shelf-delete").hidden = open.managers === null;
  byId("drop").hidden = !may("documents:write");
}

async function make(form) {
  const { name, title, shared } = form.elements;
  complain(byId("new-failed"), null);
  try {
    await post("/collections", {
      name: name.value,
      title: title.value.trim() || null,
      members: shared.checked ? ["group:everyone"] : [],
    });
  } catch (problem) {
    complain(byId("new-failed"), problem);
    return;
  }
  const made = name.value;
  form.reset();
  byId("new-collection").open = false;
  location.hash = `#/documents/${made}`;
}

async function deleteCollection() {
  const { name, documents } = open;
  const sure = await confirmed(`Delete ${open.title || name}?`,
    `${count(documents ?? 0, "document")} that you may read, and any others in it, are gone for everyone. This cannot be undone.`);
  if (!sure) return;
  try {
    await remove(`/collections/${name}`);
    open = null;
    location.hash = "#/documents";
  } catch (problem) {
    complain(byId("documents-failed"), problem);
  }
}

/** The list again, as far as it was open, when something in it changed. */
async function refresh() {
  collections = await all("/collections").catch(() => collections);
  open = collections.find(({ name }) => name === open?.name) ?? open;
  renderShelf();
  await list(null, Math.max(50, byId("rows").children.length));
}

async function list(from = null, limit = 50) {
  clearTimeout(again);
  if (!open) return;
  const mine = ++latest;
  const parameters = new URLSearchParams({ limit: String(Math.min(limit, 500)) });
  for (const [name, value] of new FormData(byId("listing-form"))) if (value) parameters.set(name, value);
  if (from) parameters.set("cursor", from);
  try {
    const path = `/collections/${encodeURIComponent(open.name)}`;
    const [page, failed] = await Promise.all([
      get(`${path}/documents?${parameters}`),
      get(`/runs?state=failed&limit=500&collection=${encodeURIComponent(open.name)}`),
    ]);
    if (mine !== latest) return;
    complain(byId("documents-failed"), null);
    render(page, failed.items, from);
  } catch (problem) {
    if (mine === latest) complain(byId("documents-failed"), problem);
  }
}

function render(page, failedRuns, from) {
  const runs = new Map(failedRuns.toReversed().map((run) => [run.document, run]));
  const rows = page.items.map((document) => rowOf(document, runs.get(document.id)));
  const focused = document.activeElement?.dataset?.focus;
  if (from) byId("rows").append(...rows);
  else byId("rows").replaceChildren(...rows);
  if (focused) byId("rows").querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  cursor = page.next_cursor;
  byId("more-rows").hidden = !cursor;
  const shown = byId("rows").children.length;
  byId("documents-status").textContent = shown ? `${count(shown, "document")}${cursor ? " and more" : ""}` : "No documents here.";
  if (page.items.some(isMoving)) again = setTimeout(refresh, AGAIN_MS);
}

const newest = (document) => document.versions.reduce((a, b) => (a.number > b.number ? a : b));
const isMoving = (document) => !["current", "failed", "retired"].includes(newest(document).state);

function rowOf(document, run) {
  const last = newest(document);
  const title = titleOf(document);
  const failed = last.state === "failed";
  return el("li", { class: last.state },
    document.version
      ? el("a", { class: "name", href: sourceLink(document.id, document.version), "data-focus": `open ${document.id}` }, title)
      : el("span", { class: "name" }, title),
    el("span", { class: "soft small" },
      [title === document.key ? null : document.key, size(last.size_bytes), day(last.created_at)].filter(Boolean).join(" · ")),
    el("span", { class: "state" }, stateWords(document, last)),
    el("span", { class: "chips" }, ...[document.type !== "Other" && document.type, document.status, document.access_level]
      .filter(Boolean).map((word) => el("span", { class: "chip" }, word))),
    failed && el("p", { class: "problem" }, last.problem?.detail ?? last.problem?.title ?? "It failed for an unknown reason."),
    may("documents:write") && el("span", { class: "acts" },
      failed && run && el("button", {
        type: "button", "data-focus": `retry ${document.id}`, "aria-label": `Try ${title} again`, onclick: () => retry(run),
      }, "Try again"),
      el("button", {
        type: "button", class: "quiet danger", "aria-label": `Delete ${title}`, onclick: () => deleteDocument(document),
      }, "Delete")));
}

function stateWords(document, last) {
  const words = STATES[last.state] ?? last.state;
  if (!document.version || document.version === last.number) return words;
  return `version ${document.version} is searchable, version ${last.number}: ${words}`;
}

async function retry(run) {
  try {
    await post(`/runs/${run.id}/retry`);
    await refresh();
  } catch (problem) {
    complain(byId("documents-failed"), problem);
  }
}

async function deleteDocument(document) {
  const sure = await confirmed(`Delete ${titleOf(document)}?`, "All of its versions are gone for everyone. This cannot be undone.");
  if (!sure) return;
  try {
    await remove(`/documents/${encodeURIComponent(document.id)}`);
    await refresh();
    byId("shelf-title").focus();
  } catch (problem) {
    complain(byId("documents-failed"), problem);
  }
}
