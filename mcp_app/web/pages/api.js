/**
 * The requests this page makes, beside the event stream itself. No DOM.
 *
 * No path is written here: the manifest names those of events, tools and runs. Only what follows the public address is
 * taken from there, and put behind the page's own: it may be open on another of the server's addresses, without the path
 * that a proxy serves it below, and may connect to its own origin only.
 */

import { parse, stringify } from "./exact.js";

// A URL beyond this is refused by many servers and proxies (8,000 is what RFC 9110, 4.1 asks all to support);
// a longer call is posted instead.
const MAX_URL = 8000;

/** The codes of what ends when a sign-in does: to sign in again is all that helps. */
export const SIGNED_OUT = new Set(["unauthorized", "credentials_expired", "revoked"]);

export class Problem extends Error {
  /** @param object {code, message, hint?, details?}: what the server said, or what the page found. */
  constructor(object) {
    super(object.message);
    this.object = object;
  }
}

/**
 * Read the manifest. Returns {title, description, events, tools, runs, mcp}: three absolute paths, and {name, url} of
 * the MCP endpoint as the server gives it out, or null.
 */
export async function discover(manifestUrl) {
  const manifest = await getJson(manifestUrl);
  const meta = Object.entries(manifest._meta ?? {}).find(([key]) => key.endsWith("/streaming"));
  const { events, tools, runs } = meta?.[1] ?? {};
  if (![events, tools, runs].every((url) => typeof url === "string")) {
    throw new Problem({ code: "no_paths", message: "The manifest does not say where events, tools and runs are." });
  }
  const { title = manifest.name, description } = manifest;
  const [[name, server] = []] = Object.entries(manifest.mcpServers ?? {});
  const mcp = typeof server?.url === "string" ? { name, url: server.url } : null;
  const base = new URL(".", mcp?.url ?? location.href).pathname; // the route of MCP is at the top
  const here = new URL(".", location.href).pathname;
  const path = (url) => here + new URL(url, location.href).pathname.slice(base.length);
  return { title, description, events: path(events), tools: path(tools), runs: path(runs), mcp };
}

/** The tools, in the server's order. */
export async function listTools(path) {
  const answer = await getJson(path);
  return answer.tools;
}

/** Who this page calls as: {caller, asks, by_key, signed_in}; `caller` is null for nobody. */
export function signInState(path) {
  return getJson(path);
}

/** Have the server set the cookie that stands for this API key. */
export async function signIn(path, key) {
  // Only what a header field may have: `fetch` would refuse the rest with an error of its own.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Problem({ message: "That is no key: it has characters that no key has." });
  const response = await send(path, { method: "POST", headers: { Authorization: `Bearer ${key}`, Accept: "application/json" } });
  if (!response.ok) throw new Problem(await problemOf(response));
}

export async function signOut(path) {
  const response = await send(path, { method: "DELETE" });
  if (!response.ok) throw new Problem(await problemOf(response));
}

/** A key that makes starting by GET repeatable: 128 random bits in the 22 characters the server asks at least for. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * The URL that starts a read-only tool by GET, or null when it would be too long for one.
 * `plain` names the parameters whose text the server reads back by their schema without doubt.
 */
export function startUrl(events, tool, params, limits, plain, key) {
  const query = new URLSearchParams({ tool, run: key, heartbeat: "event" });
  for (const [name, value] of Object.entries(limits)) query.set(name, String(value));
  const rest = [];
  for (const [name, value] of Object.entries(params)) {
    const values = Array.isArray(value) ? value : [value];
    if (plain.has(name) && values.length > 0 && values.every(isScalar)) {
      for (const one of values) query.append(name, String(one));
    } else {
      rest.push([name, value]);
    }
  }
  if (rest.length > 0) query.set("params", stringify(Object.fromEntries(rest)));
  const url = `${events}?${query}`;
  return url.length > MAX_URL ? null : url;
}

/** Start a detached run. Returns its id. */
export async function postRun(runs, tool, params, limits) {
  const response = await send(runs, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: stringify({ tool, params, ...limits }),
  });
  if (!response.ok) throw new Problem(await problemOf(response));
  const { id } = await response.json();
  return id;
}

/** The URL that follows a detached run by its id. */
export function eventsUrl(runs, id, limits) {
  return `${runs}/${encodeURIComponent(id)}/events?${new URLSearchParams({ heartbeat: "event", ...limits })}`;
}

/** The URL that comes back to a run that was started by GET: a key without a tool never starts one. */
export function keyUrl(events, key) {
  return `${events}?${new URLSearchParams({ run: key, heartbeat: "event" })}`;
}

/** A run's state: {state, data?, error?, metadata}; `metadata.events` is how many it has sent. */
export function runState(runs, id) {
  return getJson(`${runs}/${encodeURIComponent(id)}`);
}

/** What an event stream's URL has after an event, as a stream of text; null for nothing. EventSource can not begin there. */
export async function streamAfter(url, eventId, signal) {
  const headers = { Accept: "text/event-stream", "Last-Event-ID": eventId };
  const response = await send(url, { headers, cache: "no-store", signal });
  if (!response.ok) throw new Problem(await problemOf(response));
  return response.status === 204 ? null : response.body.pipeThrough(new TextDecoderStream());
}

export async function cancelRun(runs, id) {
  const response = await send(`${runs}/${encodeURIComponent(id)}`, { method: "DELETE" });
  if (!response.ok) throw new Problem(await problemOf(response));
}

/**
 * Ask an event stream's URL once more, to learn why EventSource gave up on it.
 * Returns the problem, or null when the stream is there now. Last-Event-ID goes along, so that asking never starts a
 * run a second time.
 */
export async function readProblem(url, lastEventId) {
  const abort = new AbortController();
  const headers = { Accept: "text/event-stream" };
  if (lastEventId !== "") headers["Last-Event-ID"] = lastEventId;
  try {
    const response = await send(url, { headers, cache: "no-store", signal: abort.signal });
    if (response.status === 204) {
      return {
        code: "nothing_left",
        message: "The server has nothing more to say about this run.",
        hint: "Its last event was read before.",
      };
    }
    return response.ok ? null : await problemOf(response);
  } catch (error) {
    if (error instanceof Problem) return null; // no answer at all: the next attempt decides
    throw error;
  } finally {
    abort.abort();
  }
}

async function getJson(url) {
  const response = await send(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Problem(await problemOf(response));
  return parse(await response.text());
}

async function send(url, options) {
  try {
    return await fetch(url, { redirect: "error", ...options });
  } catch (error) {
    throw new Problem({ code: "unreachable", message: `No answer from the server (${error.message}).`, hint: "Is it still running?" });
  }
}

async function problemOf(response) {
  const fallback = { code: `http_${response.status}`, message: `The server answered ${response.status}.` };
  try {
    const body = await response.json();
    return body?.error?.message === undefined ? fallback : body.error;
  } catch {
    return fallback; // an answer from something in between, which has its own idea of an error page
  }
}

function isScalar(value) {
  return typeof value === "string" || typeof value === "boolean" || typeof value === "bigint" || Number.isFinite(value);
}
