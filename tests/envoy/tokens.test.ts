import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer as createPlain, type RequestListener } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { Authority } from '../../harness/envoy/authority.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { keySet, signedToken } from '../../harness/envoy/token.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { lacking } from '../../harness/registry/component.ts';
import { scratchFolder } from '../../harness/scratch.ts';

const found = await available();
const withoutOpenssl = await lacking('openssl');
const ROUTER = 'envoy.filters.http.router';
const ISSUER = 'https://corp.example';
const CLAIMS = { iss: ISSUER, sub: 'acme-1', aud: 'shop' };

function policyOf(jwks: string, upstream: string, credentials = '[token]'): string {
  return `policy: tokens
upstreams: { all: { url: "${upstream}" } }
tokens: { corp: { issuer: "${ISSUER}", jwks: ${jwks}, audiences: [shop] } }
apis: { shop: { paths: [/shop], plans: [free], credentials: ${credentials}, upstream: all } }
plans: { free: }
consumers: { acme: { plan: free, tokens: { corp: [acme-1] } } }
`;
}

describe('tokens that tollgate run has verified', { skip: found.skip }, () => {
  const folder = scratchFolder();
  const file = join(folder, 'tokens.policy.yaml');
  let echo: Echo;
  let tool: ToolProcess | null = null;
  const servers: Server[] = [];
  before(async () => {
    echo = await startEcho('echo');
  });
  afterEach(async () => {
    await tool?.end();
    tool = null;
    for (const server of servers.splice(0)) server.close();
  });
  after(() => echo.close());

  it('fetches a key set from its URL, and takes whom it signs', async () => {
    const url = await serveKeys(createPlain, 'http');
    const port = await run(`"${url}"`);
    await becomes(port, signedToken(CLAIMS), 200);
    assert.equal(await status(port, signedToken(CLAIMS, { by: 'foreign', alg: 'ES256' })), 401);
    assert.equal(await status(port, signedToken({ ...CLAIMS, sub: 'nobody' })), 403);
    assert.equal(await status(port, null), 401);
  });

  it('fetches it with TLS, from a server that the authorities vouch for', { skip: withoutOpenssl }, async () => {
    const authority = await Authority.make(folder);
    const leaf = await authority.certify('keys', 'DNS:localhost,IP:127.0.0.1');
    const url = await serveKeys((listener) => createSecure(leaf, listener), 'https');
    const port = await run(`"${url}"`, { SSL_CERT_FILE: join(folder, 'ca.pem') });
    await becomes(port, signedToken(CLAIMS), 200);
  });

  it('takes no token while nobody serves the key set', async () => {
    const port = await run(`"http://127.0.0.1:${await freePort()}/keys"`);
    assert.equal(await status(port, signedToken(CLAIMS)), 401);
  });

  it('follows an edit of the keys', async () => {
    const port = await run(JSON.stringify(keySet('corp')));
    assert.equal(await status(port, signedToken(CLAIMS)), 200);
    writeFileSync(file, policyOf(JSON.stringify(keySet('later')), echo.url));
    await tool!.says(/in force: key sets changed/);
    assert.equal(await status(port, signedToken(CLAIMS)), 401);
    assert.equal(await status(port, signedToken(CLAIMS, { by: 'later', alg: 'ES256' })), 200);
  });

  it('refuses an edit that brings the first API with tokens, and says what to do', async () => {
    const port = await run(JSON.stringify(keySet('corp')), {}, '[key]');
    writeFileSync(file, policyOf(JSON.stringify(keySet('corp')), echo.url));
    await tool!.says(
      /no API took tokens when this Envoy was started, so nothing in it verifies them; stop it and start it/,
    );
    assert.equal(await status(port, signedToken(CLAIMS)), 401);
  });

  it('puts the filter into a bootstrap that others start', async () => {
    writeFileSync(file, policyOf(JSON.stringify(keySet('corp')), echo.url));
    tool = new ToolProcess(['run', file, '--print-bootstrap']);
    assert.equal((await tool.exited).code, 0, tool.err);
    const [, filters = ''] = /"http_filters":(.*)/s.exec(tool.out) ?? [];
    const names = [...filters.matchAll(/"name": ?"(tollgate-tokens|tollgate|envoy.filters.http.router)"/g)];
    // the module's own config names itself once more
    assert.deepEqual([...new Set(names.map(([, name]) => name))], ['tollgate-tokens', 'tollgate', ROUTER]);
  });

  it('takes no token where no filter is in front of the module', async () => {
    const test = await EnvoyUnderTest.start(policyOf(JSON.stringify(keySet('corp')), 'http://127.0.0.1:9'), found, {
      verifiesTokens: false,
    });
    try {
      assert.equal(await status(test.port, signedToken(CLAIMS)), 401);
      assert.equal(test.seen.length, 0);
    } finally {
      await test.stop();
    }
  });

  /** Serves the key set of the issuer; resolves to its URL. */
  async function serveKeys(make: (listener: RequestListener) => Server, scheme: string): Promise<string> {
    const server = make((_, response) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(keySet('corp')));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `${scheme}://localhost:${(server.address() as AddressInfo).port}/keys`;
  }

  async function run(jwks: string, env: NodeJS.ProcessEnv = {}, credentials?: string): Promise<number> {
    writeFileSync(file, policyOf(jwks, echo.url, credentials));
    tool = new ToolProcess(['run', file, '--port', String(await freePort())], env);
    return tool.port();
  }
});

async function status(port: number, token: string | null): Promise<number | null> {
  const headers = token === null ? [] : [['authorization', `Bearer ${token}`] as [string, string]];
  const request = { method: 'GET', path: '/shop', host: 'shop.test', headers };
  return (await sendRaw(port, requestBytes(request), 'GET'))?.status ?? null;
}

/** The keys may still be on their way. */
async function becomes(port: number, token: string, expected: number): Promise<void> {
  await eventually(
    async () => ((await status(port, token)) === expected ? true : null),
    () => `the token does not get ${expected}`,
  );
}
