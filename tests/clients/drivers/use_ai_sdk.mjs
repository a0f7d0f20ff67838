// Vercel's AI SDK: `use_ai_sdk.mjs URL STEP…`, with MODE=http or MODE=sse, the transport of 2024-11-05.
import { ElicitationRequestSchema, createMCPClient } from "@ai-sdk/mcp";
import { drive } from "./driving.mjs";

await drive(async (url) => {
  const client = await createMCPClient({
    transport: { type: process.env.MODE, url },
    capabilities: { elicitation: {} },
  });
  client.onElicitationRequest(ElicitationRequestSchema, ({ params }) => ({
    action: params.message, // as the tool was told to ask
    ...(params.message === "accept" && { content: { name: "Ada" } }),
  }));
  const call = (name, args = {}) => client.callTool({ name, arguments: args });
  const text = async (name, args) => (await call(name, args)).content[0].text;
  return {
    list: async () => (await client.listTools()).tools.map((tool) => tool.name).sort(),
    add: async () => (await call("add", { a: 2, b: 3 })).structuredContent,
    spoken: () => text("spoken"),
    picture: async () => (await call("picture")).content[0].mimeType,
    invalid: async () => (await call("add", { a: "two", b: 3 })).isError,
    late: async () => (await call("late", { size: 600_000 })).structuredContent.text.length,
    fail: async () => {
      const result = await call("fail");
      return [result.isError, result.content[0].text];
    },
    ask: async () => {
      const said = [];
      for (const message of ["accept", "decline", "cancel"]) said.push(await text("ask", { message }));
      return said;
    },
    close: () => client.close(),
  };
});
