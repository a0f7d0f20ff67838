/**
 * Values as elements. Everything a tool says is set as text, never as markup: it is written by strangers. And it is
 * bounded, since one value may be a megabyte and the page must stay usable.
 */

const MAX_TEXT = 2000; // characters of one string
const MAX_ITEMS = 50; // members of one object or list
const MAX_DEPTH = 4; // levels drawn as tables; deeper ones are JSON text
const MAX_JSON = 20000; // characters of one block of JSON text
const SHORT = 120; // characters up to which a list or object of plain values stays on one line

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
  if (value === null || typeof value !== "object") return scalar(value);
  if (Array.isArray(value)) return list(value, depth);
  const line = depth >= 2 ? oneLine(value) : null;
  if (line !== null) return el("span", "text", line);
  return depth >= MAX_DEPTH ? jsonBlock(value) : table(Object.entries(value), depth);
}

/** An object's members, as a list of terms. */
export function table(entries, depth = 0) {
  if (entries.length === 0) return el("span", "quiet", "nothing");
  const dl = el("dl", "table");
  for (const [key, value] of entries.slice(0, MAX_ITEMS)) {
    const row = el("div");
    const dd = el("dd");
    dd.append(render(value, depth + 1));
    row.append(el("dt", "", cut(key, MAX_TEXT)), dd);
    dl.append(row);
  }
  if (entries.length <= MAX_ITEMS) return dl;
  const box = el("div");
  box.append(dl, more(entries.length - MAX_ITEMS));
  return box;
}

function list(values, depth) {
  if (values.length === 0) return el("span", "quiet", "none");
  if (values.every(isPlain)) {
    const line = values.slice(0, MAX_ITEMS).map(String).join(", ");
    if (values.length <= MAX_ITEMS && line.length <= SHORT) return el("span", "", line);
  }
  if (depth >= MAX_DEPTH) return jsonBlock(values);
  const ul = el("ul", "items");
  for (const value of values.slice(0, MAX_ITEMS)) {
    const item = el("li");
    item.append(render(value, depth + 1));
    ul.append(item);
  }
  if (values.length <= MAX_ITEMS) return ul;
  const box = el("div");
  box.append(ul, more(values.length - MAX_ITEMS));
  return box;
}

const isPlain = (value) => value === null || typeof value !== "object";

/** A small object of plain values as "a: 1, b: 2", or null: deep down a table would be all indentation. */
function oneLine(value) {
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > 4 || !entries.every(([, member]) => isPlain(member))) return null;
  const line = entries.map(([key, member]) => `${key}: ${member}`).join(", ");
  return line.length <= SHORT ? line : null;
}

const more = (count) => el("p", "hint quiet", `and ${count.toLocaleString("en")} more`);

function scalar(value) {
  if (value === null || value === undefined) return el("span", "quiet", "null");
  if (value === "") return el("span", "quiet", "empty");
  if (typeof value === "string") return el("span", "text", cut(value, MAX_TEXT));
  return el("span", typeof value === "boolean" ? "word" : "number", String(value));
}

function jsonBlock(value) {
  return el("pre", "json", cut(JSON.stringify(value, null, 2), MAX_JSON));
}

/** A list element that keeps its newest `max` children, and says how many it has let go. */
export class BoundedList {
  constructor(list, note, max, noun) {
    this.list = list;
    this.note = note;
    this.max = max;
    this.noun = noun;
    this.clear();
  }

  clear() {
    this.total = 0;
    this.list.replaceChildren();
    this.note.hidden = true;
  }

  /** Add what `make()` returns for each waiting item; those that would be pushed out at once are only counted. */
  add(items, make) {
    if (items.length === 0) return;
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.total += items.length;
    const kept = items.slice(-this.max);
    this.list.append(...kept.map(make));
    while (this.list.childElementCount > this.max) this.list.firstElementChild.remove();
    const dropped = this.total - this.list.childElementCount;
    this.note.hidden = dropped === 0;
    this.note.textContent = `${dropped.toLocaleString("en")} earlier ${this.noun} are no longer shown.`;
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
