/**
 * A result that judges something, as a report: its grade as a badge, its findings by weight, the rest as a table.
 * A report is known by its members: `grade`, `score` or `verdict`; a finding by a status and a sentence.
 */

import { badge, cut, el, folded } from "./element.js";
import { stringify } from "./exact.js";
import { itemsOf, memberOf } from "./schema.js";
import { statusOf, toneOf } from "./status.js";
import { called, leadOf, render, table } from "./value.js";
import { number } from "./words.js";

const MAX_FINDINGS = 200; // drawn; the rest is counted
const MAX_TEXT = 2000;
const MAX_GRADE = 12; // characters; a longer "grade" is a sentence
const STATUS_KEYS = ["status", "severity", "level"];
const HINTS = ["hint", "fix", "remedy", "recommendation", "advice"];

/** The grade of a result, as {text, tone}; null where it gives none. */
export function gradeOf(value) {
  const { grade } = value !== null && typeof value === "object" ? value : {};
  return typeof grade === "string" && grade !== "" && grade.length <= MAX_GRADE ? { text: grade, tone: toneOf(grade) } : null;
}

/** A whole result. `streamed` are the JSON texts of the steps that stand on the page already, `draw` is value.js's. */
export function drawResult(value, schema, streamed, draw) {
  const of = { depth: 0, schema: schema ?? {}, root: schema ?? {}, draw };
  if (isFindings(value)) return findings(value, { ...of, schema: itemsOf(of.schema, of.root) });
  if (value === null || typeof value !== "object" || Array.isArray(value)) return render(value, of);
  const box = el("div", "report");
  const used = isJudged(value) ? ["grade", "score", "verdict"].filter((key) => key in value) : [];
  if (used.length > 0) box.append(verdict(value, of));
  const isRepeated = (part) => Array.isArray(part) && part.length > 0 && part.every((one) => streamed.has(stringify(one)));
  const repeated = Object.entries(value).filter(([, part]) => isRepeated(part));
  const shown = Object.entries(value).filter(([, part]) => isFindings(part) && !isRepeated(part));
  const apart = new Set([...used, ...repeated.map(([key]) => key), ...shown.map(([key]) => key)]);
  const rest = Object.entries(value).filter(([key]) => !apart.has(key));
  if (rest.length > 0 || apart.size === 0) box.append(table(rest, of));
  for (const [key, part] of shown) {
    box.append(findings(part, { ...of, schema: itemsOf(memberOf(of.schema, key, of.root), of.root) }));
  }
  for (const [key, part] of repeated) {
    box.append(el("p", "hint quiet", `${called(key, part, of)}: the ${number(part.length)} that stand below, as they came.`));
  }
  return box;
}

function isJudged(value) {
  return gradeOf(value) !== null || typeof value.score === "number" || typeof value.verdict === "string";
}

function verdict(value, of) {
  const box = el("div", "verdict");
  const grade = gradeOf(value);
  const hasScore = typeof value.score === "number";
  const mark = grade?.text ?? (hasScore ? number(value.score) : "");
  if (mark !== "") {
    const letter = el("p", mark.length <= 3 ? "grade" : "grade long", mark);
    letter.dataset.tone = grade?.tone ?? "quiet";
    letter.setAttribute("role", "img");
    letter.setAttribute("aria-label", `${grade === null ? "Score" : "Grade"} ${mark}`);
    box.append(letter);
  }
  const words = el("div");
  if (typeof value.verdict === "string") words.append(el("p", "lead", cut(value.verdict, MAX_TEXT)));
  if (hasScore) {
    const { maximum } = memberOf(of.schema, "score", of.root);
    const of100 = typeof maximum === "number" ? ` of ${number(maximum)}` : "";
    words.append(el("p", "hint", `Score ${number(value.score)}${of100}`));
  }
  box.append(words);
  return box;
}

const statusKey = (one) => STATUS_KEYS.find((key) => statusOf(one[key]) !== null);

function isFindings(value) {
  const isOne = (one) => one !== null && typeof one === "object" && statusKey(one) !== undefined && leadOf(one) !== undefined;
  return Array.isArray(value) && value.length > 0 && value.every(isOne);
}

/** What is wrong first, and the heaviest of that; what is fine or weighs nothing behind a line. */
function findings(values, of) {
  const all = values.map((one) => ({ one, status: statusOf(one[statusKey(one)]), weight: typeof one.weight === "number" ? one.weight : null }));
  all.sort((a, b) => a.status.order - b.status.order || (b.weight ?? 0) - (a.weight ?? 0));
  const box = el("div", "findings");
  const chips = el("div", "filters");
  chips.setAttribute("role", "group");
  chips.setAttribute("aria-label", "Show only");
  const body = el("div");
  const show = (only) => {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.status === only));
    body.replaceChildren(...(only === "" ? opened(all, of) : [drawn(all.filter(({ status }) => status.word === only), of)]));
  };
  for (const word of new Set(all.map(({ status }) => status.word))) {
    const same = all.filter(({ status }) => status.word === word);
    const chip = el("button", "chip");
    chip.type = "button";
    chip.dataset.status = word;
    chip.append(badge(same[0].status, `${number(same.length)} ${word}`));
    chip.addEventListener("click", () => show(chip.getAttribute("aria-pressed") === "true" ? "" : word));
    chips.append(chip);
  }
  box.append(chips, body);
  show("");
  return box;
}

function opened(all, of) {
  const isLight = ({ status, weight }) => weight === 0 || status.tone === "good" || status.tone === "quiet";
  const [heavy, light] = [all.filter((found) => !isLight(found)), all.filter(isLight)];
  const made = heavy.length > 0 ? [drawn(heavy, of)] : [el("p", "hint", "Nothing that weighs.")];
  if (light.length > 0) made.push(folded(`${number(light.length)} that are fine or weigh nothing`, () => drawn(light, of)));
  return made;
}

function drawn(all, of) {
  const list = el("ol", "found");
  list.append(...all.slice(0, MAX_FINDINGS).map((found) => item(found, of)));
  if (all.length <= MAX_FINDINGS) return list;
  const box = el("div");
  box.append(list, el("p", "hint quiet", `and ${number(all.length - MAX_FINDINGS)} more`));
  return box;
}

function item({ one, status, weight }, of) {
  const made = el("li");
  made.dataset.tone = status.tone;
  const lead = leadOf(one);
  const hint = leadOf(one, HINTS);
  const head = el("p", "found-head");
  head.append(badge(status, status.word), el("strong", "text", cut(one[lead], MAX_TEXT)));
  if (typeof one.code === "string") head.title = one.code;
  const tags = [typeof one.step === "string" ? one.step : "", weight > 0 ? `weighs ${number(weight)}` : ""].filter((tag) => tag !== "");
  if (tags.length > 0) head.append(el("span", "tag", cut(tags.join(" · "), 100)));
  made.append(head);
  if (typeof one.detail === "string") made.append(el("p", "text", cut(one.detail, MAX_TEXT)));
  if (hint !== undefined) made.append(el("p", "hint text", cut(one[hint], MAX_TEXT)));
  const used = new Set([statusKey(one), lead, hint, "code", "step", "weight", ...(typeof one.detail === "string" ? ["detail"] : [])]);
  const rest = Object.entries(one).filter(([key, part]) => !used.has(key) && part !== null && !(Array.isArray(part) && part.length === 0));
  if (rest.length > 0) made.append(folded("Details", () => table(rest, { ...of, depth: 1 })));
  return made;
}
