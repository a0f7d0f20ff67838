/** Wires the page: what a person does, to the call, to the view. Nothing is drawn or parsed here. */

import { cancelRun, discover, listTools, newKey, postRun, Problem, startUrl } from "./api.js";
import { curlLine } from "./curl.js";
import { Follower } from "./follower.js";
import { mark, ParamsForm } from "./form.js";
import { RunView } from "./view.js";

const PULL_MS = 2000; // long enough to be seen, far shorter than a run waits for its reader
const $ = (id) => document.getElementById(id);
const LIMITS = { heartbeat_seconds: "heartbeat-seconds", cap_seconds: "cap-seconds" };

const view = new RunView();
const form = new ParamsForm($("fields"), showCurl);
let paths = null;
let tools = [];
let follower = null;

// aria-disabled rather than disabled: a button that is switched off while it has the focus must not lose it.
const isOn = (id) => $(id).getAttribute("aria-disabled") !== "true";
const enable = (id, on) => $(id).setAttribute("aria-disabled", String(!on));
const tool = () => tools.find((one) => one.name === $("tool").value);
const readOnly = (one) => one.read_only === true;

async function main() {
  paths = await discover($("manifest").href);
  if (paths.title) $("title").textContent = paths.title;
  if (paths.description) $("tagline").textContent = paths.description;
  showProtocol();
  tools = await listTools(paths.tools);
  for (const one of tools) {
    const option = new Option(one.title && one.title !== one.name ? `${one.title} (${one.name})` : one.name, one.name);
    $("tool").append(option);
  }
  if (tools.length === 0) throw new Problem({ message: "This server has no tools." });
  const wanted = tools.find((one) => `#${encodeURIComponent(one.name)}` === location.hash);
  if (wanted !== undefined) $("tool").value = wanted.name;
  chooseTool();
  enable("start", true);
}

function showProtocol() {
  const [entry] = performance.getEntriesByType("navigation");
  const names = { h2: "HTTP/2", h3: "HTTP/3", "http/1.1": "HTTP/1.1" };
  $("protocol").textContent = names[entry?.nextHopProtocol] ?? "";
  $("protocol").hidden = $("protocol").textContent === "";
}

function chooseTool() {
  const one = tool();
  $("tool-description").textContent = unwrapped(one.description ?? "");
  const how = readOnly(one)
    ? "Read-only: started by a GET of the event stream."
    : "May change something: started by a POST, then followed.";
  const limit = one.time_limit_seconds;
  $("tool-start").textContent = limit === undefined ? how : `${how} Its own time limit is ${limit} s.`;
  form.show(one.input_schema, $("as-json").getAttribute("aria-pressed") === "true");
  $("as-json").hidden = form.forced;
  history.replaceState(null, "", `#${encodeURIComponent(one.name)}`);
  showCurl();
}

/** A docstring's lines end where the source's do: join them to paragraphs, but for lists. */
function unwrapped(text) {
  return text.replace(/([^\n])\n(?=[^\s\-*\d])/g, "$1 ");
}

function toggleJson() {
  const asJson = $("as-json").getAttribute("aria-pressed") !== "true";
  const params = form.draft();
  $("as-json").setAttribute("aria-pressed", String(asJson));
  form.show(tool().input_schema, asJson, params);
  showCurl();
}

function limits(quietly) {
  const given = {};
  let first = null;
  for (const [name, id] of Object.entries(LIMITS)) {
    const input = $(id);
    const wrong = input.validity.badInput || (input.value !== "" && !(Number(input.value) > 0));
    if (!quietly) mark({ control: input, problem: $(`${id}-problem`) }, wrong ? "A number above 0, please." : "");
    if (wrong) first ??= input;
    else if (input.value !== "") given[name] = Number(input.value);
  }
  if (first === null) return given;
  if (!quietly) {
    $("limits").open = true;
    first.focus();
  }
  return null;
}

function showCurl() {
  if (paths === null || tools.length === 0) return;
  const url = new URL(paths.events, location.origin).href;
  $("curl").textContent = curlLine(url, tool().name, form.draft(), limits(true) ?? {});
  const local = location.protocol === "https:";
  $("curl-note").hidden = !local;
  $("curl-note").textContent = "With a development certificate, add --cacert and the path of its authority.";
}

async function start(event) {
  event.preventDefault();
  if (!isOn("start")) return;
  const one = tool();
  const params = form.params();
  const given = params === null ? null : limits(false);
  if (given === null) return;
  follower?.close();
  follower = null;
  enable("start", false);
  view.begin(one.name);
  reveal($("run"));
  try {
    const url = readOnly(one) ? startUrl(paths.events, one.name, params, given, form.plainNames(), newKey()) : null;
    follow(url ?? (await postRun(paths.runs, one.name, params, given)));
  } catch (error) {
    end(problemObject(error));
  }
}

/** On a small screen the run is below the form: bring it into sight, without taking the focus along. */
function reveal(section) {
  if (section.getBoundingClientRect().top < innerHeight * 0.8) return;
  section.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function follow(url) {
  follower = new Follower(url, { event: onEvent, raw: (id, data) => view.rawEvent(id, data), connection: onConnection, end });
  follower.open();
}

function onEvent(message) {
  view.count(follower.ledger);
  if (message === null) return;
  if (message.type === "started") onStarted(message.metadata ?? {});
  else if (message.type === "progress") view.progress(message);
  else if (message.type === "log") view.logLine(message.data);
  else if (message.type === "heartbeat") view.heartbeat();
  else if (message.type === "complete") view.complete(message);
  else if (message.type === "error") end(message.error ?? { code: "error", message: "The server gave no reason." });
}

function onStarted(metadata) {
  view.started(metadata);
  enable("cancel", true);
  enable("pull", true);
}

function onConnection(state) {
  const { ledger, reconnects } = follower;
  if (state === "connecting") {
    view.connection("connecting…", "retrying");
  } else if (state === "open") {
    view.connection("open", "open");
    view.rawNote(reconnects > 0 ? "connected again" : "connected");
    if (reconnects > 0) view.note(`Connected again, after event ${ledger.last}.`);
    if (ledger.run !== null) enable("pull", true);
  } else if (state === "retrying") {
    view.connection("reconnecting…", "retrying");
    view.rawNote(`connection lost after event ${ledger.last}`);
    enable("pull", false);
  } else if (state === "pulled") {
    view.connection("pulled", "retrying");
    view.note(`Pulled after event ${ledger.last}. The tool goes on meanwhile.`);
    view.rawNote(`connection pulled after event ${ledger.last}`);
    view.say("Connection pulled.");
    enable("pull", false);
  } else if (state === "closed") {
    view.connection("closed", "closed");
    if (reconnects > 0) view.note(summary(ledger, reconnects));
  }
}

function summary(ledger, reconnects) {
  const times = reconnects === 1 ? "once" : `${reconnects} times`;
  const replayed = ledger.replayed > 0 ? ` ${ledger.replayed} came twice and were recognised.` : "";
  return `Reconnected ${times}: ${ledger.missing === 0 ? "nothing was lost" : `${ledger.missing} events were lost`}.${replayed}`;
}

/** The run is over, by its own last event (problem null, already drawn) or by a problem. */
function end(problem) {
  enable("cancel", false);
  enable("pull", false);
  enable("start", true);
  if (problem === null || view.over) return;
  const homeless = Array.isArray(problem.details) ? form.complain(problem.details) : [];
  view.failed(problem);
  if (homeless.length === 0) return;
  view.say(`${problem.message} ${homeless.map((one) => `${one.field}: ${one.problem}`).join("; ")}`);
}

async function cancel() {
  if (!isOn("cancel")) return;
  enable("cancel", false);
  view.say("Cancelling.");
  try {
    await cancelRun(paths.runs, follower.ledger.run);
  } catch (error) {
    enable("cancel", true);
    view.note(`Not cancelled: ${problemObject(error).message}`);
  }
}

async function copy(button, text) {
  button.dataset.label ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed"; // the browser keeps the clipboard to itself: the text can still be selected
  }
  setTimeout(() => (button.textContent = button.dataset.label), 1500);
}

function problemObject(error) {
  if (error instanceof Problem) return error.object;
  console.error(error);
  return { code: "page_error", message: `The page failed: ${error.message}` };
}

$("tool").addEventListener("change", chooseTool);
$("as-json").addEventListener("click", toggleJson);
$("limits").addEventListener("input", showCurl);
$("call").addEventListener("submit", start);
$("cancel").addEventListener("click", cancel);
$("pull").addEventListener("click", () => isOn("pull") && follower.pull(PULL_MS));
$("copy").addEventListener("click", () => copy($("copy"), $("curl").textContent));
$("copy-outcome").addEventListener("click", () => copy($("copy-outcome"), JSON.stringify(view.outcome, null, 2)));

main().catch((error) => {
  $("page-error").textContent = problemObject(error).message;
  $("page-error").hidden = false;
});
