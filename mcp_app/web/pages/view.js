/** The run as it is seen: gauges, outcome, steps, log, raw stream. It is told what happened and draws it. */

import { BoundedList } from "./bounded.js";
import { blocksBeside, contents, release } from "./content.js";
import { cut, el } from "./element.js";
import { stringify } from "./exact.js";
import { Gauges } from "./gauges.js";
import { drawResult, gradeOf } from "./report.js";
import { errorBody, isMessage, logRow, messageRow, pathOf, rawRow, stepCard, stepOf, textOf } from "./steps.js";
import { number, plural, seconds, share } from "./words.js";

const DRAW_MS = 60; // one drawing for all that arrived meanwhile: a flood must not cost a layout per event
const TICK_MS = 250;
const SAY_MS = 2000; // a screen reader is told of steps at most this often
const KEPT = { steps: 200, messages: 200, log: 300, raw: 400 };
const ROWS = { steps: stepCard, messages: messageRow, log: logRow, raw: rawRow };
const PHASES = {
  starting: "Starting…",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  idle: "Not started",
};

const $ = (id) => document.getElementById(id);

export class RunView {
  constructor() {
    this.gauges = new Gauges();
    this.lists = {
      steps: new BoundedList($("steps"), $("steps-dropped"), KEPT.steps, "steps"),
      messages: new BoundedList($("messages"), $("messages-dropped"), KEPT.messages, "messages"),
      log: new BoundedList($("log"), $("log-dropped"), KEPT.log, "lines"),
      raw: new BoundedList($("raw"), $("raw-dropped"), KEPT.raw, "lines"),
    };
    this.drawTimer = null;
    this.tickTimer = null;
    this.outcome = null;
    this.over = false;
    this.tool = "";
    this.title = document.title;
  }

  /** A run of this tool begins. `back` is {at} where the page comes back to it: when it began, or null for not known. */
  begin(tool, schema = {}, back = null) {
    this.tool = tool;
    this.schema = schema;
    this.isBack = back !== null;
    this.streamed = new Set(); // the JSON of steps that stand on the page, so that a result need not repeat them
    this.stepCount = 0;
    this.saidAt = -Infinity;
    this.outcome = null;
    this.over = false;
    this.waiting = { steps: [], messages: [], log: [], raw: [] };
    release();
    for (const list of Object.values(this.lists)) list.clear();
    for (const id of ["outcome", "steps-section", "messages-section", "log-section", "empty"]) $(id).hidden = true;
    $("messages-section").open = false;
    $("live").hidden = false;
    this.gauges.begin(back?.at ? performance.now() - (Date.now() - back.at) : null);
    this.choose(tool);
    this.phase("starting");
    clearInterval(this.tickTimer);
    this.tickTimer = setInterval(() => this.gauges.tick(), TICK_MS);
  }

  /** Another tool is chosen in the form: what is shown is then of the one before. */
  choose(tool) {
    const isLast = this.tool !== "" && tool !== this.tool;
    $("run").classList.toggle("last", isLast && this.over);
    $("run-heading").textContent = this.tool === "" ? "Run" : `${isLast && this.over ? "Last run: " : ""}${this.tool}`;
    this.chosen = tool;
  }

  phase(name, grade = null) {
    $("run").dataset.phase = name;
    $("phase").textContent = grade === null ? PHASES[name] : `${PHASES[name]} · ${cut(grade.text, 12)}`;
    $("phase").dataset.tone = grade?.tone ?? "";
    document.title = name === "idle" ? this.title : `${PHASES[name]} · ${this.tool}`;
  }

  started(metadata) {
    this.gauges.started(metadata);
    this.phase("running");
    this.say(`${this.tool} is running.`);
  }

  progress(event) {
    this.stepCount += 1;
    const { progress, total } = event.metadata ?? {};
    const [done, all] = [progress, total].map((one) => (one === undefined || one === null ? NaN : Number(one)));
    if (!Number.isNaN(done)) this.gauges.bar(done, all);
    const path = pathOf(event);
    const step = { ...stepOf(event, this.stepCount), path, at: this.now() };
    if (this.streamed.size < KEPT.steps && !isMessage(step)) this.streamed.add(stringify(event.data));
    const isEmpty = event.data !== null && typeof event.data === "object" && Object.keys(event.data).length === 0;
    if (isEmpty && (path !== "" || !Number.isNaN(done))) return; // only the bar has moved
    const title = path === "" ? step.title : `${path} · ${step.title}`;
    this.gauges.newest(step.words === undefined ? title : `${title}: ${step.words}`);
    this.enqueue(isMessage(step) ? "messages" : "steps", step);
    const now = performance.now();
    if (now - this.saidAt < SAY_MS) return;
    this.saidAt = now;
    this.say(Number.isNaN(all) ? title : `${title}, ${share(done, all)}`);
  }

  logLine(event) {
    const { data } = event;
    const line = { level: String(data?.level ?? "info"), text: textOf(data?.message) };
    this.enqueue("log", { ...line, path: pathOf(event), at: this.now() });
  }

  rawEvent(id, data) {
    this.enqueue("raw", { id, data });
  }

  rawNote(text) {
    this.enqueue("raw", { note: text });
  }

  complete(event) {
    const { duration_ms: took, truncated, content } = event.metadata ?? {};
    const isContent = content === true && Array.isArray(event.data);
    const grade = isContent ? null : gradeOf(event.data);
    this.finish("done", "Result", event.data, grade);
    const beside = blocksBeside(event.metadata);
    const parts = beside.length > 0 ? [contents(beside)] : [];
    if (event.data !== null || parts.length === 0) {
      parts.push(isContent ? contents(event.data) : drawResult(event.data, this.schema, this.streamed));
    }
    $("outcome-body").replaceChildren(...parts);
    this.gauges.end(true, took);
    if (typeof took === "number") $("outcome-heading").append(el("span", "tag", seconds(took / 1000)));
    if (truncated) $("outcome-heading").append(el("span", "tag", "truncated"));
    this.say(`${this.tool} is done.`);
  }

  failed(error) {
    const isCancelled = error.code === "cancelled";
    this.finish(isCancelled ? "cancelled" : "failed", isCancelled ? "Cancelled" : "Error", error);
    $("outcome-body").replaceChildren(errorBody(error));
    $("gauges").hidden = this.gauges.startedAt === null; // refused: there never was anything to measure
    this.gauges.end(false);
    this.say(`${this.tool}: ${error.message}`);
  }

  /** There is no run to come back to: the page is as if nothing had been started, and says why. */
  forgotten(words) {
    this.over = true;
    clearInterval(this.tickTimer);
    this.phase("idle");
    $("live").hidden = true;
    $("empty").hidden = false;
    $("empty").replaceChildren(el("p", "", words));
    this.say(words);
  }

  finish(phase, heading, value, grade = null) {
    this.draw();
    this.outcome = value;
    this.over = true;
    clearInterval(this.tickTimer);
    this.phase(phase, grade);
    this.choose(this.chosen);
    $("outcome").hidden = false;
    $("outcome").dataset.phase = phase;
    $("outcome-heading").textContent = heading;
  }

  say(text) {
    $("announce").textContent = cut(text, 300);
  }

  /** The run's time now; null for a run that was come back to, whose past comes all at once. */
  now() {
    return this.isBack ? null : this.gauges.elapsed();
  }

  /** Keep what waits within what will be kept anyway: timers of a hidden page run rarely. */
  enqueue(name, item) {
    const waiting = this.waiting[name];
    waiting.push(item);
    if (waiting.length > 2 * KEPT[name]) {
      this.lists[name].total += waiting.length - KEPT[name];
      waiting.splice(0, waiting.length - KEPT[name]);
    }
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_MS);
  }

  draw() {
    clearTimeout(this.drawTimer);
    this.drawTimer = null;
    const arrived = this.waiting;
    this.waiting = { steps: [], messages: [], log: [], raw: [] };
    for (const [name, items] of Object.entries(arrived)) {
      if (items.length > 0 && name !== "raw") $(`${name}-section`).hidden = false;
      this.lists[name].add(items, ROWS[name]);
    }
    const { total } = this.lists.messages;
    $("messages-count").textContent = plural(total, "message");
    $("steps-count").textContent = number(this.lists.steps.total);
  }
}
