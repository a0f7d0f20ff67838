/** A list of like objects as a table: a column for each key, numbers to the right, sorted by a press, copied as CSV. */

import { csv, isFlat } from "./csv.js";
import { copyButton, el, scrolling, wrap } from "./element.js";
import { number, plural, writer } from "./words.js";

const MAX_ROWS = 50; // drawn at once; sorting and copying take all of them
const MAX_COLUMNS = 10; // with more, nobody can read across
const MAX_CELL_ITEMS = 5; // of a list in a cell
const LIKENESS = 0.5; // a key that fewer of the objects have does not make a column worth its place

/** Whether a value is a list of two or more objects with the same few, flat members. */
export function isTabular(values) {
  if (!Array.isArray(values) || values.length < 2) return false;
  const count = new Map();
  for (const one of values) {
    if (isFlat(one) || Array.isArray(one)) return false;
    for (const [key, value] of Object.entries(one)) {
      const isShort = Array.isArray(value) && value.length <= MAX_CELL_ITEMS && value.every(isFlat);
      if (!isFlat(value) && !isShort) return false;
      count.set(key, (count.get(key) ?? 0) + 1);
    }
    if (count.size > MAX_COLUMNS) return false;
  }
  return count.size > 0 && [...count.values()].every((times) => times >= values.length * LIKENESS);
}

/** `draw(key, value, write)` makes what stands in a cell, `title(key)` what stands above a column. */
export function sheet(values, draw, title) {
  const used = columns(values).filter((key) => values.some((one) => (one[key] ?? null) !== null));
  const keys = used.length > 0 ? used : columns(values);
  const numeric = new Set(keys.filter((key) => values.every((one) => ["number", "bigint", "undefined"].includes(typeof (one[key] ?? undefined)))));
  const writers = new Map(keys.map((key) => [key, writer(key, values.map((one) => one[key]))]));
  const body = el("tbody");
  const heads = keys.map((key) => {
    const head = el("th", numeric.has(key) ? "right" : "");
    head.scope = "col";
    const button = el("button", "sort", title(key));
    button.type = "button";
    button.title = "Sort";
    button.addEventListener("click", () => sortBy(key, head));
    head.append(button);
    return head;
  });
  const fill = (rows) => body.replaceChildren(...rows.slice(0, MAX_ROWS).map((one) => rowOf(keys, numeric, (key) => draw(key, one[key], writers.get(key)))));
  const sortBy = (key, head) => {
    const next = { ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")] ?? "ascending";
    for (const one of heads) one.removeAttribute("aria-sort");
    if (next !== "none") head.setAttribute("aria-sort", next);
    fill(next === "none" ? values : sorted(values, key, next === "descending"));
  };
  fill(values);
  const top = el("tr");
  top.append(...heads);
  const head = el("thead");
  head.append(top);
  const grid = el("table", "grid");
  grid.append(head, body);
  const foot = el("div", "row under");
  const more = values.length > MAX_ROWS ? ` · and ${number(values.length - MAX_ROWS)} more` : "";
  foot.append(el("span", "hint quiet", `${plural(values.length, "row")}${more}`), copyButton("Copy CSV", () => csv(lines(values))));
  return wrap("sheet", scrolling(`Table of ${plural(values.length, "row")}`, grid), foot);
}

function lines(values) {
  const keys = columns(values);
  return [keys, ...values.map((one) => keys.map((key) => one[key]))];
}

function columns(values) {
  return [...new Set(values.flatMap((one) => Object.keys(one)))];
}

/** By number where both are, else by text as people order it; what is not there comes last, whichever way. */
function sorted(values, key, isDown) {
  const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
  return values.toSorted((one, other) => {
    const [a, b] = [one[key] ?? null, other[key] ?? null];
    if (a === null || b === null) return (a === null) - (b === null);
    const order = isNumber(a) && isNumber(b) ? (a > b) - (a < b) : String(a).localeCompare(String(b), undefined, { numeric: true });
    return isDown ? -order : order;
  });
}

function rowOf(keys, numeric, draw) {
  const row = el("tr");
  for (const key of keys) {
    const cell = el("td", numeric.has(key) ? "right" : "");
    cell.append(draw(key));
    row.append(cell);
  }
  return row;
}
