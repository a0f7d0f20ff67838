/**
 * What the page's own address says: the tool, its parameters and the run, behind `#`, which no browser sends anywhere.
 * So a reload, a bookmark and the list of runs come back to a run as long as the server keeps it. Pure: no DOM.
 */

import { parse, stringify } from "./exact.js";

// Parameters that make the address longer are left out: an address is read, copied and kept in histories.
const MAX_PARAMS = 4000;

/** `#tool&params={…}&run=ID` or `…&key=KEY`. The run is {run} or {key}; null for none. */
export function written({ tool, params, run = null }) {
  const rest = new URLSearchParams();
  const text = params === null || Object.keys(params).length === 0 ? "" : stringify(params);
  if (text !== "" && text.length <= MAX_PARAMS) rest.set("params", text);
  for (const [name, value] of Object.entries(run ?? {})) rest.set(name, value);
  return `#${[encodeURIComponent(tool), rest.toString()].filter((part) => part !== "").join("&")}`;
}

/** {tool, params, run} of an address; params and run are null where it says nothing of them that can be read. */
export function read(hash) {
  const [tool, ...rest] = hash.replace(/^#/, "").split("&");
  const said = new URLSearchParams(rest.join("&"));
  const run = ["run", "key"].find((name) => /^[\w-]{1,128}$/.test(said.get(name) ?? ""));
  return { tool: decoded(tool), params: object(said.get("params")), run: run === undefined ? null : { [run]: said.get(run) } };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: nobody's tool is called so
  }
}

function object(text) {
  try {
    const value = parse(text ?? "null");
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null; // cut or typed by hand: the form then has its defaults
  }
}
