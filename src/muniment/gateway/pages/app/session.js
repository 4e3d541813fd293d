/** Who is signed in, and the dialog that asks; what was typed elsewhere stays as it is. */

import { get, onSignedOut, signIn, signOut } from "./api.js";
import { attempt, ui } from "./dom.js";

let me = null;
let waiting = null;

/** Whether who is signed in may do something. */
export const may = (scope) => me.scopes.includes(scope);

/** Goes on with who is signed in already, or asks. */
export async function begin() {
  onSignedOut(() => new Promise((resolve) => {
    waiting = resolve;
    ask();
  }));
  ui.signInForm.onsubmit = enter;
  // Chromium lets Escape close a dialog the second time, whatever the page says.
  ui.signIn.oncancel = (event) => event.preventDefault();
  ui.signIn.onclose = () => waiting && ui.signIn.showModal();
  ui.signOut.onclick = () => signOut().finally(() => location.replace("/"));
  await recognise();
}

function ask() {
  const { username, password } = ui.signInForm.elements;
  if (me) {
    ui.signInWhy.textContent = "Your session is over. Sign in again to go on where you were.";
    username.value = me.username;
  }
  ui.signIn.showModal();
  (me ? password : username).focus();
}

async function enter(event) {
  event.preventDefault();
  const { username, password } = event.target.elements;
  if (!await attempt(ui.signInFailed, () => signIn(username.value, password.value))) {
    password.select();
    return;
  }
  password.value = "";
  const goOn = waiting;
  waiting = null;
  ui.signIn.close();
  if (me) await recognise();
  goOn();
}

/** Another person finds nothing of what the one before saw. */
async function recognise() {
  const before = me;
  me = await get("/auth/me");
  if (before && before.id !== me.id) location.reload();
  ui.who.textContent = me.username;
  document.body.classList.remove("signed-out");
}
