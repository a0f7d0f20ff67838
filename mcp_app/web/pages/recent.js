/** The last runs of this tab, to come back to. Kept in the session's storage: closing the tab forgets them. */

import { badge, cut, el } from "./element.js";
import { statusOf } from "./status.js";

const STATES = {
  running: ["pending", "started"],
  done: ["ok", "done"],
  failed: ["failed", "failed"],
  cancelled: ["skipped", "cancelled"],
};
const KEY = "runs";
const KEPT = 5;

/** Newest first: [{hash, tool, params, at, state}], `params` as words, `at` in milliseconds since 1970. */
export function recentRuns() {
  try {
    const runs = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(runs) ? runs : [];
  } catch {
    return []; // storage is forbidden here, or holds what is not ours: the page works without
  }
}

/** Put a run first; of one that is there, say more where it stands. */
export function remember(run) {
  const runs = recentRuns();
  const at = runs.findIndex((one) => one.hash === run.hash);
  if (at < 0) runs.unshift(run);
  else runs[at] = { ...runs[at], ...run };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(runs.slice(0, KEPT)));
  } catch {
    // forbidden or full: the list is a convenience, and the address has the run, too
  }
}

/** Forget all runs. What else this origin keeps is not ours. */
export function forgetRuns() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // storage is forbidden here: then there is nothing in it
  }
}

/** Draw the list: each run is a link to its own address. Hidden while there is none. */
export function drawRecent(section, list) {
  const runs = recentRuns();
  section.hidden = runs.length === 0;
  const held = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  list.replaceChildren(...runs.map(drawn));
  if (held !== null) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === held)?.focus();
}

function drawn({ hash, tool, at, state, params }) {
  const item = el("li");
  const link = el("a", "", tool);
  link.href = hash;
  if (hash === location.hash) link.setAttribute("aria-current", "true");
  const [status, word] = STATES[state] ?? STATES.running;
  const time = el("time", "number quiet", new Date(at).toLocaleTimeString(undefined, { timeStyle: "short" }));
  time.dateTime = new Date(at).toISOString();
  item.append(badge(statusOf(status), word), link, el("span", "quiet params", cut(params ?? "", 80)), time);
  return item;
}
