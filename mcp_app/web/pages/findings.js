/** Findings as cards, in the order they arrive: what was found, its chart or its table, and the SQL behind it. */

import { copyButton, cut, el, folded, wrap } from "./element.js";
import { histogram } from "./histogram.js";
import { tableOf } from "./tables.js";
import { label, number } from "./words.js";

const MAX_CARDS = 300; // drawn; the rest is counted
const MAX_KEYS = 20_000; // known again in the result; a million columns would have more findings than any result
const MAX_TEXT = 2000;
const MAX_SQL = 20_000;
const MAX_TOPICS = 20; // that can be chosen
const FILTERED_FROM = 7; // findings; fewer are seen at a glance
const NARROW_COLUMNS = 2; // of a table that fits into a card beside another

export class FindingList {
  constructor() {
    this.count = 0;
    this.keys = new Set(); // of those that came, so that a result does not repeat them
    this.topics = new Map(); // what they are about: {chip, count}
    this.only = "";
    this.element = el("div", "findings");
    this.filters = el("div", "filters");
    this.filters.hidden = true;
    this.filters.setAttribute("role", "group");
    this.filters.setAttribute("aria-label", "Show only");
    this.list = el("ol", "cards");
    this.more = el("p", "hint quiet");
    this.more.hidden = true;
    this.element.append(this.filters, this.list, this.more);
  }

  /** Draw one more, unless it is there already. */
  add(finding) {
    const key = JSON.stringify([finding.about, finding.column, finding.title]);
    if (this.keys.has(key)) return;
    if (this.count < MAX_KEYS) this.keys.add(key);
    this.count += 1;
    if (this.count > MAX_CARDS) {
      this.more.hidden = false;
      this.more.textContent = `and ${number(this.count - MAX_CARDS)} more`;
      return;
    }
    const about = finding.about ?? "";
    const card = cardOf(finding);
    card.dataset.about = about;
    card.hidden = this.only !== "" && this.only !== about;
    this.list.append(card);
    this.tally(about);
  }

  tally(about) {
    if (about === "" || (!this.topics.has(about) && this.topics.size >= MAX_TOPICS)) return;
    const topic = this.topics.get(about) ?? { chip: this.chipOf(about), count: 0 };
    topic.count += 1;
    topic.chip.replaceChildren(`${label(cut(about, 40))} `, el("span", "quiet", number(topic.count)));
    this.topics.set(about, topic);
    this.filters.hidden = this.count < FILTERED_FROM || this.topics.size < 2;
  }

  chipOf(about) {
    const chip = el("button", "chip");
    chip.type = "button";
    chip.setAttribute("aria-pressed", "false");
    chip.addEventListener("click", () => this.show(this.only === about ? "" : about));
    this.filters.append(chip);
    return chip;
  }

  show(only) {
    this.only = only;
    for (const [about, { chip }] of this.topics) chip.setAttribute("aria-pressed", String(about === only));
    for (const card of this.list.children) card.hidden = only !== "" && card.dataset.about !== only;
  }
}

/** The result of an analysis: what it is of, and its findings. `list` are those that stand on the page already. */
export function analysis(value, list = new FindingList()) {
  const { source, row_count: rows, column_count: columns, findings, notice } = value;
  for (const finding of findings) list.add(finding);
  const facts = [
    typeof source === "string" ? cut(source, 300) : "",
    ...[[rows, "row"], [columns, "column"]].map(([count, noun]) => (count === undefined || count === null ? "" : `${number(count)} ${count === 1 ? noun : `${noun}s`}`)),
    `${number(list.count)} ${list.count === 1 ? "finding" : "findings"}`,
  ];
  const box = wrap("report", el("p", "lead", facts.filter((fact) => fact !== "").join(" · ")), list.element);
  if (notice) box.append(el("p", "hint text", cut(notice, MAX_TEXT)));
  return box;
}

/** One finding: what was found, and beside it what shows it; below it, where that is too wide. */
function cardOf({ about, column, title, sql, table, histogram: bins }) {
  const words = el("div", "card-words");
  const kicker = el("p", "kicker");
  if (about) kicker.append(el("span", "", label(cut(about, 40))));
  if (column) kicker.append(el("code", "", cut(column, 100)));
  if (kicker.childElementCount > 0) words.append(kicker);
  words.append(el("h4", "text", cut(title, MAX_TEXT)));
  if (sql) words.append(folded("SQL", () => sqlOf(sql)));
  const card = el("li", (table?.columns.length ?? 0) > NARROW_COLUMNS ? "card broad" : "card");
  card.append(words);
  if (bins) card.append(histogram({ ...bins, column: bins.column ?? column }));
  if (table) card.append(tableOf(table, column ?? about ?? "finding"));
  return card;
}

function sqlOf(sql) {
  const text = el("pre", "", cut(sql, MAX_SQL));
  text.tabIndex = 0;
  return wrap("sql", text, copyButton("Copy", () => sql, "Copy the SQL"));
}
