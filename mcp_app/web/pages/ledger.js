/**
 * Which events of a run have been seen, judged by their ids alone. Pure: no DOM, no network.
 *
 * An id is `<run>/<n>`, n counting from 1 without gaps, with a zero before it in the last event. A reader that comes
 * back without Last-Event-ID is given the run from its start, so what it has already must be recognised; and a number
 * that is skipped is an event lost.
 */

export function parseId(id) {
  const cut = id.lastIndexOf("/");
  const n = cut < 1 ? NaN : Number(id.slice(cut + 1));
  return Number.isSafeInteger(n) && n > 0 ? { run: id.slice(0, cut), n } : null;
}

export class Ledger {
  constructor() {
    this.run = null;
    this.last = 0; // the highest number seen
    this.seen = 0; // different events seen
    this.replayed = 0; // events seen once more, and not shown again
    this.missing = 0; // numbers that were skipped
  }

  /** Enter one id. Returns "new", "replayed", "other" (of a different run) or "unnumbered". */
  take(id) {
    const parsed = parseId(id);
    if (parsed === null) return "unnumbered";
    if (this.run !== null && parsed.run !== this.run) return "other";
    this.run = parsed.run;
    if (parsed.n <= this.last) {
      this.replayed += 1;
      return "replayed";
    }
    this.missing += parsed.n - this.last - 1;
    this.last = parsed.n;
    this.seen += 1;
    return "new";
  }
}
