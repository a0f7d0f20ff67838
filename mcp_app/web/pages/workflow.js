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

/** The steps that have ended, each once. */
export class Flow {
  constructor() {
    this.items = new Map(); // the element of each step, by its id
    this.element = el("ol", "flow");
  }

  /** Draw a step, unless it stands there already. `results.draw(step)` draws what it returned. */
  add(step, results) {
    if (this.items.has(step.id) || this.items.size >= MAX_STEPS) return;
    const item = stepOf(step, this.items.size < OPEN_STEPS, results);
    this.items.set(step.id, item);
    this.element.append(item);
  }

  /** Let the steps stand in this order. */
  arrange(steps) {
    this.element.append(...steps.map(({ id }) => this.items.get(id)).filter((item) => item !== undefined));
  }
}

/** The result of a workflow; `flow` are the steps that stand on the page already. */
export function workflow({ steps, notice }, results, flow = new Flow()) {
  for (const step of steps) flow.add(step, results);
  flow.arrange(steps);
  const box = wrap("report", el("p", "lead", tally(steps)), flow.element);
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

function stepOf(step, isOpen, results) {
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
  item.append(...resultOf(step, isOpen, results));
  return item;
}

/** What is behind a line is drawn when that is opened; what stands on the page already is put there now. */
function resultOf(step, isOpen, results) {
  const { result = null, left_out: leftOut } = step;
  if (result === null && typeof leftOut !== "number") return [];
  const draw = () => results.draw(step) ?? el("p", "hint", `${plural(leftOut, "character")} of its result are left out.`);
  if (isOpen || stringify(result).length <= SHORT) return [draw()];
  const drawn = results.stands(step) ? draw() : null;
  return [folded(what(result), () => drawn ?? draw())];
}

/** What is behind the line of a step that is folded. */
function what(result) {
  const { kind, row_count: rows, findings } = result ?? {};
  if (kind === "table" && typeof rows === "number") return plural(rows, "row");
  if (kind === "analysis" && Array.isArray(findings)) return plural(findings.length, "finding");
  return "Result";
}
