/** Search: the form is the address and the address is the search, so that back, reload and bookmarks work. */

import { all, post } from "./api.js";
import { attempt, complain, count, el, hitItem, notices, options, ui } from "./dom.js";

const TYPES = ["PRD", "Epic", "UserStory", "Task", "TechSpec", "Code", "Email", "Ticket", "Page", "Other"];
const STEP = 20;
const MOST = 200;

let latest = 0;

export function begin() {
  const form = ui.searchForm;
  form.elements.type.append(...options(TYPES));
  form.elements.status.append(...options(["draft", "review", "approved", "deprecated"]));
  form.onsubmit = (event) => {
    event.preventDefault();
    go(parametersOf(form));
  };
  ui.moreHits.onclick = () => {
    const parameters = parametersOf(form);
    parameters.set("limit", ui.hits.children.length + STEP);
    go(parameters);
  };
}

const parametersOf = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));

function go(parameters) {
  const address = `#/search?${parameters}`;
  if (location.hash === address) search(parameters);
  else location.hash = address;
}

export async function show(parameters, { other }) {
  if (other) await attempt(ui.searchFailed, offerCollections);
  if (!parameters.has("q")) return;
  for (const field of ui.searchForm.elements) {
    if (field.type === "checkbox") field.checked = parameters.getAll(field.name).includes(field.value);
    else if (field.name) field.value = parameters.get(field.name) ?? "";
  }
  ui.filters.open ||= [...parameters.keys()].some((name) => !["q", "limit"].includes(name));
  await search(parameters);
}

async function offerCollections() {
  const chosen = new FormData(ui.searchForm).getAll("in");
  const collections = await all("/collections");
  ui.searchIn.replaceChildren(...collections.map(({ name, title }) => el("label", { class: "check" },
    el("input", { type: "checkbox", name: "in", value: name, checked: chosen.includes(name) }), title || name)));
}

/** The API's request for what the address says. */
function requestOf(parameters) {
  const given = Object.fromEntries(parameters);
  const filters = {};
  if (given.type) filters.type = [given.type];
  if (given.status) filters.status = [given.status];
  if (given.tags) filters.tags = { all: given.tags.split(",").map((tag) => tag.trim()).filter(Boolean) };
  if (given.from) filters.created_at = { gte: given.from };
  if (given.until) filters.created_at = { ...filters.created_at, lte: `${given.until}T23:59:59.999Z` };
  return {
    query: given.q,
    collections: given.in ? parameters.getAll("in") : null,
    limit: Math.min(MOST, Number(given.limit) || STEP),
    mode: given.mode ?? "hybrid",
    group_by: given.group,
    filters,
  };
}

async function search(parameters) {
  const mine = ++latest;
  const request = requestOf(parameters);
  ui.searchStatus.textContent = "Searching …";
  try {
    const found = await post("/search", request);
    if (mine === latest) render(found, request);
  } catch (problem) {
    if (mine !== latest) return;
    ui.searchStatus.textContent = "";
    ui.hits.replaceChildren();
    complain(ui.searchFailed, problem);
  }
}

function render({ hits, took_ms, degraded, corrected }, { query, limit, group_by }) {
  ui.searchStatus.textContent = hits.length
    ? `${count(hits.length, group_by ? "document" : "passage")} in ${Math.ceil(took_ms)} ms, ${corrected ? `for: ${corrected}` : "the best first"}`
    : "Nothing found. Other words or fewer filters may help; you find only what you may read.";
  ui.searchFailed.replaceChildren(...notices(degraded));
  const words = (corrected ?? query).toLowerCase().match(/[\p{L}\p{N}_]{3,}/gu) ?? [];
  ui.hits.replaceChildren(...hits.map((hit) => hitItem(hit, words)));
  ui.moreHits.hidden = hits.length < limit || limit >= MOST;
}
