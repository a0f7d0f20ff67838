/** "Connect a client": what is typed or pasted where, for this server's MCP endpoint. Makers' words, as data. */

import { copyButton, el } from "./element.js";
import { quote } from "./curl.js";

// KEY stands where a person puts the key: the page knows none.
const fields = (isAsked) => (isAsked ? { headers: { Authorization: "Bearer KEY" } } : {});

const CLIENTS = [
  {
    name: "Claude Code",
    where: "in a terminal",
    text: ({ name, url, isAsked }) =>
      `claude mcp add --transport http ${quote(name)} ${quote(url)}${isAsked ? " --header 'Authorization: Bearer KEY'" : ""}`,
  },
  {
    name: "VS Code",
    where: "in a terminal",
    text: ({ name, url, isAsked }) => `code --add-mcp ${quote(JSON.stringify({ name, type: "http", url, ...fields(isAsked) }))}`,
  },
  {
    name: "Cursor",
    where: "in .cursor/mcp.json",
    text: ({ name, url, isAsked }) => JSON.stringify({ mcpServers: { [name]: { url, ...fields(isAsked) } } }),
  },
  { name: "Any other", where: "the URL", text: ({ url, isAsked }) => (isAsked ? `${url}\nAuthorization: Bearer KEY` : url) },
];

/** Fill `container` for a server, {name, url, isAsked}: `isAsked` where it takes API keys. */
export function drawClients(container, server) {
  container.replaceChildren();
  for (const { name, where, text } of CLIENTS) {
    const item = el("div", "client");
    const head = el("div", "row");
    const heading = el("h3", "", name);
    heading.append(" ", el("span", "tag", where));
    head.append(heading, copyButton("Copy", () => text(server), `Copy for ${name}`));
    const line = el("pre", "line", text(server));
    line.tabIndex = 0; // what scrolls must be reachable by keyboard
    line.setAttribute("role", "group");
    line.setAttribute("aria-label", name);
    item.append(head, line);
    container.append(item);
  }
}
