/** What is known of each column by the first rows: whether it holds numbers, how those are written, how wide it is. Pure. */

import { isNumeric, writerOf } from "./cells.js";

const [NARROW, WIDE] = [4, 36]; // characters of a column
const PADDING = 4; // of a cell, in characters
const SMALL = 0.8; // a type's letters, beside a cell's
const SORTS = 3; // characters that the sign of the order takes
const MOST = 0.95; // of the cells have room; a few that are longer are cut

/** [{name, type, isNumeric, write, width}] by the first `count` of the rows; a width is in characters. */
export function columnFacts(rows, count) {
  const first = rows.rows.slice(0, count);
  return Array.from({ length: rows.width }, (_, column) => {
    const { name, type } = rows.columns[column] ?? {};
    return facts(name || `column ${column + 1}`, type ?? "", first.map((row) => row[column]));
  });
}

/** How wide numbers of so many digits are, at the begin of a row. */
export function numberWidth(digits) {
  return digits + (digits > 4 ? 1 : 0) + PADDING / 2;
}

function facts(name, type, cells) {
  const write = writerOf(cells);
  const lengths = cells.map((value) => Math.min(WIDE, write(value).length)).sort((a, b) => a - b);
  const most = lengths[Math.floor(lengths.length * MOST)] ?? 0;
  const width = Math.max(NARROW, Math.min(WIDE, Math.max(most, name.length + SORTS, type.length * SMALL))) + PADDING;
  return { name, type, isNumeric: isNumeric(type, cells), write, width };
}
