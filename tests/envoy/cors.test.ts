import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { available } from '../../harness/envoy/available.ts';
import { EditedEnvoy } from './editedEnvoy.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';

const found = await available();
const ORIGIN = 'https://shop.test';
const CORS = 'envoy.filters.http.cors';
const FILTER = {
  name: CORS,
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors' },
};
const CORS_POLICY = {
  '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy',
  allow_origin_string_match: [{ exact: ORIGIN }],
  allow_methods: 'GET',
  allow_headers: 'x-api-key',
  expose_headers: 'retry-after,ratelimit',
};

/** As docs/requests.md says: the filter before Tollgate, its policy on the virtual host. */
describe("Envoy's cors filter before Tollgate", { skip: found.skip }, () => {
  let echo: Echo;
  let envoy: EditedEnvoy;

  before(async () => {
    echo = await startEcho('v1');
    envoy = await EditedEnvoy.start(testPolicy({ limit: 1 }), echo.url, found, ({ http_filters, route_config }) => {
      http_filters.unshift(FILTER);
      route_config.virtual_hosts[0].typed_per_filter_config = { [CORS]: CORS_POLICY };
    });
  });
  after(async () => {
    await envoy?.stop();
    await echo?.close();
  });

  it('answers preflights itself', async () => {
    const reply = await send('OPTIONS', [['access-control-request-method', 'GET']]);
    assert.deepEqual([reply.status, valueOf(reply, 'access-control-allow-headers')], [200, 'x-api-key']);
    assert.equal(valueOf(reply, 'access-control-allow-origin'), ORIGIN);
  });

  it('lets browsers read answers and refusals alike', async () => {
    const calls = [
      ['acme-secret-key', '/v1/pets', 200],
      ['acme-secret-key', '/v1/pets', 429],
      ['no-such-key-at-all', '/v1/pets', 401],
      ['rich-secret-key', '/nowhere', 404],
    ] as const;
    for (const [key, path, status] of calls) {
      const reply = await send('GET', [['x-api-key', key]], path);
      assert.equal(reply.status, status);
      assert.equal(valueOf(reply, 'access-control-allow-origin'), ORIGIN, String(status));
      assert.equal(valueOf(reply, 'access-control-expose-headers'), 'retry-after,ratelimit', String(status));
    }
  });

  it('tells other origins nothing', async () => {
    const reply = await sendRaw(
      envoy.port,
      requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [['origin', 'https://evil.test']] }),
    );
    assert.deepEqual([reply?.status, reply && valueOf(reply, 'access-control-allow-origin')], [401, undefined]);
  });

  async function send(method: string, headers: [string, string][], path = '/v1/pets'): Promise<WireReply> {
    const reply = await sendRaw(
      envoy.port,
      requestBytes({ method, path, host: 'any', headers: [['origin', ORIGIN], ...headers] }),
    );
    assert.ok(reply !== null);
    return reply;
  }
});

function valueOf(reply: WireReply, name: string): string | undefined {
  return reply.headers.find((header) => header[0] === name)?.[1];
}
