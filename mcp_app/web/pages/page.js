/** Wires the page: what a person does, to the call, to the view. Nothing is drawn or parsed here. */

import { read, written } from "./address.js";
import { discover, listTools, Problem } from "./api.js";
import { drawClients } from "./clients.js";
import { curlLine } from "./curl.js";
import { copy } from "./element.js";
import { stringify } from "./exact.js";
import { mark, ParamsForm } from "./form.js";
import { drawRecent, recentRuns, remember } from "./recent.js";
import { problemObject, Running } from "./running.js";
import { SignIn } from "./signin.js";
import { RunView } from "./view.js";
import { plural, seconds, unwrapped } from "./words.js";

const $ = (id) => document.getElementById(id);
const LIMITS = { heartbeat_seconds: "heartbeat-seconds", cap_seconds: "cap-seconds" };
const WIDE = matchMedia("(min-width: 58rem)");

$("unstarted").remove(); // this script has: what the page says where it was refused is not true

const view = new RunView();
const form = new ParamsForm($("fields"), showCurl);
let paths = null;
let tools = [];
let running = null;
let signIn = null;
let shown = ""; // the address of the run that is shown

// aria-disabled rather than disabled: a button that is switched off while it has the focus must not lose it.
const isOn = (id) => $(id).getAttribute("aria-disabled") !== "true";
const enable = (id, on) => $(id).setAttribute("aria-disabled", String(!on));
const tool = () => tools.find((one) => one.name === $("tool").value);

async function main() {
  paths = await discover($("manifest").href);
  signIn = new SignIn();
  await signIn.look();
  showServer();
  if (signIn.isNeeded) {
    $("calling").hidden = true;
    await signIn.ask();
    $("calling").hidden = false;
  }
  await showTools();
  showProtocol();
  running = new Running(view, paths, { began, changed, ended, refused: (details) => form.complain(details), signedOut: (...why) => signedOut(...why).catch(complain) });
  enable("start", true);
  drawRecent($("recent"), $("recent-runs"));
  arrive();
}

/** The tools that this caller may call. */
async function showTools() {
  tools = await listTools(paths.tools);
  $("tool-count").textContent = plural(tools.length, "tool");
  $("tool-count").hidden = false;
  const chosen = $("tool").value;
  const label = (one) => (one.title && one.title !== one.name ? `${one.title} (${one.name})` : one.name);
  $("tool").replaceChildren(...tools.map((one) => new Option(label(one), one.name)));
  if (tools.some((one) => one.name === chosen)) $("tool").value = chosen;
  if (tools.length === 0) throw new Problem({ message: signIn.state.signed_in ? "There is no tool that this key may call." : "This server has no tools." });
}

/** The sign-in has ended: what is on the page stays, and a run that is there is come back to. */
async function signedOut(problem, isThere) {
  await signIn.ask(problem.message);
  await signedIn();
  if (isThere) arrive();
}

async function signedIn() {
  const before = $("tool").value;
  await showTools();
  if ($("tool").value !== before) chooseTool();
}

function complain(error) {
  $("page-error").textContent = problemObject(error).message;
  $("page-error").hidden = false;
}

function showServer() {
  if (paths.title) {
    $("title").textContent = paths.title;
    document.title = view.title = paths.title;
  }
  if (paths.description) $("tagline").textContent = paths.description;
  if (paths.mcp === null) return;
  const isAsked = signIn.state.by_key === true;
  drawClients($("clients-list"), { ...paths.mcp, isAsked });
  $("clients-key").hidden = !isAsked;
  $("connect").parentElement.hidden = false;
}

/** Which HTTP it is. An answer from the cache does not say, so the newest that does is asked. */
function showProtocol() {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const names = { h2: "HTTP/2", h3: "HTTP/3", "http/1.1": "HTTP/1.1" };
  $("protocol").textContent = entries.map((entry) => names[entry.nextHopProtocol]).find((name) => name !== undefined) ?? "";
  $("protocol").hidden = $("protocol").textContent === "";
}

/** Do what the address says: choose the tool, fill its parameters in, come back to the run. */
function arrive() {
  const said = read(location.hash);
  const wanted = tools.find((one) => one.name === said.tool);
  if (wanted !== undefined) $("tool").value = wanted.name;
  chooseTool(wanted === undefined ? null : said.params);
  if (wanted === undefined || said.run === null) return;
  shown = location.hash;
  const known = recentRuns().find((one) => one.hash === shown);
  running.comeBack(wanted, said.run, known?.at ?? null);
  drawRecent($("recent"), $("recent-runs"));
  reveal($("run"));
}

function chooseTool(params = null) {
  const one = tool();
  $("tool-description").textContent = unwrapped(one.description ?? "");
  const how = one.read_only === true ? "Read-only." : "May change something.";
  const limit = one.time_limit_seconds;
  $("tool-start").textContent = limit === undefined ? how : `${how} Its own time limit is ${seconds(limit)}.`;
  form.show(one.input_schema, $("as-json").getAttribute("aria-pressed") === "true", params);
  $("as-json").hidden = form.forced;
  view.choose(one.name);
  showMore();
  showCurl();
}

function chosen() {
  chooseTool();
  history.replaceState(null, "", written({ tool: tool().name, params: null }));
}

/** On a small screen a long description is cut to two lines, with a button for the rest. */
function showMore(isOpen = false) {
  const text = $("tool-description");
  text.classList.toggle("short", !isOpen);
  $("more").hidden = !isOpen && text.scrollHeight <= text.clientHeight + 1;
  $("more").textContent = isOpen ? "Less" : "More";
  $("more").setAttribute("aria-expanded", String(isOpen));
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
  $("curl").textContent = curlLine(url, tool().name, form.draft(), limits(true) ?? {}, signIn.state.by_key === true);
  const local = location.protocol === "https:";
  $("curl-note").hidden = !local;
  $("curl-note").textContent = "With a development certificate, add --cacert and the path of its authority.";
}

function start(event) {
  event.preventDefault();
  if (!isOn("start")) return;
  const params = form.params();
  const given = params === null ? null : limits(false);
  if (given === null) return;
  running.start(tool(), params, given, form.plainNames());
  reveal($("run"));
}

/** The run can be come back to: by the page's address, and by the list of runs. */
function began(run) {
  const params = form.shareable(form.draft());
  shown = written({ tool: tool().name, params, run });
  history.replaceState(null, "", shown);
  remember({ hash: shown, tool: tool().name, params: stringify(params).slice(1, -1), at: Date.now(), state: "running" });
  drawRecent($("recent"), $("recent-runs"));
}

function changed() {
  enable("start", !running.isOn);
  $("start").textContent = running.isOn ? "Running…" : "Run";
  enable("cancel", running.isOn && !running.isCancelling);
  $("cancel").textContent = running.isGivingUp && running.isOn ? "Give up" : "Cancel";
  enable("pull", running.canPull);
}

function ended(state) {
  const known = recentRuns().find((one) => one.hash === shown);
  if (known !== undefined) remember({ ...known, state });
  drawRecent($("recent"), $("recent-runs"));
  if (!WIDE.matches && !$("outcome").hidden) reveal($("outcome"));
}

/** On a small screen the run is below the form: bring it into sight, without taking the focus along. */
function reveal(section) {
  const { top } = section.getBoundingClientRect();
  if (top >= 0 && top < innerHeight * 0.6) return;
  section.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function toggleClients() {
  const isOpen = $("connect").getAttribute("aria-expanded") !== "true";
  $("connect").setAttribute("aria-expanded", String(isOpen));
  $("clients").hidden = !isOpen;
}

$("tool").addEventListener("change", chosen);
$("more").addEventListener("click", () => showMore($("more").getAttribute("aria-expanded") !== "true"));
$("as-json").addEventListener("click", toggleJson);
$("limits").addEventListener("input", showCurl);
$("call").addEventListener("submit", start);
$("cancel").addEventListener("click", () => isOn("cancel") && running.stop());
$("pull").addEventListener("click", () => running.pull());
$("copy").addEventListener("click", () => copy($("copy"), $("curl").textContent));
$("copy-outcome").addEventListener("click", () => copy($("copy-outcome"), stringify(view.outcome, 2)));
$("connect").addEventListener("click", toggleClients);
$("sign-in-open").addEventListener("click", () => signIn.ask().then(signedIn).catch(complain));
addEventListener("hashchange", () => running !== null && arrive());
addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && running?.stop());
$("terminal").open = WIDE.matches;

main().catch(complain);
