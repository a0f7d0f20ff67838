/** A histogram as a small chart: bars in SVG, the ends of their range below them, and the same as a table. */

import { cut, el, folded, scrolling, wrap } from "./element.js";
import { number, plural, when } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [400, 96]; // of the drawing, which is stretched to its box
const GAP = 0.12; // of a bar's share
const LEAST = 2; // a bin with anything in it is to be seen beside one with a million times as much
const DIGITS = 4; // of an edge, as people read it
const MAX_EDGE = 60; // characters of one that is a text
const MAX_NAME = 300;

let made = 0; // a title is named by an id, which is the document's

/** Where a bin begins or ends, short enough for an axis. */
export function edge(value) {
  if (typeof value === "string") return cut(when(value) ?? value, MAX_EDGE);
  if (typeof value === "bigint" || (Number.isInteger(value) && Math.abs(value) < 1e15)) return number(value);
  return number(Number(value.toPrecision(DIGITS)));
}

/** `{edges, counts, column}`: one more edge than counts. */
export function histogram({ edges, counts, column }) {
  const heights = counts.map(Number);
  const most = Math.max(...heights);
  const sum = heights.reduce((all, one) => all + one, 0);
  const figure = el("figure", "histogram");
  const ends = wrap("axis", el("span", "", edge(edges[0])), el("span", "", edge(edges.at(-1))));
  const peak = el("figcaption", "hint quiet", `${plural(sum, "value")} · ${plural(counts.length, "range")} · peak ${number(most)}`);
  figure.append(drawing(edges, heights, most, column ?? ""), ends, peak, folded("As a table", () => asTable(edges, counts)));
  return figure;
}

function drawing(edges, heights, most, column) {
  made += 1;
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-labelledby": `chart-${made} chart-${made}-desc` });
  const title = node("title", { id: `chart-${made}` });
  title.textContent = column === "" ? "Histogram" : `Histogram of ${cut(column, MAX_NAME)}`;
  const desc = node("desc", { id: `chart-${made}-desc` });
  const highest = heights.indexOf(most);
  desc.textContent =
    `From ${edge(edges[0])} to ${edge(edges.at(-1))} in ${plural(heights.length, "range")}. ` +
    `Most values, ${number(most)}, are from ${edge(edges[highest])} to ${edge(edges[highest + 1])}.`;
  svg.append(title, desc);
  const share = WIDTH / heights.length;
  heights.forEach((count, index) => {
    if (count === 0) return;
    const height = Math.max(LEAST, (count / most) * HEIGHT);
    const bar = node("rect", { x: (index + GAP / 2) * share, y: HEIGHT - height, width: share * (1 - GAP), height });
    const tip = node("title");
    tip.textContent = `${edge(edges[index])} to ${edge(edges[index + 1])}: ${number(count)}`;
    bar.append(tip);
    svg.append(bar);
  });
  return svg;
}

function asTable(edges, counts) {
  const body = el("tbody");
  counts.forEach((count, index) => {
    const row = el("tr");
    row.append(el("td", "right", edge(edges[index])), el("td", "right", edge(edges[index + 1])), el("td", "right", number(count)));
    body.append(row);
  });
  const head = el("tr");
  for (const name of ["From", "To", "Values"]) {
    const cell = el("th", "right", name);
    cell.scope = "col";
    head.append(cell);
  }
  const top = el("thead");
  top.append(head);
  const grid = el("table", "grid");
  grid.append(top, body);
  return scrolling("The ranges and their values", grid);
}

function node(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
