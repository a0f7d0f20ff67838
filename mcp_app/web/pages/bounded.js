/** A list on the page that stays within bounds, however much arrives. It draws nothing itself. */

const NEAR = 40; // CSS pixels: who is less than two lines from the end reads on as it grows

/** Whether the end of a list is in sight. To ask lays the whole page out. */
export const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;

/** A list element that keeps its newest `max` children, and says how many it has let go. */
export class BoundedList {
  constructor(list, note, max, noun) {
    this.list = list;
    this.note = note;
    this.max = max;
    this.noun = noun;
    this.fold = list.closest("details");
    this.fold?.addEventListener("toggle", () => (list.scrollTop = list.scrollHeight));
    this.clear();
  }

  clear() {
    this.total = 0;
    this.list.replaceChildren();
    this.note.hidden = true;
  }

  /** Add what `make()` returns for each waiting item; those that would be pushed out at once are only counted. */
  add(items, make) {
    if (items.length === 0) return;
    const goesOn = (this.fold === null || this.fold.open) && isAtEnd(this.list);
    this.total += items.length;
    const kept = items.slice(-this.max);
    this.list.append(...kept.map(make));
    while (this.list.childElementCount > this.max) this.list.firstElementChild.remove();
    const dropped = this.total - this.list.childElementCount;
    this.note.hidden = dropped === 0;
    this.note.textContent = `${dropped.toLocaleString("en")} earlier ${this.noun} are no longer shown.`;
    if (goesOn) this.list.scrollTop = this.list.scrollHeight;
  }
}
