/**
 * MCP's content blocks as elements: text, pictures, sound, files, links (2026-07-28, Tools, Tool Result).
 *
 * A picture cannot run anything; a file is only ever downloaded.
 */

import { blobUrl, download } from "./download.js";
import { cut, el } from "./element.js";
import { isMarkdown, link, markdown } from "./markdown.js";
import { render } from "./value.js";
import { bytes } from "./words.js";

const MAX_TEXT = 100_000;
const MAX_BLOCKS = 100;

/** Draw blocks. What is not of a known kind is drawn as any other value. */
export function contents(blocks) {
  const box = el("div", "contents");
  if (blocks.length === 0) box.append(el("p", "quiet", "nothing"));
  box.append(...blocks.slice(0, MAX_BLOCKS).map((block, index) => drawn(block, index + 1)));
  if (blocks.length > MAX_BLOCKS) box.append(el("p", "hint quiet", `and ${blocks.length - MAX_BLOCKS} more`));
  return box;
}

/** What a result has beside its data, as blocks: its short text first. */
export function blocksBeside(metadata) {
  const { text, content } = metadata?.beside ?? {};
  const short = typeof text === "string" ? [{ type: "text", text }] : [];
  return [...short, ...(Array.isArray(content) ? content : [])];
}

function drawn(block, n) {
  const { type } = block ?? {};
  if (type === "text" && typeof block.text === "string") return words(block.text, "");
  if (type === "image" || type === "audio") return media(type, block.data, block.mimeType, `${type}-${n}`);
  if (type === "resource" && block.resource !== null && typeof block.resource === "object") return resource(block.resource, n);
  if (type === "resource_link") return linked(block);
  return render(block);
}

function words(text, mimeType) {
  const isWritten = mimeType === "text/markdown" || (mimeType === "" && isMarkdown(text));
  return isWritten ? markdown(cut(text, MAX_TEXT)) : el("p", "text", cut(text, MAX_TEXT));
}

function media(kind, data, mimeType, name) {
  const raw = decoded(data);
  const type = String(mimeType ?? "");
  if (raw === null) return el("p", "problem", `This ${kind === "image" ? "picture" : "sound"} is not readable base64.`);
  const figure = el("figure");
  const size = `${type}, ${bytes(raw.length)}`;
  const shown = el(kind === "image" ? "img" : "audio");
  shown.src = blobUrl(raw, type);
  if (kind === "image") shown.alt = `Picture from the tool (${size})`;
  else {
    shown.controls = true;
    shown.setAttribute("aria-label", `Sound from the tool (${size})`);
  }
  const caption = el("figcaption", "hint", `${size} · `);
  caption.append(download(raw, `${name}.${extension(type)}`));
  shown.addEventListener("error", () => shown.replaceWith(el("p", "problem", "This browser can not show it.")), { once: true });
  figure.append(shown, caption);
  return figure;
}

function resource({ uri, mimeType = "", text, blob }, n) {
  const name = String(uri ?? "").split(/[/?#]/).findLast((part) => part !== "") ?? `file-${n}`;
  const raw = typeof text === "string" ? new TextEncoder().encode(text) : decoded(blob);
  if (raw === null) return el("p", "problem", "This file is not readable base64.");
  const kind = /^(image|audio)\//.exec(mimeType)?.[1];
  if (typeof text !== "string" && kind !== undefined) return media(kind, blob, mimeType, name.replace(/\.\w+$/, ""));
  const figure = el("figure", "file");
  const caption = el("figcaption", "hint");
  caption.append(download(raw, name), ` · ${[mimeType, bytes(raw.length)].filter((part) => part !== "").join(", ")}`);
  figure.append(caption);
  if (typeof text === "string") figure.append(words(text, mimeType === "text/markdown" ? mimeType : "text/plain"));
  return figure;
}

/** A resource to be read elsewhere: a link where the address is one of the web, or one of this server's results that are
 * too large for an event; else its name. */
function linked({ uri, name, title, description, mimeType, size, url }) {
  const box = el("p", "linked");
  const shown = cut(String(title ?? name ?? uri), 300);
  const kept = typeof url === "string" && url.startsWith("/") ? location.origin + url : null;
  box.append(link(shown, kept ?? String(uri)) ?? el("strong", "", shown));
  const facts = [mimeType, typeof size === "number" ? bytes(size) : "", uri].filter((fact) => typeof fact === "string" && fact !== "");
  box.append(el("span", "hint", ` ${cut(facts.join(" · "), 500)}`));
  if (typeof description === "string" && description !== "") box.append(el("span", "hint about", cut(description, 2000)));
  return box;
}

function decoded(base64) {
  if (typeof base64 !== "string") return null;
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function extension(type) {
  const subtype = type.split("/")[1]?.split(/[+;]/)[0] ?? "";
  return { jpeg: "jpg", mpeg: "mp3", "": "bin" }[subtype] ?? subtype.replace(/^x-/, "");
}
