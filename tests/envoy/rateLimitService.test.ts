import assert from 'node:assert/strict';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { clustersOf } from '../../scripts/envoy/resource.ts';
import { notesOf } from '../../scripts/envoy/policyServer.ts';
import { type Snapshot, snapshotOf, union } from '../../scripts/envoy/snapshot.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { tollgate } from '../scripts/fakeIo.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { available } from '../../harness/envoy/available.ts';
import { EnvoyUnderTest } from '../../harness/envoy/envoyUnderTest.ts';
import { eventually } from '../../harness/envoy/toolProcess.ts';
import { testPolicy } from '../../harness/envoy/testPolicy.ts';
import { requestBytes, sendRaw } from '../../harness/envoy/wireClient.ts';

const found = await available();
const CLUSTER = 'outbound|8081||ratelimit.tollgate.svc.cluster.local';
const ADDRESS = { host: '127.0.0.1', port: 8081 };
const MESH = `
policy: shop
rateLimitService: { cluster: "${CLUSTER}" }
upstreams: { v1: { url: "http://127.0.0.1:9001" } }
apis: { pets: { paths: [/], plans: [gold, free], upstream: v1 } }
plans:
  gold: { quotas: { hourly: { limit: 5000, window: hour, scope: mesh, onUnavailable: local-share }, daily: { limit: 9, window: day, scope: mesh } } }
  free: { quotas: { hourly: { limit: 5000, window: hour, scope: mesh, onUnavailable: local-share }, here: { limit: 9, window: day } } }
`;

function policyOf(text: string): Policy {
  const { policy, problems } = readPolicy(text, 'p');
  assert.deepEqual(problems, []);
  return policy!;
}

const snapshot = (text: string, rateLimitService: typeof ADDRESS | null = ADDRESS): Snapshot => {
  const policy = policyOf(text);
  return snapshotOf(policy, compilePolicy(policy), new Map(), rateLimitService);
};

describe("the rate limit service's cluster", () => {
  it('speaks HTTP/2, and gives up a connection soon', () => {
    assert.deepEqual(clustersOf(snapshot(MESH))[1], {
      '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
      name: CLUSTER,
      type: 'STATIC',
      connect_timeout: '0.25s',
      load_assignment: {
        cluster_name: CLUSTER,
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 8081 } } } }] },
        ],
      },
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    });
  });

  it('is there only for a policy with a rate limit service, and where one is named', () => {
    assert.equal(clustersOf(snapshot(MESH, null)).length, 1);
    assert.equal(
      clustersOf(
        snapshot(
          MESH.replace(/^rateLimitService.*$/m, '').replaceAll(/, scope: mesh(, onUnavailable: local-share)?/g, ''),
        ),
      ).length,
      1,
    );
  });

  it('may not have the name of an upstream', () => {
    assert.throws(() => snapshot(MESH.replace(CLUSTER, 'v1')), {
      message:
        'rateLimitService: cluster v1 is the name of an upstream too, and one Envoy has one cluster of a name; call the upstream something else',
    });
    assert.equal(clustersOf(snapshot(MESH.replace(CLUSTER, 'v1'), null)).length, 1);
  });

  it('stands beside the next one during an edit', () => {
    const both = union(snapshot(MESH), snapshot(MESH.replace(CLUSTER, 'other')));
    assert.deepEqual(
      both.rateLimitServices.map(({ name }) => name),
      ['other', CLUSTER],
    );
  });
});

describe('what run says of mesh-wide quotas', () => {
  const says =
    'there is no rate limit service here (--rate-limit-service HOST:PORT names one), so onUnavailable is in force: local share of 500 for free/hourly, gold/hourly; deny for gold/daily';

  it('is one line about the failure modes when there is no service', () => {
    assert.deepEqual(notesOf(policyOf(MESH), null), [says]);
    assert.deepEqual(notesOf(policyOf(MESH), ADDRESS), []);
    assert.deepEqual(notesOf(policyOf('policy: p\nupstreams: { a: { url: "http://a" } }\n'), ADDRESS), [
      'the policy has no rateLimitService, so the one of --rate-limit-service is never asked',
    ]);
  });

  it('is said with a bootstrap, too, which has the cluster when it is told where', async () => {
    const file = scratchFile(scratchFolder(), MESH);
    const without = await tollgate(['run', file, '--print-bootstrap']);
    assert.equal(without.err.split('\n').at(-2), `tollgate: ${says}`);
    const { out, err } = await tollgate([
      'run',
      file,
      '--print-bootstrap',
      '--rate-limit-service',
      'ratelimit.local:8081',
    ]);
    assert.doesNotMatch(err, /onUnavailable/);
    const { clusters } = (JSON.parse(out) as { static_resources: { clusters: { name: string; type: string }[] } })
      .static_resources;
    assert.deepEqual(
      clusters.map(({ name, type }) => [name, type]),
      [
        ['v1', 'STATIC'],
        [CLUSTER, 'LOGICAL_DNS'],
      ],
    );
    assert.equal(out.includes(`"@type": "type.googleapis.com/envoy.config.cluster`), false);
  });

  it('needs a valid address', async () => {
    for (const address of ['8081', 'localhost', 'localhost:', 'http://a:1', 'a:0', 'a:70000', 'u@a:1', '[::1]']) {
      const { code, err } = await tollgate(['run', 'none.yaml', '--rate-limit-service', address]);
      assert.deepEqual(
        [code, err],
        [2, `tollgate run: --rate-limit-service is HOST:PORT; found "${address}"; see tollgate run --help\n`],
      );
    }
    assert.equal(
      (await tollgate(['run', 'none.yaml', '--rate-limit-service', '[::1]:8081'])).err,
      'none.yaml: no such file\n',
    );
  });
});

describe('the rate limit service of a running Envoy', { skip: found.skip }, () => {
  let test: EnvoyUnderTest;
  let rateLimitService: Http2Server;
  const asked: string[] = [];
  before(async () => {
    rateLimitService = createServer((request, response) => {
      asked.push(`HTTP/${request.httpVersion} ${request.url}`);
      response.end('counted');
    });
    await new Promise<void>((resolve) => rateLimitService.listen(0, '127.0.0.1', resolve));
    test = await EnvoyUnderTest.start(testPolicy(), found);
  });
  after(async () => {
    await test?.stop();
    rateLimitService.close();
  });

  const clusters = async (): Promise<string[]> =>
    [
      ...new Set(
        [...(await test.envoy.admin.page('/clusters')).matchAll(/^(.+?)::default_priority/gm)].map(
          (match) => match[1]!,
        ),
      ),
    ].sort();
  const withRateLimitService = async (name: string): Promise<Snapshot> => {
    const plain = await test.snapshot(testPolicy());
    const { port } = rateLimitService.address() as AddressInfo;
    // no route of a policy leads to its rate limit service; here one does, to see who answers
    return {
      ...plain,
      rateLimitServices: [{ name, host: '127.0.0.1', port }],
      routes: plain.routes.map((route) => ({ ...route, upstream: name })),
    };
  };

  it('is reached by HTTP/2, whatever characters its name has', async () => {
    await test.envoy.apply(await withRateLimitService(CLUSTER));
    const reply = await sendRaw(
      test.port,
      requestBytes({ method: 'GET', path: '/v1/pets', host: 'any', headers: [['x-api-key', 'rich-secret-key']] }),
    );
    assert.deepEqual([reply?.status, reply?.body], [200, 'counted']);
    assert.deepEqual(asked, ['HTTP/2.0 /v1/pets']);
  });

  it('comes, changes its name and goes with edits', async () => {
    const upstreams = (await test.snapshot(testPolicy())).upstreams.map(({ name }) => name);
    await test.envoy.apply(await withRateLimitService('other'));
    assert.deepEqual(
      await eventually(
        async () => ((await clusters()).includes(CLUSTER) ? null : clusters()),
        () => 'the old rate limit service stays',
      ),
      [...upstreams, 'other'].sort(),
    );
    await test.edit(testPolicy());
    assert.deepEqual(
      await eventually(
        async () => ((await clusters()).includes('other') ? null : clusters()),
        () => 'the rate limit service stays',
      ),
      [...upstreams].sort(),
    );
  });
});
