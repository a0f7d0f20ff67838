/**
 * Rows as a table that fills while they arrive: sorted by a press on a head, one row opened by a press on its number,
 * downloaded as CSV. It draws what `Rows` keeps, and only what is in sight; nothing here knows how rows arrive.
 */

import { ordered, written } from "./cells.js";
import { columnFacts, numberWidth } from "./columns.js";
import { csv } from "./csv.js";
import { downloadButton } from "./download.js";
import { cut, el, scrolling, wrap } from "./element.js";
import { RowWindow } from "./rowwindow.js";
import { number, plural } from "./words.js";

const MAX_CELL = 300; // characters of a cell in the table; all of it is in the row that is opened
const MAX_NAME = 100;
const SAMPLE = 500; // rows by which a column's width and its numbers' decimals are chosen
const SHORT = 4; // characters of a cell that no column cuts
const RESTS = 20; // times as long as it took to make an order, it is not made anew for what arrives
const KEYS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

export class RowTable {
  /** `drawRow(entries)` draws an opened row, [name, cell] for each column. */
  constructor(rows, name, drawRow) {
    this.rows = rows;
    this.name = name;
    this.drawRow = drawRow;
    this.sort = null; // {column, isDown}
    this.order = [];
    this.current = 0; // the row whose number takes the focus
    this.opened = null; // the index of the row that is shown in full
    this.sampled = -1;
    this.restsUntil = 0;
    this.notice = null;
    this.isOver = false;
    this.element = el("div", "sheet rows");
    this.grid = el("table", "grid fixed");
    this.scroll = scrolling("", this.grid);
    this.scroll.classList.add("tall");
    this.columns = el("colgroup");
    this.head = el("tr");
    this.body = el("tbody");
    const head = el("thead");
    head.append(this.head);
    this.grid.append(this.columns, head, this.body);
    this.detail = el("section", "opened");
    this.detail.hidden = true;
    this.words = el("p", "hint quiet");
    const button = downloadButton("Download CSV", `${name}.csv`, () => new TextEncoder().encode(`${csv(rows.lines(this.order))}\r\n`));
    this.element.append(this.scroll, this.detail, wrap("row under", this.words, button));
    this.window = new RowWindow(this.scroll, this.body, (index) => this.rowOf(index), (wasHeld) => this.settle(wasHeld));
    this.body.addEventListener("focusin", ({ target }) => (this.current = Number(target.dataset.at ?? this.current)));
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.pressed(event));
    this.update();
  }

  /** More rows have arrived, or no more will. */
  update() {
    const { rows } = this;
    const grown = rows.rows.length;
    const isOther = this.span !== rows.width || this.digits !== String(rows.total).length;
    if (isOther || this.sampled < Math.min(grown, SAMPLE)) this.measure();
    if (grown > this.order.length) this.grow(grown);
    this.say();
  }

  /** Put the new rows where the order has them; those behind the others leave what is drawn as it is. */
  grow(grown) {
    if (this.sort === null) {
      for (let index = this.order.length; index < grown; index += 1) this.order.push(index);
      this.grid.setAttribute("aria-rowcount", String(grown + 1));
      this.window.grow(grown);
      return;
    }
    const begun = performance.now();
    if (begun < this.restsUntil && !this.isOver) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.update(), this.restsUntil - begun);
      return;
    }
    this.order = this.ordered();
    this.redraw();
    const ended = performance.now();
    this.restsUntil = ended + RESTS * (ended - begun);
  }

  /** What the columns are called has become known. */
  rename(columns) {
    this.rows.name(columns);
    this.sampled = -1;
  }

  /** No more rows come. */
  end({ notice = null } = {}) {
    this.notice = notice;
    this.isOver = true;
    this.update();
  }

  measure() {
    this.span = this.rows.width;
    this.sampled = Math.min(this.rows.rows.length, SAMPLE);
    this.digits = String(this.rows.total).length;
    this.facts = columnFacts(this.rows, SAMPLE);
    const widths = [numberWidth(this.digits), ...this.facts.map(({ width }) => width)];
    this.columns.replaceChildren(...widths.map((width) => {
      const made = el("col");
      made.style.width = `${width}ch`;
      return made;
    }));
    this.grid.style.width = `${widths.reduce((sum, width) => sum + width)}ch`;
    this.heads();
    this.redraw();
  }

  heads() {
    const held = [...this.head.children].findIndex((head) => head.contains(document.activeElement));
    const corner = el("th", "nth");
    corner.scope = "col";
    corner.append(el("span", "unseen", "Row"));
    const made = Array.from({ length: this.span }, (_, column) => this.headOf(column));
    this.head.replaceChildren(corner, ...made);
    this.showSort();
    if (held > 0) this.head.children[held]?.querySelector("button").focus();
  }

  headOf(column) {
    const { name, type, isNumeric } = this.facts[column];
    const head = el("th", isNumeric ? "right" : "");
    head.scope = "col";
    const button = el("button", "sort");
    button.type = "button";
    button.title = cut(name, MAX_NAME);
    button.append(el("span", "name", cut(name, MAX_NAME)));
    if (type !== "") button.append(" ", el("span", "type", cut(type, MAX_NAME)));
    button.addEventListener("click", () => this.sortBy(column));
    head.append(button);
    return head;
  }

  sortBy(column) {
    const { sort } = this;
    if (sort?.column !== column) this.sort = { column, isDown: false };
    else this.sort = sort.isDown ? null : { column, isDown: true };
    this.order = this.ordered();
    this.showSort();
    this.current = 0;
    this.scroll.scrollTop = 0;
    this.redraw();
    this.say();
  }

  ordered() {
    const { rows, sort } = this;
    if (sort === null) return rows.rows.map((_, index) => index);
    return ordered(rows.cells(sort.column), this.facts[sort.column].isNumeric, sort.isDown);
  }

  showSort() {
    [...this.head.children].slice(1).forEach((head, column) => {
      if (this.sort?.column === column) head.setAttribute("aria-sort", this.sort.isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  redraw() {
    this.grid.setAttribute("aria-rowcount", String(this.order.length + 1));
    this.window.show(this.order.length, this.span + 1);
  }

  /** Rows were drawn anew: one of their numbers is a stop of Tab, and has the focus if one of them had it. */
  settle(wasHeld) {
    if (wasHeld) this.focus();
    if (this.buttonAt(this.current) === null) this.buttonAt(this.window.seen[0])?.setAttribute("tabindex", "0");
  }

  buttonAt(at) {
    return this.body.querySelector(`button[data-at="${at}"]`);
  }

  rowOf(at) {
    const index = this.order[at];
    const row = el("tr", at % 2 === 0 ? "" : "odd");
    row.setAttribute("aria-rowindex", String(at + 2));
    const head = el("th", "nth");
    head.scope = "row";
    const button = el("button", "", number(this.rows.numberOf(index)));
    button.type = "button";
    button.tabIndex = at === this.current ? 0 : -1;
    button.dataset.at = at;
    button.setAttribute("aria-expanded", String(index === this.opened));
    button.setAttribute("aria-label", `Row ${button.textContent}`);
    head.append(button);
    row.append(head, ...this.cellsOf(this.rows.rows[index]));
    return row;
  }

  cellsOf(cells) {
    return this.facts.map(({ isNumeric, write }, column) => {
      const value = cells[column];
      const cell = el("td", isNumeric ? "right" : "");
      if (column < Math.max(cells.length, this.rows.columns.length)) cell.append(plainCell(value, MAX_CELL, write));
      if (typeof value === "string" && value.length > SHORT) cell.title = cut(value, MAX_CELL);
      return cell;
    });
  }

  key(event) {
    const by = KEYS[event.key];
    if (by === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.current = Math.max(0, Math.min(this.order.length - 1, this.current + by));
    this.window.reveal(this.current);
    this.focus();
  }

  /** The number of the current row has the focus, or, where it was scrolled out of sight, the box that scrolls. */
  focus() {
    const wanted = this.buttonAt(this.current);
    for (const button of this.body.querySelectorAll("button[tabindex='0']")) button.tabIndex = -1;
    if (wanted !== null) wanted.tabIndex = 0;
    (wanted ?? this.scroll).focus({ preventScroll: true });
  }

  pressed({ target }) {
    const button = target.closest("button[data-at]");
    if (button === null) return;
    this.current = Number(button.dataset.at);
    const index = this.order[this.current];
    this.opened = this.opened === index ? null : index;
    this.redraw();
    this.focus();
    this.showOpened();
  }

  showOpened() {
    this.detail.hidden = this.opened === null;
    if (this.opened === null) return this.detail.replaceChildren();
    const cells = this.rows.rows[this.opened];
    const title = el("h4", "", `Row ${number(this.rows.numberOf(this.opened))}`);
    const shut = el("button", "small", "Close");
    shut.type = "button";
    shut.addEventListener("click", () => {
      this.opened = null;
      this.showOpened();
      this.redraw();
      this.focus();
    });
    const entries = this.facts.map(({ name }, column) => [name, cells[column]]);
    this.detail.setAttribute("aria-label", title.textContent);
    return this.detail.replaceChildren(wrap("row", title, shut), this.drawRow(entries));
  }

  say() {
    const { rows } = this;
    const shown = rows.rows.length;
    const all = rows.total;
    const so = this.isOver ? "" : " so far";
    const parts = [shown < all ? `${number(shown)} of ${plural(all, "row")} are shown${so}` : `${plural(all, "row")}${so}`];
    if (rows.widest > rows.width) parts.push(`${rows.width} of ${number(rows.widest)} columns are shown; the CSV has all`);
    if (shown < all && this.sort !== null) parts.push("the order is that of the rows shown");
    if (rows.missing > 0) parts.push(`${plural(rows.missing, "row")} did not reach this page`);
    if (rows.ragged > 0) parts.push(`${plural(rows.ragged, "row")} with more or fewer cells than there are columns`);
    this.words.textContent = parts.join(" · ");
    if (this.notice !== null) this.words.append(el("span", "notice-text", cut(this.notice, 2000)));
    this.scroll.setAttribute("aria-label", `Table of ${plural(shown, "row")}`);
  }
}

/** A cell that is no list and no object: nothing, an empty text, and a cell that is not there look different. */
export function plainCell(value, max, write = written) {
  if (value === null) return el("span", "null", "NULL");
  if (value === undefined) return el("span", "absent", "no cell");
  if (value === "") return el("span", "absent", "empty");
  return cut(write(value), max);
}
