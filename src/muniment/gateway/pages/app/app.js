/** Begins the page: who is asking, then the view that the address names. Each view is a section and a module. */

import * as ask from "./ask.js";
import { takeDrops } from "./adding.js";
import { byId, el } from "./dom.js";
import * as documents from "./documents.js";
import * as search from "./search.js";
import { begin } from "./session.js";
import * as source from "./source.js";

const VIEWS = { ask, search, documents };
let shown = "";

/** `#/documents/handbook?state=failed` is the view, the rest of the path, and the parameters. */
function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [view, ...rest] = path.split("/").map(decodeURIComponent);
  return { view, rest, asked: new URLSearchParams(query) };
}

function follow() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const { view, rest, asked } = address();
  if (view === "source") {
    if (!shown) show("ask", [], new URLSearchParams());
    source.open(rest[0], asked);
    return;
  }
  source.close();
  show(view in VIEWS ? view : "ask", rest, asked);
}

function show(name, rest, asked) {
  const other = shown !== name;
  if (other) {
    for (const each of Object.keys(VIEWS)) byId(each).hidden = each !== name;
    for (const link of document.querySelectorAll(".top nav a")) {
      if (link.hash === `#/${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.title = `${byId(`${name}-title`).textContent} · Muniment`;
    if (shown) byId(`${name}-title`).focus();
    shown = name;
  }
  VIEWS[name].show(asked, rest, other);
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
for (const view of [ask, search, documents, source]) view.begin();
takeDrops(document.body);
try {
  await begin();
  follow();
  addEventListener("hashchange", follow);
} catch (problem) {
  document.body.classList.remove("signed-out");
  byId("main").replaceChildren(el("p", { class: "problem", role: "alert" }, problem.message));
}
