/**
 * Bytes as blob URLs, which the page's policy allows for pictures and sound only, and as links and buttons to download
 * them. They are let go with the next run. A file is only ever downloaded, as bytes of no type.
 */

import { el } from "./element.js";

// Without a type of its own it can not be opened as a page of this origin, whatever is in it.
const NO_TYPE = "application/octet-stream";
const urls = new Set(); // the blob URLs that are on the page

/** Let go of the bytes of all that was drawn. */
export function release() {
  for (const url of urls) letGo(url);
}

function letGo(url) {
  URL.revokeObjectURL(url);
  urls.delete(url);
}

export function blobUrl(raw, type = NO_TYPE) {
  const url = URL.createObjectURL(new Blob([raw], { type }));
  urls.add(url);
  return url;
}

export function download(raw, name) {
  const made = el("a", "", `Download ${name}`);
  made.href = blobUrl(raw);
  made.download = name;
  return made;
}

/** A button that downloads what `make()` returns when it is pressed. */
export function downloadButton(words, name, make) {
  const button = el("button", "small", words);
  button.type = "button";
  let last = null; // pressed again, it lets go of the bytes before
  button.addEventListener("click", () => {
    if (last !== null) letGo(last.href);
    last = download(make(), name);
    last.click();
  });
  return button;
}
