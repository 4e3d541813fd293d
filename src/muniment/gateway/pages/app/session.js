/** Who is signed in, and the dialog that asks; what was typed elsewhere stays as it is. */

import { get, onSignedOut, signIn, signOut } from "./api.js";
import { byId, complain } from "./dom.js";

let me = null;
let waiting = null;

/** Whether the caller's roles let them do something. */
export const may = (scope) => me?.scopes.includes(scope) ?? false;

/** Begins with whoever is signed in already, or asks. */
export async function begin() {
  onSignedOut(() => new Promise((resolve) => {
    waiting = resolve;
    ask();
  }));
  byId("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    enter(event.target);
  });
  // Chromium lets Escape close a dialog the second time, whatever the page says.
  byId("sign-in").addEventListener("cancel", (event) => event.preventDefault());
  byId("sign-in").addEventListener("close", () => waiting && byId("sign-in").showModal());
  byId("sign-out").addEventListener("click", leave);
  await recognise();
}

function ask() {
  const form = byId("sign-in-form");
  if (me) {
    byId("sign-in-why").textContent = "Your session is over. Sign in again and go on where you were.";
    form.elements.username.value = me.username;
  }
  byId("sign-in").showModal();
  (me ? form.elements.password : form.elements.username).focus();
}

async function enter(form) {
  const failed = byId("sign-in-failed");
  const button = form.querySelector("button");
  complain(failed, null);
  button.disabled = true;
  try {
    await signIn(form.elements.username.value, form.elements.password.value);
  } catch (problem) {
    complain(failed, problem);
    form.elements.password.select();
    return;
  } finally {
    button.disabled = false;
  }
  form.elements.password.value = "";
  const goOn = waiting;
  waiting = null;
  byId("sign-in").close();
  goOn?.();
  if (me) await recognise();
}

/** Another person finds nothing of what the one before saw. */
async function recognise() {
  const before = me;
  me = await get("/auth/me");
  if (before && before.id !== me.id) location.reload();
  byId("who").textContent = me.username;
  document.body.classList.remove("signed-out");
}

async function leave() {
  try {
    await signOut();
  } finally {
    location.replace("/");
  }
}
