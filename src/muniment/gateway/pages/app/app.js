/** Begins the page: who is asking, then the view that the address names. Each view is a section and a module. */

import { takeDrops } from "./adding.js";
import * as ask from "./ask.js";
import { complain, ui } from "./dom.js";
import * as documents from "./documents.js";
import * as search from "./search.js";
import { begin } from "./session.js";
import * as source from "./source.js";

const VIEWS = { ask, search, documents };
let shown = "";

/** `#/documents/handbook?a=b` is a view, what is in it, and parameters; a source stands above the view before it. */
function follow() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const [path, query] = location.hash.slice(2).split("?", 2);
  const [name, inside] = path.split("/").map(decodeURIComponent);
  const asked = new URLSearchParams(query);
  if (name === "source") {
    if (!shown) show("ask", new URLSearchParams());
    source.open(inside, asked);
    return;
  }
  ui.source.close();
  show(name in VIEWS ? name : "ask", asked, inside);
}

function show(name, asked, inside) {
  const other = shown !== name;
  if (other) {
    const title = ui[`${name}Title`];
    for (const each of Object.keys(VIEWS)) ui[each].hidden = each !== name;
    for (const link of ui.views.children) link.ariaCurrent = link.hash === `#/${name}` ? "page" : null;
    document.title = `${title.textContent} · Muniment`;
    if (shown) title.focus();
    shown = name;
  }
  VIEWS[name].show(asked, { other, inside });
}

ui.skip.onclick = (event) => {
  event.preventDefault();
  ui.main.focus();
};
for (const view of [ask, search, documents, source]) view.begin();
takeDrops(document.body);
try {
  await begin();
  addEventListener("hashchange", follow);
  follow();
} catch (problem) {
  document.body.classList.remove("signed-out");
  complain(ui.main, problem);
}
