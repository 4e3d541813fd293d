/** Ask: the answer as it is checked, sentence by sentence, and the sources beside it. */

import { all, call, events, Problem } from "./api.js";
import { byId, complain, count, degradedNotices, el, hitItem, place, sourceLink, titleOf } from "./dom.js";

const VERDICTS = {
  quoted: "quoted",
  supported: "supported",
  partly: "partly supported",
  unsupported: "not supported",
  unchecked: "not checked",
};

let asked = "";
let running = null;

export function begin() {
  const form = byId("ask-form");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = addressOf(form);
    if (location.hash === address) ask(form);
    else location.hash = address;
  });
  byId("question").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  byId("ask-stop").addEventListener("click", () => running?.abort());
}

function addressOf(form) {
  const parameters = new URLSearchParams({ q: form.elements.q.value.trim() });
  if (form.elements.in.value) parameters.set("in", form.elements.in.value);
  return `#/ask?${parameters}`;
}

/** @param {URLSearchParams} parameters */
export async function show(parameters, _rest, fresh) {
  const form = byId("ask-form");
  const question = parameters.get("q");
  const where = parameters.get("in") ?? "";
  if (fresh) await offerCollections(form.elements.in);
  if (!question) return;
  if (location.hash === asked) return;
  form.elements.q.value = question;
  form.elements.in.value = where;
  await ask(form);
}

async function offerCollections(select) {
  try {
    const kept = select.value;
    const collections = await all("/collections");
    select.replaceChildren(select.options[0],
      ...collections.map((each) => el("option", { value: each.name }, each.title || each.name)));
    select.value = kept;
  } catch (problem) {
    complain(byId("ask-failed"), problem);
  }
}

async function ask(form) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  asked = addressOf(form);
  const question = form.elements.q.value.trim();
  const collections = form.elements.in.value ? [form.elements.in.value] : null;
  clear(question);
  byId("ask-stop").hidden = false;
  try {
    const answer = await call("/ask", {
      method: "POST", body: { question, collections }, accept: "text/event-stream", signal: mine.signal,
    });
    let over = false;
    for await (const { kind, data } of events(answer)) {
      if (running !== mine) return;
      over ||= kind === "done";
      take(kind, data);
    }
    if (!over) throw new Problem(0, { detail: "The answer broke off: the connection was lost. Ask again." });
  } catch (problem) {
    if (running === mine) fail(problem);
  } finally {
    if (running === mine) byId("ask-stop").hidden = true;
  }
}

function clear(question) {
  complain(byId("ask-failed"), null);
  for (const id of ["answer", "notes", "passages-list", "ask-notices"]) byId(id).replaceChildren();
  for (const id of ["notes-aside", "legend", "passages"]) byId(id).hidden = true;
  byId("passages").open = false;
  byId("asked").textContent = question;
  byId("answered").hidden = false;
  byId("ask-status").textContent = "Looking for passages …";
}

function fail(problem) {
  byId("ask-status").textContent = problem.name === "AbortError" ? "Stopped." : "";
  if (problem.name === "AbortError") return;
  asked = "";
  byId("answered").hidden = !byId("answer").hasChildNodes();
  complain(byId("ask-failed"), problem);
}

function take(kind, data) {
  if (kind === "problem") throw new Problem(data.status, data);
  else if (kind === "passages") takePassages(data.hits);
  else if (kind === "footnote") takeFootnote(data);
  else if (kind === "sentence") takeSentence(data);
  else if (kind === "done") finish(data);
}

function takePassages(hits) {
  byId("ask-status").textContent = `Reading ${count(hits.length, "passage")} …`;
  byId("passages-title").textContent = `${count(hits.length, "passage")} read for this answer`;
  byId("passages-list").replaceChildren(...hits.map((hit) => hitItem(hit)));
  byId("passages").hidden = !hits.length;
}

function takeFootnote(note) {
  byId("notes-aside").hidden = false;
  byId("notes").append(el("li", { value: note.number },
    el("a", { href: linkOf(note) }, titleOf(note.document)),
    el("span", { class: "soft small" }, place(note.document, note)),
    el("q", {}, note.quote.replace(/\s+/g, " ").trim())));
}

const linkOf = ({ document, span }) => sourceLink(document.id, document.version, span);

function takeSentence(sentence) {
  byId("legend").hidden = false;
  const notes = [...byId("notes").children].filter((note) => sentence.footnotes.includes(note.value));
  byId("answer").append(el("p", { class: `sentence ${sentence.verdict}` },
    sentence.text, " ",
    ...notes.flatMap((note) => {
      const link = note.querySelector("a");
      const label = `Source ${note.value}: ${link.textContent}`;
      return [el("a", { class: "mark", href: link.getAttribute("href"), "aria-label": label }, `[${note.value}]`), " "];
    }),
    el("span", { class: "verdict" }, VERDICTS[sentence.verdict] ?? sentence.verdict)));
}

function finish(answer) {
  const seconds = (answer.took_ms / 1000).toLocaleString(undefined, { maximumSignificantDigits: 2 });
  const by = answer.model === "extractive" ? "in the words of the documents" : `written by ${answer.model}`;
  byId("ask-status").textContent = answer.abstained
    ? `No answer, after ${seconds} s` : `Answered in ${seconds} s, ${by}`;
  byId("ask-notices").append(...degradedNotices(answer.degraded.map((part) => (
    part === "llm" && answer.model !== "extractive" ? "broken-off" : part))));
  if (!answer.abstained) return;
  byId("answer").replaceChildren(
    el("p", { class: "abstained" }, answer.answer),
    answer.passages.length && el("p", { class: "soft" }, "The passages below come nearest. They may help, but do not answer it."));
  byId("passages-title").textContent = "The nearest passages";
  byId("passages").open = true;
}
