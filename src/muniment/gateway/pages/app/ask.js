/** Ask: the answer as it is checked, sentence by sentence, and the sources beside it. */

import { all, call, events, Problem } from "./api.js";
import { attempt, complain, count, el, hitItem, notices, place, sourceLink, titleOf, ui } from "./dom.js";

const VERDICTS = { partly: "supported in part", unsupported: "not supported by any source", unchecked: "not checked" };

let answering = "";
let running = null;

export function begin() {
  const form = ui.askForm;
  form.onsubmit = (event) => {
    event.preventDefault();
    if (location.hash === address()) ask();
    else location.hash = address();
  };
  form.elements.q.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  };
  ui.stop.onclick = () => running.abort();
}

const address = () => `#/ask?${new URLSearchParams(new FormData(ui.askForm))}`;

export async function show(parameters, { other }) {
  const { q, in: where } = ui.askForm.elements;
  if (other) await attempt(ui.askFailed, () => offerCollections(where));
  if (!parameters.get("q") || location.hash === answering) return;
  q.value = parameters.get("q");
  where.value = parameters.get("in") ?? "";
  await ask();
}

async function offerCollections(select) {
  const chosen = select.value;
  const collections = await all("/collections");
  select.replaceChildren(select.options[0],
    ...collections.map(({ name, title }) => el("option", { value: name }, title || name)));
  select.value = chosen;
}

async function ask() {
  const { q: { value: question }, in: { value: where } } = ui.askForm.elements;
  running?.abort();
  const mine = new AbortController();
  running = mine;
  answering = address();
  clear(question);
  const body = { question, collections: where ? [where] : null };
  try {
    const answer = await call("/ask", { method: "POST", body, accept: "text/event-stream", signal: mine.signal });
    let last;
    for await (const [kind, data] of events(answer)) {
      if (running !== mine) return;
      TAKE[kind]?.(data);
      last = kind;
    }
    if (last !== "done") throw new Problem(0, { detail: "The answer broke off: the connection was lost. Ask again." });
  } catch (problem) {
    if (running === mine) fail(problem);
  } finally {
    if (running === mine) ui.stop.hidden = true;
  }
}

function clear(question) {
  complain(ui.askFailed, null);
  for (const part of [ui.answer, ui.notes, ui.passagesList, ui.askNotices]) part.replaceChildren();
  for (const part of [ui.sources, ui.passages]) part.hidden = true;
  ui.passages.open = ui.stop.hidden = ui.answered.hidden = false;
  ui.asked.textContent = question;
  ui.askStatus.textContent = "Looking for passages …";
}

function fail(problem) {
  answering = "";
  const stopped = problem.name === "AbortError";
  ui.askStatus.textContent = stopped ? "Stopped." : "";
  if (stopped) return;
  ui.answered.hidden = !ui.answer.hasChildNodes();
  complain(ui.askFailed, problem);
}

const TAKE = {
  passages({ hits }) {
    ui.askStatus.textContent = `Reading ${count(hits.length, "passage")} …`;
    ui.passagesTitle.textContent = `${count(hits.length, "passage")} read for this answer`;
    ui.passagesList.replaceChildren(...hits.map((hit) => hitItem(hit)));
    ui.passages.hidden = !hits.length;
  },

  footnote(note) {
    ui.sources.hidden = false;
    ui.notes.append(el("li", { value: note.number },
      el("a", { href: sourceLink(note.document.id, note.document.version, note.span) }, titleOf(note.document)),
      el("span", { class: "soft small" }, place(note.document, note)),
      el("q", {}, note.quote.replace(/\s+/g, " ").trim())));
  },

  sentence({ text, footnotes, verdict }) {
    const links = [...ui.notes.children].filter(({ value }) => footnotes.includes(value)).map((note) => {
      const { hash, textContent } = note.querySelector("a");
      return el("a", { href: hash, "aria-label": `Source ${note.value}: ${textContent}` }, `[${note.value}]`);
    });
    ui.answer.append(el("p", { class: `sentence ${verdict}` },
      text, ...links.flatMap((link) => [" ", link]), " ", el("span", { class: "verdict" }, VERDICTS[verdict] ?? verdict)));
  },

  done({ abstained, answer, degraded, model, passages, took_ms }) {
    const quoting = model === "extractive";
    const took = `${(took_ms / 1000).toLocaleString(undefined, { maximumSignificantDigits: 2 })} s`;
    ui.askStatus.textContent = abstained ? `No answer found, after ${took}`
      : `Answered in ${took}, ${quoting ? "in the words of the documents" : `written by ${model}`}`;
    ui.askNotices.append(...notices(degraded.map((part) => (part === "llm" && !quoting ? "broken off" : part))));
    if (!abstained) return;
    ui.answer.replaceChildren(el("p", {}, answer));
    ui.passagesTitle.textContent = "The nearest passages, which may help but do not answer it";
    ui.passages.open = passages.length > 0;
  },

  problem(data) {
    throw new Problem(data.status, data);
  },
};
