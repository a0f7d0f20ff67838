/** Tables of the kinds `table`, and `columns` with `rows`: what is kept of them, and how one opened row is drawn. */

import { cut, el } from "./element.js";
import { stringify } from "./exact.js";
import { Rows } from "./rows.js";
import { plainCell, RowTable } from "./rowtable.js";

const MAX_CELL = 100_000; // characters of a cell in the row that is opened
const MAX_NAME = 300;
const ONE_LINE = 80; // characters

/** An empty table that rows are added to. `name` is that of its CSV, `room` what it may keep. */
export function growing(columns, name, room) {
  return new RowTable(new Rows(columns, room), fileName(name), rowInFull);
}

/** A whole table. */
export function tableOf({ columns, rows, row_count: count, notice }, name) {
  const grown = growing(columns, name);
  grown.rows.add(0, rows);
  close(grown, { row_count: count, notice });
  return grown.element;
}

/** No more rows come, and the result says how many there are. */
export function close(grown, { row_count: count, notice } = {}) {
  grown.rows.stated = Number(count ?? 0);
  grown.end({ notice: notice ?? null });
}

/** Whether what was streamed is the table that a result shows the begin of, by the names of the columns. */
export function isOf({ rows }, { columns }) {
  return columns.length === rows.columns.length && columns.every(({ name }, index) => name === rows.columns[index].name);
}

/** Whether what was streamed has the rows that a result shows the begin of, as far as both can be compared. */
export function isBegunBy({ rows }, { rows: begin, row_count: count }) {
  if (rows.next > Number(count ?? Infinity)) return false; // what the tool made of more rows
  if (rows.missing > 0) return true;
  const compared = [0, Math.floor(begin.length / 2), begin.length - 1].filter((index) => index in begin && index in rows.rows);
  return compared.every((index) => stringify(begin[index]) === stringify(rows.rows[index]));
}

/** Whether what was streamed shows at least what the result does: all from the first row on, or more of it. */
export function isEnough({ rows }, { rows: begin }) {
  return rows.missing === 0 ? rows.received >= begin.length : rows.rows.length > begin.length;
}

/** A row as a list of its columns' names, as they are, with all of each cell. */
function rowInFull(entries) {
  const list = el("dl", "table");
  for (const [name, value] of entries) {
    const [line, given] = [el("div"), el("dd", "text")];
    given.append(value !== null && typeof value === "object" ? nested(value) : plainCell(value, MAX_CELL));
    line.append(el("dt", "", cut(name, MAX_NAME)), given);
    list.append(line);
  }
  return list;
}

/** A list or an object, as the JSON that it is. */
function nested(value) {
  const text = stringify(value);
  return text.length <= ONE_LINE ? text : el("pre", "", cut(stringify(value, 2), MAX_CELL));
}

function fileName(name) {
  return name.replace(/[^\w.-]+/g, "-").slice(0, 100) || "rows";
}
