/** Names, numbers, times and sizes as people write them. Pure: no DOM. */

// What stays in capitals when a key becomes words.
const INITIALS = new Set(
  "api ca cpu css csv dns html http https id ids ip ipv4 ipv6 json mcp os pdf sha1 sha256 sql ssh tls ttl ui uri url urls utc uuid xml".split(" "),
);
// Integers below are mostly years, ports and codes, which nobody groups; above this many digits they are mostly ids.
const GROUPED_FROM = 10_000;
const GROUPED_DIGITS = 15;
export const MAX_DECIMALS = 4; // with more, a column's numbers are measured values, and are left as they are
// Whose numbers are names, not amounts.
const NUMBERED = /(^|_)(id|port|code|year|serial|pid|zip|phone|seed|timestamp|hash)$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
// A key's ending that says what its number measures, and how that is written. The ending is then left out of the name.
const UNITS = [
  [/_(ms|millis|milliseconds)$/, (value) => seconds(value / 1000)],
  [/_(s|sec|secs|seconds)$/, (value) => seconds(value)],
  [/(?<=_)(bytes)$|^bytes$/, (value) => bytes(value)],
  [/_(percent|pct)$/, (value) => `${number(value)} %`],
];

/** `days_left` -> "Days left", `notBefore` -> "Not before", `alt_svc_url` -> "Alt svc URL". */
export function label(key) {
  const words = key
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .split(/[_\s]+/)
    .filter((word) => word !== "");
  if (words.length === 0 || !/^[\w\s-]+$/.test(key)) return key; // not a name somebody made: nothing is guessed
  const small = words.map((word) => (INITIALS.has(word.toLowerCase()) ? word.toUpperCase() : lower(word)));
  small[0] = small[0][0].toUpperCase() + small[0].slice(1);
  return small.join(" ");
}

/** The name of a member whose value is `value`: without the unit where the value is written with it. */
export function nameOf(key, value) {
  const unit = unitOf(key, value);
  return label(unit === null ? key : key.replace(unit[0], "") || key);
}

/** A number, written as its key asks for: with its unit, grouped, or as it is. */
export function amount(key, value) {
  const unit = unitOf(key, value);
  if (unit !== null) return unit[1](value);
  return NUMBERED.test(key.toLowerCase()) ? String(value) : number(value);
}

export function number(value) {
  if (typeof value === "bigint" || !Number.isFinite(value)) return String(value);
  const digits = String(Math.trunc(Math.abs(value))).length;
  if (Math.abs(value) < GROUPED_FROM || digits > GROUPED_DIGITS) return String(value);
  return value.toLocaleString("en", { maximumFractionDigits: 20 });
}

/** How the numbers of one column are written, so that they compare: grouped or not, with as many decimals. */
export function writer(key, values) {
  const numbers = values.filter((value) => typeof value === "number");
  const isGrouped = numbers.some((value) => number(value).includes(","));
  if (NUMBERED.test(key.toLowerCase()) || numbers.some((value) => unitOf(key, value) !== null || /e/.test(String(value)))) {
    return (value) => amount(key, value);
  }
  const decimals = Math.max(0, ...numbers.map((value) => decimalsOf(String(value))));
  const style = { useGrouping: isGrouped, minimumFractionDigits: decimals > MAX_DECIMALS ? 0 : decimals, maximumFractionDigits: 20 };
  return (value) => (Math.abs(value) < Number.MAX_SAFE_INTEGER ? value.toLocaleString("en", style) : number(value));
}

/** Digits behind the point; what is written with an exponent has more than are ever made alike. */
export function decimalsOf(text) {
  return /e/i.test(text) ? Infinity : (text.split(".")[1]?.length ?? 0);
}

/** 0.35 -> "0.4 s", 90 -> "90 s", 1800 -> "30 min", 5400 -> "1 h 30 min". */
export function seconds(value) {
  if (!Number.isFinite(value) || value < 0) return `${value} s`;
  if (value > 0 && value < 0.1) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 119.5) return `${value < 100 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} s`;
  const whole = Math.round(value);
  const [days, hours] = [Math.floor(whole / 86400), Math.floor((whole % 86400) / 3600)];
  const [minutes, rest] = [Math.floor((whole % 3600) / 60), whole % 60];
  const parts = [[days, "d"], [hours, "h"], [minutes, "min"], [rest, "s"]];
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** Bytes, in powers of a thousand (IEC 80000-13): 46_100 -> "46 kB". */
export function bytes(value) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  if (power === 0) return plural(value, "byte");
  return `${scaled < 10 ? Number(scaled.toFixed(1)) : Math.round(scaled)} ${units[power]}`;
}

/** An ISO date or moment in the visitor's own zone and words; null for any other text. */
export function when(text) {
  const isDate = DATE.test(text);
  if (!isDate && !MOMENT.test(text)) return null;
  const moment = new Date(text.replace(" ", "T"));
  if (Number.isNaN(moment.getTime())) return null;
  const style = isDate ? { dateStyle: "medium", timeZone: "UTC" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(undefined, style).format(moment);
}

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** A sentence that ends as one, so that another can stand behind it. */
export function sentence(text) {
  const trimmed = text.trim();
  return trimmed === "" || /[.!?:…)\]]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** How far something is: "45 %", "3 of 4", "11 % · 2,850,000 of 25,000,000". */
export function share(done, total) {
  if (!(typeof total === "number" && total > 0)) return number(done);
  const percent = `${Math.floor(Math.min(1, Math.max(0, done / total)) * 100)} %`;
  if (total === 1 || total === 100) return percent;
  const counted = `${number(done)} of ${number(total)}`;
  return total < 20 ? counted : `${percent} · ${counted}`;
}

const lower = (word) => (/^[A-Z][a-z]/.test(word) ? word.toLowerCase() : word);

function unitOf(key, value) {
  if (typeof value !== "number" || value < 0) return null;
  return UNITS.find(([ending]) => ending.test(key)) ?? null;
}

/** A docstring's lines end where the source's do: join them to paragraphs, but for lists, fields and examples, and without
 * the rules below NumPy's headings. */
export function unwrapped(text) {
  return text.replace(/^-{3,}\n|([^\n])\n(?=[^\s\-*\d>:.])/gm, (found, last) => (last === undefined ? "" : `${last} `));
}
