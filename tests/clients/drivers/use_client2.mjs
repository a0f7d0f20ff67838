// The official TypeScript client, 2.x: `use_client2.mjs URL STEP…`, with MODE=auto or MODE=legacy (its own default), and
// with BRIDGE over standard streams.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { bridge, drive, steps } from "./driving.mjs";

await drive(async (url) => {
  const client = new Client(
    { name: "use_client2", version: "1" },
    {
      capabilities: { elicitation: {}, sampling: {} },
      ...(process.env.MODE === "auto" && { versionNegotiation: { mode: "auto" } }),
    },
  );
  client.setRequestHandler("elicitation/create", async ({ params }) => ({
    action: params.message, // as the tool was told to ask
    ...(params.message === "accept" && { content: { name: "Ada" } }),
  }));
  client.setRequestHandler("sampling/createMessage", async ({ params }) => ({
    role: "assistant",
    model: "none",
    content: { type: "text", text: `echo: ${[params.messages[0].content].flat()[0].text}` },
  }));
  const started = bridge(url);
  await client.connect(started ? new StdioClientTransport(started) : new StreamableHTTPClientTransport(new URL(url)));
  const call = (name, args = {}, options = undefined) =>
    client.callTool({ name, arguments: args }, options);
  return { ...steps(client, call), negotiated: async () => client.getNegotiatedProtocolVersion(), close: () => client.close() };
});
