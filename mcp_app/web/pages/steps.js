/** What a tool reported on its way, as cards, lines of a log and lines of the raw stream. */

import { badge, cut, el, folded } from "./element.js";
import { contents } from "./content.js";
import { stringify } from "./exact.js";
import { statusOf } from "./status.js";
import { leadOf, table } from "./value.js";
import { seconds } from "./words.js";

const MAX_TEXT = 2000; // characters of one line of words
const MAX_PATH = 200; // of it, of all its names
const RAW_TEXT = 2000; // characters of one raw event that are shown

/** A step's heading, what it says of itself in a word and in words, and the rest of it. */
export function stepOf({ data, metadata = {} }, n) {
  if (metadata.content === true && Array.isArray(data)) return { title: `Step ${n}`, rest: [], blocks: data };
  if (data === null || typeof data !== "object" || Array.isArray(data)) {
    return typeof data === "string" ? { title: cut(data, 300), rest: [] } : { title: `Step ${n}`, rest: [["value", data]] };
  }
  const key = leadOf(data, ["step", "title", "name", "message", "summary"]);
  const words = leadOf(data, ["summary", "message"].filter((name) => name !== key));
  const state = typeof data.status === "string" && data.status.length <= 20 ? "status" : undefined;
  const rest = Object.entries(data).filter(([name]) => ![key, words, state].includes(name));
  return { title: key === undefined ? `Step ${n}` : cut(data[key], 300), words: data[words], state: data[state], rest };
}

/** The names of the steps down to the one that sent the event; none for the tool itself. */
export function pathOf({ metadata }) {
  return Array.isArray(metadata?.path) ? metadata.path.map(String) : [];
}

/** The same as words. */
export function placeOf(path) {
  return cut(path.join(" › "), MAX_PATH);
}

/** Whether a step is a sentence and nothing else: a list of cards of those is noise. */
export function isMessage({ words, state, rest, blocks }) {
  return words === undefined && state === undefined && blocks === undefined && rest.length === 0;
}

export function stepCard({ title, words, state, rest, blocks, path, at }) {
  const card = el("li", "step");
  const head = el("div", "row");
  const heading = el("h4", "", title);
  const status = state === undefined ? null : statusOf(state);
  if (status !== null) card.dataset.tone = status.tone;
  if (path !== "") heading.prepend(from(path), " ");
  if (state !== undefined) heading.append(" ", status === null ? el("span", "tag", state) : badge(status, state));
  head.append(heading, clock(at));
  card.append(head);
  if (words !== undefined) card.append(el("p", "text", cut(words, MAX_TEXT)));
  if (blocks !== undefined) card.append(contents(blocks));
  if (rest.length > 0) card.append(words === undefined ? table(rest) : folded("Details", () => table(rest)));
  return card;
}

export function messageRow({ title, path, at }) {
  const row = el("li");
  row.append(clock(at), ...(path === "" ? [] : [from(path)]), el("span", "text", title));
  return row;
}

export function logRow({ level, text, path, at }) {
  const row = el("li");
  row.dataset.level = level;
  const named = path === "" ? [] : [from(path)];
  row.append(clock(at), el("span", "level", cut(level, 20)), ...named, el("span", "text", cut(text, MAX_TEXT)));
  return row;
}

export function rawRow({ id, data, note }) {
  if (note !== undefined) return el("li", "note", note);
  const row = el("li");
  if (id !== "") row.append(el("span", "quiet", `id: ${id}`));
  row.append(el("span", "", `data: ${cut(data, RAW_TEXT)}`));
  return row;
}

export function errorBody(error) {
  const box = el("div", "error");
  box.append(el("p", "message", cut(textOf(error.message), MAX_TEXT)));
  if (error.hint) box.append(el("p", "hint", cut(textOf(error.hint), MAX_TEXT)));
  box.append(el("code", "code-tag", cut(String(error.code ?? "error"), 100)));
  const fields = Array.isArray(error.details) ? error.details : [];
  if (fields.length > 0) box.append(table(fields.map((one) => [String(one?.field), one?.problem])));
  const rest = Object.entries(error).filter(([key]) => !["message", "hint", "code", "details"].includes(key));
  if (rest.length > 0) box.append(table(rest));
  return box;
}

export function textOf(value) {
  return typeof value === "string" ? value : stringify(value ?? null);
}

/** The tool that this one called, and that sent what stands beside it. */
function from(path) {
  return el("span", "tag", path);
}

/** When it came, in the run's time; nothing where that is not known, as of a run that was come back to. */
function clock(at) {
  return el("span", "number quiet", at === null ? "" : seconds(at));
}
