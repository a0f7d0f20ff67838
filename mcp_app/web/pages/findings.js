/**
 * Findings as cards, in the order they arrive: those of one column share a card, with its charts beside what was found.
 * The rows behind a finding, and its SQL, are behind a line each.
 */

import { copyButton, cut, el, folded, wrap } from "./element.js";
import { histogram } from "./histogram.js";
import { tableOf } from "./tables.js";
import { label, number, plural } from "./words.js";

const MAX_FINDINGS = 500; // drawn; the rest is counted
const MAX_KEYS = 20_000; // known again in the result; a million columns would have more findings than any result
const MAX_TEXT = 2000;
const MAX_NAME = 100;
const MAX_SQL = 20_000;
const MAX_TOPICS = 20; // that can be chosen
const FILTERED_FROM = 7; // findings; fewer are seen at a glance

export class FindingList {
  constructor() {
    this.count = 0;
    this.keys = new Set(); // of those that came, so that a result does not repeat them
    this.cards = new Map(); // of each column
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
    if (this.count > MAX_FINDINGS) {
      this.more.hidden = false;
      this.more.textContent = `and ${number(this.count - MAX_FINDINGS)} more`;
      return;
    }
    const about = finding.about ?? "";
    const card = this.cardOf(finding.column ?? "");
    const made = drawn(finding);
    made.dataset.about = about;
    card.words.append(made);
    if (finding.histogram) card.charts.append(histogram({ ...finding.histogram, column: finding.histogram.column ?? finding.column }));
    if (this.only !== "") this.show(this.only);
    this.tally(about);
  }

  /** The card of a column, or a new one for what is about no column. */
  cardOf(column) {
    const known = column === "" ? undefined : this.cards.get(column);
    if (known !== undefined) return known;
    const [item, words, charts] = [el("li", "card"), el("div", "card-words"), el("div", "card-charts")];
    if (column !== "") words.append(el("h4", "", cut(column, MAX_NAME)));
    item.append(words, charts);
    this.list.append(item);
    const card = { item, words, charts };
    if (column !== "") this.cards.set(column, card);
    return card;
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
    for (const card of this.list.children) {
      const findings = [...card.querySelectorAll(".finding")];
      for (const one of findings) one.hidden = only !== "" && one.dataset.about !== only;
      card.hidden = findings.every((one) => one.hidden);
    }
  }
}

/** The result of an analysis: what it is of, and its findings. `list` are those that stand on the page already. */
export function analysis(value, list = new FindingList()) {
  const { source, row_count: rows, column_count: columns, findings, notice } = value;
  for (const finding of findings) list.add(finding);
  const facts = [
    typeof source === "string" ? cut(source, 300) : "",
    ...[[rows, "row"], [columns, "column"], [list.count, "finding"]].map(([count, noun]) => (count === undefined || count === null ? "" : plural(count, noun))),
  ];
  const box = wrap("report", el("p", "lead", facts.filter((fact) => fact !== "").join(" · ")), list.element);
  if (notice) box.append(el("p", "hint text", cut(notice, MAX_TEXT)));
  return box;
}

/** One finding: what was found, with its rows and its SQL behind a line each. A few rows of the whole table are in sight. */
function drawn({ about, column, title, sql, table }) {
  const box = el("div", "finding");
  const words = el("p", "text", cut(title, MAX_TEXT));
  if (about) words.prepend(el("span", "kicker", label(cut(about, 40))), " ");
  box.append(words, " ");
  const folds = el("div", "folds");
  const draw = () => tableOf(table, column ?? about ?? "finding");
  if (table && !column) box.append(draw());
  else if (table) folds.append(folded(plural(table.rows.length, "row"), draw));
  if (sql) folds.append(folded("SQL", () => sqlOf(sql)));
  if (folds.childElementCount > 0) box.append(folds);
  return box;
}

function sqlOf(sql) {
  const text = el("pre", "", cut(sql, MAX_SQL));
  text.tabIndex = 0;
  return wrap("sql", text, copyButton("Copy", () => sql, "Copy the SQL"));
}
