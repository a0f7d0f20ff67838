/**
 * The rows of a long table of which only those in sight are elements; what is above and below them is two rows of the
 * height of all of it. It knows no cells: `make(index)` draws a row, all of which are of one height.
 */

import { el } from "./element.js";

const AROUND = 25; // rows drawn above and below those in sight, so that a turn of a wheel finds them there
const LEAST_AROUND = 4; // of a table whose rows have so many cells that each costs
const CELLS = 800; // above and below together
const HEIGHT = 33; // of a row in CSS pixels, before one was measured

export class RowWindow {
  /**
   * `scroll` is the box around the table, `body` the table's. `settle(wasHeld)` is called when rows were drawn anew,
   * with whether one of those before had the focus.
   */
  constructor(scroll, body, make, settle) {
    this.scroll = scroll;
    this.settle = settle;
    this.body = body;
    this.make = make;
    this.count = 0;
    this.span = 1;
    this.height = HEIGHT;
    this.drawn = [0, 0];
    scroll.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(scroll); // it was folded, or the window is another
  }

  /** There are so many rows, and they are others than before. */
  show(count, span) {
    this.count = count;
    this.span = span;
    this.draw(true);
  }

  /** More rows have come behind those that were there. What is drawn, and may be selected, stays if it is enough. */
  grow(count) {
    const isEnough = this.drawn[1] < this.count;
    this.count = count;
    if (isEnough) this.body.lastElementChild.replaceWith(...this.room(count - this.drawn[1]));
    else this.draw(true);
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw(false);
    });
  }

  /** Which rows are in sight, from and to. The head covers the first of them. */
  get seen() {
    const { scrollTop, clientHeight } = this.scroll;
    const from = Math.min(Math.floor(scrollTop / this.height), Math.max(0, this.count - 1));
    return [from, Math.min(this.count, Math.ceil((scrollTop + clientHeight) / this.height))];
  }

  draw(isForced) {
    const [first, last] = this.seen;
    const [from, to] = this.drawn;
    if (!isForced && (from === 0 || first >= from) && (to === this.count || last <= to)) return;
    const around = Math.max(LEAST_AROUND, Math.min(AROUND, Math.floor(CELLS / 2 / this.span)));
    const start = Math.max(0, first - around);
    const end = Math.min(this.count, last + around);
    this.drawn = [start, end];
    const wasHeld = this.body.contains(document.activeElement);
    const rows = Array.from({ length: end - start }, (_, index) => this.make(start + index));
    this.body.replaceChildren(...this.room(start), ...rows, ...this.room(this.count - end));
    this.settle(wasHeld);
    const measured = rows[0]?.offsetHeight ?? 0;
    if (measured > 0 && measured !== this.height) {
      this.height = measured;
      this.soon();
    }
  }

  /** Bring a row into sight, below the head of the table, which stays where it is. */
  reveal(index) {
    const head = this.body.offsetTop;
    const [top, bottom] = [index * this.height, (index + 1) * this.height + head];
    const { scrollTop, clientHeight } = this.scroll;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) this.scroll.scrollTop = bottom - clientHeight;
    this.draw(false);
  }

  room(rows) {
    if (rows <= 0) return [];
    const row = el("tr", "room");
    row.setAttribute("aria-hidden", "true");
    const cell = el("td");
    cell.colSpan = this.span;
    cell.style.height = `${rows * this.height}px`;
    row.append(cell);
    return [row];
  }
}
