/**
 * JSON whose integers stay what they are. Pure: no DOM, no network.
 *
 * A JavaScript number is a double: 725653563933458432 is read as …432 and written as …400, and 2^53 + 1 becomes 2^53.
 * JSON itself has no such bound (RFC 8259, 6). So an integer that a double would write differently is a BigInt here,
 * in what is shown and in what is sent; every other number is a number.
 */

// Set around a number's digits where JSON's own reader and writer can hold a string only. It is random, so that no
// text that comes in can pass for a number.
const MARK = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16)).join("-");
const WRITTEN = new RegExp(`"${MARK}:(-?\\d+)"`, "g");
// Below sixteen digits in a row no integer is in doubt, and the text is read only once. The digits of a fraction are none.
const IN_DOUBT = /(?<![\d.])\d{16,}(?![\d.eE])/;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
const INTEGER = /^-?\d+$/;

/** Read JSON. Throws SyntaxError, as JSON.parse does. */
export function parse(text) {
  const value = JSON.parse(text);
  if (!IN_DOUBT.test(text)) return value;
  const marked = text.replace(STRING_OR_NUMBER, (token) => (isKept(token) ? token : `"${MARK}:${token}"`));
  const revive = (key, part) =>
    typeof part === "string" && part.startsWith(`${MARK}:`) ? BigInt(part.slice(MARK.length + 1)) : part;
  return JSON.parse(marked, revive);
}

/** Write JSON; a BigInt as its digits. */
export function stringify(value, indent) {
  let marked = false;
  const text = JSON.stringify(
    value,
    (key, part) => {
      if (typeof part !== "bigint") return part;
      marked = true;
      return `${MARK}:${part}`;
    },
    indent,
  );
  return marked ? text.replace(WRITTEN, "$1") : text;
}

/** What was typed as an integer: a number where that is exact, else a BigInt; NaN for what is no integer. */
export function integer(text) {
  const digits = text.trim();
  if (INTEGER.test(digits)) return isKept(digits) ? Number(digits) : BigInt(digits);
  const number = Number(digits);
  return digits !== "" && Number.isInteger(number) ? number : NaN;
}

/** Whether a double gives this token back as it is; everything but integers does, as far as we are concerned. */
function isKept(token) {
  return !INTEGER.test(token) || Number.isSafeInteger(Number(token));
}
