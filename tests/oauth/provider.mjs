// A real authorization server for tests: npm's oidc-provider over TLS, whose one user agrees to everything at once.
//
//   node provider.mjs '{"modules": DIRECTORY, "key": FILE, "certificate": FILE, "port": 0, "format": "jwt"}'
//
// It prints its issuer when it listens. `format` is that of access tokens: "jwt" or "opaque". Nothing is asserted here.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const options = JSON.parse(process.argv[2])
const require = createRequire(`${options.modules}/`)
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href)

const SCOPES = 'read write admin'
const SECONDS = 600

// One key of each kind.
const keys = [
  ['rsa', { modulusLength: 2048 }],
  ['ec', { namedCurve: 'P-256' }],
  ['ed25519', {}],
].map(([kind, parameters]) => ({
  ...generateKeyPairSync(kind, parameters).privateKey.export({ format: 'jwk' }),
  kid: `${kind} of ${process.pid}`,
  use: 'sig',
}))

const server = createServer({ key: readFileSync(options.key), cert: readFileSync(options.certificate) })
server.listen(options.port ?? 0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const issuer = `https://localhost:${server.address().port}`

const resource = {
  enabled: true,
  defaultResource: (ctx) => ctx.oidc.params?.resource ?? options.resource,
  useGrantedResource: () => true,
  getResourceServerInfo: (ctx, indicator) => ({
    scope: SCOPES,
    audience: indicator,
    accessTokenTTL: SECONDS,
    accessTokenFormat: options.format ?? 'jwt',
    ...(options.format === 'opaque' ? {} : { jwt: { sign: { alg: options.algorithm ?? 'RS256' } } }),
  }),
}

const provider = new Provider(issuer, {
  scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
  clients: [
    {
      client_id: 'tools',
      client_secret: 'a secret of the resource server',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: SCOPES,
    },
  ],
  clientDefaults: { scope: `openid offline_access ${SCOPES}` },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: resource,
  },
  clientBasedCORS: () => true,
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const { client, account, params } = ctx.oidc
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: account.accountId })
    grant.addOIDCScope(params.scope ?? 'openid')
    const target = params.resource ?? options.resource
    if (target) grant.addResourceScope(target, params.scope ?? '')
    await grant.save()
    return grant
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  ttl: { AccessToken: SECONDS, ClientCredentials: SECONDS, Grant: SECONDS, Interaction: SECONDS, Session: SECONDS },
  jwks: { keys },
  cookies: { keys: ['a key of the test'] },
})

const answer = provider.callback()
server.on('request', async (request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response)
  const { params } = await provider.interactionDetails(request, response)
  await provider.interactionFinished(request, response, { login: { accountId: params.login_hint ?? 'alice' }, consent: {} })
})
if (options.verbose) provider.on('server_error', (ctx, error) => console.error(error))
console.log(issuer)
