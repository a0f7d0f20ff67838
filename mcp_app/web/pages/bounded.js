/** A list on the page that stays within bounds, however much arrives. It draws nothing itself. */

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
    const isSeen = this.fold === null || this.fold.open; // to ask how high it is lays the whole page out
    const atEnd = isSeen && this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.total += items.length;
    const kept = items.slice(-this.max);
    this.list.append(...kept.map(make));
    while (this.list.childElementCount > this.max) this.list.firstElementChild.remove();
    const dropped = this.total - this.list.childElementCount;
    this.note.hidden = dropped === 0;
    this.note.textContent = `${dropped.toLocaleString("en")} earlier ${this.noun} are no longer shown.`;
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
