/**
 * Which steps a run has, which of them work, and since when: by the path of each event. Pure: no DOM, no clock.
 *
 * A step begins with its first event. It has ended when it says that all of its work is done, and works again when more is
 * heard of it; how it ended, its workflow's result knows, and else the end of the run.
 */

import { statusOf } from "./status.js";

const MAX_DEPTH = 12; // tools call each other 8 deep
const ATTEMPT = /#\d+$/;
const MAX_STEPS = 300; // that are kept; a workflow has 100, and a run calls 1,000 tools

export class StepTree {
  constructor() {
    this.root = node("", null);
    this.count = 0;
    this.left = false; // whether there are more than are kept
    this.changed = new Set();
  }

  /**
   * An event of the step at `path`, `at` seconds after the run's start (null: not known).
   *
   * @param said {words, done, total}, what it says of itself: the newest words, and how far it is
   */
  take(path, { words, done = NaN, total = NaN }, at) {
    let step = this.root;
    for (const name of path.slice(0, MAX_DEPTH)) {
      const below = belowOf(step, name) ?? this.begin(step, name, at);
      if (below === null) return;
      if (below.name !== name) below.attempt = name.slice(below.name.length + 1);
      step = below;
      if (step.state === "done") this.set(step, "running", null);
    }
    if (words !== undefined) step.words = words;
    if (!Number.isNaN(done)) [step.done, step.total] = [done, total];
    if (!Number.isNaN(done) && isFull(step)) this.set(step, "done", at);
    this.changed.add(step);
  }

  begin(above, name, at) {
    if (this.count >= MAX_STEPS) {
      this.left = true;
      return null;
    }
    this.count += 1;
    const made = node(name, above);
    made.began = at;
    above.steps.set(name, made);
    this.changed.add(made);
    return made;
  }

  /** What a workflow says of its steps, which are below `path`: {id, status, seconds, reason, error}. */
  settle(steps, path, at) {
    const above = path.reduce((step, name) => step && belowOf(step, name), this.root);
    if (above === undefined) return;
    for (const { id, status, seconds, reason, error } of steps) {
      const step = above.steps.get(id) ?? this.begin(above, id, null);
      if (step === null) return;
      this.set(step, statusOf(status) === null ? "over" : status, at);
      if (typeof seconds === "number" && seconds > 0) step.seconds = seconds; // none: it was skipped
      step.words = [reason, error?.message, error].find((words) => typeof words === "string" && words !== "") ?? step.words;
      for (const below of step.steps.values()) this.end(below, at);
    }
  }

  /** The run is over. What still worked then has ended, and nobody said how, unless it had done all of its work. */
  end(step, at) {
    if (step.state === "running" && step !== this.root) this.set(step, isFull(step) ? "done" : "over", at);
    for (const below of step.steps.values()) this.end(below, at);
  }

  set(step, state, at) {
    step.state = state;
    step.ended = at;
    this.changed.add(step);
  }
}

/** The step that a name is of: `fetch#2` is the second attempt at `fetch`. */
export function baseOf(name = "") {
  return name.replace(ATTEMPT, "");
}

/** The steps above the one of this id that has ended: the last of `path` may be that one itself. */
export function aboveOf(path, id) {
  return baseOf(path.at(-1)) === id ? path.slice(0, -1) : path;
}

/** How long a step has worked, in seconds; null where that is not known. */
export function workedFor({ began, ended, seconds, state }, now) {
  if (seconds !== null) return seconds;
  const until = state === "running" ? now : ended;
  return began === null || until === null ? null : until - began;
}

/** The step of this name below another, or the one that it is an attempt at. */
const belowOf = (step, name) => step.steps.get(name) ?? step.steps.get(baseOf(name));
const isFull = ({ done, total }) => total > 0 && done >= total;

function node(name, above) {
  return { name, above, steps: new Map(), state: "running", began: null, ended: null, seconds: null, attempt: "", words: "", done: NaN, total: NaN };
}
