/** The API: tokens, problems, events. A call that is not let in waits until somebody has signed in, then goes on. */

const API = "/api/v1";
const STORED = "muniment.refresh_token";
const EARLY_MS = 60_000;

/** A failure as RFC 9457 has it; `message` says what happened and what to do. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.document = document;
  }
}

const unreachable = () => new Problem(0, { detail: "The server cannot be reached. Is it still running?" });

let access = "";
let renewAt = 0;
let renewing = null;
let askToSignIn;

/** Who asks people to sign in: called when no token is at hand; what it gives is settled when there is one. */
export function onSignedOut(ask) {
  askToSignIn = ask;
}

export async function signIn(username, password) {
  keep(await openCall("/auth/login", { username, password }));
}

/** Ends the session: here in any case, on the server if it can be reached. */
export async function signOut() {
  const refresh_token = sessionStorage.getItem(STORED);
  sessionStorage.removeItem(STORED);
  access = "";
  if (refresh_token) await openCall("/auth/logout", { refresh_token });
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
  const refresh_token = sessionStorage.getItem(STORED);
  if (refresh_token) {
    try {
      keep(await openCall("/auth/refresh", { refresh_token }));
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
  const answer = await reach(path, { method: "POST", ...json(body) });
  return answer.status === 204 ? null : answer.json();
}

const json = (body, headers = {}) => (
  { headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) });

async function reach(path, init) {
  const answer = await fetch(API + path, init).catch((failure) => {
    throw failure.name === "AbortError" ? failure : unreachable();
  });
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
  return answer;
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

/** One call, signed in; an answer that is not good is a Problem. */
export const call = (path, { method = "GET", body, accept = "*/*", signal } = {}) => letIn((authorization) => {
  const headers = { authorization, accept };
  return reach(path, { method, signal, ...(body ? json(body, headers) : { headers }) });
});

export const get = async (path) => (await call(path)).json();
export const post = async (path, body = {}) => (await call(path, { method: "POST", body })).json();
export const remove = (path) => call(path, { method: "DELETE" });

/** All items of a list. */
export async function all(path) {
  const items = [];
  for (let cursor = ""; cursor !== null;) {
    const page = await get(`${path}?limit=500${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

/** Sends a form and tells which share of it went out, which fetch cannot. */
export const upload = (path, form, sent) => letIn((authorization) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open("POST", API + path);
  request.setRequestHeader("authorization", authorization);
  request.responseType = "json";
  request.upload.onprogress = ({ loaded, total }) => sent(total ? loaded / total : 0);
  request.onerror = () => reject(unreachable());
  request.onload = () => (request.status < 300
    ? resolve(request.response) : reject(new Problem(request.status, request.response ?? {})));
  request.send(form);
}));

/** Server-sent events as they come: their kind and their data. */
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const frames = (text + read.value).split("\n\n");
      text = frames.pop();
      for (const frame of frames) {
        const [, kind, data] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
        if (kind) yield [kind, JSON.parse(data)];
      }
    }
  } finally {
    reader.cancel();
  }
}
