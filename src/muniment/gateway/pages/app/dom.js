/** Elements from data. What a document says becomes text and attributes, never markup. */

/** The elements of the page by their ids. */
export const ui = new Proxy({}, { get: (_, id) => document.getElementById(id) });

/** An element. `on…` are listeners, true is an empty attribute; what is null or false is left out. */
export function el(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value || value === 0) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...inside.filter(Boolean));
  return made;
}

/** Says a problem in its place, an alert; null takes it away. */
export function complain(place, problem) {
  place.replaceChildren(...(problem ? [el("p", { class: "problem" }, problem.message)] : []));
}

/** Does something; if it fails, that is said in `place`. Tells whether it went well. */
export async function attempt(place, what) {
  complain(place, null);
  try {
    await what();
    return true;
  } catch (problem) {
    complain(place, problem);
    return false;
  }
}

const BYTES = new Intl.NumberFormat(undefined, { style: "unit", unit: "byte", notation: "compact", unitDisplay: "narrow" });

export const size = (bytes) => BYTES.format(bytes);
export const day = (time) => time && new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
export const count = (number, one) => `${number.toLocaleString()} ${one}${number === 1 ? "" : "s"}`;
export const titleOf = ({ title, key }) => title || key;
export const chip = (word) => word && el("span", { class: "chip" }, word);
export const options = (words) => words.map((word) => el("option", {}, word));

/** Where a passage stands: `handbook › Care › Restarting, page 3`. */
export function place({ collection, title }, { section = [], page }) {
  const path = section[0] === title ? section.slice(1) : section;
  return [collection, ...path].join(" › ") + (page ? `, page ${page}` : "");
}

/** The address of a version in the source view, at a span if there is one. */
export const sourceLink = (id, version, span = {}) => `#/source/${id}?${new URLSearchParams({ version, ...span })}`;

/** A passage as a list item: the way to its source, where it stands, its first words. */
export function hitItem({ document, chunk }, words = []) {
  return el("li", { class: "hit" },
    el("h2", { class: "plain" }, el("a", { href: sourceLink(document.id, document.version, chunk.span) }, titleOf(document))),
    el("p", { class: "soft small" }, place(document, chunk),
      chip(document.type !== "Other" && document.type), chip(document.status)),
    el("p", { class: "excerpt" }, ...marked(chunk.text.replace(/^#+ .*\n+/, ""), words)));
}

/** Text in which the given words, in small letters, are marked. */
const marked = (text, words) => text.split(/([\p{L}\p{N}_]+)/u)
  .map((piece) => (words.includes(piece.toLowerCase()) ? el("mark", {}, piece) : piece));

const MISSING = {
  llm: "The language model did not answer: these are quotations.",
  "broken off": "The language model broke off: this answer may lack its end.",
  dense: "Only words were compared: the embedding model is not at hand.",
  cache: "Search is down: this is what it found before.",
};

/** What was missing when something was found or written, in words. */
export const notices = (degraded) => degraded.map((part) => (
  el("p", { class: "notice" }, MISSING[part] ?? `This was made without: ${part}.`)));

/** Asks before something that cannot be undone. */
export function confirmed(title, text) {
  ui.confirmTitle.textContent = title;
  ui.confirmText.textContent = `${text} This cannot be undone.`;
  ui.confirm.returnValue = "no";
  ui.confirm.showModal();
  return new Promise((resolve) => {
    ui.confirm.addEventListener("close", () => resolve(ui.confirm.returnValue === "yes"), { once: true });
  });
}
