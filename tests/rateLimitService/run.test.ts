import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { startEcho, type Echo } from '../../scripts/upstream/echo.ts';
import { available } from '../../harness/envoy/available.ts';
import { digestOf } from '../../harness/envoy/testPolicy.ts';
import { eventually, freePort, ToolProcess } from '../../harness/envoy/toolProcess.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';
import { FakeService } from '../../harness/rateLimitService/fakeService.ts';

const found = await available();
const CLUSTER = 'outbound|8081||ratelimit.tollgate.svc.cluster.local';
const DAILY = { window: 'day', quota: 'daily' } as const;

function policy({ cluster = CLUSTER, limit = 3, scope = 'mesh' } = {}): string {
  return `
policy: petstore
rateLimitService: { cluster: "${cluster}", timeout: 1s }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis: { petstore: { paths: [/v1], plans: [gold], upstream: v1 } }
plans: { gold: { quotas: { daily: { limit: ${limit}, window: day, scope: ${scope} } } } }
consumers: { acme: { plan: gold, keys: [{ id: a, digest: "${digestOf('acme-secret-key')}" }] } }
`;
}

describe('tollgate run with mesh-wide quotas', { skip: found.skip }, () => {
  let folder: string;
  let file: string;
  let echo: Echo;
  let service: FakeService | null = null;
  let tool: ToolProcess | null = null;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-run-'));
    file = join(folder, 'petstore.policy.yaml');
    echo = await startEcho('echo');
  });
  afterEach(async () => {
    await tool?.end();
    await service?.stop();
    tool = service = null;
  });
  after(async () => {
    await echo.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (text: string, ...more: string[]): Promise<number> => {
    await writeFile(file, text);
    tool = new ToolProcess([
      'run',
      file,
      '--port',
      String(await freePort()),
      '--upstream',
      `v1=${echo.url}`,
      '--concurrency',
      '1',
      ...more,
    ]);
    return tool.port();
  };
  const statuses = async (port: number, count: number): Promise<(number | undefined)[]> => {
    const seen: (number | undefined)[] = [];
    for (let call = 0; call < count; call++)
      seen.push(
        (
          await sendRaw(
            port,
            requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [['x-api-key', 'acme-secret-key']] }),
          )
        )?.status,
      );
    return seen;
  };

  it('asks the service of --rate-limit-service, and goes on asking it when the cluster has another name', async () => {
    service = await FakeService.start('petstore', [DAILY]);
    const port = await start(policy({ limit: 1000 }), '--rate-limit-service', `127.0.0.1:${service.port}`);
    assert.deepEqual(await statuses(port, 3), [200, 200, 200]);
    assert.ok(service.calls.length > 0);
    assert.doesNotMatch(tool!.err, /onUnavailable/);
    await writeFile(file, policy({ limit: 1000, cluster: 'other' }));
    await tool!.says(/in force: rateLimitService changed/);
    const before = service.calls.length;
    // leases of the old cluster are spent first
    await eventually(
      async () => {
        assert.deepEqual(await statuses(port, 10), Array<number>(10).fill(200));
        return service!.calls.length > before ? true : null;
      },
      () => 'nobody asks the rate limit service under its new name',
    );
  });

  it('says without --rate-limit-service what onUnavailable does, at once and with the edit that brings such a quota', async () => {
    const port = await start(policy({ scope: 'envoy' }));
    assert.deepEqual(await statuses(port, 1), [200]);
    assert.doesNotMatch(tool!.err, /onUnavailable/);
    await writeFile(file, policy());
    await tool!.says(
      /there is no rate limit service here \(--rate-limit-service HOST:PORT names one\), so onUnavailable is in force: deny for gold\/daily\n/,
    );
    await eventually(
      async () => ((await statuses(port, 1))[0] === 200 ? null : true),
      () => 'it passes',
    );
    await tool!.end();
    await start(policy());
    await tool!.says(/so onUnavailable is in force: deny for gold\/daily\n/);
  });
});
