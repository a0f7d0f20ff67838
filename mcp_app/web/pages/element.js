/** Elements with text in them. Everything a tool says gets into the page by these, as text and never as markup. */

export function el(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

/** An element around others. */
export function wrap(className, ...children) {
  const box = el("div", className);
  box.append(...children);
  return box;
}

/** A box of this name in which what is wider, or taller, than it is scrolled. */
export function scrolling(name, ...children) {
  const box = wrap("scroll", ...children);
  box.tabIndex = 0; // what scrolls must be reachable by keyboard
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", name);
  return box;
}

export function cut(text, max) {
  return text.length <= max ? text : `${text.slice(0, max)}… (${(text.length - max).toLocaleString("en")} more characters)`;
}

/** A line to open, behind which `draw()` is drawn when it is. */
export function folded(label, draw) {
  const details = el("details", "fold");
  details.append(el("summary", "", label));
  details.addEventListener("toggle", () => details.append(draw()), { once: true });
  return details;
}

/** A sign and a word in the colour of a status; the sign is for eyes only, since the word says the same. */
export function badge({ tone, sign }, word) {
  const made = el("span", "status");
  made.dataset.tone = tone;
  const mark = el("span", "sign", sign);
  mark.setAttribute("aria-hidden", "true");
  made.append(mark, ` ${word}`);
  return made;
}

/** A button that puts `text()` on the clipboard, and says whether it could. */
export function copyButton(words, text, name = "") {
  const button = el("button", "small", words);
  button.type = "button";
  if (name !== "") button.setAttribute("aria-label", name);
  button.addEventListener("click", () => copy(button, text()));
  return button;
}

export async function copy(button, text) {
  button.dataset.words ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed"; // the browser keeps the clipboard to itself: the text can still be selected
  }
  setTimeout(() => (button.textContent = button.dataset.words), 1500);
}
