/** How far a run is and how its connection does: the two bars, the newest word, and the facts behind "Connection". */

import { cut } from "./element.js";
import { number, seconds, share } from "./words.js";

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
// Before that much of time and work is done, a guess at what is left is a guess at nothing.
const GUESS_AFTER_S = 3;
const GUESS_AFTER_SHARE = 0.05;

const $ = (id) => document.getElementById(id);

export class Gauges {
  /** `startedAt` is on performance.now()'s clock; null for not yet, or not known. */
  begin(startedAt) {
    this.startedAt = startedAt;
    this.isKnown = startedAt !== null;
    this.cap = null;
    this.beats = 0;
    this.beatAt = null;
    this.beatSeconds = null;
    this.part = 0;
    this.over = false;
    $("gauges").hidden = false;
    $("progress").removeAttribute("value");
    for (const id of ["progress-text", "left", "newest"]) $(id).textContent = "";
    this.count({ seen: 0, replayed: 0, missing: 0 });
    this.connection("", "");
    this.note("");
    if (this.openedItself) $("wire").open = false;
    this.openedItself = false;
    this.tick();
  }

  started({ cap_seconds: cap = null, heartbeat_seconds: beat = null }) {
    this.startedAt ??= performance.now();
    this.cap = cap;
    this.beatSeconds = beat;
    this.tick();
  }

  bar(done, total) {
    this.part = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
    $("progress-text").textContent = share(done, total);
    if (total > 0) $("progress").value = this.part;
    this.tick();
  }

  /** The newest of what the tool said, which is in sight however long the list of it is. */
  newest(text) {
    $("newest").textContent = cut(text, 300);
  }

  heartbeat() {
    this.beats += 1;
    this.beatAt = performance.now();
    const keys = STILL.matches ? [{ opacity: 0.3 }, { opacity: 1 }] : [{ transform: "scale(1.9)" }, { transform: "scale(1)" }];
    $("beat").animate(keys, { duration: 500, easing: "ease-out" });
    this.tick();
  }

  connection(text, state) {
    for (const id of ["connection", "wire-state"]) {
      $(id).textContent = text;
      $(id).dataset.state = state;
    }
    if (state !== "retrying" || $("wire").open || text === "connecting…") return;
    $("wire").open = true; // something is wrong, which is what these facts are there for
    this.openedItself = true;
  }

  count(ledger) {
    const replayed = ledger.replayed > 0 ? ` (+${number(ledger.replayed)} replayed)` : "";
    $("events").textContent = `${ledger.seen.toLocaleString("en")}${replayed}`;
    $("lost").textContent = String(ledger.missing);
    $("lost").dataset.state = ledger.missing > 0 ? "bad" : "good";
  }

  note(text) {
    $("resume-note").textContent = text;
    $("resume-note").hidden = text === "";
  }

  /** The run is over: with all of its work done, or with none that could be measured. `took` is its own time in ms, if it
   * is known: what this page has waited for may be the time since a reload. */
  end(isDone, took) {
    this.over = true;
    this.took = typeof took === "number" ? took / 1000 : null;
    if (isDone && this.part > 0 && this.part < 1) this.bar(1, 1); // the result was the rest of it
    if (isDone) $("progress").value = 1;
    else if (!$("progress").hasAttribute("value")) $("progress").value = 0;
    $("newest").textContent = "";
    this.tick();
  }

  elapsed() {
    return this.startedAt === null ? 0 : (performance.now() - this.startedAt) / 1000;
  }

  tick() {
    if (this.over && this.ticked === "over") return;
    this.ticked = this.over ? "over" : "";
    const used = (this.over ? this.took : null) ?? this.elapsed();
    $("time-text").textContent = this.cap === null ? seconds(used) : `${seconds(used)} of ${seconds(this.cap)}`;
    $("time").value = this.cap === null ? 0 : Math.min(1, used / this.cap);
    const isGuessed = !this.over && used > GUESS_AFTER_S && this.part > GUESS_AFTER_SHARE && this.part < 1;
    $("left").textContent = isGuessed ? ` · about ${seconds(Math.ceil((used * (1 - this.part)) / this.part))} left` : "";
    const every = this.beatSeconds === null ? "" : ` (every ${seconds(this.beatSeconds)})`;
    const ago = this.beatAt === null ? "" : `, last ${Math.floor((performance.now() - this.beatAt) / 1000)} s ago`;
    $("heartbeats").textContent = `${this.beats}${!this.over ? ago || every : ""}`;
  }
}
