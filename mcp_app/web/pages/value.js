/**
 * Values as elements. Everything a tool says is set as text, never as markup: it is written by strangers. And it is
 * bounded, since one value may be a megabyte and the page must stay usable: what is long is folded, and made into
 * elements only when it is opened; what is very long is cut. Nothing here knows any one tool.
 */

const MAX_TEXT = 2000; // characters of one string
const MAX_ITEMS = 50; // members of one object or list
const MAX_DEPTH = 8; // levels drawn; deeper ones are JSON text
const MAX_JSON = 20000; // characters of one block of JSON text
const SHORT = 120; // characters up to which a list or object of plain values stays on one line
// Characters of JSON beyond which a member is folded: about a screen at the top, a few lines below it.
const FOLD_TOP = 2500;
const FOLD_BELOW = 400;
// The member that says in words what an object is about, if it has one of these.
const LEADS = ["message", "summary", "title", "text", "name"];

export function el(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export function cut(text, max) {
  return text.length <= max ? text : `${text.slice(0, max)}… (${(text.length - max).toLocaleString("en")} more characters)`;
}

export function render(value, depth = 0) {
  if (isPlain(value)) return scalar(value);
  if (depth >= MAX_DEPTH) return el("pre", "json", cut(JSON.stringify(value, null, 2), MAX_JSON));
  return Array.isArray(value) ? list(value, depth) : table(Object.entries(value), depth);
}

/** An object's members, as a list of terms. Those that are null share one line: mostly they say "not looked at". */
export function table(entries, depth = 0) {
  if (entries.length === 0) return el("span", "quiet", "nothing");
  const dl = el("dl", "table");
  const said = entries.filter(([, value]) => value !== null);
  for (const [key, value] of said.slice(0, MAX_ITEMS)) dl.append(row(key, member(value, depth)));
  const unsaid = entries.filter(([, value]) => value === null).map(([key]) => key);
  if (unsaid.length > 0) dl.append(row("null", el("span", "quiet", cut(unsaid.join(", "), MAX_TEXT))));
  return withMore(dl, said.length);
}

/** A line to open, behind which `value` is drawn when it is. */
export function folded(label, draw) {
  const details = el("details", "fold");
  details.append(el("summary", "", label));
  details.addEventListener("toggle", () => details.append(draw()), { once: true });
  return details;
}

/** The member that says in words what `value` is about: its key, or undefined. */
export function leadOf(value, keys = LEADS) {
  return keys.find((key) => typeof value[key] === "string" && value[key] !== "");
}

const isPlain = (value) => value === null || typeof value !== "object";

function row(key, content) {
  const made = el("div");
  const dd = el("dd");
  dd.append(content);
  made.append(el("dt", "", cut(key, MAX_TEXT)), dd);
  return made;
}

function member(value, depth) {
  if (isPlain(value)) return scalar(value);
  const draw = () => render(value, depth + 1);
  if (JSON.stringify(value).length <= (depth === 0 ? FOLD_TOP : FOLD_BELOW)) return draw();
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  return folded(`${count.toLocaleString("en")} ${count === 1 ? "entry" : "entries"}`, draw);
}

function list(values, depth) {
  if (values.length === 0) return el("span", "quiet", "none");
  if (values.every(isPlain)) {
    const line = values.slice(0, MAX_ITEMS).map(String).join(", ");
    if (values.length <= MAX_ITEMS && line.length <= SHORT) return el("span", "text", line);
  }
  const ul = el("ul", "items");
  for (const value of values.slice(0, MAX_ITEMS)) {
    const item = el("li");
    item.append(isPlain(value) || Array.isArray(value) ? render(value, depth + 1) : brief(value, depth + 1));
    ul.append(item);
  }
  return withMore(ul, values.length);
}

/** One of several objects: in words first, its plain members on a line below, the rest folded. */
function brief(value, depth) {
  const lead = leadOf(value);
  const rest = Object.entries(value).filter(([key, part]) => key !== lead && part !== null);
  const plain = rest.filter(([, part]) => isPlain(part));
  const line = plain.map(([key, part]) => `${key}: ${cut(String(part), SHORT)}`).join(" · ");
  if (lead === undefined && (line.length > SHORT || line === "")) return table(Object.entries(value), depth);
  const box = el("div");
  if (lead !== undefined) box.append(el("p", "text", cut(value[lead], MAX_TEXT)));
  if (line !== "") box.append(el("p", lead === undefined ? "text" : "text hint", line));
  const nested = rest.filter(([, part]) => !isPlain(part) && Object.keys(part).length > 0);
  if (nested.length > 0) box.append(folded(nested.map(([key]) => cut(key, 40)).slice(0, 5).join(", "), () => table(nested, depth)));
  return box;
}

function withMore(made, count) {
  if (count <= MAX_ITEMS) return made;
  const box = el("div");
  box.append(made, el("p", "hint quiet", `and ${(count - MAX_ITEMS).toLocaleString("en")} more`));
  return box;
}

function scalar(value) {
  if (value === null || value === undefined) return el("span", "quiet", "null");
  if (value === "") return el("span", "quiet", "empty");
  if (typeof value === "string") return el("span", "text", cut(value, MAX_TEXT));
  return el("span", typeof value === "boolean" ? "word" : "number", String(value));
}
