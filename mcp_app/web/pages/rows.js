/**
 * The rows of one table as they arrive, within bounds. Pure: no DOM, no order but the one they came in.
 *
 * What comes beyond the bounds is counted, and not kept; what did not come, because it was sent before anybody listened,
 * is counted as well.
 */

const MAX_ROWS = 10_000; // of one table
const MAX_COLUMNS = 60; // that are drawn; with more, nobody can read across
const WEIGHT_OF_CELL = 8; // what a cell weighs beside its text, in characters

/** How much all tables of one run may keep, in characters. Cells are mostly short, but nobody has to keep to that. */
export class Room {
  constructor(characters = 32_000_000) {
    this.left = characters;
  }

  take(characters) {
    this.left -= characters;
    return this.left >= 0;
  }
}

export class Rows {
  constructor(columns, room = new Room()) {
    this.columns = columns;
    this.room = room;
    this.rows = [];
    this.firsts = []; // [index in rows, number of that row], where numbers begin anew: behind what did not come
    this.received = 0;
    this.next = 0; // the number of the row that should come next; the first has 0
    this.missing = 0;
    this.ragged = 0; // rows with another number of cells than there are columns
    this.widest = columns.length;
    this.isFull = false;
    this.stated = 0; // how many there are, as the result says
  }

  /** What the columns are has become known, after rows of them had come. */
  name(columns) {
    this.columns = columns;
    this.widest = Math.max(this.widest, columns.length);
    this.ragged = this.rows.filter((row) => row.length !== columns.length).length;
  }

  /** Rows that came, the first of which has the number `first`. */
  add(first, rows) {
    const from = Number(first);
    this.missing += Math.max(0, from - this.next);
    const isNew = this.firsts.length === 0 || from !== this.next;
    if (rows.length > 0 && isNew && !this.isFull) this.firsts.push([this.rows.length, from]);
    this.next = Math.max(this.next, from + rows.length);
    this.received += rows.length;
    for (const row of rows) {
      if (this.isFull) return;
      if (this.rows.length >= MAX_ROWS || !this.room.take(weightOf(row))) {
        this.isFull = true;
        return;
      }
      if (row.length !== this.columns.length) this.ragged += 1;
      this.widest = Math.max(this.widest, row.length);
      this.rows.push(row);
    }
  }

  /** How many columns are drawn. */
  get width() {
    return Math.min(this.widest, MAX_COLUMNS);
  }

  /** How many rows there are, as far as anybody said. */
  get total() {
    return Math.max(this.received + this.missing, this.stated);
  }

  /** The number of a kept row, 1 for the first of the table. */
  numberOf(index) {
    const [at, first] = this.firsts.findLast(([start]) => start <= index) ?? [0, 0];
    return first + index - at + 1;
  }

  cells(column) {
    return this.rows.map((row) => row[column]);
  }

  /** All that is kept, in this order of it, the head first; each line has as many cells (RFC 4180, 2). */
  lines(order) {
    const line = (cellOf) => Array.from({ length: this.widest }, (_, column) => cellOf(column));
    return [line((column) => this.columns[column]?.name), ...order.map((index) => line((column) => this.rows[index][column]))];
  }
}

function weightOf(row) {
  return row.reduce((sum, cell) => sum + WEIGHT_OF_CELL + sizeOf(cell), 0);
}

function sizeOf(cell) {
  if (typeof cell === "string") return cell.length;
  if (cell === null || typeof cell !== "object") return 0;
  return Object.values(cell).reduce((sum, part) => sum + WEIGHT_OF_CELL + sizeOf(part), 0);
}
