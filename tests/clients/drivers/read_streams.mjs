// Calls `count` by POST with a library that reads event streams and reconnects by itself, until it stops by itself.
// URL, "throw" to have the reader's own handler fail once in the middle, and a Last-Event-ID to begin with.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [url, cut, last] = process.argv.slice(2);
const given = { messages: [], requests: 0 };
let throws = cut === "throw";

const request = {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ tool: "count", params: { to: 3 } }),
  fetch: (...asked) => {
    given.requests += 1;
    return fetch(...asked);
  },
};

function take(data) {
  const { type, error } = JSON.parse(data);
  given.messages.push(error?.code ?? type);
  if (!throws || given.messages.length < 2) return;
  throws = false;
  throw new Error("in the page's own handler");
}

function end() {
  console.log(JSON.stringify(given));
  process.exit(0);
}

if (process.env.MODE === "fetch-event-source") {
  // What it takes of a browser.
  globalThis.window = globalThis;
  globalThis.document = { addEventListener() {}, removeEventListener() {}, hidden: false };
  const { fetchEventSource } = require("@microsoft/fetch-event-source");
  const headers = last === undefined ? request.headers : { ...request.headers, "last-event-id": last };
  await fetchEventSource(url, { ...request, headers, onmessage: ({ data }) => take(data) });
  end();
} else {
  const { createEventSource } = await import("eventsource-client");
  const source = createEventSource({
    url,
    ...request,
    initialLastEventId: last,
    onMessage: ({ data }) => take(data),
    onDisconnect: () => source.readyState === "closed" && end(),
  });
  // It closes itself behind the call that tells of the disconnection.
  setInterval(() => source.readyState === "closed" && end(), 50);
}
