/** The API: tokens, problems, events. A call that is not let in waits until somebody has signed in, then goes on. */

const STORED = "muniment.refresh_token";
const EARLY_MS = 60_000;
const API = "/api/v1";

/** A failure as RFC 9457 has it; `message` says what happened and what to do. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.document = document;
  }
}

let access = "";
let renewAt = 0;
let renewing = null;
let askToSignIn = async () => {};

/** Who asks people to sign in: called when no token is at hand, settled when there is one. */
export function onSignedOut(ask) {
  askToSignIn = ask;
}

/** @param {string} username @param {string} password */
export async function signIn(username, password) {
  keep(await openCall("/auth/login", { username, password }));
}

/** Ends the session, here in any case. */
export async function signOut() {
  const refresh = sessionStorage.getItem(STORED);
  sessionStorage.removeItem(STORED);
  access = "";
  if (refresh) await openCall("/auth/logout", { refresh_token: refresh });
}

function keep(tokens) {
  access = tokens.access_token;
  renewAt = Date.now() + Math.max(5_000, tokens.expires_in_seconds * 1000 - EARLY_MS);
  sessionStorage.setItem(STORED, tokens.refresh_token);
}

/** A refresh token is good for one use, so calls that need one at once share it. */
async function token() {
  if (!access || Date.now() >= renewAt) {
    renewing ??= renew().finally(() => {
      renewing = null;
    });
    await renewing;
  }
  return access;
}

async function renew() {
  const refresh = sessionStorage.getItem(STORED);
  if (refresh) {
    try {
      keep(await openCall("/auth/refresh", { refresh_token: refresh }));
      return;
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      sessionStorage.removeItem(STORED);
    }
  }
  access = "";
  await askToSignIn();
}

async function openCall(path, body) {
  const answer = await reach(path, { method: "POST", headers: JSON_BODY, body: JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

const JSON_BODY = { "content-type": "application/json" };

async function reach(path, init) {
  let answer;
  try {
    answer = await fetch(API + path, init);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw unreachable();
  }
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
}

const unreachable = () => new Problem(0, { detail: "The server cannot be reached. Is it still running?" });

/**
 * One call, signed in; an answer that is not good is a Problem.
 * @param {string} path
 * @param {{method?: string, body?: any, accept?: string, signal?: AbortSignal}} [how]
 * @returns {Promise<Response>}
 */
export async function call(path, { method = "GET", body, accept = "application/json", signal } = {}) {
  return letIn((bearer) => reach(path, {
    method,
    signal,
    headers: { authorization: bearer, accept, ...(body === undefined ? {} : JSON_BODY) },
    body: body === undefined ? undefined : JSON.stringify(body),
  }));
}

/** Makes a call with a token, and once more with another when the first is not good any more. */
async function letIn(make) {
  try {
    return await make(`Bearer ${await token()}`);
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    renewAt = 0;
    return make(`Bearer ${await token()}`);
  }
}

/** @param {string} path */
export const get = async (path) => (await call(path)).json();

/** @param {string} path @param {any} [body] */
export const post = async (path, body = {}) => (await call(path, { method: "POST", body })).json();

/** @param {string} path */
export const remove = (path) => call(path, { method: "DELETE" });

/** All items of a list. */
export async function all(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await get(`${path}?limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/**
 * Sends a form and tells how much of it went out, which fetch cannot.
 * @param {string} path
 * @param {FormData} form
 * @param {(share: number) => void} sent
 */
export function upload(path, form, sent) {
  return letIn((bearer) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", API + path);
    request.setRequestHeader("authorization", bearer);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => sent(event.total ? event.loaded / event.total : 0));
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Problem(request.status, request.response ?? {}));
    });
    request.send(form);
  }));
}

/**
 * Server-sent events as they come.
 * @param {Response} answer
 * @returns {AsyncGenerator<{kind: string, data: any}>}
 */
export async function* events(answer) {
  let text = "";
  for await (const piece of pieces(answer.body.pipeThrough(new TextDecoderStream()))) {
    const frames = (text + piece).split("\n\n");
    text = frames.pop();
    for (const frame of frames) {
      const lines = frame.split("\n");
      const kind = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (kind) yield { kind, data: JSON.parse(data) };
    }
  }
}

async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    reader.cancel();
  }
}
