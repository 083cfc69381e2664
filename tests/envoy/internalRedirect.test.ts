import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { EditedEnvoy } from './editedEnvoy.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw, type WireReply } from '../../harness/envoy/wireClient.ts';

const found = await available();

/** Envoy follows an upstream's redirect itself, and runs the filters again on a request that bears what they left of it. */
describe('an internal redirect', { skip: found.skip }, () => {
  let upstream: Server;
  before(async () => {
    upstream = createServer((request, response) => {
      if (request.url === '/v1/old') response.writeHead(302, { location: `http://${request.headers.host}/v1/new` });
      response.end();
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  });
  after(() => upstream.close());

  it('is refused, because the key is gone by then', async () => {
    assert.equal((await follow('')).status, 401);
  });

  it('is decided and counted again where keys are forwarded', async () => {
    const reply = await follow('forwardKey: true\n');
    assert.equal(reply.status, 200);
    assert.match(String(reply.headers.find(([name]) => name === 'ratelimit')?.[1]), /r=8;/);
  });

  async function follow(more: string): Promise<WireReply> {
    const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const envoy = await EditedEnvoy.start(`${testPolicy({ limit: 10 })}${more}`, url, found, ({ route_config }) => {
      for (const { route } of route_config.virtual_hosts[0].routes)
        if (route !== undefined) route['internal_redirect_policy'] = {};
    });
    try {
      const reply = await sendRaw(
        envoy.port,
        requestBytes({ method: 'GET', path: '/v1/old', host: 'any', headers: [['x-api-key', 'acme-secret-key']] }),
      );
      assert.ok(reply !== null);
      return reply;
    } finally {
      await envoy.stop();
    }
  }
});
