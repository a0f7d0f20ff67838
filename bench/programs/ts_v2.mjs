// The same tools on version 2 of the official TypeScript SDK, by its createMcpHandler: `ts_v2.mjs PORT`.
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod/v4';

const done = text => ({ content: [{ type: 'text', text }] });

function newServer() {
    const server = new McpServer({ name: 'bench', version: '1.0.0' });
    const report = (context, progress, total) =>
        context.mcpReq.notify({
            method: 'notifications/progress',
            params: { progressToken: context.mcpReq._meta.progressToken, progress, total, message: `step ${progress}` }
        });
    server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text }) => done(text));
    server.registerTool('events', { inputSchema: z.object({ count: z.number().int() }) }, async ({ count }, context) => {
        for (let number = 1; number <= count; number++) await report(context, number, count);
        return done('done');
    });
    server.registerTool('idle', { inputSchema: z.object({ seconds: z.number() }) }, async ({ seconds }, context) => {
        await report(context, 1, 2);
        await new Promise(resolve => setTimeout(resolve, seconds * 1000));
        return done('done');
    });
    return server;
}

createServer(toNodeHandler(createMcpHandler(newServer))).listen(Number(process.argv[2]), '127.0.0.1', 4096);
