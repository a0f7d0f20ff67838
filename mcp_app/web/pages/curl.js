/** The command line that makes the same call. Pure: no DOM. */

import { stringify } from "./exact.js";

/** Quote for a POSIX shell: single quotes keep everything but themselves. */
export function quote(text) {
  return /^[A-Za-z0-9_\/:=.,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `isAsked`: the caller has to say who it is; the key is left to the shell, which does not write its value down. */
export function curlLine(url, tool, params, limits, isAsked) {
  const body = stringify({ tool, params, ...limits });
  const credentials = isAsked ? ` \\\n  -H "Authorization: Bearer $KEY"` : "";
  return `curl -N -X POST ${quote(url)} \\\n  -H 'Content-Type: application/json'${credentials} \\\n  -d ${quote(body)}`;
}
