/**
 * A safe subset of Markdown as elements: headings, paragraphs, lists, tables, code, quotes, emphasis, links.
 *
 * Each piece becomes an element with text; nothing is ever read as HTML, so a tag is its own characters. Nothing is
 * loaded: a picture becomes a link. A link leads to http, https or mailto, or is left as text.
 */

import { el, scrolling } from "./element.js";

const BLOCK = /^(#{1,6} \S|```|~~~|\s*[-*+] \S|\s*\d+[.)] \S|> |\|.*\|\s*$)/;
const RULE = /^ {0,3}([-*_])( *\1){2,}\s*$/;
const ITEM = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/;
const SEPARATOR = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
// Each piece is bounded, so that no text makes the search for its end slow.
const INLINE = /(`{1,3})(.{1,500}?)\1|!?\[([^\]]{0,500})\]\(([^()\s]{1,2000})\)|\*\*(?=\S)(.{1,500}?)\*\*|(?<![\w*])\*(?=[^\s*])([^*]{1,500})\*(?!\w)|(?<!\w)_(?=\S)([^_]{1,500})_(?!\w)/;
const LINKS = new Set(["http:", "https:", "mailto:"]);
const MAX_NESTING = 4; // of emphasis; deeper is left as it was written
const MAX_DEPTH = 8; // of lists and quotes inside of each other; deeper ones stand beside each other
const MAX_LINES = 2000;
const MAX_LINE = 2000; // characters; a longer line is text as it stands
const LOOKED_AT = 200; // lines in which Markdown is looked for

/** Whether a text is worth it: something in it that only Markdown would have written so. */
export function isMarkdown(text) {
  const lines = linesOf(text).slice(0, LOOKED_AT).filter((line) => line.length <= MAX_LINE);
  const isHead = (line, index) => line.includes("|") && isSeparator(lines[index + 1]);
  if (lines.some((line, index) => /^(#{1,6} \S|```|~~~)/.test(line) || isHead(line, index))) return true;
  return lines.filter((line) => ITEM.test(line)).length >= 2 || lines.some((line) => /\*\*[^\s*][^*]{0,500}\*\*/.test(line));
}

const linesOf = (text) => text.replaceAll("\r\n", "\n").split("\n");
const isSeparator = (line = "") => line.includes("--") && line.length <= MAX_LINE && SEPARATOR.test(line);

/** `top` is the level of the first heading, so that the page's own order of headings holds. */
export function markdown(text, top = 4) {
  const box = el("div", "markdown");
  const lines = linesOf(text);
  box.append(...blocks(lines.slice(0, MAX_LINES), { top, last: top - 1 }, 0));
  if (lines.length > MAX_LINES) box.append(el("p", "hint", "The rest is not shown."));
  return box;
}

function blocks(lines, headings, depth) {
  const made = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    const line = lines[at];
    if (line.trim() === "") at += 1;
    else if (line.length > MAX_LINE) { made.push(el("p", "text", line)); at += 1; }
    else if (/^(```|~~~)/.test(line)) at = code(lines, at, made);
    else if (/^#{1,6} \S/.test(line)) at = heading(lines, at, made, headings);
    else if (RULE.test(line)) { made.push(el("hr")); at += 1; }
    else if (line.startsWith(">") && depth < MAX_DEPTH) at = quote(lines, at, made, headings, depth + 1);
    else if (line.includes("|") && isSeparator(lines[at + 1])) at = table(lines, at, made);
    else if (ITEM.test(line)) at = list(lines, at, made, depth + 1);
    else at = paragraph(lines, at, made);
    if (at <= start) at = start + 1;
  }
  return made;
}

function heading(lines, at, made, headings) {
  const [, marks, text] = /^(#+) (.*?)(?:\s+#+\s*)?$/.exec(lines[at]);
  headings.first ??= marks.length;
  const wanted = headings.top + marks.length - headings.first;
  headings.last = Math.max(headings.top, Math.min(wanted, headings.last + 1, 6)); // no level is left out
  made.push(inline(el(`h${headings.last}`), text));
  return at + 1;
}

function code(lines, at, made) {
  const fence = lines[at].slice(0, 3);
  let end = at + 1;
  while (end < lines.length && !lines[end].startsWith(fence)) end += 1;
  const pre = el("pre", "code-block");
  pre.tabIndex = 0; // what scrolls must be reachable by keyboard
  pre.append(el("code", "", lines.slice(at + 1, end).join("\n")));
  made.push(pre);
  return end + 1;
}

function quote(lines, at, made, headings, depth) {
  let end = at;
  while (end < lines.length && lines[end].startsWith(">")) end += 1;
  const box = el("blockquote");
  box.append(...blocks(lines.slice(at, end).map((line) => line.replace(/^>+ ?/, "")), headings, depth));
  made.push(box);
  return end;
}

function paragraph(lines, at, made) {
  let end = at + 1;
  const goesOn = (line) => line.trim() !== "" && line.length <= MAX_LINE && !BLOCK.test(line) && !RULE.test(line);
  while (end < lines.length && goesOn(lines[end])) end += 1;
  const p = el("p");
  lines.slice(at, end).forEach((line, index) => {
    if (index > 0) p.append(/ {2}$|\\$/.test(lines[at + index - 1]) ? el("br") : " ");
    inline(p, line.trim().replace(/\\$/, ""));
  });
  made.push(p);
  return end;
}

/** A list, with those inside of its items: an item that stands further in belongs to the one before it. */
function list(lines, at, made, depth) {
  const [, indent, number] = ITEM.exec(lines[at]);
  const box = el(number === undefined ? "ul" : "ol");
  if (number !== undefined && number !== "1") box.start = Number(number);
  let end = at;
  while (end < lines.length) {
    const found = ITEM.exec(lines[end]);
    if (found !== null && (found[1].length <= indent.length + 1 || depth >= MAX_DEPTH)) {
      if (found[1].length < indent.length || (found[2] === undefined) !== (number === undefined)) break;
      box.append(inline(el("li"), found[3]));
      end += 1;
    } else if (found !== null && box.lastElementChild !== null) {
      const inner = [];
      end = list(lines, end, inner, depth + 1);
      box.lastElementChild.append(...inner);
    } else if (lines[end].trim() !== "" && /^\s+\S/.test(lines[end])) {
      inline(box.lastElementChild, ` ${lines[end].trim()}`);
      end += 1;
    } else if (lines[end].trim() === "" && ITEM.test(lines[end + 1] ?? "")) {
      end += 1; // items with air between them
    } else break;
  }
  made.push(box);
  return end;
}

function table(lines, at, made) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  const sides = cells(lines[at + 1]).map((cell) => (/^:-+:$/.test(cell) ? "center" : cell.endsWith(":") ? "right" : ""));
  const grid = el("table", "grid");
  const row = (line, tag) => {
    const tr = el("tr");
    const found = cells(line);
    sides.forEach((side, index) => {
      const cell = inline(el(tag, side), found[index] ?? "");
      if (tag === "th") cell.scope = "col";
      tr.append(cell);
    });
    return tr;
  };
  const head = el("thead");
  head.append(row(lines[at], "th"));
  const body = el("tbody");
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) body.append(row(lines[end++], "td"));
  grid.append(head, body);
  made.push(scrolling("Table", grid));
  return end;
}

function inline(parent, text, depth = 0) {
  let rest = text;
  while (rest !== "") {
    const found = depth < MAX_NESTING ? INLINE.exec(rest) : null;
    if (found === null) break;
    const [whole, , verbatim, words, target, strong, ...emphasis] = found;
    parent.append(rest.slice(0, found.index));
    if (verbatim !== undefined) parent.append(el("code", "", verbatim.trim() || verbatim));
    else if (target !== undefined) parent.append(link(words || target, target) ?? whole);
    else if (strong !== undefined) parent.append(inline(el("strong"), strong, depth + 1));
    else parent.append(inline(el("em"), emphasis.find((part) => part !== undefined), depth + 1));
    rest = rest.slice(found.index + whole.length);
  }
  parent.append(rest);
  return parent;
}

/** A link that says in its title where it leads; null where that is nowhere a stranger's text may lead to. */
export function link(words, target) {
  let url;
  try {
    url = new URL(target);
  } catch {
    return null;
  }
  if (!LINKS.has(url.protocol)) return null;
  const made = el("a", "", words);
  made.href = url.href;
  made.title = url.href;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}
