/** Rows as CSV. Pure: no DOM. RFC 4180: lines end with CRLF, and a field has quotes where it needs them. */

import { DECIMAL } from "./cells.js";
import { stringify } from "./exact.js";

// Texts that a spreadsheet would take for a formula. What a tool sends is written by strangers (OWASP, CSV injection).
const FORMULA = /^[=+\-@\t\r]/;

/** `rows` are lists of cells, the head among them. What is not there is nothing; an empty text is two quotes. */
export function csv(rows) {
  return rows.map((cells) => cells.map(field).join(",")).join("\r\n");
}

function field(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  const text = typeof value === "string" ? value : Array.isArray(value) && value.every(isFlat) ? value.join(", ") : stringify(value);
  // A number in words, such as a decimal that no double holds, is no formula.
  const safe = FORMULA.test(text) && !DECIMAL.test(text) ? `'${text}` : text;
  return safe === "" || /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Whether a value is no list and no object. */
export const isFlat = (value) => value === null || typeof value !== "object";
