/**
 * Values as elements. It is bounded, since one value may be a megabyte and the page must stay usable: what is long is
 * folded, and made into elements only when it is opened; what is very long is cut. Nothing here knows any one tool.
 *
 * `of` goes along: {depth, schema, root, draw}, where the value stands, what its JSON Schema says of it, and who draws what
 * says of itself what it is: draw(value) returns an element, or null.
 */

import { badge, cut, el, folded } from "./element.js";
import { stringify } from "./exact.js";
import { isMarkdown, markdown } from "./markdown.js";
import { itemsOf, memberOf, titleOf } from "./schema.js";
import { statusOf } from "./status.js";
import { isTabular, sheet } from "./sheet.js";
import { amount, label, nameOf, number, plural, when } from "./words.js";

const MAX_TEXT = 2000; // characters of one string
const MAX_DOCUMENT = 100_000; // characters of Markdown, and of a text that is the whole result
const MAX_ITEMS = 50; // members of one object or list
const MAX_DEPTH = 8; // levels drawn; deeper ones are JSON text
const MAX_JSON = 20000; // characters of one block of JSON text
const FEW = 5; // objects that are all in sight, whatever is in them
const SHORT = 120; // characters up to which a list or object of plain values stays on one line
// Characters of JSON beyond which a member is folded: about a screen at the top, a few lines below it.
const FOLD_TOP = 2500;
const FOLD_BELOW = 400;
// The member that says in words what an object is about, if it has one of these.
const LEADS = ["message", "summary", "title", "text", "name"];
const STATUS_KEYS = new Set(["status", "state", "severity", "level", "outcome"]);

const TOP = { depth: 0, schema: {}, root: {}, draw: () => null };

export const isPlain = (value) => value === null || typeof value !== "object";

export function render(value, of = TOP) {
  if (isPlain(value)) return scalar(value, "", of.depth === 0 ? MAX_DOCUMENT : MAX_TEXT);
  const drawn = of.draw?.(value) ?? null;
  if (drawn !== null) return drawn;
  if (of.depth >= MAX_DEPTH) return el("pre", "json", cut(stringify(value, 2), MAX_JSON));
  return Array.isArray(value) ? list(value, of) : table(Object.entries(value), of);
}

/** An object's members, as a list of terms. Those that are null share one line: mostly they say "not looked at". */
export function table(entries, of = TOP) {
  if (entries.length === 0) return el("span", "quiet", "nothing");
  const dl = el("dl", "table");
  const said = entries.filter(([, value]) => value !== null);
  for (const [key, value] of said.slice(0, MAX_ITEMS)) dl.append(row(key, value, of));
  const unsaid = entries.filter(([, value]) => value === null).map(([key]) => called(key, null, of));
  if (unsaid.length > 0) dl.append(term("Without a value", "", el("span", "quiet", cut(unsaid.join(", "), MAX_TEXT))));
  return withMore(dl, said.length);
}

/** What a member is called: by its schema's title, else by its key, made readable. */
export function called(key, value, of) {
  return cut(titleOf(memberOf(of.schema, key, of.root)) ?? nameOf(key, value), MAX_TEXT);
}

/** The member that says in words what `value` is about: its key, or undefined. */
export function leadOf(value, keys = LEADS) {
  return keys.find((key) => typeof value[key] === "string" && value[key] !== "");
}

/** A plain value as people write it; what it was exactly stands in its title. */
export function scalar(value, key = "", max = MAX_TEXT) {
  if (value === null || value === undefined) return el("span", "quiet", "none");
  if (value === "") return el("span", "quiet", "empty");
  if (typeof value === "string") return words(value, key, max);
  if (typeof value === "boolean") return el("span", "word", value ? "yes" : "no");
  const made = el("span", "number", amount(key, value));
  if (made.textContent !== String(value)) made.title = String(value);
  return made;
}

function words(text, key, max) {
  const status = STATUS_KEYS.has(key) ? statusOf(text) : null;
  if (status !== null) return badge(status, text);
  const moment = text.length <= 40 ? when(text) : null;
  if (moment !== null) {
    const time = el("time", "", moment);
    time.dateTime = text;
    time.title = text;
    return time;
  }
  return isMarkdown(text) ? markdown(cut(text, MAX_DOCUMENT)) : el("span", "text", cut(text, max));
}

function row(key, value, of) {
  return term(called(key, value, of), key, member(key, value, of));
}

function term(name, key, content) {
  const made = el("div");
  const dt = el("dt", "", name);
  if (key !== "" && key !== name) dt.title = key;
  made.dataset.key = key;
  const dd = el("dd");
  dd.append(content);
  made.append(dt, dd);
  return made;
}

function member(key, value, of) {
  if (isPlain(value)) return scalar(value, key);
  const draw = () => render(value, { ...of, depth: of.depth + 1, schema: memberOf(of.schema, key, of.root) });
  const isOpen = of.depth === 0 && (isTabular(value) || typeof value.kind === "string"); // those have bounds of their own
  if (isOpen || stringify(value).length <= (of.depth === 0 ? FOLD_TOP : FOLD_BELOW)) return draw();
  return folded(plural(Array.isArray(value) ? value.length : Object.keys(value).length, "entry", "entries"), draw);
}

function list(values, of) {
  if (values.length === 0) return el("span", "quiet", "none");
  const items = { ...of, depth: of.depth + 1, schema: itemsOf(of.schema, of.root) };
  if (isTabular(values)) return sheet(values, (key, value, write) => cell(key, value, write, items), (key) => called(key, undefined, items));
  if (values.every(isPlain)) {
    const line = values.slice(0, MAX_ITEMS).map((one) => (typeof one === "number" ? number(one) : String(one))).join(", ");
    if (values.length <= MAX_ITEMS && line.length <= SHORT) return el("span", "text", line);
  }
  const ul = el("ul", "items");
  for (const value of values.slice(0, MAX_ITEMS)) {
    const item = el("li");
    const drawn = items.draw?.(value) ?? null;
    item.append(drawn ?? (isPlain(value) || Array.isArray(value) ? render(value, items) : brief(value, items, values.length <= FEW)));
    ul.append(item);
  }
  return withMore(ul, values.length);
}

function cell(key, value, write, of) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return el("span", "number", write(value));
  return isPlain(value) ? scalar(value, key, SHORT * 3) : render(value, of);
}

/** One of several objects: in words first, its plain members on a line below, the rest folded; of a few, a table is not. */
function brief(value, of, isFew) {
  const lead = leadOf(value);
  const rest = Object.entries(value).filter(([key, part]) => key !== lead && part !== null);
  const plain = rest.filter(([, part]) => isPlain(part));
  const said = ([key, part]) => `${called(key, part, of)}: ${cut(scalar(part, key).textContent, SHORT)}`;
  const line = plain.map(said).join(" · ");
  if (lead === undefined && (line.length > SHORT || line === "")) return table(Object.entries(value), of);
  const box = el("div");
  if (lead !== undefined) box.append(el("p", "text", cut(value[lead], MAX_TEXT)));
  if (line !== "") box.append(el("p", lead === undefined ? "text" : "text hint", line));
  const nested = rest.filter(([, part]) => !isPlain(part) && Object.keys(part).length > 0);
  const names = nested.map(([key]) => cut(label(key), 40)).slice(0, 5).join(", ");
  if (isFew && nested.length === 1 && isTabular(nested[0][1])) box.append(render(nested[0][1], { ...of, schema: memberOf(of.schema, nested[0][0], of.root) }));
  else if (nested.length > 0) box.append(folded(names, () => table(nested, of)));
  return box;
}

function withMore(made, count) {
  if (count <= MAX_ITEMS) return made;
  const box = el("div");
  box.append(made, el("p", "hint quiet", `and ${number(count - MAX_ITEMS)} more`));
  return box;
}
