/** The source of a footnote: its text, or the picture of its page, with the very words highlighted. */

import { call, get } from "./api.js";
import { attempt, complain, day, el, place, size, titleOf, ui } from "./dom.js";
import { after, before, utf16 } from "./spans.js";

const AROUND = 3000;
const MORE = 20_000;
const WIDEST = 1600;
const SVG = "http://www.w3.org/2000/svg";

let shown = {};
let pictures = [];
let viewBelow = false;

export function begin() {
  ui.source.onclose = () => {
    forget();
    if (!location.hash.startsWith("#/source/")) return;
    if (viewBelow) history.back();
    else location.replace("#/ask");
  };
  ui.source.onclick = ({ target }) => target === ui.source && ui.source.close();
  ui.sourceClose.onclick = () => ui.source.close();
  ui.sourceSwitch.onclick = () => render(!shown.picture);
  ui.sourceDownload.onclick = () => attempt(ui.sourceFailed, download);
  addEventListener("hashchange", ({ oldURL }) => {
    viewBelow = !new URL(oldURL).hash.startsWith("#/source/");
  });
}

export async function open(id, asked) {
  const path = `/documents/${encodeURIComponent(id)}`;
  const span = asked.has("start") ? [Number(asked.get("start")), Number(asked.get("end"))] : null;
  forget();
  const mine = {};
  shown = mine;
  ui.sourceTitle.textContent = "Loading …";
  if (!ui.source.open) ui.source.showModal();
  ui.sourceTitle.focus();
  try {
    const version = asked.has("version") ? `?version=${encodeURIComponent(asked.get("version"))}` : "";
    const [document, text] = await Promise.all([get(path), get(`${path}/text${version}`)]);
    const rectangles = await rectanglesOf(path, text, span);
    if (shown !== mine) return;
    shown = { path, document, text, span, rectangles };
    describe();
    await render(rectangles.length > 0);
  } catch (problem) {
    if (shown === mine) complain(ui.sourceFailed, problem);
  }
}

function forget() {
  shown = {};
  for (const address of pictures.splice(0)) URL.revokeObjectURL(address);
  for (const part of [ui.sourceBody, ui.sourceAbout, ui.sourcePlace, ui.sourceFailed]) part.replaceChildren();
  ui.sourceSwitch.hidden = ui.sourceDownload.hidden = true;
}

/** Where the words stand on pictures of pages; nowhere, where the text is all there is. */
async function rectanglesOf(path, text, span) {
  if (!span || !text.pages.length) return [];
  const asked = new URLSearchParams({ version: text.version, start: span[0], end: span[1] });
  const { rectangles } = await get(`${path}/rectangles?${asked}`).catch((problem) => {
    if (problem.status < 400 || problem.status >= 500) throw problem;
    return { rectangles: [] };
  });
  return rectangles;
}

function describe() {
  const { document, text, span } = shown;
  const around = (parts) => parts.findLast(({ start, end }) => span && start <= span[0] && span[0] < end);
  const version = document.versions.find(({ number }) => number === text.version);
  ui.sourceTitle.textContent = titleOf(document);
  ui.sourcePlace.textContent = place(document, { section: around(text.sections)?.path, page: around(text.pages)?.number });
  ui.sourceDownload.hidden = false;
  if (document.version && document.version !== text.version) {
    ui.sourceFailed.append(el("p", { class: "notice" }, `This is version ${text.version}; version ${document.version} is current.`));
  }
  const url = document.source_url;
  const facts = {
    File: document.key,
    Author: document.author,
    Owner: document.owner?.slice(5),
    Access: document.access_level,
    Tags: document.tags?.join(", "),
    Created: day(document.created_at),
    Version: `${text.version}, added ${day(version?.created_at)}, ${size(version?.size_bytes)}`,
    // Only what leads to the web is a link: `javascript:` is an address, too.
    Link: /^https?:/i.test(url) ? el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : url,
  };
  ui.sourceAbout.append(...Object.entries(facts).filter(([, value]) => value)
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

async function render(picture) {
  const mine = shown;
  const { rectangles } = mine;
  mine.picture = picture;
  ui.sourceSwitch.hidden = !rectangles.length;
  ui.sourceSwitch.textContent = picture ? "Show the text" : "Show the page";
  if (picture) {
    try {
      const figures = await Promise.all([...new Set(rectangles.map(({ page }) => page))].map(figure));
      if (shown === mine && mine.picture) ui.sourceBody.replaceChildren(...figures);
    } catch {
      // Whatever is wrong with the picture, the words are there.
      mine.rectangles = [];
      if (shown === mine) await render(false);
      return;
    }
  } else {
    ui.sourceBody.replaceChildren(...textAround());
  }
  ui.sourceBody.querySelector("mark, path")?.scrollIntoView({ block: "center" });
}

async function figure(page) {
  const { path, document, text, span, rectangles } = shown;
  const width = Math.min(WIDEST, Math.round(ui.sourceBody.clientWidth * devicePixelRatio));
  const answer = await call(`${path}/pages/${page}?version=${text.version}&width=${width}`);
  const address = URL.createObjectURL(await answer.blob());
  pictures.push(address);
  const image = el("img", { src: address, alt: `Page ${page} of ${titleOf(document)}` });
  await image.decode();
  return el("figure", {},
    el("div", { class: "page" }, image, overlay(rectangles.filter((one) => one.page === page))),
    el("figcaption", { class: "soft" }, `Page ${page}, with the words `, el("q", {}, text.text.slice(...utf16(text.text, ...span)))));
}

/** Rectangles are fractions of the page, and so is the drawing over it. */
function overlay(rectangles) {
  const drawing = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  drawing.setAttribute("viewBox", "0 0 1 1");
  drawing.setAttribute("preserveAspectRatio", "none");
  path.setAttribute("d", rectangles.map(({ x0, y0, x1, y1 }) => `M${x0} ${y0}H${x1}V${y1}H${x0}Z`).join(""));
  drawing.append(path);
  return drawing;
}

/** The words with some text around them, and buttons for more of it. */
function textAround() {
  const { document, text: { text }, span } = shown;
  const [start, end] = span ? utf16(text, ...span) : [0, 0];
  let from = before(text, start, AROUND);
  let to = after(text, end, AROUND);
  const body = el("div", { class: document.type === "Code" ? "text code" : "text" },
    text.slice(from, start), span && el("mark", {}, text.slice(start, end)), text.slice(end, to));
  const earlier = el("button", { hidden: !from }, "Show what comes before");
  const later = el("button", { hidden: to === text.length }, "Show what comes after");
  earlier.onclick = () => {
    const next = before(text, from, MORE);
    body.prepend(text.slice(next, from));
    from = next;
    earlier.hidden = !from;
  };
  later.onclick = () => {
    const next = after(text, to, MORE);
    body.append(text.slice(to, next));
    to = next;
    later.hidden = to === text.length;
  };
  return [earlier, body, later];
}

async function download() {
  const { path, text, document } = shown;
  const answer = await call(`${path}/content?version=${text.version}`);
  const address = URL.createObjectURL(await answer.blob());
  pictures.push(address);
  el("a", { href: address, download: document.key.split(/[/\\]/).at(-1) }).click();
}
