/** One run at a time: started, come back to, followed, cancelled, given up. It tells the view, and draws nothing. */

import { cancelRun, eventsUrl, keyUrl, newKey, postRun, Problem, SIGNED_OUT, startUrl } from "./api.js";
import { Follower } from "./follower.js";

const PULL_MS = 2000; // long enough to be seen, far shorter than a run waits for its reader
const TRIED = 2; // attempts without an answer, after which a person is told, and may give up
// What an answer says of a run that the page wanted to come back to, and that is not there any more.
const GONE = new Set(["unknown_run", "nothing_left", "not_found"]);

export class Running {
  /**
   * @param on {began(run), changed(), ended(state), refused(details), signedOut(problem, isThere)}: `run` is {run: id}
   *           or {key}, by which it is come back to; `refused` returns the details that belong to no field; `signedOut`
   *           is called when the server wants to know anew who calls, with whether there is a run to come back to
   */
  constructor(view, paths, on) {
    this.view = view;
    this.paths = paths;
    this.on = on;
    this.follower = null;
    this.isOn = false;
    this.isBack = false;
    this.isCancelling = false;
    this.isUncancellable = false;
    this.attempt = 0;
  }

  get canPull() {
    return this.isOn && this.follower?.source?.readyState === EventSource.OPEN && this.follower.ledger.run !== null;
  }

  /** Whether stopping can only mean that this page stops following. */
  get isGivingUp() {
    return this.isUncancellable || (this.follower?.failures ?? 0) >= TRIED;
  }

  async start(tool, params, limits, plain) {
    const attempt = this.begin(tool, null);
    try {
      const key = newKey();
      const url = tool.read_only === true ? startUrl(this.paths.events, tool.name, params, limits, plain, key) : null;
      if (url !== null) {
        this.on.began({ key });
        this.follow(url);
        return;
      }
      const id = await postRun(this.paths.runs, tool.name, params, limits);
      if (attempt !== this.attempt || !this.isOn) {
        await cancelRun(this.paths.runs, id); // given up while it was being started: nobody waits for it
        return;
      }
      this.on.began({ run: id });
      this.follow(eventsUrl(this.paths.runs, id, limits));
    } catch (error) {
      if (attempt === this.attempt) this.end(problemObject(error));
    }
  }

  /** Come back to a run; `at` is when it was started, in milliseconds since 1970, or null. */
  comeBack(tool, run, at) {
    this.begin(tool, { at });
    this.follow(run.key === undefined ? eventsUrl(this.paths.runs, run.run, {}) : keyUrl(this.paths.events, run.key));
  }

  begin(tool, back) {
    this.follower?.close();
    this.follower = null;
    this.attempt += 1;
    this.isOn = true;
    this.isBack = back !== null;
    this.isCancelling = false;
    this.isUncancellable = false;
    this.view.begin(tool.name, tool.output_schema, back);
    this.on.changed();
    return this.attempt;
  }

  follow(url) {
    const raw = (id, data) => this.view.rawEvent(id, data);
    const follower = new Follower(url, this.paths.runs, {
      event: (message) => this.event(message),
      connection: (state) => this.connection(state),
      end: (problem) => this.end(problem),
      raw,
    });
    this.follower = follower;
    follower.open();
  }

  event(message) {
    const { view } = this;
    view.gauges.count(this.follower.ledger);
    if (message === null) return;
    if (message.type === "started") view.started(message.metadata ?? {});
    else if (message.type === "progress") view.progress(message);
    else if (message.type === "log") view.logLine(message);
    else if (message.type === "restarted") view.logLine({ data: { level: "warning", message: "Its process is gone: it begins again." } });
    else if (message.type === "heartbeat") view.gauges.heartbeat();
    else if (message.type === "complete") view.complete(message);
    else if (message.type === "error") this.end(message.error ?? { code: "error", message: "The server gave no reason." });
    if (message.type === "started") this.on.changed();
  }

  connection(state) {
    const { gauges } = this.view;
    const { ledger, reconnects, failures } = this.follower;
    if (state === "connecting") {
      gauges.connection("connecting…", "retrying");
    } else if (state === "open") {
      gauges.connection("open", "open");
      this.view.rawNote(reconnects > 0 ? "connected again" : "connected");
      gauges.note(reconnects > 0 ? `Connected again, after event ${ledger.last}.` : "");
    } else if (state === "late") {
      gauges.connection("open", "open");
      gauges.note("What it sent before is no longer kept by the server: only what follows is shown, and its result.");
      this.view.rawNote("what was sent before is no longer kept");
      this.view.started({});
    } else if (state === "retrying") {
      gauges.connection("reconnecting…", "retrying");
      this.view.rawNote(`connection lost after event ${ledger.last}`);
      if (failures >= TRIED) this.unanswered(failures);
    } else if (state === "pulled") {
      gauges.connection("pulled", "retrying");
      gauges.note(`Pulled after event ${ledger.last}. The tool goes on meanwhile.`);
      this.view.rawNote(`connection pulled after event ${ledger.last}`);
      this.view.say("Connection pulled.");
    } else if (state === "closed") {
      gauges.connection("closed", "closed");
      if (reconnects > 0) gauges.note(summary(ledger, reconnects));
    }
    this.on.changed();
  }

  unanswered(failures) {
    const words = `No answer from the server, after ${failures} attempts. Is it still running? The page goes on trying.`;
    this.view.gauges.note(words);
    if (failures === TRIED) this.view.say(words);
  }

  pull() {
    if (this.canPull) this.follower.pull(PULL_MS);
  }

  /** Cancel the run; where there is none yet, or the server does not answer, stop following. */
  async stop() {
    if (!this.isOn || this.isCancelling) return;
    const id = this.follower?.ledger.run ?? null;
    if (id === null || this.isGivingUp) {
      this.giveUp(id !== null);
      return;
    }
    const { attempt } = this;
    this.isCancelling = true;
    this.on.changed();
    this.view.say("Cancelling.");
    try {
      await cancelRun(this.paths.runs, id);
    } catch (error) {
      if (attempt !== this.attempt || !this.isOn) return;
      this.isCancelling = false;
      this.isUncancellable = true;
      const words = `Not cancelled: ${problemObject(error).message}`;
      this.view.gauges.note(words);
      this.view.say(words);
      this.on.changed();
    }
  }

  giveUp(hasStarted) {
    const hint = hasStarted
      ? "The tool may still be working. If the server runs, it stops the tool when nobody has followed it for a while, or at its time limit."
      : "Nothing was heard of it: it may not have been started at all.";
    this.follower?.close();
    this.end({ code: "given_up", message: "This page no longer follows the run.", hint });
  }

  /** The run is over, by its own last event (problem null, already drawn) or by a problem. */
  end(problem) {
    this.isOn = false;
    this.isCancelling = false;
    if (problem !== null && !this.view.over) this.failed(problem);
    this.on.ended(document.getElementById("run").dataset.phase);
    this.on.changed();
    if (SIGNED_OUT.has(problem?.code)) this.on.signedOut(problem, this.follower !== null);
  }

  failed(problem) {
    if (this.isBack && GONE.has(problem.code)) {
      this.view.forgotten("The server no longer keeps that run. Press Run to start it again.");
      return;
    }
    const homeless = Array.isArray(problem.details) ? this.on.refused(problem.details) : [];
    this.view.failed(problem);
    if (homeless.length === 0) return;
    this.view.say(`${problem.message} ${homeless.map((one) => `${one.field}: ${one.problem}`).join("; ")}`);
  }
}

function summary(ledger, reconnects) {
  const times = reconnects === 1 ? "once" : `${reconnects} times`;
  const replayed = ledger.replayed > 0 ? ` ${ledger.replayed} came twice and were recognised.` : "";
  return `Reconnected ${times}: ${ledger.missing === 0 ? "nothing was lost" : `${ledger.missing} events were lost`}.${replayed}`;
}

export function problemObject(error) {
  if (error instanceof Problem) return error.object;
  console.error(error);
  return { code: "page_error", message: `The page failed: ${error.message}` };
}
