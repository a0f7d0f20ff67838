/** The command line that makes the same call. Pure: no DOM. */

import { stringify } from "./exact.js";

/** Quote for a POSIX shell: single quotes keep everything but themselves. */
export function quote(text) {
  return /^[A-Za-z0-9_\/:=.,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function curlLine(url, tool, params, limits) {
  const body = stringify({ tool, params, ...limits });
  return `curl -N -X POST ${quote(url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quote(body)}`;
}
