// The same tools on version 1 of the official TypeScript SDK, as its example of a stateless server has it: `ts_v1.mjs PORT`.
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as z from 'zod/v4';

const done = text => ({ content: [{ type: 'text', text }] });

function newServer() {
    const server = new McpServer({ name: 'bench', version: '1.0.0' });
    const report = (extra, progress, total) =>
        extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken: extra._meta.progressToken, progress, total, message: `step ${progress}` }
        });
    server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => done(text));
    server.registerTool('events', { inputSchema: { count: z.number().int() } }, async ({ count }, extra) => {
        for (let number = 1; number <= count; number++) await report(extra, number, count);
        return done('done');
    });
    server.registerTool('idle', { inputSchema: { seconds: z.number() } }, async ({ seconds }, extra) => {
        await report(extra, 1, 2);
        await new Promise(resolve => setTimeout(resolve, seconds * 1000));
        return done('done');
    });
    return server;
}

createServer(async (request, response) => {
    const server = newServer();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => {
        transport.close();
        server.close();
    });
    await server.connect(transport);
    await transport.handleRequest(request, response);
}).listen(Number(process.argv[2]), '127.0.0.1', 4096);
