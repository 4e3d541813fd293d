/** The source of a footnote: its text, or the picture of its page, with the very words highlighted. */

import { call, get } from "./api.js";
import { byId, complain, day, el, place, size, titleOf } from "./dom.js";
import { after, AROUND, before, MORE, utf16 } from "./spans.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDEST = 1600;

let latest = 0;
let pictures = [];
let shown = null;
let above = false;

export function begin() {
  const dialog = byId("source");
  dialog.addEventListener("close", () => {
    latest += 1;
    forgetPictures();
    byId("source-body").replaceChildren();
    if (!location.hash.startsWith("#/source/")) return;
    if (above) history.back();
    else location.replace("#/ask");
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  byId("source-close").addEventListener("click", () => dialog.close());
  byId("source-switch").addEventListener("click", () => render(!shown.picture));
  byId("source-find").addEventListener("click", find);
  byId("source-download").addEventListener("click", download);
  addEventListener("hashchange", (event) => {
    above = !new URL(event.oldURL).hash.startsWith("#/source/");
  }, { capture: true });
}

/** When the address is another. */
export function close() {
  if (byId("source").open) byId("source").close();
}

/** @param {string} id @param {URLSearchParams} asked */
export async function open(id, asked) {
  const mine = ++latest;
  const path = `/documents/${encodeURIComponent(id)}`;
  reset();
  if (!byId("source").open) byId("source").showModal();
  byId("source-title").focus();
  try {
    const version = asked.get("version");
    const [document, text] = await Promise.all([get(path), get(path + "/text" + (version ? `?version=${version}` : ""))]);
    const span = asked.has("start") ? { start: Number(asked.get("start")), end: Number(asked.get("end")) } : null;
    const rectangles = await rectanglesOf(path, text, span);
    if (mine !== latest) return;
    shown = { path, document, text, span, rectangles, mine };
    describe();
    await render(rectangles.length > 0);
  } catch (problem) {
    if (mine === latest) complain(byId("source-failed"), problem);
  }
}

function reset() {
  shown = null;
  forgetPictures();
  complain(byId("source-failed"), null);
  byId("source-title").textContent = "Loading …";
  byId("source-place").textContent = "";
  for (const id of ["source-body", "source-about"]) byId(id).replaceChildren();
  for (const id of ["source-switch", "source-find", "source-download"]) byId(id).hidden = true;
}

/** Where the words stand on pictures of pages; nowhere, where the text is all there is. */
async function rectanglesOf(path, text, span) {
  if (!span || !text.pages.length) return [];
  const asked = new URLSearchParams({ version: text.version, start: span.start, end: span.end });
  try {
    return (await get(`${path}/rectangles?${asked}`)).rectangles;
  } catch (problem) {
    if (problem.status >= 400 && problem.status < 500) return [];
    throw problem;
  }
}

function describe() {
  const { document, text, span } = shown;
  const section = text.sections.findLast(({ start, end }) => span && start <= span.start && span.start < end);
  const page = text.pages.findLast(({ start }) => span && start <= span.start);
  byId("source-title").textContent = titleOf(document);
  byId("source-place").textContent = place(document, { section: section?.path, page: page?.number });
  byId("source-download").hidden = false;
  byId("source-find").hidden = !span;
  if (document.version !== text.version) {
    byId("source-failed").replaceChildren(el("p", { class: "notice" },
      `This is version ${text.version}. ` + (document.version ? `Version ${document.version} is the current one.` : "")));
  }
  const version = document.versions.find(({ number }) => number === text.version);
  const facts = {
    File: document.key,
    Type: document.type,
    Status: document.status,
    Author: document.author,
    Owner: document.owner?.replace("user:", ""),
    Access: document.access_level,
    Tags: document.tags?.join(", "),
    Created: day(document.created_at),
    Version: `${text.version} of ${document.versions.length}, added ${day(version?.created_at)}`,
    Size: version && size(version.size_bytes),
    Link: webLink(document.source_url),
  };
  byId("source-about").replaceChildren(...Object.entries(facts)
    .filter(([, value]) => value)
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** Only what leads to the web is a link: `javascript:` is an address, too. */
function webLink(url) {
  if (!url || !/^https?:\/\//i.test(url)) return url;
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url);
}

async function render(picture) {
  const { rectangles, mine } = shown;
  shown.picture = picture;
  const change = byId("source-switch");
  change.hidden = !rectangles.length;
  change.textContent = picture ? "Show the text" : "Show the page";
  byId("source-body").setAttribute("aria-label", picture ? "Pages of the source" : "Text of the source");
  if (!picture) {
    renderText();
    return;
  }
  try {
    const pages = [...new Set(rectangles.map(({ page }) => page))];
    const figures = await Promise.all(pages.map(pageFigure));
    if (mine === latest) byId("source-body").replaceChildren(...figures);
    find();
  } catch (problem) {
    if (mine !== latest) return;
    shown.rectangles = [];
    await render(false);
  }
}

async function pageFigure(page) {
  const { path, document, text, span, rectangles } = shown;
  const width = Math.min(WIDEST, Math.round((byId("source-body").clientWidth || 800) * (devicePixelRatio || 1)));
  const answer = await call(`${path}/pages/${page}?version=${text.version}&width=${width}`, { accept: "image/png" });
  const address = URL.createObjectURL(await answer.blob());
  pictures.push(address);
  const image = el("img", { src: address, alt: `Page ${page} of ${titleOf(document)}` });
  await image.decode();
  const [start, end] = utf16(text.text, span.start, span.end);
  return el("figure", {},
    el("div", { class: "page" }, image, overlay(rectangles.filter((one) => one.page === page))),
    el("figcaption", {}, `Page ${page}: `, el("q", {}, text.text.slice(start, end).replace(/\s+/g, " "))));
}

/** Rectangles are fractions of the page, and so is the drawing over it. */
function overlay(rectangles) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 1 1");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  for (const { x0, y0, x1, y1 } of rectangles) {
    const drawn = document.createElementNS(SVG, "rect");
    const sides = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    for (const [name, value] of Object.entries(sides)) drawn.setAttribute(name, value);
    drawing.append(drawn);
  }
  return drawing;
}

function renderText() {
  const { text, text: { text: whole }, span } = shown;
  const [start, end] = span ? utf16(whole, span.start, span.end) : [0, 0];
  let from = before(whole, start, AROUND);
  let to = after(whole, end, AROUND);
  const code = shown.document.type === "Code";
  const body = el("div", { class: code ? "text code" : "text" }, whole.slice(from, start),
    span && el("mark", {}, whole.slice(start, end)), whole.slice(end, to));
  const earlier = el("button", { type: "button", onclick: () => {
    const next = before(whole, from, MORE);
    body.prepend(whole.slice(next, from));
    from = next;
    earlier.hidden = from === 0;
  } }, "Show what comes before");
  const later = el("button", { type: "button", onclick: () => {
    const next = after(whole, to, MORE);
    body.append(whole.slice(to, next));
    to = next;
    later.hidden = to === whole.length;
  } }, "Show what comes after");
  earlier.hidden = from === 0;
  later.hidden = to === whole.length;
  byId("source-body").replaceChildren(earlier, body, later);
  if (span) find();
  else byId("source-body").scrollTop = 0;
}

/** Brings the highlighted words into view. */
function find() {
  byId("source-body").querySelector("mark, rect")?.scrollIntoView({ block: "center" });
}

async function download() {
  const { path, text, document } = shown;
  try {
    const answer = await call(`${path}/content?version=${text.version}`, { accept: "*/*" });
    const address = URL.createObjectURL(await answer.blob());
    el("a", { href: address, download: document.key.split(/[/\\]/).at(-1) }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (problem) {
    complain(byId("source-failed"), problem);
  }
}

function forgetPictures() {
  for (const address of pictures) URL.revokeObjectURL(address);
  pictures = [];
}
