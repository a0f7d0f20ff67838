/** The steps of a run as a tree, each with a sign, its newest words, how far it is and a clock. */

import { isAtEnd } from "./bounded.js";
import { cut, el } from "./element.js";
import { statusOf } from "./status.js";
import { StepTree, workedFor } from "./steptree.js";
import { number, plural, seconds, share } from "./words.js";

const MAX_NAME = 80;
const MAX_WORDS = 200;
// What has no status of its own: a step at work, and one that ended without a word about how.
const STATES = {
  running: { tone: "live", sign: "●", word: "running" },
  over: { tone: "quiet", sign: "·", word: "over" },
};

const $ = (id) => document.getElementById(id);

export class TreeView {
  constructor() {
    this.begin();
  }

  begin() {
    this.tree = new StepTree();
    this.isNews = false; // a lone step that only sends what stands on the page is no tree
    this.rows = new Map(); // of each step: its elements
    $("tree").replaceChildren();
    $("tree-section").hidden = true;
  }

  /** An event by `path`, in `words`, with what it says of its step as {progress, total}. */
  take(path, words, { progress, total } = {}, at = null, isDrawn = false) {
    this.isNews ||= !isDrawn;
    const [done, all] = [progress, total].map((one) => (one === undefined || one === null ? NaN : Number(one)));
    this.tree.take(path, { words, done, total: all }, at);
  }

  /** What is known of steps that have ended; they are below `path`. */
  settle(steps, path, at) {
    this.isNews = true;
    this.tree.settle(steps, path, at);
  }

  end(at) {
    this.tree.end(this.tree.root, at);
  }

  draw(now) {
    const { tree } = this;
    if (tree.changed.size === 0) return;
    const list = $("tree");
    const goesOn = isAtEnd(list); // then what begins comes into sight
    for (const step of tree.changed) if (step !== tree.root) this.show(step, now);
    if (goesOn) list.scrollTop = list.scrollHeight;
    tree.changed.clear();
    $("tree-section").hidden = tree.count < 2 && !this.isNews;
    const steps = [...this.rows.keys()];
    const running = steps.filter(({ state }) => state === "running").length;
    const counts = [running > 0 ? `${number(running)} running` : "", plural(tree.count, "step"), tree.left ? "and more, which are not shown" : ""];
    $("tree-count").textContent = counts.filter((count) => count !== "").join(" · ");
  }

  /** Only the clocks. */
  tick(now) {
    for (const [step, row] of this.rows) if (step.state === "running") row.clock.textContent = clockOf(step, now);
  }

  show(step, now) {
    const row = this.rows.get(step) ?? this.rowOf(step);
    const { tone, sign, word } = STATES[step.state] ?? statusOf(step.state);
    row.item.dataset.tone = tone;
    row.sign.textContent = sign;
    row.state.textContent = word;
    row.words.textContent = cut([step.attempt === "" ? "" : `attempt ${step.attempt}`, step.words].filter((part) => part !== "").join(" · "), MAX_WORDS);
    row.clock.textContent = clockOf(step, now);
    const isMeasured = step.state === "running" && step.total > 0;
    row.bar.hidden = !isMeasured;
    if (isMeasured) {
      row.bar.value = Math.min(1, Math.max(0, step.done / step.total));
      row.bar.title = share(step.done, step.total);
    }
  }

  rowOf(step) {
    const above = step.above === this.tree.root ? $("tree") : this.listBelow(step.above);
    const item = el("li");
    const [line, sign, state] = [el("div", "node"), el("span", "sign"), el("span", "unseen")];
    const [name, words, clock, bar] = [el("span", "node-name", cut(step.name, MAX_NAME)), el("span", "node-words"), el("span", "number quiet"), el("progress")];
    sign.setAttribute("aria-hidden", "true");
    bar.max = 1;
    bar.hidden = true;
    bar.setAttribute("aria-label", `Progress of ${cut(step.name, MAX_NAME)}`);
    name.append(" ", state);
    line.append(sign, name, words, clock, bar);
    item.append(line);
    above.append(item);
    const row = { item, sign, state, words, clock, bar, list: null };
    this.rows.set(step, row);
    return row;
  }

  /** The list of the steps below a step. */
  listBelow(step) {
    const row = this.rows.get(step) ?? this.rowOf(step);
    if (row.list === null) {
      row.list = el("ol", "branch");
      row.item.append(row.list);
    }
    return row.list;
  }
}

function clockOf(step, now) {
  const worked = workedFor(step, now);
  return worked === null ? "" : seconds(Math.max(0, worked));
}
