/**
 * Follows one run by EventSource until its last event: open, reconnect, be pulled, close. No DOM and no rendering.
 *
 * EventSource reconnects by itself, with Last-Event-ID, when the server or the network drops it (WHATWG HTML 9.2.3).
 * A script can not make it do so: after close() only a new EventSource helps, and that sends no Last-Event-ID. The
 * same URL then gets the run from its start, and the ledger recognises what was there before.
 */

import { parse } from "./exact.js";
import { Ledger } from "./ledger.js";
import { Problem, readProblem } from "./api.js";
import { followLate } from "./late.js";

const TERMINAL = new Set(["complete", "error"]);
// A refusal that is gone when looked at again (a server that was draining, say) is worth another try, but a server
// that keeps answering both ways must not be asked for ever.
const FRESH_TRIES = 3;
const RETRY_MS = 1500;

export class Follower {
  /**
   * @param url  of the event stream, the same for each attempt
   * @param runs the path of the runs, at which one is asked for by its id
   * @param on  {event(message), raw(id, data), connection(state), end(problem | null)}; message is null when only
   *            the ledger has changed
   *            connection states: connecting, open, late, retrying, pulled, closed; `failures` counts the attempts since
   *            the last that was answered
   */
  constructor(url, runs, on) {
    this.url = url;
    this.runs = runs;
    this.abort = new AbortController();
    this.on = on;
    this.ledger = new Ledger();
    this.lastEventId = "";
    this.reconnects = 0;
    this.source = null;
    this.timer = null;
    this.done = false;
    this.freshTries = 0;
    this.wasOpen = false;
    this.failures = 0;
    this.isLate = false;
  }

  open() {
    if (this.done) return;
    this.timer = null;
    const source = new EventSource(this.url);
    this.source = source;
    this.on.connection("connecting");
    source.onopen = () => this.source === source && this.opened();
    source.onmessage = (event) => this.source === source && this.message(event);
    source.onerror = () => this.source === source && this.failed(source);
  }

  /** Drop the connection as a cut cable would, and come back after `pauseMs`. */
  pull(pauseMs) {
    if (this.done || this.source === null) return;
    this.drop();
    this.on.connection("pulled");
    this.timer = setTimeout(() => this.open(), pauseMs);
  }

  close() {
    if (this.done) return;
    this.done = true;
    this.abort.abort();
    this.drop();
    this.on.connection("closed");
  }

  drop() {
    clearTimeout(this.timer);
    if (this.source !== null) this.source.close();
    this.source = null;
  }

  opened() {
    this.failures = 0;
    if (this.wasOpen) this.reconnects += 1;
    this.wasOpen = true;
    this.on.connection("open");
  }

  message(event) {
    let message;
    try {
      message = parse(event.data);
    } catch (error) {
      this.on.raw(event.lastEventId, event.data);
      this.finish({ code: "not_json", message: `The server sent an event that is not JSON: ${error.message}` });
      return;
    }
    const type = message === null ? undefined : message.type;
    // A heartbeat is not an entry of the log and has no id: lastEventId then repeats the event before it.
    this.on.raw(type === "heartbeat" ? "" : event.lastEventId, event.data);
    if (type === "heartbeat") {
      this.on.event(message);
      return;
    }
    if (type === "error" && message.error?.code === "purged") {
      this.late(event.lastEventId);
      return;
    }
    const verdict = this.ledger.take(event.lastEventId);
    if (verdict === "other") {
      this.finish({
        code: "another_run",
        message: "The server no longer had this run and started a new one.",
        hint: "It may have been restarted. Nothing of the first run can be resumed.",
      });
      return;
    }
    this.lastEventId = event.lastEventId;
    this.freshTries = 0;
    if (verdict === "replayed" && !TERMINAL.has(type)) {
      this.on.event(null); // only the numbers have changed
      return;
    }
    this.on.event(message);
    if (TERMINAL.has(type)) this.finish(null);
  }

  /** What was sent before is no longer kept: go on from where the run is now. */
  async late(lastEventId) {
    if (this.isLate) return; // once more: it is asked again where the run is
    this.isLate = true;
    this.drop();
    const id = lastEventId.slice(0, lastEventId.lastIndexOf("/"));
    this.ledger.run = id;
    this.on.connection("late");
    const take = (data, eventId) => {
      if (!this.done) this.message({ data, lastEventId: eventId });
      return !this.done;
    };
    try {
      await followLate(this.url, this.runs, id, this.abort.signal, take);
      this.finish({ code: "unreachable", message: "The run can not be followed any more.", hint: "Try again later." });
    } catch (error) {
      if (!this.done) this.finish(error instanceof Problem ? error.object : { code: "page_error", message: `The page failed: ${error.message}` });
    }
  }

  failed(source) {
    this.failures += 1;
    if (source.readyState === EventSource.CONNECTING) {
      this.on.connection("retrying");
      return;
    }
    // Closed for good: EventSource does not say why, so the same request is made once more to read the answer.
    this.drop();
    this.diagnose();
  }

  async diagnose() {
    if (this.wasOpen) this.on.connection("retrying");
    const problem = await readProblem(this.url, this.lastEventId);
    if (this.done) return;
    if (problem?.code === "purged" && this.lastEventId !== "") {
      this.late(this.lastEventId);
    } else if (problem !== null) {
      this.finish(problem);
    } else if (this.freshTries < FRESH_TRIES) {
      this.freshTries += 1;
      this.timer = setTimeout(() => this.open(), RETRY_MS);
    } else {
      this.finish({ code: "unreachable", message: "The stream can not be kept open.", hint: "Try again later." });
    }
  }

  finish(problem) {
    if (this.done) return;
    this.close();
    this.on.end(problem);
  }
}
