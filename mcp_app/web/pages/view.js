/** The run as it is seen: gauges, outcome, steps, log, raw stream. It is told what happened and draws it. */

import { Arrivals, inPlace } from "./arrivals.js";
import { BoundedList } from "./bounded.js";
import { blocksBeside, contents } from "./content.js";
import { release } from "./download.js";
import { cut, el, folded } from "./element.js";
import { stringify } from "./exact.js";
import { Gauges } from "./gauges.js";
import { drawKind } from "./kinds.js";
import { drawResult, gradeOf } from "./report.js";
import { shapeOf } from "./shapes.js";
import { errorBody, isMessage, logRow, messageRow, pathOf, placeOf, rawRow, stepCard, stepOf, textOf } from "./steps.js";
import { aboveOf } from "./steptree.js";
import { TreeView } from "./treeview.js";
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
    this.arrivals = new Arrivals($("arrived"));
    this.tree = new TreeView();
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
    this.arrivals.clear(tool);
    this.tree.begin();
    for (const id of ["outcome", "arrived-section", "steps-section", "messages-section", "log-section", "empty"]) $(id).hidden = true;
    $("messages-section").open = false;
    $("live").hidden = false;
    this.gauges.begin(back?.at ? performance.now() - (Date.now() - back.at) : null);
    this.choose(tool);
    this.phase("starting");
    clearInterval(this.tickTimer);
    this.tickTimer = setInterval(() => this.tick(), TICK_MS);
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
    const arrived = event.metadata?.content === true ? null : this.arrivals.take(event.data, path);
    const said = arrived === null ? this.step(event, path, done) : { words: arrived };
    this.soon();
    this.atWork(event, path, said.words, arrived !== null);
    if (said.words === undefined) return; // only the bar has moved
    const words = [placeOf(path), said.words].filter((part) => part !== "").join(" · ");
    this.gauges.newest(words);
    const now = performance.now();
    if (now - this.saidAt < SAY_MS) return;
    this.saidAt = now;
    this.say(Number.isNaN(all) ? words : `${words}, ${share(done, all)}`);
  }

  /** Which step of the tree an event is of, or which it says has ended. */
  atWork({ data, metadata }, path, words, isDrawn) {
    if (isDrawn && data.kind === "step") {
      this.tree.settle([data], aboveOf(path, data.id), this.now());
    } else if (path.length > 0) {
      this.tree.take(path, words, metadata?.step, this.now(), isDrawn);
    }
  }

  /** What is of no kind is a card or a line. Returns what it says in words, if it says anything. */
  step(event, path, done) {
    const step = { ...stepOf(event, this.stepCount), path: placeOf(path), at: this.now() };
    if (this.streamed.size < KEPT.steps && !isMessage(step)) this.streamed.add(stringify(event.data));
    const isEmpty = event.data !== null && typeof event.data === "object" && Object.keys(event.data).length === 0;
    if (isEmpty && (path.length > 0 || !Number.isNaN(done))) return {};
    this.enqueue(isMessage(step) ? "messages" : "steps", step);
    return { words: step.words === undefined ? step.title : `${step.title}: ${step.words}` };
  }

  logLine(event) {
    const { data } = event;
    const path = pathOf(event);
    const line = { level: String(data?.level ?? "info"), text: textOf(data?.message) };
    if (path.length > 0) this.tree.take(path, undefined, {}, this.now());
    this.enqueue("log", { ...line, path: placeOf(path), at: this.now() });
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
    inPlace(() => $("outcome-body").replaceChildren(...this.parts(event.data, isContent, blocksBeside(event.metadata))));
    this.ended("Sent as well");
    this.gauges.end(true, took);
    if (typeof took === "number") $("outcome-heading").append(el("span", "tag", seconds(took / 1000)));
    if (truncated) $("outcome-heading").append(el("span", "tag", "truncated"));
    this.say(`${this.tool} is done.`);
  }

  /** The result, and what is beside it: above data that is of no kind, below what says it all. */
  parts(data, isContent, beside) {
    if (beside.length === 0) return [isContent ? contents(data) : this.result(data)];
    if (data === null) return [contents(beside)];
    if (isContent || shapeOf(data) === null) return [contents(beside), isContent ? contents(data) : this.result(data)];
    const isWords = beside.every(({ type }) => type === "text");
    return [this.result(data), isWords ? folded("The same in words", () => contents(beside)) : contents(beside)];
  }

  /** A result by its kind, with what stands on the page of it; else by its members. */
  result(value) {
    if (shapeOf(value) === "workflow") this.tree.settle(value.steps, [], this.now());
    const draw = (part) => drawKind(part, this.tool, this.arrivals);
    return draw(value) ?? drawResult(value, this.schema, this.streamed, draw);
  }

  failed(error) {
    const isCancelled = error.code === "cancelled";
    this.finish(isCancelled ? "cancelled" : "failed", isCancelled ? "Cancelled" : "Error", error);
    $("outcome-body").replaceChildren(errorBody(error));
    this.ended("What had arrived");
    $("gauges").hidden = this.gauges.startedAt === null; // refused: there never was anything to measure
    this.gauges.end(false);
    this.say(`${this.tool}: ${error.message}`);
  }

  /** Nothing more arrives: what belongs to no result stays below it, and says what it is. */
  ended(heading) {
    this.arrivals.end();
    this.tree.end(this.now());
    this.tree.draw(this.now());
    $("arrived-heading").textContent = heading;
    $("arrived-section").hidden = this.arrivals.isEmpty;
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
    this.soon();
  }

  soon() {
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_MS);
  }

  tick() {
    this.gauges.tick();
    this.tree.tick(this.now());
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
    this.arrivals.draw();
    this.tree.draw(this.now());
    $("arrived-heading").textContent = "So far";
    $("arrived-section").hidden = this.arrivals.isEmpty;
  }
}
