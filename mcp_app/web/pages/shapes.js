/**
 * What a value is, it says by `kind`; here is what the members of each kind must be. Pure: no DOM.
 *
 * A value that says a kind and has other members than that kind is of none: it is then drawn as any other JSON.
 */

const MAX_BINS = 200; // bars beside each other that can still be told apart

const isText = (value) => typeof value === "string";
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isAmount = (value) => (typeof value === "number" || typeof value === "bigint") && value >= 0;
const isCount = (value) => isAmount(value) && (typeof value === "bigint" || Number.isInteger(value));
const optional = (is) => (value) => value === undefined || value === null || is(value);
const all = (is) => (values) => Array.isArray(values) && values.every(is);

const isColumns = all((one) => isObject(one) && isText(one.name) && optional(isText)(one.type));
const isRows = all(Array.isArray);
const isKind = (kind) => (value) => shapeOf(value) === kind;
const isEdges = (values) => all((one) => typeof one === "number" || typeof one === "bigint")(values) || all(isText)(values);
const isStep = (value) => isObject(value) && STEP.every(([name, is]) => is(value[name]));
const isSource = (value) => isText(value) || isObject(value);

const STEP = [["id", isText], ["status", isText], ["attempts", optional(isCount)], ["seconds", optional(isAmount)], ["reason", optional(isText)]];

// The members of each kind, as [name, what it must be].
const MEMBERS = {
  columns: [["columns", isColumns]],
  rows: [["first", isCount], ["rows", isRows]],
  table: [
    ["columns", isColumns], ["rows", isRows],
    ["row_count", optional(isCount)], ["truncated", optional((value) => typeof value === "boolean")], ["notice", optional(isText)],
  ],
  histogram: [["edges", isEdges], ["counts", all(isCount)], ["column", optional(isText)]],
  finding: [
    ["title", isText], ["about", optional(isText)], ["column", optional(isText)], ["sql", optional(isText)],
    ["table", optional(isKind("table"))], ["histogram", optional(isKind("histogram"))],
  ],
  analysis: [
    ["findings", all(isKind("finding"))], ["source", optional(isSource)],
    ["row_count", optional(isCount)], ["column_count", optional(isCount)], ["notice", optional(isText)],
  ],
  step: STEP,
  workflow: [["steps", all(isStep)], ["notice", optional(isText)]],
};

/** The kind of a value that has the members of it, else null. */
export function shapeOf(value) {
  if (!isObject(value) || !isText(value.kind) || !Object.hasOwn(MEMBERS, value.kind)) return null;
  if (!MEMBERS[value.kind].every(([name, is]) => is(value[name]))) return null;
  if (value.kind === "histogram" && !isBinned(value)) return null;
  return value.kind;
}

/** One more edge than counts, or there is nothing to draw. */
function isBinned({ edges, counts }) {
  return counts.length > 0 && counts.length <= MAX_BINS && edges.length === counts.length + 1;
}
