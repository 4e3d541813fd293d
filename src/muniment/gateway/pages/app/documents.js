/** Documents: the collections, what is in each and in which state, adding and deleting. */

import { addInto } from "./adding.js";
import { all, get, post, remove } from "./api.js";
import { attempt, chip, confirmed, count, day, el, size, sourceLink, titleOf, ui } from "./dom.js";
import { may } from "./session.js";

const AGAIN_MS = 2000;
const PAGE = 50;
const STATES = {
  received: "waiting to be read",
  current: "searchable",
  failed: "failed",
};
const RESTING = ["current", "failed", "retired"];

let collections = [];
let open = null;
let cursor = null;
let latest = 0;
let again = 0;

export function begin() {
  addInto(() => open?.name, (collection) => collection === open?.name && refresh());
  ui.newForm.onsubmit = (event) => {
    event.preventDefault();
    attempt(ui.newFailed, create);
  };
  ui.listingForm.onsubmit = (event) => event.preventDefault();
  ui.listingForm.oninput = () => list();
  ui.moreRows.onclick = () => list(cursor);
  ui.shelfDelete.onclick = deleteCollection;
}

/** `#/documents` opens a collection, `#/documents/handbook` that one. */
export async function show(_, { inside: name = open?.name }) {
  ui.newCollection.hidden = !may("documents:write");
  await attempt(ui.documentsFailed, async () => {
    collections = await all("/collections");
    open = collections.find((each) => each.name === name) ?? (name ? null : collections[0]);
    renderShelf();
    if (name && !open) throw new Error(`There is no collection ${name} that you may see.`);
  });
  await list();
}

function renderShelf() {
  ui.collections.replaceChildren(...collections.map(({ name, title, documents }) => el("li", {},
    el("a", { href: `#/documents/${name}`, "aria-current": name === open?.name && "page" },
      title || name, el("span", { class: "soft small" }, count(documents, "document"))))));
  if (!collections.length) {
    ui.collections.append(el("li", { class: "soft" }, "There is no collection yet."));
    ui.newCollection.open = true;
  }
  ui.shelf.hidden = ui.listing.hidden = !open;
  if (!open) return;
  ui.shelfTitle.textContent = open.title || open.name;
  ui.shelfAbout.textContent = `${open.description ?? ""} New documents are ${open.access_level}.`;
  ui.shelfDelete.hidden = !open.managers;
  ui.drop.hidden = !may("documents:write");
}

async function create() {
  const { name, title, shared } = ui.newForm.elements;
  const members = shared.checked ? ["group:everyone"] : [];
  const made = await post("/collections", { name: name.value, title: title.value || null, members });
  ui.newForm.reset();
  ui.newCollection.open = false;
  location.hash = `#/documents/${made.name}`;
}

async function deleteCollection() {
  const { name, title } = open;
  if (!await confirmed(`Delete ${title || name}?`, "All of its documents are gone for everyone.")) return;
  await attempt(ui.documentsFailed, async () => {
    await remove(`/collections/${name}`);
    open = null;
    if (location.hash === "#/documents") await show(null, {});
    else location.hash = "#/documents";
  });
}

/** The list again, as far as it was open, when something in it changed. */
async function refresh() {
  await attempt(ui.documentsFailed, async () => {
    collections = await all("/collections");
    open = collections.find(({ name }) => name === open?.name);
    renderShelf();
  });
  await list(null, ui.rows.children.length);
}

async function list(from = null, least = 0) {
  clearTimeout(again);
  if (!open) return;
  const mine = ++latest;
  const asked = new URLSearchParams([...new FormData(ui.listingForm)].filter(([, value]) => value));
  asked.set("limit", Math.min(500, Math.max(PAGE, least)));
  if (from) asked.set("cursor", from);
  await attempt(ui.documentsFailed, async () => {
    const [page, failed] = await Promise.all([
      get(`/collections/${open.name}/documents?${asked}`),
      get(`/runs?state=failed&limit=500&collection=${open.name}`),
    ]);
    if (mine === latest) render(page, new Map(failed.items.map((run) => [run.document, run.id])), from);
  });
}

function render(page, failedRuns, from) {
  const focused = document.activeElement.dataset.focus;
  if (!from) ui.rows.replaceChildren();
  ui.rows.append(...page.items.map((each) => rowOf(each, failedRuns.get(each.id))));
  if (focused) ui.rows.querySelector(`[data-focus="${focused}"]`)?.focus();
  cursor = page.next_cursor;
  ui.moreRows.hidden = !cursor;
  ui.documentsStatus.textContent = count(ui.rows.children.length, "document") + (cursor ? ", and more" : "");
  if (page.items.some((each) => !RESTING.includes(newest(each).state))) again = setTimeout(refresh, AGAIN_MS);
}

const newest = ({ versions }) => versions.reduce((a, b) => (a.number > b.number ? a : b));

function rowOf(each, failedRun) {
  const { id, key, version, type, status, access_level } = each;
  const { number, state, problem, size_bytes, created_at } = newest(each);
  const title = titleOf(each);
  const words = STATES[state] ?? "being read";
  const button = (name, act, attributes) => el("button",
    { "aria-label": `${name}: ${title}`, "data-focus": name + id, onclick: act, ...attributes }, name);
  return el("li", { class: state },
    version ? el("a", { class: "name", href: sourceLink(id, version), "data-focus": id }, title)
      : el("span", { class: "name" }, title),
    el("span", { class: "soft small" }, `${title === key ? "" : `${key}, `}${size(size_bytes)}, added ${day(created_at)}`),
    el("span", { class: "state" }, version && version !== number ? `searchable; version ${number}: ${words}` : words),
    el("span", { class: "chips" }, chip(type !== "Other" && type), chip(status), chip(access_level)),
    problem && el("p", { class: "problem" }, problem.detail ?? problem.title),
    may("documents:write") && el("span", { class: "acts" },
      failedRun && state === "failed" && button("Try again", () => retry(failedRun)),
      button("Delete", () => deleteDocument(id, title), { class: "quiet danger" })));
}

async function retry(run) {
  if (await attempt(ui.documentsFailed, () => post(`/runs/${run}/retry`))) await refresh();
}

async function deleteDocument(id, title) {
  if (!await confirmed(`Delete ${title}?`, "All of its versions are gone for everyone.")
    || !await attempt(ui.documentsFailed, () => remove(`/documents/${id}`))) return;
  await refresh();
  ui.shelfTitle.focus();
}
