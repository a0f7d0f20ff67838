/** The result of a workflow: each step with how it went, and its own result drawn as what that is. */

import { badge, cut, el, folded, wrap } from "./element.js";
import { stringify } from "./exact.js";
import { statusOf } from "./status.js";
import { errorBody } from "./steps.js";
import { number, plural, seconds } from "./words.js";

const MAX_STEPS = 200; // drawn; the rest is counted
const MAX_TEXT = 2000;
const MAX_NAME = 100;
const OPEN_STEPS = 6; // a workflow of more steps is an overview first
const SHORT = 200; // characters of JSON that take no more room than the line that they would be behind

/** `drawStep(step)` draws the result of one. */
export function workflow({ steps, notice }, drawStep) {
  const list = el("ol", "flow");
  list.append(...steps.slice(0, MAX_STEPS).map((step) => stepOf(step, steps.length <= OPEN_STEPS, drawStep)));
  const box = wrap("report", el("p", "lead", tally(steps)), list);
  if (steps.length > MAX_STEPS) box.append(el("p", "hint quiet", `and ${number(steps.length - MAX_STEPS)} more`));
  if (notice) box.append(el("p", "hint text", cut(notice, MAX_TEXT)));
  return box;
}

/** `5 steps: 3 ok, 1 failed, 1 skipped`. */
function tally(steps) {
  const counts = new Map();
  for (const { status } of steps) counts.set(status, (counts.get(status) ?? 0) + 1);
  const parts = [...counts].map(([status, count]) => `${number(count)} ${cut(status, 20)}`);
  return `${plural(steps.length, "step")}: ${parts.slice(0, 6).join(", ")}`;
}

function stepOf(step, isOpen, drawStep) {
  const { id, tool, status, attempts, seconds: took, error, reason } = step;
  const item = el("li", "flow-step");
  const known = statusOf(status);
  item.dataset.tone = known?.tone ?? "quiet";
  const facts = [
    typeof tool === "string" && tool !== id ? cut(tool, MAX_NAME) : "",
    attempts > 1 ? plural(attempts, "attempt") : "",
    typeof took === "number" && status !== "skipped" ? seconds(took) : "",
  ];
  const head = wrap("flow-head", known === null ? el("span", "tag", cut(status, 20)) : badge(known, status), el("h4", "", cut(id, MAX_NAME)));
  head.append(el("span", "quiet number", facts.filter((fact) => fact !== "").join(" · ")));
  item.append(head);
  if (typeof reason === "string" && reason !== "") item.append(el("p", "hint text", cut(reason, MAX_TEXT)));
  if (error !== undefined && error !== null) item.append(typeof error === "object" ? errorBody(error) : el("p", "problem", cut(String(error), MAX_TEXT)));
  if (step.result !== undefined && step.result !== null) {
    const draw = () => drawStep(step);
    item.append(isOpen || stringify(step.result).length <= SHORT ? draw() : folded(what(step.result), draw));
  }
  return item;
}

/** What is behind the line of a step that is folded. */
function what({ kind, row_count: rows, findings }) {
  if (kind === "table" && typeof rows === "number") return plural(rows, "row");
  if (kind === "analysis" && Array.isArray(findings)) return plural(findings.length, "finding");
  return "Result";
}
