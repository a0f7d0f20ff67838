// Google's Genkit: `use_genkit.mjs URL STEP…`. It checks arguments by the listed schema itself, before it calls.
import { createMcpClient } from "@genkit-ai/mcp";
import { genkit } from "genkit";
import { drive } from "./driving.mjs";

await drive(async (url) => {
  const ai = genkit({});
  const client = createMcpClient({ name: "served", mcpServer: { url }, rawToolResponses: true });
  await client.ready();
  const tools = new Map((await client.getActiveTools(ai)).map((tool) => [tool.__action.name.split("/").at(-1), tool]));
  const call = async (name, args = {}) => (await tools.get(name).run(args)).result;
  const text = async (name, args) => (await call(name, args)).content[0].text;
  return {
    list: () => [...tools.keys()].sort(),
    add: async () => (await call("add", { a: 2, b: 3 })).structuredContent,
    spoken: () => text("spoken"),
    picture: async () => (await call("picture")).content[0].mimeType,
    late: async () => (await call("late", { size: 600_000 })).structuredContent.text.length,
    fail: async () => {
      const result = await call("fail");
      return [result.isError, result.content[0].text];
    },
    close: () => client.disable(),
  };
});
