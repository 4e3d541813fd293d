/** Elements from data. Whatever a document says becomes text nodes and attributes, never markup. */

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/**
 * An element. `on…` are listeners, true is an empty attribute; null, undefined and false are left out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} inside
 */
export function el(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...inside.filter((one) => one !== null && one !== undefined && one !== false).map(asNode));
  return made;
}

const asNode = (one) => (one instanceof Node ? one : String(one));

/** A problem's words, in an element that is an alert; null takes them away. */
export function complain(place, problem) {
  place.replaceChildren(...(problem ? [el("p", { class: "problem" }, problem.message)] : []));
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** @param {string | null} time */
export const day = (time) => (time ? DAY.format(new Date(time)) : "");

/** @param {number} number @param {string} one @param {string} [many] */
export const count = (number, one, many = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

/** @param {number} bytes */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const number = bytes / 1000 ** step;
  return `${number >= 10 || step === 0 ? Math.round(number) : number.toFixed(1)} ${units[step]}`;
}

/** @param {{title?: string | null, key: string}} document */
export const titleOf = (document) => document.title || document.key;

/** Where a passage stands: `handbook › Care › Restarting, page 3`. */
export function place(document, { section = [], page = null }) {
  const path = section[0] === document.title ? section.slice(1) : section;
  return [document.collection, ...path].join(" › ") + (page ? `, page ${page}` : "");
}

/** The address of a document in the source view, at a span if one is given. */
export function sourceLink(id, version, span) {
  const asked = new URLSearchParams(version ? { version } : {});
  if (span) {
    asked.set("start", span.start);
    asked.set("end", span.end);
  }
  return `#/source/${encodeURIComponent(id)}?${asked}`;
}

/** A passage as a list item: the way to its source, where it stands, its first words. */
export function hitItem({ document, chunk }, words = []) {
  return el("li", { class: "hit" },
    el("h3", {}, el("a", { href: sourceLink(document.id, document.version, chunk.span) }, titleOf(document))),
    el("p", { class: "soft small" }, place(document, chunk),
      document.type !== "Other" && el("span", { class: "chip" }, document.type),
      document.status && el("span", { class: "chip" }, document.status)),
    el("p", { class: "excerpt" }, ...marked(chunk.text, words)));
}

/** Text with the given words marked wherever they stand alone. */
function marked(text, words) {
  if (!words.length) return [text];
  const sought = new Set(words.map((word) => word.toLowerCase()));
  return text.split(/([\p{L}\p{N}_]+)/u)
    .map((piece) => (sought.has(piece.toLowerCase()) ? el("mark", {}, piece) : piece));
}

/** Notices about what was missing when something was found or written. */
export function degradedNotices(degraded) {
  return degraded.map((part) => el("p", { class: "notice" }, MISSING[part] ?? `Not everything was at hand: ${part}.`));
}

const MISSING = {
  llm: "The language model did not answer. These are quotations from the documents instead.",
  "broken-off": "The language model broke off: this answer may lack its end.",
  dense: "Only words were compared, not meanings: the embedding model is not at hand.",
  check: "The sentences could not be checked against their sources.",
  rerank: "The order of the passages may be rougher than usual.",
  cache: "This comes from an earlier answer: the search engine is not at hand.",
};

/** Asks before something that cannot be undone. */
export function confirmed(title, text) {
  const dialog = byId("confirm");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
