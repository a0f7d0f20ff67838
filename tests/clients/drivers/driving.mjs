// What the drivers in JavaScript have in common: the command line, the steps, one line of JSON with what each gave.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** `connect(url)` gives the steps by name, and `close`. */
export async function drive(connect) {
  const [url, ...names] = process.argv.slice(2);
  const client = await connect(url);
  const given = {};
  for (const name of names) given[name] = await client[name]();
  await client.close();
  console.log(JSON.stringify(given));
  process.exit(0); // some transports keep a timer
}

/** With BRIDGE, a command as a JSON list: what starts that command, which is given the URL; null without. */
export function bridge(url) {
  if (!process.env.BRIDGE) return null;
  const [command, ...args] = JSON.parse(process.env.BRIDGE);
  return { command, args: [...args, url], env: process.env };
}

/** The numbers of the parts that were sent as messages; the server's own signs of life are none of them. */
const parts = (messages) => messages.filter((message) => message?.startsWith("{")).map((message) => JSON.parse(message).step);

/** Both official clients list and call alike; `call(name, arguments, options)` is where they differ. */
export function steps(client, call) {
  const text = async (name, args) => (await call(name, args)).content[0].text;
  return {
    list: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
    add: async () => (await call("add", { a: 2, b: 3 })).structuredContent,
    whole: async () => (await call("add", { a: 2.0, b: 3 })).structuredContent, // which JavaScript writes as 2
    late: async () => (await call("late", { size: 600_000 })).structuredContent.text.length,
    spoken: () => text("spoken"),
    picture: async () => (await call("picture")).content[0].mimeType,
    invalid: async () => (await call("add", { a: "two", b: 3 })).isError,
    silent: async () => {
      const options = { timeout: 3_000, resetTimeoutOnProgress: true, onprogress: () => {} };
      return (await call("silent", { seconds: 7 }, options)).content[0].text;
    },
    ask: async () => {
      const said = [];
      for (const message of ["accept", "decline", "cancel"]) said.push(await text("ask", { message }));
      return said;
    },
    offer: async () => {
      const [resource] = (await client.listResources()).resources;
      const [template] = (await client.listResourceTemplates()).resourceTemplates;
      const read = [];
      for (const uri of ["note://today", "day://monday"]) read.push((await client.readResource({ uri })).contents[0].text);
      const got = await client.getPrompt({ name: "plan", arguments: { day: "monday" } });
      const ref = { type: "ref/prompt", name: "plan" };
      const { completion } = await client.complete({ ref, argument: { name: "day", value: "t" } });
      return [resource.uri, template.uriTemplate, read, got.messages[0].content.text, completion.values];
    },
    outlast: () => text("outlast", { seconds: 2.5 }),
    sample: () => text("sample"),
    fail: async () => {
      const result = await call("fail");
      return [result.isError, result.content[0].text];
    },
    progress: async () => {
      const seen = [];
      const onprogress = ({ progress, total, message }) => seen.push([progress, total, message]);
      const result = await call("count", { to: 3 }, { onprogress });
      return [seen, result.content[0].text];
    },
    work: async () => {
      const { name, arguments: args } = JSON.parse(process.env.WORK);
      const seen = [];
      const onprogress = ({ message }) => seen.push(message);
      const result = await call(name, args, { onprogress, resetTimeoutOnProgress: true });
      const kept = Object.entries(result._meta ?? {}).find(([key]) => key.endsWith("/partial"))?.[1];
      return { seen: parts(seen), kept: kept?.map(({ step }) => step), result: result.structuredContent };
    },
    cancel: async () => {
      const key = randomUUID();
      const leaving = new AbortController();
      const waiting = Promise.withResolvers();
      const call_ = call("wait", { key }, { onprogress: waiting.resolve, signal: leaving.signal });
      const ended = call_.catch(() => {});
      await Promise.race([waiting.promise, sleep(10_000).then(() => Promise.reject(new Error("no progress")))]);
      leaving.abort("enough");
      await ended;
      for (let attempt = 0; attempt < 100; attempt++) {
        if ((await text("was_cancelled", { key })) === "true") return true;
        await sleep(100);
      }
      return false;
    },
  };
}
