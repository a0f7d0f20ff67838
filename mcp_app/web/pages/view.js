/** The run as it is seen: bars, facts, steps, log, raw stream, outcome. It is told what happened and draws it. */

import { BoundedList } from "./bounded.js";
import { cut, el, folded, leadOf, render, table } from "./value.js";

const DRAW_MS = 60; // one drawing for all that arrived meanwhile: a flood must not cost a layout per event
const TICK_MS = 250;
const SAY_MS = 2000; // a screen reader is told of steps at most this often
const KEPT = { steps: 200, log: 300, raw: 400 };
const RAW_TEXT = 2000; // characters of one raw event that are shown
const PHASES = {
  starting: "Starting…",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  idle: "Not started",
};
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

const $ = (id) => document.getElementById(id);

export class RunView {
  constructor() {
    this.steps = new BoundedList($("steps"), $("steps-dropped"), KEPT.steps, "steps");
    this.log = new BoundedList($("log"), $("log-dropped"), KEPT.log, "lines");
    this.raw = new BoundedList($("raw"), $("raw-dropped"), KEPT.raw, "lines");
    this.waiting = { steps: [], log: [], raw: [] };
    this.drawTimer = null;
    this.tickTimer = null;
    this.outcome = null;
    this.over = false;
  }

  begin(tool) {
    this.tool = tool;
    this.startedAt = null;
    this.cap = null;
    this.beats = 0;
    this.beatAt = null;
    this.beatSeconds = null;
    this.stepCount = 0;
    this.saidAt = -Infinity;
    this.outcome = null;
    this.over = false;
    for (const name of Object.keys(this.waiting)) {
      this.waiting[name] = [];
      this[name].clear();
    }
    $("gauges").hidden = false;
    for (const id of ["outcome", "steps-section", "log-section", "resume-note", "empty"]) $(id).hidden = true;
    $("live").hidden = false;
    $("run-heading").textContent = tool;
    $("progress").removeAttribute("value");
    $("progress-text").textContent = "";
    $("progress-label").textContent = "Progress";
    this.count({ seen: 0, replayed: 0, missing: 0 });
    this.connection("", "");
    this.phase("starting");
    clearInterval(this.tickTimer);
    this.tickTimer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  phase(name) {
    $("run").dataset.phase = name;
    $("phase").textContent = PHASES[name];
    document.title = name === "idle" ? "mcp-app" : `${PHASES[name]} · ${this.tool}`;
  }

  started(metadata) {
    this.startedAt = performance.now();
    this.cap = metadata.cap_seconds ?? null;
    this.beatSeconds = metadata.heartbeat_seconds ?? null;
    this.phase("running");
    this.say(`${this.tool} is running.`);
    this.tick();
  }

  progress(event) {
    this.stepCount += 1;
    const { progress, total } = event.metadata ?? {};
    if (typeof progress === "number") this.bar(progress, total);
    const step = { n: this.stepCount, ...stepOf(event.data, this.stepCount), at: this.elapsed() };
    this.enqueue("steps", step);
    const now = performance.now();
    if (now - this.saidAt < SAY_MS) return;
    this.saidAt = now;
    this.say(typeof total === "number" ? `${step.title}, ${progress} of ${total}` : step.title);
  }

  bar(progress, total) {
    const known = typeof total === "number" && total > 0;
    $("progress-text").textContent = known ? `${progress} of ${total}` : String(progress);
    if (known) $("progress").value = Math.min(1, Math.max(0, progress / total));
  }

  logLine(data) {
    this.enqueue("log", { level: String(data?.level ?? "info"), text: textOf(data?.message), at: this.elapsed() });
  }

  heartbeat() {
    this.beats += 1;
    this.beatAt = performance.now();
    const keys = STILL.matches ? [{ opacity: 0.3 }, { opacity: 1 }] : [{ transform: "scale(1.9)" }, { transform: "scale(1)" }];
    $("beat").animate(keys, { duration: 500, easing: "ease-out" });
    this.tick();
  }

  rawEvent(id, data) {
    this.enqueue("raw", { id, data });
  }

  rawNote(text) {
    this.enqueue("raw", { note: text });
  }

  connection(text, state) {
    $("connection").textContent = text;
    $("connection").dataset.state = state;
  }

  count(ledger) {
    const replayed = ledger.replayed > 0 ? ` (+${ledger.replayed} replayed)` : "";
    $("events").textContent = `${ledger.seen.toLocaleString("en")}${replayed}`;
    $("lost").textContent = String(ledger.missing);
    $("lost").dataset.state = ledger.missing > 0 ? "bad" : "good";
  }

  note(text) {
    $("resume-note").textContent = text;
    $("resume-note").hidden = text === "";
  }

  complete(event) {
    this.finish("done", "Result", event.data);
    const { value } = $("progress");
    if (!$("progress").hasAttribute("value") || value < 1) $("progress").value = 1;
    const { duration_ms: took, truncated } = event.metadata ?? {};
    if (typeof took === "number") $("outcome-heading").append(el("span", "tag", seconds(took / 1000)));
    if (truncated) $("outcome-heading").append(el("span", "tag", "truncated"));
  }

  failed(error) {
    const cancelled = error.code === "cancelled";
    this.finish(cancelled ? "cancelled" : "failed", cancelled ? "Cancelled" : "Error", error);
    $("gauges").hidden = this.startedAt === null; // refused: there never was anything to measure
    if (!$("progress").hasAttribute("value")) $("progress").value = 0;
  }

  finish(phase, heading, value) {
    this.draw();
    this.outcome = value;
    this.over = true;
    clearInterval(this.tickTimer);
    this.tick();
    this.phase(phase);
    $("outcome").hidden = false;
    $("outcome").dataset.phase = phase;
    $("outcome-heading").textContent = heading;
    $("outcome-body").replaceChildren(phase === "done" ? render(value) : errorBody(value));
    this.say(phase === "done" ? `${this.tool} is done.` : `${this.tool}: ${value.message}`);
  }

  say(text) {
    $("announce").textContent = cut(text, 300);
  }

  elapsed() {
    return this.startedAt === null ? 0 : (performance.now() - this.startedAt) / 1000;
  }

  tick() {
    const used = this.elapsed();
    $("time-text").textContent = this.cap === null ? seconds(used) : `${seconds(used)} of ${seconds(this.cap)}`;
    $("time").value = this.cap === null ? 0 : Math.min(1, used / this.cap);
    const every = this.beatSeconds === null ? "" : ` (every ${seconds(this.beatSeconds)})`;
    const ago = this.beatAt === null ? "" : `, last ${Math.floor((performance.now() - this.beatAt) / 1000)} s ago`;
    $("heartbeats").textContent = `${this.beats}${!this.over ? ago || every : ""}`;
  }

  /** Keep what waits within what will be kept anyway: timers of a hidden page run rarely. */
  enqueue(name, item) {
    const waiting = this.waiting[name];
    waiting.push(item);
    if (waiting.length > 2 * KEPT[name]) {
      this[name].total += waiting.length - KEPT[name];
      waiting.splice(0, waiting.length - KEPT[name]);
    }
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_MS);
  }

  draw() {
    clearTimeout(this.drawTimer);
    this.drawTimer = null;
    const { steps, log, raw } = this.waiting;
    this.waiting = { steps: [], log: [], raw: [] };
    if (steps.length > 0) $("steps-section").hidden = false;
    if (log.length > 0) $("log-section").hidden = false;
    this.steps.add(steps, stepCard);
    this.log.add(log, logRow);
    this.raw.add(raw, rawRow);
  }
}

export function seconds(value) {
  return `${value < 100 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} s`;
}

function textOf(value) {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

/** A step's heading, what it says of itself in a word and in words, and the rest of it. */
function stepOf(data, n) {
  if (data === null || typeof data !== "object" || Array.isArray(data)) {
    return typeof data === "string" ? { title: cut(data, 300), rest: [] } : { title: `Step ${n}`, rest: [["value", data]] };
  }
  const key = leadOf(data, ["step", "title", "name", "message", "summary"]);
  const words = leadOf(data, ["summary", "message"].filter((name) => name !== key));
  const state = typeof data.status === "string" && data.status.length <= 20 ? "status" : undefined;
  const rest = Object.entries(data).filter(([name]) => ![key, words, state].includes(name));
  return { title: key === undefined ? `Step ${n}` : cut(data[key], 300), words: data[words], state: data[state], rest };
}

function stepCard({ title, words, state, rest, at }) {
  const card = el("li", "step");
  const head = el("div", "row");
  const heading = el("h4", "", title);
  if (state !== undefined) heading.append(" ", el("span", "tag", state));
  head.append(heading, el("span", "number quiet", seconds(at)));
  card.append(head);
  if (words !== undefined) card.append(el("p", "text", cut(words, 2000)));
  if (rest.length > 0) card.append(words === undefined ? table(rest) : folded("Details", () => table(rest)));
  return card;
}

function logRow({ level, text, at }) {
  const row = el("li");
  row.dataset.level = level;
  row.append(el("span", "number quiet", seconds(at)), el("span", "level", cut(level, 20)), el("span", "text", cut(text, 2000)));
  return row;
}

function rawRow({ id, data, note }) {
  if (note !== undefined) return el("li", "note", note);
  const row = el("li");
  if (id !== "") row.append(el("span", "quiet", `id: ${id}`));
  row.append(el("span", "", `data: ${cut(data, RAW_TEXT)}`));
  return row;
}

function errorBody(error) {
  const box = el("div", "error");
  box.append(el("p", "message", cut(textOf(error.message), 2000)));
  if (error.hint) box.append(el("p", "hint", cut(textOf(error.hint), 2000)));
  box.append(el("code", "code-tag", cut(String(error.code ?? "error"), 100)));
  const fields = Array.isArray(error.details) ? error.details : [];
  if (fields.length > 0) box.append(table(fields.map((one) => [String(one?.field), one?.problem])));
  const rest = Object.entries(error).filter(([key]) => !["message", "hint", "code", "details"].includes(key));
  if (rest.length > 0) box.append(table(rest));
  return box;
}
