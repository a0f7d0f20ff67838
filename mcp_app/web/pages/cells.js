/** Cells of rows: which columns hold numbers, how a cell is written, and which comes before which. Pure: no DOM. */

import { stringify } from "./exact.js";
import { decimalsOf, MAX_DECIMALS } from "./words.js";

// Types of numbers, as SQLite, DuckDB and PostgreSQL name them.
const NUMERIC =
  /^u?(tiny|small|medium|big|huge)?int(eger)?[248]?( unsigned)?$|^((small|big)?serial|numeric|decimal|dec|number|real|double( precision)?|float[48]?)$/i;
const INTEGER = /^[+-]?\d+$/;
/** A number in words. */
export const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const INFINITE = /^([+-]?)inf(inity)?$/i;
// In which order unlike cells come; what is not there comes last, whichever way.
const [NUMBERS, NO_NUMBER, TEXTS, OTHERS] = [0, 1, 2, 3];

const collator = new Intl.Collator(undefined, { numeric: true });

const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
const isThere = (value) => value !== null && value !== undefined;

/** Whether a column holds numbers: by its type, and where it has none, by its cells. */
export function isNumeric(type, cells) {
  const name = (type ?? "").replace(/\s*\([^()]*\)\s*$/, "").trim();
  if (name !== "") return NUMERIC.test(name);
  const there = cells.filter(isThere);
  return there.length > 0 && there.every(isNumber);
}

/** How the numbers of a column are written: with as many decimals each, so that they compare. */
export function writerOf(cells) {
  const decimals = cells.filter((value) => typeof value === "number").map((value) => decimalsOf(String(value)));
  const most = Math.max(0, ...decimals);
  if (most === 0 || most > MAX_DECIMALS) return written;
  return (value) => (typeof value === "number" && decimalsOf(String(value)) <= most ? value.toFixed(most) : written(value));
}

/** A cell as text. */
export function written(value) {
  return typeof value === "string" ? value : stringify(value ?? null);
}

/** The numbers of the rows (0 is the first) in the order of a column's cells; those that are equal stay as they are. */
export function ordered(cells, isNumbers, isDown) {
  const keys = cells.map((value) => (isThere(value) ? keyOf(value, isNumbers) : null));
  const before = (one, other) => {
    const [a, b] = [keys[one], keys[other]];
    if (a === null || b === null) return (a === null) - (b === null);
    return isDown ? -compare(a, b) : compare(a, b);
  };
  return cells.map((_, index) => index).sort(before);
}

function keyOf(value, isNumbers) {
  if (isNumber(value)) return [NUMBERS, value, ""];
  if (typeof value === "boolean") return [NUMBERS, Number(value), ""];
  if (typeof value !== "string") return [OTHERS, stringify(value), ""];
  if (!isNumbers) return [TEXTS, value, ""];
  if (INTEGER.test(value)) return [NUMBERS, BigInt(value.replace("+", "")), value];
  if (DECIMAL.test(value)) return [NUMBERS, Number(value), value];
  const infinite = INFINITE.exec(value);
  if (infinite !== null) return [NUMBERS, infinite[1] === "-" ? -Infinity : Infinity, ""];
  return value.toLowerCase() === "nan" ? [NO_NUMBER, value, ""] : [TEXTS, value, ""];
}

/** Decimals of which doubles are equal are compared by their digits. */
function compare([rank, a, words], [otherRank, b, otherWords]) {
  if (rank !== otherRank) return rank - otherRank;
  if (rank !== NUMBERS) return collator.compare(a, b);
  return (a > b) - (a < b) || (words !== "" && otherWords !== "" ? digits(words, otherWords) : 0);
}

function digits(one, other) {
  if (/e/i.test(one + other)) return 0;
  const most = Math.max(decimalsOf(one), decimalsOf(other));
  const whole = (text) => BigInt(text.replace(/[+.]/g, "") + "0".repeat(most - decimalsOf(text)));
  const [a, b] = [whole(one), whole(other)];
  return (a > b) - (a < b);
}
