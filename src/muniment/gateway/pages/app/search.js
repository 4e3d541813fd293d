/** Search: the form is the address and the address is the search, so that back, reload and bookmarks work. */

import { all, post } from "./api.js";
import { byId, complain, count, degradedNotices, el, hitItem } from "./dom.js";

const TYPES = ["PRD", "Epic", "UserStory", "Task", "TechSpec", "Code", "Email", "Ticket", "Page", "Other"];
const STATUSES = ["draft", "review", "approved", "deprecated"];
const FILTERS = ["type", "status", "tags", "from", "until", "mode", "group"];
const STEP = 20;
const MOST = 200;

let latest = 0;

export function begin() {
  const form = byId("search-form");
  form.elements.type.append(...TYPES.map((type) => el("option", {}, type)));
  form.elements.status.append(...STATUSES.map((status) => el("option", {}, status)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(parametersOf(form));
  });
  byId("filters-clear").addEventListener("click", () => {
    const words = form.elements.q.value;
    form.reset();
    form.elements.q.value = words;
    countFilters(parametersOf(form));
    form.elements.q.focus();
  });
  byId("more-hits").addEventListener("click", () => {
    const parameters = parametersOf(form);
    parameters.set("limit", String(byId("hits").children.length + STEP));
    go(parameters);
  });
}

function parametersOf(form) {
  const given = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
  return new URLSearchParams(given.filter(([, value]) => value));
}

function go(parameters) {
  const address = `#/search?${parameters}`;
  if (location.hash === address) search(parameters);
  else location.hash = address;
}

/** @param {URLSearchParams} parameters */
export async function show(parameters, _rest, fresh) {
  const form = byId("search-form");
  const offered = fresh && offerCollections();
  if (!parameters.has("q")) return;
  await offered;
  form.elements.q.value = parameters.get("q");
  for (const name of FILTERS) {
    const field = form.elements[name];
    if (field.type === "checkbox") field.checked = parameters.has(name);
    else field.value = parameters.get(name) ?? "";
  }
  for (const box of byId("search-collections").querySelectorAll("input")) {
    box.checked = parameters.getAll("in").includes(box.value);
  }
  await search(parameters);
}

async function offerCollections() {
  const place = byId("search-collections");
  const chosen = [...place.querySelectorAll(":checked")].map((box) => box.value);
  try {
    const collections = await all("/collections");
    place.replaceChildren(...collections.map(({ name, title }) => el("label", { class: "check" },
      el("input", { type: "checkbox", name: "in", value: name, checked: chosen.includes(name) }), ` ${title || name}`)));
    if (!collections.length) place.replaceChildren(el("p", { class: "soft" }, "There are none yet."));
  } catch (problem) {
    complain(byId("search-failed"), problem);
  }
}

function countFilters(parameters) {
  const used = parameters.getAll("in").length + FILTERS.filter((name) => parameters.has(name)).length;
  byId("filters-count").textContent = used ? `(${used} set)` : "";
}

/** The API's own request for what the address says. */
function requestOf(parameters) {
  const filters = {};
  for (const name of ["type", "status"]) if (parameters.has(name)) filters[name] = [parameters.get(name)];
  const tags = (parameters.get("tags") ?? "").split(",").map((tag) => tag.trim()).filter(Boolean);
  if (tags.length) filters.tags = { all: tags };
  const created = {};
  if (parameters.has("from")) created.gte = `${parameters.get("from")}T00:00:00Z`;
  if (parameters.has("until")) created.lt = dayAfter(parameters.get("until"));
  if (Object.keys(created).length) filters.created_at = created;
  return {
    query: parameters.get("q"),
    collections: parameters.has("in") ? parameters.getAll("in") : null,
    limit: Math.min(MOST, Number(parameters.get("limit")) || STEP),
    mode: parameters.get("mode") ?? "hybrid",
    group_by: parameters.get("group"),
    filters,
  };
}

/** The first moment after a day; what is no day goes to the server as it is, which says so. */
function dayAfter(date) {
  const at = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(at) ? date : new Date(at + 86_400_000).toISOString();
}

async function search(parameters) {
  const mine = ++latest;
  const request = requestOf(parameters);
  countFilters(parameters);
  complain(byId("search-failed"), null);
  byId("search-status").textContent = "Searching …";
  try {
    const found = await post("/search", request);
    if (mine === latest) render(found, request);
  } catch (problem) {
    if (mine !== latest) return;
    byId("search-status").textContent = "";
    byId("hits").replaceChildren();
    byId("more-hits").hidden = true;
    complain(byId("search-failed"), problem);
  }
}

function render({ hits, took_ms, degraded }, { query, limit, group_by }) {
  const what = group_by ? count(hits.length, "document") : count(hits.length, "passage");
  byId("search-status").textContent = hits.length
    ? `${what} in ${Math.max(1, Math.round(took_ms))} ms, the best first`
    : "Nothing found. Fewer filters or other words may help; you only find what you may read.";
  byId("search-failed").replaceChildren(...degradedNotices(degraded));
  const words = query.match(/[\p{L}\p{N}_]{3,}/gu) ?? [];
  byId("hits").replaceChildren(...hits.map((hit) => hitItem(hit, words)));
  byId("more-hits").hidden = hits.length < limit || limit >= MOST;
}
