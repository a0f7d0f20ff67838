/**
 * What of a known kind arrives while a run works: tables that fill, findings, charts. It is drawn where it arrives, and
 * is given to the result that it belongs to, with its order, its place and the focus as they are.
 */

import { FindingList } from "./findings.js";
import { cut, el, wrap } from "./element.js";
import { drawKind, resultsOf } from "./kinds.js";
import { Room } from "./rows.js";
import { shapeOf } from "./shapes.js";
import { aboveOf, baseOf } from "./steptree.js";
import { close, growing, isBegunBy, isEnough, isOf } from "./tables.js";
import { number, plural } from "./words.js";
import { Flow } from "./workflow.js";

const MAX_ITEMS = 60; // tables, charts and lists of findings on the page
const MAX_PATH = 200; // characters of all its names
// The page has what was streamed; what the result left out is missing to whoever has nothing but the result.
const OF_RESULT = "Of the result as sent: ";
const LISTS = { finding: "findings", step: "flow" }; // what is added to one element
const RESULTS_ONLY = new Set(["workflow"]); // what a step says of these is a card like any other

export class Arrivals {
  constructor(list) {
    this.list = list;
    this.clear("");
  }

  /** Another run begins, of the tool of this name. */
  clear(tool) {
    this.tool = tool;
    this.items = [];
    this.room = new Room();
    this.changed = new Set();
    this.left = 0;
    this.note = undefined;
    this.list.replaceChildren();
  }

  get isEmpty() {
    return this.items.length === 0;
  }

  /** Take what a run sent, `path` being the steps it came by. Returns it in words, or null where it is of no kind. */
  take(data, path) {
    const kind = shapeOf(data);
    if (kind === null || RESULTS_ONLY.has(kind)) return null;
    if (this.items.length >= MAX_ITEMS && !this.isAdded(kind, path)) return this.leave(kind, path);
    if (kind === "columns") return this.begin(data.columns, path);
    if (kind === "rows") return this.rows(data, path);
    if (kind === "finding") return this.finding(data, path);
    if (kind === "step") return this.step(data, path);
    this.add({ path, element: drawKind(data, this.nameOf(path)) });
    return kind === "table" ? plural(data.rows.length, "row") : kind;
  }

  /** Whether what comes is added to what is there. */
  isAdded(kind, path) {
    if (kind === "rows") return this.tableAt(path) !== undefined;
    const name = LISTS[kind];
    return name !== undefined && this.items.some((one) => one[name] !== undefined && isAt(one.path, path));
  }

  /** No more than this is drawn; what comes is counted. */
  leave(kind, path) {
    const before = kind === "columns" ? this.tableAt(path) : undefined;
    if (before !== undefined) close(before.table);
    if (kind !== "rows") this.left += 1;
    this.note ??= el("p", "hint quiet");
    this.note.textContent = `and ${number(this.left)} more`;
    this.list.append(this.note);
    return kind;
  }

  begin(columns, path) {
    const before = this.tableAt(path);
    if (before !== undefined) close(before.table);
    const table = growing(columns, this.nameOf(path), this.room);
    this.add({ path, table, element: table.element });
    return plural(columns.length, "column");
  }

  rows({ first, rows }, path) {
    if (this.tableAt(path) === undefined) {
      this.begin([], path); // what names its columns did not reach this page
      this.tableAt(path).isNameless = true;
    }
    const item = this.tableAt(path);
    item.table.rows.add(first, rows);
    this.changed.add(item);
    return plural(item.table.rows.total, "row");
  }

  finding(finding, path) {
    this.listAt("findings", path, FindingList).add(finding);
    return finding.title;
  }

  /** A step has ended: what it sent belongs to it. It says so itself, or the one that it is a step of. */
  step(step, path) {
    const above = aboveOf(path, step.id);
    const flow = this.listAt("flow", above, Flow);
    inPlace(() => flow.add(step, resultsOf(this, above)));
    return [step.status, step.reason, step.error?.message].filter((part) => typeof part === "string" && part !== "").join(": ");
  }

  /** The list of findings, or of steps, that what comes from there is added to. */
  listAt(name, path, List) {
    let item = this.items.findLast((one) => one[name] !== undefined && isAt(one.path, path));
    if (item === undefined) {
      const list = new List();
      item = { path, [name]: list, element: list.element };
      this.add(item);
    }
    return item[name];
  }

  /** The table that is filled by what comes from there. */
  tableAt(path) {
    return this.items.findLast(({ table, path: at }) => table !== undefined && !table.isOver && isAt(at, path));
  }

  add(item) {
    this.items.push(item);
    item.box = wrap("arrived", ...(item.path.length === 0 ? [] : [el("h4", "kicker", cut(item.path.join(" › "), MAX_PATH))]), item.element);
    this.list.append(item.box);
  }

  /** Draw what has arrived since. */
  draw() {
    for (const { table } of this.changed) table.update();
    this.changed.clear();
  }

  /** The run is over. */
  end() {
    this.draw();
    for (const { table } of this.items) if (table !== undefined && !table.isOver) close(table);
  }

  /** The table that was filled by what came from `path`, or below it, if it is the one that `value` has the begin of. */
  table(path, value) {
    const isIts = ({ table, isNameless }) => (isNameless || isOf(table, value)) && isBegunBy(table, value);
    const item = this.items.findLast((one) => one.table !== undefined && isBelow(one.path, path) && isIts(one));
    if (item === undefined) return null;
    const element = this.give(item);
    if (!isEnough(item.table, value)) return null; // its begin did not reach this page, and the result has more
    if (item.isNameless) item.table.rename(value.columns);
    const notice = value.notice ? `${OF_RESULT}${value.notice}` : null;
    close(item.table, { row_count: value.row_count, notice });
    return element;
  }

  findings(path) {
    return this.listBelow("findings", path);
  }

  flow(path) {
    return this.listBelow("flow", path);
  }

  listBelow(name, path) {
    const item = this.items.findLast((one) => one[name] !== undefined && isBelow(one.path, path));
    if (item === undefined) return null;
    this.give(item);
    return item[name];
  }

  has(path) {
    return this.items.some((one) => isBelow(one.path, path));
  }

  /** What was sent last from there, whatever it is. */
  any(path) {
    const item = this.items.findLast((one) => isBelow(one.path, path));
    if (item === undefined) return null;
    if (item.table !== undefined) close(item.table);
    return this.give(item);
  }

  give(item) {
    this.items.splice(this.items.indexOf(item), 1);
    item.box.remove();
    return item.element;
  }

  nameOf(path) {
    return [this.tool, ...path].join("-");
  }
}

/** Do what moves elements, and leave what was scrolled and who had the focus as they were. */
export function inPlace(act) {
  const held = document.activeElement;
  const scrolled = [...document.querySelectorAll(".scroll")].map((box) => [box, box.scrollTop, box.scrollLeft]);
  act();
  for (const [box, top, left] of scrolled) [box.scrollTop, box.scrollLeft] = [top, left];
  if (held !== document.activeElement && held?.isConnected) held.focus({ preventScroll: true });
}

/** Whether two paths lead to the same. */
const isAt = (path, other) => path.length === other.length && other.every((name, index) => path[index] === name);
/** Whether a path leads below a step, or below another attempt at it. */
const isBelow = (path, above) => above.every((name, index) => path[index] === name || baseOf(path[index]) === name);
