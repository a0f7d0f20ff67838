// The official TypeScript client, 2.x, and its sign-in: `oauth_client2.mjs URL` prints what `whoami` says.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const CALLBACK = "http://127.0.0.1:9/callback";
const kept = {};

/** As a browser does, as far as the client's own address. */
async function visit(url) {
  const cookies = new Map();
  while (!url.href.startsWith(CALLBACK)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: cookie ? { cookie } : {} });
    for (const each of answer.headers.getSetCookie()) {
      const [name, value] = each.split(";")[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    url = new URL(answer.headers.get("location"), url);
  }
  return url.searchParams;
}

const provider = {
  redirectUrl: CALLBACK,
  clientMetadata: {
    client_name: "oauth_client2",
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  redirectToAuthorization: async (url) => void (kept.came = await visit(url)),
};

const url = new URL(process.argv[2]);
const connect = async () => {
  const client = new Client({ name: "oauth_client2", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  try {
    await client.connect(transport);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(kept.came);
    return null;
  }
  return client;
};
const client = (await connect()) ?? (await connect());
console.log((await client.callTool({ name: "whoami", arguments: {} })).content[0].text);
await client.close();
process.exit(0);
