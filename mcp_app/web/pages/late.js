/**
 * Follows a run from where it is now, when what it sent before is no longer kept: by fetch, as an EventSource can not
 * begin behind an event. No DOM and no rendering.
 */

import { runState, streamAfter } from "./api.js";
import { stringify } from "./exact.js";

const PAUSE_MS = 2000;
const TRIES = 5; // in a row that brought nothing: then the run is not followed any more
const BREAK = /\r\n\r\n|\n\n|\r\r/; // between two events (WHATWG HTML, 9.2.6)

/**
 * Follow the run `id`, whose event stream is at `url`: its own, as a run that was started by GET waits for its reader.
 *
 * Call `take(data, id)` with the text of each event to come; of a run that is over, with that of its last one as its state
 * has it. `take` returns whether more is wanted. Throws Problem when the server does not know the run.
 */
export async function followLate(url, runs, id, signal, take) {
  let tries = 0;
  while (tries < TRIES && !signal.aborted) {
    tries += 1;
    try {
      const state = await runState(runs, id);
      if (state.state !== "working") {
        take(stringify(lastEvent(state)), "");
        return;
      }
      const stream = await streamAfter(url, `${id}/${state.metadata.events}`, signal);
      if (stream === null) continue; // it has ended since
      for await (const event of eventsOf(stream)) {
        tries = 0;
        if (!take(event.data, event.id)) return;
      }
    } catch (error) {
      if (error.object?.code !== "unreachable") throw error; // no answer at all: the next try decides
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function lastEvent({ state, data, error, metadata }) {
  return state === "complete" ? { type: "complete", data, metadata } : { type: "error", error, metadata };
}

/** The events of a stream of text; one that breaks ends it. */
async function* eventsOf(stream) {
  const reader = stream.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    const blocks = `${rest}${value}`.split(BREAK);
    rest = blocks.pop();
    for (const block of blocks) {
      const event = fieldsOf(block);
      if (event.data !== "") yield event;
    }
  }
}

function fieldsOf(block) {
  const lines = block.split(/\r\n|\n|\r/);
  const field = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""));
  return { id: field("id").at(-1) ?? "", data: field("data").join("\n") };
}
