// The official TypeScript SDK, 1.x: `use_sdk1.mjs URL STEP…`, or with BRIDGE over standard streams.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { bridge, drive, steps } from "./driving.mjs";

await drive(async (url) => {
  const client = new Client(
    { name: "use_sdk1", version: "1" },
    { capabilities: { elicitation: {}, sampling: {} } },
  );
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => ({
    action: params.message, // as the tool was told to ask
    ...(params.message === "accept" && { content: { name: "Ada" } }),
  }));
  client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => ({
    role: "assistant",
    model: "none",
    content: { type: "text", text: `echo: ${[params.messages[0].content].flat()[0].text}` },
  }));
  const started = bridge(url);
  const transport = started ? new StdioClientTransport(started) : new StreamableHTTPClientTransport(new URL(url));
  let revision; // which the library tells its transport alone
  if (started) transport.setProtocolVersion = (version) => (revision = version);
  await client.connect(transport);
  const call = (name, args = {}, options = undefined) =>
    client.callTool({ name, arguments: args }, undefined, options);
  return { ...steps(client, call), negotiated: async () => revision, close: () => client.close() };
});
